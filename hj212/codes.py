"""Code sets that the protocol branches on; everything else stays text.

Code spaces are open: a number that no member has is kept as the plain number, so it survives a round trip.
"""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag

__all__ = ["CipherForm", "CommandKind", "ExeRtn", "FlagBits", "QnRtn", "Reply"]


class FlagBits(IntFlag):
    """Bits of Flag (HJ 212-2017 6.3.2); the version number stands above them."""

    ANSWER = 1  #: A: this message wants an answer
    NUMBERED = 2  #: D: PNUM and PNO are present


class CipherForm(Enum):
    """How ciphertext stands on the wire (HJ 212-2025 A.2)."""

    RAW = "raw"  #: the bytes themselves
    BRACES = "braces"  #: as A.2 prints them: ``{0xE4,0x3E,...}``, the clear tail behind


class QnRtn(IntEnum):
    """Request answer, field of 9011 (HJ 212-2017 6.6, 请求命令返回)."""

    READY = 1
    REFUSED = 2
    PW_WRONG = 3
    MN_WRONG = 4
    ST_WRONG = 5
    FLAG_WRONG = 6
    QN_WRONG = 7
    CN_WRONG = 8
    CRC_WRONG = 9
    UNKNOWN = 100


class ExeRtn(IntEnum):
    """Execution result, field of 9012 (HJ 212-2017 6.6, 执行结果)."""

    SUCCESS = 1
    FAILED = 2
    BAD_CONDITION = 3
    TIMEOUT = 4
    BUSY = 5
    SYSTEM_FAULT = 6
    NO_DATA = 100


class Reply(IntEnum):
    """The four interaction commands; they are answers and are never answered themselves."""

    REQUEST_ANSWER = 9011  #: 请求应答
    EXECUTION_RESULT = 9012  #: 执行结果
    NOTICE_ANSWER = 9013  #: 通知应答
    DATA_ANSWER = 9014  #: 数据应答


class CommandKind(IntEnum):
    """What a command is in the flows of HJ 212-2017 Annex C."""

    REQUEST = 1  #: 请求: answered by 9011, then 9012
    UPLOAD = 2  #: 上传: answered by 9014 where Flag wants it
    NOTICE = 3  #: 通知: answered by 9013
    INTERACTION = 4  #: 交互: an answer
