"""Looks at the computer before a run: what would prevent it, what would make its verdicts worth less.

No setting is changed and nothing needs rights. Each check has a time limit; what does not answer is said so.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from stationgate import __version__
from stationgate.exits import EnvironmentFault, reason
from stationgate.home import HOME_VARIABLE, home
from stationgate.language import N_, _, gettext

from ..live.bench import MAX_LINKS
from ..live.clock import discipline
from ..live.network import addresses_for, cards, is_any, is_loopback
from .firewall import gate
from .ports import holder, trouble
from .tools import ask_tool

__all__ = ["CHECKS", "Finding", "State", "examine"]

#: A check that has not answered by now will not: a dead network drive, a hanging service.
CHECK_S: Final = 12.0
#: Free disk space without which evidence and reports of one run may not fit, and below which a few runs will not.
MIN_FREE_BYTES: Final = 100 << 20
FEW_FREE_BYTES: Final = 1 << 30
#: Descriptors besides two for each link: files, the terminal, the event loop's own.
OWN_DESCRIPTORS: Final = 64
#: Device times have whole seconds; a bench that may be off by more judges none of them.
MAX_CLOCK_UNCERTAINTY_S: Final = 1.0
#: What a terminal must be able to show.
SAMPLE: Final = "被测设备"


class State(StrEnum):
    """How a check went; :attr:`word` is what a person reads."""

    OK = N_("OK")
    WARNING = N_("warning")
    PROBLEM = N_("problem")  #: prevents a run

    @property
    def word(self) -> str:
        """The state in the active language."""
        return gettext(self.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in the active language.

    Attributes:
        check: Name of the check, English.
        state: How it went.
        found: What was found.
        todo: What to do about it, empty where nothing.
    """

    check: str
    state: State
    found: str
    todo: str = ""


Found = tuple[State, str, str]


def examine(host: str, port: int, *, checks: Sequence[str] | None = None, limit_s: float = CHECK_S) -> list[Finding]:
    """Look at everything a run with this address needs.

    Args:
        host: The address to listen on.
        port: The port to listen on.
        checks: Names of :data:`CHECKS`. Default: all.
        limit_s: How long one check may take.
    """
    return [_limited(name, host, port, limit_s) for name in checks or CHECKS]


def _limited(name: str, host: str, port: int, limit_s: float) -> Finding:
    results: list[Found] = []

    def work() -> None:
        try:
            results.append(CHECKS[name](host, port))
        except Exception as error:  # a check that breaks must not hide the others
            results.append((State.WARNING, _("the check failed: {error}").format(error=error), ""))

    worker = threading.Thread(target=work, daemon=True, name=f"doctor-{name}")
    worker.start()
    worker.join(limit_s)
    if not results:
        found = _("no answer within {seconds} s").format(seconds=f"{limit_s:g}")
        return Finding(name, State.WARNING, found, _("look at it by hand"))
    return Finding(name, *results[0])


def _clock(host: str, port: int) -> Found:
    found = discipline()
    todo = _("switch network time on; or compare with a reference and name it as clock_reference under [test]")
    if found.synchronised is None:
        return State.WARNING, _("cannot tell whether this computer's clock is kept right"), todo
    if not found.synchronised:
        text = _("nothing keeps this computer's clock right ({source}): verdicts on absolute time stay open")
        return State.WARNING, text.format(source=found.source), todo
    if found.uncertainty_s is None:
        return State.OK, _("kept right ({source})").format(source=found.source), ""
    text = _("kept right within {seconds} s ({source})").format(
        seconds=f"{found.uncertainty_s:.3f}", source=found.source
    )
    return (State.WARNING, text, todo) if found.uncertainty_s > MAX_CLOCK_UNCERTAINTY_S else (State.OK, text, "")


def _zone(host: str, port: int) -> Found:
    text = _("{zone}, which changes no verdict: they are made in UTC+8")
    return State.OK, text.format(zone=time.strftime("%z") or "UTC"), ""


def _port(host: str, port: int) -> Found:
    found = trouble(host, port)
    if found is None:
        return State.OK, _("{host} port {port} is free").format(host=host, port=port), ""
    sentence, todo = found
    who = holder(port)
    if who:
        sentence = f"{sentence} {_('It is held by {program}.').format(program=who)}"
    return State.PROBLEM, sentence, todo


def _addresses(host: str, port: int) -> Found:
    every = cards()
    if not every:
        return State.WARNING, _("cannot tell this computer's addresses"), _("look with: ipconfig, or ip address")
    if not is_any(host):
        text = ", ".join(map(str, addresses_for(host)))
        if is_loopback(host):
            todo = _("for a device on the network: --listen 0.0.0.0:{port}").format(port=port)
            return State.OK, _("{addresses}: this computer alone").format(addresses=text), todo
        return State.OK, text, ""
    outside = [card for card in every if not card.loopback]
    if not outside:
        return State.WARNING, _("no network card has an address"), _("plug in the cable, or switch the card on")
    text = ", ".join(map(str, outside))
    if all(card.link_local for card in outside):
        todo = _("give the card a fixed address in the network of the device")
        return State.WARNING, _("{addresses}: no network gave it an address").format(addresses=text), todo
    return State.OK, text, ""


