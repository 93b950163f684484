"""The command line: one last line for machines, one sentence for mistakes, both languages."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import FAULTS
from simulator.cli import build
from simulator.engine import Counts, FleetResult, health, run_fleet_virtual
from simulator.faults import CAMERA_FAULTS, mutants_of
from simulator.scenario import load, template
from stationgate.exits import UsageFault, run

from .desk import PW

#: In the order of the list: those of HJ 212, then those of cameras.
ALL_FAULTS = {**FAULTS, **CAMERA_FAULTS}
ROOT = Path(__file__).resolve().parents[2]

Simulator = Callable[..., tuple[int, str, str]]


@pytest.fixture
def simulator(capsys: pytest.CaptureFixture[str]) -> Simulator:
    """Return a function that runs the command line and returns exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(build, arguments)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def city(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a scenario and returns its path."""

    def write(text: str = "") -> str:
        file = tmp_path / "city.toml"
        file.write_text(text, "utf-8")
        return str(file)

    return write


class TestRun:
    def test_last_line_of_json(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, out, err = simulator("run", city(""), "--virtual", "--stations", "3", "--duration", "1h", "--json")
        assert (code, out.count("\n")) == (0, 2)
        summary, end = map(json.loads, out.splitlines())
        assert summary["event"] == "summary"
        assert summary["latency"] == {"p50_ms": 1, "p99_ms": 1, "max_ms": 1}
        assert list(end) == ["event", "stations", "messages", "acknowledged", "degraded", "digest", "exit_code"]
        assert (end["event"], end["stations"], end["degraded"], end["exit_code"]) == ("run-end", 3, False, 0)
        assert end["messages"] == end["acknowledged"] > 15
        assert len(bytes.fromhex(end["digest"])) == 32
        assert err.splitlines() == [
            f"3 stations, {end['messages']} messages, {end['acknowledged']} acknowledged",
            "answered within 1 ms half the time, 1 ms in 99 of 100, 1 ms at most",
            f"digest {end['digest']}",
        ]

    def test_text(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, out, err = simulator("run", city(""), "--virtual")
        assert (code, err) == (0, "")
        counts, _, digest = out.splitlines()
        assert counts.startswith("1 stations, ")
        assert digest.startswith("digest ")

    def test_text_in_chinese(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, out, _ = simulator("run", city(""), "--virtual", "--duration", "60", "--lang", "zh")
        assert (code, len(out.splitlines())) == (0, 3)

    def test_options_stand_above_the_file(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        by_options = simulator("run", city(""), "--virtual", "--seed", "9", "--duration", "2h", "--stations", "2")
        in_file = simulator("run", city("seed = 9\nduration_s = 7200\n[[station]]\ncount = 2\n"), "--virtual")
        assert by_options == in_file

    @pytest.mark.parametrize("duration", ["5400", "5400s", "90m", "90min", "1.5h", " 0.0625d ", "1.5 h"])
    def test_durations(self, simulator: Simulator, city: Callable[[str], str], duration: str) -> None:
        whole = simulator("run", city("duration_s = 5400"), "--virtual")
        assert simulator("run", city(""), "--virtual", "--duration", duration) == whole

    def test_shards(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        digests = []
        for shard in ("0/1", "0/3", "1/3", "2/3"):
            _, out, _ = simulator("run", city(""), "--virtual", "--stations", "5", "--shard", shard, "--json")
            digests.append(int(json.loads(out.splitlines()[-1])["digest"], 16))
        assert digests[0] == digests[1] ^ digests[2] ^ digests[3]

    def test_degraded_run(
        self, simulator: Simulator, city: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "MAX_LAG_S", -1.0)
        code, out, err = simulator("run", city(""), "--virtual", "--json")
        end = json.loads(out.splitlines()[-1])
        assert code == end["exit_code"] == 3
        assert end["degraded"] is True
        assert "degraded: this machine was 0.0 s late; use fewer stations or more shards" in err

    @pytest.mark.loopback
    def test_no_platform(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        code, out, err = simulator("run", city(f"[target]\nport = {port}"), "--duration", "0.2s", "--json")
        assert (code, out) == (4, "")
        assert err.splitlines() == [
            f"Error: no station could connect to 127.0.0.1:{port}",
            f"start the platform first, for example: hj212 listen --port {port}",
        ]


class TestTarget:
    FOREIGN = "[target]\nhost = '203.0.114.7'\nport = 8212\n"

    @pytest.fixture(autouse=True)
    def nothing_is_contacted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*args: object, **kwargs: object) -> None:
            raise AssertionError("contacted")

        monkeypatch.setattr("simulator.engine.processes.run_fleet", never)

    def test_foreign_target_is_refused(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, out, err = simulator("run", city(self.FOREIGN))
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            "Error: 203.0.114.7 is neither loopback nor private",
            "if that platform agreed, add --allow-target 203.0.114.7",
        ]

    def test_permission_for_another_is_none(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        assert simulator("run", city(self.FOREIGN), "--allow-target", "203.0.114.8")[0] == 2

    def test_target_of_cameras_needs_permission_too(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        camera = "[[station]]\nkind = 'dome'\n[sip]\nport = 5060\nhost = "
        code, _, err = simulator("run", city(f"{camera}'203.0.114.8'"))
        assert (code, err.splitlines()[0]) == (2, "Error: 203.0.114.8 is neither loopback nor private")
        assert simulator("run", city(f"{camera}'video.example'"))[0] == 2
        assert "[sip] port is not set" in simulator("run", city("[[station]]\nkind = 'dome'"))[2]
        both = self.FOREIGN + f"[[station]]\n{camera}'203.0.114.8'"
        assert simulator("run", city(both), "--allow-target", "203.0.114.7")[0] == 2

    def test_permission_for_several(
        self, simulator: Simulator, city: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = FleetResult(Counts(), False, "0" * 64)
        monkeypatch.setattr("simulator.engine.processes.run_fleet", lambda plan, options: result)
        text = self.FOREIGN + "[[station]]\n[[station]]\nkind = 'dome'\n[sip]\nport = 5060\nhost = 'video.example'"
        both = ("--allow-target", "video.example", "--allow-target", "203.0.114.7")
        assert simulator("run", city(text), *both)[0] == 0

    @pytest.mark.parametrize(
        ("target", "options"),
        [
            (FOREIGN, ["--allow-target", "203.0.114.7"]),
            ("[target]\nport = 8212", []),
            ("[target]\nhost = '192.168.1.5'\nport = 8212", []),
        ],
    )
    def test_allowed(
        self,
        simulator: Simulator,
        city: Callable[[str], str],
        monkeypatch: pytest.MonkeyPatch,
        target: str,
        options: list[str],
    ) -> None:
        played: list[object] = []

        def play(plan: object, *options: object) -> FleetResult:
            played.append(plan)
            return FleetResult(Counts(), False, "0" * 64)

        monkeypatch.setattr("simulator.engine.processes.run_fleet", play)
        assert simulator("run", city(target), *options)[0] == 0
        assert len(played) == 1

    def test_virtual_run_contacts_nobody(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        assert simulator("run", city(self.FOREIGN), "--virtual")[0] == 0

    @pytest.mark.parametrize("processes", ["1", "2"])
    def test_ledger_that_cannot_be_written(
        self, simulator: Simulator, city: Callable[[str], str], tmp_path: Path, processes: str
    ) -> None:
        ledger = tmp_path / "nowhere" / "city.ledger"
        code, out, err = simulator("run", city(), "--virtual", "--processes", processes, "--ledger", str(ledger))
        assert (code, out, err) == (2, "", f"Error: --ledger {ledger}: there is no such folder\n")

    def test_port_is_needed(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, _, err = simulator("run", city(""))
        assert code == 2
        assert err.startswith("Error: [target] port is not set\n")


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "options", "sentence"),
        [
            ("", ["--duration", "soon"], "--duration 'soon': expected a number with s, m, h or d"),
            ("", ["--duration", "-5s"], "--duration '-5s': expected a number with s, m, h or d"),
            *(
                ("", ["--shard", shard], f"--shard '{shard}': expected I/N with I from 0 to N-1")
                for shard in ("1/1", "0", "a/b", "0/0", "-1/4", "²/4")
            ),
            ("", ["--stations", "0"], "Invalid value for '--stations'"),
            ("", ["--stations", "1000001"], "Invalid value for '--stations'"),
            ("", ["--seed", "x"], "Invalid value for '--seed'"),
            ("", ["--closed-loop"], "--virtual and --closed-loop exclude each other"),
            ("[[station]]\nfaults = ['modbus']", [], "no fault is called 'modbus'; near: modbus-crc"),
            ("sed = 1", [], "sed: no such key"),
            ("= 1", [], "city.toml is no valid TOML"),
        ],
    )
    def test_one_sentence_and_code_2(
        self, simulator: Simulator, city: Callable[[str], str], text: str, options: list[str], sentence: str
    ) -> None:
        code, out, err = simulator("run", city(text), "--virtual", *options)
        assert (code, out) == (2, "")
        first, *more = err.splitlines()
        assert first.startswith("Error: ")
        assert sentence in first
        assert len(more) <= 1

    def test_file_that_is_not_there(self, simulator: Simulator) -> None:
        code, _, err = simulator("run", "nowhere.toml")
        assert code == 2
        assert err.splitlines() == [
            "Error: cannot read the scenario nowhere.toml: no such file or directory",
            "print one with: simulator new > city.toml",
        ]

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["rn"], "No such command 'rn'. Did you mean 'run'?"),
            (["run"], "Missing argument 'SCENARIO'."),
            (["new", "--kind", "window"], "Invalid value for '--kind'"),
            (["faults", "--jsn"], "No such option '--jsn'"),
        ],
    )
    def test_usage(self, simulator: Simulator, arguments: list[str], sentence: str) -> None:
        code, out, err = simulator(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("Error: ")
        assert sentence in err

    def test_password_is_never_shown(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        _, out, err = simulator("run", city(f"[[station]]\npw = ['{PW}']"), "--virtual")
        assert "***" in err
        assert PW not in out + err


class TestNew:
    def test_prints_the_scenario_of_the_package(self, simulator: Simulator) -> None:
        assert simulator("new") == simulator("new", "--kind", "door") == (0, template("door"), "")

    def test_what_it_prints_can_be_played(self, simulator: Simulator, city: Callable[[str], str]) -> None:
        code, out, _ = simulator("run", city(simulator("new")[1]), "--virtual", "--json")
        assert (code, json.loads(out.splitlines()[-1])["stations"]) == (0, 1)


class TestFaults:
    def test_what_the_suite_judges_comes_without_asking(self, simulator: Simulator) -> None:
        """Each name is accepted by ``conformance demo --fault``, and the suite says of it what ``expected`` says."""
        code, out, err = simulator("faults", "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        assert (code, err) == (
            0,
            f"for scenarios there are more ({len(ALL_FAULTS) - len(rows)}): simulator faults --all\n",
        )
        assert [row["name"] for row in rows] == list(mutants_of("door"))
        assert {row["expected"] for row in rows} == {"FAIL", "WARN", "INCONCLUSIVE"}

    def test_json(self, simulator: Simulator) -> None:
        code, out, err = simulator("faults", "--json", "--all")
        rows = [json.loads(line) for line in out.splitlines()]
        assert (code, err) == (0, "")
        assert [row["name"] for row in rows] == list(ALL_FAULTS)
        for row in rows:
            assert list(row) == ["name", "station", "layer", "expected", "summary"]
            fault = ALL_FAULTS[row["name"]]
            assert (row["station"], row["layer"], row["expected"]) == (fault.station, fault.layer, fault.expected)
            assert row["summary"] == fault.en

    def test_summary_in_chinese(self, simulator: Simulator) -> None:
        _, out, _ = simulator("faults", "--all", "--json", "--lang", "zh")
        assert [json.loads(line)["summary"] for line in out.splitlines()] == [fault.zh for fault in ALL_FAULTS.values()]

    def test_text_has_a_line_for_each(self, simulator: Simulator) -> None:
        code, out, _ = simulator("faults", "--all")
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()] == list(ALL_FAULTS)

    @pytest.mark.parametrize("name", CAMERA_FAULTS)
    def test_every_name_may_stand_beside_a_camera(self, city: Callable[[str], str], name: str) -> None:
        given = name + ("=2" if name in ("items_per_message", "nat_port_drift") else "")
        plan = load(city(f"[[station]]\nkind = 'dome'\nfaults = ['{given}']"))
        assert run_fleet_virtual(replace(plan, duration_s=1.0)).counts.registered == 1

    @pytest.mark.parametrize("name", ["items_per_message", "nat_port_drift=many", "sumnum_wrong=1", "sumnum"])
    def test_number_of_a_fault_is_looked_at(self, city: Callable[[str], str], name: str) -> None:
        with pytest.raises(UsageFault) as refused:
            load(city(f"[[station]]\nkind = 'dome'\nfaults = ['{name}']"))
        assert name.partition("=")[0] in refused.value.message
        assert refused.value.hint == "list them with: simulator faults"

    @pytest.mark.parametrize("name", FAULTS)
    def test_every_name_may_stand_in_a_scenario(self, city: Callable[[str], str], name: str) -> None:
        kind = {"door": "door", "logger": "water", "meter": "power"}[FAULTS[name].station]
        assert load(city(f"[[station]]\nkind = '{kind}'\nfaults = ['{name}']")).station[0].faults == (name,)


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["run"], ["new"], ["identities"], ["faults"]])
    @pytest.mark.parametrize(("language", "examples"), [("en", "Examples"), ("zh", "示例")])
    def test_starts_with_examples_and_fits_a_screen(
        self, simulator: Simulator, command: list[str], language: str, examples: str
    ) -> None:
        code, out, err = simulator(*command, "--help", "--lang", language)
        assert (code, err) == (0, "")
        first, second, *rest = out.splitlines()
        assert first.startswith(examples)
        assert second.strip().startswith("simulator ")
        assert len(rest) < 40
        assert "--lang" in out

    def test_without_a_command_help_is_an_error(self, simulator: Simulator) -> None:
        code, out, err = simulator()
        assert (code, out) == (2, "")
        assert "simulator run city.toml" in err

    def test_version(self, simulator: Simulator) -> None:
        assert simulator("--version")[1].startswith("simulator ")


def test_as_a_module(tmp_path: Path) -> None:
    """In a process of its own: the streams, the exit code, and the same digest as anywhere else."""
    file = tmp_path / "city.toml"
    file.write_text(template("door"), "utf-8")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}
    done = [
        subprocess.run(
            [sys.executable, "-W", "error", "-m", "simulator", "run", str(file), "--virtual", "--json"],
            capture_output=True,
            encoding="utf-8",
            env={**environment, "PYTHONHASHSEED": seed, "TZ": zone},
            timeout=60,
            check=False,
        )
        for seed, zone in (("1", "UTC"), ("2", "Asia/Shanghai"))
    ]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    assert done[0].stdout == done[1].stdout
    assert json.loads(done[0].stdout.splitlines()[-1])["exit_code"] == 0
