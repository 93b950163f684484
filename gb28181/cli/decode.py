"""``gb28181 decode``: SIP messages and MANSCDP bodies of a text, explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import click

from stationgate.exits import ExitCode
from stationgate.language import _, ngettext
from stationgate.options import Group, json_option, read_input, show_secrets_option
from stationgate.streams import json_line

from ..errors import Gb28181Error, RemoteProtocolError
from ..manscdp import read
from ..mansrtsp import parse_answer, parse_request
from ..sdp import parse_sdp
from ..sip.message import Request, Response, parse_message
from .shown import body_json, body_lines, clean, header_pairs

__all__ = ["add_decode"]

#: A message begins where a line is the first of a request or of an answer.
_START: Final = re.compile(
    rb"^(?:[A-Za-z]{3,12}[ \t]+sips?:[^\r\n]*SIP/2\.0|SIP/2\.0[ \t]+[1-6][0-9]{2}[^\r\n]*)[ \t]*\r?$", re.MULTILINE
)
_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,6})[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)


def add_decode(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "decode",
        help=_("Explain SIP messages, one after the other in a text, or one MANSCDP body.")
        + "\n\n"
        + _("Exit code: 0, 1 something cannot be read or there is nothing, 2 usage."),
        examples=[
            ("gb28181 decode messages.txt", _("read a file")),
            ("gb28181 decode - --json", _("read standard input, one JSON object per message")),
        ],
    )
    @click.argument("source", metavar="[FILE|-]", default="-")
    @json_option()
    @show_secrets_option()
    def decode(source: str, as_json: bool, show_secrets: bool) -> int:
        run = _Decoding(as_json, show_secrets)
        for piece in _pieces(read_input(source)):
            run.piece(piece)
        return run.finish()


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut a text where messages begin; what stands before the first is a piece of its own."""
    starts = [found.start() for found in _START.finditer(data)]
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

    def piece(self, data: bytes) -> None:
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
        shape["deviations"] = [
            {"code": each.code, "offset": each.offset, "message": each.message} for each in message.deviations
        ]
        lines = [clean(message.start_line())]
        lines += [f"  {name}: {value}" for name, value in pairs]
        lines += [f"  ! {each.code}: {clean(each.message)}" for each in message.deviations]
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
        if self._as_json:
            click.echo(json_line({"number": self._number} | shape))
        else:
            click.echo(f"#{self._number} " + "\n".join(lines))

    def _body(self, body: bytes, kind: str) -> tuple[dict[str, Any], list[str]]:
        text = body.decode("utf-8", "replace")
        stripped = body.lstrip(b"\xef\xbb\xbf\r\n\t ")
        if kind == "application/sdp" or stripped.startswith(b"v="):
            described = parse_sdp(body)
            lines = [f"  {clean(letter)}={clean(value)}" for letter, value in described.lines]
            lines += [f"  ! {code}: {clean(words)}" for code, words in described.deviations]
            shape = {
                "kind": "SDP",
                "lines": [[letter, clean(value)] for letter, value in described.lines],
                "deviations": [{"code": code, "offset": 0, "message": words} for code, words in described.deviations],
            }
            return shape, lines
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
        if self._as_json:
            click.echo(json_line({"number": self._number, "kind": "unreadable", "error": str(error)}))
        else:
            shown = clean(data[:60].decode("utf-8", "replace"))
            click.echo(f"#{self._number} " + _("cannot be read: {reason}").format(reason=clean(str(error))))
            click.echo(f"  {shown}")

    def finish(self) -> int:
        parts = [
            ngettext("{n} message", "{n} messages", self._number).format(n=self._number),
            _("{n} that cannot be read").format(n=self._bad),
        ]
        click.echo(_(", ").join(parts), err=True)
        return ExitCode.FAIL if self._bad or not self._number else ExitCode.OK
