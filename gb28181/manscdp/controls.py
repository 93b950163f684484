"""Controls of a platform (GB/T 28181-2022 A.2.3, 2016 A.2.3): DeviceControl with one sub-command, and DeviceConfig."""

from __future__ import annotations

from decimal import Decimal

from .body import Body, Kind, Record, body, element, record
from .configs import Configured

__all__ = [
    "AlarmChoice",
    "AlarmReset",
    "Configure",
    "Control",
    "DragZoom",
    "FormatCard",
    "GuardControl",
    "HomePosition",
    "HomePositionControl",
    "KeyFrame",
    "OtherControl",
    "PreciseMove",
    "PrecisePtz",
    "PtzControl",
    "PtzParams",
    "RecordControl",
    "Restart",
    "TrackTarget",
    "Upgrade",
    "UpgradeOrder",
    "ZoomIn",
    "ZoomOut",
]


@record
class Control(Body):
    """Base of the controls."""

    device_id: str | None = element("DeviceID", "目标设备编码", Kind.ID, "M")


@body("Control", "DeviceControl")
class OtherControl(Control):
    """A device control whose sub-command no edition has; kept in ``rest``."""


@record
class PtzParams(Record):
    """PTZCmdParams (2022)."""

    preset_name: str | None = element("PresetName", "预置位名称", Kind.TEXT, "-/O")
    cruise_name: str | None = element("CruiseTrackName", "巡航轨迹名称", Kind.TEXT, "-/O")


@body("Control", "DeviceControl", "PTZCmd")
class PtzControl(Control):
    """球机/云台控制: sixteen hexadecimal digits, see :mod:`gb28181.ptz`."""

    command: str | None = element("PTZCmd", "云台控制命令", Kind.TEXT, "M")
    params: PtzParams | None = element("PTZCmdParams", "云台控制命令参数", PtzParams, "-/O")


@body("Control", "DeviceControl", "TeleBoot")
class Restart(Control):
    """远程启动: ``Boot``."""

    boot: str | None = element("TeleBoot", "远程启动控制命令", Kind.TEXT, "M")


@body("Control", "DeviceControl", "RecordCmd")
class RecordControl(Control):
    """录像控制: ``Record`` or ``StopRecord``."""

    command: str | None = element("RecordCmd", "录像控制命令", Kind.TEXT, "M")
    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "-/O")


@body("Control", "DeviceControl", "GuardCmd")
class GuardControl(Control):
    """报警布防/撤防: ``SetGuard`` or ``ResetGuard``."""

    command: str | None = element("GuardCmd", "报警布防/撤防命令", Kind.TEXT, "M")


@record
class AlarmChoice(Record):
    """Info of an alarm reset: which alarms."""

    method: str | None = element("AlarmMethod", "复位报警的报警方式")
    type: str | None = element("AlarmType", "复位报警的报警类型")


@body("Control", "DeviceControl", "AlarmCmd")
class AlarmReset(Control):
    """报警复位: ``ResetAlarm``."""

    command: str | None = element("AlarmCmd", "报警复位命令", Kind.TEXT, "M")
    info: AlarmChoice | None = element("Info", "扩展信息", AlarmChoice)


@body("Control", "DeviceControl", "IFrameCmd", "IFameCmd")
class KeyFrame(Control):
    """强制关键帧: ``Send``. The 2016 edition spells it IFameCmd."""

    command: str | None = element(
        "IFrameCmd", "强制关键帧命令", Kind.TEXT, "M", spelling="key_frame_element", aliases="IFameCmd"
    )


@record
class DragZoom(Record):
    """拉框: the window and the frame drawn in it, in pixels from the top left."""

    length: int | None = element("Length", "播放窗口长度", Kind.INTEGER, "M")
    width: int | None = element("Width", "播放窗口宽度", Kind.INTEGER, "M")
    middle_x: int | None = element("MidPointX", "拉框中心的横坐标", Kind.INTEGER, "M")
    middle_y: int | None = element("MidPointY", "拉框中心的纵坐标", Kind.INTEGER, "M")
    length_x: int | None = element("LengthX", "拉框长度", Kind.INTEGER, "M")
    length_y: int | None = element("LengthY", "拉框宽度", Kind.INTEGER, "M")


@body("Control", "DeviceControl", "DragZoomIn")
class ZoomIn(Control):
    """拉框放大."""

    frame: DragZoom | None = element("DragZoomIn", "拉框放大控制命令", DragZoom, "M")


@body("Control", "DeviceControl", "DragZoomOut")
class ZoomOut(Control):
    """拉框缩小."""

    frame: DragZoom | None = element("DragZoomOut", "拉框缩小控制命令", DragZoom, "M")


@record
class HomePosition(Record):
    """看守位."""

    on: int | None = element("Enabled", "看守位使能", Kind.INTEGER, "M")
    reset_s: int | None = element("ResetTime", "自动归位时间间隔（秒）", Kind.INTEGER)
    preset: int | None = element("PresetIndex", "调用预置位编号", Kind.INTEGER)


@body("Control", "DeviceControl", "HomePosition")
class HomePositionControl(Control):
    """看守位控制."""

    home: HomePosition | None = element("HomePosition", "看守位控制命令", HomePosition, "M")


@record
class PreciseMove(Record):
    """Angles in degrees; beyond a limit the camera goes to the limit."""

    pan: Decimal | None = element("Pan", "水平角度", Kind.DECIMAL, "-/O")
    tilt: Decimal | None = element("Tilt", "俯仰角度", Kind.DECIMAL, "-/O")
    zoom: Decimal | None = element("Zoom", "变倍倍数", Kind.DECIMAL, "-/O")


@body("Control", "DeviceControl", "PTZPreciseCtrl")
class PrecisePtz(Control):
    """PTZ 精准控制 (2022)."""

    move: PreciseMove | None = element("PTZPreciseCtrl", "PTZ 精准控制命令", PreciseMove, "-/M")


@record
class UpgradeOrder(Record):
    """What to upgrade to."""

    firmware: str | None = element("Firmware", "设备固件版本", Kind.TEXT, "-/M")
    url: str | None = element("FileURL", "升级文件的完整路径", Kind.TEXT, "-/M")
    manufacturer: str | None = element("Manufacturer", "设备厂商", Kind.TEXT, "-/M")
    session_id: str | None = element("SessionID", "会话编号", Kind.TEXT, "-/M")


@body("Control", "DeviceControl", "DeviceUpgrade")
class Upgrade(Control):
    """设备软件升级 (2022 9.13)."""

    order: UpgradeOrder | None = element("DeviceUpgrade", "设备软件升级命令", UpgradeOrder, "-/M")


@body("Control", "DeviceControl", "FormatSDCard")
class FormatCard(Control):
    """存储卡格式化 (2022): 0 all cards."""

    card: int | None = element("FormatSDCard", "存储卡编号", Kind.INTEGER, "-/M")


@body("Control", "DeviceControl", "TargetTrack")
class TrackTarget(Control):
    """目标跟踪 (2022): ``Auto``, ``Manual`` with an area, ``Stop``."""

    command: str | None = element("TargetTrack", "目标跟踪命令", Kind.TEXT, "-/M")
    panorama_id: str | None = element("DeviceID2", "全景摄像机通道编码", Kind.ID, "-/O")
    area: DragZoom | None = element("TargetArea", "跟踪目标区域", DragZoom, "-/C")


@body("Control", "DeviceConfig")
class Configure(Configured):
    """设备配置 (A.2.3.2)."""
