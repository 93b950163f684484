"""Named faults of a station: one named defect each, on one of three layers.

A fault is a function that replaces one piece of a correct :class:`~simulator.behaviour.Behaviour`; its decorator says
what it is called, on which layer it acts, what a conformance suite should say of it and, in both languages, what it
does. The same faults make mutants for the suite and bad citizens in a fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from hj212 import Message, Segment, crc16
from hj212.crc import modbus_crc16, swap_bytes
from hj212.times import format_time

from .behaviour import Behaviour, Device, Upload, copy_message
from .world import Method, Opening

__all__ = ["FAULTS", "Fault", "UnknownFaultError", "behaviour_with", "find"]

Edit = Callable[[Behaviour], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One named defect.

    Attributes:
        name: What scenarios and ``conformance demo --fault`` call it.
        station: Kind of station that can have it.
        layer: ``bytes``, ``protocol`` or ``world``.
        expected: What a suite should say of the requirement it breaks: ``FAIL``, ``WARN`` or ``INCONCLUSIVE``.
        en: What it does.
        zh: The same in Chinese.
        apply: Replaces the piece.
    """

    name: str
    station: str
    layer: str
    expected: str
    en: str
    zh: str
    apply: Edit


class UnknownFaultError(ValueError):
    """No fault has this name; the text offers the nearest ones."""


#: Every fault by its name, in the order in which they are defined.
FAULTS: Final[dict[str, Fault]] = {}


def find(name: str) -> Fault:
    """Return the fault called ``name``.

    Raises:
        UnknownFaultError: If there is none.
    """
    if name not in FAULTS:
        near = get_close_matches(name, FAULTS, n=3, cutoff=0.4)
        raise UnknownFaultError(f"no fault is called {name!r}" + (f"; near: {', '.join(near)}" if near else ""))
    return FAULTS[name]


def behaviour_with(names: Iterable[str] = ()) -> Behaviour:
    """Return the correct behaviour with the named faults built in, in that order."""
    behaviour = Behaviour()
    for name in names:
        find(name).apply(behaviour)
    return behaviour


def _fault(name: str, layer: str, expected: str, en: str, zh: str) -> Callable[[Edit], Edit]:
    def register(edit: Edit) -> Edit:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, "door", layer, expected, en, zh, edit)
        return edit

    return register


# Bytes: what stands around the data segment


def _with_crc(make: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%s\r\n" % (len(segment), segment, make(segment))


def _with_length(count: Callable[[bytes], int]) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%04X\r\n" % (count(segment), segment, crc16(segment))


def _with_tail(tail: bytes) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%04X%s" % (len(segment), segment, crc16(segment), tail)


@_fault("modbus-crc", "bytes", "FAIL", "computes CRC-16/MODBUS, high byte first", "校验用 CRC-16/MODBUS，高字节在前")
def _modbus_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % modbus_crc16(s))


@_fault(
    "modbus-crc-swapped",
    "bytes",
    "FAIL",
    "computes CRC-16/MODBUS, low byte first",
    "校验用 CRC-16/MODBUS，低字节在前",
)
def _modbus_crc_swapped(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % swap_bytes(modbus_crc16(s)))


@_fault("swapped-crc", "bytes", "FAIL", "writes the right CRC low byte first", "CRC 正确但低字节在前")
def _swapped_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % swap_bytes(crc16(s)))


@_fault("unpadded-crc", "bytes", "FAIL", "drops the leading zeros of the CRC", "CRC 高位的 0 不补齐，不足 4 位")
def _unpadded_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%X" % crc16(s))


@_fault("lower-case-crc", "bytes", "WARN", "writes the CRC in lower case", "CRC 用小写字母")
def _lower_case_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04x" % crc16(s))


@_fault(
    "length-plus-6",
    "bytes",
    "FAIL",
    "counts head and length field into the length",
    "长度多算 6 字节（把包头和长度字段也算入）",
)
def _length_plus_6(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s) + 6)


