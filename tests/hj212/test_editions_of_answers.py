"""Answers in the edition of what they answer (HJ/T 212-2005, HJ 212-2017 Annex C, HJ 212-2025 table 3)."""

from __future__ import annotations

import pytest

from hj212 import (
    HJ_212_2017,
    HJ_212_2025,
    HJ_T_212_2005,
    RULES,
    Connection,
    ExeRtn,
    LocalProtocolError,
    Message,
    QnRtn,
    Role,
    Rules,
    build_frame,
    compose,
)
from hj212.events import NoticeAnswered, RequestAccepted, RequestCompleted, UploadAcknowledged
from hj212.messages import acknowledgement, notice_answer, request_answer

QN = "20040516010101001"
PW = "123456"
MN = "88888880000001"


def message(cn: str, rules: Rules = HJ_T_212_2005, *, items: tuple[tuple[tuple[str, str], ...], ...] = ()) -> Message:
    return compose(rules, qn=QN, st="32", cn=cn, pw=PW, mn=MN, items=items, answer=True)


class TestForms:
    """The frames of the 2005 edition, to the byte where its examples are unambiguous."""

    def test_9011_carries_qn_in_the_data_area(self) -> None:
        assert request_answer(message("2051"), HJ_T_212_2005).encode(HJ_T_212_2005) == (
            b"##0084ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&7200\r\n"
        )

    def test_9013_carries_qn_in_the_data_area(self) -> None:
        assert notice_answer(message("2012"), HJ_T_212_2005).encode(HJ_T_212_2005) == (
            b"##0076ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&30C0\r\n"
        )

    def test_9014_names_command_and_packet_and_goes_without_pw_mn_and_flag(self) -> None:
        upload = Message.from_bytes(
            b"ST=32;CN=2051;QN=20040516010101001;PW=123456;MN=88888880000001;PNO=1;PNUM=1;CP=&&DataTime=20040516021000&&"
        )
        # The example ends its data area with a `;` that nothing follows; that one is not copied.
        assert bytes(acknowledgement(upload, HJ_T_212_2005)) == (
            b"ST=91;CN=9014;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1&&"
        )

    def test_back_fill_is_told_where_the_edition_has_a_field_for_it(self) -> None:
        values = {"qn": QN, "st": "32", "cn": "2051", "pw": PW, "mn": MN}
        told = compose(HJ_212_2025, **values, packet=(1, 2), back_fill=True)
        assert b"Flag=10;PNUM=2;PNO=1;RF=1;CP=" in bytes(told)
        assert told.back_filled
        for rules in (HJ_T_212_2005, HJ_212_2017):
            assert b"RF" not in bytes(compose(rules, **values, back_fill=True))

    def test_an_upload_without_qn(self) -> None:
        upload = compose(HJ_T_212_2005, qn="", st="32", cn="2051", pw=PW, mn=MN)
        assert upload.segment.field("QN") is None
        assert (upload.qn, upload.answers_qn) == ("", "")


class TestConnection:
    @pytest.fixture
    def platform(self) -> Connection:
        return Connection(Role.PLATFORM, HJ_T_212_2005)

    def test_request_answered_in_the_form_of_2005(self, platform: Connection) -> None:
        request = message("2051")
        platform.send(request, 0.0)
        for answer in (
            b"ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&",
            b"ST=91;CN=9012;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;ExeRtn=1&&",
        ):
            platform.receive_data(build_frame(answer), 1.0)
        assert platform.events() == [RequestAccepted(request), RequestCompleted(request, ExeRtn.SUCCESS)]
        assert platform.outstanding == 0

    def test_notice_answered_in_the_form_of_2005(self, platform: Connection) -> None:
        notice = message("2012")
        platform.send(notice, 0.0)
        platform.receive_data(
            build_frame(b"ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&"), 1.0
        )
        assert platform.events() == [NoticeAnswered(notice)]

    def test_upload_acknowledged_without_mn(self) -> None:
        station = Connection(Role.STATION, HJ_T_212_2005)
        upload = message("2051")
        station.send(upload, 0.0)
        station.receive_data(build_frame(b"ST=91;CN=9014;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1;&&"), 1.0)
        assert station.events() == [UploadAcknowledged(upload)]
        assert station.outstanding == 0

    @pytest.mark.parametrize("written_in", RULES.values(), ids=lambda rules: rules.title)
    @pytest.mark.parametrize("fallback", RULES.values(), ids=lambda rules: rules.title)
    def test_each_answer_in_the_edition_of_its_upload(self, written_in: Rules, fallback: Rules) -> None:
        platform = Connection(Role.PLATFORM, fallback, editions=RULES)
        station = Connection(Role.STATION, written_in)
        upload = message("2051", written_in)
        station.send(upload, 0.0)
        platform.receive_data(station.data_to_send(), 0.0)
        answer = platform.data_to_send()
        assert build_frame(bytes(acknowledgement(upload, written_in))) == answer
        station.receive_data(answer, 0.1)
        assert station.events() == [UploadAcknowledged(upload)]

    def test_who_stores_first_acknowledges_later(self) -> None:
        platform = Connection(Role.PLATFORM, HJ_212_2017, automatic=False, editions=RULES)
        upload = message("2011", HJ_212_2017)
        platform.receive_data(upload.encode(HJ_212_2017), 0.0)
        assert platform.data_to_send() == b""
        platform.acknowledge(upload)
        assert platform.data_to_send() == acknowledgement(upload, HJ_212_2017).encode(HJ_212_2017)

    def test_request_answered_in_its_own_edition(self) -> None:
        station = Connection(Role.STATION, HJ_212_2017, editions=RULES)
        request = message("2051")
        station.answer(request, QnRtn.REFUSED)
        station.complete(request, ExeRtn.NO_DATA)
        written = station.data_to_send()
        assert b"QN=20040516010101001;QnRtn=2&&" in written
        assert b"QN=20040516010101001;ExeRtn=100&&" in written

    def test_no_legal_answer_is_told(self) -> None:
        platform = Connection(Role.PLATFORM, HJ_212_2017, automatic=False)
        upload = compose(HJ_212_2017, qn=QN, st="32", cn="2011", pw="1" * 1100, mn=MN, answer=True)
        with pytest.raises(LocalProtocolError, match="at most 1024"):
            platform.acknowledge(upload)
