"""The standard streams: text that any console can show, JSON that any program can read, bytes as they are."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

__all__ = ["json_line", "make_safe", "write_bytes"]


def make_safe() -> None:
    """Let output never fail for a character and never change a line end.

    A character that the encoding of a console lacks (GBK on a Chinese Windows) is shown as its escape. Lines end with a
    line feed on every system, so that what is redirected into a file has the same bytes everywhere. Input that does
    not decode, as when a person types on a console set to something else, is read as U+FFFD.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", newline="\n")
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # somebody has read from it already
            sys.stdin.reconfigure(errors="replace")


def json_line(data: Mapping[str, Any]) -> str:
    """Return JSON on one line, fit for standard output: Chinese as it is in UTF-8, escaped in any other encoding.

    JSON is UTF-8 by its standard (RFC 8259, 8.1), and a reader cannot know that a file came from a GBK console. ASCII
    is UTF-8 as well. Bytes of a device that are no text (lone surrogates) are escaped too.
    """
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode("utf-8")
        plain = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    except (UnicodeEncodeError, LookupError):
        plain = False
    return text if plain else json.dumps(data)


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output, no line end translated, behind the text written before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
