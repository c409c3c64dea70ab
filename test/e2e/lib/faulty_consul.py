# SPDX-License-Identifier: Apache-2.0
"""faulty_consul.py - a Consul agent that is wrong in the ways that a real one will not be on demand.

    consul = FaultyConsul()
    consul.set("orders", [instance("a", port)], tags=["frontdesk.path=/orders/"])     # index + 1
    consul.fault(error(500))                  # from now on for every request, blocked ones included
    consul.fault(truncated, "/v1/health/")    # ... or for the paths that begin so
    consul.greet(too_many)                    # before a request is even read
    consul.heal()
    consul.rate(3)                            # requests a second, over so many seconds
    front = TlsFront(consul, certificate); front.goaway()         # HTTP/2 over TLS, by Node

Sound, it knows the list of services, the instances of each, no critical and no warning check, no
ACLs, and blocking queries. A fault is a function of (request, connection), like the behaviours of origin.py,
and it can use `connection.origin.answer(request)`: (body, index) of what a sound agent would say.
"""
import gzip
import json
import os
import subprocess
import threading
import time
import urllib.parse

from .origin import Origin, head
from .wait import free_port, wait_for

_FRONT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faulty_consul.mjs")
_DURATION = {"ms": 0.001, "s": 1, "m": 60}


def instance(id, port, status="passing", address="127.0.0.1", tags=(), **service):
    """One element of an answer of /v1/health/service/NAME; `service`: more fields of its Service."""
    return {"Node": {"Node": "node-1", "Address": "127.0.0.1", "Meta": {}},
            "Service": dict({"ID": id, "Service": "", "Address": address, "Port": port,
                             "Tags": list(tags), "Meta": {}, "Weights": {"Passing": 1, "Warning": 1},
                             "CreateIndex": 1, "ModifyIndex": 1}, **service),
            "Checks": [{"CheckID": "check:" + id, "Name": "check", "Status": status, "Node": "node-1",
                        "ServiceID": id, "Output": ""}]}


