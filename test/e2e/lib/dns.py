# SPDX-License-Identifier: Apache-2.0
"""dns.py - a small name server whose every answer the test decides.

    dns = Dns()                                   # UDP on 127.0.0.1:dns.port; stop() ends it
    dns.set("web.test", a=["127.0.0.2"], aaaa=["::1"], ttl=5)
    dns.set("web.test", code=dns.SERVFAIL)        # or NXDOMAIN, or REFUSED
    dns.silent = True                             # answers nothing
    dns.truncate = True                           # every answer says that it was too long
    dns.asked("web.test")                         # [type, ...] that arrived for it, in order

A name that was not set does not exist. Case does not matter, and is sent back as it came.
"""
import socket
import struct
import threading

_A, _AAAA = 1, 28


def _read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("ascii", "replace"))
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


class Dns:
    SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self.silent = self.truncate = False
        self._lock = threading.Lock()
        self._names = {}
        self._asked = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def set(self, name, a=(), aaaa=(), ttl=5, code=0):
        with self._lock:
            self._names[name.lower()] = (list(a), list(aaaa), ttl, code)

    def asked(self, name):
        with self._lock:
            return [kind for asked, kind in self._asked if asked == name.lower()]

    def stop(self):
        self.silent = True
        # Wakes the thread, which sees that it is over.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self):
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            if len(data) > 12:
                answer = self._answer(data)
                if answer:
                    self._socket.sendto(answer, peer)

    def _answer(self, data):
        name, end = _read_name(data, 12)
        kind = struct.unpack_from("!H", data, end)[0]
        question = data[12:end + 4]
        with self._lock:
            self._asked.append((name, {_A: "A", _AAAA: "AAAA"}.get(kind, str(kind))))
            a, aaaa, ttl, code = self._names.get(name, ((), (), 5, self.NXDOMAIN))
        if self.silent:
            return None
        addresses = [] if code or self.truncate else a if kind == _A else aaaa if kind == _AAAA else []
        records = b"".join(
            struct.pack("!HHHIH", 0xC00C, kind, 1, ttl, 4 if kind == _A else 16)
            + socket.inet_pton(socket.AF_INET if kind == _A else socket.AF_INET6, text)
            for text in addresses)
        flags = 0x8180 | (0x0200 if self.truncate else 0) | code
        return data[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + question + records
