"""Faults of data loggers and power meters: values, their statistics, their flags and how they are sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from zlib import crc32

from hj212 import Message, build_frame
from hj212.times import parse_time

from ..behaviour import Behaviour, copy_message
from .registry import LOGGERS, MEASURING, METERS, fault

__all__: list[str] = []

_PERIODS = ("minute", "hour", "day")
#: Energy meters by their usual codes: of the works in 2017, of lines and units in 2025.
_ENERGY = re.compile(r"(i33201-Info|d[23]09[0-9]{2}-Rtd)\Z")


def _pairs(change: Callable[[str, str], str], *kinds: str) -> Callable[[Message, str], Message]:
    """Return an edit of the values of a message: (key, value) -> value."""

    def edit(message: Message, kind: str) -> Message:
        if kind not in kinds:
            return message
        changed = copy_message(message)
        for item in changed.items:
            for pair in item:
                if len(pair) == 2:
                    pair[1] = change(pair[0], pair[1])
        return changed

    return edit


def _exchanged(first: str, second: str) -> Callable[[Message, str], Message]:
    """Return an edit that gives a statistic the value of another one of the same factor."""

    def edit(message: Message, kind: str) -> Message:
        if kind not in _PERIODS:
            return message
        changed = copy_message(message)
        for item in changed.items:
            values = {pair[0]: pair[1] for pair in item if len(pair) == 2}
            for pair in item:
                code, _hyphen, suffix = pair[0].rpartition("-")
                for prefix in ("", "Zs"):
                    other = values.get(f"{code}-{prefix}{second}")
                    if suffix == f"{prefix}{first}" and other is not None:
                        pair[1] = other
        return changed

    return edit


@fault(
    "wrong-mean",
    "world",
    "FAIL",
    "reports the largest value of a period as its mean",
    "平均值错误：把最大值当作平均值上报",
    families=LOGGERS,
)
def _wrong_mean(b: Behaviour) -> None:
    b.shape.append(_exchanged("Avg", "Max"))


@fault(
    "min-above-mean",
    "world",
    "FAIL",
    "reports the largest value of a period as its smallest",
    "最小值大于平均值：把最大值当作最小值上报",
    families=LOGGERS,
)
def _min_above_mean(b: Behaviour) -> None:
    b.shape.append(_exchanged("Min", "Max"))


def _frozen(key: str, value: str) -> str:
    if not key.endswith("Rtd"):
        return value
    decimals = len(value.partition(".")[2])
    return f"{1 + crc32(key.encode()) % 400 / 10:.{decimals}f}"


@fault(
    "frozen-value",
    "world",
    "FAIL",
    "reports the same real-time values for ever",
    "实时值恒定不变（数据死值）",
    families=MEASURING,
)
def _frozen_value(b: Behaviour) -> None:
    b.shape.append(_pairs(_frozen, "periodic"))


@fault(
    "flag-always-n",
    "world",
    "FAIL",
    "flags every value as normal, also those above the range or without voltage",
    "数据标记恒为 N，超量程、失电时也不例外",
    families=MEASURING,
)
def _flag_always_n(b: Behaviour) -> None:
    b.shape.append(_pairs(lambda key, value: "N" if key.endswith("-Flag") else value, "periodic", *_PERIODS))


def _second_half(kind: str, begin_s: int) -> bool:
    """Tell whether a minute report is about minutes 30 to 44 of an hour: at least one of each interval begins there."""
    return kind == "minute" and 30 <= begin_s // 60 % 60 < 45


@fault(
    "missing-minute-reports",
    "world",
    "FAIL",
    "leaves out the minute reports that begin from half past to a quarter to",
    "每小时缺少 30 分至 44 分开始的分钟数据",
    families=LOGGERS,
)
def _missing_minute_reports(b: Behaviour) -> None:
    b.omits = _second_half


def _an_hour_later(key: str, value: str) -> str:
    if key != "DataTime":
        return value
    return (parse_time(value) + timedelta(hours=1)).strftime("%Y%m%d%H%M%S")


@fault(
    "datatime-ahead",
    "world",
    "FAIL",
    "writes a DataTime that is an hour ahead",
    "DataTime 超前一小时",
    families=MEASURING,
)
def _datatime_ahead(b: Behaviour) -> None:
    b.shape.append(_pairs(_an_hour_later, "periodic", *_PERIODS))


@fault(
    "duplicate-packet",
    "protocol",
    "WARN",
    "sends every upload twice, byte for byte",
    "每个上传包重复发送一次（QN 相同）",
    families=MEASURING,
)
def _duplicate_packet(b: Behaviour) -> None:
    b.sends_twice = lambda kind: True


def _from_zero(message: Message, kind: str) -> Message:
    number = message.pno
    return message if number is None else copy_message(message, PNO=str(number - 1))


@fault(
    "pno-from-zero",
    "protocol",
    "FAIL",
    "numbers the packets of a message from 0",
    "拆分包的 PNO 从 0 开始编号",
    families=LOGGERS,
)
def _pno_from_zero(b: Behaviour) -> None:
    b.shape.append(_from_zero)


@fault(
    "full-width-comma",
    "protocol",
    "FAIL",
    "separates values by the full-width comma that the standard is printed with",
    "用全角逗号“，”分隔数据项（照抄标准的印刷体）",
    families=MEASURING,
)
def _full_width_comma(b: Behaviour) -> None:
    b.encode = lambda segment: build_frame(segment.replace(b",", "，".encode()))


def _not_converted(message: Message, kind: str) -> Message:
    changed = copy_message(message)
    for item in changed.items:
        values = {pair[0]: pair[1] for pair in item if len(pair) == 2}
        for pair in item:
            if "-Zs" in pair[0]:
                pair[1] = values.get(pair[0].replace("-Zs", "-"), pair[1])
    return changed


@fault(
    "not-converted",
    "world",
    "FAIL",
    "reports the measured value as the converted one",
    "折算值等于实测值（未按含氧量折算）",
    families=LOGGERS,
)
def _measured_as_converted(b: Behaviour) -> None:
    b.shape.append(_not_converted)


def _thousandfold(key: str, value: str) -> str:
    if not key.endswith("-Cou"):
        return value
    whole, _point, places = value.partition(".")
    digits = (whole + places.ljust(3, "0")).lstrip("0") or "0"
    return digits if len(places) <= 3 else f"{digits[: len(digits) - len(places) + 3]}.{places[3:]}"


@fault(
    "total-in-grams",
    "world",
    "FAIL",
    "reports totals in grams and litres",
    "累计值单位错误：以克、升上报（应为千克、立方米）",
    families=LOGGERS,
)
def _total_in_grams(b: Behaviour) -> None:
    b.shape.append(_pairs(_thousandfold, *_PERIODS))


def _wrapped(key: str, value: str) -> str:
    if not _ENERGY.match(key):
        return value
    whole, point, places = value.partition(".")
    return f"{int(whole) % 100}{point}{places}"


@fault(
    "energy-wraps",
    "world",
    "FAIL",
    "lets the energy meter start over every 100 kWh",
    "累计电量每满 100 kWh 归零",
    families=METERS,
)
def _energy_wraps(b: Behaviour) -> None:
    b.shape.append(_pairs(_wrapped, "periodic", "information"))
