"""What a source of real traffic holds, as frames of links and messages of SIP, whatever kind of file it is.

A source is a network capture, what a serial or network assistant saved, or the store of ``hj212 listen``. What ends
early gives everything before that place; why it ended is told in :attr:`Source.fault`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hj212 import Framer
from hj212.aio.store import APPLICATION
from hj212.framing import Frame, Noise
from hj212.saved import read_saved
from stationgate.capture import (
    CaptureEvent,
    CaptureFault,
    Ended,
    Flow,
    Gap,
    Kind,
    Piece,
    Transport,
    kind_of,
    read_capture,
)
from stationgate.exits import DataFault
from stationgate.language import _
from stationgate.options import open_input

__all__ = ["MAX_SAVED_BYTES", "Said", "Signalling", "Source", "read_source"]

#: The longest file of plain bytes: such files are looked at as a whole, and nobody saves more by hand.
MAX_SAVED_BYTES: Final = 256 << 20
#: Flows whose bytes are put into frames at a time; the one that was silent longest is given up first.
MAX_FLOWS: Final = 100_000
#: A flow that began with as many bytes without a frame carries something else.
_MAX_STRANGE_BYTES: Final = 64 << 10
_SQLITE: Final = b"SQLite format 3\0"
_HEADER_MARK: Final = b"##"


@dataclass(frozen=True, slots=True)
class Said:
    """One message on a link.

    Attributes:
        time: When it was captured, POSIX seconds; ``None`` where the source does not say.
        link: The link, the same for both directions.
        way: The direction on it; empty where the source mixes them.
        segment: The data segment.
        frame: The frame as it was on the wire; ``None`` where the source keeps segments only.
    """

    time: float | None
    link: str
    way: str
    segment: bytes
    frame: Frame | None


@dataclass(frozen=True, slots=True)
class Signalling:
    """One message of SIP."""

    time: float
    flow: Flow
    data: bytes


class Source:
    """A source while it is read, and what there was besides messages.

    Attributes:
        form: ``capture``, ``bytes`` or ``store``.
        fault: Why it ended early, a sentence; empty where it did not.
        missing: Bytes that the capture lacks.
        noise: Pieces of HJ 212 links that belong to no frame.
        hosts: Addresses that were in it, for nothing but to keep them out of what is written.
    """

    def __init__(self, form: str, path: str) -> None:
        self.form = form
        self.path = path
        self.fault = ""
        self.missing = 0
        self.noise = 0
        self.hosts: set[str] = set()
        self._head = b""

    def __iter__(self) -> Iterator[Said | Signalling]:
        """Yield every message in the order in which it was complete. Once only."""
        if self.form == "store":
            return self._stored()
        return self._captured() if self.form == "capture" else self._saved()

    # A capture

    def _captured(self) -> Iterator[Said | Signalling]:
        # Only where there is SIP to be found: command lines load more than the protocol.
        from gb28181.cli.captured import CapturedSip

        sip, frames = CapturedSip(), _Frames(self)
        with open_input(self.path) as file:
            try:
                for event in read_capture(file, head=self._head):
                    self._note(event)
                    for heard in sip.messages([event]):
                        yield from (
                            () if heard.wrong or heard.rest else (Signalling(heard.time, heard.flow, heard.data),)
                        )
                    if event.flow.transport is Transport.TCP:
                        yield from frames.event(event)
            except CaptureFault as error:  # told behind what came before it
                self.fault = error.message
        yield from _whole(sip.rest())
        yield from frames.rest()

    def _note(self, event: CaptureEvent) -> None:
        self.hosts |= {event.flow.source.host, event.flow.target.host}
        if isinstance(event, Gap):
            self.missing += event.size

    # Plain bytes

    def _saved(self) -> Iterator[Said]:
        with open_input(self.path) as file:
            data = self._head + file.read(MAX_SAVED_BYTES + 1 - len(self._head))
        if len(data) > MAX_SAVED_BYTES:
            self.fault = _("the file has more than {n} bytes; what comes behind them is not read").format(
                n=MAX_SAVED_BYTES
            )
            data = data[:MAX_SAVED_BYTES]
        framer = Framer()
        for item in (*framer.feed(read_saved(data).data), *framer.finish()):
            if isinstance(item, Frame):
                yield Said(None, "", "", item.segment, item)
            else:
                self.noise += 1

    # A store

    def _stored(self) -> Iterator[Said]:
        for received, peer, segment in _rows(self.path):
            host, _colon, _port = peer.rpartition(":")
            self.hosts.add(host.strip("[]"))
            yield Said(received / 1000, peer, "up", segment, None)


def _whole(found: Iterator[Any]) -> Iterator[Signalling]:
    """Return the messages of SIP of which nothing is missing."""
    return (Signalling(each.time, each.flow, each.data) for each in found if not (each.wrong or each.rest))


def read_source(path: str) -> Source:
    """Tell what kind of source a file is, ``-`` for standard input.

    Raises:
        UsageFault: If it cannot be read.
        DataFault: If it is of a kind that is known and cannot be read.
    """
    if path != "-" and _is_sqlite(path):
        _check_store(path)
        return Source("store", path)
    with open_input(path) as file:
        head = b""
        while len(head) < 4 and (more := file.read(4 - len(head))):
            head += more
    found = Source("bytes" if kind_of(head) is Kind.OTHER else "capture", path)
    if path == "-":
        found._head = head
    return found


def _is_sqlite(path: str) -> bool:
    with open_input(path) as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _check_store(path: str) -> None:
    try:
        with _open(path) as db:
            (application,) = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error as error:
        raise DataFault(_("'{file}' is a damaged database: {why}").format(file=path, why=error)) from error
    if application != APPLICATION:
        raise DataFault(
            _("'{file}' is a database, and none of hj212 listen").format(file=path),
            _("Give a capture, saved bytes, or what hj212 listen --store wrote."),
        )


class _open:
    """A store, opened to be read only and closed again."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._db = sqlite3.connect(f"{Path(self._path).absolute().as_uri()}?mode=ro", uri=True)
        return self._db

    def __exit__(self, *_error: object) -> None:
        self._db.close()


