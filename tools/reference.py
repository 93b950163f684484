"""Write the reference pages that repeat what the code and its tables already say.

    python tools/reference.py update    write docs/en/reference and docs/zh/reference
    python tools/reference.py check     exit 1 when a page is not what `update` would write

Needs the packages importable, as in an environment made by `pip install -e '.[test]'`.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Final

import click
import reference_gb28181
from pages import Lines, code, codes, fence, prose, table

from accessctl.cli import build_command as accessctl_command
from conformance import plan
from conformance.acts import ActText, acts, answers
from conformance.case import CASES, Case
from conformance.catalogue import CaseText, case_text, requirements
from conformance.cli import build as conformance_command
from conformance.profile import limit_table
from conformance.steps import STEPS
from gb28181.cli import build_command as gb28181_command
from hj212.cli import build_command as hj212_command
from hj212.deviations import deviation_rows
from hj212.differences import Difference, differences
from hj212.editions import HJ_212_2017, RULES, Edition
from simulator.cli import build as simulator_command
from simulator.faults import CAMERA_FAULTS, FAULTS, NOT_JUDGED, Fault
from simulator.personalities.kinds import kinds
from simulator.scenario import Event, FaultPlan, Load, Scenario, SipTarget, SiteGroup, StationGroup, Target
from simulator.scenario.keys import Key, event_rows, keys
from simulator.scenario.listing import COLUMNS
from simulator.scenario.shapes import presets
from stationgate.language import LANGUAGES, Language, pick, speaking
from stationgate.options import Command, Group

DOCS = Path(__file__).resolve().parents[1] / "docs"
TERMS = DOCS / "terms.csv"
UNSETTLED = DOCS / "unsettled.csv"

PROGRAMS: Final[tuple[Callable[[], click.Command], ...]] = (
    conformance_command,
    hj212_command,
    accessctl_command,
    gb28181_command,
    simulator_command,
)

#: Options that every command has; listed once.
COMMON = ("--lang", "--help", "--version", "--debug")

# Command lines


def command_line() -> Lines:
    yield pick("# 命令行", "# Command line")
    yield ""
    yield pick(
        "每个包一条命令，与包同名；`python -m 包名` 与之相同。退出码见[退出码](exit-codes.md)。",
        "One program per package, named like it; `python -m PACKAGE` is the same. See [exit codes](exit-codes.md).",
    )
    yield ""
    yield pick("所有命令都有的选项：", "Options that every command has:")
    yield ""
    yield from table(
        (pick("选项", "option"), pick("含义", "meaning")),
        (
            ("`--help`", pick("显示帮助，例子在最前。", "Show help; it starts with examples.")),
            (
                "`--lang zh|en`",
                pick(
                    "所有文字的语言。默认取自配置文件，其次取自系统区域设置。",
                    "Language of all text. Default: from the profile, then the locale.",
                ),
            ),
            (
                "`--debug`",
                pick(
                    "意外出错时显示调用栈；与 `STATIONGATE_DEBUG=1` 相同。",
                    "Show the traceback of an unexpected error; the same as `STATIONGATE_DEBUG=1`.",
                ),
            ),
            (
                "`--version`",
                pick("显示版本，只用于 `PROGRAM --version`。", "Show the version, as `PROGRAM --version`."),
            ),
        ),
    )
    for build in PROGRAMS:
        program = build()
        assert isinstance(program, Group)
        yield f"## {program.name}"
        yield ""
        yield prose(program.help or "")
        yield ""
        yield from examples(program.examples)
        for path, command in every_command(program.name or "", program):
            yield from one_command(path, command)


def every_command(path: str, program: Group) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its path, those of groups within too."""
    for name, command in program.commands.items():
        if isinstance(command, Group):
            yield from every_command(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def one_command(path: str, command: click.Command) -> Lines:
    yield f"### {path}"
    yield ""
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option) and not set(p.opts) & set(COMMON)]
    yield from fence("text", [" ".join([path, *(["[OPTIONS]"] if options else []), *map(argument, arguments)])])
    for paragraph in re.split(r"\n\s*\n", command.help or ""):
        yield prose(paragraph)
        yield ""
    assert isinstance(command, Command)
    yield from examples(command.examples)
    if options:
        yield from table(
            (pick("选项", "option"), pick("含义", "meaning")),
            ((code(option_words(option)), prose(option.help or "")) for option in options),
        )


