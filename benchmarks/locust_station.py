"""The same work by a Locust user class: 1,000 users report to a platform and wait for each answer.

Started by ``test_fleet.py`` as a process of its own: arguments are port, users, seconds; prints one line of JSON.
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent import socket  # noqa: E402
from locust import User, constant, task  # noqa: E402
from locust.env import Environment  # noqa: E402

from hj212 import HJ_212_2017, Connection, Role, compose  # noqa: E402
from hj212.events import UploadAcknowledged  # noqa: E402
from hj212.times import QnSource, format_time  # noqa: E402

ITEMS = (("i32001-Info", "0"), ("i32002-Info", "0"), ("i32003-Info", "0"))


class Station(User):
    """A door controller that reports as soon as it is answered."""

    wait_time = constant(0)
    port = 0
    count = 0

    def on_start(self) -> None:
        Station.count += 1
        self.mn = f"64010000ACCE55{Station.count:010X}"
        self.link = socket.create_connection(("127.0.0.1", self.port))
        self.connection = Connection(Role.STATION, HJ_212_2017)
        self.qn = QnSource(time.time)

    @task
    def report(self) -> None:
        began = time.perf_counter()
        moment = (("DataTime", format_time(time.time())),)
        message = compose(
            HJ_212_2017, qn=self.qn(), st="81", cn="3020", pw="123456", mn=self.mn,
            items=[moment, *([pair] for pair in ITEMS)], answer=True,
        )  # fmt: skip
        self.connection.send(message, began)
        self.link.sendall(self.connection.data_to_send())
        while True:
            self.connection.receive_data(self.link.recv(4096), began)
            if any(isinstance(event, UploadAcknowledged) for event in self.connection.events()):
                break
        self.environment.events.request.fire(
            request_type="HJ212", name="3020", response_time=(time.perf_counter() - began) * 1000, response_length=87,
            exception=None, context={},
        )  # fmt: skip


def main() -> None:
    port, users, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    Station.port = port
    environment: Any = Environment(user_classes=[Station])
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    deadline = time.monotonic() + 30
    while Station.count < users and time.monotonic() < deadline:
        gevent.sleep(0.1)
    before, cpu, began = environment.stats.total.num_requests, time.process_time(), time.monotonic()
    gevent.sleep(seconds)
    pairs = environment.stats.total.num_requests - before
    spent, took = time.process_time() - cpu, time.monotonic() - began
    runner.quit()
    print(json.dumps({"pairs_per_s": pairs / took, "us_per_pair": 1e6 * spent / max(pairs, 1)}))


if __name__ == "__main__":
    main()
