"""GB/T 28181 signalling beside the usual way: SIP taken apart by ``email``, bodies by ``xml.etree``.

Times are per message; the ratios say what ours costs or saves. The usual ways find less: no deviations, no limits, no
charsets.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from email.parser import BytesHeaderParser
from xml.etree import ElementTree

import pytest

from gb28181 import GBT_28181_2022
from gb28181.manscdp import read, write
from gb28181.manscdp.items import CatalogInfo, CatalogItem
from gb28181.manscdp.notifies import Keepalive
from gb28181.manscdp.responses import CatalogAnswer
from gb28181.ptz import Move, decode, encode
from gb28181.sip import Endpoint, Flow, Request, RequestReceived, parse_message, respond

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


PARSED = parse_message(REGISTER)
STATUS, LIST = read(KEEPALIVE).body, read(TWENTY).body
CASES: list[tuple[str, Callable[[], object], Callable[[], object] | None]] = [
    ("SIP parse", sip, usual_sip),
    ("MANSCDP parse, keepalive", lambda: read(KEEPALIVE), lambda: usual_body(KEEPALIVE)),
    ("MANSCDP parse, 1 item", lambda: read(ONE), lambda: usual_body(ONE)),
    ("MANSCDP parse, 20 items", lambda: read(TWENTY), lambda: usual_body(TWENTY)),
    ("MANSCDP build, keepalive", lambda: write(STATUS, GBT_28181_2022), None),
    ("MANSCDP build, 20 items", lambda: write(LIST, GBT_28181_2022), None),
    ("PTZ encode", lambda: encode(Move.of(pan=128)), None),
    ("PTZ decode", lambda: decode("A50F010180000036"), None),
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
