"""Where a run stands and what it amounts to; results of shards add up exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from hdrh.histogram import HdrHistogram

from stationgate.exits import ExitCode

from .books import new_histogram

__all__ = ["Counts", "FleetResult", "merged", "summed"]


@dataclass(slots=True)
class Counts:
    """Where a running fleet stands."""

    at_s: float = 0.0  #: run time
    stations: int = 0
    switched_on: int = 0
    connected: int = 0  #: have had a link; cameras: have been registered
    linked: int = 0  #: have one now
    registered: int = 0  #: cameras among those that were connected
    messages: int = 0  #: given to a link
    acknowledged: int = 0
    dropped: int = 0  #: given up by their station
    failures: int = 0  #: attempts to connect that failed
    lag_s: float = 0.0  #: the longest time the loop was late
    late_s: float = 0.0  #: the longest time from the instant a message was due to its sending
    cpu: float = 0.0  #: cores used, since the beginning
    settled_s: float = field(
        default=0.0, compare=False
    )  #: run time before which everything was told, and answered or given up
    faults: dict[str, int] = field(default_factory=dict)  #: how often each fault acted


#: What is as bad as the worst shard; everything else adds up.
_WORST = ("at_s", "lag_s", "late_s")
#: What is as far as the shard that is farthest behind.
_LEAST = ("settled_s",)


def summed(parts: Iterable[Counts]) -> Counts:
    """Return the counts of several shards as those of one."""
    total = Counts(settled_s=math.inf)
    for part in parts:
        for each in fields(Counts):
            name = each.name
            mine, other = getattr(total, name), getattr(part, name)
            if name in _WORST:
                setattr(total, name, max(mine, other))
            elif name in _LEAST:
                setattr(total, name, min(mine, other))
            elif name == "faults":
                for fault, count in other.items():
                    mine[fault] = mine.get(fault, 0) + count
            else:
                setattr(total, name, mine + other)
    if math.isinf(total.settled_s):  # there were none
        total.settled_s = 0.0
    return total


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What a run amounts to.

    Attributes:
        counts: Stations, messages, acknowledgements, the worst lag.
        degraded: The generator itself was not well, or did not play all of the scenario: figures say nothing of the
            platform.
        digest: XOR over all stations of SHA-256(identity + every byte emitted), hexadecimal. Of a camera the bodies of
            its keepalives and alarms stand for the bytes: nonces and ports are in those.
        reasons: Why it is degraded, sentences in the active language.
        latency: Milliseconds from the instant a message was due to its acknowledgement, encoded.
        notes: What the user should know besides.
    """

    counts: Counts
    degraded: bool
    digest: str
    reasons: tuple[str, ...] = ()
    latency: bytes = b""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.INCONCLUSIVE if self.degraded else ExitCode.OK

    def percentiles(self) -> dict[str, int]:
        """Return the latency of the middle, of 99 % and of all answers, in ms; empty where there were none."""
        histogram = decoded(self.latency)
        if not histogram.get_total_count():
            return {}
        return {
            "p50_ms": int(histogram.get_value_at_percentile(50)),
            "p99_ms": int(histogram.get_value_at_percentile(99)),
            "max_ms": int(histogram.get_max_value()),
        }


def decoded(latency: bytes) -> Any:
    """Return an encoded histogram as one."""
    return HdrHistogram.decode(latency) if latency else new_histogram()


def merged(results: Iterable[FleetResult]) -> FleetResult:
    """Return the results of several shards as that of the whole."""
    parts = list(results)
    digest = 0
    latency = new_histogram()
    for part in parts:
        digest ^= int(part.digest, 16)
        if part.latency:
            latency.decode_and_add(part.latency)
    return FleetResult(
        summed(part.counts for part in parts),
        any(part.degraded for part in parts),
        f"{digest:064x}",
        tuple(dict.fromkeys(reason for part in parts for reason in part.reasons)),
        latency.encode(),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )
