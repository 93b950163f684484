"""``gb28181 listen``: a reference platform for devices to register at."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final

import click

from stationgate.exits import ExitCode, UsageFault, cannot_listen
from stationgate.language import _, ngettext, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..errors import Gb28181Error
from ..identifiers import DeviceId, domain_of
from ..manscdp.notifies import AlarmNotice
from ..manscdp.queries import CatalogQuery
from ..platform import (
    Credential,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    NoticeReceived,
    OfflineReason,
    Policy,
    QuestionDone,
    Refusal,
    SenderRefused,
    Unusable,
    Why,
)
from ..platform.queries import Question
from ..times import BEIJING
from .shown import clean

__all__ = ["add_listen"]

#: Objects made, and not freed, before cycles are looked for: more than ten thousand devices need.
COLLECT_AFTER: Final = 200_000
_SERVER: Final = "34020000002000000001"
#: What may stand as a host in a URI: digits of a domain, a name, an address with or without a port.
_NAME: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z|[0-9A-Fa-f:.]{2,45}\Z")


def add_listen(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "listen",
        short_help=_("Register devices as a reference platform."),
        help=_(
            "Be a reference platform over UDP and TCP: register devices, ask for their catalogue, print what they tell."
        )
        + "\n\n"
        + _("Ctrl-C or SIGTERM ends it. Exit code: 0, 2 usage or port in use."),
        examples=[
            ("gb28181 listen --port 5060", _("on this machine only, any device, no password")),
            ("gb28181 listen --port 5060 --host 0.0.0.0 --password 12345678", _("for devices in the network")),
            ("gb28181 listen --port 5060 --json", _("what happens as JSON lines")),
        ],
    )
    @click.option("--port", type=click.IntRange(0, 65535), required=True, help=_("Port of UDP and TCP; 0: a free one."))
    @click.option(
        "--host", default="127.0.0.1", help=_("Address to listen on. Default: {default}.").format(default="127.0.0.1")
    )
    @click.option(
        "--id",
        "server_id",
        default=_SERVER,
        help=_("Code of the platform. Default: {default}.").format(default=_SERVER),
    )
    @click.option("--domain", default="", help=_("SIP domain. Default: the first ten digits of the code."))
    @click.option("--password", help=_("Password of every device; without it none is asked for."))
    @click.option("--advertise", metavar="HOST", help=_("Address that devices reach it by, behind NAT."))
    @click.option("--keepalive", type=click.FloatRange(min=1), default=60.0, metavar="S", help=_("Keepalive period."))
    @click.option("--missed", type=click.IntRange(min=1), default=3, metavar="N", help=_("Missed ones until offline."))
    @click.option("--duration", type=click.FloatRange(min=0), metavar="S", help=_("End after this many seconds."))
    @json_option()
    def listen(
        port: int,
        host: str,
        server_id: str,
        domain: str,
        password: str | None,
        advertise: str | None,
        keepalive: float,
        missed: int,
        duration: float | None,
        as_json: bool,
    ) -> int:
        from stationgate.loops import loop_factory

        try:
            DeviceId.parse(server_id, "--id")
        except Gb28181Error as error:
            raise UsageFault(_("--id: expected 20 digits, found {found}.").format(found=server_id)) from error
        for option, name in (("--domain", domain), ("--advertise", advertise)):
            if name and not _NAME.match(name):
                raise UsageFault(
                    _("{option}: expected digits, a name or an address, found {found}.").format(
                        option=option, found=clean(name)
                    )
                )
        if password == "":
            raise UsageFault(_("--password is empty; leave it out where none is to be asked for."))
        if not all(map(isfinite, (keepalive, duration or 0.0))):
            raise UsageFault(_("--keepalive and --duration: expected a number of seconds."))
        policy = Policy(challenge=password is not None, keepalive_s=keepalive, keepalives_missed=missed)
        receiving = _Receiving(as_json, server_id, domain or domain_of(server_id), password, policy)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(receiving.run(host, port, advertise, duration))


@dataclass(slots=True)
class _Receiving:
    as_json: bool
    server_id: str
    domain: str
    password: str | None = field(repr=False)
    policy: Policy
    registered: int = 0
    refused: int = 0
    ask: Callable[[str], None] = lambda code: None
    finished: asyncio.Future[None] = field(init=False)

    async def run(self, host: str, port: int, advertise: str | None, duration: float | None) -> int:
        from ..aio import PlatformServer

        # Registered devices are kept, not freed: looking for cycles among them costs as much as all the rest.
        gc.set_threshold(COLLECT_AFTER)
        loop = asyncio.get_running_loop()
        self.finished = loop.create_future()
        with suppress(NotImplementedError, RuntimeError):  # Windows has no such signal, a thread cannot take it
            loop.add_signal_handler(signal.SIGTERM, self._finish)
        credential = None if self.password is None else Credential(self.password)
        server = PlatformServer(
            self.server_id,
            lambda code: credential,
            self.told,
            domain=self.domain,
            policy=self.policy,
        )
        self.ask = lambda code: self._catalog(server, code)
        try:
            await server.start(host, port)
        except (OSError, OverflowError) as error:
            raise UsageFault(*cannot_listen(host, port, error)) from error
        assert server.transport is not None
        server.transport.failed = self._fail
        if advertise:
            server.endpoint.advertised = (advertise, server.port)
        try:
            self._tell_labels(advertise or host, host, server.port)
            with suppress(TimeoutError):
                async with asyncio.timeout(duration):
                    await self.finished
        finally:
            await server.stop()
            self._tell_sum()
        return ExitCode.OK

    def _finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)

    def _catalog(self, server: Any, code: str) -> None:
        with suppress(Gb28181Error):  # it went offline meanwhile, or too much waits at it
            server.platform.ask(code, CatalogQuery(device_id=code), server.transport.now)
            server.transport.wake()

    # What is told

    def told(self, event: object) -> None:
        match event:
            case DeviceRegistered():
                self._registered(event)
            case DeviceUnregistered(code):
                self._line("unregistered", code, _("unregistered"))
            case DeviceOffline(code, why):
                self._line("offline", code, _("offline: {reason}").format(reason=_offline(why)), reason=why.value)
            case KeepaliveReceived(code, body):
                faulty = list(body.info.device_ids) if body.info else []
                text = _("keepalive, status {status}").format(status=body.status)
                self._line("keepalive", code, text, status=body.status, faulty=faulty)
            case NoticeReceived(code, AlarmNotice() as alarm):
                self._alarm(code, alarm)
            case QuestionDone(code, question):
                self._catalogue(code, question)
            case SenderRefused():
                self.refused += 1
                text = _("{method} refused with {status}: {reason}").format(
                    method=event.method, status=event.status, reason=_refusal(event.reason)
                )
                facts = {"method": event.method, "status": event.status, "reason": event.reason.value}
                self._line("refused", event.device_id, text, peer=_peer(event.flow.peer), **facts)
            case Unusable():
                self.refused += 1
                text = _("{method} refused with {status}: {reason}").format(
                    method=event.method or _("a message"), status=event.status, reason=event.why
                )
                facts = {"method": event.method, "status": event.status, "reason": "unusable", "why": event.why}
                self._line("refused", event.device_id, text, peer=_peer(event.flow.peer), **facts)

    def _registered(self, event: DeviceRegistered) -> None:
        peer = f"{event.flow.transport} {_peer(event.flow.peer)}"
        text = _("refreshed") if event.refresh else _("registered")
        text = f"{text}  {peer}  {_('{n} s').format(n=event.expires_s)}  X-GB-Ver {event.version or '-'}"
        self._line(
            "registered",
            event.device_id,
            f"{text}  {event.user_agent}",
            peer=_peer(event.flow.peer),
            transport=event.flow.transport,
            expires=event.expires_s,
            refresh=event.refresh,
            version=event.version,
            user_agent=event.user_agent,
        )
        if not event.refresh:
            self.registered += 1
            self.ask(event.device_id)

    def _alarm(self, code: str, alarm: AlarmNotice) -> None:
        kind = alarm.info.type if alarm.info else None
        text = _("alarm of {source}: priority {priority}, method {method}, type {type}, {time}").format(
            source=alarm.device_id,
            priority=alarm.priority,
            method=alarm.method,
            type="-" if kind is None else kind,
            time=alarm.time,
        )
        self._line(
            "alarm",
            code,
            f"{text} {alarm.description or ''}".rstrip(),
            source=alarm.device_id,
            priority=alarm.priority,
            method=alarm.method,
            type=kind,
            alarm_time=alarm.time,
            description=alarm.description,
        )

    def _catalogue(self, code: str, question: Question) -> None:
        found = question.collected
        items = [
            {"id": item.device_id, "name": item.name, "status": item.status, "parent": item.parent_id}
            for item in (found.items if found else ())
        ]
        complete = bool(found and found.complete)
        if question.why is not None:
            text = _("no catalogue: {reason}").format(reason=_why(question.why, question.status))
        else:
            text = ngettext("catalogue: {n} item", "catalogue: {n} items", len(items)).format(n=len(items))
            if not complete:
                total = found.total if found else None
                text += _(" of {total}: parts are missing").format(total="?" if total is None else total)
        reason = question.why.value if question.why else None
        self._line("catalog", code, text, items=items, complete=complete, reason=reason)
        if not self.as_json:
            for item in items:
                click.echo(clean(f"    {item['id']}  {item['name'] or ''}  {item['status'] or ''}"))

    def _line(self, event: str, device: str, text: str, **facts: Any) -> None:
        now = datetime.now(BEIJING)
        if self.as_json:
            head = {"event": event, "device": device, "time": now.isoformat(timespec="milliseconds")}
            click.echo(json_line(head | facts))
        else:
            who = device or facts.get("peer", "")
            click.echo(clean(f"{now:%H:%M:%S}.{now.microsecond // 1000:03d}  {who}  {text}"))
        sys.stdout.flush()

    def _tell_labels(self, reached_by: str, host: str, port: int) -> None:
        """Say what is to be typed into a camera's page, by the labels that stand there."""
        rows = [
            (pick("SIP服务器编码", "SIP server ID"), self.server_id),
            (pick("SIP域", "SIP domain"), self.domain),
            (pick("SIP服务器地址", "SIP server address"), reached_by),
            (pick("SIP服务器端口", "SIP server port"), f"{port} (UDP, TCP)"),
            (pick("设备编码", "Device ID"), pick("任意 20 位编码", "any of 20 digits")),
            (pick("视频通道编码", "Video channel ID"), pick("任意 20 位编码", "any of 20 digits")),
            (pick("注册密码", "Password"), "***" if self.password else pick("不校验", "not asked for")),
            (pick("注册有效期", "Registration validity"), _("{n} s").format(n=86400)),
            (pick("心跳周期", "Keepalive period"), _("{n} s").format(n=f"{self.policy.keepalive_s:g}")),
            (pick("最大心跳超时次数", "Keepalives missed"), str(self.policy.keepalives_missed)),
        ]
        for label, value in rows:
            click.echo(f"{label}: {value}", err=self.as_json)
        text = _("Listening on {host} port {port}; Ctrl-C ends.").format(host=host, port=port)
        click.echo(text, err=self.as_json)
        sys.stdout.flush()

    def _tell_sum(self) -> None:
        parts = [
            ngettext("{n} registration", "{n} registrations", self.registered).format(n=self.registered),
            _("{n} refused").format(n=self.refused),
        ]
        click.echo(_(", ").join(parts), err=True)