def examples(given: Iterable[tuple[str, str]]) -> Lines:
    lines = [text for line, purpose in given for text in (f"# {purpose}", line)]
    if lines:
        yield from fence("sh", lines)


def argument(param: click.Argument) -> str:
    # What click prints differs from version to version.
    name = param.metavar or (param.name or "").upper()
    name = name if param.required or name.startswith("[") else f"[{name}]"
    return f"{name}..." if param.nargs == -1 else name


def option_words(option: click.Option) -> str:
    words = ", ".join(sorted(option.opts, key=len))
    if option.is_flag:
        return words
    if option.metavar:
        return f"{words} {option.metavar}"
    kind = option.type
    if isinstance(kind, click.Choice):
        return f"{words} {'|'.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange | click.FloatRange):
        low, high = ("" if bound is None else f"{bound:g}" for bound in (kind.min, kind.max))
        return f"{words} {low}..{high}"
    return f"{words} {'FILE' if isinstance(kind, click.Path) else 'TEXT'}"


# Cases


def cases() -> Lines:
    yield pick("# 用例", "# Cases")
    yield ""
    yield pick(
        f"一共 {len(CASES)} 个用例，判定门禁控制器的 {len(requirements())} 条要求。每个用例只判定一件事，"
        "依据所列条款，并且会被列出的每一种故障判出（见[故障](faults.md)）。"
        "在终端上看同样的内容：`conformance explain` 加用例编号。",
        f"{len(CASES)} cases judge the {len(requirements())} requirements on door controllers. Each judges one thing "
        "by the clause it cites, and rejects every defect listed with it (see [faults](faults.md)). "
        "`conformance explain` with the id of a case prints the same in a terminal.",
    )
    yield ""
    yield from table(
        (pick("标记", "mark"), pick("含义", "meaning")),
        (
            ("shall / should", pick("必须；应当：不满足时只是提醒", "binding; advice, of which a breach is a warning")),
            ("`@auto`", pick("不需要人操作", "nobody has to act")),
            ("`@manual`", pick("需要有人在门边按提示操作", "a person acts at the door, as prompted")),
            ("`@quick`", pick("几分钟内完成", "takes minutes")),
            ("`@long`", pick("要等定时上报、重发或断网", "waits for timed reports, repeats or an outage")),
        ),
    )
    yield pick(
        "“来源”一栏：seed 为宁夏方案（征求意见稿），text 为标准原文，guess 为工程上的选择，默认从不判为不合格。",
        "Source: seed is the regional plan (a draft for comment), text a standard, guess an engineering choice, which "
        "is never a FAIL by default.",
    )
    yield ""
    by_requirement = defaultdict(list)
    for case in CASES.values():
        by_requirement[case_text(case.id).requirement].append(case)
    for id, requirement in requirements().items():
        yield f"## {id}"
        yield ""
        yield prose(requirement.text)
        yield ""
        head = pick("条款", "Clause"), pick("方式", "mode"), pick("来源", "source")
        values = requirement.clause, requirement.mode, requirement.source
        yield pick("；", "; ").join(f"{h}{pick('：', ': ')}{v}" for h, v in zip(head, values, strict=True))
        yield ""
        for case in by_requirement[id]:
            yield from one_case(case, case_text(case.id))


