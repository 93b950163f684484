"""No password and no badge code survives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stationgate.redaction import MASK, Pseudonyms, redact_pw

PASSWORDS = st.text(st.characters(exclude_characters=";,&", exclude_categories=["Cs"]), max_size=30)
BLANKS = st.text(" \t", max_size=3)
KEYS = st.sampled_from(["PW", "NewPW", "pw", "Pw", "newpw", "CN=2011PW", "中PW"])
BEFORE = st.sampled_from(["", "##0136QN=20160801085857223;ST=32;CN=1062;", "CP=&&", "a=1,"])
AFTER = st.sampled_from(["", ";MN=010000A8900016F000169DC0;Flag=5;CP=&&&&", "&&1C80\r\n", ",b=2"])


class TestRedactPw:
    @given(BEFORE, KEYS, BLANKS, BLANKS, PASSWORDS, AFTER)
    def test_any_password_is_replaced_and_nothing_else(
        self, before: str, key: str, left: str, right: str, password: str, after: str
    ) -> None:
        # Blanks at either end of the value are one with those around it.
        head = f"{before}{key}{left}={right}"
        redacted = redact_pw(f"{head}{password}{after}")
        assert redacted.startswith(head)
        assert redacted.endswith(f"{MASK}{after}")
        assert redacted[len(head) : -len(MASK + after)].strip() == ""

    @given(BEFORE, KEYS, PASSWORDS, AFTER)
    def test_bytes_are_treated_like_text(self, before: str, key: str, password: str, after: str) -> None:
        text = f"{before}{key}={password}{after}"
        assert redact_pw(text.encode("utf-8")).startswith(f"{before}{key}=".encode())
        assert redact_pw(text.encode("utf-8")).endswith(f"{MASK}{after}".encode())

    @given(st.text())
    def test_twice_is_once(self, text: str) -> None:
        assert redact_pw(redact_pw(text)) == redact_pw(text)

    @given(st.binary())
    def test_any_bytes_are_accepted(self, data: bytes) -> None:
        assert redact_pw(redact_pw(data)) == redact_pw(data)

    def test_every_password_of_a_frame(self) -> None:
        frame = b"QN=1;ST=32;CN=1072;PW=123456;MN=1;Flag=5;CP=&&PolId=w01018,NewPW=654321;X=1&&"
        assert redact_pw(frame) == b"QN=1;ST=32;CN=1072;PW=***;MN=1;Flag=5;CP=&&PolId=w01018,NewPW=***;X=1&&"

    def test_gbk_text_keeps_its_bytes(self) -> None:
        frame = "PW=秘密;Info=门已开".encode("gbk")
        assert redact_pw(frame) == b"PW=***;Info=" + "门已开".encode("gbk")

    def test_text_without_password_is_untouched(self) -> None:
        assert redact_pw("PWR=12;POWER=3;password") == "PWR=12;POWER=3;password"


CODES = st.text("0123456789ABCDEFabcdef-.*", min_size=1, max_size=12)


class TestPseudonyms:
    def test_names_follow_the_order_of_first_sight(self) -> None:
        people = Pseudonyms()
        assert [people.name(code) for code in ("B", "A", "B", "C")] == ["person-1", "person-2", "person-1", "person-3"]

    def test_an_empty_code_names_nobody(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            Pseudonyms().name("")

    def test_nothing_is_replaced_before_anybody_is_named(self) -> None:
        assert Pseudonyms().replace("card 1") == "card 1"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("卡号12345开门", "卡号person-1开门"),
            ("12345,123456;0012345", "person-1,123456;0012345"),
            ("i32002-Info=12345&&", "i32002-Info=person-1&&"),
            ("A12345 12345A _12345_", "A12345 12345A _person-1_"),
            ("12345-9", "person-2"),
        ],
    )
    def test_only_whole_tokens_are_replaced_and_the_longest_first(self, text: str, expected: str) -> None:
        people = Pseudonyms()
        people.name("12345")
        people.name("12345-9")
        assert people.replace(text) == expected

    def test_a_code_named_later_is_replaced_from_then_on(self) -> None:
        people = Pseudonyms()
        people.name("1")
        assert people.replace("1 2") == "person-1 2"
        people.name("2")
        assert people.replace("1 2") == "person-1 person-2"

    @given(st.lists(CODES, min_size=1, max_size=6))
    def test_no_code_survives_as_a_field(self, codes: list[str]) -> None:
        people = Pseudonyms()
        names = [people.name(code) for code in codes]
        assert people.replace(" ".join(codes)) == " ".join(names)

    def test_repr_shows_no_code(self) -> None:
        people = Pseudonyms()
        people.name("0012345678")
        assert "0012345678" not in repr(people)
