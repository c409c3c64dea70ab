# SPDX-License-Identifier: Apache-2.0
"""Requests of the gateway's own, seen through forward authentication and introspection: over HTTP/2 on both sides,
through limits and retries, while clients, authorities and configurations come and go."""
import threading
import urllib.parse

from lib import Load, Parallel, Scenario, cut, free_port, gate, hang, raw, reply, reset, silence, slow_body, wait_for
from lib.h2_raw import H2Client


class Doors(Scenario):
    """/asked asks service `keeper` about each request, /token about tokens; both go to service `web`."""

    def doors(self, keeper=None, forward=None, opaque=None, address=None, **config):
        self.web = self.origin("web")
        self.keeper = self.origin("keeper")
        self.h2_port = free_port()
        self.config = dict({
            "workers": 1,
            "services": {"web": {"instances": [self.web.address]},
                         "keeper": dict({"instances": [address or self.keeper.address]}, **keeper or {})},
            "forward_auth": {"keeper": dict({"service": "keeper", "path": "/ok"}, **forward or {})},
            "introspection": {"keeper": dict({"service": "keeper", "cache_ttl": "0s", "negative_ttl": "0s"}, **opaque or {})},
            "policies": {"asked": {"authenticate": [{"forward_auth": "keeper"}]},
                         "token": {"authenticate": [{"introspection": "keeper"}]}},
            "routes": [{"path": "/asked", "service": "web", "auth": "asked"},
                       {"path": "/token", "service": "web", "auth": "token"},
                       {"path": "/", "service": "web"}]}, **config)
        self.front = self.gateway(self.config, consul=None, environment={
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:quarantine_size_mb=1"})
        return self.front

    def h2_doors(self, **options):
        front = self.doors(**options)
        self.config["listeners"] = [{"address": "127.0.0.1:%d" % front.port},
                                    {"address": "127.0.0.1:%d" % self.h2_port, "http2": True}]
        front.configure(self.config)
        front.reload()

        def opened():
            try:
                return H2Client(self.h2_port)
            except OSError:
                return None
        client = wait_for(opened, what="the listener for HTTP/2")
        self.addCleanup(client.close)
        return client

    def quiet(self):
        wait_for(lambda: self.front.service("keeper")["in_flight"] == 0, what="the end of all questions")


class OverHttp2(Doors):
    def test_clients(self):
        client = self.h2_doors()
        self.keeper.on("/introspect", reply(200, b'{"active":true,"sub":"ada"}'))
        for stream in range(1, 41, 4):
            client.request(stream, "/asked/%d" % stream)
            client.request(stream + 2, "/token", more=[("authorization", "Bearer same")])
        for stream in range(1, 41, 2):
            self.assertEqual(client.answer(stream).status, 200, stream)
        self.keeper.on("/ok", reply(401, b"who are you", headers=[("WWW-Authenticate", "Own")]))
        client.request(41, "/asked")
        answer = client.answer(41)
        self.assertEqual((answer.status, bytes(answer.body), answer.header("www-authenticate")), (401, b"who are you", "Own"))

    def test_streams_that_are_taken_back_while_they_wait(self):
        client = self.h2_doors()
        held = self.event()
        self.keeper.on("/ok", gate(held))
        self.keeper.on("/introspect", gate(held, reply(200, b'{"active":true}')))
        for stream in range(1, 41, 4):
            client.request(stream, "/asked")
            client.request(stream + 2, "/token", more=[("authorization", "Bearer same")])
        wait_for(lambda: self.front.service("keeper")["in_flight"] == 11, what="ten questions and one for all tokens")
        for stream in range(1, 37, 2):
            client.reset(stream)
        held.set()
        for stream in (37, 39):
            self.assertEqual(client.answer(stream).status, 200)
        self.quiet()

    def test_a_connection_that_goes_with_all_its_streams(self):
        client = self.h2_doors()
        held = self.event()
        self.keeper.always(gate(held))
        for stream in range(1, 101, 4):
            client.request(stream, "/asked")
            client.request(stream + 2, "/token", more=[("authorization", "Bearer %d" % (stream % 3))])
        wait_for(lambda: self.front.service("keeper")["in_flight"] >= 28, what="the questions")
        client.sock.close()
        self.quiet()
        held.set()
        self.keeper.always(reply(200))
        self.assertEqual(self.front.get("/asked").status, 200)

    def test_an_authority_over_it(self):
        keeper = self.h2_origin("keeper")
        self.doors(address=keeper.address, keeper={"protocol": "h2c"})
        self.assertEqual({s for row in Parallel(10, lambda i: [self.front.get("/asked").status for _ in range(20)]).results()
                          for s in row}, {200})
        self.assertEqual(len(keeper.wait_requests(200)), 200)
        self.assertLessEqual(len(keeper.sessions), 4)
        answer = self.front.request("GET", "/token", headers={"Authorization": "Bearer x"})
        self.assertEqual(answer.reason, "auth_unavailable")


class ThroughTheService(Doors):
    def test_its_limit_and_queue(self):
        self.doors(keeper={"concurrency": {"requests": 2, "queue": 100, "queue_timeout": "20s"}})
        answers = Parallel(30, lambda i: self.front.get("/asked").status).results()
        self.assertEqual(set(answers), {200})
        self.assertLessEqual(self.keeper.peak, 2)

    def test_a_full_queue_is_an_authority_that_is_away(self):
        self.doors(keeper={"concurrency": {"requests": 1, "queue": 0}})
        held = self.event()
        self.keeper.always(gate(held))
        waiting = Parallel(1, lambda i: self.front.get("/asked").status)
        wait_for(lambda: self.front.service("keeper")["in_flight"] == 1, what="the first question")
        self.assertEqual(self.front.get("/asked").reason, "auth_unavailable")
        held.set()
        self.assertEqual(waiting.results(), [200])

    def test_retries(self):
        self.doors()
        other = self.origin("other")
        self.config["services"]["keeper"]["instances"].append(other.address)
        self.keeper.always(reply(503))
        front = self.gateway(self.config, consul=None)
        self.assertEqual({front.get("/asked").status for _ in range(6)}, {200})
        self.assertEqual(front.service("keeper")["requests"], 6)
        self.assertGreater(self.keeper.count, 0)

    def test_statistics_are_those_of_the_service(self):
        self.doors(access_log="stdout")
        for _ in range(3):
            self.assertEqual(self.front.get("/asked").status, 200)
        self.assertEqual(self.front.service("keeper")["requests"], 3)
        self.assertEqual(self.front.status()["requests"], 3)
        self.front.wait_logged(path="/asked")
        self.assertEqual([line for line in self.front.access_log() if line["service"] == "keeper"], [])

    def test_fields_of_its_answer_come_once(self):
        self.doors(forward={"response_headers": ["X-User"]})
        self.keeper.always(reply(200, headers=[("X-User", "ada")]))
        self.assertEqual(self.front.get("/asked").status, 200)
        self.assertEqual(self.web.requests[-1].header_all("X-User"), ["ada"])


class ComeAndGo(Doors):
    def test_stopped_while_they_wait(self):
        self.doors(drain_timeout="200ms")
        held = self.event()
        self.keeper.always(gate(held))
        waiting = []
        for i in range(10):
            client = self.front.connect()
            self.addCleanup(client.close)
            client.send(b"GET /%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer same\r\n\r\n" % (b"asked", b"token")[i % 2])
            waiting.append(client)
        wait_for(lambda: self.front.service("keeper")["in_flight"] == 6, what="five questions and one for all tokens")
        self.front.stop()

    def test_the_authority_leaves_the_configuration(self):
        self.doors()
        held = self.event()
        self.keeper.always(gate(held))
        waiting = Parallel(4, lambda i: self.front.get("/asked" if i % 2 else "/token", headers={"Authorization": "Bearer a"}).status)
        wait_for(lambda: self.front.service("keeper")["in_flight"] == 3, what="the questions")
        config = {"services": {"web": {"instances": [self.web.address]}},
                  "routes": [{"path": "/", "service": "web"}, {"path": "/", "host": "new.example", "redirect": {"to": "/x"}}]}
        self.front.configure(config)
        self.front.reload()
        wait_for(lambda: self.front.get("/", host="new.example").status >= 300, what="the new configuration")
        held.set()
        self.assertEqual(sorted(waiting.results()), [200, 200, 503, 503])

    def test_everything_at_once(self):
        """Clients that leave, an authority that does all that it should not, and reloads."""
        self.doors(forward={"timeout": "200ms"}, opaque={"timeout": "200ms"}, workers=2)
        stop, bad = threading.Event(), []
        moods = (reply(200, b'{"active":true,"sub":"a"}'), reply(401), reply(500), silence(), reset(), cut(b"HTTP/1.1 200 OK\r\n"),
                 raw(b"x\r\n\r\n", close=True), reply(200, b"y" * 100000), slow_body([b"{", b"}"], 0.01), hang(0.3))

        def leave(i):
            while not stop.is_set():
                with self.front.connect() as client:
                    client.send(b"GET /%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer same\r\n\r\n" % (b"asked", b"token")[i % 2])
                    client.reset()

        def stay(i):
            while not stop.is_set():
                path = ("/asked", "/token")[i % 2]
                status = self.front.get(path, headers={"Authorization": "Bearer same"}).status
                if status not in (200, 401, 503):
                    bad.append((path, status))
        self.front.configure(self.config)
        threads = Parallel(8, lambda i: leave(i) if i < 3 else stay(i))
        for mood in moods * 2:
            self.keeper.always(mood)
            self.front.reload()
            before = self.keeper.count
            wait_for(lambda: self.keeper.count > before + 3 or self.front.breaker("keeper")["state"] != "closed", what="questions")
        self.keeper.always(moods[0])
        stop.set()
        threads.results()
        self.assertEqual(bad, [])
        self.quiet()

    def test_two_hundred_at_once(self):
        self.doors(workers=2)

        def answer(request, connection):
            token = urllib.parse.parse_qs(request.body.decode())["token"][0]
            reply(200, b'{"active":true,"sub":"%s"}' % token.encode())(request, connection)
        self.keeper.on("/introspect", answer)

        def ask(i):
            if i % 2:
                return self.front.get("/asked/%d" % i).status
            return self.front.get("/token", headers={"Authorization": "Bearer t%d" % (i % 10)}).status
        self.assertEqual(set(Parallel(200, ask).results()), {200})
        self.quiet()
        self.assertEqual(self.web.count, 200)

    def test_memory_does_not_grow(self):
        self.doors(workers=1)
        self.keeper.on("/ok", reply(200, b"x" * 60000))
        with Load(self.front.port, "/asked", threads=4, pause=0) as load:
            load.wait_count(500)
            before = self.front.rss()
            load.wait_count(2500)
            self.assertLess(self.front.rss() - before, 24 << 20)
        self.assertEqual(load.failed, 0)