@_fault(
    "length-whole-frame",
    "bytes",
    "FAIL",
    "writes the length of the whole frame",
    "长度写成整包长度（多 12 字节）",
)
def _length_whole_frame(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s) + 12)


@_fault(
    "length-in-characters", "bytes", "FAIL", "counts characters where bytes are meant", "长度按字符数而不是字节数计算"
)
def _length_in_characters(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s.decode("utf-8", "replace")))


@_fault("lf-only-tail", "bytes", "FAIL", "ends frames with LF alone", "包尾只有 LF，缺 CR")
def _lf_only_tail(b: Behaviour) -> None:
    b.encode = _with_tail(b"\n")


@_fault("missing-tail", "bytes", "FAIL", "ends frames without CR LF", "没有包尾 CR LF")
def _missing_tail(b: Behaviour) -> None:
    b.encode = _with_tail(b"")


@_fault("not-hj212", "bytes", "FAIL", "sends JSON instead of HJ 212", "发送 JSON 而不是 HJ 212")
def _not_hj212(b: Behaviour) -> None:
    b.encode = lambda segment: b'{"type": "door", "length": %d}\n' % len(segment)


# Protocol: fields and flow


def _edit(change: Callable[[Message], Message], *kinds: str) -> Callable[[Message, str], Message]:
    return lambda message, kind: change(message) if not kinds or kind in kinds else message


_UPLOADS = ("periodic", "change", "record", "log", "restart")
_DOOR_DATA = ("periodic", "change", "record")


@_fault(
    "oversized-segment", "protocol", "FAIL", "sends segments of more than 1024 bytes", "数据段超过 1024 字节而不拆包"
)
def _oversized_segment(b: Behaviour) -> None:
    b.log_text = lambda text: f"//{text}{'，请核查' * 90}//".encode()


@_fault("gbk-log", "protocol", "FAIL", "writes Chinese text in GBK", "中文日志用 GBK 编码")
def _gbk_log(b: Behaviour) -> None:
    b.log_text = lambda text: f"//{text}//".encode("gbk")


@_fault(
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


@_fault("mn-before-pw", "protocol", "WARN", "writes MN before PW", "字段顺序错误：MN 写在 PW 之前")
def _mn_before_pw(b: Behaviour) -> None:
    b.shape.append(_edit(_mn_first))


@_fault("qn-14-digits", "protocol", "FAIL", "writes QN without milliseconds", "QN 只有 14 位，缺毫秒")
def _qn_14_digits(b: Behaviour) -> None:
    b.qn = lambda door, device_ms: format_time(device_ms // 1000)


@_fault("reused-qn", "protocol", "FAIL", "gives two different uploads the same QN", "不同数据包使用同一个 QN")
def _reused_qn(b: Behaviour) -> None:
    b.qn = lambda door, device_ms: f"{format_time(device_ms // 60_000 * 60)}000"


@_fault("mn-14-chars", "protocol", "FAIL", "uses an MN of 14 characters as in 2005", "MN 只有 14 位（2005 版习惯）")
def _mn_14_chars(b: Behaviour) -> None:
    b.mn = lambda mn: mn[:14]


@_fault("wrong-password", "protocol", "FAIL", "uses another PW than configured", "PW 与平台配置不一致")
def _wrong_password(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, PW="000000"), *_UPLOADS))


@_fault("flag-2005", "protocol", "FAIL", "declares the 2005 edition in Flag", "Flag 的版本位为 0（2005 版）")
def _flag_2005(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="1"), *_UPLOADS))


@_fault("flag-2025", "protocol", "WARN", "declares the 2025 edition in Flag", "Flag 的版本位为 2（2025 版）")
def _flag_2025(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="9"), *_UPLOADS))


@_fault(
    "flag-without-packet-numbers",
    "protocol",
    "FAIL",
    "announces packet numbers in Flag and sends none",
    "Flag 声明有包号，却没有 PNUM/PNO",
)
def _flag_without_packet_numbers(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, Flag="7"), *_UPLOADS))


