"""The command line: frames taken apart and explained, put together, checked, and received by a reference platform."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from stationgate.exits import DataFault, ExitCode, UsageFault, reason
from stationgate.language import _, current, ngettext, pick
from stationgate.layout import display_width, pad
from stationgate.options import Group, group, json_option, read_input, show_secrets_option

from .codes import CommandKind, command_row, data_flags, fields
from .crc import crc16
from .deviations import Deviation
from .editions import HJ_212_2017, RULES, Edition, Rules
from .events import AnswerUnexpected, FrameRejected, MessageReceived, NoiseReceived
from .explain import examine, point_out, readable_segment
from .framing import Frame, Framer, Noise, build_frame
from .jsonform import FormError, from_json, to_json
from .messages import Message
from .segment import hide_passwords, parse_segment
from .times import CHINA, parse_qn, parse_time

if TYPE_CHECKING:
    import asyncio

    from .aio import CloseReason, PlatformEvent, PlatformLimits

__all__ = ["build_command"]

#: How many deviations of one kind are printed for a frame; JSON has them all.
SHOWN_PER_KIND: Final = 3
#: How much of what belongs to no frame is quoted.
QUOTED_BYTES: Final = 60
#: Columns of the quotation under which a deviation is marked.
QUOTED_COLUMNS: Final = 96


def build_command() -> click.Command:
    """Return the root command, its texts in the active language."""
    cli = group(
        "hj212",
        help=_("Read, write and receive HJ 212 frames."),
        examples=[
            ("hj212 decode capture.bin", _("show every frame of a capture; say what is wrong with the bad ones")),
            ("hj212 decode - --json", _("the same of standard input, one JSON object per frame")),
            ("hj212 listen --port 9000", _("be the platform: accept stations, answer, print what they send")),
        ],
    )
    _add_decode(cli)
    _add_encode(cli)
    _add_crc(cli)
    _add_listen(cli)
    return cli


def _add_decode(cli: Group) -> None:
    @cli.command(
        "decode",
        short_help=_("Show frames and explain the bad ones."),
        help=_("Print the fields of every HJ 212 frame; say what is wrong with the bad ones, and what would match.")
        + "\n\n"
        + _("Exit code: 0 all frames intact, 1 a bad frame or none at all, 2 usage."),
        examples=[
            ("hj212 decode capture.bin", _("read a file")),
            ("nc station 9000 | hj212 decode", _("read standard input")),
            ("hj212 decode capture.bin --json | jq .deviations", _("one JSON object per frame")),
        ],
    )
    @click.argument("source", metavar="[FILE|-]", default="-")
    @json_option()
    @click.option(
        "--edition",
        type=click.Choice([edition.value for edition in RULES]),
        default=HJ_212_2017.edition.value,
        help=_("Edition of the standard to check by. Default: {default}.").format(default=HJ_212_2017.edition.value),
    )
    @show_secrets_option()
    def decode(source: str, as_json: bool, edition: str, show_secrets: bool) -> int:
        run = _Decoding(RULES[Edition(edition)], show_secrets=show_secrets, as_json=as_json)
        framer = Framer()
        data = read_input(source)
        for found in _joined((*framer.feed(data), *framer.finish())):
            if isinstance(found, Frame):
                run.frame(found)
            else:
                run.noise(found)
        return run.finish()


def _add_encode(cli: Group) -> None:
    @cli.command(
        "encode",
        short_help=_("Write frames from JSON."),
        help=_("Write frames from JSON as 'hj212 decode --json' prints it: objects, one after the other or in a list.")
        + "\n\n"
        + _(
            "Length and CRC are computed. A 'raw' member, which --show-secrets adds, is written as it is while the "
            "fields beside it still agree with it."
        ),
        examples=[
            ("hj212 encode frames.json > frames.bin", _("read a file")),
            ("hj212 decode a.bin --json --show-secrets | hj212 encode > b.bin", _("copy every frame, byte for byte")),
        ],
    )
    @click.argument("source", metavar="[JSON|-]", default="-")
    def encode(source: str) -> int:
        notes: list[str] = []
        frames = [_frame_of(data, number, notes) for number, data in enumerate(_read_json(read_input(source)), 1)]
        if not frames:
            raise DataFault(_("the input holds no JSON object."), _("Make it with: hj212 decode FILE --json"))
        for note in notes:
            click.echo(note, err=True)
        sys.stdout.buffer.write(b"".join(frames))
        return ExitCode.OK


def _add_crc(cli: Group) -> None:
    @cli.command(
        "crc",
        short_help=_("Print the CRC of a data segment."),
        help=_("Print the CRC of a data segment (HJ 212-2017 Annex A), or of that inside a whole frame."),
        examples=[
            ('hj212 crc "QN=20160801085857223;...;CP=&&RtdInterval=30&&"', _("of a text")),
            ("hj212 crc < segment.txt", _("of standard input; a line end at its end does not count")),
        ],
    )
    @click.argument("text", metavar="[TEXT|-]", default="-")
    @json_option()
    def crc(text: str, as_json: bool) -> int:
        data = read_input("-") if text == "-" else text.encode("utf-8", "surrogateescape")
        segment = _segment_of(data.rstrip(b"\r\n"))
        value = f"{crc16(segment):04X}"
        click.echo(json.dumps({"crc": value, "length": len(segment)}) if as_json else value)
        return ExitCode.OK


def _add_listen(cli: Group) -> None:
    @cli.command(
        "listen",
        short_help=_("Receive stations as a reference platform."),
        help=_("Be a reference platform: accept any station, answer as the standard asks, print every message.")
        + "\n\n"
        + _("Ctrl-C ends it. Exit code: 0, 1 a bad frame came or --count was not reached, 2 usage or port in use."),
        examples=[
            ("hj212 listen --port 9000", _("on this machine only")),
            ("hj212 listen --port 9000 --host 0.0.0.0", _("for stations in the network")),
            ("hj212 listen --port 9000 --json --count 1", _("one message as JSON, then end")),
        ],
    )
    @click.option("--port", type=click.IntRange(0, 65535), required=True, help=_("TCP port; 0 takes a free one."))
    @click.option(
        "--host", default="127.0.0.1", help=_("Address to listen on. Default: {default}.").format(default="127.0.0.1")
    )
    @json_option()
    @show_secrets_option()
    @click.option("--count", type=click.IntRange(min=1), help=_("End after this many messages."))
    @click.option("--duration", type=click.FloatRange(min=0), metavar="S", help=_("End after this many seconds."))
    @click.option("--max-connections", type=click.IntRange(min=1), help=_("Stations at once."))
    @click.option("--max-per-address", type=click.IntRange(min=1), help=_("Stations at once from one address."))
    def listen(
        port: int,
        host: str,
        as_json: bool,
        show_secrets: bool,
        count: int | None,
        duration: float | None,
        max_connections: int | None,
        max_per_address: int | None,
    ) -> int:
        import asyncio
        from dataclasses import replace

        from .aio import PlatformLimits

        limits = PlatformLimits()
        limits = replace(limits, connections=max_connections or limits.connections)
        limits = replace(limits, per_address=max_per_address or limits.per_address)
        receiving = _Receiving(as_json=as_json, show_secrets=show_secrets, count=count)
        return asyncio.run(receiving.run(host, port, duration, limits))


# decode


@dataclass(slots=True)
class _Decoding:
    """One run of ``decode``: what it was asked for and what it has met so far."""

    rules: Rules
    show_secrets: bool
    as_json: bool
    frames: int = 0
    bad: int = 0
    deviating: int = 0
    skipped: int = 0

    def frame(self, frame: Frame) -> None:
        self.frames += 1
        deviations = examine(frame, self.rules)
        self.bad += not frame.intact
        self.deviating += bool(deviations)
        if self.as_json:
            click.echo(_json_line(to_json(frame, self.rules, current(), show_secrets=self.show_secrets)))
        else:
            head = _("Frame {number} at byte {offset}, {size} bytes: {verdict}").format(
                number=self.frames, offset=frame.offset, size=len(frame.raw), verdict=_verdict(frame, deviations)
            )
            click.echo(
                "\n".join(
                    [head, *_field_lines(frame, self.show_secrets), *_deviation_lines(frame, deviations, self.rules)]
                )
            )

    def noise(self, noise: Noise) -> None:
        self.skipped += len(noise.raw)
        text = _("At byte {offset}: {size} bytes that belong to no frame: {text}")
        click.echo(text.format(offset=noise.offset, size=len(noise.raw), text=_quoted(noise.raw)), err=True)

    def finish(self) -> int:
        if not self.frames:
            raise DataFault(
                _("the input holds no HJ 212 frame."), _("A frame begins with ## and four digits, the length.")
            )
        parts = [
            ngettext("{n} frame", "{n} frames", self.frames).format(n=self.frames),
            _("{n} bad").format(n=self.bad),
            _("{n} with deviations").format(n=self.deviating),
        ]
        click.echo(_(", ").join(parts), err=True)
        return ExitCode.FAIL if self.bad else ExitCode.OK


def _joined(found: Iterable[Frame | Noise]) -> Iterator[Frame | Noise]:
    """Join what belongs to no frame into one piece; leave out mere line ends between frames."""
    noise: list[Noise] = []
    for item in (*found, None):
        if isinstance(item, Noise):
            noise.append(item)
            continue
        raw = b"".join(piece.raw for piece in noise)
        if raw.strip():
            yield Noise(raw, noise[0].offset)
        noise.clear()
        if item is not None:
            yield item


def _verdict(frame: Frame, deviations: list[Deviation]) -> str:
    if not frame.intact:
        return _("bad")
    return _("intact, with deviations") if deviations else _("good")


def _field_lines(frame: Frame, show_secrets: bool) -> Iterator[str]:
    """Describe what a frame holds, a line for each field and for each item of the data area."""
    message = Message(parse_segment(readable_segment(frame)))
    rows = []
    for pair in message.segment.header:
        name = pair[0].strip()
        row = fields().get(name)
        known = row is not None and row.place == "header"
        value = message.segment.field(name) if known else None
        if row is None or value is None:
            # Another name, or none: it may be a damaged PW.
            shown = (name, "=".join(pair[1:])) if show_secrets else (hide_passwords(name), "***")
            rows.append((_clean(shown[0]), _("unknown field"), _clean(shown[1]), ""))
            continue
        if not show_secrets:
            value = "***" if name == "PW" else hide_passwords(value)
        rows.append((name, pick(row.zh, row.en), _clean(value), _meaning(name, value, message)))
    for item in message.items:
        if any(map(str.strip, texts := ["=".join(pair) for pair in item])):
            rows.append(_item_row(texts, show_secrets))
    first = max((display_width(row[0]) for row in rows if row[1]), default=0)
    second = max((display_width(row[1]) for row in rows), default=0)
    for name, title, value, meaning in rows:
        text = f"{pad(name, first)}  {pad(title, second)}  {value}" if title else value
        yield f"    {text}  {meaning}".rstrip()


def _item_row(texts: list[str], show_secrets: bool) -> tuple[str, str, str, str]:
    if not show_secrets:
        texts = [hide_passwords(text) for text in texts]
    key, equals, value = texts[0].partition("=")
    row = fields().get(key.strip())
    if len(texts) == 1 and equals and row and row.place == "parameter":
        meaning = _time_meaning(value.strip()) if row.format == "time" else ""
        return key.strip(), pick(row.zh, row.en), _clean(value), meaning
    flags = {text.partition("=")[2].strip() for text in texts if text.partition("=")[0].strip().endswith("-Flag")}
    known = [data_flags()[flag] for flag in sorted(flags - {"N"}) if flag in data_flags()]
    meaning = ", ".join(pick(zh, en) for zh, en in known)
    return "", "", _clean(", ".join(texts)), f"({meaning})" if meaning else ""


def _meaning(name: str, value: str, message: Message) -> str:
    if name == "QN":
        with suppress(ValueError):
            return f"{parse_qn(value):%Y-%m-%d %H:%M:%S}.{value[-3:]}"
    if name == "CN":
        return _command_title(message)
    if name == "Flag" and message.flag is not None:
        edition = message.edition
        bits = [edition.value if edition else _("unknown edition")]
        bits += [_("wants an answer")] if message.flag & 1 else []
        bits += [_("numbered packet")] if message.flag & 2 else []
        return ", ".join(bits)
    return ""


def _time_meaning(value: str) -> str:
    with suppress(ValueError):
        return f"{parse_time(value):%Y-%m-%d %H:%M:%S}"
    return ""


def _command_title(message: Message) -> str:
    """Name the command; whether it is the station's or the platform's shows in the parameters it carries."""
    up, down = command_row(message.cn, upward=True), command_row(message.cn, upward=False)
    present = {key for key, _ in message.parameters()}
    row = up if up and (down is None or up.kind is CommandKind.INTERACTION or set(up.required) <= present) else down
    return pick(row.name_zh, row.name_en) if row else ""


def _deviation_lines(frame: Frame, deviations: list[Deviation], rules: Rules) -> Iterator[str]:
    kinds: Counter[str] = Counter()
    for deviation in deviations:
        kinds[deviation.code] += 1
        if kinds[deviation.code] <= SHOWN_PER_KIND:
            clause = deviation.clause(rules)
            yield f"  ! {deviation.text(current())}  ({pick(clause.replace('Annex', '附录'), clause)})"
            if not frame.intact and deviation is _gravest(deviations):
                yield from (f"      {line}" for line in point_out(frame, deviation, QUOTED_COLUMNS))
    for code, count in kinds.items():
        if count > SHOWN_PER_KIND:
            more = ngettext("{n} more of this kind: {code}", "{n} more of this kind: {code}", count - SHOWN_PER_KIND)
            yield "  ! " + more.format(n=count - SHOWN_PER_KIND, code=code)


def _gravest(deviations: list[Deviation]) -> Deviation:
    """Return the first deviation that makes a frame bad, else the first."""
    grave = (
        d
        for d in deviations
        if d.code.startswith(("length-", "crc-", "tail-", "frame-")) and d.code != "crc-lower-case"
    )
    return next(grave, deviations[0])


def _clean(text: str) -> str:
    """Escape what a terminal would obey instead of show, and bytes that are no UTF-8: texts come from devices."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _quoted(raw: bytes) -> str:
    text = hide_passwords(raw.decode("utf-8", "surrogateescape"))
    return _clean(text[:QUOTED_BYTES]) + ("…" if len(text) > QUOTED_BYTES else "")


