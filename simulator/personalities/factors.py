"""What a data logger reports of an outlet: its factors in one edition, and how their values are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from hj212 import Edition
from hj212.tables.commands import command_row
from stationgate.language import _

from ..world import Level, Signal, Summary, code_of, converted, signal_of, signals, stated, unlisted
from .habits import habits

__all__ = ["DEFAULTS", "NOISE", "Factors", "Habits", "UnknownFactorError", "factors"]

NOISE: Final = "noise"

#: What is measured where nobody says it, by outlet; factors that an edition has no code for are left out.
DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "water": ("flow", "ph", "cod", "nh3n"),
        "flue-gas": ("flow", "velocity", "dust", "so2", "nox", "oxygen", "temperature", "pressure", "humidity"),
    }
)

#: Adjusts a measured value: (identity, code of the factor, POSIX seconds, value, decimals) -> value.
Adjust = Callable[[str, str, float, int, int], int]


#: Beyond whatever is measured.
_NEVER: Final = 1 << 62


class UnknownFactorError(ValueError):
    """An outlet has no such factor, the edition has no code for it, or it is named twice."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What data loggers of an edition do where the tables of the library do not say it.

    Attributes:
        cou_decimals: Digits of a total (Cou) behind the point.
        noise_hours: Whether noise is reported hourly.
        normal_share: Share of normal values below which a mean is flagged, by outlet (HJ 212-2017 Annex C).
        abnormal: The flag of such a mean, by outlet; which letter it is in waste water is not said (unconfirmed).
    """

    cou_decimals: int = 3
    noise_hours: bool = True
    normal_share: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"water": 1.0}))
    abnormal: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"water": "T"}))

    def flag(self, outlet: str, abnormal: int, count: int) -> str:
        """Return the flag of a mean over ``count`` values, of which some are abnormal."""
        if not abnormal or count - abnormal >= self.normal_share.get(outlet, 0.75) * count:
            return "N"
        return self.abnormal.get(outlet, "D")


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """The factors of an outlet in one edition. A *column* is a factor, or the converted value (折算) of one.

    Attributes:
        outlet: One of :data:`~simulator.world.OUTLETS`.
        edition: Whose codes they have.
        signals: What is measured.
        codes: Their codes.
        zs: For each converted column the index of its signal; they follow the columns of the signals.
        oxygen: Index of the oxygen that they are converted with, -1 where none is measured.
        cou: For each column that accumulates, its index; the flow among them.
        flow: Index of the flow, -1 without one.
        habits: What the edition does.
        flagged: Whether statistics carry a flag.
    """

    outlet: str
    edition: Edition
    signals: tuple[Signal, ...]
    codes: tuple[str, ...]
    zs: tuple[int, ...]
    oxygen: int
    cou: tuple[int, ...]
    flow: int
    habits: Habits
    flagged: bool
    _template: str
    _scales: tuple[float, ...]
    _order: tuple[int, ...]
    _ceilings: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.signals) + len(self.zs)

    # Real-time values

    def columns(self, values: list[int]) -> list[int]:
        """Return measured values with the converted ones behind them."""
        if not self.zs:
            return values
        signals, oxygen = self.signals, values[self.oxygen]
        places = signals[self.oxygen].decimals
        return values + [converted(values[at], oxygen, places, signals[at].reference_oxygen or 0.0) for at in self.zs]

    def adjusted(self, values: list[int], adjust: Adjust, identity: str, at: float) -> list[int]:
        """Return measured values as a scenario's hook wants them."""
        return [
            adjust(identity, code, at, value, signal.decimals)
            for value, code, signal in zip(values, self.codes, self.signals, strict=True)
        ]

    def realtime(self, moment: str, columns: list[int]) -> str:
        """Return the data area of a real-time report: DataTime and every factor with its flag."""
        scales, order = self._scales, self._order
        text = self._template % (moment, *[columns[at] / scales[at] for at in order])
        for at, ceiling in enumerate(self._ceilings):
            if columns[at] >= ceiling:
                text = text.replace(f"{self.codes[at]}-Flag=N", f"{self.codes[at]}-Flag=T")
        return text

    def over(self, columns: list[int]) -> list[int]:
        """Return the indices of the signals that are above their range."""
        return [at for at, ceiling in enumerate(self._ceilings) if columns[at] >= ceiling]

    def carried(self, columns: list[int], interval_ms: int) -> list[int]:
        """Return for each accumulating column what its value stands for: value x flow x milliseconds."""
        if self.flow < 0:
            return []
        slice_ = columns[self.flow] * interval_ms
        return [slice_ if at == self.flow else columns[at] * slice_ for at in self.cou]

    # Statistics

    def period(self, moment: str, found: Sequence[tuple[int, int, int]], carried: Sequence[int], count: int,
               abnormal: Mapping[int, int]) -> str:  # fmt: skip
        """Return the data area of a minute, hour or day report.

        Args:
            moment: DataTime.
            found: For each column the smallest value, the mean and the largest.
            carried: For each of :attr:`cou` the sum of :meth:`carried`.
            count: How many values there were.
            abnormal: How many of them were above the range, by index of the signal.
        """
        parts = [f"DataTime={moment}"]
        totals = dict(zip(self.cou, carried, strict=True))
        base = len(self.signals)
        zs = {at: base + n for n, at in enumerate(self.zs)}
        for at, (code, signal) in enumerate(zip(self.codes, self.signals, strict=True)):
            pairs = [f"{code}-Cou={self.total(at, totals[at])}"] if at in totals else []
            pairs += self._statistics(code, "", signal, found[at])
            if at in zs:
                pairs += self._statistics(code, "Zs", signal, found[zs[at]])
            if self.flagged:
                pairs.append(f"{code}-Flag={self.habits.flag(self.outlet, abnormal.get(at, 0), count)}")
            parts.append(",".join(pairs))
        return ";".join(parts)

    def _statistics(self, code: str, prefix: str, signal: Signal, found: tuple[int, int, int]) -> list[str]:
        scale, places = 10**signal.decimals, signal.decimals
        return [
            f"{code}-{prefix}{name}={value / scale:.{places}f}"
            for name, value in zip(("Min", "Avg", "Max"), found, strict=True)
        ]

    def total(self, at: int, carried: int) -> str:
        """Return a total as text: m3 of the flow, kg of what flows with it (HJ 212-2017 Annex D)."""
        signal = self.signals[at]
        assert signal.cou is not None
        # carried is in ms; value and flow are in units of their last digits
        places = signal.decimals + 3 + (0 if signal.is_flow else self.signals[self.flow].decimals)
        digits = self.habits.cou_decimals
        shift = places - signal.cou - digits
        units = Summary(0, 0, carried, 10**shift).mean if shift > 0 else carried * 10**-shift
        text = f"{abs(units):0{digits + 1}d}"
        return f"{'-' if units < 0 else ''}{text[:-digits]}.{text[-digits:]}"


