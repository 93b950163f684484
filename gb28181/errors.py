"""What can go wrong, as a tree of exceptions.

::

    Gb28181Error
    ├─ LocalProtocolError    the caller asked for something the standard forbids
    ├─ RemoteProtocolError   the peer sent something that cannot be used; ``status`` is the answer to give
    │   ├─ SipError          a SIP message or one of its headers
    │   ├─ SdpError          a session description
    │   ├─ XmlError          a MANSCDP body
    │   ├─ RtspError         a MANSRTSP body
    │   └─ PtzError          a front-end command
    └─ LimitError            a buffer or table limit was reached

A damaged message on a live link is *not* an exception there: the endpoint reports and answers it, the link survives.
"""

from __future__ import annotations

__all__ = [
    "Gb28181Error",
    "LimitError",
    "LocalProtocolError",
    "PtzError",
    "RemoteProtocolError",
    "RtspError",
    "SdpError",
    "SipError",
    "XmlError",
]


class Gb28181Error(Exception):
    """Base of every error of this package.

    Attributes:
        field: What is concerned: a header (``"CSeq"``), a line (``"y="``), an element (``"DeviceID"``), or ``""``.
        clause: Where the rule stands, e.g. ``"GB/T 28181-2022 9.1.1"`` or ``"RFC 3261 8.1.1"``, or ``""``.
    """

    def __init__(self, text: str, *, field: str = "", clause: str = "") -> None:
        super().__init__(text)
        self.field = field
        self.clause = clause


class LocalProtocolError(Gb28181Error):
    """The caller asked to send something that the standard does not allow."""


class RemoteProtocolError(Gb28181Error):
    """The peer sent something that cannot be used.

    Attributes:
        status: SIP status code of the answer it deserves.
    """

    status = 400

    def __init__(self, text: str, *, field: str = "", clause: str = "", status: int | None = None) -> None:
        super().__init__(text, field=field, clause=clause)
        if status is not None:
            self.status = status


class SipError(RemoteProtocolError):
    """A SIP message, or a header of it, cannot be read."""


class SdpError(RemoteProtocolError):
    """A session description cannot be read, or not be satisfied."""

    status = 488


class XmlError(RemoteProtocolError):
    """A MANSCDP body cannot be read: no XML, too large, too deep, with a DTD, or without what its command requires."""


class RtspError(RemoteProtocolError):
    """A MANSRTSP body cannot be read."""


class PtzError(RemoteProtocolError):
    """A front-end command (PTZCmd) cannot be read."""


class LimitError(Gb28181Error):
    """A buffer or table reached its limit; the limit's name is in the text."""
