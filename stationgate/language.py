"""The language of everything a person reads: Chinese or English, from one gettext catalogue.

Message ids are the English text. The language is decided once, before the commands are built, so that help
texts, click's own words and errors all come out in it.
"""

from __future__ import annotations

import gettext as _gettext
import locale
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, get_args

__all__ = [
    "DOMAIN",
    "LANGUAGES",
    "LOCALE_DIR",
    "N_",
    "Language",
    "_",
    "activate",
    "current",
    "gettext",
    "ngettext",
    "peek",
    "pick",
    "resolve",
    "speaking",
]

Language = Literal["zh", "en"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DOMAIN: Final = "stationgate"
LOCALE_DIR: Final = Path(__file__).parent / "locale"

_current: Language = "en"
_catalogue: _gettext.NullTranslations = _gettext.NullTranslations()


def resolve(
    option: str | None = None, profile_language: str | None = None, environ: Mapping[str, str] = os.environ
) -> Language:
    """Return the language to use: the option's, else the profile's, else the locale's, else English.

    Args:
        option: The value of ``--lang``. A value that names neither language counts as absent.
        profile_language: What the declared profile asks for, as ``zh``, ``zh-CN`` or ``en``.
        environ: Where ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` are read. The first that is set decides, so
            ``LC_ALL=C`` means English whatever ``LANG`` says.
    """
    return _language_of(option) or _language_of(profile_language) or _language_of(_locale_tag(environ)) or "en"


def peek(argv: Sequence[str]) -> Language | None:
    """Return the language that ``--lang zh`` or ``--lang=zh`` asks for, before click has parsed anything.

    The last one given wins, as in click. Nothing after ``--`` is an option. A wrong value is ignored here and
    reported by click later.
    """
    found: Language | None = None
    for index, word in enumerate(argv):
        if word == "--":
            break
        if word == "--lang":
            value = argv[index + 1] if index + 1 < len(argv) else ""
        elif word.startswith("--lang="):
            value = word.removeprefix("--lang=")
        else:
            continue
        found = next((language for language in LANGUAGES if language == value), None)
    return found


def activate(language: Language) -> None:
    """Make ``language`` the language of this process, click's own words included.

    Click takes its words from the process-wide gettext domain, which finds its language in ``LANGUAGE``; both are
    set here. :func:`resolve` does not read ``LANGUAGE``, so this never feeds back.
    """
    global _current, _catalogue
    _current = language
    _catalogue = _gettext.translation(DOMAIN, LOCALE_DIR, languages=[language], fallback=True)
    os.environ["LANGUAGE"] = language
    _gettext.bindtextdomain(DOMAIN, LOCALE_DIR)
    _gettext.textdomain(DOMAIN)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Use ``language`` inside a ``with`` block, for example for a report in another language than the console's."""
    before = _current
    activate(language)
    try:
        yield
    finally:
        activate(before)


def current() -> Language:
    """Return the active language."""
    return _current


def gettext(message: str) -> str:
    """Return ``message`` in the active language."""
    return _catalogue.gettext(message) if message else ""  # the entry of "" is the catalogue's header


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the form for the number ``n`` in the active language."""
    return _catalogue.ngettext(singular, plural, n)


def N_(message: str) -> str:
    """Mark a message for the catalogue where it is defined; ``gettext(message)`` translates it where it is shown."""
    return message


def pick(zh: str, en: str) -> str:
    """Return the text of a bilingual data row in the active language, or the other where that one is empty."""
    return (zh or en) if _current == "zh" else (en or zh)


_ = gettext


def _language_of(tag: str | None) -> Language | None:
    """Map a locale or language tag to a language: ``zh_CN.UTF-8``, ``zh-CN``, ``Chinese (Simplified)_China``."""
    lowered = (tag or "").strip().lower()
    if lowered.startswith(("zh", "chinese")):
        return "zh"
    return "en" if lowered.startswith("en") else None


def _locale_tag(environ: Mapping[str, str]) -> str | None:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(variable):
            return environ[variable]
    # Windows sets none of them; there the C runtime's locale is the user's.
    return locale.getlocale()[0] if sys.platform == "win32" else None
