"""No code branches on an edition: what differs stands in the records of ``hj212.editions`` and in the tables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hj212 import Edition
from hj212.editions import RULES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hj212", "accessctl", "simulator", "conformance", "stationgate")
RECORDS = ROOT / "hj212" / "editions.py"

#: What names one edition: the records, the members, their values, the versions of Flag.
_NAMES = {name for name in vars(__import__("hj212.editions", fromlist=["x"])) if name.startswith("HJ_")}
_MEMBERS = {member.name for member in Edition}
_VALUES = {edition.value for edition in Edition} | {rules.title for rules in RULES.values()}


def names_an_edition(node: ast.AST) -> bool:
    """Say whether an expression is one edition: ``Edition.HJ_212_2017``, ``HJ_212_2017``, ``"2017"``."""
    if isinstance(node, ast.Attribute):
        return node.attr in _NAMES | _MEMBERS
    if isinstance(node, ast.Name):
        return node.id in _NAMES
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(map(names_an_edition, node.elts))
    return isinstance(node, ast.Constant) and node.value in _VALUES


def is_flag_version(node: ast.AST) -> bool:
    """Say whether an expression is the version number of an edition: ``rules.flag_version``, ``flag >> 2``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
        return isinstance(node.right, ast.Constant) and node.right.value == 2 and "flag" in ast.unparse(node.left)
    return isinstance(node, ast.Attribute) and node.attr == "flag_version"


def branches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of each place where the way taken depends on which edition it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            literal = any(isinstance(operand, ast.Constant) for operand in operands)
            if any(map(names_an_edition, operands)) or (literal and any(map(is_flag_version, operands))):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.MatchValue) and names_an_edition(node.value):
            yield node.lineno, f"case {ast.unparse(node)}"
        elif isinstance(node, ast.Dict) and any(key is not None and names_an_edition(key) for key in node.keys):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_outside_the_records_asks_which_edition_it_is(package: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in sorted((ROOT / package).rglob("*.py"))
        if file != RECORDS
        for line, text in branches(ast.parse(file.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "if rules.edition == Edition.HJ_212_2017: pass",
        "x = 1 if rules is HJ_212_2025 else 2",
        "while edition in (Edition.HJ_T_212_2005, Edition.HJ_212_2017): pass",
        "if editions.HJ_212_2025 != rules: pass",
        "if profile.edition == '2017': pass",
        "if rules.title == 'HJ 212-2025': pass",
        "if rules.flag_version > 0: pass",
        "if message.flag >> 2 == 1: pass",
        "match edition:\n    case Edition.HJ_212_2017: pass",
        "limit = {Edition.HJ_212_2017: 1024}[rules.edition]",
    ],
)
def test_a_branch_is_found(source: str) -> None:
    assert list(branches(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "if rules.back_fill_field: pass",
        "if rules.edition in row.editions: pass",
        "rules = RULES[Edition.HJ_212_2017]",
        "if station.rules.edition != before.edition: pass",
        "if flag >> 2 < rules.flag_version: pass",
        "def read(rules: Rules = HJ_212_2017): pass",
        "if flag & 1 == 1: pass",
    ],
)
def test_asking_a_record_is_none(source: str) -> None:
    assert not list(branches(ast.parse(source)))