@_fault(
    "no-answer-wanted",
    "protocol",
    "INCONCLUSIVE",
    "never asks for an acknowledgement",
    "上传从不要求应答（Flag=4）",
)
def _no_answer_wanted(b: Behaviour) -> None:
    b.wants_answer = False


@_fault("no-resend", "protocol", "WARN", "does not repeat an unanswered upload", "未收到应答时不重发")
def _no_resend(b: Behaviour) -> None:
    b.recount = 0


@_fault("endless-resend", "protocol", "WARN", "repeats an unanswered upload for ever", "未收到应答时无限重发")
def _endless_resend(b: Behaviour) -> None:
    b.recount = 1_000_000


@_fault("hasty-resend", "protocol", "WARN", "repeats an unanswered upload after one second", "1 秒后即重发，间隔过短")
def _hasty_resend(b: Behaviour) -> None:
    b.overtime_s = 1.0


@_fault("resend-with-new-qn", "protocol", "WARN", "gives a repeated upload a new QN", "重发时更换 QN")
def _resend_with_new_qn(b: Behaviour) -> None:
    b.new_qn_on_resend = True
    b.recount = 0


@_fault("answers-acknowledgement", "protocol", "FAIL", "answers the platform's 9014", "对平台的 9014 再次应答")
def _answers_acknowledgement(b: Behaviour) -> None:
    b.answers_acknowledgements = True


@_fault("replies-with-st-81", "protocol", "FAIL", "writes its own ST into replies", "应答包的 ST 写成 81 而不是 91")
def _replies_with_st_81(b: Behaviour) -> None:
    b.shape.append(_edit(lambda m: copy_message(m, ST="81") if m.cn in ("9011", "9012") else m, "reply"))


@_fault("st-32", "protocol", "FAIL", "sends door data under ST=32", "门禁数据使用 ST=32")
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


@_fault(
    "lower-case-datatime",
    "protocol",
    "FAIL",
    "writes datatime for DataTime",
    "DataTime 大小写错误，写成 datatime",
)
def _lower_case_datatime(b: Behaviour) -> None:
    b.shape.append(_edit(_renamed("DataTime", "datatime"), *_UPLOADS))


@_fault("lower-case-info", "protocol", "FAIL", "writes -info for -Info", "后缀大小写错误，写成 -info")
def _lower_case_info(b: Behaviour) -> None:
    b.shape.append(_edit(_renamed("-Info", "-info"), *_UPLOADS))


def _with_blanks(message: Message) -> Message:
    changed = copy_message(message)
    for item in changed.items:
        for pair in item:
            pair[0] = f" {pair[0]}"
    return changed


@_fault("blanks", "protocol", "WARN", "puts blanks before parameter names", "参数名前有空格")
def _blanks(b: Behaviour) -> None:
    b.shape.append(_edit(_with_blanks, *_DOOR_DATA))


def _with_last_item(item: list[list[str]]) -> Callable[[Message], Message]:
    def change(message: Message) -> Message:
        changed = copy_message(message)
        changed.items.append([list(pair) for pair in item])
        return changed

    return change


@_fault("trailing-semicolon", "protocol", "WARN", "ends the data area with a semicolon", "数据区末尾多一个分号")
def _trailing_semicolon(b: Behaviour) -> None:
    b.shape.append(_edit(_with_last_item([[""]]), *_DOOR_DATA))


@_fault("foreign-code", "protocol", "WARN", "sends a code outside table 2-1", "上传表 2-1 以外的编码")
def _foreign_code(b: Behaviour) -> None:
    b.shape.append(_edit(_with_last_item([["i32007-Info", "1"]]), "periodic"))


def _with_polid(message: Message) -> Message:
    changed = copy_message(message)
    changed.items.insert(1, [["PolId", "w01018"]])
    return changed


