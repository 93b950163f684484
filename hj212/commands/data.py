"""2011 to 2111: data (数据命令), their requests, and the notices that stop them."""

from __future__ import annotations

from dataclasses import dataclass

from .core import Command, command
from .measurements import Measurement
from .parameters import end_of_range, measured, time, whole

__all__ = [
    "AlarmEvent",
    "AlarmRecord",
    "DailyData",
    "DailyRunTime",
    "DataUpload",
    "EquipmentState",
    "FurnaceTemperature",
    "GetAlarmRecords",
    "GetDailyData",
    "GetDailyRunTime",
    "GetHourlyData",
    "GetMinuteData",
    "GetNoiseMeasurements",
    "GetRawData",
    "GetStandardChecks",
    "HistoryRequest",
    "HourlyData",
    "LoggerStart",
    "MinuteData",
    "NoiseMeasurement",
    "RawData",
    "RealTimeData",
    "StandardCheck",
    "StartEquipmentState",
    "StartRealTimeData",
    "StopEquipmentState",
    "StopRealTimeData",
]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HistoryRequest(Command):
    """Base of the requests for what was measured in a range of time, both ends included."""

    begin_time: str = time("BeginTime")
    end_time: str = end_of_range("EndTime", "BeginTime")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DataUpload(Command):
    """Base of the uploads of what is known of some factors at one time, or from it on."""

    data_time: str = time("DataTime")
    values: tuple[Measurement, ...] = measured()


@command("2011", upward=False)
class StartRealTimeData(HistoryRequest):
    """取污染物实时数据; with a range (2017 and later), what was measured in it."""


@command("2011", upward=True)
class RealTimeData(DataUpload):
    """上传污染物实时数据: Rtd, Flag, ZsRtd, and of periodic analysers SampleTime and EFlag."""


@command("2012", upward=False)
class StopRealTimeData(Command):
    """停止察看污染物实时数据."""


@command("2013", upward=False)
class GetRawData(HistoryRequest):
    """取原始监测数据."""


@command("2013", upward=True)
class RawData(DataUpload):
    """上传原始监测数据, of periodic analysers: SampleTime, CompleteTime, SampleType, Avg, Flag."""


@command("2021", upward=False)
class StartEquipmentState(Command):
    """取设备运行状态数据."""


@command("2021", upward=True)
class EquipmentState(DataUpload):
    """上传设备运行状态数据: RS of each piece of equipment, ``SB1``."""


@command("2022", upward=False)
class StopEquipmentState(Command):
    """停止察看设备运行状态."""


@command("2031", upward=False)
class GetDailyData(HistoryRequest):
    """取污染物日历史数据."""


@command("2031", upward=True)
class DailyData(DataUpload):
    """上传污染物日历史数据: Cou, Min, Avg, Max, Flag; of noise Data, DayData, NightData."""


@command("2041", upward=False)
class GetDailyRunTime(HistoryRequest):
    """取设备运行时间日历史数据."""


@command("2041", upward=True)
class DailyRunTime(DataUpload):
    """上传设备运行时间日历史数据: RT of each piece of equipment, in hours."""


@command("2051", upward=False)
class GetMinuteData(HistoryRequest):
    """取污染物分钟数据."""


@command("2051", upward=True)
class MinuteData(DataUpload):
    """上传污染物分钟数据: Cou, Min, Avg, Max, Flag; of noise Data."""


@command("2052", upward=False)
class GetNoiseMeasurements(HistoryRequest):
    """取噪声单次测量数据."""


@command("2052", upward=True)
class NoiseMeasurement(DataUpload):
    """上传噪声单次测量数据: Data, Flag."""


@command("2061", upward=False)
class GetHourlyData(HistoryRequest):
    """取污染物小时数据."""


@command("2061", upward=True)
class HourlyData(DataUpload):
    """上传污染物小时数据: Cou, Min, Avg, Max, Flag; of noise Data."""


@command("2062", upward=False)
class GetStandardChecks(HistoryRequest):
    """取自动标样核查数据."""


@command("2062", upward=True)
class StandardCheck(DataUpload):
    """上传自动标样核查数据: SampleRd, StandardValue, ResultType."""


@command("2071", upward=False)
class GetAlarmRecords(HistoryRequest):
    """取污染物报警记录."""


@command("2071", upward=True)
class AlarmRecord(DataUpload):
    """上传污染物报警记录: Ala."""


@command("2072", upward=True)
class AlarmEvent(Command):
    """上传报警事件: Ala of the factors; 1 the limit is exceeded, 0 no longer."""

    alarm_time: str = time("AlarmTime")
    values: tuple[Measurement, ...] = measured()
    alarm: int | None = whole("AlarmType", chars=1)


@command("2081", upward=True)
class LoggerStart(Command):
    """上传数采仪开机时间."""

    data_time: str = time("DataTime")
    restart_time: str = time("RestartTime")


@command("2111", upward=True)
class FurnaceTemperature(DataUpload):
    """上传炉膛温度5分钟均值: Avg, Flag."""
