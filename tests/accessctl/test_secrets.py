"""What identifies a person is in the records and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessctl import Opening, RecordError, from_json, load, names, read, redacted, to_json, write
from accessctl.model import OtherValues, WireForm

#: Unlike anything else in a frame.
SECRET = "Zq7Wx9Kp"
KEYS = ["DataTime", "PolId", *(row.code for name in names() for row in load(name).codes), "i32011"]
HIDDEN = [key for key in KEYS if key not in ("PolId", "i3310A")]


@pytest.mark.parametrize("suffix", ["-Info", "-Rtd", "-info", "", "-Avg"])
@pytest.mark.parametrize("key", HIDDEN)
@pytest.mark.parametrize("name", names())
def test_a_person_code_in_any_place_is_shown_nowhere(segment, name: str, key: str, suffix: str) -> None:
    text = f"//{SECRET}//" if key in ("i31001", "i3310J", "i41001", "i41002") else SECRET
    field = key if key == "DataTime" else key + suffix
    frame = segment(f"{field}={text};i32001-Info=1;i32001-Flag={SECRET};i3310F-Info=1")
    records = read(frame, load(name))
    for record in records:
        assert SECRET not in repr(record)
        assert SECRET not in repr(record.findings)
        assert SECRET not in str(to_json(redacted(record)))
        assert SECRET not in str(to_json(redacted(record, lambda _: "person-1")))
    with pytest.raises(RecordError) as refused:
        read(frame, load(name), strict=True)
    assert SECRET not in str(refused.value) + repr(vars(refused.value))


@given(code=st.text("abcdef;, &/", min_size=8))
def test_errors_of_writing_do_not_show_a_person_code(code: str) -> None:
    record = Opening(mn="", data_time=None, code=code)
    with pytest.raises(RecordError) as refused:
        write(record, load("nx"), WireForm.INFO)
    assert code not in str(refused.value) + repr(vars(refused.value))


@pytest.mark.parametrize("member", ["code", "data_time", "method", "form", "opened_at"])
def test_errors_of_json_do_not_show_texts(member: str) -> None:
    made = to_json(Opening(mn="", data_time=None, code="7")) | {member: SECRET if member != "code" else [SECRET]}
    with pytest.raises(RecordError) as refused:
        from_json(made)
    assert SECRET not in str(refused.value) + repr(vars(refused.value))


class TestRedaction:
    def test_codes_become_their_stand_ins_and_the_rest_stays(self, read_nx) -> None:
        area = "DataTime=20250915101531;i32004-Info=1;i32005-Info=NX000012;i32006-Info=20250915101530"
        (opening,) = read_nx(area)
        hidden = redacted(opening, lambda code: {"NX000012": "person-1"}[code])
        assert hidden.code == hidden.text("person") == "person-1"
        assert (hidden.method, hidden.opened_at) == (opening.method, opening.opened_at)
        assert hidden.text("method") == "1"
        assert opening.code == "NX000012"

    def test_without_stand_ins_codes_become_asterisks(self, read_nx) -> None:
        (opening,) = read_nx("DataTime=20250915101531;i32005-Info= NX000012")
        assert redacted(opening).code == redacted(opening).text("person") == "***"

    def test_empty_and_absent_codes_name_nobody(self, read_nx) -> None:
        def refuse(code: str) -> str:
            raise AssertionError(code)

        for area, code in (("i32005-Info=", ""), ("i32004-Info=1", None)):
            (opening,) = read_nx(f"DataTime=20250915101531;{area}")
            assert redacted(opening, refuse).code == code

    def test_records_built_by_hand_are_redacted_too(self) -> None:
        by_hand = Opening(mn="", data_time=None, code=SECRET, details=(("card", SECRET),))
        assert SECRET not in str(to_json(redacted(by_hand)))
        assert SECRET not in repr(by_hand)
        other = OtherValues(mn="", data_time=None, values=(("i42003", SECRET),))
        assert SECRET not in str(to_json(redacted(other)))

    def test_what_is_not_personal_stays_readable(self, segment) -> None:
        area = "DataTime=20250915130000;i3310C-Info=7;i3310G-Info=3A7F;i42003-Info=1;i99999-Info=1"
        opening, other = (redacted(record) for record in read(segment(area), load("hebei")))
        assert dict(opening.details) == {"open_type": "7", "card": "***"}
        assert dict(other.values) == {"i42003": "1", "i99999": "***"}
