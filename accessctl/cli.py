"""The command line: door data of HJ 212 frames as text or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import click

from accessctl.dictionaries import Dictionary, load, names
from accessctl.errors import RecordError
from accessctl.findings import Finding, describe
from accessctl.jsonform import to_json
from accessctl.model import Alarm, DoorState, LogEntry, Opening, RawValue, Record
from accessctl.reading import read
from accessctl.redaction import redacted
from accessctl.values import DATA_TIME, parse_value
from hj212 import Frame, Framer, Noise, parse_segment
from stationgate.exits import ExitCode
from stationgate.language import _, current, ngettext, pick
from stationgate.options import group, json_option, read_input
from stationgate.redaction import Pseudonyms
from stationgate.streams import json_line

__all__ = ["build_command"]

_DEFAULT_DICTIONARY = "nx"


def build_command() -> click.Command:
    """Return the root command, its texts in the active language."""
    cli = group(
        "accessctl",
        help=_("Read door data (access control) of HJ 212 frames."),
        examples=[
            ("accessctl decode door.bin", _("what the frames of a file say about the door")),
            ("accessctl decode - --json", _("the same of standard input, one JSON object per record")),
        ],
    )

    @cli.command(
        "decode",
        help=_("Print what HJ 212 frames say about the door: states, openings, alarms, logs; and every deviation.")
        + "\n\n"
        + _("Exit code: 0 all in order, 1 a damaged frame, a deviation or no frame at all, 2 usage."),
        examples=[
            ("accessctl decode door.bin", _("read a file")),
            ("accessctl decode door.bin --json", _("one JSON object per record")),
            ("accessctl decode - --dictionary hebei", _("read standard input, codes of Hebei")),
            ("accessctl decode door.bin --strict", _("refuse frames that deviate")),
        ],
    )
    @click.argument("source", metavar="[FILE|-]", default="-")
    @click.option(
        "--dictionary",
        "name",
        type=click.Choice(names()),
        default=_DEFAULT_DICTIONARY,
        help=_("What the door codes mean: {names}. Default: {default}.").format(
            names=", ".join(f"{d.name} ({pick(d.title_zh, d.title_en)})" for d in map(load, names())),
            default=_DEFAULT_DICTIONARY,
        ),
    )
    @click.option("--strict", is_flag=True, help=_("Print no record of a frame that deviates."))
    @click.option(
        "--show-secrets", is_flag=True, help=_("Show person codes, names and log texts instead of person-1 and ***.")
    )
    @json_option()
    def decode(source: str, name: str, strict: bool, show_secrets: bool, as_json: bool) -> int:
        run = _Decoding(load(name), strict=strict, show_secrets=show_secrets, as_json=as_json)
        framer = Framer()
        data = read_input(source)
        for found in (*framer.feed(data), *framer.finish()):
            if isinstance(found, Frame):
                run.frame(found)
            else:
                run.noise(found)
        return run.finish()

    return cli


@dataclass(slots=True)
class _Decoding:
    """One run of ``decode``: what it was asked for and what it has met so far."""

    dictionary: Dictionary
    strict: bool
    show_secrets: bool
    as_json: bool
    people: Pseudonyms = field(default_factory=Pseudonyms)
    frames: int = 0
    records: int = 0
    deviations: int = 0
    damaged: int = 0

    def frame(self, frame: Frame) -> None:
        self.frames += 1
        damage = list(_damage(frame))
        if damage:
            self.damaged += 1
            self._tell(
                _("Frame {number} at byte {offset} is damaged: {reasons}.").format(
                    number=self.frames, offset=frame.offset, reasons=_(", ").join(damage)
                )
            )
            if self.strict:
                return
        segment = parse_segment(frame.segment)
        try:
            records = read(segment, self.dictionary, strict=self.strict)
        except RecordError as error:
            self.deviations += 1
            finding = Finding(error.code, error.field, error.found, error.expected)
            text = _("Frame {number} at byte {offset} refused: {finding}.")
            self._tell(text.format(number=self.frames, offset=frame.offset, finding=describe(finding, current())))
            return
        if not records:
            text = _("Frame {number} at byte {offset}: CN={command}, no door data.")
            self._tell(text.format(number=self.frames, offset=frame.offset, command=segment.field("CN") or "?"))
        for record in records:
            self._record(record)

    def noise(self, noise: Noise) -> None:
        if noise.raw.strip():
            text = _("At byte {offset}: {size} bytes that belong to no frame.")
            self._tell(text.format(offset=noise.offset, size=len(noise.raw)))

    def finish(self) -> int:
        parts = (
            ngettext("{n} frame", "{n} frames", self.frames).format(n=self.frames),
            ngettext("{n} record", "{n} records", self.records).format(n=self.records),
            ngettext("{n} deviation", "{n} deviations", self.deviations).format(n=self.deviations),
            ngettext("{n} damaged frame", "{n} damaged frames", self.damaged).format(n=self.damaged),
        )
        self._tell(_(", ").join(parts))
        return ExitCode.OK if self.frames and not self.deviations and not self.damaged else ExitCode.FAIL

    def _record(self, record: Record) -> None:
        self.records += 1
        self.deviations += len(record.findings)
        shown = record if self.show_secrets else redacted(record, self.people.name)
        if self.as_json:
            click.echo(json_line(to_json(shown)))
        else:
            click.echo("\n".join(map(_printable, _lines(shown, self.dictionary))))

    def _tell(self, text: str) -> None:
        click.echo(_printable(text), err=self.as_json)


def _printable(line: str) -> str:
    """Escape what a terminal would obey instead of show: texts come from devices."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


def _damage(frame: Frame) -> Iterator[str]:
    if not frame.length_ok:
        yield _("the length field is wrong")
    if not frame.crc_ok and frame.length_ok is not None:
        yield _("the check value is wrong")


def _lines(record: Record, dictionary: Dictionary) -> Iterator[str]:
    time = f"{record.data_time:%Y-%m-%d %H:%M:%S}" if record.data_time else record.text(DATA_TIME.role) or "-"
    yield f"{time}  {record.mn or '-'}  {_title(record)}"
    for value in record.raw:
        if value.role != DATA_TIME.role:
            yield "    " + _value(value, dictionary)
    for finding in record.findings:
        yield "  ! " + describe(finding, current())


def _title(record: Record) -> str:
    match record:
        case DoorState():
            return _("Door state")
        case Opening():
            return _("Opening")
        case Alarm():
            return _("Alarm") if record.active else _("Alarm cleared") if record.active is False else _("Alarm?")
        case LogEntry():
            return _("Door log")
        case _:
            return _("Other values")


def _value(value: RawValue, dictionary: Dictionary) -> str:
    code = value.key.partition("-")[0]
    row = dictionary.find(code)
    text = value.text.strip()
    if row and value.understood and not value.personal:
        meaning = parse_value(row, text).meaning
        if isinstance(meaning, datetime):
            text = f"{meaning:%Y-%m-%d %H:%M:%S}"
        text = next((pick(v.zh, v.en) for v in row.values if v.meaning == meaning), text)
    label = f"{code} {pick(row.name_zh, row.name_en)}" if row else code
    flag = "" if value.flag in (None, "", "N") else f" [{value.flag}]"
    return _("{name}: {value}").format(name=label, value=text) + flag
