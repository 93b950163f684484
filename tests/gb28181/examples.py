"""Messages that the tests share, in documentation addresses."""

from __future__ import annotations

PLATFORM = "34020000002000000001"
DEVICE = "34020000001320000001"
CHANNEL = "34020000001310000001"
DOMAIN = "3402000000"
PASSWORD = "12345678"


def wire(text: str, body: bytes = b"") -> bytes:
    """A message as it stands on the wire, from lines written without CR."""
    return text.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


REGISTER = wire(
    f"""
REGISTER sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKr1
From: <sip:{DEVICE}@{DOMAIN}>;tag=d1001
To: <sip:{DEVICE}@{DOMAIN}>
Call-ID: reg-1@192.0.2.50
CSeq: 1 REGISTER
Contact: <sip:{DEVICE}@192.0.2.50:5060>
Max-Forwards: 70
User-Agent: SimCam/1.0
X-GB-Ver: 3.0
Expires: 3600
Content-Length: 0
"""
)

UNAUTHORIZED = wire(
    f"""
SIP/2.0 401 Unauthorized
Via: SIP/2.0/UDP 192.0.2.50:5060;rport=5060;received=192.0.2.50;branch=z9hG4bKr1
From: <sip:{DEVICE}@{DOMAIN}>;tag=d1001
To: <sip:{DEVICE}@{DOMAIN}>;tag=p2001
Call-ID: reg-1@192.0.2.50
CSeq: 1 REGISTER
X-GB-Ver: 3.0
WWW-Authenticate: Digest realm="{DOMAIN}",nonce="6fe9ba44a76be22a",algorithm=MD5
Content-Length: 0
"""
)

AUTHORIZED = wire(
    f"""
REGISTER sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKr2
From: <sip:{DEVICE}@{DOMAIN}>;tag=d1001
To: <sip:{DEVICE}@{DOMAIN}>
Call-ID: reg-1@192.0.2.50
CSeq: 2 REGISTER
Contact: <sip:{DEVICE}@192.0.2.50:5060>
Max-Forwards: 70
User-Agent: SimCam/1.0
X-GB-Ver: 3.0
Expires: 3600
Authorization: Digest username="{DEVICE}",realm="{DOMAIN}",nonce="6fe9ba44a76be22a","""
    f"""uri="sip:{PLATFORM}@{DOMAIN}",response="6a2143ae65b119e276a75f0a4a8992b7",algorithm=MD5
Content-Length: 0
"""
)

REGISTERED = wire(
    f"""
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.50:5060;rport=5060;received=192.0.2.50;branch=z9hG4bKr2
From: <sip:{DEVICE}@{DOMAIN}>;tag=d1001
To: <sip:{DEVICE}@{DOMAIN}>;tag=p2002
Call-ID: reg-1@192.0.2.50
CSeq: 2 REGISTER
Contact: <sip:{DEVICE}@192.0.2.50:5060>
Expires: 3600
Date: 2026-01-02T03:04:05.678
X-GB-Ver: 3.0
Content-Length: 0
"""
)

KEEPALIVE_BODY = (
    '<?xml version="1.0" encoding="GB18030"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>43</SN>\r\n'
    f"<DeviceID>{DEVICE}</DeviceID>\r\n<Status>OK</Status>\r\n<Info></Info>\r\n</Notify>\r\n"
).encode()

KEEPALIVE = wire(
    f"""
MESSAGE sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKk1
From: <sip:{DEVICE}@{DOMAIN}>;tag=dk1
To: <sip:{PLATFORM}@{DOMAIN}>
Call-ID: ka-1@192.0.2.50
CSeq: 20 MESSAGE
Max-Forwards: 70
User-Agent: Demo/1.0
Content-Type: Application/MANSCDP+xml
Content-Length: 185
""",
    KEEPALIVE_BODY,
)

ALL = (REGISTER, UNAUTHORIZED, AUTHORIZED, REGISTERED, KEEPALIVE)
