"""Known deviations: what they excuse, when they cease to, that they change no verdict; and the JUnit rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import junitparser
import pytest

from conformance.__main__ import main
from conformance.baseline import MAX_WORDS, Baseline, parse, read
from conformance.judge import judge
from conformance.report import facts, junit
from conformance.verdicts import CaseResult, Outcome, Verdict, say
from stationgate import language
from stationgate.exits import ExitCode, UsageFault

from .conftest import demo_run, recording

CRC, CLOSED, DRIFT = "access/framing/crc", "access/state/change-reported", "access/report/drift"
TODAY = date(2026, 3, 31)


def entry(case: str = CRC, verdict: str = "FAIL", expires: str = "2026-03-31", **more: str) -> str:
    words = {"reason": "fixed in 2.4", "owner": "Li"} | more
    return (
        f'[[known]]\ncase = "{case}"\nverdict = "{verdict}"\nexpires = {expires}\n'
        f'reason = "{words["reason"]}"\nowner = "{words["owner"]}"\n'
    )


def baseline(*entries: str) -> Baseline:
    return parse("\n".join(entries), "known.toml")


def results(**verdicts: Verdict) -> list[CaseResult]:
    cases = {"crc": CRC, "closed": CLOSED, "drift": DRIFT}
    return [
        CaseResult(cases[name], "REQ-A-07", "6.3", "shall", Outcome(verdict, say("x"), say("y")), "real")
        for name, verdict in verdicts.items()
    ]


def cases_of(entries: Iterable[object]) -> list[str]:
    return [getattr(e, "entry", e).case for e in entries]  # type: ignore[attr-defined]


class TestCompare:
    def test_known_failure_does_not_fail(self) -> None:
        judged = results(crc=Verdict.FAIL, closed=Verdict.PASS)
        found = baseline(entry()).compare(judged, TODAY)
        assert cases_of(found.known) == [CRC]
        assert found.exit_code(judged) is ExitCode.OK
        assert [result.verdict for result in judged] == [Verdict.FAIL, Verdict.PASS]

    def test_other_failure_still_fails(self) -> None:
        judged = results(crc=Verdict.FAIL, closed=Verdict.FAIL)
        assert baseline(entry()).compare(judged, TODAY).exit_code(judged) is ExitCode.FAIL

    @pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.WARN])
    def test_other_verdicts_can_be_known_too(self, verdict: Verdict) -> None:
        judged = results(crc=verdict)
        found = baseline(entry(verdict=verdict.value)).compare(judged, TODAY)
        assert found.exit_code(judged, strict=True) is ExitCode.OK
        assert baseline().compare(judged, TODAY).exit_code(judged, strict=True) is not ExitCode.OK

    def test_unexpected_pass_fails(self) -> None:
        judged = results(crc=Verdict.PASS)
        found = baseline(entry()).compare(judged, TODAY)
        assert (cases_of(found.unexpected), found.stale) == ([CRC], True)
        assert found.exit_code(judged) is ExitCode.FAIL

    @pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE])
    def test_expired_entry_fails_whatever_came(self, verdict: Verdict) -> None:
        judged = results(crc=verdict)
        found = baseline(entry()).compare(judged, date(2026, 4, 1))
        assert (cases_of(found.expired), found.known, found.unexpected) == ([CRC], (), ())
        assert found.exit_code(judged) is ExitCode.FAIL

    def test_last_day_still_counts(self) -> None:
        judged = results(crc=Verdict.FAIL)
        assert baseline(entry()).compare(judged, TODAY).exit_code(judged) is ExitCode.OK

    @pytest.mark.parametrize(
        ("listed", "came", "code"),
        [
            ("FAIL", Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
            ("WARN", Verdict.FAIL, ExitCode.FAIL),
            ("FAIL", Verdict.WARN, ExitCode.OK),
            ("FAIL", Verdict.ERROR, ExitCode.ERROR),
            ("FAIL", Verdict.NOT_APPLICABLE, ExitCode.OK),
        ],
    )
    def test_other_verdict_counts_as_if_not_listed(self, listed: str, came: Verdict, code: ExitCode) -> None:
        judged = results(crc=came)
        found = baseline(entry(verdict=listed)).compare(judged, TODAY)
        assert [(other.entry.case, other.found) for other in found.other] == [(CRC, came)]
        assert found.exit_code(judged) is code

    def test_case_outside_the_run_is_stated_and_fails_nothing(self) -> None:
        judged = results(closed=Verdict.PASS)
        found = baseline(entry(), entry(DRIFT, expires="2020-01-01")).compare(judged, TODAY)
        assert cases_of(found.absent) == [CRC, DRIFT]
        assert found.exit_code(judged) is ExitCode.OK


class TestFile:
    def test_empty_file_knows_nothing(self) -> None:
        assert parse("", "known.toml").entries == ()

    def test_chinese_path_and_text(self, tmp_path: Path) -> None:
        file = tmp_path / "已知偏差.toml"
        file.write_bytes(b"\xef\xbb\xbf" + entry(reason="固件 2.4 修复").encode())
        (known,) = read(file).entries
        assert (known.reason, known.expires, known.verdict) == ("固件 2.4 修复", TODAY, Verdict.FAIL)

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            (entry("access/framing/crcs"), "unknown case: access/framing/crcs", "did you mean access/framing/crc?"),
            (entry("xyzzy"), "unknown case: xyzzy", "list them with: conformance list"),
            (entry(verdict="PASS"), "unknown verdict: PASS", "known are: FAIL, WARN, INCONCLUSIVE, PENDING"),
            (entry(verdict="FAILL"), "unknown verdict: FAILL", "did you mean FAIL?"),
            (entry(expires='"2026-03-31"'), "expires = '2026-03-31': expected a date", "without quotes"),
            (entry(expires="2026-03-31T00:00:00"), "expected a date", "without quotes"),
            (entry(owner=" "), "owner: expected text in quotes, 1 to 300 characters", ""),
            (entry(reason="x" * (MAX_WORDS + 1)), "reason: expected text in quotes", ""),
            (entry(reason="\\u0007"), "reason: expected text in quotes", ""),
            (entry().replace("reason", "reasn"), "unknown key: reasn", "did you mean reason?"),
            (entry().replace("owner = ", "# "), "owner is missing", ""),
            (entry() + entry(), f"{CRC} is listed twice", ""),
            ("[[knwon]]", "unknown key: knwon", "[[known]]"),
            ("known = 1", "expected [[known]] tables", ""),
            ("known = [1]", "expected [[known]] tables", ""),
            ("[[known]", "is no valid TOML at line 1", ""),
        ],
    )
    def test_mistake_is_told_in_one_sentence(self, text: str, message: str, hint: str) -> None:
        with pytest.raises(UsageFault) as refused:
            parse(text, "known.toml")
        assert refused.value.message.startswith("known.toml")
        assert message in refused.value.message
        assert hint in refused.value.hint

    def test_entry_is_named_by_its_number(self) -> None:
        with pytest.raises(UsageFault, match=r"^known\.toml, \[\[known\]\] 2: unknown case"):
            baseline(entry(), entry("nothing/like/it"))

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault, match=r"cannot read the baseline .*: no such file"):
            read(tmp_path / "none.toml")

    def test_password_in_a_reason_is_masked(self) -> None:
        assert baseline(entry(reason="answers PW=123456 wrongly")).entries[0].reason == "answers PW=***"


class TestShown:
    def comparison(self):  # type: ignore[no-untyped-def]
        judged = results(crc=Verdict.FAIL, closed=Verdict.PASS)
        return baseline(entry(), entry(CLOSED), entry(DRIFT)).compare(judged, TODAY)

    def test_lines(self) -> None:
        assert list(self.comparison().lines()) == [
            "baseline known.toml: 1 known, 1 unexpected pass, 0 expired",
            f"  known            {CRC}            FAIL  fixed in 2.4 (Li, until 2026-03-31)",
            f"  unexpected pass  {CLOSED}  listed as FAIL, passes now: take the entry out",
            f"  not in this run  {DRIFT}           fixed in 2.4 (Li, until 2026-03-31)",
        ]

    def test_fields(self) -> None:
        found = self.comparison()
        shown = found.fields()["baseline"]
        assert {key: cases_of_json(value) for key, value in shown.items() if key != "file"} == {
            "known": [CRC],
            "unexpected_pass": [CLOSED],
            "expired": [],
            "other_verdict": [],
            "not_in_run": [DRIFT],
        }
        assert found.case_fields(CRC) == {
            "known_deviation": {
                "case": CRC, "verdict": "FAIL", "reason": "fixed in 2.4", "owner": "Li", "expires": "2026-03-31",
            }
        }  # fmt: skip
        assert found.case_fields(CLOSED) == {"known_deviation": None}

    def test_junit_properties(self) -> None:
        found = self.comparison()
        assert dict(found.properties(CRC)) == {"known-deviation": "fixed in 2.4 (Li, until 2026-03-31)"}
        assert list(found.properties(CLOSED)) == []
        assert list(found.suite_properties()) == [("baseline", "known.toml"), ("baseline.unexpected-pass", CLOSED)]

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_every_kind_of_entry_is_told_in_both_languages(self, lang: language.Language) -> None:
        judged = results(crc=Verdict.INCONCLUSIVE, closed=Verdict.PASS)
        listed = baseline(entry(), entry(CLOSED, expires="2020-01-01"), entry(DRIFT))
        with language.speaking(lang):
            text = "\n".join(listed.compare(judged, TODAY).lines())
            assert all(case in text for case in (CRC, CLOSED, DRIFT))
            assert Verdict.INCONCLUSIVE.word in text
            assert "{" not in text


def cases_of_json(entries: list[dict[str, str]]) -> list[str]:
    return [entry["case"] for entry in entries]


def test_defect_that_is_known_passes_and_once_mended_fails() -> None:
    """The whole way with a real recording: a defect, its baseline, the defect gone."""
    profile, plan = demo_run()
    broken = judge(recording("modbus-crc"), profile, plan)
    known = [entry(r.case, r.verdict.value) for r in broken if r.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)]
    listed = baseline(*known)
    assert listed.compare(broken, TODAY).exit_code(broken) is ExitCode.OK
    mended = judge(recording(), profile, plan)
    found = listed.compare(mended, TODAY)
    assert len(found.unexpected) == len(known)
    assert found.exit_code(mended) is ExitCode.FAIL


@pytest.mark.loopback
class TestCommand:
    """``--baseline`` of a run: the exit code, and what each output says of it."""

    FILE = "known.toml"

    @pytest.fixture(autouse=True)
    def in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("STATIONGATE_HOME", str(tmp_path / "home"))

    def demo(self, *words: str, known: str) -> int:
        Path(self.FILE).write_text(known, encoding="utf-8")
        return main(["demo", "--fault", "modbus-crc", "--baseline", self.FILE, "--lang", "en", *words])

    def test_everything_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        far = "2999-01-01"
        known = entry(expires=far) + entry("access/framing/crc-upper-case", "INCONCLUSIVE", far)
        assert self.demo("--junit", "report.xml", "--json", known=known) == 0
        out, err = capsys.readouterr()
        events = {event.get("id", event["event"]): event for event in map(json.loads, out.splitlines())}
        assert events["run-end"]["exit_code"] == 0
        assert events["run-end"]["counts"]["FAIL"] == 1
        assert len(events["run-end"]["baseline"]["known"]) == 2
        assert events[CRC]["verdict"] == "FAIL"
        assert events[CRC]["known_deviation"]["owner"] == "Li"
        assert events[CLOSED]["known_deviation"] is None
        lines = err.splitlines()
        assert f"baseline {self.FILE}: 2 known, 0 unexpected passes, 0 expired" in lines
        assert lines[-1].startswith("Not judged: ")
        (suite,) = junitparser.JUnitXml.fromfile("report.xml")
        (crc,) = (case for case in suite if case.name == CRC)
        assert properties(crc)["known-deviation"] == "fixed in 2.4 (Li, until 2999-01-01)"
        assert isinstance(crc.result[0], junitparser.Failure)

    def test_expired(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.demo(known=entry(expires="2020-01-01")) == 1
        assert "0 known, 0 unexpected passes, 1 expired" in capsys.readouterr().out

    def test_mistake_is_found_before_the_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.demo(known=entry("access/framing/crcs")) == 2
        out, err = capsys.readouterr()
        assert (out, "did you mean access/framing/crc?" in err) == ("", True)


@cache
def one_of_each() -> junitparser.TestSuite:
    """The JUnit report of a run whose first cases got each verdict once."""
    profile, plan = demo_run()
    judged = judge(recording(), profile, plan)
    others = [verdict for verdict in Verdict if verdict is not Verdict.PASS]
    for at, verdict in enumerate(others):
        said = Outcome(verdict, judged[at].outcome.expected, say("because"))
        judged[at] = replace(judged[at], outcome=said)
    report = facts.build(judged, recording(), profile, plan, version="0")
    (suite,) = junitparser.JUnitXml.fromstring(junit.render(report).encode())
    return suite


def properties(case: junitparser.TestCase) -> dict[str, str]:
    return {found.name: found.value for found in case.child(junitparser.Properties)}


class TestJunit:
    """ERROR is an error; what was not judged is skipped with its reason; WARN passes and says so."""

    @pytest.fixture
    def suite(self) -> dict[str, junitparser.TestCase]:
        """The first case of each verdict, by the verdict."""
        found: dict[str, junitparser.TestCase] = {}
        for case in one_of_each():
            found.setdefault(properties(case)["verdict"], case)
        return found

    def test_counts(self) -> None:
        suite = one_of_each()
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (len(demo_run()[1].cases), 1, 1, 3)

    @pytest.mark.parametrize(
        ("verdict", "kind"),
        [
            ("FAIL", junitparser.Failure),
            ("ERROR", junitparser.Error),
            ("INCONCLUSIVE", junitparser.Skipped),
            ("PENDING", junitparser.Skipped),
            ("NOT_APPLICABLE", junitparser.Skipped),
        ],
    )
    def test_result(self, suite: dict[str, junitparser.TestCase], verdict: str, kind: type) -> None:
        (result,) = suite[verdict].result
        assert isinstance(result, kind)
        assert result.type == verdict
        assert result.message == f"{verdict}: because"

    def test_warning_passes_with_a_property(self, suite: dict[str, junitparser.TestCase]) -> None:
        assert suite["WARN"].is_passed
        assert properties(suite["WARN"])["warning"] == "because"

    def test_pass_has_no_result(self, suite: dict[str, junitparser.TestCase]) -> None:
        assert suite["PASS"].is_passed
        assert "warning" not in properties(suite["PASS"])
