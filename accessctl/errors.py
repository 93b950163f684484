"""What can go wrong, as a tree of exceptions.

::

    AccessError
    ├─ DictionaryError    a dictionary is unknown, or its table cannot be used
    └─ RecordError        a value or a record that the dictionary does not allow
"""

from __future__ import annotations

__all__ = ["AccessError", "DictionaryError", "RecordError"]


class AccessError(Exception):
    """Base of every error of this package."""


class DictionaryError(AccessError):
    """A dictionary is unknown, or its table cannot be used.

    Attributes:
        name: The dictionary asked for, or whose table is wrong.
        close: Names that look like it; empty when nothing does.
    """

    def __init__(self, text: str, *, name: str = "", close: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.name = name
        self.close = close


class RecordError(AccessError):
    """A value or a record that the dictionary does not allow: met by strict reading, writing, or JSON.

    Nothing in it identifies a person: such texts stand as ``***``.

    Attributes:
        code: Code of the finding, see :mod:`accessctl.findings`.
        field: The key as sent (``"i32004-Info"``), the header field (``"ST"``) or the JSON member concerned.
        excerpt: The field with its value, or the field alone where there is no value.
        expected: What would have been right, or empty.
        found: What stands there instead, or empty.
    """

    def __init__(
        self, text: str, *, code: str, field: str, excerpt: str = "", expected: str = "", found: str = ""
    ) -> None:
        super().__init__(text)
        self.code = code
        self.field = field
        self.excerpt = excerpt or field
        self.expected = expected
        self.found = found
