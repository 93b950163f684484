"""Run the examples of README and docs, and keep what is shown below them true.

    python tools/examples.py update [PAGE...]    write what the examples print into the pages
    python tools/examples.py check  [PAGE...]    exit 1 when a page shows something else

An example is a fenced block marked ``sh`` or ``python``; the ``text`` block behind it is what it prints. Examples of
one page run in order in one empty folder; Python examples share their names. Comments directly above a block say
what is special about it::

    <!-- example: skip -->                   not run: it needs a device or a network; its options must exist even so
    <!-- example: exit 1 -->                 ends with this code instead of 0
    <!-- example: file city.toml -->         no command: the content of a file that examples below it use
    <!-- example: from conformance demo -->  above ``text``: the command that prints it, where the page shows another
    <!-- example: show A .. B | C .. +2 | D .. -->
                                             above ``text``: from a line with A to one with B, one with C and the two
                                             after it, and from one with D on

The blocks below ``<!-- run -->`` and ``<!-- test -->`` are left to whoever checks a fresh checkout.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PROGRAMS: Final = ("conformance", "hj212", "accessctl", "gb28181", "simulator")
#: Written by tools/reference.py from examples that stand in the code.
GENERATED: Final = "<!-- Written by tools/reference.py"
TIMEOUT_S: Final = 60

_FENCE: Final = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK: Final = re.compile(r"<!-- (example: )?(?P<word>[a-z]+)(?: (?P<rest>.*?))? -->\n*\Z")


@dataclass(slots=True)
class Block:
    """One fenced block with the comments above it."""

    kind: str
    body: str
    start: int  #: where its body begins in the page
    line: int
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def skipped(self) -> bool:
        return bool(self.marks.keys() & {"skip", "run", "test", "file"})


class ExampleError(Exception):
    """An example does not do what its page says."""


def pages() -> list[Path]:
    """Return every page that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def read_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = []
    for match in _FENCE.finditer(text):
        marks = {}
        above = text[: match.start()]
        while mark := _MARK.search(above):
            marks[mark["word"]] = mark["rest"] or ""
            above = above[: mark.start()]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match["kind"], match["body"], match.start("body"), line, marks))
    return found


def is_chinese(page: Path) -> bool:
    """Tell the language of a page by its name or folder."""
    return ".zh" in page.name or "zh" in page.parts


class Runner:
    """Runs the examples of one page in an empty folder."""

    def __init__(self, folder: Path, chinese: bool) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__main__"}
        unwanted = ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "STATIONGATE_DEBUG")
        self.env = {key: value for key, value in os.environ.items() if key not in unwanted}
        self.env |= {
            "LANG": "zh_CN.UTF-8" if chinese else "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "88",
            "PYTHONUTF8": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "PYTHON": sys.executable,
            "STATIONGATE_HOME": str(folder / ".stationgate"),  # a key of its own, and no earlier runs
        }

    def output(self, block: Block) -> str:
        """Run one block and return what it prints.

        Raises:
            ExampleError: If it fails, or ends with another code than it should.
        """
        if block.kind == "python":
            return self._python(block)
        return self.shell(block.body, int(block.marks.get("exit", "0")))

    def shell(self, script: str, wanted: int = 0) -> str:
        """Run shell commands; our programs are those of this checkout, whatever is installed."""
        prelude = "".join(f'{name}() {{ "$PYTHON" -m {name} "$@"; }}\n' for name in PROGRAMS)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", prelude + script],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=TIMEOUT_S,
        )
        if done.returncode != wanted:
            raise ExampleError(f"ended with {done.returncode}, not {wanted}:\n{done.stdout}")
        return done.stdout

    def _python(self, block: Block) -> str:
        shown = io.StringIO()
        code = compile("\n" * (block.line) + block.body, "example", "exec")
        with contextlib.redirect_stdout(shown), contextlib.chdir(self.folder):
            exec(code, self.names)
        return shown.getvalue()


