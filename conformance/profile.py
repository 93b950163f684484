"""The declared profile: what is tested, by whom, where, and every tolerance with where it comes from (design of TOML).

Unknown keys are errors with a suggestion; every limit carries its origin into the verdicts that rest on it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

import tomli_w

from stationgate.exits import UsageFault, reason
from stationgate.language import _, pick
from stationgate.textfile import read_toml

__all__ = ["Limit", "Limits", "Profile", "limit_table", "load", "shipped", "shipped_names"]

_SECTIONS: dict[str, frozenset[str]] = {
    "sample": frozenset(
        {"client", "manufacturer", "model", "serial_number", "hardware_version", "firmware_version", "photo"}
    ),
    "test": frozenset({"place", "tester", "reviewer", "basis", "lang", "report_number", "clock_reference"}),
    "listen": frozenset({"host", "port", "advertised_host", "advertised_port"}),
    "device": frozenset({"mn", "pw", "st", "dictionary", "edition"}),
    "declare": frozenset({"methods", "exit_button", "log", "remote_opening"}),
}
#: Ways to open the door that a person is identified by.
METHODS = ("face", "ic-card", "fingerprint", "password")
#: What the cases know to judge, where a key chooses.
_CHOICES = {"dictionary": ("nx",), "edition": ("2017",), "lang": ("zh", "en")}
_TOP = frozenset({"profile", "extends", *_SECTIONS, "limits"})
#: What makes a report more than a trial run: all of these filled in.
_REQUIRED_FOR_REPORT = {
    "sample": ("client", "manufacturer", "model", "serial_number", "firmware_version"),
    "test": ("place", "tester", "reviewer", "basis"),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One number that a verdict compares with.

    Attributes:
        name: Its key under ``[limits]``.
        value: The number, or a word for limits that choose between rules.
        unit: ``s``, ``bytes``, ... or empty.
        origin: ``clause``, ``profile`` or ``suite``: a FAIL that rests on ``suite`` says so.
        basis: Clause or requirement it serves.
        zh: What it limits.
        en: The same in English.
    """

    name: str
    value: Any
    unit: str
    origin: str
    basis: str
    zh: str
    en: str

    def __str__(self) -> str:
        shown = f"{self.value:g}" if isinstance(self.value, int | float) else str(self.value)
        return f"{shown} {self.unit}".strip()


class Limits(Mapping[str, Limit]):
    """The limits of a profile, also as attributes: ``limits.event_s`` is the number itself."""

    def __init__(self, rows: Mapping[str, Limit]) -> None:
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> Limit:
        return self._rows[name]

    def __iter__(self) -> Any:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._rows[name].value
        except KeyError:
            raise AttributeError(name) from None

    def from_suite(self, *names: str) -> tuple[str, ...]:
        """Return those of ``names`` that neither a clause nor the profile set."""
        return tuple(name for name in names if self._rows[name].origin == "suite")


@dataclass(frozen=True, slots=True)
class Profile:
    """A declared profile, complete: shipped defaults below what the file says."""

    name: str
    sample: dict[str, str] = field(default_factory=dict)
    test: dict[str, str] = field(default_factory=dict)
    listen: dict[str, Any] = field(default_factory=dict)
    device: dict[str, str] = field(default_factory=dict, repr=False)
    declare: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: default_limits())

    @property
    def missing(self) -> list[str]:
        """The entries without which a report is headed as a trial run, as ``section.key``."""
        given = {"sample": self.sample, "test": self.test}
        return [
            f"{section}.{key}"
            for section, keys in _REQUIRED_FOR_REPORT.items()
            for key in keys
            if not given[section].get(key)
        ]

    def to_toml(self) -> str:
        """Return the profile as a file that says the same: no other profile below it, every limit it declares.

        A limit that is declared at its usual value stands in it too: a FAIL says whether only the suite chose it.
        """
        usual = limit_table()
        own = {
            name: limit.value
            for name, limit in self.limits.items()
            if limit.value != usual[name].value or limit.origin != usual[name].origin
        }
        sections: dict[str, Any] = {name: dict(getattr(self, name)) for name in _SECTIONS}
        return tomli_w.dumps({"profile": self.name, **sections, "limits": own})

    @classmethod
    def from_toml(cls, text: str) -> Profile:
        """Return the profile that :meth:`to_toml` wrote.

        Raises:
            UsageFault: If it is no profile.
            ValueError: If it is no TOML.
        """
        return _build(tomllib.loads(text), "")


@cache
def limit_table() -> dict[str, Limit]:
    """Return every limit with its default, from ``requirements/limits.toml``."""
    text = resources.files(__package__).joinpath("requirements/limits.toml").read_text("utf-8")
    return {
        name: Limit(name, row["value"], row.get("unit", ""), row["origin"], row["basis"], row["zh"], row["en"])
        for name, row in tomllib.loads(text).items()
    }


def default_limits() -> Limits:
    """Return every limit at its default."""
    return Limits(limit_table())


