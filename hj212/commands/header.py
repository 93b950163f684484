"""The header of a typed command: the fields before CP, named and typed (HJ 212-2017 6.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..codes import CommandKind, FlagBits, Reply
from ..editions import Rules
from ..errors import LocalProtocolError
from ..messages import Message
from ..segment import hide_passwords
from .parameters import Printed

__all__ = ["Header", "Pairs", "required_fields"]

#: ``(name, value)`` pairs as sent, ``(text,)`` where the ``=`` is missing.
Pairs = tuple[tuple[str, ...], ...]

_PLAIN: Final = FlagBits(0)
_TEXTS: Final = ("QN", "ST", "PW", "MN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields before CP, but for CN, which the class of the command has.

    An empty text is left out when written, but for the MN of commands whose MN may be empty (``Rules.mn_empty_for``).

    Attributes:
        qn: 请求编码. Also where it travels in the data area, as in the answers of the 2005 edition.
        st: 系统编码.
        pw: 访问密码, in clear; ``repr`` does not show it.
        mn: 设备唯一标识.
        flag: Bits A and D of Flag; the version number comes from the edition. ``None`` leaves Flag out.
        packet: ``(PNO, PNUM)`` of a split message.
        back_fill: Whether ``RF=1`` says that it comes from the back-fill store.
        rest: Fields that are none of these, as sent.
    """

    qn: str = ""
    st: str = ""
    pw: str = ""
    mn: str = ""
    flag: FlagBits | None = _PLAIN
    packet: tuple[int, int] | None = None
    back_fill: bool = False
    rest: Pairs = ()

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in ("qn", "st", "mn") if getattr(self, name)]
        shown += ["pw='***'"] if self.pw else []
        shown += [f"flag={None if self.flag is None else int(self.flag)}"]
        shown += [f"packet={self.packet!r}"] if self.packet else []
        shown += ["back_fill=True"] if self.back_fill else []
        shown += [hide_passwords(f"rest={';'.join(map('='.join, self.rest))!r}")] if self.rest else []
        return f"Header({', '.join(shown)})"

    @property
    def wants_answer(self) -> bool:
        """Whether bit A of Flag is set."""
        return bool(self.flag and self.flag & FlagBits.ANSWER)

    @classmethod
    def read(cls, message: Message) -> Header:
        """Read the header of any message; what has no meaning stays in :attr:`rest`."""
        left = [tuple(pair) for pair in message.segment.header]
        found = {name: _take(left, name) for name in ("CN", *_TEXTS, "Flag", "PNUM", "PNO", "RF")}
        flag, back_fill = message.flag, message.back_filled
        packet = _packet(found["PNO"], found["PNUM"])
        for name, meaningless in (
            ("Flag", flag is None),
            ("PNUM", packet is None),
            ("PNO", packet is None),
            ("RF", not back_fill),
        ):
            if meaningless and found[name] is not None:
                left.append((name, found[name] or ""))
        return cls(
            qn=found["QN"] or "",
            st=found["ST"] or "",
            pw=found["PW"] or "",
            mn=found["MN"] or "",
            flag=None if flag is None else FlagBits(flag & 3),
            packet=packet,
            back_fill=back_fill,
            rest=tuple(left),
        )

    def pairs(self, rules: Rules, cn: str, kind: CommandKind | None, qn_in_area: bool = False) -> list[list[str]]:
        """Return the fields in the edition's order.

        Args:
            rules: The edition to write.
            cn: The command.
            kind: What it is, ``None`` where that is not known.
            qn_in_area: Whether QN travels in the data area instead.

        Raises:
            LocalProtocolError: If the edition wants a field that is missing, or forbids one that is there.
        """
        self._check(rules)
        values = {"QN": "" if qn_in_area else self.qn, "ST": self.st, "CN": cn, "PW": self.pw, "MN": self.mn}
        values = {name: value for name, value in values.items() if value}
        if cn in rules.mn_empty_for:
            values.setdefault("MN", "")
        if self.flag is not None:
            numbered = FlagBits.NUMBERED if self.packet else _PLAIN
            values["Flag"] = str(rules.flag_version << 2 | int(self.flag | numbered))
        if self.packet:
            values["PNO"], values["PNUM"] = map(str, self.packet)
        if self.back_fill and rules.back_fill_field:
            values["RF"] = "1"
        required = required_fields(rules, cn, kind) - ({"QN"} if qn_in_area else set())
        for name in rules.header_fields:
            if name in required and name not in values:
                raise _forbidden(f"{name} is missing", name, rules)
        return [[name, values[name]] for name in rules.header_fields if name in values] + [list(p) for p in self.rest]

    def _check(self, rules: Rules) -> None:
        for name, value in zip(_TEXTS, (self.qn, self.st, self.pw, self.mn), strict=True):
            if any(sign in value for sign in ";,&=\r\n") or value != value.strip():
                raise _forbidden(f"{name}: a separator or blank inside", name, rules)
        if len(self.pw) > rules.max_password_chars:
            raise _forbidden(
                f"PW: expected at most {rules.max_password_chars} characters, found {len(self.pw)}", "PW", rules
            )
        if self.packet and not 1 <= self.packet[0] <= self.packet[1] <= rules.max_packets:
            expected = f"expected PNO 1 to PNUM and PNUM at most {rules.max_packets}"
            raise _forbidden(f"packet: {expected}, found {self.packet!r}", "PNO", rules)
        numbered = self.flag is not None and self.flag & FlagBits.NUMBERED
        if numbered and not self.packet and rules.numbered_needs_packet_numbers:
            raise _forbidden("PNUM is missing, though bit D of Flag is set", "PNUM", rules)


def required_fields(rules: Rules, cn: str, kind: CommandKind | None) -> frozenset[str]:
    """Return the header fields that a command must carry."""
    required = frozenset(rules.required_fields)
    if kind is CommandKind.UPLOAD:
        required -= rules.omitted_in_uploads
    if cn == str(int(Reply.DATA_ANSWER)):
        required -= rules.omitted_in_acknowledgements
    return required


def _take(left: list[tuple[str, ...]], name: str) -> str | None:
    """Take the field out that :meth:`hj212.segment.Segment.field` finds, and return its value."""
    for blanks in (False, True):
        for at, pair in enumerate(left):
            if len(pair) == 2 and (pair[0].strip() if blanks else pair[0]) == name:
                del left[at]
                return pair[1].strip()
    return None


def _packet(pno: str | None, pnum: str | None) -> tuple[int, int] | None:
    number, count = Printed.read(pno or ""), Printed.read(pnum or "")
    return None if number is None or count is None else (number, count)


def _forbidden(text: str, field: str, rules: Rules) -> LocalProtocolError:
    return LocalProtocolError(text, field=field, clause=rules.clauses["segment"])
