"""Answers, each in a message of its own (GB/T 28181-2022 A.2.6, 2016 A.2.6)."""

from __future__ import annotations

from decimal import Decimal

from .body import Body, Kind, Record, body, element, record
from .configs import Configured
from .controls import HomePosition
from .items import CatalogItem, RecordItem

__all__ = [
    "AlarmAnswer",
    "AlarmDuty",
    "Answer",
    "BroadcastAnswer",
    "CatalogAnswer",
    "ConfigAnswer",
    "ConfigDownloadAnswer",
    "ControlAnswer",
    "CruiseAnswer",
    "CruiseListAnswer",
    "CruisePoint",
    "CruiseTrack",
    "HomePositionAnswer",
    "InfoAnswer",
    "PositionAnswer",
    "Preset",
    "PresetAnswer",
    "PtzPositionAnswer",
    "RecordAnswer",
    "StatusAnswer",
    "StorageAnswer",
    "StorageCard",
]


@record
class Answer(Body):
    """Base of the answers: repeats SN and DeviceID of what it answers."""

    device_id: str | None = element("DeviceID", "目标设备编码", Kind.ID, "M")


@record
class Result(Answer):
    """Base of the answers that say whether it was done."""

    result: str | None = element("Result", "执行结果标志", Kind.RESULT, "M")


@body("Response", "DeviceControl")
class ControlAnswer(Result):
    """设备控制应答 (A.2.6.2)."""


@body("Response", "Alarm")
class AlarmAnswer(Result):
    """报警通知应答 (A.2.6.3), of the platform; also of the device in the 200 to a subscription."""


@body("Response", "Catalog")
class CatalogAnswer(Answer):
    """设备目录信息查询应答 (A.2.6.4), in parts; SumNum counts all of them."""

    total: int | None = element("SumNum", "查询结果总数", Kind.INTEGER, "M")
    items: tuple[CatalogItem, ...] | None = element("DeviceList/Item", "设备目录项列表", CatalogItem, count="Num")
    extra: tuple[str, ...] = element("ExtraInfo", "扩展信息", Kind.TEXT, "-/O", most=100)


@body("Response", "DeviceInfo")
class InfoAnswer(Answer):
    """设备信息查询应答 (A.2.6.5)."""

    name: str | None = element("DeviceName", "目标设备名称")
    result: str | None = element("Result", "查询结果", Kind.RESULT, "M")
    manufacturer: str | None = element("Manufacturer", "设备生产商")
    model: str | None = element("Model", "设备型号")
    firmware: str | None = element("Firmware", "设备固件版本")
    channels: int | None = element("Channel", "视频输入通道数", Kind.INTEGER)
    extra: tuple[str, ...] = element("ExtraInfo", "扩展信息", Kind.TEXT, "-/O", most=100)


@record
class AlarmDuty(Record):
    """An alarm device and what it does: ONDUTY, OFFDUTY or ALARM."""

    device_id: str | None = element("DeviceID", "报警设备编码", Kind.ID, "M")
    duty: str | None = element("DutyStatus", "报警设备状态", Kind.TEXT, "M")


@body("Response", "DeviceStatus")
class StatusAnswer(Answer):
    """设备状态信息查询应答 (A.2.6.6)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT, "M")
    online: str | None = element("Online", "是否在线：ONLINE、OFFLINE", Kind.TEXT, "M")
    status: str | None = element("Status", "是否正常工作", Kind.RESULT, "M")
    reason: str | None = element("Reason", "不正常工作原因")
    encode: str | None = element("Encode", "是否编码", Kind.SWITCH)
    record: str | None = element("Record", "是否录像", Kind.SWITCH)
    time: str | None = element("DeviceTime", "设备时间和日期", Kind.DATETIME)
    alarms: tuple[AlarmDuty, ...] | None = element(
        "Alarmstatus/Item", "报警设备状态列表", AlarmDuty, count="Num", aliases="AlarmStatus"
    )
    extra: tuple[str, ...] = element("ExtraInfo", "扩展信息", Kind.TEXT, "-/O", most=100)


@body("Response", "RecordInfo")
class RecordAnswer(Answer):
    """文件目录检索应答 (A.2.6.7), in parts."""

    name: str | None = element("Name", "设备名称", Kind.TEXT, "M")
    total: int | None = element("SumNum", "查询结果总数", Kind.INTEGER, "M")
    items: tuple[RecordItem, ...] | None = element("RecordList/Item", "文件目录项列表", RecordItem, count="Num")
    extra: tuple[str, ...] = element("ExtraInfo", "扩展信息", Kind.TEXT, "-/O", most=100)


@body("Response", "DeviceConfig")
class ConfigAnswer(Result):
    """设备配置应答 (A.2.6.8): one result for all that was set."""


@body("Response", "ConfigDownload")
class ConfigDownloadAnswer(Configured):
    """设备配置查询应答 (A.2.6.9); a device may send one for each type, with the same SN."""


@record
class Preset(Record):
    """预置位."""

    id: str | None = element("PresetID", "预置位编码", Kind.TEXT, "M")
    name: str | None = element("PresetName", "预置位名称", Kind.TEXT, "M")


@body("Response", "PresetQuery")
class PresetAnswer(Answer):
    """设备预置位查询应答 (A.2.6.10)."""

    total: int | None = element("SumNum", "查询结果总数", Kind.INTEGER, "-/M")
    presets: tuple[Preset, ...] | None = element("PresetList/Item", "预置位列表", Preset, "M", count="Num")


@body("Response", "Broadcast")
class BroadcastAnswer(Result):
    """语音广播应答 (A.2.6.11); DeviceID is the voice output."""


@body("Response", "MobilePosition")
class PositionAnswer(Result):
    """移动设备位置订阅应答, in the 200 to a subscription."""


@body("Response", "HomePositionQuery")
class HomePositionAnswer(Answer):
    """看守位信息查询应答 (2022)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    home: HomePosition | None = element("HomePosition", "看守位信息", HomePosition, "-/O")


