# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 to clients: requests and answers, bodies and windows, trailers, ends of streams and connections."""
import socket

from lib import RawClient, early, free_port, gate, hang, raw, reply, wait_for
from lib.h2_raw import (END_HEADERS, HEADERS, INTERNAL_ERROR, NO_ERROR, PREFACE, PROTOCOL_ERROR,
                        REFUSED_STREAM, H2Client, block, get)
from test_tls import Front


class H2Front(Front):
    """A plain listener with HTTP/2 by prior knowledge, and one with TLS."""

    def setUp(self):
        super().setUp()
        self.plain = free_port()

    def start(self, http2=True, origins=None, settings=None, **config):
        listeners = [self.listener([self.pair("shop.example")]),
                     {"address": "127.0.0.1:%d" % self.plain, "http2": http2}]
        self.gate = self.static_gateway(origins or [self.web], settings=settings,
                                        config=dict(config, listeners=listeners))
        return self.gate

    def client(self, tls=False, **options):
        if tls:
            client = H2Client(self.port, tls=self.context(), **options)
        else:
            client = H2Client(self.plain, **options)
        self.addCleanup(client.close)
        return client

    def post(self, client, stream, body, more=(), **options):
        client.headers(stream, get("/x", "POST", more=more, **options), end=False)
        client.data(stream, body, end=True)


class Requests(H2Front):
    def test_by_alpn_and_by_prior_knowledge(self):
        self.start()
        for tls in (True, False):
            client = self.client(tls)
            client.request(1, "/x?y=1", more=[("cookie", "a=b"), ("cookie", "c=d"), ("accept", "*/*")])
            answer = client.answer(1)
            self.assertEqual((answer.status, answer.ended, answer.reset), (200, True, None))
            seen = self.web.requests[-1]
            self.assertEqual((seen.method, seen.target, seen.version), ("GET", "/x?y=1", "HTTP/1.1"))
            self.assertEqual((seen.header("Host"), seen.header("Cookie")), ("shop.example", "a=b; c=d"))
            self.assertEqual(seen.header("X-Forwarded-Proto"), "https" if tls else "http")
            self.assertIsNone(answer.header("connection"))
            self.assertEqual(answer.header("x-origin"), "web")

    def test_the_preface_byte_by_byte_and_http1_beside_it(self):
        self.start()
        client = self.client(preface=False)
        for byte in PREFACE:
            client.send(bytes([byte]))
        client.frame(4, 0, 0)
        client.request(1)
        self.assertEqual(client.answer(1).status, 200)
        with RawClient(self.plain) as http1:
            for piece in (b"P", b"RI", b"NT / HTTP/1.1\r\nHost: a\r\n\r\n"):
                http1.send(piece)
            self.assertEqual(http1.read_answer().status, 200)
            http1.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(http1.read_answer().status, 200)

    def test_where_it_is_off(self):
        self.start(http2=False)
        with RawClient(self.plain) as client:
            client.send(PREFACE)
            self.assertIn(client.read_answer().status, (400, 505))

    def test_many_at_once(self):
        self.start()
        client = self.client(True)
        for stream in range(1, 200, 2):
            client.request(stream, "/%d" % stream)
        for stream in range(1, 200, 2):
            answer = client.answer(stream)
            self.assertEqual(answer.status, 200)
            self.assertIn(b'"/%d"' % stream, answer.body)

    def test_head_no_content_and_errors_of_the_gateway(self):
        self.start(routes=[{"path": "/x", "service": "web"}])
        client = self.client()
        self.web.always(reply(204, body=b""))
        client.request(1, "/x")
        self.assertEqual((client.answer(1).status, client.answer(1).body), (204, b""))
        self.web.always(reply(200, body=b"hello"))
        client.request(3, "/x", method="HEAD")
        answer = client.answer(3)
        self.assertEqual((answer.status, answer.body, answer.header("content-length")), (200, b"", "5"))
        client.request(5, "/nowhere")
        answer = client.answer(5)
        self.assertEqual((answer.status, answer.header("frontdesk-reason")), (404, "no_route"))
        self.assertIn(b"no_route", answer.body)

    def test_expectations_and_interim_answers(self):
        self.start()
        client = self.client()
        client.headers(1, get("/x", "POST", more=[("expect", "100-continue"), ("content-length", "5")]), end=False)
        client.wait(lambda: 1 in client.answers and client.answers[1].interim == [100], "100")
        client.data(1, b"hello", end=True)
        self.assertEqual(client.answer(1).status, 200)
        self.web.always(reply(200, body=b"x", interim=[103]))
        client.request(3)
        self.assertEqual((client.answer(3).status, client.answer(3).interim), (200, [103]))


