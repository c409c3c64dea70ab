# SPDX-License-Identifier: Apache-2.0
"""Connections on both sides: how long they live and who closes them."""
import signal
import threading
import time

from lib import Scenario, build, chunk, holds, reply, silence, wait_for


class Connections(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web], config={"workers": 1})

    def test_client_connection_stays_open_for_the_next_request(self):
        with self.front.connect() as client:
            for i in range(20):
                client.send(build("GET", "/%d" % i))
                self.assertEqual(client.read_answer().json()["target"], "/%d" % i)

    def test_upstream_connection_is_reused_across_clients(self):
        for _ in range(20):
            self.assertEqual(self.front.get("/").status, 200)
        self.assertEqual(self.web.accepted, 1)

    def test_upstream_connections_are_not_kept_when_told_so(self):
        front = self.static_gateway([self.web], settings={"keepalive": {"connections": 0}})
        for _ in range(5):
            self.assertEqual(front.get("/").status, 200)
        self.assertEqual(self.web.accepted, 5)

    def test_upstream_that_says_close_is_not_reused(self):
        self.web.always(reply(close=True))
        for _ in range(3):
            self.assertEqual(self.front.get("/").status, 200)
        self.assertEqual(self.web.accepted, 3)

    def test_upstream_close_does_not_close_the_client(self):
        self.web.always(reply(close=True))
        with self.front.connect() as client:
            for _ in range(3):
                client.send(build("GET", "/"))
                answer = client.read_answer()
                self.assertEqual(answer.status, 200)
                self.assertIsNone(answer.header("Connection"))

    def test_idle_upstream_connection_is_closed_after_its_timeout(self):
        front = self.static_gateway([self.web], settings={"keepalive": {"timeout": "500ms"}})
        begin = time.monotonic()
        front.get("/")
        wait_for(lambda: self.web.connections == 0, what="closed upstream connection")
        self.assertGreater(time.monotonic() - begin, 0.4)

    def test_connection_close_is_honoured(self):
        with self.front.connect() as client:
            client.send(build("GET", "/", close=True))
            answer = client.read_answer()
            self.assertEqual(answer.header("Connection"), "close")
            self.assertEqual(client.read_to_end(), b"")

    def test_keepalive_requests_limits_a_connection(self):
        front = self.static_gateway([self.web], config={"limits": {"keepalive_requests": 3}})
        with front.connect() as client:
            for expected in (None, None, "close"):
                client.send(build("GET", "/"))
                self.assertEqual(client.read_answer().header("Connection"), expected)
            self.assertEqual(client.read_to_end(), b"")

    def test_a_blank_line_before_a_request_is_ignored(self):
        with self.front.connect() as client:
            client.send(b"\r\n" + build("GET", "/a"))
            self.assertEqual(client.read_answer().status, 200)
            client.send(b"\r\n" + build("GET", "/b"))
            self.assertEqual(client.read_answer().json()["target"], "/b")

    def test_request_that_comes_byte_by_byte(self):
        with self.front.connect() as client:
            for byte in build("POST", "/slow", body=b"hello"):
                client.send(bytes([byte]))
            self.assertEqual(client.read_answer().json()["body"], "hello")


class Pipelining(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_answers_come_in_the_order_of_the_requests(self):
        self.web.on("/0", reply(body=b"slow", delay=0.2))
        with self.front.connect() as client:
            client.send(b"".join(build("GET", "/%d" % i) for i in range(50)))
            self.assertEqual(client.read_answer().body, b"slow")
            for i in range(1, 50):
                self.assertEqual(client.read_answer().json()["target"], "/%d" % i)

    def test_every_kind_of_body_may_be_followed_by_a_request(self):
        chunked = [("Transfer-Encoding", "chunked")]
        requests = [build("POST", "/length", body=b"x" * 10),
                    build("POST", "/chunked", chunked, chunk(b"y" * 10) + chunk(b"z") + b"0\r\n\r\n"),
                    build("POST", "/empty", body=b""),
                    build("PUT", "/large", body=b"l" * 100000),
                    build("PUT", "/large-chunked", chunked, chunk(b"m" * 100000) + b"0\r\n\r\n"),
                    build("HEAD", "/head"),
                    build("GET", "/get")]
        bodies = {"/length": "x" * 10, "/chunked": "y" * 10 + "z", "/empty": "", "/large": "l" * 100000,
                  "/large-chunked": "m" * 100000, "/get": ""}
        with self.front.connect() as client:
            client.send(b"".join(requests))
            for target in ("/length", "/chunked", "/empty", "/large", "/large-chunked", "/head", "/get"):
                answer = client.read_answer("HEAD" if target == "/head" else "GET")
                self.assertEqual(answer.status, 200, target)
                if target != "/head":
                    self.assertEqual(answer.json()["target"], target)
                    self.assertEqual(answer.json()["body"], bodies[target])

    def test_a_refused_request_between_good_ones(self):
        front = self.static_gateway([self.web], path="/known/")
        with front.connect() as client:
            client.send(build("GET", "/known/a") + build("GET", "/unknown") +
                        build("POST", "/unknown", body=b"body") + build("GET", "/known/b"))
            self.assertEqual([client.read_answer().status for _ in range(4)], [200, 404, 404, 200])

    def test_nothing_is_served_behind_connection_close(self):
        with self.front.connect() as client:
            client.send(build("GET", "/last", close=True) + build("GET", "/never"))
            self.assertEqual(client.read_answer().json()["target"], "/last")
            self.assertEqual(client.read_to_end(), b"")
        self.assertEqual([request.target for request in self.web.requests], ["/last"])


class Http10(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_connection_is_closed_after_the_answer(self):
        with self.front.connect() as client:
            client.send(b"GET /old HTTP/1.0\r\n\r\n")
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.json()["target"]), (200, "/old"))
            self.assertEqual(client.read_to_end(), b"")

    def test_keep_alive_when_asked_for(self):
        with self.front.connect() as client:
            for _ in range(3):
                client.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
                answer = client.read_answer()
                self.assertEqual(answer.header("Connection"), "keep-alive")

    def test_chunked_answer_reaches_an_old_client_unchunked(self):
        self.web.always(reply(body=b"in pieces", framing="chunked"))
        with self.front.connect() as client:
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = client.read_answer()
            self.assertIsNone(answer.header("Transfer-Encoding"))
            self.assertEqual(answer.header("Connection"), "close")
            self.assertEqual(answer.body, b"in pieces")

    def test_interim_answers_never_reach_an_old_client(self):
        self.web.always(reply(interim=(103,)))
        with self.front.connect() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(client.read_answer().interim, [])

    def test_origin_that_speaks_http10(self):
        self.web.always(reply(body=b"old", framing="http10"))
        with self.front.connect() as client:
            for _ in range(3):
                client.send(build("GET", "/"))
                answer = client.read_answer()
                self.assertEqual((answer.version, answer.body), ("HTTP/1.1", b"old"))


