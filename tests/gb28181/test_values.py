"""Coded values: every table is complete, and means something in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from gb28181.editions import Edition
from gb28181.manscdp.body import Record, elements_of
from gb28181.sdp import Format
from gb28181.tables import read_table
from gb28181.tables.values import meaning, value_of, value_table, value_tables

#: Table -> how many codes it has in each edition.
COUNTS = {
    "PTZType": (4, 7),
    "PositionType": (10, 0),
    "CapturePositionType": (0, 34),
    "PhotoelectricImagingType": (0, 6),
    "RoomType": (2, 2),
    "UseType": (3, 0),
    "SupplyLightType": (3, 5),
    "DirectionType": (8, 8),
    "MobileDeviceType": (0, 6),
    "PointType": (0, 4),
    "FunctionType": (0, 6),
    "SVCSupportMode": (4, 4),
    "Parental": (2, 2),
    "SafetyWay": (4, 0),
    "RegisterWay": (3, 4),
    "SecurityLevelCode": (0, 3),
    "Certifiable": (2, 0),
    "Secrecy": (2, 2),
    "CatalogEvent": (7, 7),
    "Status": (2, 2),
    "RecordType": (4, 4),
    "IndistinctQuery": (2, 2),
    "AlarmPriority": (5, 5),
    "AlarmMethod": (8, 8),
    "AlarmType2": (5, 5),
    "AlarmType5": (12, 13),
    "AlarmType6": (2, 2),
    "EventType": (2, 2),
    "DutyStatus": (3, 3),
    "NotifyType": (1, 1),
    "UpgradeFailedReason": (0, 4),
    "CardStatus": (0, 5),
    "PositionCapability": (3, 0),
    "FrameMirror": (0, 4),
    "TimeType": (0, 2),
    "WeekDayNum": (0, 7),
    "RecordCmd": (2, 2),
    "GuardCmd": (2, 2),
    "TargetTrack": (0, 3),
    "VideoFormat": (4, 5),
    "Resolution": (6, 6),
    "BitRateType": (2, 2),
    "AudioFormat": (4, 6),
    "AudioBitRate": (8, 30),
    "AudioSampling": (4, 17),
    "SourceType": (4, 4),
}


def records(of: type[Record] = Record) -> Iterator[type[Record]]:
    for each in of.__subclasses__():
        yield each
        yield from records(each)


def test_every_table_has_the_codes_of_the_standard() -> None:
    found = {
        name: tuple(sum(edition in row.editions for row in table.rows.values()) for edition in Edition)
        for name, table in value_tables().items()
    }
    assert found == COUNTS


def test_no_code_is_told_twice_and_every_row_belongs_to_a_table() -> None:
    rows = list(read_table("values.csv"))
    assert [key for key, count in Counter((row["table"], row["code"]) for row in rows).items() if count > 1] == []
    names = Counter(row["name"] for row in read_table("valuetables.csv"))
    assert set(names.values()) == {1}
    assert {row["table"] for row in rows} == set(names)
    assert all(row["zh"] and row["en"] for row in rows)


def test_tables_stand_at_elements_that_exist_in_the_same_editions() -> None:
    known = {f"{each.__name__}.{row.tag}": row for each in records() for row in elements_of(each)}
    for table in value_tables().values():
        assert set(table.elements) <= known.keys(), table.name
        editions = {edition for row in table.rows.values() for edition in row.editions}
        assert set(table.clauses) == editions, table.name
        for name in table.elements:
            has = {edition for edition in Edition if known[name].need(edition).value != "-"}
            assert editions & has, name


@pytest.mark.parametrize(
    ("record", "tag", "value", "method", "en"),
    [
        ("CatalogInfo", "PTZType", "1", "", "dome"),
        ("CatalogInfo", "PTZType", "01", "", "dome"),
        ("CatalogInfo", "PTZType", "8", "", None),
        ("CatalogInfo", "FunctionType", "01/99", "", "faces, other"),
        ("CatalogInfo", "FunctionType", "01/77", "", None),
        ("CatalogInfo", "CapturePositionType", "0170000", "", "education"),
        ("CatalogInfo", "Resolution", "6", "", "1080P/I"),
        ("CatalogItem", "Event", "VLOST", "", "video lost"),
        ("AlarmInfo", "AlarmType", "2", "5", "motion"),
        ("AlarmInfo", "AlarmType", "2", "2", "tampering"),
        ("AlarmInfo", "AlarmType", "2", "6", "fan fault"),
        ("AlarmInfo", "AlarmType", "2", "1", None),
        ("CatalogItem", "Name", "1", "", None),
        ("CatalogInfo", "PTZType", "", "", None),
    ],
)
def test_meaning(record: str, tag: str, value: str, method: str, en: str | None) -> None:
    found = meaning(record, tag, value, method)
    assert (found and found[1]) == en


def test_zero_is_a_code_of_its_own() -> None:
    row = value_of(value_table("Secrecy"), "0")
    assert row is not None
    assert row.en == "not secret"


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        (
            "v/2/6/25/1/4000a/1/8/1",
            "视频 H.264、1080P/I、25 帧/秒、固定码率、4000 kbit/s；音频 G.711、64 kbit/s、8 kHz",
            "video H.264, 1080P/I, 25 fps, constant bit rate, 4000 kbit/s; audio G.711, 64 kbit/s, 8 kHz",
        ),
        ("v/5/3840x2160///a///", "视频 H.265、3840x2160", "video H.265, 3840x2160"),
        ("v/////a/1/8/1", "音频 G.711、64 kbit/s、8 kHz", "audio G.711, 64 kbit/s, 8 kHz"),
        ("v/9////a/77//", "视频 ?9；音频 ?77", "video ?9; audio ?77"),
        ("v/////a///", "", ""),
    ],
)
def test_terms_of_a_format(text: str, zh: str, en: str) -> None:
    assert Format.parse(text).terms() == (zh, en)
