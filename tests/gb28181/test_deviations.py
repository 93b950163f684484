"""Deviations have words in both languages, from one table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import gb28181
from gb28181.deviations import MAX_DEVIATIONS, Deviation, deviation_rows, note
from gb28181.manscdp import read
from gb28181.sdp import parse_sdp
from gb28181.sip import parse_message
from gb28181.tables import read_table

FOLDER = Path(gb28181.__file__).parent


def test_every_code_of_the_table_is_used_and_every_used_one_is_in_it() -> None:
    source = "".join(file.read_text("utf-8") for file in sorted(FOLDER.rglob("*.py")) if "cli" not in file.parts)
    used = set(re.findall(r'(?:Deviation|_note)\(\s*"([a-z-]+)"', source))
    # Repairs of XML return theirs.
    used |= set(re.findall(r'return [^\n]*"(garbage|illegal-character|unescaped)"', source))
    assert used == set(deviation_rows())
    assert set(Counter(row["code"] for row in read_table("deviations.csv")).values()) == {1}


def test_both_languages_say_the_same_things() -> None:
    for row in deviation_rows().values():
        assert row.zh != row.en
        assert set(re.findall(r"{(\w+)}", row.zh)) == set(re.findall(r"{(\w+)}", row.en)), row.code
        assert row.part in ("sip", "sdp", "bytes", "xml", "body")
        assert not row.en.endswith(".")
        assert "。" not in row.zh


@pytest.mark.parametrize(
    ("data", "zh", "en"),
    [
        (
            b"Message sip:a@b SIP/2.0\nCall-ID: 1\n\n",
            ["行以 LF 结束，应为 CR LF", "方法“Message”应为大写“MESSAGE”"],
            ["lines end in LF, expected CR LF", "the method 'Message' should be in upper case, MESSAGE"],
        ),
        (
            b"BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\nab",
            ["Content-Length 为 0 字节，消息体有 2 字节"],
            ["Content-Length says 0 bytes, the body has 2"],
        ),
    ],
)
def test_words_of_messages(data: bytes, zh: list[str], en: list[str]) -> None:
    deviations = parse_message(data).deviations
    assert [each.text("zh") for each in deviations] == zh
    assert [each.text("en") for each in deviations] == en == [each.message for each in deviations]


def test_words_of_bodies_and_descriptions() -> None:
    (deviation,) = read(b"<Response><CmdType>Catalog</CmdType><SN>1</SN><SumNum>{x}</SumNum></Response>").deviations
    assert (deviation.code, deviation.where) == ("value", "Response/SumNum")
    assert deviation.text("zh") == "应为 integer 类型的值，实际为“{x}”"
    assert deviation.text("en") == "expected a value of type integer, found '{x}'"
    (deviation,) = parse_sdp(b"v=0\r\ns=Play\r\ny=1\r\n").deviations
    assert deviation.text("zh") == "y= 应为十位数字，实际为“1”"


def test_a_body_that_is_wrong_all_over_is_told_by_fewer() -> None:
    deviations: list[Deviation] = []
    for _ in range(MAX_DEVIATIONS + 50):
        note(deviations, Deviation("line-ends"))
    assert len(deviations) == MAX_DEVIATIONS + 1
    assert deviations[-1].message == "more than 200 deviations; the others are not listed"
