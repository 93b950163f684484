"""What a platform asks, and what comes of it when devices answer, refuse, lose parts or are silent; in virtual time."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, LimitError, LocalProtocolError, Rules
from gb28181.device import Account, Device, Quirks
from gb28181.manscdp import controls, queries
from gb28181.platform import Credential, Platform, Question, QuestionDone, Why
from gb28181.platform.queries import MAX_WAITING
from gb28181.sip import Endpoint

from .examples import CHANNEL, DEVICE, PASSWORD, PLATFORM
from .test_device import WALL_MS, equipment
from .wire import CALM, STORM, Weather, Wire


class Pair:
    """Our platform and our device."""

    def __init__(
        self,
        rules: Rules = GBT_28181_2022,
        weather: Weather = CALM,
        seed: int = 0,
        channels: int = 2,
        quirks: Quirks | None = None,
    ) -> None:
        self.wire = Wire("UDP", weather, seed)
        numbers = count()
        self.platform = Platform(
            Endpoint(random.Random("platform")),
            PLATFORM,
            {DEVICE: Credential(PASSWORD)}.get,
            nonce=lambda: f"nonce{next(numbers)}",
            wall_ms=lambda: WALL_MS,
        )
        self.device = Device(
            Endpoint(random.Random("device")),
            Account(device_id=DEVICE, server_id=PLATFORM, password=PASSWORD),
            rules,
            equipment(channels),
            chance=random.Random(1),
            wall_ms=lambda: WALL_MS,
            quirks=quirks,
        )
        self.done: list[Question] = []
        self.wire.join("platform", self.platform.endpoint, self.step)
        self.wire.join("device", self.device.endpoint, lambda: self.device.step(self.wire.now))
        self.device.start(self.wire.there, self.wire.now)
        self.wire.run(2 if weather is CALM else 120)

    def step(self) -> None:
        self.platform.step(self.wire.now)
        for event in self.platform.events():
            if isinstance(event, QuestionDone):
                self.done.append(event.question)

    def ask(self, body: Any, seconds: float = 3.0) -> Question:
        question = self.platform.ask(DEVICE, body, self.wire.now)
        self.wire.run(seconds)
        return question


def test_questions_of_one_kind_wait_for_each_other_and_all_are_answered() -> None:
    pair = Pair()
    asked = [
        pair.platform.ask(
            DEVICE,
            queries.RecordQuery(device_id=CHANNEL, start_time="2026-01-02T00:00:00", end_time="2026-01-03T00:00:00"),
            pair.wire.now,
        )
        for _ in range(3)
    ]
    pair.wire.run(0.001)
    sent = [data for end, data in pair.wire.sent if end == "platform" and b"RecordInfo" in data]
    assert len(sent) == 1
    pair.wire.run(10)
    assert pair.done == asked
    assert all(one.collected is not None and one.collected.complete for one in asked)
    assert {len(one.collected.items) for one in asked if one.collected} == {24}
    assert len(pair.platform.questions) == 0


def test_a_silent_device_is_told_from_one_that_refuses_and_one_that_is_away() -> None:
    silent = Pair(quirks=Quirks(answer_200_no_response=True))
    assert silent.ask(queries.InfoQuery(device_id=DEVICE), 11).why is Why.SILENT
    assert silent.ask(queries.CatalogQuery(device_id=DEVICE), 31).why is Why.SILENT
    refusing = Pair().ask(queries.InfoQuery(device_id="34020000001310009999"))
    assert (refusing.why, refusing.status) == (Why.REFUSED, 404)
    away = Pair()
    away.wire.deaf.add("device")
    assert away.ask(queries.CatalogQuery(device_id=DEVICE), 33).why in (Why.UNREACHABLE, Why.SILENT)


@pytest.mark.parametrize("quirk", ["sumnum_wrong", "sumnum_missing"])
def test_a_wrong_total_ends_in_silence_with_what_came(quirk: str) -> None:
    pair = Pair(quirks=Quirks.named([quirk]), channels=30)
    question = pair.ask(queries.CatalogQuery(device_id=DEVICE), 20)
    assert question.why is None
    assert question.collected is not None
    assert (len(question.collected.items), question.collected.complete) == (32, False)


def test_a_device_that_leaves_takes_its_questions_along() -> None:
    pair = Pair(quirks=Quirks(answer_200_no_response=True))
    question = pair.ask(queries.InfoQuery(device_id=DEVICE), 1)
    waiting = pair.ask(queries.InfoQuery(device_id=DEVICE), 1)
    pair.device.stop(pair.wire.now)
    pair.wire.run(2)
    assert (question.why, waiting.why) == (Why.GONE, Why.GONE)
    assert len(pair.platform.questions) == 0
    with pytest.raises(LocalProtocolError):
        pair.platform.ask(DEVICE, queries.InfoQuery(device_id=DEVICE), pair.wire.now)


def test_what_the_edition_of_the_device_lacks_cannot_be_asked() -> None:
    pair = Pair(GBT_28181_2016)
    with pytest.raises(LocalProtocolError):
        pair.platform.ask(DEVICE, controls.FormatCard(device_id=DEVICE, card=0), pair.wire.now)


def test_no_more_wait_than_may() -> None:
    pair = Pair(quirks=Quirks(answer_200_no_response=True))
    for _ in range(MAX_WAITING):
        pair.platform.ask(DEVICE, queries.InfoQuery(device_id=DEVICE), pair.wire.now)
    with pytest.raises(LimitError, match="MAX_WAITING"):
        pair.platform.ask(DEVICE, queries.InfoQuery(device_id=DEVICE), pair.wire.now)


@pytest.mark.parametrize("seed", range(6))
def test_in_a_storm_each_question_ends_and_nothing_is_left(seed: int) -> None:
    pair = Pair(weather=STORM, seed=seed, channels=20)
    if DEVICE not in pair.platform.devices:  # its registration drowned: that, too, is an end
        pytest.skip("this seed drowns the registration")
    asked = [
        pair.ask(queries.CatalogQuery(device_id=DEVICE), 0.1),
        pair.ask(queries.InfoQuery(device_id=DEVICE), 0.1),
        pair.ask(controls.RecordControl(device_id=CHANNEL, command="Record"), 0.1),
    ]
    pair.wire.run(120)
    assert set(map(id, asked)) == set(map(id, pair.done))
    assert len(pair.platform.questions) == 0
    pair.device.stop(pair.wire.now)
    pair.wire.run(200)
    assert (pair.platform.endpoint.transactions, pair.device.endpoint.transactions) == (0, 0)
