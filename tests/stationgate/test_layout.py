"""Lines fit the screen although Chinese characters take two columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stationgate.layout import Formatter, display_width, pad, wrap

MIXED = st.text(st.sampled_from("ab1 -门开记录，。（）"), max_size=120)


@pytest.mark.parametrize(("text", "width"), [("", 0), ("door", 4), ("门", 2), ("门 A，", 6), ("e\u0301", 1)])
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


def test_pad_counts_columns() -> None:
    assert pad("门", 4) + "|" == "门  |"


@given(MIXED, st.integers(20, 60))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    assert "".join("".join(wrap(text, width)).split()) == "".join(text.split())


@given(st.text(st.sampled_from("ab 门开记录"), max_size=120), st.integers(20, 60))
def test_lines_fit_unless_one_word_does_not(text: str, width: int) -> None:
    assert all(display_width(line) <= width or " " not in line for line in wrap(text, width))


def test_chinese_breaks_between_characters_but_not_before_punctuation() -> None:
    assert wrap("门已经打开，记录已上传。", 10) == ["门已经打", "开，记录已", "上传。"]


def test_an_opening_bracket_stays_with_what_it_opens() -> None:
    assert wrap("设备编号（MN）", 10) == ["设备编号", "（MN）"]


def test_a_long_word_stays_whole() -> None:
    assert wrap("see conformance.example.invalid/profiles here", 12) == [
        "see",
        "conformance.example.invalid/profiles",
        "here",
    ]


def test_definitions_align_by_columns() -> None:
    formatter = Formatter(width=40)
    formatter.write_dl([("门", "door"), ("meter", "电表"), ("x" * 40, "long")])
    assert formatter.getvalue().splitlines() == [
        "门" + " " * 34 + "door",
        "meter" + " " * 31 + "电表",
        "x" * 40,
        " " * 36 + "long",
    ]


def test_a_definition_without_text_is_its_term() -> None:
    formatter = Formatter(width=40)
    formatter.write_dl([("a", ""), ("b", "c")])
    assert formatter.getvalue() == "a\nb  c\n"


def test_paragraphs_stay_apart() -> None:
    formatter = Formatter(width=40)
    formatter.write_text("one\ntwo\n\nthree")
    assert formatter.getvalue() == "one two\n\nthree\n"
