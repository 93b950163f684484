"""Faults of the protocol: header fields, the data area, answers and resends."""

from __future__ import annotations

from collections.abc import Callable

from hj212 import Message, Segment
from hj212.times import format_time

from ..behaviour import Behaviour, copy_message
from .registry import ALL, fault

__all__: list[str] = []


def _edit(change: Callable[[Message], Message], *kinds: str) -> Callable[[Message, str], Message]:
    return lambda message, kind: change(message) if not kinds or kind in kinds else message


_DATA = ("periodic", "change", "record", "minute", "hour", "day", "state", "hours", "information")
_UPLOADS = (*_DATA, "log", "restart")


@fault(
    "oversized-segment", "protocol", "FAIL", "sends segments of more than 1024 bytes", "数据段超过 1024 字节而不拆包"
)
def _oversized_segment(b: Behaviour) -> None:
    b.log_text = lambda text: f"//{text}{'，请核查' * 90}//".encode()
    b.splits = False


@fault("gbk-log", "protocol", "FAIL", "writes Chinese text in GBK", "中文日志用 GBK 编码")
def _gbk_log(b: Behaviour) -> None:
    b.log_text = lambda text: f"//{text}//".encode("gbk")


@fault(
    "log-without-slashes",
    "protocol",
    "FAIL",
    "writes a log without the slashes around it",
    "日志文本缺少 // 定界",
)
def _log_without_slashes(b: Behaviour) -> None:
    b.log_text = lambda text: text.encode()


def _mn_first(message: Message) -> Message:
    header = message.segment.header
    mn = next(pair for pair in header if pair[0] == "MN")
    rest = [pair for pair in header if pair[0] != "MN"]
    at = next(i for i, pair in enumerate(rest) if pair[0] == "PW")
    return Message(Segment([*rest[:at], mn, *rest[at:]], message.items, message.segment.opening))


@fault("mn-before-pw", "protocol", "WARN", "writes MN before PW", "字段顺序错误：MN 写在 PW 之前", families=ALL)
def _mn_before_pw(b: Behaviour) -> None:
    b.shape.append(_edit(_mn_first))


@fault("qn-14-digits", "protocol", "FAIL", "writes QN without milliseconds", "QN 只有 14 位，缺毫秒", families=ALL)
def _qn_14_digits(b: Behaviour) -> None:
    b.qn = lambda door, device_ms: format_time(device_ms // 1000)


@fault(
    "reused-qn", "protocol", "FAIL", "gives two different uploads the same QN", "不同通讯包使用同一个 QN", families=ALL
)
def _reused_qn(b: Behaviour) -> None:
    b.qn = lambda door, device_ms: f"{format_time(device_ms // 60_000 * 60)}000"


@fault(
    "mn-14-chars",
    "protocol",
    "FAIL",
    "uses an MN of 14 characters as in 2005",
    "MN 只有 14 位（2005 版习惯）",
    families=ALL,
)
def _mn_14_chars(b: Behaviour) -> None:
    b.mn = lambda mn: mn[:14]


@fault("wrong-password", "protocol", "FAIL", "uses another PW than configured", "PW 与平台配置不一致", families=ALL)
def _wrong_password(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, PW="000000"), *_UPLOADS))


@fault(
    "flag-2005", "protocol", "FAIL", "declares the 2005 edition in Flag", "Flag 的版本位为 0（2005 版）", families=ALL
)
def _flag_2005(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="1"), *_UPLOADS))


@fault(
    "flag-2025", "protocol", "WARN", "declares the 2025 edition in Flag", "Flag 的版本位为 2（2025 版）", families=ALL
)
def _flag_2025(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="9"), *_UPLOADS))


@fault(
    "flag-without-packet-numbers",
    "protocol",
    "FAIL",
    "announces packet numbers in Flag and sends none",
    "Flag 声明有包号，却没有 PNUM/PNO",
    families=ALL,
)
def _flag_without_packet_numbers(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="7"), *_UPLOADS))


@fault(
    "no-answer-wanted",
    "protocol",
    "INCONCLUSIVE",
    "never asks for an acknowledgement",
    "上传从不要求应答（Flag=4）",
    families=ALL,
)
def _no_answer_wanted(b: Behaviour) -> None:
    b.wants_answer = False


@fault("no-resend", "protocol", "WARN", "does not repeat an unanswered upload", "未收到应答时不重发", families=ALL)
def _no_resend(b: Behaviour) -> None:
    b.recount = 0


@fault(
    "endless-resend", "protocol", "WARN", "repeats an unanswered upload for ever", "未收到应答时无限重发", families=ALL
)
def _endless_resend(b: Behaviour) -> None:
    b.recount = 1_000_000


@fault(
    "hasty-resend",
    "protocol",
    "WARN",
    "repeats an unanswered upload after one second",
    "1 秒后即重发，间隔过短",
    families=ALL,
)
def _hasty_resend(b: Behaviour) -> None:
    b.overtime_s = 1.0


@fault("single-resend", "protocol", "WARN", "repeats an unanswered upload once", "未收到应答时只重发一次", families=ALL)
def _single_resend(b: Behaviour) -> None:
    b.recount = 1


@fault(
    "slow-resend", "protocol", "WARN", "repeats an unanswered upload every 20 s", "重发间隔为 20 秒，过长", families=ALL
)
def _slow_resend(b: Behaviour) -> None:
    b.overtime_s = 20.0


