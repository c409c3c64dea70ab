# SPDX-License-Identifier: Apache-2.0
"""Hedged requests: a second try beside a slow first one. Who is first is the balancer's choice, so
the origins share one behaviour that goes by the order in which tries arrive: `turns(a, b)` does `a`
to the first try and `b` to the second, whichever instances these are."""
import random
import threading

from lib import (Parallel, Scenario, build, cut, gate, holds, raw, reply, reset, silence, slow_body,
                 wait_for)

OFF = {"breaker": {"enabled": False}, "outlier": {"enabled": False}, "balance": "round_robin"}
TARGET = "/thing"


class Turns:
    """A behaviour for several origins; `seen` are the origins in the order of arrival."""

    def __init__(self, *behaviours):
        self.behaviours, self.seen, self.lock = behaviours, [], threading.Lock()

    def __call__(self, request, connection):
        with self.lock:
            turn = len(self.seen)
            self.seen.append(connection.origin)
        self.behaviours[min(turn, len(self.behaviours) - 1)](request, connection)


class Hedges(Scenario):
    def setUp(self):
        self.origins = [self.origin("a"), self.origin("b")]

    def front(self, hedge="50ms", instances=None, retries=None, route=None, **settings):
        whole = dict(OFF, hedge=hedge, connect_timeout="5s", first_byte_timeout="10s",
                     retries=dict({"budget_min_per_second": 1000}, **(retries or {})))
        whole.update(settings)
        config = {"access_log": "stdout"}
        if route:
            config["routes"] = [dict({"path": "/", "service": "web"}, **route)]
        return self.static_gateway(instances or self.origins, settings=whole, config=config)

    def turns(self, *behaviours):
        turns = Turns(*behaviours)
        for origin in self.origins:
            origin.always(turns)
        return turns

    def warm(self, front):
        """Kept connections to each origin, in each of the two workers."""
        for origin in self.origins:
            origin.always(reply(delay=0.02))
        Parallel(16, lambda i: front.get("/warm")).results()

    def open_connections(self):
        return sum(origin.connections for origin in self.origins)

    def wait_tries(self, turns, count):
        wait_for(lambda: len(turns.seen) >= count, 10, "%d tries" % count)

    def in_background(self, front, method="GET", **options):
        """An Event-like ask: results()[0] is the answer."""
        return Parallel(1, lambda i: front.request(method, TARGET, **options))

    def check_counts(self, front, hedges, won, line=None):
        line = line or front.wait_logged(path=TARGET)
        if hedges:
            self.assertEqual((line["hedged"], line["hedge_won"]), (True, bool(won)))
        else:
            self.assertNotIn("hedged", line)
        wait_for(lambda: all(i["in_flight"] == 0 for i in front.instances("web").values()), 10,
                 "end of everything under way")
        service, metrics = front.service("web"), front.metrics()
        self.assertEqual((service["hedges"], service["hedges_won"]), (hedges, won))
        for name, value in (("hedges", hedges), ("hedges_won", won)):
            self.assertEqual(metrics['frontdesk_%s_total{service="web"}' % name], value)

    def failures(self, front, origin):
        return front.instances("web")[origin.address]["failures"]


