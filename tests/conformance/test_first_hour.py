"""The first hour of somebody with a new device: each usual mistake is made, named by its sentence, and put right.

The same script twice: on virtual time through the bench itself, and with the suite in a process of its own on real
loopback. Wrong port, silent device, wrong MN, wrong check value, wrong PW; then a good device, and the run goes on.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import literal
from conformance.demo import MN, PW
from conformance.live.bench import Bench, StepEnd
from conformance.live.operator import AbsentOperator
from conformance.live.stimuli import STIMULI
from conformance.plan import make_plan
from conformance.profile import Profile, shipped
from conformance.transcript import Transcript
from conformance.verdicts import Said, Verdict
from simulator.behaviour import Behaviour, copy_message
from simulator.clock import EPOCH, run_virtual
from simulator.transport import MemoryNetwork
from stationgate.language import LANGUAGES, Language, gettext, speaking

from .benches import BenchClock, Fate, profile_with
from .benches import run as run_bench
from .stations import free_port, read_until

ROOT = Path(__file__).resolve().parents[2]
OTHER_MN = "64010000ACCE550000000002"
WRONG_PW = "777777"
PORT = 8212

NOTHING = "nothing has connected to port {port} yet"
SILENT = "{peer} has connected and sends nothing"
DIFFERENT_MN = "a different MN reports: MN={found}, expected is MN={wanted} ({difference})"
REFUSED = "a platform refuses the frames of {who}: {damage}"
ANOTHER_PW = "MN={mn} reports with another PW than the profile's"
#: The sentences in the order of the script.
SENTENCES = [NOTHING, SILENT, DIFFERENT_MN, REFUSED, ANOTHER_PW]


def report(mn: str = MN, pw: str = PW) -> bytes:
    segment = (
        f"QN=20250915100000123;ST=81;CN=3020;PW={pw};MN={mn};Flag=5;"
        "CP=&&DataTime=20250915100000;i32001-Info=0;i32002-Info=0;i32003-Info=0&&"
    )
    return literal.frame(segment.encode())


def swapped_crc(frame: bytes) -> bytes:
    """The same frame with the two bytes of its check value the wrong way round."""
    return frame[:-6] + frame[-4:-2] + frame[-6:-4] + frame[-2:]


#: What the device sends at each attempt once it reaches the port; nothing at the first.
ATTEMPTS = [b"", report(mn=OTHER_MN), swapped_crc(report(mn=OTHER_MN)), report(pw=WRONG_PW), report()]


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    with speaking(request.param):
        yield request.param


def profile() -> Profile:
    base = shipped("nx-door")
    return replace(base, device={**base.device, "mn": MN, "pw": PW})


# Virtual time


async def first_hour(
    script: Callable[[], Awaitable[None]], declared: Profile | None = None
) -> tuple[StepEnd, list[tuple[float, Said, str]], float]:
    """Return how the wait for the device ended, what was told (when, and as it reads), and how long it took."""
    loop = asyncio.get_running_loop()
    told: list[tuple[float, Said, str]] = []
    transcript = Transcript(epoch=EPOCH, clock="virtual")
    bench = Bench(
        declared or profile(), transcript, AbsentOperator(), transport="memory",
        on_progress=lambda what, until: told.append((loop.time(), what, str(what))),
    )  # fmt: skip
    await bench.listen("0.0.0.0", PORT)
    device = asyncio.ensure_future(script())
    end = await STIMULI["connect"](bench)
    took = loop.time()
    device.cancel()
    with suppress(asyncio.CancelledError):
        await device
    bench.stop_listening()
    return end, told, took


async def dial(port: int) -> asyncio.Transport:
    """Connect from a device of this script."""
    transport, _protocol = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "10.0.0.3", port)
    return transport


async def hour() -> None:
    """Make every mistake for a minute or two, each time with a new connection."""
    for _attempt in range(6):
        with pytest.raises(ConnectionRefusedError):
            await dial(PORT + 1)
        await asyncio.sleep(10.0)
    for data in ATTEMPTS:
        link = await dial(PORT)
        link.write(data) if data else None
        await asyncio.sleep(90.0)
        link.abort()


def sentence(said: Said) -> str:
    """The message id of what is said of the situation."""
    what = said.params.get("what", said)
    return str(what.msgid)


def test_each_mistake_is_named_in_turn_and_the_good_device_ends_the_wait(lang: Language) -> None:
    end, told, took = run_virtual(lambda: first_hour(hour), MemoryNetwork())
    assert end.result == "done"
    assert 60.0 + 4 * 90.0 <= took < 60.0 + 4 * 90.0 + 5.0
    named = [sentence(said) for _t, said, _text in told]
    assert [one for one in named if one in SENTENCES] == SENTENCES
    for _t, said, text in told:
        filled = {key: str(value) for key, value in said.params.items()}
        assert text == gettext(said.msgid).format(**filled)
        assert PW not in text.replace(MN, "").replace(OTHER_MN, "")
        assert WRONG_PW not in text


def test_each_sentence_comes_while_its_mistake_lasts() -> None:
    _end, told, _took = run_virtual(lambda: first_hour(hour), MemoryNetwork())
    came = {sentence(said): t for t, said, _text in told}
    begin = {NOTHING: 0.0, SILENT: 60.0, DIFFERENT_MN: 150.0, REFUSED: 240.0, ANOTHER_PW: 330.0}
    for named, t in begin.items():
        assert t <= came[named] <= t + 15.0, named


def test_a_device_with_a_wrong_check_value_alone_is_named_and_judged() -> None:
    async def script() -> None:
        link = await dial(PORT)
        link.write(swapped_crc(report()))
        await asyncio.sleep(3600.0)

    end, told, took = run_virtual(lambda: first_hour(script), MemoryNetwork())
    assert end.result == "done"
    assert took < 1.0
    assert sentence(told[-1][1]) == REFUSED
    assert "swapped" in told[-1][2]


def test_without_a_profile_of_its_own_the_first_device_is_taken() -> None:
    async def script() -> None:
        link = await dial(PORT)
        link.write(report(mn=OTHER_MN, pw=WRONG_PW))
        await asyncio.sleep(3600.0)

    end, told, _took = run_virtual(lambda: first_hour(script, shipped("nx-door")), MemoryNetwork())
    assert end.result == "done"
    assert OTHER_MN in told[-1][2]
    assert WRONG_PW not in told[-1][2]


# Real processes, real loopback

#: Short enough for a test; what a sentence waits for shortens with it.
CONNECT_S = 30.0
PROFILE = f"""
extends = "nx-door"
[test]
lang = "{{lang}}"
[device]
mn = "{MN}"
pw = "{PW}"
[limits]
connect_s = {CONNECT_S}
response_s = 0.5
"""


def suite(folder: Path, port: int, lang: Language) -> subprocess.Popen[bytes]:
    path = folder / "door.toml"
    path.write_text(PROFILE.format(lang=lang), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "conformance", "run", str(path), "access/framing/crc", "access/link/speaks",
         "--listen", f"127.0.0.1:{port}", "--non-interactive"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
             "STATIONGATE_HOME": str(folder / "home")},
    )  # fmt: skip


def constant_part(msgid: str) -> str:
    """The longest part of a translated sentence that no parameter changes."""
    text = gettext(msgid)
    for name in ("port", "peer", "found", "wanted", "difference", "who", "damage", "mn"):
        text = text.replace("{" + name + "}", "\0")
    return max(text.split("\0"), key=len)


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform == "win32", reason="reads pipes as POSIX does")
@pytest.mark.parametrize("lang", ["en", pytest.param("zh", marks=pytest.mark.soak)], indirect=True)
def test_the_suite_in_a_process_of_its_own_says_the_same(tmp_path: Path, lang: Language) -> None:
    port = free_port()
    with suite(tmp_path, port, lang) as process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            shown = process.stderr.fileno()
            with pytest.raises(OSError):  # noqa: PT011  # the device is given the wrong port
                socket.create_connection(("127.0.0.1", free_port()), timeout=1.0)
            said = read_until(shown, constant_part(NOTHING))
            assert "127.0.0.1" in said
            assert str(port) in said
            for data, named in zip(ATTEMPTS, [*SENTENCES[1:], None], strict=True):
                with socket.create_connection(("127.0.0.1", port), timeout=5.0) as device:
                    device.sendall(data)
                    if named:
                        said += read_until(shown, constant_part(named))
                    else:
                        assert process.wait(20) == 0
            said += process.stderr.read().decode()
            verdicts = process.stdout.read().decode()
        finally:
            process.kill()
    assert OTHER_MN in said
    for text in (said, verdicts):
        assert PW not in text.replace(MN, "").replace(OTHER_MN, "")
        assert WRONG_PW not in text
    assert Verdict.PASS.word in verdicts  # the run went on and judged


def test_what_a_device_sent_before_it_was_put_right_is_not_held_against_it() -> None:
    wrong = [True]
    device = Behaviour(shape=[lambda message, kind: copy_message(message, PW="000000") if wrong else message])
    profile = profile_with(observe_s=4600.0)
    plan = make_plan(profile)
    fate = Fate(at=[(400.0, wrong.clear)])
    ended = run_bench(plan, profile, clock=BenchClock(), behaviour=device, fate=fate)
    assert ended.verdicts(profile, plan)["access/header/password"] is Verdict.PASS
    assert not {Verdict.FAIL, Verdict.WARN} & set(ended.verdicts(profile, plan).values())
    wrong.append(True)
    never = run_bench(plan, profile, clock=BenchClock(), behaviour=device)
    assert never.verdicts(profile, plan)["access/header/password"] is Verdict.FAIL