@fault("resend-with-new-qn", "protocol", "WARN", "gives a repeated upload a new QN", "重发时更换 QN", families=ALL)
def _resend_with_new_qn(b: Behaviour) -> None:
    b.new_qn_on_resend = True
    b.recount = 0


@fault(
    "answers-acknowledgement", "protocol", "FAIL", "answers the platform's 9014", "对平台的 9014 再次应答", families=ALL
)
def _answers_acknowledgement(b: Behaviour) -> None:
    b.answers_acknowledgements = True


@fault("replies-with-st-81", "protocol", "FAIL", "writes its own ST into replies", "应答包的 ST 写成 81 而不是 91")
def _replies_with_st_81(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, ST="81") if m.cn in ("9011", "9012") else m, "reply"))


@fault("st-32", "protocol", "FAIL", "sends door data under ST=32", "门禁数据使用 ST=32")
def _st_32(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, ST="32"), *_UPLOADS))


def _renamed(old: str, new: str) -> Callable[[Message], Message]:
    def change(message: Message) -> Message:
        changed = copy_message(message)
        for item in changed.items:
            for pair in item:
                pair[0] = pair[0].replace(old, new)
        return changed

    return change


@fault(
    "lower-case-datatime",
    "protocol",
    "FAIL",
    "writes datatime for DataTime",
    "DataTime 大小写错误，写成 datatime",
    families=ALL,
)
def _lower_case_datatime(b: Behaviour) -> None:
    b.shape.append(_edit(_renamed("DataTime", "datatime"), *_UPLOADS))


@fault("lower-case-info", "protocol", "FAIL", "writes -info for -Info", "后缀大小写错误，写成 -info")
def _lower_case_info(b: Behaviour) -> None:
    b.shape.append(_edit(_renamed("-Info", "-info"), *_UPLOADS))


def _with_blanks(message: Message) -> Message:
    changed = copy_message(message)
    for item in changed.items:
        for pair in item:
            pair[0] = f" {pair[0]}"
    return changed


@fault("blanks", "protocol", "WARN", "puts blanks before parameter names", "参数名前有空格", families=ALL)
def _blanks(b: Behaviour) -> None:
    b.shape.append(_edit(_with_blanks, *_DATA))


def _with_last_item(item: list[list[str]]) -> Callable[[Message], Message]:
    def change(message: Message) -> Message:
        changed = copy_message(message)
        changed.items.append([list(pair) for pair in item])
        return changed

    return change


@fault(
    "trailing-semicolon",
    "protocol",
    "WARN",
    "ends the data area with a semicolon",
    "数据区末尾多一个分号",
    families=ALL,
)
def _trailing_semicolon(b: Behaviour) -> None:
    b.shape.append(_edit(_with_last_item([[""]]), *_DATA))


@fault("foreign-code", "protocol", "WARN", "sends a code outside table 2-1", "上传表 2-1 以外的编码")
def _foreign_code(b: Behaviour) -> None:
    b.shape.append(_edit(_with_last_item([["i32007-Info", "1"]]), "periodic"))


def _with_polid(message: Message) -> Message:
    changed = copy_message(message)
    changed.items.insert(1, [["PolId", "w01018"]])
    return changed


@fault("polid-present", "protocol", "WARN", "names a pollutant in door frames", "门禁通讯包里带 PolId")
def _polid_present(b: Behaviour) -> None:
    b.shape.append(_edit(_with_polid, *_DATA))


def _with_millis(message: Message) -> Message:
    changed = copy_message(message)
    for item in changed.items:
        for pair in item:
            if pair[0] == "DataTime":
                pair[1] += "000"
    return changed


@fault(
    "seventeen-digit-datatime",
    "protocol",
    "FAIL",
    "writes DataTime with milliseconds",
    "DataTime 写成 17 位",
    families=ALL,
)
def _seventeen_digit_datatime(b: Behaviour) -> None:
    b.shape.append(_edit(_with_millis, *_UPLOADS))


@fault(
    "mixed-forms", "protocol", "WARN", "alternates 3020 and 2011 for the periodic report", "定时上报时而 3020 时而 2011"
)
def _mixed_forms(b: Behaviour) -> None:
    def alternate(message: Message, kind: str) -> Message:
        if kind != "periodic" or int(message.qn[8:12]) % 30 >= 15:
            return message
        changed = copy_message(message, CN="2011")
        return _renamed("-Info", "-Rtd")(changed)

    b.shape.append(alternate)


@fault("no-state-query", "protocol", "WARN", "does not answer the state query", "不响应平台的状态查询", families=ALL)
def _no_state_query(b: Behaviour) -> None:
    b.ignored_requests = frozenset({"3020"})


@fault(
    "query-without-result",
    "protocol",
    "WARN",
    "leaves out the 9012 of the state query",
    "状态查询缺 9012 执行结果",
    families=ALL,
)
def _query_without_result(b: Behaviour) -> None:
    b.silent_results = frozenset({"3020"})


@fault(
    "clock-not-readable",
    "protocol",
    "INCONCLUSIVE",
    "does not answer the clock query",
    "不响应读取时钟 1011",
    families=ALL,
)
def _clock_not_readable(b: Behaviour) -> None:
    b.ignored_requests = frozenset({"1011"})
