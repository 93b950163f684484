"""Configuration of a device (GB/T 28181-2022 A.2.1, A.2.3.2, A.2.4.7; 2016 A.2.3, A.2.4)."""

from __future__ import annotations

from decimal import Decimal

from .body import Body, Kind, Record, element, record

__all__ = [
    "AlarmRecord",
    "AlarmReport",
    "BasicParam",
    "Configured",
    "MaskRegion",
    "Osd",
    "OsdText",
    "PictureMask",
    "RecordPlan",
    "Roi",
    "RoiRegion",
    "SnapShot",
    "Surveillance",
    "SvacAudio",
    "SvacDecode",
    "SvacEncode",
    "SvacShown",
    "Svc",
    "TimeSegment",
    "VideoAttribute",
    "VideoParam",
    "WeekDay",
]


@record
class BasicParam(Record):
    """基本参数; times in seconds."""

    name: str | None = element("Name", "设备名称")
    expiration_s: int | None = element("Expiration", "注册过期时间", Kind.INTEGER)
    heartbeat_s: int | None = element("HeartBeatInterval", "心跳间隔时间", Kind.INTEGER)
    heartbeat_count: int | None = element("HeartBeatCount", "心跳超时次数", Kind.INTEGER)
    position_capability: int | None = element("PositionCapability", "定位功能支持情况", Kind.INTEGER, "O/-")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL, "O/-")
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL, "O/-")


@record
class VideoParam(Record):
    """视频参数范围 (VideoParamOpt)."""

    download_speed: str | None = element("DownloadSpeed", "下载倍速范围")
    resolution: str | None = element("Resolution", "摄像机支持的分辨率")


@record
class RoiRegion(Record):
    """感兴趣区域."""

    number: int | None = element("ROISeq", "感兴趣区域编号", Kind.INTEGER, "M")
    top_left: int | None = element("TopLeft", "左上角坐标", Kind.INTEGER, "M")
    bottom_right: int | None = element("BottomRight", "右下角坐标", Kind.INTEGER, "M")
    quality: int | None = element("ROIQP", "编码质量等级", Kind.INTEGER, "M")


@record
class Roi(Record):
    """感兴趣区域参数 (ROIParam)."""

    on: int | None = element("ROIFlag", "感兴趣区域开关", Kind.INTEGER, "M")
    count: int | None = element("ROINumber", "感兴趣区域数量", Kind.INTEGER, "M")
    regions: tuple[RoiRegion, ...] = element("Item", "感兴趣区域", RoiRegion, most=16)
    background: int | None = element("BackGroundQP", "背景区域编码质量等级", Kind.INTEGER, "O/-")
    skip: int | None = element("BackGroundSkipFlag", "背景跳过开关", Kind.INTEGER, "O/-")


@record
class Svc(Record):
    """SVC 参数 (SVCParam)."""

    space: int | None = element("SVCSpaceDomainMode", "空域编码方式", Kind.INTEGER)
    time: int | None = element("SVCTimeDomainMode", "时域编码方式", Kind.INTEGER)
    shown: int | None = element("SVCSTMMode", "码流显示模式", Kind.INTEGER)
    ratio: str | None = element("SSVCRatioValue", "增强层与基本层比例", Kind.TEXT, "-/O")
    space_support: int | None = element("SVCSpaceSupportMode", "空域编码能力", Kind.INTEGER)
    time_support: int | None = element("SVCTimeSupportMode", "时域编码能力", Kind.INTEGER)
    ratios: str | None = element("SSVCRatioSupportList", "比例能力", Kind.TEXT, "-/O")


@record
class Surveillance(Record):
    """监控专用信息参数 (SurveillanceParam) of encoding."""

    time: int | None = element("TimeFlag", "绝对时间信息开关", Kind.INTEGER)
    event: int | None = element("EventFlag", "监控事件信息开关", Kind.INTEGER, "O/-")
    alert: int | None = element("AlertFlag", "报警信息开关", Kind.INTEGER, "O/-")
    osd: int | None = element("OSDFlag", "OSD 信息开关", Kind.INTEGER, "-/O")
    ai: int | None = element("AIFlag", "智能分析信息开关", Kind.INTEGER, "-/O")
    gis: int | None = element("GISFlag", "地理信息开关", Kind.INTEGER, "-/O")


