"""Head, length, CRC, tail: REQ-A-07 a to d, on every frame of the device (HJ 212-2017 6.3.1, Annex A).

The check value is computed here bit by bit from Annex A, not by the library under the suite.
"""

from __future__ import annotations

from hj212.crc import modbus_crc16, swap_bytes

from ..case import Findings, case
from ..evidence import Evidence, Heard
from ..literal import annex_a_crc
from ..verdicts import Outcome, Said, say


def _frames(e: Evidence) -> list[Heard]:
    """Every frame that can only be the device's: its own, and those too damaged to name a sender.

    The latter where nobody else was heard on the link: what a neighbour breaks is not held against the device.
    """
    shared = {h.link for h in e.heard if h.understood and h.message.mn != e.mn}
    return [
        h for h in e.heard if not h.truncated and (h.message.mn == e.mn or (not h.understood and h.link not in shared))
    ]


@case("access/framing/tail", killed_by=("lf-only-tail", "missing-tail"), limits=("frame_stall_s",))
def ends_in_cr_lf(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _frames(e):
        findings.looked()
        if heard.frame.tail != b"\r\n":
            raw = heard.frame.raw
            shown = heard.frame.tail.hex(" ").upper() or say("nothing")
            findings.fail(say("tail: {tail}", tail=shown), heard.span(len(raw) - 1, len(raw)))
    return findings.outcome(say("CR LF (0D 0A) at the end"), say("{count} frames", count=findings.looked_at))


@case(
    "access/framing/length",
    killed_by=("length-plus-6", "length-whole-frame", "length-in-characters"),
)
def length_counts_bytes(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _frames(e):
        findings.looked()
        frame = heard.frame
        if frame.declared is None:
            findings.fail(say("length field is not four digits"), heard.span(2, 6))
        elif frame.declared != len(frame.segment):
            findings.fail(
                say(
                    "length {declared}, the segment has {actual} bytes",
                    declared=frame.declared,
                    actual=len(frame.segment),
                ),
                heard.span(2, 6),
                _length_mistake(frame.declared, frame.segment),
            )
    return findings.outcome(
        say("four digits: the number of bytes of the data segment"), say("{count} frames", count=findings.looked_at)
    )


def _length_mistake(declared: int, segment: bytes) -> Said | None:
    """Return which convention the sender seems to follow."""
    off = declared - len(segment)
    if declared == len(segment.decode("utf-8", "replace")):
        return say("counted in characters; a Chinese character has 3 bytes")
    known = {6: say("head and length field counted in"), 4: say("CRC counted in"), 12: say("the whole frame counted")}
    return known.get(off)


@case(
    "access/framing/crc",
    killed_by=("modbus-crc", "modbus-crc-swapped", "swapped-crc", "unpadded-crc"),
)
def crc_is_annex_a(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _frames(e):
        findings.looked()
        segment, text = heard.frame.segment, heard.frame.crc_text
        right = annex_a_crc(segment)
        if text.upper() != b"%04X" % right:
            raw = heard.frame.raw
            end = len(raw) - len(heard.frame.tail)
            findings.fail(
                say("CRC {found}, computed {right}", found=text.decode("latin-1") or "-", right=f"{right:04X}"),
                heard.span(end - len(text), end),
                _crc_mistake(text, segment, right),
            )
    return findings.outcome(
        say("four hexadecimal digits of the Annex A CRC over the data segment"),
        say("{count} frames", count=findings.looked_at),
    )


def _crc_mistake(text: bytes, segment: bytes, right: int) -> Said | None:
    """Return which other algorithm or writing gives what was sent."""
    if text.upper() == b"%X" % right:
        return say("right value, leading zeros missing")
    modbus = modbus_crc16(segment)
    known = {
        modbus: say("this is CRC-16/MODBUS, high byte first: Annex A shifts before it mixes the byte in"),
        swap_bytes(modbus): say("this is CRC-16/MODBUS, low byte first: Annex A shifts before it mixes the byte in"),
        swap_bytes(right): say("right value, bytes swapped: the high byte comes first"),
    }
    try:
        return known.get(int(text, 16))
    except ValueError:
        return None


@case("access/framing/crc-upper-case", needs=("access/framing/crc",), killed_by=("lower-case-crc",))
def crc_is_upper_case(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _frames(e):
        findings.looked()
        text = heard.frame.crc_text
        if text != text.upper():
            end = len(heard.frame.raw) - len(heard.frame.tail)
            findings.warn(
                say("CRC {found}", found=text.decode("latin-1")),
                heard.span(end - len(text), end),
                say("some platforms compare the text and refuse lower case"),
            )
    return findings.outcome(say("CRC in upper case"), say("{count} frames", count=findings.looked_at))


@case(
    "access/framing/segment-limits",
    killed_by=("oversized-segment",),
    limits=("max_segment_bytes", "max_parameters_bytes"),
)
def segment_within_limits(e: Evidence) -> Outcome:
    findings = Findings()
    segment_limit, parameters_limit = e.limits.max_segment_bytes, e.limits.max_parameters_bytes
    for heard in _frames(e):
        findings.looked()
        segment = heard.frame.segment
        parameters = len(segment) - segment.find(b"CP=") if b"CP=" in segment else 0
        if len(segment) > segment_limit:
            findings.fail(say("segment of {size} bytes", size=len(segment)), heard.refs, say("split it (PNUM, PNO)"))
        elif parameters > parameters_limit:
            findings.fail(say("CP of {size} bytes", size=parameters), heard.refs, say("split it (PNUM, PNO)"))
    return findings.outcome(
        say("segment up to {segment} bytes, CP up to {cp}", segment=segment_limit, cp=parameters_limit),
        say("{count} frames", count=findings.looked_at),
    )