def _rows(path: str) -> Iterator[tuple[int, str, bytes]]:
    try:
        with _open(path) as db:
            yield from db.execute("SELECT received, peer, segment FROM messages ORDER BY id")
    except sqlite3.Error as error:
        raise DataFault(_("'{file}' is a damaged database: {why}").format(file=path, why=error)) from error


class _Frames:
    """Frames out of the streams of a capture."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._framers: dict[Flow, Framer] = {}
        self._times: dict[Flow, float] = {}
        self._strange: dict[Flow, int] = {}
        self._tails: dict[Flow, bytes] = {}

    def event(self, event: CaptureEvent) -> Iterator[Said]:
        flow = event.flow
        self._times[flow] = event.time
        if isinstance(event, Piece):
            yield from self._piece(event)
        elif isinstance(event, Ended | Gap):
            self._strange.pop(flow, None)
            self._tails.pop(flow, None)
            # Bytes before and behind a gap are of different frames.
            yield from self._finish(flow)

    def _piece(self, piece: Piece) -> Iterator[Said]:
        flow, data = piece.flow, piece.data
        framer = self._framers.get(flow)
        if framer is None:
            if self._strange.get(flow, 0) > _MAX_STRANGE_BYTES:
                return
            data = self._tails.pop(flow, b"") + data
            if _HEADER_MARK not in data:
                self._strange[flow] = self._strange.get(flow, 0) + len(data)
                self._tails[flow] = data[-1:]  # half a mark perhaps, of somebody who writes byte by byte
                return
            if len(self._framers) >= MAX_FLOWS:
                oldest = next(iter(self._framers))
                yield from self._finish(oldest)
            framer = self._framers[flow] = Framer()
        yield from self._items(flow, framer.feed(data))

    def _finish(self, flow: Flow) -> Iterator[Said]:
        framer = self._framers.pop(flow, None)
        if framer is not None:
            yield from self._items(flow, framer.finish())

    def _items(self, flow: Flow, items: list[Frame | Noise]) -> Iterator[Said]:
        link, way = _link_of(flow)
        for item in items:
            if isinstance(item, Frame):
                yield Said(self._times[flow], link, way, item.segment, item)
            else:
                self._source.noise += 1

    def rest(self) -> Iterator[Said]:
        for flow in list(self._framers):
            yield from self._finish(flow)


def _link_of(flow: Flow) -> tuple[str, str]:
    here, there = str(flow.source), str(flow.target)
    return (f"{here} {there}", ">") if here < there else (f"{there} {here}", "<")
