"""What can go wrong, as a tree of exceptions.

::

    Hj212Error
    ├─ LocalProtocolError    the caller asked for something the edition forbids
    ├─ RemoteProtocolError   the peer sent something that cannot be used
    │   └─ MessageError      a field is missing or has no meaning
    └─ LimitError            a buffer or table limit was reached

A damaged frame on a live link is *not* an exception: :class:`hj212.events.FrameRejected` reports it, because the
link survives it.
"""

from __future__ import annotations

__all__ = ["Hj212Error", "LimitError", "LocalProtocolError", "MessageError", "RemoteProtocolError"]


class Hj212Error(Exception):
    """Base of every error of this package.

    Attributes:
        field: Name of the field concerned (``"QN"``, ``"DataTime"``) or ``""``.
        clause: Where the rule stands, e.g. ``"HJ 212-2017 6.3.2"``, or ``""``.
    """

    def __init__(self, text: str, *, field: str = "", clause: str = "") -> None:
        super().__init__(text)
        self.field = field
        self.clause = clause


class LocalProtocolError(Hj212Error):
    """The caller asked to send something that the edition does not allow."""


class RemoteProtocolError(Hj212Error):
    """The peer sent something that cannot be used."""


class MessageError(RemoteProtocolError):
    """A field that is needed is missing or has no meaning."""


class LimitError(Hj212Error):
    """A buffer or table reached its limit; the limit's name is in the text."""
