"""What a platform may ask of a station, by the table of commands and the station's edition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ..editions import RULES, Rules
from ..encryption import Key, encrypt_frame, must_encrypt
from ..errors import LocalProtocolError
from ..messages import Message
from ..tables.commands import CommandRow, command_row, editions_of
from ..times import CHINA, parse_time

__all__ = [
    "STOPS",
    "check_command",
    "composed_frame",
    "ends_with_answer",
    "password_field",
    "range_items",
    "row_of",
    "wire_time",
]

#: Request that starts an upload -> notice that stops it.
STOPS: Final = {"2011": "2012", "2021": "2022"}

_RESULT: Final = "9012"


def row_of(cn: str, upward: bool, rules: Rules) -> CommandRow | None:
    """Return the row of a command as an edition has it, else as another edition has it."""
    return command_row(cn, upward, rules.edition)


def check_command(cn: str, rules: Rules, parameters: Iterable[str], *, anyway: bool = False) -> None:
    """See that a station of an edition understands a command of ours.

    Args:
        parameters: Names of the parameters it will carry.
        anyway: Whether to allow a command that is in another edition or in none, and any parameters.

    Raises:
        LocalProtocolError: If it is not in the edition, or a required parameter is missing.
    """
    if anyway:
        return
    editions = editions_of(cn, upward=False)
    if rules.edition not in editions:
        known = ", ".join(RULES[edition].title for edition in editions)
        where = f"{known} has it" if len(editions) == 1 else f"{known} have it" if known else "no edition has it"
        raise LocalProtocolError(f"command {cn} to a station is not in {rules.title}; {where}", field="CN")
    row = row_of(cn, False, rules)
    assert row is not None
    _check_parameters(row, rules, list(parameters))


def _check_parameters(row: CommandRow, rules: Rules, names: Sequence[str]) -> None:
    for required in row.required:
        accepted = required.split("|")
        if not any(_named(name, known) for name in names for known in accepted):
            raise LocalProtocolError(
                f"command {row.cn} of {rules.title} needs the parameter {required}", field=required
            )


def _named(name: str, known: str) -> bool:
    """Say whether a name is the one of the table, in which ``xxx-`` stands for any code."""
    if known.startswith("xxx"):
        return name.endswith(known[known.index("-") :])
    return name == known


def ends_with_answer(cn: str, rules: Rules) -> bool:
    """Say whether a request is over with its 9011, because the edition gives it no 9012."""
    row = row_of(cn, False, rules)
    return row is not None and bool(row.reply) and _RESULT not in row.reply


def password_field(cn: str, rules: Rules) -> str:
    """Return the parameter in which the edition's command sets a password."""
    row = row_of(cn, False, rules)
    assert row is not None
    return row.required[0]


def composed_frame(message: Message, rules: Rules, keys: Sequence[bytes]) -> bytes:
    """Return the frame of a message of ours, encrypted where the edition wants it and a key is known."""
    frame = message.encode(rules)  # checks the limits
    if rules.encryption is None or not keys:
        return frame
    if not must_encrypt(rules, message.cn, False):
        return frame
    return encrypt_frame(bytes(message), Key(keys[0]), rules.encryption.form)


def wire_time(when: datetime | str) -> str:
    """Return 14 digits; a time without zone is China standard time.

    Raises:
        LocalProtocolError: If the text is no time.
    """
    if isinstance(when, datetime):
        return (when.astimezone(CHINA) if when.tzinfo else when).strftime("%Y%m%d%H%M%S")
    try:
        parse_time(when)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None
    return when


def range_items(begin: str, end: str, rules: Rules) -> list[list[tuple[str, str]]]:
    """Return BeginTime and EndTime as the edition separates them."""
    pairs = [("BeginTime", begin), ("EndTime", end)]
    return [pairs] if rules.range_separator == "," else [[pair] for pair in pairs]
