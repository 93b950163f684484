"""Passive runs and runs that relay: what goes to the device, and whose word it is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from conformance import literal
from conformance.evidence import Evidence
from conformance.live.bench import Bench
from conformance.live.operator import AbsentOperator
from conformance.plan import Mode, make_plan
from conformance.transcript import Transcript
from conformance.verdicts import Verdict
from hj212.aio import Platform
from hj212.events import MessageReceived

from .benches import MN, PORT, PW, BenchClock, Fate, Run, profile_with, run

PROFILE = profile_with(observe_s=4600.0)
UPSTREAM = PORT + 1


def out_frames(transcript: Transcript) -> list[bytes]:
    return [e.data for e in transcript if e.kind == "bytes" and e.direction == "out"]


def test_passive_run_sends_acknowledgements_only() -> None:
    plan = make_plan(PROFILE, mode=Mode(passive=True))
    ended = run(plan, PROFILE, clock=BenchClock())
    assert out_frames(ended.transcript)
    assert all(b";CN=9014;" in frame or b";CN=9013;" in frame for frame in out_frames(ended.transcript))
    assert sum(e.kind == "listen" for e in ended.transcript) == 1  # the link was not cut
    verdicts = ended.verdicts(PROFILE, plan)
    assert verdicts["access/framing/crc"] is Verdict.PASS
    assert verdicts["access/report/data-time-step"] is Verdict.PASS
    for case in ("access/clock/offset", "access/query/state", "access/link/repeats-unanswered"):
        assert verdicts[case] is Verdict.INCONCLUSIVE
    assert not {Verdict.FAIL, Verdict.WARN, Verdict.ERROR} & set(verdicts.values())


def test_passive_run_answers_everything_the_device_wants_answered() -> None:
    plan = make_plan(PROFILE, mode=Mode(passive=True))
    ended = run(plan, PROFILE, clock=BenchClock())
    wanting = {h.message.qn for h in Evidence(ended.transcript, PROFILE).uploads if h.message.wants_answer}
    answered = {frame.partition(b"QN=")[2][:17].decode() for frame in out_frames(ended.transcript)}
    assert wanting <= answered


class TestRelay:
    """The official platform is one of the library; the suite stands in between and only listens."""

    def play(self, fate: Fate | None = None, *, there: bool = True) -> tuple[Run, dict[str, Verdict], list[Any]]:
        plan = make_plan(PROFILE, mode=Mode(forward=f"127.0.0.1:{UPSTREAM}"))
        events: list[Any] = []

        async def upstream() -> None:
            platform = Platform(lambda peer, event: events.append(event))
            loop = asyncio.get_running_loop()
            await loop.create_server(platform._accept, "127.0.0.1", UPSTREAM)

        ended = run(plan, PROFILE, clock=BenchClock(), fate=fate, upstream=upstream if there else None)
        return ended, ended.verdicts(PROFILE, plan), events

    def test_bytes_pass_unchanged_both_ways_and_answers_are_the_platforms(self) -> None:
        ended, verdicts, events = self.play()
        sent = b"".join(e.data for e in ended.transcript if e.kind == "bytes" and e.direction == "in")
        received = [event.frame.raw for event in events if isinstance(event, MessageReceived)]
        assert b"".join(received) == sent
        answers = [e for e in ended.transcript if e.kind == "bytes" and e.direction == "out"]
        assert answers
        assert all(e.attachment == {"by": "platform"} for e in answers)
        assert verdicts["access/framing/crc"] is Verdict.PASS
        assert verdicts["access/opening/one-record-each"] is Verdict.PASS
        assert verdicts["access/query/state"] is Verdict.INCONCLUSIVE
        assert not {Verdict.FAIL, Verdict.WARN, Verdict.ERROR} & set(verdicts.values())

    def test_platform_that_is_not_there_is_named_and_the_device_sees_it(self) -> None:
        ended, verdicts, _events = self.play(there=False)
        refused = [e.attachment["why"] for e in ended.transcript if e.kind == "relay"]
        assert refused
        assert f"127.0.0.1:{UPSTREAM}" in refused[0]
        assert not out_frames(ended.transcript)
        assert not {Verdict.FAIL, Verdict.ERROR} & set(verdicts.values())

    def test_requests_of_the_platform_are_known_as_requests(self) -> None:
        async def upstream() -> None:
            loop = asyncio.get_running_loop()
            await loop.create_server(Asking, "127.0.0.1", UPSTREAM)

        plan = make_plan(
            PROFILE,
            ("access/link/no-answer-to-answers", "access/report/data-time-step"),
            mode=Mode(forward=f"127.0.0.1:{UPSTREAM}"),
        )
        ended = run(plan, PROFILE, clock=BenchClock(), upstream=upstream)
        evidence = Evidence(ended.transcript, PROFILE)
        assert {request.cn for request in evidence.asked.values()} == {"1011"}
        assert evidence.clock_offset is not None
        assert ended.verdicts(PROFILE, plan)["access/link/no-answer-to-answers"] is Verdict.PASS


class Asking(asyncio.Protocol):
    """A platform that asks each device for its time as soon as it connects, and says so byte by byte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        for byte in literal.request(b"20250915100000000", b"81", b"1011", PW.encode(), MN.encode(), b""):
            transport.write(bytes([byte]))


@pytest.mark.loopback
class TestRelayOnRealSockets:
    """What a hasty or hostile device sends arrives at the platform all the same."""

    async def through(self, *pieces: bytes, half: bool = False) -> tuple[bytes, bytes]:
        """Send each piece on a connection of its own; return what the platform got and how the last was answered."""
        got = bytearray()
        ended = asyncio.Event()
        left = len(pieces)

        async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal left
            got.extend(await reader.read(-1))
            writer.write(b"answer")
            await writer.drain()
            writer.close()
            left -= 1
            if not left:
                ended.set()

        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(platform, "127.0.0.1", 0)
        mode = Mode(forward=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        transcript = Transcript(epoch=time.time() - loop.time(), clock="real")
        bench = Bench(PROFILE, transcript, AbsentOperator(), mode=mode)
        await bench.listen("127.0.0.1", 0)
        answer = b""
        for piece in pieces:
            reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
            writer.write(piece)
            if half:
                writer.write_eof()
                answer = await reader.read(-1)
            writer.close()
        async with asyncio.timeout(10):
            await ended.wait()
        bench.stop_listening()
        server.close()
        return bytes(got), answer

    def test_devices_that_send_and_leave_lose_nothing(self) -> None:
        frame = literal.request(b"20250915100000000", b"81", b"2081", PW.encode(), MN.encode(), b"")
        got, _answer = asyncio.run(self.through(*[frame] * 20))
        assert got == frame * 20

    def test_bytes_that_nobody_can_read_are_passed_on_too(self) -> None:
        piece = bytes(range(256)) * 4000
        got, _answer = asyncio.run(self.through(piece))
        assert got == piece

    def test_device_that_will_say_no_more_is_still_answered(self) -> None:
        got, answer = asyncio.run(self.through(b"all", half=True))
        assert (got, answer) == (b"all", b"answer")
