"""What controls do to a device (GB/T 28181-2022 A.2.3, 9.3, 9.5, 9.13, 9.14; 2016 A.2.3, 9.3, 9.5).

Each control has a function that changes the equipment and returns what comes of it: a Result for those that are
answered by a message, ``None`` for those that are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .. import ptz
from ..errors import Gb28181Error
from ..manscdp.body import Body
from ..manscdp.configs import BasicParam, SnapShot
from ..manscdp.controls import (
    AlarmReset,
    Configure,
    DragZoom,
    FormatCard,
    GuardControl,
    HomePositionControl,
    KeyFrame,
    OtherControl,
    PrecisePtz,
    PtzControl,
    RecordControl,
    Restart,
    TrackTarget,
    Upgrade,
    ZoomIn,
    ZoomOut,
)
from ..manscdp.responses import ConfigAnswer, ControlAnswer
from .equipment import Channel, Equipment
from .mount import Place

__all__ = ["CONTROLS", "Outcome", "control", "valid_session"]

_SESSION: Final = re.compile(r"[A-Za-z0-9-]{32,128}\Z", re.ASCII)
#: Pictures of one order (2022 9.14).
MAX_PICTURES: Final = 10
#: Largest number of BasicParam: seconds and counts that 32 bits hold.
MAX_BASIC: Final = 0x7FFFFFFF
OK: Final = "OK"
ERROR: Final = "ERROR"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a control.

    Attributes:
        result: ``OK`` or ``ERROR`` to be answered, ``None`` where no message answers it.
        changed: Fields of the configuration that were set.
        why: Why it was not done, for a log.
    """

    result: str | None
    changed: tuple[str, ...] = ()
    why: str = ""


_SILENT: Final = Outcome(None)


def _targets(equipment: Equipment, code: str | None) -> list[Channel]:
    """Return the channels that a control is for: one, or with the device's own code all."""
    channel = equipment.channels.get(code or "")
    return [channel] if channel else list(equipment.channels.values())


def _ptz(body: PtzControl, equipment: Equipment, now: float) -> Outcome:
    mount = equipment.mount(body.device_id or "")
    if mount is None:
        return Outcome(None, why="no mount")
    try:
        command, _ = ptz.decode(body.command or "")
    except Gb28181Error as error:
        return Outcome(None, why=str(error))
    params = body.params
    mount.follow(
        command,
        now,
        preset_name=(params.preset_name or "") if params else "",
        track_name=(params.cruise_name or "") if params else "",
    )
    return _SILENT


def _record(body: RecordControl, equipment: Equipment, now: float) -> Outcome:
    if body.command not in ("Record", "StopRecord"):
        return Outcome(ERROR, why=f"RecordCmd: expected Record or StopRecord, found {body.command!r}")
    on = body.command == "Record"
    if body.device_id == equipment.id:
        equipment.recording = on
    for channel in _targets(equipment, body.device_id):
        channel.recording = on
    return Outcome(OK)


def _guard(body: GuardControl, equipment: Equipment, now: float) -> Outcome:
    if body.command not in ("SetGuard", "ResetGuard"):
        return Outcome(ERROR, why=f"GuardCmd: expected SetGuard or ResetGuard, found {body.command!r}")
    on = body.command == "SetGuard"
    if body.device_id == equipment.id:
        equipment.guarded = on
    for channel in _targets(equipment, body.device_id):
        channel.guarded = on
    return Outcome(OK)


def _reset(body: AlarmReset, equipment: Equipment, now: float) -> Outcome:
    if body.command != "ResetAlarm":
        return Outcome(ERROR, why=f"AlarmCmd: expected ResetAlarm, found {body.command!r}")
    method = body.info.method if body.info else None
    # Methods are joined by "/" (2022) or stand one beside the other (2016); 0 or none means all.
    if not method or "0" in method or "2" in method:
        for channel in _targets(equipment, body.device_id):
            channel.alarmed = False
    return Outcome(OK)


def _home(body: HomePositionControl, equipment: Equipment, now: float) -> Outcome:
    mount = equipment.mount(body.device_id or "")
    if mount is None or body.home is None or body.home.on not in (0, 1):
        return Outcome(ERROR, why="no mount" if mount is None else "HomePosition/Enabled: expected 0 or 1")
    mount.home = body.home
    return Outcome(OK)


def _precise(body: PrecisePtz, equipment: Equipment, now: float) -> Outcome:
    mount, move = equipment.mount(body.device_id or ""), body.move
    if mount is None or move is None:
        return Outcome(None, why="no mount" if mount is None else "no PTZPreciseCtrl")
    here = mount.place(now)
    mount.look_at(
        Place(
            here.pan if move.pan is None else float(move.pan),
            here.tilt if move.tilt is None else float(move.tilt),
            here.zoom if move.zoom is None else float(move.zoom),
        ),
        now,
    )
    return _SILENT


