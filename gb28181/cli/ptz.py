"""``gb28181 ptz``: front-end commands (A.3) between digits and words."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from stationgate.exits import DataFault, UsageFault
from stationgate.language import _, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from .. import ptz
from ..errors import LocalProtocolError, PtzError

__all__ = ["add_ptz"]


def add_ptz(cli: Group) -> None:
    """Add the commands to the command line."""
    group = Group(
        "ptz",
        help=_("Write and read PTZ commands (PTZCmd, annex A.3)."),
        examples=[
            ("gb28181 ptz decode A50F010180000036", _("say what it does")),
            ("gb28181 ptz encode move --pan 128", _("to the right at half speed")),
        ],
    )
    cli.add_command(group)
    _add_decode(group)
    _add_encode(group)


def _add_decode(group: Group) -> None:
    @group.command(
        "decode",
        help=_("Say what a PTZCmd means.") + "\n\n" + _("Exit code: 0, 1 it is none, 2 usage."),
        examples=[("gb28181 ptz decode A50F0100000000B5", _("stop"))],
    )
    @click.argument("digits", metavar="HEX")
    @json_option()
    def decode(digits: str, as_json: bool) -> None:
        try:
            command, address = ptz.decode(digits)
        except PtzError as error:
            raise DataFault(str(error)) from error
        zh, en = ptz.terms(command)
        if as_json:
            click.echo(json_line(_shape(command, address, digits.strip().upper())))
        else:
            click.echo(pick(zh, en))


def _shape(command: ptz.Command, address: int, digits: str) -> dict[str, Any]:
    zh, en = ptz.terms(command)
    fields: dict[str, Any] = {}
    for each in dataclasses.fields(command):  # type: ignore[arg-type]  # every command is a dataclass
        value = getattr(command, each.name)
        if isinstance(value, ptz.Frame):
            value = bytes(value).hex().upper()
        elif hasattr(value, "name"):
            value = value.name.lower().replace("_", "-")
        fields[each.name] = value
    return {
        "ptzcmd": digits,
        "command": type(command).__name__.lower(),
        "address": address,
        "zh": zh,
        "en": en,
    } | fields


def _add_encode(group: Group) -> None:
    @group.command(
        "encode",
        help=_(
            "Write a PTZCmd. ACT is one of: stop; move (--pan, --tilt, --zoom; negative is left, down, out); "
            "focus, iris (--speed; negative is near, close); preset-set, preset-call, preset-delete (--number); "
            "cruise-add, cruise-delete, cruise-speed, cruise-stay, cruise-start (--group, --number); "
            "scan-start, scan-left-border, scan-right-border, scan-speed (--group, --number); on, off (--number)."
        ),
        examples=[
            ("gb28181 ptz encode move --pan -100 --zoom 4", _("left and nearer")),
            ("gb28181 ptz encode preset-call --number 5", _("go to preset 5")),
            ("gb28181 ptz encode stop", _("stop every movement")),
        ],
    )
    @click.argument("act", metavar="ACT")
    @click.option("--pan", type=int, default=0, help="-255 … 255")
    @click.option("--tilt", type=int, default=0, help="-255 … 255")
    @click.option("--zoom", type=int, default=0, help="-15 … 15")
    @click.option("--speed", type=int, default=0, help="-255 … 255")
    @click.option("--group", type=int, default=0, help="0 … 255")
    @click.option("--number", type=int, default=0, help="0 … 4095")
    @click.option("--address", type=int, default=1, help=_("0 … 4095; receivers ignore it."))
    @json_option()
    def encode(
        act: str, pan: int, tilt: int, zoom: int, speed: int, group: int, number: int, address: int, as_json: bool
    ) -> None:
        try:
            command = _command(act, (pan, tilt, zoom), speed, group, number)
            digits = ptz.encode(command, address)
        except LocalProtocolError as error:
            raise UsageFault(str(error)) from error
        click.echo(json_line(_shape(command, address, digits)) if as_json else digits)


def _command(act: str, speeds: tuple[int, int, int], speed: int, group: int, number: int) -> ptz.Command:
    switches = {"on": True, "off": False}
    kind, _dash, rest = act.lower().partition("-")
    name = rest.replace("-", "_").upper()
    if act == "stop":
        return ptz.Move()
    if act == "move":
        return ptz.Move.of(*speeds)
    if act == "focus":
        return ptz.Iris(focus=abs(speed), near=speed < 0)
    if act == "iris":
        return ptz.Iris(iris=abs(speed), close=speed < 0)
    if act in switches:
        return ptz.Auxiliary(switches[act], number)
    if kind == "preset" and name in ptz.PresetAct.__members__:
        return ptz.Preset(ptz.PresetAct[name], number)
    if kind == "cruise" and name in ptz.CruiseAct.__members__:
        return ptz.Cruise(ptz.CruiseAct[name], group, number)
    if kind == "scan" and name in ptz.ScanAct.__members__:
        return ptz.Scan(ptz.ScanAct[name], group, number)
    raise UsageFault(_("There is no command {act}.").format(act=act), _("gb28181 ptz encode --help lists them."))
