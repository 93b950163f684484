"""Calls, broadcasts and subscriptions between our platform and our device, in virtual time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, LocalProtocolError, Rules, mansrtsp, sdp
from gb28181.device import CallEnded, CallStarted, Quirks, Subscribed, Unsubscribed
from gb28181.manscdp import notifies, queries
from gb28181.manscdp.items import CatalogItem, PositionItem
from gb28181.platform import (
    CallChanged,
    CallControlled,
    CallState,
    Catalog,
    CatalogChanged,
    NoticeReceived,
    QuestionDone,
    SubscriptionChanged,
)

from .examples import CHANNEL, DEVICE, PLATFORM
from .test_device import ALARM_INPUT, VOICE
from .test_questions import Pair
from .wire import STORM

LOCAL = ("192.0.2.10", 30000)
PERIOD = (1767294000, 1767294100)


class Both(Pair):
    """Notes what either side tells."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.seen: list[Any] = []
        self.told: list[Any] = []
        super().__init__(*args, **options)
        self.wire.join("device", self.device.endpoint, self.step_device)

    def step(self) -> None:
        self.platform.step(self.wire.now)
        for event in self.platform.events():
            self.seen.append(event)
            if isinstance(event, QuestionDone):
                self.done.append(event.question)

    def step_device(self) -> None:
        self.device.step(self.wire.now)
        self.told += self.device.events()

    def of(self, kind: type) -> list[Any]:
        return [event for event in (*self.seen, *self.told) if isinstance(event, kind)]

    def invite(self, session: sdp.Session = sdp.Session.PLAY, code: str = CHANNEL, **options: Any) -> Any:
        device = self.platform.device(DEVICE)
        if session.history:
            options.setdefault("period", PERIOD)
        call = self.platform.calls.invite(device, code, session, LOCAL, self.wire.now, **options)
        self.wire.run(2)
        return call

    def rest(self) -> None:
        self.device.stop(self.wire.now)
        self.wire.run(300)
        for endpoint in (self.platform.endpoint, self.device.endpoint):
            assert (endpoint.transactions, endpoint.calls, endpoint.subscriptions) == (0, 0, 0)
        assert (len(self.platform.calls), len(self.platform.subscriptions)) == (0, 0)
        assert len(self.platform.calls.ssrcs) == 0


@pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)
@pytest.mark.parametrize("setup", [None, sdp.Setup.PASSIVE, sdp.Setup.ACTIVE])
@pytest.mark.parametrize("session", [sdp.Session.PLAY, sdp.Session.PLAYBACK, sdp.Session.DOWNLOAD])
def test_a_call_of_each_kind_opens_and_ends(rules: Rules, setup: sdp.Setup | None, session: sdp.Session) -> None:
    pair = Both(rules)
    call = pair.invite(session, setup=setup)
    assert call.state is CallState.OPEN
    assert call.ssrc[0] == ("1" if session.history else "0")
    assert call.ssrc[1:6] == PLATFORM[3:8]
    assert call.remote_ssrc == int(call.ssrc) == pair.of(CallStarted)[0].call.rtp_ssrc
    pair.platform.calls.hang_up(call, pair.wire.now)
    pair.wire.run(1)
    assert call.state is CallState.ENDED
    assert len(pair.of(CallChanged)) == 2
    assert len(pair.of(CallEnded)) == 1
    pair.rest()


def test_a_refused_call_says_by_what() -> None:
    pair = Both()
    call = pair.invite(code="34020000001310009999")
    assert (call.state, call.why) == (CallState.ENDED, "404")
    with pytest.raises(LocalProtocolError):
        pair.invite(sdp.Session.PLAYBACK, period=(0, 0))
    with pytest.raises(LocalProtocolError):
        pair.invite(sdp.Session.TALK)
    pair.rest()


def test_an_invite_that_nobody_answers_ends() -> None:
    pair = Both()
    pair.wire.deaf.add("device")
    call = pair.invite()
    pair.wire.run(60)
    assert (call.state, call.why) == (CallState.ENDED, "timeout")
    assert len(pair.platform.calls) == 0


@pytest.mark.parametrize("quirk", ["ssrc_other", "y_missing", "y_stripped_zero"])
def test_the_ssrc_of_the_answer_counts_where_it_tells_one(quirk: str) -> None:
    pair = Both(quirks=Quirks.named([quirk]))
    call = pair.invite()
    assert call.remote_ssrc == int(call.ssrc)