def _json_line(data: dict[str, Any]) -> str:
    """Write Chinese as it is where the output can show it."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(data)
    return text


# encode


def _read_json(data: bytes) -> Iterator[object]:
    """Yield the JSON objects of an input: one, several one after the other, or lists of them."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataFault(_("the input is not UTF-8 text."), _("Make it with: hj212 decode FILE --json")) from None
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            raise DataFault(
                _("line {line} of the input is not JSON.").format(line=line),
                _("Make it with: hj212 decode FILE --json"),
            ) from None
        yield from value if isinstance(value, list) else [value]


def _frame_of(data: object, number: int, notes: list[str]) -> bytes:
    """Return the frame that JSON data describe; note what the user should know about it."""
    try:
        raw, set_aside = from_json(data)
    except FormError as error:
        raise DataFault(
            _("frame {number}: {problem}").format(number=number, problem=_problem(error)), _hint(error)
        ) from error
    if set_aside:
        text = _("Frame {number}: the fields no longer agree with 'raw'; built from the fields.")
        notes.append(text.format(number=number))
    if set_aside or not (isinstance(data, dict) and data.get("raw")):
        notes += _check(raw, number)
    return raw


def _check(raw: bytes, number: int) -> Iterator[str]:
    """Refuse a frame built here that is larger than the standard allows; say what else is unusual about it."""
    framer = Framer()
    (frame,) = (item for item in (*framer.feed(raw), *framer.finish()) if isinstance(item, Frame))
    for deviation in examine(frame, HJ_212_2017):
        text = deviation.text(current())
        if deviation.code in ("segment-too-long", "parameters-too-long"):
            raise DataFault(_("frame {number}: {problem}").format(number=number, problem=f"{text}."))
        yield _("Frame {number}: {text}").format(number=number, text=text)


