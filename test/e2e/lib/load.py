# SPDX-License-Identifier: Apache-2.0
"""load.py - steady traffic in the background, while a test breaks something.

    with Load(gateway.port, "/orders/1", threads=4) as load:
        origin.kill()
        load.wait_count(500)
    assert load.failed == 0, load.summary()

    answers = Parallel(6, lambda i: gateway.get("/orders/%d" % i)).results()    # six at once

Each thread has one keep-alive connection and sends one request after the other; `pause` slows it
down. Counted: `statuses` and `reasons` (Counter, the latter of Frontdesk-Reason), `origins` (of the
header X-Origin or X-Instance), `broken` (no or half an answer), `total`; `failed` is everything
that was not a 2xx or 3xx.
"""
import collections
import threading
import time

from . import client
from .wait import wait_for


class Load:
    def __init__(self, port, target="/", threads=2, pause=0.002, method="GET", headers=None,
                 body=None, host="shop.example", timeout=10.0):
        self.port, self.timeout, self.pause, self.method = port, timeout, pause, method
        self.bytes = client.build(method, target, headers, body, host)
        self.statuses = collections.Counter()
        self.reasons = collections.Counter()
        self.origins = collections.Counter()
        self.broken = []
        self.slowest = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for thread in self._threads:
            if thread.ident is None:
                thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(self.timeout + 5)
        return self

    @property
    def total(self):
        with self._lock:
            return sum(self.statuses.values()) + len(self.broken)

    @property
    def failed(self):
        with self._lock:
            return len(self.broken) + sum(n for s, n in self.statuses.items() if s >= 400)

    def wait_count(self, more, timeout=30):
        """Waits until that many further requests are done."""
        goal = self.total + more
        wait_for(lambda: self.total >= goal, timeout, "%d more requests" % more)

    def summary(self):
        return "%d requests, statuses %s, reasons %s, broken %d %s" % (
            self.total, dict(self.statuses), dict(self.reasons), len(self.broken), self.broken[:3])

    def _run(self):
        connection = None
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                if connection is None:
                    connection = client.RawClient(self.port, timeout=self.timeout)
                connection.send(self.bytes)
                answer = connection.read_answer(self.method)
                self._count(answer, time.monotonic() - begin)
                closing = answer.header("Connection", "").lower() == "close"
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.broken.append("%s: %s" % (type(error).__name__, error))
                closing = True
            if closing and connection is not None:
                connection.close()
                connection = None
            self._stop.wait(self.pause)
        if connection is not None:
            connection.close()

    def _count(self, answer, seconds):
        with self._lock:
            self.statuses[answer.status] += 1
            if answer.reason:
                self.reasons[answer.reason] += 1
            origin = answer.header("X-Origin") or answer.header("X-Instance")
            if origin:
                self.origins[origin] += 1
            self.slowest = max(self.slowest, seconds)


class Parallel:
    """Calls ask(0) ... ask(count - 1) in a thread each, at once. results() waits for all and gives
    their values in order; what one raised is raised again. `done` is the number that ended."""

    def __init__(self, count, ask):
        self._values = [None] * count
        self._errors = []
        self.done = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(ask, i), daemon=True)
                         for i in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, ask, i):
        try:
            self._values[i] = ask(i)
        except Exception as error:
            self._errors.append(error)
        with self._lock:
            self.done += 1

    def results(self, timeout=30.0):
        wait_for(lambda: self.done == len(self._threads), timeout, "end of all parallel calls")
        if self._errors:
            raise self._errors[0]
        return self._values