@record
class CruiseTrack(Record):
    """巡航轨迹."""

    number: int | None = element("Number", "轨迹编号，从 0 开始", Kind.INTEGER, "-/M")
    name: str | None = element("Name", "轨迹名称", Kind.TEXT, "-/O")


@body("Response", "CruiseTrackListQuery")
class CruiseListAnswer(Answer):
    """巡航轨迹列表查询应答 (2022)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    total: int | None = element("SumNum", "轨迹总数", Kind.INTEGER, "-/M")
    tracks: tuple[CruiseTrack, ...] | None = element(
        "CruiseTrackList/CruiseTrack", "轨迹列表", CruiseTrack, "-/O", count="Num"
    )


@record
class CruisePoint(Record):
    """巡航点."""

    preset: int | None = element("PresetIndex", "预置位编号", Kind.INTEGER, "-/M")
    stay_s: int | None = element("StayTime", "停留时间（秒）", Kind.INTEGER, "-/M")
    speed: int | None = element("Speed", "速度，1 至 15", Kind.INTEGER, "-/M")


@body("Response", "CruiseTrackQuery")
class CruiseAnswer(Answer):
    """巡航轨迹查询应答 (2022)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    number: int | None = element("Number", "轨迹编号", Kind.INTEGER, "-/M")
    name: str | None = element("Name", "轨迹名称", Kind.TEXT, "-/O")
    total: int | None = element("SumNum", "巡航点总数", Kind.INTEGER, "-/M")
    points: tuple[CruisePoint, ...] | None = element(
        "CruisePointList/CruisePoint", "巡航点列表", CruisePoint, "-/O", count="Num"
    )


@body("Response", "PTZPosition")
class PtzPositionAnswer(Answer):
    """PTZ 精准状态查询应答 (2022)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    pan: Decimal | None = element("Pan", "水平角度", Kind.DECIMAL, "-/O")
    tilt: Decimal | None = element("Tilt", "俯仰角度", Kind.DECIMAL, "-/O")
    zoom: Decimal | None = element("Zoom", "变倍倍数", Kind.DECIMAL, "-/O")
    horizontal_angle: Decimal | None = element("HorizontalFieldAngle", "水平视场角", Kind.DECIMAL, "-/O")
    vertical_angle: Decimal | None = element("VerticalFieldAngle", "竖直视场角", Kind.DECIMAL, "-/O")
    view_distance: Decimal | None = element("MaxViewDistance", "可视距离（米）", Kind.DECIMAL, "-/O")


@record
class StorageCard(Record):
    """存储卡; sizes in MB."""

    id: int | None = element("ID", "存储卡编号", Kind.INTEGER, "-/M")
    name: str | None = element("HddName", "存储卡名称", Kind.TEXT, "-/M")
    status: str | None = element("Status", "存储卡状态", Kind.TEXT, "-/M")
    progress: int | None = element("FormatProgress", "格式化进度", Kind.INTEGER, "-/O")
    capacity: int | None = element("Capacity", "存储卡容量", Kind.INTEGER, "-/M")
    free: int | None = element("FreeSpace", "剩余空间", Kind.INTEGER, "-/M")


@body("Response", "SDCardStatus")
class StorageAnswer(Answer):
    """存储卡状态查询应答 (2022)."""

    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    total: int | None = element("SumNum", "存储卡总数", Kind.INTEGER, "-/M")
    cards: tuple[StorageCard, ...] | None = element(
        "SDCardStatusInfo/Item", "存储卡状态列表", StorageCard, "-/O", count="Num", most=8
    )