def _peer(peer: tuple[str, int]) -> str:
    return f"{peer[0]}:{peer[1]}"


def _offline(why: OfflineReason) -> str:
    return {
        OfflineReason.EXPIRED: _("the registration was not refreshed"),
        OfflineReason.KEEPALIVES: _("no keepalives came"),
        OfflineReason.TRANSPORT: _("the connection ended"),
    }[why]


def _why(why: Why, status: int | None) -> str:
    return {
        Why.REFUSED: _("refused with {status}").format(status=status),
        Why.SILENT: _("200, and then nothing"),
        Why.UNREACHABLE: _("no answer"),
        Why.GONE: _("it went offline"),
    }[why]


def _refusal(reason: Refusal) -> str:
    return {
        Refusal.CODE: _("the device code has not 20 digits"),
        Refusal.UNKNOWN: _("nobody told of this device"),
        Refusal.PASSWORD: _("wrong password"),
        Refusal.USERNAME: _("wrong SIP user name"),
        Refusal.REALM: _("wrong realm: the device has another SIP domain"),
        Refusal.REPLAYED: _("this proof was used before"),
        Refusal.LOCKED: _("too many wrong passwords; wait a minute"),
        Refusal.NO_EXPIRES: _("Expires is missing"),
        Refusal.NO_CONTACT: _("Contact is missing"),
        Refusal.FULL: _("as many devices as there may be"),
        Refusal.UNREGISTERED: _("it is not registered"),
        Refusal.ELSEWHERE: _("it is registered from another address"),
        Refusal.MALFORMED: _("a header cannot be read"),
    }[reason]
