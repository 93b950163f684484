"""``conformance explain ID``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.case import CASES
from conformance.catalogue import cases, requirements
from conformance.demo import demo_profile
from conformance.explain import explain
from conformance.profile import Limits
from stationgate import language
from stationgate.exits import ExitCode, UsageFault
from stationgate.language import Language, speaking
from stationgate.layout import display_width

DRIFT = "access/report/drift"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", os.environ.get("LANGUAGE", "en"))
    language.activate("en")
    yield
    language.activate("en")


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("id", CASES)
def test_every_case_is_explained(id: str, lang: Language) -> None:
    with speaking(lang):
        shown = explain(id)
        row = cases()[id]
        assert shown.startswith(f"{id}   ")
        for part in (row.title, row.clause, row.requirement_label, requirements()[row.requirement].text[:20]):
            assert part in shown
        flowing = " ".join(shown.split())
        for fault in CASES[id].killed_by:
            assert fault in flowing
        for name in CASES[id].limits:
            assert f"{name} = " in shown
    shown.encode("gbk")
    assert all(char == "\n" or char.isprintable() for char in shown)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("id", requirements())
def test_every_requirement_is_explained(id: str, lang: Language) -> None:
    with speaking(lang):
        shown = explain(id)
        assert requirements()[id].text[:30] in shown.replace("\n", " ").replace("  ", " ") or lang == "zh"
        for row in cases().values():
            assert (row.id in shown) == (row.requirement == id)


def test_parts_of_a_case() -> None:
    shown = explain(DRIFT)
    assert "1. wait for the device to connect and report" in shown
    assert "drift_s = 60 s (suite default, REQ-A-08)" in shown
    assert "access/report/data-time-step: " in shown
    assert "conformance demo --fault drifting-timer" in shown
    assert "SHOULD" in shown.splitlines()[0]


def test_person_is_announced_where_one_has_to_act() -> None:
    assert "(a person acts)" in explain("access/alarm/fault")
    assert "(a person acts)" not in explain(DRIFT)


def test_limits_are_those_of_the_profile() -> None:
    profile = demo_profile()
    limits = {**profile.limits, "drift_s": replace(profile.limits["drift_s"], value=7, origin="profile")}
    assert "drift_s = 7 s (profile, REQ-A-08)" in explain(DRIFT, profile=replace(profile, limits=Limits(limits)))


def test_case_that_the_profile_leaves_out_says_why() -> None:
    profile = demo_profile()
    undeclared = replace(profile, declare={**profile.declare, "log": False})
    assert "by this profile: [declare] log is not declared" in explain("access/header/chinese-text", profile=undeclared)
    assert "by this profile" not in explain("access/header/chinese-text", profile=profile)


def test_examples_mark_the_words_that_differ() -> None:
    lines = explain("access/framing/crc", width=300).splitlines()
    bad = next(i for i, line in enumerate(lines) if line.strip().startswith("bad "))
    at = lines[bad + 1].index("^")
    marked = lines[bad][at : at + lines[bad + 1].count("^")]
    assert marked == cases()["access/framing/crc"].bad[-4:]


def test_example_that_differs_in_everything_has_no_marks() -> None:
    assert "^" not in explain("access/link/speaks")


@pytest.mark.parametrize("what", ["REQ-A-07d", "req-a-07D"])
def test_sub_check_lists_its_cases(what: str) -> None:
    shown = explain(what)
    assert "access/framing/crc (SHALL)" in shown
    assert "access/framing/tail" not in shown


@pytest.mark.parametrize("width", [60, 88, 120])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_lines_keep_to_the_width(width: int, lang: Language) -> None:
    with speaking(lang):
        for line in explain("access/link/repeats-unanswered", width=width).splitlines()[2:]:
            assert display_width(line) <= width or " " not in line.strip(), line


@pytest.mark.parametrize(
    ("what", "offer"),
    [
        ("crc", "access/framing/crc, access/framing/crc-upper-case"),
        ("access/framing/crk", "access/framing/crc"),
        ("access/opening/crc", "access/framing/crc"),
        ("framing", "access/framing/tail"),
        ("REQ-A-99", "REQ-A-09"),
        ("drfit", "access/report/drift"),
    ],
)
def test_unknown_id_offers_what_comes_near(what: str, offer: str) -> None:
    with pytest.raises(UsageFault) as caught:
        explain(what)
    assert what in str(caught.value)
    assert offer in caught.value.hint
    assert caught.value.hint.count(",") < 5
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("what", ["", "/", "zzz", "\x1b[2J"])
def test_unknown_id_without_anything_near_names_the_list(what: str) -> None:
    with pytest.raises(UsageFault) as caught:
        explain(what)
    assert "conformance list" in caught.value.hint
