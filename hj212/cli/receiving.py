"""What ``hj212 listen`` does: be a platform, answer stations, print what they send."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from stationgate.exits import DataFault, ExitCode, UsageFault, cannot_listen
from stationgate.language import _, current, ngettext
from stationgate.streams import json_line

from ..aio import CloseReason, LinkClosed, LinkOpened, LinkRefused, Platform, PlatformEvent, PlatformLimits
from ..editions import HJ_212_2017
from ..events import AnswerUnexpected, FrameRejected, MessageReceived, NoiseReceived
from ..explain import examine, readable_segment
from ..framing import Frame, build_frame
from ..jsonform import to_json
from ..messages import Message
from ..segment import hide_passwords, parse_segment
from ..times import CHINA
from .content import command_title
from .shown import clean, deviation_lines, quoted

__all__ = ["Receiving"]


@dataclass(slots=True)
class Receiving:
    """One run of ``listen``."""

    as_json: bool
    show_secrets: bool
    count: int | None
    messages: int = 0
    bad: int = 0
    finished: asyncio.Future[None] = field(init=False)

    async def run(self, host: str, port: int, duration: float | None, limits: PlatformLimits) -> int:
        self.finished = asyncio.get_running_loop().create_future()
        async with Platform(self.on_event, limits=limits) as platform:
            try:
                await platform.start(host, port)
            except (OSError, OverflowError) as error:
                raise UsageFault(*cannot_listen(host, port, error)) from error
            self._tell_listening(host, platform.port)
            with suppress(TimeoutError):
                async with asyncio.timeout(duration):
                    await self.finished
        return self._finish()

    def on_event(self, peer: str, event: PlatformEvent) -> None:
        try:
            self._report(peer, event)
            sys.stdout.flush()
        except Exception as error:
            # Output that is gone ends the run; inside a callback of the loop it would only be logged.
            if not self.finished.done():
                self.finished.set_exception(error)
        if self.count is not None and self.messages >= self.count and not self.finished.done():
            self.finished.set_result(None)

    def _report(self, peer: str, event: PlatformEvent) -> None:
        if self.count is not None and self.messages >= self.count:
            return
        match event:
            case LinkOpened():
                self._line(peer, "connected", _("connected"))
            case LinkClosed(why):
                self._line(peer, "disconnected", _("disconnected: {reason}").format(reason=_why(why)), reason=why.value)
            case LinkRefused(why):
                self._line(peer, "refused", _("refused: {reason}").format(reason=_why(why)), reason=why.value)
            case NoiseReceived(raw):
                text = _("{size} bytes that belong to no frame: {text}").format(size=len(raw), text=quoted(raw))
                self._line(peer, "noise", text, bytes=len(raw))
            case FrameRejected(frame):
                self.bad += 1
                self._frame(peer, "rejected", frame, _("bad frame, not answered"))
            case MessageReceived(message, frame, _kind, repeated):
                self.messages += 1
                title = command_title(message) + (f" {_('(sent again)')}" if repeated else "")
                self._frame(peer, "message", frame, title, repeated=repeated)
            case AnswerUnexpected(message):
                self.messages += 1
                self._frame(peer, "message", _as_frame(message), command_title(message), repeated=False)
            case _:  # the answers to requests of ours: a listener sends none
                return

    def _frame(self, peer: str, event: str, frame: Frame, title: str, **facts: Any) -> None:
        if self.as_json:
            shape = to_json(frame, HJ_212_2017, current(), show_secrets=self.show_secrets)
            self._line(peer, event, "", **facts, **shape)
            return
        message = Message(parse_segment(readable_segment(frame)))
        area = "; ".join(", ".join("=".join(pair) for pair in item) for item in message.items)
        text = f"CN={message.cn} {title}; MN={message.mn}; QN={message.qn}; {area}"
        self._line(peer, event, clean(text if self.show_secrets else hide_passwords(text)))
        for line in deviation_lines(frame, examine(frame, HJ_212_2017), HJ_212_2017):
            click.echo(f"    {line}")

    def _line(self, peer: str, event: str, text: str, **facts: Any) -> None:
        now = datetime.now(CHINA)
        if self.as_json:
            head = {"event": event, "time": now.isoformat(timespec="milliseconds"), "peer": peer}
            click.echo(json_line(head | facts))
        else:
            click.echo(f"{now:%H:%M:%S}.{now.microsecond // 1000:03d}  {peer}  {text}")

    def _tell_listening(self, host: str, port: int) -> None:
        if self.as_json:
            click.echo(json_line({"event": "listening", "host": host, "port": port}))
        text = _("Listening on {host} port {port}; Ctrl-C ends.").format(host=host, port=port)
        click.echo(text, err=self.as_json)
        sys.stdout.flush()

    def _finish(self) -> int:
        parts = [
            ngettext("{n} message", "{n} messages", self.messages).format(n=self.messages),
            ngettext("{n} bad frame", "{n} bad frames", self.bad).format(n=self.bad),
        ]
        click.echo(_(", ").join(parts), err=True)
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
        CloseReason.SHUTDOWN: _("listening has ended"),
    }
    return texts[why]


def _as_frame(message: Message) -> Frame:
    data = bytes(message)
    raw = build_frame(data)
    return Frame(raw, 0, len(data), data, raw[-6:-2], b"\r\n")
