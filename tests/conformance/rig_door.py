"""A relay rig with the door it is wired to, as a program of its own: acts come in by JSON lines, frames go out by TCP.

    python rig_door.py --port 8212

The controller connects to the port, the rig presses, lifts and unplugs what it is told to, and answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from simulator.behaviour import Behaviour
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.world import Method

MN = "64010000ACCE550000000001"
PEOPLE = {"A": "NX000012", "B": "NX000034"}


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    epoch = time.time() - loop.time()
    door = DoorController(DoorSettings(mn=MN, pw="123456", interval_s=1.0), Behaviour(), loop.time(), epoch)
    station = Station(door, "127.0.0.1", port)
    life = asyncio.create_task(station.run())
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await lines.get():
        asked = json.loads(line)
        acts = {
            "open": lambda now, asked=asked: door.open(Method(asked["method"]), PEOPLE.get(asked["person"], ""), now),
            "close": door.close,
            "unplug": lambda now: door.break_down(True, now),
            "plug-in": lambda now: door.break_down(False, now),
        }
        print(f"relay {asked['act']}", file=sys.stderr, flush=True)
        station.act(acts[asked["act"]])
        await asyncio.sleep(0.2)
        print(json.dumps({"id": asked["id"], "answer": "done", "note": "relay 1"}), flush=True)
    life.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(main(parser.parse_args().port))
