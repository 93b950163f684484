"""What a device answers to each query: bodies from its equipment (GB/T 28181-2022 A.2.6, 2016 A.2.6).

A function for each query returns the bodies in the order of sending; an empty list is an answer too, for there are
platforms that stop at the first question without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from ..editions import Rules
from ..manscdp.body import Body
from ..manscdp.parts import batches
from ..manscdp.queries import (
    CatalogQuery,
    ConfigQuery,
    CruiseListQuery,
    CruiseQuery,
    HomePositionQuery,
    InfoQuery,
    PresetQuery,
    PtzPositionQuery,
    Query,
    RecordQuery,
    StatusQuery,
    StorageQuery,
)
from ..manscdp.responses import (
    AlarmDuty,
    CatalogAnswer,
    ConfigDownloadAnswer,
    CruiseAnswer,
    CruiseListAnswer,
    CruisePoint,
    CruiseTrack,
    HomePositionAnswer,
    InfoAnswer,
    Preset,
    PresetAnswer,
    PtzPositionAnswer,
    RecordAnswer,
    StatusAnswer,
    StorageAnswer,
)
from ..times import format_datetime
from .equipment import ALARM_INPUTS, CAMERAS, Equipment, config_names
from .quirks import Quirks

__all__ = ["ANSWERS", "Asked", "answers", "ptz_position"]

#: What stands around the body in a datagram: start line and headers of a MESSAGE of ours.
HEADERS_BYTES: Final = 600
#: Items of one message: "from about 100 records on" several go in one (annex M); more than these are never needed.
ITEMS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and what its answer is made from.

    Attributes:
        query: What was asked.
        equipment: Of the device.
        rules: Its edition.
        quirks: What it does otherwise.
        now: The device's clock.
        wall_ms: POSIX milliseconds.
        encoded: Writes a body as it goes out, for its length.
        limit_bytes: Longest body of a part.
        defaults: Configuration of a device to which nothing was set, by field.
    """

    query: Any
    equipment: Equipment
    rules: Rules
    quirks: Quirks
    now: float
    wall_ms: int
    encoded: Callable[[Body], bytes]
    limit_bytes: int
    defaults: dict[str, Any]


def _info(asked: Asked) -> Iterator[Body]:
    equipment = asked.equipment
    yield InfoAnswer(
        sn=asked.query.sn,
        device_id=asked.query.device_id,
        name=equipment.name,
        result="OK",
        manufacturer=equipment.manufacturer,
        model=equipment.model,
        firmware=equipment.firmware,
        channels=len(equipment.of_types(CAMERAS)),
    )


def _status(asked: Asked) -> Iterator[Body]:
    equipment = asked.equipment
    channel = equipment.channels.get(asked.query.device_id or "")
    online = channel.online if channel else True
    duties = tuple(
        AlarmDuty(
            device_id=each.id,
            duty="ALARM" if each.alarmed else "ONDUTY" if each.guarded and equipment.guarded else "OFFDUTY",
        )
        for each in equipment.of_types(ALARM_INPUTS)
    )
    recording = equipment.recording or any(each.recording for each in equipment.channels.values())
    yield StatusAnswer(
        sn=asked.query.sn,
        device_id=asked.query.device_id,
        result="OK",
        online="ONLINE" if online else "OFFLINE",
        status="ERROR" if equipment.fault else "OK",
        reason=equipment.fault or None,
        encode="ON",
        record="ON" if recording else "OFF",
        time=format_datetime(asked.wall_ms / 1000),
        alarms=duties or None,
    )


def _total(asked: Asked, count: int) -> int | None:
    if asked.quirks.sumnum_missing:
        return None
    return count + 1 if asked.quirks.sumnum_wrong else count


def _in_parts(asked: Asked, items: list[Any], compose: Callable[[tuple[Any, ...]], Body]) -> Iterator[Body]:
    fixed = asked.quirks.items_per_message
    limit = 1 << 30 if fixed else asked.limit_bytes
    return batches(items, compose, asked.encoded, limit, fixed or ITEMS_AT_ONCE)


def _catalog(asked: Asked) -> Iterator[Body]:
    query = asked.query
    items = asked.equipment.catalog(query.device_id or "")
    base = CatalogAnswer(sn=query.sn, device_id=query.device_id, total=_total(asked, len(items)))
    return _in_parts(asked, items, lambda some: replace(base, items=some or None))


def _records(asked: Asked) -> Iterator[Body]:
    query: RecordQuery = asked.query
    equipment = asked.equipment
    channel = equipment.camera(query.device_id or "")
    items = [
        item
        for item in (channel.stored(query.start_time or "", query.end_time or "") if channel else ())
        if _matches(item, query)
    ]
    base = RecordAnswer(
        sn=query.sn,
        device_id=query.device_id,
        name=(channel.item.name if channel else None) or equipment.name,
        total=_total(asked, len(items)),
    )
    return _in_parts(asked, items, lambda some: replace(base, items=some or None))


