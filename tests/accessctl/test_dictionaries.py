"""Dictionaries: what is in them, how they differ, and that their examples are true."""

from __future__ import annotations

import re

import pytest

from accessctl import (
    Dictionary,
    DictionaryError,
    DoorPosition,
    DoorState,
    Example,
    OpeningMethod,
    RecordError,
    RunningState,
    WireForm,
    defined_in,
    load,
    names,
    parse,
    read,
    to_json,
)
from hj212 import Frame, Framer, parse_segment

EXAMPLES = [
    pytest.param(load(name), example, id=f"{name}-{example.id}") for name in names() for example in load(name).examples
]


def frame_of(example: Example) -> Frame:
    (frame,) = Framer().feed(example.frame)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(("dictionary", "example"), EXAMPLES)
class TestExamples:
    def test_frame_is_intact(self, dictionary: Dictionary, example: Example) -> None:
        assert frame_of(example).intact

    def test_frame_decodes_to_the_records_of_the_table(self, dictionary: Dictionary, example: Example) -> None:
        records = read(parse_segment(frame_of(example).segment), dictionary)
        assert len(records) == len(example.records)
        for record, stated in zip(records, example.records, strict=True):
            found = to_json(record) | {"findings": [finding.code for finding in record.findings]}
            wanted = {"findings": []} | dict(stated)
            assert {name: found[name] for name in wanted} == wanted

    def test_strict_reading_refuses_exactly_the_deviating_ones(self, dictionary: Dictionary, example: Example) -> None:
        segment = parse_segment(frame_of(example).segment)
        deviations = [code for record in example.records for code in record.get("findings", ())]
        if deviations:
            with pytest.raises(RecordError) as refused:
                read(segment, dictionary, strict=True)
            assert refused.value.code == deviations[0]
        else:
            assert read(segment, dictionary, strict=True) == read(segment, dictionary)


class TestTables:
    def test_names(self) -> None:
        assert names() == ("hebei", "hj212-2017", "nx")

    def test_ningxia_has_the_six_codes_of_table_2_1(self) -> None:
        codes = {row.code: row.role for row in load("nx").codes if row.role != "log"}
        assert codes == {
            "i32001": "door",
            "i32002": "dismantled",
            "i32003": "fault",
            "i32004": "method",
            "i32005": "person",
            "i32006": "opened_at",
        }
        assert load("nx").system_types == ("81",)
        assert load("nx").forms == (WireForm.INFO, WireForm.RTD)

    def test_hebei_has_the_range_a_to_j(self) -> None:
        codes = [row.code for row in load("hebei").codes if row.code.startswith("i33")]
        assert codes == [f"i3310{letter}" for letter in "ABCDEFGHIJ"]

    @pytest.mark.parametrize("name", names())
    def test_every_row_is_bilingual_and_has_its_source(self, name: str) -> None:
        dictionary = load(name)
        assert dictionary.name == name
        assert dictionary.title_zh
        assert dictionary.title_en
        assert dictionary.source
        for row in dictionary.codes:
            assert row.name_zh, row
            assert row.name_en, row
            assert row.clause, row
            for value in row.values:
                assert value.zh, row
                assert value.en, row
                assert re.fullmatch(row.format, value.wire), row

    @pytest.mark.parametrize("name", names())
    def test_whatever_identifies_a_person_is_marked(self, name: str) -> None:
        public = {"door", "running", "dismantled", "fault", "method", "opened_at", "door_id", "open_type", "other"}
        assert all(row.personal == (row.role not in public) for row in load(name).codes)

    def test_letter_case_of_a_code_does_not_hide_its_row(self) -> None:
        assert load("hebei").find("I3310b") is load("hebei").for_role("method")


