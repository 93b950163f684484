"""Single values: times, identities, factor codes, measured values, logs, and what each named parameter holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from ..codes import ExeRtn, QnRtn
from ..editions import Rules
from ..tables.fields import fields
from ..tables.flags import data_flags

__all__ = ["factors", "logs", "measured", "parameter_value", "passwords", "qns", "stations", "times"]

#: Factor code, largest value, digits behind the point: COD, flow, pH, ammonia; dust, SO2, NOx, O2, flow of gas, in
#: the numbering of 2017 and where there is one that of 2005. The edition's pattern says which are its own.
_FACTORS: Final = (
    ("w01018", 2000, 1),
    ("w00000", 9999, 2),
    ("w01001", 14, 2),
    ("w21003", 500, 3),
    ("a34013", 500, 3),
    ("a21026", 3000, 2),
    ("a21002", 3000, 2),
    ("a19001", 25, 2),
    ("a00000", 99999, 0),
    ("011", 2000, 1),
    ("B01", 9999, 2),
    ("001", 14, 2),
    ("060", 500, 3),
    ("01", 500, 3),
    ("02", 3000, 2),
    ("03", 3000, 2),
)
_RANGES: Final = {code: (largest, places) for code, largest, places in _FACTORS}
_FIRST_DAY: Final = datetime(2020, 1, 1)
_SECONDS: Final = 15 * 365 * 86400
_LOG_CHARS: Final = "清洗管路校准标定开始结束更换试剂仪器故障已排除abcdefgh0123456789 .-+"
_LOG_SIGNS: Final = ";,=#&/"
_ALPHANUMERIC: Final = "0123456789ABCDEFabcdef"


def times() -> st.SearchStrategy[str]:
    """Times of 14 digits, ``YYYYMMDDhhmmss``, of the calendar, from 2020 to 2034."""
    return st.integers(0, _SECONDS).map(_written_time)


def qns() -> st.SearchStrategy[str]:
    """Request ids: a time of 14 digits and three of milliseconds."""
    return st.builds(lambda time, ms: f"{time}{ms:03d}", times(), st.integers(0, 999))


def stations(rules: Rules) -> st.SearchStrategy[str]:
    """Identities of stations (MN) in the edition's form."""
    return st.from_regex(rules.mn_pattern, fullmatch=True)


def passwords(rules: Rules) -> st.SearchStrategy[str]:
    """Passwords (PW) of the edition's full length."""
    size = rules.max_password_chars
    return st.text("0123456789", min_size=size, max_size=size)


def factors(rules: Rules) -> st.SearchStrategy[str]:
    """Codes of pollutants (污染因子编码) that stations commonly report, in the edition's numbering."""
    return st.sampled_from([code for code, _, _ in _FACTORS if re.fullmatch(rules.factor_pattern, code)])


def measured(factor: str) -> st.SearchStrategy[str]:
    """Values of a factor as a station prints them, with its digits behind the point and trailing zeros."""
    largest, places = _RANGES.get(factor, (9999, 2))
    return st.integers(0, largest * 10**places).map(lambda number: f"{number / 10**places:.{places}f}")


def logs(max_chars: int = 40) -> st.SearchStrategy[str]:
    """Logs (操作日志) between ``//``, in Chinese; signs that separate elsewhere may stand inside."""
    text = st.one_of(
        st.text(_LOG_CHARS, min_size=1, max_size=max_chars),
        st.text(_LOG_CHARS + _LOG_SIGNS, min_size=1, max_size=max_chars).filter(_one_log),
    )
    return text.map(lambda words: f"//{words}//")


def parameter_value(name: str, rules: Rules) -> st.SearchStrategy[str]:
    """Values of a parameter of the data area by its name, e.g. ``"OverTime"`` or ``"w01018-Rtd"``."""
    factor, hyphen, suffix = name.rpartition("-")
    if hyphen:
        return _suffixed_value(factor, "-" + suffix, rules)
    row = fields().get(name)
    if row is not None and row.format == "time":
        return times()
    if name in _PARAMETERS:
        return _PARAMETERS[name](rules)
    return st.integers(0, 9999).map(str)


def _suffixed_value(factor: str, suffix: str, rules: Rules) -> st.SearchStrategy[str]:
    row = fields().get(suffix)
    if row is not None and row.format == "time":
        return times()
    if row is not None and row.format == "data-flag":
        return st.sampled_from(sorted(data_flags(rules.edition), key=lambda flag: flag != "N"))
    return logs() if suffix == "-Info" else measured(factor)


def _numbers(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def _characters(size: int) -> st.SearchStrategy[str]:
    return st.text(_ALPHANUMERIC, min_size=size, max_size=size)


#: Parameters with a shape of their own; the others are a small number.
_PARAMETERS: Final[dict[str, Callable[[Rules], st.SearchStrategy[str]]]] = {
    "OverTime": lambda rules: _numbers(*rules.overtime_range_s),
    "ReCount": lambda rules: _numbers(*rules.recount_range),
    "RtdInterval": lambda rules: _numbers(*rules.realtime_interval_range_s),
    "MinInterval": lambda rules: st.sampled_from(rules.minute_intervals or (10,)).map(str),
    "QnRtn": lambda _: st.sampled_from(QnRtn).map(lambda code: str(int(code))),
    "ExeRtn": lambda _: st.sampled_from(ExeRtn).map(lambda code: str(int(code))),
    "NewPW": passwords,
    "PolId": factors,
    "InfoId": lambda _: st.sampled_from(["i11001", "i12001", "i13004"]),
    "CstartTime": lambda _: times().map(lambda time: time[8:]),
    "Ctime": lambda _: _numbers(1, 24),
    "CTime": lambda _: st.integers(0, 23).map("{:02}".format),
    "AlarmType": lambda _: _numbers(0, 1),
    "CalibrationType": lambda _: _numbers(0, 1),
    "Stime": lambda _: _numbers(1, 120),
    "VaseNo": lambda _: _numbers(1, 24),
    "SKCreateTime": lambda _: qns(),
    "NewSK": lambda _: _characters(16),
}


def _written_time(seconds: int) -> str:
    return (_FIRST_DAY + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S")


def _one_log(words: str) -> bool:
    """Whether the words hold nothing that ends a log, a data area or a frame."""
    return "//" not in words and "&&" not in words and not words.startswith("/") and not words.endswith("/")
