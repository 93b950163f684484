"""What happens to HJ 212 stations at an instant of the scenario, as the platform sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.clock import EPOCH
from simulator.engine import FleetResult, Options, run_fleet_virtual
from simulator.ledger import LedgerFile
from simulator.scenario import parse

STATIONS = 5
CITY = """
duration_s = 900
[[station]]
kind = "water"
count = 5
interval_s = 10
phase = "spread"
edition = "2025"
"""


def play(tmp_path: Path, event: str) -> tuple[FleetResult, list[float], list[float]]:
    """Return the result, the instants at which restarts were composed, and how long each message waited to be sent."""
    ledger = tmp_path / "ledger"
    result = run_fleet_virtual(parse(CITY + event), Options(ledger=ledger))
    due: dict[int, float] = {}
    restarts, waited = [], []
    for line in LedgerFile(ledger):
        if not isinstance(line, list):
            continue
        if line[0] == "c":
            due[line[1]] = round(line[8] / 1000 - EPOCH, 3)
            if line[4] == "2081":
                restarts.append(due[line[1]])
        elif line[0] == "s" and line[1] in due:
            waited.append(round(line[2] / 1000 - EPOCH - due.pop(line[1]), 3))
    return result, restarts, waited


def test_reconnect_storm(tmp_path: Path) -> None:
    """Every link breaks and is dialled again at once: nobody waits for the pause before a new attempt."""
    result, restarts, waited = play(tmp_path, '[[event]]\nwhat = "reconnect-storm"\nat = 100.5\n')
    assert restarts == [0.0] * STATIONS
    assert max(waited) == 0.0
    assert result.counts.messages == result.counts.acknowledged


def test_carrier_outage(tmp_path: Path) -> None:
    """Stations work on and keep what they have to tell; all dial at once when the carrier is back."""
    result, restarts, waited = play(tmp_path, '[[event]]\nwhat = "carrier-outage"\nat = 100.5\nfor_s = 120\n')
    assert restarts == [0.0] * STATIONS
    assert 110 < max(waited) <= 120
    assert sum(1 for each in waited if each > 0) == pytest.approx(STATIONS * 12, abs=STATIONS)
    assert result.counts.messages == result.counts.acknowledged


def test_power_cut(tmp_path: Path) -> None:
    """Nothing is measured without power; each station boots for 20 s and tells that it was restarted."""
    event = '[[event]]\nwhat = "power-cut"\nat = 100.5\nfor_s = 120\nspread_s = 30\n'
    result, restarts, waited = play(tmp_path, event)
    assert restarts[:STATIONS] == [0.0] * STATIONS
    assert len(restarts) == 2 * STATIONS
    assert all(240.5 <= at <= 270.5 for at in restarts[STATIONS:])
    assert len(set(restarts[STATIONS:])) == STATIONS
    assert max(waited) == 0.0
    assert result.counts.messages == result.counts.acknowledged
    quiet = play(tmp_path, "")[0]
    assert result.counts.messages < quiet.counts.messages - STATIONS * 11


def test_restart_of_one_kind(tmp_path: Path) -> None:
    _, restarts, _ = play(tmp_path, '[[event]]\nwhat = "restart"\nselect = "water"\nat = 300\n')
    assert restarts[STATIONS:] == [320.0] * STATIONS