class TestCollisions:
    """The same code, or the same number for a method, means different things in different places."""

    def test_i32001_is_the_door_here_and_the_controller_there(self, segment) -> None:
        frame = segment("DataTime=20250915101531;i32001-Info=1")
        (door,), (controller,) = (read(frame, load(name)) for name in ("nx", "hj212-2017"))
        assert isinstance(door, DoorState)
        assert isinstance(controller, DoorState)
        assert (door.door, door.running) == (DoorPosition.OPEN, None)
        assert (controller.door, controller.running) == (None, RunningState.STOPPED)

    def test_method_4_is_a_password_here_and_remote_control_there(self) -> None:
        meanings = {
            name: {value.wire: value.meaning for value in load(name).for_role("method").values}  # type: ignore[union-attr]
            for name in ("nx", "hebei")
        }
        assert meanings["nx"]["4"] is OpeningMethod.PASSWORD
        assert meanings["hebei"]["4"] is OpeningMethod.REMOTE
        assert all(meanings["nx"][wire] == meanings["hebei"][wire] for wire in "123")

    def test_defined_in_lists_the_dictionaries_of_a_code(self) -> None:
        assert {name: row.role for name, row in defined_in("i32001").items()} == {"nx": "door", "hj212-2017": "running"}
        assert list(defined_in("i3310B")) == ["hebei"]
        assert defined_in("i99999") == {}

    def test_value_of_another_dictionary_is_named_as_such(self, read_nx) -> None:
        (state,) = read_nx("DataTime=20250915101531;i32001-Info=3")
        assert state.findings[0].found == "3 (hj212-2017: maintenance)"

    def test_code_of_another_dictionary_is_named_as_such(self, read_nx) -> None:
        (other,) = read_nx("DataTime=20250915101531;i3310B-Info=1")
        assert (other.findings[0].code, other.findings[0].found) == ("code-unknown", "i3310B (hebei)")


class TestLoading:
    def test_unknown_name_is_refused_with_what_comes_near(self) -> None:
        with pytest.raises(DictionaryError, match="did you mean hebei") as error:
            load("hebie")
        assert (error.value.name, error.value.close) == ("hebie", ("hebei",))

    def test_name_like_no_other_is_refused_with_all_names(self) -> None:
        with pytest.raises(DictionaryError, match="known are hebei, hj212-2017, nx"):
            load("%")

    def test_a_path_is_no_name(self) -> None:
        with pytest.raises(DictionaryError):
            load("../tables/nx")

    HEAD = """
        name = "x"
        title_zh = "x"
        title_en = "x"
        source = "x"
        forms = ["3020"]
        [[code]]
        code = "i32001"
        name_zh = "x"
        name_en = "x"
    """

    def test_table_of_ones_own(self) -> None:
        dictionary = parse(self.HEAD + 'role = "door_id"\n')
        assert dictionary.for_role("door_id") == dictionary.find("i32001")

    @pytest.mark.parametrize(
        ("table", "complaint"),
        [
            ("name = ", "not a TOML table"),
            ('name = "x"', "missing"),
            ('code = "x"', "dictionary ''"),
            (HEAD + 'rol = "door"', "did you mean 'role'"),
            (HEAD + 'role = "door"', "needs its values"),
            (HEAD + 'role = "window"', "role 'window'"),
            (HEAD + 'role = "door"\nrecord = "opening"', "does not go into record 'opening'"),
            (HEAD + 'role = "person"\nformat = "("', "format"),
            (HEAD + 'role = "person"\nvalues = [{ wire = "1", meaning = "x", zh = "x", en = "x" }]', "no closed set"),
            (HEAD + 'role = "door"\nvalues = [{ wire = "1", meaning = "ajar", zh = "x", en = "x" }]', "ajar"),
            (HEAD + 'role = "fault"\nvalues = [{ wire = "1", meaning = "yes", zh = "x", en = "x" }]', "true or false"),
            (HEAD + 'role = "fault"\nvalues = [{ wire = "1", meaning = true, zh = "x", en = "x", x = 1 }]', "'x'"),
            (HEAD + 'role = "door_id"\n' + HEAD.partition("forms")[2].partition("\n")[2] + 'role = "log"', "twice"),
            ('forms = ["3021"]\n' + HEAD.replace('forms = ["3020"]', "") + 'role = "log"', "3021"),
        ],
    )
    def test_wrong_table_is_refused_with_the_reason(self, table: str, complaint: str) -> None:
        with pytest.raises(DictionaryError, match=re.escape(complaint)):
            parse(table)
