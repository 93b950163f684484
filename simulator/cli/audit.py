"""``simulator audit``: what a platform must have against what it stored."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

import click

from hj212.segment import hide_passwords
from stationgate.exits import EnvironmentFault, ExitCode, UsageFault
from stationgate.language import N_, _, gettext, ngettext
from stationgate.layout import display_width, pad
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..ledger import Audit, Difference, Finding, Kind, LedgerError, open_received, parse_mapping
from ..ledger.audit import LATE_S
from ..ledger.instants import parse_zone
from ..ledger.ruined import Ruin

__all__ = ["add"]

#: Findings of one kind that are printed for people; JSON has them all.
SHOWN_PER_KIND: Final = 20
#: Columns of a value that are shown.
VALUE_COLUMNS: Final = 60

_TITLES: Final = {
    Kind.LOST: N_("lost"),
    Kind.ALTERED: N_("altered"),
    Kind.DUPLICATED: N_("duplicated"),
    Kind.ALIEN: N_("alien"),
    Kind.LATE: N_("late"),
    Kind.REORDERED: N_("reordered"),
    Kind.DAMAGED: N_("stored although damaged"),
    Kind.UNDECIDED: N_("undecided"),
}


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "audit",
        help=_(
            "Compare what a platform stored with the ledgers of a run: name each message that is lost, duplicated, "
            "altered, alien, late or reordered."
        ),
        examples=[
            ("simulator audit city.ledger --received store.db", _("a store of hj212 listen --store")),
            ("simulator audit shard-*.ledger --received export.csv --map mn=MN,qn=QN,cn=CN,content=CP", _("CSV")),
        ],
    )
    @click.argument("ledgers", nargs=-1, required=True, metavar="LEDGER...")
    @click.option(
        "--received",
        multiple=True,
        required=True,
        metavar="FILE",
        help=_("What the platform stored: a store of hj212 listen, CSV or JSON lines. May be repeated."),
    )
    @click.option(
        "--map", "mapping", help=_("Columns of CSV or JSON lines: mn=MN,qn=QN,cn=CN,content=CP,received=TIME.")
    )
    @click.option(
        "--late",
        type=click.FloatRange(min=0),
        default=LATE_S,
        metavar="SECONDS",
        help=_("Stored later than this after it was first sent is late. Default: 300."),
    )
    @click.option("--strict", is_flag=True, help=_("Late, reordered, and stored although damaged fail as well."))
    @click.option(
        "--show",
        type=click.IntRange(min=0),
        default=SHOWN_PER_KIND,
        metavar="N",
        help=_("Print so many of each kind; 0: all. Default: 20."),
    )
    @json_option()
    def audit(
        ledgers: tuple[str, ...],
        received: tuple[str, ...],
        mapping: str | None,
        late: float,
        strict: bool,
        show: int,
        as_json: bool,
    ) -> int:
        columns = parse_mapping(mapping) if mapping else None
        try:
            with Audit(late_s=late) as made:
                for path in ledgers:
                    _add_ledger(made, path)
                zone = _zone(made)
                for path in received:
                    made.add_received(open_received(path, columns, zone))
                made.run()
                code = made.exit_code(strict=strict)
                _Telling(made, zone, as_json, show, late).tell(code)
        except sqlite3.Error as error:
            raise EnvironmentFault(
                _("the audit's temporary file cannot be used: {reason}.").format(reason=error),
                _("It takes about as much space as ledgers and stored messages together; TMPDIR says where."),
            ) from error
        return int(code)


def _add_ledger(made: Audit, path: str) -> None:
    try:
        made.add_ledger(path)
    except LedgerError as error:
        raise UsageFault(
            _("'{file}' is no intact ledger: line {line}: {why}").format(file=path, line=error.line, why=error.why),
            _("Ledgers are what simulator run --ledger wrote; only their last line may be torn."),
        ) from error


def _zone(made: Audit) -> tzinfo:
    try:
        return parse_zone(made.headers[0].zone)
    except ValueError as error:
        raise UsageFault(_("the ledger's time zone: {why}").format(why=error)) from error


class _Telling:
    """Prints one audit, for people or as JSON lines."""

    def __init__(self, made: Audit, zone: tzinfo, as_json: bool, show: int, late_s: float) -> None:
        self.made = made
        self.zone = zone
        self.as_json = as_json
        self.show = show
        self.late_s = late_s

    def tell(self, code: ExitCode) -> None:
        told: Counter[Kind] = Counter()
        for finding in self.made.findings():
            told[finding.kind] += 1
            if self.as_json:
                click.echo(json_line(self._shape(finding)))
            elif not self.show or told[finding.kind] <= self.show:
                click.echo(self._line(finding))
            elif told[finding.kind] == self.show + 1:
                more = self.made.counts.found[finding.kind] - self.show
                text = ngettext("… {n} more; --show 0 prints all", "… {n} more; --show 0 prints all", more)
                click.echo(f"{_column(finding.kind)}  {text.format(n=more)}")
        if told and not self.as_json:
            click.echo()
        for line in (*self._sums(), *self._notes()):
            click.echo(line, err=self.as_json)
        if self.as_json:
            end: dict[str, Any] = {"event": "audit-end", **self.made.counts.as_json()}
            end |= {"complete": self.made.complete, "exit_code": int(code)}
            click.echo(json_line(end))

    # One finding

    def _shape(self, finding: Finding) -> dict[str, Any]:
        message, row = finding.expected, finding.received
        one = message or row
        assert one is not None
        shape: dict[str, Any] = {
            "event": finding.kind.value,
            "mn": one.mn,
            "qn": one.qn,
            "cn": one.cn,
            "pno": one.pno,
            "data_time": one.data_time,
        }
        if message:
            shape["kind"] = message.kind
            shape["due"] = self._time(message.due_ms)
            shape["sent"] = self._time(message.sent_ms)
            shape["times"] = message.times
            shape["acknowledged"] = self._time(message.acknowledged_ms)
        if row:
            shape["row"] = row.row
            shape["received"] = self._time(row.received_ms)
        if finding.kind is Kind.ALTERED:
            shape["differences"] = [
                {"field": d.field, "expected": _hidden(d.field, d.expected), "came": _hidden(d.field, d.came)}
                for d in finding.differences
            ]
        if finding.after:
            shape["after"] = finding.after.qn
        if finding.late_ms is not None:
            shape["late_s"] = finding.late_ms / 1000
        if finding.kind is Kind.DAMAGED and message:
            shape["faults"] = message.faults.split(",") if message.faults else []
        return shape

    def _line(self, finding: Finding) -> str:
        one = finding.expected or finding.received
        assert one is not None
        number = f"QN={one.qn}" if one.qn else f"DataTime={one.data_time}"
        packet = f" PNO={one.pno}" if one.pno else ""
        row = _("row {row}").format(row=finding.received.row) if finding.received else ""
        parts = [f"MN={one.mn} {number} CN={one.cn}{packet}", row, *self._more(finding)]
        return f"{_column(finding.kind)}  " + _clean("; ".join(part for part in parts if part))

    def _more(self, finding: Finding) -> Iterator[str]:
        message = finding.expected
        match finding.kind:
            case Kind.LOST if message:
                yield _("acknowledged {time}").format(time=self._time(message.acknowledged_ms))
            case Kind.DUPLICATED if message:
                yield ngettext("sent {n} time", "sent {n} times", message.times).format(n=message.times)
            case Kind.ALTERED:
                yield from map(_difference, finding.differences)
            case Kind.LATE if message and finding.late_ms is not None:
                yield _("stored {seconds} s after it was sent").format(seconds=f"{finding.late_ms / 1000:.0f}")
            case Kind.REORDERED if finding.after:
                yield _("stored after QN={qn}, which was sent later").format(qn=finding.after.qn)
            case Kind.DAMAGED if message and message.faults:
                yield message.faults
            case Kind.UNDECIDED:
                yield _("several messages fit")
            case _:
                pass

    def _time(self, ms: int | None) -> str | None:
        if ms is None:
            return None
        return datetime.fromtimestamp(ms / 1000, self.zone).isoformat(timespec="milliseconds")

    # All of it

    def _sums(self) -> Iterator[str]:
        counts = self.made.counts
        yield _("{composed} messages in the ledgers, {expected} of them must be there; {received} rows stored").format(
            composed=counts.composed, expected=counts.expected, received=counts.received
        )
        yield ", ".join(f"{gettext(_TITLES[kind])} {counts.found[kind]}" for kind in list(_TITLES)[:6])
        if counts.unacknowledged_stored or counts.unacknowledged_absent:
            yield _("not acknowledged, so that a platform may have them or not: {stored} stored, {absent} not").format(
                stored=counts.unacknowledged_stored, absent=counts.unacknowledged_absent
            )
        if counts.unsent or counts.dropped:
            yield _("never sent: {unsent} waited when the run ended, {dropped} were given up").format(
                unsent=counts.unsent, dropped=counts.dropped
            )
        if counts.damaged:
            yield _(
                "damaged on purpose, so that a platform must refuse them: {damaged}; stored all the same: {n}"
            ).format(damaged=counts.damaged, n=counts.found[Kind.DAMAGED])
        if counts.sent_late:
            yield _("sent by the stations themselves more than {limit} s after they were due: {n}").format(
                limit=f"{self.late_s:g}", n=counts.sent_late
            )
        if counts.other_stations or counts.earlier:
            yield _(
                "not counted: {others} rows of stations that no ledger names, {earlier} from before the run"
            ).format(others=counts.other_stations, earlier=counts.earlier)

    def _notes(self) -> Iterator[str]:
        counts = self.made.counts
        for ledger in self.made.ledgers:
            if ledger.torn:
                lines = ", ".join(map(str, ledger.torn))
                yield _("'{file}': torn, left out: line {lines}").format(file=ledger.path, lines=lines)
            if ledger.lost:
                text = ngettext(
                    "'{file}': {n} line could not be written", "'{file}': {n} lines could not be written", ledger.lost
                )
                yield text.format(file=ledger.path, n=ledger.lost)
            if ledger.unclosed:
                yield _("'{file}': not closed; its last messages may be missing").format(file=ledger.path)
        if missing := self.made.missing_shards:
            yield _("no ledger was given of shard {shards}").format(shards=", ".join(missing))
        if not self.made.complete:
            yield _("the ledgers are not complete: a message that they do not know may have been sent all the same")
        if counts.early:
            yield _(
                "the platform's clock differs: {n} rows bear a time before they were sent, by {seconds} s at most"
            ).format(n=counts.early, seconds=f"{counts.earliest_ms / 1000:.1f}")
        if counts.ruined:
            yield from self._ruined()
        if not counts.composed:
            yield _("the ledgers hold no message, so there was nothing to compare")

    def _ruined(self) -> Iterator[str]:
        texts = {
            Ruin.SCIENTIFIC: _("shown as 2.02511E+16: {n}"),
            Ruin.ROUNDED: _("rounded to 15 digits and two zeros: {n}"),
            Ruin.DOUBLE: _("rounded to a floating-point number: {n}"),
            Ruin.APOSTROPHE: _("with an apostrophe, read all the same: {n}"),
            Ruin.DECIMAL: _("with .0 at the end, read all the same: {n}"),
            Ruin.SEPARATORS: _("with thousands separators, read all the same: {n}"),
            Ruin.FORMULA: _('as ="…", read all the same: {n}'),
        }
        ruined = self.made.counts.ruined
        parts = [texts[ruin].format(n=ruined[ruin.value]) for ruin in Ruin if ruined[ruin.value]]
        yield _("QNs that a spreadsheet has ruined: {parts}").format(parts="; ".join(parts))
        if ruined.keys() & {Ruin.SCIENTIFIC.value, Ruin.ROUNDED.value, Ruin.DOUBLE.value}:
            yield _(
                "Their messages were sought by MN, CN and DataTime. Export from the database itself, not through a "
                "spreadsheet, or import the column as text: 17 digits are more than a number holds."
            )


def _column(kind: Kind) -> str:
    return pad(gettext(_TITLES[kind]), max(display_width(gettext(title)) for title in _TITLES.values()))


def _difference(difference: Difference) -> str:
    wanted, came = (_hidden(difference.field, value) for value in (difference.expected, difference.came))
    if wanted is None:
        return _("{field}: {came} came, not expected").format(field=difference.field, came=_short(came))
    if came is None:
        return _("{field}: expected {expected}, missing").format(field=difference.field, expected=_short(wanted))
    return _("{field}: expected {expected}, came {came}").format(
        field=difference.field, expected=_short(wanted), came=_short(came)
    )


def _hidden(field: str, value: str | None) -> str | None:
    """Return a value without a password."""
    return None if value is None else hide_passwords(f"{field}={value}")[len(field) + 1 :]


def _short(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= VALUE_COLUMNS else text[: VALUE_COLUMNS - 1] + "…"


def _clean(text: str) -> str:
    """Escape what a terminal would obey instead of show, and bytes that are no UTF-8: texts come from devices."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
