"""Measured values: numbers with the digits printed, formats, and what the tables say of a value."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import Frame, Framer, build_frame
from hj212.__main__ import main
from hj212.editions import HJ_212_2017, HJ_212_2025, RULES, Edition, Rules
from hj212.explain import examine, remarks
from hj212.jsonform import from_json
from hj212.tables.factors import factors
from hj212.values import Misfit, ValueFormat, check_value, decimal, default_format, printed

OLD, MIDDLE, NEW = Edition


@st.composite
def plain_numbers(draw: st.DrawFn) -> str:
    whole = str(draw(st.integers(0, 10**20)))
    places = draw(st.text("0123456789", max_size=30))
    return draw(st.sampled_from(["", "-"])) + whole + (f".{places}" if places else "")


class TestDecimal:
    @given(plain_numbers())
    def test_every_digit_comes_back(self, text: str) -> None:
        assert printed(decimal(text)) == text

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
    def test_every_number_can_be_written_and_read(self, value: Decimal) -> None:
        text = printed(value)
        assert decimal(text) == value
        assert "E" not in text

    @pytest.mark.parametrize(
        ("text", "digits"),
        [("+1.50", "1.50"), (".5", "0.5"), ("5.", "5"), ("007.10", "7.10"), ("0.0000001", "0.0000001")],
    )
    def test_what_stations_write(self, text: str, digits: str) -> None:
        assert printed(decimal(text)) == digits

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "not-a-number"), (".", "not-a-number"), ("-", "not-a-number"), ("NaN", "not-a-number"),
            ("Infinity", "not-a-number"), ("1_000", "not-a-number"), ("1,5", "not-a-number"), ("１", "not-a-number"),
            ("0x1F", "not-a-number"), ("--1", "not-a-number"), ("1e-5", "exponent"), ("2.5E+3", "exponent"),
            (" 1", "blank"), ("1 ", "blank"), ("1\n", "blank"), ("1 000", "blank"),
        ],
    )  # fmt: skip
    def test_what_is_no_plain_number_is_refused_with_the_reason(self, text: str, why: str) -> None:
        with pytest.raises(ValueError, match=f"expected a decimal number, found .*{why}"):
            decimal(text)

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_not_finite_cannot_be_written(self, value: str) -> None:
        with pytest.raises(ValueError, match="finite"):
            printed(Decimal(value))

    @given(st.text(max_size=20))
    def test_any_text_is_a_number_or_the_documented_error(self, text: str) -> None:
        try:
            value = decimal(text)
        except ValueError:
            assert ValueFormat("N", 99, 99).fits(text) in ("blank", "exponent", "not-a-number")
        else:
            assert value.is_finite()


class TestFormats:
    @pytest.mark.parametrize(
        ("text", "parsed"),
        [
            ("N4", ValueFormat("N", 4)),
            ("N14.2", ValueFormat("N", 14, 2)),
            ("C24", ValueFormat("C", 24)),
            ("C", ValueFormat("C", None)),
            ("YYYYMMDDHHMMSS", ValueFormat("T", 14)),
        ],
    )
    def test_is_read_and_written(self, text: str, parsed: ValueFormat) -> None:
        assert ValueFormat.parse(text) == parsed
        assert str(parsed) == text

    @pytest.mark.parametrize("text", ["", "N", "N5.", "N.1", "X3", "n3", "N3.1 ", "C3.1", "N５", "N123456"])
    def test_others_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"expected Nn, Nx\.y, Cn or YYYYMMDDHHMMSS, found"):
            ValueFormat.parse(text)

    @pytest.mark.parametrize(
        ("declared", "text", "found"),
        [
            ("N3.1", "999.9", []), ("N3.1", "-999.9", []), ("N3.1", "0", []), ("N3.1", "000999.9", []),
            ("N3.1", "1000", ["whole-digits"]), ("N3.1", "9.95", ["decimals"]), ("N3.1", ".55", ["decimals"]),
            ("N3.1", "1000.55", ["whole-digits", "decimals"]), ("N4", "1.0", ["decimals"]), ("N4", "1.", []),
            ("N3.1", "none", ["not-a-number"]), ("N3.1", "1e2", ["exponent"]), ("N3.1", " 1", ["blank"]),
            ("C3", "abc", []), ("C3", "abcd", ["too-long"]), ("C2", "中文", []), ("C", "x" * 999, []),
            ("YYYYMMDDHHMMSS", "20240229000000", []), ("YYYYMMDDHHMMSS", "20230229000000", ["not-a-time"]),
            ("YYYYMMDDHHMMSS", "2023", ["not-a-time"]),
        ],
    )  # fmt: skip
    def test_fit(self, declared: str, text: str, found: list[Misfit]) -> None:
        assert ValueFormat.parse(declared).misfits(text) == found
        assert ValueFormat.parse(declared).fits(text) == (found[0] if found else None)

    @given(st.integers(1, 9), st.integers(0, 6), st.data())
    def test_what_is_printed_to_a_format_fits_it(self, size: int, places: int, data: st.DataObject) -> None:
        number = data.draw(st.integers(-(10 ** (size + places)) + 1, 10 ** (size + places) - 1))
        text = printed(Decimal(number).scaleb(-places))
        assert ValueFormat("N", size, places).fits(text) is None

    def test_every_factor_has_a_default_or_none_is_given(self) -> None:
        for row in factors():
            if row.doubt != "code" and row.value_format and row.editions:
                code = row.code.replace("xx", "01")
                assert str(default_format(code, "-Rtd", row.editions[0])) == row.value_format


class TestCheckValue:
    @pytest.mark.parametrize(
        ("code", "suffix", "text", "edition", "found"),
        [
            ("w01014", "-Rtd", "1425", MIDDLE, ["whole-digits"]),
            ("w01018", "-Avg", "2.2", MIDDLE, []),
            ("w01018", "-ZsAvg", "2.25", MIDDLE, ["decimals"]),
            ("w01018", "-Cou", "123456789.123", MIDDLE, []),
            ("w01018", "-Cou", "many", MIDDLE, ["not-a-number"]),
            ("w01018", "-Flag", "N", MIDDLE, []),
            ("w01018", "-Rtd", "1", OLD, []),
            ("a01014", "-Rtd", "5.55", MIDDLE, ["decimals"]),
            ("a01014", "-Rtd", "5.55", NEW, []),
            ("a01014", "-Rtd", "5.555", None, []),  # the editions differ
            ("g11901", "-Rtd", "5.5555", MIDDLE, []),  # the code means two things
            ("Leq", "-Data", "55.55", MIDDLE, ["decimals"]),
            ("p99101", "-Rtd", "St", NEW, []),
            ("i13004", "-Info", "1680.0", None, ["whole-digits"]),
            ("i13006", "-Info", "2024", None, ["not-a-time"]),
            ("i13001", "-Info", "anything", None, []),
            ("vendor", "-Rtd", "1e3", MIDDLE, ["exponent"]),
        ],
    )
    def test_by_the_tables(
        self, code: str, suffix: str, text: str, edition: Edition | None, found: list[Misfit]
    ) -> None:
        assert check_value(code, suffix, text, edition) == found

    def test_site_information_by_jurisdiction(self) -> None:
        assert check_value("i13108", "-Info", "x") == []
        assert check_value("i3310D", "-Info", "x" * 31) == []
        assert check_value("i3310D", "-Info", "x" * 31, jurisdiction="Hebei") == ["too-long"]


def frame_of(area: str, st: str = "32", flag: int = 4) -> Frame:
    header = f"QN=20160801085857223;ST={st};CN=2011;PW=100000;MN=010000A8900016F000169DC0;Flag={flag};"
    framer = Framer()
    (frame,) = framer.feed(build_frame(f"{header}CP=&&DataTime=20160801085857;{area}&&".encode()))
    assert isinstance(frame, Frame)
    assert frame.intact
    return frame


def said(frame: Frame, rules: Rules) -> tuple[list[str], list[str]]:
    return [d.code for d in examine(frame, rules)], [d.code for d in remarks(frame, rules)]


class TestOnTheWire:
    @pytest.mark.parametrize(
        ("area", "deviations", "noted"),
        [
            ("w01018-Rtd=2.2,w01018-Flag=N", [], []),
            ("w01018-Rtd=2.230000000001,w01018-Flag=N", [], ["value-decimals"]),
            ("w01014-Rtd=1425", [], ["value-digits"]),
            ("w01018-Rtd=none", ["value-format"], []),
            ("w01018-Rtd=1e3", ["value-format"], []),
            ("w01018-Rtd=", ["value-format"], []),
            ("LA-Data=loud", ["value-format"], []),
            ("101-Rtd=2.5", ["factor-other-edition"], []),
            ("w99999-Rtd=1,w99999-Flag=N", [], ["factor-unlisted"]),
            ("a05024-Rtd=8.82", [], []),
            ("e30201-Rtd=42.15;e99901-Rtd=1", [], ["factor-unlisted"]),
            ("SB1-RS=1;SB2-RT=8.5", [], []),
            ("i32001-Info=1;i99999-Info=1", [], []),
            ("pms_rules-Rtd=7", ["factor-shape"], []),
        ],
    )
    def test_measured_values(self, area: str, deviations: list[str], noted: list[str]) -> None:
        assert said(frame_of(area), HJ_212_2017) == (deviations, noted)

    def test_marks_of_production_are_letters(self) -> None:
        assert said(frame_of("p99101-Rtd=St,p99101-Flag=N", st="45", flag=8), HJ_212_2025) == ([], [])

    @pytest.mark.parametrize(
        ("system", "rules", "flag", "noted"),
        [
            ("32", HJ_212_2017, 4, []),
            ("81", HJ_212_2017, 4, ["st-unlisted"]),
            ("46", HJ_212_2017, 4, ["st-unlisted"]),
            ("A7", HJ_212_2017, 4, []),
            ("44", HJ_212_2017, 4, ["st-other-edition"]),
            ("44", HJ_212_2025, 8, []),
        ],
    )
    def test_systems(self, system: str, rules: Rules, flag: int, noted: list[str]) -> None:
        assert said(frame_of("LA-Rtd=50.1", st=system, flag=flag), rules) == ([], noted)

    def test_place_and_words(self) -> None:
        frame = frame_of("w01018-Rtd=123456.7")
        (remark,) = remarks(frame, HJ_212_2017)
        assert frame.raw[remark.offset : remark.offset + remark.length] == b"123456.7"
        assert remark.text("en").startswith(
            "w01018-Rtd=123456.7 has more digits before the point than the table's default N5.1"
        )
        assert "缺省类型 N5.1" in remark.text("zh")

    def test_editions_use_their_own_tables(self) -> None:
        frame = frame_of("060-Rtd=1.8035;16-Rtd=1.00", flag=0)
        assert [(remark.code, remark.expected) for remark in remarks(frame, RULES[OLD])] == [("value-decimals", "N2.3")]

    @given(st.binary(max_size=200))
    def test_any_bytes(self, junk: bytes) -> None:
        framer = Framer()
        for found in [*framer.feed(build_frame(junk) + b"##0040" + junk), *framer.finish()]:
            if isinstance(found, Frame):
                for rules in RULES.values():
                    for remark in remarks(found, rules):
                        assert 0 <= remark.offset <= remark.offset + remark.length <= len(found.raw)


class TestDecode:
    RAW = frame_of("w01014-Rtd=1425.75;w01018-Rtd=123456;LA-Rtd=1", st="81").raw

    @pytest.fixture
    def decoded(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
        def call(*options: str) -> str:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(self.RAW)))
            assert main(["decode", "-", "--lang", "en", *options]) == 0
            out, err = capsys.readouterr()
            assert err == "1 frame, 0 bad, 0 with deviations\n"
            return out

        return call

    def test_remarks_are_told_and_make_no_frame_bad(self, decoded: Callable[..., str]) -> None:
        head, *lines = decoded().splitlines()
        assert head.endswith(": good")
        assert [line for line in lines if line.startswith("  - ")] == [
            "  - no edition lists the system 81",
            "  - w01014-Rtd=1425.75 has more digits before the point than the table's default N3.1; the range decides",
            "  - 1 more of this kind: value-digits",
        ]

    def test_json_has_them_all_and_is_read_back(self, decoded: Callable[..., str]) -> None:
        shape = json.loads(decoded("--json", "--show-secrets"))
        assert shape["deviations"] == []
        assert [remark["code"] for remark in shape["remarks"]] == [
            "st-unlisted", "value-digits", "value-decimals", "value-digits"
        ]  # fmt: skip
        assert from_json(shape) == (self.RAW, False)