@lru_cache(maxsize=256)
def factors(
    outlet: str, edition: Edition, wanted: tuple[str, ...] = (), levels: tuple[tuple[str, Level], ...] = ()
) -> Factors:
    """Return the factors of an outlet.

    Args:
        outlet: One of :data:`~simulator.world.OUTLETS`.
        edition: Whose codes they have.
        wanted: Codes of any edition, or names of signals; empty: those that such an outlet usually has.
        levels: What some of them read, by code or name. A code with a level need not be known: it is sent as it is.

    Raises:
        UnknownFactorError: If one is not known, or has a level and is not reported.
    """
    chosen, codes = _leveled(_chosen(outlet, edition, wanted, dict(levels)), dict(levels), outlet)
    names = [signal.name for signal in chosen]
    # The range of a stated level is what was read, not what the instrument can read.
    unflagged = {
        signal.name for signal, code in zip(chosen, codes, strict=True) if {signal.name, code} & {*dict(levels)}
    }
    oxygen = names.index("oxygen") if "oxygen" in names else -1
    zs = tuple(at for at, signal in enumerate(chosen) if oxygen >= 0 and signal.reference_oxygen is not None)
    flow = next((at for at, signal in enumerate(chosen) if signal.is_flow), -1)
    cou = tuple(at for at, signal in enumerate(chosen) if flow >= 0 and signal.cou is not None)
    scales = [float(10**signal.decimals) for signal in chosen]
    template, order = _realtime_template(chosen, codes, zs)
    return Factors(
        outlet=outlet,
        edition=edition,
        signals=chosen,
        codes=codes,
        zs=zs,
        oxygen=oxygen,
        cou=cou,
        flow=flow,
        habits=Habits(habits()[edition].cou_decimals, habits()[edition].noise_hours),
        _template=template,
        _scales=tuple(scales + [scales[at] for at in zs]),
        _order=tuple(order),
        _ceilings=tuple(
            _NEVER if signal.name in unflagged else round(signal.ceiling * 10**signal.decimals) for signal in chosen
        ),
        flagged=_has_flag("2051", edition),
    )


