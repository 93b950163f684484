"""Who may import whom. The tables say it; the tests read the source, so nothing needs to be installed or run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Package -> the other packages that any of its modules may import.
MAY_IMPORT: dict[str, set[str]] = {
    "hj212": set(),
    "gb28181": set(),
    "accessctl": {"hj212"},
    "stationgate": set(),
    "simulator": {"hj212", "gb28181", "accessctl", "stationgate"},
    "conformance": {"hj212", "gb28181", "accessctl", "stationgate"},
}

#: Packages of the design that do not exist yet; a package leaves this list when its folder appears.
NOT_YET: set[str] = set()

#: Module pattern -> packages it may import besides those of its package.
MAY_ALSO_IMPORT: dict[str, set[str]] = {
    "*.cli": {"stationgate"},
    "*.cli.*": {"stationgate"},
    "*.__main__": {"stationgate"},
    "conformance.demo": {"simulator"},
    "conformance.platform": {"simulator"},
    "conformance.selftest": {"simulator"},
}

#: Input, output and time. ``datetime.now()`` and its like count as ``time``.
EFFECTS = {"asyncio", "socket", "ssl", "time"}

#: The modules that may import them.
MAY_HAVE_EFFECTS = (
    "*.aio",
    "*.aio.*",
    "*.cli",
    "*.cli.*",
    "*.__main__",
    "simulator.clock",
    "simulator.engine.*",
    "simulator.station",
    "simulator.transport",
    "conformance.doctor.*",
    "conformance.live.*",
    "conformance.wizard.*",
    "conformance.demo",
    "stationgate.loops",
)

#: Inside a protocol, lowest first: a module may reach those of its own row and of the rows above it in this list.
LAYERS: dict[str, list[set[str]]] = {
    "hj212": [
        {"errors", "editions", "codes"},
        {"tables", "tables.commands", "tables.fields", "tables.flags"}
        | {f"tables.{name}" for name in ("factors", "information", "results", "systems")},
        {"values"},
        {"crc", "segment", "framing", "encryption"},
        {"messages"},
        {"commands"}
        | {f"commands.{name}" for name in ("parameters", "measurements", "header", "core")}
        | {f"commands.{name}" for name in ("registration", "setup", "data", "control", "interaction")},
        {"events"},
        {"splitting"},
        {"connection"},
        {"host", "host.policy", "host.events", "host.stations", "host.commands"}
        | {"host.requests", "host.packets", "host.setup", "host.enrolment", "host.core"},
        {"station", "station.settings", "station.policy", "station.outbox", "station.events", "station.link"}
        | {f"station.{name}" for name in ("commands", "setters", "runs", "requests", "uploads")}
        | {"station.enrolment", "station.upkeep", "station.core", "station.gateway"},
        {"aio"}
        | {f"aio.{name}" for name in ("database", "dialling", "keeping", "link", "listening", "outbox", "platform")}
        | {"aio.station", "aio.store"},
        {"cli", "__main__"}
        | {f"cli.{name}" for name in ("content", "crc", "decode", "decoding", "editions", "encode", "encoding")}
        | {f"cli.{name}" for name in ("listen", "receiving", "shown")},
    ],
    "gb28181": [
        {"errors", "editions", "chance"},
        {"tables", "tables.commands", "tables.values"},
        {"deviations"},
        {"identifiers", "ssrc", "times", "ptz", "mansrtsp"},
        {"sdp"},
        {"sip.values"},
        {"sip.message"},
        {"sip.framing", "sip.digest", "sip.timers"},
        {"sip.transactions", "sip.dialogs"},
        {"sip.events"},
        {"sip.endpoint"},
        {"sip"},
        {"manscdp.charset"},
        {"manscdp.xml"},
        {"manscdp.body"},
        {"manscdp.items", "manscdp.configs", "manscdp.parts"},
        {"manscdp.queries", "manscdp.notifies", "manscdp.controls"},
        {"manscdp.responses"},
        {"manscdp"},
        {"differences"},
        {"messaging"},
        {"device.account", "device.quirks", "device.mount"} | {"platform.policy", "platform.events"},
        {"device.equipment", "platform.registrar"},
        {"device.answers", "device.controls", "device.calls", "platform.queries", "platform.catalog"}
        | {"platform.calls", "platform.subscriptions"},
        {"device.events"},
        {"device.registration", "device.subscriptions", "platform.platform"},
        {"device.device", "platform"},
        {"device"},
        {"aio.datagrams"},
        {"aio.transport"},
        {"aio.platform", "aio.device", "aio.fleet"},
        {"aio.running"},
        {"aio"},
        {f"cli.{name}" for name in ("captured", "decode", "editions", "listen", "ptz", "shown")},
        {"cli", "__main__"},
    ],
}

#: Module -> the only third-party libraries that importing it may load.
LOADS: dict[str, set[str]] = {"hj212": set(), "gb28181": set(), "accessctl": set(), "stationgate.options": {"click"}}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, what it imports, whether it reads the clock through ``datetime``."""

    name: str
    imports: frozenset[str]
    reads_datetime_clock: bool

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def matches(self, *patterns: str) -> bool:
        return any(fnmatchcase(self.name, pattern) for pattern in patterns)


