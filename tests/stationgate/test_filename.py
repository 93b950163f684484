"""Names of files that are made up: fit for Windows, macOS and Linux, Chinese kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stationgate.filename import MAX_NAME_BYTES, safe_name

RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{p}{n}" for p in ("COM", "LPT") for n in "0123456789")}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("银川 报告", "银川 报告"),
        ("access/framing/crc", "access-framing-crc"),
        ("2025-09-15T10:15:30", "2025-09-15T10-15-30"),
        ('a:b*c?d"e<f>g|h\\i', "a-b-c-d-e-f-g-h-i"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("line\nbreak\x00\x7f", "line-break--"),
        ("\u202egnp.exe", "-gnp.exe"),
        ("v1.2.", "v1.2"),
        (" padded . ", "padded"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("CONSOLE", "CONSOLE"),
        ("com10", "com10"),
        ("LPT³", "_LPT³"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("\udc80", "-"),
        ("é", "é"),
    ],
)
def test_examples(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(st.text(max_size=300))
@example("NUL." + "x" * 300)
@example("a" * (MAX_NAME_BYTES - 1) + ". b")
@example("\u0344" * 200)
def test_name_is_safe_whatever_the_text(text: str) -> None:
    name = safe_name(text)
    assert name
    assert not re.search(r'[\x00-\x1f/\\:*?"<>|]', name)
    assert name == name.strip(" .")
    assert len(name.encode("utf-8")) <= MAX_NAME_BYTES
    assert name.partition(".")[0].rstrip().upper() not in RESERVED
    assert safe_name(name) == name


@given(st.text(alphabet=st.characters(codec="gb2312", min_codepoint=0x4E00), min_size=1, max_size=MAX_NAME_BYTES // 3))
def test_chinese_is_kept(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize("text", ["报告：门禁机/一号?", "a" * 400, "门" * 200, "nul"])
def test_file_system_takes_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / f"{safe_name(text)}.html"
    file.write_text("x", encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]