def excerpt(output: str, spec: str | None) -> str:
    """Return what a page shows of an output.

    Raises:
        ExampleError: If a line that is looked for is not there.
    """
    lines = [line.rstrip() for line in output.splitlines()]
    if not spec:
        return "\n".join(lines).strip("\n") + "\n"
    shown: list[str] = []
    at = 0
    for part in spec.split(" | "):
        first, _, last = (word.strip() for word in part.partition(".."))
        begin = find(lines, first, at)
        if last.startswith("+"):
            end = min(begin + int(last) + 1, len(lines))
        else:
            end = find(lines, last, begin) + 1 if last else len(lines)
        if begin > at:
            shown.append("...")
        shown += lines[begin:end]
        at = end
    if any(lines[at:]):
        shown.append("...")
    return "\n".join(shown).strip("\n") + "\n"


def find(lines: list[str], wanted: str, start: int) -> int:
    for index in range(start, len(lines)):
        if wanted in lines[index]:
            return index
    raise ExampleError(f"no line with {wanted!r} in:\n" + "\n".join(lines))


def run_page(page: Path) -> Iterator[tuple[Block, str]]:
    """Run the examples of a page; yield each ``text`` block of an example with what it should hold.

    Raises:
        ExampleError: If an example fails; the text says where.
    """
    text = page.read_text("utf-8")
    if text.startswith(GENERATED):
        return
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Path(folder), is_chinese(page.relative_to(ROOT)))
        output: str | None = None
        for block in read_blocks(text):
            try:
                if "file" in block.marks:
                    (runner.folder / block.marks["file"]).write_text(block.body, "utf-8", newline="\n")
                elif block.kind == "text":
                    if command := block.marks.get("from"):
                        output = runner.shell(command + "\n", int(block.marks.get("exit", "0")))
                    if output is not None:
                        yield block, excerpt(output, block.marks.get("show"))
                    output = None
                elif block.kind in ("sh", "python"):
                    output = None if block.skipped else runner.output(block)
            except Exception as error:
                raise ExampleError(f"{page.relative_to(ROOT).as_posix()}:{block.line}: {error}") from error


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each command of ours that a page shows, with its line: program and arguments."""
    for block in read_blocks(page.read_text("utf-8")):
        if block.kind not in ("sh", "powershell"):
            continue
        for number, line in enumerate(block.body.splitlines(), block.line + 1):
            words: list[str] = []
            for word in [*split(line), "|"]:
                if word in ("|", "||", "&&", "&", ";", ">", "<", "2>"):
                    name = re.split(r"[/\\]", words[0])[-1] if words else ""
                    if name in PROGRAMS:
                        yield number, [name, *words[1:]]
                    words = []
                else:
                    words.append(word)


def split(line: str) -> list[str]:
    words = shlex.shlex(line.replace("\\", "/"), posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    return list(words)


def update(chosen: list[Path]) -> int:
    for page in chosen:
        text = page.read_text("utf-8")
        for block, wanted in reversed(list(run_page(page))):
            if block.body != wanted:
                text = text[: block.start] + wanted + text[block.start + len(block.body) :]
                print(f"{page.relative_to(ROOT).as_posix()}:{block.line}")
        page.write_text(text, "utf-8", newline="\n")
    return 0


def check(chosen: list[Path]) -> int:
    wrong = 0
    for page in chosen:
        for block, wanted in run_page(page):
            if block.body != wanted:
                wrong += 1
                place = f"{page.relative_to(ROOT).as_posix()}:{block.line}"
                print(f"{place} should show:\n{wanted}", file=sys.stderr)
    if wrong:
        print("run: python tools/examples.py update", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    actions = {"update": update, "check": check}
    if sys.argv[1:2] == [] or sys.argv[1] not in actions:
        sys.exit(__doc__)
    sys.exit(actions[sys.argv[1]]([Path(name).resolve() for name in sys.argv[2:]] or pages()))
