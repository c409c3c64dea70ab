# SPDX-License-Identifier: Apache-2.0
"""What clients get while a service cannot answer: a fixed answer, another service, the last good answer."""
import threading

from lib import (RawClient, Scenario, build, chunk, cut, free_port, head, raw, reply, silence,
                 slow_body, wait_for)

ONCE = {"retries": {"attempts": 1}, "outlier": {"enabled": False}}
NO_BREAKER = dict(ONCE, breaker={"enabled": False})


class Fallbacks(Scenario):
    def setUp(self):
        self.web = self.origin("web")

    def front(self, fallback, settings=NO_BREAKER, more=None, config=None, timeout="700ms"):
        """Service `web` with this list; `more` = further services with their origins and settings."""
        services = {"web": dict(settings, instances=[self.web.address], fallback=fallback,
                                first_byte_timeout=timeout)}
        for name, (origin, extra) in (more or {}).items():
            services[name] = dict(NO_BREAKER, instances=[origin.address], **extra)
        whole = {"services": services, "access_log": "stdout",
                 "routes": [{"name": "all", "path": "/", "service": "web"}]}
        whole.update(config or {})
        return self.gateway(whole, consul=None)

    def assert_stands_in(self, answer, kind, reason):
        self.assertEqual((answer.header("Frontdesk-Fallback"), answer.reason), (kind, reason))


    def counted(self, front, service, requests):
        """Its entry once that many requests are counted, which is after their answers went out."""
        def ask():
            entry = front.service(service)
            return entry["requests"] >= requests and entry
        return wait_for(ask, 5, "%d requests of %s" % (requests, service))


