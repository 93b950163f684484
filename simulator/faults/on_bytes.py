"""Faults of the bytes around the data segment: length, check value, tail."""

from __future__ import annotations

from collections.abc import Callable

from hj212 import crc16
from hj212.crc import modbus_crc16, swap_bytes

from ..behaviour import Behaviour
from .registry import ALL, fault

__all__: list[str] = []


def _with_crc(make: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%s\r\n" % (len(segment), segment, make(segment))


def _with_length(count: Callable[[bytes], int]) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%04X\r\n" % (count(segment), segment, crc16(segment))


def _with_tail(tail: bytes) -> Callable[[bytes], bytes]:
    return lambda segment: b"##%04d%s%04X%s" % (len(segment), segment, crc16(segment), tail)


@fault(
    "modbus-crc",
    "bytes",
    "FAIL",
    "computes CRC-16/MODBUS, high byte first",
    "校验用 CRC-16/MODBUS，高字节在前",
    families=ALL,
)
def _modbus_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % modbus_crc16(s))


@fault(
    "modbus-crc-swapped",
    "bytes",
    "FAIL",
    "computes CRC-16/MODBUS, low byte first",
    "校验用 CRC-16/MODBUS，低字节在前",
    families=ALL,
)
def _modbus_crc_swapped(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % swap_bytes(modbus_crc16(s)))


@fault("swapped-crc", "bytes", "FAIL", "writes the right CRC low byte first", "CRC 正确但低字节在前", families=ALL)
def _swapped_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04X" % swap_bytes(crc16(s)))


@fault(
    "unpadded-crc",
    "bytes",
    "FAIL",
    "drops the leading zeros of the CRC",
    "CRC 高位的 0 不补齐，不足 4 位",
    families=ALL,
)
def _unpadded_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%X" % crc16(s))


@fault("lower-case-crc", "bytes", "WARN", "writes the CRC in lower case", "CRC 用小写字母", families=ALL)
def _lower_case_crc(b: Behaviour) -> None:
    b.encode = _with_crc(lambda s: b"%04x" % crc16(s))


@fault(
    "length-plus-6",
    "bytes",
    "FAIL",
    "counts head and length field into the length",
    "长度多算 6 字节（把包头和长度字段也算入）",
    families=ALL,
)
def _length_plus_6(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s) + 6)


@fault(
    "length-whole-frame",
    "bytes",
    "FAIL",
    "writes the length of the whole frame",
    "长度写成整包长度（多 12 字节）",
    families=ALL,
)
def _length_whole_frame(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s) + 12)


@fault(
    "length-in-characters", "bytes", "FAIL", "counts characters where bytes are meant", "长度按字符数而不是字节数计算"
)
def _length_in_characters(b: Behaviour) -> None:
    b.encode = _with_length(lambda s: len(s.decode("utf-8", "replace")))


@fault("lf-only-tail", "bytes", "FAIL", "ends frames with LF alone", "包尾只有 LF，缺 CR", families=ALL)
def _lf_only_tail(b: Behaviour) -> None:
    b.encode = _with_tail(b"\n")


@fault("missing-tail", "bytes", "FAIL", "ends frames without CR LF", "没有包尾 CR LF", families=ALL)
def _missing_tail(b: Behaviour) -> None:
    b.encode = _with_tail(b"")


@fault("not-hj212", "bytes", "FAIL", "sends JSON instead of HJ 212", "发送 JSON 而不是 HJ 212", families=ALL)
def _not_hj212(b: Behaviour) -> None:
    b.encode = lambda segment: b'{"type": "door", "length": %d}\n' % len(segment)
