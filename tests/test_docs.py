"""What the documentation shows is what the programs do: examples run, options exist, links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType

import click
import pytest

import accessctl.cli
import conformance.cli
import gb28181.cli
import hj212.cli
import simulator.cli
from conformance import literal
from conformance.acts import answers
from conformance.demo import rehearse
from conformance.judge import judge
from conformance.live.network import Card
from conformance.live.operator import Act
from conformance.live.waiting import Diagnosis, diagnose, instructions, render_instructions
from conformance.plan import make_plan
from conformance.profile import Profile, load, shipped
from conformance.transcript import Transcript
from conformance.verdicts import Verdict
from stationgate import language

from .conformance.processes import PROFILE, Door, Workplace, quoted

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README, README_ZH = ROOT / "README.md", ROOT / "README.zh-CN.md"

PROGRAMS = {
    "accessctl": accessctl.cli.build_command,
    "conformance": conformance.cli.build,
    "gb28181": gb28181.cli.build_command,
    "hj212": hj212.cli.build_command,
    "simulator": simulator.cli.build,
}
PACKAGES = ("accessctl", "conformance", "gb28181", "hj212", "simulator", "stationgate")


def tool(name: str) -> ModuleType:
    """Import a file of tools/."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


examples = tool("examples")
PAGES = examples.pages()


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with language.speaking("en"):
        yield


# Examples


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform == "win32", reason="the examples are written for a POSIX shell")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_example_prints_what_the_page_shows(page: Path) -> None:
    for block, output in examples.run_page(page):
        assert block.body == output, f"{name_of(page)}:{block.line}; run: python tools/examples.py update"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_on_a_page_has_options_that_exist(page: Path) -> None:
    for line, words in examples.commands(page):
        try:
            parse(words)
        except click.ClickException as error:
            pytest.fail(f"{name_of(page)}:{line}: {' '.join(words)}: {error.format_message()}")


def parse(words: list[str]) -> None:
    """Let click read a command line of ours without running it."""
    program, *arguments = words
    root = PROGRAMS[program]()
    assert isinstance(root, click.Group)
    with suppress(click.exceptions.Exit), root.make_context(program, list(arguments)) as context:
        name, command, rest = root.resolve_command(context, list(arguments))
        assert command is not None
        with command.make_context(name, rest, parent=context):
            pass


@pytest.mark.parametrize(
    ("words", "accepted"),
    [
        (["hj212", "--version"], True),
        (["conformance", "demo", "--fault", "x"], True),
        (["conformance", "demo", "--faults", "x"], False),
        (["conformance", "demonstrate"], False),
        (["simulator", "run"], False),
    ],
)
def test_the_check_of_commands_itself(words: list[str], accepted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with nullcontext() if accepted else pytest.raises(click.ClickException):
        parse(words)


def test_excerpt_is_cut_by_its_marks() -> None:
    output = "one\ntwo\nthree\nfour\nfive\n"
    assert examples.excerpt(output, None) == output
    assert examples.excerpt(output, "two .. three") == "...\ntwo\nthree\n...\n"
    assert examples.excerpt(output, "one .. one | three .. +1") == "one\n...\nthree\nfour\n...\n"
    assert examples.excerpt(output, "four ..") == "...\nfour\nfive\n"
    with pytest.raises(examples.ExampleError):
        examples.excerpt(output, "six ..")


def test_commands_are_found_in_every_kind_of_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\n.venv/bin/hj212 crc 'a;b' | hj212 decode > out && conformance demo  # why\n```\n"
        "```powershell\npy -m venv .venv; .venv\\Scripts\\simulator faults\n```\n",
        "utf-8",
    )
    found = [words for _line, words in examples.commands(page)]
    assert found == [["hj212", "crc", "a;b"], ["hj212", "decode"], ["conformance", "demo"], ["simulator", "faults"]]


# Generated pages


def test_reference_pages_are_current() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference.py"), "check"],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


# README


@pytest.mark.parametrize("page", [README, README_ZH], ids=name_of)
@pytest.mark.parametrize("mark", ["run", "test"])
def test_readme_has_one_line_below_the_mark(page: Path, mark: str) -> None:
    (command,) = re.findall(rf"<!-- {mark} -->\n```sh\n(.*)\n```\n", page.read_text("utf-8"))
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")


def shape(page: Path) -> list[str]:
    """Return headings by their level, and blocks with what is to be typed, in order."""
    text = page.read_text("utf-8")
    found = []
    pattern = r"^(?P<level>#+) |^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$"
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if match["level"]:
            found.append(match["level"])
        else:
            typed = match["kind"] in ("sh", "powershell")
            found.append(f"{match['kind']}: {match['body']}" if typed else match["kind"])
    return found


def test_readme_is_the_same_in_both_languages() -> None:
    assert shape(README) == shape(README_ZH)


