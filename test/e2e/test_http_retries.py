# SPDX-License-Identifier: Apache-2.0
"""What is tried again at another instance, what never is, and stale connections, which are nobody's
fault. Breaker and ejection are off, so that the bad instance keeps its share of the requests."""
from lib import (Origin, Scenario, build, chunk, cut, early, hang, head, raw, reply, reset,
                 wait_for)

OFF = {"breaker": {"enabled": False}, "outlier": {"enabled": False}, "balance": "round_robin"}
GARBAGE = b"garbage\r\n\r\n"
FAULTS = [("resets", reset()), ("closes", cut()), ("resets in the header", reset(b"HTTP/1.1 200")),
          ("sends garbage", raw(GARBAGE)), ("hangs", hang(3)), ("answers 503", reply(status=503)),
          ("answers 502", reply(status=502)), ("answers 504", reply(status=504))]


class Retries(Scenario):
    def setUp(self):
        self.bad, self.good = self.origin("bad"), self.origin("good")

    def front(self, instances=None, retries=None, **settings):
        settings = dict(OFF, first_byte_timeout="300ms", connect_timeout="300ms",
                        retries=dict({"budget_min_per_second": 1000}, **(retries or {})), **settings)
        return self.static_gateway(instances or [self.bad, self.good], settings=settings,
                                   config={"access_log": "stdout"})


class Repeated(Retries):
    def check(self, front, method, body=None, headers=None, count=6):
        for _ in range(count):
            answer = front.request(method, "/", body=body, headers=headers)
            self.assertEqual((answer.status, answer.header("X-Origin")), (200, "good"))

    def test_idempotent_requests_go_elsewhere(self):
        front = self.front()
        for name, behaviour in FAULTS:
            for method, body in (("GET", None), ("PUT", b"small"), ("DELETE", None)):
                with self.subTest(name, method=method):
                    self.bad.always(behaviour)
                    self.bad.forget()
                    self.good.forget()
                    self.check(front, method, body, count=4)
                    self.assertEqual(self.good.count, 4)
                    self.assertGreater(self.bad.count, 0)
                    self.assertTrue(all(request.body == (body or b"") for request in self.good.requests))

    def test_small_chunked_body_is_sent_again_whole(self):
        self.bad.always(reset())
        self.check(self.front(), "PUT", chunk(b"abc") + chunk(b"def") + b"0\r\n\r\n",
                   [("Transfer-Encoding", "chunked")])
        self.assertEqual({request.body for request in self.good.requests}, {b"abcdef"})

    def test_refused_connection(self):
        self.bad.refuse()
        for method in ("GET", "POST"):
            self.check(self.front(), method, b"body")
        self.assertEqual({request.body for request in self.good.requests}, {b"body"})

    def test_refused_connection_with_a_body_that_is_still_coming(self):
        self.bad.refuse()
        front = self.front()
        for _ in range(4):
            with front.connect() as client:
                client.send(build("POST", "/", [("Content-Length", "300000")], b"x" * 100))
                client.send(b"x" * 299900)
                self.assertEqual(client.read_answer().header("X-Origin"), "good")
        self.assertEqual({len(request.body) for request in self.good.requests}, {300000})

    def test_connect_timeout(self):
        front = self.front([self.deaf(), self.good])
        for method in ("GET", "POST"):
            self.check(front, method, b"body", count=3)

    def test_an_instance_is_never_tried_twice(self):
        third = self.origin("third")
        for origin in (self.bad, self.good, third):
            origin.always(reset())
        front = self.front([self.bad, self.good, third], {"attempts": 5})
        answer = front.get("/")
        self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
        self.assertEqual([origin.count for origin in (self.bad, self.good, third)], [1, 1, 1])
        self.assertEqual(front.wait_logged(path="/")["attempts"], 3)

    def test_attempts_are_limited(self):
        third = self.origin("third")
        for origin in (self.bad, self.good, third):
            origin.always(reset())
        self.assertEqual(self.front([self.bad, self.good, third], {"attempts": 2}).get("/").status, 502)
        self.assertEqual(sum(origin.count for origin in (self.bad, self.good, third)), 2)

    def test_last_bad_status_is_passed_on(self):
        for origin in (self.bad, self.good):
            origin.always(reply(status=503, body=b"its own words"))
        answer = self.front().get("/")
        self.assertEqual((answer.status, answer.body, answer.reason), (503, b"its own words", None))

    def test_statuses_are_configurable(self):
        self.bad.always(reply(status=429))
        self.check(self.front(retries={"on": ["429"]}), "GET")
        self.bad.always(reply(status=503))
        front = self.front(retries={"on": ["429"]})
        self.assertEqual({front.get("/").status for _ in range(4)}, {200, 503})

    def test_non_idempotent_when_allowed(self):
        self.bad.always(reset())
        self.check(self.front(retries={"non_idempotent": True}), "POST", b"body")


