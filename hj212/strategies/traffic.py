"""What a line brings: streams of frames and noise in arbitrary pieces, and dialogues of several stations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Final

from hypothesis import strategies as st

from ..codes import CommandKind, ExeRtn, QnRtn
from ..editions import Rules
from ..messages import Message, acknowledgement, notice_answer, request_answer, request_result
from ..tables.commands import CommandRow
from .content import frames, written
from .damage import damaged_frames
from .rows import rows_of
from .values import stations, times

__all__ = ["Dialogue", "Stream", "Turn", "dialogues", "noise", "streams"]

_MAX_PIECES: Final = 8
_MAX_CUTS: Final = 12
_MAX_STATIONS: Final = 3
_MAX_EXCHANGES: Final = 3
_MAX_DATA: Final = 2
_STEP: Final = timedelta(milliseconds=7)


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes as a socket hands them over."""

    chunks: tuple[bytes, ...]  #: none empty; the cuts fall anywhere
    frames: tuple[bytes, ...]  #: the whole frames that a reader must find, in order
    pieces: tuple[bytes, ...]  #: what the stream was put together from; damaged frames and noise too

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks)


def noise() -> st.SearchStrategy[bytes]:
    """Bytes of no frame: heartbeat lines of modems, other protocols, garbage. None holds ``#``."""
    lines = [b"\r\n", b"HJ 212-2017[7]\r\n", b"ping\n", b"\x01\x03\x00\x00\x00\x02\xc4\x0b", b"\x00", b"+++AT\r\n"]
    return st.one_of(st.sampled_from(lines), st.binary(min_size=1, max_size=40).map(lambda b: b.replace(b"#", b"?")))


@st.composite
def streams(draw: st.DrawFn, rules: Rules) -> Stream:
    """Streams of whole frames, damaged frames and noise, cut anywhere.

    :attr:`Stream.frames` holds the whole frames except those right behind a damaged one, which a reader may have to
    give up with it: a frame that was cut off goes on, for all the length field says, in its neighbour.
    """
    kinds = draw(st.lists(st.sampled_from(["frame", "damaged", "noise"]), max_size=_MAX_PIECES))
    pieces: list[bytes] = []
    found: list[bytes] = []
    behind_damage = False
    for kind in kinds:
        if kind == "frame":
            raw = draw(frames(rules))
            if not behind_damage:
                found.append(raw)
            behind_damage = False
        elif kind == "damaged":
            raw = draw(damaged_frames(rules, usable=False)).raw
            behind_damage = True
        else:
            raw = draw(noise())
        pieces.append(raw)
    data = b"".join(pieces)
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=_MAX_CUTS, unique=True).map(sorted))
    chunks = (data[start:end] for start, end in pairwise([0, *cuts, len(data)]))
    return Stream(tuple(filter(None, chunks)), tuple(found), tuple(pieces))


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a dialogue."""

    message: Message
    upward: bool  #: whether the station says it
    kind: CommandKind  #: what it is in the flows


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What both sides say, in order; exchanges of one or several stations overlap."""

    turns: tuple[Turn, ...]
    stations: tuple[str, ...]  #: the MN of each


@st.composite
def dialogues(draw: st.DrawFn, rules: Rules) -> Dialogue:
    """Dialogues on one link: requests with answer, data and result or with a refusal, uploads, notices.

    Every exchange has a QN of its own. Its turns stay in order; between them stand those of other exchanges.

    >>> from hj212 import HJ_212_2017
    >>> [turn.message.cn for turn in dialogues(HJ_212_2017).example().turns]  # doctest: +SKIP
    ['1011', '9011', '1011', '9012']
    """
    identities = draw(st.lists(stations(rules), min_size=1, max_size=_MAX_STATIONS, unique=True))
    began = datetime.strptime(draw(times()), "%Y%m%d%H%M%S")
    numbers = count()
    open_exchanges: list[list[Turn]] = []
    for mn in identities:
        for _ in range(draw(st.integers(1, _MAX_EXCHANGES))):
            qn = (began + next(numbers) * _STEP).strftime("%Y%m%d%H%M%S%f")[:17]
            open_exchanges.append(draw(_exchanges(rules, mn, qn)))
    turns: list[Turn] = []
    while open_exchanges:
        at = draw(st.integers(0, len(open_exchanges) - 1))
        turns.append(open_exchanges[at].pop(0))
        if not open_exchanges[at]:
            del open_exchanges[at]
    return Dialogue(tuple(turns), tuple(identities))


@st.composite
def _exchanges(draw: st.DrawFn, rules: Rules, mn: str, qn: str) -> list[Turn]:
    """One message that wants an answer, with all that follows from it."""
    rows = [row for row in rows_of(rules) if row.kind is not CommandKind.INTERACTION]
    row = draw(st.sampled_from([row for row in rows if row.kind in _begins_from(row.upward)]))
    first = draw(written(rules, row, answer=True, qn=qn, mn=mn, split=False))
    turn = Turn(first, row.upward, row.kind)
    if row.kind is CommandKind.NOTICE:
        return [turn, _reply(notice_answer(first, rules), turn)]
    if row.kind is CommandKind.UPLOAD:
        return [turn, _reply(acknowledgement(first, rules), turn)]
    accepted = draw(st.booleans())
    if not accepted:
        code = draw(st.sampled_from([code for code in QnRtn if code is not QnRtn.READY]))
        return [turn, _reply(request_answer(first, rules, code), turn)]
    result = request_result(first, rules, draw(st.sampled_from(ExeRtn)))
    data = [Turn(m, True, CommandKind.UPLOAD) for m in draw(_data(rules, row, rows, mn, qn))]
    return [turn, _reply(request_answer(first, rules), turn), *data, _reply(result, turn)]


@st.composite
def _data(
    draw: st.DrawFn, rules: Rules, asked: CommandRow, rows: Sequence[CommandRow], mn: str, qn: str
) -> list[Message]:
    """The data that a request asked for, under its QN; they want no answer, for the result closes the exchange."""
    same = [row for row in rows if row.cn == asked.cn and row.kind is CommandKind.UPLOAD]
    if not same:
        return []
    one = written(rules, same[0], answer=False, qn=qn, mn=mn, split=False)
    return draw(st.lists(one, max_size=_MAX_DATA))


def _begins_from(upward: bool) -> tuple[CommandKind, ...]:
    """What may begin an exchange from that side; a platform's data would find nobody to acknowledge them."""
    both = (CommandKind.REQUEST, CommandKind.NOTICE)
    return (*both, CommandKind.UPLOAD) if upward else both


def _reply(message: Message, to: Turn) -> Turn:
    return Turn(message, not to.upward, CommandKind.INTERACTION)
