"""What was asked of the device, by the suite or by a platform that it relayed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hj212.codes import Reply

from ..transcript import Transcript
from .wire import Heard, LinkReader

__all__ = ["Request", "read_requests"]

_REPLIES: Final = frozenset(str(int(reply)) for reply in Reply)
#: A platform's frames are whole; an unfinished one waits for its rest as long as it takes.
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        qn: Its QN.
        cn: What was asked.
        seq: Number of the transcript entry that completed it.
        t: When it went out, seconds on the transcript's clock.
    """

    qn: str
    cn: str
    seq: int
    t: float


def read_requests(transcript: Transcript) -> dict[str, Request]:
    """Return the requests of a run, by QN."""
    found: dict[str, Request] = {}
    relayed: dict[int, LinkReader] = {}
    for entry in transcript:
        if entry.kind != "bytes" or entry.direction != "out":
            continue
        if "request" in entry.attachment:
            qn = str(entry.attachment["request"])
            found[qn] = Request(qn, str(entry.attachment["cn"]), entry.seq, entry.t_mono)
        elif entry.attachment.get("by") == "platform":
            reader = relayed.setdefault(entry.link, LinkReader(entry.link, _NEVER))
            for item in reader.feed(entry.seq, entry.data, entry.t_mono):
                if isinstance(item, Heard) and item.message.qn and item.message.cn not in _REPLIES:
                    found[item.message.qn] = Request(item.message.qn, item.message.cn, entry.seq, entry.t_mono)
    return found
