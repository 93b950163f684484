"""Queries of a platform, also the bodies of SUBSCRIBE (GB/T 28181-2022 A.2.4, 2016 A.2.4)."""

from __future__ import annotations

from .body import Body, Kind, body, element, record

__all__ = [
    "AlarmQuery",
    "CatalogQuery",
    "ConfigQuery",
    "CruiseListQuery",
    "CruiseQuery",
    "HomePositionQuery",
    "InfoQuery",
    "PositionQuery",
    "PresetQuery",
    "PtzPositionQuery",
    "Query",
    "RecordQuery",
    "StatusQuery",
    "StorageQuery",
]


@record
class Query(Body):
    """Base of the queries: asks one device, channel, system or organisation."""

    device_id: str | None = element("DeviceID", "目标设备编码", Kind.ID, "M")


@body("Query", "DeviceStatus")
class StatusQuery(Query):
    """设备状态查询 (A.2.4.2)."""


@body("Query", "Catalog")
class CatalogQuery(Query):
    """设备目录信息查询 (A.2.4.3); a period is that in which devices were added."""

    start_time: str | None = element("StartTime", "增加设备的起始时间", Kind.DATETIME)
    end_time: str | None = element("EndTime", "增加设备的终止时间", Kind.DATETIME)


@body("Query", "DeviceInfo")
class InfoQuery(Query):
    """设备信息查询 (A.2.4.4)."""


@body("Query", "RecordInfo")
class RecordQuery(Query):
    """文件目录检索 (A.2.4.5). Some recorders answer only where Type is there: send ``all``."""

    start_time: str | None = element("StartTime", "录像起始时间", Kind.DATETIME, "M")
    end_time: str | None = element("EndTime", "录像终止时间", Kind.DATETIME, "M")
    file_path: str | None = element("FilePath", "文件路径名")
    address: str | None = element("Address", "录像地址")
    secrecy: int | None = element("Secrecy", "保密属性", Kind.INTEGER)
    type: str | None = element("Type", "录像产生类型")
    recorder_id: str | None = element("RecorderID", "录像触发者编码")
    indistinct: int | None = element("IndistinctQuery", "录像模糊查询属性", Kind.INTEGER)
    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "-/O")
    alarm_method: str | None = element("AlarmMethod", "报警方式条件", Kind.TEXT, "-/O")
    alarm_type: str | None = element("AlarmType", "报警类型", Kind.TEXT, "-/O")


@body("Query", "Alarm")
class AlarmQuery(Query):
    """报警查询 (A.2.4.6), the body of an alarm subscription."""

    start_priority: str | None = element("StartAlarmPriority", "报警起始级别")
    end_priority: str | None = element("EndAlarmPriority", "报警终止级别")
    method: str | None = element("AlarmMethod", "报警方式条件")
    type: str | None = element("AlarmType", "报警类型")
    start_time: str | None = element("StartAlarmTime", "报警发生起始时间", Kind.DATETIME, aliases="StartTime")
    end_time: str | None = element("EndAlarmTime", "报警发生终止时间", Kind.DATETIME, aliases="EndTime")


@body("Query", "ConfigDownload")
class ConfigQuery(Query):
    """设备配置查询 (A.2.4.7)."""

    types: str | None = element("ConfigType", "查询配置参数类型，以“/”分隔", Kind.TEXT, "M")


@body("Query", "PresetQuery")
class PresetQuery(Query):
    """设备预置位查询 (A.2.4.8)."""


@body("Query", "MobilePosition")
class PositionQuery(Query):
    """移动设备位置数据查询 (A.2.4.9), the body of a subscription."""

    interval_s: int | None = element("Interval", "移动设备位置信息上报时间间隔（秒）", Kind.INTEGER)


@body("Query", "HomePositionQuery")
class HomePositionQuery(Query):
    """看守位信息查询 (2022 A.2.4)."""


@body("Query", "CruiseTrackListQuery")
class CruiseListQuery(Query):
    """巡航轨迹列表查询 (2022 A.2.4)."""


@body("Query", "CruiseTrackQuery")
class CruiseQuery(Query):
    """巡航轨迹查询 (2022 A.2.4)."""

    number: int | None = element("Number", "轨迹编号，从 0 开始", Kind.INTEGER, "M")


@body("Query", "PTZPosition")
class PtzPositionQuery(Query):
    """PTZ 精准状态查询 (2022 A.2.4), also the body of a subscription."""


@body("Query", "SDCardStatus")
class StorageQuery(Query):
    """存储卡状态查询 (2022 A.2.4)."""
