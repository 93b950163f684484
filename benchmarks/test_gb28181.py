"""GB/T 28181 signalling beside the usual way.

SIP by ``email``, bodies by ``xml.etree``, front-end commands by ``construct`` from their declared layout. Times are per
message; the ratios say what ours costs or saves. The usual ways find less: no deviations, no limits, no charsets, no
directions that exclude each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from email.message import Message
from email.parser import BytesHeaderParser
from xml.etree import ElementTree

import pytest

from gb28181 import GBT_28181_2022
from gb28181.manscdp import read, write
from gb28181.manscdp.items import CatalogInfo, CatalogItem
from gb28181.manscdp.notifies import Keepalive
from gb28181.manscdp.responses import CatalogAnswer
from gb28181.ptz import LAYOUT, Move, decode, encode
from gb28181.sip import Address, Endpoint, Flow, Request, RequestReceived, Uri, parse_message, respond

from .conftest import best

DEVICE = "34020000001320000001"
ROUNDS = 20
REGISTER = "\r\n".join(
    (
        "REGISTER sip:34020000002000000001@3402000000 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKr1",
        f"From: <sip:{DEVICE}@3402000000>;tag=d1001",
        f"To: <sip:{DEVICE}@3402000000>",
        "Call-ID: reg-1@192.0.2.50",
        "CSeq: 1 REGISTER",
        f"Contact: <sip:{DEVICE}@192.0.2.50:5060>",
        "Max-Forwards: 70",
        "User-Agent: SimCam/1.0",
        "X-GB-Ver: 3.0",
        "Expires: 3600",
        "Content-Length: 0",
        "",
        "",
    )
).encode()


def catalogue(items: int) -> bytes:
    item = CatalogItem(
        device_id="34020000001310000001",
        name="北门枪机",
        manufacturer="Demo",
        model="IPC-1",
        civil_code="340200",
        parental=0,
        parent_id=DEVICE,
        register_way=1,
        secrecy=0,
        status="ON",
        info=CatalogInfo(ptz_type=1),
    )
    return write(CatalogAnswer(sn=17, device_id=DEVICE, total=items, items=(item,) * items), GBT_28181_2022)


KEEPALIVE = write(Keepalive(sn=43, device_id=DEVICE, status="OK"), GBT_28181_2022)
ONE, TWENTY = catalogue(1), catalogue(20)


def sip() -> None:
    message = parse_message(REGISTER)
    _ = message.call_id, message.cseq, message.via.branch, message.from_.uri.user, message.expires


def usual_sip() -> None:
    first, _, rest = REGISTER.partition(b"\r\n")
    headers = BytesHeaderParser().parsebytes(rest)
    _ = first.split(), headers["Call-ID"], headers["CSeq"].split(), headers["Via"], headers["From"], headers["Expires"]


def usual_body(data: bytes) -> None:
    root = ElementTree.fromstring(data.decode("gb18030").partition("?>")[2])
    _ = [{child.tag: child.text for child in item} for item in root.iter("Item")]


DOMAIN = "3402000000"
SERVER, CAMERA = Address(Uri("34020000002000000001", DOMAIN)), Address(Uri(DEVICE, DOMAIN))
WAY = Flow("UDP", ("192.0.2.10", 5060), ("192.0.2.50", 5060))
DEVICE_ENDPOINT = Endpoint(random.Random(1), user_agent="SimCam/1.0")


def compose() -> bytes:
    headers = (("Contact", f"<sip:{DEVICE}@192.0.2.50:5060>"), ("Expires", "3600"), ("X-GB-Ver", "3.0"))
    return bytes(
        DEVICE_ENDPOINT.compose("REGISTER", SERVER.uri, from_=CAMERA, to=CAMERA, flow=WAY, headers=headers, cseq=2)
    )


def usual_compose() -> bytes:
    message = Message()
    for name, value in (
        ("Via", f"SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bK{CHANCE.getrandbits(80):x}"),
        ("From", f"<{CAMERA.uri}>;tag={CHANCE.getrandbits(80):x}"),
        ("To", f"<{CAMERA.uri}>"),
        ("Call-ID", f"{CHANCE.getrandbits(80):x}@192.0.2.50"),
        ("CSeq", "2 REGISTER"),
        ("Contact", f"<sip:{DEVICE}@192.0.2.50:5060>"),
        ("Max-Forwards", "70"),
        ("User-Agent", "SimCam/1.0"),
        ("X-GB-Ver", "3.0"),
        ("Expires", "3600"),
        ("Content-Length", "0"),
    ):
        message[name] = value
    return f"REGISTER {SERVER.uri} SIP/2.0\r\n".encode() + message.as_bytes()


def usual_status() -> bytes:
    root = ElementTree.Element("Notify")
    for name, value in (("CmdType", "Keepalive"), ("SN", "43"), ("DeviceID", DEVICE), ("Status", "OK")):
        ElementTree.SubElement(root, name).text = value
    return ElementTree.tostring(root, "gb18030")


def usual_list() -> bytes:
    root = ElementTree.Element("Response")
    for name, value in (("CmdType", "Catalog"), ("SN", "17"), ("DeviceID", DEVICE), ("SumNum", "20")):
        ElementTree.SubElement(root, name).text = value
    items = ElementTree.SubElement(root, "DeviceList", Num="20")
    for row in ROWS:
        fill(ElementTree.SubElement(items, "Item"), row)
    return ElementTree.tostring(root, "gb18030")


Rows = list[tuple[str, "str | Rows"]]


def fill(parent: ElementTree.Element, rows: Rows) -> None:
    for name, value in rows:
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, str):
            child.text = value
        else:
            fill(child, value)


def rows_of(element: ElementTree.Element) -> Rows:
    return [(child.tag, rows_of(child) if len(child) else child.text or "") for child in element]


CHANCE = random.Random(2)
PARSED = parse_message(REGISTER)
STATUS, LIST = read(KEEPALIVE).body, read(TWENTY).body
ROWS = list(map(rows_of, ElementTree.fromstring(TWENTY.decode("gb18030").partition("?>")[2]).iter("Item")))
COMMAND = LAYOUT.parse(bytes.fromhex("A50F010180000036"))
CASES: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
    ("SIP parse", sip, usual_sip),
    ("SIP request, build", compose, usual_compose),
    ("MANSCDP parse, keepalive", lambda: read(KEEPALIVE), lambda: usual_body(KEEPALIVE)),
    ("MANSCDP parse, 1 item", lambda: read(ONE), lambda: usual_body(ONE)),
    ("MANSCDP parse, 20 items", lambda: read(TWENTY), lambda: usual_body(TWENTY)),
    ("MANSCDP build, keepalive", lambda: write(STATUS, GBT_28181_2022), usual_status),
    ("MANSCDP build, 20 items", lambda: write(LIST, GBT_28181_2022), usual_list),
    ("PTZ encode", lambda: encode(Move.of(pan=128)), lambda: LAYOUT.build(COMMAND).hex().upper()),
    ("PTZ decode", lambda: decode("A50F010180000036"), lambda: LAYOUT.parse(bytes.fromhex("A50F010180000036"))),
]


@pytest.mark.benchmark
@pytest.mark.parametrize(("name", "ours", "usual"), CASES, ids=[name for name, *_ in CASES])
def test_message(
    name: str, ours: Callable[[], object], usual: Callable[[], object] | None, measured: Callable[[str], None]
) -> None:
    def often(work: Callable[[], object]) -> float:
        def block() -> None:
            for _ in range(200):
                work()

        return best(block, ROUNDS) / 200 * 1e6

    mine = often(ours)
    theirs = often(usual) if usual else 0.0
    beside = f"{theirs:8.1f} us the usual way, {theirs / mine:5.2f}x" if usual else ""
    measured(f"{name:26} {mine:8.1f} us {beside}")
    assert mine > 0


def test_the_usual_ways_say_the_same() -> None:
    assert parse_message(usual_compose()).headers.get("Expires") == parse_message(compose()).headers.get("Expires")
    assert read(usual_status()).body == STATUS
    assert read(usual_list()).body == LIST
    assert LAYOUT.build(COMMAND).hex().upper() == encode(Move.of(pan=128))


@pytest.mark.benchmark
def test_response_and_transaction(measured: Callable[[str], None]) -> None:
    assert isinstance(PARSED, Request)
    request = PARSED
    build = best(lambda: [bytes(respond(request, 200, to_tag="x")) for _ in range(200)], ROUNDS) / 200 * 1e6
    measured(f"{'SIP response, build':26} {build:8.1f} us")
    flow = Flow("UDP", ("192.0.2.50", 5060), ("192.0.2.10", 5060))
    data = [REGISTER.replace(b"Kr1", b"Kr%d" % number) for number in range(2000)]

    def serve() -> None:
        endpoint = Endpoint(random.Random(1))
        for each in data:
            endpoint.receive_datagram(each, flow, 0.0)
            for event in endpoint.events():
                if isinstance(event, RequestReceived):
                    endpoint.respond(event.transaction, 200, 0.0)
            endpoint.data_to_send()

    whole = best(serve, 5) / len(data) * 1e6
    measured(f"{'SIP request served, whole':26} {whole:8.1f} us: {1e6 / whole:,.0f} requests/s of one core")
    assert build < whole
