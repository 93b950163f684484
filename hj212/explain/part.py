"""A stretch of a frame's text that knows where in the frame it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..segment import Pair

__all__ = ["Part", "in_a_row", "wire_size"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some text, mostly one ``key=value``, and where it starts, in bytes from the first ``#`` of the frame."""

    text: str
    offset: int

    @property
    def size(self) -> int:
        return wire_size(self.text)

    @property
    def key(self) -> str:
        return self.text.partition("=")[0].strip()

    @property
    def key_offset(self) -> int:
        name = self.text.partition("=")[0]
        return self.offset + wire_size(name) - wire_size(name.lstrip())

    @property
    def key_size(self) -> int:
        return wire_size(self.key)

    @property
    def value(self) -> str:
        return self.text.partition("=")[2].strip()

    @property
    def value_offset(self) -> int:
        rest = self.text.partition("=")[2]
        return self.offset + self.size - wire_size(rest.lstrip())

    @property
    def value_size(self) -> int:
        return wire_size(self.value)


def in_a_row(pairs: Iterable[Pair], offset: int) -> Iterator[Part]:
    """Yield pairs that stand one after the other, a separator between them, the first at ``offset``."""
    for pair in pairs:
        part = Part("=".join(pair), offset)
        yield part
        offset += part.size + 1


def wire_size(text: str) -> int:
    """Return how many bytes of the frame a text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
