"""One HJ 212 link as a state machine without I/O, for both roles (HJ 212-2017 Annex C).

Whoever began an exchange waits; the tables below say for what. Everything else is reported and left to the caller::

    request   AWAITING_ANSWER --9011 ready--> AWAITING_RESULT --9012--> over
                              --9011 other--> over
    upload    AWAITING_ANSWER --9014--> over          (only where Flag asks for an answer)
    notice    AWAITING_ANSWER --9013--> over

No answer within OverTime: sent again, ReCount times; then over. No result after an answer: over at once.
Replies are told by their command, never by ST or Flag: some platforms write the upload's ST into a 9014, and
answering everything that has bit A set would make two such peers answer each other for ever.

The caller's contract::

    connection.receive_data(data, now)      bytes in; receive_eof(now) at the end
    for event in connection.events(): ...   facts, in order
    transport.write(connection.data_to_send())
    when = connection.next_timeout()        on the clock of ``now``; None: nothing is awaited
    connection.handle_timeout(now)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Final

from .codes import CommandKind, ExeRtn, QnRtn, Reply
from .editions import Edition, Rules, rules_of
from .encryption import Key, encrypt_frame, must_encrypt, open_frame
from .errors import LimitError, LocalProtocolError
from .events import (
    AnswerUnexpected,
    Event,
    ExecutionTimedOut,
    FrameRejected,
    MessageReceived,
    NoiseReceived,
    NoticeAnswered,
    RequestAccepted,
    RequestCompleted,
    RequestRefused,
    SendTimedOut,
    UploadAcknowledged,
)
from .framing import Frame, Framer, Noise
from .messages import Message, acknowledgement, notice_answer, request_answer, request_result
from .segment import header_values
from .tables.commands import command_row

__all__ = ["MAX_OUTSTANDING", "MAX_UNSENT_BYTES", "STALL_S", "Connection", "Role"]

#: Exchanges that may wait at once: a station that queues more than this has lost its platform.
MAX_OUTSTANDING: Final = 64
#: Bytes the caller may leave unsent before something is wrong with the caller.
MAX_UNSENT_BYTES: Final = 1 << 20
#: A frame begun and not continued for this long is given up, so that the frames after it are read.
STALL_S: Final = 20.0
#: How many received messages are remembered to recognise a resend: those of one interaction with some to spare.
REMEMBERED: Final = 16


class Role(Enum):
    """Which side of the link this is."""

    STATION = "station"  #: 现场机
    PLATFORM = "platform"  #: 上位机


class _State(Enum):
    AWAITING_ANSWER = auto()
    AWAITING_RESULT = auto()


# (what we sent, the answer's command) -> states in which that answer is expected.
# A result without an answer before it is taken: some stations skip 9011.
_EXPECTED: dict[tuple[CommandKind, int], tuple[_State, ...]] = {
    (CommandKind.REQUEST, Reply.REQUEST_ANSWER): (_State.AWAITING_ANSWER,),
    (CommandKind.REQUEST, Reply.EXECUTION_RESULT): (_State.AWAITING_ANSWER, _State.AWAITING_RESULT),
    (CommandKind.NOTICE, Reply.NOTICE_ANSWER): (_State.AWAITING_ANSWER,),
    (CommandKind.UPLOAD, Reply.DATA_ANSWER): (_State.AWAITING_ANSWER,),
}

_REPLIES = {str(int(reply)): int(reply) for reply in Reply}
_DATA_ANSWER = int(Reply.DATA_ANSWER)


class _Exchange:
    """Something of ours that waits for its answer."""

    __slots__ = ("deadline", "frame", "key", "kind", "message", "sent", "state")

    def __init__(
        self, kind: CommandKind, message: Message, frame: bytes, deadline: float, key: tuple[str, str]
    ) -> None:
        self.kind = kind
        self.message = message
        self.key = key  #: MN and QN
        self.frame = frame
        self.deadline = deadline
        self.sent = 1
        self.state = _State.AWAITING_ANSWER


class Connection:
    """One link.

    Args:
        role: Our side of it.
        rules: The edition we write; what we read may be any.
        automatic: Whether to answer uploads and notices at once as the flows ask. A tester turns this off.
        keys: Returns the SM4 keys of an MN, the one to write with first. With it, data areas are read whether
            encrypted or not, and written encrypted where the edition wants that; without it neither.
        editions: The editions to answer in, by what the Flag of a message declares; without it every answer is
            written in ``rules``.

    Attributes:
        overtime_s: OverTime, how long to wait for an answer.
        recount: ReCount, how often to send again.
    """

    __slots__ = (
        "_answered_in",
        "_editions",
        "_events",
        "_framer",
        "_keys",
        "_last_byte",
        "_out",
        "_outstanding",
        "_recent",
        "_unsent",
        "automatic",
        "overtime_s",
        "recount",
        "role",
        "rules",
    )

    def __init__(
        self,
        role: Role,
        rules: Rules,
        *,
        automatic: bool = True,
        keys: Callable[[str], Sequence[Key]] | None = None,
        editions: Mapping[Edition, Rules] | None = None,
    ) -> None:
        self.role = role
        self.rules = rules
        self.automatic = automatic
        self.overtime_s = rules.response_timeout_s
        self.recount = rules.resend_count
        self._framer = Framer()
        self._keys = keys
        self._editions = editions
        # Of tens of thousands of links hardly any has something to tell at a time: an empty list is made when needed.
        self._events: list[Event] | None = None
        self._out: list[bytes] | None = None
        self._unsent = 0
        self._outstanding: dict[tuple[str, str], _Exchange] | None = None
        self._recent: list[bytes] | None = None
        self._answered_in: dict[int | None, Rules] | None = None
        self._last_byte = 0.0

    # What comes in

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the peer."""
        self._last_byte = now
        for found in self._framer.feed(data):
            self._receive(found, now)

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more: what is left of a frame is reported as damaged."""
        for found in self._framer.finish():
            self._receive(found, now)

    def _receive(self, found: Frame | Noise, now: float) -> None:
        if isinstance(found, Noise):
            self._tell(NoiseReceived(found.raw))
            return
        segment = self._opened(found) if self._keys else found.segment if found.usable else None
        if segment is None:
            self._tell(FrameRejected(found))
            return
        message = Message.from_bytes(segment)
        reply = _REPLIES.get(message.cn)
        if reply is None:
            self._receive_message(message, segment, found, now)
        else:
            self._receive_reply(message, reply, now)

    def _opened(self, frame: Frame) -> bytes | None:
        """Return the plaintext segment of a frame, ``None`` where its check value is right in no reading."""
        assert self._keys is not None
        opened = open_frame(frame, self._keys(header_values(frame.segment).get("MN", "")))
        return opened.segment if opened else None

    def _receive_message(self, message: Message, segment: bytes, frame: Frame, now: float) -> None:
        row = command_row(message.cn, upward=self.role is Role.PLATFORM)
        kind = row.kind if row else None
        repeated = self._seen_before(segment)
        asked = self._exchange(message)
        if asked and asked.state is _State.AWAITING_RESULT:
            asked.deadline = now + self.overtime_s  # data on the way: the execution timeout starts over
        self._tell(MessageReceived(message, frame, kind, repeated, segment != frame.segment))
        if self.automatic:
            # The answer repeats the peer's fields. Where these leave no legal answer, none is given: the link survives.
            with suppress(LocalProtocolError):
                self._acknowledge(message, kind)

    def acknowledge(self, message: Message) -> None:
        """Answer a message we received as the flows ask, for a platform that stores first (``automatic=False``).

        That is 9013 to a notice, 9014 to an upload that wants one, and nothing to anything else.

        Raises:
            LocalProtocolError: If the fields of the message leave no legal answer.
        """
        row = command_row(message.cn, upward=self.role is Role.PLATFORM)
        self._acknowledge(message, row.kind if row else None)

    def _acknowledge(self, message: Message, kind: CommandKind | None) -> None:
        if kind is CommandKind.NOTICE:
            self._answer(notice_answer, message)
        elif self.role is Role.PLATFORM and kind is not CommandKind.REQUEST and message.wants_answer:
            self._answer(acknowledgement, message)

    def _answer(self, compose_answer: Callable[[Message, Rules], Message], message: Message) -> None:
        rules = self.rules if self._editions is None else self._rules_of(message.flag)
        self._write(compose_answer(message, rules).encode(rules))

    def _rules_of(self, flag: int | None) -> Rules:
        """Return the rules to answer in; looked up once for each Flag, of which there are 256."""
        assert self._editions is not None
        if self._answered_in is None:
            self._answered_in = {}
        rules = self._answered_in.get(flag)
        if rules is None:
            rules = self._answered_in[flag] = rules_of(flag, self.rules, known=self._editions)
        return rules

    def _seen_before(self, segment: bytes) -> bool:
        recent = self._recent
        if recent is None:
            recent = self._recent = []
        if segment in recent:
            return True
        recent.append(segment)
        if len(recent) > REMEMBERED:
            del recent[0]
        return False

    def _receive_reply(self, message: Message, reply: int, now: float) -> None:
        exchange = self._exchange(message)
        if (
            exchange is None
            or exchange.state not in _EXPECTED.get((exchange.kind, reply), ())
            or (reply == _DATA_ANSWER and not message.qn and _names_another(message, exchange.message))
        ):
            self._tell(AnswerUnexpected(message))
            return
        sent = exchange.message
        if reply == _DATA_ANSWER:
            self._tell(UploadAcknowledged(sent))
        elif reply == Reply.REQUEST_ANSWER:
            code = _code(message, "QnRtn")
            if code == QnRtn.READY:
                exchange.state = _State.AWAITING_RESULT
                exchange.deadline = now + self.overtime_s
                self._tell(RequestAccepted(sent))
                return
            self._tell(RequestRefused(sent, code))
        elif reply == Reply.EXECUTION_RESULT:
            self._tell(RequestCompleted(sent, _code(message, "ExeRtn")))
        else:
            self._tell(NoticeAnswered(sent))
        self._forget(exchange)

    # What goes out

    def send(self, message: Message, now: float, *, frame: bytes | None = None) -> None:
        """Send a message; where the flows give it an answer, wait for it and resend.

        Args:
            message: What to send.
            now: Seconds on the caller's clock.
            frame: The exact bytes instead of the message's own encoding, for a peer that misbehaves on purpose.

        Raises:
            LimitError: If :data:`MAX_OUTSTANDING` exchanges wait already.
            LocalProtocolError: If the message breaks the edition's limits.
        """
        data = self._encode(message) if frame is None else frame
        row = command_row(message.cn, upward=self.role is Role.STATION)
        kind = row.kind if row else CommandKind.UPLOAD if self.role is Role.STATION else None
        if kind in (CommandKind.REQUEST, CommandKind.NOTICE) or (kind is CommandKind.UPLOAD and message.wants_answer):
            if self._outstanding is None:
                self._outstanding = {}
            elif len(self._outstanding) >= MAX_OUTSTANDING:
                raise LimitError(f"{MAX_OUTSTANDING} messages wait for their answer already (MAX_OUTSTANDING)")
            assert kind is not None
            key = message.mn, message.qn
            self._outstanding[key] = _Exchange(kind, message, data, now + self.overtime_s, key)
        self._write(data)

    def _encode(self, message: Message) -> bytes:
        plain = message.encode(self.rules)  # checks the limits
        if self._keys is None or not must_encrypt(self.rules, message.cn, self.role is Role.STATION):
            return plain
        keys = self._keys(message.mn)
        assert self.rules.encryption is not None  # must_encrypt
        return encrypt_frame(bytes(message), keys[0], self.rules.encryption.form) if keys else plain

    def send_bytes(self, frame: bytes) -> None:
        """Send the bytes of a whole frame and await nothing: an answer composed elsewhere, or a deliberate mistake."""
        self._write(frame)

    def prolong(self, request: Message, now: float) -> None:
        """Let the wait for a request of ours start over: records that answer it are on the way, with other QNs."""
        exchange = self._exchange(request)
        if exchange:
            exchange.deadline = now + self.overtime_s

    def answer(self, request: Message, code: QnRtn = QnRtn.READY) -> None:
        """Send the 9011 of a request we received."""
        self._answer(partial(request_answer, code=code), request)

    def complete(self, request: Message, code: ExeRtn = ExeRtn.SUCCESS) -> None:
        """Send the 9012 of a request we received."""
        self._answer(partial(request_result, code=code), request)

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write."""
        out = self._out
        if out is None:
            return b""
        self._out = None
        self._unsent = 0
        return out[0] if len(out) == 1 else b"".join(out)

    def frames_to_send(self) -> list[bytes]:
        """Like :meth:`data_to_send`, a frame each: for whoever writes them apart or counts them."""
        frames = self._out or []
        self._out = None
        self._unsent = 0
        return frames

    def _write(self, frame: bytes) -> None:
        if self._out is None:
            self._out = [frame]
        else:
            self._out.append(frame)
        self._unsent += len(frame)
        if self._unsent > MAX_UNSENT_BYTES:
            raise LimitError(f"more than {MAX_UNSENT_BYTES} bytes wait to be written (MAX_UNSENT_BYTES)")

    # Facts and time

    def _tell(self, event: Event) -> None:
        if self._events is None:
            self._events = [event]
        else:
            self._events.append(event)

    def events(self) -> list[Event]:
        """Return, once, what happened since the last call."""
        events = self._events
        if events is None:
            return []
        self._events = None
        return events

    @property
    def outstanding(self) -> int:
        """How many exchanges wait for their answer."""
        return len(self._outstanding) if self._outstanding else 0

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`, ``None`` when nothing is awaited."""
        when: float | None = None
        if self._outstanding:
            for exchange in self._outstanding.values():
                if when is None or exchange.deadline < when:
                    when = exchange.deadline
        if self._framer.pending:
            stalled = self._last_byte + STALL_S
            when = stalled if when is None else min(when, stalled)
        return when

    def handle_timeout(self, now: float) -> None:
        """Do what is due: resend, give up, or let go of a frame that was never finished."""
        if self._framer.pending and now >= self._last_byte + STALL_S:
            self.receive_eof(now)
        for exchange in list(self._outstanding.values()) if self._outstanding else ():
            if now < exchange.deadline:
                continue
            if exchange.state is _State.AWAITING_RESULT:
                self._tell(ExecutionTimedOut(exchange.message))
                self._forget(exchange)
            elif exchange.sent > self.recount:
                self._tell(SendTimedOut(exchange.message, exchange.sent))
                self._forget(exchange)
            else:
                exchange.sent += 1
                exchange.deadline = now + self.overtime_s
                self._write(exchange.frame)

    def _exchange(self, message: Message) -> _Exchange | None:
        """Return what a message of the peer belongs to, by QN and MN; a 9014 of the 2005 edition may have no MN."""
        if not self._outstanding:
            return None
        qn, mn = message.answers_qn, message.mn
        if mn or not qn:
            return self._outstanding.get((mn, qn))
        return next((exchange for (_, known), exchange in self._outstanding.items() if known == qn), None)

    def _forget(self, exchange: _Exchange) -> None:
        assert self._outstanding is not None
        del self._outstanding[exchange.key]
        if not self._outstanding:
            self._outstanding = None


def _names_another(answer: Message, sent: Message) -> bool:
    """Say whether a 9014 of the 2005 edition, whose packets share a QN, names another command or packet."""
    named = ((name, answer.parameter(name)) for name in ("CN", "PNO"))
    return any(value is not None and value != (sent.segment.field(name) or value) for name, value in named)


def _code(message: Message, key: str) -> int | None:
    text = message.parameter(key)
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 4 else None
