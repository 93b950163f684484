"""Codes of twenty digits, and what their parts mean in each edition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import GBT_28181_2016, GBT_28181_2022, RULES, LimitError, LocalProtocolError, RemoteProtocolError, SdpError
from gb28181.identifiers import DeviceId, compose_id, domain_of, ids, is_division, type_row
from gb28181.ssrc import MAX_STREAMS, Ssrcs, format_ssrc, parse_ssrc

EXAMPLES = {
    "34020000002000000001": (200, "central signalling control server"),
    "34020000001180000001": (118, "network video recorder (NVR)"),
    "34020000001310000001": (131, "camera"),
    "34020000001320000001": (132, "network camera (IPC)"),
    "34020000001340000001": (134, "alarm input"),
    "34020000001370000001": (137, "voice output"),
    "34020000002150000001": (215, "business group"),
    "34020000002160000001": (216, "virtual organisation"),
}


@pytest.mark.parametrize(("text", "meaning"), EXAMPLES.items())
def test_parts_of_the_examples(text: str, meaning: tuple[int, str]) -> None:
    code = DeviceId.parse(text)
    assert (code.centre, code.domain, code.industry, code.network, code.serial) == ("34020000", "3402000000", 0, 0, 1)
    assert domain_of(text) == "3402000000"
    for rules in RULES.values():
        row = code.type_row(rules)
        assert row is not None
        assert (code.type, row.en) == meaning
        assert row.zh


def test_every_type_has_at_most_one_meaning_in_an_edition() -> None:
    for rules in RULES.values():
        known = [code for code in range(1000) if type_row(code, rules)]
        assert min(known) == 111
        assert len(known) >= 880


def test_the_editions_differ() -> None:
    code = DeviceId.parse("34020000431220000001")
    old, new = code.industry_row(GBT_28181_2016), code.industry_row(GBT_28181_2022)
    assert old is not None
    assert new is not None
    assert (old.en, new.en) == ("metallurgy", "power, heat, gas and water supply")
    new = code.type_row(GBT_28181_2022)
    assert new is not None
    assert new.en == "multi-sensor device"
    assert type_row(504, GBT_28181_2022) is None
    networks = [code.network_row(rules) for rules in RULES.values()]
    assert [row.zh for row in networks if row] == ["监控报警专网", "公安视频传输网"]


@pytest.mark.parametrize(
    "text", ["", "3402000000132000000", "340200000013200000011", "3402000000132000000a", "３" * 20]
)
def test_other_than_twenty_digits(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="20 digits") as caught:
        DeviceId.parse(text)
    assert caught.value.status == 403


def test_divisions() -> None:
    assert [is_division(text) for text in ("34", "3402", "340200", "34020000", "340", "3402000000")] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]


@given(st.integers(0, 10**20 - 1))
def test_composed_from_its_parts(number: int) -> None:
    code = DeviceId.parse(f"{number:020d}")
    assert compose_id(code.centre, code.industry, code.type, code.serial, code.network) == code


def test_ranges() -> None:
    assert list(ids("34020000001320000001", 3))[-1] == "34020000001320000003"
    assert list(ids("34020000001320999999", 1)) == ["34020000001320999999"]
    with pytest.raises(LocalProtocolError, match="six digits"):
        list(ids("34020000001320999999", 2))


@pytest.mark.parametrize(
    "parts", [("3402", 0, 132, 1), ("34020000", 100, 132, 1), ("34020000", 0, 1320, 1), ("34020000", 0, 132, -1)]
)
def test_parts_that_do_not_fit(parts: tuple[str, int, int, int]) -> None:
    with pytest.raises(LocalProtocolError):
        compose_id(*parts)


class TestSsrc:
    def test_golden(self) -> None:
        assert parse_ssrc("0200003863") == 0x0BEBD117
        assert parse_ssrc("1200003863") == 0x47869B17
        assert parse_ssrc("100000001") == parse_ssrc("0100000001")
        assert format_ssrc(0x0BEBD117) == "0200003863"

    @pytest.mark.parametrize("text", ["", "x", "4294967296", "-1", "02000038631", "２００"])
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(SdpError, match="ten digits"):
            parse_ssrc(text)

    def test_values_of_a_domain(self) -> None:
        ssrcs = Ssrcs("13010000002000000001")
        assert (ssrcs.take(), ssrcs.take(history=True)) == ("0100000000", "1100000000")

    def test_a_value_comes_again_only_after_it_was_released(self) -> None:
        ssrcs = Ssrcs("3402000000")
        given_away = [ssrcs.take() for _ in range(MAX_STREAMS)]
        assert len(set(given_away)) == MAX_STREAMS
        assert max(map(parse_ssrc, given_away)) < 2**31
        with pytest.raises(LimitError, match="MAX_STREAMS"):
            ssrcs.take()
        ssrcs.take(history=True)
        ssrcs.release(given_away[77])
        ssrcs.release("0999999999")
        ssrcs.release("nonsense")
        assert ssrcs.take() == given_away[77]

    def test_limits(self) -> None:
        for bad in (-1, 1 << 32):
            with pytest.raises(LocalProtocolError):
                format_ssrc(bad)
        with pytest.raises(LocalProtocolError):
            Ssrcs("340")