class Winner(Hedges):
    def test_second_answers(self):
        turns = self.turns(silence(), reply(body=b"second"))
        front = self.front()
        with front.connect() as client:
            client.send(build("GET", TARGET))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.body), (200, b"second"))
            self.assertEqual(answer.header("X-Origin"), turns.seen[1].name)
            self.assertEqual(len({origin.name for origin in turns.seen}), 2)
            # The loser's connection is closed, the winner's is kept.
            wait_for(lambda: self.open_connections() == 1, 10, "end of the loser's connection")
            self.assertEqual(turns.seen[0].connections, 0)
            # Only one answer: what comes next belongs to the next request.
            self.turns(reply(body=b"next"))
            client.send(build("GET", "/next"))
            self.assertEqual(client.read_answer().body, b"next")
        self.check_counts(front, 1, 1)
        self.assertEqual([self.failures(front, origin) for origin in turns.seen], [0, 0])

    def test_first_answers_after_all(self):
        go = self.event()
        turns = self.turns(gate(go, reply(body=b"first")), silence())
        front = self.front()
        asked = self.in_background(front)
        self.wait_tries(turns, 2)
        go.set()
        self.assertEqual(asked.results()[0].body, b"first")
        wait_for(lambda: turns.seen[1].connections == 0, 10, "end of the loser's connection")
        self.check_counts(front, 1, 0)
        self.assertEqual([self.failures(front, origin) for origin in turns.seen], [0, 0])

    def test_a_quick_answer_is_not_hedged(self):
        turns = self.turns(reply())
        front = self.front("2s")
        for _ in range(20):
            self.assertEqual(front.get(TARGET).status, 200)
        self.assertEqual(len(turns.seen), 20)
        self.check_counts(front, 0, 0)

    def test_body_is_sent_twice(self):
        turns = self.turns(silence(), reply())
        front = self.front()
        self.assertEqual(front.request("PUT", TARGET, body=b"new content").status, 200)
        self.assertEqual(len(turns.seen), 2)
        for origin in self.origins:
            self.assertEqual([request.body for request in origin.requests], [b"new content"])

    def test_head(self):
        self.turns(silence(), reply(body=b"12345"))
        answer = self.front().request("HEAD", TARGET)
        self.assertEqual((answer.status, answer.header("Content-Length"), answer.body),
                         (200, "5", b""))

    def test_large_streams(self):
        parts = [bytes([65 + i % 26]) * 100000 for i in range(60)]
        front = self.front()
        for framing in ("chunked", "length", "close"):
            with self.subTest(framing):
                self.turns(silence(), slow_body(parts, 0.001, framing))
                answer = front.get(TARGET, timeout=60)
                self.assertEqual(len(answer.body), 6000000)
                self.assertTrue(answer.body == b"".join(parts))

    def test_any_final_answer_wins_that_is_not_tried_again(self):
        front = self.front()
        for status in (404, 500):
            self.turns(silence(), reply(status, b"its own words"))
            answer = front.get(TARGET)
            self.assertEqual((answer.status, answer.body), (status, b"its own words"))

    def test_an_answer_in_pieces(self):
        def pieces(request, connection):
            for piece in (b"HTTP/1.1 200 OK\r\nCont", b"ent-Length: 6\r\n\r", b"\npie", b"ces"):
                connection.send(piece)
                connection.origin.sleep(0.03)
        self.turns(silence(), pieces)
        self.assertEqual(self.front().get(TARGET).body, b"pieces")


