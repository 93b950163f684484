"""The tables of codes: complete, of one piece, in both numberings, and read only when asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from accessctl import dictionaries
from hj212.codes import ExeRtn, QnRtn
from hj212.editions import RULES, Edition
from hj212.tables.factors import FactorRow, code_in, factor, factor_rows, factors
from hj212.tables.information import (
    NATIONAL,
    InformationRow,
    information,
    information_rows,
    information_uses,
    jurisdictions,
)
from hj212.tables.results import (
    ResultRow,
    code_meaning,
    code_table,
    code_tables,
    execution_results,
    request_answers,
    result_rows,
)
from hj212.tables.systems import SystemRow, system, system_class, systems
from hj212.values import ValueFormat

OLD, MIDDLE, NEW = Edition

CHINESE = re.compile("[\u4e00-\u9fff]")
#: What is called by Latin letters in Chinese too.
LATIN_NAMES = {"SCR", "SNCR"}
UNITS = {
    *("mg/L", "ug/L", "ng/L", "count/L", "Bq/L", "mg/m3", "ng/m3", "kg/m3", "t/(km2*month)"),
    *("m", "m2", "m3", "m/s", "m3/s", "m3/h", "L/s", "kg", "r/min", "min", "s", "datetime"),
    *("A", "V", "mV", "kWh", "uS/cm", "dB", "degC", "Pa", "kPa", "MPa", "%", "degree (colour)", "degree (angle)"),
    *("1", ""),
}
CODES: list[FactorRow | InformationRow] = [*factors(), *information_rows()]
ROWS: list[FactorRow | InformationRow | SystemRow | ResultRow] = [*CODES, *systems(), *result_rows()]


def test_tables_are_complete() -> None:
    assert (len(factors()), len(information_rows()), len(systems()), len(result_rows())) == (472, 151, 35, 99)
    media = Counter(row.medium for row in factors() if MIDDLE in row.editions)
    assert media == {
        "water": 63, "air": 121, "noise": 12, "wastewater-process": 90, "flue-gas-process": 55, "equipment": 1
    }  # fmt: skip
    assert sum(OLD in row.editions for row in factors()) == 93 + 15 + 1  # the table, old codes known by 2017, SBn
    assert sum(row.jurisdiction == NATIONAL and MIDDLE in row.editions for row in information_rows()) == 38


def test_rows_say_what_they_are_and_where_from() -> None:
    for row in ROWS:
        assert CHINESE.search(row.zh) or row.zh in LATIN_NAMES, row
        assert row.en.isascii(), row
        assert "unconfirmed" not in row.en
        assert row.source, row
        assert row.zh == row.zh.strip()
        assert row.en == row.en.strip() != ""


def test_units_and_formats_are_known_ones() -> None:
    for row in CODES:
        assert row.unit in UNITS, row
        assert row.doubt in ("", "code", "unit", "name")
        if row.value_format:
            assert str(ValueFormat.parse(row.value_format)) == row.value_format
    assert {row.cou_unit for row in factors()} == {"", "kg", "g", "mg", "m3"}


def test_nothing_stands_twice_but_what_the_standard_gives_twice() -> None:
    seen = Counter((row.code, edition) for row in factors() for edition in row.editions)
    twice = {code for (code, _), number in seen.items() if number > 1}
    assert twice == {"e701xx", "g119xx"} == {row.code for row in factors() if row.doubt == "code"}
    assert len({(row.code, row.jurisdiction, row.editions) for row in information_rows()}) == len(information_rows())
    assert len({(row.code, row.editions) for row in systems()}) == len(systems())
    seen = Counter((f"{row.table} {row.code}", edition) for row in result_rows() for edition in row.editions)
    assert set(seen.values()) == {1}


def test_what_is_in_no_edition_says_so() -> None:
    assert {row.code for row in factors() if not row.editions and row.certain} == {"a05024"}
    assert not any(row.certain for row in information_rows() if not row.editions)
    assert not any(row.certain for row in systems() if not row.editions)


class TestFactors:
    @pytest.mark.parametrize(
        ("code", "edition", "zh", "unit", "value_format"),
        [
            ("w01018", None, "化学需氧量", "mg/L", "N5.1"),
            ("011", None, "化学需氧量（CODcr）", "mg/L", "N6.1"),
            ("w20111", None, "总汞", "ug/L", "N3.2"),
            ("020", None, "总汞", "mg/L", "N2.3"),
            ("01", None, "烟尘", "mg/m3", "N5.2"),
            ("001", None, "pH值", "", "N2.1"),
            ("a34013", MIDDLE, "烟尘", "mg/m3", "N4"),
            ("a34013", NEW, "烟尘", "mg/m3", "N4.1"),
            ("Ld", MIDDLE, "昼间等效声级", "dB", "N3.1"),
            ("Ld", OLD, "夜间等效声级Ld", "dB", "N3.1"),
            ("e30201", None, "鼓风机", "A", "N4.2"),
            ("g10199", None, "增压风机状态", "1", "N1"),
            ("SB1", OLD, "污染治理设施", "", ""),
            ("SB100", NEW, "污染治理设施", "", ""),
            ("p99101", None, "生产设施工况标记", "", "C"),
        ],
    )
    def test_known(self, code: str, edition: Edition | None, zh: str, unit: str, value_format: str) -> None:
        row = factor(code, edition)
        assert row is not None
        assert (row.zh, row.unit, row.value_format) == (zh, unit, value_format)

    def test_unknown(self) -> None:
        assert factor("w99999") is None
        assert factor("w01018", OLD) is None
        assert factor("d20105", MIDDLE) is None
        assert factor("e9990x") is None
        assert factor("SB") is None
        assert factor("a05024") is not None
        assert factor("a05024", MIDDLE) is None

    def test_errors_of_the_tables_are_marked(self) -> None:
        assert [row.en for row in factor_rows("e70103")] == ["sewage lift pump (current)", "chemical dosing amount"]
        assert [row.zh for row in factor_rows("g11901")] == ["脱硫率", "入口二氧化硫SO2"]
        for code in ("a21001", "a05002", "a34002", "a34004", "S02", "e30301"):
            assert factor_rows(code)[0].doubt == "unit"
        assert {row.doubt for row in factor_rows("Ln", OLD)} == {"name"}

    def test_numberings_map_to_each_other_and_back(self) -> None:
        mapped = 0
        for row in factors():
            if row.counterpart and OLD in row.editions:
                new = code_in(MIDDLE, row.code)
                assert new == row.counterpart
                assert code_in(OLD, new) == row.code
                mapped += 1
        assert mapped == 93 - 4 + 15  # all but B03, 16, 99 and 025
        assert code_in(NEW, "011") == "w01018"

    def test_numberings_where_there_is_nothing_to_map(self) -> None:
        assert code_in(OLD, "LA") is None
        assert code_in(MIDDLE, "16") is None
        assert code_in(OLD, "SB7") == "SB7"
        assert code_in(MIDDLE, "xyz") is None

    def test_codes_have_the_form_of_their_editions(self) -> None:
        for row in factors():
            code = row.code.replace("xx", "01").replace("SBn", "SB1")
            for edition in row.editions:
                assert re.fullmatch(RULES[edition].factor_pattern, code), row


class TestSystems:
    def test_names_changed(self) -> None:
        found = [system("21", edition) for edition in (None, OLD, NEW)]
        assert [row and row.zh for row in found] == ["地表水质量监测", "地表水监测", "地表水质量监测"]

    def test_new_systems(self) -> None:
        assert [system("44", edition) is None for edition in Edition] == [True, True, False]
        assert [row.certain for row in (system("44"), system("45"), system("51", NEW)) if row] == [True, False, False]

    def test_81_means_nothing_in_any_edition(self) -> None:
        row = system("81")
        assert row is not None
        assert (row.editions, row.certain) == ((), False)
        assert all(system("81", edition) is None for edition in Edition)
        assert system_class("81") is None

    @pytest.mark.parametrize(
        ("code", "name"),
        [("10", "10-29"), ("29", "10-29"), ("46", "30-49"), ("69", "50-69"), ("99", "91-99"), ("B7", "A0-Z9")],
    )
    def test_classes(self, code: str, name: str) -> None:
        row = system_class(code)
        assert row is not None
        assert row.code == name
        assert not row.holds(name)

    @pytest.mark.parametrize("code", ["70", "90", "09", "3A", "b7", "A", "", "101", "３１"])
    def test_no_class(self, code: str) -> None:
        assert system_class(code) is None


class TestResults:
    def test_answers_are_those_the_library_branches_on(self) -> None:
        assert {int(code) for code in request_answers()} == set(QnRtn)
        assert {int(code) for code in execution_results()} == set(ExeRtn)

    def test_editions(self) -> None:
        assert set(request_answers(OLD)) == {"1", "2", "3"}
        assert set(execution_results(OLD)) == {"1", "2", "100"}
        assert execution_results(NEW) == execution_results(MIDDLE)

    def test_meanings(self) -> None:
        assert [row and row.en for row in (code_meaning("SBn-RS", "5"), code_meaning("SBn-RS", "1", OLD))] == [
            "blow-back etc.",
            "equipment on",
        ]
        assert code_meaning("SBn-RS", "5", OLD) is None
        assert code_meaning("QnRtn", "11") is None
        assert code_meaning("SampleType", "1") is None
        assert code_table("no such table") == {}
        assert "4" not in code_table("i12001")

    def test_tables_of_site_information_belong_to_codes_of_the_standard(self) -> None:
        for name in code_tables():
            if re.fullmatch("i[0-9]{5}", name):
                assert information(name) is not None

    def test_each_process_of_a_code_has_a_name(self) -> None:
        for letter, table in (("e", "wastewater-process"), ("g", "flue-gas-process")):
            digits = {row.code[1] for row in factors() if row.code.startswith(letter)}
            assert digits <= set(code_table(table))


class TestInformation:
    def test_a_code_means_what_its_jurisdiction_says(self) -> None:
        row = information("i32001")
        assert row is not None
        assert (row.zh, row.jurisdiction) == ("门禁状态", NATIONAL)
        assert [use.jurisdiction for use in information_uses("i32001")] == [NATIONAL, "Ningxia", "sampler platform"]
        assert information("i32002") is None
        assert {use.zh for use in information_uses("i32002")} == {"拆除状态", "门禁卡号", "校准设备忙"}

    def test_what_a_jurisdiction_does_not_define_is_the_standards(self) -> None:
        assert information("i33103", "Hebei") == information("i33103") is not None
        assert information("i33103", "Atlantis") == information("i33103")

    def test_2025_and_hebei_use_the_same_codes(self) -> None:
        ours, theirs = information("i13108"), information("i13108", "Hebei")
        assert ours is not None
        assert theirs is not None
        assert (ours.zh, ours.editions, theirs.zh, theirs.editions) == ("基准氧含量", (NEW,), "量程校准浓度", ())

    def test_letter_case_and_device_numbers(self) -> None:
        assert information("i33400") == information("I33400") is not None
        assert information("i3310a", "Hebei") == information("i3310A", "Hebei") is not None
        assert {row.code for n in range(10) if (row := information(f"i3331{n}"))} == {"i3331x"}
        assert information("i3331a") is None

    def test_codes_have_the_form_of_the_scheme(self) -> None:
        devices, classes = code_table("information-device"), code_table("information-class")
        for row in information_rows():
            assert re.fullmatch("[iI][0-9]{2}[0-9A-Zx]{3}", row.code)
            assert row.code[1] in devices
            assert row.code[2] in classes

    @pytest.mark.parametrize(("jurisdiction", "dictionary"), [("Ningxia", "nx"), ("Hebei", "hebei")])
    def test_names_of_door_codes_agree_with_the_door_dictionaries(self, jurisdiction: str, dictionary: str) -> None:
        assert jurisdiction in jurisdictions()
        doors = {row.code: (row.name_zh, row.name_en) for row in dictionaries.load(dictionary).codes}
        found = {
            code: (row.zh, row.en)
            for code in doors
            if (row := information(code, jurisdiction)) and row.jurisdiction == jurisdiction
        }
        assert len(found) >= 6
        assert found.items() <= doors.items()


def test_importing_the_package_reads_no_table() -> None:
    program = (
        "import pkgutil, sys; pkgutil.get_data = None; import hj212, hj212.values, hj212.explain; "
        "sys.exit('csv' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=30, check=False).returncode == 0
