"""What a platform asks of any station, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from hj212 import Connection, ExeRtn, Message, MessageError, QnRtn, compose
from hj212.events import MessageReceived
from hj212.messages import request_answer, request_result
from hj212.tables.commands import command_row, editions_of
from hj212.times import format_time, parse_time

from .contracts import Items

if TYPE_CHECKING:
    from .core import Reporter

__all__ = ["COMMON_HANDLERS", "answer_request", "set_clock", "set_interval"]

#: Years that CN=1012 may set: what a 14-digit time on the wire begins with.
YEARS: Final = range(2000, 2100)
_RESULT: Final = "9012"


def answer_request(reporter: Reporter, event: MessageReceived, connection: Connection, now: float) -> None:
    """Answer a request as the flows ask: 9011, what it asks for, 9012."""
    request = event.message
    rules = reporter.settings.rules
    if request.cn in reporter.behaviour.ignored_requests:
        reporter.behaviour.acted("ignored_requests")
        reporter.withheld(now)
        return
    refusal = _refusal(reporter, request)
    reporter.reply(connection, request_answer(request, rules, refusal or QnRtn.READY))
    if refusal or event.repeated:
        return
    handler = reporter.handlers[request.cn]
    try:
        found = handler(reporter, request, now)
    except (MessageError, ValueError):
        found = ExeRtn.BAD_CONDITION
    result = found if isinstance(found, ExeRtn) else ExeRtn.SUCCESS
    if isinstance(found, list):
        _reply_data(reporter, connection, request, found)
    row = command_row(request.cn, False, rules.edition)
    if row is None or _RESULT in row.reply:
        if request.cn in reporter.behaviour.silent_results:
            reporter.behaviour.acted("silent_results")
            reporter.withheld(now)
        else:
            reporter.reply(connection, request_result(request, rules, result))


def _reply_data(reporter: Reporter, connection: Connection, request: Message, data: Items) -> None:
    settings, rules = reporter.settings, reporter.settings.rules
    answer = compose(
        rules,
        qn="" if rules.reply_qn_in_parameters else request.qn,
        st=settings.st,
        cn=request.cn,
        pw=settings.pw,
        mn=reporter.mn,
        items=[[["QN", request.qn]], *data] if rules.reply_qn_in_parameters else data,
    )
    reporter.reply(connection, answer)


def _refusal(reporter: Reporter, request: Message) -> QnRtn | None:
    if request.mn != reporter.mn:
        return QnRtn.MN_WRONG
    if request.pw != reporter.settings.pw:
        return QnRtn.PW_WRONG
    if request.st != reporter.settings.st:
        return QnRtn.ST_WRONG
    known = request.cn in reporter.handlers and reporter.settings.rules.edition in editions_of(request.cn, upward=False)
    return None if known else QnRtn.CN_WRONG


def get_clock(reporter: Reporter, request: Message, now: float) -> Items:
    """Tell the time of the station (1011)."""
    return [[["SystemTime", format_time(reporter.device_time(now))]]]


def set_clock(reporter: Reporter, request: Message, now: float) -> None:
    """Set it (1012)."""
    wanted = parse_time(request.parameter("SystemTime") or "")
    if wanted.year not in YEARS:
        raise MessageError(f"SystemTime: year {wanted.year} is not credible", field="SystemTime")
    reporter.set_time(wanted.timestamp(), now)


def get_interval(reporter: Reporter, request: Message, now: float) -> Items:
    """Tell the interval of real-time data (1061)."""
    return [[["RtdInterval", f"{reporter._interval:.0f}"]]]


def set_interval(reporter: Reporter, request: Message, now: float) -> None:
    """Set it (1062)."""
    wanted = request.number("RtdInterval")
    low, high = reporter.settings.rules.realtime_interval_range_s
    if not low <= wanted <= high:
        raise MessageError(f"RtdInterval: expected {low} to {high} s, found {wanted}", field="RtdInterval")
    reporter._interval = float(wanted)
    reporter._next_report = now + reporter._interval


def set_timeouts(reporter: Reporter, request: Message, now: float) -> None:
    """Set how long to wait for an answer and how often to repeat (1000)."""
    rules = reporter.settings.rules
    overtime, recount = request.number("OverTime"), request.number("ReCount")
    for value, (low, high) in ((overtime, rules.overtime_range_s), (recount, rules.recount_range)):
        if not low <= value <= high:
            raise MessageError(f"expected {low} to {high}, found {value}", field="OverTime")
    reporter._overtime_s, reporter._recount = float(overtime), recount
    if reporter._connection:
        reporter._set_patience(reporter._connection)


#: What every station answers, whatever it measures.
COMMON_HANDLERS: Final[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {
    "1000": set_timeouts,
    "1011": get_clock,
    "1012": set_clock,
    "1061": get_interval,
    "1062": set_interval,
}