class Loser(Hedges):
    """One of the two fails while the other is under way."""

    def first_fails(self, behaviour):
        go, on = self.event(), self.event()
        turns = self.turns(gate(go, behaviour), gate(on, reply(body=b"second")))
        front = self.front()
        asked = self.in_background(front)
        self.wait_tries(turns, 2)
        go.set()
        wait_for(lambda: self.failures(front, turns.seen[0]) == 1, 10, "failure of the first")
        on.set()
        answer = asked.results()[0]
        self.assertEqual((answer.status, answer.body), (200, b"second"))
        line = front.wait_logged(path=TARGET)
        self.assertEqual(line["attempts"], 1)
        self.check_counts(front, 1, 1, line)
        self.assertEqual(self.failures(front, turns.seen[1]), 0)
        self.assertEqual((len(turns.seen), front.service("web")["retries"]), (2, 0))
        self.assertEqual(front.service("web")["retry_budget"]["taken"], 1)

    def test_first_resets(self):
        self.first_fails(reset())

    def test_first_answers_503(self):
        self.first_fails(reply(503))

    def test_first_answers_garbage(self):
        self.first_fails(raw(b"garbage\r\n\r\n"))

    def second_fails(self, behaviour):
        go = self.event()
        turns = self.turns(gate(go, reply(body=b"first")), behaviour)
        front = self.front()
        asked = self.in_background(front)
        self.wait_tries(turns, 2)
        wait_for(lambda: self.failures(front, turns.seen[1]) == 1, 10, "failure of the second")
        go.set()
        self.assertEqual(asked.results()[0].body, b"first")
        self.check_counts(front, 1, 0)
        self.assertEqual((len(turns.seen), self.failures(front, turns.seen[0])), (2, 0))

    def test_second_resets(self):
        self.second_fails(reset())

    def test_second_answers_503(self):
        self.second_fails(reply(503))

    def test_second_breaks_off_in_its_head(self):
        self.second_fails(cut(b"HTTP/1.1 200 OK\r\n"))

    def test_second_is_refused(self):
        """Where the second cannot connect, the first goes on as if nothing had been."""
        a, b = self.origins
        a.always(reply(delay=0.2))
        b.refuse()
        front = self.front(balance="random")
        for _ in range(10):
            self.assertEqual(front.get(TARGET).header("X-Origin"), "a")
        lines = wait_for(lambda: [line for line in front.access_log(path=TARGET)
                                  if line.get("hedged")], 10, "a hedged request")
        self.assertEqual({line["hedge_won"] for line in lines}, {False})
        self.assertEqual(self.failures(front, a), 0)

    def test_both_fail_and_a_third_is_there(self):
        third = self.origin("c")
        self.origins.append(third)
        for first, second in ((reset(), reset()), (reply(503), reset()), (reset(), reply(502))):
            go = self.event()
            turns = self.turns(gate(go, first), gate(go, second), reply(body=b"third"))
            front = self.front()
            asked = self.in_background(front)
            self.wait_tries(turns, 2)
            go.set()
            answer = asked.results()[0]
            self.assertEqual((answer.status, answer.body), (200, b"third"))
            self.assertEqual(len({origin.name for origin in turns.seen}), 3, "each tried once")
            line = front.wait_logged(path=TARGET)
            self.assertEqual((line["attempts"], line["hedged"], line["hedge_won"]), (2, True, False))

    def test_both_fail_and_nobody_else_is_there(self):
        go = self.event()
        turns = self.turns(gate(go, reset()))
        front = self.front(retries={"attempts": 5})
        asked = self.in_background(front)
        self.wait_tries(turns, 2)
        go.set()
        answer = asked.results()[0]
        self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
        self.assertEqual(len(turns.seen), 2)
        self.check_counts(front, 1, 0)

    def test_last_bad_status_is_passed_on(self):
        self.turns(reply(503, b"one", delay=0.3), reply(503, b"two"))
        answer = self.front().get(TARGET)
        self.assertEqual((answer.status, answer.body, answer.reason), (503, b"one", None))

    def test_answers_to_a_retry_are_not_hedged_again(self):
        self.origins += [self.origin("c"), self.origin("d")]
        turns = self.turns(reply(503, delay=0.2), reply(503), reply(delay=0.5))
        front = self.front(retries={"attempts": 5})
        self.assertEqual(front.get(TARGET).status, 200)
        self.assertEqual(len(turns.seen), 3)


class Timeouts(Hedges):
    def first_times_out_and_the_second_answers(self, warm):
        go = self.event()
        front = self.front("400ms", first_byte_timeout="500ms")
        if warm:
            self.warm(front)
        turns = self.turns(silence(), gate(go, reply(body=b"second")))
        asked = self.in_background(front)
        wait_for(lambda: self.failures(front, turns.seen[0]) == 1, 10, "timeout of the first")
        go.set()
        self.assertEqual(asked.results()[0].body, b"second")
        self.assertEqual(self.failures(front, turns.seen[1]), 0)

    def test_first_times_out_and_the_second_answers(self):
        self.first_times_out_and_the_second_answers(False)

    def test_first_times_out_and_the_second_answers_on_a_kept_connection(self):
        self.first_times_out_and_the_second_answers(True)

    def test_both_time_out_each_on_its_own(self):
        turns = self.turns(silence())
        front = self.front("100ms", first_byte_timeout="300ms")
        answer = front.get(TARGET)
        self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))
        self.assertEqual([self.failures(front, origin) for origin in turns.seen], [1, 1])

    def test_whole_exchange(self):
        self.turns(silence())
        front = self.front("100ms", timeout="300ms")
        answer = front.get(TARGET)
        self.assertEqual((answer.status, answer.reason), (504, "upstream_timeout"))
        self.check_counts(front, 1, 0)
        wait_for(lambda: self.open_connections() == 0, 10, "end of both connections")

    def test_first_cannot_connect(self):
        """The delay runs while the first is still connecting."""
        deaf, good = self.deaf(), self.origins[0]
        front = self.front(instances=[deaf, good], balance="random")
        answers = [front.get(TARGET) for _ in range(10)]
        self.assertEqual({answer.header("X-Origin") for answer in answers}, {good.name})
        front.wait_logged(hedged=True, hedge_won=True)

    def test_second_cannot_connect(self):
        """Its connect timeout ends it alone, while the first goes on."""
        deaf, good = self.deaf(), self.origins[0]
        go = self.event()
        good.always(gate(go, reply(body=b"first")))
        front = self.front(instances=[deaf, good], connect_timeout="300ms",
                           retries={"attempts": 1})
        asked = Parallel(2, lambda i: front.get(TARGET))  # one begins at each instance
        wait_for(lambda: front.instances("web")["%s:%d" % (deaf.host, deaf.port)]["failures"] == 2,
                 10, "both tries at the deaf one to end")
        go.set()
        self.assertEqual([answer.body for answer in asked.results()], [b"first"] * 2)


