"""A hundred thousand stations on one machine: several processes and source addresses, every station answered."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIONS = 100_000
#: Descriptors that a process needs: a sixth of the stations, with some to spare for an uneven division.
EACH = 19_500
PLATFORMS = 7
PROCESSES = 6
CITY = """
duration_s = 150
[target]
port = {port}
sources = "127.0.1.1-127.0.1.6"
[[station]]
count = {stations}
mn = "64010000A000000000000001"
interval_s = 900
openings_per_hour = 0
start_spread_s = 120
"""


@pytest.mark.soak
@pytest.mark.loopback
def test_a_hundred_thousand_stations(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < EACH:
        pytest.skip(f"a process needs {EACH} open files here: ulimit -n")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
        sink = [sys.executable, str(ROOT / "benchmarks" / "sink.py"), "400", str(EACH), str(port)]
        platforms = [
            subprocess.Popen(sink, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(PLATFORMS)
        ]
        try:
            for platform in platforms:
                assert platform.stdout is not None
                assert int(platform.stdout.readline()) == port
            city = tmp_path / "city.toml"
            city.write_text(CITY.format(port=port, stations=STATIONS), "utf-8")
            command = [sys.executable, "-m", "simulator", "run", str(city), "--json", "--processes", str(PROCESSES)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=380, check=False)
        finally:
            for platform in platforms:
                platform.kill()
                platform.wait()
                assert platform.stdout is not None
                platform.stdout.close()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    end = lines[-1]
    linked = max(line["linked"] for line in lines if line["event"] == "progress")
    print(lines[-2], end)
    assert end["stations"] == linked == STATIONS
    assert end["messages"] == end["acknowledged"] >= 2 * STATIONS
    assert end["exit_code"] == 0, done.stderr  # and the generator was well
