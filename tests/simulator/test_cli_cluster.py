"""Options for more than one machine: what excludes what, instants, and a start that shards agree on."""

from __future__ import annotations

import builtins
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import main
from simulator.cli import clustered
from simulator.engine import Counts, FleetResult, Plan
from simulator.engine.cluster import Cluster

SCHEDULER = ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:8786"]
Simulator = Callable[..., tuple[int, str, str]]


@pytest.fixture
def simulator(capsys: pytest.CaptureFixture[str]) -> Simulator:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def city(tmp_path: Path) -> str:
    file = tmp_path / "city.toml"
    file.write_text("[target]\nport = 8212\n[[station]]\ncount = 5\n", "utf-8")
    return str(file)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, Cluster | None]]:
    """What would be played, and where; nothing is contacted."""
    found: list[tuple[Plan, Cluster | None]] = []

    def here(plan: Plan, show: object) -> FleetResult:
        found.append((plan, None))
        return FleetResult(Counts(), False, "0" * 64)

    def there(plan: Plan, cluster: Cluster, show: object) -> FleetResult:
        found.append((plan, cluster))
        return FleetResult(Counts(), False, "0" * 64)

    monkeypatch.setattr(clustered, "play", here)
    monkeypatch.setattr(clustered, "play_on_cluster", there)
    return found


class TestEngine:
    def test_local_by_default(self, simulator: Simulator, city: str, played: list[Any]) -> None:
        assert simulator("run", city)[0] == 0
        ((plan, cluster),) = played
        assert (cluster, plan.anchor) == (None, None)

    def test_dask(self, simulator: Simulator, city: str, played: list[Any]) -> None:
        code, _, err = simulator("run", city, *SCHEDULER, "--shards", "6", "--lease", "3", "--ledger", "l")
        assert (code, err) == (0, "")
        ((plan, cluster),) = played
        assert cluster == Cluster(scheduler="tcp://127.0.0.1:8786", shards=6, lease_s=3.0)
        assert plan.ledger == Path("l")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["--engine", "dask"], "--engine dask needs --scheduler"),
            (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler needs --engine dask"),
            (["--shards", "2"], "--shards needs --engine dask"),
            ([*SCHEDULER, "--virtual"], "--virtual and --engine dask exclude each other"),
            ([*SCHEDULER, "--shard", "1/2"], "--shard and --engine dask exclude each other"),
            ([*SCHEDULER, "--processes", "2"], "--processes and --engine dask exclude each other"),
            ([*SCHEDULER, "--lease", "1"], "Invalid value for '--lease'"),
            ([*SCHEDULER, "--lease", "30"], "Invalid value for '--lease'"),
            ([*SCHEDULER, "--shards", "0"], "Invalid value for '--shards'"),
            (["--virtual", "--anchor", "2026-01-01"], "--anchor and --virtual exclude each other"),
            (["--anchor", "soon"], "--anchor 'soon': expected a date and time, or POSIX seconds"),
            (["--anchor", "12"], "--anchor '12': expected a date and time, or POSIX seconds"),
            (["--start", "nan"], "--start 'nan': expected a date and time, or POSIX seconds"),
        ],
    )
    def test_mistakes(
        self, simulator: Simulator, city: str, played: list[Any], options: list[str], sentence: str
    ) -> None:
        code, out, err = simulator("run", city, *options)
        assert (code, out, played) == (2, "", [])
        assert sentence in err

    def test_foreign_target_needs_permission_there_too(
        self, simulator: Simulator, tmp_path: Path, played: list[Any]
    ) -> None:
        file = tmp_path / "foreign.toml"
        file.write_text("[target]\nhost = '203.0.114.7'\nport = 8212\n", "utf-8")
        assert simulator("run", str(file), *SCHEDULER)[0] == 2
        assert simulator("run", str(file), *SCHEDULER, "--allow-target", "203.0.114.7")[0] == 0
        assert len(played) == 1

    def test_without_the_library(self, simulator: Simulator, city: str, monkeypatch: pytest.MonkeyPatch) -> None:
        real = importlib.import_module

        def missing(name: str, package: str | None = None) -> Any:
            if name == "distributed":
                raise ImportError(name)
            return real(name, package)

        monkeypatch.setattr(importlib, "import_module", missing)
        code, _, err = simulator("run", city, *SCHEDULER)
        assert code == 2
        assert err.splitlines() == [
            "Error: the engine dask needs the library dask[distributed]",
            "pip install 'stationgate[cluster]'",
        ]

    def test_library_is_not_loaded_without_need(
        self, simulator: Simulator, city: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = builtins.__import__

        def guarded(name: str, *rest: Any, **more: Any) -> Any:
            assert name.partition(".")[0] not in ("dask", "distributed")
            return real(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", guarded)
        assert simulator("run", city, "--virtual", "--duration", "1s")[0] == 0


class TestInstants:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("2026-01-01T08:00:00+08:00", 1767225600.0),
            ("2026-01-01T08:00:00", 1767225600.0),
            ("2026-01-01T00:00:00Z", 1767225600.0),
            ("2026-01-01T00:00:00.5004Z", 1767225600.5),
            ("1767225600", 1767225600.0),
            ("1767225600.25", 1767225600.25),
        ],
    )
    def test_anchor_and_start(
        self, simulator: Simulator, city: str, played: list[Any], text: str, seconds: float
    ) -> None:
        assert simulator("run", city, "--anchor", text)[0] == 0
        assert simulator("run", city, "--start", text)[0] == 0
        (anchored, _), (started, _) = played
        assert (anchored.anchor, anchored.scenario.epoch) == (seconds, None)
        assert (started.anchor, started.scenario.epoch) == (None, seconds)

    def test_start_changes_what_is_told(self, simulator: Simulator, city: str) -> None:
        digests = []
        for start in ("2026-01-01", "2026-01-01T00:00:00+08:00", "2026-01-02"):
            _, out, _ = simulator("run", city, "--virtual", "--duration", "1s", "--start", start, "--json")
            digests.append(json.loads(out.splitlines()[-1])["digest"])
        assert digests[0] == digests[1] != digests[2]
