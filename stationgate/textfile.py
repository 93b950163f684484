"""Files that people write by hand: read as UTF-8, and named for what they are where they are something else.

Editors on a Chinese Windows save GBK, PowerShell's ``>`` writes UTF-16, Notepad puts a mark before UTF-8. The mark is
accepted; the others are refused by name, because a file whose encoding is guessed means something else one day.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from stationgate.exits import UsageFault
from stationgate.language import _

__all__ = ["MAX_FILE_BYTES", "decode", "encoding_of", "parse_toml", "read_text", "read_toml"]

#: A profile has some hundred lines. Whatever is larger than this was not written by hand.
MAX_FILE_BYTES: Final = 1 << 20
#: How much of a file is looked at to tell UTF-16 without a mark from text.
_SAMPLE_BYTES: Final = 4096
#: Share of zero bytes in it that makes it UTF-16: blanks, line ends and keys are ASCII, whatever the values are.
_ZERO_SHARE: Final = 0.05
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
#: Share of the characters outside ASCII that must be of GB 2312, the common ones, for bytes to pass as GBK: almost any
#: two bytes are some rare character.
_COMMON_SHARE: Final = 0.8
#: What a Chinese input method types in place of the signs that TOML knows.
_FULL_WIDTH: Final = dict(zip("“”‘’＝，［］＃｛｝：。｜＂＇", "\"\"''=,[]#{}:.|\"'", strict=True))
_PLACE: Final = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\Z")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises:
        OSError: If it cannot be read.
        UsageFault: If it is in another encoding, or larger than :data:`MAX_FILE_BYTES`.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UsageFault(
            _("{file} is larger than {size} bytes").format(file=path, size=MAX_FILE_BYTES), _("is it the right file?")
        )
    return decode(data, str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        OSError: If it cannot be read.
        UsageFault: If it is in another encoding, too large or no TOML.
    """
    return parse_toml(read_text(path), str(path))


def decode(data: bytes, name: str) -> str:
    """Return text in UTF-8 without its byte order mark.

    Args:
        data: The bytes of the file.
        name: What to call the file in an error.

    Raises:
        UsageFault: If it is in another encoding: which one, and where that first shows.
    """
    other = encoding_of(data)
    if other not in ("", "UTF-8"):
        at = _first_bad_byte(data)
        raise UsageFault(
            _("{file} looks like {encoding}, expected UTF-8 (line {line}, byte {at})").format(
                file=name, encoding=other, line=_line_of(data, at, other), at=at
            ),
            _("save it as UTF-8 in the editor; in PowerShell write it with: | Out-File -Encoding utf8 FILE"),
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        at = _first_bad_byte(data)
        raise UsageFault(
            _("{file} is not UTF-8 text (line {line}, byte {at}: 0x{value})").format(
                file=name, line=_line_of(data, at), at=at, value=f"{data[at]:02X}"
            ),
            _("save it as UTF-8 in the editor"),
        ) from None


def encoding_of(data: bytes) -> str:
    """Return what text is encoded in: ``UTF-8``, ``UTF-16``, ``UTF-32``, ``GBK``, or empty where nothing fits."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if _is_bare_utf16(data):
        return "UTF-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "GBK" if _is_gbk(data) else ""
    return "UTF-8"


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return the content of TOML text.

    Args:
        text: The text.
        name: What to call the file in an error.

    Raises:
        UsageFault: If it is no TOML: line, column and what is wrong there.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, line, column = _placed(error, text)
        raise UsageFault(
            _("{file} is no valid TOML at line {line}, column {column}: {why}").format(
                file=name, line=line, column=column, why=why
            ),
            _advice(text, line, column, why),
        ) from error
    except RecursionError:
        raise UsageFault(_("{file} is no valid TOML: brackets nested too deeply").format(file=name)) from None


def _placed(error: tomllib.TOMLDecodeError, text: str) -> tuple[str, int, int]:
    """Return what is wrong, and where: line and column from 1."""
    message = str(error)
    place = _PLACE.search(message)
    why = message[: place.start()] if place else message
    if place and place["line"]:
        return why, int(place["line"]), int(place["column"])
    lines = text.split("\n")
    return why, len(lines), len(lines[-1]) + 1


def _advice(text: str, line: int, column: int, why: str) -> str:
    """Return what to do about an error that people here make often, or nothing."""
    lines = text.split("\n")
    here = lines[line - 1] if line <= len(lines) else ""
    # The parser may stop behind the sign that is to blame: ``host ＝ "..."`` is an error at the blank before it.
    for sign in here[max(column - 1, 0) :].lstrip()[:1] + here[max(column - 2, 0) : column]:
        if sign in _FULL_WIDTH:
            return _("{sign} comes from a Chinese input method: type {wanted}").format(
                sign=sign, wanted=_FULL_WIDTH[sign]
            )
    if "\\" in why or "escape" in why.lower() or "hex value" in why.lower():
        return _("a path with \\ stands in single quotes: 'C:\\door\\photo.jpg'")
    return ""


def _first_bad_byte(data: bytes) -> int:
    """Return the position of the first byte that is not UTF-8 text; a zero byte is none either."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        zero = data.find(0)
        return error.start if zero < 0 else min(error.start, zero)
    return max(data.find(0), 0)


def _line_of(data: bytes, at: int, encoding: str = "") -> int:
    """Return the number of the line that a byte is in, from 1."""
    if encoding in ("UTF-16", "UTF-32"):
        return 1  # the first line is as wrong as every other
    return 1 + data.count(b"\n", 0, at)


def _is_bare_utf16(data: bytes) -> bool:
    """Tell UTF-16 without a mark: letters of ASCII, each beside a zero byte, always on the same side of it."""
    sample = data[:_SAMPLE_BYTES]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    return min(even, odd) == 0 and max(even, odd) > max(1, len(sample) * _ZERO_SHARE)


def _is_gbk(data: bytes) -> bool:
    """Tell Chinese text in GBK, or GB 18030, from bytes that merely are no UTF-8."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    foreign = [char for char in text if char > "\x7f"]
    return sum(map(_is_common, foreign)) >= _COMMON_SHARE * len(foreign)


def _is_common(char: str) -> bool:
    """Tell the characters of GB 2312: two bytes from A1 on, the first up to F7."""
    code = char.encode("gb18030")
    return len(code) == 2 and 0xA1 <= code[0] <= 0xF7 and code[1] >= 0xA1
