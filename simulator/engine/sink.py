"""A platform that acknowledges everything and keeps nothing: for runs in memory, and to measure a generator with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import cast

from hj212 import HJ_212_2017, Message, Rules
from hj212.codes import CommandKind, Reply
from hj212.editions import RULES, rules_of
from hj212.encryption import Key, open_frame
from hj212.framing import Frame, Framer
from hj212.messages import acknowledgement, notice_answer
from hj212.segment import header_values
from hj212.tables.commands import command_row

__all__ = ["Sink"]

_REPLIES = frozenset(str(int(reply)) for reply in Reply)


@cache
def _answering(cn: str) -> Callable[[Message, Rules], Message] | None:
    """Return what composes the answer to a command of a station; ``None`` for what is an answer itself."""
    if cn in _REPLIES:
        return None
    row = command_row(cn, upward=True)
    return notice_answer if row is not None and row.kind is CommandKind.NOTICE else acknowledgement


@cache
def _rules(flag: int | None) -> Rules:
    return rules_of(flag, HJ_212_2017, known=RULES)


class Sink(asyncio.Protocol):
    """The platform's side of one link. It answers in the edition that a message declares, and begins nothing itself.

    Args:
        keys: Returns the SM4 keys of an MN; ``None`` where nobody encrypts.
    """

    __slots__ = ("_framer", "_keys", "_transport")

    def __init__(self, keys: Callable[[str], Sequence[Key]] | None = None) -> None:
        self._framer = Framer()
        self._keys = keys
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answers = [self._answer(found) for found in self._framer.feed(data) if isinstance(found, Frame)]
        if self._transport is not None:
            self._transport.write(b"".join(answers))

    def _answer(self, frame: Frame) -> bytes:
        segment = self._opened(frame) if self._keys else frame.segment if frame.usable else None
        if segment is None:
            return b""
        message = Message.from_bytes(segment)
        compose_answer = _answering(message.cn)
        if compose_answer is None or not message.wants_answer:
            return b""
        rules = _rules(message.flag)
        return compose_answer(message, rules).encode(rules)

    def _opened(self, frame: Frame) -> bytes | None:
        assert self._keys is not None
        opened = open_frame(frame, self._keys(header_values(frame.segment).get("MN", "")))
        return opened.segment if opened else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
