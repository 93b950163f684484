"""1000 to 1099: initialisation and parameters (初始化命令、参数命令)."""

from __future__ import annotations

from ..editions import Rules
from .core import Command, command
from .measurements import Measurement
from .parameters import measured, text, texts, time, whole

__all__ = [
    "AlarmThresholds",
    "AskForCalibration",
    "DeviceTime",
    "GetAlarmThresholds",
    "GetDeviceTime",
    "GetHostAddress",
    "GetMinuteInterval",
    "GetRealTimeInterval",
    "GetReportTime",
    "HostAddress",
    "MinuteInterval",
    "RealTimeInterval",
    "ReportTime",
    "SetAlarmThresholds",
    "SetDeviceTime",
    "SetHostAddress",
    "SetMinuteInterval",
    "SetOverLimitTime",
    "SetPassword",
    "SetRealTimeInterval",
    "SetReportTime",
    "SetTimeout",
]


def _overtime(rules: Rules) -> range:
    return _inclusive(rules.overtime_range_s)


def _recount(rules: Rules) -> range:
    return _inclusive(rules.recount_range)


def _realtime(rules: Rules) -> range:
    return _inclusive(rules.realtime_interval_range_s)


def _minutes(rules: Rules) -> tuple[int, ...]:
    return rules.minute_intervals


def _password_chars(rules: Rules) -> int:
    return rules.max_password_chars


def _inclusive(limits: tuple[int, int]) -> range:
    return range(limits[0], limits[1] + 1)


@command("1000", upward=False)
class SetTimeout(Command):
    """设置超时时间及重发次数: how long the station waits for an answer and how often it sends again."""

    overtime_s: int | None = whole("OverTime", "Overtime", limits=_overtime)
    resend_count: int | None = whole("ReCount", limits=_recount)


@command("1001", upward=False)
class SetOverLimitTime(Command):
    """设置超限报警时间: how long a limit must be exceeded before the station reports it."""

    over_limit_s: int | None = whole("WarnTime", chars=5)


@command("1011", upward=False)
class GetDeviceTime(Command):
    """提取现场机时间; of the data logger, or of the analyser of a factor."""

    factor: str = text("PolId", "PolID", chars=6)


@command("1011", upward=True)
class DeviceTime(Command):
    """上传现场机时间."""

    factor: str = text("PolId", "PolID", chars=6)
    system_time: str = time("SystemTime")


@command("1012", upward=False)
class SetDeviceTime(Command):
    """设置现场机时间; of the data logger, or of the analyser of a factor."""

    factor: str = text("PolId", "PolID", chars=6)
    system_time: str = time("SystemTime")


@command("1013", upward=True)
class AskForCalibration(Command):
    """现场机时间校准请求: the platform is to send 1012."""

    factor: str = text("PolId", "PolID", chars=6)


@command("1021", upward=False)
class GetAlarmThresholds(Command):
    """提取污染物报警门限值."""

    factors: tuple[str, ...] = texts("PolId", "PolID", chars=6)


@command("1021", upward=True)
class AlarmThresholds(Command):
    """上传污染物报警门限值: LowValue and UpValue of each factor."""

    values: tuple[Measurement, ...] = measured()


@command("1022", upward=False)
class SetAlarmThresholds(Command):
    """设置污染物报警门限值: LowValue and UpValue of each factor."""

    values: tuple[Measurement, ...] = measured()


@command("1031", upward=False)
class GetHostAddress(Command):
    """提取上位机地址."""


@command("1031", upward=True)
class HostAddress(Command):
    """上传上位机地址; the table of the edition has ReportTarget, its examples AlarmTarget."""

    report_target: str = text("ReportTarget", chars=20)
    alarm_target: str = text("AlarmTarget", chars=20)


@command("1032", upward=False)
class SetHostAddress(Command):
    """设置上位机地址; the table of the edition has ReportTarget, its examples AlarmTarget."""

    report_target: str = text("ReportTarget", chars=20)
    alarm_target: str = text("AlarmTarget", chars=20)


@command("1041", upward=False)
class GetReportTime(Command):
    """提取数据上报时间."""


@command("1041", upward=True)
class ReportTime(Command):
    """上传数据上报时间, ``hhmm``."""

    report_time: str = text("ReportTime", chars=4)


@command("1042", upward=False)
class SetReportTime(Command):
    """设置数据上报时间, ``hhmm``."""

    report_time: str = text("ReportTime", chars=4)


@command("1061", upward=False)
class GetRealTimeInterval(Command):
    """提取实时数据间隔."""


@command("1061", upward=True)
class RealTimeInterval(Command):
    """上传实时数据间隔."""

    interval_s: int | None = whole("RtdInterval", limits=_realtime)


@command("1062", upward=False)
class SetRealTimeInterval(Command):
    """设置实时数据间隔: how often the station sends 2011 and 2021."""

    interval_s: int | None = whole("RtdInterval", limits=_realtime)


@command("1063", upward=False)
class GetMinuteInterval(Command):
    """提取分钟数据间隔."""


@command("1063", upward=True)
class MinuteInterval(Command):
    """上传分钟数据间隔."""

    interval_min: int | None = whole("MinInterval", limits=_minutes)


@command("1064", upward=False)
class SetMinuteInterval(Command):
    """设置分钟数据间隔: how often the station sends 2051."""

    interval_min: int | None = whole("MinInterval", limits=_minutes)


@command("1072", upward=False)
class SetPassword(Command):
    """设置现场机密码; the 2005 edition calls the parameter PW."""

    new_password: str = text("NewPW", "PW", chars=_password_chars, secret=True)
