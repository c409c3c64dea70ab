# SPDX-License-Identifier: Apache-2.0
"""What fails is kept away from the caller: single instances by ejection, whole services by the
breaker, too much at once by limits. What the origins saw decides, not only what the client got."""
import threading
import time

from lib import Parallel, Scenario, gate, hang, holds, raw, reply, reset, wait_for

RETRY_ALL = {"attempts": 3, "budget_percent": 100,
             "on": ["connect_failed", "connect_timeout", "upstream_reset", "upstream_timeout",
                    "upstream_invalid", 500]}


class OneOfThree(Scenario):
    """One instance of three goes bad under load: no request fails, the bad one is left alone, and it
    comes back when it is well again."""

    HANDFUL = 12  # the streak of 3, what both workers had under way (4), and probes

    def start(self, **settings):
        self.origins = [self.origin(name) for name in "abc"]
        full = {"balance": "round_robin", "retries": RETRY_ALL, "first_byte_timeout": "2s",
                "connect_timeout": "2s",
                "outlier": {"consecutive_failures": 3, "base_ejection": "60s"}}
        full.update(settings)
        gateway = self.static_gateway(self.origins, settings=full)
        gateway.wait_spread("/", set("abc"))
        return self.origins[0], gateway

    def goes_bad(self, make_bad):
        bad, gateway = self.start()
        with self.load(gateway, threads=4) as load:
            load.wait_count(50)
            make_bad(bad)
            wait_for(lambda: self.instance_of(gateway, bad)["ejected"], 20, "ejection")
            load.wait_count(30)
            bad.forget()
            load.wait_count(300)
            self.assertLessEqual(bad.count, 0)
        self.assertEqual(load.failed, 0, load.summary())
        shown = self.instance_of(gateway, bad)
        self.assertTrue(shown["ejection_cause"])
        self.assertLessEqual(shown["failures"], self.HANDFUL)
        self.assertEqual(gateway.breaker("web")["state"], "closed")

    @staticmethod
    def instance_of(gateway, origin):
        return gateway.instances("web")[origin.address]

    def test_answers_500(self):
        self.goes_bad(lambda bad: bad.always(reply(500)))

    def test_refuses(self):
        self.goes_bad(lambda bad: bad.kill())

    def test_hangs(self):
        self.goes_bad(lambda bad: bad.always(hang()))

    def test_resets(self):
        self.goes_bad(lambda bad: bad.always(reset()))

    def test_answers_garbage(self):
        self.goes_bad(lambda bad: bad.always(raw(b"220 mail ready\r\n\r\n", close=True)))

    def test_comes_back_by_probation(self):
        bad, gateway = self.start(outlier={"consecutive_failures": 3, "base_ejection": "1s"})
        with self.load(gateway, threads=4) as load:
            bad.always(reply(500))
            wait_for(lambda: self.instance_of(gateway, bad)["ejected"], 20, "ejection")
            bad.forget()
            wait_for(lambda: self.instance_of(gateway, bad)["ejections"] >= 2, 20, "second ejection")
            self.assertLessEqual(bad.count, 6)  # a probe each time, and what was under way
            bad.always()
            wait_for(lambda: not self.instance_of(gateway, bad)["ejected"] and
                     not self.instance_of(gateway, bad)["on_probation"], 20, "return")
            bad.forget()
            load.wait_count(150)
            self.assertGreaterEqual(bad.count, 30)
        self.assertEqual(load.failed, 0, load.summary())

    def test_failed_posts_are_not_repeated(self):
        bad, gateway = self.start()
        bad.always(reset())
        bad.forget()
        seen = [gateway.request("POST", "/", body=b"x").status for _ in range(6)]
        self.assertEqual(seen.count(502), bad.count)
        self.assertGreaterEqual(bad.count, 1)