class NotRepeated(Retries):
    def statuses(self, front, method="GET", count=6, **options):
        return [front.request(method, "/", **options).status for _ in range(count)]

    def test_post_that_was_sent(self):
        front = self.front()
        for name, behaviour in FAULTS:
            with self.subTest(name):
                self.bad.always(behaviour)
                self.bad.forget()
                self.good.forget()
                self.bad.close_idle()
                statuses = self.statuses(front, "POST", 4, body=b"order")
                self.assertEqual(self.bad.count + self.good.count, 4, "each seen exactly once")
                self.assertEqual(statuses.count(200), self.good.count)
                self.assertTrue(all(status in (200, 502, 503, 504) for status in statuses), statuses)
                self.assertGreater(self.bad.count, 0)

    def test_answer_that_has_begun(self):
        self.bad.always(cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
        front = self.front([self.bad])
        with front.connect() as client:
            client.send(build("GET", "/"))
            self.assertTrue(client.read_to_end().endswith(b"half"))
        self.assertEqual(self.bad.count, 1)

    def test_body_that_was_streamed(self):
        """It is gone: neither sent again nor kept in memory for that."""
        self.bad.always(reset())
        front = self.front()
        statuses = self.statuses(front, "PUT", 6, body=b"x" * 1_000_000)
        self.assertEqual(sorted(set(statuses)), [200, 502])
        self.assertEqual(self.bad.count + self.good.count, 6)

    def test_500(self):
        self.bad.always(reply(status=500))
        self.assertEqual(set(self.statuses(self.front())), {200, 500})

    def test_switched_off(self):
        self.bad.always(reset())
        for retries in ({"attempts": 1}, {"on": []}):
            self.assertEqual(set(self.statuses(self.front(retries=retries))), {200, 502})

    def test_budget(self):
        """Everything fails: retries are a small share of the requests, not a second wave of them."""
        self.bad.always(reset())
        self.good.always(reset())
        front = self.front(retries={"budget_percent": 20, "budget_min_per_second": 0})
        self.assertEqual(set(self.statuses(front, count=100)), {502})
        retried = self.bad.count + self.good.count - 100
        self.assertGreater(retried, 5)
        self.assertLess(retried, 30)


class Stale(Retries):
    """An instance closes a kept connection at the moment in which a request goes out on it."""

    def front_of_one(self, **retries):
        return self.front([self.bad], dict({"attempts": 1}, **retries))

    def closing(self, delay):
        """Closes every connection that much after an answer, without having said so."""
        def behave(request, connection):
            reply()(request, connection)
            connection.origin.sleep(delay)
            connection.close()
        return behave

    def test_connection_that_the_instance_closed_while_it_was_idle(self):
        self.bad.always(self.closing(0.001))
        front = self.front_of_one()
        for method in ("GET", "POST"):
            with self.subTest(method), front.connect() as client:
                self.bad.forget()
                for _ in range(50):
                    client.send(build(method, "/", body=b"x"))
                    self.assertEqual(client.read_answer().status, 200)
                    wait_for(lambda: self.bad.connections == 0, 5, "closed connection", every=0.001)
                self.assertEqual(self.bad.count, 50)

    def test_connection_that_the_instance_closes_when_the_next_request_comes(self):
        """A GET is sent again. A POST may have been read, for all that anyone can know."""
        for delay in (0.0, 0.0005, 0.001, 0.005):
            self.bad.always(self.closing(delay))
            front = self.front_of_one()
            for method, allowed in (("GET", {200}), ("POST", {200, 502})):
                with self.subTest(method=method, delay=delay), front.connect() as client:
                    self.bad.forget()
                    statuses = []
                    for _ in range(100):
                        client.send(build(method, "/", body=b"x"))
                        statuses.append(client.read_answer().status)
                    self.assertLessEqual(set(statuses), allowed)
                    self.assertEqual(self.bad.count, statuses.count(200), "none is seen twice")

    def test_all_idle_connections_are_gone_at_once(self):
        front = self.front_of_one()
        for method in ("GET", "POST"):
            for _ in range(10):
                clients = [front.connect() for _ in range(6)]
                for client in clients:
                    client.send(build(method, "/", body=b"x"))
                for client in clients:
                    self.assertEqual(client.read_answer().status, 200)
                self.bad.close_idle()
                self.assertEqual(front.request(method, "/", body=b"x").status, 200)
                for client in clients:
                    client.send(build(method, "/", body=b"x"))
                    self.assertEqual(client.read_answer().status, 200)
                    client.close()

    def test_idempotent_request_on_a_connection_that_dies_with_it(self):
        """The second request of each connection is read and not answered: a fresh one gets it."""
        def behave(request, connection):
            if any(other.connection == request.connection for other in self.bad.requests[:-1]):
                connection.reset()
            else:
                reply()(request, connection)

        self.bad.always(behave)
        front = self.front_of_one()
        with front.connect() as client:
            for _ in range(10):
                client.send(build("GET", "/"))
                self.assertEqual(client.read_answer().status, 200)

    def test_post_on_a_connection_that_dies_with_it_is_not_repeated(self):
        front = self.static_gateway([self.bad], settings=OFF, config={"workers": 1})
        self.assertEqual(front.get("/").status, 200)
        self.bad.on("/order", reset())
        self.bad.forget()
        answer = front.request("POST", "/order", body=b"x")
        self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
        self.assertEqual(self.bad.count, 1)

    def test_instance_that_restarts_under_load(self):
        second = self.good
        front = self.front([self.bad, second], {"attempts": 2})
        with self.load(front, threads=4) as load:
            for _ in range(5):
                load.wait_count(50)
                port = self.bad.port
                self.bad.kill()
                self.bad.stop()
                load.wait_count(50)
                self.bad = Origin("bad", port=port)
                self.addCleanup(self.bad.stop)
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())


class EarlyAnswers(Retries):
    def test_instance_that_refuses_a_large_body_early_is_not_repeated(self):
        self.bad.always(early(reply(status=413, body=b"too much", close=True)))
        front = self.front([self.bad])
        for _ in range(5):
            with front.connect() as client:
                client.send(build("PUT", "/", [("Content-Length", "2000000")], b"x" * 100000))
                self.assertEqual(client.read_answer().status, 413)

    def test_interim_answer_and_then_a_fault_is_repeated(self):
        self.bad.always(cut(head(103)))
        front = self.front()
        for _ in range(4):
            self.assertEqual(front.get("/").header("X-Origin"), "good")