def _firewall(host: str, port: int) -> Found:
    if is_loopback(host):
        return State.OK, _("no firewall stands before {host}").format(host=host), ""
    found = gate(port, sys.platform)
    return State.OK if found.open else State.WARNING, found.why, found.todo


def _rights(host: str, port: int) -> Found:
    here = Path.cwd() if _cwd_exists() else None
    failed = _unwritable(here)
    if failed:
        todo = _("change to a folder of your own before the run")
        return State.PROBLEM, _("cannot write in {folder}: {why}").format(folder=here or ".", why=failed), todo
    try:
        folder = home()
    except EnvironmentFault as fault:
        return State.PROBLEM, fault.message, fault.hint
    failed = _unwritable(folder)
    if failed:
        todo = _("set {variable} to a folder that can be written").format(variable=HOME_VARIABLE)
        return State.PROBLEM, _("cannot write in {folder}: {why}").format(folder=folder, why=failed), todo
    return State.OK, _("can write in {folder} and {home}").format(folder=here, home=folder), ""


def _cwd_exists() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _unwritable(folder: Path | None) -> str:
    """Return why a folder cannot be written to, empty where it can."""
    if folder is None:
        return _("no such file or directory")
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        return reason(error)
    return ""


#: Chinese fonts by the files they come in: enough to print a report, one will do.
_FONT_FILES: Final = (
    "msyh.ttc", "msyh.ttf", "simsun.ttc", "simhei.ttf", "Deng.ttf", "PingFang.ttc", "STHeiti*.ttc", "Hiragino*GB*",
    "NotoSansCJK*", "NotoSerifCJK*", "NotoSansSC*", "SourceHanSans*", "wqy-*", "ukai.ttc", "uming.ttc",
)  # fmt: skip


def _font_folders() -> list[Path]:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return [
            Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",
            Path(local) / "Microsoft" / "Windows" / "Fonts",
        ]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library" / "Fonts"]
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local" / "share" / "fonts"]


def _fonts(host: str, port: int) -> Found:
    todo = _("install one, for example Noto Sans CJK SC (Debian: fonts-noto-cjk), or print on another computer")
    told = ask_tool("fc-list", ":lang=zh-cn", "family")
    if told is not None and not told.code:
        families = sorted({line.partition(",")[0].strip() for line in told.text.splitlines() if line.strip()})
        if families:
            return State.OK, _("Chinese fonts: {names}").format(names=", ".join(families[:3])), ""
        return State.WARNING, _("no Chinese font: a printed report would lack its Chinese text"), todo
    for folder in _font_folders():
        for pattern in _FONT_FILES:
            font = next(folder.rglob(pattern), None) if folder.is_dir() else None
            if font:
                return State.OK, _("Chinese fonts: {names}").format(names=font.name), ""
    return State.WARNING, _("no Chinese font found: a printed report may lack its Chinese text"), todo


def _terminal(host: str, port: int) -> Found:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        SAMPLE.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        text = _("{encoding}, which has no Chinese: such text is shown as escapes")
        todo = _("Windows: chcp 65001 or chcp 936; elsewhere: export LANG=C.UTF-8; or --lang en")
        return State.WARNING, text.format(encoding=encoding), todo
    return State.OK, _("{encoding}, which has Chinese").format(encoding=encoding), ""


def _disk(host: str, port: int) -> Found:
    free = shutil.disk_usage(".").free
    text = _("{size} MB free here").format(size=free >> 20)
    if free >= FEW_FREE_BYTES:
        return State.OK, text, ""
    todo = _("make room: a run with evidence and reports takes up to {size} MB").format(size=MIN_FREE_BYTES >> 20)
    return State.PROBLEM if free < MIN_FREE_BYTES else State.WARNING, text, todo


def _descriptors(host: str, port: int) -> Found:
    needed = 2 * MAX_LINKS + OWN_DESCRIPTORS  # a relayed link has two ends
    if sys.platform == "win32":
        return State.OK, _("no limit on this system"), ""
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = _("{count} files and connections at once, {needed} are needed").format(
        count=_("unlimited") if soft == resource.RLIM_INFINITY else soft, needed=needed
    )
    if soft != resource.RLIM_INFINITY and soft < needed:
        return State.PROBLEM, text, _("raise it in this terminal: ulimit -n {count}").format(count=1024)
    return State.OK, text, ""


def _versions(host: str, port: int) -> Found:
    text = f"stationgate {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    return State.OK, text, ""


#: Every check by its name, in the order of the report.
CHECKS: Final[dict[str, Callable[[str, int], Found]]] = {
    N_("versions"): _versions,
    N_("clock"): _clock,
    N_("time zone"): _zone,
    N_("addresses"): _addresses,
    N_("port"): _port,
    N_("firewall"): _firewall,
    N_("rights"): _rights,
    N_("disk"): _disk,
    N_("descriptors"): _descriptors,
    N_("fonts"): _fonts,
    N_("terminal"): _terminal,
}
