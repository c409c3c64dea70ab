# SPDX-License-Identifier: Apache-2.0
"""wait.py - bounded polling and free ports, used by every other module here.

    wait_for(lambda: gateway.breaker("orders")["state"] == "open", timeout=5, what="open breaker")
    port = free_port()

A test never sleeps a fixed time for something to happen: it waits for the condition that it needs,
and fails with a sentence when that does not come in time.
"""
import random
import socket
import time

FIRST_PORT, LAST_PORT = 12000, 32000
_given = set()
_ports = (FIRST_PORT, LAST_PORT)


class Timeout(AssertionError):
    """A condition did not come true in time; an AssertionError, so a case fails and not breaks."""


def wait_for(condition, timeout=10.0, what="the condition", every=0.02):
    """Returns the first true value of condition(). An AssertionError, KeyError or the like inside it
    counts as "not yet", and is quoted when the time is up."""
    deadline = time.monotonic() + timeout
    while True:
        problem = None
        try:
            value = condition()
            if value:
                return value
        except (AssertionError, LookupError, OSError, TypeError, ValueError) as error:
            problem = error
        if time.monotonic() >= deadline:
            detail = "" if problem is None else " (%s: %s)" % (type(problem).__name__, problem)
            raise Timeout("no %s within %gs%s" % (what, timeout, detail))
        time.sleep(every)


def holds(condition, seconds, what="the condition", every=0.05):
    """Checks that condition() stays true for that long: for what must NOT happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError("%s did not hold for %gs" % (what, seconds))
        time.sleep(every)


def use_slice(number, of):
    """From now on only the number-th of so many parts of the ports: for tests side by side."""
    global _ports
    size = (LAST_PORT - FIRST_PORT) // of
    _ports = (FIRST_PORT + number * size, FIRST_PORT + (number + 1) * size)


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def free_port(host="127.0.0.1"):
    """A TCP port that nothing listens on, outside the range of outgoing connections, never given
    twice by this process. Also free for UDP, which Consul's gossip needs."""
    for _ in range(200):
        port = random.randrange(*_ports)
        if port in _given:
            continue
        with socket.socket(family_of(host), socket.SOCK_STREAM) as tcp, \
                socket.socket(family_of(host), socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port found")
