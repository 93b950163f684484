"""Typed commands: they cover the command table, read and write what the editions want, and lose nothing."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, RULES, FlagBits, LocalProtocolError, Message, Rules
from hj212.commands import (
    AlarmEvent,
    Command,
    DataAnswer,
    ExecutionResult,
    GetMinuteData,
    Header,
    Measurement,
    MinuteData,
    Printed,
    RealTimeData,
    RequestAnswer,
    SetKey,
    SetPassword,
    SetRealTimeInterval,
    SetSamplingTimes,
    SiteInformation,
    Unknown,
    all_commands,
    command_class,
    read,
)
from hj212.strategies import damaged_frames, messages
from hj212.strategies.rows import rows_of
from hj212.tables.commands import CommandRow, command_rows

MN = "010000A8900016F000169DC0"
HEAD = Header(qn="20160801085857223", st="32", pw="100000", mn=MN)
few = settings(max_examples=12, suppress_health_check=list(HealthCheck))
editions = pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.edition)

EXAMPLES = [
    (
        HJ_212_2017,
        False,
        "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&",
        SetRealTimeInterval,
        {"interval_s": 30},
    ),
    (
        HJ_212_2017,
        True,
        "QN=20160801085857223;ST=91;CN=9011;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&QnRtn=1&&",
        RequestAnswer,
        {"code": 1},
    ),
    (
        HJ_212_2017,
        True,
        "QN=20160801085000001;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801084957;"
        "w01001-Rtd=7.1,w01001-Flag=N;w01018-SampleTime=20160801070000,w01018-Rtd=2.2,w01018-Flag=N,w01018-EFlag=A01&&",
        RealTimeData,
        {"data_time": "20160801084957"},
    ),
    (
        HJ_212_2017,
        False,
        "QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&",
        DataAnswer,
        {"answered_cn": ""},
    ),
    (
        HJ_212_2017,
        True,
        "QN=20240102030405006;ST=32;CN=3020;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
        "CP=&&DataTime=20240102030400;PolId=w01018;i11001-Info=//清洗管路//&&",
        SiteInformation,
        {"factor": "w01018", "values": (Measurement("i11001", (("Info", "//清洗管路//"),)),)},
    ),
    (
        HJ_T_212_2005,
        False,
        "QN=20040516010101001;ST=32;CN=2051;PW=123456;MN=88888880000001;Flag=3;"
        "CP=&&BeginTime=20040506111000,EndTime=20040506151000&&",
        GetMinuteData,
        {"begin_time": "20040506111000", "end_time": "20040506151000"},
    ),
    (
        HJ_T_212_2005,
        True,
        "ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&",
        RequestAnswer,
        {"code": 1},
    ),
    (
        HJ_T_212_2005,
        True,
        "ST=32;CN=2051;PW=123456;MN=88888880000001;CP=&&DataTime=20040516021000;B01-Cou=200;"
        "101-Cou=2.5,101-Min=1.1,101-Avg=1.1,101-Max=1.1&&",
        MinuteData,
        {"data_time": "20040516021000"},
    ),
    (
        HJ_T_212_2005,
        False,
        "ST=91;CN=9014;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1;&&",
        DataAnswer,
        {"answered_cn": "2051", "answered_pno": 1, "answered_pnum": 1},
    ),
    (
        HJ_T_212_2005,
        True,
        "ST=91;CN=9012;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;ExeRtn=1&&",
        ExecutionResult,
        {"code": 1},
    ),
    (
        HJ_212_2025,
        True,
        "QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&DataTime=20240520210600;"
        "a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N&&",
        MinuteData,
        {"data_time": "20240520210600"},
    ),
]


#: Further examples of the standards, for the bytes alone.
WRITTEN_BACK = [
    (
        HJ_212_2017,
        True,
        "QN=20240102030405006;ST=32;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=7;PNUM=2;PNO=1;"
        "CP=&&DataTime=20240102020000;w00000-Cou=63.0,w00000-Min=16.4,w00000-Avg=17.5,w00000-Max=20.1,w00000-Flag=N&&",
    ),
    (
        HJ_212_2017,
        True,
        "QN=20160801085857223;ST=91;CN=9012;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&ExeRtn=1&&",
    ),
    (
        HJ_T_212_2005,
        True,
        "ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&",
    ),
    (
        HJ_212_2017,
        True,
        "QN=20240102030405007;ST=32;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=7;PNUM=2;PNO=2;"
        "CP=&&DataTime=20240102020000;w01018-Cou=63.0,w01018-Min=40.1,w01018-Avg=40.1,w01018-Max=40.1,w01018-Flag=N&&",
    ),
    (
        HJ_212_2025,
        True,
        "QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;"
        "CP=&&DataTime=20240520210600;a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N;"
        "a01012-Min=9.3,a01012-Avg=9.3,a01012-Max=9.3,a01012-Flag=N;"
        "a01014-Min=3.20,a01014-Avg=3.211,a01014-Max=3.212,a01014-Flag=N&&",
    ),
    (
        HJ_212_2025,
        True,
        "QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;"
        "CP=&&DataTime=20240520210600;a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N;"
        "a01014-Min=3.20,a01014-Avg=3.20,a01014-Max=3.20,a01014-Flag=N&&",
    ),
    (
        HJ_212_2025,
        False,
        "QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&",
    ),
]


@pytest.mark.parametrize(("rules", "upward", "text"), WRITTEN_BACK)
def test_further_example_is_written_unchanged(rules: Rules, upward: bool, text: str) -> None:
    command = read(segment(text), rules, upward=upward)
    assert isinstance(command, Command)
    assert bytes(command.build(rules)) == text.encode()


def test_example_in_another_field_order_keeps_its_fields() -> None:
    text = (
        "ST=32;CN=2051;QN=20040516010101001;PW=123456;MN=88888880000001;PNO=1;PNUM=1;"
        "CP=&&DataTime=20040516021000;B01-Cou=200;101-Cou=2.5,101-Min=1.1,101-Avg=1.1,101-Max=1.1&&"
    )
    command = read(segment(text), HJ_T_212_2005, upward=True)
    assert (command.header.packet, command.header.flag) == ((1, 1), None)
    assert read(command.build(HJ_T_212_2005), HJ_T_212_2005, upward=True) == command


def test_upload_without_its_time_is_read_and_says_so() -> None:
    """A9: a legal frame whose data area is empty."""
    text = "QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
    command = read(segment(text), HJ_212_2017, upward=True)
    assert isinstance(command, RealTimeData)
    assert (command.data_time, command.missing(HJ_212_2017)) == ("", ("DataTime",))


def segment(text: str) -> Message:
    return Message.from_bytes(text.encode())


@pytest.mark.parametrize(("rules", "upward", "text", "cls", "values"), EXAMPLES)
def test_example_is_read_and_written_unchanged(
    rules: Rules, upward: bool, text: str, cls: type, values: dict[str, object]
) -> None:
    command = read(segment(text), rules, upward=upward)
    assert type(command) is cls
    assert {name: getattr(command, name) for name in values} == values
    assert bytes(command.build(rules)) == text.encode()


def test_every_row_has_one_class_that_declares_its_names() -> None:
    for row in command_rows():
        for edition in row.editions:
            assert sum(row in cls.rows() for cls in all_commands()) == 1
            cls = command_class(row.cn, row.upward, edition)
            assert cls is not None
            assert row in cls.rows()
        declared = {name.wire for name in cls.names()} | {"QN"}
        wanted = {re.sub(r"^(?:SB)?x{3,6}-", "-", name) for name in row.required + row.optional}
        assert wanted <= declared


@pytest.mark.parametrize("cls", all_commands(), ids=lambda cls: cls.__name__)
def test_name_table_has_terms_and_each_field_a_row(cls: type[SetRealTimeInterval]) -> None:
    used = {name for row in cls.rows() for name in row.required + row.optional}
    for parameter in cls.PARAMETERS:
        assert not parameter.wire or used & set(parameter.wire)
    for name in cls.names():
        assert name.zh
        assert name.en
        assert hasattr(cls, name.python)


@pytest.mark.parametrize(
    ("rules", "row"),
    [(rules, row) for rules in RULES.values() for row in rows_of(rules) if row.kind.name != "INTERACTION"],
    ids=lambda each: each.edition if isinstance(each, Rules) else f"{each.cn}-{each.upward}",
)
@few
@given(data=st.data())
def test_written_read_and_written_again_is_the_same(rules: Rules, row: CommandRow, data: st.DataObject) -> None:
    message = data.draw(messages(rules, cn=row.cn, upward=row.upward))
    command = read(message, rules, upward=row.upward)
    assert not isinstance(command, Unknown)
    assert command.missing(rules) == ()
    first = command.build(rules)
    again = read(first, rules, upward=row.upward)
    assert again == command
    assert bytes(again.build(rules)) == bytes(first)


@editions
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data(), upward=st.booleans())
def test_damaged_messages_are_read_and_kept(rules: Rules, data: st.DataObject, upward: bool) -> None:
    raw = data.draw(damaged_frames(rules)).raw
    command = read(Message.from_bytes(raw), rules, upward=upward)
    assert command.source is not None
    assert bytes(command.source) == raw
    assert repr(command)
    try:
        built = command.build(rules)
    except LocalProtocolError:
        return
    again = read(Message.from_bytes(bytes(built)), rules, upward=upward)
    assert bytes(again.build(rules)) == bytes(built)


def test_unknown_parameters_and_duplicates_survive() -> None:
    text = EXAMPLES[0][2].replace("RtdInterval=30", "RtdInterval=0030;FANSTATUS=1;RtdInterval=31")
    command = read(segment(text), HJ_212_2017, upward=False)
    assert isinstance(command, SetRealTimeInterval)
    assert command.interval_s == 30
    assert command.rest == ((("FANSTATUS", "1"),), (("RtdInterval", "31"),))
    assert bytes(command.build(HJ_212_2017)) == text.encode()


def test_unknown_command_survives() -> None:
    text = EXAMPLES[0][2].replace("CN=1062", "CN=1070")
    command = read(segment(text), HJ_212_2017, upward=False)
    assert isinstance(command, Unknown)
    assert bytes(command.build(HJ_212_2017)) == text.encode()


def test_two_hyphens_and_other_spellings() -> None:
    text = (
        "QN=20160801085857223;ST=32;CN=3020;PW=100000;MN=1;Flag=5;CP=&& PolID = a21026 ;a21026-i22004-Info=1;x-Info= &&"
    )
    command = read(segment(text), HJ_212_2017, upward=True)
    assert isinstance(command, SiteInformation)
    assert command.factor == "a21026"
    assert command.values[0] == Measurement("a21026", (("i22004-Info", "1"),))
    assert command.missing(HJ_212_2017) == ("DataTime",)
    with pytest.raises(LocalProtocolError, match="DataTime is missing"):
        command.build(HJ_212_2017)


def test_measured_values_keep_their_digits() -> None:
    value = Measurement.of("w01018", Rtd=Decimal("2.20"), Flag="N")
    assert (value.text("Rtd"), str(value.decimal("Rtd")), value.flag, value.decimal("Avg")) == (
        "2.20",
        "2.20",
        "N",
        None,
    )


@pytest.mark.parametrize(
    ("command", "rules", "said"),
    [
        (SetRealTimeInterval(header=HEAD), HJ_212_2017, "RtdInterval is missing"),
        (SetRealTimeInterval(header=HEAD, interval_s=7), HJ_212_2017, "a number from 30 to 3600"),
        (SetRealTimeInterval(header=replace(HEAD, qn=""), interval_s=30), HJ_212_2017, "QN is missing"),
        (SetRealTimeInterval(header=replace(HEAD, pw="1234567"), interval_s=30), HJ_212_2017, "at most 6 characters"),
        (SetRealTimeInterval(header=replace(HEAD, packet=(2, 1)), interval_s=30), HJ_212_2017, "expected PNO"),
        (SetKey(header=HEAD, created="1", key="k" * 16), HJ_212_2017, "no command of HJ 212-2017"),
        (SetKey(header=HEAD, created="1", key="k" * 17), HJ_212_2025, "at most 16 characters"),
        (GetMinuteData(header=HEAD, begin_time="2024", end_time="20240101000000"), HJ_212_2017, "a time YYYY"),
        (
            RealTimeData(header=HEAD, data_time="20240101000000", values=(Measurement.of("w01018", Rtd="1;2"),)),
            HJ_212_2017,
            "separator",
        ),
    ],
)
def test_what_the_edition_forbids_is_not_written(
    command: SetRealTimeInterval | SetKey, rules: Rules, said: str
) -> None:
    with pytest.raises(LocalProtocolError, match=said) as caught:
        command.build(rules)
    assert "kkkk" not in str(caught.value)


def test_password_is_named_as_the_edition_names_it_and_never_shown() -> None:
    command = SetPassword(header=HEAD, new_password="s3cret")
    assert bytes(command.build(HJ_212_2017)).endswith(b"CP=&&NewPW=s3cret&&")
    assert bytes(command.build(HJ_T_212_2005)).endswith(b"CP=&&PW=s3cret&&")
    assert "s3cret" not in repr(command)
    assert "100000" not in repr(command)
    assert "s3cret" not in repr(replace(command, new_password="", rest=((("NewPW", "s3cret"),),)))


def test_repeated_and_enclosed_parameters_of_2005() -> None:
    head = replace(HEAD, flag=FlagBits.ANSWER)
    times = SetSamplingTimes(header=head, factor="101", hours=("04", "10"))
    assert bytes(times.build(HJ_T_212_2005)).endswith(b"Flag=1;CP=&&PolId=101;CTime=04,CTime=10&&")
    event = AlarmEvent(header=head, alarm_time="20040506111000", values=(Measurement.of("101", Ala="1.1"),), alarm=1)
    assert bytes(event.build(HJ_T_212_2005)).endswith(b"CP=&&AlarmTime=20040506111000;101-Ala=1.1;AlarmType=1&&")


def test_printed_number_survives_pickling() -> None:
    number = pickle.loads(pickle.dumps(Printed("0030")))
    assert (number, str(number)) == (30, "0030")


def test_verified_frame_is_written_whole() -> None:
    frame = read(segment(EXAMPLES[0][2]), HJ_212_2017, upward=False).build(HJ_212_2017).encode(HJ_212_2017)
    assert frame.endswith(b"1C80\r\n")
