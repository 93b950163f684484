"""HJ 212: data transmission of pollutant monitoring stations in China, without any I/O imposed.

Start at :class:`Framer` for bytes, :class:`Message` for content, :class:`Connection` for a whole link.
"""

from __future__ import annotations

from .codes import CommandKind, ExeRtn, FlagBits, QnRtn, Reply
from .connection import Connection, Role
from .crc import crc16
from .editions import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, RULES, Edition, Rules, rules_of
from .errors import Hj212Error, LimitError, LocalProtocolError, MessageError, RemoteProtocolError
from .framing import Frame, Framer, Noise, build_frame
from .messages import Message, compose
from .segment import FlatSegment, Segment, SegmentHeader, format_segment, parse_flat, parse_header, parse_segment
from .times import CHINA, QnSource

__all__ = [
    "CHINA",
    "HJ_212_2017",
    "HJ_212_2025",
    "HJ_T_212_2005",
    "RULES",
    "CommandKind",
    "Connection",
    "Edition",
    "ExeRtn",
    "FlagBits",
    "FlatSegment",
    "Frame",
    "Framer",
    "Hj212Error",
    "LimitError",
    "LocalProtocolError",
    "Message",
    "MessageError",
    "Noise",
    "QnRtn",
    "QnSource",
    "RemoteProtocolError",
    "Reply",
    "Role",
    "Rules",
    "Segment",
    "SegmentHeader",
    "build_frame",
    "compose",
    "crc16",
    "format_segment",
    "parse_flat",
    "parse_header",
    "parse_segment",
    "rules_of",
]