def _problem(error: FormError) -> str:
    texts = {
        "not-an-object": _("a JSON object was expected."),
        "unknown-key": _("there is no member '{field}'."),
        "not-text": _("'{field}' must be text or a whole number."),
        "items-shape": _("'items' must be a list of items, each a list of [key, value] pairs."),
        "edition": _("'edition' must be one of {editions}."),
        "masked": _("the password is hidden (***) and there is no 'raw' to take it from."),
        "separator": _("'{field}' holds a sign that separates values; HJ 212 has no way to escape it."),
        "raw": _("'raw' is not the base64 of one frame."),
        "too-long": _("the data segment is longer than the 9999 bytes that a length field can say."),
    }
    editions = ", ".join(edition.value for edition in Edition)
    return texts[error.problem].format(field=_clean(error.field), editions=editions)


def _hint(error: FormError) -> str:
    if error.problem == "masked":
        return _("Decode with --show-secrets, or write the password into 'pw'.")
    return ""


# crc


def _segment_of(data: bytes) -> bytes:
    """Return the segment of a whole frame, or the data as they are."""
    if not data.startswith(b"##"):
        return data
    framer = Framer()
    found = [*framer.feed(data + b"\r\n"), *framer.finish()]
    if len(found) != 1 or not isinstance(found[0], Frame):
        return data
    segment = readable_segment(found[0])
    text = _("The input is a whole frame; this is the CRC of the {size} bytes of its data segment.")
    click.echo(text.format(size=len(segment)), err=True)
    return segment


