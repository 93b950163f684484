"""Typed view of a data segment, and the builders of what either side says (HJ 212-2017 6.3.2, Annex C)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .codes import ExeRtn, FlagBits, QnRtn, Reply
from .editions import Edition, Rules, declared_edition
from .errors import LocalProtocolError, MessageError
from .framing import build_frame
from .segment import Pair, Segment, format_segment, header_values, hide_passwords, parse_segment

__all__ = ["Message", "acknowledgement", "compose", "notice_answer", "request_answer", "request_result"]

Items = Sequence[Sequence[Sequence[str]]]

# Members of an IntFlag are slow to calculate with, and this is done for every message.
_ANSWER, _NUMBERED = int(FlagBits.ANSWER), int(FlagBits.NUMBERED)

_FLAGS = {str(flag): flag for flag in range(256)}

_REQUEST_ANSWER, _EXECUTION_RESULT, _NOTICE_ANSWER, _DATA_ANSWER = (str(int(reply)) for reply in Reply)


class Message:
    """One message: a :class:`Segment` whose header fields have names and types.

    The segment stays the truth; reading a property never changes it.
    """

    __slots__ = ("_data", "_fields", "_segment")

    def __init__(self, segment: Segment) -> None:
        self._data = b""  # the bytes, as long as nobody could change the segment
        self._fields: dict[str, str] | None = None  # what they say in the header, once it was asked for
        self._segment: Segment | None = segment

    @classmethod
    def from_bytes(cls, segment: bytes) -> Message:
        """View the bytes of a data segment (without header, length, check value and tail).

        They are taken apart when something is asked for, the data area last: routing and answering need the header.
        """
        message = cls.__new__(cls)
        message._data = segment
        message._fields = None
        message._segment = None
        return message

    @property
    def segment(self) -> Segment:
        """The segment itself; what is changed there is changed in the message."""
        segment = self._segment
        if segment is None:
            segment = self._segment = parse_segment(self._data)
            self._data = b""
            self._fields = None
        return segment

    def __bytes__(self) -> bytes:
        return self._data if self._segment is None else format_segment(self._segment)

    def _field(self, name: str) -> str | None:
        fields = self._fields
        if fields is None:
            if self._segment is not None:
                return self._segment.field(name)
            fields = self._fields = header_values(self._data)
        return fields.get(name)

    def __repr__(self) -> str:
        fields = f"CN={self.cn};MN={self.mn};QN={self.qn};Flag={self._field('Flag')}"
        return f"<Message {hide_passwords(fields)}>"

    @property
    def qn(self) -> str:
        """请求编码, request id: 17 digits; empty when absent."""
        return self._field("QN") or ""

    @property
    def st(self) -> str:
        """系统编码, system code; empty when absent."""
        return self._field("ST") or ""

    @property
    def cn(self) -> str:
        """命令编码, command code; empty when absent."""
        return self._field("CN") or ""

    @property
    def pw(self) -> str:
        """访问密码, password, in clear: never show it."""
        return self._field("PW") or ""

    @property
    def mn(self) -> str:
        """设备唯一标识, identity of the station; empty when absent."""
        return self._field("MN") or ""

    @property
    def flag(self) -> int | None:
        """拆分包及应答标志, ``None`` when absent or no number of 0-255."""
        text = self._field("Flag") or ""
        flag = _FLAGS.get(text)
        return _small_number(text, 255) if flag is None else flag

    @property
    def pnum(self) -> int | None:
        """总包数, number of packets of this communication, ``None`` when absent or no number."""
        return _small_number(self._field("PNUM"), 9999)

    @property
    def pno(self) -> int | None:
        """包号, number of this packet from 1, ``None`` when absent or no number."""
        return _small_number(self._field("PNO"), 9999)

    @property
    def answers_qn(self) -> str:
        """QN of what this message answers: its own QN, or, as the 2005 edition has it, the one in the data area."""
        return self.qn or self.parameter("QN") or ""

    @property
    def back_filled(self) -> bool:
        """补传标志, whether ``RF=1`` marks the packet as back-filled (HJ 212-2025 table 3)."""
        return self._field("RF") == "1"

    @property
    def items(self) -> list[list[Pair]]:
        """指令参数, the data area as sent."""
        return self.segment.items

    @property
    def wants_answer(self) -> bool:
        """Whether bit A of Flag is set."""
        return bool((self.flag or 0) & _ANSWER)

    @property
    def edition(self) -> Edition | None:
        """The edition that Flag declares."""
        return declared_edition(self.flag)

    def parameters(self) -> Iterator[tuple[str, str]]:
        """Yield every ``key=value`` of the data area in wire order, blanks trimmed, ``;`` and ``,`` alike."""
        for item in self.segment.items:
            for pair in item:
                if len(pair) == 2:
                    yield pair[0].strip(), pair[1].strip()

    def parameter(self, key: str) -> str | None:
        """Return the first value of ``key`` in the data area, ``None`` when absent."""
        return next((value for name, value in self.parameters() if name == key), None)

    def number(self, key: str) -> int:
        """Return a parameter that must be a whole number.

        Raises:
            MessageError: If it is absent or no whole number.
        """
        text = self.parameter(key)
        if text is None or not text.isascii() or not text.isdigit():
            raise MessageError(f"{key}: expected a whole number, found {text!r}", field=key)
        return int(text)

    def encode(self, rules: Rules) -> bytes:
        """Return the whole frame, checked against the edition's limits.

        Raises:
            LocalProtocolError: If the segment or its CP is longer than the edition allows.
        """
        data = bytes(self)
        size = len(data)
        if size > rules.max_segment_bytes:
            raise _too_long("segment", size, rules.max_segment_bytes, rules)
        if size > rules.max_parameters_bytes:  # only then CP can be too long
            parameters = size - data.find(b"CP=&&")
            if parameters > rules.max_parameters_bytes:
                raise _too_long("CP", parameters, rules.max_parameters_bytes, rules)
        return build_frame(data)


def compose(
    rules: Rules,
    *,
    qn: str,
    st: str,
    cn: str,
    pw: str,
    mn: str,
    items: Items = (),
    answer: bool = False,
    packet: tuple[int, int] | None = None,
    back_fill: bool = False,
) -> Message:
    """Compose a message in the edition's field order.

    Args:
        items: The data area: items (``;``) of pairs (``,``), each ``(key, value)``.
        answer: Whether to ask for an answer (bit A of Flag).
        packet: ``(PNO, PNUM)`` of a split message (bit D of Flag).
        back_fill: Whether it comes from the back-fill store; told where the edition has a field for it.

    An empty ``qn`` leaves the field out, as the 2005 edition does in uploads and answers.
    """
    flag = rules.flag_version << 2 | (_ANSWER if answer else 0) | (_NUMBERED if packet else 0)
    values = {"QN": qn} if qn else {}
    values |= {"ST": st, "CN": cn, "PW": pw, "MN": mn, "Flag": str(flag)}
    if packet:
        values["PNO"], values["PNUM"] = str(packet[0]), str(packet[1])
    if back_fill and rules.back_fill_field:
        values["RF"] = "1"
    return _written(rules, values, items)


def _written(rules: Rules, values: Mapping[str, str], items: Items) -> Message:
    """Return the message with these header fields, in the edition's order."""
    header = ";".join([f"{name}={values[name]}" for name in rules.header_fields if name in values])
    area = ";".join([",".join(["=".join(pair) for pair in item]) for item in items]) if items else ""
    return Message.from_bytes(f"{header};CP=&&{area}&&".encode("utf-8", "surrogateescape"))


