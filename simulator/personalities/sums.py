"""Running statistics of a station's open minute, hour and day, in one small array of integers.

A value is added to the shortest window; a window that is over is folded into the next longer one. So a day's sums are
those of its hours, which are those of its minutes, and nothing is summed twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

__all__ = ["DAY", "HOUR", "LOCAL_MS", "MINUTE", "Sums", "begin_of"]

MINUTE, HOUR, DAY = 0, 1, 2
#: Beijing time is this far ahead of UTC; windows begin at its midnights.
LOCAL_MS: Final = 8 * 3_600_000
#: Cells before the columns of a level: begin of the window, its end, number of values.
_HEAD: Final = 3
#: Beyond whatever is measured, where integers have a width and where they have none.
_MOST: Final = (1 << 63) - 1
_MOST_OF_ALL: Final = 1 << 1000


def begin_of(device_ms: int, length_ms: int) -> int:
    """Return when the window began that an instant lies in; both POSIX milliseconds."""
    return device_ms - (device_ms + LOCAL_MS) % length_ms


class Sums:
    """Sums of some levels of windows.

    Args:
        levels: How many windows there are, one in the other.
        width: Columns of values.
        carried: Columns of products that are only added up.
        roomy: Whether values may be of any size, as those of a scenario's hook.
    """

    __slots__ = ("_cells", "_over", "carried", "width")

    def __init__(self, levels: int, width: int, carried: int, *, roomy: bool = False) -> None:
        self.width = width
        self.carried = carried
        cells = bytes(8 * levels * self._size)
        # Integers of a fixed width: a list of Python's would be four times as large. What a world measures has room in
        # them: value x flow x the milliseconds of a day stay below 2**60 for every row of its table.
        self._cells: array[int] | list[int] = list(cells[::8]) if roomy else array("q", cells)
        self._over: dict[tuple[int, int], int] | None = None
        for level in range(levels):
            self.reset(level, 0, 0)

    @property
    def _size(self) -> int:
        return _HEAD + 3 * self.width + self.carried

    def reset(self, level: int, begin: int, end: int) -> None:
        """Begin an empty window."""
        size = self._size
        at, width = level * size, self.width
        most = _MOST if isinstance(self._cells, array) else _MOST_OF_ALL
        empty = [begin, end, 0, *[most] * width, *[-most] * width, *[0] * (width + self.carried)]
        for n, cell in enumerate(empty):
            self._cells[at + n] = cell
        if self._over:
            self._over = {key: n for key, n in self._over.items() if key[0] != level} or None

    def open(self, device_ms: int) -> bool:
        """Tell whether an instant lies in the shortest window."""
        return self._cells[0] <= device_ms < self._cells[1]

    def begin(self, level: int) -> int:
        return self._cells[level * self._size]

    def end(self, level: int) -> int:
        return self._cells[level * self._size + 1]

    def count(self, level: int) -> int:
        return self._cells[level * self._size + 2]

    def over(self, level: int) -> dict[int, int]:
        """Return how many values of each column were above the range; what none was of is not there."""
        return {column: n for (of, column), n in (self._over or {}).items() if of == level}

    def add(self, level: int, values: Sequence[int], carried: Sequence[int], over: Iterable[int] = ()) -> None:
        """Add one value of each column."""
        at, width = level * self._size, self.width
        cells = self._cells
        cells[at + 2] += 1
        at += _HEAD
        for value in values:
            if value < cells[at]:
                cells[at] = value
            if value > cells[at + width]:
                cells[at + width] = value
            cells[at + 2 * width] += value
            at += 1
        at += 2 * width
        for product in carried:
            cells[at] += product
            at += 1
        for column in over:
            self._note(level, column, 1)

    def fold(self, level: int, into: int) -> None:
        """Add a window to a longer one."""
        width, size = self.width, self._size
        cells = self._cells
        a, b = level * size, into * size
        cells[b + 2] += cells[a + 2]
        for n in range(_HEAD, _HEAD + width):
            cells[b + n] = min(cells[b + n], cells[a + n])
        for n in range(_HEAD + width, _HEAD + 2 * width):
            cells[b + n] = max(cells[b + n], cells[a + n])
        for n in range(_HEAD + 2 * width, size):
            cells[b + n] += cells[a + n]
        for column, n in self.over(level).items():
            self._note(into, column, n)

    def _note(self, level: int, column: int, n: int) -> None:
        if self._over is None:
            self._over = {}
        self._over[level, column] = self._over.get((level, column), 0) + n

    def columns(self, level: int) -> Iterator[tuple[int, int, int]]:
        """Yield the smallest value of each column, its sum and its largest."""
        cells, width = self._cells, self.width
        at = level * self._size + _HEAD
        for n in range(at, at + width):
            yield cells[n], cells[n + 2 * width], cells[n + width]

    def products(self, level: int) -> list[int]:
        """Return the sums of the products."""
        at = level * self._size + _HEAD + 3 * self.width
        return list(self._cells[at : at + self.carried])