@pytest.mark.parametrize("quirk", [[], ["mediastatus_out_of_dialog"], ["bye_then_481"]])
def test_a_playback_is_controlled_and_ended_at_the_end_of_its_file(quirk: list[str]) -> None:
    pair = Both(quirks=Quirks.named(quirk))
    call = pair.invite(sdp.Session.PLAYBACK)
    faster = mansrtsp.Request(mansrtsp.Method.PLAY, 2, scale=Decimal(4))
    pair.platform.calls.control(call, faster, pair.wire.now)
    pair.wire.run(1)
    (controlled,) = pair.of(CallControlled)
    assert (controlled.request, controlled.status, controlled.answer.status) == (faster, 200, 200)
    pair.wire.run(60)
    assert call.state is CallState.ENDED
    assert call.file_ended
    with pytest.raises(LocalProtocolError):
        pair.platform.calls.control(call, faster, pair.wire.now)
    pair.rest()


def test_a_broadcast_is_announced_called_for_and_ended() -> None:
    pair = Both()
    question = pair.platform.broadcast(DEVICE, VOICE, PLATFORM, LOCAL, pair.wire.now)
    pair.wire.run(2)
    assert question.answer is not None
    assert question.answer.result == "OK"  # type: ignore[attr-defined]
    (changed,) = pair.of(CallChanged)
    call = changed.call
    assert (call.incoming, call.state, call.channel_id) == (True, CallState.OPEN, PLATFORM)
    started = pair.of(CallStarted)[0].call
    assert (started.remote, started.channel_id) == (LOCAL, VOICE)
    pair.platform.calls.hang_up(call, pair.wire.now)
    pair.wire.run(2)
    assert call.state is CallState.ENDED
    pair.rest()


def test_a_device_that_goes_takes_calls_and_subscriptions_along() -> None:
    pair = Both()
    call = pair.invite()
    device = pair.platform.device(DEVICE)
    pair.platform.subscriptions.subscribe(device, queries.AlarmQuery(device_id=DEVICE), 600, pair.wire.now)
    pair.wire.run(2)
    pair.device.registration.stop(pair.wire.now)
    pair.wire.run(40)
    assert call.state is CallState.ENDED
    assert len(pair.platform.subscriptions) == 0


def test_subscriptions_are_granted_refreshed_told_and_given_up() -> None:
    pair = Both()
    now, device = pair.wire.now, pair.platform.device(DEVICE)
    pair.device.equipment.channels[CHANNEL].position = PositionItem(
        device_id=CHANNEL, captured="2026-01-02T03:04:05", longitude=Decimal("117.1"), latitude=Decimal("31.8")
    )
    alarms = pair.platform.subscriptions.subscribe(device, queries.AlarmQuery(device_id=DEVICE), 60, now)
    places = pair.platform.subscriptions.subscribe(
        device, queries.PositionQuery(device_id=DEVICE, interval_s=5), 60, now
    )
    pair.wire.run(200)
    assert (alarms.granted, places.granted) == (True, True)
    assert len([event for event in pair.of(Subscribed) if event.refresh]) >= 6
    assert not pair.of(Unsubscribed)
    pair.device.raise_alarm(ALARM_INPUT, pair.wire.now)
    pair.wire.run(1)
    bodies = [event.body for event in pair.of(NoticeReceived)]
    assert len([body for body in bodies if isinstance(body, notifies.PositionNotice)]) >= 40
    assert any(isinstance(body, notifies.AlarmNotice) for body in bodies)
    for subscription in (alarms, places):
        pair.platform.subscriptions.end(subscription, pair.wire.now)
    pair.wire.run(2)
    assert [event.reason for event in pair.of(Unsubscribed)] == ["peer", "peer"]
    assert not alarms.granted
    assert len(pair.of(SubscriptionChanged)) == 4
    pair.rest()


def test_the_catalog_is_replaced_by_an_answer_and_changed_by_notices() -> None:
    pair = Both()
    pair.ask(queries.CatalogQuery(device_id=DEVICE))
    catalog = pair.platform.catalogs[DEVICE]
    assert [item.device_id for item in catalog] == list(pair.device.equipment.channels)
    device = pair.platform.device(DEVICE)
    pair.platform.subscriptions.subscribe(device, queries.CatalogQuery(device_id=DEVICE), 600, pair.wire.now)
    pair.wire.run(2)
    pair.device.catalog_changed([CatalogItem(device_id=CHANNEL, event="OFF")], pair.wire.now)
    pair.wire.run(2)
    item = catalog.get(CHANNEL)
    assert item is not None
    assert item.status == "OFF"
    assert pair.of(CatalogChanged)[-1].codes == (CHANNEL,)
    pair.rest()


