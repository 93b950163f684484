"""The declared profile: read strictly, explained in one sentence, every limit with its origin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.case import CASES
from conformance.judge import judge
from conformance.plan import make_plan
from conformance.profile import Limits, Profile, limit_table, load, shipped, shipped_names
from conformance.verdicts import Verdict
from stationgate.exits import ExitCode, UsageFault

from .conftest import demo_run, recording

COMPLETE = """
extends = "nx-door"
[sample]
client = "A"
manufacturer = "B"
model = "C"
serial_number = "D"
firmware_version = "E"
[test]
place = "F"
tester = "G"
reviewer = "H"
basis = "HJ 212-2017"
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes, name: str = "door.toml") -> Profile:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(name)


def complaint(text: str | bytes) -> str:
    with pytest.raises(UsageFault) as raised:
        written(text)
    assert raised.value.exit_code == ExitCode.USAGE
    return f"{raised.value.message} / {raised.value.hint}"


def test_shipped_profile_needs_no_file() -> None:
    assert shipped_names() == ["nx-door"]
    profile = load("nx-door")
    assert profile.name == "nx-door"
    assert (profile.device["st"], profile.device["dictionary"]) == ("81", "nx")
    assert profile.declare["methods"] == ["face", "ic-card", "fingerprint", "password"]
    assert {limit.origin for limit in profile.limits.values()} == {"clause", "suite"}


def test_shipped_profile_is_found_beside_a_folder_of_its_name() -> None:
    Path("nx-door").mkdir()
    assert load("nx-door") == shipped("nx-door")


def test_unknown_shipped_profile_gets_a_suggestion() -> None:
    with pytest.raises(UsageFault) as raised:
        load("nx-dor")
    assert (raised.value.message, raised.value.hint) == ("unknown profile: nx-dor", "did you mean nx-door?")


def test_file_may_extend_a_shipped_profile_and_change_single_keys() -> None:
    profile = written('extends = "nx-door"\n[device]\npw = "1"\n[declare]\nlog = false\n[limits]\nsettle_s = 3')
    base = shipped("nx-door")
    assert profile.name == "door"
    assert profile.device == {**base.device, "pw": "1"}
    assert profile.declare == {**base.declare, "log": False}
    assert {key for key in base.limits if base.limits[key] != profile.limits[key]} == {"settle_s"}


def test_file_without_extends_starts_from_nothing() -> None:
    profile = written('profile = "mine"\n[device]\nmn = "X"')
    assert (profile.name, profile.device, profile.declare) == ("mine", {"mn": "X"}, {})
    assert dict(profile.limits) == limit_table()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[devcie]", "unknown key: devcie / did you mean device?"),
        ('[device]\nmnn = "1"', "unknown [device] key: mnn / did you mean mn?"),
        ("[limits]\nobserve = 1", "unknown [limits] key: observe / did you mean observe_s?"),
        ("[limits]\nxyzzy = 1", "unknown [limits] key: xyzzy / known are: "),
        ('[sample]\nmodell = "1"', "unknown [sample] key: modell / did you mean model?"),
        ("device = 1", "[device]: expected a table of keys"),
        ("limits = []", "[limits]: expected a table of keys"),
        ("[device]\nmn = 64010000", "[device] mn: expected text in quotes, found int"),
        ("[test]\ntester = true", "[test] tester: expected text in quotes, found bool"),
        ("[listen]\nhost = 1", "[listen] host: expected text in quotes, found int"),
        ('[listen]\nport = "8212"', "[listen] port = '8212': expected a number from 0 to 65535"),
        ("[listen]\nport = 65536", "[listen] port = 65536: expected a number from 0 to 65535"),
        ("[listen]\nport = true", "[listen] port = True: expected a number from 0 to 65535"),
        ("[limits]\nevent_s = -1", "[limits] event_s = -1: must not be negative"),
        ('[limits]\nevent_s = "300"', "[limits] event_s = '300': expected a value like 300"),
        ("[limits]\nevent_s = true", "[limits] event_s = True: expected a value like 300"),
        ("[limits]\nevent_s = [1]", "[limits] event_s = [1]: expected a value like 300"),
        ("[limits.event_s]\nvalue = 1", "[limits] event_s = {'value': 1}: expected a value like 300"),
        ("[limits]\nevent_s = 2025-09-15", "[limits] event_s = datetime.date(2025, 9, 15): expected a value like 300"),
        ("[limits]\nconnect_s = inf", "[limits] connect_s = inf: expected a value like"),
        ("[limits]\nconnect_s = nan", "[limits] connect_s = nan: expected a value like"),
        ("[limits]\nresend_count = 2.5", "[limits] resend_count = 2.5: expected a whole number"),
        ("[limits]\nquery_severity = 1", "[limits] query_severity = 1: expected a value like 'WARN'"),
        ('[limits]\nquery_severity = "PASS"', "[limits] query_severity = 'PASS': expected WARN or FAIL"),
        ('[declare]\nmethods = ["iris"]', "unknown [declare] methods: iris / known are: face, ic-card"),
        ('[declare]\nmethods = ["ic card"]', "unknown [declare] methods: ic card / did you mean ic-card?"),
        ('[declare]\nmethods = "face"', "[declare] methods = 'face': expected [\"face\", ...]"),
        ("[declare]\nmethods = [1]", "unknown [declare] methods: 1 / "),
        ('[declare]\nlog = "yes"', "[declare] log = 'yes': expected true | false"),
        ('[device]\nedition = "2005"', "unknown [device] edition: 2005 / did you mean 2017?"),
        ('[device]\ndictionary = "hebei"', "unknown [device] dictionary: hebei / known are: nx"),
        ('[test]\nlang = "de"', "unknown [test] lang: de / did you mean en?"),
        ('extends = "nx-doors"', "unknown profile: nx-doors / did you mean nx-door?"),
        ("extends = 1", "extends = 1: expected "),
        ("profile = 1", "profile = 1: expected "),
        ("[device", "door.toml is no valid TOML at line 1, column 8: "),
        ("[device]\nmn = 'a'\nmn = 'b'", "door.toml is no valid TOML at line 3, column "),
        (
            "[sample]\nclient = '银川'".encode("gbk"),
            "door.toml looks like GBK, expected UTF-8 (line 2, byte 19) / save it",
        ),
        ("[sample]".encode("utf-16"), "door.toml looks like UTF-16, expected UTF-8 (line 1, byte 0) / save it"),
    ],
)
def test_mistake_is_told_in_one_sentence(text: str | bytes, expected: str) -> None:
    found = complaint(text)
    assert found.startswith(expected)
    assert "\n" not in found.partition(" / ")[0]


