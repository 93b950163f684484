"""What a camera or recorder of a site is made of: channels named by what they look at, mounts, presets, cruises."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from gb28181 import ptz
from gb28181.device import Channel, Equipment, Mount
from gb28181.device.mount import Place, Spot
from gb28181.manscdp.controls import HomePosition
from gb28181.manscdp.items import CatalogInfo, CatalogItem

from ..scenario import Member

__all__ = ["DOME", "Role", "equipment_of", "roles"]

#: PTZType of a dome: the only one with a mount.
DOME: Final = 1
_CAMERA_TYPE: Final = "131"
_MAKER: Final = "stationgate"
_MODELS: Final = {"dome": "SIM-DOME", "bullet": "SIM-BULLET", "nvr": "SIM-NVR"}
_CIRCLE: Final = 10
#: 预置位 of every dome, and the cruise (巡航 1) that goes round them.
_PRESETS: Final = {
    1: Spot("全景", Place(0.0, 0.0, 1.0)),
    2: Spot("采样口", Place(45.0, 20.0, 4.0)),
    3: Spot("站房门", Place(180.0, 5.0, 6.0)),
    4: Spot("仪器屏", Place(270.0, 10.0, 12.0)),
}
_HOME: Final = HomePosition(on=1, reset_s=300, preset=1)


@dataclass(frozen=True, slots=True)
class Role:
    """What a camera of a site looks at: one row of ``roles.csv``.

    Attributes:
        name: What we call it.
        zh: Name of its channel, as catalogues have it.
        en: In English.
        info: PTZType (摄像机结构类型) and RoomType (室外 1、室内 2).
        watches_door: Whether a channel of a recorder sees who comes in.
    """

    name: str
    zh: str
    en: str
    info: CatalogInfo
    watches_door: bool


@cache
def roles() -> tuple[Role, ...]:
    """Return every role, in the order in which a site gets its cameras."""
    text = resources.files(__package__).joinpath("roles.csv").read_text("utf-8")
    return tuple(
        Role(
            row["role"],
            row["zh"],
            row["en"],
            CatalogInfo(ptz_type=int(row["ptz_type"]), room_type=int(row["room_type"])),
            row["watches_door"] == "yes",
        )
        for row in csv.DictReader(text.splitlines())
    )


def _role_of(member: Member) -> Role:
    """Return what a single camera looks at: those of one site take the roles of their kind in turn."""
    fitting = _of_kind(member.group.kind)
    return fitting[member.index % member.group.per_site % len(fitting)]


@cache
def _of_kind(kind: str) -> tuple[Role, ...]:
    return tuple(role for role in roles() if (role.info.ptz_type == DOME) == (kind == "dome"))


def equipment_of(member: Member) -> tuple[Equipment, str]:
    """Return the equipment of a dome, a bullet or a recorder, and its channel that sees who comes in at the door.

    A single camera has one channel: its own code with the type of a camera. Channels of a recorder are counted through
    from its own serial number on, under the next digit of the network (digit 14), so that they meet those of no camera.
    """
    site = member.site_name if member.site_group else ""
    if member.group.kind == "nvr":
        return _recorder(member, site)
    role = _role_of(member)
    equipment = _new(member, member.name or f"{site}{role.zh}")
    code = f"{member.identity[:10]}{_CAMERA_TYPE}{member.identity[13:]}"
    equipment.add(_channel(equipment, code, equipment.name, site, role))
    return equipment, code


def _recorder(member: Member, site: str) -> tuple[Equipment, str]:
    equipment = _new(member, member.name or f"{site}录像机")
    watching = ""
    for index in range(member.group.channels):
        turn, which = divmod(index, len(roles()))
        role = roles()[which]
        code = _recorded_code(member, index)
        title = f"{site}{role.zh}{turn + 1 if turn else ''}"
        equipment.add(_channel(equipment, code, title, site, role))
        if role.watches_door and not watching:
            watching = code
    return equipment, watching or next(iter(equipment.channels))


def _new(member: Member, name: str) -> Equipment:
    return Equipment(
        id=member.identity,
        name=name,
        manufacturer=_MAKER,
        model=_MODELS[member.group.kind],
        civil_code=member.identity[:6],
    )


def _recorded_code(member: Member, index: int) -> str:
    own, channels = member.identity, member.group.channels
    network = (int(own[13]) + 1) % _CIRCLE
    number = ((int(own[14:]) - 1) * channels + index + 1) % 1_000_000
    return f"{own[:10]}{_CAMERA_TYPE}{network}{number:06d}"


def _channel(equipment: Equipment, code: str, name: str, site: str, role: Role) -> Channel:
    item = CatalogItem(
        device_id=code,
        name=name,
        manufacturer=equipment.manufacturer,
        model=equipment.model,
        owner="0",
        civil_code=equipment.civil_code,
        address=site or name,
        parental=0,
        parent_id=equipment.id,
        safety_way=0,
        register_way=1,
        secrecy=0,
        status="ON",
        info=role.info,
    )
    return Channel(item=item, mount=_mount() if role.info.ptz_type == DOME else None)


def _mount() -> Mount:
    mount = Mount()
    mount.presets.update(_PRESETS)
    for number in _PRESETS:
        mount.follow(ptz.Cruise(ptz.CruiseAct.ADD, 1, number), 0.0, track_name="巡视")
    mount.home = _HOME
    return mount
