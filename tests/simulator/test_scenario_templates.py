"""Templates and the table of keys: every key is a field, every field a key, and all of them can be looked up."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from simulator.personalities.kinds import kinds
from simulator.scenario import (
    Event,
    FaultPlan,
    Load,
    Scenario,
    SipTarget,
    SiteGroup,
    StationGroup,
    Target,
    parse,
    template,
    template_kinds,
)
from simulator.scenario.keys import LISTS, TABLES, event_rows, keys, tables
from simulator.scenario.shapes import presets
from simulator.scenario.values import READERS
from stationgate.language import LANGUAGES, Language, speaking

DOCS = Path(__file__).resolve().parents[2] / "docs"
RECORDS: dict[str, Any] = {
    "": Scenario, "target": Target, "sip": SipTarget, "site": SiteGroup, "station": StationGroup, "fault": FaultPlan,
    "event": Event, "load": Load,
}  # fmt: skip
#: Fields that follow from other keys or from other files.
DERIVED = {"program", "listed", "once"}


@pytest.mark.parametrize("table", TABLES)
def test_table_of_keys_and_record_agree(table: str) -> None:
    named = {key.field for key in keys(table).values()} | (set(filter(None, TABLES)) if not table else set())
    assert named | DERIVED >= {field.name for field in fields(RECORDS[table])} >= named


def test_every_row_can_be_read_and_is_told_in_both_languages() -> None:
    for table in tables().values():
        for key in table.values():
            assert key.accepts in READERS
            assert key.zh
            assert key.en
            assert bool(key.default_zh) is bool(key.default_en)
            assert all(any(kind.is_one_of(frozenset({word})) for kind in kinds().values()) for word in key.kinds)


def test_every_kind_has_a_template() -> None:
    shown = {group.kind for name in template_kinds() for group in parse(template(name)).station}
    assert shown == set(kinds())
    assert {"door", "logger", "power", "camera", "site"} <= set(template_kinds())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", template_kinds())
def test_template_can_be_played(kind: str, language: Language) -> None:
    with speaking("en"):
        plain = parse(template(kind))
    with speaking(language):
        text = template(kind)
        assert parse(text) == plain
    assert plain.count > 0
    assert all(group.count for group in plain.station)
    assert text.startswith("# ")
    assert "#zh" not in text
    assert "#en" not in text


def test_template_of_a_door_shows_the_defaults() -> None:
    assert parse(template("door")) == Scenario(target=Target(port=8212))


@pytest.mark.parametrize("kind", template_kinds())
def test_template_says_what_each_key_means(kind: str) -> None:
    data = tomllib.loads(template(kind))
    for table, given in data.items():
        for one in given if isinstance(given, list) else [given]:
            for name in one if isinstance(one, dict) else ():
                assert keys(table)[name].text in template(kind)


def test_templates_show_every_key() -> None:
    """Between them, as a value or behind ``#``; a key that is added is added to one of them."""
    shown = set()
    for kind in template_kinds():
        table = ""
        for line in template(kind).splitlines():
            word, _, rest = line.removeprefix("# ").partition(" ")
            if word.startswith("["):
                table = word.strip("[]")
            elif rest.startswith("= "):
                shown.add((table, word))
    assert shown == {(table, name) for table in TABLES for name in keys(table)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_reference_has_every_key_kind_event_and_preset(language: Language) -> None:
    page = (DOCS / language / "reference" / "scenario.md").read_text("utf-8")
    sections = dict(zip(TABLES, page.split("\n## ")[1:], strict=False))
    for table in TABLES:
        title = f"[[{table}]]" if table in LISTS else f"[{table}]"
        assert not table or title in sections[table].splitlines()[0]
        for name in keys(table):
            assert f"| `{name}` |" in sections[table]
    for name in (*kinds(), *event_rows(), *presets()):
        assert f"| `{name}` |" in page