def parse(name: str, source: str, *, is_package: bool = False, known: frozenset[str] = frozenset()) -> Module:
    """Read one module. ``known`` names the modules that exist, so that ``from x import y`` can mean ``x.y``."""
    tree = ast.parse(source)
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(name, node, is_package=is_package)
            targets = {f"{base}.{alias.name}" for alias in node.names}
            submodules = targets & known
            imports |= submodules
            if len(submodules) < len(targets) or not submodules:
                imports.add(base)
    return Module(name, frozenset(imports), any(map(is_datetime_clock, ast.walk(tree))))


def absolute(name: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    parts = name.split(".") if is_package else name.split(".")[:-1]
    parts = parts[: len(parts) - node.level + 1] if node.level else []
    return ".".join([*parts, *([node.module] if node.module else [])])


def is_datetime_clock(node: ast.AST) -> bool:
    """Tell whether a node is ``datetime.now``, ``datetime.datetime.utcnow``, ``date.today`` or the like."""
    if not isinstance(node, ast.Attribute) or node.attr not in {"now", "utcnow", "today"}:
        return False
    owner = node.value
    return (owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")) in {"datetime", "date"}


def read_all() -> Iterator[Module]:
    files = [file for package in MAY_IMPORT for file in sorted((ROOT / package).rglob("*.py"))]
    names = {file: dotted(file) for file in files}
    known = frozenset(names.values())
    for file, name in names.items():
        yield parse(name, file.read_text("utf-8"), is_package=file.name == "__init__.py", known=known)


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def foreign_packages(module: Module) -> set[str]:
    """Return our packages that a module imports without being allowed to."""
    ours = {name.partition(".")[0] for name in module.imports} & MAY_IMPORT.keys()
    extra = (packages for pattern, packages in MAY_ALSO_IMPORT.items() if module.matches(pattern))
    return ours - {module.package} - MAY_IMPORT[module.package].union(*extra)


def effects(module: Module) -> set[str]:
    """Return the input, output and time that a module uses without being allowed to."""
    if module.matches(*MAY_HAVE_EFFECTS):
        return set()
    used = {name.partition(".")[0] for name in module.imports} & EFFECTS
    return used | ({"time"} if module.reads_datetime_clock else set())


def reachable(start: str, modules: dict[str, Module]) -> set[str]:
    """Return all modules of the same package that a module imports, directly or not."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in modules[waiting.pop()].imports & modules.keys() - seen:
            if modules[name].package == modules[start].package:
                seen.add(name)
                waiting.append(name)
    return seen - {start}


def upward(package: str, modules: dict[str, Module]) -> Iterator[str]:
    """Say which module of a protocol reaches one of a higher layer."""
    height = {f"{package}.{name}": row for row, names in enumerate(LAYERS[package]) for name in names}
    for name in height.keys() & modules.keys():
        for target in reachable(name, modules) & height.keys():
            if height[target] > height[name]:
                yield f"{name} reaches up to {target}"


MODULES = {module.name: module for module in read_all()}
FILES = {dotted(file): file for package in MAY_IMPORT for file in sorted((ROOT / package).rglob("*.py"))}


def test_packages_listed_as_missing_are_exactly_those_without_a_folder() -> None:
    absent = {package for package in MAY_IMPORT if not (ROOT / package).is_dir()}
    assert absent == NOT_YET, "edit NOT_YET at the top of this file"


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)
def test_module_imports_only_the_packages_it_may(module: Module) -> None:
    assert foreign_packages(module) == set()


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)
def test_module_leaves_input_output_and_time_to_those_that_may(module: Module) -> None:
    assert effects(module) == set()


@pytest.mark.parametrize("package", LAYERS.keys() - NOT_YET)
def test_protocol_modules_depend_downwards_only(package: str) -> None:
    assert sorted(upward(package, MODULES)) == []


@pytest.mark.parametrize("module", LOADS)
def test_importing_loads_only_the_standard_library_and_what_is_allowed(module: str) -> None:
    package = module.partition(".")[0]
    allowed = {package} | MAY_IMPORT[package] | LOADS[module]
    script = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {allowed!r}:
            raise ImportError(f"{{name}} is not allowed here")

sys.meta_path.insert(0, Blocker())
sys.path.insert(0, {str(ROOT)!r})
import {module}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_scapy_is_named_in_one_module() -> None:
    """It is GPL-2.0 and an extra: whoever reads no capture must not come near it."""
    naming = [name for name, file in FILES.items() if re.search(r"[\"']scapy|import scapy", file.read_text("utf-8"))]
    assert naming == ["stationgate.capture"]


class TestTheRulesThemselves:
    """Each rule rejects a module that breaks it."""

    @pytest.mark.parametrize(
        ("name", "source", "found"),
        [
            ("hj212.crc", "import accessctl.model", {"accessctl"}),
            ("hj212.crc", "def f():\n    from stationgate.exits import run", {"stationgate"}),
            ("accessctl.codec", "from conformance import case", {"conformance"}),
            ("conformance.bench", "import simulator", {"simulator"}),
            ("simulator.fleet", "import conformance.cases.access", {"conformance"}),
            ("conformance.demo", "import simulator.fleet", set()),
            ("hj212.cli", "from stationgate import options", set()),
            ("accessctl.codec", "from hj212 import segment", set()),
        ],
    )
    def test_foreign_package(self, name: str, source: str, found: set[str]) -> None:
        assert foreign_packages(parse(name, source)) == found

    @pytest.mark.parametrize(
        ("name", "source", "found"),
        [
            ("hj212.connection", "import asyncio.events", {"asyncio"}),
            ("hj212.connection", "from time import monotonic", {"time"}),
            ("hj212.times", "import datetime\nx = datetime.datetime.now()", {"time"}),
            ("hj212.times", "from datetime import date\nx = date.today()", {"time"}),
            ("hj212.times", "from datetime import time", set()),
            ("hj212.aio.server", "import socket, ssl, time", set()),
        ],
    )
    def test_effect(self, name: str, source: str, found: set[str]) -> None:
        assert effects(parse(name, source)) == found

    def test_upward_import_through_a_module_without_a_layer(self) -> None:
        known = frozenset({"hj212.crc", "hj212.tools", "hj212.messages"})
        sources = {"crc": "from . import tools", "tools": "from hj212.messages import X", "messages": ""}
        modules = {f"hj212.{name}": parse(f"hj212.{name}", text, known=known) for name, text in sources.items()}
        assert list(upward("hj212", modules)) == ["hj212.crc reaches up to hj212.messages"]