def one_case(case: Case, text: CaseText) -> Lines:
    yield f"### {case.id}"
    yield ""
    yield f"**{prose(text.title)}**"
    yield ""
    rows = [
        (pick("要求", "requirement"), text.requirement_label),
        (pick("条款", "clause"), prose(text.clause)),
        (pick("约束", "level"), text.level),
        (pick("标签", "tags"), codes(f"@{tag}" for tag in sorted(plan.tags(case)))),
        (pick("步骤", "steps"), pick("；", "; ").join(str(STEPS[step].title) for step in case.uses)),
        (pick("前提", "rests on"), codes(case.needs)),
        (pick("限值", "limits"), codes(case.limits)),
        (pick("能判出的故障", "rejects"), codes(case.killed_by)),
    ]
    yield from table((pick("项目", "item"), pick("内容", "value")), (r for r in rows if r[1]))
    if text.why:
        yield prose(text.why)
        yield ""
    for title, frame in ((pick("正确：", "Right:"), text.good), (pick("错误：", "Wrong:"), text.bad)):
        if frame:
            yield title
            yield ""
            yield from fence("text", frame.rstrip("\n").split("\n"))


# Faults


LAYERS: Final = {
    "bytes": ("字节层：数据段以外的部分", "Bytes: what stands around the data segment"),
    "protocol": ("协议层：字段与交互", "Protocol: fields and flow"),
    "world": ("现场层：门、人员、时钟、测量值", "World: the door, the people, the clock, what is measured"),
}


def faults() -> Lines:
    yield pick("# 故障", "# Faults")
    yield ""
    yield pick(
        f"仿真器内置 {len(FAULTS)} 种故障，每种只有一处缺陷。名称用于场景文件（`faults` 与 `[[fault]]`），"
        "门禁（door）的故障也用于 `conformance demo --fault`，其“应判”由 `conformance selftest` 逐项验证；"
        f"`{NOT_JUDGED}` 为链路故障，套件不作判定。",
        f"The simulator knows {len(FAULTS)} defects, one fault each. The names work in a scenario (`faults` and "
        "`[[fault]]`), those of doors in `conformance demo --fault` too. What the suite must say of each is proved by "
        f"`conformance selftest`; it does not judge faults of the link (`{NOT_JUDGED}`).",
    )
    yield ""
    rejected_by: dict[str, list[str]] = defaultdict(list)
    for case in CASES.values():
        for name in case.killed_by:
            rejected_by[name].append(case.id)
    for layer, (zh, en) in LAYERS.items():
        yield f"## {pick(zh, en)}"
        yield ""
        yield from table(
            (
                pick("名称", "name"),
                pick("故障", "defect"),
                pick("站点", "stations"),
                pick("应判", "verdict"),
                pick("判出它的用例", "rejected by"),
            ),
            (fault_row(fault, rejected_by[fault.name]) for fault in FAULTS.values() if fault.layer == layer),
        )
    yield from camera_faults()


def camera_faults() -> Lines:
    yield pick("## 摄像机与录像机（GB/T 28181）", "## Cameras and recorders (GB/T 28181)")
    yield ""
    yield pick(
        "用于场景文件中 `dome`、`bullet`、`nvr` 的 `faults` 和 `[[fault]]`；带数字的写成 `名称=数字`。尚无用例，"
        "“应判”是将来套件应给出的结论。",
        "For `faults` and `[[fault]]` of `dome`, `bullet` and `nvr` in a scenario; a number is written `name=number`. "
        "No case rejects them yet: the verdict is what a suite should say.",
    )
    yield ""
    yield from table(
        (pick("名称", "name"), pick("层", "layer"), pick("故障", "defect"), pick("应判", "verdict")),
        (
            (code(fault.name), fault.layer, prose(pick(fault.zh, fault.en)), fault.expected)
            for fault in CAMERA_FAULTS.values()
        ),
    )


def fault_row(fault: Fault, rejected_by: Iterable[str]) -> tuple[str, ...]:
    families = ", ".join(fault.families)
    return code(fault.name), prose(pick(fault.zh, fault.en)), families, fault.expected, codes(rejected_by)


# Scenarios


