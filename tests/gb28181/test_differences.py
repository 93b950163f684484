"""The comparison of the editions: from the records and tables, whole, and shown by the command line."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022
from gb28181.__main__ import main
from gb28181.differences import (
    CODE_TABLES,
    code_differences,
    command_differences,
    differences,
    element_differences,
    value_differences,
)
from gb28181.editions import Edition, Rules
from gb28181.manscdp.body import Need

OLD, NEW = Edition.GBT_28181_2016, Edition.GBT_28181_2022


def test_every_fact_of_the_records_is_compared() -> None:
    named = {field.name for field in fields(Rules)} - {"edition", "title", "clauses"}
    assert {row.fact for row in differences()} == named


def test_facts_read_as_the_editions_have_them() -> None:
    facts = {row.fact: row for row in differences()}
    assert facts["charset"].values == {OLD: "GB2312", NEW: "GB18030"}
    assert facts["alarm_methods_separator"].values == {OLD: None, NEW: "/"}
    assert facts["position_list"].values == {OLD: False, NEW: True}
    assert facts["keepalive_s"].values == {OLD: "60", NEW: "60"}
    assert [facts["charset"].differs, facts["keepalive_s"].differs] == [True, False]
    assert all(row.zh and row.en and row.zh != row.en for row in facts.values())
    (only,) = differences((GBT_28181_2022,))[:1]
    assert list(only.values) == [NEW]


def test_commands_of_one_edition() -> None:
    found = {(row.root, row.cmd_type, row.sub_command) for row in command_differences()}
    assert len(found) == 18
    assert ("Query", "SDCardStatus", "") in found
    assert ("Control", "DeviceControl", "TargetTrack") in found
    assert ("Query", "Catalog", "") not in found


def test_elements_that_differ() -> None:
    found = {(each.where, each.element.tag): each.needs for each in element_differences()}
    assert len(found) == len(element_differences())
    assert found["Response PresetQuery", "SumNum"] == {OLD: Need.ABSENT, NEW: Need.MANDATORY}
    assert found["Notify Catalog DeviceList/Item", "Owner"] == {OLD: Need.CONDITIONAL, NEW: Need.ABSENT}
    assert found["Notify Catalog DeviceList/Item/Info", "GrassrootsCode"] == {OLD: Need.ABSENT, NEW: Need.MANDATORY}
    assert all(len(set(needs.values())) == 2 for needs in found.values())


def test_codes_that_differ() -> None:
    counts = {table: len(code_differences(table)) for table in CODE_TABLES}
    assert counts == {"types.csv": 24, "networks.csv": 11, "industries.csv": 46}
    values = {table.name: [row.code for row in rows] for table, rows in value_differences()}
    assert values["PTZType"] == ["5", "6", "7"]
    assert values["AlarmType5"] == ["13"]
    assert "RoomType" not in values


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_command_shows_all_of_it(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", lang, "editions"]) == 0
    short = capsys.readouterr().out
    assert main(["--lang", lang, "editions", "--all"]) == 0
    out = capsys.readouterr().out
    assert len(out) > len(short)
    for row in differences():
        assert (row.zh if lang == "zh" else row.en) in out
    assert GBT_28181_2016.title in out
    assert main(["--lang", lang, "editions", "--json", "--all"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds == sorted(kinds, key=["rule", "command", "element", "code", "value"].index)
    assert kinds.count("rule") == len(differences())
    assert kinds.count("command") == 18
