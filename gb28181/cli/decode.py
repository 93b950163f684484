"""``gb28181 decode``: SIP messages and MANSCDP bodies of a text or of a capture, explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

import click

from stationgate.capture import CaptureFault, Kind, kind_of, read_capture
from stationgate.exits import ExitCode
from stationgate.language import _, ngettext
from stationgate.options import Group, json_option, open_input, show_secrets_option
from stationgate.streams import json_line

from ..errors import Gb28181Error, RemoteProtocolError
from ..manscdp import read
from ..mansrtsp import parse_answer, parse_request
from ..sdp import parse_sdp
from ..sip.message import Request, Response, parse_message
from ..times import BEIJING
from .captured import START, CapturedSip, Heard
from .shown import body_json, body_lines, clean, description, deviation_json, deviation_line, header_pairs

__all__ = ["add_decode"]

_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,6})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)


def add_decode(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "decode",
        help=_("Explain the SIP messages of a text or of a capture (pcap, pcapng), or one MANSCDP body.")
        + "\n\n"
        + _(
            "In a capture SIP is found on any port, over UDP and TCP. Reading captures needs scapy: "
            "pip install 'stationgate[pcap]'."
        )
        + "\n\n"
        + _("Exit code: 0, 1 something cannot be read or there is nothing, 2 usage."),
        examples=[
            ("gb28181 decode messages.txt", _("read a file")),
            ("gb28181 decode site.pcapng", _("read a capture: who said what to whom")),
            ("gb28181 decode - --json", _("read standard input, one JSON object per message")),
        ],
    )
    @click.argument("source", metavar="[FILE|-]", default="-")
    @json_option()
    @show_secrets_option()
    def decode(source: str, as_json: bool, show_secrets: bool) -> int:
        run = _Decoding(as_json, show_secrets)
        with open_input(source) as file:
            head = _head(file)
            if kind_of(head) is not Kind.OTHER:
                return _decode_capture(run, file, head)
            for piece in _pieces(head + file.read()):
                run.piece(piece)
        return run.finish()


def _head(file: BinaryIO) -> bytes:
    """Return the first four bytes, fewer only where there are no more; a pipe may give them one by one."""
    head = b""
    while len(head) < 4 and (more := file.read(4 - len(head))):
        head += more
    return head


def _decode_capture(run: _Decoding, file: BinaryIO, head: bytes) -> int:
    found = CapturedSip()
    fault: CaptureFault | None = None
    try:
        for heard in found.messages(read_capture(file, head=head)):
            run.heard(heard)
    except CaptureFault as error:  # told behind what came before it
        fault = error
    for heard in found.rest():
        run.heard(heard)
    code = run.finish(found.others)
    if fault is not None:
        raise fault
    return code


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut a text where messages begin; what stands before the first is a piece of its own."""
    starts = [found.start() for found in START.finditer(data)]
    if not starts:
        yield data
        return
    if data[: starts[0]].strip(b"\xef\xbb\xbf\r\n\t \x00"):
        yield data[: starts[0]]
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        yield _without_gap(data[start:end])


def _without_gap(data: bytes) -> bytes:
    """Return a message without the empty lines that stand behind it in a text."""
    end = _HEADERS_END.search(data)
    if end is None:
        return data
    stated = _LENGTH.search(data, 0, end.start())
    length = end.end() + (int(stated[1]) if stated else 0)
    return data[:length] if not data[length:].strip() else data