@_fault("polid-present", "protocol", "WARN", "names a pollutant in door frames", "门禁数据包里带 PolId")
def _polid_present(b: Behaviour) -> None:
    b.shape.append(_edit(_with_polid, *_DOOR_DATA))


def _with_millis(message: Message) -> Message:
    changed = copy_message(message)
    for item in changed.items:
        for pair in item:
            if pair[0] == "DataTime":
                pair[1] += "000"
    return changed


@_fault("seventeen-digit-datatime", "protocol", "FAIL", "writes DataTime with milliseconds", "DataTime 写成 17 位")
def _seventeen_digit_datatime(b: Behaviour) -> None:
    b.shape.append(_edit(_with_millis, *_UPLOADS))


@_fault(
    "mixed-forms", "protocol", "WARN", "alternates 3020 and 2011 for the periodic report", "定时上报时而 3020 时而 2011"
)
def _mixed_forms(b: Behaviour) -> None:
    def alternate(message: Message, kind: str) -> Message:
        if kind != "periodic" or int(message.qn[8:12]) % 30 >= 15:
            return message
        changed = copy_message(message, CN="2011")
        return _renamed("-Info", "-Rtd")(changed)

    b.shape.append(alternate)


@_fault("no-state-query", "protocol", "WARN", "does not answer the state query", "不响应平台的状态查询")
def _no_state_query(b: Behaviour) -> None:
    b.ignored_requests = frozenset({"3020"})


@_fault(
    "query-without-result",
    "protocol",
    "WARN",
    "leaves out the 9012 of the state query",
    "状态查询缺 9012 执行结果",
)
def _query_without_result(b: Behaviour) -> None:
    b.silent_results = frozenset({"3020"})


@_fault("clock-not-readable", "protocol", "INCONCLUSIVE", "does not answer the clock query", "不响应读取时钟 1011")
def _clock_not_readable(b: Behaviour) -> None:
    b.ignored_requests = frozenset({"1011"})


# World: the door, the people, the clock


def _state_of(name: str, value: Callable[[int, str], str]) -> Callable[[str, int, str], str]:
    return lambda signal, now, kind: value(now, kind) if signal == name else str(now)


@_fault(
    "hj212-2017-door-state", "world", "FAIL", "uses the 2017 meaning of i32001", "i32001 按 HJ 212-2017 表 B.10 的含义"
)
def _hj212_2017_door_state(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: "2" if kind == "periodic" else str(now))


@_fault("inverted-door", "world", "FAIL", "reports 1 for a closed door", "开关门状态颠倒（关门报 1）")
def _inverted_door(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: str(1 - now))


@_fault("constant-door", "world", "FAIL", "reports an open door in every record", "房门状态恒为 1")
def _constant_door(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: "1")


