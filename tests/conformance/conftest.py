"""Every test speaks English; runs on virtual time are made once and judged often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from conformance.demo import demo_profile, rehearse
from conformance.plan import Plan, make_plan
from conformance.profile import Profile
from conformance.transcript import Transcript
from stationgate import language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    before = language.current()
    language.activate("en")
    yield
    language.activate(before)


@cache
def demo_run() -> tuple[Profile, Plan]:
    """The profile of the simulated door and the plan for all of it."""
    profile = demo_profile()
    return profile, make_plan(profile)


@cache
def recording(*faults: str) -> Transcript:
    """The run of the whole plan against the simulated door with these faults."""
    profile, plan = demo_run()
    return rehearse(plan, profile, faults, sockets=False)