class Interim(Hedges):
    EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </%s.css>\r\n\r\n"

    def test_of_two_tries_none_is_passed_on(self):
        go = self.event()
        seen = threading.Event()

        def first(request, connection):
            go.wait(30)
            connection.send(self.EARLY % b"first")
            seen.set()
            while connection.read():
                pass

        def second(request, connection):
            connection.send(self.EARLY % b"second")
            seen.wait(30)
            connection.origin.sleep(0.05)
            reply(body=b"second")(request, connection)

        turns = self.turns(first, second)
        front = self.front()
        with front.connect() as client:
            client.send(build("GET", TARGET, close=True))
            self.wait_tries(turns, 2)
            go.set()
            whole = client.read_to_end()
        self.assertTrue(whole.startswith(b"HTTP/1.1 200 OK\r\n"), whole[:200])
        self.assertTrue(whole.endswith(b"\r\n\r\nsecond"))
        self.assertEqual(whole.count(b"HTTP/1.1"), 1)

    def test_a_try_that_has_sent_one_is_not_hedged(self):
        def behave(request, connection):
            connection.send(self.EARLY % b"first")
            connection.origin.sleep(0.4)
            reply(body=b"first")(request, connection)
        turns = self.turns(behave)
        front = self.front("200ms")
        with front.connect() as client:
            client.send(build("GET", TARGET, close=True))
            whole = client.read_to_end()
        self.assertTrue(whole.startswith(b"HTTP/1.1 103 "), whole[:200])
        self.assertEqual(len(turns.seen), 1)
        self.check_counts(front, 0, 0)

    def test_half_a_head_is_an_answer_that_has_begun(self):
        def behave(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            connection.origin.sleep(0.4)
            connection.send(b"ngth: 2\r\n\r\nok")
        turns = self.turns(behave)
        front = self.front("200ms")
        self.assertEqual(front.get(TARGET).body, b"ok")
        self.assertEqual(len(turns.seen), 1)


class Never(Hedges):
    def one_try(self, front, method="GET", **options):
        turns = self.turns(reply(delay=0.3), reply(status=500))
        answer = front.request(method, TARGET, **options)
        self.assertEqual((answer.status, len(turns.seen)), (200, 1))
        self.check_counts(front, 0, 0)

    def test_post(self):
        self.one_try(self.front(retries={"non_idempotent": True}), "POST", body=b"order")

    def test_patch(self):
        self.one_try(self.front(), "PATCH", body=b"change")

    def test_a_body_that_is_not_in_memory(self):
        self.one_try(self.front(), "PUT", body=b"x" * 300000)

    def test_upgrade(self):
        self.one_try(self.front(), headers={"Connection": "Upgrade", "Upgrade": "websocket"})

    def test_off(self):
        self.one_try(self.front("off"))

    def test_route_says_no(self):
        self.one_try(self.front(route={"hedge": False}))

    def test_only_one_instance(self):
        front = self.front(instances=self.origins[:1])
        self.one_try(front)

    def test_budget(self):
        self.one_try(self.front(retries={"budget_min_per_second": 0, "budget_percent": 0}))

    def test_budget_bounds_the_share(self):
        self.turns(reply(delay=0.08))
        front = self.front("20ms", retries={"budget_min_per_second": 0, "budget_percent": 20})
        with self.load(front, TARGET, threads=6) as load:
            load.wait_count(150)
        self.assertEqual(load.failed, 0, load.summary())
        service = front.service("web")
        self.assertGreater(service["retry_budget"]["taken"], 0)
        # Two workers that ask at once may each get the last one.
        self.assertLessEqual(service["retry_budget"]["taken"], service["requests"] * 0.2 + 4)

    def test_limit_of_the_instance(self):
        go = self.event()
        turns = self.turns(gate(go))
        front = self.front(concurrency={"requests_per_instance": 1})
        asked = Parallel(2, lambda i: front.get(TARGET))
        self.wait_tries(turns, 2)
        holds(lambda: len(turns.seen) == 2, 0.4, "no third try")
        go.set()
        self.assertEqual([answer.status for answer in asked.results()], [200, 200])


class States(Hedges):
    """Breaker and probation: what is being tested is not asked twice."""

    BREAKER = {"minimum_requests": 4, "failure_rate": 50, "open_for": "300ms", "window": "60s"}

    def test_breaker_opens_while_the_first_is_under_way(self):
        go = self.event()
        turns = self.turns(gate(go))
        for origin in self.origins:
            origin.on("/bad", reply(500))
        front = self.front("700ms", breaker=dict(self.BREAKER, open_for="60s"))
        asked = self.in_background(front)
        self.wait_tries(turns, 1)
        wait_for(lambda: front.get("/bad").reason == "breaker_open", 10, "an open breaker")
        holds(lambda: len(turns.seen) == 1, 1, "no second try")
        go.set()
        self.assertEqual(asked.results()[0].status, 200)

    def test_half_open(self):
        for origin in self.origins:
            origin.always(reply(500))
        front = self.front(breaker=dict(self.BREAKER, half_open_requests=2))
        wait_for(lambda: front.get("/bad").reason == "breaker_open", 10, "an open breaker")
        turns = self.turns(reply(delay=0.2))
        answer = wait_for(lambda: [got for got in [front.get(TARGET)] if got.status == 200], 10,
                          "a probe")[0]
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(turns.seen), 1)

    def test_probation(self):
        good, bad = self.origins
        bad.always(reply(500))
        front = self.front("30ms", outlier={"consecutive_failures": 1, "base_ejection": "50ms",
                                            "max_ejection": "50ms"})
        wait_for(lambda: front.get("/x") and front.instances("web")[bad.address]["ejections"], 10,
                 "an ejection")
        good.always(reply(delay=0.1))
        bad.forget()
        for _ in range(12):
            front.get(TARGET)
        self.assertGreater(bad.count, 0, "it was probed")
        self.assertEqual(front.access_log(path=TARGET, hedged=True), [])