class Bodies(H2Front):
    def test_sizes_both_ways(self):
        self.start(limits={"body": "unlimited"})
        self.web.always(lambda request, connection: reply(body=request.body)(request, connection))
        client = self.client(True)
        for i, size in enumerate((0, 1, 65535, 65536, 70000, 3000000)):
            for length in (False, True):
                stream = 4 * i + 1 + 2 * length
                body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
                self.post(client, stream, body, more=[("content-length", str(size))] if length else ())
                self.assertEqual(client.answer(stream).body, body)

    def test_small_bodies_are_known_before_they_are_sent(self):
        """So they have a length, and can be sent again."""
        other = self.origin("other")
        self.start(origins=[self.web, other],
                   settings={"retries": {"attempts": 2, "on": ["503"], "non_idempotent": True}})
        for origin in (self.web, other):
            origin.always(reply(503, body=b"no"))
        client = self.client()
        client.send(client.pack(HEADERS, END_HEADERS, 1, block(get("/x", "POST"))) + client.pack(0, 1, 1, b"hello"))
        client.answer(1)
        self.assertEqual([r.body for r in self.web.requests + other.requests], [b"hello", b"hello"])
        self.assertEqual(self.web.requests[0].header("Content-Length"), "5")

    def test_a_slow_service_stops_its_client_alone(self):
        self.start(limits={"body": "unlimited"})
        held = self.event()
        self.web.on("/slow", early(gate(held)))
        client = self.client()
        client.headers(1, get("/slow", "POST"), end=False)
        client.window.setdefault(1, client.initial)
        sent = 0
        while client.window[1] > 0 or not self.is_full(client):
            sent += 16384
            self.assertLess(sent, 64 << 20, "nothing holds the client back")
            client.data(1, b"x" * min(16384, max(client.window[1], 1)))
        client.request(3, "/other")
        self.assertEqual(client.answer(3).status, 200)
        held.set()
        self.assertEqual(client.answer(1).status, 200)

    def is_full(self, client):
        """Has the window stayed shut while the gateway answered something?"""
        client.ping()
        return client.window[1] <= 0

    def test_a_slow_client_stops_its_service_alone(self):
        big = b"x" * (8 << 20)
        self.start()
        self.web.on("/big", reply(body=big))
        client = self.client()
        client.greedy = False
        client.request(1, "/big")
        client.wait(lambda: len(client.answers.get(1).body if 1 in client.answers else b"") == 65535, "a full window")
        client.update(0, 1 << 20)
        client.request(3, "/small")
        self.assertEqual(client.answer(3).status, 200)
        self.assertEqual(len(client.answers[1].body), 65535)
        client.greedy = True
        client.update(0, 16 << 20)
        client.update(1, 16 << 20)
        self.assertEqual(len(client.answer(1).body), len(big))

    def test_chunked_answers_and_those_that_end_with_the_connection(self):
        self.start()
        client = self.client()
        for stream, framing in ((1, "chunked"), (3, "close")):
            self.web.always(reply(body=b"hello " * 1000, framing=framing))
            client.request(stream)
            answer = client.answer(stream)
            self.assertEqual((answer.body, answer.header("transfer-encoding")), (b"hello " * 1000, None))

    def test_pieces_come_as_they_are_made(self):
        self.start()
        held = self.event()

        def behave(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            held.wait(10)
            connection.send(b"5\r\nworld\r\n0\r\n\r\n")

        self.web.always(behave)
        client = self.client(True)
        client.request(1)
        client.wait(lambda: 1 in client.answers and client.answers[1].body == b"hello", "the first piece")
        held.set()
        self.assertEqual(client.answer(1).body, b"helloworld")

    def test_a_cut_answer_is_seen_as_one(self):
        self.start()
        self.web.always(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", close=True))
        client = self.client()
        client.request(1)
        answer = client.answer(1)
        self.assertEqual((answer.ended, answer.reset), (False, INTERNAL_ERROR))
        client.request(3, "/")
        self.assertIsNotNone(client.answer(3))

    def test_bodies_that_are_too_large(self):
        self.start(limits={"body": "10k"})
        client = self.client()
        client.headers(1, get("/x", "POST", more=[("content-length", "20000")]), end=False)
        answer = client.answer(1)
        self.assertEqual(answer.status, 413)
        client.wait(lambda: client.answers[1].reset is not None, "the reset")
        self.assertEqual(answer.reset, NO_ERROR)
        client.headers(3, get("/x", "POST"), end=False)
        client.data(3, b"x" * 20000)
        self.assertTrue(client.answer(3).status == 413 or client.answers[3].reset is not None)
        client.request(5)
        self.assertEqual(client.answer(5).status, 200)


class Ends(H2Front):
    def test_a_request_taken_back_ends_its_work(self):
        self.start()
        self.web.on("/hang", hang())
        client = self.client()
        client.request(1, "/hang")
        self.web.wait_requests(1)
        client.reset(1)
        wait_for(lambda: self.gate.service("web")["in_flight"] == 0, what="the end of the request")
        client.request(3)
        self.assertEqual(client.answer(3).status, 200)

    def test_a_client_that_goes(self):
        self.start()
        self.web.on("/hang", hang())
        for leave in ("close", "reset"):
            client = self.client()
            for stream in range(1, 20, 2):
                client.request(stream, "/hang")
            wait_for(lambda: self.gate.service("web")["in_flight"] == 10, what="the requests")
            if leave == "close":
                client.sock.close()
            else:
                client.frame(7, 0, 0, b"\0" * 8)
                client.sock.shutdown(socket.SHUT_WR)
            wait_for(lambda: self.gate.service("web")["in_flight"] == 0, what="the end of the requests")

    def test_too_many_streams_are_refused(self):
        self.start(http2={"max_concurrent_streams": 5})
        held = self.event()
        self.web.always(gate(held))
        client = self.client()
        for stream in range(1, 13, 2):
            client.request(stream)
        self.assertEqual(client.answer(11).reset, REFUSED_STREAM)
        self.assertEqual(client.settings[3], 5)
        held.set()
        for stream in range(1, 11, 2):
            self.assertEqual(client.answer(stream).status, 200)

    def test_draining_says_so_and_finishes_what_runs(self):
        self.start()
        held = self.event()
        self.web.on("/slow", gate(held))
        busy, idle = self.client(True), self.client()
        busy.request(1, "/slow")
        idle.request(1)
        idle.answer(1)
        self.web.wait_requests(2)
        self.gate.terminate()
        self.assertEqual(idle.goaway()[0], NO_ERROR)
        busy.wait(lambda: busy.gone, "GOAWAY")
        self.assertEqual(busy.gone[0], NO_ERROR)
        busy.wait(lambda: busy.gone == (NO_ERROR, 1), "the second GOAWAY")
        held.set()
        self.assertEqual(busy.answer(1).status, 200)
        self.assertEqual(busy.goaway(), (NO_ERROR, 1))

    def test_idle_connections_end(self):
        self.start(limits={"keepalive_timeout": "300ms"})
        client = self.client()
        client.request(1)
        client.answer(1)
        self.assertEqual(client.goaway(), (NO_ERROR, 1))

    def test_a_reload_ends_nothing(self):
        self.start()
        client = self.client(True)
        client.request(1)
        self.assertEqual(client.answer(1).status, 200)
        self.gate.reload()
        wait_for(lambda: "reloaded" in self.gate.log() or True, what="the reload")
        client.request(3)
        self.assertEqual(client.answer(3).status, 200)

    def test_a_service_that_is_gone(self):
        self.start()
        self.web.stop()
        client = self.client()
        client.request(1)
        answer = client.answer(1)
        self.assertEqual((answer.status, answer.header("frontdesk-reason")), (502, "connect_failed"))


class Malformed(H2Front):
    def test_each_is_reset_alone(self):
        self.start()
        base = get("/x")
        rows = {
            "no method": base[1:], "no scheme": base[:1] + base[2:], "no path": base[:3],
            "two paths": base + [(":path", "/y")], "unknown pseudo": base + [(":x", "y")],
            "late pseudo": base[:3] + [("a", "b")] + base[3:], "upper case": base + [("X-A", "b")],
            "empty path": get(""), "no slash": get("x"), "address for a path": get("http://evil/x"),
            "space in path": get("/a b"), "line in path": get("/a\r\nX: y"), "space in method": get(method="GET /"),
            "line in value": base + [("a", "b\r\nX-Evil: y")], "nul in value": base + [("a", "b\0c")],
            "lf in value": base + [("a", "b\nc")], "blank before": base + [("a", " b")],
            "blank behind": base + [("a", "b\t")], "colon in name": base + [("a:b", "c")],
            "space in name": base + [("a b", "c")], "line in name": base + [("a\r\nb", "c")],
            "empty name": base + [("", "c")], "connection": base + [("connection", "close")],
            "transfer-encoding": base + [("transfer-encoding", "chunked")], "upgrade": base + [("upgrade", "h2c")],
            "keep-alive": base + [("keep-alive", "1")], "proxy-connection": base + [("proxy-connection", "x")],
            "te": base + [("te", "gzip")], "another host": base + [("host", "evil.example")],
            "two hosts": [f for f in base if f[0] != ":authority"] + [("host", "a"), ("host", "a")],
            "scheme": get(scheme="ftp"), "length": base + [("content-length", "5")],
            "two lengths": base + [("content-length", "0"), ("content-length", "1")],
            "length that is none": base + [("content-length", "-1")],
            "line in authority": get(authority="a\r\nb"), "user in authority": get(authority="u@a"),
            "connect with path": get(method="CONNECT"), "protocol": base + [(":protocol", "websocket")],
        }
        client = self.client()
        for i, (name, fields) in enumerate(rows.items()):
            with self.subTest(name=name):
                client.headers(2 * i + 1, fields)
                answer = client.answer(2 * i + 1)
                self.assertTrue(answer.reset == PROTOCOL_ERROR or answer.status == 400, answer)
        client.request(2 * len(rows) + 1)
        self.assertEqual(client.answer(2 * len(rows) + 1).status, 200)
        self.assertEqual(self.web.count, 1)

    def test_lengths_that_lie(self):
        self.start()
        client = self.client()
        for stream, length, body in ((1, 3, b"hello"), (3, 10, b"hello"), (5, 0, b"x")):
            client.headers(stream, get("/x", "POST", more=[("content-length", str(length))]), end=False)
            client.data(stream, body, end=True)
            answer = client.answer(stream)
            self.assertTrue(answer.reset is not None or answer.status == 400, answer)
        client.request(7)
        self.assertEqual(client.answer(7).status, 200)
        self.assertEqual([r.complete for r in self.web.requests][-1:], [True])

    def test_hosts_and_connect(self):
        self.start()
        client = self.client()
        client.headers(1, [f for f in get("/x") if f[0] != ":authority"] + [("host", "shop.example")])
        self.assertEqual(client.answer(1).status, 200)
        client.headers(3, [f for f in get("/x") if f[0] != ":authority"])
        answer = client.answer(3)
        self.assertTrue(answer.reset == PROTOCOL_ERROR or answer.status == 400, answer)
        client.headers(5, get("/x", more=[("host", "SHOP.example")]))
        self.assertEqual(client.answer(5).status, 200)
        client.headers(7, [(":method", "CONNECT"), (":authority", "a:443")], end=False)
        answer = client.answer(7)
        self.assertTrue(answer.reset is not None or answer.status >= 400, answer)

    def test_large_heads(self):
        self.start(limits={"header_bytes": "4k"})
        client = self.client()
        client.headers(1, get("/x", more=[("a%d" % i, "b" * 100) for i in range(60)]))
        self.assertEqual(client.answer(1).status, 431)
        client.headers(3, get("/" + "x" * 9000))
        self.assertIn(client.answer(3).status, (414, 431))
        client.request(5)
        self.assertEqual(client.answer(5).status, 200)


class Trailers(H2Front):
    def test_those_of_the_client_do_not_say_who_asks(self):
        self.start(policies={"p": {"authenticate": [{"client_certificate": True}], "headers": {"X-User": "sub"}}})
        client = self.client()
        client.headers(1, get("/x", "POST"), end=False)
        client.data(1, b"hello")
        client.headers(1, [("x-checksum", "1"), ("x-user", "root")])
        self.assertEqual(client.answer(1).status, 200)
        self.assertNotIn(b"root", self.web.requests[-1].head + self.web.requests[-1].raw)


class Logged(H2Front):
    def test_each_request(self):
        self.start(access_log="stdout")
        client = self.client(True)
        for stream in (1, 3):
            client.request(stream, "/%d" % stream)
            client.answer(stream)
        line = self.gate.wait_logged(path="/3")
        self.assertEqual((line["status"], line["protocol"]), (200, "HTTP/2"))
        client.request(5)
        client.reset(5)
        client.ping()
        wait_for(lambda: self.counts() == [1.0, 3.0, 1.0, 0.0], what="the counts")

    def counts(self):
        lines = dict(line.rsplit(" ", 1) for line in self.gate.admin_get("/metrics").body.decode().splitlines()
                     if line.startswith("frontdesk_h2_"))
        return [float(lines["frontdesk_h2_%s_total" % name]) for name in ("connections", "requests", "resets", "floods")]




class Calls(H2Front):
    """gRPC as frames; real clients are in test_grpc_clients.py."""

    def call(self, client, stream, path="/shop.Orders/Get", more=()):
        client.headers(stream, get(path, "POST", more=[("content-type", "application/grpc"), ("te", "trailers"),
                                                       *more]), end=False)
        client.data(stream, b"\0\0\0\0\0", end=True)
        answer = client.answer(stream)
        return answer, answer.header("grpc-status")

    def test_failures_of_the_gateway(self):
        self.start(routes=[{"path": "/shop.Orders/", "service": "web"},
                           {"path": "/shop.Secret/", "service": "web", "auth": "nobody-wrote-it"}],
                   settings={"first_byte_timeout": "300ms"})
        client = self.client()
        self.web.always(hang())
        answer, code = self.call(client, 1)
        self.assertEqual((answer.status, code, answer.header("content-type")), (200, "4", "application/grpc"))
        self.assertEqual((answer.header("frontdesk-reason"), answer.body, answer.trailers), ("upstream_timeout", b"", []))
        self.assertEqual(self.call(client, 3, "/shop.Nothing/Get")[1], "12")
        self.assertEqual(self.call(client, 5, "/shop.Secret/Get")[1], "7")
        self.web.stop()
        answer, code = self.call(client, 7)
        self.assertEqual((code, answer.header("frontdesk-reason")), ("14", "connect_failed"))
        self.assertIn("could not be reached", answer.header("grpc-message"))

    def test_other_requests_get_a_document(self):
        self.start(routes=[{"path": "/x", "service": "web"}])
        client = self.client()
        self.post(client, 1, b"x", more=[("content-type", "application/json"), ("te", "trailers")])
        client.headers(3, get("/nowhere", "POST", more=[("content-type", "application/json"), ("te", "trailers")]))
        self.assertEqual(client.answer(3).status, 404)
