"""Writing and the JSON form: what goes out comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from accessctl import (
    Alarm,
    AlarmKind,
    Dictionary,
    DoorPosition,
    DoorState,
    LogEntry,
    Opening,
    OpeningMethod,
    OtherValues,
    Record,
    RecordError,
    RunningState,
    WireForm,
    from_json,
    load,
    names,
    read,
    schema,
    to_json,
    write,
)
from hj212 import CHINA, HJ_212_2017, Segment, compose, parse_segment

MN = "64010000ACCE550000000001"
NX = load("nx")
AT = datetime(2025, 9, 15, 10, 15, 31, tzinfo=CHINA)
FACE = Opening(mn=MN, data_time=AT, method=OpeningMethod.FACE, code="NX000012", opened_at=AT - timedelta(seconds=1))
OPEN = DoorState(mn=MN, data_time=AT, door=DoorPosition.OPEN)

FORMS = [(load(name), form) for name in names() for form in load(name).forms]
IDS = [f"{dictionary.name}-{form}" for dictionary, form in FORMS]

# Openings are drawn up to twelve days before DataTime, and no time lies before the year 2000.
times = st.datetimes(datetime(2000, 2, 1), datetime(2099, 12, 30)).map(lambda t: t.replace(microsecond=0, tzinfo=CHINA))
mns = st.text("0123456789ABCDEF", min_size=24, max_size=24)
person_codes = st.from_regex(r"[0-9A-Za-z_-]{1,17}", fullmatch=True)
log_texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/&"), min_size=1, max_size=200)


def _fact(draw: st.DrawFn, dictionary: Dictionary, role: str) -> object:
    row = dictionary.for_role(role)
    return draw(st.none() | st.sampled_from([value.meaning for value in row.values])) if row else None


@st.composite
def batches(draw: st.DrawFn, dictionary: Dictionary) -> list[Record]:
    """Draw records that one frame of a dictionary can hold: any of a state or alarms, an opening, a log."""
    about = {"mn": draw(mns), "data_time": draw(times)}
    if dictionary.for_role("door_id"):
        about["door_id"] = draw(st.none() | person_codes)
    facts = {role: _fact(draw, dictionary, role) for role in ("running", "door", "dismantled", "fault")}
    found: list[Record] = []
    if facts["running"] is not None or facts["door"] is not None:
        found.append(DoorState(**about, **facts))
    else:
        found += (Alarm(**about, kind=kind, active=facts[kind]) for kind in AlarmKind if facts[kind] is not None)
    if dictionary.for_role("method") and draw(st.booleans()):
        methods = [value.meaning for value in dictionary.for_role("method").values]
        details = [
            (
                row.role,
                draw(st.just("7") if row.role == "open_type" else st.from_regex("[0-9A-F]{1,9}", fullmatch=True)),
            )
            for row in dictionary.codes
            if row.record == "opening" and row.role not in ("method", "person", "opened_at") and draw(st.booleans())
        ]
        opened_at = about["data_time"] - timedelta(seconds=draw(st.integers(-1, 10**6)))
        method, code = draw(st.sampled_from(methods)), draw(person_codes)
        found.append(Opening(**about, method=method, code=code, opened_at=opened_at, details=tuple(details)))
    logs = [row.code for row in dictionary.codes if row.role == "log"]
    if not found or draw(st.booleans()):
        found.append(LogEntry(**about, item=draw(st.sampled_from(logs)), message=draw(log_texts)))
    return draw(st.permutations(found))


def frame_of(items: list[list[list[str]]], dictionary: Dictionary, form: WireForm, mn: str) -> Segment:
    """Send the items through a real frame, so that separators and charset count."""
    st_ = next(iter(dictionary.system_types), "31")
    message = compose(HJ_212_2017, qn="20250915101531002", st=st_, cn=form, pw="123456", mn=mn, items=items)
    return parse_segment(bytes(message))


class TestWriting:
    @pytest.mark.parametrize(("dictionary", "form"), FORMS, ids=IDS)
    @given(data=st.data())
    def test_what_is_written_reads_back(self, dictionary: Dictionary, form: WireForm, data: st.DataObject) -> None:
        batch = data.draw(batches(dictionary))
        items = write(batch, dictionary, form)
        assert items[0][0][0] == "DataTime"
        back = read(frame_of(items, dictionary, form, batch[0].mn), dictionary, strict=True)
        assert back == batch
        assert all(record.form is form and record.dictionary == dictionary.name for record in back)
        assert write(back, dictionary, form) == items

    @pytest.mark.parametrize("dictionary", [load(name) for name in names()], ids=names())
    def test_examples_are_written_as_they_were_sent(self, dictionary: Dictionary) -> None:
        for example in dictionary.examples:
            segment = parse_segment(example.frame[6:-6])
            records = read(segment, dictionary)
            if records and not any(record.findings for record in records):
                assert write(records, dictionary, WireForm(segment.field("CN"))) == segment.items

    def test_3020_form(self) -> None:
        assert write([OPEN, FACE], NX, WireForm.INFO) == [
            [["DataTime", "20250915101531"]],
            [["i32001-Info", "1"]],
            [["i32004-Info", "1"]],
            [["i32005-Info", "NX000012"]],
            [["i32006-Info", "20250915101530"]],
        ]

    def test_2011_form(self) -> None:
        assert write(OPEN, NX, WireForm.RTD) == [
            [["DataTime", "20250915101531"]],
            [["i32001-Rtd", "1"], ["i32001-Flag", "N"]],
        ]

    def test_data_flag_is_kept(self, read_nx) -> None:
        area = "DataTime=20250915101531;i32001-Rtd=1,i32001-Flag=D;i32002-Rtd=0,i32002-Flag=N"
        assert write(read_nx(area, cn="2011"), NX, WireForm.RTD) == [
            [["DataTime", "20250915101531"]],
            [["i32001-Rtd", "1"], ["i32001-Flag", "D"]],
            [["i32002-Rtd", "0"], ["i32002-Flag", "N"]],
        ]

    def test_times_of_any_zone_go_out_in_china_time(self) -> None:
        utc = OPEN.data_time.astimezone(UTC)
        elsewhere = DoorState(mn=MN, data_time=utc, door=OPEN.door)
        assert write(elsewhere, NX, WireForm.INFO) == write(OPEN, NX, WireForm.INFO)

    def test_record_of_one_region_written_for_another(self) -> None:
        items = write(FACE, load("hebei"), WireForm.INFO)
        assert [item[0][0] for item in items] == ["DataTime", "i3310B-Info", "i3310D-Info", "i3310E-Info"]

    def test_deviating_spelling_is_mended(self, read_nx) -> None:
        (opening,) = read_nx("DataTime=20250915101531;i32004-info=01;i32005-Info=7;i32006-Info=2025-09-15 10:15:30")
        assert write(opening, NX, WireForm.INFO)[1:] == [
            [["i32004-Info", "1"]],
            [["i32005-Info", "7"]],
            [["i32006-Info", "20250915101530"]],
        ]

    @pytest.mark.parametrize(
        "area",
        [
            "DataTime=20250915101531;i32001-Info=7",
            "DataTime=20250915101531;i32002-Info=on",
            "DataTime=20250931101531;i32001-Info=1;i32004-Info=9;i32005-Info=张三;i32006-Info=now",
            "DataTime=20250915101531;i32004-Info=1",
            "DataTime=20250915101531;i32011-Info=1;i3310J-Info=//张;三//",
            "i32001-Info=1",
            "DataTime=20250915101531;i31001-Info=////",
        ],
    )
    def test_unknown_values_are_written_as_they_came_unless_strict(self, read_nx, area: str) -> None:
        records = read_nx(area)
        items = write(records, NX, WireForm.INFO, strict=False)
        assert read(frame_of(items, NX, WireForm.INFO, records[0].mn), NX) == records
        with pytest.raises(RecordError):
            write(records, NX, WireForm.INFO)

    @pytest.mark.parametrize(
        ("records", "field"),
        [
            (DoorState(mn=MN, data_time=AT, running=RunningState.RUNNING), "running"),
            (Opening(mn=MN, data_time=AT, method=OpeningMethod.REMOTE, code="1", opened_at=AT), "method"),
            (Opening(mn=MN, data_time=AT, method=OpeningMethod.FACE, code="a;b", opened_at=AT), "code"),
            (Opening(mn=MN, data_time=AT, method=OpeningMethod.FACE, code="a b", opened_at=AT), "i32005-Info"),
            (Opening(mn=MN, data_time=AT, method=OpeningMethod.FACE, code="1"), "i32006-Info"),
            (Opening(mn=MN, data_time=AT, details=(("card", "1"),)), "card"),
            (DoorState(mn=MN, data_time=None, door=DoorPosition.OPEN), "DataTime"),
            (DoorState(mn=MN, data_time=AT.replace(tzinfo=None), door=DoorPosition.OPEN), "data_time"),
            (DoorState(mn=MN, data_time=AT.replace(microsecond=1), door=DoorPosition.OPEN), "data_time"),
            (DoorState(mn=MN, data_time=AT, door=DoorPosition.OPEN, door_id="1"), "door_id"),
            (LogEntry(mn=MN, data_time=AT, item="i41001", message="x"), "item"),
            (LogEntry(mn=MN, data_time=AT, item="i32001", message="x"), "item"),
            (LogEntry(mn=MN, data_time=AT, item="i31001", message="a//b"), "message"),
            (LogEntry(mn=MN, data_time=AT, item="i31001", message="开" * 297), "i31001-Info"),
            (OtherValues(mn=MN, data_time=AT, values=(("i32011", "1"),)), "i32011-Info"),
            ([OPEN, DoorState(mn="0" * 24, data_time=AT, fault=True)], "mn"),
            ([OPEN, DoorState(mn=MN, data_time=AT + timedelta(seconds=1), fault=True)], "data_time"),
            ([OPEN, Alarm(mn=MN, data_time=AT, kind=AlarmKind.FAULT, active=True)], "records"),
            (DoorState(mn=MN, data_time=AT, fault=True), "records"),
            ([OPEN, OPEN], "i32001-Info"),
        ],
    )
    def test_what_the_dictionary_does_not_allow_is_refused(self, records: Record | list[Record], field: str) -> None:
        with pytest.raises(RecordError) as refused:
            write(records, NX, WireForm.INFO)
        assert refused.value.field == field
        assert "a;b" not in str(refused.value)

    def test_form_that_the_dictionary_does_not_use_is_refused(self) -> None:
        with pytest.raises(RecordError) as refused:
            write(FACE, load("hebei"), WireForm.RTD)
        assert refused.value.code == "form-not-foreseen"

    @pytest.mark.parametrize("text", ["a;b", "a,b", "a&&b", "a\r\nb", "//a"])
    def test_a_text_that_would_break_the_frame_is_never_written(self, text: str) -> None:
        record = OtherValues(mn=MN, data_time=AT, values=(("i32011", text),))
        with pytest.raises(RecordError, match="separator"):
            write(record, NX, WireForm.INFO, strict=False)

    def test_nothing_is_not_a_frame(self) -> None:
        with pytest.raises(ValueError, match="no records"):
            write([], NX, WireForm.INFO)


VALIDATOR = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
JSON = to_json(FACE)


def through_text(record: Record) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(to_json(record)))
    return found


class TestJson:
    def test_schema_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(schema())

    def test_every_member_of_the_schema_is_bilingual(self) -> None:
        def titles(node: object):
            if isinstance(node, dict):
                yield from ((key, node[key]) for key in ("title", "description") if isinstance(node.get(key), str))
                for child in node.values():
                    yield from titles(child)
            elif isinstance(node, list):
                for child in node:
                    yield from titles(child)

        found = list(titles(schema()))
        assert len(found) > 30
        assert all(" / " in text and not text.isascii() for _, text in found)

    def test_enumerations_of_the_schema_are_those_of_the_model(self) -> None:
        members = {name: part["properties"] for name, part in schema()["$defs"].items() if "properties" in part}
        for kind, member, enum in (
            ("common", "form", WireForm),
            ("state", "door", DoorPosition),
            ("state", "running", RunningState),
            ("opening", "method", OpeningMethod),
            ("alarm", "kind", AlarmKind),
        ):
            assert [value for value in members[kind][member]["enum"] if value] == [value.value for value in enum]

    @pytest.mark.parametrize(("dictionary", "form"), FORMS, ids=IDS)
    @given(data=st.data())
    def test_records_survive_json_and_follow_the_schema(
        self, dictionary: Dictionary, form: WireForm, data: st.DataObject
    ) -> None:
        batch = data.draw(batches(dictionary))
        sent = read(frame_of(write(batch, dictionary, form), dictionary, form, batch[0].mn), dictionary)
        for record in (*batch, *sent):
            made = through_text(record)
            VALIDATOR.validate(made)
            back = from_json(made)
            assert back == record
            assert (back.raw, back.findings, back.form) == (record.raw, record.findings, record.form)

    @given(values=st.lists(st.text(st.characters(exclude_characters=";,&\r\n="), max_size=20), min_size=7, max_size=7))
    def test_deviating_records_survive_json_too(self, segment, values: list[str]) -> None:
        keys = ("DataTime", "i32001-Info", "i32004-info", "i32005-Info", "i32006-Rtd", "i31001-Info", "i32011-Info")
        pairs = zip(keys, values, strict=True)
        area = ";".join(f"{key}={value}" for key, value in pairs).encode("utf-8", "surrogatepass")
        for record in read(segment(area), NX):
            made = through_text(record)
            VALIDATOR.validate(made)
            back = from_json(made)
            assert (back, back.raw, back.findings) == (record, record.raw, record.findings)

    @pytest.mark.parametrize("example", NX.examples, ids=lambda example: example.id)
    def test_examples_follow_the_schema(self, example) -> None:
        for record in read(parse_segment(example.frame[6:-6]), NX):
            VALIDATOR.validate(to_json(record))

    def test_shape(self) -> None:
        assert JSON == {
            "type": "opening",
            "mn": MN,
            "data_time": "2025-09-15T10:15:31+08:00",
            "door_id": None,
            "form": None,
            "dictionary": "",
            "raw": [],
            "findings": [],
            "method": "face",
            "code": "NX000012",
            "opened_at": "2025-09-15T10:15:30+08:00",
            "details": {},
        }

    def test_members_with_a_default_may_be_left_out(self) -> None:
        facts = ("type", "mn", "data_time", "method", "code", "opened_at")
        assert from_json({name: JSON[name] for name in facts}) == FACE

    def test_time_of_another_zone_is_taken(self) -> None:
        assert from_json(JSON | {"opened_at": "2025-09-15T02:15:30+00:00"}) == FACE

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"type": "window"}, "type"),
            ({"type": 1}, "type"),
            ({"type": []}, "type"),
            ({"mn": None}, "mn"),
            ({"method": "magic"}, "method"),
            ({"method": 1}, "method"),
            ({"opened_at": "2025-09-15"}, "opened_at"),
            ({"opened_at": "yesterday"}, "opened_at"),
            ({"code": 7}, "code"),
            ({"door": "open"}, "door"),
            ({"details": []}, "details"),
            ({"details": {"card": 1}}, "details.card"),
            ({"raw": {}}, "raw"),
            ({"raw": [1]}, "raw[0]"),
            ({"raw": [{"role": "x", "key": "x"}]}, "text"),
            ({"raw": [{"role": "x", "key": "x", "text": "x", "personal": 1}]}, "personal"),
            ({"findings": [{"code": "x"}]}, "field"),
            ({"form": "2051"}, "form"),
        ],
    )
    def test_wrong_member_is_refused_by_name(self, change: dict[str, object], field: str) -> None:
        with pytest.raises(RecordError) as refused:
            from_json(JSON | change)
        assert refused.value.field == field
        assert not VALIDATOR.is_valid(JSON | change)

    @pytest.mark.parametrize("values", [[{"code": "i32011"}], [{"code": 1, "text": "1"}], ["x"], "x"])
    def test_wrong_other_values_are_refused(self, values: object) -> None:
        made = to_json(OtherValues(mn=MN, data_time=AT, values=(("i32011", "1"),))) | {"values": values}
        with pytest.raises(RecordError):
            from_json(made)
        assert not VALIDATOR.is_valid(made)

    @pytest.mark.parametrize("data", [None, [], "x"])
    def test_what_is_no_object_is_refused(self, data: object) -> None:
        with pytest.raises(RecordError):
            from_json(data)  # type: ignore[arg-type]

    def test_missing_member_is_refused(self) -> None:
        with pytest.raises(RecordError) as refused:
            from_json({"type": "state", "mn": MN})
        assert refused.value.field == "data_time"


@pytest.mark.parametrize("form", list(WireForm))
def test_periodic_report_of_all_three_states_is_one_state(form: WireForm) -> None:
    state = DoorState(mn=MN, data_time=AT, door=DoorPosition.CLOSED, dismantled=False, fault=False)
    items = write(state, NX, form)
    assert [item[0][0].partition("-")[0] for item in items] == ["DataTime", "i32001", "i32002", "i32003"]