HEADS: Final = {
    "": ("文件开头", "The top of the file"),
    "target": ("`[target]`：HJ 212 平台", "`[target]`: the platform of HJ 212"),
    "sip": ("`[sip]`：GB/T 28181 平台", "`[sip]`: the platform of GB/T 28181"),
    "site": ("`[[site]]`：现场", "`[[site]]`: sites"),
    "station": ("`[[station]]`：站点", "`[[station]]`: stations"),
    "fault": ("`[[fault]]`：故障时间线", "`[[fault]]`: faults on a timeline"),
    "event": ("`[[event]]`：事件", "`[[event]]`: events"),
    "load": ("`[load]`：负载形状", "`[load]`: shape of the load"),
}
#: What a value looks like, by the word in the column ``accepts``.
ACCEPTED: Final = {
    "text": ("文字", "text"),
    "secret": ("文字", "text"),
    "pw": ("1 到 64 个可打印 ASCII 字符，不含 ; 和 &", "1 to 64 printable ASCII characters other than ; and &"),
    "texts": ("列表", "list"),
    "select": ("文字或列表", "text or list"),
    "boolean": ("true / false", "true / false"),
    "whole": ("整数", "whole number"),
    "number": ("数", "number"),
    "share": ("数", "number"),
    "seconds": ("秒", "seconds"),
    "signed": ("秒，可为负", "seconds, may be negative"),
    "choice": ("文字", "text"),
    "choice-whole": ("整数", "whole number"),
    "mn": ("十六进制数字", "hexadecimal digits"),
    "gb-id": ("20 位数字", "20 digits"),
    "digits": ("数字", "digits"),
    "key": ("32 位十六进制", "32 hexadecimal digits"),
    "st": ("两位", "two characters"),
    "shifts": ("列表", "list"),
    "codes": ("表", "table"),
    "levels": ("表", "table"),
    "start": ("日期时间", "date and time"),
    "instant": ("时刻", "instant"),
    "addresses": ("地址列表", "list of addresses"),
}
DEFAULTS: Final[dict[str, object]] = {
    "": Scenario(),
    "target": Target(),
    "sip": SipTarget(),
    "site": SiteGroup(),
    "station": StationGroup(),
    "fault": FaultPlan(""),
    "event": Event(""),
    "load": Load(),
}


def scenario() -> Lines:
    yield pick("# 场景文件", "# Scenarios")
    yield ""
    yield pick(
        "场景是一个 TOML 文件，`simulator run` 照它运行；`simulator new --kind site` 打印一份带注释的。"
        "不认识的键、类型或范围不对的值都是错误，并指出是哪一行、应为什么。"
        "怎样编写见[编写带故障的场景](../howto/scenario-with-faults.md)。",
        "A scenario is a TOML file that `simulator run` plays; `simulator new --kind site` prints a commented one. A "
        "key that is not known, or a value of another type or range, is an error that names the line and what was "
        "expected. How to write one is told in [a scenario with faults](../howto/scenario-with-faults.md).",
    )
    yield ""
    for name, (zh, en) in HEADS.items():
        yield f"## {pick(zh, en)}"
        yield ""
        yield from table(
            (pick("键", "key"), pick("含义", "meaning"), pick("值", "value"), pick("默认值", "default"))
            + ((pick("用于", "for"),) if name == "station" else ()),
            (key_row(key) for key in keys(name).values()),
        )
        yield from BELOW.get(name, lambda: ())()


def key_row(key: Key) -> tuple[str, ...]:
    cells = code(key.name), prose(key.text), accepted(key), key_default(key)
    return (*cells, codes(sorted(key.kinds))) if key.table == "station" else cells


def accepted(key: Key) -> str:
    if key.choices:
        return codes(key.choices)
    text = pick(*ACCEPTED[key.accepts])
    low, high = ("" if bound is None else f"{bound:.10g}" for bound in (key.least, key.most))
    if high:
        return pick(f"{text}，{low} 至 {high}", f"{text}, {low} to {high}")
    return pick(f"{text}，不小于 {low}", f"{text}, {low} or more") if low and low != "0" else text


def key_default(key: Key) -> str:
    if key.default:
        return prose(key.default)
    value = getattr(DEFAULTS[key.table], key.field)
    if value in ("", (), None):
        return "—"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, float):
        return code(f"{value:g}")
    return code(str(list(value)).replace("'", '"') if isinstance(value, tuple) else str(value))


