"""What a device is made of: channels, recordings, storage cards, configuration (GB/T 28181-2022 annexes A and J).

It is plain state with a little behaviour in time. Whoever simulates a camera changes it; :class:`gb28181.device.Device`
answers from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import LocalProtocolError
from ..identifiers import is_division
from ..manscdp.body import Record, elements_of
from ..manscdp.configs import AlarmReport, BasicParam, Configured
from ..manscdp.items import CatalogItem, PositionItem, RecordItem
from ..manscdp.responses import StorageCard
from .mount import Mount

__all__ = ["Card", "Channel", "Configuration", "Equipment", "config_names"]

#: Channels of one device; a platform below that shows more is a cascade of its own.
MAX_CHANNELS: Final = 10_000
#: Types (digits 11 to 13) that show pictures, give an alarm, or speak.
CAMERAS: Final = frozenset(("131", "132"))
ALARM_INPUTS: Final = frozenset(("134",))
VOICE_OUTPUTS: Final = frozenset(("137",))
_NODES: Final = frozenset(("200", "215", "216"))


def config_names() -> dict[str, str]:
    """Return each ConfigType with the field that holds it."""
    return {row.tag: row.python for row in elements_of(Configured) if row.python not in ("sn", "device_id", "result")}


class Configuration:
    """What DeviceConfig sets and ConfigDownload asks for. Records are shared until one is set."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})

    def get(self, python: str) -> Any:
        """Return what is configured under a field of :class:`Configured`; ``None`` for nothing."""
        return self._values.get(python)

    def change(self, wanted: Configured) -> tuple[str, ...]:
        """Take over what a body sets; return the fields. Within a record what is absent stays as it was."""
        changed = []
        for python in config_names().values():
            value = getattr(wanted, python)
            if value is None:
                continue
            known: object = self._values.get(python)
            if isinstance(known, Record) and isinstance(value, type(known)):
                given = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
                value = dataclasses.replace(
                    known, **{name: one for name, one in given.items() if one not in (None, ())}
                )
            self._values[python] = value
            changed.append(python)
        return tuple(changed)


@dataclass(slots=True)
class Card:
    """存储卡: sizes in MB."""

    number: int
    name: str
    capacity: int
    used: int = 0
    format_s: float = 60.0  #: how long formatting takes
    formatting_since: float | None = None

    def format(self, now: float) -> None:
        """Begin to format it."""
        self.formatting_since = now
        self.used = 0

    def row(self, now: float) -> StorageCard:
        """Return what SDCardStatus tells of it."""
        progress = None
        if self.formatting_since is not None:
            share = (now - self.formatting_since) / self.format_s if self.format_s > 0 else 1.0
            if share < 1.0:
                progress = int(share * 100)
            else:
                self.formatting_since = None
        return StorageCard(
            id=self.number,
            name=self.name,
            status="ok" if progress is None else "formatting",
            progress=progress,
            capacity=self.capacity,
            free=self.capacity - self.used,
        )


