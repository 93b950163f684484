"""The Chinese catalogue is complete and compiled, and the tool that says so can say no."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("stationgate/locale/zh/LC_MESSAGES")


def catalogue(command: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "tools" / "catalogue.py"), command],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        timeout=120,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the shared package and the tool, whose catalogue is current."""
    shutil.copytree(ROOT / "stationgate", tmp_path / "stationgate")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "pyproject.toml").write_text('[tool.setuptools]\npackages = ["stationgate"]\n', "utf-8")
    assert catalogue("update", tmp_path).returncode == 0
    return tmp_path


def test_catalogue_is_current() -> None:
    done = catalogue("check")
    assert done.returncode == 0, done.stderr


def test_check_accepts_a_catalogue_just_updated(project: Path) -> None:
    done = catalogue("check", project)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_rejects_a_message_that_is_not_in_the_catalogue(project: Path) -> None:
    (project / "stationgate" / "new.py").write_text('_("Nobody translated this.")\n', "utf-8")
    done = catalogue("check", project)
    assert done.returncode == 1
    assert "not in the catalogue: 'Nobody translated this.'" in done.stderr


def test_check_rejects_a_message_left_empty_by_update(project: Path) -> None:
    (project / "stationgate" / "new.py").write_text('_("Nobody translated this.")\n', "utf-8")
    assert catalogue("update", project).returncode == 0
    done = catalogue("check", project)
    assert done.returncode == 1
    assert "untranslated: 'Nobody translated this.'" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('msgstr "已中断。"', 'msgstr "中断了。"', "is not compiled from the .po file"),
        ('msgid "Interrupted."', '#, fuzzy\nmsgid "Interrupted."', "fuzzy: 'Interrupted.'"),
        ("意外的 {exception}。", "意外。", "placeholders differ: 'unexpected {exception}.'"),
        ('msgid "Interrupted."', 'msgid "Stopped."', "no longer in the code: 'Stopped.'"),
    ],
)
def test_check_rejects(project: Path, old: str, new: str, finding: str) -> None:
    po = project / FOLDER / "stationgate.po"
    text = po.read_text("utf-8")
    assert old in text
    po.write_text(text.replace(old, new), "utf-8")
    done = catalogue("check", project)
    assert done.returncode == 1
    assert finding in done.stderr


def test_update_changes_nothing_when_there_is_nothing_new(project: Path) -> None:
    before = {file.name: file.read_bytes() for file in (project / FOLDER).iterdir()}
    assert catalogue("update", project).returncode == 0
    assert {file.name: file.read_bytes() for file in (project / FOLDER).iterdir()} == before
