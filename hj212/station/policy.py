"""What a station's operator decides: how to upload, what to answer, what to ask for, and the limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..connection import MAX_OUTSTANDING

__all__ = ["Policy"]

#: Exchanges besides uploads that may wait at a time: a history record, 1001, 1013, 1014, 9015.
OTHERS: Final = 8
#: New uploads that wait for their turn; beyond it the oldest of them waits in the outbox.
MAX_WAITING: Final = 256
#: Answered requests that are recognised when they come again.
MAX_REMEMBERED: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a station behaves towards its platform. Times are in seconds.

    Raises:
        ValueError: If more uploads may wait for their answer than a connection allows, or a rate is not positive.
    """

    # Uploads

    #: Whether uploads ask for 9014 and are kept until it comes. Without it they are gone when they are written.
    acknowledged: bool = True
    in_flight: int = 4  #: new uploads that wait for their 9014 at a time
    back_fill_in_flight: int = 1  #: the same for stored ones
    back_fill_per_s: float = 5.0  #: stored uploads sent in a second
    back_fill_pause_s: float = 60.0  #: after an upload stayed without an answer, unless another gets one
    max_waiting: int = MAX_WAITING
    #: Unanswered messages in a row, each sent ReCount times again, after which the link counts as unusable.
    unanswered_limit: int = 1
    #: Whether 2012 and 2022 stop uploads of 2011 and 2021; a station that reports regardless has ``False``.
    stops: bool = True
    announce_restart: bool = True  #: whether 2081 is sent after power-on

    # Answers

    answer_unasked: bool = True  #: whether a request with bit A clear gets 9011 too, as every flow shows it
    check_pw: bool = True  #: refuse another PW (QnRtn 3)
    check_mn: bool = True  #: refuse another MN (QnRtn 4)
    check_st: bool = True  #: refuse another ST (QnRtn 5)
    #: Refuse what the edition does not have (QnRtn 8). Otherwise it goes to the ``operate`` of the station's site.
    refuse_foreign: bool = True
    max_queued: int = 0  #: long requests that wait for another one to end; the next is refused (QnRtn 2)
    repeat_s: float = 600.0  #: how long a request is recognised when it comes again
    max_remembered: int = MAX_REMEMBERED
    #: Whether records of a time range repeat the request's QN; ``None``: as the edition's packets do. A 9014 that
    #: arrives twice then passes for that of the next record.
    records_repeat_qn: bool | None = None
    #: Whether records sent because the platform asked for them carry RF. No source tells.
    records_as_back_fill: bool = False
    records_per_s: float = 50.0  #: unacknowledged records sent in a second
    own_clock: bool = True  #: whether 1012 moves the station's own reckoning; otherwise ``operate`` sets the clock

    # Enrolment and upkeep

    registration_s: float = 60.0  #: how long to wait for 1002 before 1001 is sent again
    registration_st: str = "91"  #: 系统编码 of 1001; one source only
    renew_key_days: float = 5.0  #: how long before its end a key is asked to be replaced
    renew_key_s: float = 3600.0  #: how long to wait for a key asked for before it is asked for again
    clear_key: bool = False  #: whether a first key is taken that came unencrypted
    heartbeat_s: float = 60.0  #: silence of the platform after which it is asked; no edition gives a period
    calibrate_s: float | None = None  #: period of 1013, also at each connection; ``None``: never

    def __post_init__(self) -> None:
        if self.in_flight < 1 or self.back_fill_in_flight < 1:
            raise ValueError("in_flight and back_fill_in_flight: expected at least 1")
        if self.in_flight + self.back_fill_in_flight + OTHERS > MAX_OUTSTANDING:
            raise ValueError(f"in_flight and back_fill_in_flight: together at most {MAX_OUTSTANDING - OTHERS}")
        if min(self.back_fill_per_s, self.records_per_s) <= 0:
            raise ValueError("back_fill_per_s and records_per_s: expected more than 0")
