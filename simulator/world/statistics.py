"""Minute, hour and day statistics that are true of the real-time values: sums of integers, divided once, at the end.

Everything adds up: the statistics of a day are the sum of those of its hours, and equal to those over all its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from .emissions import Outlet
from .signals import Signal

__all__ = ["Period", "Summary", "converted", "measure", "printed", "summary", "window"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Values of one signal in units of the last printed digit: the smallest, the largest, their sum and number."""

    min: int
    max: int
    sum: int
    count: int

    @property
    def mean(self) -> int:
        """The arithmetic mean in units of the last printed digit, half rounded to even."""
        whole, rest = divmod(self.sum, self.count)
        if 2 * rest > self.count or (2 * rest == self.count and whole % 2):
            whole += 1
        return whole

    def __add__(self, other: Summary) -> Summary:
        return Summary(
            min(self.min, other.min), max(self.max, other.max), self.sum + other.sum, self.count + other.count
        )


def summary(values: Iterable[int]) -> Summary:
    """Return the summary of values.

    Raises:
        ValueError: If there is none.
    """
    known = list(values)
    if not known:
        raise ValueError("statistics of no values")
    return Summary(min(known), max(known), sum(known), len(known))


@dataclass(frozen=True, slots=True)
class Period:
    """The statistics of an outlet over some time.

    Attributes:
        signals: What was measured.
        interval_s: Seconds for which each value stands.
        summaries: One for each signal.
        carried: For each signal the sum over its values, each times the flow; the flow alone for itself; else 0.
    """

    signals: tuple[Signal, ...]
    interval_s: int
    summaries: tuple[Summary, ...]
    carried: tuple[int, ...]

    def __add__(self, other: Period) -> Period:
        if (self.signals, self.interval_s) != (other.signals, other.interval_s):
            raise ValueError("periods of different signals or intervals do not add up")
        return Period(
            self.signals,
            self.interval_s,
            tuple(a + b for a, b in zip(self.summaries, other.summaries, strict=True)),
            tuple(a + b for a, b in zip(self.carried, other.carried, strict=True)),
        )

    def of(self, signal: Signal) -> Summary:
        """Return the summary of one signal."""
        return self.summaries[self.signals.index(signal)]

    def cou(self, signal: Signal) -> Decimal | None:
        """Return what has flowed (``m3``) or left with the flow (``kg``), exactly; ``None`` where nothing accumulates.

        Each value stands for ``interval_s`` seconds (HJ 212-2017 Annex D).
        """
        flow = _flow(self.signals)
        if signal.cou is None or flow is None:
            return None
        places = signal.decimals if signal.is_flow else signal.decimals + flow.decimals
        return Decimal(self.carried[self.signals.index(signal)] * self.interval_s).scaleb(signal.cou - places)


def window(begin_at: float, end_at: float, interval_s: int, phase_s: float = 0.0) -> Iterator[float]:
    """Yield the instants from ``begin_at`` up to, not including, ``end_at`` at which a value is read.

    Args:
        begin_at: POSIX seconds.
        end_at: POSIX seconds.
        interval_s: From one to the next.
        phase_s: They are at multiples of the interval plus this.
    """
    begin, end, step, phase = round(begin_at * 1000), round(end_at * 1000), interval_s * 1000, round(phase_s * 1000)
    for at in range(begin + (phase - begin) % step, end, step):
        yield at / 1000


def measure(outlet: Outlet, begin_at: float, end_at: float, interval_s: int, phase_s: float = 0.0) -> Period | None:
    """Return the statistics of an outlet over a :func:`window`; ``None`` where no value is read in it."""
    signals = outlet.signals
    rows = [outlet.values(at) for at in window(begin_at, end_at, interval_s, phase_s)]
    if not rows:
        return None
    columns = list(zip(*rows, strict=True))
    flow = _flow(signals)
    flows = columns[signals.index(flow)] if flow else ()
    carried = (
        0 if s.cou is None else sum(flows) if s.is_flow else sum(map(int.__mul__, column, flows))
        for s, column in zip(signals, columns, strict=True)
    )
    return Period(signals, interval_s, tuple(map(summary, columns)), tuple(carried))


def _flow(signals: tuple[Signal, ...]) -> Signal | None:
    return next((signal for signal in signals if signal.is_flow), None)


def printed(value: int, decimals: int) -> str:
    """Return a value in units of its last digit as text: ``printed(718, 2)`` is ``"7.18"``."""
    return f"{value / 10**decimals:.{decimals}f}"


def converted(value: int, oxygen: int, oxygen_decimals: int, reference_oxygen: float) -> int:
    """Return a value converted to a reference of oxygen (折算): x (21 - reference) / (21 - oxygen).

    HJ 212-2017 Annex D.

    Args:
        value: In units of its last digit; so is the result, half rounded to even.
        oxygen: Content of oxygen in units of its last digit.
        oxygen_decimals: Digits of ``oxygen`` behind the point.
        reference_oxygen: Per cent. Where the gas is as good as air (less than 0.5 below 21 %), the divisor stays 0.5.
    """
    left = max(21 - Decimal(oxygen).scaleb(-oxygen_decimals), Decimal("0.5"))
    exact = value * (21 - Decimal(str(reference_oxygen))) / left
    return int(exact.to_integral_value(ROUND_HALF_EVEN))