class Connections(Hedges):
    def test_a_stale_connection_of_the_second_is_nobodys_fault(self):
        front = self.front()
        self.warm(front)
        used = set()

        def stale(request, connection):
            """The end comes instead of an answer, on a connection that was used before."""
            fresh = connection.number not in warm[connection.origin.name]
            used.add(fresh)
            (reply(body=b"fresh") if fresh else cut())(request, connection)

        warm = {origin.name: {request.connection for request in origin.requests}
                for origin in self.origins}
        self.turns(silence(), stale)
        self.assertEqual(front.get(TARGET).body, b"fresh")
        self.assertEqual([self.failures(front, origin) for origin in self.origins], [0, 0])
        self.assertIn(True, used)
        self.check_counts(front, 1, 1)

    def test_client_leaves(self):
        turns = self.turns(silence())
        front = self.front()
        with front.connect() as client:
            client.send(build("GET", TARGET))
            self.wait_tries(turns, 2)
            client.reset()
            line = front.wait_logged(path=TARGET)
        self.assertEqual((line["reason"], line["hedged"]), ("client_gone", True))
        wait_for(lambda: self.open_connections() == 0, 10, "end of both connections")
        self.check_counts(front, 1, 0, line)
        self.assertEqual([self.failures(front, origin) for origin in self.origins], [0, 0])

    def test_gateway_ends_with_two_tries_under_way(self):
        turns = self.turns(silence())
        front = self.static_gateway(self.origins, settings=dict(OFF, hedge="50ms"),
                                    config={"drain_timeout": "300ms"})
        with front.connect() as client:
            client.send(build("GET", TARGET))
            self.wait_tries(turns, 2)
            front.stop()


