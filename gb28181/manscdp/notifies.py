"""Notices, also the bodies of NOTIFY (GB/T 28181-2022 A.2.5, 2016 A.2.5)."""

from __future__ import annotations

from decimal import Decimal

from .body import Body, Kind, Record, body, element, record
from .items import CatalogItem, PositionItem

__all__ = [
    "AlarmInfo",
    "AlarmNotice",
    "AlarmParam",
    "Broadcast",
    "CatalogNotice",
    "FaultyDevices",
    "Keepalive",
    "MediaStatus",
    "Notice",
    "PositionNotice",
    "PtzPositionNotice",
    "SnapshotFinished",
    "UpgradeResult",
    "UploadNotice",
]


@record
class Notice(Body):
    """Base of the notices: tells of one device, channel or system."""

    device_id: str | None = element("DeviceID", "源设备编码", Kind.ID, "M")


@record
class FaultyDevices(Record):
    """Info of a keepalive: devices below that do not work."""

    device_ids: tuple[str, ...] = element("DeviceID", "故障设备编码", Kind.ID, most=1000)


@body("Notify", "Keepalive")
class Keepalive(Notice):
    """状态信息报送 (A.2.5.2)."""

    status: str | None = element("Status", "是否正常工作", Kind.RESULT, "M")
    info: FaultyDevices | None = element("Info", "故障设备列表", FaultyDevices)


@record
class AlarmParam(Record):
    """AlarmTypeParam."""

    event_type: int | None = element("EventType", "事件类型：1 进入，2 离开", Kind.INTEGER)


@record
class AlarmInfo(Record):
    """Info of an alarm."""

    type: int | None = element("AlarmType", "报警类型", Kind.INTEGER, "M")
    param: AlarmParam | None = element("AlarmTypeParam", "报警类型扩展参数", AlarmParam)


@body("Notify", "Alarm")
class AlarmNotice(Notice):
    """报警通知 (A.2.5.3)."""

    priority: str | None = element("AlarmPriority", "报警级别：1 至 4，1 最高", Kind.TEXT, "M")
    method: str | None = element("AlarmMethod", "报警方式", Kind.TEXT, "M")
    time: str | None = element("AlarmTime", "报警时间", Kind.DATETIME, "M")
    description: str | None = element("AlarmDescription", "报警内容描述")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL)
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL)
    info: AlarmInfo | None = element("Info", "扩展信息", AlarmInfo)
    extra: tuple[str, ...] = element("ExtraInfo", "扩展信息", Kind.TEXT, "-/O", most=100)


@body("Notify", "MediaStatus")
class MediaStatus(Notice):
    """媒体通知 (A.2.5.4); type 121: the file has been sent to its end."""

    type: str | None = element("NotifyType", "通知事件类型", Kind.TEXT, "M")


@body("Notify", "Broadcast")
class Broadcast(Body):
    """语音广播通知 (A.2.5.5), of the platform."""

    source_id: str | None = element("SourceID", "语音输入设备编码", Kind.ID, "M")
    target_id: str | None = element("TargetID", "语音输出设备编码", Kind.ID, "M")


@body("Notify", "MobilePosition")
class PositionNotice(Notice):
    """移动设备位置数据通知: a list in 2022 (A.2.5.6), one position in 2016 (A.2.5 e)."""

    time: str | None = element("Time", "产生通知的时间", Kind.DATETIME, "M")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL, "M/-")
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL, "M/-")
    speed: Decimal | None = element("Speed", "速度（km/h）", Kind.DECIMAL, "O/-")
    direction: Decimal | None = element("Direction", "方向（度）", Kind.DECIMAL, "O/-")
    altitude: Decimal | None = element("Altitude", "海拔高度（米）", Kind.DECIMAL, "O/-")
    total: int | None = element("SumNum", "位置信息总数", Kind.INTEGER, "-/M")
    positions: tuple[PositionItem, ...] | None = element(
        "DeviceList/Item", "移动设备位置列表", PositionItem, "-/O", count="Num"
    )


@body("Notify", "Catalog")
class CatalogNotice(Notice):
    """目录变化通知 (2022 N.4.3.2, 2016 P.4.2.2)."""

    status: str | None = element("Status", "状态", Kind.TEXT, "O/-")
    total: int | None = element("SumNum", "变化的目录项总数", Kind.INTEGER, "M")
    items: tuple[CatalogItem, ...] | None = element("DeviceList/Item", "目录项列表", CatalogItem, count="Num")


@body("Notify", "PTZPosition")
class PtzPositionNotice(Notice):
    """PTZ 精准状态变化通知 (2022 9.11.2)."""

    pan: Decimal | None = element("Pan", "水平角度", Kind.DECIMAL, "-/O")
    tilt: Decimal | None = element("Tilt", "俯仰角度", Kind.DECIMAL, "-/O")
    zoom: Decimal | None = element("Zoom", "变倍倍数", Kind.DECIMAL, "-/O")
    horizontal_angle: Decimal | None = element("HorizontalFieldAngle", "水平视场角", Kind.DECIMAL, "-/O")
    vertical_angle: Decimal | None = element("VerticalFieldAngle", "竖直视场角", Kind.DECIMAL, "-/O")
    view_distance: Decimal | None = element("MaxViewDistance", "可视距离（米）", Kind.DECIMAL, "-/O")


@body("Notify", "UploadSnapShotFinished")
class SnapshotFinished(Notice):
    """图像抓拍传输完成通知 (2022 A.2.5, 9.14); fewer files than ordered: a part failed."""

    session_id: str | None = element("SessionID", "会话编号", Kind.TEXT, "M")
    files: tuple[str, ...] | None = element("SnapShotList/SnapShotFileID", "图像文件标识列表", Kind.TEXT, "M", most=10)


@body("Notify", "VideoUploadNotify")
class UploadNotice(Notice):
    """设备实时视音频回传通知 (2022 A.2.5): the device asks to be invited."""

    time: str | None = element("Time", "产生通知的时间", Kind.DATETIME, "M")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL)
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL)


@body("Notify", "DeviceUpgradeResult")
class UpgradeResult(Notice):
    """设备软件升级结果通知 (2022 A.2.5, 9.13)."""

    session_id: str | None = element("SessionID", "会话编号", Kind.TEXT, "M")
    result: str | None = element("UpgradeResult", "升级结果", Kind.RESULT, "M")
    firmware: str | None = element("Firmware", "设备固件版本", Kind.TEXT, "M")
    reason: str | None = element("UpgradeFailedReason", "升级失败原因", Kind.TEXT, "C")
