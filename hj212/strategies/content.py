"""Valid messages, segments and frames of any edition."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from hypothesis import strategies as st

from ..codes import CommandKind, ExeRtn, FlagBits, QnRtn, Reply
from ..editions import Rules
from ..framing import build_frame
from ..messages import Message, acknowledgement, compose, notice_answer, request_answer, request_result
from ..segment import Segment
from ..tables.commands import CommandRow
from .rows import rows_of
from .values import factors, logs, parameter_value, passwords, qns, stations

__all__ = ["area", "frames", "messages", "segments", "written"]

Items = list[list[tuple[str, str]]]

#: Stands for any factor in the command table, ``xxxxxx-Rtd``.
_ANY_FACTOR: Final = "xxxxxx-"
_LOG: Final = "i11001"  # of the data logger
_MAX_ITEMS: Final = 4
#: What a factor is reported with where the command table does not say.
_REPORTED: Final = (("Rtd", "Flag"), ("Avg", "Flag"), ("Cou", "Min", "Avg", "Max", "Flag"))
_SYSTEMS: Final = ("32", "31", "21", "22", "27")

_ANSWERED: Final = {
    str(int(reply)): kind
    for reply, kind in {
        Reply.REQUEST_ANSWER: CommandKind.REQUEST,
        Reply.EXECUTION_RESULT: CommandKind.REQUEST,
        Reply.NOTICE_ANSWER: CommandKind.NOTICE,
        Reply.DATA_ANSWER: CommandKind.UPLOAD,
    }.items()
}


def segments(rules: Rules) -> st.SearchStrategy[bytes]:
    """Data segments that the edition allows.

    >>> from hj212 import HJ_212_2017
    >>> segments(HJ_212_2017).example()  # doctest: +SKIP
    b'QN=20200101000000000;ST=32;CN=2011;PW=000000;MN=...;Flag=4;CP=&&DataTime=20200101000000&&'
    """
    return messages(rules).map(bytes)


def frames(rules: Rules) -> st.SearchStrategy[bytes]:
    """Whole frames that the edition allows, from ``##`` to CR LF."""
    return segments(rules).map(build_frame)


@st.composite
def messages(draw: st.DrawFn, rules: Rules, *, cn: str | None = None, upward: bool | None = None) -> Message:
    """Messages that the edition allows: every command of the table, with believable content.

    Args:
        draw: Given by Hypothesis.
        rules: The edition.
        cn: Only this command.
        upward: Only what the station (``True``) or the platform (``False``) sends.

    >>> from hj212 import HJ_212_2017
    >>> messages(HJ_212_2017, cn="2011", upward=True).example().cn  # doctest: +SKIP
    '2011'
    """
    rows = [r for r in rows_of(rules) if r.kind is not CommandKind.INTERACTION or _answered(rules, r)]
    chosen = [r for r in rows if cn in (None, r.cn) and upward in (None, r.upward)]
    if not chosen:
        raise ValueError(f"{rules.title} has no command {cn or ''} in this direction")
    row = draw(st.sampled_from(chosen))
    if row.kind is CommandKind.INTERACTION:
        return draw(_replies(rules, row))
    message = draw(written(rules, row))
    if row.kind is CommandKind.UPLOAD and draw(st.booleans()):
        return _without(message, rules.omitted_in_uploads)
    return message


@st.composite
def written(
    draw: st.DrawFn,
    rules: Rules,
    row: CommandRow,
    *,
    answer: bool | None = None,
    qn: str | None = None,
    mn: str | None = None,
    split: bool | None = None,
) -> Message:
    """One message of a row that is no answer; what is not given is drawn."""
    upload = row.kind is CommandKind.UPLOAD
    packet = None
    if upload and (draw(st.booleans()) if split is None else split):
        total = draw(st.integers(1, min(rules.max_packets, 9)))
        packet = (draw(st.integers(1, total)), total)
    if mn is None:
        identities = stations(rules)
        mn = draw(st.just("") | identities if row.cn in rules.mn_empty_for else identities)
    return compose(
        rules,
        qn=draw(qns()) if qn is None else qn,
        st=draw(st.sampled_from(_SYSTEMS)),
        cn=row.cn,
        pw=draw(passwords(rules)),
        mn=mn,
        items=draw(area(rules, row)),
        answer=(draw(st.booleans()) if answer is None else answer) if upload else True,
        packet=packet,
        back_fill=upload and rules.back_fill_field and draw(st.booleans()),
    )


