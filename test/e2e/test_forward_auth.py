# SPDX-License-Identifier: Apache-2.0
"""A service of the catalog says who may come in: its answers, its failures, what is remembered of them."""
from lib import Parallel, Scenario, gate, hang, raw, reply, wait_for


class Asked(Scenario):
    def door(self, settings=None, service=None, route=None, bad=None, **config):
        self.web, self.keeper = self.origin("web"), self.origin("keeper")
        conf = dict({"service": "keeper", "path": "/verify", "response_headers": ["X-User", "X-Tier"],
                     "subject": "X-User"}, **settings or {})
        conf = {key: value for key, value in conf.items() if value is not None}
        self.config = dict({
            "services": {"web": {"instances": [self.web.address]},
                         "keeper": dict({"instances": [o.address for o in (self.keeper, bad) if o]}, **service or {})},
            "forward_auth": {"keeper": conf},
            "policies": {"asked": {"authenticate": [{"forward_auth": "keeper"}]}},
            "routes": [dict({"path": "/", "service": "web", "auth": "asked"}, **route or {}),
                       {"path": "/open", "service": "web"}]}, **config)
        self.front = self.gateway(self.config, consul=None)
        self.yes()
        return self.front

    def yes(self, **fields):
        pairs = [("X-User", "ada"), ("X-Tier", "gold")] + list(fields.items())
        self.keeper.always(reply(200, b"ok", headers=pairs))

    def ask(self, target="/x", method="GET", **options):
        return self.front.request(method, target, **options)