class Static(Fallbacks):
    def test_failures_that_it_stands_in_for(self):
        """Every way to fail gives the same answer, with its own reason; the log and the numbers tell."""
        front = self.front([{"static": {"status": 203, "json": {"items": []},
                                        "headers": {"X-Mode": "reduced"}}}])
        cases = [("upstream_timeout", silence()), ("upstream_reset", cut()),
                 ("upstream_invalid", raw(b"nonsense\r\n\r\n", close=True))]
        for reason, behaviour in cases:
            with self.subTest(reason):
                self.web.always(behaviour)
                answer = front.get("/" + reason)
                self.assert_stands_in(answer, "static", reason)
                self.assertEqual((answer.status, answer.body), (203, b'{"items":[]}'))
                self.assertEqual(answer.header("Content-Type"), "application/json")
                self.assertEqual(answer.header("Cache-Control"), "no-store")
                self.assertEqual(answer.header("X-Mode"), "reduced")
                line = front.wait_logged(path="/" + reason)
                self.assertEqual((line["reason"], line["fallback"], line["status"], line["service"]),
                                 (reason, "static", 203, "web"))
        self.web.kill()
        self.assert_stands_in(front.get("/"), "static", "connect_failed")
        entry = self.counted(front, "web", 4)
        self.assertEqual(entry["fallbacks"], {"cache": 0, "service": 0, "static": 4})
        self.assertEqual(entry["responses"]["2xx"], 4)
        self.assertEqual(entry["reasons"]["upstream_reset"], 1)
        self.assertEqual(front.metrics()['frontdesk_fallbacks_total{service="web",kind="static"}'], 4)

    def test_breaker_counts_each_failure_once(self):
        self.web.always(reply(500))
        front = self.front([{"on": ["any", "5xx"], "static": {"body": "later"}}],
                           settings=dict(ONCE, breaker={"minimum_requests": 5, "open_for": "1m"}))
        for _ in range(4):
            self.assert_stands_in(front.get("/"), "static", "upstream_status")
        window = front.breaker("web")["window"]
        self.assertEqual((window["total"], window["failed"]), (4, 4))
        self.assertEqual(front.breaker("web")["state"], "closed")
        self.assert_stands_in(front.get("/"), "static", "upstream_status")
        self.assertEqual(front.breaker("web")["state"], "open")
        answer = front.get("/")
        self.assert_stands_in(answer, "static", "breaker_open")
        self.assertEqual((answer.status, answer.body), (200, b"later"))
        self.assertEqual(self.web.count, 5)

    def test_listed_status_that_is_no_failure(self):
        """A 404 in the list is replaced, and still a success for the breaker."""
        self.web.always(reply(404))
        front = self.front([{"on": ["404"], "static": {"body": "none"}}],
                           settings=dict(ONCE, breaker={"minimum_requests": 2}))
        for _ in range(5):
            self.assert_stands_in(front.get("/"), "static", "upstream_status")
        self.assertEqual(front.breaker("web")["window"]["failed"], 0)
        self.assertEqual(front.instances("web")[self.web.address]["failures"], 0)

    def test_status_that_is_not_listed(self):
        self.web.always(reply(503, b"own words"))
        answer = self.front([{"static": {"body": "x"}}]).get("/")
        self.assertEqual((answer.status, answer.body), (503, b"own words"))
        self.assertIsNone(answer.header("Frontdesk-Fallback"))

    def test_no_instance(self):
        front = self.gateway({"services": {"web": {"fallback": [{"on": "no_healthy_instance",
                                                                 "static": {"body": "x"}}]}},
                              "routes": [{"path": "/", "service": "web"}]}, consul=None)
        self.assert_stands_in(front.get("/"), "static", "no_healthy_instance")

    def test_overloaded(self):
        self.web.always(silence())
        front = self.front([{"on": "overloaded", "static": {"body": "x"}}], timeout="5s",
                           settings=dict(NO_BREAKER, concurrency={"requests": 1}))
        with front.connect() as first:
            first.send(build("GET", "/"))
            wait_for(lambda: self.web.busy == 1, 5, "the first request at the service")
            self.assert_stands_in(front.get("/"), "static", "overloaded")

    def test_client_faults_are_not_covered(self):
        front = self.front([{"static": {"body": "x"}}], config={"limits": {"body": 10}})
        answer = front.request("POST", "/", body=b"x" * 100)
        self.assertEqual((answer.status, answer.reason), (413, "body_too_large"))
        self.assertIsNone(answer.header("Frontdesk-Fallback"))
        with front.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n")
            self.assertEqual(client.read_answer().reason, "bad_request")

    def test_answer_that_has_begun_is_not_replaced(self):
        self.web.always(cut(head(200, [("Content-Length", "100")]) + b"half"))
        front = self.front([{"static": {"body": "x"}}])
        with front.connect() as client:
            client.send(build("GET", "/"))
            self.assertTrue(client.read_to_end().endswith(b"\r\n\r\nhalf"))
        self.assertEqual(front.wait_logged(path="/")["reason"], "upstream_cut")
        self.assertNotIn("fallback", front.wait_logged(path="/"))

    def test_bodies_and_connection(self):
        """HEAD, 204, a file of 1 MiB, all on one connection that stays."""
        self.web.refuse()
        front = self.gateway(None, consul=None)
        big = "0123456789abcdef" * 65536
        path = front.write_file("big.txt", big)
        front.configure({"services": {"web": {"instances": [self.web.address]}}, "routes": [
            {"path": "/file", "service": "web", "fallback": [{"static": {"file": path}}]},
            {"path": "/relative", "service": "web", "fallback": [{"static": {"file": "../big.txt"}}]},
            {"path": "/none", "service": "web", "fallback": [{"static": {"status": 204}}]},
            {"path": "/changed", "service": "web",
             "response_headers": {"set": {"X-A": "route"}, "remove": ["X-B"]},
             "fallback": [{"static": {"headers": {"X-A": "own", "X-B": "b", "X-C": "c"}}}]}]})
        front.reload()
        front.wait_status("/none", 204)
        with front.connect() as client:
            for _ in range(2):
                client.send(build("HEAD", "/file"))
                answer = client.read_answer("HEAD")
                self.assertEqual((answer.status, answer.header("Content-Length")), (200, str(1 << 20)))
                client.send(build("GET", "/file"))
                self.assertEqual(client.read_answer().body.decode(), big)
                client.send(build("GET", "/none"))
                answer = client.read_answer()
                self.assertEqual((answer.status, answer.header("Content-Length")), (204, None))
                client.send(build("GET", "/relative"))
                self.assertEqual(len(client.read_answer().body), 1 << 20)
                client.send(build("GET", "/changed"))
                answer = client.read_answer()
                self.assertEqual((answer.header_all("X-A"), answer.header("X-B"), answer.header("X-C")),
                                 (["route"], None, "c"))

    def test_reload_changes_the_answer(self):
        self.web.refuse()
        front = self.front([{"static": {"body": "one"}}])
        path = front.write_file("words", "two")

        def configure(fallback):
            front.configure({"services": {"web": {"instances": [self.web.address],
                                                  "fallback": fallback}},
                             "routes": [{"path": "/", "service": "web"}]})
            front.reload()
        self.assertEqual(front.get("/").body, b"one")
        configure([{"static": {"file": path}}])
        wait_for(lambda: front.get("/").body == b"two", 10, "the file's words")
        front.write_file("words", "three")
        front.reload()
        wait_for(lambda: front.get("/").body == b"three", 10, "the file's new words")
        configure([])
        front.wait_status("/", 502)
        # A file that is gone leaves what is in force.
        configure([{"static": {"file": path + ".gone"}}])
        wait_for(lambda: "words.gone" in front.log(), 10, "a refused reload")
        self.assertEqual(front.get("/").status, 502)

    def test_order_and_the_list_of_a_route(self):
        front = self.front([{"on": "upstream_reset", "static": {"body": "first"}},
                            {"on": "any", "static": {"body": "second"}},
                            {"on": "any", "static": {"body": "never"}}],
                           config={"routes": [
                               {"path": "/", "service": "web"},
                               {"path": "/off", "service": "web", "fallback": []},
                               {"path": "/own", "service": "web",
                                "fallback": [{"static": {"body": "own"}}]}]})
        self.web.always(cut())
        self.assertEqual(front.get("/").body, b"first")
        self.assertEqual(front.get("/own").body, b"own")
        self.assertEqual(front.get("/off").status, 502)
        self.web.kill()
        self.assertEqual(front.get("/").body, b"second")

    def test_request_body_that_is_still_coming(self):
        """The rest of a request that nobody reads ends its connection, not the answer."""
        self.web.refuse()
        front = self.front([{"static": {"body": "x"}}])
        with front.connect() as client:
            client.send(build("POST", "/", [("Content-Length", "100000")], b"begin"))
            answer = client.read_answer()
            self.assert_stands_in(answer, "static", "connect_failed")
            self.assertEqual(answer.header("Connection"), "close")


