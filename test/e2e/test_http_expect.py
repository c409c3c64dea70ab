# SPDX-License-Identifier: Apache-2.0
"""Interim answers (1xx), Expect: 100-continue, and answers that come before the request is whole."""
import threading

from lib import Scenario, build, chunk, early, head, reply

EXPECT = [("Expect", "100-continue"), ("Content-Length", "5")]


class Continue(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web], path="/known/")

    def test_body_comes_after_100(self):
        with self.front.connect() as client:
            for _ in range(3):
                client.send(build("POST", "/known/", EXPECT))
                self.assertEqual(client.read_head().status, 100)
                client.send(b"hello")
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.interim), (200, []))
                self.assertEqual(answer.json()["body"], "hello")

    def test_chunked_body_comes_after_100(self):
        with self.front.connect() as client:
            client.send(build("POST", "/known/", [("Expect", "100-Continue"),
                                                  ("Transfer-Encoding", "chunked")]))
            self.assertEqual(client.read_head().status, 100)
            client.send(chunk(b"hello") + b"0\r\n\r\n")
            self.assertEqual(client.read_answer().json()["body"], "hello")

    def test_the_gateway_answers_it_and_the_origin_never_sees_it(self):
        with self.front.connect() as client:
            client.send(build("POST", "/known/", EXPECT))
            client.read_head()
            client.send(b"hello")
            client.read_answer()
        self.assertIsNone(self.web.requests[0].header("Expect"))

    def test_100_of_the_origin_is_swallowed(self):
        self.web.always(reply(interim=(100, 100)))
        self.assertEqual(self.front.request("POST", "/known/", body=b"x").interim, [])
        with self.front.connect() as client:
            client.send(build("POST", "/known/", EXPECT))
            self.assertEqual(client.read_head().status, 100)
            client.send(b"hello")
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.interim), (200, []))

    def test_body_that_is_there_already_needs_no_100(self):
        with self.front.connect() as client:
            client.send(build("POST", "/known/", EXPECT, b"hello"))
            answer = client.read_answer()
            self.assertEqual((answer.interim, answer.json()["body"]), ([], "hello"))

    def test_refused_without_100_and_the_connection_closes(self):
        too_large = [("Expect", "100-continue"), ("Content-Length", "99999999")]
        for name, target, headers, status in (("no route", "/unknown/", EXPECT, 404),
                                              ("too large", "/known/", too_large, 413)):
            with self.subTest(name), self.front.connect() as client:
                client.send(build("POST", target, headers))
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.interim), (status, []))
                self.assertEqual(answer.header("Connection"), "close")
                client.send(b"hello")
                self.assertEqual(client.read_to_end(), b"")
        self.assertEqual(self.web.count, 0)

    def test_origin_that_is_not_there_is_told_instead_of_100(self):
        self.web.refuse()
        with self.front.connect() as client:
            client.send(build("POST", "/known/", EXPECT))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.interim), (502, []))

    def test_unknown_expectation(self):
        with self.front.connect() as client:
            client.send(build("POST", "/known/", [("Expect", "200-maybe")], b"x"))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.reason), (417, "expectation_failed"))

    def test_old_client_cannot_expect(self):
        with self.front.connect() as client:
            client.send(b"POST /known/ HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n"
                        b"Content-Length: 5\r\n\r\nhello")
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.interim), (200, []))


class Interim(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_early_hints_are_passed_on_before_the_answer(self):
        ready = threading.Event()

        def behave(request, connection):
            connection.send(head(103, [("Link", "</a.css>; rel=preload"), ("Connection", "x-hop"),
                                       ("X-Hop", "1")]))
            ready.wait(10)
            reply()(request, connection)

        self.web.always(behave)
        self.addCleanup(ready.set)
        with self.front.connect() as client:
            client.send(build("GET", "/"))
            hint = client.read_head(timeout=8)
            self.assertEqual((hint.status, hint.header("Link")), (103, "</a.css>; rel=preload"))
            self.assertIsNone(hint.header("X-Hop"))
            ready.set()
            self.assertEqual(client.read_answer().status, 200)

    def test_several_in_a_row(self):
        self.web.always(reply(interim=(103, 100, 102, 103)))
        answer = self.front.get("/")
        self.assertEqual([interim.status for interim in answer.interim], [103, 102, 103])

    def test_endless_interim_answers_end(self):
        def behave(request, connection):
            for _ in range(100):
                connection.send(head(103))

        self.web.always(behave)
        answer = self.front.get("/")
        self.assertEqual((answer.status, answer.reason), (502, "upstream_invalid"))
        self.web.always()
        self.assertEqual(self.front.get("/").status, 200)


class Early(Scenario):
    """The origin answers while the client is still sending."""

    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_answer_reaches_the_client_before_its_body_is_complete(self):
        self.web.always(early(reply(status=403, body=b"no", close=True)))
        with self.front.connect() as client:
            client.send(build("POST", "/", [("Content-Length", "1000000")]) + b"x" * 1000)
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.body), (403, b"no"))
            self.assertEqual(answer.header("Connection"), "close")
        self.assertEqual(self.front.get("/").status, 403)

    def test_client_that_goes_on_sending_sees_the_answer(self):
        """The close must linger, or a reset may throw the answer away."""
        self.web.always(early(reply(status=403, body=b"no", close=True)))
        for _ in range(5):
            with self.front.connect() as client:
                client.send(build("POST", "/", [("Content-Length", "1000000")]))
                for _ in range(6):
                    client.send(b"x" * 100000)
                self.assertEqual(client.read_answer().status, 403)
                self.assertEqual(client.read_some(), b"", "the end, and not a reset")