def _zoom(frame: DragZoom | None, equipment: Equipment, code: str | None, now: float, *, near: bool) -> Outcome:
    mount = equipment.mount(code or "")
    sides = (frame.length, frame.width, frame.length_x, frame.length_y) if frame else (None,)
    if mount is None or not all(side is not None and side > 0 for side in sides):
        return Outcome(None, why="no mount" if mount is None else "the frame has no size")
    assert frame is not None
    assert frame.length
    assert frame.length_x
    share = min(frame.length_x / frame.length, 1.0)
    mount.zoom_on(share if near else 1 / share, now)
    return _SILENT


def _format(body: FormatCard, equipment: Equipment, now: float) -> Outcome:
    cards = [card for card in equipment.cards if body.card in (0, card.number)]
    for card in cards:
        card.format(now)
    return _SILENT if cards else Outcome(None, why=f"no card {body.card}")


def _upgrade(body: Upgrade, equipment: Equipment, now: float) -> Outcome:
    order = body.order
    if order is None or not order.url or not order.firmware or not valid_session(order.session_id):
        return Outcome(ERROR, why="DeviceUpgrade: expected Firmware, FileURL and a SessionID of 32 to 128 characters")
    return Outcome(OK)


def valid_session(text: str | None) -> bool:
    """Whether a SessionID has 32 to 128 letters, digits and hyphens (2022 A.2.3.1.12)."""
    return bool(text and _SESSION.match(text))


def _configure(body: Configure, equipment: Equipment, now: float) -> Outcome:
    why = _snapshot_fault(body.snapshot) if body.snapshot is not None else ""
    why = why or (_basic_fault(body.basic) if body.basic is not None else "")
    if why:
        return Outcome(ERROR, why=why)
    changed = equipment.configuration.change(body)
    basic = equipment.basic
    if basic is not None and basic.name and body.basic is not None and body.basic.name:
        equipment.name = basic.name
    if not changed:
        return Outcome(ERROR, why="no configuration that this device knows")
    return Outcome(OK, changed)


def _basic_fault(basic: BasicParam) -> str:
    told = {
        "Expiration": basic.expiration_s,
        "HeartBeatInterval": basic.heartbeat_s,
        "HeartBeatCount": basic.heartbeat_count,
    }
    for name, value in told.items():
        if value is not None and not 1 <= value <= MAX_BASIC:
            return f"{name}: expected 1 to {MAX_BASIC}, found {value}"
    return ""


def _snapshot_fault(snapshot: SnapShot) -> str:
    if snapshot.count is None or not 1 <= snapshot.count <= MAX_PICTURES:
        return f"SnapNum: expected 1 to {MAX_PICTURES}, found {snapshot.count}"
    if not snapshot.upload_url:
        return "UploadURL is missing"
    return "" if valid_session(snapshot.session_id) else "SessionID: expected 32 to 128 characters"


def _silent(body: Body, equipment: Equipment, now: float) -> Outcome:
    return _SILENT


#: Control -> what it does.
CONTROLS: Final[dict[type[Body], Callable[[Any, Equipment, float], Outcome]]] = {
    PtzControl: _ptz,
    RecordControl: _record,
    GuardControl: _guard,
    AlarmReset: _reset,
    HomePositionControl: _home,
    PrecisePtz: _precise,
    ZoomIn: lambda body, equipment, now: _zoom(body.frame, equipment, body.device_id, now, near=True),
    ZoomOut: lambda body, equipment, now: _zoom(body.frame, equipment, body.device_id, now, near=False),
    FormatCard: _format,
    Upgrade: _upgrade,
    Configure: _configure,
    # What comes of these is the owner's: a new key frame, a track, a restart.
    KeyFrame: _silent,
    TrackTarget: _silent,
    Restart: _silent,
    OtherControl: lambda body, equipment, now: Outcome(ERROR, why="unknown control"),
}


def control(body: Body, equipment: Equipment, now: float) -> tuple[Outcome, Body | None]:
    """Do what a control says; return what came of it and the answer, ``None`` where none is sent."""
    outcome = CONTROLS[type(body)](body, equipment, now)
    if outcome.result is None:
        return outcome, None
    answer = ConfigAnswer if isinstance(body, Configure) else ControlAnswer
    return outcome, answer(sn=body.sn, device_id=getattr(body, "device_id", None), result=outcome.result)