def below_station() -> Lines:
    yield pick("### 种类", "### Kinds")
    yield ""
    yield from table(
        (
            "`kind`",
            pick("站点", "station"),
            pick("族", "family"),
            pick("协议", "protocol"),
            pick("ST 或类型码", "ST or type code"),
            pick("间隔（秒）", "interval, s"),
        ),
        (
            (
                code(kind.name),
                prose(kind.title),
                code(kind.family),
                code(kind.protocol),
                pick("；", "; ").join(
                    [kind.st or kind.type, *(f"{ed}: {st}" for ed, st in kind.st_by_edition.items())]
                ),
                f"{kind.interval_s:g}" if kind.interval_s else "—",
            )
            for kind in kinds().values()
        ),
    )
    yield pick("### 身份文件", "### Files of identities")
    yield ""
    yield pick(
        f"`identities` 所指的 CSV 文件，第一行是列名，顺序不限：{codes(COLUMNS)}。编码为 UTF-8 或 GB 18030。"
        "必须有 `mn` 或 `id`；空格子取这一组的值；`site` 写现场名，如 `plant-3`。有 `kind` 或 `group` 列时，"
        "一个文件可供几组使用，各组只取自己的行。`simulator identities` 写出的就是这种文件。",
        f"The CSV file that `identities` names. Its first line names the columns, in any order: {codes(COLUMNS)}. "
        "UTF-8 or GB 18030. `mn` or `id` must be there; an empty cell is what the group says; `site` names a site, as "
        "`plant-3`. With a column `kind` or `group` one file serves several groups, each takes its own rows. "
        "`simulator identities` writes such a file.",
    )
    yield ""


def below_event() -> Lines:
    yield pick("### 事件表", "### What can happen")
    yield ""
    yield from table(
        ("`what`", pick("事件", "what happens"), pick("可用的键", "its keys")),
        ((code(row.what), prose(pick(row.zh, row.en)), codes(row.keys)) for row in event_rows().values()),
    )


def below_load() -> Lines:
    yield pick("### 负载表", "### Shapes")
    yield ""
    yield from table(
        ("`preset`", pick("含义", "meaning")),
        ((code(preset.name), prose(pick(preset.zh, preset.en))) for preset in presets().values()),
    )


BELOW: Final[dict[str, Callable[[], Lines]]] = {
    "station": below_station,
    "event": below_event,
    "load": below_load,
}


# Limits


ORIGINS: Final = {"clause": ("条款", "clause"), "suite": ("套件默认", "suite default")}


def limits() -> Lines:
    yield pick("# 限值", "# Limits")
    yield ""
    yield pick(
        "判定时用于比较的每一个数值。在配置文件的 `[limits]` 下改写，报告随之注明出处为配置文件。"
        "出处为“套件默认”的，没有条文规定；不合格结论若依据它，报告会写明。",
        "Every number that a verdict compares with. Set it under `[limits]` of a profile; its origin in reports is "
        "then the profile. No clause stands behind a suite default, and a FAIL that rests on one says so.",
    )
    yield ""
    yield from fence("toml", ["[limits]", "open_time_pass_s = 10"])
    yield from table(
        (pick("名称", "name"), pick("默认值", "default"), pick("含义", "what it is"), pick("出处", "origin"),
         pick("用于", "serves")),
        (
            (code(limit.name), str(limit), prose(pick(limit.zh, limit.en)), pick(*ORIGINS[limit.origin]), limit.basis)
            for limit in limit_table().values()
        ),
    )  # fmt: skip


# Deviations


SUBJECTS: Final = {
    "frame": ("通讯包结构", "The frame"),
    "crc": ("CRC 校验", "The CRC"),
    "segment": ("数据段与包头字段", "The data segment and its header fields"),
    "parameters": ("指令参数 CP", "The data area, CP"),
}


