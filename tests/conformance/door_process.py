"""The simulated door in a process of its own, and a relay rig that acts at it: both outlive the suite's process.

    python door_process.py door --port 8212 [--interval 2] [--fault NAME]...
    python door_process.py rig --control 40001

The door connects to the port, tells the port of its control socket as a line of JSON on standard output, and ends at
``quit`` or at the end of its standard input. Each line of the control socket is one act or question, each answer a
line: ``open METHOD PERSON``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in``, ``power-cycle``, ``quit`` are
answered ``ok``, ``settings`` by everything of the door that a platform can set, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hj212 import HJ_212_2017
from simulator import station as stations
from simulator.faults import behaviour_with
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.world import Method

MN = "64010000ACCE550000000001"
PW = "123456"
PEOPLE = {"A": "NX000012", "B": "NX000034"}
#: Seconds that a real controller takes minutes for: so that a whole run fits into a test.
RECONNECT_S = 0.2
BOOT_S = 0.3
#: How long the rig takes from the prompt to the act, and from the act to saying so.
WALK_S = 0.05
#: An act is answered by then; a power cycle takes the longest.
ANSWER_S = 10.0


class Door:
    """The door with its control socket."""

    def __init__(self, options: argparse.Namespace) -> None:
        loop = asyncio.get_running_loop()
        # The wire has whole seconds for OverTime; what the door starts with need not.
        rules = replace(
            HJ_212_2017,
            response_timeout_s=options.overtime,
            resend_count=options.recount,
            realtime_interval_range_s=(1, HJ_212_2017.realtime_interval_range_s[1]),
        )
        settings = DoorSettings(mn=MN, pw=PW, interval_s=options.interval, rules=rules)
        behaviour = behaviour_with(options.fault)
        self.controller = DoorController(settings, behaviour, loop.time(), time.time() - loop.time())
        self.station = Station(self.controller, "127.0.0.1", options.port)
        self.over = asyncio.Event()

    def settings(self) -> dict[str, float]:
        """Return everything that a platform can set: by 1062, 1000 and 1012."""
        door = self.controller
        return {
            "interval_s": door.interval_s,
            "overtime_s": door._overtime_s,
            "recount": door._recount,
            "clock_error_s": door._clock_error,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                answer = await self.obey(line.decode().split())
                writer.write(answer.encode() + b"\n")
                await writer.drain()
        writer.close()

    async def obey(self, words: list[str]) -> str:
        door = self.controller
        acts: dict[str, Callable[[float], None]] = {
            "open": lambda now: door.open(Method(words[1]), PEOPLE.get(words[-1], ""), now),
            "close": door.close,
            "lift": lambda now: door.dismantle(True, now),
            "put-back": lambda now: door.dismantle(False, now),
            "unplug": lambda now: door.break_down(True, now),
            "plug-in": lambda now: door.break_down(False, now),
        }
        if words[0] == "settings":
            return json.dumps(self.settings())
        if words[0] == "power-cycle":
            await self.station.power_cycle()
        elif words[0] == "quit":
            self.over.set()
        else:
            self.station.act(acts[words[0]])
        return "ok"


async def be_a_door(options: argparse.Namespace) -> None:
    stations.RECONNECT_S = stations.RECONNECT_MAX_S = RECONNECT_S  # type: ignore[misc]
    stations.BOOT_S = BOOT_S  # type: ignore[misc]
    door = Door(options)
    loop = asyncio.get_running_loop()

    def watch_parent() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(door.over.set)

    threading.Thread(target=watch_parent, daemon=True).start()
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    print(json.dumps({"control": server.sockets[0].getsockname()[1]}), flush=True)
    life = asyncio.create_task(door.station.run())
    over = asyncio.create_task(door.over.wait())
    await asyncio.wait([life, over], return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        life.result()  # which it has not: it raises what went wrong


def be_a_rig(control: int) -> None:
    with socket.create_connection(("127.0.0.1", control), timeout=ANSWER_S) as link, link.makefile("rw") as lines:
        for asked in map(json.loads, sys.stdin):
            time.sleep(WALK_S)
            words = [asked["act"], asked.get("method", ""), asked.get("person", "")]
            lines.write(" ".join(filter(None, words)) + "\n")
            lines.flush()
            if lines.readline() != "ok\n":
                sys.exit(3)
            time.sleep(WALK_S)
            print(json.dumps({"id": asked["id"], "answer": "done"}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="kind", required=True)
    door = kinds.add_parser("door")
    door.add_argument("--port", type=int, required=True)
    door.add_argument("--interval", type=float, default=900.0)
    door.add_argument("--overtime", type=float, default=HJ_212_2017.response_timeout_s)
    door.add_argument("--recount", type=int, default=HJ_212_2017.resend_count)
    door.add_argument("--fault", action="append", default=[])
    rig = kinds.add_parser("rig")
    rig.add_argument("--control", type=int, required=True)
    options = parser.parse_args()
    if options.kind == "rig":
        be_a_rig(options.control)
    else:
        asyncio.run(be_a_door(options))


if __name__ == "__main__":
    main()
