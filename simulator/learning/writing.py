"""A scenario as text, out of what was learnt: names made up, values as statistics, remarks in the active language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import tomli_w

from hj212.tables.commands import command_row
from hj212.times import CHINA
from stationgate.language import _, ngettext

from ..personalities.kinds import kinds
from ..world import Level
from .cameras import CameraGroup
from .learnt import Learnt
from .madeup import MadeUp
from .profiles import CLOCK_S, Group, playable

__all__ = ["Part", "facts", "parts", "scenario_text"]

#: A day that says nothing of when the source was made; only the time of day is kept.
_DAY: Final = (2026, 1, 1)
_SEED: Final = 1
_SHORTEST_S: Final = 1
#: A clock that is further off was never set, or that of the capture was not: remarked, and not played.
_MAX_STEP_S: Final = 86_400
#: A key that says that stations encrypt, and not with what.
_KEY_DIGITS: Final = 32
_FAULTS_OF_CLOCKS: Final = ("clock-90s-fast", "clock-30s-fast")


class Part:
    """One ``[[station]]``, with what belongs to it.

    Attributes:
        table: Its keys.
        levels: What its factors read.
        faults: ``[[fault]]`` tables. ``events``: ``[[event]]`` tables.
        remarks: What stands above it.
    """

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.levels: dict[str, Level] = {}
        self.faults: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.remarks: list[str] = []


def parts(learnt: Learnt) -> list[Part]:
    """Return what a scenario says of each group, in the same order as the groups, stations first."""
    made_up = MadeUp(learnt.tokens)
    names: dict[str, int] = {}
    found = [_station(group, made_up, _name(group.profile.kind, names)) for group in learnt.groups]
    return found + [_camera(group, made_up, _name(group.profile.kind, names)) for group in learnt.cameras]


def _name(kind: str, names: dict[str, int]) -> str:
    names[kind] = names.get(kind, 0) + 1
    return f"{kind}-{names[kind]}"


# Stations of HJ 212


def _station(group: Group, made_up: MadeUp, name: str) -> Part:
    profile = group.profile
    kind = kinds()[profile.kind]
    count = len(group.stations)
    table: dict[str, Any] = {
        "kind": profile.kind,
        "name": name,
        "count": count,
        "mn": made_up.mn(profile.mn_length, count),
        "pw": made_up.password(6),
        "edition": profile.edition,
    }
    if profile.st and profile.st != kind.st_in(profile.edition):
        table["st"] = profile.st
    if profile.encrypted:
        table["key"] = made_up.password(_KEY_DIGITS)
    if profile.interval_s:
        table["interval_s"] = int(profile.interval_s)
    part = Part(table)
    if kind.family == "door":
        _door(group, part)
    else:
        _logger(group, part)
    if profile.faults:
        table["faults"] = list(profile.faults)
    part.remarks += _remarks(group)
    _now_and_then(group, part, kind.family)
    return part


def _door(group: Group, part: Part) -> None:
    profile, table = group.profile, part.table
    if profile.form:
        table["form"] = profile.form
    if profile.log is not None:
        table["log"] = profile.log
    openings = group.openings_per_hour()
    if openings is not None:
        table["openings_per_hour"] = round(openings)
        if 0 < openings < 0.5:
            part.remarks.append(_("The door opens less than once in two hours, which no scenario can say."))
    if group.people():
        table["people"] = group.people()
    spread = _start_spread(group)
    if spread:
        table["start_spread_s"] = spread


def _start_spread(group: Group) -> int:
    """Return over how long stations that count from power-on must be switched on to stand as they do."""
    interval = group.profile.interval_s
    firsts = [min(times) for station in group.stations if (times := station.times.get("periodic"))]
    if not interval or len(firsts) < 2:
        return 0
    return round(min(max(firsts) - min(firsts), interval))


def _logger(group: Group, part: Part) -> None:
    profile, table = group.profile, part.table
    for key in ("phase", "minute_interval", "hour", "day"):
        value = getattr(profile, key)
        if value is not None:
            table[key] = value
    if profile.phase == "spread" and _start_spread(group) == 0 and len(group.stations) > 1:
        # All at the same instants, and not on the clock: as if switched on together.
        table["phase"] = "start"
    readings = group.readings()
    if readings and kinds()[profile.kind].family == "logger":
        table["signals"] = list(readings)
        part.levels = {code: each.level() for code, each in readings.items()}


def _now_and_then(group: Group, part: Part, family: str) -> None:
    """Say what is wrong at times as a share, and what cannot be played as a remark."""
    for name, shown in sorted(group.sometimes().items()):
        if not playable(name, family):
            part.remarks.append(
                _("Seen and not played: {name}, {times} of {chances}.").format(
                    name=name, times=shown.times, chances=shown.chances
                )
            )
        elif shown.share > 0:
            share = max(round(shown.share, 4), 0.0001)
            part.faults.append({"name": name, "select": part.table["name"], "from": 0, "probability": share})
    offset = group.clock_offset_s()
    known = any(name in group.profile.faults for name in _FAULTS_OF_CLOCKS)
    if offset is not None and abs(offset) > CLOCK_S and not known:
        part.remarks.append(
            _("Clocks are {s} s ahead of the capture's; whose fault that is it does not say.").format(s=round(offset))
        )
        step = {"what": "clock-step", "select": part.table["name"], "at": 0, "step_s": round(offset)}
        if abs(offset) < _MAX_STEP_S:
            part.events.append(step)


def _remarks(group: Group) -> Iterator[str]:
    profile = group.profile
    stations = group.stations
    messages = sum(sum(station.commands.values()) for station in stations)
    seconds = max(station.seconds for station in stations)
    yield ngettext(
        "{n} station, {messages} messages in {s} s; commands: {commands}.",
        "{n} stations, {messages} messages in {s} s; commands: {commands}.",
        len(stations),
    ).format(n=len(stations), messages=messages, s=round(seconds), commands=", ".join(_commands(group)) or "-")
    if not profile.certain:
        yield _("No kind has their ST; the kind was told by their factors.")
    rhythm = group.rhythm()
    if profile.interval_s is None:
        yield _("The interval could not be learnt: fewer than two timed reports, or no rhythm in them.")
    elif rhythm and (rhythm.missing or rhythm.steady < 1):
        yield _("Of {count} timed reports {share} % keep the interval, {missing} are missing.").format(
            count=rhythm.count, share=round(100 * rhythm.steady), missing=rhythm.missing
        )
    if profile.encrypted:
        yield _("Their data areas are encrypted: nothing was learnt of what they read, and the key is made up.")
    yield from _remarks_of_logger(group)
    packets = sum(station.packets for station in stations)
    if packets:
        yield ngettext("{n} packet of split messages.", "{n} packets of split messages.", packets).format(n=packets)
    spacing = group.spacing_s()
    if spacing is not None:
        yield _("What nobody answers is repeated after {s} s.").format(s=round(spacing))
    for what, times in sorted(group.unknown().items()):
        words = {"crc": _("a check value of no known kind"), "length": _("a wrong length"), "tail": _("a wrong tail")}
        yield _("Seen and not played: {name}, frames: {times}.").format(name=words[what], times=times)


def _remarks_of_logger(group: Group) -> Iterator[str]:
    profile = group.profile
    family = kinds()[profile.kind].family
    if family == "door":
        return
    untold = [key for key in ("minute_interval", "hour", "day") if getattr(profile, key) is None]
    if untold:
        yield _("Too short to tell: {keys}; the defaults apply.").format(keys=", ".join(untold))
    if family == "meter":
        yield _("What meters read follows their site; nothing was learnt of it.")
        return
    flags: dict[str, int] = {}
    for readings in group.readings().values():
        for flag, times in readings.flags.items():
            if flag != "N" and flag.isalnum() and flag.isascii() and len(flag) == 1:
                flags[flag] = flags.get(flag, 0) + times
    if flags:
        told = ", ".join(f"{flag} {times}" for flag, times in sorted(flags.items()))
        yield _("Data flags seen and not played: {flags}.").format(flags=told)
    if not profile.encrypted and not group.readings():
        yield _("Nothing could be learnt of what they read: no values in timed or minute data.")


def _commands(group: Group) -> list[str]:
    found: dict[str, int] = {}
    for station in group.stations:
        for cn, times in station.commands.items():
            if command_row(cn, True) is not None:
                found[cn] = found.get(cn, 0) + times
    return [f"{cn} {times}" for cn, times in sorted(found.items())]


# Cameras


def _camera(group: CameraGroup, made_up: MadeUp, name: str) -> Part:
    profile = group.profile
    count = len(group.cameras)
    table: dict[str, Any] = {
        "kind": profile.kind,
        "name": name,
        "count": count,
        "id": made_up.code(kinds()[profile.kind].type, count),
        "password": made_up.password(8),
        "edition": profile.edition,
    }
    for key in ("keepalive_s", "expires_s", "channels"):
        value = getattr(profile, key)
        if value is not None:
            table[key] = int(value)
    if profile.faults:
        table["faults"] = list(profile.faults)
    part = Part(table)
    registered = sum(camera.registered > 0 for camera in group.cameras)
    part.remarks.append(
        _("Devices: {cameras}, seen to register: {registered}, keepalives: {keepalives}.").format(
            cameras=count,
            registered=registered,
            keepalives=sum(len(camera.keepalives) for camera in group.cameras),
        )
    )
    for key, value in (("keepalive_s", profile.keepalive_s), ("expires_s", profile.expires_s)):
        if value is None:
            part.remarks.append(_("Too short to tell: {keys}; the defaults apply.").format(keys=key))
    return part


# The file


def scenario_text(learnt: Learnt) -> str:
    """Return the scenario of what was learnt."""
    found = parts(learnt)
    lines = [f"# {line}" for line in _head(learnt)]
    lines += ["", *_top(learnt), ""]
    if learnt.groups:
        lines += ["[target]", *_assigned({"host": "127.0.0.1", "port": 8212}), ""]
    if learnt.cameras:
        transports = [group.profile.transport for group in learnt.cameras for _each in group.cameras]
        transport = max(sorted(set(transports)), key=transports.count)
        platform = MadeUp(learnt.tokens).platform()
        sip = {"host": "127.0.0.1", "port": 5060, "transport": transport, "id": platform, "domain": platform[:10]}
        if len(set(transports)) > 1:
            lines.append(
                "# "
                + _("Some use {other}; a scenario has one transport.").format(
                    other=next(each for each in sorted(set(transports)) if each != transport)
                )
            )
        lines += ["[sip]", *_assigned(sip), ""]
    for part in found:
        lines += [f"# {remark}" for remark in part.remarks]
        lines += ["[[station]]", *_assigned(part.table)]
        if part.levels:
            lines += ["[station.levels]", *(_level(code, level) for code, level in part.levels.items())]
        lines.append("")
    for name in ("fault", "event"):
        for part in found:
            for table in part.faults if name == "fault" else part.events:
                lines += [f"[[{name}]]", *_assigned(table), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _top(learnt: Learnt) -> list[str]:
    begin = datetime.fromtimestamp(int(learnt.begin), CHINA)
    start = datetime(*_DAY, begin.hour, begin.minute, begin.second)
    seconds = max(round(learnt.seconds), _SHORTEST_S)
    return [f"seed = {_SEED}", f"start = {start.isoformat()}", f"duration_s = {seconds}"]


def _head(learnt: Learnt) -> Iterator[str]:
    forms = {"capture": _("a network capture"), "bytes": _("saved bytes"), "store": _("a store of hj212 listen")}
    yield _(
        "Learnt by simulator learn from {source}: stations {stations}, frames {frames}, SIP messages {sip}."
    ).format(source=forms[learnt.form], stations=learnt.stations, frames=learnt.frames, sip=learnt.sip)
    yield _(
        "It went on for {s} s. Names, passwords, addresses and the date are made up; values are statistics."
    ).format(s=round(learnt.seconds))
    words: Mapping[str, str] = {
        "damaged": _("frames too damaged to use"),
        "wrong-check-value": _("frames with a check value of no known kind"),
        "encrypted": _("frames with an encrypted data area, of which the header was used"),
        "nameless": _("frames that name no station"),
        "too-many": _("frames of stations beyond the limit"),
        "noise": _("pieces between frames"),
        "missing": _("bytes that the capture lacks"),
        "broken-sip": _("SIP messages that could not be read"),
    }
    for name, count in sorted(learnt.counts.items()):
        yield _("Not used: {count} {what}.").format(count=count, what=words[name])
    if learnt.fault:
        yield _("The source ends early; this is of what came before.")
    not_learnt = [_("how values follow each other"), _("how factors depend on each other and on the plant")]
    if learnt.form == "store":
        not_learnt.append(_("what was wrong with the bytes of frames, and repeats: a store keeps neither"))
    if learnt.form == "bytes":
        not_learnt.append(_("clocks and repeats: saved bytes have no times"))
    yield _("What cannot be learnt: {what}.").format(what=_("; ").join(not_learnt))


def _assigned(table: Mapping[str, Any]) -> list[str]:
    return (
        tomli_w.dumps(dict(table)).splitlines()
        if not _has_lists(table)
        else [f"{key} = {_value(value)}" for key, value in table.items()]
    )


def _has_lists(table: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for value in table.values())


def _value(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _level(code: str, level: Level) -> str:
    pairs = [("mean", level.mean), ("spread", level.spread), ("least", level.least), ("most", level.most)]
    pairs.append(("digits", level.digits))
    if level.swing:
        pairs += [("swing", level.swing), ("peak_h", level.peak_h)]
    return f"{code} = {{ {', '.join(f'{key} = {_value(value)}' for key, value in pairs)} }}"


def facts(learnt: Learnt) -> dict[str, Any]:
    """Return what was learnt as JSON: the groups as the scenario has them, and what was not used."""
    groups = []
    for part in parts(learnt):
        shape = {key: value for key, value in part.table.items() if key not in ("pw", "password", "key")}
        if part.levels:
            shape["levels"] = {code: _level_shape(level) for code, level in part.levels.items()}
        groups.append({**shape, "sometimes": part.faults, "events": part.events})
    return {
        "event": "learnt",
        "source": learnt.form,
        "complete": not learnt.fault,
        "stations": learnt.stations,
        "frames": learnt.frames,
        "sip": learnt.sip,
        "seconds": round(learnt.seconds),
        "not_used": dict(sorted(learnt.counts.items())),
        "groups": groups,
    }


def _level_shape(level: Level) -> dict[str, Any]:
    names = ("mean", "spread", "least", "most", "digits", "swing", "peak_h")
    return {name: getattr(level, name) for name in names}