@st.composite
def area(draw: st.DrawFn, rules: Rules, row: CommandRow) -> Items:
    """The data area of a command: what the table requires and may have, for data of a time some factors and logs."""
    items: Items = []
    suffixes = []
    for name in row.required:
        if name.startswith(_ANY_FACTOR):
            suffixes.append(name.removeprefix(_ANY_FACTOR))
            continue
        pair = (name, draw(parameter_value(name, rules)))
        if name == "EndTime" and items and rules.range_separator == ",":
            items[-1].append(pair)
        else:
            items.append([pair])
    items += draw(_optional(rules, row))
    if row.kind is not CommandKind.UPLOAD or not (suffixes or "DataTime" in row.required):
        return items
    if "DataTime" not in row.required:
        items.insert(0, [("DataTime", draw(parameter_value("DataTime", rules)))])
    reported = tuple(suffixes) or draw(st.sampled_from(_REPORTED))
    for factor in draw(st.lists(factors(rules), max_size=_MAX_ITEMS, min_size=1 if suffixes else 0, unique=True)):
        keys = [f"{factor}-{suffix}" for suffix in reported]
        items.append([(key, draw(parameter_value(key, rules))) for key in keys])
    if not suffixes and re.fullmatch(rules.factor_pattern, _LOG) and draw(st.booleans()):
        items.append([(f"{_LOG}-Info", draw(logs()))])
    return items


@st.composite
def _optional(draw: st.DrawFn, rules: Rules, row: CommandRow) -> Items:
    """Parameters that the command may carry, besides those of factors; the ends of a time range both or neither."""
    names = [name for name in row.optional if "-" not in name]
    if not names or not draw(st.booleans()):
        return []
    return [[(name, draw(parameter_value(name, rules)))] for name in names]


@st.composite
def _replies(draw: st.DrawFn, rules: Rules, row: CommandRow) -> Message:
    """The answer to a message that the other side may have sent."""
    reply = Reply(int(row.cn))
    to = draw(written(rules, draw(st.sampled_from(_answered(rules, row))), answer=True, split=False))
    return _answer_to(draw, to, reply, rules)


def _answered(rules: Rules, reply: CommandRow) -> list[CommandRow]:
    """Return what the other side may say that gets this answer; nothing where the edition has no such thing."""
    kind = _ANSWERED.get(reply.cn)
    return [row for row in rows_of(rules) if row.kind is kind and row.upward is not reply.upward]


def _answer_to(draw: st.DrawFn, to: Message, reply: Reply, rules: Rules) -> Message:
    """Build the answer, with any of its codes."""
    builders: dict[Reply, Callable[[], Message]] = {
        Reply.REQUEST_ANSWER: lambda: request_answer(to, rules, draw(st.sampled_from(QnRtn))),
        Reply.EXECUTION_RESULT: lambda: request_result(to, rules, draw(st.sampled_from(ExeRtn))),
        Reply.NOTICE_ANSWER: partial(notice_answer, to, rules),
        Reply.DATA_ANSWER: partial(acknowledgement, to, rules),
    }
    return builders[reply]()


def _without(message: Message, names: frozenset[str]) -> Message:
    """Leave out header fields that may be absent; packet numbers go with the Flag that announces them."""
    if "Flag" in names and (message.flag or 0) & FlagBits.NUMBERED:
        names = names | {"PNUM", "PNO"}
    segment = message.segment
    header = [pair for pair in segment.header if pair[0] not in names]
    return Message(Segment(header, segment.items, segment.opening, segment.closing, segment.trailer))
