# SPDX-License-Identifier: Apache-2.0
"""Rate limits, quotas and limits of concurrency, as clients meet them. The limits of these cases are an
hour's or a day's, so that a slow machine gives nobody a token back; what happens when time goes on is
the unit tests' part."""
import threading

from lib import RawClient, Scenario, build, head, reply, wait_for
from lib import origin as behave

FIELDS = ("RateLimit-Policy", "RateLimit", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
          "Retry-After")


class RateLimits(Scenario):
    def setUp(self):
        self.web = self.origin()

    def front(self, limits, route=None, routes=None, config=None):
        routes = routes or [dict({"path": "/", "service": "web"}, **(route or {}))]
        return self.static_gateway([self.web], config=dict(
            config or {}, rate_limits=limits, routes=routes))

    def statuses(self, front, count, target="/", **options):
        return [front.get(target, **options).status for _ in range(count)]

    def get_from(self, source, front, target="/"):
        with RawClient(front.port, source=source) as one:
            one.send(build("GET", target))
            return one.read_answer()

    def limit(self, front, name):
        return next(row for row in front.status()["rate_limits"] if row["name"] == name)

    def test_an_address_at_its_limit(self):
        front = self.front({"address": {"rate": "3/h"}}, {"rate_limits": ["address"]})
        self.assertEqual(self.statuses(front, 5), [200, 200, 200, 429, 429])
        answer = front.get("/")
        self.assertEqual(answer.reason, "rate_limited")
        self.assertEqual(answer.json()["reason"], "rate_limited")
        self.assertEqual(answer.json()["status"], 429)
        self.assertIn("limit address: again in", answer.json()["detail"])
        self.assertEqual(self.web.count, 3)
        row = self.limit(front, "address")
        self.assertEqual((row["kind"], row["limit"], row["refused"], row["clients"], row["counted_in"]),
                         ("rate", "3/h", 3, 1, "here"))
        self.assertEqual(front.metrics()['frontdesk_rate_limited_total{limit="address"}'], 3)
        self.assertIsNone(front.status()["redis"])

    def test_what_clients_are_told(self):
        front = self.front({"slow": {"rate": "2/h"}, "day": {"quota": "50/d"}},
                           {"rate_limits": ["slow", "day"]})
        answer = front.get("/")
        self.assertEqual(answer.header("RateLimit-Policy"), '"slow";q=2;w=3600, "day";q=50;w=86400')
        self.assertRegex(answer.header("RateLimit"), r'^"slow";r=1;t=1800, "day";r=49;t=\d+$')
        self.assertEqual(answer.header("RateLimit-Limit"), "2")
        self.assertEqual(answer.header("RateLimit-Remaining"), "1")
        self.assertEqual(answer.header("RateLimit-Reset"), "1800")
        self.assertIsNone(answer.header("Retry-After"))
        front.get("/")
        answer = front.get("/")
        self.assertEqual(answer.status, 429)
        wait = int(answer.header("Retry-After"))
        self.assertTrue(1700 < wait <= 1800, wait)
        self.assertRegex(answer.header("RateLimit"), r'^"slow";r=0;t=%d' % wait)
        self.assertEqual(answer.header("RateLimit-Remaining"), "0")
        self.assertEqual(answer.header("RateLimit-Reset"), str(wait))
        for name in FIELDS:
            self.assertEqual(len(answer.header_all(name)), 1, name)

    def test_which_fields(self):
        for form, there in (("draft", FIELDS[:2]), ("legacy", FIELDS[2:5]), ("none", ())):
            with self.subTest(form):
                front = self.front({"a": {"rate": "1/h", "headers": form}}, {"rate_limits": ["a"]})
                answer = front.get("/")
                self.assertEqual([n for n in FIELDS if answer.header(n)], list(there))
                refused = front.get("/")
                self.assertEqual([n for n in FIELDS if refused.header(n)],
                                 list(there) + ["Retry-After"])
                self.assertEqual("limit a" in refused.json()["detail"], form != "none")

    def test_fields_of_the_service(self):
        """Its own old ones would contradict ours; items of a list do not."""
        self.web.always(reply(headers=[("RateLimit-Limit", "7"), ("RateLimit", '"own";r=1;t=1')]))
        front = self.front({"a": {"rate": "5/h"}}, {"rate_limits": ["a"]})
        answer = front.get("/")
        self.assertEqual(answer.header_all("RateLimit-Limit"), ["5"])
        self.assertEqual(len(answer.header_all("RateLimit")), 2)

    def test_exact_with_many_connections(self):
        """Both workers, eight clients at once: as many pass as may."""
        front = self.front({"all": {"by": "global", "quota": "60/d"}}, {"rate_limits": ["all"]})
        statuses = []

        def ask():
            with RawClient(front.port) as one:
                for _ in range(20):
                    one.send(build("GET", "/"))
                    statuses.append(one.read_answer().status)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(set(statuses)), [200, 429])
        self.assertEqual(statuses.count(200), 60)
        self.assertEqual(self.web.count, 60)

    def test_clients_are_told_apart(self):
        limits = {"address": {"rate": "2/h"}, "tenant": {"by": {"header": "X-Tenant"}, "rate": "2/h"}}
        front = self.front(limits, routes=[
            {"path": "/a/", "service": "web", "rate_limits": ["address"]},
            {"path": "/t/", "service": "web", "rate_limits": ["tenant"]}])
        for source in ("127.0.0.1", "127.0.0.2"):
            got = [self.get_from(source, front, "/a/").status for _ in range(3)]
            self.assertEqual(got, [200, 200, 429], source)
        for tenant in ("a", "b"):
            self.assertEqual(self.statuses(front, 3, "/t/", headers={"x-tenant": tenant}),
                             [200, 200, 429])
        self.assertEqual(self.statuses(front, 3, "/t/"), [200, 200, 429])  # none is one too

    def test_addresses_behind_a_proxy(self):
        front = self.front({"address": {"rate": "1/h", "ipv6_prefix": 64}}, {"rate_limits": ["address"]},
                           config={"trusted_proxies": ["127.0.0.1"]})
        rows = (("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200),
                ("2001:db8:0:1::1", 200), ("2001:db8:0:1:ffff::2", 429), ("2001:db8:0:2::1", 200))
        for address, status in rows:
            answer = front.get("/", headers={"X-Forwarded-For": address})
            self.assertEqual(answer.status, status, address)

    def test_excepted_addresses(self):
        front = self.front({"address": {"rate": "1/h", "except": ["127.0.0.2"], "apply": "all"}})
        self.assertEqual(self.statuses(front, 2), [200, 429])
        for _ in range(3):
            answer = self.get_from("127.0.0.2", front)
            self.assertEqual((answer.status, answer.header("RateLimit")), (200, None))

    def test_shadow(self):
        front = self.front({"a": {"rate": "1/h", "shadow": True}}, {"rate_limits": ["a"]})
        self.assertEqual(self.statuses(front, 3), [200, 200, 200])
        self.assertIsNone(front.get("/").header("RateLimit"))
        row = self.limit(front, "a")
        self.assertEqual((row["refused"], row["would_refuse"], row["shadow"]), (0, 3, True))

    def test_routes_together_and_each_for_itself(self):
        limits = {"one": {"rate": "2/h"}, "each": {"rate": "2/h", "per_route": True}}
        front = self.front(limits, routes=[
            {"path": "/%s/%d" % (name, n), "service": "web", "rate_limits": [name]}
            for name in limits for n in (1, 2)])
        self.assertEqual(self.statuses(front, 1, "/one/1") + self.statuses(front, 2, "/one/2"),
                         [200, 200, 429])
        self.assertEqual(self.statuses(front, 3, "/each/1") + self.statuses(front, 3, "/each/2"),
                         [200, 200, 429] * 2)

    def test_one_refusal_costs_the_other_limits_nothing(self):
        front = self.front({"wide": {"rate": "5/h"}, "narrow": {"rate": "1/h"}}, routes=[
            {"path": "/both", "service": "web", "rate_limits": ["wide", "narrow"]},
            {"path": "/wide", "service": "web", "rate_limits": ["wide"]}])
        self.assertEqual(self.statuses(front, 9, "/both"), [200] + [429] * 8)
        self.assertEqual(self.statuses(front, 5, "/wide"), [200] * 4 + [429])

    def test_redirects_and_refusals_count(self):
        front = self.front({"a": {"rate": "2/h", "apply": "all"}}, routes=[
            {"path": "/old", "redirect": {"to": "/new"}},
            {"path": "/secret", "service": "web", "auth": "nobody-knows-it"}])
        self.assertEqual(front.get("/old").status, 302)
        refused = front.get("/secret")
        self.assertEqual((refused.status, refused.header("RateLimit-Remaining")), (403, "0"))
        self.assertEqual(front.get("/secret").status, 429)

    def test_a_reload_keeps_the_counts(self):
        front = self.front({"a": {"quota": "3/d"}}, {"rate_limits": ["a"]})
        self.assertEqual(self.statuses(front, 2), [200, 200])
        config = {"services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                  "routes": [{"path": "/", "service": "web", "rate_limits": ["a"]}]}
        front.configure(dict(config, rate_limits={"a": {"quota": "4/d"}}))
        front.reload()
        wait_for(lambda: self.limit(front, "a")["limit"] == "4/d", what="the new limit")
        wait_for(lambda: front.status()["reload"]["count"] == 1)
        self.assertEqual(self.statuses(front, 3), [200, 200, 429])

    def test_concurrency_per_client(self):
        go = self.event()
        self.web.on("/slow", behave.gate(go))
        front = self.front({}, {"concurrency_per_client": 2})
        held = []
        for _ in range(2):
            one = RawClient(front.port)
            self.addCleanup(one.close)
            one.send(build("GET", "/slow"))
            held.append(one)
        self.web.wait_requests(2)
        refused = front.get("/")
        self.assertEqual((refused.status, refused.reason), (429, "rate_limited"))
        self.assertEqual(refused.header("Retry-After"), "1")
        self.assertEqual(self.get_from("127.0.0.2", front).status, 200)
        held.pop().reset()  # a client that goes away gives its place back
        wait_for(lambda: front.get("/").status == 200, what="a free place")
        go.set()
        self.assertEqual(held[0].read_answer().status, 200)
        self.assertEqual(self.statuses(front, 3), [200, 200, 200])

    def test_concurrency_is_given_back_after_every_end(self):
        """Whatever becomes of a request: retried, failed, refused by a breaker, timed out."""
        self.web.on("/cut", behave.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
        self.web.on("/reset", behave.reset())
        self.web.on("/hang", behave.hang())
        front = self.static_gateway([self.web], settings={
            "timeout": "200ms", "retries": {"attempts": 2}, "breaker": {"enabled": False}}, config={
            "rate_limits": {"c": {"concurrency": 1, "apply": "all"}}})
        for target in ("/cut", "/reset", "/hang", "/", "/cut", "/"):
            with RawClient(front.port) as one:
                one.send(build("GET", target))
                one.read_to_end() if target == "/cut" else one.read_answer()
            wait_for(lambda: front.get("/").status == 200, what="a free place after " + target)
        self.assertEqual(self.limit(front, "c")["clients"], 0)

    def test_a_websocket_is_under_way_until_it_is_closed(self):
        upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
        self.web.on("/ws", lambda request, connection:
                    (connection.send(head(101, upgrade)), connection.read()))
        front = self.front({}, {"concurrency_per_client": 1})
        with RawClient(front.port) as one:
            one.send(build("GET", "/ws", upgrade + [("Sec-WebSocket-Version", "13"),
                                                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]))
            self.assertEqual(one.read_head().status, 101)
            self.assertEqual(self.statuses(front, 2), [429, 429])
        wait_for(lambda: front.get("/").status == 200, what="a free place")

    def test_a_table_that_is_full(self):
        """Far more clients than it has room for: one at his limit stays there."""
        front = self.front({"a": {"rate": "5/h", "max_clients": 64, "by": {"header": "X-Client"}}},
                           {"rate_limits": ["a"]})
        with RawClient(front.port) as one:
            def ask(name):
                one.send(build("GET", "/", headers={"X-Client": name}))
                return one.read_answer().status
            self.assertEqual([ask("limited") for _ in range(6)], [200] * 5 + [429])
            for number in range(600):
                self.assertEqual(ask("flood-%d" % number), 200)
            self.assertEqual(ask("limited"), 429)
        row = self.limit(front, "a")
        self.assertEqual((row["max_clients"], row["clients"]), (64, 64))
        self.assertTrue(row["evicted"] > 400)
