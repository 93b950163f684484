"""The device's clock against the suite's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .requests import Request
from .wire import Heard, posix

__all__ = ["read_offset"]


def read_offset(
    asked: Mapping[str, Request], frames: Sequence[Heard], wall: Callable[[float], float]
) -> tuple[float, float] | None:
    """Return device clock minus suite clock and its uncertainty, in seconds; ``None`` when the device did not tell.

    Args:
        asked: Requests to the device, by QN.
        frames: Frames of the device.
        wall: POSIX seconds of an instant on the suite's monotonic clock.
    """
    for qn, request in asked.items():
        if request.cn != "1011":
            continue
        for heard in frames:
            if heard.message.qn == qn and heard.message.cn == "1011":
                shown = posix(heard.message.parameter("SystemTime") or "")
                if shown is not None:
                    middle = wall((request.t + heard.t) / 2)
                    # Whole seconds are shown: the device's time lies half a second later on average.
                    return shown + 0.5 - middle, 0.5 + (heard.t - request.t) / 2
    return None