class Answers(Asked):
    def test_yes(self):
        self.door(access_log="stdout")
        answer = self.ask("/a/b?c=d", headers={"Cookie": "s=1", "X-User": "root", "x_tier": "platinum"})
        self.assertEqual(answer.status, 200)
        asked = self.keeper.requests[-1]
        self.assertEqual((asked.method, asked.target, asked.header("Host")), ("GET", "/verify", "shop.example"))
        self.assertEqual([asked.header(n) for n in ("X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Proto",
                                                    "X-Forwarded-For", "Cookie")],
                         ["GET", "/a/b?c=d", "http", "127.0.0.1", "s=1"])
        self.assertNotIn(b"root", asked.head)
        seen = self.web.requests[-1]
        self.assertEqual((seen.header("X-User"), seen.header("X-Tier")), ("ada", "gold"))
        self.assertNotIn(b"root", seen.head)
        self.assertNotIn(b"platinum", seen.head)
        self.assertEqual(asked.header("X-Request-Id"), seen.header("X-Request-Id"))
        line = self.front.wait_logged(path="/a/b")
        self.assertEqual((line["subject"], line["auth"]), ("ada", "forward_auth:keeper"))

    def test_the_body_stays_and_goes_on_to_the_service(self):
        self.door({"method": "same"})
        answer = self.ask(method="POST", body=b"x" * 100000, headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status, 200)
        asked = self.keeper.requests[-1]
        self.assertEqual((asked.method, asked.body, asked.header("Content-Type")), ("POST", b"", None))
        self.assertEqual(asked.header("Content-Length"), "0")
        self.assertEqual(len(self.web.requests[-1].body), 100000)

    def test_no_is_handed_on(self):
        self.door()
        for status in (401, 403):
            fields = [("WWW-Authenticate", "Custom realm=x"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"),
                      ("X-Secret", "no"), ("Content-Type", "text/html")]
            self.keeper.always(reply(status, b"<p>go away", headers=fields))
            for method in ("GET", "HEAD"):
                answer = self.ask(method=method)
                self.assertEqual((answer.status, answer.body), (status, b"<p>go away" if method == "GET" else b""))
                self.assertEqual(answer.header_all("Set-Cookie"), ["a=b", "c=d"])
                self.assertEqual(answer.header("WWW-Authenticate"), "Custom realm=x")
                self.assertEqual(answer.header("Content-Length"), "10")
                self.assertIsNone(answer.header("X-Secret"))
                self.assertEqual(answer.header("Cache-Control"), "no-store")
        self.assertEqual(self.web.count, 0)

    def test_redirects(self):
        for allowed in (True, False):
            self.door({"redirects": allowed})
            self.keeper.always(reply(302, b"", headers=[("Location", "https://login.example/")]))
            answer = self.ask()
            if allowed:
                self.assertEqual((answer.status, answer.header("Location")), (302, "https://login.example/"))
            else:
                self.assertEqual((answer.status, answer.reason), (503, "auth_unavailable"))
            self.assertEqual(self.web.count, 0)
            self.front.stop()

    def test_claims_of_its_answer_count(self):
        self.door()
        self.front.stop()
        self.door(policies={
            "asked": {"authenticate": [{"forward_auth": "keeper"}],
                      "claims": [{"claim": "X-Tier", "equals": "gold"}], "headers": {"X-Who": "sub"}}})
        self.assertEqual(self.ask().status, 200)
        self.assertEqual(self.web.requests[-1].header("X-Who"), "ada")
        self.keeper.always(reply(200, b"", headers=[("X-Tier", "iron")]))
        self.assertEqual(self.ask().status, 403)

    def test_named_request_headers(self):
        self.door({"request_headers": ["Cookie"]})
        self.ask(headers={"Cookie": "a=b", "Authorization": "secret", "X-Forwarded-Uri": "/evil"})
        asked = self.keeper.requests[-1]
        self.assertEqual((asked.header("Cookie"), asked.header("Authorization")), ("a=b", None))
        self.assertEqual(asked.header("X-Forwarded-Uri"), "/x")

    def test_what_it_knows_of_the_request(self):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        given = {"traceparent": trace, "tracestate": "a=b", "X-Request-Id": "abc", "X-Other": "x",
                 "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}
        for settings in ({"request_headers": ["Cookie"]}, {}):
            self.door(settings, trusted_proxies=["127.0.0.1"])
            self.ask(headers=given)
            asked, seen = self.keeper.requests[-1], self.web.requests[-1]
            self.assertEqual(asked.header("X-Forwarded-For"), "192.0.2.7, 127.0.0.1")
            self.assertEqual(asked.header("X-Other"), None if settings else "x")
            for name in ("traceparent", "tracestate", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto",
                         "X-Forwarded-Host"):
                self.assertEqual(asked.header_all(name), seen.header_all(name), name)
            self.front.stop()

    def test_addresses_that_strangers_claim_are_not_passed_on(self):
        self.door()
        self.ask(headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Real-Ip": "192.0.2.7"})
        self.assertNotIn(b"192.0.2.7", self.keeper.requests[-1].head)
        self.assertEqual(self.keeper.requests[-1].header("X-Forwarded-Proto"), "http")

    def test_without_host(self):
        self.door()
        with self.front.connect() as client:
            client.send(b"GET /x HTTP/1.0\r\n\r\n")
            self.assertEqual(client.read_answer().status, 200)
        self.assertIsNone(self.keeper.requests[-1].header("X-Forwarded-Host"))
        self.assertEqual(self.keeper.requests[-1].header("Host"), self.keeper.address)

    def test_an_encoded_refusal_stays_readable(self):
        self.door()
        self.keeper.always(reply(401, b"\x1f\x8b", headers=[("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]))
        answer = self.ask(headers={"Accept-Encoding": "gzip"})
        self.assertEqual((answer.header("Content-Encoding"), answer.header("Vary")), ("gzip", "Accept-Encoding"))

    def test_a_credential_in_place_of_the_clients(self):
        self.door({"response_headers": ["Authorization"], "path": "/verify?for=web"})
        self.yes(Authorization="Bearer signed")
        self.ask(headers={"Authorization": "Bearer of-the-client"})
        self.assertEqual(self.keeper.requests[-1].target, "/verify?for=web")
        self.assertEqual(self.keeper.requests[-1].header("Authorization"), "Bearer of-the-client")
        self.assertEqual(self.web.requests[-1].header_all("Authorization"), ["Bearer signed"])
        self.ask("/open", headers={"Authorization": "Bearer of-the-client"})
        self.assertEqual(self.web.requests[-1].header("Authorization"), "Bearer of-the-client")
        self.yes()
        self.ask(headers={"Authorization": "Bearer of-the-client"})
        self.assertIsNone(self.web.requests[-1].header("Authorization"))

    def test_paths_of_its_own(self):
        self.door({"path": None})
        self.ask("/x/y?z=1")
        self.assertEqual(self.keeper.requests[-1].target, "/x/y?z=1")


class Failures(Asked):
    def broken(self):
        return {"status 500": reply(500, b"oops"), "closes": raw(b"", close=True), "cut": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", close=True),
                "garbage": raw(b"nonsense\r\n\r\n", close=True), "too much": reply(200, b"x" * 200000)}

    def test_each_refuses(self):
        self.door()
        for name, behaviour in self.broken().items():
            with self.subTest(name=name):
                self.keeper.always(behaviour)
                answer = self.ask()
                self.assertEqual((answer.status, answer.reason), (503, "auth_unavailable"))
        self.assertEqual(self.web.count, 0)

    def test_or_lets_in_as_nobody(self):
        self.door({"on_failure": "allow"}, workers=1)
        for name, behaviour in self.broken().items():
            with self.subTest(name=name):
                self.keeper.always(behaviour)
                self.assertEqual(self.ask(headers={"X-User": "root"}).status, 200)
                self.assertIsNone(self.web.requests[-1].header("X-User"))
        self.assertEqual(self.front.metrics()["frontdesk_auth_failed_open_total"], len(self.broken()))
        self.assertEqual(self.front.log().count("requests are let in unasked"), 1)
        self.keeper.always(reply(403, b"no"))
        self.assertEqual(self.ask().status, 403)

    def test_a_client_cannot_bring_that_about(self):
        self.door({"on_failure": "allow"})
        for status in (400, 404, 413, 429, 431, 300, 304):
            self.keeper.always(reply(status, b""))
            self.assertEqual((self.ask().status, self.ask().reason), (503, "auth_unavailable"), status)
        self.assertEqual(self.web.count, 0)

    def test_the_largest_requests_can_be_asked_about(self):
        self.door({"on_failure": "allow", "path": None})
        many = {"X-%d" % i: "v" * 200 for i in range(97)}
        answer = self.ask("/" + "p" * 7900, headers=many)
        self.assertEqual(answer.status, 200)
        self.assertEqual((len(self.keeper.requests[-1].target), self.web.requests[-1].header("X-User")), (7901, "ada"))
        self.assertEqual(self.ask("/" + "p" * 9000).status, 414)

    def test_it_is_away_or_slow(self):
        self.door({"timeout": "300ms"})
        self.keeper.always(hang())
        self.assertEqual(self.ask().reason, "auth_unavailable")
        self.keeper.stop()
        self.assertEqual(self.ask().reason, "auth_unavailable")
        self.assertEqual(self.ask("/open").status, 200)

    def test_its_breaker_opens(self):
        self.door(service={"breaker": {"minimum_requests": 3, "open_for": "60s"}})
        self.keeper.always(reply(500, b""))
        for _ in range(5):
            self.ask()
        self.assertEqual(self.front.breaker("keeper")["state"], "open")
        before = self.keeper.count
        self.assertEqual(self.ask().reason, "auth_unavailable")
        self.assertEqual(self.keeper.count, before)
        self.assertEqual(self.front.breaker("web")["state"], "closed")

    def test_a_failing_instance_is_not_the_last_word(self):
        bad = self.origin("bad")
        bad.always(raw(b"", close=True))
        self.door(service={"retries": {"attempts": 2, "on": ["upstream_reset"]}}, bad=bad)
        self.assertEqual({self.ask().status for _ in range(6)}, {200})
        self.assertGreater(bad.count, 0)

    def test_clients_that_leave(self):
        self.door()
        held = self.event()
        self.keeper.always(gate(held))
        for _ in range(20):
            with self.front.connect() as client:
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_for(lambda: self.front.service("keeper")["in_flight"] == 1, what="the question")
                client.reset()
            wait_for(lambda: self.front.service("keeper")["in_flight"] == 0, what="the end of the question")
        held.set()
        self.yes()
        self.assertEqual(self.ask().status, 200)

    def test_clients_that_leave_at_once(self):
        """Their reset comes together with their request."""
        self.door(settings={"timeout": "60s"})
        held = self.event()
        self.keeper.always(gate(held))
        for _ in range(50):
            with self.front.connect() as client:
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                client.reset()
        wait_for(lambda: self.front.status()["connections"] == 0, what="the end of the connections")
        self.assertEqual(self.front.service("keeper")["in_flight"], 0)

    def test_a_reload_while_it_thinks(self):
        self.door()
        held = self.event()
        self.keeper.always(gate(held, reply(200, b"ok")))
        with self.front.connect() as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            self.keeper.wait_requests(1)
            self.front.reload()
            held.set()
            self.assertEqual(client.read_answer().status, 200)

    def test_draining_while_it_thinks(self):
        self.door()
        held = self.event()
        self.keeper.always(gate(held, reply(200, b"ok")))
        with self.front.connect() as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            self.keeper.wait_requests(1)
            self.front.terminate()
            held.set()
            self.assertEqual(client.read_answer().status, 200)


class Remembered(Asked):
    def test_by_the_fields_that_are_named(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "1h"}, workers=1)
        for _ in range(3):
            self.assertEqual(self.ask(headers={"Cookie": "a=1"}).status, 200)
        self.assertEqual(self.keeper.count, 1)
        self.assertEqual(self.web.requests[-1].header("X-User"), "ada")
        for changed in ({"target": "/y"}, {"target": "/x?q"}, {"method": "DELETE"}, {"host": "other.example"},
                        {"headers": {"Cookie": "a=2"}}, {"headers": {}}):
            before = self.keeper.count
            self.ask(**dict({"headers": {"Cookie": "a=1"}}, **changed))
            self.assertEqual(self.keeper.count, before + 1, changed)

    def test_not_with_a_credential_that_is_not_in_the_key(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "1h"}, workers=1)
        for expected in (1, 1):
            self.ask(headers={"Cookie": "a"})
            self.assertEqual(self.keeper.count, expected)
        for expected in (2, 3):
            self.ask(headers={"Cookie": "a", "Authorization": "Bearer mallory"})
            self.assertEqual(self.keeper.count, expected)
        self.keeper.always(reply(403, b""))
        self.assertEqual(self.ask(headers={"Cookie": "a", "Authorization": "Bearer mallory"}).status, 403)

    def test_unless_it_never_saw_it(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "1h", "request_headers": ["Cookie"]}, workers=1)
        for name in ("bob", "mallory"):
            self.ask(headers={"Cookie": "a", "Authorization": "Bearer " + name})
        self.assertEqual(self.keeper.count, 1)

    def test_fields_are_told_apart(self):
        self.door({"cache_key": ["Cookie", "X-A", "X-B"], "cache_ttl": "1h"}, workers=1)
        rows = ([("X-A", "1")], [("X-B", "1")], [("X-A", "1"), ("X-B", "")], [("X-A", "1"), ("X-A", "1")], [("X-A", "11")])
        for count, pairs in enumerate(rows, 1):
            text = "GET /x HTTP/1.1\r\nHost: a\r\n%s\r\n" % "".join("%s: %s\r\n" % pair for pair in pairs)
            for _ in range(2):
                with self.front.connect() as client:
                    client.send(text.encode())
                    self.assertEqual(client.read_answer().status, 200)
                self.assertEqual(self.keeper.count, count, pairs)

    def test_it_ends(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "300ms"}, workers=1)
        self.assertEqual(self.ask(headers={"Cookie": "a"}).status, 200)
        self.keeper.always(reply(403, b"no"))
        wait_for(lambda: self.ask(headers={"Cookie": "a"}).status == 403, what="the end of what was remembered")

    def test_a_reload_with_another_meaning_forgets(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "1h", "subject": None}, workers=1, access_log="stdout")
        self.ask("/before", headers={"Cookie": "a"})
        self.config["forward_auth"]["keeper"]["subject"] = "X-Tier"
        self.config["routes"].append({"path": "/again", "host": "new.example", "redirect": {"to": "/x"}})
        self.front.configure(self.config)
        self.front.reload()
        wait_for(lambda: self.front.get("/again", host="new.example").status >= 300, what="the new configuration")
        self.ask("/before", headers={"Cookie": "a"})
        self.assertEqual(self.front.wait_logged(path="/before", subject="gold")["status"], 200)

    def test_refusals_are_not(self):
        self.door({"cache_key": ["Cookie"]}, workers=1)
        self.keeper.always(reply(403, b"no"))
        self.assertEqual([self.ask(headers={"Cookie": "a"}).status for _ in range(2)], [403, 403])
        self.yes()
        self.assertEqual(self.ask(headers={"Cookie": "a"}).status, 200)

    def test_cache_control_of_the_answer(self):
        self.door({"cache_key": ["Cookie"], "cache_ttl": "1h"}, workers=1)
        for field in ("no-store", "no-cache", "max-age=0"):
            self.keeper.always(reply(200, b"", headers=[("Cache-Control", field)]))
            before = self.keeper.count
            for _ in range(2):
                self.ask(headers={"Cookie": field})
            self.assertEqual(self.keeper.count, before + 2, field)

    def test_nothing_without_a_key(self):
        self.door(workers=1)
        for _ in range(3):
            self.ask()
        self.assertEqual(self.keeper.count, 3)


class Many(Asked):
    def test_side_by_side(self):
        self.door()
        seen = Parallel(20, lambda i: [self.ask("/%d/%d" % (i, k)).status for k in range(25)]).results()
        self.assertEqual({s for row in seen for s in row}, {200})
        self.assertEqual((self.web.count, self.keeper.count), (500, 500))
        self.assertEqual(self.front.service("keeper")["in_flight"], 0)
