"""The reference pages of gb28181; tools/reference.py writes them with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pages import Lines, code, prose, table

from gb28181.deviations import deviation_rows
from gb28181.differences import (
    CODE_TABLES,
    Difference,
    code_differences,
    command_differences,
    differences,
    element_differences,
    value_differences,
)
from gb28181.editions import RULES, Edition
from gb28181.identifiers import CodeRow
from gb28181.tables.commands import CommandRow, command_rows
from gb28181.tables.values import ValueRow, value_tables
from stationgate.language import pick

PARTS: Final = {
    "sip": ("SIP 消息", "SIP messages"),
    "sdp": ("会话描述 SDP", "Session descriptions"),
    "bytes": ("消息体的字节与字符集", "Bytes and charset of a body"),
    "xml": ("消息体的 XML", "XML of a body"),
    "body": ("消息体的元素", "Elements of a body"),
}


def deviations() -> Lines:
    yield pick("# GB/T 28181 的偏差", "# Deviations from GB/T 28181")
    yield ""
    yield pick(
        "`gb28181 decode` 能指出的每一种偏差：按标准不该这样写，但仍然读得出来。`code` 是 JSON 里的代码，不会改名；"
        "`{found}` 是实际内容，`{expected}` 是应有的内容。偏差本身不是结论。",
        "Every deviation that `gb28181 decode` names: written otherwise than the standard has it, and read all the "
        "same. `code` is what JSON shows and does not change; `{found}` is what stands there, `{expected}` what would "
        "match. A deviation is no verdict.",
    )
    yield ""
    for part, (zh, en) in PARTS.items():
        yield f"## {pick(zh, en)}"
        yield ""
        yield from table(
            ("code", pick("说明", "text")),
            ((code(row.code), prose(pick(row.zh, row.en))) for row in deviation_rows().values() if row.part == part),
        )


def editions() -> Lines:
    yield pick("# GB/T 28181 两个版本的差别", "# Differences between the editions of GB/T 28181")
    yield ""
    yield pick(
        "`gb28181` 按这些记录与表格读写两个版本；`gb28181 editions` 打印同样的内容。“?” 表示只有一个来源，"
        "或只是合理的推断：它是一个可以替换的默认值（`dataclasses.replace`）。",
        "The records and tables by which `gb28181` reads and writes both editions; `gb28181 editions` prints the same. "
        "A `?` marks what one source alone says or what is only a fair reading: a default to be replaced "
        "(`dataclasses.replace`).",
    )
    yield ""
    for differs, zh, en in (
        (True, "## 不同的规则", "## Rules that differ"),
        (False, "## 相同的规则", "## Rules that agree"),
    ):
        yield pick(zh, en)
        yield ""
        yield from table(
            (pick("内容", "fact"), "`Rules`", *(rules.title for rules in RULES.values())),
            (
                (prose(pick(row.zh, row.en)), code(row.fact), *(fact_cell(row, edition) for edition in RULES))
                for row in differences()
                if row.differs is differs
            ),
        )
    yield pick("## 只有一个版本才有的命令", "## Commands of one edition")
    yield ""
    yield from command_table(command_differences())
    yield pick("## 要求不同的元素", "## Elements that differ")
    yield ""
    yield pick(
        "M 必选，C 有条件必选，O 可选，— 没有。只列两个版本都有的命令；多处出现的结构只在第一处列出。",
        "M mandatory, C conditional, O optional, — absent. Of commands that both editions have; what several of them "
        "hold is listed where it is met first.",
    )
    yield ""
    yield from table(
        (
            pick("位置", "where"),
            pick("元素", "element"),
            pick("含义", "Chinese term"),
            *(r.title for r in RULES.values()),
        ),
        (
            (
                prose(each.where),
                code(each.element.tag),
                prose(each.element.zh),
                *("—" if each.needs[edition].value == "-" else each.needs[edition].value for edition in RULES),
            )
            for each in element_differences()
        ),
    )
    for name, (zh, en) in CODE_TABLES.items():
        yield pick(f"## 不同的编码：{zh}", f"## Codes that differ: {en}")
        yield ""
        yield from code_table(code_differences(name))
    yield pick("## 只有一个版本才有的取值", "## Values of one edition")
    yield ""
    yield from table(
        (pick("表", "table"), pick("取值", "code"), pick("含义", "meaning"), pick("版本", "edition")),
        (
            (prose(pick(each.zh, each.en)), code(row.code), prose(pick(row.zh, row.en)), titles(row.editions))
            for each, rows in value_differences()
            for row in rows
        ),
    )


def fact_cell(row: Difference, edition: Edition) -> str:
    value = row.values[edition]
    if value is None:
        return "—"
    text = pick("是", "yes") if value is True else pick("否", "no") if value is False else code(str(value))
    doubt = " ?" if edition in row.unconfirmed else ""
    return f"{text}{doubt} ({row.clauses[edition]})" if edition in row.clauses else f"{text}{doubt}"


def titles(editions: Iterable[Edition]) -> str:
    return pick("、", ", ").join(edition.value for edition in editions)


def command_table(rows: Iterable[CommandRow]) -> Lines:
    yield from table(
        (
            pick("根元素", "root"),
            "CmdType",
            pick("子命令", "sub-command"),
            pick("名称", "name"),
            pick("方向", "direction"),
            pick("另有应答", "answered"),
            pick("版本", "editions"),
        ),
        (
            (
                row.root,
                code(row.cmd_type),
                code(row.sub_command) if row.sub_command else "",
                prose(pick(row.zh, row.en)),
                pick({"down": "下行", "up": "上行", "both": "双向"}[row.direction], row.direction),
                pick("是", "yes") if row.answered else pick("否", "no"),
                pick("；", "; ").join(f"{edition.value}: {clause}" for edition, clause in row.clauses.items()),
            )
            for row in rows
        ),
    )


def code_table(rows: Iterable[CodeRow]) -> Lines:
    yield from table(
        (pick("编码", "code"), pick("含义", "meaning"), pick("版本", "edition")),
        (
            (
                code(str(row.first) if row.first == row.last else f"{row.first}-{row.last}"),
                prose(pick(row.zh, row.en)),
                titles(row.editions),
            )
            for row in rows
        ),
    )


def tables() -> Lines:
    yield pick("# GB/T 28181 的命令与取值", "# Commands and values of GB/T 28181")
    yield ""
    yield pick(
        "`gb28181` 读写的每一条命令，以及 `gb28181 decode` 用来解释取值的表。“另有应答”指业务应答是另一条消息，"
        "SIP 的 200 不是应答。",
        "Every command that `gb28181` reads and writes, and the tables by which `gb28181 decode` explains values. "
        "Answered: by a message of its own; the 200 of SIP is no answer.",
    )
    yield ""
    yield pick("## 命令", "## Commands")
    yield ""
    yield from command_table(command_rows())
    for each in value_tables().values():
        yield f"## {prose(pick(each.zh, each.en))}"
        yield ""
        where = pick("、", ", ").join(map(code, each.elements))
        clauses = pick("；", "; ").join(f"{edition.value}: {clause}" for edition, clause in each.clauses.items())
        yield pick("；", "; ").join(filter(None, (where, clauses)))
        yield ""
        yield from value_rows(each.rows.values())


def value_rows(rows: Iterable[ValueRow]) -> Lines:
    yield from table(
        (pick("取值", "code"), pick("含义", "meaning"), pick("版本", "edition")),
        ((code(row.code), prose(pick(row.zh, row.en)), titles(row.editions)) for row in rows),
    )


PAGES: Final[dict[str, Callable[[], Lines]]] = {
    "gb28181-deviations.md": deviations,
    "gb28181-editions.md": editions,
    "gb28181-values.md": tables,
}
