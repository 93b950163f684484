"""Metrics of a running fleet: served on loopback, as Prometheus reads them, and none of them by station."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from simulator.engine import Counts
from simulator.engine.metrics import Exporter

pytestmark = [pytest.mark.loopback, pytest.mark.usefixtures("nothing_left_open")]


def scraped(exporter: Exporter) -> dict[str, float]:
    with urlopen(exporter.url, timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_where_a_run_stands_is_served() -> None:
    exporter = Exporter(0)
    try:
        assert scraped(exporter)["simulator_stations"] == 0
        exporter.set(
            Counts(
                stations=18_000,
                linked=17_990,
                registered=3,
                messages=120,
                acknowledged=118,
                lag_s=0.25,
                faults={"modbus-crc": 7},
            )
        )
        found = scraped(exporter)
    finally:
        exporter.close()
    assert found["simulator_stations"] == 18_000
    assert found["simulator_linked"] == 17_990
    assert found["simulator_registered"] == 3
    assert found["simulator_messages_total"] == 120
    assert found["simulator_acknowledged_total"] == 118
    assert found["simulator_lag_seconds"] == 0.25
    assert found["simulator_faults_total[modbus-crc]"] == 7
    assert len(found) < 20


def test_port_that_is_taken() -> None:
    first = Exporter(0)
    try:
        port = int(first.url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            Exporter(port)
    finally:
        first.close()
