"""Whether a port can be listened on, and who has it where not."""

from __future__ import annotations

import csv
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from stationgate.exits import cannot_listen
from stationgate.language import _

from .tools import ask_tool

__all__ = ["holder", "trouble"]

#: State of a listening socket in /proc/net/tcp.
_LISTEN = "0A"


def trouble(host: str, port: int) -> tuple[str, str] | None:
    """Return why a port cannot be listened on and what to do about it; ``None`` where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # On Windows alone, for the port itself; elsewhere connections of a run that just ended are no obstacle.
            option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
            probe.setsockopt(socket.SOL_SOCKET, option, 1)
            probe.bind((host, port))
            probe.listen(1)
    except (OSError, OverflowError) as error:
        return cannot_listen(host, port, error)
    return None


def holder(port: int) -> str:
    """Return which program listens on a port, ``name (process number)``; empty where that cannot be told."""
    ask = {"linux": _linux, "win32": _windows}.get(sys.platform, _lsof)
    return ask(port)


def _linux(port: int) -> str:
    sockets = dict(_listening(port))  # inode -> user
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = {os.readlink(entry) for entry in folder.iterdir()}
            if any(f"socket:[{inode}]" in links for inode in sockets):
                name = (folder.parent / "comm").read_text("utf-8", "replace").strip()
                return f"{name} ({folder.parent.name})"
        except OSError:  # another user's process, or one that has just ended
            continue
    if sockets:
        return _("a program of the user with number {number}").format(number=next(iter(sockets.values())))
    return ""


def _listening(port: int) -> Iterator[tuple[str, str]]:
    """Yield inode and user number of each listening TCP socket on the port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9], fields[7]


def _lsof(port: int) -> str:
    told = ask_tool("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc")
    found = dict(re.findall(r"^([pc])(.+)$", told.text, re.MULTILINE)) if told else {}
    return f"{found['c']} ({found['p']})" if {"p", "c"} <= found.keys() else ""


def _windows(port: int) -> str:
    told = ask_tool("netstat", "-ano", "-p", "TCP")
    # Proto, local address, foreign address, state, process; the state's name follows the language of Windows.
    rows = [line.split() for line in told.text.splitlines()] if told else []
    process = next((r[4] for r in rows if len(r) == 5 and r[1].endswith(f":{port}") and r[2].endswith(":0")), "")
    if not process:
        return ""
    named = ask_tool("tasklist", "/FI", f"PID eq {process}", "/FO", "CSV", "/NH")
    row = next(csv.reader(named.text.splitlines()), []) if named else []
    return f"{row[0]} ({process})" if len(row) > 1 else f"({process})"