class OtherService(Fallbacks):
    def setUp(self):
        super().setUp()
        self.spare = self.origin("spare")

    def front(self, fallback=None, settings=NO_BREAKER, spare=None, **options):
        return super().front(fallback or [{"service": "spare"}], settings,
                             more={"spare": (self.spare, spare or {})}, **options)

    def test_gets_the_same_request(self):
        self.web.refuse()
        front = self.front()
        answer = front.request("POST", "/a?b=c", body=b"small", headers={"X-A": "b"})
        self.assert_stands_in(answer, "service", "connect_failed")
        self.assertEqual(answer.json(), {"origin": "spare", "method": "POST", "target": "/a?b=c",
                                         "body": "small"})
        self.assertEqual(self.spare.requests[-1].header("X-A"), "b")
        line = front.wait_logged(path="/a")
        self.assertEqual([line[key] for key in ("service", "fallback", "fallback_service", "reason",
                                                "instance", "attempts")],
                         ["web", "service", "spare", "connect_failed", self.spare.address, 2])
        web, spare = front.service("web"), front.service("spare")
        self.assertEqual((web["requests"], web["fallbacks"]["service"], web["responses"]["2xx"],
                          web["reasons"]), (1, 1, 1, {"connect_failed": 1}))
        self.assertEqual((spare["requests"], spare["responses"]["2xx"], spare["reasons"]), (1, 1, {}))
        self.assertEqual((web["in_flight"], spare["in_flight"]), (0, 0))

    def test_breaker_open(self):
        self.web.always(reply(500))
        front = self.front(settings=dict(ONCE, breaker={"minimum_requests": 2, "open_for": "1m"}))
        wait_for(lambda: front.get("/").reason == "breaker_open", 10, "open breaker")
        before = self.web.count
        with front.connect() as client:
            for method in ("GET", "POST", "PUT"):
                client.send(build(method, "/x", [("Content-Length", "2")], b"hi"))
                answer = client.read_answer()
                self.assert_stands_in(answer, "service", "breaker_open")
                self.assertEqual((answer.json()["method"], answer.json()["body"]), (method, "hi"))
        self.assertEqual(self.web.count, before)

    def test_answered_status(self):
        self.web.always(reply(503))
        front = self.front([{"on": ["503"], "service": "spare"}])
        self.assert_stands_in(front.get("/"), "service", "upstream_status")
        # A POST that the first service has seen goes nowhere else: its own answer stays.
        answer = front.request("POST", "/", body=b"x")
        self.assertEqual((answer.status, answer.header("Frontdesk-Fallback")), (503, None))

    def test_streamed_body(self):
        """Not begun: it goes to the other service. Partly read: the next entry answers."""
        front = self.front([{"service": "spare"}, {"static": {"body": "sorry"}}])
        body = b"z" * 300000
        self.web.refuse()
        answer = front.request("PUT", "/", body=body)
        self.assert_stands_in(answer, "service", "connect_failed")
        self.assertEqual(self.spare.requests[-1].body, body)
        self.web.listen()
        self.web.always(cut())
        answer = front.request("PUT", "/", body=body)
        self.assert_stands_in(answer, "static", "upstream_reset")
        self.assertEqual(self.spare.count, 1)

    def test_chunked_body(self):
        self.web.refuse()
        front = self.front()
        with front.connect() as client:
            client.send(build("POST", "/", [("Transfer-Encoding", "chunked")],
                              chunk(b"small") + b"0\r\n\r\n"))
            self.assertEqual(client.read_answer().json()["body"], "small")
            client.send(build("POST", "/", [("Transfer-Encoding", "chunked")]))
            client.send(chunk(b"x" * 100000) + b"0\r\n\r\n")
            self.assertEqual(len(client.read_answer().json()["body"]), 100000)

    def test_both_fail(self):
        """The client gets the failure of the first; each service its own count."""
        self.web.refuse()
        self.spare.always(cut())
        front = self.front(spare={"fallback": [{"static": {"body": "not followed"}}]})
        answer = front.get("/x")
        self.assertEqual((answer.status, answer.reason), (502, "connect_failed"))
        self.assertEqual(answer.json()["service"], "web")
        self.assertIsNone(answer.header("Frontdesk-Fallback"))
        self.assertEqual(front.wait_logged(path="/x")["reason"], "connect_failed")
        web, spare = front.service("web"), front.service("spare")
        self.assertEqual((web["reasons"], spare["reasons"]),
                         ({"connect_failed": 1}, {"upstream_reset": 1}))
        self.assertEqual((web["requests"], spare["requests"], web["fallbacks"]["service"]), (1, 1, 0))

    def test_tries_belong_to_their_service(self):
        """Retries of the first, and none of the other, whatever came after."""
        twin = self.origin("twin")
        self.web.refuse()
        twin.refuse()
        self.spare.refuse()
        services = {"web": dict(NO_BREAKER, instances=[self.web.address, twin.address],
                                retries={"attempts": 2},
                                fallback=[{"service": "spare"}, {"static": {"body": "x"}}]),
                    "spare": dict(NO_BREAKER, instances=[self.spare.address])}
        front = self.gateway({"services": services, "routes": [{"path": "/", "service": "web"}],
                              "access_log": "stdout"}, consul=None)
        self.assert_stands_in(front.get("/"), "static", "connect_failed")
        line = front.wait_logged(path="/")
        self.assertEqual((line["attempts"], line["fallback"], line["service"]), (2, "static", "web"))
        self.assertIn(line["instance"], (self.web.address, twin.address))
        self.assertNotIn("fallback_service", line)
        self.assertEqual((front.service("web")["retries"], front.service("spare")["retries"]), (1, 0))

    def test_log_names_an_instance_of_the_service(self):
        """Not the one in the same place among the other service's instances."""
        crowd = [self.origin("spare-%d" % number) for number in range(4)]
        for origin in [self.web] + crowd:
            origin.refuse()
        services = {"web": dict(NO_BREAKER, instances=[self.web.address],
                                fallback=[{"service": "spare"}, {"static": {"body": "x"}}]),
                    "spare": dict(NO_BREAKER, instances=[origin.address for origin in crowd])}
        front = self.gateway({"services": services, "routes": [{"path": "/", "service": "web"}],
                              "access_log": "stdout"}, consul=None)
        for number in range(12):
            self.assert_stands_in(front.get("/%d" % number), "static", "connect_failed")
        for number in range(12):
            self.assertEqual(front.wait_logged(path="/%d" % number)["instance"], self.web.address)

    def test_answered_status_then_nothing(self):
        """The answer that was given up is told of by its status."""
        self.web.always(reply(503))
        self.spare.refuse()
        answer = self.front([{"on": ["503"], "service": "spare"}]).get("/")
        self.assertEqual((answer.status, answer.reason), (503, "upstream_status"))
        self.assertEqual(answer.json()["status"], 503)

    def test_failing_answer_of_the_other_is_the_last_resort(self):
        self.web.refuse()
        self.spare.always(reply(500, b"spare broken"))
        front = self.front([{"service": "spare"}])
        answer = front.get("/")
        self.assertEqual((answer.status, answer.body), (500, b"spare broken"))
        self.assert_stands_in(answer, "service", "connect_failed")
        front = self.front([{"service": "spare"}, {"static": {"body": "fixed"}}])
        answer = front.get("/")
        self.assertEqual((answer.status, answer.body), (200, b"fixed"))
        self.assert_stands_in(answer, "static", "connect_failed")
        self.assertEqual(front.service("spare")["responses"]["5xx"], 1)

    def test_chain(self):
        """One service after the other, each with its own retries and instances."""
        third = self.origin("third")
        self.web.refuse()
        self.spare.always(cut())
        front = super().front([{"service": "spare"}, {"service": "nowhere"}, {"service": "third"}],
                              more={"spare": (self.spare, {}), "third": (third, {})})
        for _ in range(3):
            answer = front.get("/")
            self.assert_stands_in(answer, "service", "connect_failed")
            self.assertEqual(answer.json()["origin"], "third")
        self.assertEqual(self.spare.count, 3)

    def test_its_own_breaker_and_limit(self):
        """The other service's breaker is asked, and its failures are its own."""
        self.web.refuse()
        self.spare.always(cut())
        front = super().front([{"service": "spare"}], settings=dict(ONCE, breaker={"enabled": False}),
                              config={"services": {
                                  "web": dict(NO_BREAKER, instances=[self.web.address],
                                              fallback=[{"service": "spare"}]),
                                  "spare": dict(ONCE, instances=[self.spare.address],
                                                breaker={"minimum_requests": 3, "open_for": "1m"})}})
        for _ in range(6):
            self.assertEqual(front.get("/").reason, "connect_failed")
        self.assertEqual(self.spare.count, 3)
        self.assertEqual(front.breaker("spare")["state"], "open")
        self.assertEqual(front.service("spare")["reasons"]["breaker_open"], 3)

    def test_deadline_goes_on(self):
        """No time is left for another service; the fixed answer needs none."""
        self.web.always(silence())
        front = self.front([{"service": "spare"}, {"static": {"body": "x"}}], timeout="20s",
                           config={"routes": [{"path": "/", "service": "web", "timeout": "400ms"}]})
        self.assert_stands_in(front.get("/"), "static", "upstream_timeout")
        self.assertEqual(self.spare.count, 0)
        # Time is left, but the other service does not use it well.
        self.web.always(cut())
        self.spare.always(silence())
        self.assert_stands_in(front.get("/"), "static", "upstream_reset")
        self.assertEqual(self.spare.count, 1)

    def test_deadline_of_the_first_service_binds_the_other(self):
        """The other one would have time without end; the client has not."""
        self.web.always(cut())
        self.spare.always(silence())
        front = self.front([{"service": "spare"}, {"static": {"body": "x"}}],
                           settings=dict(NO_BREAKER, timeout="500ms"),
                           spare={"first_byte_timeout": "1h", "timeout": "1h"})
        self.assert_stands_in(front.get("/"), "static", "upstream_reset")
        self.assertEqual(front.service("spare")["reasons"], {"upstream_timeout": 1})

    def test_after_retries_and_second_tries(self):
        """Both instances fail, one after the other or side by side: the fallback comes last."""
        twin = self.origin("twin")
        services = {"spare": dict(NO_BREAKER, instances=[self.spare.address]),
                    "web": {"instances": [self.web.address, twin.address], "hedge": "50ms",
                            "breaker": {"enabled": False}, "outlier": {"enabled": False},
                            "fallback": [{"on": ["any", "5xx"], "service": "spare"}]}}
        front = self.gateway({"services": services, "routes": [{"path": "/", "service": "web"}],
                              "access_log": "stdout"}, consul=None)
        for reason, behaviour in (("upstream_reset", cut()), ("upstream_status", reply(503)),
                                  ("upstream_status", reply(503, delay=0.15)),
                                  ("upstream_status", reply(500, delay=0.15))):
            for origin in (self.web, twin):
                origin.forget()
                origin.always(behaviour)
            self.assert_stands_in(front.get("/"), "service", reason)
            self.assertEqual(self.web.count + twin.count, 2)
        # The other service may be slow in its turn.
        self.spare.always(reply(delay=0.2))
        self.assert_stands_in(front.get("/"), "service", "upstream_status")
        web = self.counted(front, "web", 5)
        self.assertEqual((web["fallbacks"]["service"], web["in_flight"]), (5, 0))
        self.assertEqual(web["hedges"], 3)
        self.assertEqual(front.service("spare")["hedges"], 0)

    def test_client_that_leaves(self):
        self.web.refuse()
        self.spare.always(silence())
        front = self.front()
        with front.connect() as client:
            client.send(build("GET", "/gone"))
            wait_for(lambda: self.spare.busy == 1, 5, "the request at the other service")
            client.reset()
        line = front.wait_logged(path="/gone")
        self.assertEqual((line["reason"], line["status"]), ("client_gone", 0))

    def test_default_that_names_the_service_itself(self):
        self.spare.refuse()
        front = super().front([{"service": "spare"}], config={
            "defaults": {"fallback": [{"service": "spare"}, {"static": {"body": "end"}}]},
            "services": {"spare": {"instances": [self.spare.address]}},
            "routes": [{"path": "/", "service": "spare"}]})
        self.assert_stands_in(front.get("/"), "static", "connect_failed")
        front.wait_logged(path="/")
        entry = front.service("spare")
        self.assertEqual((entry["requests"], entry["reasons"]), (1, {"connect_failed": 1}))


