"""The suite's own pen: equal to frames computed elsewhere, and to nothing of ours."""

from __future__ import annotations

import ast
import inspect

import pytest

from conformance import literal

MN = b"64010000ACCE550000000001"
PW = b"123456"

#: Data and check value, from HJ 212-2017 Annex A and the published examples of the 2025 edition.
CHECKED = [
    (b"123456789", 0x2F80),
    (b"", 0xFFFF),
    (b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&", 0x1C80),
    (b"QN=20160801085857223;ST=91;CN=9011;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&QnRtn=1&&", 0xE101),
    (b"QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&", 0xC241),
    (b"QN=20260915100000400;ST=44;CN=9015;PW=123456;MN=64010000E1EC000000000002;Flag=9;CP=&&&&", 0x9FC1),
    (
        "QN=20240102030405006;ST=32;CN=3020;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
        "CP=&&DataTime=20240102030400;PolId=w01018;i11001-Info=//清洗管路//&&".encode(),
        0xC741,
    ),
]


@pytest.mark.parametrize(("segment", "value"), CHECKED)
def test_check_value_is_that_of_the_printed_frame(segment: bytes, value: int) -> None:
    assert literal.annex_a_crc(segment) == value


def test_request_for_the_state_is_the_printed_frame() -> None:
    assert literal.request(b"20250915160000001", b"81", b"3020", PW, MN, b"InfoId=i32001") == (
        b"##0100QN=20250915160000001;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
        b"CP=&&InfoId=i32001&&A281\r\n"
    )


@pytest.mark.parametrize(
    ("qn", "cn", "area", "printed"),
    [
        (
            b"20250915090000001",
            b"1062",
            b"RtdInterval=900",
            b"##0102QN=20250915090000001;ST=81;CN=1062;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
            b"CP=&&RtdInterval=900&&C5C1\r\n",
        ),
        (
            b"20250915090001001",
            b"1012",
            b"SystemTime=20250915090001",
            b"##0112QN=20250915090001001;ST=81;CN=1012;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
            b"CP=&&SystemTime=20250915090001&&CD41\r\n",
        ),
    ],
)
def test_set_up_requests_are_the_printed_frames(qn: bytes, cn: bytes, area: bytes, printed: bytes) -> None:
    assert literal.request(qn, b"81", cn, PW, MN, area) == printed


def test_acknowledgement_is_the_printed_frame() -> None:
    assert literal.data_answer(b"20250915100000123", PW, MN) == (
        b"##0087QN=20250915100000123;ST=91;CN=9014;PW=123456;MN=64010000ACCE550000000001;Flag=4;CP=&&&&4040\r\n"
    )


def test_notice_answer_differs_by_its_command_and_check_value_alone() -> None:
    assert literal.notice_answer(b"20250915100000123", PW, MN)[:-6] == (
        b"##0087QN=20250915100000123;ST=91;CN=9013;PW=123456;MN=64010000ACCE550000000001;Flag=4;CP=&&&&"
    )


def test_pen_uses_nothing_of_the_library_it_checks() -> None:
    tree = ast.parse(inspect.getsource(literal))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in imported if isinstance(node, ast.ImportFrom)] == ["__future__"]
    assert len(imported) == 1
