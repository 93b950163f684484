"""Endpoints against each other: requests, calls and subscriptions, on a calm network and in a storm."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gb28181 import LocalProtocolError
from gb28181.sip import (
    Address,
    CallCancelled,
    Dialog,
    DialogConfirmed,
    DialogEnd,
    DialogEnded,
    DialogKind,
    Endpoint,
    EndpointLimits,
    Event,
    Failure,
    MessageRejected,
    PeerLimited,
    Request,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    State,
    Uri,
    parse_message,
)

from .examples import CHANNEL, DEVICE, DOMAIN, KEEPALIVE, PLATFORM, REGISTER
from .wire import CALM, DEVICE_AT, PLATFORM_AT, STORM, Weather, Wire


class End:
    """An endpoint that answers as told and remembers what it heard."""

    def __init__(self, wire: Wire, name: str, *, limits: EndpointLimits | None = None) -> None:
        at, own = (DEVICE_AT, DEVICE) if name == "device" else (PLATFORM_AT, PLATFORM)
        self.endpoint = Endpoint(random.Random(name), limits=limits)
        self.wire = wire
        self.flow = wire.there if name == "device" else wire.back
        self.address = Address(Uri(own, DOMAIN))
        self.contact = Address(Uri(own, at[0], at[1]))
        self.heard: list[Event] = []
        self.answer: Callable[[RequestReceived], None] = self.ok
        wire.join(name, self.endpoint, self.step)

    def ok(self, event: RequestReceived) -> None:
        self.endpoint.respond(event.transaction, 200, self.wire.now)

    def take_call(self, event: RequestReceived) -> None:
        if event.request.method == "INVITE":
            self.endpoint.accept(event.transaction, self.contact, self.wire.now, body=b"answer")
        else:
            self.ok(event)

    def take_subscription(self, event: RequestReceived) -> None:
        if event.request.method != "SUBSCRIBE":
            self.ok(event)
        elif event.dialog is None:
            self.endpoint.accept_subscription(
                event.transaction, self.contact, event.request.expires or 0, self.wire.now
            )
        else:
            self.endpoint.refresh(event.transaction, event.dialog, event.request.expires or 0, self.wire.now)

    def step(self) -> None:
        for event in self.endpoint.events():
            self.heard.append(event)
            if isinstance(event, RequestReceived):
                self.answer(event)

    def of(self, kind: type) -> list:
        return [event for event in self.heard if isinstance(event, kind)]

    def send(self, method: str, to: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        extra = [("Contact", str(self.contact)), *headers] if method in ("INVITE", "SUBSCRIBE") else headers
        request = self.endpoint.compose(
            method,
            Uri(to, DOMAIN),
            from_=self.address,
            to=Address(Uri(to, DOMAIN)),
            flow=self.flow,
            headers=extra,
            body=body,
        )
        self.transaction = self.endpoint.request(request, self.flow, self.wire.now)
        return request

    @property
    def idle(self) -> bool:
        endpoint = self.endpoint
        return (endpoint.transactions, endpoint.calls, endpoint.subscriptions, len(endpoint.timers)) == (0, 0, 0, 0)


def pair(transport: str = "UDP", weather: Weather = CALM, seed: int = 0) -> tuple[Wire, End, End]:
    wire = Wire(transport, weather, seed)
    return wire, End(wire, "device"), End(wire, "platform")


both = pytest.mark.parametrize("transport", ["UDP", "TCP"])


class TestRequests:
    @both
    def test_a_message_and_its_answer(self, transport: str) -> None:
        wire, device, platform = pair(transport)
        sent = device.send("MESSAGE", PLATFORM, body=b"<Notify/>")
        wire.run(1)
        (received,) = platform.of(RequestReceived)
        assert (received.request.body, received.dialog) == (b"<Notify/>", None)
        (answered,) = device.of(ResponseReceived)
        assert (answered.response.status, answered.transaction.request is sent) == (200, True)
        assert (answered.response.via.received, answered.response.via.rport) == DEVICE_AT
        assert answered.response.to.tag
        wire.run(40)
        assert device.idle
        assert platform.idle
        assert len(wire.sent) == 2

    def test_a_repeated_request_is_answered_again_and_delivered_once(self) -> None:
        wire, device, platform = pair(weather=Weather(double=1.0, spread_s=0.2))
        device.send("MESSAGE", PLATFORM)
        wire.run(1)
        assert len(platform.of(RequestReceived)) == 1
        assert len([end for end, _ in wire.sent if end == "platform"]) == 2
        assert len(device.of(ResponseReceived)) == 1

    def test_repetitions_grow_apart_until_the_end_of_patience(self) -> None:
        wire, device, _ = pair()
        wire.deaf = {"platform"}
        start = wire.now
        times: list[float] = []
        wire.mangle = lambda end, data: times.append(wire.now - start) or data  # type: ignore[func-returns-value]
        device.send("MESSAGE", PLATFORM)
        wire.run(60)
        assert times == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        (failed,) = device.of(RequestFailed)
        assert failed.reason is Failure.TIMEOUT
        assert device.idle

    def test_over_tcp_nothing_is_repeated(self) -> None:
        wire, device, _ = pair("TCP")
        wire.deaf = {"platform"}
        device.send("MESSAGE", PLATFORM)
        wire.run(60)
        assert len(wire.sent) == 1
        assert [event.reason for event in device.of(RequestFailed)] == [Failure.TIMEOUT]

    def test_a_connection_that_ends_fails_what_is_open(self) -> None:
        wire, device, platform = pair("TCP")
        platform.answer = lambda event: None
        device.send("MESSAGE", PLATFORM)
        wire.run(1)
        device.endpoint.flow_closed(wire.there, wire.now)
        platform.endpoint.flow_closed(wire.back, wire.now)
        wire.run(0)
        assert [event.reason for event in device.of(RequestFailed)] == [Failure.TRANSPORT]
        assert device.idle
        assert platform.idle


class TestRefusals:
    def ask(self, data: bytes, limits: EndpointLimits | None = None) -> tuple[End, list[int]]:
        wire = Wire()
        platform = End(wire, "platform", limits=limits)
        platform.endpoint.receive_datagram(data, wire.back, wire.now)
        platform.step()
        answers = [parse_message(out) for _, out in platform.endpoint.data_to_send()]
        return platform, [answer.status for answer in answers]  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("old", "new", "status"),
        [
            (b"Max-Forwards: 70", b"Max-Forwards: 0", 483),
            (b"Max-Forwards: 70", b"Require: 100rel, timer", 420),
            (b"MESSAGE", b"REFER", 405),
            (b"MESSAGE", b"FROBNICATE", 501),
            (b"MESSAGE", b"BYE", 481),
            (b"MESSAGE", b"INFO", 481),
            (b"MESSAGE", b"NOTIFY", 481),
            (b"CSeq: 20 MESSAGE", b"CSeq: 20 INFO", 400),
            (b"CSeq: 20 MESSAGE", b"CSeq: twenty", 400),
            (b"Call-ID: ka-1@192.0.2.50\r\n", b"", 400),
            (b"MESSAGE", b"CANCEL", 481),
        ],
    )
    def test_what_sip_alone_refuses(self, old: bytes, new: bytes, status: int) -> None:
        count = -1 if old == b"MESSAGE" else 1
        platform, statuses = self.ask(KEEPALIVE.replace(old, new, count))
        assert statuses == [status]
        assert not platform.of(RequestReceived)

    def test_an_acknowledgement_is_never_answered(self) -> None:
        platform, statuses = self.ask(KEEPALIVE.replace(b"MESSAGE", b"ACK"))
        assert statuses == []
        assert not platform.heard

    @pytest.mark.parametrize(
        "data", [b"hello", b"INVITE\r\n\r\n", b"\xff" * 50, KEEPALIVE.replace(b"Via: SIP", b"Via: XIP")]
    )
    def test_what_is_no_message_is_reported_and_left(self, data: bytes) -> None:
        platform, statuses = self.ask(data)
        assert statuses == []
        (rejected,) = platform.of(MessageRejected)
        assert rejected.raw == data
        assert platform.idle

    @pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\x00\x00\x00\x00"])
    def test_what_keeps_a_nat_open_is_nothing(self, data: bytes) -> None:
        platform, statuses = self.ask(data)
        assert (platform.heard, statuses) == ([], [])

    def test_a_branch_of_old_is_told_by_other_fields(self) -> None:
        wire = Wire()
        platform = End(wire, "platform")
        old = KEEPALIVE.replace(b"z9hG4bKk1", b"1")
        for data in (old, old, old.replace(b"CSeq: 20", b"CSeq: 21"), old.replace(b";branch=1", b"")):
            platform.endpoint.receive_datagram(data, wire.back, wire.now)
            platform.step()
        assert len(platform.of(RequestReceived)) == 2  # the last repeats the first: nothing but the branch differs

    def test_a_flood_is_refused_and_told_once(self) -> None:
        wire = Wire()
        platform = End(wire, "platform", limits=EndpointLimits(requests_at_once=10, requests_per_s=1.0))
        for number in range(50):
            platform.endpoint.receive_datagram(
                KEEPALIVE.replace(b"K1", b"K%d" % number).replace(b"Kk1", b"Kk%d" % number), wire.back, wire.now
            )
        platform.step()
        assert len(platform.of(RequestReceived)) == 10
        assert [event.limit for event in platform.of(PeerLimited)] == ["requests_per_s"]

    def test_what_nobody_answers_is_bounded_for_each_peer_and_told_once(self) -> None:
        wire = Wire()
        platform = End(wire, "platform", limits=EndpointLimits(unanswered=5))
        platform.answer = lambda event: None
        flows = [wire.back, wire.back._replace(peer=("192.0.2.51", 5060))]
        for number in range(50):
            data = KEEPALIVE.replace(b"Kk1", b"Kk%d" % number)
            platform.endpoint.receive_datagram(data, flows[number == 49], wire.now)
        platform.step()
        assert len(platform.of(RequestReceived)) == 6
        assert [(event.flow, event.limit) for event in platform.of(PeerLimited)] == [(flows[0], "unanswered")]

    def test_transactions_are_bounded(self) -> None:
        wire = Wire()
        platform = End(wire, "platform", limits=EndpointLimits(transactions=10))
        for number in range(50):
            platform.endpoint.receive_datagram(KEEPALIVE.replace(b"Kk1", b"Kk%d" % number), wire.back, wire.now)
            platform.step()
        assert platform.endpoint.transactions == 10

    def test_a_stream_that_cannot_be_followed_is_to_be_closed(self) -> None:
        wire = Wire("TCP")
        platform = End(wire, "platform")
        platform.endpoint.receive_stream(REGISTER + b"\x16\x03\x01" * 20, wire.back, wire.now)
        platform.step()
        assert len(platform.of(RequestReceived)) == 1
        assert len(platform.of(MessageRejected)) == 1
        assert platform.endpoint.flows_to_close() == [wire.back]


class TestCalls:
    def call(self, transport: str = "UDP") -> tuple[Wire, End, End]:
        wire, device, platform = pair(transport)
        device.answer = device.take_call
        platform.send("INVITE", CHANNEL, ("Subject", "x:1,y:0"), body=b"offer")
        wire.run(1)
        return wire, device, platform

    @both
    def test_from_offer_to_acknowledgement(self, transport: str) -> None:
        _wire, device, platform = self.call(transport)
        (received,) = device.of(RequestReceived)
        assert (received.request.method, received.request.body) == ("INVITE", b"offer")
        trying, accepted = platform.of(ResponseReceived)
        assert (trying.response.status, accepted.response.status) == (100, 200)
        assert accepted.response.body == b"answer"
        assert accepted.dialog.kind is DialogKind.CALL
        (confirmed,) = device.of(DialogConfirmed)
        assert confirmed.request.cseq.number == 1
        assert str(confirmed.request.uri) == str(device.contact.uri)
        assert (platform.endpoint.calls, device.endpoint.calls) == (1, 1)

    @both
    @pytest.mark.parametrize("ender", ["device", "platform"])
    def test_either_side_ends_it(self, transport: str, ender: str) -> None:
        wire, device, platform = self.call(transport)
        here, other = (device, platform) if ender == "device" else (platform, device)
        dialog: Dialog = (
            device.of(DialogConfirmed)[0].dialog if ender == "device" else platform.of(ResponseReceived)[1].dialog
        )
        here.endpoint.bye(dialog, wire.now)
        with pytest.raises(LocalProtocolError, match="over"):
            here.endpoint.request_within(dialog, "INFO", wire.now)
        wire.run(1)
        assert [event.reason for event in here.of(DialogEnded)] == [DialogEnd.LOCAL]
        assert [event.reason for event in other.of(DialogEnded)] == [DialogEnd.PEER]
        wire.run(120)
        assert device.idle
        assert platform.idle

    def test_both_sides_end_it_at_once(self) -> None:
        wire, device, platform = self.call()
        device.endpoint.bye(device.of(DialogConfirmed)[0].dialog, wire.now)
        platform.endpoint.bye(platform.of(ResponseReceived)[1].dialog, wire.now)
        wire.run(120)
        assert len(device.of(DialogEnded)) == len(platform.of(DialogEnded)) == 1
        assert device.idle
        assert platform.idle

    def test_requests_within_it(self) -> None:
        wire, device, platform = self.call()
        dialog = platform.of(ResponseReceived)[1].dialog
        platform.endpoint.request_within(dialog, "INFO", wire.now, body=b"PAUSE")
        device.endpoint.request_within(device.of(DialogConfirmed)[0].dialog, "MESSAGE", wire.now, body=b"121")
        wire.run(1)
        info = device.of(RequestReceived)[-1]
        assert (info.request.method, info.request.body, info.request.cseq.number) == ("INFO", b"PAUSE", 2)
        assert info.dialog is device.of(DialogConfirmed)[0].dialog
        status = platform.of(RequestReceived)[-1]
        assert (status.request.body, status.dialog) == (b"121", dialog)

    def test_tags_the_wrong_way_round_still_find_the_call(self) -> None:
        wire, device, platform = self.call()

        def swap(end: str, data: bytes) -> bytes:
            if end != "device" or not data.startswith(b"MESSAGE"):
                return data
            message = parse_message(data)
            ours, theirs = message.from_.tag, message.to.tag
            message.headers.set("From", str(message.from_.with_tag(theirs)))
            message.headers.set("To", str(message.to.with_tag(ours)))
            return bytes(message)

        wire.mangle = swap
        device.endpoint.request_within(device.of(DialogConfirmed)[0].dialog, "MESSAGE", wire.now, body=b"121")
        wire.run(1)
        assert platform.of(RequestReceived)[-1].dialog is platform.of(ResponseReceived)[1].dialog

    def test_a_bye_with_the_number_of_its_invite_is_taken(self) -> None:
        wire, device, platform = self.call()
        dialog = platform.of(ResponseReceived)[1].dialog
        dialog.local_cseq -= 1
        platform.endpoint.bye(dialog, wire.now)
        wire.run(1)
        assert [event.reason for event in device.of(DialogEnded)] == [DialogEnd.PEER]

    def test_an_older_number_is_refused(self) -> None:
        wire, _device, platform = self.call()
        dialog = platform.of(ResponseReceived)[1].dialog
        dialog.local_cseq -= 1
        platform.endpoint.request_within(dialog, "INFO", wire.now)
        wire.run(1)
        assert platform.of(ResponseReceived)[-1].response.status == 500
        assert platform.endpoint.calls == 1

    def test_a_call_that_the_device_forgot_is_over(self) -> None:
        wire, device, platform = self.call()
        device.endpoint._dialogs.end(device.of(DialogConfirmed)[0].dialog, DialogEnd.LOCAL)
        platform.endpoint.request_within(platform.of(ResponseReceived)[1].dialog, "INFO", wire.now)
        wire.run(1)
        assert [event.reason for event in platform.of(DialogEnded)] == [DialogEnd.UNKNOWN_THERE]

    def test_a_refusal_is_acknowledged_within_its_transaction(self) -> None:
        wire, device, platform = pair()
        device.answer = lambda event: device.endpoint.respond(event.transaction, 486, wire.now)
        platform.send("INVITE", CHANNEL)
        wire.run(1)
        assert [event.response.status for event in platform.of(ResponseReceived)] == [100, 486]
        assert [data.split(b" ")[0] for end, data in wire.sent if end == "platform"] == [b"INVITE", b"ACK"]
        wire.run(60)
        assert device.idle
        assert platform.idle

    def test_without_acknowledgement_the_call_ends(self) -> None:
        wire, device, platform = pair()
        device.answer = device.take_call
        wire.mangle = lambda end, data: None if data.startswith(b"ACK") else data
        platform.send("INVITE", CHANNEL)
        wire.run(120)
        assert [event.reason for event in device.of(DialogEnded)] == [DialogEnd.NO_ACK]
        assert [event.reason for event in platform.of(DialogEnded)] == [DialogEnd.PEER]
        repeated = [
            data for end, data in wire.sent if end == "device" and data.startswith(b"SIP/2.0 200") and b"INVITE" in data
        ]
        assert len(repeated) > 5
        assert device.idle
        assert platform.idle

    def test_taken_back_before_it_is_answered(self) -> None:
        wire, device, platform = pair()
        device.answer = lambda event: None
        platform.send("INVITE", CHANNEL)
        wire.run(0.1)
        platform.endpoint.cancel(platform.transaction, wire.now)
        wire.run(1)
        assert len(device.of(CallCancelled)) == 1
        assert platform.of(ResponseReceived)[-1].response.status == 487
        wire.run(60)
        assert device.idle
        assert platform.idle

    def test_taken_back_too_late_it_is_ended(self) -> None:
        wire, device, platform = pair()
        device.answer = device.take_call
        platform.send("INVITE", CHANNEL)
        platform.endpoint.cancel(platform.transaction, wire.now)  # waits for the first answer, which is the 200
        wire.mangle = lambda end, data: None if data.startswith(b"SIP/2.0 100") else data
        wire.run(120)
        assert [event.reason for event in device.of(DialogEnded)] == [DialogEnd.PEER]
        assert device.idle
        assert platform.idle

    def test_no_answer_at_all(self) -> None:
        wire, _device, platform = pair()
        wire.deaf = {"device"}
        platform.send("INVITE", CHANNEL)
        wire.run(60)
        assert [event.reason for event in platform.of(RequestFailed)] == [Failure.TIMEOUT]
        assert platform.transaction.state is State.TERMINATED
        assert platform.idle


class TestSubscriptions:
    def subscribed(self, expires: int = 600) -> tuple[Wire, End, End, Dialog, Dialog]:
        wire, device, platform = pair()
        device.answer = device.take_subscription
        platform.send("SUBSCRIBE", DEVICE, ("Event", "Catalog;id=7"), ("Expires", str(expires)), body=b"<Query/>")
        wire.run(1)
        given = device.endpoint._dialogs
        ours = platform.of(ResponseReceived)[-1].dialog
        theirs = given.find(ours.call_id, ours.remote.tag)
        assert theirs is not None
        return wire, device, platform, ours, theirs

    def test_notices_go_within_it(self) -> None:
        wire, device, platform, ours, theirs = self.subscribed()
        assert (ours.event, theirs.event) == ("Catalog;id=7", "Catalog;id=7")
        device.endpoint.request_within(
            theirs,
            "NOTIFY",
            wire.now,
            headers=[("Event", theirs.event), ("Subscription-State", "active")],
            body=b"<N/>",
        )
        wire.run(1)
        notify = platform.of(RequestReceived)[-1]
        assert (notify.request.method, notify.request.event, notify.dialog) == ("NOTIFY", "Catalog;id=7", ours)

    def test_it_runs_out(self) -> None:
        wire, device, platform, *_ = self.subscribed(90)
        wire.run(100)
        assert [event.reason for event in device.of(DialogEnded)] == [DialogEnd.EXPIRED]
        assert [event.reason for event in platform.of(DialogEnded)] == [DialogEnd.EXPIRED]
        assert device.idle
        assert platform.idle

    def test_it_is_refreshed_and_ended_in_its_dialog(self) -> None:
        wire, device, platform, ours, _ = self.subscribed(90)
        wire.run(60)
        platform.endpoint.request_within(
            ours, "SUBSCRIBE", wire.now, headers=[("Event", ours.event), ("Expires", "90")]
        )
        wire.run(60)
        assert (device.endpoint.subscriptions, platform.endpoint.subscriptions) == (1, 1)
        platform.endpoint.request_within(ours, "SUBSCRIBE", wire.now, headers=[("Event", ours.event), ("Expires", "0")])
        wire.run(1)
        assert [event.reason for event in device.of(DialogEnded)] == [DialogEnd.PEER]
        assert [event.reason for event in platform.of(DialogEnded)] == [DialogEnd.LOCAL]

    def test_the_notifier_ends_it(self) -> None:
        wire, device, platform, _, theirs = self.subscribed()
        device.endpoint.request_within(
            theirs, "NOTIFY", wire.now, headers=[("Subscription-State", "terminated;reason=noresource")]
        )
        device.endpoint.end_subscription(theirs)
        wire.run(40)
        assert [event.reason for event in platform.of(DialogEnded)] == [DialogEnd.PEER]
        assert device.idle
        assert platform.idle

    def test_a_notice_may_overtake_the_answer(self) -> None:
        wire, device, platform = pair()

        def at_once(event: RequestReceived) -> None:
            device.take_subscription(event)
            dialog = device.endpoint._dialogs.find(
                event.request.call_id, next(iter(device.endpoint._dialogs._known))[1]
            )
            assert dialog is not None
            device.endpoint.request_within(dialog, "NOTIFY", wire.now, headers=[("Subscription-State", "active")])

        held: list[bytes] = []

        def hold(end: str, data: bytes) -> bytes | None:
            if data.startswith(b"SIP/2.0 200") and b"SUBSCRIBE" in data and not held:
                held.append(data)
                return None
            return data

        device.answer, wire.mangle = at_once, hold
        platform.send("SUBSCRIBE", DEVICE, ("Event", "presence"), ("Expires", "600"))
        wire.run(10)
        assert [event.request.method for event in platform.of(RequestReceived)] == ["NOTIFY"]
        assert platform.of(ResponseReceived)[-1].response.status == 200
        assert platform.endpoint.subscriptions == 1


@pytest.mark.parametrize("seed", range(40))
def test_in_a_storm_everything_ends_well_or_by_the_timers(seed: int) -> None:
    wire, device, platform = pair(weather=STORM, seed=seed)
    device.answer = device.take_call
    for _ in range(5):
        device.send("MESSAGE", PLATFORM, body=b"<Notify/>")
        platform.send("INVITE", CHANNEL, body=b"offer")
        wire.run(3)
    wire.run(40)
    messages = [
        event
        for event in device.heard
        if isinstance(event, ResponseReceived | RequestFailed) and event.transaction.request.method == "MESSAGE"
    ]
    assert len(messages) == 5
    delivered = [event.request.call_id for event in platform.of(RequestReceived)]
    assert len(delivered) == len(set(delivered))
    for dialog in [event.dialog for event in device.of(DialogConfirmed)]:
        if not dialog.over:
            device.endpoint.bye(dialog, wire.now)
    wire.run(300)
    assert device.idle
    assert platform.idle
    begun = {event.dialog.call_id for event in platform.of(ResponseReceived) if event.dialog}
    assert begun == {event.dialog.call_id for event in platform.of(DialogEnded)}
