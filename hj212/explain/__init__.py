"""What is wrong with a frame and what would have matched (HJ 212-2017 6.3, Annex A).

:func:`examine` names every departure it finds as a :class:`hj212.deviations.Deviation`; it judges none. Whether a
lower-case check value or a missing field matters is for the caller to say. Any bytes will do, nothing raises.

The order of questions: where does the segment really start and end, does the length field say so, does the check
value match, is it text, are the header fields there, in order and well-formed, is the data area. Each has its module,
which yields what it finds and needs nothing that another has found:

* :mod:`.outline` where the parts are; :mod:`.frame` around the segment; :mod:`.text` the segment as a whole
* :mod:`.separators` the header taken apart; :mod:`.header` which fields there are; :mod:`.fields` what they hold
* :mod:`.cipher` an encrypted data area; :mod:`.area` the data area; :mod:`.pairs` each pair of it
* :mod:`.listed` what the tables do not have, which no rule forbids: :func:`remarks`
* :mod:`.signs` stray signs, also in the header
* :mod:`.part` text with its place; :mod:`.note` a deviation about it; :mod:`.names` the names of the table
* :mod:`.quote` the place of a deviation, for people to see
"""

from __future__ import annotations

from ..deviations import Deviation
from ..editions import Rules
from ..framing import Frame
from .area import examine_area
from .cipher import examine_encryption
from .fields import examine_fields
from .frame import examine_frame
from .header import declared_rules, examine_header, read_header
from .listed import examine_listed
from .note import MAX_SHOWN_CHARS
from .outline import Outline
from .pairs import MAX_LOG_BYTES
from .quote import point_out
from .text import examine_sizes, examine_text

__all__ = ["MAX_LOG_BYTES", "MAX_SHOWN_CHARS", "examine", "point_out", "readable_segment", "remarks"]


def examine(frame: Frame, rules: Rules) -> list[Deviation]:
    """Return every deviation of a frame, ordered by place; an empty list for a frame without any.

    Args:
        frame: Any frame, intact or damaged.
        rules: The edition expected. A frame whose Flag declares another, or that has no Flag and otherwise the form of
            an edition without, is examined by that one's rules, and it is said (``edition-other``).
    """
    outline = Outline.of(frame)
    header = read_header(outline)
    declared = declared_rules(outline, header, rules)
    encrypted = list(examine_encryption(outline, declared))
    found = [
        *(encrypted or (*examine_frame(outline), *examine_text(outline))),
        *examine_header(outline, header, declared, rules),
        *examine_fields(outline, header, declared),
        *examine_sizes(outline, declared),
        *(() if encrypted else examine_area(outline, declared)),
    ]
    return sorted(found, key=lambda deviation: deviation.offset)


def remarks(frame: Frame, rules: Rules) -> list[Deviation]:
    """Return what the tables of the edition do not have, or have otherwise, ordered by place.

    None of it is a departure: systems and factors are open lists, formats of values are defaults. Nothing is said of
    what is encrypted.

    Args:
        frame: Any frame, intact or damaged.
        rules: As in :func:`examine`.
    """
    outline = Outline.of(frame)
    header = read_header(outline)
    declared = declared_rules(outline, header, rules)
    if any(examine_encryption(outline, declared)):
        return []
    return sorted(examine_listed(outline, header, declared), key=lambda remark: remark.offset)


def readable_segment(frame: Frame) -> bytes:
    """Return the data segment as well as it can be made out.

    It is :attr:`Frame.segment`, except behind a length field of another size than four characters, and in a frame
    cut off, where nothing is a check value.
    """
    return Outline.of(frame).segment
