"""What a selection picks, what it drags along, and why a case is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.case import CASES, SPEAKS
from conformance.plan import UnknownSelectionError, make_plan, tags
from conformance.profile import Profile, shipped
from conformance.steps import STEPS


@pytest.fixture
def profile() -> Profile:
    return shipped("nx-door")


def ids(profile: Profile, select: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    return [case.id for case in make_plan(profile, select, exclude).cases]


def test_no_selection_is_everything_in_report_order(profile: Profile) -> None:
    plan = make_plan(profile)
    assert [case.id for case in plan.cases] == list(CASES)
    assert plan.steps == tuple(STEPS)


def test_id_brings_its_preconditions_and_only_the_steps_they_need(profile: Profile) -> None:
    plan = make_plan(profile, ["access/framing/crc-upper-case"])
    assert [case.id for case in plan.cases] == [id for id in CASES if id in (
        SPEAKS, "access/framing/crc", "access/framing/crc-upper-case"
    )]  # fmt: skip
    assert plan.steps == ("connect",)


def test_preconditions_are_followed_to_the_end(profile: Profile) -> None:
    assert set(ids(profile, ("access/outage/open-time-kept",))) == {
        SPEAKS,
        "access/clock/offset",
        "access/values/i32006",
        "access/opening/one-record-each",
        "access/outage/records-kept",
        "access/outage/open-time-kept",
    }


@pytest.mark.parametrize("word", ["access/framing", "access/framing/", "access/framing/*", "*/framing/*"])
def test_prefix_and_glob_pick_a_group(profile: Profile, word: str) -> None:
    group = {id for id in CASES if id.startswith("access/framing/")}
    assert set(ids(profile, (word,))) == group | {SPEAKS}


def test_prefix_ends_at_a_slash(profile: Profile) -> None:
    with pytest.raises(UnknownSelectionError):
        make_plan(profile, ["access/fram"])


@pytest.mark.parametrize("tag", ["auto", "manual", "quick", "long"])
def test_tag_picks_its_cases(profile: Profile, tag: str) -> None:
    tagged = {case.id for case in CASES.values() if tag in tags(case)}
    assert tagged <= set(ids(profile, (f"@{tag}",)))
    alone = {id for id in ids(profile, (f"@{tag}",)) if id not in tagged}
    assert all(any(id in CASES[other].needs or id == SPEAKS for other in CASES) for id in alone)


def test_every_case_has_one_tag_of_each_pair() -> None:
    for case in CASES.values():
        assert len(tags(case) & {"auto", "manual"}) == 1
        assert len(tags(case) & {"quick", "long"}) == 1


def test_auto_and_quick_need_nobody_and_no_hour(profile: Profile) -> None:
    assert not any(STEPS[step].manual for step in make_plan(profile, ["@auto"]).steps)
    assert not any(STEPS[step].long for step in make_plan(profile, ["@quick"], ["@long", "@manual"]).steps)


def test_exclusion_takes_cases_out_but_not_what_the_rest_depends_on(profile: Profile) -> None:
    assert "access/framing/tail" not in ids(profile, (), ("access/framing/tail",))
    left = ids(profile, ("access/framing",), ("access/framing/crc",))
    assert "access/framing/crc" in left  # crc-upper-case depends on it
    left = ids(profile, ("access/framing",), ("access/framing/crc*",))
    assert "access/framing/crc" not in left
    assert SPEAKS in left


@pytest.mark.parametrize(
    ("select", "exclude"),
    [
        (("access/framing", "nonsense"), ()),
        ((), ("nonsense",)),
        (("@fast",), ()),
        (("",), ()),
        (("access/framing/crc ",), ()),
    ],
)
def test_word_that_matches_nothing_is_an_error(
    profile: Profile, select: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    with pytest.raises(UnknownSelectionError) as raised:
        make_plan(profile, select, exclude)
    assert str(raised.value) in (*select, *exclude)


def test_profile_leaves_cases_out_and_says_why(profile: Profile) -> None:
    plan = make_plan(profile)
    assert {id: str(why) for id, why in plan.left_out.items()} == {
        "access/header/password": "[device] pw is not declared",
        "access/report/drift": "[limits] observe_s is less than 86400 s",
    }
    bare = replace(profile, declare={"methods": ["face"]}, device={**profile.device, "pw": "1"})
    plan = make_plan(bare)
    assert {id: str(why) for id, why in plan.left_out.items()} == {
        "access/header/chinese-text": "[declare] log is not declared",
        "access/opening/nobody-invented": "[declare] exit_button is not declared",
        "access/report/drift": "[limits] observe_s is less than 86400 s",
    }
    assert "exit-button" not in plan.steps