class Cache(Fallbacks):
    LIST = [{"on": ["any", "503"], "cache": {"max_age": "10m"}}]

    def stored(self, front, target="/", headers=None, behaviour=None):
        """Asks while the service is well; returns its answer."""
        self.web.listen()
        if behaviour:
            self.web.always(behaviour)
        answer = front.get(target, headers=headers)
        self.assertIsNone(answer.header("Frontdesk-Fallback"))
        return answer

    def lost(self, front, target="/", headers=None, method="GET"):
        """Asks while the service is away."""
        self.web.kill()
        return front.request(method, target, headers=headers)

    def assert_stored(self, front, yes, headers=None, behaviour=None, asked=None):
        target = "/%d" % free_port()
        self.stored(front, target, headers, behaviour)
        answer = self.lost(front, target, asked or headers)
        self.assertEqual(answer.header("Frontdesk-Fallback"), "cache" if yes else None)
        self.web.listen()
        return answer

    def test_last_good_answer(self):
        front = self.front(self.LIST)
        good = self.stored(front, "/a?x=1", behaviour=reply(
            body=b"good", headers=[("Content-Type", "text/plain"), ("X-Two", "1"), ("X-Two", "2"),
                                   ("ETag", '"v1"'), ("Date", "Tue, 24 Nov 2026 10:00:00 GMT"),
                                   ("Age", "50"), ("Keep-Alive", "timeout=5"),
                                   ("Cache-Control", "max-age=60")]))
        answer = self.lost(front, "/a?x=1")
        self.assert_stands_in(answer, "cache", "connect_failed")
        self.assertEqual((answer.status, answer.body), (200, good.body))
        self.assertEqual(answer.header_all("X-Two"), ["1", "2"])
        self.assertEqual(answer.header("Date"), "Tue, 24 Nov 2026 10:00:00 GMT")
        self.assertEqual(answer.header("X-Origin"), "web")
        self.assertIsNone(answer.header("Keep-Alive"))
        self.assertEqual(len(answer.header_all("Age")), 1)
        age = int(answer.header("Age"))
        self.assertGreaterEqual(age, 50)
        self.assertEqual(answer.header("Cache-Status"),
                         "frontdesk; hit; ttl=%d; detail=connect_failed" % (60 - age))
        wait_for(lambda: int(self.lost(front, "/a?x=1").header("Age")) > age, 5, "a higher Age")
        # Another query, another host: other things.
        self.assertEqual(self.lost(front, "/a?x=2").reason, "connect_failed")
        self.assertIsNone(self.lost(front, "/a?x=2").header("Frontdesk-Fallback"))
        self.assertIsNone(self.lost(front, "/a?x=1", {"Host": "b"}).header("Frontdesk-Fallback"))
        line = front.wait_logged(path="/a", fallback="cache")
        self.assertEqual((line["reason"], line["status"]), ("connect_failed", 200))
        self.assertGreaterEqual(front.service("web")["fallbacks"]["cache"], 2)

    def test_head_ranges_and_conditions(self):
        front = self.front(self.LIST)
        self.stored(front, "/", behaviour=reply(body=b"12345", headers=[
            ("ETag", '"v"'), ("Last-Modified", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("Content-Type", "a/b")]))
        self.web.kill()
        with front.connect() as client:
            client.send(build("HEAD", "/"))
            answer = client.read_answer("HEAD")
            self.assertEqual((answer.status, answer.header("Content-Length")), (200, "5"))
            client.send(build("GET", "/", [("Range", "bytes=1-2")]))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.body), (200, b"12345"))
            client.send(build("GET", "/", [("If-None-Match", '"x", W/"v"')]))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.header("ETag"), answer.header("Content-Type")),
                             (304, '"v"', None))
            self.assert_stands_in(answer, "cache", "connect_failed")
            client.send(build("GET", "/", [("If-Modified-Since", "Wed, 25 Nov 2026 10:00:00 GMT")]))
            self.assertEqual(client.read_answer().status, 304)
            client.send(build("POST", "/"))
            self.assertEqual(client.read_answer().status, 502)

    def test_what_is_not_stored(self):
        front = self.front(self.LIST)
        secret = {"Authorization": "Basic eDp5"}
        cases = [
            (True, None, reply()),
            (False, secret, reply()),
            (True, secret, reply(headers=[("Cache-Control", "public")])),
            (False, {"Cookie": "a=b"}, reply()),
            (False, {"Cache-Control": "no-store"}, reply()),
            (False, None, reply(headers=[("Cache-Control", "no-store")])),
            (False, None, reply(headers=[("Cache-Control", "private, max-age=5")])),
            (False, None, reply(headers=[("Set-Cookie", "a=b")])),
            (False, None, reply(headers=[("Vary", "*")])),
            (False, None, reply(404)),
            (False, None, reply(204)),
            (False, None, reply(framing="close")),
            (False, None, reply(framing="http10")),
            (True, None, reply(framing="chunked")),
            (True, None, reply(body=b"")),
        ]
        for number, (yes, headers, behaviour) in enumerate(cases):
            with self.subTest(number):
                self.assert_stored(front, yes, headers, behaviour)

    def test_vary(self):
        def by_language(request, connection):
            language = request.header("Accept-Language", "none")
            reply(body=language.encode(), headers=[("Vary", "Accept-Language")])(request, connection)
        front = self.front(self.LIST)
        languages = [{"Accept-Language": "de"}, {"Accept-Language": "fr"}, {}]

        def all_stored():
            """A second answer of one key is stored a second later."""
            self.web.listen()
            self.web.always(by_language)
            for one in languages:
                front.get("/", headers=one)
            self.web.kill()
            return [front.get("/", headers=one).body for one in languages] == [b"de", b"fr", b"none"]
        wait_for(all_stored, 15, "all variants in the cache")
        self.assertIsNone(front.get("/", headers={"Accept-Language": "it"}).header("Frontdesk-Fallback"))

    def test_bytes_are_the_same(self):
        front = self.front(self.LIST, config={"fallback_cache": {"size": "8m", "max_answer": "1m"}})
        sizes = [0, 1, 4095, 4096, 70000, 500000]
        for size in sizes:
            for framing in ("length", "chunked"):
                with self.subTest((size, framing)):
                    parts = [bytes([number % 251]) * (size // 7) for number in range(7)]
                    parts.append(b"e" * (size - sum(map(len, parts))))
                    parts = [part for part in parts if part]
                    behaviour = slow_body(parts, 0, framing)
                    answer = self.assert_stored(front, True, behaviour=behaviour)
                    self.assertEqual(answer.body, b"".join(parts))

    def test_too_large(self):
        front = self.front(self.LIST, config={"fallback_cache": {"size": "1m", "max_answer": "64k"}})
        for framing in ("length", "chunked"):
            self.assert_stored(front, True, behaviour=reply(body=b"x" * 30000, framing=framing))
            self.assert_stored(front, False, behaviour=reply(body=b"x" * 66000, framing=framing))

    def test_truncated_answers_are_not_stored(self):
        front = self.front(self.LIST)
        self.web.always(cut(head(200, [("Content-Length", "10")]) + b"half"))
        with front.connect() as client:
            client.send(build("GET", "/"))
            client.read_to_end()
        self.web.always(cut(head(200, [("Transfer-Encoding", "chunked")]) + chunk(b"half")))
        with front.connect() as client:
            client.send(build("GET", "/"))
            client.read_to_end()
        self.assertIsNone(self.lost(front).header("Frontdesk-Fallback"))

    def test_client_that_leaves_in_the_middle(self):
        front = self.front(self.LIST)
        self.web.always(slow_body([b"a" * 1000] * 50, 0.05))
        with front.connect() as client:
            client.send(build("GET", "/"))
            client.read_head()
            client.reset()
        front.wait_logged(path="/")
        self.assertIsNone(self.lost(front).header("Frontdesk-Fallback"))

    def test_newest_answer_and_answered_failures(self):
        """A failing answer never takes the place of the good one; a newer good one does."""
        front = self.front(self.LIST)
        self.stored(front, behaviour=reply(body=b"one"))
        self.web.always(reply(503, b"broken"))
        answer = front.get("/")
        self.assert_stands_in(answer, "cache", "upstream_status")
        self.assertEqual(answer.body, b"one")
        self.web.always(reply(body=b"two"))

        def newer():
            self.web.always(reply(body=b"two"))
            front.get("/")
            self.web.always(reply(503))
            return front.get("/").body == b"two"
        wait_for(newer, 10, "the newer answer from the cache")

    def test_what_was_changed_is_forgotten(self):
        """After a write, or when it is gone, the old state must not come back in an outage."""
        front = self.front(self.LIST)
        for number, (method, status) in enumerate((("POST", 200), ("DELETE", 204), ("GET", 404),
                                                   ("GET", 410))):
            with self.subTest((method, status)):
                target = "/%d" % number
                self.stored(front, target, behaviour=reply(body=b"old"))
                self.web.always(reply(status))
                front.request(method, target)
                self.assertIsNone(self.lost(front, target).header("Frontdesk-Fallback"))
                self.web.listen()

    def test_miss_goes_on(self):
        front = self.front([{"cache": {}}, {"static": {"body": "fixed"}}])
        self.web.kill()
        self.assertEqual(front.get("/").body, b"fixed")
        self.web.listen()
        self.stored(front, behaviour=reply(body=b"good"))
        self.assertEqual(self.lost(front).body, b"good")

    def test_size_is_a_bound(self):
        """Many large answers: the process grows by what was allowed, and the newest are there."""
        front = self.front(self.LIST, config={"fallback_cache": {"size": "4m", "max_answer": "1m"}})
        self.web.always(reply(body=b"x" * 200000))
        for number in range(150):
            front.get("/%d" % number)
        metrics = front.metrics()
        self.assertLessEqual(metrics["frontdesk_fallback_cache_bytes"], 4 << 20)
        self.assertGreater(metrics["frontdesk_fallback_cache_bytes"], 3 << 20)
        self.assertEqual(metrics["frontdesk_fallback_cache_answers"] +
                         metrics["frontdesk_fallback_cache_evicted_total"], 150)
        self.assert_stands_in(self.lost(front, "/149"), "cache", "connect_failed")
        self.assertIsNone(self.lost(front, "/0").header("Frontdesk-Fallback"))

    def test_another_service_is_not_the_last_good_answer(self):
        spare = self.origin("spare")
        front = self.front([{"service": "spare"}, {"cache": {}}], more={"spare": (spare, {})})
        self.web.kill()
        self.assertEqual(front.get("/").json()["origin"], "spare")
        spare.kill()
        self.assertEqual(front.get("/").reason, "connect_failed")
        self.assertIsNone(front.get("/").header("Frontdesk-Fallback"))

    def test_routes_of_one_path_keep_apart(self):
        """Their names are the same, made from host and path; their conditions differ."""
        front = self.front(self.LIST, config={"routes": [
            {"path": "/", "service": "web"},
            {"path": "/", "service": "web", "headers": [{"name": "X-Tenant", "value": "b"}]}]})
        self.stored(front, behaviour=reply(body=b"for all"))
        self.assertIsNone(self.lost(front, headers={"X-Tenant": "b"}).header("Frontdesk-Fallback"))
        self.assertEqual(self.lost(front).body, b"for all")

    def test_many_clients(self):
        """Stored, read and replaced by both workers at once; every answer is whole."""
        front = self.front(self.LIST, config={"fallback_cache": {"size": "512k", "max_answer": "64k"}})
        ending = threading.Event()
        broken = []

        def service(request, connection):
            letter = request.target[-1].encode()
            if service.down:
                reply(503)(request, connection)
            else:
                reply(body=letter * 20000, framing="chunked")(request, connection)
        service.down = False
        self.web.always(service)

        def ask(number):
            with RawClient(front.port) as client:
                for turn in range(120):
                    letter = "abcdefghij"[(number + turn) % 10]
                    client.send(build("GET", "/" + letter))
                    answer = client.read_answer()
                    if answer.status == 200 and answer.body != letter.encode() * 20000:
                        broken.append(answer)
                    if ending.is_set():
                        return

        def flicker():
            while not ending.wait(0.05):
                service.down = not service.down
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        toggling = threading.Thread(target=flicker)
        for thread in threads + [toggling]:
            thread.start()
        for thread in threads:
            thread.join()
        ending.set()
        toggling.join()
        self.assertEqual(broken, [])
        self.assertGreater(self.counted(front, "web", 8 * 120)["fallbacks"]["cache"], 0)

    def test_reload_keeps_the_answers(self):
        front = self.front(self.LIST)
        self.stored(front, behaviour=reply(body=b"kept"))
        front.configure({"services": {"web": dict(NO_BREAKER, instances=[self.web.address])},
                         "fallback_cache": {"size": "1m", "max_answer": "64k"},
                         "routes": [{"name": "new", "path": "/new", "service": "web"},
                                    {"name": "all", "path": "/", "service": "web",
                                     "fallback": [{"cache": {}}]}]})
        front.reload()
        wait_for(lambda: "new" in str(front.routes()), 10, "the new routes")
        self.assertEqual(self.lost(front).body, b"kept")