class Percentile(Hedges):
    def test_needs_a_hundred_answers(self):
        front = self.front({"after": "p95", "at_least": "20ms"})
        turns = self.turns(reply(delay=0.1), reply())
        self.assertEqual(front.get(TARGET).status, 200)
        self.assertEqual(len(turns.seen), 1)
        for _ in range(101):
            front.get("/warm")

        def hedged():
            turns = self.turns(reply(delay=0.5), reply(body=b"second"))
            return front.get("/late").body == b"second" and len(turns.seen) == 2
        wait_for(hedged, 10, "a hedged request")

    def test_a_try_that_was_given_up_counts_as_slow(self):
        """Else the estimate would forget the slow ones, and sink."""
        front = self.front({"after": "p95", "at_least": "20ms"})
        self.assertIsNone(front.service("web")["hedge_after_ms"])
        for _ in range(101):
            front.get("/warm")
        wait_for(lambda: front.get("/warm") and front.service("web")["hedge_after_ms"] == 20, 10,
                 "an estimate")
        for _ in range(30):
            self.turns(silence(), reply(delay=0.08))
            self.assertEqual(front.get(TARGET).status, 200)
        wait_for(lambda: front.service("web")["hedge_after_ms"] >= 80, 10, "a higher estimate")

    def test_route_says_yes(self):
        front = self.front("off", route={"hedge": True})
        with self.load(front, "/warm", threads=2) as load:
            load.wait_count(120)

        def hedged():
            self.turns(reply(delay=0.5), reply(body=b"second"))
            return front.get("/late").body == b"second"
        wait_for(hedged, 10, "a hedged request")


class Crowd(Hedges):
    def test_every_answer_belongs_to_its_request(self):
        """Random delays on three instances, failures among them, kept connections on both sides."""
        self.origins.append(self.origin("c"))
        rng = random.Random(7)
        lock = threading.Lock()

        def behave(request, connection):
            with lock:
                delay, fate = rng.choice((0, 0, 0.005, 0.02, 0.04, 0.08)), rng.random()
            if delay:
                connection.origin.sleep(delay)
            if fate < 0.03:
                return reset()(request, connection)
            if fate < 0.06:
                return reply(503)(request, connection)
            body = (request.target.encode() + b"|" + request.body) * (1 + int(fate * 500))
            reply(body=body, framing="chunked" if fate > 0.7 else "length")(request, connection)

        for origin in self.origins:
            origin.always(behave)
        front = self.front("15ms", retries={"attempts": 4, "budget_percent": 100})

        def client(number):
            good = 0
            with front.connect(timeout=30) as connection:
                for i in range(40):
                    target, body = "/%d/%d" % (number, i), b"%d-%d" % (number, i)
                    method = ("GET", "PUT", "DELETE")[i % 3]
                    connection.send(build(method, target, body=None if i % 3 == 0 else body))
                    answer = connection.read_answer(method)
                    if answer.status == 200:
                        mine = target.encode() + b"|" + (b"" if i % 3 == 0 else body)
                        self.assertEqual(answer.body, mine * (len(answer.body) // len(mine)))
                        good += 1
                    else:
                        self.assertIn(answer.status, (502, 503))
            return good

        good = sum(Parallel(24, client).results())
        self.assertGreater(good, 24 * 40 * 0.95)
        lines = wait_for(lambda: [line for line in front.access_log(hedged=True)], 10, "hedges")
        self.assertGreater(len(lines), 20)
        self.assertEqual({line["hedge_won"] for line in lines}, {True, False})
        wait_for(lambda: all(i["in_flight"] == 0 for i in front.instances("web").values()), 10,
                 "end of everything under way")
