"""How devices of the field depart from the standard, as options that a device of ours can be given.

Each name has its row in ``tables/quirks.csv`` with the words in both languages. Those that concern media only tell the
sender of media what to do; it asks :attr:`gb28181.device.calls.Call.rtp_ssrc`. The last two are the network's and are
done where the sockets are, in :mod:`gb28181.aio`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..tables import read_table

__all__ = ["QuirkRow", "Quirks", "quirk_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What a device does otherwise; nothing by default."""

    gb2312_as_utf8: bool = False
    sumnum_wrong: bool = False
    sumnum_missing: bool = False
    items_per_message: int = 0  #: 0: as many as fit
    parallel_parts: bool = False
    y_missing: bool = False
    y_stripped_zero: bool = False
    ssrc_zero: bool = False
    ssrc_other: bool = False
    contact_private: bool = False
    no_keepalive_info: bool = False
    bye_then_481: bool = False
    setup_ignored: bool = False
    mediastatus_out_of_dialog: bool = False
    answer_200_no_response: bool = False
    iframecmd_old_spelling: bool = False
    expires_ignored: bool = False
    duplicate_200: bool = False
    nat_port_drift: int = 0  #: 0: never
    tcp_partial_write: bool = False

    @classmethod
    def named(cls, names: Iterable[str]) -> Quirks:
        """Return the quirks of a list: ``["sumnum_wrong", "items_per_message=2"]``.

        Raises:
            LocalProtocolError: If there is no such quirk, or its value is none.
        """
        values: dict[str, bool | int] = {}
        kinds = {each.name: each.type for each in dataclasses.fields(cls)}
        for name in names:
            key, equals, text = name.partition("=")
            if key not in kinds:
                raise LocalProtocolError(f"quirk: expected one of {', '.join(kinds)}, found {key!r}", field="quirk")
            if kinds[key] == "int":
                if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
                    raise LocalProtocolError(f"{key}: expected {key}=NUMBER, found {name!r}", field="quirk")
                values[key] = int(text)
            elif equals:
                raise LocalProtocolError(f"{key} has no value, found {name!r}", field="quirk")
            else:
                values[key] = True
        return cls(**values)  # type: ignore[arg-type]  # the kinds were looked at


@dataclass(frozen=True, slots=True)
class QuirkRow:
    """What a quirk is called.

    Attributes:
        name: Field of :class:`Quirks`.
        zh: What it does, in Chinese.
        en: In English.
    """

    name: str
    zh: str
    en: str


def quirk_rows() -> tuple[QuirkRow, ...]:
    """Return the row of every quirk, in order."""
    return tuple(QuirkRow(row["name"], row["zh"], row["en"]) for row in read_table("quirks.csv"))