def _matches(item: Any, query: RecordQuery) -> bool:
    if query.type and query.type.lower() != "all" and item.type and item.type != query.type.lower():
        return False
    if query.secrecy is not None and item.secrecy is not None and item.secrecy != query.secrecy:
        return False
    if query.address and query.address not in (item.address or ""):
        return False
    if query.file_path and query.file_path != item.file_path:
        return False
    return query.stream is None or item.stream is None or item.stream == query.stream


def _configuration(asked: Asked) -> Iterator[Body]:
    query: ConfigQuery = asked.query
    names = config_names()
    wanted = [part.strip() for part in (query.types or "").split("/") if part.strip()]
    known = {name.lower(): python for name, python in names.items()}
    values: dict[str, Any] = {}
    missing = not wanted
    for name in wanted:
        python = known.get(name.lower())
        value = None
        if python is not None:
            value = asked.equipment.configuration.get(python)
            value = asked.defaults.get(python) if value is None else value
        if python is None or value is None:
            missing = True
        else:
            values[python] = value
    yield ConfigDownloadAnswer(
        sn=query.sn, device_id=query.device_id, result="ERROR" if missing and not values else "OK", **values
    )


def _presets(asked: Asked) -> Iterator[Body]:
    mount = asked.equipment.mount(asked.query.device_id or "")
    presets = tuple(
        Preset(id=str(number), name=spot.name) for number, spot in sorted(mount.presets.items() if mount else ())
    )
    yield PresetAnswer(
        sn=asked.query.sn,
        device_id=asked.query.device_id,
        total=len(presets) if asked.rules.preset_total else None,
        presets=presets,
    )


def _home(asked: Asked) -> Iterator[Body]:
    mount = asked.equipment.mount(asked.query.device_id or "")
    yield HomePositionAnswer(sn=asked.query.sn, device_id=asked.query.device_id, home=mount.home if mount else None)


def _cruises(asked: Asked) -> Iterator[Body]:
    mount = asked.equipment.mount(asked.query.device_id or "")
    tracks = tuple(
        CruiseTrack(number=number, name=track.name or None)
        for number, track in sorted(mount.tracks.items() if mount else ())
    )
    yield CruiseListAnswer(sn=asked.query.sn, device_id=asked.query.device_id, total=len(tracks), tracks=tracks or None)


def _cruise(asked: Asked) -> Iterator[Body]:
    query: CruiseQuery = asked.query
    mount = asked.equipment.mount(query.device_id or "")
    track = mount.tracks.get(query.number or 0) if mount else None
    points = tuple(
        CruisePoint(preset=stop.preset, stay_s=stop.stay_s, speed=stop.speed) for stop in (track.stops if track else ())
    )
    yield CruiseAnswer(
        sn=query.sn,
        device_id=query.device_id,
        number=query.number or 0,
        name=(track.name or None) if track else None,
        total=len(points),
        points=points or None,
    )


def ptz_position(equipment: Equipment, code: str, now: float) -> dict[str, Any]:
    """Return pan, tilt and zoom of a channel, of nothing where it has no mount."""
    mount = equipment.mount(code)
    if mount is None:
        return {}
    place = mount.place(now)
    return {name: Decimal(f"{getattr(place, name):.2f}") for name in ("pan", "tilt", "zoom")}


def _ptz(asked: Asked) -> Iterator[Body]:
    code = asked.query.device_id or ""
    yield PtzPositionAnswer(
        sn=asked.query.sn, device_id=asked.query.device_id, **ptz_position(asked.equipment, code, asked.now)
    )


def _storage(asked: Asked) -> Iterator[Body]:
    cards = tuple(card.row(asked.now) for card in asked.equipment.cards)
    yield StorageAnswer(sn=asked.query.sn, device_id=asked.query.device_id, total=len(cards), cards=cards or None)


#: Query -> its answer. Alarm and MobilePosition are asked for by subscriptions.
ANSWERS: Final[dict[type[Query], Callable[[Asked], Iterator[Body]]]] = {
    CatalogQuery: _catalog,
    InfoQuery: _info,
    StatusQuery: _status,
    RecordQuery: _records,
    ConfigQuery: _configuration,
    PresetQuery: _presets,
    HomePositionQuery: _home,
    CruiseListQuery: _cruises,
    CruiseQuery: _cruise,
    PtzPositionQuery: _ptz,
    StorageQuery: _storage,
}


def answers(asked: Asked) -> Iterator[Body] | None:
    """Return the bodies of the answer; ``None`` to what is not answered by a message of its own."""
    make = ANSWERS.get(type(asked.query))
    return None if make is None else make(asked)