class _Decoding:
    def __init__(self, as_json: bool, show_secrets: bool) -> None:
        self._as_json = as_json
        self._show_secrets = show_secrets
        self._number = 0
        self._bad = 0
        self._heard: Heard | None = None

    def heard(self, heard: Heard) -> None:
        """Tell a message of a capture."""
        self._heard = heard
        if heard.rest:
            self._number += 1
            n = len(heard.data)
            words = ngettext(
                "{n} byte of a message whose beginning was not captured",
                "{n} bytes of a message whose beginning was not captured",
                n,
            ).format(n=n)
            self._tell({"kind": "rest", "bytes": n}, [words], b"", "")
        else:
            self.piece(heard.data)

    def piece(self, data: bytes) -> None:
        """Tell a message, or a body alone."""
        if not data.strip(b"\xef\xbb\xbf\r\n\t \x00"):
            return
        self._number += 1
        if data.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<"):
            self._tell({"kind": "body"}, [_("MANSCDP body")], data.strip(b"\x00"), "")
            return
        try:
            message = parse_message(data)
            shape, lines = self._message(message)
        except Gb28181Error as error:
            self._unusable(data, error)
            return
        # Between messages of a text stand empty lines that belong to none.
        body = message.body
        self._tell(shape, lines, body if body.strip() else b"", message.content_type)

    def _message(self, message: Request | Response) -> tuple[dict[str, Any], list[str]]:
        pairs = header_pairs(message.headers, show_secrets=self._show_secrets)
        if isinstance(message, Request):
            shape: dict[str, Any] = {"kind": "request", "method": message.method, "uri": clean(str(message.uri))}
        else:
            shape = {"kind": "response", "status": message.status, "reason": clean(message.reason)}
        try:
            shape |= {
                "from": clean(message.from_.uri.user),
                "to": clean(message.to.uri.user),
                "call_id": clean(message.call_id),
                "cseq": str(message.cseq),
            }
        except RemoteProtocolError as error:
            self._bad += 1
            shape["error"] = str(error)
        shape["headers"] = pairs
        shape["deviations"] = [deviation_json(each) for each in message.deviations]
        lines = [clean(message.start_line())]
        lines += [f"  {name}: {value}" for name, value in pairs]
        lines += [f"  {deviation_line(each)}" for each in message.deviations]
        if "error" in shape:
            lines.append(f"  ! {shape['error']}")
        return shape, lines

    def _tell(self, shape: dict[str, Any], lines: list[str], body: bytes, kind: str) -> None:
        if body:
            try:
                told, more = self._body(body, kind)
            except Gb28181Error as error:
                self._bad += 1
                told, more = {"kind": "unreadable", "error": str(error)}, [f"  ! {clean(str(error))}"]
            shape["body"] = told
            lines += more
        if self._heard is not None and self._heard.wrong:
            self._bad += 1
            shape["error"] = self._heard.wrong
            lines.append(f"  ! {clean(self._heard.wrong)}")
        self._print(shape, lines)

    def _print(self, shape: dict[str, Any], lines: list[str]) -> None:
        heard, number = self._heard, {"number": self._number}
        if self._as_json:
            click.echo(json_line(number | (_way_json(heard) if heard else {}) | shape))
        elif heard:
            click.echo("\n".join([f"#{self._number} {_way(heard)}", *lines]))
        else:
            click.echo(f"#{self._number} " + "\n".join(lines))

    def _body(self, body: bytes, kind: str) -> tuple[dict[str, Any], list[str]]:
        text = body.decode("utf-8", "replace")
        stripped = body.lstrip(b"\xef\xbb\xbf\r\n\t ")
        if kind == "application/sdp" or stripped.startswith(b"v="):
            return description(parse_sdp(body))
        if kind == "application/mansrtsp":
            (parse_answer if b"RTSP/1.0 " in stripped[:16] else parse_request)(body)
            return {"kind": "MANSRTSP", "text": clean(text)}, [f"  {clean(line)}" for line in text.split()]
        if stripped.startswith(b"<"):
            reading = read(body)
            return (
                body_json(reading, show_secrets=self._show_secrets),
                [f"  {line}" for line in body_lines(reading, show_secrets=self._show_secrets)],
            )
        return {"kind": "text", "text": clean(text)}, [f"  {clean(line)}" for line in text.splitlines()]

    def _unusable(self, data: bytes, error: Gb28181Error) -> None:
        self._bad += 1
        why = self._heard.wrong if self._heard is not None and self._heard.wrong else str(error)
        shown = clean(data[:60].decode("utf-8", "replace"))
        self._print(
            {"kind": "unreadable", "error": why},
            [_("cannot be read: {reason}").format(reason=clean(why)), f"  {shown}"],
        )

    def finish(self, others: int = 0) -> int:
        """Say how much it was; ``others`` are flows of something else."""
        parts = [
            ngettext("{n} message", "{n} messages", self._number).format(n=self._number),
            _("{n} that cannot be read").format(n=self._bad),
        ]
        if others:
            parts.append(ngettext("{n} flow without SIP", "{n} flows without SIP", others).format(n=others))
        click.echo(_(", ").join(parts), err=True)
        return ExitCode.FAIL if self._bad or not self._number else ExitCode.OK


def _moment(heard: Heard) -> datetime:
    try:
        return datetime.fromtimestamp(heard.time, BEIJING)
    except (OverflowError, ValueError, OSError):  # a damaged file may say any time
        return datetime.fromtimestamp(0, BEIJING)


def _way(heard: Heard) -> str:
    flow = heard.flow
    moment = _moment(heard).isoformat(" ", "milliseconds").removesuffix("+08:00")
    return f"{moment} {flow.source} -> {flow.target} {flow.transport}"


def _way_json(heard: Heard) -> dict[str, Any]:
    flow = heard.flow
    return {
        "time": _moment(heard).isoformat(timespec="microseconds"),
        "source": str(flow.source),
        "target": str(flow.target),
        "transport": flow.transport.value,
    }
