"""A power meter (用电监控): currents, voltages, power and energy of production lines and treatment units.

In HJ 212-2017 it reports process data (ST=51, 52) with the state of the units, and what the works uses as site
information; in HJ 212-2025 power data (ST=44).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hj212 import HJ_212_2017, ExeRtn, Message, MessageError, Rules
from hj212.times import format_time

from ..behaviour import Behaviour
from ..reporter import Items, Timeline, Witness
from ..world import Plant, Site
from ..world.schedule import day_of, midnight
from .factors import Adjust
from .habits import habits
from .power import Channel, PowerCodes, power_codes, readings, valid
from .sampling import Plan, PlannedSettings, Sampler, States
from .sums import DAY, Sums

__all__ = ["MeterPlan", "MeterSettings", "PowerMeter", "meter_plan"]

#: Site information of the works (HJ 212-2017 table B.10): current in A, energy so far and of the day in kWh.
_CURRENT, _ENERGY, _ENERGY_OF_DAY = "i33200", "i33201", "i33202"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeterPlan(Plan):
    """What the power meters of a group have in common.

    Attributes:
        codes: What they report.
        information: Whether site information is uploaded with each report.
        adjust: Changes measured values, as a scenario's hook does.
    """

    codes: PowerCodes
    information: bool = False
    adjust: Adjust | None = None


def meter_plan(
    rules: Rules = HJ_212_2017,
    outlet: str = "water",
    codes: tuple[tuple[str, str], ...] = (),
    *,
    day: bool = True,
    **values: object,
) -> MeterPlan:
    """Return the plan of power meters.

    Args:
        rules: Their edition.
        outlet: What kind of site they stand at.
        codes: Quantities and their codes; empty: those of the edition.
        day: Whether the hours of a day are told.
        values: Further fields of the plan.

    Raises:
        UnknownQuantityError: If a quantity is not known.
    """
    habit = habits()[rules.edition]
    hours = day and habit.running_hours
    return MeterPlan(
        rules=rules,
        codes=power_codes(rules.edition, outlet, codes),
        information=habit.site_information,
        states=States(habit.states),
        hours=hours,
        levels=(DAY,) if hours else (),
        **values,  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True, repr=False)
class MeterSettings(PlannedSettings):
    """One power meter: who it is, and the plan that it shares."""

    plan: MeterPlan


class PowerMeter(Sampler):
    """The station.

    Args:
        settings: Its configuration.
        site: Whose power it measures.
        behaviour: What it does right or wrong.
        now: Run time at which it is switched on.
        epoch: POSIX seconds at run time 0.
        witness: Who is told beside.
        timeline: Faults that come and go.
        resume_at: Run time from which it is taken over from another process.
        outages: Stretches of run time in which it had no power, before it was taken over.
        clock_error_s: How much its clock was wrong then, where the scenario made it so.
    """

    __slots__ = ("_plant",)

    settings: MeterSettings

    def __init__(
        self,
        settings: MeterSettings,
        site: Site,
        behaviour: Behaviour,
        now: float,
        epoch: float,
        *,
        witness: Witness | None = None,
        timeline: Timeline | None = None,
        resume_at: float | None = None,
        outages: Sequence[tuple[float, float]] = (),
        clock_error_s: float = 0.0,
    ) -> None:
        self._plant = site.plant
        super().__init__(
            settings,
            Sums(len(settings.plan.levels), 0, 0),
            behaviour,
            now,
            epoch,
            witness=witness,
            timeline=timeline,
            resume_at=resume_at,
            outages=outages,
            clock_error_s=clock_error_s,
        )

    @property
    def plant(self) -> Plant:
        return self._plant

    @property
    def _channels(self) -> tuple[Channel, ...]:
        return self.settings.plan.codes.channels(self._plant)

    # What it reads

    def _read(self, due: float) -> list[int]:
        """Return the value of every channel, then of every channel whether it is valid."""
        plan, plant = self.settings.plan, self._plant
        at = round(self._epoch + due, 3)
        channels = self._channels
        items = {name: readings(plant, name, at) for name in {channel.item for channel in channels}}
        values = [items[channel.item][channel.quantity] for channel in channels]
        if plan.adjust is not None:
            values = [
                plan.adjust(self.settings.mn, channel.code, at, value, channel.decimals)
                for channel, value in zip(channels, values, strict=True)
            ]
        supplied = {
            name: int(all(valid(found[phase]) for phase in ("voltage_a", "voltage_b", "voltage_c")))
            for name, found in items.items()
        }
        return values + [supplied[channel.item] for channel in channels]

    # What it tells

    def _moment_area(self, moment: str, columns: list[int]) -> str:
        channels = self._channels
        if not channels:
            return ""
        items = [f"DataTime={moment}"]
        for n, channel in enumerate(channels):
            value = f"{columns[n] / 10**channel.decimals:.{channel.decimals}f}"
            flag = "N" if columns[len(channels) + n] else "D"
            items.append(f"{channel.code}-Rtd={value},{channel.code}-Flag={flag}")
        return ";".join(items)

    def _tell_now(self, due: float, moment: str, columns: list[int]) -> None:
        area = self._moment_area(moment, columns)
        if area:
            self.put("periodic", due, area, "2011")
        if self.settings.plan.information:
            works = self._works(due)
            items = [f"{code}-Info={works[code]}" for code in (_CURRENT, _ENERGY, _ENERGY_OF_DAY)]
            self.put("information", due, ";".join([f"DataTime={moment}", *items]), "3020")

    def _works(self, due: float) -> dict[str, str]:
        """Return what the whole works uses, by information code."""
        plant = self._plant
        at = round(self._epoch + due, 3)
        names = [*(line.name for line in plant.lines), *(unit.name for unit in plant.units)]
        # The day is that of the meter's clock, and its energy what has been used since.
        day = day_of(at + self._clock_error)
        began = midnight(day) - self._clock_error
        so_far = sum(plant.energy_kwh(name, at) for name in names)
        before = sum(plant.energy_kwh(name, began) for name in names)
        current = sum(readings(plant, name, at)["current"] for name in names)
        return {_CURRENT: f"{current / 100:.2f}", _ENERGY: str(int(so_far)), _ENERGY_OF_DAY: str(int(so_far - before))}

    # What the platform asks

    def _get_information(self, request: Message, now: float) -> Items:
        wanted = request.parameter("InfoId") or ""
        works = self._works(round(now, 3))
        if wanted not in works:
            raise MessageError(f"InfoId: {wanted!r} is not known here", field="InfoId")
        moment = format_time(self._device_ms(now) // 1000)
        return [[["DataTime", moment]], [[f"{wanted}-Info", works[wanted]]]]

    handlers: ClassVar[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {
        **Sampler.handlers,
        "3020": _get_information,
    }
