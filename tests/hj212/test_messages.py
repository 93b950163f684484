"""Typed views, the builders, and the limits that building keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import HJ_212_2017, Edition, ExeRtn, LocalProtocolError, Message, MessageError, QnRtn, compose
from hj212.framing import Framer
from hj212.messages import acknowledgement, notice_answer, request_answer, request_result

from .conftest import Vector

MN = "010000A8900016F000169DC0"
QN = "20160801085857223"


def request(**changes: object) -> Message:
    values = {"qn": QN, "st": "32", "cn": "1062", "pw": "100000", "mn": MN, "items": [[("RtdInterval", "30")]]}
    return compose(HJ_212_2017, **(values | {"answer": True} | changes))  # type: ignore[arg-type]


class TestBuild:
    def test_annex_a_frame(self) -> None:
        assert request().encode(HJ_212_2017) == (
            b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
            b"CP=&&RtdInterval=30&&1C80\r\n"
        )

    @pytest.mark.parametrize(
        ("answer", "frame"),
        [
            (request_answer(request(), HJ_212_2017), b"##0094%s;ST=91;CN=9011;%s;Flag=4;CP=&&QnRtn=1&&E101\r\n"),
            (request_result(request(), HJ_212_2017), b"##0095%s;ST=91;CN=9012;%s;Flag=4;CP=&&ExeRtn=1&&21C0\r\n"),
        ],
    )
    def test_answers_of_a_request(self, answer: Message, frame: bytes) -> None:
        expected = frame % (b"QN=20160801085857223", b"PW=100000;MN=010000A8900016F000169DC0")
        assert answer.encode(HJ_212_2017) == expected

    def test_answer_codes(self) -> None:
        assert request_answer(request(), HJ_212_2017, QnRtn.CN_WRONG).items == [[["QnRtn", "8"]]]
        assert request_result(request(), HJ_212_2017, ExeRtn.NO_DATA).items == [[["ExeRtn", "100"]]]

    @pytest.mark.parametrize(("build", "cn"), [(acknowledgement, "9014"), (notice_answer, "9013")])
    def test_answers_without_parameters(self, build: object, cn: str) -> None:
        answer = build(request(answer=True), HJ_212_2017)  # type: ignore[operator]
        assert (answer.qn, answer.st, answer.cn, answer.flag, answer.items) == (QN, "91", cn, 4, [])
        assert bytes(answer).endswith(b"CP=&&&&")

    @pytest.mark.parametrize(
        ("answer", "packet", "flag"), [(False, None, 4), (True, None, 5), (False, (1, 2), 6), (True, (1, 2), 7)]
    )
    def test_flag(self, answer: bool, packet: tuple[int, int] | None, flag: int) -> None:
        message = request(answer=answer, packet=packet)
        assert (message.flag, message.wants_answer) == (flag, answer)
        assert (message.pno, message.pnum) == (packet or (None, None))

    def test_packet_fields_stand_in_the_order_of_the_edition(self) -> None:
        assert b";Flag=7;PNUM=2;PNO=1;CP=&&" in bytes(request(packet=(1, 2)))

    @pytest.mark.parametrize(("packet", "longest"), [(None, 944 - 7), ((1, 2), 931 - 7)])
    def test_both_limits_hold(self, packet: tuple[int, int] | None, longest: int) -> None:
        """CP may have 950 bytes, the whole segment 1024: with a full header the second is the tighter one."""

        def build(size: int) -> bytes:
            value = "x" * (size - len("a="))
            return request(packet=packet, items=[[("a", value)]]).encode(HJ_212_2017)

        assert len(build(longest)) == 1036
        with pytest.raises(LocalProtocolError, match="segment of 1025 bytes, at most 1024"):
            build(longest + 1)

    def test_limit_of_cp(self) -> None:
        short = {"qn": "1", "mn": "1"}
        assert request(**short, items=[[("a", "x" * 941)]]).encode(HJ_212_2017)
        with pytest.raises(LocalProtocolError, match="CP of 951 bytes, at most 950") as caught:
            request(**short, items=[[("a", "x" * 942)]]).encode(HJ_212_2017)
        assert caught.value.clause == "HJ 212-2017 6.3.2"


class TestRead:
    def test_properties(self) -> None:
        message = Message.from_bytes(bytes(request(packet=(2, 3))))
        assert (message.qn, message.st, message.cn, message.pw, message.mn) == (QN, "32", "1062", "100000", MN)
        assert (message.flag, message.pnum, message.pno) == (7, 3, 2)
        assert message.edition is Edition.HJ_212_2017

    def test_absent_fields(self) -> None:
        message = Message.from_bytes(b"CP=&&&&")
        assert (message.qn, message.st, message.cn, message.pw, message.mn) == ("", "", "", "", "")
        assert (message.flag, message.pnum, message.pno, message.wants_answer) == (None, None, None, False)

    @pytest.mark.parametrize(
        ("flag", "value", "edition"),
        [
            (b"0", 0, Edition.HJ_T_212_2005),
            (b"3", 3, Edition.HJ_T_212_2005),
            (b"4", 4, Edition.HJ_212_2017),
            (b" 7 ", 7, Edition.HJ_212_2017),
            (b"9", 9, Edition.HJ_212_2025),
            (b"12", 12, None),
            (b"255", 255, None),
            (b"256", None, Edition.HJ_T_212_2005),
            (b"-1", None, Edition.HJ_T_212_2005),
            (b"x", None, Edition.HJ_T_212_2005),
            ("٥".encode(), None, Edition.HJ_T_212_2005),
            (b"00000000000000005", None, Edition.HJ_T_212_2005),
        ],
    )
    def test_flag(self, flag: bytes, value: int | None, edition: Edition | None) -> None:
        message = Message.from_bytes(b"Flag=" + flag + b";CP=&&&&")
        assert (message.flag, message.edition) == (value, edition)

    def test_parameters_in_wire_order_with_duplicates(self) -> None:
        message = Message.from_bytes(b"CP=&& PolId=1;PolId = 2 ,x;Ctime=04,Ctime=10&&")
        assert list(message.parameters()) == [("PolId", "1"), ("PolId", "2"), ("Ctime", "04"), ("Ctime", "10")]
        assert (message.parameter("PolId"), message.parameter("x")) == ("1", None)

    @pytest.mark.parametrize("value", ["", "-5", "4.5", "1e3", "x", "٥"])
    def test_number_that_is_none(self, value: str) -> None:
        message = Message.from_bytes(f"CP=&&OverTime={value}&&".encode())
        with pytest.raises(MessageError, match="OverTime: expected a whole number") as caught:
            message.number("OverTime")
        assert caught.value.field == "OverTime"

    def test_number(self) -> None:
        assert Message.from_bytes(b"CP=&&OverTime=05&&").number("OverTime") == 5
        with pytest.raises(MessageError):
            Message.from_bytes(b"CP=&&&&").number("OverTime")

    @given(st.binary(max_size=300))
    def test_reading_never_raises_and_changes_nothing(self, data: bytes) -> None:
        message = Message.from_bytes(data)
        for name in ("qn", "st", "cn", "pw", "mn", "flag", "pnum", "pno", "items", "wants_answer", "edition"):
            getattr(message, name)
        assert list(message.parameters()) is not None
        assert bytes(message) == data

    def test_vector(self, vector: Vector) -> None:
        framer = Framer()
        (frame,) = [*framer.feed(vector.raw), *framer.finish()]
        message = Message.from_bytes(frame.segment)  # type: ignore[union-attr]
        assert message.cn == vector.cn
        assert message.edition == vector.version


def test_repr_hides_the_password() -> None:
    message = request(pw="secret")
    assert "secret" not in repr(message)
    assert "secret" not in repr(message.segment)