class Breaker(Scenario):
    SETTINGS = {"open_for": "30s", "minimum_requests": 10, "half_open_requests": 2}

    def start(self, breaker=None, **config):
        """A bad service at /bad/ and a good one at /good/."""
        self.bad, self.good = self.origin("bad"), self.origin("good")
        full = {"services": {"bad": {"instances": [self.bad.address], "retries": {"attempts": 1},
                                     "breaker": dict(self.SETTINGS, **(breaker or {}))},
                             "good": {"instances": [self.good.address]}},
                "routes": [{"path": "/bad/", "service": "bad"}, {"path": "/good/", "service": "good"}]}
        full.update(config)
        self.config = full
        return self.gateway(full, consul=None)

    def open_it(self, gateway):
        self.bad.always(reply(500))
        wait_for(lambda: gateway.get("/bad/").reason == "breaker_open", 20, "open breaker")

    def test_opens_says_so_and_leaves_others_alone(self):
        gateway = self.start()
        with self.load(gateway, "/good/") as load:
            self.open_it(gateway)
            self.bad.forget()
            answers = [gateway.get("/bad/") for _ in range(50)]
            load.wait_count(50)
        self.assertEqual({(a.status, a.reason) for a in answers}, {(503, "breaker_open")})
        self.assertTrue(1 <= int(answers[0].header("Retry-After")) <= 40, answers[0].headers)
        self.assertEqual(answers[0].json()["reason"], "breaker_open")
        self.assertEqual(answers[0].json()["service"], "bad")
        self.assertEqual(self.bad.count, 0)
        self.assertEqual(load.failed, 0, load.summary())
        shown = gateway.breaker("bad")
        self.assertEqual((shown["state"], shown["trips"]), ("open", 1))
        self.assertEqual(shown["last_trip"]["cause"], "failure_rate")
        self.assertGreaterEqual(shown["rejected"], 50)
        self.assertEqual(gateway.breaker("good")["state"], "closed")
        self.assertEqual(shown["transitions"][0]["to"], "open")

    def test_client_errors_do_not_open_it(self):
        gateway = self.start()
        self.bad.always(reply(404))
        self.assertEqual(gateway.spread("/bad/", 40)["bad"], 40)
        self.assertEqual(gateway.breaker("bad")["state"], "closed")

    def test_few_requests_do_not_open_it(self):
        gateway = self.start({"minimum_requests": 50})
        self.bad.always(reply(500))
        self.assertEqual(gateway.spread("/bad/", 40)["bad"], 40)

    def test_refused_connections_open_it(self):
        gateway = self.start()
        self.bad.kill()
        wait_for(lambda: gateway.get("/bad/").reason == "breaker_open", 20, "open breaker")

    def test_half_open_lets_few_through_and_closes(self):
        gateway = self.start({"open_for": "1s"})
        self.open_it(gateway)
        healed = self.event()
        self.bad.forget()
        self.bad.always(gate(healed))
        load = self.load(gateway, "/bad/", threads=8)
        self.bad.wait_requests(2, timeout=15)
        wait_for(lambda: gateway.breaker("bad")["state"] == "half_open", what="half open")
        holds(lambda: self.bad.count <= 2, 1, "two probes")
        healed.set()
        wait_for(lambda: gateway.breaker("bad")["state"] == "closed", 10, "closed")
        load.wait_count(20)
        load.stop()
        self.assertEqual(set(load.reasons), {"breaker_open"})
        self.assertEqual(set(gateway.spread("/bad/", 20)), {"bad"})
        self.assertEqual([t["to"] for t in gateway.breaker("bad")["transitions"]][:3],
                         ["closed", "half_open", "open"])

    def test_service_of_three_fails_and_heals(self):
        origins = [self.origin(name) for name in "abc"]
        gateway = self.static_gateway(origins, settings={
            "balance": "round_robin", "breaker": {"open_for": "1s", "minimum_requests": 10},
            "outlier": {"base_ejection": "1s"}})
        gateway.wait_spread("/", set("abc"))
        with self.load(gateway, threads=4):
            for origin in origins:
                origin.always(reply(500))
            wait_for(lambda: gateway.breaker("web")["state"] == "open", 20, "open breaker")
            for origin in origins:
                origin.always()
            wait_for(lambda: gateway.breaker("web")["state"] == "closed", 30, "closed breaker")
            gateway.wait_spread("/", set("abc"), timeout=30)
        self.assertEqual(set(gateway.spread("/", 30)), set("abc"))

    def test_failed_probe_opens_it_for_longer(self):
        gateway = self.start({"open_for": "500ms"})
        self.open_it(gateway)
        with self.load(gateway, "/bad/"):
            wait_for(lambda: gateway.breaker("bad")["trips_in_a_row"] >= 3, 20, "three trips")
        self.assertEqual(gateway.breaker("bad")["last_trip"]["cause"], "probe_failed")

    def test_slow_calls_open_it(self):
        gateway = self.start({"slow_rate": 50, "slow_after": "100ms"})
        self.bad.always(reply(delay=0.2))
        with self.load(gateway, "/bad/", threads=4):
            wait_for(lambda: gateway.breaker("bad")["state"] == "open", 20, "open breaker")
        self.assertEqual(gateway.breaker("bad")["last_trip"]["cause"], "slow_call_rate")

    def test_disabled_never_opens(self):
        gateway = self.start({"enabled": False})
        self.bad.always(reply(500))
        self.assertEqual(gateway.spread("/bad/", 60)["bad"], 60)

    def test_open_survives_a_reload(self):
        gateway = self.start()
        self.open_it(gateway)
        self.config["services"]["bad"]["timeout"] = "7s"
        gateway.configure(self.config)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, what="reload")
        self.assertEqual(set(gateway.spread("/bad/", 20)), {"breaker_open"})
        self.assertEqual(gateway.breaker("bad")["trips"], 1)

    def test_open_survives_a_catalog_change(self):
        origin = self.instance("bad", "a")
        gateway = self.gateway({"services": {"bad": {"breaker": self.SETTINGS,
                                                     "retries": {"attempts": 1}}}})
        gateway.wait_status("/bad/", 200)
        origin.always(reply(500))
        wait_for(lambda: gateway.get("/bad/").reason == "breaker_open", 20, "open breaker")
        self.instance("bad", "b")
        gateway.wait_instances("bad", 2)
        self.assertEqual(set(gateway.spread("/bad/", 20)), {"breaker_open"})
        self.consul.deregister("a")
        wait_for(lambda: "a" not in gateway.instances("bad"), what="the first gone")
        self.assertEqual(set(gateway.spread("/bad/", 20)), {"breaker_open"})
        self.assertEqual(gateway.breaker("bad")["trips"], 1)

    def test_ejection_survives_a_catalog_change(self):
        origins = [self.instance("orders", name) for name in "abc"]
        gateway = self.gateway({"services": {"orders": {
            "balance": "round_robin", "retries": RETRY_ALL,
            "outlier": {"consecutive_failures": 3, "base_ejection": "60s"}}}})
        gateway.wait_spread("/orders/", set("abc"))
        origins[0].always(reply(500))
        wait_for(lambda: gateway.get("/orders/") and gateway.instances("orders")["a"]["ejected"], 20,
                 "ejection")
        self.instance("orders", "d")
        gateway.wait_spread("/orders/", set("bcd"), count=24)
        self.assertTrue(gateway.instances("orders")["a"]["ejected"])


