"""What a shard keeps account of while its stations run: counters, the latency of answers, the ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from hdrh.histogram import HdrHistogram

from ..behaviour import Upload
from ..ledger import LedgerWriter
from ..reporter import Reporter

__all__ = ["LATENCY_MAX_MS", "Books", "Latencies", "new_histogram"]

#: Latencies are counted from 1 ms to a day, to three digits; whatever took longer counts as a day.
LATENCY_MAX_MS: Final = 86_400_000
_DIGITS: Final = 3
#: Different latencies that are counted each by itself.
FRESH_MAX: Final = 4096


def new_histogram() -> HdrHistogram:
    """Return an empty histogram of milliseconds. Those of several shards add up without loss."""
    return HdrHistogram(1, LATENCY_MAX_MS, _DIGITS)


class Latencies:
    """How long answers took, in milliseconds: each value is counted by itself, which is quick, then in a histogram."""

    __slots__ = ("_fresh", "_histogram")

    def __init__(self) -> None:
        self._histogram = new_histogram()
        self._fresh: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Count an answer that took so long; what took less than a millisecond took one."""
        ms = round(seconds * 1000) or 1
        self._fresh[ms] = self._fresh.get(ms, 0) + 1
        if len(self._fresh) > FRESH_MAX:
            self._fold()

    def encode(self) -> bytes:
        """Return the histogram of all of them, as bytes that can be added to others."""
        self._fold()
        return bytes(self._histogram.encode())

    def _fold(self) -> None:
        for ms, count in self._fresh.items():
            self._histogram.record_value(min(max(1, ms), LATENCY_MAX_MS), count)
        self._fresh.clear()


class Books:
    """The witness of every station of a shard, and the tally of its cameras.

    What cameras tell is counted and not written down: the ledger holds what an HJ 212 platform must have.

    Args:
        epoch: POSIX seconds of the scenario's start.
        ledger: Where every message is written down; ``None``: nowhere.
        joined_at: Run time from which the shard itself is to blame for what is late: what was due before it began
            is made up for, not late.

    Attributes:
        messages: Messages given to a link, repeats of the link not counted.
        acknowledged: Those that were answered.
        dropped: Those that were given up.
        late_s: The longest time from the instant at which a message was due on a link that was there to its sending.
        faults: How often each fault acted: something went out, was withheld or was done to the link that would not
            have been without it. What the link repeats, byte for byte, does not count again.
        open: Messages that are neither answered nor given up, by the whole second at which they were due.
    """

    def __init__(self, epoch: float, ledger: LedgerWriter | None = None, joined_at: float = 0.0) -> None:
        self.messages = 0
        self.acknowledged = 0
        self.dropped_count = 0
        self.late_s = 0.0
        self.faults: dict[str, int] = {}
        self.open: dict[int, int] = {}
        self.latency = Latencies()
        self.ledger = ledger
        self._epoch = epoch
        self._joined_at = joined_at

    def _ms(self, now: float) -> int:
        return round((self._epoch + now) * 1000)

    def settled_s(self) -> float:
        """Return the run time before which nothing is open: everything was answered or given up."""
        return float(min(self.open)) if self.open else math.inf

    def _settle(self, upload: Upload) -> None:
        second = int(upload.due)
        left = self.open.get(second, 0) - 1
        if left > 0:
            self.open[second] = left
        else:
            self.open.pop(second, None)

    def composed(self, reporter: Reporter, upload: Upload) -> None:
        second = int(upload.due)
        self.open[second] = self.open.get(second, 0) + 1
        if self.ledger is None:
            return
        message = upload.message
        data = bytes(message)
        area = data[data.find(b"CP=&&") + 5 : data.rfind(b"&&")]
        upload.entry = self.ledger.composed(
            message.mn,
            message.qn,
            message.cn,
            message.st,
            message.pno or 0,
            message.pnum or 0,
            self._ms(upload.due),
            upload.kind,
            area,
        )

    def sent(self, reporter: Reporter, upload: Upload, now: float, faults: Sequence[str]) -> None:
        self.messages += 1
        if not upload.message.wants_answer:
            self._settle(upload)
        if upload.tries == 1 and not upload.offline and not upload.delayed and upload.due >= self._joined_at:
            late = now - upload.due
            if late > self.late_s:
                self.late_s = late
        if faults:
            self._count(faults)
        if self.ledger is not None:
            self.ledger.sent(upload.entry, self._ms(now), faults)

    def faulty(self, reporter: Reporter, upload: Upload | None, what: str, now: float, faults: Sequence[str]) -> None:
        self._count(faults)
        if self.ledger is not None:
            entry = -1 if upload is None else upload.entry
            self.ledger.faulty(entry, reporter.identity, self._ms(now), what, faults)

    def on_link(self, identity: str, upload: Upload, name: str, now: float) -> None:
        """Take note of what a fault of the link did to a message, or where one came in between."""
        self._count((name,))
        if self.ledger is not None:
            self.ledger.faulty(upload.entry, identity, self._ms(now), "link", (name,))

    def _count(self, faults: Sequence[str]) -> None:
        for name in faults:
            self.faults[name] = self.faults.get(name, 0) + 1

    def acknowledged_by(self, reporter: Reporter, upload: Upload, now: float) -> None:
        self.acknowledged += 1
        self._settle(upload)
        self.latency.add(now - upload.due)
        if self.ledger is not None:
            self.ledger.acknowledged(upload.entry, self._ms(now))

    def dropped(self, reporter: Reporter, upload: Upload, now: float) -> None:
        self.dropped_count += 1
        self._settle(upload)
        if self.ledger is not None:
            self.ledger.dropped(upload.entry, self._ms(now), "given up")

    # What cameras tell

    def told(self, due: float, now: float) -> None:
        self.messages += 1
        if due >= self._joined_at and now - due > self.late_s:
            self.late_s = now - due

    def answered(self, due: float, now: float) -> None:
        self.acknowledged += 1
        self.latency.add(now - due)
