# SPDX-License-Identifier: Apache-2.0
"""How the bytes of TLS arrive makes no difference: records in pieces, several at once, halves left over."""
import socket
import ssl

from test_tls import V12, V13, Front


class Wire:
    """A TLS client whose records are seen: what it would send is handed out, and sent by the test."""

    def __init__(self, test, version):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = test.context((version, version)).wrap_bio(self.incoming, self.outgoing,
                                                             server_hostname="shop.example")
        self.tcp = socket.create_connection(("127.0.0.1", test.port), 10)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        test.addCleanup(self.tcp.close)

    def shake_hands(self, send_last=True):
        """The client's last flight, unsent when the test wants to send it along with something."""
        while True:
            try:
                self.tls.do_handshake()
                last = self.outgoing.read()
                if send_last and last:
                    self.tcp.sendall(last)
                return last
            except ssl.SSLWantReadError:
                self.tcp.sendall(self.outgoing.read())
                self.more()

    def more(self):
        data = self.tcp.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self.incoming.write(data)

    def record(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def answer(self):
        """Body of the next answer."""
        data = b""
        while True:
            try:
                data += self.tls.read(1 if b"\r\n\r\n" not in data else 65536)
            except ssl.SSLWantReadError:
                self.more()
                continue
            head, gap, body = data.partition(b"\r\n\r\n")
            if not gap:
                continue
            length = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length")][0]
            while len(body) < length:
                try:
                    body += self.tls.read(length - len(body))
                except ssl.SSLWantReadError:
                    self.more()
            return body


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: shop.example\r\n\r\n" % path


class Records(Front):
    def setUp(self):
        super().setUp()
        self.front(self.listener([self.pair("shop.example")]), routes=[{"path": "/", "service": "web"}])

    def wires(self):
        return [Wire(self, version) for version in (V12, V13)]

    def seen(self, wire, path):
        self.assertIn(path, wire.answer())

    def test_one_byte_at_a_time(self):
        for wire in self.wires():
            wire.shake_hands()
            for byte in wire.record(get(b"/slowly")):
                wire.tcp.sendall(bytes([byte]))
            self.seen(wire, b"/slowly")

    def test_the_request_comes_along_with_the_handshake(self):
        wire = Wire(self, V13)
        last = wire.shake_hands(send_last=False)
        wire.tcp.sendall(last + wire.record(get(b"/at-once")))
        self.seen(wire, b"/at-once")

    def test_two_requests_in_one_piece(self):
        for wire in self.wires():
            wire.shake_hands()
            wire.tcp.sendall(wire.record(get(b"/first")) + wire.record(get(b"/second")))
            self.seen(wire, b"/first")
            self.seen(wire, b"/second")

    def test_a_record_for_every_byte_in_one_piece(self):
        for wire in self.wires():
            wire.shake_hands()
            wire.tcp.sendall(b"".join(wire.record(bytes([byte])) for byte in get(b"/crumbs")))
            self.seen(wire, b"/crumbs")

    def test_half_of_the_next_record_waits(self):
        for wire in self.wires():
            wire.shake_hands()
            for cut in (1, 4, 5, 6, 20, -1):
                first, second = wire.record(get(b"/first")), wire.record(get(b"/second"))
                wire.tcp.sendall(first + second[:cut])
                self.seen(wire, b"/first")
                wire.tcp.sendall(second[cut:])
                self.seen(wire, b"/second")

    def test_a_connection_that_ends_within_a_record(self):
        for wire in self.wires():
            wire.shake_hands()
            before = self.web.count
            wire.tcp.sendall(wire.record(get(b"/half"))[:-1])
            wire.tcp.shutdown(socket.SHUT_WR)
            while wire.tcp.recv(65536):
                pass
            self.assertEqual(self.web.count, before)
