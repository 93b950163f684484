"""Hypothesis strategies for tests of anything that speaks HJ 212 (extra ``strategies``).

Everything follows the edition's record and the command table, so a changed record changes what is drawn::

    from hypothesis import given
    from hj212 import HJ_212_2017
    from hj212.strategies import damaged_frames, dialogues, frames, messages, streams

    @given(frames(HJ_212_2017))
    def test_my_reader_takes_every_legal_frame(raw: bytes) -> None: ...

    @given(damaged_frames(HJ_212_2017))
    def test_my_reader_says_what_is_wrong(damaged: Damaged) -> None: ...

Examples shrink towards few pairs, the first factor, small numbers and the year 2020.
"""

from __future__ import annotations

try:
    import hypothesis  # noqa: F401  # asked for here so that the error can say what to install
except ImportError as error:
    raise ImportError("hj212.strategies needs Hypothesis: pip install 'stationgate[strategies]'") from error

from .cipher import Encrypted, encrypted_frames, keys
from .content import frames, messages, segments
from .damage import DAMAGES, Damaged, damaged_frames
from .traffic import Dialogue, Stream, Turn, dialogues, noise, streams
from .values import factors, logs, passwords, qns, stations, times

__all__ = [
    "DAMAGES",
    "Damaged",
    "Dialogue",
    "Encrypted",
    "Stream",
    "Turn",
    "damaged_frames",
    "dialogues",
    "encrypted_frames",
    "factors",
    "frames",
    "keys",
    "logs",
    "messages",
    "noise",
    "passwords",
    "qns",
    "segments",
    "stations",
    "streams",
    "times",
]