def shipped_names() -> list[str]:
    """Return the names of the profiles that come with the suite."""
    folder = resources.files(__package__).joinpath("profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def shipped(name: str) -> Profile:
    """Return a profile that comes with the suite.

    Raises:
        UsageFault: If there is none of this name.
    """
    if name not in shipped_names():
        raise _unknown(_("profile"), name, shipped_names())
    text = resources.files(__package__).joinpath(f"profiles/{name}.toml").read_text("utf-8")
    return _build(tomllib.loads(text), name)


def load(source: str) -> Profile:
    """Return the profile in a file, or the shipped one of that name.

    Raises:
        UsageFault: If the file cannot be read, is no TOML, or holds a key that does not exist.
    """
    path = Path(source)
    if not path.is_file() and path.suffix != ".toml" and source in shipped_names():
        return shipped(source)
    if not path.exists() and path.suffix != ".toml":
        return shipped(source)
    try:
        return _build(read_toml(path), path.stem)
    except OSError as error:
        raise UsageFault(
            _("cannot read the profile {file}: {why}").format(file=source, why=reason(error)),
            _("check the path, or name a shipped profile: {names}").format(names=", ".join(shipped_names())),
        ) from error


def _build(data: dict[str, Any], name: str) -> Profile:
    _check_keys(data, _TOP, "")
    for key in ("profile", "extends"):
        if not isinstance(data.get(key, ""), str):
            raise _unlike("", key, data[key], '"nx-door"')
    base = shipped(data["extends"]) if "extends" in data else Profile(name)
    sections: dict[str, dict[str, Any]] = {}
    for section, keys in _SECTIONS.items():
        given = data.get(section, {})
        _check_keys(given, keys, section)
        sections[section] = {**getattr(base, section), **given}
    _check_sections(sections)
    limits = dict(base.limits)
    own = data.get("limits", {})
    _check_keys(own, frozenset(limits), "limits")
    for key, value in own.items():
        limits[key] = _declared(limits[key], value)
    return Profile(data.get("profile", name), **sections, limits=Limits(limits))


def _declared(row: Limit, value: Any) -> Limit:
    """Return a limit with the profile's value, once that is known to be one."""
    key = row.name
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not (isinstance(value, str) if isinstance(row.value, str) else number):
        raise UsageFault(
            _("[limits] {key} = {found!r}: expected a value like {default!r}").format(
                key=key, found=value, default=row.value
            )
        )
    if isinstance(value, str) and value not in ("WARN", "FAIL"):
        raise UsageFault(_("[limits] {key} = {found!r}: expected WARN or FAIL").format(key=key, found=value))
    if not isinstance(value, str) and value < 0:
        raise UsageFault(_("[limits] {key} = {found}: must not be negative").format(key=key, found=value))
    if row.unit == "" and isinstance(row.value, int) and not isinstance(value, int):
        raise UsageFault(_("[limits] {key} = {found}: expected a whole number").format(key=key, found=value))
    default = limit_table()[key]
    origin = "clause" if default.origin == "clause" and value == default.value else "profile"
    return replace(row, value=value, origin=origin)


def _check_sections(sections: dict[str, dict[str, Any]]) -> None:
    for section, given in sections.items():
        for key, value in given.items():
            _check_value(section, key, value)


def _check_value(section: str, key: str, value: Any) -> None:
    if key in ("port", "advertised_port"):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
            raise UsageFault(_("[listen] port = {found!r}: expected a number from 0 to 65535").format(found=value))
    elif key == "methods":
        if not isinstance(value, list):
            raise _unlike(section, key, value, f'["{METHODS[0]}", ...]')
        for method in value:
            if method not in METHODS:
                raise _unknown(f"[{section}] {key}", str(method), list(METHODS))
    elif section == "declare":
        if not isinstance(value, bool):
            raise _unlike(section, key, value, "true | false")
    elif not isinstance(value, str):
        raise UsageFault(
            _("[{section}] {key}: expected text in quotes, found {found}").format(
                section=section, key=key, found=type(value).__name__
            )
        )
    elif value not in _CHOICES.get(key, (value,)):
        raise _unknown(f"[{section}] {key}", value, list(_CHOICES[key]))


def _check_keys(given: Any, known: frozenset[str], section: str) -> None:
    if not isinstance(given, dict):
        raise UsageFault(_("[{section}]: expected a table of keys").format(section=section))
    for key in given:
        if key not in known:
            place = f"[{section}] " if section else ""
            raise _unknown(place + _("key"), key, sorted(known))


def _unlike(section: str, key: str, found: Any, wanted: str) -> UsageFault:
    place = f"[{section}] {key}" if section else key
    return UsageFault(_("{key} = {found!r}: expected {wanted}").format(key=place, found=found, wanted=wanted))


def _unknown(what: str, name: str, known: list[str]) -> UsageFault:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = (
        _("did you mean {name}?").format(name=near[0])
        if near
        else _("known are: {names}").format(names=", ".join(known))
    )
    return UsageFault(_("unknown {what}: {name}").format(what=what, name=name), hint)


def limit_text(limit: Limit) -> str:
    """Return what a limit limits, in the active language."""
    return pick(limit.zh, limit.en)
