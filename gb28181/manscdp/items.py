"""Items of lists: catalogue, recordings, positions (GB/T 28181-2022 A.2.1, 2016 A.2.1)."""

from __future__ import annotations

from decimal import Decimal

from .body import Kind, Record, element, record

__all__ = ["CatalogInfo", "CatalogItem", "PositionItem", "RecordItem"]


@record
class CatalogInfo(Record):
    """Info of a catalogue item."""

    ptz_type: int | None = element("PTZType", "摄像机结构类型", Kind.INTEGER)
    position_type: int | None = element("PositionType", "摄像机位置类型", Kind.INTEGER, "O/-")
    imaging_type: str | None = element("PhotoelectricImagingType", "光电成像类型", Kind.TEXT, "-/O")
    capture_position: str | None = element("CapturePositionType", "采集部位类型", Kind.TEXT, "-/O")
    room_type: int | None = element("RoomType", "室外、室内属性", Kind.INTEGER)
    use_type: int | None = element("UseType", "用途属性", Kind.INTEGER, "O/-")
    supply_light: int | None = element("SupplyLightType", "补光属性", Kind.INTEGER)
    direction: int | None = element("DirectionType", "监视方位", Kind.INTEGER)
    resolution: str | None = element("Resolution", "支持的分辨率")
    streams: str | None = element("StreamNumberList", "支持的码流编号列表", Kind.TEXT, "-/O")
    business_group: str | None = element("BusinessGroupID", "虚拟组织所属的业务分组编码", Kind.ID)
    download_speed: str | None = element("DownloadSpeed", "下载倍速范围")
    svc_space: int | None = element("SVCSpaceSupportMode", "空域编码能力", Kind.INTEGER)
    svc_time: int | None = element("SVCTimeSupportMode", "时域编码能力", Kind.INTEGER)
    ssvc_ratios: str | None = element("SSVCRatioSupportList", "SSVC 增强层与基本层比例能力")
    mobile_type: int | None = element("MobileDeviceType", "移动采集设备类型", Kind.INTEGER, "-/C")
    horizontal_angle: Decimal | None = element("HorizontalFieldAngle", "水平视场角", Kind.DECIMAL, "-/O")
    vertical_angle: Decimal | None = element("VerticalFieldAngle", "竖直视场角", Kind.DECIMAL, "-/O")
    view_distance: Decimal | None = element("MaxViewDistance", "可视距离（米）", Kind.DECIMAL, "-/O")
    grassroots: str | None = element("GrassrootsCode", "基层组织编码", Kind.TEXT, "-/M")
    point_type: int | None = element("PointType", "监控点位类型", Kind.INTEGER, "-/C")
    point_name: str | None = element("PointCommonName", "点位俗称", Kind.TEXT, "-/O")
    mac: str | None = element("MAC", "设备 MAC 地址", Kind.TEXT, "-/O")
    functions: str | None = element("FunctionType", "摄像机卡口功能类型", Kind.TEXT, "-/O")
    encode_type: str | None = element("EncodeType", "视频编码格式", Kind.TEXT, "-/O")
    installed: str | None = element("InstallTime", "安装使用时间", Kind.DATETIME, "-/C")
    unit: str | None = element("ManagementUnit", "管理单位名称", Kind.TEXT, "-/O")
    contact: str | None = element("ContactInfo", "管理单位联系方式", Kind.TEXT, "-/O")
    save_days: int | None = element("RecordSaveDays", "录像保存天数", Kind.INTEGER, "-/O")
    industry: str | None = element("IndustrialClassification", "国民经济行业分类代码", Kind.TEXT, "-/O")


