"""Bundles sealed once and kept: they verify for ever, and what they were judged stays what they are judged.

A change of a case that changes one of these verdicts changes verdicts that laboratories have signed; it wants a note
in the change log. After that, and after any change of a bundle's own form, make them anew and look at what differs::

    STATIONGATE_GOLDEN=1 pytest tests/conformance/test_bundle_golden.py
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from conformance.bundle import Key, open_bundle, rejudge, verify
from conformance.demo import demo_profile, rehearse
from conformance.plan import make_plan
from conformance.profile import Limits
from conformance.verdicts import Verdict
from stationgate.language import speaking

from .bundles import whole_bundle

FOLDER = Path(__file__).parent / "golden"
#: The key of these two files and of nothing else; it is no secret.
KEY = Key.from_seed(b"golden bundles of these tests..!")
#: File and the faults of its device.
BUNDLES = {"clean.zip": (), "modbus-crc.zip": ("modbus-crc",)}
MAX_BYTES = 400_000
#: Long enough for what a door reports by itself, short enough for a small file.
OBSERVE_S = 4000


@cache
def made(*faults: str) -> bytes:
    """A demo of every case, in Chinese, as a laboratory would file it."""
    usual = demo_profile()
    limits = {**usual.limits, "observe_s": replace(usual.limits["observe_s"], value=OBSERVE_S, origin="profile")}
    profile = replace(usual, limits=Limits(limits))
    plan = make_plan(profile)
    with speaking("zh"):
        return whole_bundle(profile, plan, rehearse(plan, profile, faults, sockets=False), KEY)


if os.environ.get("STATIONGATE_GOLDEN"):
    for _name, _faults in BUNDLES.items():
        (FOLDER / _name).write_bytes(made(*_faults))


@pytest.mark.parametrize("name", BUNDLES)
class TestGolden:
    def test_verifies(self, name: str) -> None:
        found = verify((FOLDER / name).read_bytes(), KEY.fingerprint)
        assert [str(fault) for fault in found.faults] == []
        assert found.signer_trusted

    def test_is_judged_as_it_was(self, name: str) -> None:
        bundle = open_bundle(FOLDER / name)
        judged = rejudge(bundle)
        assert [(change.case, change.before, change.after) for change in judged.changes] == []
        counts = {verdict.value: sum(result.verdict is verdict for result in judged.results) for verdict in Verdict}
        assert counts == bundle.manifest.counts

    def test_is_small(self, name: str) -> None:
        assert (FOLDER / name).stat().st_size < MAX_BYTES


def test_one_is_clean_and_the_other_fails_on_its_crc() -> None:
    clean, failing = (open_bundle(FOLDER / name) for name in BUNDLES)
    assert clean.manifest.counts["FAIL"] == 0
    assert clean.manifest.counts["PASS"] > 40
    assert (clean.manifest.exit_code, failing.manifest.exit_code) == (0, 1)
    assert [case["id"] for case in failing.verdicts["cases"] if case["verdict"] == "FAIL"] == ["access/framing/crc"]


@pytest.mark.parametrize("name", BUNDLES)
def test_making_one_is_reproducible(name: str) -> None:
    """The same run, key and time give the same bytes; only that makes a difference of two files mean something."""
    again = made(*BUNDLES[name])
    made.cache_clear()
    assert made(*BUNDLES[name]) == again
