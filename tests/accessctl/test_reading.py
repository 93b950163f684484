"""Reading: what frames state, and every deviation by name."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessctl import (
    Alarm,
    AlarmKind,
    DoorPosition,
    DoorState,
    Finding,
    LogEntry,
    Opening,
    OpeningMethod,
    OtherValues,
    RecordError,
    WireForm,
    alarms_in,
    catalogue,
    describe,
    load,
    names,
    read,
)
from hj212 import parse_segment

T = "DataTime=20250915101531"
OPENED = datetime(2025, 9, 15, 10, 15, 30, tzinfo=timezone(timedelta(hours=8)))
OPENING = "i32004-Info=1;i32005-Info=NX000012;i32006-Info=20250915101530"


def codes(records) -> list[str]:
    return [finding.code for record in records for finding in record.findings]


class TestRecords:
    def test_state_and_opening_in_one_frame(self, read_nx) -> None:
        state, opening = read_nx(f"{T};i32001-Info=1;{OPENING}")
        assert isinstance(state, DoorState)
        assert state.door is DoorPosition.OPEN
        assert (state.running, state.dismantled, state.fault) == (None, None, None)
        assert isinstance(opening, Opening)
        assert (opening.method, opening.code, opening.opened_at) == (OpeningMethod.FACE, "NX000012", OPENED)
        assert opening.opened_at.utcoffset() == timedelta(hours=8)
        assert opening.mn == state.mn == "64010000ACCE550000000001"
        assert opening.data_time == OPENED + timedelta(seconds=1)

    def test_opening_before_state_keeps_the_order_of_the_wire(self, read_nx) -> None:
        assert [type(r) for r in read_nx(f"{T};{OPENING};i32001-Info=1")] == [Opening, DoorState]

    def test_raw_values_keep_key_text_and_flag(self, read_nx) -> None:
        (state,) = read_nx(f"{T};i32001-Rtd=0,i32001-Flag=D", cn="2011")
        assert state.form is WireForm.RTD
        assert state.dictionary == "nx"
        data_time, door = state.raw
        assert (data_time.key, data_time.text) == ("DataTime", "20250915101531")
        assert (door.role, door.key, door.text, door.flag) == ("door", "i32001-Rtd", "0", "D")
        assert state.text("door") == "0"
        assert state.text("fault") is None

    def test_alarm_values_with_the_door_are_part_of_its_state(self, read_nx) -> None:
        (state,) = read_nx(f"{T};i32001-Info=0;i32002-Info=1;i32003-Info=0")
        assert (state.dismantled, state.fault) == (True, False)

    def test_alarm_values_alone_are_alarms(self, read_nx) -> None:
        dismantled, fault = read_nx(f"{T};i32002-Info=1;i32003-Info=0")
        assert isinstance(dismantled, Alarm)
        assert (dismantled.kind, dismantled.active) == (AlarmKind.DISMANTLED, True)
        assert dismantled.at == OPENED + timedelta(seconds=1)
        assert (fault.kind, fault.active) == (AlarmKind.FAULT, False)

    def test_alarms_in_finds_those_inside_states_too(self, read_nx) -> None:
        alone = read_nx(f"{T};i32002-Info=1")
        inside = read_nx(f"{T};i32001-Info=0;i32002-Info=1")
        assert list(alarms_in(alone)) == list(alarms_in(inside)) == alone
        assert next(alarms_in(inside)).text("dismantled") == "1"
        assert list(alarms_in(read_nx(f"{T};{OPENING}"))) == []

    def test_alarm_beside_an_opening(self, read_nx) -> None:
        opening, alarm = read_nx(f"{T};{OPENING};i32003-Info=1")
        assert isinstance(opening, Opening)
        assert (alarm.kind, alarm.active) == (AlarmKind.FAULT, True)

    def test_log_text_may_hold_separators(self, read_nx) -> None:
        (entry,) = read_nx(f"{T};i31001-Info=//开门;a=1,b//")
        assert isinstance(entry, LogEntry)
        assert (entry.item, entry.message) == ("i31001", "开门;a=1,b")

    def test_door_number_alone_is_not_lost(self, segment) -> None:
        (other,) = read(segment(f"{T};i3310A-Info=HB-1"), load("hebei"))
        assert isinstance(other, OtherValues)
        assert (other.door_id, other.values) == ("HB-1", (("i3310A", "HB-1"),))
        assert other.findings == ()

    @pytest.mark.parametrize(
        ("area", "cn"),
        [
            ("", "9014"),
            ("QnRtn=1", "9011"),
            ("InfoId=i32001", "3020"),
            ("RtdInterval=900", "1062"),
            (f"{T};w01018-Rtd=2.2,w01018-Flag=N", "2011"),
            (f"{T};a21026-i22004-Info=1;PolId=a21026", "3020"),
            ("DataTime=yesterday", "3020"),
        ],
    )
    def test_frame_without_door_data_gives_nothing_even_strictly(self, read_nx, area: str, cn: str) -> None:
        assert read_nx(area, cn=cn, st="91", strict=True) == []

    def test_unknown_values_are_kept_and_told_apart(self, read_nx) -> None:
        (seven,), (eight,), (again,) = (
            read_nx(f"{T};i32004-Info={n};i32005-Info=1;i32006-Info=20250915101530") for n in "787"
        )
        assert seven.method is None
        assert seven.text("method") == "7"
        assert seven == again
        assert hash(seven) == hash(again)
        assert seven != eight

    def test_equal_facts_are_equal_whatever_carried_them(self, read_nx) -> None:
        info = read_nx(f"{T};i32001-Info=1")
        rtd = read_nx(f"{T};i32001-Rtd=1,i32001-Flag=N", cn="2011")
        doubtful = read_nx(f"{T};i32001-Rtd=1,i32001-Flag=D", cn="2011")
        assert info == rtd
        assert rtd != doubtful
        assert info[0] != "a state"

    def test_hebei_details_ride_with_the_opening(self, segment) -> None:
        extra = "i3310G-Info=3A7F;i3310J-Info=//张三//;i3310C-Info=02"
        area = f"{T};{extra};i3310D-Info=7;i3310B-Info=0;i3310E-Info=20250915101530"
        (opening,) = read(segment(area, st="31"), load("hebei"), strict=True)
        assert opening.method is OpeningMethod.ROOM_SWITCH
        assert opening.details == (("open_type", "02"), ("card", "3A7F"), ("person_name", "张三"))


#: Finding code -> data area (and header) that provokes it in the Ningxia dictionary, field, found, expected.
DEVIATIONS = {
    "system-type": (f"{T};i32001-Info=1", {"st": "31"}, ("ST", "31", "81")),
    "command": (f"{T};i32001-Info=1", {"cn": "2051"}, ("CN", "2051", "3020, 2011")),
    "form-not-foreseen": (f"{T};i32001-Rtd=1", {"cn": "2011", "dictionary": "hj212-2017"}, ("CN", "2011", "3020")),
    "form-mixed": (f"{T};i32001-Info=1;i32002-Rtd=0", {}, ("i32002-Rtd", "-Rtd", "-Info")),
    "form-of-other-command": (f"{T};i32001-Info=1", {"cn": "2011"}, ("i32001-Info", "-Info", "-Rtd")),
    "key-case": (f"{T};i32001-info=1", {}, ("i32001-info", "i32001-info", "i32001-Info")),
    "suffix-missing": (f"{T};i32001=1", {}, ("i32001", "", "-Info")),
    "suffix-unknown": (f"{T};i32001-Avg=1", {}, ("i32001-Avg", "-Avg", "-Info")),
    "flag-misplaced": (f"{T};i32001-Info=1,i32001-Flag=N", {}, ("i32001-Flag", "N", "")),
    "sign-missing": (f"{T};i32001-Info=1;i32002-Info", {}, ("i32002-Info", "i32002-Info", "i32002-Info=")),
    "separator": (f"{T};i32001-Info=1,i32002-Info=0", {}, ("i32002-Info", ",", ";")),
    "blank": (f"{T};i32001-Info =1", {}, ("i32001-Info", '" "', "")),
    "polid-present": (f"{T};PolId=w01018;i32001-Info=1", {}, ("PolId", "w01018", "")),
    "code-unknown": (f"{T};i32007-Info=1", {}, ("i32007-Info", "i32007", "")),
    "repeated": (f"{T};i32001-Info=1;i32001-Info=0", {}, ("i32001-Info", "", "")),
    "data-time-missing": ("i32001-Info=1", {}, ("DataTime", "", "YYYYMMDDhhmmss")),
    "time-format": (
        "DataTime=2025-09-15 10:15:31;i32001-Info=1",
        {},
        ("DataTime", "2025-09-15 10:15:31", "YYYYMMDDhhmmss"),
    ),
    "time-invalid": ("DataTime=20250931101531;i32001-Info=1", {}, ("DataTime", "20250931101531", "YYYYMMDDhhmmss")),
    "value-empty": (f"{T};{OPENING.replace('NX000012', '')}", {}, ("i32005-Info", "", "[0-9A-Za-z_-]+")),
    "value-outside-set": (f"{T};{OPENING.replace('4-Info=1', '4-Info=5')}", {}, ("i32004-Info", "5", "1, 2, 3, 4")),
    "value-leading-zero": (f"{T};{OPENING.replace('4-Info=1', '4-Info=01')}", {}, ("i32004-Info", "01", "1")),
    "value-format": (f"{T};{OPENING.replace('NX000012', 'NX 12')}", {}, ("i32005-Info", "***", "[0-9A-Za-z_-]+")),
    "value-too-long": (f"{T};{OPENING.replace('NX000012', '7' * 31)}", {}, ("i32005-Info", "31", "<= 30")),
    "non-ascii": (f"{T};{OPENING.replace('NX000012', '张三')}", {}, ("i32005-Info", "***", "ASCII")),
    "not-utf-8": (f"{T};i31001-Info=//".encode() + "开门".encode("gbk") + b"//", {}, ("i31001-Info", "***", "UTF-8")),
    "delimiters": (f"{T};i31001-Info=opened", {}, ("i31001-Info", "***", "//...//")),
    "personal-data": (f"{T};{OPENING.replace('NX000012', '64010119900101123X')}", {}, ("i32005-Info", "***", "")),
    "opening-incomplete": (f"{T};i32004-Info=1;i32005-Info=7", {}, ("i32006-Info", "", "i32006-Info")),
    "opening-after-data-time": (
        f"{T};{OPENING.replace('101530', '101533')}",
        {},
        ("i32006-Info", "20250915101533", "<= 20250915101531 + 1 s"),
    ),
}


class TestDeviations:
    def test_every_finding_code_has_its_case_here(self) -> None:
        assert list(DEVIATIONS) == list(catalogue())

    @pytest.mark.parametrize("code", DEVIATIONS)
    def test_deviation_is_named_tolerantly_and_refused_strictly(self, segment, code: str) -> None:
        area, how, (field, found, expected) = DEVIATIONS[code]
        frame = segment(area, st=how.get("st", "81"), cn=how.get("cn", "3020"))
        dictionary = load(how.get("dictionary", "nx"))
        records = read(frame, dictionary)
        findings = [finding for record in records for finding in record.findings]
        assert findings == [Finding(code, field, found, expected)]
        with pytest.raises(RecordError) as refused:
            read(frame, dictionary, strict=True)
        error = refused.value
        assert (error.code, error.field, error.found, error.expected) == (code, field, found, expected)
        assert str(error) == describe(findings[0], "en")
        assert error.excerpt == (f"{field}={found}" if found else field)

    @pytest.mark.parametrize("code", DEVIATIONS)
    def test_every_finding_reads_in_both_languages(self, code: str) -> None:
        row = catalogue()[code]
        assert row.zh
        assert row.en
        assert row.basis
        assert describe(Finding(code, "F", "a", "b"), "zh") == f"{row.zh}：F，实际为 a，应为 b"
        assert describe(Finding(code, "F", "a", "b"), "en") == f"{row.en}: F, found a, expected b"

    def test_deviations_of_the_frame_stand_in_its_first_record_only(self, read_nx) -> None:
        state, opening = read_nx(f"PolId=w01018;i32001-Info=1;{OPENING}", st="32")
        assert codes([state]) == ["system-type", "data-time-missing", "polid-present"]
        assert codes([opening]) == []

    def test_strict_reading_names_the_first_deviation_in_wire_order(self, read_nx) -> None:
        with pytest.raises(RecordError) as refused:
            read_nx(f"{T};i32001-Info=7;i32002-Info=8", strict=True)
        assert refused.value.field == "i32001-Info"

    @pytest.mark.parametrize(
        "text",
        [
            "2025-09-15 10:15:30",
            "2025/9/15 10:15:30",
            "2025-09-15T10:15:30+08:00",
            "2025.09.15 10:15:30.250",
            "20250915101530250",
        ],
    )
    def test_time_written_otherwise_is_still_read(self, read_nx, text: str) -> None:
        (opening,) = read_nx(f"{T};{OPENING.replace('20250915101530', text)}")
        assert opening.opened_at == OPENED
        assert codes([opening]) == ["time-format"]

    @pytest.mark.parametrize(
        "text", ["0", "2025-09-15", "10:15:30", "20251301101530", "2025-09-15 25:00:00", "20250915101530Z"]
    )
    def test_no_time_is_no_time(self, read_nx, text: str) -> None:
        (opening,) = read_nx(f"{T};{OPENING.replace('20250915101530', text)}")
        assert opening.opened_at is None
        assert opening.text("opened_at") == text
        assert codes([opening]) == ["time-invalid"]

    def test_year_of_another_century_is_read_and_named(self, read_nx) -> None:
        (opening,) = read_nx(f"{T};{OPENING.replace('20250915101530', '19700101080000')}")
        assert opening.opened_at.year == 1970
        assert codes([opening]) == ["value-format"]

    @pytest.mark.parametrize(("seconds", "late"), [(0, False), (1, False), (2, True)])
    def test_opening_may_lie_one_second_after_data_time(self, read_nx, seconds: int, late: bool) -> None:
        (opening,) = read_nx(f"{T};{OPENING.replace('101530', f'1015{31 + seconds}')}")
        assert codes([opening]) == (["opening-after-data-time"] if late else [])

    @pytest.mark.parametrize(
        ("code", "flagged"),
        [
            ("640101199001011234", True),
            ("64010119900101123x", True),
            ("640101199013011234", False),  # month 13
            ("040101199001011234", False),  # no region begins with 0
            ("6401011990010112345", False),  # 19 digits
            ("64010119900101123", False),
        ],
    )
    def test_resident_identity_number_is_told_by_its_shape(self, read_nx, code: str, flagged: bool) -> None:
        (opening,) = read_nx(f"{T};{OPENING.replace('NX000012', code)}")
        assert codes([opening]) == (["personal-data"] if flagged else [])
        assert opening.code == code

    def test_resident_identity_number_inside_a_log(self, read_nx) -> None:
        assert codes(read_nx(f"{T};i31001-Info=//640101199001011234 opened//")) == ["personal-data"]

    def test_leading_zeros_of_a_person_code_count(self, read_nx) -> None:
        (with_zeros,), (without,) = (read_nx(f"{T};{OPENING.replace('NX000012', c)}") for c in ("0012", "12"))
        assert with_zeros.code == "0012"
        assert with_zeros != without
        assert codes([with_zeros]) == []

    def test_several_openings_in_one_frame_are_all_read(self, read_nx) -> None:
        first, second = read_nx(f"{T};{OPENING};{OPENING.replace('NX000012', 'NX000013')}")
        assert (first.code, second.code) == ("NX000012", "NX000013")
        assert codes([first]) == []
        assert codes([second]) == ["repeated"] * 3

    def test_repeated_data_time(self, read_nx) -> None:
        assert codes(read_nx(f"{T};{T};i32001-Info=1")) == ["repeated"]

    @pytest.mark.parametrize("key", ["datatime", "DATATIME"])
    def test_data_time_in_other_letters(self, read_nx, key: str) -> None:
        (state,) = read_nx(f"{key}=20250915101531;i32001-Info=1")
        assert state.data_time
        assert codes([state]) == ["key-case"]

    def test_capital_i_and_wrong_suffix_case_are_one_deviation(self, read_nx) -> None:
        (state,) = read_nx(f"{T};I32001-INFO=1")
        assert state.door is DoorPosition.OPEN
        assert state.findings == (Finding("key-case", "I32001-INFO", "I32001-INFO", "i32001-Info"),)

    def test_flag_in_an_item_of_its_own_still_belongs_to_its_value(self, read_nx) -> None:
        (state,) = read_nx(f"{T};i32001-Rtd=1;i32001-Flag=N", cn="2011")
        assert state.raw[1].flag == "N"
        assert codes([state]) == ["separator"]

    @pytest.mark.parametrize("area", ["i32002-Flag=N;i32001-Rtd=1", "i32001-Rtd=1,i32001-Flag=N,i32001-Flag=D"])
    def test_flag_of_no_value_or_a_second_one(self, read_nx, area: str) -> None:
        assert codes(read_nx(f"{T};{area}", cn="2011")) == ["flag-misplaced"]

    def test_flag_in_other_letters(self, read_nx) -> None:
        assert codes(read_nx(f"{T};i32001-Rtd=1,i32001-flag=N", cn="2011")) == ["key-case"]

    def test_hebei_digits_may_be_padded_because_its_format_has_two(self, segment) -> None:
        (state,) = read(segment(f"{T};i3310F-Info=01", st="31"), load("hebei"), strict=True)
        assert state.door is DoorPosition.OPEN

    def test_without_a_command_the_suffix_tells_the_form(self, segment) -> None:
        (state,) = read(segment(f"{T};i32001-Rtd=1", cn=""), load("nx"))
        assert state.form is WireForm.RTD
        assert codes([state]) == ["command"]


@given(area=st.binary(max_size=200), cn=st.sampled_from(["3020", "2011", "9014", "", "x"]))
def test_any_bytes_can_be_read(segment, area: bytes, cn: str) -> None:
    for name in names():
        read(segment(area, cn=cn), load(name))


KEYS = ("DataTime", "PolId", "i32001", "i32004", "i32005", "i32006", "i31001", "i3310A")
pieces = st.sampled_from(
    [*KEYS, "-Info", "-Rtd", "-Flag", "-", "=", ";", ",", "//", "&&", "20250915101530", "0", "1", "9", " ", "张"]
)


@given(area=st.lists(pieces, max_size=30).map("".join), cn=st.sampled_from(["3020", "2011", ""]))
def test_any_jumble_of_door_data_loses_no_value(segment, area: str, cn: str) -> None:
    frame = segment(area, cn=cn)
    sent = {
        (pair[0].strip(), pair[1])
        for item in frame.items
        for pair in item
        if len(pair) == 2 and pair[0].strip().lower() in ("i32001-info", "i32005-rtd", "i31001-info", "i3310a-info")
    }
    for name in names():
        kept = {(value.key, value.text) for record in read(frame, load(name)) for value in record.raw}
        assert sent <= kept


def test_bytes_that_are_no_utf8_do_not_stop_reading() -> None:
    (state,) = read(parse_segment(b"ST=81;CN=3020;CP=&&DataTime=20250915101531;i32001-Info=\xff&&"), load("nx"))
    assert state.mn == ""
    assert codes([state]) == ["value-outside-set"]
