"""Editions and code tables are consistent with themselves."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re

import pytest

import hj212
from hj212 import HJ_212_2017, RULES, CommandKind, Edition, Reply
from hj212.editions import declared_edition
from hj212.tables.commands import command_row, command_rows, commands, editions_of
from hj212.tables.fields import fields


class TestCommands:
    def test_every_row_is_read(self) -> None:
        assert len(command_rows()) == 99
        assert len(commands()) == len({(row.cn, row.upward) for row in command_rows()})
        for (cn, upward), row in commands().items():
            assert re.fullmatch(r"[0-9]{4}", cn)
            assert (row.cn, row.upward) == (cn, upward)
            assert row.name_zh
            assert row.name_en

    def test_interactions_are_exactly_the_replies(self) -> None:
        rows = {row.cn for row in commands().values() if row.kind is CommandKind.INTERACTION}
        assert rows == {str(int(reply)) for reply in Reply}

    def test_direction_decides_what_a_command_is(self) -> None:
        kinds = [row.kind if (row := command_row("3020", upward)) else None for upward in (True, False)]
        assert kinds == [CommandKind.UPLOAD, CommandKind.REQUEST]
        assert command_row("9021", upward=True) is None

    def test_editions_of_a_command(self) -> None:
        assert editions_of("1001", upward=False) == (Edition.HJ_T_212_2005,)
        assert editions_of("1001") == (Edition.HJ_T_212_2005, Edition.HJ_212_2025)
        assert editions_of("3016") == (Edition.HJ_212_2017,)
        assert editions_of("9021") == ()

    def test_a_command_means_what_its_edition_says(self) -> None:
        names = [row.name_zh if (row := command_row("3014", False, edition)) else "" for edition in Edition]
        assert names == ["设置设备采样时间周期", "比对采样", "比对采样"]
        password = [row.required if (row := command_row("1072", False, edition)) else () for edition in Edition]
        assert password == [("PW",), ("NewPW",), ("NewPW",)]
        row = commands()["9015", True]
        assert (row.kind, row.reply) == (CommandKind.NOTICE, ("9013",))

    def test_every_parameter_named_is_in_the_table_of_fields(self) -> None:
        for row in command_rows():
            for name in (*row.required, *row.optional):
                known = fields().get("-" + name.rpartition("-")[2] if "-" in name else name)
                assert known is not None, (row.cn, name)
                assert set(row.editions) & set(known.editions), (row.cn, name)

    def test_uploads_come_from_the_station_requests_from_the_host(self) -> None:
        assert {row.upward for row in commands().values() if row.kind is CommandKind.UPLOAD} == {True}
        assert {row.upward for row in commands().values() if row.kind is CommandKind.REQUEST} == {False}


class TestEditions:
    @pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.title)
    def test_flag_declares_the_edition(self, rules: object) -> None:
        assert isinstance(rules, type(HJ_212_2017))
        for bits in range(4):
            assert declared_edition(rules.flag_version << 2 | bits) is rules.edition
        assert set(rules.required_fields) <= set(rules.header_fields)

    def test_absent_flag_means_2005(self) -> None:
        assert declared_edition(None) is Edition.HJ_T_212_2005

    def test_unknown_version(self) -> None:
        assert declared_edition(3 << 2) is None


MODULES = [f"hj212.{module.name}" for module in pkgutil.iter_modules(hj212.__path__) if module.name != "__main__"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_names() -> None:
    names = """CHINA CommandKind Connection Edition ExeRtn FlagBits FlatSegment Frame Framer HJ_212_2017 HJ_212_2025
        HJ_T_212_2005 Hj212Error LimitError
        LocalProtocolError Message MessageError Noise QnRtn QnSource RULES RemoteProtocolError Reply Role Rules Segment
        SegmentHeader build_frame compose crc16 format_segment parse_flat parse_header parse_segment rules_of"""
    assert sorted(hj212.__all__) == sorted(names.split())
    assert all(hasattr(hj212, name) for name in hj212.__all__)
