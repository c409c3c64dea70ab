# SPDX-License-Identifier: Apache-2.0
"""Instances that answer badly: the client gets one clear answer or a visible end, the log has the
reason, and the next request works. Retries are off here, see test_http_retries.py."""
from lib import Scenario, build, chunk, cut, head, raw, reply, reset, wait_for

OK = b"HTTP/1.1 200 OK\r\n"
QUIET = {"retries": {"attempts": 1}, "breaker": {"enabled": False}, "outlier": {"enabled": False}}


class Bad(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web], settings=QUIET,
                                         config={"access_log": "stdout"})

    def works(self):
        self.web.always()
        answer = self.front.get("/after")
        self.assertEqual((answer.status, answer.json()["target"]), (200, "/after"))


class Invalid(Bad):
    """Answers that are refused as a whole: 502."""
    TABLE = [
        ("CL and TE", OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("two CL", OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ("CL with plus", OK + b"Content-Length: +3\r\n\r\nabc"),
        ("CL empty", OK + b"Content-Length:\r\n\r\nabc"),
        ("TE unknown", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("TE in 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("garbage", b"\x00\x01\x02\x03 this is not HTTP\r\n\r\n"),
        ("HTTP/0.9", b"<html>hello</html>\r\n\r\n"),
        ("version 2", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
        ("status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
        ("status 099", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
        ("no status", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
        ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        ("bare CR in a value", OK + b"X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"),
        ("NUL in a value", OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n"),
        ("space before colon", OK + b"Content-Length : 0\r\n\r\n"),
        ("no colon", OK + b"nonsense\r\nContent-Length: 0\r\n\r\n"),
        ("101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
         b"Connection: upgrade\r\n\r\n"),
        ("huge header", OK + b"X: " + b"a" * 100000 + b"\r\nContent-Length: 0\r\n\r\n"),
        ("endless fields", OK + b"X: a\r\n" * 20000),
        ("endless line", b"HTTP/1.1 200 " + b"O" * 100000),
    ]

    def test_refused_with_502(self):
        for name, data in self.TABLE:
            with self.subTest(name):
                self.web.always(raw(data))
                answer = self.front.get("/bad")
                self.assertEqual((answer.status, answer.reason), (502, "upstream_invalid"))
                self.works()

    def test_client_connection_survives_it(self):
        with self.front.connect() as client:
            for _ in range(3):
                self.web.always(raw(b"garbage\r\n\r\n"))
                client.send(build("GET", "/"))
                self.assertEqual(client.read_answer().status, 502)
                self.web.always()
                client.send(build("GET", "/"))
                self.assertEqual(client.read_answer().status, 200)


class Early(Bad):
    """The connection ends before anything of an answer was passed on."""
    TABLE = [("closes without an answer", cut()),
             ("resets without an answer", reset()),
             ("closes in the status line", cut(b"HTTP/1.1 20")),
             ("closes in the header", cut(OK + b"Content-Le")),
             ("resets in the header", reset(OK + b"Content-Le")),
             ("closes after an interim answer", cut(head(103)))]

    def test_502(self):
        for name, behaviour in self.TABLE:
            for method in ("GET", "POST"):
                with self.subTest(name, method=method):
                    self.web.always(behaviour)
                    self.web.wait_idle_closed()
                    self.web.forget()
                    answer = self.front.request(method, "/bad", body=b"x")
                    self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
                    self.assertEqual(self.web.count, 1)
                    self.works()

    def test_refused_connection(self):
        self.web.refuse()
        answer = self.front.get("/")
        self.assertEqual((answer.status, answer.reason), (502, "connect_failed"))
        self.web.listen()
        self.works()


class Late(Bad):
    """The answer breaks off: what the client has must not look complete."""
    TABLE = [
        ("length, closed", "length", cut(OK + b"Content-Length: 100\r\n\r\nhalf")),
        ("length, reset", "length", reset(OK + b"Content-Length: 100\r\n\r\nhalf")),
        ("chunked, closed", "chunked", cut(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")),
        ("chunked, reset", "chunked", reset(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")),
        ("chunked, closed in a chunk", "chunked",
         cut(OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf")),
        ("chunked, closed before the last line", "chunked",
         cut(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n")),
        ("chunked, bad size", "chunked",
         raw(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nmore\r\n0\r\n\r\n")),
        ("chunked, no CRLF after data", "chunked",
         raw(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalfmore\r\n0\r\n\r\n")),
        ("to the end, reset", "chunked", reset(OK + b"\r\nhalf")),
    ]

    def test_client_sees_the_truncation(self):
        for i, (name, framing, behaviour) in enumerate(self.TABLE):
            with self.subTest(name):
                self.web.always(behaviour)
                with self.front.connect() as client:
                    client.send(build("GET", "/cut-%d" % i))
                    data = client.read_to_end()
                if b"\r\n\r\n" in data:
                    self.assertIn(b"200 OK", data)
                    self.assertNotIn(b"\r\n0\r\n\r\n", data)
                    self.assertLess(len(data.partition(b"\r\n\r\n")[2]), 100)
                line = self.front.wait_logged(path="/cut-%d" % i)
                self.assertIn(line["reason"], ("upstream_cut", "upstream_invalid"))
                self.works()

    def test_old_client_sees_it_by_a_reset(self):
        """Without a length or chunks only the way of closing tells."""
        self.web.always(reset(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"))
        with self.front.connect() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            with self.assertRaises(ConnectionResetError):
                while client.read_some():
                    pass
        self.works()

    def test_cut_in_a_pipeline_ends_it(self):
        self.web.on("/cut", cut(OK + b"Content-Length: 100\r\n\r\nhalf"))
        with self.front.connect() as client:
            client.send(build("GET", "/cut") + build("GET", "/next"))
            data = client.read_to_end()
        self.assertNotIn(b"/next", data)


class Excess(Bad):
    """Bytes behind an answer could pass for the answer to someone else's request."""
    STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
    TABLE = [
        ("behind a length", "GET", OK + b"Content-Length: 2\r\n\r\nok" + STOLEN),
        ("behind the last chunk", "GET", OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"ok") +
         b"0\r\n\r\n" + STOLEN),
        ("body of a HEAD", "HEAD", OK + b"Content-Length: 90\r\n\r\n" + STOLEN),
        ("body of a 204", "GET", b"HTTP/1.1 204 No Content\r\n\r\n" + STOLEN),
        ("body of a 304", "GET", b"HTTP/1.1 304 Not Modified\r\n\r\n" + STOLEN),
    ]

    def test_connection_is_not_used_again(self):
        for name, method, data in self.TABLE:
            with self.subTest(name):
                poisoned = []
                self.web.always(lambda request, connection:
                                (poisoned.append(connection), connection.send(data)))
                with self.front.connect() as client:
                    client.send(build(method, "/"))
                    self.assertLess(client.read_answer(method).status, 400)
                    self.web.always()
                    client.send(build("GET", "/mine"))
                    self.assertEqual(client.read_answer().json()["target"], "/mine")
                wait_for(lambda: not poisoned[0].open, 5, "closed poisoned connection")

    def test_unasked_answer_on_an_idle_connection(self):
        held = []
        self.web.always(lambda request, connection:
                        (held.append(connection), reply()(request, connection)))
        self.front.get("/")
        held[0].send(self.STOLEN)
        wait_for(lambda: self.web.connections == 0, 5, "closed poisoned connection")
        self.works()

    def test_answer_that_comes_twice_never_reaches_another_client(self):
        self.web.always(lambda request, connection: connection.send(
            2 * (head(200, [("Content-Length", "%d" % len(request.target))]) + request.target.encode())))
        for i in range(100):
            answer = self.front.get("/%d" % i)
            self.assertEqual((answer.status, answer.body), (200, b"/%d" % i))