@_fault("never-closed", "world", "FAIL", "does not report that the door was closed", "从不上报关门")
def _never_closed(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "door" or value == 1


@_fault("no-change-report", "world", "FAIL", "reports states by the timer only", "状态变化不主动上报，只有定时上报")
def _no_change_report(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "door"


@_fault("dismantle-value-2", "world", "FAIL", "reports 2 for a dismantled reader", "拆除状态值为 2")
def _dismantle_value_2(b: Behaviour) -> None:
    b.state = _state_of("dismantled", lambda now, kind: "2" if now and kind == "change" else str(now))


@_fault("fault-value-2", "world", "FAIL", "reports 2 for a fault", "故障状态值为 2")
def _fault_value_2(b: Behaviour) -> None:
    b.state = _state_of("fault", lambda now, kind: "2" if now and kind == "change" else str(now))


@_fault(
    "method-collapsed",
    "world",
    "FAIL",
    "face 1, card 4, everything else 2",
    "开门方式归并：人脸 1、刷卡 4，其余都报 2",
)
def _method_collapsed(b: Behaviour) -> None:
    b.method_code = lambda opening, door: {Method.FACE: "1", Method.IC_CARD: "4"}.get(opening.method, "2")


@_fault("method-code-5", "world", "FAIL", "reports method 5, which the table lacks", "开门方式为 5，超出表 2-1")
def _method_code_5(b: Behaviour) -> None:
    def code(opening: Opening, door: Device) -> str:
        return "5" if opening.method is Method.PASSWORD else door.codes.methods[opening.method]

    b.method_code = code


@_fault("method-leading-zero", "world", "WARN", "writes the method as 01", "开门方式带前导零（01）")
def _method_leading_zero(b: Behaviour) -> None:
    b.method_code = lambda opening, door: f"0{door.codes.methods[opening.method]}"


@_fault("only-face-recorded", "world", "FAIL", "records face openings only", "只有人脸开门产生记录")
def _only_face_recorded(b: Behaviour) -> None:
    b.records = lambda opening: int(opening.method is Method.FACE)


@_fault("record-missing", "world", "FAIL", "loses the record of card openings", "刷卡开门没有记录")
def _record_missing(b: Behaviour) -> None:
    b.records = lambda opening: int(opening.method is not Method.IC_CARD)


@_fault("duplicate-record", "world", "WARN", "records each opening twice", "同一次开门上传两条记录（QN 不同）")
def _duplicate_record(b: Behaviour) -> None:
    b.records = lambda opening: 2


@_fault(
    "opening-in-pieces",
    "world",
    "FAIL",
    "sends method and person ten seconds apart",
    "一次开门的信息分开上传，相隔 10 秒",
)
def _opening_in_pieces(b: Behaviour) -> None:
    b.record_in_pieces = True


@_fault("empty-person-code", "world", "FAIL", "leaves the person code empty", "开门编码为空")
def _empty_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: ""


@_fault("chinese-person-code", "world", "WARN", "sends a name as person code", "开门编码写成中文姓名")
def _chinese_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"员工{opening.person}"


@_fault("code-per-method", "world", "FAIL", "codes one person differently by method", "同一个人不同开门方式编码不同")
def _code_per_method(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"{opening.person}{opening.method.value[0].upper()}"


@_fault("shared-person-code", "world", "FAIL", "gives everybody the same code", "不同人员使用同一个开门编码")
def _shared_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: "0001"


@_fault("code-changes-on-reboot", "world", "FAIL", "numbers people anew after a reboot", "重启后人员编码改变")
def _code_changes_on_reboot(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"{opening.person}R{door.reboots}" if door.reboots else opening.person


@_fault(
    "invented-remote-opening",
    "world",
    "WARN",
    "reports an exit button as an opening by the previous person",
    "出门按钮开门被当作上一人的开门记录",
)
def _invented_remote_opening(b: Behaviour) -> None:
    b.invents_remote_openings = True


@_fault("formatted-open-time", "world", "FAIL", "writes the opening time with dashes", "开门时间带分隔符")
def _formatted_open_time(b: Behaviour) -> None:
    def formatted(opening: Opening, door: Device) -> str:
        t = format_time(door.device_time(opening.at))
        return f"{t[:4]}-{t[4:6]}-{t[6:8]} {t[8:10]}:{t[10:12]}:{t[12:]}"

    b.opened_at = formatted


@_fault("open-time-utc", "world", "FAIL", "writes the opening time in UTC", "开门时间用 UTC，差 8 小时")
def _open_time_utc(b: Behaviour) -> None:
    b.opened_at = lambda opening, door: format_time(door.device_time(opening.at) - 8 * 3600)


@_fault("send-time-as-open-time", "world", "FAIL", "fills in the opening time when it sends", "开门时间填成发送时间")
def _send_time_as_open_time(b: Behaviour) -> None:
    def stamp(upload: Upload, door: Device, now: float) -> Message:
        if upload.kind != "record":
            return upload.message
        changed = copy_message(upload.message)
        for item in changed.items:
            for pair in item:
                if pair[0] == f"{door.codes.opened_at}-Info":
                    pair[1] = format_time(door.device_time(now))
        return changed

    b.transmit = stamp


@_fault("no-dismantle-alarm", "world", "FAIL", "does not report that it is dismantled", "拆除时不上报")
def _no_dismantle_alarm(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "dismantled"
    b.state = _state_of("dismantled", lambda now, kind: "0")


@_fault("dismantle-not-restored", "world", "WARN", "does not report the end of dismantling", "恢复安装后不上报")
def _dismantle_not_restored(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "dismantled" or value == 1


@_fault("report-forgets-alarm", "world", "FAIL", "reports 0 by the timer while dismantled", "拆除期间定时上报仍为 0")
def _report_forgets_alarm(b: Behaviour) -> None:
    b.state = _state_of("dismantled", lambda now, kind: "0" if kind == "periodic" else str(now))


@_fault("no-fault-alarm", "world", "FAIL", "does not report a defect", "设备故障不上报")
def _no_fault_alarm(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "fault"
    b.state = _state_of("fault", lambda now, kind: "0")


@_fault("fault-not-restored", "world", "WARN", "does not report the end of a defect", "故障恢复后不上报")
def _fault_not_restored(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "fault" or value == 1


@_fault(
    "lockout-unreported",
    "world",
    "FAIL",
    "locks up on a defect and tells nobody",
    "控制器锁死后不再上报任何信息",
)
def _lockout_unreported(b: Behaviour) -> None:
    b.locks_up_on_fault = True


@_fault("half-hour-report", "world", "FAIL", "reports every 30 minutes", "每 30 分钟才定时上报一次")
def _half_hour_report(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: 2 * interval


@_fault("slow-timer", "world", "WARN", "reports every 920 s", "定时间隔为 920 秒")
def _slow_timer(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: interval + 20


@_fault("drifting-timer", "world", "WARN", "loses three seconds with every report", "定时器漂移，每次慢 3 秒")
def _drifting_timer(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: interval + 3


@_fault("skipped-report", "world", "FAIL", "leaves out every third report", "每三次定时上报漏一次")
def _skipped_report(b: Behaviour) -> None:
    b.skips_report = lambda index: index % 3 == 2


@_fault("event-restarts-timer", "world", "WARN", "starts the interval over at each event", "状态变化会重置定时器")
def _event_restarts_timer(b: Behaviour) -> None:
    b.event_restarts_timer = True


@_fault("incomplete-report", "world", "FAIL", "leaves i32003 out of the periodic report", "定时上报缺 i32003")
def _incomplete_report(b: Behaviour) -> None:
    b.report_signals = ("door", "dismantled")


@_fault("late-upload", "world", "FAIL", "sends everything 400 s late", "数据延迟 400 秒才上传")
def _late_upload(b: Behaviour) -> None:
    b.upload_delay_s = lambda kind: 400.0 if kind == "periodic" else 0.0


@_fault("slow-upload", "world", "WARN", "sends reports 90 s late", "数据延迟 90 秒才上传")
def _slow_upload(b: Behaviour) -> None:
    b.upload_delay_s = lambda kind: 90.0 if kind == "periodic" else 0.0


@_fault("clock-90s-fast", "world", "FAIL", "has a clock that is 90 s fast", "设备时钟快 90 秒")
def _clock_90s_fast(b: Behaviour) -> None:
    b.clock_error_s = 90.0


@_fault("clock-30s-fast", "world", "WARN", "has a clock that is 30 s fast", "设备时钟快 30 秒")
def _clock_30s_fast(b: Behaviour) -> None:
    b.clock_error_s = 30.0


@_fault("loses-records-offline", "world", "WARN", "forgets openings while the link is down", "断网期间的开门记录丢失")
def _loses_records_offline(b: Behaviour) -> None:
    b.keeps_while_offline = lambda kind: kind != "record"
