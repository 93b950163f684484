"""A station's own clock, which may be wrong, and the QNs that it makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hj212.times import format_qn

__all__ = ["Timekeeper"]

#: Milliseconds from a periodic report on whose QNs are its own.
REPORT_QNS: Final = 100


class Timekeeper:
    """What shows a station the time, and gives its messages their QNs.

    Args:
        epoch: POSIX seconds at ``now == 0``: the true time is ``epoch + now``.
        error_s: How much its clock is wrong.
    """

    __slots__ = ("_clock_error", "_epoch", "_last_qn_ms", "_latest_qn_ms", "_spare_ms")

    def __init__(self, epoch: float, error_s: float) -> None:
        self._epoch = epoch
        self._clock_error = error_s
        self._last_qn_ms = self._latest_qn_ms = self._spare_ms = -1

    def device_time(self, now: float) -> float:
        """Return what the station's own clock shows at ``now``, POSIX seconds."""
        return self._epoch + now + self._clock_error

    def step_clock(self, seconds: float) -> None:
        """Let the station's clock jump."""
        self._clock_error += seconds
        self._last_qn_ms = -1

    def set_time(self, posix: float, now: float) -> None:
        """Let the station's clock show a time at ``now``."""
        # To the millisecond, so that a grid of reports on this clock stays at whole milliseconds of run time.
        self._clock_error = round(posix - (self._epoch + now), 3)
        self._last_qn_ms = -1

    def next_qn(self, now: float) -> str:
        """Return a QN for an upload composed at ``now``.

        No two are equal. After the clock was set back the same milliseconds come again; then it differs at least from
        those of the uploads that still wait for their acknowledgement.
        """
        wall_ms = max(round(self.device_time(now) * 1000), self._last_qn_ms + 1)
        if wall_ms <= self._latest_qn_ms:
            taken = set(self._awaited_qns())
            while format_qn(wall_ms) in taken:
                wall_ms += 1
        self._last_qn_ms = wall_ms
        self._latest_qn_ms = max(self._latest_qn_ms, wall_ms)
        return self._written_qn(wall_ms)

    def _spare_qn(self, now: float, report: float | None) -> str:
        """Return a QN for what a platform asked for, so that those of the station's own uploads stay what they are.

        Args:
            now: When.
            report: When the next periodic report is due.
        """
        wall_ms = max(round(self.device_time(now) * 1000), self._spare_ms + 1)
        if report is not None:
            report_ms = round(self.device_time(report) * 1000)
            if report_ms <= wall_ms < report_ms + REPORT_QNS:
                wall_ms = report_ms + REPORT_QNS
        self._spare_ms = wall_ms
        return self._written_qn(wall_ms)

    def _awaited_qns(self) -> Iterable[str]:
        """Return the QNs of the uploads that wait for their acknowledgement."""
        raise NotImplementedError

    def _written_qn(self, wall_ms: int) -> str:
        """Return the QN of a millisecond, as the station writes it."""
        raise NotImplementedError