class Limits(Scenario):
    def start(self, names="a", **settings):
        self.open_gate = self.event()
        self.origins = [self.origin(name).always(gate(self.open_gate)) for name in names]
        settings.setdefault("retries", {"attempts": 1})
        return self.static_gateway(self.origins, settings=settings)

    def count(self, what):
        return sum(getattr(origin, what) for origin in self.origins)

    def test_queue_then_overloaded(self):
        gateway = self.start(concurrency={"requests": 2, "queue": 3, "queue_timeout": "30s"})
        calls = Parallel(9, lambda i: gateway.get("/%d" % i))
        wait_for(lambda: calls.done == 4, 10, "four refusals")
        wait_for(lambda: self.count("busy") == 2, what="two at the origin")
        shown = gateway.service("web")
        self.assertEqual((shown["in_flight"], shown["waiting"], shown["rejected_overload"]), (2, 3, 4))
        self.open_gate.set()
        answers = calls.results()
        self.assertEqual([a.status for a in answers].count(200), 5)
        refused = [a for a in answers if a.status != 200]
        self.assertEqual({(a.status, a.reason) for a in refused}, {(503, "overloaded")})
        self.assertTrue(refused[0].header("Retry-After"))

    def test_limit_holds_under_load(self):
        gateway = self.start(concurrency={"requests": 3, "queue": 50, "queue_timeout": "30s"})
        inside, most, lock = [0], [0], threading.Lock()

        def count_those_inside(request, connection):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:  # before the answer, which lets the next one go
                inside[0] -= 1
            reply()(request, connection)
        self.origins[0].always(count_those_inside)
        with self.load(gateway, threads=12, pause=0) as load:
            load.wait_count(400)
        self.assertEqual(load.failed, 0, load.summary())
        self.assertEqual(most[0], 3)
        wait_for(lambda: gateway.service("web")["in_flight"] == 0, what="nothing in flight")
        self.assertEqual(gateway.service("web")["waiting"], 0)

    def test_nobody_waits_for_ever(self):
        """First come, first served, over both workers, while the service is always full."""
        gateway = self.start(concurrency={"requests": 2, "queue": 50, "queue_timeout": "30s"})
        self.origins[0].always(reply(delay=0.02))
        loads = [self.load(gateway, threads=1, pause=0) for _ in range(12)]
        wait_for(lambda: sum(load.total for load in loads) >= 600, 60, "600 requests")
        for load in loads:
            load.stop()
        self.assertEqual([load.failed for load in loads], [0] * 12)
        self.assertGreater(min(load.total for load in loads), 15, [load.total for load in loads])

    def test_waiting_ends(self):
        gateway = self.start(concurrency={"requests": 1, "queue": 5, "queue_timeout": "200ms"})
        calls = Parallel(3, lambda i: gateway.get("/%d" % i))
        wait_for(lambda: calls.done == 2, 10, "the end of the wait")
        self.open_gate.set()
        self.assertEqual(sorted(a.reason or "" for a in calls.results()),
                         ["", "overloaded", "overloaded"])

    def test_raised_limit_lets_in_who_waits(self):
        """At the reload, not when the next answer ends: here none does."""
        concurrency = {"requests": 1, "queue": 5, "queue_timeout": "60s"}
        gateway = self.start(concurrency=concurrency)
        calls = Parallel(5, lambda i: gateway.get("/%d" % i))
        wait_for(lambda: gateway.service("web")["waiting"] == 4, what="four in the queue")
        settings = {"concurrency": dict(concurrency, requests=4), "retries": {"attempts": 1},
                    "instances": [self.origins[0].address]}
        gateway.configure({"services": {"web": settings},
                           "routes": [{"path": "/", "service": "web"}]})
        gateway.reload()
        wait_for(lambda: self.count("busy") == 4, what="four at the origin")
        self.assertEqual(gateway.service("web")["waiting"], 1)
        self.open_gate.set()
        self.assertEqual([a.status for a in calls.results()], [200] * 5)

    def test_client_that_leaves_the_queue_frees_its_place(self):
        gateway = self.start(concurrency={"requests": 1, "queue": 1, "queue_timeout": "30s"})
        first = Parallel(1, lambda i: gateway.get("/first"))
        self.origins[0].wait_requests(1)
        with gateway.connect() as client:
            client.send(b"GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for(lambda: gateway.service("web")["waiting"] == 1, what="one in the queue")
            client.reset()  # an orderly end is only the end of sending: an answer is still welcome
        wait_for(lambda: gateway.service("web")["waiting"] == 0, what="an empty queue")
        self.open_gate.set()
        self.assertEqual(first.results()[0].status, 200)
        self.assertEqual(self.count("count"), 1)

    def test_limit_for_each_instance(self):
        gateway = self.start("ab", concurrency={"requests_per_instance": 2})
        calls = Parallel(7, lambda i: gateway.get("/%d" % i))
        wait_for(lambda: calls.done == 3, 10, "three refusals")
        wait_for(lambda: [origin.busy for origin in self.origins] == [2, 2], what="two at each")
        self.open_gate.set()
        answers = calls.results()
        self.assertEqual([a.status for a in answers].count(200), 4)
        self.assertEqual({a.reason for a in answers if a.status != 200}, {"overloaded"})

    def test_full_service_does_not_open_its_breaker(self):
        gateway = self.start(concurrency={"requests": 1},
                             breaker={"minimum_requests": 5, "failure_rate": 10})
        calls = Parallel(1, lambda i: gateway.get("/"))
        self.origins[0].wait_requests(1)
        self.assertEqual(set(gateway.spread("/", 40)), {"overloaded"})
        self.open_gate.set()
        calls.results()
        self.assertEqual(gateway.breaker("web")["state"], "closed")

    def test_retry_budget_stops_a_storm(self):
        origins = [self.origin(name).always(reply(503)) for name in "abc"]
        gateway = self.static_gateway(origins, settings={
            "breaker": {"enabled": False}, "outlier": {"enabled": False},
            "retries": {"attempts": 3, "on": [503], "budget_percent": 20,
                        "budget_min_per_second": 0}})
        for _ in range(200):
            self.assertEqual(gateway.get("/").status, 503)
        seen = sum(origin.count for origin in origins)
        self.assertTrue(205 <= seen <= 260, seen)  # a retry for five requests, not two for each
        self.assertGreater(gateway.service("web")["retry_budget"]["refused"], 0)
