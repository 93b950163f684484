"""The live side of a run: listens, answers as a platform does, asks, cuts the link, and writes everything down.

MN is the identity, never the socket: a device may connect for each report, leave half-open links behind, share a
link with others or send heartbeats. What is not under test is acknowledged and recorded, and nobody judges it.
Every wait has a deadline and every buffer a limit, so a run ends whatever dials in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from hj212.aio import Listener
from hj212.times import format_qn
from stationgate.exits import EnvironmentFault, cannot_listen

from .. import literal
from ..evidence import Heard
from ..plan import Mode
from ..profile import Profile
from ..transcript import Transcript, TranscriptFullError
from ..verdicts import Said, say
from .acting import perform
from .clock import Clocks, ClockWatch, Discipline
from .link import Link
from .operator import Act, Operator
from .settings import outstanding, restore

__all__ = ["MAX_FRAMES", "MAX_GARBAGE_LINKS", "MAX_LINKS", "Bench", "StepEnd"]

#: Links open at once. A site behind a gateway has a few; a peer that opens more is broken or hostile.
MAX_LINKS: Final = 64
#: Where places are short, a link on which nobody has said who he is for this long gives way.
LEFTOVER_S: Final = 60.0
#: Links given up for garbage before the run ends, when nothing readable came from anybody.
MAX_GARBAGE_LINKS: Final = 8
#: Frames taken in. A door sends some hundred a day, a gateway's neighbours some thousand.
MAX_FRAMES: Final = 50_000
#: Refused and closed links noted one by one; later ones are only counted.
MAX_LINK_NOTES: Final = 1000

Progress = Callable[[Said, float | None], None]
Watch = asyncio.Future[Heard | None]


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended: ``done``, ``timeout``, ``pending``, ``declined`` or ``aborted``, and what to remember."""

    result: str = "done"
    detail: dict[str, Any] = field(default_factory=dict)


