"""A door controller as a plain script: literal frames over a socket, nothing of this project, real time.

    python literal_door.py --port 8212 --seconds 60 --interval 10

It connects, says that it started (2081), reports its three states every interval, answers 1011 and 3020 by 9011, data
and 9012, repeats an upload that nobody answers by 9014, and connects again when the link is lost.
"""

from __future__ import annotations

import argparse
import datetime
import re
import socket
import time

CHINA = datetime.timezone(datetime.timedelta(hours=8))
STARTED = "QN={qn};ST=81;CN=2081;PW={pw};MN={mn};Flag=5;CP=&&DataTime={now};RestartTime={now}&&"
REPORT = "QN={qn};ST=81;CN=3020;PW={pw};MN={mn};Flag=5;CP=&&DataTime={now};i32001-Info=0;i32002-Info=0;i32003-Info=0&&"
ACCEPTED = "QN={qn};ST=91;CN=9011;PW={pw};MN={mn};Flag=4;CP=&&QnRtn=1&&"
REFUSED = "QN={qn};ST=91;CN=9011;PW={pw};MN={mn};Flag=4;CP=&&QnRtn=8&&"
CLOCK = "QN={qn};ST=81;CN=1011;PW={pw};MN={mn};Flag=4;CP=&&SystemTime={now}&&"
STATE = "QN={qn};ST=81;CN=3020;PW={pw};MN={mn};Flag=4;CP=&&DataTime={now};i32001-Info=0&&"
EXECUTED = "QN={qn};ST=91;CN=9012;PW={pw};MN={mn};Flag=4;CP=&&ExeRtn=1&&"


def check_value(segment: bytes) -> int:
    """HJ 212-2017 Annex A, step by step."""
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            low = register & 1
            register >>= 1
            if low:
                register ^= 0xA001
    return register


def frame(text: str) -> bytes:
    segment = text.encode()
    return b"##%04d" % len(segment) + segment + b"%04X" % check_value(segment) + b"\r\n"


class Door:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.end = time.monotonic() + options.seconds
        self.due = time.monotonic()
        self.wall = time.time() - self.due
        self.unanswered: dict[str, list] = {}  # QN -> frame, when to repeat it, how often it was repeated
        self.last_qn = 0
        self.socket: socket.socket | None = None

    def filled(self, template: str, qn: str = "", at: float | None = None) -> bytes:
        now = datetime.datetime.fromtimestamp(time.time() if at is None else at, CHINA)
        return frame(template.format(qn=qn, pw=self.options.pw, mn=self.options.mn, now=f"{now:%Y%m%d%H%M%S}"))

    def upload(self, template: str, at: float | None = None) -> None:
        self.last_qn = max(self.last_qn + 1, time.time_ns() // 1_000_000)
        moment = datetime.datetime.fromtimestamp(self.last_qn // 1000, CHINA)
        qn = f"{moment:%Y%m%d%H%M%S}{self.last_qn % 1000:03d}"
        data = self.filled(template, qn, at)
        self.unanswered[qn] = [data, time.monotonic() + self.options.overtime, 0]
        self.socket.sendall(data)

    def answer(self, text: str) -> None:
        fields = dict(re.findall(r"(QN|CN|InfoId)=([^;&]*)", text))
        qn, cn = fields["QN"], fields["CN"]
        if cn == "9014":
            self.unanswered.pop(qn, None)
        elif cn == "1011" or (cn == "3020" and fields.get("InfoId") == "i32001"):
            self.socket.sendall(self.filled(ACCEPTED, qn))
            self.socket.sendall(self.filled(CLOCK if cn == "1011" else STATE, qn))
            self.socket.sendall(self.filled(EXECUTED, qn))
        elif not cn.startswith("90"):
            self.socket.sendall(self.filled(REFUSED, qn))

    def stay(self) -> None:
        """Live on one link until it is lost or the time is over."""
        self.upload(STARTED)
        rest = b""
        while time.monotonic() < self.end:
            now = time.monotonic()
            if now >= self.due:
                # Its time is when it was due: two that are a second apart do not tell the same one, however busy it is.
                at, self.due = self.wall + self.due, self.due + self.options.interval
                self.upload(REPORT, at)
            for qn, entry in list(self.unanswered.items()):
                if now >= entry[1]:
                    if entry[2] == 3:
                        del self.unanswered[qn]
                        continue
                    entry[1:] = [now + self.options.overtime, entry[2] + 1]
                    self.socket.sendall(entry[0])
            try:
                data = self.socket.recv(4096)
            except TimeoutError:
                continue
            if not data:
                return
            *lines, rest = (rest + data).split(b"\r\n")
            for line in lines:
                self.answer(line.decode())

    def run(self) -> None:
        while time.monotonic() < self.end:
            try:
                with socket.create_connection((self.options.host, self.options.port), timeout=1.0) as self.socket:
                    self.socket.settimeout(0.02)
                    self.stay()
            except OSError:
                pass
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it lives")
    parser.add_argument("--interval", type=float, default=900.0, help="seconds between two reports")
    parser.add_argument("--overtime", type=float, default=10.0, help="seconds until an upload is repeated")
    parser.add_argument("--mn", default="64010000ACCE550000000001")
    parser.add_argument("--pw", default="123456")
    Door(parser.parse_args()).run()


if __name__ == "__main__":
    main()
