"""3011 to 3024: control of instruments and samplers (控制命令), identities and site information."""

from __future__ import annotations

from dataclasses import dataclass

from ..editions import Edition
from .core import Command, command
from .measurements import Measurement
from .parameters import end_of_range, measured, text, texts, time, whole

__all__ = [
    "Calibrate",
    "CleanInstrument",
    "CompareSample",
    "GetInstrumentIdentity",
    "GetSampleToResultTime",
    "GetSamplingPeriod",
    "GetSiteInformation",
    "InstrumentCommand",
    "InstrumentIdentity",
    "OperateEquipment",
    "RetainSampleNow",
    "RetainSampleOnExceedance",
    "RetainedSample",
    "SampleNow",
    "SampleToResultTime",
    "SamplingPeriod",
    "SetSamplingPeriod",
    "SetSamplingTimes",
    "SetSiteParameter",
    "SiteInformation",
    "StartStandardCheck",
]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InstrumentCommand(Command):
    """Base of what concerns the instrument of one factor."""

    factor: str = text("PolId", "PolID", chars=6)


@command("3011", upward=False)
class Calibrate(InstrumentCommand):
    """零点校准量程校准; the 2025 edition says which: 0 zero, 1 span."""

    calibration: int | None = whole("CalibrationType", chars=1)


@command("3012", upward=False)
class SampleNow(InstrumentCommand):
    """即时采样."""


@command("3013", upward=False, editions=(Edition.HJ_212_2017, Edition.HJ_212_2025))
class CleanInstrument(InstrumentCommand):
    """启动清洗/反吹."""


@command("3013", upward=False, editions=(Edition.HJ_T_212_2005,))
class OperateEquipment(Command):
    """设备操作命令; the edition has no parameters for it."""


@command("3014", upward=False, editions=(Edition.HJ_212_2017,))
class CompareSample(InstrumentCommand):
    """比对采样."""


@command("3014", upward=False, editions=(Edition.HJ_T_212_2005,))
class SetSamplingTimes(InstrumentCommand):
    """设置设备采样时间周期: the hours of the day at which to sample, ``"04"``."""

    hours: tuple[str, ...] = texts("CTime", "Ctime", chars=2, separator=",")


@command("3015", upward=False)
class RetainSampleOnExceedance(Command):
    """超标留样."""


@command("3015", upward=True)
class RetainedSample(Command):
    """上传超标留样信息: which bottle holds the sample."""

    data_time: str = time("DataTime")
    bottle: int | None = whole("VaseNo", chars=2)


@command("3016", upward=False)
class SetSamplingPeriod(InstrumentCommand):
    """设置采样时间周期: from ``hhmmss`` on, every so many hours."""

    start: str = text("CstartTime", chars=6)
    period_h: int | None = whole("Ctime", "CTime", chars=2)


@command("3017", upward=False)
class GetSamplingPeriod(InstrumentCommand):
    """提取采样时间周期."""


@command("3017", upward=True)
class SamplingPeriod(InstrumentCommand):
    """上传采样时间周期: from ``hhmmss`` on, every so many hours."""

    start: str = text("CstartTime", chars=6)
    period_h: int | None = whole("Ctime", "CTime", chars=2)


@command("3018", upward=False)
class GetSampleToResultTime(InstrumentCommand):
    """提取出样时间."""


@command("3018", upward=True)
class SampleToResultTime(InstrumentCommand):
    """上传出样时间: how long a sample takes to its result."""

    duration_min: int | None = whole("Stime", chars=4)


@command("3019", upward=False)
class GetInstrumentIdentity(InstrumentCommand):
    """提取设备唯一标识, of the instrument of a factor."""


@command("3019", upward=True)
class InstrumentIdentity(Command):
    """上传设备唯一标识, SN of a factor; with DataTime when the instrument was replaced, without as an answer."""

    data_time: str = time("DataTime")
    factor: str = text("PolId", "PolID", chars=6)
    values: tuple[Measurement, ...] = measured()


@command("3020", upward=False)
class GetSiteInformation(InstrumentCommand):
    """提取现场机信息: a log of a range of time, else a state or parameter; without factor, of the data logger."""

    information: str = text("InfoId", chars=6)
    begin_time: str = time("BeginTime")
    end_time: str = end_of_range("EndTime", "BeginTime")


@command("3020", upward=True)
class SiteInformation(Command):
    """上传现场机信息: Info of a code; that of a log stands between ``//``."""

    data_time: str = time("DataTime")
    factor: str = text("PolId", "PolID", chars=6)
    values: tuple[Measurement, ...] = measured()


@command("3021", upward=False)
class SetSiteParameter(InstrumentCommand):
    """设置现场机参数: which, and its new Info."""

    information: str = text("InfoId", chars=6)
    values: tuple[Measurement, ...] = measured()


@command("3022", upward=False)
class RetainSampleNow(InstrumentCommand):
    """即时留样."""


@command("3024", upward=False)
class StartStandardCheck(InstrumentCommand):
    """启动自动标样核查."""
