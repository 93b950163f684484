"""Values that stand for something: answers, results, states, and the digits inside codes.

A table is named by what carries the value: a parameter (``"QnRtn"``), a suffix (``"-ResultType"``, ``"SBn-RS"``), a
site information code (``"i12001"``), or the digit of a code (``"information-class"``, ``"flue-gas-process"``). Data
flags have a module of their own (:mod:`.flags`); those of vendors are here as ``"vendor-flag"``. Lists of answers are
open: a value without a row is legal. The lists of 2025 were not seen, so those of 2017 stand for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..editions import Edition
from . import read_table

__all__ = [
    "ResultRow",
    "code_meaning",
    "code_table",
    "code_tables",
    "execution_results",
    "request_answers",
    "result_rows",
]


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One value and what it stands for.

    Attributes:
        table: Which table it belongs to.
        code: The value as text.
        zh: 含义.
        en: The same in English.
        editions: The editions that have it so; none for one that is in use and in no edition.
        source: Where it is known from.
        certain: Whether more than one source, or the standard's text, says so.
    """

    table: str
    code: str
    zh: str
    en: str
    editions: tuple[Edition, ...]
    source: str
    certain: bool


@cache
def result_rows() -> tuple[ResultRow, ...]:
    """Return every row of ``tables/results.csv``, in its order."""
    return tuple(
        ResultRow(
            row["table"],
            row["code"],
            row["zh"],
            row["en"],
            tuple(map(Edition, filter(None, row["editions"].split(";")))),
            row["source"],
            row["certain"] == "yes",
        )
        for row in read_table("results.csv")
    )


def code_tables() -> tuple[str, ...]:
    """Return the names of the tables, in their order."""
    return tuple(dict.fromkeys(row.table for row in result_rows()))


@cache
def code_table(name: str, edition: Edition | None = None) -> dict[str, ResultRow]:
    """Return a table of one edition, or of any: value -> row; empty for a table that is not known.

    Without an edition a value whose meaning changed has its first row, the newest.
    """
    found: dict[str, ResultRow] = {}
    for row in result_rows():
        if row.table == name and (edition is None or edition in row.editions):
            found.setdefault(row.code, row)
    return found


def code_meaning(table: str, code: str, edition: Edition | None = None) -> ResultRow | None:
    """Return what a value stands for; ``None`` for one without a row.

    >>> code_meaning("SBn-RS", "4").en, code_meaning("i32001", "2").zh
    ('alarm', '故障')
    """
    return code_table(table, edition).get(code)


def request_answers(edition: Edition | None = None) -> dict[str, ResultRow]:
    """Return the values of QnRtn in 9011 (请求返回)."""
    return code_table("QnRtn", edition)


def execution_results(edition: Edition | None = None) -> dict[str, ResultRow]:
    """Return the values of ExeRtn in 9012 (执行结果)."""
    return code_table("ExeRtn", edition)
