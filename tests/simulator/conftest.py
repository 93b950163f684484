"""Every test starts in English and leaves the process as it found it; those with sockets leave none open."""

from __future__ import annotations

import gc
import gettext
from collections.abc import Iterator

import pytest

from stationgate import language


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("LC_ALL", "LC_MESSAGES", "STATIONGATE_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LANGUAGE", "en")
    domain = gettext.textdomain()
    language.activate("en")
    yield
    language.activate("en")
    gettext.textdomain(domain)


@pytest.fixture(scope="module")
def nothing_left_open() -> Iterator[None]:
    """Let a socket or a transport that was forgotten complain in the module that forgot it."""
    yield
    gc.collect()
