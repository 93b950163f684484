"""The suite's own pen and its own ruler: frames written out from the standard's text, and the check value bit by bit.

A suite that built its questions and checked its answers with the library under it would pass that library's
mistakes. What is sent to a device and what a framing verdict rests on therefore comes from here, where HJ 212-2017
Annex A stands as printed: slow, and easy to compare with the page.
"""

from __future__ import annotations

__all__ = ["annex_a_crc", "data_answer", "frame", "notice_answer", "request"]


def annex_a_crc(segment: bytes) -> int:
    """Return the check value by the steps of HJ 212-2017, Annex A.

    >>> f"{annex_a_crc(b'123456789'):04X}"
    '2F80'
    """
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


def frame(segment: bytes) -> bytes:
    """Write a whole frame: ``##``, four digits, segment, four digits, CR LF (HJ 212-2017 6.3.1)."""
    return b"##" + b"%04d" % len(segment) + segment + b"%04X" % annex_a_crc(segment) + b"\r\n"


def data_answer(qn: bytes, pw: bytes, mn: bytes) -> bytes:
    """Write the 9014 of an upload (HJ 212-2017 Annex C: ST=91, Flag=4, the upload's QN, empty CP)."""
    return frame(b"QN=" + qn + b";ST=91;CN=9014;PW=" + pw + b";MN=" + mn + b";Flag=4;CP=&&&&")


def notice_answer(qn: bytes, pw: bytes, mn: bytes) -> bytes:
    """Write the 9013 of a notice (ST=91, Flag=4, the notice's QN, empty CP)."""
    return frame(b"QN=" + qn + b";ST=91;CN=9013;PW=" + pw + b";MN=" + mn + b";Flag=4;CP=&&&&")


def request(qn: bytes, st: bytes, cn: bytes, pw: bytes, mn: bytes, area: bytes = b"") -> bytes:
    """Write a request that wants its answer (Flag=5); ``area`` is what stands between the ``&&``."""
    header = b"QN=" + qn + b";ST=" + st + b";CN=" + cn + b";PW=" + pw + b";MN=" + mn
    return frame(header + b";Flag=5;CP=&&" + area + b"&&")
