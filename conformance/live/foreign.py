"""What speaks at the port, told by its first bytes, where that is not HJ 212."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from hj212.crc import modbus_crc16

from ..verdicts import Said, say

__all__ = ["HEAD_BYTES", "foreign_protocol", "hj212_in_disguise"]

#: How much of the start of a connection is looked at: enough for the request line of HTTP with a long path.
HEAD_BYTES: Final = 512

_HTTP = re.compile(rb"(?:GET|POST|PUT|HEAD|OPTIONS|DELETE|PATCH|TRACE|CONNECT) \S+ HTTP/1")
_SIP = re.compile(rb"(?:[A-Z]{3,12} sips?:|SIP/2\.0 )")
_MQTT = re.compile(rb"\x10[\x00-\xff]{1,4}\x00(?:\x04MQTT|\x06MQIsdp)", re.DOTALL)
_TLS = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)
_JSON = re.compile(rb"\s*[{\[]\s*[\"\[{}\]]")
_XML = re.compile(rb"\s*<(?:\?xml|[A-Za-z])")
#: Function codes of Modbus that devices in the field are asked with.
_MODBUS_FUNCTIONS: Final = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 43})
_SEGMENT = re.compile(rb"(?:QN|ST|CN|MN) ?=[^;]*;")


def _modbus_tcp(head: bytes) -> bool:
    if len(head) < 8 or head[2:4] != b"\0\0":  # protocol identifier
        return False
    length = int.from_bytes(head[4:6], "big")
    return 3 <= length <= 254 and len(head) >= 6 + length and (head[7] & 0x7F) in _MODBUS_FUNCTIONS


def _modbus_rtu(head: bytes) -> bool:
    if not 4 <= len(head) <= 256 or (head[1] & 0x7F) not in _MODBUS_FUNCTIONS:
        return False
    return modbus_crc16(head[:-2]) == int.from_bytes(head[-2:], "little")


#: By name, most certain first.
_PROTOCOLS: Final[tuple[tuple[Said, Callable[[bytes], object]], ...]] = (
    (say("TLS (an encrypted connection)"), _TLS.match),
    (say("HTTP"), _HTTP.match),
    (say("HTTP/2"), lambda head: head.startswith(b"PRI * HTTP/2")),
    (say("SIP (GB/T 28181)"), _SIP.match),
    (say("MQTT"), _MQTT.match),
    (say("SSH"), lambda head: head.startswith(b"SSH-")),
    (say("the PROXY protocol of a load balancer"), lambda head: head.startswith((b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"))),
    (say("Modbus TCP"), _modbus_tcp),
    (say("Modbus RTU"), _modbus_rtu),
    (say("JSON"), _JSON.match),
    (say("XML"), _XML.match),
)


def foreign_protocol(head: bytes) -> Said | None:
    """Return the name of the protocol that a connection began with, ``None`` where it is none that is known here.

    Args:
        head: The first bytes, up to :data:`HEAD_BYTES`. Modbus is recognised once the whole first message is there.
    """
    return next((name for name, matches in _PROTOCOLS if matches(head)), None)


def hj212_in_disguise(head: bytes) -> Said | None:
    """Return what became of HJ 212 frames where there is no ``##`` that begins one, ``None`` where they are none.

    Met with data transfer units that were set to send hexadecimal text, and with strings sent as UTF-16.
    """
    if b"#\0#\0" in head or b"\0#\0#" in head:
        return say("the text is encoded in UTF-16: two bytes for each character")
    if re.match(rb"(?i)\s*23 ?23 ?(?:3[0-9] ?){4}", head):
        return say("the bytes are sent as hexadecimal text")
    if b"##" not in head and _SEGMENT.search(head):
        return say("the head ## is missing")
    return None
