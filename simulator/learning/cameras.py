"""What a capture tells of cameras and recorders (GB/T 28181): registration, keepalives, catalogue, quirks."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from gb28181.editions import rules_of
from gb28181.errors import Gb28181Error
from gb28181.manscdp import read
from gb28181.manscdp.body import Body
from gb28181.manscdp.notifies import Keepalive
from gb28181.manscdp.responses import CatalogAnswer
from gb28181.sip.message import Message, Request, Response, parse_message
from stationgate.capture import Flow

from ..personalities.kinds import GB28181, kinds
from .profiles import playable
from .quirks import Shown
from .sources import Signalling
from .steps import steps

__all__ = ["Camera", "CameraGroup", "Cameras"]

#: Devices, and transactions under way, that are followed.
MAX_CAMERAS: Final = 100_000
_MAX_UNDER_WAY: Final = 10_000
_MAX_TIMES: Final = 10_000
_PRIVATE_CONTACT: Final = "192.168.1.64"
_DOME: Final = 1  # PTZType of a catalogue item: 球机


@dataclass(frozen=True)
class CameraProfile:
    """What is the same for every camera of a group. ``None``: the capture does not tell."""

    kind: str
    edition: str
    transport: str
    keepalive_s: float | None = None
    expires_s: float | None = None
    channels: int | None = None
    faults: tuple[str, ...] = ()


@dataclass
class CameraGroup:
    """Cameras with one profile, and what some of them do now and then."""

    profile: CameraProfile
    cameras: list[Camera] = field(default_factory=list)


class Camera:
    """One device, by its code.

    Attributes:
        type: Type code, digits 11 to 13 of its code.
        versions: X-GB-Ver of its registrations. ``transports``: what carried them.
        keepalives: When they were captured. ``expires``: seconds it asked for.
        channels: Items of its catalogue other than itself.
        domes: How many of them are domes.
        shown: Quirks.
    """

    def __init__(self, device_type: str) -> None:
        self.type = device_type
        self.versions: Counter[str] = Counter()
        self.transports: Counter[str] = Counter()
        self.keepalives: array[float] = array("d")
        self.expires: Counter[int] = Counter()
        self.registered = 0
        self.channels: set[str] = set()
        self.domes = 0
        self.shown: dict[str, Shown] = {}
        self._lists: dict[int, list[int]] = {}  # SN -> total, items so far

    def count(self, name: str, answer: bool) -> None:
        """Take note of one chance for a quirk."""
        shown = self.shown.setdefault(name, Shown())
        shown.chances += 1
        shown.times += answer

    def body(self, body: Body, time: float, code: str) -> None:
        """Take in a body that it sent."""
        if isinstance(body, Keepalive):
            if len(self.keepalives) < _MAX_TIMES:
                self.keepalives.append(time)
        elif isinstance(body, CatalogAnswer):
            self._catalogue(body, code)

    def _catalogue(self, body: CatalogAnswer, code: str) -> None:
        self.count("sumnum_missing", body.total is None)
        items = body.items or ()
        for item in items:
            if item.device_id and item.device_id != code and len(self.channels) < 1000:
                self.channels.add(item.device_id)
            self.domes += item.info is not None and item.info.ptz_type == _DOME
        if body.total is not None and body.sn is not None:
            known = self._lists.setdefault(body.sn, [body.total, 0])
            known[1] += len(items)
            if len(self._lists) > 1000:
                self._lists.pop(next(iter(self._lists)))

    def profile(self) -> CameraProfile:
        """Return what it is like."""
        for total, items in self._lists.values():
            if items in (total, total - 1):  # else parts are missing in the capture
                self.count("sumnum_wrong", items == total - 1)
        self._lists.clear()
        kind = self._kind()
        family = kinds()[kind].family
        found = steps(round(each) for each in self.keepalives)
        version = self.versions.most_common(1)[0][0] if self.versions else None
        expires = self.expires.most_common(1)[0][0] if self.expires else None
        return CameraProfile(
            kind=kind,
            edition=rules_of(version).edition.value,
            transport=self.transports.most_common(1)[0][0].lower() if self.transports else "udp",
            keepalive_s=found.interval_s if found and 1 <= found.interval_s <= 86_400 else None,
            expires_s=float(expires) if expires and 60 <= expires <= 604_800 else None,
            channels=min(max(len(self.channels), 1), 999) if family == "recorder" and self.channels else None,
            faults=tuple(sorted(n for n, shown in self.shown.items() if shown.always and playable(n, family))),
        )

    def _kind(self) -> str:
        by_type: dict[str, str] = {}
        for name, kind in kinds().items():
            if kind.protocol == GB28181:
                by_type.setdefault(kind.type, name)
        found = by_type.get(self.type)
        if found is None:
            return "nvr" if len(self.channels) > 1 else "bullet"
        if kinds()[found].family == "recorder":
            return found
        return "dome" if self.domes else "bullet"


class Cameras:
    """Every camera of a capture.

    Attributes:
        tokens: Whatever names somebody, for nothing but to keep it out of what is written.
        messages: How many messages of SIP there were.
    """

    def __init__(self) -> None:
        self.found: dict[str, Camera] = {}
        self.tokens: set[str] = set()
        self.messages = self.broken = 0
        self._answered: dict[tuple[Flow, str, str], None] = {}

    def heard(self, signalling: Signalling) -> None:
        """Take in one message."""
        try:
            message = parse_message(signalling.data)
            self._heard(message, signalling)
        except Gb28181Error:
            self.broken += 1

    def _heard(self, message: Message, signalling: Signalling) -> None:
        self.messages += 1
        user = message.from_.uri.user
        self.tokens |= {user, message.to.uri.user, message.from_.uri.host, message.to.uri.host}
        if isinstance(message, Response):
            self._response(message, signalling.flow)
            return
        assert isinstance(message, Request)
        if message.method == "REGISTER":
            self._registration(message, signalling)
        elif message.method in ("MESSAGE", "NOTIFY") and message.body:
            camera = self.found.get(user)
            body = self._body(message, camera)
            if camera is None and isinstance(body, Keepalive | CatalogAnswer):
                camera = self._camera(user)  # registered before the capture begins
            if camera is not None and body is not None:
                camera.transports[signalling.flow.transport.value] += 1
                camera.body(body, signalling.time, user)

    def _registration(self, message: Request, signalling: Signalling) -> None:
        camera = self._camera(message.from_.uri.user)
        if camera is None:
            return
        camera.transports[signalling.flow.transport.value] += 1
        camera.registered += 1
        if message.gb_version:
            camera.versions[message.gb_version] += 1
        if message.expires:
            camera.expires[message.expires] += 1
        contact = message.contact
        if contact is not None:
            self.tokens.add(contact.uri.host)
            sent_from = signalling.flow.source.host
            camera.count("contact_private", contact.uri.host == _PRIVATE_CONTACT and sent_from != _PRIVATE_CONTACT)

    def _body(self, message: Request, camera: Camera | None) -> Body | None:
        if not message.body.lstrip().startswith(b"<"):
            return None
        reading = read(message.body)
        if camera is not None and not message.body.isascii() and reading.declared.upper().startswith("GB"):
            # By the bytes: a charset that fits by chance is no quirk, so both are asked.
            camera.count("gb2312_as_utf8", _is_utf8(message.body))
        return reading.body

    def _camera(self, code: str) -> Camera | None:
        known = self.found.get(code)
        if known is None and len(self.found) < MAX_CAMERAS and len(code) == 20 and code.isascii() and code.isdigit():
            known = self.found[code] = Camera(code[10:13])
        return known

    def _response(self, message: Response, flow: Flow) -> None:
        """A device that says 200 to a platform's request says it once."""
        camera = self.found.get(message.to.uri.user)
        if camera is None or message.status != 200 or message.cseq.method in ("REGISTER", "BYE"):
            return
        key = flow, message.call_id, str(message.cseq)
        again = key in self._answered
        self._answered[key] = None
        if len(self._answered) > _MAX_UNDER_WAY:
            self._answered.pop(next(iter(self._answered)))
        shown = camera.shown.setdefault("duplicate_200", Shown())
        shown.times += again
        shown.chances += not again
        if message.cseq.method == "INVITE" and message.body and not again:
            lines = message.body.replace(b"\r", b"").split(b"\n")
            camera.count("y_missing", not any(line.startswith(b"y=") for line in lines))

    def groups(self) -> list[CameraGroup]:
        """Return cameras with the same profile together."""
        found: dict[CameraProfile, CameraGroup] = {}
        waiting: list[tuple[CameraProfile, Camera]] = []
        for camera in self.found.values():
            profile = camera.profile()
            if None in (profile.keepalive_s, profile.expires_s):
                waiting.append((profile, camera))
            else:
                found.setdefault(profile, CameraGroup(profile)).cameras.append(camera)
        for profile, camera in waiting:
            fitting = next((group for group in found.values() if _suits(group.profile, profile)), None)
            fitting = fitting or found.setdefault(profile, CameraGroup(profile))
            fitting.cameras.append(camera)
        return list(found.values())


def _suits(known: CameraProfile, other: CameraProfile) -> bool:
    names = CameraProfile.__dataclass_fields__
    pairs = ((getattr(known, name), getattr(other, name)) for name in names)
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
