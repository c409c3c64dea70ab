# SPDX-License-Identifier: Apache-2.0
"""Every wait has an end. The limits here are short; what is checked is which one strikes and what the
client and the log get, never how exactly it kept the time."""
from lib import Scenario, build, chunk, head, reply, silence, slow_body, wait_for

QUIET = {"retries": {"attempts": 1}, "breaker": {"enabled": False}, "outlier": {"enabled": False}}


class Clients(Scenario):
    """What the client is slow with."""

    def setUp(self):
        self.web = self.origin()

    def front(self, **limits):
        return self.static_gateway([self.web], settings=QUIET,
                                   config={"limits": limits, "access_log": "stdout"})

    def test_header_that_does_not_end(self):
        front = self.front(header_timeout="300ms")
        for data in (b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r"):
            with self.subTest(data), front.connect() as client:
                client.send(data)
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.reason), (408, "request_timeout"))
                self.assertEqual(client.read_to_end(), b"")
        self.assertEqual(self.web.count, 0)

    def test_header_that_drips(self):
        """The deadline is for the whole header: a byte now and then does not extend it."""
        front = self.front(header_timeout="300ms")
        with front.connect() as client:
            client.send(b"GET / HTTP/1.1\r\n")

            def drip():
                client.send(b"X: y\r\n")
                return client.is_closed() or b"408" in client.buffer
            try:
                wait_for(drip, 5, "end of patience")
            except OSError:
                pass  # closed while the last drop was under way

    def test_silent_connection(self):
        front = self.front(header_timeout="300ms")
        with front.connect() as client:
            self.assertEqual(client.read_to_end(), b"")

    def test_idle_connection(self):
        front = self.front(keepalive_timeout="300ms")
        with front.connect() as client:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_answer().status, 200)
            self.assertEqual(client.read_to_end(), b"")

    def test_body_that_does_not_come(self):
        front = self.front(body_timeout="300ms")
        for name, data in (("nothing", build("POST", "/", [("Content-Length", "10")])),
                           ("half", build("POST", "/", [("Content-Length", "10")], b"12345")),
                           ("chunked", build("POST", "/", [("Transfer-Encoding", "chunked")],
                                             chunk(b"12345")))):
            with self.subTest(name), front.connect() as client:
                client.send(data)
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.reason), (408, "request_timeout"))
                self.assertEqual(client.read_to_end(), b"")
        wait_for(lambda: self.web.connections == 0, 5, "closed upstream connections")
        self.assertFalse([request for request in self.web.requests if request.complete])

    def test_slow_body_that_moves_on_is_fine(self):
        front = self.front(body_timeout="500ms")
        with front.connect() as client:
            client.send(build("POST", "/", [("Content-Length", "12")]))
            for i in range(12):
                self.web.sleep(0.1)
                client.send(b"%x" % i)
            self.assertEqual(client.read_answer().json()["body"], "0123456789ab")

    def test_answer_that_nobody_takes(self):
        self.web.always(reply(body=b"x" * 30_000_000))
        front = self.front(write_timeout="300ms")
        with front.connect() as client:
            client.send(build("GET", "/large"))
            line = front.wait_logged(path="/large", timeout=10)
            self.assertEqual(line["reason"], "client_stalled")
            wait_for(lambda: self.web.connections == 0, 5, "closed upstream connection")
            self.assertLess(len(client.read_to_end()), 30_000_000)
        self.web.always()
        self.assertEqual(front.get("/").status, 200)