def test_missing_file_names_the_shipped_profiles() -> None:
    with pytest.raises(UsageFault) as raised:
        load("absent.toml")
    assert "absent.toml: no such file or directory" in raised.value.message
    assert "nx-door" in raised.value.hint


def test_byte_order_mark_and_windows_line_ends_are_read() -> None:
    profile = written(b"\xef\xbb\xbf" + '[sample]\r\nclient = "银川"\r\n'.encode())
    assert profile.sample == {"client": "银川"}


def test_report_is_a_trial_run_until_sample_and_test_are_complete() -> None:
    assert load("nx-door").missing == [
        "sample.client",
        "sample.manufacturer",
        "sample.model",
        "sample.serial_number",
        "sample.firmware_version",
        "test.place",
        "test.tester",
        "test.reviewer",
        "test.basis",
    ]
    assert written(COMPLETE).missing == []
    assert written(COMPLETE.replace('"G"', '""')).missing == ["test.tester"]


@pytest.mark.parametrize(
    ("line", "origin"),
    [
        ("event_s = 300", "clause"),  # what the clause says
        ("event_s = 60", "profile"),
        ("event_target_s = 20", "profile"),
        ("event_target_s = 10", "profile"),  # the suite's choice, made the profile's own
    ],
)
def test_limit_knows_its_origin(line: str, origin: str) -> None:
    profile = written(f'extends = "nx-door"\n[limits]\n{line}')
    limit = profile.limits[line.split()[0]]
    assert (limit.origin, limit.value) == (origin, int(line.split()[-1]))
    assert profile.limits.from_suite(limit.name) == ()


def test_limits_shown_with_their_unit() -> None:
    limits = shipped("nx-door").limits
    assert (str(limits["event_s"]), str(limits["resend_count"]), str(limits["query_severity"])) == (
        "300 s",
        "3",
        "WARN",
    )
    assert limits.event_s == 300
    with pytest.raises(AttributeError):
        _ = limits.no_such_limit


def test_every_limit_a_case_names_exists() -> None:
    assert {name for case in CASES.values() for name in case.limits} <= set(limit_table())


def test_verdict_that_rests_on_a_suite_default_says_so() -> None:
    profile, _plan = demo_run()
    plan = make_plan(profile, ["access/report/data-time-step"])
    found = judge(recording("half-hour-report"), profile, plan)[-1].outcome
    assert found.verdict is Verdict.FAIL
    assert found.suite_default == ("step_pass_s", "step_warn_s", "min_intervals")
    own = {
        name: replace(limit, origin="profile") if name != "min_intervals" else limit
        for name, limit in profile.limits.items()
    }
    found = judge(recording("half-hour-report"), replace(profile, limits=Limits(own)), plan)[-1].outcome
    assert found.suite_default == ("min_intervals",)
    found = judge(recording(), profile, plan)[-1].outcome
    assert (found.verdict, found.suite_default) == (Verdict.PASS, ())


def test_limit_moved_by_the_profile_moves_the_verdict() -> None:
    profile, _plan = demo_run()
    plan = make_plan(profile, ["access/report/data-time-step"])
    wide = Limits({**profile.limits, "step_pass_s": replace(profile.limits["step_pass_s"], value=25)})
    assert judge(recording("slow-timer"), profile, plan)[-1].verdict is Verdict.WARN
    assert judge(recording("slow-timer"), replace(profile, limits=wide), plan)[-1].verdict is Verdict.PASS


def test_password_is_not_in_the_profile_s_representation() -> None:
    assert "s3cret" not in repr(written('extends = "nx-door"\n[device]\npw = "s3cret"'))
