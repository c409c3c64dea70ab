# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 to the instances: few connections, what is refused goes elsewhere, what ends goes away."""
import threading

from lib import Parallel, Scenario, origin_context, wait_for

QUIET = {"retries": {"attempts": 1}, "breaker": {"enabled": False}, "outlier": {"enabled": False}}


class H2(Scenario):
    def front(self, origins, config=None, **settings):
        settings = dict({"protocol": "h2c"}, **dict(QUIET, **settings))
        whole = {"access_log": "stdout", "workers": 1}
        whole.update(config or {})
        return self.static_gateway(origins, settings=settings, config=whole)

    def simple(self, **settings):
        web = self.h2_origin()
        return web, self.front([web], **settings)


class Requests(H2):
    def test_head_and_body(self):
        web, front = self.simple()
        answer = front.request("POST", "/ok?a=b", body=b"hello", headers=[("X-One", "1"), ("x-one", "2")])
        got = answer.json()
        self.assertEqual((answer.status, got["body"]), (200, "hello"))
        headers = got["headers"]
        self.assertEqual(headers[":path"], "/ok?a=b")
        self.assertEqual(headers[":method"], "POST")
        self.assertEqual(headers[":scheme"], "http")
        self.assertEqual(headers[":authority"], "shop.example")
        self.assertEqual(headers["x-one"], "1, 2")
        self.assertEqual(headers["content-length"], "5")
        self.assertEqual(headers["x-forwarded-proto"], "http")
        for name in ("host", "connection", "transfer-encoding", "te"):
            self.assertNotIn(name, headers)
        self.assertEqual(answer.header("X-Origin"), "origin")
        self.assertEqual(front.service("web")["protocol"], "h2")

    def test_every_method(self):
        web, front = self.simple()
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
            self.assertEqual(front.request(method, "/ok").json()["headers"][":method"], method)
        self.assertEqual(front.request("HEAD", "/ok").status, 200)

    def test_chunked_becomes_a_stream(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"POST /ok HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            web.wait_requests(1)
            client.send(b"6\r\n world\r\n0\r\n\r\n")
            answer = client.read_answer("POST")
            self.assertEqual(answer.json()["body"], "hello world")
            self.assertNotIn("content-length", answer.json()["headers"])
            client.send(b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertEqual(client.read_answer().status, 200)

    def test_large_bodies(self):
        web, front = self.simple()
        body = bytes(range(256)) * 4096
        self.assertEqual(front.request("POST", "/echo", body=body, timeout=20).body, body)
        for target in ("/big/3000000", "/big/3000000/length"):
            answer = front.get(target, timeout=20)
            self.assertEqual(len(answer.body), 3000000)
            self.assertEqual(answer.header("Content-Length"),
                             "3000000" if target.endswith("length") else None)

    def test_an_answer_that_is_only_a_head(self):
        web, front = self.simple()
        with front.connect() as client:
            for _ in range(3):
                client.send(b"GET /bare HTTP/1.1\r\nHost: h\r\n\r\n")
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.body), (200, b""))
            client.send(b"GET /status/204 HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertEqual(client.read_answer().status, 204)

    def test_interim_answers(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"GET /hints HTTP/1.1\r\nHost: h\r\n\r\n")
            interim = client.read_head()
            self.assertEqual((interim.status, interim.header("Link")), (103, "</style.css>; rel=preload"))
            self.assertEqual(client.read_answer().body, b"hinted")

    def test_an_early_answer(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
            self.assertEqual(client.read_answer("POST").status, 403)

    def test_http10_client(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"GET /big/1000 HTTP/1.0\r\n\r\n")
            self.assertTrue(client.read_to_end().endswith(b"\r\n\r\n" + (b"0123456789abcdef" * 63)[:1000]))


class Connections(H2):
    def test_one_for_many(self):
        web, front = self.simple()
        answers = Parallel(20, lambda number: front.get("/slow/100")).results()
        self.assertEqual([answer.status for answer in answers], [200] * 20)
        self.assertEqual(len(web.sessions), 1)

    def test_more_when_the_instance_allows_few_streams(self):
        web = self.h2_origin(max_streams=2)
        front = self.front([web])
        self.assertEqual(front.get("/ok").status, 200)  # its settings are known then
        answers = Parallel(10, lambda number: front.get("/slow/200")).results()
        self.assertEqual([answer.status for answer in answers], [200] * 10)
        web.wait_sessions(4)
        self.assertLessEqual(len(web.sessions), 8)

    def test_a_client_that_leaves_cancels_its_stream_alone(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n")
            web.wait_requests(1)
            client.reset()
        self.assertEqual(web.wait_aborted(1)[0]["code"], 8)
        self.assertEqual(front.get("/ok").json()["session"], 1)
        self.assertEqual(len(web.sessions), 1)

    def test_idle_ones_are_closed(self):
        web, front = self.simple(keepalive={"timeout": "200ms"})
        self.assertEqual(front.get("/ok").status, 200)
        wait_for(lambda: web.connections == 0, 10, "end of the idle connection")
        self.assertEqual(front.get("/ok").json()["session"], 2)

    def test_goaway_behind_an_answer(self):
        web, front = self.simple()
        for number in range(1, 4):
            self.assertEqual(front.request("POST", "/last/%d" % number).json()["session"], number)
        wait_for(lambda: web.connections == 0, 10, "end of the connections")

    def test_an_instance_that_is_away_and_comes_back(self):
        web, front = self.simple()
        self.assertEqual(front.get("/ok").status, 200)
        web.kill()
        self.assertEqual(front.get("/ok").status, 502)
        self.h2_origin("again", port=web.port)
        wait_for(lambda: front.get("/ok").status == 200, 10, "answer of the new instance")

    def test_instances_that_left_are_let_go(self):
        tags = ["frontdesk.path=/", "frontdesk.protocol=h2c"]
        leaves, stays = self.h2_origin("a"), self.h2_origin("b")
        self.instance("web", "a", origin=leaves, tags=tags)
        self.instance("web", "b", origin=stays, tags=tags)
        front = self.gateway({"workers": 1})
        wait_for(lambda: front.get("/ok").status == 200 and leaves.connections and stays.connections,
                 10, "connections to both")
        self.consul.deregister("a")
        wait_for(lambda: leaves.connections == 0, 15, "end of the connection")
        self.assertEqual(stays.connections, 1)


class Failures(H2):
    def test_refused_streams_are_sent_again(self):
        web, front = self.simple()
        answer = front.request("POST", "/refuse/1", body=b"once")
        self.assertEqual((answer.status, answer.json()["body"]), (200, "once"))

    def test_left_out_by_a_goaway(self):
        web, front = self.simple()
        self.assertEqual(front.get("/ok").status, 200)
        answer = front.request("POST", "/goaway/1", body=b"once")
        self.assertEqual((answer.status, answer.json()["session"]), (200, 2))

    def test_a_reset_is_a_failure(self):
        web, front = self.simple()
        answer = front.request("POST", "/reset/1", body=b"x")
        self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
        self.assertEqual(front.get("/ok").json()["session"], 1)

    def test_a_reset_is_retried_elsewhere(self):
        first, second = self.h2_origin("a"), self.h2_origin("b")
        front = self.front([first, second], retries={"attempts": 2})
        for _ in range(4):
            self.assertEqual(front.get("/resetat/a").json()["origin"], "b")

    def test_an_answer_that_breaks_off(self):
        web, front = self.simple()
        with front.connect() as client:
            client.send(b"GET /cut HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertTrue(client.read_to_end().endswith(b"\r\n\r\nhalf"))
        self.assertEqual(front.wait_logged(path="/cut")["reason"], "upstream_cut")

    def test_a_broken_connection_fails_all_that_is_on_it(self):
        web, front = self.simple()
        self.assertEqual(front.get("/ok").status, 200)
        results = []
        waiting = [threading.Thread(target=lambda: results.append(front.request("POST", "/hang")))
                   for _ in range(3)]
        for thread in waiting:
            thread.start()
        web.wait_requests(4)
        self.assertEqual(front.request("POST", "/break").reason, "upstream_reset")
        for thread in waiting:
            thread.join(10)
        self.assertEqual([answer.reason for answer in results], ["upstream_reset"] * 3)
        self.assertEqual(front.get("/ok").json()["session"], 2)

    def test_a_stale_connection_is_nobodys_failure(self):
        web, front = self.simple()
        self.assertEqual(front.get("/ok").status, 200)
        self.assertEqual(front.get("/break/1").status, 200)

    def test_the_breaker_counts_once_a_request(self):
        web, front = self.simple(breaker={"enabled": True, "minimum_requests": 3})
        for number in range(3):
            self.assertEqual(front.request("POST", "/break/%d" % number).reason, "upstream_reset")
        self.assertEqual(front.get("/ok").reason, "breaker_open")
        self.assertEqual(len(web.wait_requests(3)), 3)

    def test_timeouts(self):
        web, front = self.simple(first_byte_timeout="200ms")
        self.assertEqual(front.get("/hang").reason, "upstream_timeout")
        web.wait_aborted(1)

    def test_not_http2_at_all(self):
        front = self.front([self.origin()], connect_timeout="1s", first_byte_timeout="500ms")
        self.assertEqual(front.get("/").status // 100, 5)

    def test_hedges(self):
        first, second = self.h2_origin("a"), self.h2_origin("b")
        front = self.front([first, second], hedge={"after": "50ms"})
        self.assertEqual(front.get("/slow/300").status, 200)
        wait_for(lambda: len(first.aborted) + len(second.aborted) == 1, 10, "cancelled second try")


class OverTls(H2):
    def setUp(self):
        self.ca = self.authority()
        self.cert = self.ca.issue("web", ["127.0.0.1"])

    def front(self, origins, config=None, **settings):
        return super().front(origins, config, **dict({"tls": {"ca": self.ca.file}}, **settings))

    def test_h2(self):
        web = self.h2_origin(certificate=self.cert)
        front = self.front([web], protocol="h2")
        got = front.get("/ok").json()
        self.assertEqual(got["headers"][":scheme"], "https")
        self.assertEqual(web.wait_sessions(1)[0]["alpn"], "h2")
        answers = Parallel(10, lambda number: front.get("/slow/50")).results()
        self.assertEqual([answer.status for answer in answers], [200] * 10)
        self.assertEqual(len(web.sessions), 1)

    def test_h2_must_be_chosen(self):
        web = self.origin(tls=origin_context(self.cert))
        front = self.front([web], protocol="h2")
        self.assertEqual(front.get("/").reason, "upstream_tls_failed")

    def test_auto(self):
        new = self.h2_origin("new", certificate=self.cert)
        front = self.front([new], protocol="auto")
        self.assertEqual(front.get("/ok").json()["headers"][":scheme"], "https")
        old = self.origin("old", tls=origin_context(self.cert))
        front = self.front([old], protocol="auto")
        answers = Parallel(8, lambda number: front.get("/x")).results()
        self.assertEqual([answer.header("X-Origin") for answer in answers], ["old"] * 8)
        self.assertEqual(front.request("POST", "/x", body=b"y").json()["body"], "y")