def test_the_tree_has_parents_groups_and_no_rings() -> None:
    catalog = Catalog(DEVICE)
    group, upper, lower = "34020000002150000001", "34020000002160000001", "34020000002160000002"
    catalog.replace(
        [
            CatalogItem(device_id=group, parent_id=DEVICE),
            CatalogItem(device_id=upper, business_group=group),
            CatalogItem(device_id=lower, parent_id=upper, business_group=group),
            CatalogItem(device_id=CHANNEL, parent_id=f"{DEVICE}/{lower}"),
            CatalogItem(device_id=VOICE, parent_id="3402000000"),
        ]
    )
    assert catalog.parents(CHANNEL) == (DEVICE, lower)
    assert catalog.parents(upper) == (group,)
    assert catalog.parents(VOICE) == (DEVICE,)
    assert [item.device_id for item in catalog.children(DEVICE)] == [group, CHANNEL, VOICE]
    assert [item.device_id for item in catalog.below(group)] == [upper, lower, CHANNEL]
    assert catalog.change([CatalogItem(device_id=VOICE, event="DEL "), CatalogItem(device_id=VOICE, event="OFF")]) == [
        VOICE
    ]
    catalog.change([CatalogItem(device_id=upper, event="UPDATE", parent_id=lower)])
    assert {item.device_id for item in catalog.below(upper)} == {lower, CHANNEL}


@pytest.mark.parametrize("seed", range(6))
def test_in_a_storm_calls_and_subscriptions_end_and_nothing_is_left(seed: int) -> None:
    pair = Both(weather=STORM, seed=seed)
    if DEVICE not in pair.platform.devices:
        pytest.skip("this seed drowns the registration")
    device = pair.platform.device(DEVICE)
    pair.platform.subscriptions.subscribe(device, queries.PositionQuery(device_id=DEVICE), 60, pair.wire.now)
    pair.platform.broadcast(DEVICE, VOICE, PLATFORM, LOCAL, pair.wire.now)
    pair.invite(sdp.Session.PLAYBACK)
    live = pair.invite()
    pair.wire.run(200)
    pair.platform.calls.hang_up(live, pair.wire.now)
    for call in pair.platform.calls:
        pair.platform.calls.hang_up(call, pair.wire.now)
    pair.wire.run(100)
    pair.rest()


BROKEN = [
    (b"Contact: <sip:", b"Contact: <nobody ", ""),
    (b"Contact: <sip:", b"Contact: sip:,", ""),
    (b"Expires: 60", b"Expires: soon", ""),
    (b"To: <sip:", b"To: <nobody ", "unusable"),
]


def answering(old: bytes, new: bytes, method: bytes) -> Both:
    """A pair whose device writes a header of a 200 in a way of its own."""
    pair = Both()

    def written(end: str, data: bytes) -> bytes:
        ours = end == "device" and data.startswith(b"SIP/2.0 200") and b" " + method in data
        return data.replace(old, new) if ours else data

    pair.wire.mangle = written
    return pair


@pytest.mark.parametrize(("old", "new", "why"), [row for row in BROKEN if b"Expires" not in row[0]])
def test_a_call_whose_answer_cannot_be_read_opens_or_ends(old: bytes, new: bytes, why: str) -> None:
    pair = answering(old, new, b"INVITE")
    call = pair.invite()
    pair.wire.run(100)
    assert (call.state, call.why) == ((CallState.ENDED, why) if why else (CallState.OPEN, ""))
    pair.platform.calls.hang_up(call, pair.wire.now)
    pair.wire.run(100)
    assert (len(pair.platform.calls), len(pair.platform.calls.ssrcs), pair.platform.endpoint.calls) == (0, 0, 0)


@pytest.mark.parametrize(("old", "new", "why"), BROKEN)
def test_a_subscription_whose_answer_cannot_be_read_goes_on_or_ends(old: bytes, new: bytes, why: str) -> None:
    pair = answering(old, new, b"SUBSCRIBE")
    device = pair.platform.device(DEVICE)
    subscription = pair.platform.subscriptions.subscribe(
        device, queries.CatalogQuery(device_id=DEVICE), 60, pair.wire.now
    )
    pair.wire.run(200)
    assert (subscription.granted, subscription.why) == (not why, why)
    pair.platform.subscriptions.end(subscription, pair.wire.now)
    pair.wire.run(100)
    assert (len(pair.platform.subscriptions), pair.platform.endpoint.subscriptions) == (0, 0)
