"""A platform that acknowledges everything and keeps nothing: for runs in memory, and to measure a generator with."""

from __future__ import annotations

import asyncio
from typing import cast

from hj212 import HJ_212_2017, Connection, Role
from hj212.editions import RULES

__all__ = ["Sink"]


class Sink(asyncio.Protocol):
    """The platform's side of one link."""

    __slots__ = ("_connection", "_transport")

    def __init__(self) -> None:
        self._connection = Connection(Role.PLATFORM, HJ_212_2017, editions=RULES)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        connection = self._connection
        connection.receive_data(data, 0.0)  # it awaits nothing, so no clock matters
        connection.events()
        if self._transport is not None:
            self._transport.write(connection.data_to_send())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