@record
class CatalogItem(Record):
    """目录项: a device, channel, division, system, business group or virtual organisation.

    What an edition marks mandatory holds for devices; divisions and organisations have a few of the elements.
    """

    device_id: str | None = element("DeviceID", "目标设备、区域、系统、业务分组或虚拟组织编码", Kind.ID, "M")
    event: str | None = element("Event", "状态改变事件")
    name: str | None = element("Name", "名称", Kind.TEXT, "C")
    manufacturer: str | None = element("Manufacturer", "设备厂商", Kind.TEXT, "C")
    model: str | None = element("Model", "设备型号", Kind.TEXT, "C")
    owner: str | None = element("Owner", "设备归属", Kind.TEXT, "C/-")
    civil_code: str | None = element("CivilCode", "行政区域", Kind.ID, "C")
    block: str | None = element("Block", "警区")
    address: str | None = element("Address", "安装地址", Kind.TEXT, "C")
    parental: int | None = element("Parental", "是否有子设备", Kind.INTEGER, "C")
    parent_id: str | None = element("ParentID", "父节点编码", Kind.TEXT, "C")
    safety_way: int | None = element("SafetyWay", "信令安全模式", Kind.INTEGER, "O/-")
    register_way: int | None = element("RegisterWay", "注册方式", Kind.INTEGER, "C")
    security_level: str | None = element("SecurityLevelCode", "摄像机安全能力等级", Kind.TEXT, "-/O")
    cert_number: str | None = element("CertNum", "证书序列号", Kind.TEXT, "C/-")
    certifiable: int | None = element("Certifiable", "证书有效标识", Kind.INTEGER, "C/-")
    error_code: int | None = element("ErrCode", "无效原因码", Kind.INTEGER, "C/-")
    end_time: str | None = element("EndTime", "证书终止有效期", Kind.DATETIME, "C/-")
    secrecy: int | None = element("Secrecy", "保密属性", Kind.INTEGER, "C")
    ip_address: str | None = element("IPAddress", "设备 IP 地址")
    port: int | None = element("Port", "设备端口", Kind.INTEGER)
    password: str | None = element("Password", "设备口令")
    status: str | None = element("Status", "设备状态", Kind.SWITCH, "C")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL, "C")
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL, "C")
    business_group: str | None = element("BusinessGroupID", "虚拟组织所属的业务分组编码", Kind.ID)
    info: CatalogInfo | None = element("Info", "扩展信息", CatalogInfo)


@record
class RecordItem(Record):
    """文件项: a recording."""

    device_id: str | None = element("DeviceID", "目标设备编码", Kind.ID, "M")
    name: str | None = element("Name", "目标设备名称", Kind.TEXT, "M")
    file_path: str | None = element("FilePath", "文件路径名")
    address: str | None = element("Address", "录像地址")
    start_time: str | None = element("StartTime", "录像开始时间", Kind.DATETIME)
    end_time: str | None = element("EndTime", "录像结束时间", Kind.DATETIME)
    secrecy: int | None = element("Secrecy", "保密属性", Kind.INTEGER, "M")
    type: str | None = element("Type", "录像产生类型")
    recorder_id: str | None = element("RecorderID", "录像触发者编码")
    file_size: str | None = element("FileSize", "录像文件大小（字节）")
    location: str | None = element("RecordLocation", "存储录像文件的系统或设备编码", Kind.ID, "-/C")
    stream: int | None = element("StreamNumber", "码流编号", Kind.INTEGER, "-/O")


@record
class PositionItem(Record):
    """移动设备位置."""

    device_id: str | None = element("DeviceID", "移动设备编码", Kind.ID, "-/M")
    captured: str | None = element("CaptureTime", "位置采集时间", Kind.DATETIME, "-/M")
    longitude: Decimal | None = element("Longitude", "经度", Kind.DECIMAL, "-/M")
    latitude: Decimal | None = element("Latitude", "纬度", Kind.DECIMAL, "-/M")
    speed: Decimal | None = element("Speed", "速度（km/h）", Kind.DECIMAL, "-/O")
    direction: Decimal | None = element("Direction", "方向（正北顺时针，度）", Kind.DECIMAL, "-/O")
    altitude: Decimal | None = element("Altitude", "海拔高度（米）", Kind.DECIMAL, "-/O")
    height: Decimal | None = element("Height", "地面高度（米）", Kind.DECIMAL, "-/O")
