"""Listens while questions are asked: a bench on a thread of its own, which acknowledges and reads, changing nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, TypeVar

from ..evidence import Heard
from ..live.bench import Bench
from ..live.operator import AbsentOperator
from ..live.waiting import LOOK_S, Diagnosis, Wait
from ..profile import Profile
from ..transcript import Transcript
from ..verdicts import Said

__all__ = ["ASK_S", "Ear"]

T = TypeVar("T")

#: How long a device may take for a value that it is asked for.
ASK_S: Final = 6.0
#: How long the listening thread may take for anything of its own.
CALL_S: Final = 10.0


class Ear:
    """What is heard at a port while a person answers questions.

    Args:
        profile: What is declared before anything was answered.

    Attributes:
        port: The port listened on; 0 while there is none.
    """

    def __init__(self, profile: Profile) -> None:
        self.port = 0
        self._profile = profile
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="ear")
        self._bench: Bench | None = None
        self._wait = Wait(profile, 0.0)
        self._read = 0  # entries of the transcript that _wait has taken in

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T], limit_s: float = CALL_S) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    async def _stop(self) -> None:
        if self._bench is not None:
            self._bench.stop_listening()
            await asyncio.sleep(0)  # so that what was closed is gone before the loop is
            self._bench = None

    def listen(self, host: str, port: int) -> None:
        """Listen on an address instead of the one before.

        Raises:
            EnvironmentFault: If it cannot be had; then nothing is listened on.
        """
        self.port = 0
        self._call(self._listen(host, port))

    async def _listen(self, host: str, port: int) -> None:
        await self._stop()
        transcript = Transcript(epoch=time.time() - self._loop.time(), clock="real")
        bench = Bench(self._profile, transcript, AbsentOperator())
        await bench.listen(host, port)
        self._bench, self.port = bench, bench.port
        self._restart()

    def _restart(self) -> None:
        bench = self._bench
        self._wait = Wait(self._profile, bench.transcript[0].t_mono if bench and len(bench.transcript) else 0.0)
        self._read = 0

    def declare(self, device: dict[str, str], host: str = "", port: int = 0) -> None:
        """Take into account what has been answered of the device and of the address."""
        listen = {**self._profile.listen, **({"host": host, "port": port} if host else {})}
        kept = {key: value for key, value in self._profile.device.items() if key not in ("mn", "pw")}
        self._profile = replace(self._profile, device={**kept, **device}, listen=listen)
        self._call(self._declare(device.get("mn", "")))

    async def _declare(self, mn: str) -> None:
        self._restart()
        if self._bench is not None and mn:
            self._bench.mn = mn

    def look(self) -> Diagnosis:
        """Return what is known of the device now."""
        return self._call(self._look())

    async def _look(self) -> Diagnosis:
        if self._bench is None:
            return self._wait.look(0.0)
        for entry in self._bench.transcript.entries[self._read :]:
            self._wait.take(entry)
        self._read = len(self._bench.transcript)
        return self._wait.look(self._bench.now)

    @property
    def speakers(self) -> dict[str, Heard]:
        """The latest frame of each MN that was heard."""
        return dict(self._wait.speakers)

    def await_speaker(self, seconds: float, tell: Callable[[Said], None]) -> bool:
        """Wait until any MN is heard; tell what goes on whenever that changes."""
        end = time.monotonic() + seconds
        told = ""
        while True:
            found = self.look()
            if self._wait.speakers:
                return True
            if time.monotonic() >= end:
                return False
            if str(found.said) != told:
                told = str(found.said)
                tell(found.said)
            time.sleep(min(LOOK_S, max(end - time.monotonic(), 0.0)))

    def ask(self, cn: str, key: str) -> tuple[str, float] | None:
        """Ask the device for a value, with a request that only reads; ``None`` where it does not tell.

        Returns:
            The value as sent, and when it arrived: POSIX seconds as this computer shows them.
        """
        return self._call(self._ask(cn, key), ASK_S + CALL_S)

    async def _ask(self, cn: str, key: str) -> tuple[str, float] | None:
        bench = self._bench
        speaker = self._wait.speakers.get(bench.mn) if bench else None
        if bench is None or speaker is None:
            return None
        bench.pw = speaker.message.pw  # the device's own, whatever was declared: it is asked, not judged
        try:
            async with asyncio.timeout(ASK_S):
                qn = await bench.request(cn)
                told = await bench.wait(
                    lambda h: h.message.qn == qn and (h.message.parameter(key) is not None or _ends(h)), ASK_S
                )
        except TimeoutError:
            return None
        value = told.message.parameter(key) if told else None
        return None if value is None else (value, bench.wall)


def _ends(heard: Heard) -> bool:
    """Whether an answer says that no value comes: refused, or executed without one."""
    return heard.message.cn == "9012" or (heard.message.cn == "9011" and heard.message.parameter("QnRtn") != "1")