class Instances(Scenario):
    """What the instance is slow with."""

    def front(self, instances, **settings):
        return self.static_gateway(instances, settings=dict(QUIET, **settings),
                                   config={"access_log": "stdout", "drain_timeout": "3s"})

    def test_connect_timeout(self):
        front = self.front([self.deaf()], connect_timeout="300ms")
        answer = front.get("/")
        self.assertEqual((answer.status, answer.reason), (504, "connect_timeout"))

    def test_first_byte_timeout(self):
        web = self.origin()
        front = self.front([web], first_byte_timeout="300ms")
        web.always(silence())
        for method in ("GET", "POST"):
            answer = front.request(method, "/", body=b"x")
            self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))
        wait_for(lambda: web.connections == 0, 5, "closed upstream connections")
        web.always()
        self.assertEqual(front.get("/").status, 200)

    def test_client_connection_survives_a_timeout(self):
        web = self.origin()
        front = self.front([web], first_byte_timeout="200ms")
        web.on("/hang", silence())
        with front.connect() as client:
            client.send(build("GET", "/hang") + build("GET", "/next"))
            self.assertEqual(client.read_answer().status, 504)
            self.assertEqual(client.read_answer().status, 200)

    def test_header_that_does_not_end(self):
        web = self.origin()
        front = self.front([web], timeout="500ms")
        web.always(silence(b"HTTP/1.1 200 OK\r\n"))
        answer = front.get("/")
        self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))

    def test_interim_answers_do_not_count_as_an_answer(self):
        web = self.origin()
        front = self.front([web], first_byte_timeout="300ms")
        web.always(silence(head(103)))
        answer = front.get("/")
        self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))

    def test_whole_timeout(self):
        web = self.origin()
        front = self.front([web], timeout="300ms")
        web.always(silence())
        answer = front.get("/")
        self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))

    def test_whole_timeout_of_a_route(self):
        web = self.origin()
        front = self.static_gateway([web], settings=QUIET, config={
            "routes": [{"path": "/", "service": "web"},
                       {"path": "/quick/", "service": "web", "timeout": "300ms"}]})
        web.always(reply(delay=1.0))
        self.assertEqual(front.get("/quick/").status, 504)
        self.assertEqual(front.get("/").status, 200)

    def test_whole_timeout_in_the_middle_of_a_body(self):
        """Every pause is short enough, the sum is not."""
        web = self.origin()
        front = self.front([web], timeout="500ms", idle_timeout="5s")
        web.always(slow_body([b"part"] * 100, pause=0.1))
        with front.connect() as client:
            client.send(build("GET", "/slow"))
            data = client.read_to_end()
        self.assertIn(b"part", data)
        self.assertFalse(data.endswith(b"0\r\n\r\n"))
        self.assertEqual(front.wait_logged(path="/slow")["reason"], "upstream_cut")

    def test_idle_timeout_in_the_middle_of_a_body(self):
        web = self.origin()
        front = self.front([web], idle_timeout="300ms")
        for name, start in (("length", head(200, [("Content-Length", "10")]) + b"half"),
                            ("chunked", head(200, [("Transfer-Encoding", "chunked")]) + chunk(b"half")),
                            ("close", head(200) + b"half")):
            web.always(silence(start))
            with self.subTest(name), front.connect() as client:
                client.send(build("GET", "/" + name))
                data = client.read_to_end()
                self.assertIn(b"half", data)
                self.assertNotIn(b"\r\n0\r\n\r\n", data)
                self.assertEqual(front.wait_logged(path="/" + name)["reason"], "upstream_cut")
        wait_for(lambda: web.connections == 0, 5, "closed upstream connections")

    def test_slow_answer_that_moves_on_is_fine(self):
        web = self.origin()
        front = self.front([web], idle_timeout="500ms", first_byte_timeout="500ms")
        web.always(slow_body([b"part"] * 12, pause=0.1))
        self.assertEqual(front.get("/").body, b"part" * 12)

    def test_instance_that_does_not_take_the_body(self):
        web = self.origin()

        def deafen(request, connection):
            web.sleep(60)

        deafen.early = True
        web.always(deafen)
        front = self.front([web], idle_timeout="300ms")
        with front.connect() as client:
            client.send(build("POST", "/", [("Content-Length", "9000000")]))
            try:
                while not client.is_closed() and b"504" not in client.buffer:
                    client.sock.settimeout(5)
                    client.sock.send(b"x" * 100000)
            except OSError:
                pass
            self.assertIn(b"504", client.buffer + client.read_to_end())
