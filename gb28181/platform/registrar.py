"""The registrar: proofs, registrations, keepalives, and who may speak (GB/T 28181-2022 9.1, 9.6; 2016 the same)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..editions import GBT_28181_2016, Rules, rules_of
from ..errors import Gb28181Error
from ..identifiers import DeviceId, domain_of
from ..manscdp import read
from ..manscdp.notifies import Keepalive
from ..sip.digest import Challenge, Credentials, Nonces, NonceState, verify
from ..sip.endpoint import Endpoint
from ..sip.events import Event, RequestReceived
from ..sip.message import Request
from ..sip.timers import Timer
from ..sip.transactions import Flow
from ..sip.values import Address, Uri, split_list
from ..times import format_date
from .events import (
    DeviceMoved,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    OfflineReason,
    PlatformEvent,
    Refusal,
    SenderRefused,
)
from .policy import Credential, Follow, Policy

__all__ = ["Device", "Registrar"]

#: Codes and addresses whose wrong proofs are counted; the one that was quiet longest is forgotten.
MAX_COUNTED: Final = 10_000

#: Characters that are kept of what a device tells of itself; the longest seen have a hundred.
MAX_TOLD: Final = 256
#: User-Agents that are known, so that all devices of a make share one text.
MAX_MAKES: Final = 1_000

_STATUS: Final = {
    Refusal.PASSWORD: 401,
    Refusal.REPLAYED: 401,
    Refusal.REALM: 401,
    Refusal.NO_EXPIRES: 400,
    Refusal.NO_CONTACT: 400,
    Refusal.MALFORMED: 400,
    Refusal.FULL: 503,
}


class Device:
    """A registered device.

    Attributes:
        id: Its code.
        flow: The way to it: where it was last heard from.
        contact_text: Its Contact as it wrote it.
        rules: Its edition, by its X-GB-Ver.
        expires_at: When its registration ends.
        heard_at: When it last sent anything.
        user_agent: As it told.
        call_id: Of its registration; a device that begins anew has another.
        charset: Of its bodies; ``None`` to believe what they declare.
    """

    __slots__ = (
        "alarm",
        "call_id",
        "charset",
        "contact_text",
        "expires_at",
        "flow",
        "heard_at",
        "id",
        "rules",
        "user_agent",
    )

    def __init__(self, id: str, flow: Flow, rules: Rules, now: float) -> None:
        self.id = id
        self.flow = flow
        self.rules = rules
        self.contact_text = ""
        self.expires_at = now
        self.heard_at = now
        self.user_agent = ""
        self.call_id = ""
        self.charset: str | None = None
        self.alarm: Timer | None = None

    @property
    def contact(self) -> Address | None:
        """What it told; often a private address, so nothing is sent there. ``None`` where it cannot be read."""
        try:
            return Address.parse(next(split_list(self.contact_text)), "Contact")
        except Gb28181Error:
            return None

    def __repr__(self) -> str:
        return f"<Device {self.id} {self.flow.transport} {self.flow.peer[0]}:{self.flow.peer[1]}>"


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until: float = 0.0


class Registrar:
    """Admits devices.

    Args:
        endpoint: The platform's user agent; hand its events to :meth:`handle`.
        server_id: Code of the platform.
        credentials: Returns what is known of a code; ``None`` for one that nobody told of.
        nonce: Returns a text that nobody can guess.
        wall_ms: Returns POSIX milliseconds, for Date.
        domain: Realm of the challenge; empty: the first ten digits of the platform's code.
        policy: What the operator decided.
        fallback: The edition of a device that tells none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        server_id: str,
        credentials: Callable[[str], Credential | None],
        *,
        nonce: Callable[[], str],
        wall_ms: Callable[[], int],
        domain: str = "",
        policy: Policy | None = None,
        fallback: Rules = GBT_28181_2016,
    ) -> None:
        self.server_id = server_id
        self.domain = domain or domain_of(server_id)
        self.policy = policy or Policy()
        self.devices: dict[str, Device] = {}
        self._endpoint = endpoint
        self._credentials = credentials
        self._nonces = Nonces(nonce)
        self._wall_ms = wall_ms
        self._fallback = fallback
        #: Returns the device that speaks under a code that is not registered, by the way it came; ``None`` for nobody.
        self.speaks_for: Callable[[str, Flow], Device | None] = lambda code, flow: None
        self._events: list[PlatformEvent] = []
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._on_flow: dict[Flow, set[str]] = {}
        self._makes: dict[str, str] = {}
        #: From and To of the platform.
        self.address = Address(Uri(server_id, self.domain))

    def events(self) -> list[PlatformEvent]:
        """Return, once, what happened since the last call."""
        events, self._events = self._events, []
        return events

    def handle(self, event: Event, now: float) -> bool:
        """Take an event of the endpoint; say whether it is done with: a REGISTER, a keepalive, or a refused sender."""
        if not isinstance(event, RequestReceived):
            return False
        if event.request.method == "REGISTER":
            self._register(event, now)
            return True
        if event.dialog is not None:
            return False
        device = self._sender(event, now)
        if device is None:
            return True
        return event.request.method == "MESSAGE" and self._keepalive(event, device, now)

    def flow_closed(self, flow: Flow) -> None:
        """Take note that a connection ended: who came by it is offline (2022 9.1.1 f)."""
        for code in list(self._on_flow.pop(flow, ())):
            device = self.devices.get(code)
            if device is not None and device.flow == flow:
                self._remove(device)
                self._events.append(DeviceOffline(code, OfflineReason.TRANSPORT))

    # Registrations

    def _register(self, event: RequestReceived, now: float) -> None:
        request = event.request
        try:
            code = request.from_.uri.user
            expires = self._expires(request)
        except Gb28181Error:
            self._refuse(event, "", Refusal.MALFORMED, now)
            return
        refusal = self._objection(code, request, expires)
        if refusal is None and self._locked(code, event.flow, now):
            refusal = Refusal.LOCKED
        if refusal is not None:
            self._refuse(event, code, refusal, now)
            return
        known = self._credentials(code)
        challenged = self.policy.challenge and not (known is not None and known.password is None)
        if challenged and not self._proved(event, code, now):
            return
        assert expires is not None
        self._admit(event, code, expires, now)

    def _expires(self, request: Request) -> int | None:
        told = request.expires
        if told is not None:
            return told
        contact = request.contact
        own = contact.param("expires") if contact else None
        return int(own) if own and own.isascii() and own.isdigit() and len(own) < 10 else None

    def _objection(self, code: str, request: Request, expires: int | None) -> Refusal | None:
        """Return what speaks against a registration before any proof is looked at."""
        if self.policy.strict_ids:
            try:
                DeviceId.parse(code)
            except Gb28181Error:
                return Refusal.CODE
        if expires is None:
            return Refusal.NO_EXPIRES
        if expires and request.headers.get("Contact") is None:
            return Refusal.NO_CONTACT
        if self.policy.challenge and self._credentials(code) is None:
            return Refusal.UNKNOWN
        if code not in self.devices and expires and len(self.devices) >= self.policy.max_devices:
            return Refusal.FULL
        return None

    def _proved(self, event: RequestReceived, code: str, now: float) -> bool:
        """Look at the proof; without one, or with a wrong one, answer 401 with a new challenge."""
        header = event.request.headers.get("Authorization")
        if header is None:
            self._challenge(event, now)
            return False
        try:
            proof = Credentials.parse(header)
            refusal, stale = self._judge(proof, code, now)
        except Gb28181Error:
            refusal, stale = Refusal.MALFORMED, False
        if stale:
            self._challenge(event, now, stale=True)
            return False
        if refusal is None:
            self._failures.pop((code, event.flow.peer[0]), None)
            return True
        self._count_failure(code, event.flow, now)
        self._refuse(event, code, refusal, now)
        return False

    def _judge(self, proof: Credentials, code: str, now: float) -> tuple[Refusal | None, bool]:
        """Return what is wrong with a proof, and whether only its nonce has run out."""
        known = self._credentials(code)
        assert known is not None
        assert known.password is not None
        if proof.username != (known.username or code):
            return Refusal.USERNAME, False
        if proof.realm != self.domain:
            return Refusal.REALM, False
        if not verify(proof, password=known.password, method="REGISTER"):
            return Refusal.PASSWORD, False
        state = self._nonces.check(proof, now)
        if state is NonceState.REPLAYED:
            return Refusal.REPLAYED, False
        return None, state is not NonceState.OK

    def _challenge(self, event: RequestReceived, now: float, *, stale: bool = False) -> None:
        challenge = Challenge(
            self.domain,
            self._nonces.issue(now),
            self.policy.algorithm,
            ("auth",) if self.policy.qop else (),
            stale=stale,
        )
        headers = [("WWW-Authenticate", str(challenge)), *self._version(event.request)]
        self._endpoint.respond(event.transaction, 401, now, headers=headers)

    def _version(self, request: Request) -> list[tuple[str, str]]:
        """X-GB-Ver, in success and failure, to who tells its own (2022 annex I)."""
        rules = rules_of(request.gb_version, self._fallback)
        return [("X-GB-Ver", rules.version)] if rules.version_header else []

    def _admit(self, event: RequestReceived, code: str, expires: int, now: float) -> None:
        request, policy = event.request, self.policy
        known = self.devices.get(code)
        headers = self._version(request)
        if not expires:
            self._endpoint.respond(event.transaction, 200, now, headers=[("Expires", "0"), *headers])
            if known is not None:
                self._remove(known)
                self._events.append(DeviceUnregistered(code))
            return
        granted = min(max(expires, policy.min_expires_s), policy.max_expires_s)
        rules = rules_of(request.gb_version, self._fallback)
        device = known or Device(code, event.flow, rules, now)
        self._place(device, event.flow)
        call_id, contact = request.call_id[:MAX_TOLD], request.headers.get("Contact") or ""
        refresh = known is not None and known.call_id == call_id
        device.rules, device.user_agent, device.call_id = rules, self._make(request.user_agent), call_id
        device.contact_text = contact[:MAX_TOLD]
        told = self._credentials(code)
        device.charset = (told.charset if told is not None else "") or policy.charset or None
        device.expires_at, device.heard_at = now + granted, now
        self.devices[code] = device
        if device.alarm is None or device.alarm.when > self._due(device):
            self._endpoint.timers.cancel(device.alarm)
            device.alarm = self._endpoint.timers.set(self._due(device), partial(self._check, device))
        answer = [("Contact", contact), ("Expires", str(granted))]
        if policy.tell_time:
            answer.append(("Date", format_date(self._wall_ms())))
        self._endpoint.respond(event.transaction, 200, now, headers=[*answer, *headers])
        self._events.append(
            DeviceRegistered(code, event.flow, granted, refresh, request.gb_version, request.user_agent)
        )

    def _make(self, user_agent: str) -> str:
        """Return one text for all devices of a make."""
        told = user_agent[:MAX_TOLD]
        if len(self._makes) >= MAX_MAKES:
            self._makes.clear()
        return self._makes.setdefault(told, told)

    # Who speaks

    def _sender(self, event: RequestReceived, now: float) -> Device | None:
        """Return the device that sends a message outside any dialog; anybody else gets 403."""
        try:
            code = event.request.from_.uri.user
        except Gb28181Error:
            self._refuse(event, "", Refusal.MALFORMED, now)
            return None
        device = self.devices.get(code) or self.speaks_for(code, event.flow)
        if device is None:
            self._refuse(event, code, Refusal.UNREGISTERED, now)
            return None
        if event.flow != device.flow and not self._follow(device, event.flow):
            self._refuse(event, code, Refusal.ELSEWHERE, now)
            return None
        device.heard_at = now
        return device

    def _follow(self, device: Device, flow: Flow) -> bool:
        follow = self.policy.follow
        same = flow.peer[0] == device.flow.peer[0]
        if follow is Follow.NO or (follow is Follow.PORT and not same):
            return False
        self._place(device, flow)
        self._events.append(DeviceMoved(device.id, flow))
        return True

    def _keepalive(self, event: RequestReceived, device: Device, now: float) -> bool:
        body = event.request.body
        if b"Keepalive" not in body:  # parsing everything twice would cost more than this
            return False
        try:
            found = read(body, rules=device.rules, charset=device.charset).body
        except Gb28181Error:
            return False
        if not isinstance(found, Keepalive):
            return False
        self._endpoint.respond(event.transaction, 200, now)
        self._events.append(KeepaliveReceived(device.id, found))
        return True

    def _refuse(self, event: RequestReceived, code: str, reason: Refusal, now: float) -> None:
        status = _STATUS.get(reason, 403)
        if event.request.method == "ACK":
            return
        if status == 401:
            # A device that kept its nonce may have the right password: it is told to take the new one.
            self._challenge(event, now, stale=reason is Refusal.REPLAYED)
        else:
            headers = self._version(event.request) if event.request.method == "REGISTER" else []
            self._endpoint.respond(event.transaction, status, now, headers=headers)
        self._events.append(SenderRefused(code, event.flow, event.request.method, status, reason))

    # Wrong proofs

    def _count_failure(self, code: str, flow: Flow, now: float) -> None:
        key = code, flow.peer[0]
        failures = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        failures.count += 1
        failures.until = now + self.policy.locked_s
        while len(self._failures) > MAX_COUNTED:
            self._failures.popitem(last=False)

    def _locked(self, code: str, flow: Flow, now: float) -> bool:
        failures = self._failures.get((code, flow.peer[0]))
        if failures is None:
            return False
        if now >= failures.until:
            del self._failures[code, flow.peer[0]]
            return False
        return failures.count >= self.policy.max_failures

    # Time

    def _due(self, device: Device) -> float:
        return min(device.expires_at, device.heard_at + self.policy.patience_s)

    def _check(self, device: Device, now: float) -> None:
        """See whether a device is gone; what it sent meanwhile has moved no alarm."""
        due = self._due(device)
        if due > now:
            device.alarm = self._endpoint.timers.set(due, partial(self._check, device))
            return
        device.alarm = None
        reason = OfflineReason.EXPIRED if device.expires_at <= now else OfflineReason.KEEPALIVES
        self._remove(device)
        self._events.append(DeviceOffline(device.id, reason))

    def _place(self, device: Device, flow: Flow) -> None:
        here = self._on_flow.get(device.flow)
        if here is not None:
            here.discard(device.id)
            if not here:
                del self._on_flow[device.flow]
        device.flow = flow
        if flow.reliable:
            self._on_flow.setdefault(flow, set()).add(device.id)

    def _remove(self, device: Device) -> None:
        self._endpoint.timers.cancel(device.alarm)
        device.alarm = None
        self.devices.pop(device.id, None)
        here = self._on_flow.get(device.flow)
        if here is not None:
            here.discard(device.id)
            if not here:
                del self._on_flow[device.flow]
