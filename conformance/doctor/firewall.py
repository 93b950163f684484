"""Whether this computer's firewall lets a port in, as far as that can be told without rights.

What cannot be told is said so, with what to look at: a firewall's rules are for its administrator alone on most
systems, and a wrong "open" costs more time than an honest "look there".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stationgate.language import _

from .tools import ask_tool

__all__ = ["Gate", "gate", "rule_name"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What is known of the way in.

    Attributes:
        open: Whether the port is let in; ``None`` where that cannot be told.
        why: Who says so, a sentence without a full stop in the active language.
        todo: What to do or to look at, empty where nothing.
    """

    open: bool | None
    why: str
    todo: str = ""


def rule_name(port: int) -> str:
    """Return the name that a rule for this suite has in the Windows firewall."""
    return f"stationgate {port}"


def gate(port: int, platform: str) -> Gate:
    """Return whether the firewall lets a TCP port in.

    Args:
        port: The port.
        platform: ``sys.platform`` of this computer.
    """
    if platform == "win32":
        return _windows(port)
    return _macos(port) if platform == "darwin" else _linux(port)


def _filtered(tool: str, port: int, command: str) -> Gate:
    why = _("{tool} filters what comes in, and no rule lets port {port} in").format(tool=tool, port=port)
    return Gate(False, why, _("let it in, as administrator: {command}").format(command=command))


def _let_in(tool: str, port: int) -> Gate:
    return Gate(True, _("{tool} lets port {port} in").format(tool=tool, port=port))


def _idle(tool: str) -> Gate:
    return Gate(True, _("{tool} filters nothing that comes in").format(tool=tool))


def _unknown(port: int, command: str) -> Gate:
    why = _("cannot tell without administrator rights whether a firewall lets port {port} in").format(port=port)
    return Gate(None, why, _("look, as administrator: {command}").format(command=command))


# Linux


def _linux(port: int) -> Gate:
    for ask in _LINUX:
        found = ask(port)
        if found is not None:
            return found
    return _unknown(port, "nft list ruleset")


def _firewalld(port: int) -> Gate | None:
    state = ask_tool("firewall-cmd", "--state")
    if state is None or state.text.strip() != "running":
        return None
    told = ask_tool("firewall-cmd", f"--query-port={port}/tcp")
    if told is None or told.text.strip() not in ("yes", "no"):
        return None
    if told.text.strip() == "yes":
        return _let_in("firewalld", port)
    return _filtered("firewalld", port, f"firewall-cmd --add-port={port}/tcp")


def _ufw(port: int) -> Gate | None:
    told = ask_tool("ufw", "status")
    if told is None or told.code or "Status: active" not in told.text:
        return None  # inactive: other rules may still stand
    allowed = [line.split()[0] for line in told.text.splitlines() if "ALLOW" in line and line.split()]
    if any(_covers(rule.partition("/")[0], port) for rule in allowed):
        return _let_in("ufw", port)
    return _filtered("ufw", port, f"ufw allow {port}/tcp")


def _nftables(port: int) -> Gate | None:
    told = ask_tool("nft", "list", "ruleset")
    if told is None or told.code:
        return None
    if "hook input" not in told.text or not re.search(r"\b(?:drop|reject)\b", told.text):
        return _idle("nftables")
    accepting = [line for line in told.text.splitlines() if "dport" in line and "accept" in line]
    if any(_covers(line.partition("dport")[2], port) for line in accepting):
        return _let_in("nftables", port)
    return _filtered("nftables", port, f"nft add rule inet filter input tcp dport {port} accept")


def _iptables(port: int) -> Gate | None:
    told = ask_tool("iptables", "-S", "INPUT")
    if told is None or told.code:
        return None
    if not re.search(r"\b(?:DROP|REJECT)\b", told.text):
        return _idle("iptables")
    accepting = [line for line in told.text.splitlines() if "dport" in line and "-j ACCEPT" in line]
    if any(_covers(line.partition("dport")[2], port) for line in accepting):
        return _let_in("iptables", port)
    return _filtered("iptables", port, f"iptables -I INPUT -p tcp --dport {port} -j ACCEPT")


_LINUX: Final[tuple[Callable[[int], Gate | None], ...]] = (_firewalld, _ufw, _nftables, _iptables)


def _covers(rule: str, port: int) -> bool:
    """Whether a rule's ports (``8212``, ``8000:9000``, ``{ 22, 8000-9000 }``) hold a port."""
    for first, last in re.findall(r"(?<![\d.])(\d{1,5})(?:[-:](\d{1,5}))?(?![\d.])", rule):
        if int(first) <= port <= int(last or first):
            return True
    return False


# Others


def _windows(port: int) -> Gate:
    name = rule_name(port)
    command = f'netsh advfirewall firewall add rule name="{name}" dir=in action=allow protocol=TCP localport={port}'
    state = ask_tool("netsh", "advfirewall", "show", "currentprofile", "state")
    # In the language of Windows: the value is the last word of the only line that has one of these.
    on = (
        re.search(r"\b(?:ON|OFF)\s*$|启用\s*$|关闭\s*$", state.text, re.MULTILINE) if state and not state.code else None
    )
    if on is None:
        return _unknown(port, "netsh advfirewall show currentprofile")
    if on.group().strip() in ("OFF", "关闭"):
        return _idle(_("the Windows firewall"))
    rule = ask_tool("netsh", "advfirewall", "firewall", "show", "rule", f"name={name}")
    if rule is not None and rule.code == 0:
        return _let_in(_("the Windows firewall"), port)
    why = _("the Windows firewall is on, and there is no rule called {name!r}").format(name=name)
    todo = _("agree when Windows asks about Python, for this kind of network; or, as administrator: {command}")
    return Gate(None, why, todo.format(command=command))


def _macos(port: int) -> Gate:
    told = ask_tool("socketfilterfw", "--getglobalstate")
    if told is None or told.code:
        return _unknown(port, "socketfilterfw --listapps")
    if "disabled" in told.text:
        return _idle(_("the macOS firewall"))
    why = _("the macOS firewall is on and asks for each program")
    return Gate(None, why, _("agree when macOS asks whether Python may accept connections"))
