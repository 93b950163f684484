"""Our device at a registrar that nobody of us wrote: kamailio, which follows RFC 3261 and RFC 7616 to the letter."""

from __future__ import annotations

import os
import random
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gb28181 import GBT_28181_2022
from gb28181.device import Account, DeviceEvent, Registered, Registration, RegistrationFailed, Unregistered
from gb28181.sip import Endpoint, Flow, Timings

from .examples import DEVICE, DOMAIN, PASSWORD, PLATFORM

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"
PATIENCE_S = 20.0
CONFIG = f"""
debug=1
log_stderror=yes
children=1
auto_aliases=no
dns=off
rev_dns=off
LISTEN
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "sanity.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "default_expires", 3600)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "nonce_expire", 60)

request_route {{
    if (!sanity_check("17895", "7")) {{ exit; }}
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{
            www_challenge("{DOMAIN}", "1");
            exit;
        }}
        consume_credentials();
        save("location");
        exit;
    }}
    if (is_method("MESSAGE") && registered("location", "$fu")) {{ sl_send_reply("200", "OK"); exit; }}
    sl_send_reply("404", "Not Found");
}}
"""


def free_port(transport: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def program() -> str:
    found = shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("kamailio is missing; CI installs it")
        pytest.skip("kamailio is not installed (Debian package kamailio)")
    return found


@pytest.fixture
def kamailio(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start the registrar on UDP or TCP; return its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(transport: str) -> int:
        port = free_port(transport)
        listen = f"listen={transport.lower()}:{HOST}:{port}\n"
        config = tmp_path / "kamailio.cfg"
        config.write_text(
            CONFIG.replace("LISTEN", listen + ("disable_tcp=yes\n" if transport == "UDP" else "")), "utf-8"
        )
        command = [program(), "-DD", "-E", "-m", "16", "-M", "4", "-f", str(config), "-w", str(tmp_path)]
        command += ["-Y", str(tmp_path), "-P", str(tmp_path / "pid")]
        with (tmp_path / "log").open("wb") as log:
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log))
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def way(transport: str, port: int) -> Iterator[tuple[socket.socket, Flow]]:
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    end = time.monotonic() + PATIENCE_S
    while True:
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.bind((HOST, 0))
            try:
                sock.connect((HOST, port))
            except ConnectionRefusedError:  # it is not up yet
                assert time.monotonic() < end, "kamailio does not listen"
                time.sleep(0.05)
                continue
            sock.setblocking(False)
            yield sock, Flow(transport, (HOST, port), sock.getsockname())
            return


class Camera:
    def __init__(self, sock: socket.socket, flow: Flow, password: str) -> None:
        self.sock, self.flow = sock, flow
        # Datagrams sent before the registrar is up are repeated soon.
        self.endpoint = Endpoint(random.Random(), timings=Timings(t1=0.2))
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=password, keepalive_s=0.2, expires_s=600)
        self.registration = Registration(self.endpoint, account, GBT_28181_2022, random.Random())
        self.told: list[DeviceEvent] = []
        self.beats: list[int] = []
        self.registration.start(flow, time.monotonic())

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, f"waited for {PATIENCE_S} s; so far: {self.told}"
            for _, data in self.endpoint.data_to_send():
                try:
                    self.sock.send(data)
                except ConnectionRefusedError:
                    continue
            if select.select([self.sock], [], [], 0.02)[0]:
                self.take()
            self.endpoint.handle_timeout(time.monotonic())
            self.step()

    def take(self) -> None:
        try:
            data = self.sock.recv(65536)
        except ConnectionRefusedError:
            return
        receive = self.endpoint.receive_datagram if self.flow.transport == "UDP" else self.endpoint.receive_stream
        receive(data, self.flow, time.monotonic())

    def step(self) -> None:
        for event in self.endpoint.events():
            assert self.registration.handle(event, time.monotonic())
            response = getattr(event, "response", None)
            if response is not None and response.cseq.method == "MESSAGE":
                self.beats.append(response.status)
        self.told += self.registration.events()

    def has(self, kind: type) -> bool:
        return any(isinstance(event, kind) for event in self.told)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_registers_keeps_alive_and_unregisters(kamailio: Callable[[str], int], transport: str) -> None:
    with way(transport, kamailio(transport)) as (sock, flow):
        camera = Camera(sock, flow, PASSWORD)
        camera.until(lambda: camera.has(Registered) and len(camera.beats) >= 2)
        (registered,) = [event for event in camera.told if isinstance(event, Registered)]
        assert registered.expires_s == 600
        assert set(camera.beats) == {200}
        camera.registration.stop(time.monotonic())
        camera.until(lambda: camera.has(Unregistered))
        assert camera.told[-1] == Unregistered(True)


def test_a_wrong_password_is_refused(kamailio: Callable[[str], int]) -> None:
    with way("UDP", kamailio("UDP")) as (sock, flow):
        camera = Camera(sock, flow, "12345679")
        camera.until(lambda: camera.has(RegistrationFailed))
        assert not camera.has(Registered)
        (failed,) = [event for event in camera.told if isinstance(event, RegistrationFailed)]
        assert failed.status == 401