def request_answer(request: Message, rules: Rules, code: QnRtn = QnRtn.READY) -> Message:
    """Return the 9011 that answers a request."""
    return _reply(request, rules, _REQUEST_ANSWER, (((("QnRtn"), str(int(code))),),))


def request_result(request: Message, rules: Rules, code: ExeRtn = ExeRtn.SUCCESS) -> Message:
    """Return the 9012 that closes a request."""
    return _reply(request, rules, _EXECUTION_RESULT, (((("ExeRtn"), str(int(code))),),))


def notice_answer(notice: Message, rules: Rules) -> Message:
    """Return the 9013 that answers a notice."""
    return _reply(notice, rules, _NOTICE_ANSWER)


def acknowledgement(upload: Message, rules: Rules) -> Message:
    """Return the 9014 that answers an upload."""
    names: list[Sequence[Sequence[str]]] = []
    if rules.acknowledgement_names_packet:
        names.append((("CN", upload.cn),))
        names += [((name, value),) for name in ("PNO", "PNUM") if (value := upload._field(name)) is not None]
    return _reply(upload, rules, _DATA_ANSWER, names, rules.omitted_in_acknowledgements)


def _reply(to: Message, rules: Rules, cn: str, items: Items = (), omitted: frozenset[str] = frozenset()) -> Message:
    """Compose an answer; it repeats the QN of what it answers, where the edition wants that."""
    values = {"ST": rules.reply_system, "CN": cn, "PW": to.pw, "MN": to.mn, "Flag": str(rules.flag_version << 2)}
    if rules.reply_qn_in_parameters:
        items = [(("QN", to.qn),), *items]
    elif to.qn:
        values["QN"] = to.qn
    for name in omitted:
        values.pop(name, None)
    return _written(rules, values, items)


def _too_long(what: str, size: int, limit: int, rules: Rules) -> LocalProtocolError:
    return LocalProtocolError(
        f"{what} of {size} bytes, at most {limit}: split it into packets", field="CP", clause=rules.clauses["segment"]
    )


def _small_number(text: str | None, limit: int) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 4:
        return None
    value = int(text)
    return value if value <= limit else None