# listen


@dataclass(slots=True)
class _Receiving:
    """One run of ``listen``."""

    as_json: bool
    show_secrets: bool
    count: int | None
    messages: int = 0
    bad: int = 0
    finished: asyncio.Future[None] = field(init=False)

    async def run(self, host: str, port: int, duration: float | None, limits: PlatformLimits) -> int:
        import asyncio

        from .aio import Platform

        self.finished = asyncio.get_running_loop().create_future()
        async with Platform(self.on_event, limits=limits) as platform:
            try:
                await platform.start(host, port)
            except (OSError, OverflowError) as error:
                why = reason(error) if isinstance(error, OSError) else str(error)
                raise UsageFault(
                    _("cannot listen on {host} port {port}: {reason}.").format(host=host, port=port, reason=why),
                    _("Choose another with --port, or end the program that holds it."),
                ) from error
            self._tell_listening(host, platform.port)
            with suppress(TimeoutError):
                async with asyncio.timeout(duration):
                    await self.finished
        return self._finish()

    def on_event(self, peer: str, event: PlatformEvent) -> None:
        try:
            self._report(peer, event)
            sys.stdout.flush()
        except Exception as error:
            # Output that is gone ends the run; inside a callback of the loop it would only be logged.
            if not self.finished.done():
                self.finished.set_exception(error)
        if self.count is not None and self.messages >= self.count and not self.finished.done():
            self.finished.set_result(None)

    def _report(self, peer: str, event: PlatformEvent) -> None:
        from .aio import LinkClosed, LinkOpened, LinkRefused

        if self.count is not None and self.messages >= self.count:
            return
        match event:
            case LinkOpened():
                self._line(peer, "connected", _("connected"))
            case LinkClosed(why):
                self._line(peer, "disconnected", _("disconnected: {reason}").format(reason=_why(why)), reason=why.value)
            case LinkRefused(why):
                self._line(peer, "refused", _("refused: {reason}").format(reason=_why(why)), reason=why.value)
            case NoiseReceived(raw):
                text = _("{size} bytes that belong to no frame: {text}").format(size=len(raw), text=_quoted(raw))
                self._line(peer, "noise", text, bytes=len(raw))
            case FrameRejected(frame):
                self.bad += 1
                self._frame(peer, "rejected", frame, _("bad frame, not answered"))
            case MessageReceived(message, frame, _kind, repeated):
                self.messages += 1
                title = _command_title(message) + (f" {_('(sent again)')}" if repeated else "")
                self._frame(peer, "message", frame, title, repeated=repeated)
            case AnswerUnexpected(message):
                self.messages += 1
                self._frame(peer, "message", _as_frame(message), _command_title(message), repeated=False)
            case _:  # the answers to requests of ours: a listener sends none
                return

    def _frame(self, peer: str, event: str, frame: Frame, title: str, **facts: Any) -> None:
        if self.as_json:
            shape = to_json(frame, HJ_212_2017, current(), show_secrets=self.show_secrets)
            self._line(peer, event, "", **facts, **shape)
            return
        message = Message(parse_segment(readable_segment(frame)))
        area = "; ".join(", ".join("=".join(pair) for pair in item) for item in message.items)
        text = f"CN={message.cn} {title}; MN={message.mn}; QN={message.qn}; {area}"
        self._line(peer, event, _clean(text if self.show_secrets else hide_passwords(text)))
        for line in _deviation_lines(frame, examine(frame, HJ_212_2017), HJ_212_2017):
            click.echo(f"    {line}")

    def _line(self, peer: str, event: str, text: str, **facts: Any) -> None:
        now = datetime.now(CHINA)
        if self.as_json:
            head = {"event": event, "time": now.isoformat(timespec="milliseconds"), "peer": peer}
            click.echo(_json_line(head | facts))
        else:
            click.echo(f"{now:%H:%M:%S}.{now.microsecond // 1000:03d}  {peer}  {text}")

    def _tell_listening(self, host: str, port: int) -> None:
        if self.as_json:
            click.echo(_json_line({"event": "listening", "host": host, "port": port}))
        text = _("Listening on {host} port {port}; Ctrl-C ends.").format(host=host, port=port)
        click.echo(text, err=self.as_json)
        sys.stdout.flush()

    def _finish(self) -> int:
        parts = [
            ngettext("{n} message", "{n} messages", self.messages).format(n=self.messages),
            ngettext("{n} bad frame", "{n} bad frames", self.bad).format(n=self.bad),
        ]
        click.echo(_(", ").join(parts), err=True)
        if self.count is not None and self.messages < self.count:
            text = _("only {found} of {wanted} messages came in time.")
            raise DataFault(text.format(found=self.messages, wanted=self.count))
        return ExitCode.FAIL if self.bad else ExitCode.OK


def _why(why: CloseReason) -> str:
    from .aio import CloseReason

    texts = {
        CloseReason.PEER: _("the station closed the connection"),
        CloseReason.IDLE: _("nothing came for too long"),
        CloseReason.NOISE: _("too many bytes that belong to no frame"),
        CloseReason.CONNECTIONS: _("too many connections (--max-connections)"),
        CloseReason.ADDRESS: _("too many connections from this address (--max-per-address)"),
        CloseReason.SHUTDOWN: _("listening has ended"),
    }
    return texts[why]


def _as_frame(message: Message) -> Frame:
    data = bytes(message)
    raw = build_frame(data)
    return Frame(raw, 0, len(data), data, raw[-6:-2], b"\r\n")
