"""The rehearsal: over real sockets the same bytes at the same instants as over memory."""

from __future__ import annotations

import pytest

from conformance.demo import MN, PW, check_faults, demo_profile, rehearse
from conformance.judge import judge
from conformance.transcript import Transcript
from stationgate.exits import UsageFault

from .conftest import demo_run, recording

Streams = dict[tuple[int, str], list[tuple[float, bytes]]]


def streams(transcript: Transcript) -> Streams:
    """Every byte by link and direction, with its instant: how they were split into entries does not count."""
    found: Streams = {}
    for entry in transcript:
        if entry.kind == "bytes":
            stream = found.setdefault((entry.link, entry.direction), [])
            if stream and stream[-1][0] == entry.t_mono:
                stream[-1] = entry.t_mono, stream[-1][1] + entry.data
            else:
                stream.append((entry.t_mono, entry.data))
    return found


@pytest.mark.loopback
@pytest.mark.parametrize("fault", ["", "length-plus-6", "missing-tail", "endless-resend", "loses-records-offline"])
def test_sockets_carry_what_memory_carries(fault: str) -> None:
    profile, plan = demo_run()
    faults = list(filter(None, [fault]))
    over_tcp, in_memory = rehearse(plan, profile, faults, sockets=True), recording(*faults)
    assert {entry.transport for entry in over_tcp if entry.transport} == {"tcp"}
    assert {entry.transport for entry in in_memory if entry.transport} == {"memory"}
    assert streams(over_tcp) == streams(in_memory)
    assert [(r.case, r.verdict, str(r.outcome.actual)) for r in judge(over_tcp, profile, plan)] == [
        (r.case, r.verdict, str(r.outcome.actual)) for r in judge(in_memory, profile, plan)
    ]


def test_rehearsal_is_the_same_every_time() -> None:
    profile, plan = demo_run()
    assert rehearse(plan, profile, sockets=False).digest == recording().digest


def test_demo_declares_its_made_up_device() -> None:
    profile = demo_profile()
    assert (len(MN), profile.device["pw"]) == (24, PW)
    assert profile.limits.observe_s > 86_400


def test_unknown_fault_is_refused_with_the_nearest_names() -> None:
    check_faults(["modbus-crc"])
    with pytest.raises(UsageFault) as raised:
        check_faults(["modbus-crc", "modbus-crcs"])
    assert "modbus-crc" in raised.value.message
