"""What ``hj212 decode`` does: every frame of some bytes, what it holds and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import click

from stationgate.exits import DataFault, ExitCode, UsageFault
from stationgate.language import _, current, ngettext
from stationgate.streams import json_line

from ..deviations import Deviation
from ..editions import Rules
from ..encryption import MAX_KEYS, Key, open_frame, plain_frame
from ..explain import examine, remarks
from ..framing import Frame, Framer, Noise
from ..jsonform import to_json
from ..saved import Form, Saved, read_saved
from .content import field_lines
from .shown import deviation_lines, quoted, remark_lines

__all__ = ["Decoding", "read_keys"]


@dataclass(slots=True)
class Decoding:
    """One run of ``decode``: what it was asked for and what it has met so far."""

    rules: Rules
    show_secrets: bool
    as_json: bool
    keys: tuple[Key, ...] = ()
    frames: int = 0
    bad: int = 0
    deviating: int = 0
    saved: Saved = field(default_factory=lambda: Saved(Form.RAW, b""))

    def decode(self, source: bytes, form: Form | None = None) -> int:
        """Print what the input holds and return the exit code.

        Raises:
            UsageFault: If the input does not have the form given.
        """
        try:
            self.saved = read_saved(source, form)
        except ValueError as error:
            raise UsageFault(
                _("the input is not of the form '{form}'.").format(form=error), _("Leave out --form to find out.")
            ) from error
        if self.saved.form is not Form.RAW:
            text = _("Read as '{form}'; offsets are those of the lines of the input.")
            click.echo(text.format(form=self.saved.form.value), err=True)
        framer = Framer()
        for found in _joined((*framer.feed(self.saved.data), *framer.finish())):
            if isinstance(found, Frame):
                self._frame(found)
            else:
                self._noise(found)
        return self._finish()

    def _frame(self, frame: Frame) -> None:
        self.frames += 1
        opened = open_frame(frame, self.keys) if self.keys else None
        form = opened.form if opened else None
        if opened:
            frame = plain_frame(frame, opened)
        deviations = examine(frame, self.rules)
        self.bad += not frame.intact
        self.deviating += bool(deviations)
        if self.as_json:
            shape = to_json(frame, self.rules, current(), show_secrets=self.show_secrets, with_remarks=True)
            click.echo(json_line(shape | ({"encrypted": form.value} if form else {})))
        else:
            head = _("Frame {number} at byte {offset}, {size} bytes: {verdict}").format(
                number=self.frames,
                offset=self.saved.offset(frame.offset),
                size=len(frame.raw),
                verdict=_verdict(frame, deviations) + (_(", was encrypted") if form else ""),
            )
            found = [*deviation_lines(frame, deviations, self.rules), *remark_lines(remarks(frame, self.rules))]
            click.echo("\n".join([head, *field_lines(frame, self.show_secrets), *found]))

    def _noise(self, noise: Noise) -> None:
        text = _("At byte {offset}: {size} bytes that belong to no frame: {text}")
        click.echo(
            text.format(offset=self.saved.offset(noise.offset), size=len(noise.raw), text=quoted(noise.raw)), err=True
        )

    def _finish(self) -> int:
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


def read_keys(texts: Sequence[str]) -> tuple[Key, ...]:
    """Read the keys of the command line.

    Raises:
        UsageFault: If one is none, or there are too many.
    """
    if len(texts) > MAX_KEYS:
        raise UsageFault(_("at most {n} keys can be tried.").format(n=MAX_KEYS))
    try:
        return tuple(map(Key.parse, texts))
    except ValueError:
        raise UsageFault(_("a key is 32 hexadecimal digits or 16 ASCII characters.")) from None


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