class Leaving(Scenario):
    def test_half_closed_client_gets_its_answer(self):
        web = self.origin()
        web.always(reply(body=b"late", delay=0.2))
        front = self.static_gateway([web])
        for name, data in (("get", build("GET", "/")), ("post", build("POST", "/", body=b"b" * 50000))):
            with self.subTest(name), front.connect() as client:
                client.send(data)
                client.finish_sending()
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.body), (200, b"late"))
                self.assertEqual(client.read_to_end(), b"")

    def test_client_that_resets_ends_the_request_at_the_origin(self):
        web = self.origin()
        web.always(silence())
        front = self.static_gateway([web], config={"access_log": "stdout"})
        with front.connect() as client:
            client.send(build("GET", "/gone"))
            web.wait_requests(1)
            client.reset()
        wait_for(lambda: web.connections == 0, what="closed upstream connection")
        self.assertEqual(front.wait_logged(path="/gone")["reason"], "client_gone")

    def test_half_a_request_and_goodbye_disturbs_nobody(self):
        web = self.origin()
        front = self.static_gateway([web])
        for data in (b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n",
                     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"):
            with front.connect() as client:
                client.send(data)
        holds(lambda: front.get("/").status == 200, 0.3, "200")


class ResetsThatComeWithTheLastBytes(Scenario):
    """The gateway sleeps while bytes and a reset arrive, so that it learns of both in one event."""

    def setUp(self):
        self.web = self.origin()

    def asleep(self, front):
        front.process.send_signal(signal.SIGSTOP)
        self.addCleanup(front.process.send_signal, signal.SIGCONT)

    def test_in_the_middle_of_an_upload(self):
        front = self.static_gateway([self.web], config={"workers": 1, "access_log": "stdout"})
        client = front.connect()
        client.send(build("GET", "/"))
        self.assertEqual(client.read_answer().status, 200)
        self.asleep(front)
        client.send(b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
        client.reset()
        front.process.send_signal(signal.SIGCONT)
        self.assertEqual(front.wait_logged(path="/up", timeout=10)["reason"], "client_gone")

    def test_in_the_middle_of_a_request_head(self):
        front = self.static_gateway([self.web], config={"workers": 1, "access_log": "stdout"})
        client = front.connect()
        client.send(build("GET", "/"))
        self.assertEqual(client.read_answer().status, 200)
        self.asleep(front)
        client.send(b"GET /half HTTP/1.1\r\nHost:")
        client.reset()
        front.process.send_signal(signal.SIGCONT)
        wait_for(lambda: front.status()["connections"] == 0, 5, "the connection is closed")

    def answered_with(self, first):
        """What a client logs of an instance that sends `first` and breaks off."""
        asked, go = threading.Event(), threading.Event()
        gone = threading.Event()

        def behave(request, connection):
            asked.set()
            go.wait(10)
            connection.send(first)
            connection.reset()
            gone.set()

        self.web.always(behave)
        front = self.static_gateway([self.web], settings={"retries": {"attempts": 1}},
                                    config={"workers": 1, "access_log": "stdout"})
        client = front.connect()
        client.send(build("GET", "/cut"))
        self.assertTrue(asked.wait(10))
        self.asleep(front)
        go.set()
        self.assertTrue(gone.wait(10))
        front.process.send_signal(signal.SIGCONT)
        return front.wait_logged(path="/cut", timeout=10)["reason"]

    def test_in_the_middle_of_an_answer(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        self.assertEqual(self.answered_with(head + b"x" * 100), "upstream_cut")

    def test_in_the_middle_of_the_head_of_an_answer(self):
        self.assertEqual(self.answered_with(b"HTTP/1.1 200 OK\r\nConte"), "upstream_reset")
