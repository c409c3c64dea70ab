# SPDX-License-Identifier: Apache-2.0
"""Listeners behind proxies that begin each connection with a PROXY protocol header."""
import socket
import ssl
import struct

from lib import RawClient, Scenario, build, free_port, wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="192.0.2.1", port=50000, family="TCP4", to="192.0.2.2"):
    return ("PROXY %s %s %s %d 443\r\n" % (family, source, to, port)).encode()


def v2(source="192.0.2.1", port=50000, command=0x21, tlvs=b""):
    six = ":" in source
    family = socket.AF_INET6 if six else socket.AF_INET
    to = "2001:db8::2" if six else "192.0.2.2"
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, to)
            + struct.pack("!HH", port, 443) + tlvs)
    return SIGNATURE + struct.pack("!BBH", command, 0x21 if six else 0x11, len(body)) + body


class Proxied(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.port = free_port()

    def front(self, settings=None, tls=None, **config):
        listener = {"address": "127.0.0.1:%d" % self.port,
                    "proxy_protocol": dict({"from": ["127.0.0.0/29"]}, **(settings or {}))}
        if tls:
            listener["tls"] = tls
        return self.static_gateway([self.web], config=dict(
            {"access_log": "stdout", "listeners": [listener]}, **config))

    def connect(self, source=None):
        client = RawClient(self.port, source=source)
        self.addCleanup(client.close)
        return client

    def seen(self, header, **options):
        """The address that the service is told after that header."""
        client = self.connect(**options)
        client.send(header + build("GET", "/"))
        self.assertEqual(client.read_answer().status, 200)
        return self.web.requests[-1].header("X-Forwarded-For")

    def assertClosed(self, header, **options):
        client = self.connect(**options)
        client.send(header + build("GET", "/"))
        try:
            self.assertEqual(client.read_to_end(), b"")
        except ConnectionError:
            pass

    def errors(self, front):
        body = front.admin_get("/metrics").body.decode()
        name = "frontdesk_proxy_header_errors_total "
        return sum(float(line[len(name):]) for line in body.splitlines() if line.startswith(name))


class Headers(Proxied):
    def test_whom_they_name(self):
        front = self.front()
        for name, header, address in (
                ("v1", v1(), "192.0.2.1"),
                ("v1 IPv6", v1("2001:db8::1", family="TCP6", to="::2"), "2001:db8::1"),
                ("v1 mapped", v1("::ffff:192.0.2.3", family="TCP6", to="::2"), "192.0.2.3"),
                ("v1 unknown", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                ("v2", v2("192.0.2.4"), "192.0.2.4"),
                ("v2 IPv6", v2("2001:db8::5"), "2001:db8::5"),
                ("v2 more fields", v2("192.0.2.6", tlvs=b"\4\0\3xxx\1\0\2h2"), "192.0.2.6"),
                ("v2 local", v2(command=0x20), "127.0.0.1"),
                ("v2 local, empty", SIGNATURE + b"\x20\0\0\0", "127.0.0.1")):
            with self.subTest(name):
                self.assertEqual(self.seen(header), address)
        front.wait_logged(client="2001:db8::5", status=200)
        self.assertEqual(self.errors(front), 0)

    def test_every_request_of_the_connection_is_of_that_client(self):
        self.front()
        client = self.connect()
        client.send(v1() + build("GET", "/a") + build("GET", "/b"))
        for _ in range(2):
            self.assertEqual(client.read_answer().status, 200)
        client.send(build("GET", "/c"))
        self.assertEqual(client.read_answer().status, 200)
        self.assertEqual({r.header("X-Forwarded-For") for r in self.web.requests}, {"192.0.2.1"})

    def test_byte_by_byte(self):
        self.front()
        for header in (v1(), v2(tlvs=b"\4\0\1x")):
            client = self.connect()
            for byte in header + build("GET", "/"):
                client.send(bytes([byte]))
            self.assertEqual(client.read_answer().status, 200)
            self.assertEqual(self.web.requests[-1].header("X-Forwarded-For"), "192.0.2.1")

    def test_what_is_wrong_is_closed_and_counted(self):
        front = self.front()
        wrong = (b"", b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
                 b"PROXY UNKNOWN\n", b"PROXY UNKNOWN " + b"x" * 120 + b"\r\n",
                 SIGNATURE + b"\x31\x11\0\0", v2(tlvs=b"\4\0\2x"),
                 v2(tlvs=b"\3\0\4abcd"), SIGNATURE + b"\x21\x11\xff\xff")
        for header in wrong:
            with self.subTest(header[:30]):
                self.assertClosed(header)
        self.assertEqual(self.web.count, 0)
        wait_for(lambda: self.errors(front) == len(wrong), what="the errors counted")

    def test_a_header_that_ends_early(self):
        front = self.front()
        client = self.connect()
        client.send(v1()[:20])
        client.finish_sending()
        self.assertTrue(client.is_closed() or client.read_to_end() == b"")
        wait_for(lambda: self.errors(front) == 1, what="the error counted")

    def test_silence_ends_with_the_header_timeout(self):
        self.front(limits={"header_timeout": "200ms"})
        for data in (b"", v1()[:9]):
            client = self.connect()
            client.send(data)
            self.assertEqual(client.read_to_end(), b"")

    def test_looking_whether_the_port_is_open_is_no_error(self):
        front = self.front()
        self.connect().close()
        self.assertEqual(self.seen(v1()), "192.0.2.1")
        self.assertEqual(self.errors(front), 0)

    def test_versions(self):
        front = self.front({"version": "v2"})
        self.assertClosed(v1())
        self.assertEqual(self.seen(v2()), "192.0.2.1")
        self.assertEqual(self.errors(front), 1)

    def test_largest_header(self):
        self.front({"max_bytes": 100})
        self.assertEqual(self.seen(v2(tlvs=b"\4\0" + bytes([69]) + b"x" * 69)), "192.0.2.1")
        self.assertClosed(v2(tlvs=b"\4\0" + bytes([70]) + b"x" * 70))


class Trust(Proxied):
    def test_others_are_not_served(self):
        front = self.front()
        self.assertClosed(v1(), source="127.0.0.9")
        self.assertClosed(b"", source="127.0.0.9")
        wait_for(lambda: self.errors(front) == 2, what="the errors counted")
        self.assertEqual(self.web.count, 0)

    def test_without_the_key_a_header_is_no_request(self):
        front = self.static_gateway([self.web])
        with front.connect() as client:
            client.send(v1() + build("GET", "/"))
            self.assertEqual(client.read_answer().status, 400)

    def test_rules_go_by_the_client(self):
        self.front(deny_from=["192.0.2.1"])
        client = self.connect()
        client.send(v1() + build("GET", "/"))
        self.assertEqual(client.read_answer().reason, "address_denied")
        self.assertEqual(self.seen(v1("192.0.2.9")), "192.0.2.9")

    def test_a_proxy_behind_a_proxy(self):
        """Whom the header names may be a trusted proxy of HTTP itself; the sender's own is not."""
        front = self.front(trusted_proxies=["192.0.2.0/24"])
        for source, listed, client in (("192.0.2.1", "198.51.100.1", "198.51.100.1"),
                                       ("198.51.100.9", "198.51.100.2", "198.51.100.9")):
            connection = self.connect()
            connection.send(v1(source) + build("GET", "/", {"X-Forwarded-For": listed}))
            self.assertEqual(connection.read_answer().status, 200)
            front.wait_logged(client=client, status=200)


class WithTls(Proxied):
    def test_the_header_comes_before_the_handshake(self):
        certificate = self.authority()
        pair = certificate.issue("shop.example", ["shop.example"])
        self.front(tls={"certificates": [{"cert": pair.cert, "key": pair.key}]})
        context = ssl.create_default_context(cafile=certificate.file)
        for header in (v1(), v2("2001:db8::5")):
            plain = socket.create_connection(("127.0.0.1", self.port), 10)
            self.addCleanup(plain.close)
            plain.sendall(header)
            with context.wrap_socket(plain, server_hostname="shop.example") as connection:
                connection.sendall(build("GET", "/", close=True))
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:100])
            request = self.web.requests[-1]
            self.assertEqual(request.header("X-Forwarded-Proto"), "https")
        self.assertEqual([r.header("X-Forwarded-For") for r in self.web.requests],
                         ["192.0.2.1", "2001:db8::5"])