@record
class SvacShown(Record):
    """监控专用信息参数 (SurveillanceParam) of decoding."""

    time: int | None = element("TimeShowFlag", "绝对时间信息显示开关", Kind.INTEGER)
    event: int | None = element("EventShowFlag", "监控事件信息显示开关", Kind.INTEGER, "O/-")
    alert: int | None = element("AlerShowtFlag", "报警信息显示开关", Kind.INTEGER, "O/-", aliases="AlertShowFlag")
    osd: int | None = element("OSDShowFlag", "OSD 信息显示开关", Kind.INTEGER, "-/O")
    ai: int | None = element("AIShowFlag", "智能分析信息显示开关", Kind.INTEGER, "-/O")
    gis: int | None = element("GISShowFlag", "地理信息显示开关", Kind.INTEGER, "-/O")


@record
class SvacAudio(Record):
    """音频参数 (AudioParam)."""

    recognition: int | None = element("AudioRecognitionFlag", "声音识别特征参数开关", Kind.INTEGER)


@record
class SvacEncode(Record):
    """SVAC 编码配置 (SVACEncodeConfig)."""

    roi: Roi | None = element("ROIParam", "感兴趣区域参数", Roi)
    svc: Svc | None = element("SVCParam", "SVC 参数", Svc)
    surveillance: Surveillance | None = element("SurveillanceParam", "监控专用信息参数", Surveillance)
    audio: SvacAudio | None = element("AudioParam", "音频参数", SvacAudio)


@record
class SvacDecode(Record):
    """SVAC 解码配置 (SVACDecodeConfig)."""

    svc: Svc | None = element("SVCParam", "SVC 参数", Svc)
    surveillance: SvacShown | None = element("SurveillanceParam", "监控专用信息参数", SvacShown)


@record
class VideoAttribute(Record):
    """视频参数属性 of one stream (VideoParamAttribute), in the codes of ``f=``."""

    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "M")
    format: str | None = element("VideoFormat", "视频编码格式", Kind.TEXT, "M")
    resolution: str | None = element("Resolution", "分辨率", Kind.TEXT, "M")
    rate: str | None = element("FrameRate", "帧率", Kind.TEXT, "M")
    mode: str | None = element("BitRateType", "码率类型", Kind.TEXT, "M")
    kbps: str | None = element("VideoBitRate", "视频码率", Kind.TEXT, "C")


@record
class TimeSegment(Record):
    """录像时间段."""

    start_hour: int | None = element("StartHour", "开始时", Kind.INTEGER, "M")
    start_minute: int | None = element("StartMin", "开始分", Kind.INTEGER, "M")
    start_second: int | None = element("StartSec", "开始秒", Kind.INTEGER, "M")
    stop_hour: int | None = element("StopHour", "结束时", Kind.INTEGER, "M")
    stop_minute: int | None = element("StopMin", "结束分", Kind.INTEGER, "M")
    stop_second: int | None = element("StopSec", "结束秒", Kind.INTEGER, "M")


@record
class WeekDay(Record):
    """一天的录像计划 (RecordSchedule)."""

    day: int | None = element("WeekDayNum", "周几，1 为周一", Kind.INTEGER, "M")
    count: int | None = element("TimeSegmentSumNum", "时间段数量", Kind.INTEGER, "M")
    segments: tuple[TimeSegment, ...] = element("TimeSegment", "时间段", TimeSegment, most=8)


@record
class RecordPlan(Record):
    """录像计划 (VideoRecordPlan)."""

    on: int | None = element("RecordEnable", "是否启用时间计划录像", Kind.INTEGER, "M")
    count: int | None = element("RecordScheduleSumNum", "录像计划天数", Kind.INTEGER, "M")
    days: tuple[WeekDay, ...] = element("RecordSchedule", "一天的录像计划", WeekDay, most=7)
    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "M")


@record
class AlarmRecord(Record):
    """报警录像 (VideoAlarmRecord); times in seconds."""

    on: int | None = element("RecordEnable", "是否启用报警录像", Kind.INTEGER, "M")
    after_s: int | None = element("RecordTime", "录像延时时间", Kind.INTEGER)
    before_s: int | None = element("PreRecordTime", "预录时间", Kind.INTEGER)
    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "M")


@record
class MaskRegion(Record):
    """遮挡区域: ``lx,ly,rx,ry`` in pixels."""

    number: int | None = element("Seq", "区域编号", Kind.INTEGER, "M")
    points: str | None = element("Point", "区域左上角、右下角坐标", Kind.TEXT, "M")


