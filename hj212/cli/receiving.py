"""What ``hj212 listen`` does: be a platform, answer stations, print what they send."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from stationgate.exits import DataFault, ExitCode, UsageFault, cannot_listen
from stationgate.language import _, current, ngettext
from stationgate.streams import json_line

from ..aio import (
    CloseReason,
    Fate,
    LinkClosed,
    LinkOpened,
    LinkRefused,
    LinkSlowed,
    MessageKept,
    MessageStore,
    Platform,
    PlatformEvent,
    PlatformLimits,
    StoreError,
    StoreFailed,
    StoreFault,
    StoreWorks,
)
from ..editions import HJ_212_2017
from ..encryption import Key
from ..events import AnswerUnexpected, FrameRejected, MessageReceived, NoiseReceived
from ..explain import examine, readable_segment
from ..framing import Frame, build_frame
from ..jsonform import to_json
from ..messages import Message
from ..segment import hide_passwords, parse_segment
from ..times import CHINA
from .content import command_title
from .shown import clean, deviation_lines, quoted

__all__ = ["Receiving", "grant_links"]


#: Messages shown per second, on a screen: nobody reads more, and writing them would slow the stations down.
SHOWN_PER_S: Final = 100
#: Objects made, and not freed, before cycles are looked for: more than those of a full batch.
COLLECT_AFTER: Final = 100_000
#: Open files besides the links: the store, the listening sockets, the terminal.
SPARE_DESCRIPTORS: Final = 32


@dataclass(slots=True)
class Receiving:
    """One run of ``listen``."""

    as_json: bool
    show_secrets: bool
    count: int | None
    quiet: bool = False
    keys: tuple[Key, ...] = ()
    messages: int = 0
    bad: int = 0
    kept: int = 0
    repeats: int = 0
    differing: int = 0
    finished: asyncio.Future[None] = field(init=False)
    keeps: bool = False
    _second: float = 0.0
    _shown: int = 0
    _omitted: int = 0

    async def run(
        self, host: str, port: int, duration: float | None, limits: PlatformLimits, store: Path | None = None
    ) -> int:
        # Messages hold no cycles; looking for some among those on their way to the disk costs a fifth of the time.
        gc.set_threshold(COLLECT_AFTER)
        loop = asyncio.get_running_loop()
        self.finished = loop.create_future()
        with suppress(NotImplementedError, RuntimeError):  # Windows has no such signal, a thread cannot take it
            loop.add_signal_handler(signal.SIGTERM, self._finish)  # what ends services
        self.keeps = store is not None
        with closing(_opened(store)) if store else nullcontext() as opened:
            keys = (lambda _mn: self.keys) if self.keys else None
            platform = Platform(self.on_event, limits=limits, store=opened, keys=keys)
            try:
                await platform.start(host, port)
            except (OSError, OverflowError) as error:
                raise UsageFault(*cannot_listen(host, port, error)) from error
            try:
                self._tell_listening(host, platform.port)
                with suppress(TimeoutError):
                    async with asyncio.timeout(duration):
                        await self.finished
            finally:  # Ctrl-C as well: what came is kept, answered and counted
                await platform.stop()
                self._tell_sum()
        return self._exit_code()

    def on_event(self, peer: str, event: PlatformEvent) -> None:
        try:
            if isinstance(event, MessageKept):
                self._kept(peer, event.message, event.fate)
            elif self.count is None or self.messages < self.count:
                self._report(peer, event)
        except Exception as error:
            # Output that is gone ends the run; inside a callback of the loop it would only be logged.
            if not self.finished.done():
                self.finished.set_exception(error)

    def _report(self, peer: str, event: PlatformEvent) -> None:
        if isinstance(event, MessageReceived):
            self._message()
            if self._room():
                title = command_title(event.message) + (f" {_('(sent again)')}" if event.repeated else "")
                frame = _as_frame(event.message) if event.encrypted else event.frame
                self._frame(peer, "message", frame, title, repeated=event.repeated, encrypted=event.encrypted)
            return
        match event:
            case FrameRejected(frame):
                self.bad += 1
                self._frame(peer, "rejected", frame, _("bad frame, not answered"))
            case AnswerUnexpected(message):
                self._message()
                if self._room():
                    self._frame(peer, "message", _as_frame(message), command_title(message), repeated=False)
            case NoiseReceived(raw):
                text = _("{size} bytes that belong to no frame: {text}").format(size=len(raw), text=quoted(raw))
                self._line(peer, "noise", text, bytes=len(raw))
            case _:
                self._link(peer, event)

    def _message(self) -> None:
        """Count a message; with the last one wanted the run ends, after this one is shown."""
        self.messages += 1
        if self.messages == self.count:
            self._finish()

    def _finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def _link(self, peer: str, event: PlatformEvent) -> None:
        match event:
            case LinkOpened():
                self._line(peer, "connected", _("connected"))
            case LinkClosed(why):
                self._line(peer, "disconnected", _("disconnected: {reason}").format(reason=_why(why)), reason=why.value)
            case LinkRefused(why):
                self._line(peer, "refused", _("refused: {reason}").format(reason=_why(why)), reason=why.value)
            case LinkSlowed():
                self._line(peer, "slowed", _("slowed down: it sends more frames than it may (--max-rate)"))
            case StoreFailed(why, fault):
                why = _fault_text(fault, why) if fault else why
                text = _("cannot keep messages, so none is acknowledged until it works again: {reason}")
                self._line(peer, "store-failed", text.format(reason=clean(why)), reason=why)
            case StoreWorks():
                self._line(peer, "store-works", _("messages are kept again"))
            case _:  # the answers to requests of ours: a listener sends none
                return

    def _kept(self, peer: str, message: Message, fate: Fate) -> None:
        if fate is Fate.NEW:
            self.kept += 1
            return
        self.repeats += fate is Fate.REPEATED
        self.differing += fate is Fate.DIFFERS
        if fate is Fate.REPEATED and not self.as_json:
            return
        text = _("CN={cn}; MN={mn}; QN={qn}: kept beside an earlier message with the same numbers and other content")
        names = {"cn": message.cn, "mn": message.mn, "qn": message.qn}
        self._line(peer, fate.value, clean(text.format(**names)), **names, pno=message.pno)

    def _room(self) -> bool:
        """Say whether one more message may be shown; on a screen, tell how many could not."""
        if self.quiet:
            return False
        if self.as_json:
            return True
        now = time.monotonic()
        if now >= self._second + 1.0:
            self._tell_omitted()
            self._second, self._shown = now, 0
        self._shown += 1
        if self._shown <= SHOWN_PER_S:
            return True
        self._omitted += 1
        return False

    def _tell_omitted(self) -> None:
        if self._omitted:
            text = ngettext("… {n} more message, not shown", "… {n} more messages, not shown", self._omitted)
            click.echo(text.format(n=self._omitted))
            self._omitted = 0

    def _frame(self, peer: str, event: str, frame: Frame, title: str, **facts: Any) -> None:
        if self.as_json:
            shape = to_json(frame, HJ_212_2017, current(), show_secrets=self.show_secrets)
            self._line(peer, event, "", **facts, **shape)
            return
        if facts.get("encrypted"):
            title += " " + _("(encrypted)")
        message = Message(parse_segment(readable_segment(frame)))
        area = "; ".join(", ".join("=".join(pair) for pair in item) for item in message.items)
        text = f"CN={message.cn} {title}; MN={message.mn}; QN={message.qn}; {area}"
        self._line(peer, event, clean(text if self.show_secrets else hide_passwords(text)))
        for line in deviation_lines(frame, examine(frame, HJ_212_2017), HJ_212_2017):
            click.echo(f"    {line}")
        sys.stdout.flush()

    def _line(self, peer: str, event: str, text: str, **facts: Any) -> None:
        now = datetime.now(CHINA)
        if self.as_json:
            head = {"event": event, "time": now.isoformat(timespec="milliseconds"), "peer": peer}
            click.echo(json_line(head | facts))
        else:
            where = f"  {peer}" if peer else ""
            click.echo(f"{now:%H:%M:%S}.{now.microsecond // 1000:03d}{where}  {text}")
        sys.stdout.flush()

    def _tell_listening(self, host: str, port: int) -> None:
        if self.as_json:
            click.echo(json_line({"event": "listening", "host": host, "port": port}))
        text = _("Listening on {host} port {port}; Ctrl-C ends.").format(host=host, port=port)
        click.echo(text, err=self.as_json)
        sys.stdout.flush()

    def _tell_sum(self) -> None:
        self._tell_omitted()
        parts = [
            ngettext("{n} message", "{n} messages", self.messages).format(n=self.messages),
            ngettext("{n} bad frame", "{n} bad frames", self.bad).format(n=self.bad),
        ]
        if self.keeps:
            parts += [
                _("{n} kept").format(n=self.kept + self.differing),
                ngettext("{n} repeat", "{n} repeats", self.repeats).format(n=self.repeats),
                _("{n} with the numbers of another").format(n=self.differing),
            ]
        click.echo(_(", ").join(parts), err=True)

    def _exit_code(self) -> int:
        if self.count is not None and self.messages < self.count:
            text = _("only {found} of {wanted} messages came in time.")
            raise DataFault(text.format(found=self.messages, wanted=self.count))
        return ExitCode.FAIL if self.bad else ExitCode.OK


def _why(why: CloseReason) -> str:
    texts = {
        CloseReason.PEER: _("the station closed the connection"),
        CloseReason.IDLE: _("nothing came for too long"),
        CloseReason.NOISE: _("too many bytes that belong to no frame"),
        CloseReason.CONNECTIONS: _("too many connections (--max-connections)"),
        CloseReason.ADDRESS: _("too many connections from this address (--max-per-address)"),
        CloseReason.GAVE_WAY: _("it sent no intact frame, and its place was needed"),
        CloseReason.SHUTDOWN: _("listening has ended"),
    }
    return texts[why]


def grant_links(wanted: int | None, usual: int) -> int:
    """Ask the system for the descriptors that so many links need; Windows has no such limit.

    Args:
        wanted: Links that were asked for; ``None``: the usual number, or as many as the system allows.
        usual: The usual number.

    Returns:
        How many links there may be.

    Raises:
        UsageFault: If the system does not grant what was asked for.
    """
    try:
        import resource
    except ImportError:
        return wanted or usual
    links = wanted or usual
    granted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if granted == resource.RLIM_INFINITY or links + SPARE_DESCRIPTORS <= granted:
        return links
    if most != resource.RLIM_INFINITY and links + SPARE_DESCRIPTORS > most:
        if wanted:
            needed = links + SPARE_DESCRIPTORS
            raise UsageFault(
                _("{n} connections need {needed} open files; the system allows {most}.").format(
                    n=links, needed=needed, most=most
                ),
                _("Lower --max-connections, or raise the limit (ulimit -n)."),
            )
        links = max(1, most - SPARE_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (links + SPARE_DESCRIPTORS, most))
    return links


def _opened(path: Path) -> MessageStore:
    try:
        return MessageStore(path)
    except StoreError as error:
        reason = _fault_text(error.fault, error.detail)
        raise UsageFault(
            _("Messages cannot be kept in {file}: {reason}.").format(file=path, reason=reason),
            _("Name a file that is not there yet, or one that an earlier run of hj212 listen --store wrote."),
        ) from error


def _fault_text(fault: StoreFault, detail: str) -> str:
    texts = {
        StoreFault.UNREADABLE: detail,
        StoreFault.FOREIGN: _("it is a SQLite file that keeps something else"),
        StoreFault.VERSION: _("another version of this software wrote it"),
        StoreFault.GONE: _("the file was deleted, moved or replaced; put it back, or start again with another one"),
    }
    return texts[fault]


def _as_frame(message: Message) -> Frame:
    data = bytes(message)
    raw = build_frame(data)
    return Frame(raw, 0, len(data), data, raw[-6:-2], b"\r\n")