class FaultyConsul(Origin):
    def __init__(self):
        self._state = threading.Condition()
        self._services = {}
        self._tags = {}
        self._index = 1000  # of the list
        self._indexes = {}  # of each service
        self._faults = {}
        self._greeting = None
        self._era = 0  # of faults: who waits looks again
        self.token = None
        super().__init__("consul")
        self.address = "http://127.0.0.1:%d" % self.port
        self.always(_obey)

    # What it knows.

    def set(self, name, instances, tags=()):
        with self._state:
            self._index += 1
            self._indexes[name] = self._index
            self._tags[name] = list(tags)
            self._services[name] = [
                dict(one, Service=dict(one["Service"], Service=name, Tags=list(tags)))
                for one in instances]
            self._state.notify_all()

    def index(self):
        with self._state:
            return self._index

    def turn_back(self, index=1):
        """As after a rebuild: the same services under lower indexes."""
        with self._state:
            self._index = index
            self._indexes = {name: index for name in self._indexes}
            self._era += 1
            self._state.notify_all()

    def answer(self, request):
        """(value, index) of what it knows; (None, 1) of a path that it does not know."""
        path = urllib.parse.unquote(request.path)
        with self._state:
            if path == "/v1/catalog/services":
                return dict(self._tags, consul=[]), self._index
            if path.startswith("/v1/health/service/"):
                name = path[len("/v1/health/service/"):]
                return self._services.get(name, []), self._indexes.get(name, 1)
            if path.startswith("/v1/health/state/") or path.startswith("/v1/config/"):
                return [], 1
            if path == "/v1/catalog/datacenters":
                return ["dc1"], None
            return None, 1

    def wait(self, request):
        """A blocking query waits until its answer changes, its time is up, or faults change."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.target).query)
        asked = int(query.get("index", ["0"])[0])
        end = time.monotonic() + (_seconds(query.get("wait", ["5m"])[0]) if asked else 0)
        era = self._era
        with self._state:
            while (not self._ending.is_set() and era == self._era and time.monotonic() < end and
                   (self.answer(request)[1] or asked + 1) <= asked):
                self._state.wait(min(1.0, max(0.0, end - time.monotonic())))

    # What goes wrong.

    def fault(self, behaviour, *prefixes):
        with self._state:
            for prefix in prefixes or ("/",):
                self._faults[prefix] = behaviour
            self._changed()

    def greet(self, behaviour):
        """For every new connection, in place of all else; open ones are closed."""
        with self._state:
            self._greeting = behaviour
            self._changed()
        for connection in self._open():
            connection.close()

    def heal(self):
        with self._state:
            self._faults, self._greeting = {}, None
            self._changed()

    def _changed(self):
        self._era += 1
        self._state.notify_all()

    def fault_of(self, path):
        with self._state:
            found = [prefix for prefix in self._faults if path.startswith(prefix)]
            return self._faults[max(found, key=len)] if found else None

    def rate(self, seconds):
        """Requests, or connections where none gets that far, a second from now on."""
        before = len(self.requests) + self.accepted
        self.sleep(seconds)
        return (len(self.requests) + self.accepted - before) / seconds

    def _serve(self, connection):
        greeting = self._greeting
        if greeting is not None:
            try:
                greeting(None, connection)
            except OSError:
                pass
            connection.close()
            with self._lock:
                self._connections.discard(connection)
            return
        super()._serve(connection)


def _seconds(text):
    for unit in ("ms", "s", "m"):
        if text.endswith(unit) and text[:-len(unit)].isdigit():
            return int(text[:-len(unit)]) * _DURATION[unit]
    raise ValueError("not a duration: " + text)


def _obey(request, connection):
    """The fault that is in force, also for a request that was waiting when it began."""
    consul = connection.origin
    if consul.fault_of(request.path) is None:
        consul.wait(request)
    (consul.fault_of(request.path) or sound)(request, connection)


def _send(connection, status, body, index=None, headers=(), type="application/json", length=None):
    pairs = [("Content-Type", type)] + list(headers)
    if index is not None:
        pairs.append(("X-Consul-Index", str(index)))
    pairs.append(("Content-Length", str(len(body) if length is None else length)))
    connection.send(head(status, pairs) + body)


LED = (("X-Consul-Knownleader", "true"), ("X-Consul-Lastcontact", "0"))


def sound(request, connection):
    value, index = connection.origin.answer(request)
    if request.path.startswith(("/v1/acl/", "/v1/internal/acl/")):
        _send(connection, 401, b"ACL support disabled", 1, type="text/plain")
    elif value is None:
        _send(connection, 404, b"not here", 1, type="text/plain")
    else:
        _send(connection, 200, json.dumps(value).encode(), index, LED)


# Faults. Those in capitals take arguments and give the fault.

def error(status, text="rpc error: no cluster leader"):
    """As all errors of a real one: index 1, no leader."""
    def behave(request, connection):
        _send(connection, status, text.encode(), 1,
              (("X-Consul-Knownleader", "false"), ("X-Consul-Lastcontact", "0")), "text/plain")
    return behave


def too_many(request, connection):
    """What a newer agent says to a connection that is one too many."""
    connection.send(b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\n"
                    b"Connection: close\r\n\r\nYour IP is issuing too many concurrent connections, "
                    b"please rate limit your calls\n")
    connection.close()


def resets(request, connection):
    """What an older one does."""
    connection.reset()


def with_index(index):
    """Good answers with that index, always at once; None = without one."""
    def behave(request, connection):
        value, _ = connection.origin.answer(request)
        _send(connection, 200, json.dumps(value).encode(), index, LED)
    return behave


def without_leader(request, connection):
    """A follower that is cut off: what it knows may be old."""
    value, index = connection.origin.answer(request)
    _send(connection, 200, json.dumps(value).encode(), index,
          (("X-Consul-Knownleader", "false"), ("X-Consul-Lastcontact", "648128")))


def empty(request, connection):
    """As for a token that lost its rights: the same index, and nothing there."""
    value, index = connection.origin.answer(request)
    _send(connection, 200, b"{}" if isinstance(value, dict) else b"[]", index, LED)


def empty_without_leader(request, connection):
    value, index = connection.origin.answer(request)
    _send(connection, 200, b"{}" if isinstance(value, dict) else b"[]", index + 1,
          (("X-Consul-Knownleader", "false"), ("X-Consul-Lastcontact", "648128")))


def reading_its_log(request, connection):
    """A server that was just started: it knows its leader, and of the catalog the part that it has read;
    the index is lower than before, and rises."""
    value, _ = connection.origin.answer(request)
    if value is None:
        sound(request, connection)
    else:
        _send(connection, 200, b"{}" if isinstance(value, dict) else b"[]",
              100 + connection.origin.count, LED)


def body(text, type="application/json", headers=()):
    """That, with a higher index each time."""
    def behave(request, connection):
        _, index = connection.origin.answer(request)
        _send(connection, 200, text if isinstance(text, bytes) else text.encode(),
              (index or 1) + connection.origin.count, LED + tuple(headers), type)
    return behave


def truncated(request, connection):
    """Half of the body, then the end of the connection."""
    value, index = connection.origin.answer(request)
    text = json.dumps(value).encode()
    _send(connection, 200, text[:len(text) // 2], index, LED, length=len(text))
    connection.close()


def truncated_reset(request, connection):
    value, index = connection.origin.answer(request)
    text = json.dumps(value).encode()
    _send(connection, 200, text[:len(text) // 2], index, LED, length=len(text))
    connection.origin.sleep(0.1)
    connection.reset()


def garbage(request, connection):
    connection.send(b"\x16\x03\x01\x00 nonsense\r\n" * 9)
    connection.close()


def slow(pause):
    """A byte of the body at a time."""
    def behave(request, connection):
        value, index = connection.origin.answer(request)
        text = json.dumps(value).encode()
        _send(connection, 200, b"", index, LED, length=len(text))
        for i in range(len(text)):
            if connection.origin.sleep(pause):
                return
            connection.send(text[i:i + 1])
    return behave


def padded(size):
    """The true answer for a service, with checks whose output makes it that large."""
    def behave(request, connection):
        value, index = connection.origin.answer(request)
        if isinstance(value, list) and value:
            value = [dict(one, Checks=one["Checks"] + [
                {"CheckID": "large", "Name": "large", "Status": "passing",
                 "Output": "x" * (size // len(value))}]) for one in value]
        _send(connection, 200, json.dumps(value).encode(), (index or 1) + connection.origin.count,
              LED)
    return behave


def endless(request, connection):
    """Never stops; its framing says nothing of the length."""
    connection.send(head(200, [("Content-Type", "application/json"), ("X-Consul-Index", "12"),
                               ("Transfer-Encoding", "chunked")]))
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while not connection.origin.sleep(0):
        connection.send(piece)


def gzip_bomb(size):
    """A small body that becomes a large one."""
    return body(gzip.compress(b"[" + b" " * size + b"]"), headers=(("Content-Encoding", "gzip"),))


class TlsFront:
    """HTTP/2 over TLS before a FaultyConsul: passes requests on, and breaks connections on command."""

    def __init__(self, consul, certificate):
        self.port = free_port()
        self.address = "https://localhost:%d" % self.port
        self.token = None
        options = {"port": self.port, "to": consul.port, "cert": certificate.cert,
                   "key": certificate.key}
        self._lines = []
        self._process = subprocess.Popen(
            ["node", _FRONT, json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        threading.Thread(target=self._listen, daemon=True).start()
        wait_for(lambda: "listening" in self._lines, 20, "HTTP/2 before Consul")

    def _listen(self):
        for line in self._process.stdout:
            self._lines.append(line.decode().strip())

    @property
    def sessions(self):
        """Connections so far."""
        return self._lines.count("session")

    def _command(self, word):
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()

    def goaway(self):
        """On every connection: no further stream, those open run on."""
        self._command("goaway")

    def calm(self):
        """GOAWAY with ENHANCE_YOUR_CALM, and the end of every connection."""
        self._command("calm")

    def reset_streams(self):
        self._command("reset")

    def stop(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
