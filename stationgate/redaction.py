"""Masks for what must not be shown: access passwords of HJ 212 and the identity of badge holders."""

from __future__ import annotations

import re
from typing import AnyStr, Final

__all__ = ["MASK", "Pseudonyms", "redact_pw"]

MASK: Final = "***"

# No word boundary in front: a field whose separator was lost ("CN=2011PW=...") must not give its password away,
# and NewPW ends in PW as well. The value ends where an HJ 212 field can end.
_PW_TEXT: Final = re.compile(r"(PW\s*=\s*)[^;,&]*", re.IGNORECASE)
_PW_BYTES: Final = re.compile(rb"(PW\s*=\s*)[^;,&]*", re.IGNORECASE)


def redact_pw(text: AnyStr) -> AnyStr:
    """Return HJ 212 text with the value of every ``PW`` and ``NewPW`` replaced by ``***``.

    Args:
        text: Frames, a segment or one field, complete or damaged, as ``str`` or as the ``bytes`` sent. The key is
            found in any letter case and with blanks around ``=``; its value reaches to the next ``;``, ``,``
            or ``&``, or to the end of the text.

    Returns:
        The same type; everything outside the values is unchanged, and redacting twice changes nothing more.

    >>> redact_pw("ST=32;CN=1072;PW=123456;MN=1;CP=&&NewPW=654321&&")
    'ST=32;CN=1072;PW=***;MN=1;CP=&&NewPW=***&&'
    """
    if isinstance(text, str):
        return _PW_TEXT.sub(rf"\g<1>{MASK}", text)
    return _PW_BYTES.sub(rb"\g<1>" + MASK.encode(), text)


class Pseudonyms:
    """Stable stand-ins for badge codes: the first code seen is ``person-1``, the next ``person-2``.

    One instance serves one report or one run, so that a person keeps one name throughout.

    >>> people = Pseudonyms()
    >>> people.name("0012345678")
    'person-1'
    >>> people.replace("card 0012345678 refused, card 00123456789 unknown")
    'card person-1 refused, card 00123456789 unknown'
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def name(self, code: str) -> str:
        """Return the pseudonym of a badge code; the same code always has the same.

        Args:
            code: The code as the device sent it, any length but empty. Codes that differ in case are different.

        Raises:
            ValueError: If ``code`` is empty: nobody was identified, so there is nobody to name.
        """
        if not code:
            raise ValueError("an empty badge code identifies nobody")
        if code not in self._names:
            self._names[code] = f"person-{len(self._names) + 1}"
            self._pattern = None
        return self._names[code]

    def replace(self, text: str) -> str:
        """Return ``text`` with every code named so far replaced by its pseudonym.

        Only whole tokens are replaced: a code inside a longer run of ASCII letters and digits is another number.
        Where one code contains another, the longest that fits is taken.
        """
        if not self._names:
            return text
        if self._pattern is None:
            codes = "|".join(re.escape(code) for code in sorted(self._names, key=len, reverse=True))
            self._pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{codes})(?![0-9A-Za-z])")
        return self._pattern.sub(lambda match: self._names[match[0]], text)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<Pseudonyms: {len(self)} named>"
