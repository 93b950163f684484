"""File names that this software makes up, fit for every file system it may write to."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["MAX_NAME_BYTES", "safe_name"]

#: Bytes in UTF-8. File systems take 255; the rest is room for an extension and for a folder's limit on whole paths.
MAX_NAME_BYTES: Final = 120
#: What stands where nothing of a text can be kept.
UNNAMED: Final = "unnamed"

#: What Windows forbids; on others the slash and, on their network shares, the rest as well.
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|]')
#: Devices that Windows finds in every folder, whatever extension follows; a raised 1, 2 or 3 counts as the digit.
_RESERVED: Final = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\xb9\xb2\xb3])[ ]*(?:\..*)?\Z", re.IGNORECASE
)


def safe_name(text: str) -> str:
    """Return ``text`` as the name of a file or folder, without its extension; Chinese stays as it is.

    Signs that a file system refuses become ``-``; dots and blanks at either end go; a device name of Windows gets
    ``_`` before it; what is longer than :data:`MAX_NAME_BYTES` is cut. Different texts may give the same name.
    A name made by this function is not changed by it again.

    >>> safe_name("报告 2025/09: 门禁机?")
    '报告 2025-09- 门禁机-'
    >>> safe_name("nul.")
    '_nul'
    """
    name = unicodedata.normalize("NFC", text)
    name = "".join(char if char.isprintable() else "-" for char in _FORBIDDEN.sub("-", name))
    name = _cut(name.strip(". "), MAX_NAME_BYTES)
    if _RESERVED.match(name):
        name = "_" + _cut(name, MAX_NAME_BYTES - 1)
    return name or UNNAMED


def _cut(name: str, size: int) -> str:
    """Return as much of a name as fits ``size`` bytes; a cut may lay bare a dot or a blank at the end."""
    return name.encode("utf-8")[:size].decode("utf-8", "ignore").rstrip(". ")
