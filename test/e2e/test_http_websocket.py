# SPDX-License-Identifier: Apache-2.0
"""Upgrades: WebSocket passes as a tunnel, everything else stays plain HTTP."""
import threading

from lib import Scenario, build, early, head, reply, wait_for

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
SWITCHED = [("Connection", "Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]


def echo(request, connection):
    """Switches, then sends back whatever comes until the other side ends."""
    connection.send(head(101, SWITCHED))
    while True:
        if connection.buffer:
            connection.send(connection.take(len(connection.buffer)))
        if not connection.read():
            break
    connection.close()


class Websocket(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.web.on("/ws", echo)
        self.front = self.static_gateway([self.web], config={"drain_timeout": "2s"})

    def open(self, client, data=b""):
        client.send(build("GET", "/ws", UPGRADE) + data)
        answer = client.read_head()
        self.assertEqual(answer.status, 101)
        return answer

    def read(self, client, count):
        data = b""
        while len(data) < count:
            more = client.read_some()
            self.assertTrue(more, "the tunnel ended early")
            data += more
        return data

    def test_echo(self):
        with self.front.connect() as client:
            answer = self.open(client)
            self.assertEqual(answer.header("Upgrade"), "websocket")
            self.assertEqual(answer.header("Connection").lower(), "upgrade")
            self.assertEqual(answer.header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            for size in (1, 5, 1000, 200000):
                client.send(b"x" * size)
                self.assertEqual(self.read(client, size), b"x" * size)
        request = self.web.requests[0]
        self.assertEqual(request.header("Upgrade"), "websocket")
        self.assertEqual(request.header("Connection").lower(), "upgrade")
        self.assertEqual(request.header("Sec-WebSocket-Key"), "dGhlIHNhbXBsZSBub25jZQ==")

    def test_much_data_both_ways_at_once(self):
        total = 3_000_000
        with self.front.connect(timeout=30) as client:
            self.open(client)
            writer = threading.Thread(target=client.send, args=(b"y" * total,), daemon=True)
            writer.start()
            self.assertEqual(len(self.read(client, total)), total)
            writer.join(10)

    def test_first_words_of_the_service_come_with_its_answer(self):
        self.web.on("/ws", lambda request, connection:
                    (connection.send(head(101, SWITCHED) + b"hello"), connection.read()))
        with self.front.connect() as client:
            self.open(client)
            self.assertEqual(self.read(client, 5), b"hello")

    def test_words_of_the_client_before_the_answer_are_tunnelled_only_after_it(self):
        with self.front.connect() as client:
            self.open(client, b"too early")
            client.send(b", and then")
            self.assertEqual(self.read(client, 19), b"too early, and then")
        self.assertEqual(self.web.count, 1)

    def test_either_side_ends_the_tunnel(self):
        with self.front.connect() as client:
            self.open(client)
            wait_for(lambda: self.web.connections == 1, 5, "open tunnel")
        wait_for(lambda: self.web.connections == 0, 5, "end at the service")
        self.web.on("/ws", lambda request, connection:
                    (connection.send(head(101, SWITCHED) + b"bye"), connection.close()))
        with self.front.connect() as client:
            self.open(client)
            self.assertEqual(client.read_to_end(), b"bye")

    def test_a_tunnel_outlives_every_timeout_of_requests(self):
        front = self.static_gateway(
            [self.web], settings={"timeout": "200ms", "idle_timeout": "200ms",
                                  "first_byte_timeout": "200ms"},
            config={"drain_timeout": "2s", "limits": {"body_timeout": "200ms", "write_timeout": "200ms",
                                                      "keepalive_timeout": "200ms"}})
        with front.connect() as client:
            self.open(client)
            self.web.sleep(0.7)
            client.send(b"still here")
            self.assertEqual(self.read(client, 10), b"still here")

    def test_refused_by_the_service(self):
        self.web.on("/ws", reply(status=403, body=b"no"))
        with self.front.connect() as client:
            client.send(build("GET", "/ws", UPGRADE) + build("GET", "/next"))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.body), (403, b"no"))
            self.assertEqual(client.read_answer().json()["target"], "/next")

    def test_many_tunnels(self):
        clients = [self.front.connect() for _ in range(30)]
        for client in clients:
            self.addCleanup(client.close)
            self.open(client)
        for i, client in enumerate(clients):
            client.send(b"client %02d" % i)
        for i, client in enumerate(clients):
            self.assertEqual(self.read(client, 9), b"client %02d" % i)
        self.assertEqual(self.front.get("/plain").status, 200)
        for client in clients:
            client.close()
        wait_for(lambda: self.web.busy == 0, 5, "end of all tunnels")


class OtherUpgrades(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_are_answered_as_plain_requests(self):
        h2c = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")]
        cases = [("h2c", "GET", h2c), ("TLS", "GET", [("Connection", "upgrade"), ("Upgrade", "TLS/1.0")]),
                 ("not named in Connection", "GET", [("Upgrade", "websocket")]),
                 ("POST", "POST", UPGRADE)]
        for name, method, headers in cases:
            with self.subTest(name), self.front.connect() as client:
                client.send(build(method, "/", headers, b"" if method == "POST" else None))
                self.assertEqual(client.read_answer().status, 200)
                request = self.web.requests[-1]
                for field in ("Upgrade", "Connection", "HTTP2-Settings"):
                    self.assertIsNone(request.header(field), field)

    def test_a_service_cannot_open_a_tunnel_of_another_kind(self):
        self.web.always(lambda request, connection: connection.send(
            head(101, [("Connection", "upgrade"), ("Upgrade", "h2c")]) + b"smuggled"))
        for headers in ([], UPGRADE):
            with self.subTest(headers=headers), self.front.connect() as client:
                client.send(build("GET", "/", headers))
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.reason), (502, "upstream_invalid"))

    def test_no_tunnel_before_the_request_is_complete(self):
        """What is left of a body must not pass for words in the tunnel."""
        self.web.always(early(lambda request, connection:
                              (connection.send(head(101, SWITCHED)), connection.read())))
        with self.front.connect() as client:
            client.send(build("GET", "/", UPGRADE + [("Content-Length", "10")]) + b"half")
            self.assertEqual(client.read_answer().status, 502)
