"""Whether the generator itself is well. One that is sick measures itself and not the platform."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stationgate.exits import EnvironmentFault
from stationgate.language import _

__all__ = ["CLOCK_STEP_S", "MAX_LAG_S", "RESERVE", "Health", "check_descriptors", "check_ports"]

#: A generator whose loop is later than this measures itself and not the platform: the run is degraded.
MAX_LAG_S: Final = 1.0
#: The clock of the machine moved by this much against the one that only goes forward: somebody set it.
CLOCK_STEP_S: Final = 1.0
#: Descriptors of a process that are not stations: files, pipes, the loop, what libraries open.
RESERVE: Final = 96
#: Ports that a system without a range of its own in /proc gives out: those of RFC 6335.
_PORTS: Final = 16_384
#: Ports that others on the machine may have taken.
_PORTS_TAKEN: Final = 64


def check_descriptors(stations: int) -> None:
    """Raise this process's limit of open files as far as its stations need and it may.

    Raises:
        EnvironmentFault: If it may not that far.
    """
    if sys.platform == "win32":
        return  # sockets are no descriptors there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = stations + RESERVE
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return
    raise EnvironmentFault(
        _("{stations} stations in one process need {wanted} open files, and it may have {limit}").format(
            stations=stations, wanted=wanted, limit=hard
        ),
        _("use --processes or --shard I/N, or raise the limit: ulimit -n {wanted}").format(wanted=wanted),
    )


def check_ports(stations: int, sources: int) -> None:
    """Compare how many stations connect from one address with the ports that an address has.

    Raises:
        EnvironmentFault: If the ports do not suffice.
    """
    each = -(-stations // max(1, sources))
    there = _port_count() - _PORTS_TAKEN
    if each > there:
        raise EnvironmentFault(
            _("{stations} stations from one address to one platform, and an address has {there} ports").format(
                stations=each, there=there
            ),
            _('give more source addresses, for example: [target] sources = ["127.0.1.1-127.0.1.{count}"]').format(
                count=-(-stations // there)
            ),
        )


def _port_count() -> int:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
        return int(high) - int(low) + 1
    except (OSError, ValueError):
        return _PORTS


class Health:
    """What goes wrong with the generator while it runs.

    Args:
        loop_time: What the loop's clock shows now.
        wall: Whether the clock of the machine matters: not on a virtual clock.
    """

    def __init__(self, loop_time: float, *, wall: bool) -> None:
        self.lag_s = 0.0
        self.refused: dict[str, int] = {}  #: attempts that this machine, not the platform, refused
        self.clock_step_s = 0.0
        self._wall = wall
        self._offset = time.time() - loop_time
        self._cpu_at = time.process_time()
        self._began = time.monotonic()

    def beat(self, loop_time: float, late_s: float) -> None:
        """Take note of how late the loop is, and look at the clock of the machine."""
        self.lag_s = max(self.lag_s, late_s)
        if self._wall:
            step = time.time() - loop_time - self._offset
            if abs(step) > abs(self.clock_step_s):
                self.clock_step_s = step

    def failed(self, error: BaseException) -> None:
        """Take note that a connection could not be opened."""
        what = _OURS.get(getattr(error, "errno", None) or 0)
        if what:
            self.refused[what] = self.refused.get(what, 0) + 1

    @property
    def cpu(self) -> float:
        """Cores used since the beginning."""
        return (time.process_time() - self._cpu_at) / max(1e-9, time.monotonic() - self._began)

    def reasons(self, max_lag_s: float, late_s: float) -> Iterator[str]:
        """Yield why the run is degraded, a sentence each."""
        if self.lag_s > max_lag_s:
            yield _("this machine was {lag} s late; use fewer stations or more shards").format(lag=f"{self.lag_s:.1f}")
        elif late_s > max_lag_s:
            yield _("a message went out {late} s after it was due; use fewer stations or more shards").format(
                late=f"{late_s:.1f}"
            )
        if abs(self.clock_step_s) > CLOCK_STEP_S:
            yield _("somebody set this machine's clock by {step} s").format(step=f"{self.clock_step_s:+.1f}")
        if "descriptors" in self.refused:
            yield _("open files ran out; {count} attempts to connect failed").format(count=self.refused["descriptors"])
        if "ports" in self.refused:
            yield _("local ports ran out; {count} attempts to connect failed").format(count=self.refused["ports"])
        if "memory" in self.refused:
            yield _("memory for sockets ran out; {count} attempts to connect failed").format(
                count=self.refused["memory"]
            )


_OURS: Final = {
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
    errno.EADDRNOTAVAIL: "ports",
    errno.ENOBUFS: "memory",
    errno.ENOMEM: "memory",
}
