"""Files written by hand: what is accepted, and that everything else is named for what it is."""

from __future__ import annotations

import codecs
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stationgate import language
from stationgate.exits import UsageFault
from stationgate.textfile import MAX_FILE_BYTES, decode, encoding_of, parse_toml, read_text, read_toml

TEXT = '# 门禁机\n[sample]\nclient = "银川市生态环境局"\n'


def refusal(data: bytes) -> UsageFault:
    with pytest.raises(UsageFault) as refused:
        decode(data, "door.toml")
    return refused.value


class TestEncoding:
    @pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "marked"])
    def test_utf8_is_read(self, tmp_path: Path, mark: bytes) -> None:
        file = tmp_path / "门禁机.toml"
        file.write_bytes(mark + TEXT.encode())
        assert read_text(file) == TEXT
        assert read_toml(file) == {"sample": {"client": "银川市生态环境局"}}

    @pytest.mark.parametrize(
        ("data", "name", "place"),
        [
            (TEXT.encode("gbk"), "GBK", "line 1, byte 2"),
            (f"a = 1\n{TEXT}".encode("gb18030"), "GBK", "line 2, byte 8"),
            ("b = 1\r\nc = '—— 甲、乙'".encode("gbk"), "GBK", "line 2, byte 12"),
            (TEXT.encode("utf-16"), "UTF-16", "line 1, byte 0"),
            (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16", "line 1, byte 0"),
            (TEXT.encode("utf-16-le"), "UTF-16", "line 1, byte 1"),
            (TEXT.encode("utf-16-be"), "UTF-16", "line 1, byte 0"),
            (TEXT.encode("utf-32"), "UTF-32", "line 1, byte 0"),
        ],
    )
    def test_other_encodings_are_refused_by_name(self, data: bytes, name: str, place: str) -> None:
        fault = refusal(data)
        assert fault.message == f"door.toml looks like {name}, expected UTF-8 ({place})"
        assert fault.hint.startswith("save it as UTF-8 in the editor; in PowerShell")

    def test_one_bad_byte_is_no_encoding(self) -> None:
        fault = refusal(TEXT.encode() + b"a = '\xff'\n")
        assert fault.message == f"door.toml is not UTF-8 text (line 4, byte {len(TEXT.encode()) + 5}: 0xFF)"

    def test_latin_letters_are_not_taken_for_chinese(self) -> None:
        assert encoding_of("Müller, Größe, Zürich".encode("latin-1")) == ""

    def test_zero_byte_alone_is_no_utf16(self) -> None:
        assert encoding_of(b"key = 'a\x00'") == "UTF-8"

    def test_nothing_is_text(self) -> None:
        assert decode(b"", "x") == decode(codecs.BOM_UTF8, "x") == ""

    def test_too_large(self, tmp_path: Path) -> None:
        file = tmp_path / "capture.bin"
        file.write_bytes(b" " * MAX_FILE_BYTES)
        assert len(read_text(file)) == MAX_FILE_BYTES
        file.write_bytes(b" " * (MAX_FILE_BYTES + 1))
        with pytest.raises(UsageFault, match=rf"capture\.bin is larger than {MAX_FILE_BYTES} bytes"):
            read_text(file)

    @given(st.binary(max_size=200))
    def test_anything_is_read_or_refused_by_a_usage_fault(self, data: bytes) -> None:
        known = encoding_of(data)
        with nullcontext() if known == "UTF-8" else pytest.raises(UsageFault, match=f"^x .*{known}"):
            assert decode(data, "x").encode() == data.removeprefix(codecs.BOM_UTF8)

    @pytest.mark.parametrize("text", ["", "—— “门禁机” ……", "彧"])
    def test_gbk(self, text: str) -> None:
        assert encoding_of(f"# 现场机、上位机{text}".encode("gbk")) == "GBK"

    @given(st.text(alphabet=st.characters(codec="gb2312", min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=2))
    def test_chinese_in_gbk_is_named_or_happens_to_be_utf8(self, text: str) -> None:
        assert encoding_of(text.encode("gbk")) in ("GBK", "UTF-8")


class TestToml:
    @pytest.mark.parametrize(
        ("text", "place", "hint"),
        [
            ("a = 1\nb = = 2\n", "line 2, column 5: Invalid value", ""),
            ("a = 1\n[door", "line 2, column 6: ", ""),
            ("", "", ""),
            ("a = “x”", "line 1, column 5: Invalid value", '“ comes from a Chinese input method: type "'),
            ("a ＝ 1", "line 1, column 3: ", "＝ comes from a Chinese input method: type ="),
            ("a = [1，2]", "line 1, column 7: ", "， comes from a Chinese input method: type ,"),
            ('a = "C:\\door"', "line 1, column 10: ", "a path with \\ stands in single quotes: 'C:\\door\\photo.jpg'"),
        ],
    )
    def test_place_and_advice(self, text: str, place: str, hint: str) -> None:
        if not place:
            assert parse_toml(text, "door.toml") == {}
            return
        with pytest.raises(UsageFault) as refused:
            parse_toml(text, "door.toml")
        assert refused.value.message.startswith(f"door.toml is no valid TOML at {place}")
        assert "(at " not in refused.value.message
        assert refused.value.hint == hint

    def test_depth_has_a_limit(self) -> None:
        with pytest.raises(UsageFault, match="is no valid TOML"):
            parse_toml("a = " + "[" * 100_000, "deep.toml")

    def test_value_of_a_line_is_not_repeated(self) -> None:
        with pytest.raises(UsageFault) as refused:
            parse_toml('[device]\npw = "s3cr3t\n', "door.toml")
        assert "s3cr3t" not in refused.value.message + refused.value.hint

    def test_missing_file_is_for_the_caller_to_tell(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_encodings_are_named_in_both_languages(lang: language.Language) -> None:
    with language.speaking(lang):
        assert "GBK" in refusal(TEXT.encode("gbk")).message
        assert "UTF-8" in refusal(TEXT.encode("gbk")).hint