Recordings = Sequence[RecordItem] | Callable[[str, str], Sequence[RecordItem]]


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel: camera, alarm input, voice output, or what else the catalogue lists.

    Attributes:
        item: As the catalogue has it.
        mount: 云台, ``None`` where it has none.
        recordings: What is stored; or a function of begin and end, as dateTime, that returns it.
        position: Where it is, where it moves.
        guarded: 布防.
        alarmed: Whether it waits for a reset (A.2.5.3).
        recording: Whether a control has started a recording.
    """

    item: CatalogItem
    mount: Mount | None = None
    recordings: Recordings = ()
    position: PositionItem | None = None
    guarded: bool = True
    alarmed: bool = False
    recording: bool = False

    @property
    def id(self) -> str:
        """Its code."""
        return self.item.device_id or ""

    @property
    def type(self) -> str:
        """Digits 11 to 13."""
        return self.id[10:13]

    @property
    def online(self) -> bool:
        """Whether its Status is ON."""
        return (self.item.status or "ON") == "ON"

    def stored(self, start: str, end: str) -> Sequence[RecordItem]:
        """Return the recordings that touch a period, by their begin."""
        if callable(self.recordings):
            return self.recordings(start, end)
        return sorted(
            (
                one
                for one in self.recordings
                if (not end or (one.start_time or "") <= end) and (not start or (one.end_time or "~") >= start)
            ),
            key=lambda one: one.start_time or "",
        )


@dataclass(slots=True, kw_only=True)
class Equipment:
    """A device with all that belongs to it.

    Attributes:
        id: Its code.
        name: 设备名称.
        channels: By code, in the order of the catalogue.
        lists_itself: Whether its own item stands in the catalogue; most devices list their channels only.
        civil_code: 行政区域, by which a division is asked for.
        guarded: 布防 of the device as a whole.
        fault: What does not work, told in DeviceStatus; empty for nothing.
    """

    id: str
    name: str = "IPC"
    manufacturer: str = "stationgate"
    model: str = "SIM-1"
    firmware: str = "1.0.0"
    civil_code: str = ""
    channels: dict[str, Channel] = field(default_factory=dict)
    cards: list[Card] = field(default_factory=list)
    configuration: Configuration = field(default_factory=Configuration)
    lists_itself: bool = False
    guarded: bool = True
    recording: bool = False
    fault: str = ""

    def add(self, channel: Channel) -> Channel:
        """Give it a channel.

        Raises:
            LocalProtocolError: If the channel has no code, or there are as many as there may be.
        """
        if not channel.id:
            raise LocalProtocolError("a channel needs a code", field="DeviceID")
        if len(self.channels) >= MAX_CHANNELS:
            raise LocalProtocolError(f"{self.id}: {MAX_CHANNELS} channels at most (MAX_CHANNELS)", field="channels")
        self.channels[channel.id] = channel
        return channel

    def of_types(self, types: Iterable[str]) -> list[Channel]:
        """Return the channels of some types."""
        wanted = set(types)
        return [channel for channel in self.channels.values() if channel.type in wanted]

    def camera(self, code: str) -> Channel | None:
        """Return the channel that a call is for; the device's own code means its first camera."""
        channel = self.channels.get(code)
        if channel is None and code == self.id:
            channel = next(iter(self.of_types(CAMERAS)), None)
        return channel

    def mount(self, code: str) -> Mount | None:
        """Return the mount of a channel, or of the device's first camera."""
        channel = self.camera(code)
        return channel.mount if channel else None

    def knows(self, code: str) -> bool:
        """Whether a code is its own, one of a channel's, or a division's that it lies in."""
        return code == self.id or code in self.channels or (is_division(code) and self.civil_code.startswith(code))

    # Its catalogue

    @property
    def own_item(self) -> CatalogItem:
        """The item of the device itself."""
        return CatalogItem(
            device_id=self.id,
            name=self.name,
            manufacturer=self.manufacturer,
            model=self.model,
            civil_code=self.civil_code or self.id[:6],
            address=self.name,
            parental=1 if self.channels else 0,
            register_way=1,
            secrecy=0,
            status="ON",
        )

    def catalog(self, code: str) -> list[CatalogItem]:
        """Return the items that a query for a code is answered with (2022 annex J)."""
        if code == self.id or is_division(code):
            items = [channel.item for channel in self.channels.values()]
            return [self.own_item, *items] if self.lists_itself else items
        channel = self.channels.get(code)
        if channel is None:
            return []
        return [channel.item, *self._below(code)] if channel.type in _NODES else [channel.item]

    def _below(self, code: str) -> list[CatalogItem]:
        """Return what lies below a system, group or organisation, at any depth."""
        known, found = {code}, []
        for channel in self.channels.values():
            item = channel.item
            parents = {*(item.parent_id or "").split("/"), item.business_group or ""}
            if item.info is not None:
                parents.add(item.info.business_group or "")
            if channel.id not in known and parents & known:
                known.add(channel.id)
                found.append(item)
        return found

    # Alarms

    def reports(self, method: str, kind: int | None) -> bool:
        """Whether alarms of a kind are to be reported: AlarmReport switches motion and intrusion (2022)."""
        switches = self.configuration.get("alarm_report")
        if not isinstance(switches, AlarmReport) or method != "5":
            return True
        return not ((kind == 2 and switches.motion == 0) or (kind == 6 and switches.field == 0))

    @property
    def basic(self) -> BasicParam | None:
        """What BasicParam was set to."""
        value = self.configuration.get("basic")
        return value if isinstance(value, BasicParam) else None
