"""Faults of what the station believes: of its door, of the people who pass it, of its clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from hj212 import Message
from hj212.times import format_time

from ..behaviour import Behaviour, Device, DoorDevice, Upload, copy_message
from ..world import Method, Opening
from .registry import ALL, fault

__all__: list[str] = []


def _state_of(name: str, value: Callable[[int, str], str]) -> Callable[[str, int, str], str]:
    return lambda signal, now, kind: value(now, kind) if signal == name else str(now)


@fault(
    "hj212-2017-door-state", "world", "FAIL", "uses the 2017 meaning of i32001", "i32001 按 HJ 212-2017 表 B.10 的含义"
)
def _hj212_2017_door_state(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: "2" if kind == "periodic" else str(now))


@fault("inverted-door", "world", "FAIL", "reports 1 for a closed door", "开关门状态颠倒（关门报 1）")
def _inverted_door(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: str(1 - now))


@fault("constant-door", "world", "FAIL", "reports an open door in every record", "房门状态恒为 1")
def _constant_door(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: "1")


@fault("never-closed", "world", "FAIL", "does not report that the door was closed", "从不上报关门")
def _never_closed(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "door" or value == 1


@fault("no-change-report", "world", "FAIL", "reports states by the timer only", "状态变化不主动上报，只有定时上报")
def _no_change_report(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "door"


@fault("dismantle-value-2", "world", "FAIL", "reports 2 for a dismantled reader", "拆除状态值为 2")
def _dismantle_value_2(b: Behaviour) -> None:
    b.state = _state_of("dismantled", lambda now, kind: "2" if now and kind == "change" else str(now))


@fault("fault-value-2", "world", "FAIL", "reports 2 for a fault", "故障状态值为 2")
def _fault_value_2(b: Behaviour) -> None:
    b.state = _state_of("fault", lambda now, kind: "2" if now and kind == "change" else str(now))


@fault(
    "method-collapsed",
    "world",
    "FAIL",
    "face 1, card 4, everything else 2",
    "开门方式归并：人脸 1、刷卡 4，其余都报 2",
)
def _method_collapsed(b: Behaviour) -> None:
    b.method_code = lambda opening, door: {Method.FACE: "1", Method.IC_CARD: "4"}.get(opening.method, "2")


@fault("method-code-5", "world", "FAIL", "reports method 5, which the table lacks", "开门方式为 5，超出表 2-1")
def _method_code_5(b: Behaviour) -> None:
    def code(opening: Opening, door: DoorDevice) -> str:
        return "5" if opening.method is Method.PASSWORD else door.codes.methods[opening.method]

    b.method_code = code


@fault("method-leading-zero", "world", "WARN", "writes the method as 01", "开门方式带前导零（01）")
def _method_leading_zero(b: Behaviour) -> None:
    b.method_code = lambda opening, door: f"0{door.codes.methods[opening.method]}"


@fault("only-face-recorded", "world", "FAIL", "records face openings only", "只有人脸开门产生记录")
def _only_face_recorded(b: Behaviour) -> None:
    b.records = lambda opening: int(opening.method is Method.FACE)


@fault("record-missing", "world", "FAIL", "loses the record of card openings", "刷卡开门没有记录")
def _record_missing(b: Behaviour) -> None:
    b.records = lambda opening: int(opening.method is not Method.IC_CARD)


@fault("duplicate-record", "world", "WARN", "records each opening twice", "同一次开门上传两条记录（QN 不同）")
def _duplicate_record(b: Behaviour) -> None:
    b.records = lambda opening: 2


@fault(
    "opening-in-pieces",
    "world",
    "FAIL",
    "sends method and person ten seconds apart",
    "一次开门的信息分开上传，相隔 10 秒",
)
def _opening_in_pieces(b: Behaviour) -> None:
    b.record_in_pieces = True


@fault("empty-person-code", "world", "FAIL", "leaves the person code empty", "开门编码为空")
def _empty_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: ""


@fault("chinese-person-code", "world", "WARN", "sends a name as person code", "开门编码写成中文姓名")
def _chinese_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"员工{opening.person}"


@fault("code-per-method", "world", "FAIL", "codes one person differently by method", "同一个人不同开门方式编码不同")
def _code_per_method(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"{opening.person}{opening.method.value[0].upper()}"


@fault("shared-person-code", "world", "FAIL", "gives everybody the same code", "不同人员使用同一个开门编码")
def _shared_person_code(b: Behaviour) -> None:
    b.person_code = lambda opening, door: "0001"


@fault("code-changes-on-reboot", "world", "FAIL", "numbers people anew after a reboot", "重启后人员编码改变")
def _code_changes_on_reboot(b: Behaviour) -> None:
    b.person_code = lambda opening, door: f"{opening.person}R{door.reboots}" if door.reboots else opening.person


@fault(
    "invented-remote-opening",
    "world",
    "WARN",
    "reports an exit button as an opening by the previous person",
    "出门按钮开门被当作上一人的开门记录",
)
def _invented_remote_opening(b: Behaviour) -> None:
    b.invents_remote_openings = True


@fault("formatted-open-time", "world", "FAIL", "writes the opening time with dashes", "开门时间带分隔符")
def _formatted_open_time(b: Behaviour) -> None:
    def formatted(opening: Opening, door: DoorDevice) -> str:
        t = format_time(door.device_time(opening.at))
        return f"{t[:4]}-{t[4:6]}-{t[6:8]} {t[8:10]}:{t[10:12]}:{t[12:]}"

    b.opened_at = formatted


@fault("open-time-utc", "world", "FAIL", "writes the opening time in UTC", "开门时间用 UTC，差 8 小时")
def _open_time_utc(b: Behaviour) -> None:
    b.opened_at = lambda opening, door: format_time(door.device_time(opening.at) - 8 * 3600)


@fault("send-time-as-open-time", "world", "FAIL", "fills in the opening time when it sends", "开门时间填成发送时间")
def _send_time_as_open_time(b: Behaviour) -> None:
    def stamp(upload: Upload, device: Device, now: float) -> Message:
        if upload.kind != "record":
            return upload.message
        door = cast(DoorDevice, device)  # nothing else has records of openings
        changed = copy_message(upload.message)
        for item in changed.items:
            for pair in item:
                if pair[0] == f"{door.codes.opened_at}-Info":
                    pair[1] = format_time(door.device_time(now))
        return changed

    b.transmit = stamp


@fault("no-dismantle-alarm", "world", "FAIL", "does not report that it is dismantled", "拆除时不上报")
def _no_dismantle_alarm(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "dismantled"
    b.state = _state_of("dismantled", lambda now, kind: "0")


@fault("dismantle-not-restored", "world", "WARN", "does not report the end of dismantling", "恢复安装后不上报")
def _dismantle_not_restored(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "dismantled" or value == 1


@fault("report-forgets-alarm", "world", "FAIL", "reports 0 by the timer while dismantled", "拆除期间定时上报仍为 0")
def _report_forgets_alarm(b: Behaviour) -> None:
    b.state = _state_of("dismantled", lambda now, kind: "0" if kind == "periodic" else str(now))


@fault("no-fault-alarm", "world", "FAIL", "does not report a defect", "设备故障不上报")
def _no_fault_alarm(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "fault"
    b.state = _state_of("fault", lambda now, kind: "0")


@fault("fault-not-restored", "world", "WARN", "does not report the end of a defect", "故障恢复后不上报")
def _fault_not_restored(b: Behaviour) -> None:
    b.tells_change = lambda signal, value: signal != "fault" or value == 1


@fault(
    "lockout-unreported",
    "world",
    "FAIL",
    "locks up on a defect and tells nobody",
    "控制器锁死后不再上报任何信息",
)
def _lockout_unreported(b: Behaviour) -> None:
    b.locks_up_on_fault = True


@fault("half-hour-report", "world", "FAIL", "reports every 30 minutes", "每 30 分钟才定时上报一次")
def _half_hour_report(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: 2 * interval


@fault("slow-timer", "world", "WARN", "reports every 920 s", "定时间隔为 920 秒")
def _slow_timer(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: interval + 20


@fault(
    "drifting-timer", "world", "WARN", "loses three seconds with every report", "定时器漂移，每次慢 3 秒", families=ALL
)
def _drifting_timer(b: Behaviour) -> None:
    b.interval_s = lambda interval, index: interval + 3


@fault("skipped-report", "world", "FAIL", "leaves out every third report", "每三次定时上报漏一次", families=ALL)
def _skipped_report(b: Behaviour) -> None:
    b.skips_report = lambda index: index % 3 == 2


@fault("event-restarts-timer", "world", "WARN", "starts the interval over at each event", "状态变化会重置定时器")
def _event_restarts_timer(b: Behaviour) -> None:
    b.event_restarts_timer = True


@fault("incomplete-report", "world", "FAIL", "leaves i32003 out of the periodic report", "定时上报缺 i32003")
def _incomplete_report(b: Behaviour) -> None:
    b.report_signals = ("door", "dismantled")


@fault("late-upload", "world", "FAIL", "sends timed reports 400 s late", "定时上报延迟 400 秒才上传", families=ALL)
def _late_upload(b: Behaviour) -> None:
    b.upload_delay_s = lambda kind: 400.0 if kind == "periodic" else 0.0


@fault("slow-upload", "world", "WARN", "sends reports 90 s late", "数据延迟 90 秒才上传", families=ALL)
def _slow_upload(b: Behaviour) -> None:
    b.upload_delay_s = lambda kind: 90.0 if kind == "periodic" else 0.0


@fault("clock-90s-fast", "world", "FAIL", "has a clock that is 90 s fast", "设备时钟快 90 秒", families=ALL)
def _clock_90s_fast(b: Behaviour) -> None:
    b.clock_error_s = 90.0


@fault("clock-30s-fast", "world", "WARN", "has a clock that is 30 s fast", "设备时钟快 30 秒", families=ALL)
def _clock_30s_fast(b: Behaviour) -> None:
    b.clock_error_s = 30.0


@fault("loses-records-offline", "world", "WARN", "forgets openings while the link is down", "断网期间的开门记录丢失")
def _loses_records_offline(b: Behaviour) -> None:
    b.keeps_while_offline = lambda kind: kind != "record"


@fault("report-inverts-door", "world", "FAIL", "inverts the door in the timed report only", "仅定时上报中的门状态取反")
def _report_inverts_door(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: str(1 - now) if kind == "periodic" else str(now))


@fault("report-stuck-fault", "world", "FAIL", "always reports a fault by the timer", "定时上报中故障状态恒为 1")
def _report_stuck_fault(b: Behaviour) -> None:
    b.state = _state_of("fault", lambda now, kind: "1" if kind == "periodic" else str(now))


@fault("query-inverted", "world", "WARN", "answers the state query inverted", "状态查询应答与实际相反")
def _query_inverted(b: Behaviour) -> None:
    b.state = _state_of("door", lambda now, kind: str(1 - now) if kind == "query" else str(now))


@fault("duplicate-change", "world", "WARN", "reports each change twice", "同一状态变化上报两次（QN 不同）")
def _duplicate_change(b: Behaviour) -> None:
    b.change_reports = 2
