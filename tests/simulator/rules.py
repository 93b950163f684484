"""Production against treatment: a reference analyser for rules T1 to T6, on sampled power and voltage only.

It knows meters, who treats what, and announced curbs; nothing of the world that made the samples. The wording of the
rules leaves gaps; they are read so that no event falls under two of them:

- T1 not started: production goes on for more than ten minutes from its start, and no linked unit in them.
- T2 stopped early: a unit stops although production goes on for five minutes or more.
- T3 idling: for more than thirty minutes a unit runs below 30 % of its usual power, production at half or more of its.
- T4 late start, early stop: a unit starts more than five minutes after production, or stops up to five before it.
- T5 curb breach: the lines take more than the permitted share of their rated power.
- T6 supply cut: no voltage, or no sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

#: Above this share of its rated power something runs.
ON_SHARE = 0.15
NOT_STARTED_MIN = 10
LATE_MIN = 5
EARLY_MIN = 5
IDLE_MIN = 30
IDLE_SHARE = 0.3
BUSY_SHARE = 0.5


@dataclass(frozen=True)
class Meter:
    """Samples of one line or unit, one a minute."""

    rated_kw: float
    kw: Sequence[float | None]  #: ``None`` where the meter was not heard
    volts: Sequence[float]

    @property
    def on(self) -> list[bool]:
        return [kw is not None and kw > ON_SHARE * self.rated_kw for kw in self.kw]

    @property
    def usual_kw(self) -> float:
        """What is learnt to be normal: the median while it runs."""
        return median([kw for kw, on in zip(self.kw, self.on, strict=True) if on and kw is not None] or [self.rated_kw])


@dataclass(frozen=True)
class Curb:
    """An announced limit: from one minute up to another, the permitted share of the lines' rated power."""

    begin: int
    end: int
    share: float


@dataclass(frozen=True)
class Finding:
    rule: str
    item: str
    minute: int  #: of the first sample concerned


def analyse(
    lines: dict[str, Meter], units: dict[str, Meter], links: dict[str, Sequence[str]], curbs: Sequence[Curb] = ()
) -> list[Finding]:
    """Return what the rules find; ``links`` says which lines a unit treats."""
    found = [*_supply_cuts({**lines, **units}), *_breaches(lines, curbs)]
    for treated in {tuple(names) for names in links.values()}:
        group = {name: units[name] for name, names in links.items() if tuple(names) == treated}
        found += _group({name: lines[name] for name in treated}, group)
    return sorted(found, key=lambda finding: (finding.minute, finding.rule, finding.item))


def stretches(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield where flags are set, as (first, first after)."""
    begin: int | None = None
    for n, flag in enumerate([*flags, False]):
        if flag and begin is None:
            begin = n
        elif not flag and begin is not None:
            yield begin, n
            begin = None


def _supply_cuts(meters: dict[str, Meter]) -> Iterator[Finding]:
    for name, meter in meters.items():
        lost = [kw is None or volts < 22 for kw, volts in zip(meter.kw, meter.volts, strict=True)]
        yield from (Finding("T6", name, begin) for begin, _ in stretches(lost))


def _breaches(lines: dict[str, Meter], curbs: Sequence[Curb]) -> Iterator[Finding]:
    rated = sum(line.rated_kw for line in lines.values())
    for curb in curbs:
        over = [
            sum(line.kw[n] or 0.0 for line in lines.values()) > curb.share * rated for n in range(curb.begin, curb.end)
        ]
        yield from (Finding("T5", "*", curb.begin + begin) for begin, _ in stretches(over))


def _group(lines: dict[str, Meter], units: dict[str, Meter]) -> Iterator[Finding]:
    running = [line.on for line in lines.values()]
    production = [any(now) for now in zip(*running, strict=True)]
    treating = {name: unit.on for name, unit in units.items()}
    for begin, end in stretches(production):
        none = not any(any(on[begin : begin + NOT_STARTED_MIN + 1]) for on in treating.values())
        missed = begin > 0 and none and end - begin > NOT_STARTED_MIN
        if missed:
            yield Finding("T1", "*", begin)
        for name, on in treating.items():
            if not missed and begin > 0:
                yield from _late(name, on, begin, end)
            yield from _stopped(name, on, begin, end)
    for name, unit in units.items():
        yield from _idle(name, unit, lines)


def _late(name: str, on: Sequence[bool], begin: int, end: int) -> Iterator[Finding]:
    first = next((n for n in range(begin, end) if on[n]), end)
    if first - begin > LATE_MIN:
        yield Finding("T4", name, begin)


def _stopped(name: str, on: Sequence[bool], begin: int, end: int) -> Iterator[Finding]:
    for n in range(begin + 1, end):
        if on[n - 1] and not on[n]:
            yield Finding("T2" if end - n >= EARLY_MIN else "T4", name, n)


def _idle(name: str, unit: Meter, lines: dict[str, Meter]) -> Iterator[Finding]:
    usual = sum(line.usual_kw for line in lines.values())
    floor = IDLE_SHARE * unit.usual_kw
    low = [
        on and kw is not None and kw < floor and sum(line.kw[n] or 0.0 for line in lines.values()) >= BUSY_SHARE * usual
        for n, (kw, on) in enumerate(zip(unit.kw, unit.on, strict=True))
    ]
    yield from (Finding("T3", name, begin) for begin, end in stretches(low) if end - begin > IDLE_MIN)