def _chosen(
    outlet: str, edition: Edition, wanted: tuple[str, ...], levels: Mapping[str, Level]
) -> list[tuple[Signal, str]]:
    """Return the signals that are reported, each with its code."""
    found: list[tuple[Signal, str]] = []
    for word in wanted:
        signal = signal_of(outlet, word)
        code = code_of(signal, edition.value) if signal is not None else None
        if signal is None or code is None:
            if word not in levels:
                known = [each for s in signals(outlet) if (each := code_of(s, edition.value))]
                raise UnknownFactorError(
                    _("{code!r} is no factor of {outlet} in {edition}: {known}").format(
                        code=word, outlet=outlet, edition=edition.value, known=", ".join(known)
                    )
                )
            signal, code = signal or unlisted(outlet, word, len(found)), word
        if any(code == earlier or signal == one for one, earlier in found):
            raise UnknownFactorError(_("{code!r} is named twice").format(code=word))
        found.append((signal, code))
    usual = DEFAULTS.get(outlet)
    return found or [
        (s, code) for s in signals(outlet) if (usual is None or s.name in usual) and (code := code_of(s, edition.value))
    ]


def _leveled(
    chosen: list[tuple[Signal, str]], levels: Mapping[str, Level], outlet: str
) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """Return signals and codes, with the levels that are stated for them."""
    if outlet == NOISE:
        # A sound level meter reports one level; the others are statistics of it.
        chosen = chosen[:1]
    unused = [word for word in levels if not any(word in (signal.name, code) for signal, code in chosen)]
    if unused:
        raise UnknownFactorError(_("{code!r} has a level and is not reported").format(code=unused[0]))
    named = {signal.name: levels.get(code) or levels.get(signal.name) for signal, code in chosen}
    found = [signal if (level := named[signal.name]) is None else stated(signal, level) for signal, _code in chosen]
    return tuple(found), tuple(code for _signal, code in chosen)


def _realtime_template(chosen: Sequence[Signal], codes: Sequence[str], zs: Sequence[int]) -> tuple[str, list[int]]:
    """Return the data area with places for the values, and the columns that go there."""
    items, order = ["DataTime=%s"], []
    for at, (signal, code) in enumerate(zip(chosen, codes, strict=True)):
        value = f"%.{signal.decimals}f"
        pairs = [f"{code}-Rtd={value}"]
        order.append(at)
        if at in zs:
            pairs.append(f"{code}-ZsRtd={value}")
            order.append(len(chosen) + zs.index(at))
        items.append(",".join([*pairs, f"{code}-Flag=N"]))
    return ";".join(items), order


def _has_flag(cn: str, edition: Edition) -> bool:
    row = command_row(cn, True, edition)
    return row is not None and any(name.endswith("-Flag") for name in row.optional)