def translated() -> list[str]:
    """Return the pages that exist in two languages, those apart whose English text is a longer one."""
    folders = (DOCS / "en", DOCS / "zh")
    names = [{page.relative_to(folder).as_posix() for page in folder.rglob("*.md")} for folder in folders]
    assert names[0] == names[1]
    return sorted(names[0] - {"explanation/architecture.md"})


@pytest.mark.parametrize("name", translated())
def test_page_is_the_same_in_both_languages(name: str) -> None:
    english, chinese = shape(DOCS / "en" / name), shape(DOCS / "zh" / name)
    if name == "reference/command-line.md":  # comments of its commands are translated
        english, chinese = ([re.sub("# .*", "", line) for line in found] for found in (english, chinese))
    assert english == chinese


# Links


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"(?<!\\)\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{name_of(page)}: {target}"
        assert not anchor or anchor in anchors(there), f"{name_of(page)}: {target}"


# ARCHITECTURE.md


def test_architecture_names_every_module_and_no_other() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Packages and modules")[2].partition("\n## ")[0]
    sections = re.split(r"^\*\*(?=[a-z])", text.partition("\nBeside them")[0], flags=re.MULTILINE)[1:]
    assert {section.partition("**")[0] for section in sections} == set(PACKAGES)
    for section in sections:
        package = section.partition("**")[0]
        named = set(re.findall(r"`([a-z0-9_.]+)`", section))
        folder = ROOT / package
        files = [file.relative_to(folder).with_suffix("") for file in folder.rglob("*.py")]
        existing = {".".join(file.parts).removesuffix(".__init__") for file in files} - {"__init__", "__main__"}
        assert named <= existing, package
        assert {name for name in existing if "." not in name} <= named, package


# The tutorial


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_profile_of_the_tutorial_judges_everything_and_takes_two_hours(lang: str, tmp_path: Path) -> None:
    (block,) = [b for b in examples.read_blocks(tutorial(lang)) if b.marks.get("file") == "door.toml"]
    file = tmp_path / "door.toml"
    file.write_text(block.body, "utf-8")
    profile = load(str(file))
    assert not profile.missing
    plan = make_plan(profile)
    transcript = rehearse(plan, profile, sockets=False)
    verdicts = {result.case: result.verdict for result in judge(transcript, profile, plan)}
    assert set(verdicts.values()) <= {Verdict.PASS, Verdict.NOT_APPLICABLE}, verdicts
    assert 1.75 * 3600 < transcript[-1].t_mono - transcript[0].t_mono < 2.25 * 3600


def tutorial(lang: str) -> str:
    return (DOCS / lang / "tutorial" / "first-verdict.md").read_text("utf-8")


def prompt(act: Act) -> str:
    lines = [f">>> {act.prompt}"]
    if act.undo:
        again = language.gettext("once more (attempt {attempt})").format(attempt=act.attempt)
        lines.append(f"    {again}: {act.undo}")
    keys = "   ".join(answers()[id].shown for id in act.text.answers)
    return "\n".join([*lines, f"    {language.gettext('expected')}: {act.expect}", f"    {keys}", ""])


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_prompts_on_the_pages_are_the_operators(lang: language.Language) -> None:
    door = (DOCS / lang / "howto" / "at-the-door.md").read_text("utf-8")
    with language.speaking(lang):
        assert prompt(Act("open", "fingerprint", "A")) in tutorial(lang)
        assert prompt(Act("open", "face", "A", attempt=2)) in door


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_what_the_tutorial_types_into_the_device_is_what_a_run_prints(lang: language.Language) -> None:
    with language.speaking(lang):
        rows = instructions(shipped("nx-door"), "0.0.0.0", 8212, [Card("eth0", "192.168.1.10", 24)])
        shown = render_instructions(rows, "0.0.0.0")
    assert f"```text\n{shown}```" in tutorial(lang)


MN, OTHER_MN, PW = "64010000ACCE550000000001", "64010000ACCE550000000002", "123456"


def report(*, mn: str = MN, pw: str = PW, st: str = "81", flag: str = "5") -> bytes:
    head = f"QN=20250915100000123;ST={st};CN=3020;PW={pw};MN={mn};Flag={flag};"
    return literal.frame(f"{head}CP=&&DataTime=20250915100000;i32001-Info=0;i32002-Info=0;i32003-Info=0&&".encode())


def crc_swapped(frame: bytes) -> bytes:
    return frame[:-6] + frame[-4:-2] + frame[-6:-4] + frame[-2:]


#: What arrives while a device is waited for, in the order of the table; ``None``: nobody connects.
ARRIVALS: list[tuple[bytes | None, bool]] = [
    (None, False),
    (b"", True),
    (b"", False),
    (b"heartbeat\r\n", False),
    (b"GET / HTTP/1.1\r\n", False),
    (crc_swapped(report()), False),
    (report(mn=OTHER_MN), False),
    (report(pw="654321"), False),
    (report(st="32"), False),
    (report(flag="1"), False),
]