@record
class PictureMask(Record):
    """视频画面遮挡 (PictureMask)."""

    on: int | None = element("On", "画面遮挡开关", Kind.INTEGER, "M")
    total: int | None = element("SumNum", "区域总数", Kind.INTEGER, "M")
    regions: tuple[MaskRegion, ...] | None = element("RegionList/Item", "区域列表", MaskRegion, count="Num", most=4)


@record
class AlarmReport(Record):
    """报警上报开关 (AlarmReport)."""

    motion: int | None = element("MotionDetection", "移动侦测事件上报开关", Kind.INTEGER, "M")
    field: int | None = element("FieldDetection", "区域入侵事件上报开关", Kind.INTEGER, "M")


@record
class OsdText(Record):
    """一行 OSD 文字."""

    text: str | None = element("Text", "文字内容", Kind.TEXT, "M")
    x: int | None = element("X", "X 坐标", Kind.INTEGER, "M")
    y: int | None = element("Y", "Y 坐标", Kind.INTEGER, "M")


@record
class Osd(Record):
    """前端 OSD (OSDConfig); origin at the top left."""

    length: int | None = element("Length", "播放窗口长度（像素）", Kind.INTEGER, "M")
    width: int | None = element("Width", "播放窗口宽度（像素）", Kind.INTEGER, "M")
    time_x: int | None = element("TimeX", "时间 X 坐标", Kind.INTEGER, "M")
    time_y: int | None = element("TimeY", "时间 Y 坐标", Kind.INTEGER, "M")
    time_on: int | None = element("TimeEnable", "显示时间开关", Kind.INTEGER)
    time_type: int | None = element("TimeType", "时间显示类型", Kind.INTEGER)
    text_on: int | None = element("TextEnable", "显示文字开关", Kind.INTEGER)
    total: int | None = element("SumNum", "文字行数总数", Kind.INTEGER, "M")
    texts: tuple[OsdText, ...] = element("Item", "文字", OsdText, most=8)


@record
class SnapShot(Record):
    """图像抓拍配置 (SnapShotConfig, 2022 9.14)."""

    count: int | None = element("SnapNum", "连拍张数", Kind.INTEGER, "M")
    interval_s: int | None = element("Interval", "单张抓拍间隔时间（秒）", Kind.INTEGER)
    upload_url: str | None = element("UploadURL", "抓拍图像上传路径", Kind.TEXT, "M")
    session_id: str | None = element("SessionID", "会话编号", Kind.TEXT, "M")


@record
class Configured(Body):
    """What DeviceConfig sets and ConfigDownload answers: any of the configurations."""

    device_id: str | None = element("DeviceID", "目标设备编码", Kind.ID, "M")
    result: str | None = element("Result", "查询结果标志", Kind.RESULT)
    basic: BasicParam | None = element("BasicParam", "基本参数配置", BasicParam)
    video: VideoParam | None = element("VideoParamOpt", "视频参数范围", VideoParam)
    svac_encode: SvacEncode | None = element("SVACEncodeConfig", "SVAC 编码配置", SvacEncode)
    svac_decode: SvacDecode | None = element("SVACDecodeConfig", "SVAC 解码配置", SvacDecode)
    attributes: tuple[VideoAttribute, ...] | None = element(
        "VideoParamAttribute/Item", "视频参数属性配置", VideoAttribute, "-/O", count="Num"
    )
    record_plan: RecordPlan | None = element("VideoRecordPlan", "录像计划配置", RecordPlan, "-/O")
    alarm_record: AlarmRecord | None = element("VideoAlarmRecord", "报警录像配置", AlarmRecord, "-/O")
    mask: PictureMask | None = element("PictureMask", "视频画面遮挡配置", PictureMask, "-/O")
    mirror: int | None = element("FrameMirror", "画面翻转配置", Kind.INTEGER, "-/O")
    alarm_report: AlarmReport | None = element("AlarmReport", "报警上报开关配置", AlarmReport, "-/O")
    osd: Osd | None = element("OSDConfig", "前端 OSD 设置", Osd, "-/O")
    snapshot: SnapShot | None = element("SnapShotConfig", "图像抓拍配置", SnapShot, "-/O", aliases="SnapShot")
