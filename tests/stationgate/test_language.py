"""Which language is chosen, and that everything follows it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stationgate import language


class TestResolve:
    @pytest.mark.parametrize(
        ("option", "profile", "environ", "expected"),
        [
            ("zh", "en", {"LANG": "en_US.UTF-8"}, "zh"),
            ("en", "zh", {"LANG": "zh_CN.UTF-8"}, "en"),
            (None, "zh", {"LANG": "en_US.UTF-8"}, "zh"),
            (None, "zh-CN", {}, "zh"),
            (None, None, {"LANG": "zh_CN.UTF-8"}, "zh"),
            (None, None, {"LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
            (None, None, {"LC_ALL": "C", "LC_MESSAGES": "zh_CN", "LANG": "zh_CN"}, "en"),
            (None, None, {"LC_ALL": "", "LANG": "zh_CN.GB18030"}, "zh"),
            (None, None, {"LANG": "de_DE.UTF-8"}, "en"),
            ("fr", None, {"LANG": "zh_CN"}, "zh"),
        ],
    )
    def test_option_before_profile_before_locale(
        self, option: str | None, profile: str | None, environ: dict[str, str], expected: str
    ) -> None:
        assert language.resolve(option, profile, environ) == expected

    def test_nothing_known_is_english(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.platform", "linux")
        assert language.resolve(None, None, {}) == "en"

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("Chinese (Simplified)_China", "zh"), ("zh_CN", "zh"), ("German_Germany", "en"), (None, "en")],
    )
    def test_windows_asks_the_c_runtime(self, monkeypatch: pytest.MonkeyPatch, name: str | None, expected: str) -> None:
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setattr("locale.getlocale", lambda: (name, "936"))
        assert language.resolve(None, None, {}) == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["run", "--lang", "zh"], "zh"),
        (["--lang=en", "run"], "en"),
        (["--lang", "en", "run", "--lang=zh"], "zh"),
        (["run"], None),
        (["run", "--lang"], None),
        (["run", "--lang", "fr"], None),
        (["run", "--", "--lang", "zh"], None),
        (["run", "--language", "zh"], None),
    ],
)
def test_peek_finds_the_option_before_parsing(argv: list[str], expected: str | None) -> None:
    assert language.peek(argv) == expected


def test_activated_language_is_spoken() -> None:
    assert (language.current(), language.gettext("Interrupted.")) == ("en", "Interrupted.")
    language.activate("zh")
    assert (language.current(), language.gettext("Interrupted.")) == ("zh", "已中断。")


def test_unknown_and_empty_messages_stay_as_they_are() -> None:
    language.activate("zh")
    assert language.gettext("No such message in the catalogue") == "No such message in the catalogue"
    assert language.gettext("") == ""


def test_a_marked_message_is_translated_where_it_is_shown() -> None:
    marked = language.N_("Interrupted.")
    language.activate("zh")
    assert (marked, language.gettext(marked)) == ("Interrupted.", "已中断。")


def test_plural_forms() -> None:
    forms = ("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)")
    assert [language.ngettext(*forms, n) for n in (1, 2)] == list(forms)
    language.activate("zh")
    assert {language.ngettext(*forms, n) for n in (1, 2)} == {"是否想用 {possibilities}？"}


def test_pick_follows_the_language_and_falls_back_to_the_other_column() -> None:
    assert (language.pick("门", "door"), language.pick("门", "")) == ("door", "门")
    with language.speaking("zh"):
        assert (language.pick("门", "door"), language.pick("", "door")) == ("门", "door")
    assert language.current() == "en"


def test_language_of_a_block_ends_with_it_even_by_an_error() -> None:
    with pytest.raises(KeyError), language.speaking("zh"):
        raise KeyError
    assert language.current() == "en"


def test_choice_does_not_feed_back_through_the_environment() -> None:
    language.activate("zh")
    assert language.resolve() == "en"


def test_catalogue_is_found_from_any_directory(tmp_path: os.PathLike[str]) -> None:
    script = "from stationgate.language import _, activate; activate('zh'); print(_('Options'))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.stdout.strip() == "选项"
