"""The comparison of the editions: every fact of the records is in it, as the records have it."""

from __future__ import annotations

from dataclasses import fields

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005
from hj212.differences import Difference, differences
from hj212.editions import Edition, Rules

FACTS = {row.fact: row for row in differences()}
#: What names a record rather than a fact.
NAMES = {"edition", "title", "reply_system", "clauses"}


def values(row: Difference) -> list[str | int | bool | None]:
    return [row.values[edition] for edition in Edition]


def test_every_fact_of_the_records_is_compared() -> None:
    assert set(FACTS) == {field.name for field in fields(Rules)} - NAMES


def test_facts_read_as_the_standards_have_them() -> None:
    assert values(FACTS["flag_version"]) == [0, 1, 2]
    assert values(FACTS["max_parameters_bytes"]) == [960, 950, 950]
    assert values(FACTS["heartbeat"]) == [None, None, "9015"]
    assert values(FACTS["overtime_range_s"]) == ["1-86400", "1-99", "0-99"]
    assert values(FACTS["omitted_in_uploads"]) == ["Flag QN", None, None]
    assert FACTS["encryption"].values[Edition.HJ_212_2025] == (
        "SM4-ECB, raw; up 1014 2000-2999 3020; down 1014; key <= 90 d"
    )
    assert str(FACTS["resend_by_medium"].values[Edition.HJ_212_2025]).endswith("ADSL 5 x 3, NB-IoT 30 x 5")


def test_whether_the_editions_disagree() -> None:
    assert FACTS["flag_version"].differs
    assert not FACTS["max_segment_bytes"].differs


def test_only_some_editions() -> None:
    rows = differences((HJ_T_212_2005, HJ_212_2017))
    assert all(list(row.values) == [Edition.HJ_T_212_2005, Edition.HJ_212_2017] for row in rows)
    assert HJ_212_2025.edition not in rows[0].clauses


def test_both_languages_name_every_fact() -> None:
    assert all(row.zh and row.en and row.zh != row.en for row in FACTS.values())