class Bench:
    """One run against whatever connects.

    Args:
        profile: What is declared of the device.
        transcript: Where everything is written.
        operator: Who acts at the door.
        transport: Name of the transport for the record.
        on_progress: Called with what is awaited and until when (POSIX seconds), for a person to see.
        mode: How far the run may go with the device. Default: the usual one.
        clocks: What the loop's clock is compared with all along. Default: nothing, on a virtual clock.
        discipline: Finds out how the computer's clock is kept right. Default: it is virtual, and right by definition.
        shift: Seconds to add to the loop's clock, so that a run that goes on counts on from where it was.
        listener: Listens on a host and port. Default: the loop itself, which may be virtual.
    """

    def __init__(
        self,
        profile: Profile,
        transcript: Transcript,
        operator: Operator,
        *,
        transport: str = "tcp",
        on_progress: Progress | None = None,
        mode: Mode | None = None,
        clocks: Clocks | None = None,
        discipline: Callable[[], Awaitable[Discipline]] | None = None,
        shift: float = 0.0,
        listener: Callable[..., Awaitable[Listener]] | None = None,
    ) -> None:
        self.profile = profile
        self.limits = profile.limits
        self.transcript = transcript
        self.operator = operator
        self.transport = transport
        self.mode = mode or Mode()
        self.port = 0
        self.mn = profile.device.get("mn", "")
        self.pw = profile.device.get("pw", "")
        self.connected_at = 0.0
        self.event_wanted = False  #: have the door opened once among the timed reports
        self.withhold = False  #: leave the next upload that wants an answer, and its repeats, unanswered
        self.withheld: list[Heard] = []
        self.given_up: set[str] = set()  #: signs that once did not come in the full time: wait only a moment for them
        self.shown: dict[str, str] = {}  #: what the device last said for each code
        self.counts = {"links": 0, "refused": 0, "bytes": 0, "garbage_links": 0, "frames": 0}
        self.other_mns: set[str] = set()
        self.stopped = ""  #: why the run ended early, empty while it has not
        self._on_progress = on_progress
        self._clocks = clocks
        self._discipline = discipline
        self._shift = shift
        self._loop = asyncio.get_running_loop()
        self._exclusive = listener
        self._server: asyncio.Server | Listener | None = None
        self._refuses = False  #: links that were on their way when it stopped to listen
        self._host = ""
        self._links: dict[int, Link] = {}
        self._link: Link | None = None  # where the device under test spoke last
        self._waiters: list[tuple[Callable[[Heard], bool], Watch]] = []
        self._last_qn_ms = 0
        self._asked: set[str] = set()

    @property
    def now(self) -> float:
        """Seconds on the transcript's clock."""
        return self._loop.time() + self._shift

    @property
    def wall(self) -> float:
        """POSIX seconds, as this computer shows them."""
        return float(self.transcript.wall() if self.transcript.wall else self.transcript.epoch + self.now)

    def recall(self, *, links: int, mn: str, pw: str, shown: dict[str, str]) -> None:
        """Take over what an interrupted run knew."""
        self.counts["links"] = links
        self.mn, self.pw = self.mn or mn, self.pw or pw
        self.shown.update(shown)

    # Life

    async def listen(self, host: str, port: int) -> None:
        """Start to listen.

        Raises:
            EnvironmentFault: If the address cannot be had.
        """
        self._refuses = False
        try:
            # On the loop's own clock a server of the loop's own, which may be memory; else a port that nobody shares.
            start = self._loop.create_server if self._exclusive is None else self._exclusive
            self._server = await start(lambda: Link(self), host, port)
        except OSError as error:
            raise EnvironmentFault(*cannot_listen(host, port, error)) from error
        self._host, self.port = host, self._server.sockets[0].getsockname()[1]
        self.transcript.add("listen", self.now, host=host, port=self.port)

    def stop_listening(self) -> None:
        """Cut every link and refuse new ones, those included that the system has already accepted."""
        self._refuses = True
        if self._server:
            self._server.close()
            self._server = None
        for link in list(self._links.values()):
            link.cut("cut by the suite")

    async def listen_again(self) -> None:
        """Undo :meth:`stop_listening`."""
        await self.listen(self._host, self.port)

    async def run(self, steps: Iterable[tuple[str, Callable[[Bench], Awaitable[StepEnd]]]]) -> None:
        """Go through the steps, ids and how each is done; after an early end the rest are on record as aborted."""
        watch = ClockWatch(self.transcript, self._clocks, lambda: self.now) if self._clocks else None
        watching = self._loop.create_task(watch.run()) if watch else None
        try:
            await self._check_clock("begin")
            for step, stimulus in steps:
                self.transcript.add("step", self.now, step=step, phase="begin")
                end = self._unless_stopped(None) or self._unless_stopped(await stimulus(self)) or StepEnd()
                self.transcript.add("step", self.now, step=step, phase="end", result=end.result, **end.detail)
                if step == "connect" and end.result != "done" and not self.stopped:
                    self.stop("no device")
        finally:
            try:
                await self.leave_as_found()
            finally:
                self.stop_listening()
                self.transcript.add("note", self.now, counts=dict(self.counts), other_mns=sorted(self.other_mns))
                if watch and watching:
                    watch.look()  # what happened since it last looked
                    watching.cancel()
                    with suppress(asyncio.CancelledError):
                        await watching
                await self._check_clock("end")

    async def leave_as_found(self) -> None:
        """Put back what was changed on the device, also when the run is over for another reason."""
        if not outstanding(self.transcript):
            return
        stopped, self.stopped = self.stopped, ""
        try:
            await restore(self, last=True)
        finally:
            self.stopped = stopped

    async def _check_clock(self, when: str) -> None:
        """Put on record how this computer's clock is kept right."""
        declared = self.profile.test.get("clock_reference", "")
        found = await self._discipline() if self._discipline else Discipline(True, "virtual", 0.0)
        if declared and not found.synchronised:
            found = Discipline(True, "declared", None, declared)
        self.transcript.add(
            "clock", self.now, event="check", when=when, synchronised=found.synchronised, source=found.source,
            uncertainty_s=found.uncertainty_s, detail=found.detail,
        )  # fmt: skip

    def _unless_stopped(self, end: StepEnd | None) -> StepEnd | None:
        """Return how a step ended, or that it was aborted because the run is over."""
        if self.stopped and (end is None or end.result != "done"):
            return StepEnd("aborted", {"reason": self.stopped})
        return end

    def stop(self, why: str) -> None:
        """End the run: whoever waits is told at once."""
        if self.stopped:
            return
        self.stopped = why
        waiters, self._waiters = self._waiters, []
        for _predicate, future in waiters:
            if not future.done():
                future.set_result(None)

    # For the steps

    def tell(self, what: Said, timeout_s: float | None = None) -> None:
        """Show what is awaited."""
        if self._on_progress:
            self._on_progress(what, None if timeout_s is None else self.wall + timeout_s)

    async def wait(self, predicate: Callable[[Heard], bool], timeout_s: float) -> Heard | None:
        """Wait for a frame of the device under test; ``None`` at the deadline or when the run stops."""
        watch = self.watch(predicate)
        try:
            return await self.until(watch, timeout_s)
        finally:
            self.unwatch(watch)

    def watch(self, predicate: Callable[[Heard], bool]) -> Watch:
        """Look out for a frame of the device under test from now on; end it with :meth:`unwatch`."""
        watch: Watch = self._loop.create_future()
        if self.stopped:
            watch.set_result(None)
        else:
            self._waiters.append((predicate, watch))
        return watch

    async def until(self, watch: Watch, timeout_s: float) -> Heard | None:
        """Wait for what is watched for; ``None`` at the deadline or when the run stops."""
        try:
            async with asyncio.timeout(max(timeout_s, 0.0)):
                return await watch
        except TimeoutError:
            return None

    def unwatch(self, watch: Watch) -> None:
        """Look out no longer."""
        self._waiters = [(predicate, future) for predicate, future in self._waiters if future is not watch]
        watch.cancel()

    async def sleep(self, seconds: float) -> None:
        """Wait, unless the run stops."""
        if seconds > 0:
            await self.wait(lambda heard: False, seconds)

    async def act(self, step: str, act: Act) -> str:
        """Have the operator act; every attempt is on record with its window. See :func:`acting.perform`."""
        return await perform(self, step, act)

    async def request(self, cn: str, area: bytes = b"") -> str | None:
        """Send a request to the device over its latest link; return its QN, ``None`` when it has no link in time."""
        if not self.mode.steers:
            return None
        if self._link is None:
            await self.wait(lambda heard: True, self.limits.report_interval_s)
        link = self._link
        if link is None:
            return None
        now_ms = max(round(self.wall * 1000), self._last_qn_ms + 1)
        self._last_qn_ms = now_ms
        qn = format_qn(now_ms)
        self._asked.add(qn)
        st = self.profile.device.get("st", "81")
        frame = literal.request(_wire(qn), _wire(st), _wire(cn), _wire(self.pw), _wire(self.mn), area)
        link.send(frame, request=qn, cn=cn)
        return qn

    async def ask(self, cn: str, area: bytes = b"") -> StepEnd:
        """Send a request and wait for its 9012, or for as long as two answers may take."""
        qn = await self.request(cn, area)
        if qn is None:
            return StepEnd("timeout", {"reason": "no link"})
        limit = 2 * self.limits.response_s
        closed = await self.wait(lambda h: h.message.qn == qn and h.message.cn == "9012", limit)
        return StepEnd("done" if closed else "timeout", {"qn": qn})

    def answer_withheld(self) -> None:
        """Stop withholding and acknowledge what was left unanswered."""
        self.withhold = False
        if self.withheld:
            last = self.withheld[-1]
            if self._link:
                self._acknowledge(last, self._link)
        self.withheld = []

    # For the links

    def opened(self, link: Link) -> bool:
        """Take in a new link; ``False`` when there are too many, or none are wanted any more."""
        if self._refuses:
            return False
        self.counts["links"] += 1
        if len(self._links) >= MAX_LINKS:
            self._cut_leftover()
        if len(self._links) >= MAX_LINKS:
            self.counts["refused"] += 1
            self._note("refuse", link, why=f"more than {MAX_LINKS} links at once")
            return False
        self._links[link.number] = link
        self._note("connect", link, peer=link.peer)
        return True

    def _cut_leftover(self) -> None:
        """Give up a link that may never end by itself: left behind by a device that has a newer one, or mute."""
        newest = {link.mn: number for number, link in self._links.items() if link.mn}
        for number, link in self._links.items():
            if link.mn and newest[link.mn] != number:
                link.cut("left behind by the device")
                return
        silent = [link for link in self._links.values() if not link.mn and self.now - link.last_heard >= LEFTOVER_S]
        if silent:
            min(silent, key=lambda link: link.last_heard).cut("silent, and its place was needed")

    def _note(self, kind: str, link: Link, **attachment: Any) -> None:
        if self.counts["links"] <= MAX_LINK_NOTES or link.bytes_in:
            self.transcript.add(
                kind, self.now, link=link.number, transport=self.transport, device=link.mn, **attachment
            )

    def closed(self, link: Link, why: str) -> None:
        """Take note that a link is gone."""
        if self._links.pop(link.number, None) is None:
            return
        if self._link is link:
            self._link = None
        self._note("close", link, why=why)

    def record(self, link: Link, direction: str, data: bytes, **attachment: Any) -> int | None:
        """Write bytes down; ``None`` when the transcript is full and the run therefore over."""
        try:
            entry = self.transcript.add(
                "bytes", self.now, data=data, device=link.mn, link=link.number, transport=self.transport,
                direction=direction, **attachment,
            )  # fmt: skip
        except TranscriptFullError:
            self.stop("transcript full")
            return None
        return entry.seq

    def garbage(self, link: Link) -> None:
        """Give up a link that sends nothing readable."""
        self.counts["garbage_links"] += 1
        link.cut("garbage")
        if self.counts["garbage_links"] >= MAX_GARBAGE_LINKS and not self.counts["frames"]:
            self.stop("garbage")

    def heard(self, heard: Heard, link: Link) -> None:
        """Act on a frame: answer it as a platform does, and wake whoever waits for it."""
        self.counts["frames"] += 1
        if self.counts["frames"] >= MAX_FRAMES:
            self.stop("transcript full")
        message = heard.message
        if not heard.understood:
            return
        link.mn = message.mn
        if not self.mn:
            self.mn = message.mn
        if message.mn != self.mn:
            if len(self.other_mns) < MAX_LINKS:
                self.other_mns.add(message.mn)
        else:
            self._link = link
            self.pw = self.pw or message.pw
            if not heard.is_reply:
                self.shown.update(heard.codes)
        if not heard.is_reply:
            self._answer(heard, link)
        if message.mn == self.mn:
            for predicate, future in list(self._waiters):
                if not future.done() and predicate(heard):
                    future.set_result(heard)

    def relay_lost(self, link: Link, why: str) -> None:
        """Take note that the official platform cannot be reached."""
        self.transcript.add("relay", self.now, link=link.number, there=False, why=why)
        self.tell(say("the platform cannot be reached: {why}", why=why))

    def relay_found(self, link: Link) -> None:
        """Take note that the official platform accepted a connection."""
        self.transcript.add("relay", self.now, link=link.number, there=True)

    def _answer(self, heard: Heard, link: Link) -> None:
        message = heard.message
        if self.mode.forward:
            return  # the platform does
        if message.cn == "1013":
            link.send(literal.notice_answer(_wire(message.qn), _wire(message.pw), _wire(message.mn)))
        elif message.wants_answer:
            chosen = message.mn == self.mn and bool(heard.codes) and message.qn not in self._asked
            if self.withhold and chosen and self._same_as_withheld(heard):
                self.withheld.append(heard)
                return
            self._acknowledge(heard, link)

    def _same_as_withheld(self, heard: Heard) -> bool:
        """Whether it is the upload chosen to go unanswered, its repeat, or the first candidate.

        A repeat may come under a new QN: what it says decides.
        """
        return not self.withheld or heard.message.items == self.withheld[0].message.items

    def _acknowledge(self, heard: Heard, link: Link) -> None:
        message = heard.message
        link.send(literal.data_answer(_wire(message.qn), _wire(message.pw), _wire(message.mn)))


def _wire(field: str) -> bytes:
    """Return a field as it was sent, whatever bytes those were."""
    return field.encode("utf-8", "surrogateescape")
