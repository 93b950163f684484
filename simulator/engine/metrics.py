"""Where a run stands, for Prometheus: a dozen numbers, none of them by station."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .result import Counts

__all__ = ["Exporter"]

_GAUGES = {
    "stations": "Stations of this run.",
    "linked": "Stations that have a link now.",
    "registered": "Cameras that have been registered.",
    "lag_s": "Longest time the generator's loop was late, seconds.",
    "late_s": "Longest time from the instant a message was due to its sending, seconds.",
    "cpu": "Cores used by the generator.",
}
_COUNTERS = {
    "messages": "Messages given to a link.",
    "acknowledged": "Messages that the platform acknowledged.",
    "dropped": "Messages that their station gave up.",
    "failures": "Attempts to connect that failed.",
}


class Exporter(Collector):
    """Serves metrics on loopback.

    Args:
        port: TCP port, 0 for any.

    Raises:
        OSError: If the port cannot be had.
    """

    def __init__(self, port: int) -> None:
        self._counts = Counts()
        registry = CollectorRegistry()
        registry.register(self)
        self._server, self._thread = start_http_server(port, "127.0.0.1", registry)
        self.url = f"http://127.0.0.1:{self._server.server_port}/metrics"

    def set(self, counts: Counts) -> None:
        """Take over where the run stands."""
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        for name, text in _GAUGES.items():
            label = name.removesuffix("_s") + ("_seconds" if name.endswith("_s") else "")
            yield GaugeMetricFamily(f"simulator_{label}", text, getattr(counts, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"simulator_{name}", text, getattr(counts, name))
        acted = CounterMetricFamily("simulator_faults", "How often a fault acted.", labels=["fault"])
        for fault, count in sorted(counts.faults.items()):
            acted.add_metric([fault], count)
        yield acted

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