def awaited(data: bytes | None, left: bool) -> Diagnosis:
    """Return what is said of a device that sends this, and leaves or stays."""
    declared = shipped("nx-door")
    profile = Profile(declared.name, device={**declared.device, "mn": MN, "pw": PW}, listen={"port": 8212})
    transcript = Transcript(epoch=0.0, clock="virtual")
    transcript.add("listen", 0.0, host="0.0.0.0", port=8212)
    if data is not None:
        transcript.add("connect", 1.0, link=1, peer="192.168.1.20:40000")
    if data:
        transcript.add("bytes", 2.0, link=1, direction="in", data=data)
    if left:
        transcript.add("close", 3.0, link=1, why="closed by the device")
    return diagnose(transcript, profile, 20.0, [Card("eth0", "192.168.1.10", 24)])


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_sentences_of_the_tutorial_are_those_of_a_run_that_waits(lang: language.Language) -> None:
    with language.speaking(lang):
        sentences = [str(awaited(*arrival).what) for arrival in ARRIVALS]
    rows = re.findall(r"^\| (.+?) \|", tutorial(lang), re.MULTILINE)
    assert [row for row in rows if row in sentences] == sentences


@pytest.mark.loopback
def test_simulator_is_the_device_in_a_second_terminal(tmp_path: Path) -> None:
    """The two commands of the tutorial, on a free port instead of 8212."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
    environment.pop("LC_ALL", None)

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    listen = ("--listen", f"127.0.0.1:{port}", "--non-interactive", "--lang", "en")
    with start("conformance", "run", "nx-door", "access/framing", *listen) as suite:
        assert suite.stderr is not None
        assert any(str(port) in line for line in suite.stderr), "what to type into the device"
        with start("simulator", "new") as template:
            scenario = template.communicate(timeout=30)[0]
        (tmp_path / "one-door.toml").write_text(scenario.replace("8212", str(port)), "utf-8")
        with start("simulator", "run", "one-door.toml", "--duration", "30s") as door:
            try:
                shown = suite.communicate(timeout=30)[0]
            finally:
                door.terminate()
                door.communicate(timeout=30)
                suite.kill()
    assert suite.returncode == 0, shown
    assert "access/framing/" not in shown, "only what did not pass is shown with its id"


# The operator rig


#: What the relay box of the page has its relays do at the door, when they go on and when they go off.
WIRING = {
    ("1", "on"): "open ic-card A",
    ("2", "on"): "open ic-card B",
    ("3", "on"): "open exit-button",
    ("4", "on"): "close",
    ("5", "on"): "lift",
    ("5", "off"): "put-back",
    ("6", "on"): "unplug",
    ("6", "off"): "plug-in",
    ("7", "on"): "power-cycle",
}


class RelayBox(socketserver.StreamRequestHandler):
    """The relay box of the page, wired to a simulated door."""

    door: Door

    def handle(self) -> None:
        for line in self.rfile:
            word, relay, state = line.decode("ascii").split()
            assert word == "relay"
            if act := WIRING.get((relay, state)):
                assert self.door.ask(act) == "ok"
            self.wfile.write(b"ok\n")


def rig_of_the_page(lang: str) -> str:
    page = (DOCS / lang / "howto" / "operator-rig.md").read_text("utf-8")
    (block,) = [block for block in examples.read_blocks(page) if block.marks.get("file") == "rig.py"]
    return str(block.body)


def test_rig_of_the_page_is_the_same_in_both_languages() -> None:
    """But for what it says of itself, so that one of them acting at a door speaks for both."""
    programs = [ast.parse(rig_of_the_page(lang)) for lang in language.LANGUAGES]
    for program in programs:
        assert ast.get_docstring(program)
        del program.body[0]
    assert ast.dump(programs[0]) == ast.dump(programs[1])


@pytest.mark.loopback
@pytest.mark.parametrize("lang", ["en", pytest.param("zh", marks=pytest.mark.soak)])
def test_rig_of_the_page_acts_at_a_door(lang: str, tmp_path: Path) -> None:
    rig = tmp_path / "rig.py"
    # A real box needs its time; nothing else of the page is changed.
    rig.write_text(re.sub(r", \d+\.\d\)", ", 0.1)", rig_of_the_page(lang)), "utf-8")
    place = Workplace(tmp_path / "place", PROFILE.replace('"face", ', ""))
    with place.door() as door, socketserver.ThreadingTCPServer(("127.0.0.1", 0), RelayBox) as server:
        RelayBox.door = door
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        command = quoted([sys.executable, str(rig), f"127.0.0.1:{server.server_address[1]}"])
        with place.run("access/opening", "access/alarm", "-x", "@long", rig=command) as suite:
            code = suite.wait()
        server.shutdown()
    assert code == 0, suite.stderr
    judged = {case: verdict for case, verdict in suite.verdicts.items() if case.startswith(("access/op", "access/al"))}
    assert set(judged.values()) <= {"PASS", "NOT_APPLICABLE"}, judged
    assert judged["access/opening/method-matches-act"] == "PASS"
    assert judged["access/alarm/fault"] == "PASS"
