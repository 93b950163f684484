"""Keep the Chinese message catalogue in step with the code.

    python tools/catalogue.py update    extract every message, merge it into the .po file, compile the .mo file
    python tools/catalogue.py check     exit 1 when a translation is missing, doubtful or not compiled

After `update`, translate what `check` lists in the .po file and run `update` again to compile it.
"""

from __future__ import annotations

import io
import re
import string
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "stationgate" / "locale" / "zh" / "LC_MESSAGES"
PO, MO = FOLDER / "stationgate.po", FOLDER / "stationgate.mo"

SOURCES = [("**.py", "python"), ("**/templates/**", "jinja2")]

#: Functions whose first argument is a message; `say` makes a sentence that is translated when it is read.
KEYWORDS: dict[str, Any] = {**DEFAULT_KEYWORDS, "say": None}

#: click's own words that a user can meet, versions 8.1 to 8.5; a pair is a singular and its plural.
CLICK: tuple[str | tuple[str, str], ...] = (
    "(dynamic)",
    "Aborted!",
    "Argument {name!r} takes {nargs} values.",
    "Choose from:\n\t{choices}",
    "Commands",
    "Could not open file {filename!r}: {message}",
    "Do you want to continue?",
    "Error: The two entered values do not match.",
    "Error: The value you entered was invalid.",
    "Error: invalid input",
    "Error: {e.message}",
    "Error: {message}",
    "Invalid value for {param_hint}: {message}",
    "Invalid value: {message}",
    "Missing argument",
    "Missing command.",
    "Missing option",
    "Missing parameter",
    "No such command {name!r}.",
    "No such option {name!r}.",
    "No such option: {name}",
    "Option {name!r} does not take a value.",
    "Options",
    "Positional arguments",
    "Press any key to continue...",
    "Repeat for confirmation",
    "Show the version and exit.",
    "Show this message and exit.",
    "Try '{command} {option}' for help.",
    "Usage:",
    "default: {default}",
    "directory",
    "env var: {var}",
    "file",
    "path",
    "required",
    "unknown error",
    "{name} '{filename}' is a directory.",
    "{name} {filename!r} does not exist.",
    "{name} {filename!r} is a directory.",
    "{name} {filename!r} is a file.",
    "{name} {filename!r} is not executable.",
    "{name} {filename!r} is not readable.",
    "{name} {filename!r} is not writable.",
    "{value!r} is not a valid boolean.",
    "{value!r} is not a valid boolean. Recognized values: {states}",
    "{value!r} is not a valid {number_type}.",
    "{value} is not in the range {range}.",
    ("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    ("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    ("Takes {nargs} values but 1 was given.", "Takes {nargs} values but {len} were given."),
    ("{value!r} does not match the format {format}.", "{value!r} does not match the formats {formats}."),
    ("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
)


def extract() -> Catalog:
    """Return a catalogue without translations: every message of the packages, and click's."""
    template = Catalog(fuzzy=False)
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    tops = {name.partition(".")[0] for name in config["tool"]["setuptools"]["packages"]}
    for folder in sorted(ROOT / top for top in tops):
        found = extract_from_dir(folder, SOURCES, keywords=KEYWORDS, comment_tags=("i18n:",))
        for file, _line, message, comments, context in found:
            place = (folder / file).relative_to(ROOT).as_posix()
            template.add(message, locations=[(place, 0)], auto_comments=comments, context=context)
    for message in CLICK:
        template.add(message)
    return template


def read() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="zh")


def update() -> int:
    catalogue = read()
    catalogue.update(extract(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    PO.write_bytes(as_po(catalogue))
    MO.write_bytes(as_mo(catalogue))
    print(f"{len(catalogue)} messages written")
    return 0


def check() -> int:
    catalogue = read()
    findings = [*compare(extract(), catalogue), *(f for message in catalogue for f in judge(message))]
    if not MO.exists() or texts(read_mo(io.BytesIO(MO.read_bytes()))) != texts(catalogue):
        findings.append(f"{MO.relative_to(ROOT).as_posix()} is not compiled from the .po file")
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        print("run: python tools/catalogue.py update", file=sys.stderr)
    return 1 if findings else 0


def compare(template: Catalog, catalogue: Catalog) -> Iterator[str]:
    """Say which messages stand in the code only, or in the catalogue only."""
    wanted, present = keys(template), keys(catalogue)
    yield from (f"not in the catalogue: {key!r}" for key in sorted(wanted - present))
    yield from (f"no longer in the code: {key!r}" for key in sorted(present - wanted))


def judge(message: Message) -> Iterator[str]:
    """Say what is wrong with one translation."""
    if not message.id:
        return
    originals, translations = forms(message.id), forms(message.string)
    if not all(translations):
        yield f"untranslated: {originals[0]!r}"
    elif message.fuzzy:
        yield f"fuzzy: {originals[0]!r}"
    elif not same_fields(originals, translations):
        yield f"placeholders differ: {originals[0]!r}"


def same_fields(originals: tuple[str, ...], translations: tuple[str, ...]) -> bool:
    """Tell whether a translation fills in what the original does; a plural may leave out what another form has."""
    if len(originals) == 1:
        return fields(originals[0]) == fields(translations[0])
    return set[str]().union(*map(fields, translations)) <= set[str]().union(*map(fields, originals))


def fields(text: str) -> set[str]:
    """Return the names that ``str.format`` or ``%`` fill in."""
    named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    return named | set(re.findall(r"%\(\w+\)[a-z]", text))


def forms(text: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the one text of a message, or all of its plural forms."""
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def keys(catalogue: Catalog) -> set[str]:
    return {forms(message.id)[0] for message in catalogue if message.id}


def texts(catalogue: Catalog) -> dict[str, tuple[str, ...]]:
    return {forms(message.id)[0]: forms(message.string) for message in catalogue if message.id and message.string}


def as_po(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=110, sort_output=True, include_lineno=False, ignore_obsolete=True)
    return buffer.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


if __name__ == "__main__":
    commands = {"update": update, "check": check}
    if sys.argv[1:2] == [] or sys.argv[1] not in commands or len(sys.argv) > 2:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