def deviations() -> Lines:
    yield pick("# 偏差", "# Deviations")
    yield ""
    yield pick(
        "`hj212 decode` 能指出的每一种偏差。`code` 是 JSON 里的代码，不会改名；`{found}` 是实际内容，"
        "`{expected}` 是与其余部分相符的内容。偏差本身不是结论：由套件决定它算什么。",
        "Every deviation that `hj212 decode` names. `code` is what JSON shows and does not change; `{found}` is what "
        "stands there, `{expected}` what would match the rest. A deviation is no verdict: what it is worth is for the "
        "suite to say.",
    )
    yield ""
    for subject, (zh, en) in SUBJECTS.items():
        yield f"## {pick(zh, en)}"
        yield ""
        yield HJ_212_2017.clauses[subject]
        yield ""
        yield from table(
            ("code", pick("说明", "text")),
            (
                (code(line.code), prose(pick(line.zh, line.en)))
                for line in deviation_rows().values()
                if line.subject == subject
            ),
        )


# Editions


def editions() -> Lines:
    yield pick("# 各版本的差别", "# Differences between the editions")
    yield ""
    yield pick(
        "`hj212` 按这些记录读写三个版本；`hj212 editions` 打印同样的内容。“?” 表示只有一个来源，或只是合理的推断："
        "它是一个可以替换的默认值（`dataclasses.replace`），不作为判定不合格的依据。",
        "The records by which `hj212` reads and writes the three editions; `hj212 editions` prints the same. A `?` "
        "marks what one source alone says or what is only a fair reading: a default to be replaced "
        "(`dataclasses.replace`), and never by itself the ground of a FAIL.",
    )
    yield ""
    for differs, title in (
        (True, ("## 不同之处", "## Where they differ")),
        (False, ("## 相同之处", "## Where they agree")),
    ):
        yield pick(*title)
        yield ""
        head = (pick("内容", "fact"), "`Rules`", *(rules.title for rules in RULES.values()))
        yield from table(
            head,
            (
                (prose(pick(row.zh, row.en)), code(row.fact), *(edition_cell(row, edition) for edition in RULES))
                for row in differences()
                if row.differs is differs
            ),
        )
    yield from unsettled()


def unsettled() -> Lines:
    yield pick("## 标准没有定的", "## What the editions leave open")
    yield ""
    yield pick(
        "标准没有写，或者只有一个来源提到。每一项都是一个选项，默认值如下；对端不同就改它。",
        "Not written in any edition, or told by one source alone. Each is an option with a default; change it where "
        "a peer differs.",
    )
    yield ""
    with UNSETTLED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    yield from table(
        (pick("内容", "what"), pick("选项", "option"), pick("默认值", "default")),
        ((prose(pick(row["zh"], row["en"])), code(row["option"]), default_of(row["option"])) for row in rows),
    )


def default_of(option: str) -> str:
    """The default of a field or parameter of a class, by its path; fails where there is none of this name."""
    path, name = option.rsplit(".", 1)
    module, cls = path.rsplit(".", 1)
    default = signature(getattr(import_module(module), cls)).parameters[name].default
    if default is Parameter.empty:
        return pick("必须给定", "must be given")
    if isinstance(default, bool):
        return pick("是", "yes") if default else pick("否", "no")
    return code(str(default.value if isinstance(default, Enum) else default))


def edition_cell(row: Difference, edition: Edition) -> str:
    value = row.values[edition]
    if value is None:
        return "—"
    text = pick("是", "yes") if value is True else pick("否", "no") if value is False else code(str(value))
    doubt = " ?" if edition in row.unconfirmed else ""
    return f"{text}{doubt} ({row.clauses[edition]})" if edition in row.clauses else f"{text}{doubt}"


# The operator


def operator() -> Lines:
    yield pick("# 检测人员的操作", "# What the operator is asked")
    yield ""
    yield pick(
        "需要有人在门边的步骤，提示、应有的现象和可选的回答都在这里；怎样进行见[在门边检测](../howto/at-the-door.md)。"
        "同样的 `act`、`method` 也是 `--operator` 收到的内容，见[操作装置](../howto/operator-rig.md)。",
        "Prompts, what should be seen, and the answers of every act at the door; how it goes is told in "
        "[at the door](../howto/at-the-door.md). The same `act` and `method` are what `--operator` is given "
        "([an operator rig](../howto/operator-rig.md)).",
    )
    yield ""
    yield pick("## 回答", "## Answers")
    yield ""
    yield from table(
        (pick("按键", "key"), pick("含义", "meaning"), pick("JSON 里的 `answer`", "`answer` in JSON")),
        ((code(pick(a.label_zh, a.label_en)), prose(pick(a.zh, a.en)), code(a.id)) for a in answers().values()),
    )
    yield pick("## 操作", "## Acts")
    yield ""
    yield pick(
        "提示里的人员以 A 为例。“重做之前”只在第二次及以后提示。",
        "The person in a prompt is A here. What to put back is shown from the second attempt on.",
    )
    yield ""
    for act in acts().values():
        yield from one_act(act)


def one_act(act: ActText) -> Lines:
    name, _slash, method = act.id.partition("/")
    yield f"### {act.id}"
    yield ""
    fields = {"act": name} | ({"method": method} if method else {})
    rows = (
        (pick("提示", "prompt"), prose(pick(act.zh, act.en).format(person="A"))),
        (pick("期望", "expected"), prose(pick(act.expect_zh, act.expect_en))),
        (pick("重做之前", "before it is repeated"), prose(pick(act.undo_zh, act.undo_en))),
        (pick("改变的状态", "state it changes"), code(f"{act.code}={act.value}") if act.code else ""),
        (pick("可以回答", "answers"), codes(act.answers)),
        (pick("JSON 行", "JSON line"), codes(f'"{key}": "{value}"' for key, value in fields.items())),
    )
    yield from table((pick("项目", "item"), pick("内容", "value")), (r for r in rows if r[1]))


# Glossary


def glossary() -> Lines:
    yield pick("# 术语", "# Glossary")
    yield ""
    with TERMS.open(encoding="utf-8", newline="") as file:
        terms = list(csv.DictReader(file))
    if pick("zh", "en") == "en":
        terms.sort(key=lambda term: term["en"].lower())
    yield from table(
        (pick("中文", "English"), pick("英文", "Chinese"), pick("代码", "in code"), pick("含义", "meaning")),
        (
            (
                pick(term["zh"], term["en"]),
                pick(term["en"], term["zh"]),
                codes(term["code"].split()),
                prose(pick(term["meaning_zh"], term["meaning_en"])),
            )
            for term in terms
        ),
    )


PAGES: Final[dict[str, Callable[[], Lines]]] = {
    **reference_gb28181.PAGES,
    "cases.md": cases,
    "command-line.md": command_line,
    "deviations.md": deviations,
    "editions.md": editions,
    "faults.md": faults,
    "glossary.md": glossary,
    "limits.md": limits,
    "operator.md": operator,
    "scenario.md": scenario,
}


def render(lang: Language, name: str) -> str:
    """Return the text of one page."""
    note = "<!-- Written by tools/reference.py; change what it is written from. -->"
    with speaking(lang):
        return "\n".join([note, "", *PAGES[name]()]).rstrip("\n") + "\n"


def place(lang: Language, name: str) -> Path:
    return DOCS / lang / "reference" / name


def update() -> int:
    for lang in LANGUAGES:
        for name in PAGES:
            place(lang, name).write_text(render(lang, name), "utf-8", newline="\n")
    print(f"{len(LANGUAGES) * len(PAGES)} pages written")
    return 0


def check() -> int:
    stale = [
        path.relative_to(DOCS.parent).as_posix()
        for lang in LANGUAGES
        for name in PAGES
        if not (path := place(lang, name)).exists() or path.read_text("utf-8") != render(lang, name)
    ]
    for name in stale:
        print(f"not current: {name}", file=sys.stderr)
    if stale:
        print("run: python tools/reference.py update", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    actions = {"update": update, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    sys.exit(actions[sys.argv[1]]())
