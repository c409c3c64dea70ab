# SPDX-License-Identifier: Apache-2.0
"""Several requests of a client in one: each goes through the whole gateway, with the client's own identity."""
import base64
import json
import os
import tempfile

from lib import Parallel, Scenario, cut, free_port, gate, hang, raw, reply, run_command, wait_for
from lib.h2_raw import H2Client, get
from test_basic import ADA, EVE, basic


class Batches(Scenario):
    def front_with(self, batch=True, route=None, services=None, more=(), **config):
        self.users, self.orders = self.origin("users"), self.origin("orders")
        self.users.always(self.says(b'{"id":7,"n":1.50}'))
        self.orders.always(self.says(b"[]"))
        self.gate = self.gateway(dict({
            "workers": 1, "access_log": "stdout",
            "services": {name: dict({"instances": [origin.address]}, **(services or {}).get(name, {}))
                         for name, origin in (("users", self.users), ("orders", self.orders))},
            "routes": [dict({"path": "/batch", "batch": batch}, **route or {}), {"path": "/users/", "service": "users"},
                       {"path": "/orders/", "service": "orders"}] + list(more)}, **config), consul=None)
        return self.gate

    @staticmethod
    def says(body, status=200, *fields):
        return reply(status, body, headers=[("Content-Type", "application/json")] + list(fields))

    def send(self, *requests, headers=None, **options):
        body = json.dumps(dict(options, requests=list(requests))).encode()
        return self.gate.request("POST", "/batch", body=body, headers=dict({"Content-Type": "application/json"}, **headers or {}))

    def ask(self, *requests, **options):
        answer = self.send(*requests, **options)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["responses"]

    def statuses(self, *requests, **options):
        return [r["status"] for r in self.ask(*requests, **options)]


class Through(Batches):
    def test_answers_in_order(self):
        self.front_with()
        go = self.event()
        self.users.always(gate(go, self.says(b'{"id":7,"n":1.50}')))
        asked = Parallel(1, lambda i: self.send({"id": "u", "path": "/users/7"}, {"path": "/orders/?user=7&x=%20"}, {"id": 9, "path": "/none"}))
        self.orders.wait_requests(1)
        go.set()
        answer = asked.results()[0]
        self.assertEqual([r["id"] for r in answer.json()["responses"]], ["u", 1, 9])
        self.assertIn(b'"body":{"id":7,"n":1.50}', answer.body)
        self.assertEqual(self.orders.requests[0].target, "/orders/?user=7&x=%20")
        none = answer.json()["responses"][2]
        self.assertEqual((none["status"], none["body"]["reason"]), (404, "no_route"))
        self.assertEqual((answer.header("Content-Type"), answer.header("Cache-Control")), ("application/json", "no-store"))

    def test_writes(self):
        self.front_with()
        self.orders.always(self.says(b'{"id":1}', 201, ("Location", "/orders/1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
        made, = self.ask({"method": "POST", "path": "/orders/", "body": {"x": [1, 2.50]}, "headers": {"Accept-Language": "de", "X-Y": "z"}})
        self.assertEqual((made["status"], made["headers"]["Location"], made["headers"]["Set-Cookie"]), (201, "/orders/1", ["a=1", "b=2"]))
        seen = self.orders.requests[0]
        self.assertEqual((seen.method, json.loads(seen.body), seen.header("Content-Type"), seen.header("X-Y"), seen.header("Accept-Language")),
                         ("POST", {"x": [1, 2.5]}, "application/json", "z", "de"))

    def test_large_bodies(self):
        self.front_with(batch={"max_request": "4m"})
        text = "x" * 300000
        self.orders.always(lambda request, connection: self.says(b"%d" % len(request.body))(request, connection))
        answers = self.ask(*[{"method": "POST", "path": "/orders/", "body": text}] * 3)
        self.assertEqual([r["body"] for r in answers], [300002] * 3)
        self.users.always(self.says(json.dumps(text).encode()))
        self.assertEqual([len(r["body"]) for r in self.ask({"path": "/users/1"}, {"path": "/users/2"})], [300000] * 2)

    def test_kinds_of_bodies(self):
        self.front_with()
        rows = ((reply(200, b"caf\xc3\xa9", headers=[("Content-Type", "text/plain")]), "body_text", "caf\u00e9"),
                (reply(200, b"\xff\x00", headers=[("Content-Type", "image/x")]), "body_base64", base64.b64encode(b"\xff\x00").decode()),
                (self.says(b"{"), "body_text", "{"), (self.says(b"null"), "body", None))
        for behaviour, member, value in rows:
            with self.subTest(member=member, value=value):
                self.users.always(behaviour)
                answer, = self.ask({"path": "/users/1"})
                self.assertIn(member, answer)
                self.assertEqual(answer[member], value)
        self.users.always(reply(204, b""))
        self.assertEqual(set(self.ask({"path": "/users/1"})[0]), {"id", "status", "headers"})
        self.users.always(reply(200, b"", headers=[("X-A", "b")]))
        head, = self.ask({"method": "HEAD", "path": "/users/1"})
        self.assertEqual((head["status"], head["headers"]["X-A"]), (200, "b"))

    def test_one_after_the_other(self):
        self.front_with()
        self.statuses(*[{"path": "/users/%d" % i} for i in range(6)], sequential=True)
        self.assertEqual([r.target for r in self.users.requests], ["/users/%d" % i for i in range(6)])
        self.users.on("/users/2", reply(500, b"no"))
        self.assertEqual(self.statuses(*[{"path": "/users/%d" % i} for i in range(4)], sequential=True, stop_on_error=True), [200, 200, 500, 502])

    def test_concurrency(self):
        self.front_with(batch={"concurrency": 2})
        go = self.event()
        self.users.always(gate(go, self.says(b"1")))
        asked = Parallel(1, lambda i: self.statuses(*[{"path": "/users/%d" % i} for i in range(5)]))
        self.users.wait_requests(2)
        self.assertEqual(self.gate.service("users")["in_flight"], 2)
        go.set()
        self.assertEqual(asked.results()[0], [200] * 5)

    def test_failures(self):
        self.front_with(services={"users": {"retries": {"attempts": 1}}})
        self.users.always(cut())
        self.assertEqual([(r["status"], r["body"]["reason"]) for r in self.ask({"path": "/users/1"})], [(502, "upstream_reset")])
        self.users.always(cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"))
        self.assertEqual(self.ask({"path": "/users/1"})[0]["status"], 502)
        self.assertEqual(self.statuses({"path": "/users/1"}, {"path": "/orders/1"}), [502, 200])

    def test_deadline(self):
        self.front_with(batch={"deadline": "300ms"})
        self.users.always(hang())
        answers = self.ask({"path": "/users/1"}, {"path": "/orders/1"})
        self.assertEqual([r["status"] for r in answers], [504, 200])
        self.assertEqual(answers[0]["body"]["reason"], "upstream_timeout")
        wait_for(lambda: self.gate.service("users")["in_flight"] == 0, what="the end of the call")

    def test_sizes(self):
        self.front_with(batch={"max_requests": 3, "max_request": "2k", "max_answer": "2k", "max_total": "3k"})
        self.assertEqual(self.send(*[{"path": "/users/1"}] * 4).status, 400)
        self.assertEqual(self.send({"path": "/users/" + "x" * 3000}).status, 413)
        self.users.always(reply(200, b"x" * 30000))
        self.assertEqual(self.statuses({"path": "/users/1"}, {"path": "/orders/1"}), [502, 200])
        self.users.always(reply(200, b"x" * 1500))
        self.assertEqual(sorted(self.statuses(*[{"path": "/users/1"}] * 3)), [200, 200, 502])

    def test_the_client_leaves(self):
        self.front_with()
        self.users.always(hang())
        client = self.gate.connect()
        body = b'{"requests":[{"path":"/users/1"}]}'
        client.send(b"POST /batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.users.wait_requests(1)
        client.close()
        wait_for(lambda: self.gate.service("users")["in_flight"] == 0, what="the end of the call")

    def test_http2(self):
        port = free_port()
        self.front_with(listeners=[{"address": "127.0.0.1:%d" % port, "http2": True}])
        client = H2Client(port)
        self.addCleanup(client.close)
        client.headers(1, get("/batch", "POST", more=[("content-type", "application/json")]), end=False)
        client.data(1, b'{"requests":[{"path":')
        client.data(1, b'"/users/1"}]}', end=True)
        self.assertEqual(json.loads(client.answer(1).body)["responses"][0]["status"], 200)

    def test_logged_and_counted(self):
        self.front_with()
        self.ask({"path": "/users/1"}, {"path": "/orders/1"})
        lines = wait_for(lambda: len(self.gate.access_log()) == 3 and self.gate.access_log(), what="three lines")
        self.assertEqual(sorted(line["path"] for line in lines if line.get("batch")), ["/orders/1", "/users/1"])
        self.assertEqual(len({line["id"] for line in lines}), 1)
        self.assertEqual(self.gate.service("users")["requests"], 1)

    def test_aggregates_and_caches(self):
        self.front_with(more=[{"path": "/screen", "aggregate": {"parts": {"u": {"service": "users", "path": "/users/1"}}}},
                              {"path": "/kept/", "service": "orders", "cache": {"ttl": "1m"}}])
        answers = self.ask({"path": "/screen"}, {"path": "/kept/x"}, {"path": "/kept/x"}, sequential=True)
        self.assertEqual(answers[0]["body"], {"u": {"id": 7, "n": 1.5}})
        self.assertEqual(self.orders.count, 1)
        self.assertIn("hit", answers[2]["headers"]["Cache-Status"])


class Identity(Batches):
    def people(self, **options):
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, (ADA + "\n" + EVE + "\n").encode())
        os.close(handle)
        return self.front_with(
            basic={"people": {"htpasswd": path}},
            policies={"known": {"authenticate": [{"basic": "people"}], "headers": {"X-User": "sub"}},
                      "eves": {"authenticate": [{"basic": "people"}], "claims": [{"claim": "sub", "equals": "eve"}]}},
            more=[{"path": "/me", "service": "users", "auth": "known"}, {"path": "/eve", "service": "users", "auth": "eves"}], **options)

    def test_each_by_its_own_route(self):
        self.people()
        ada = {"Authorization": basic("ada", "lovelace")}
        self.assertEqual(self.statuses({"path": "/me"}, {"path": "/eve"}, {"path": "/users/1"}, headers=ada), [200, 403, 200])
        self.assertEqual([r.header("X-User") for r in self.users.requests if r.target == "/me"], ["ada"])
        self.assertEqual(self.statuses({"path": "/me"}, {"path": "/users/1"}), [401, 200])
        self.assertIn("WWW-Authenticate", self.ask({"path": "/me"})[0]["headers"])

    def test_nobody_else(self):
        self.people()
        ada = {"Authorization": basic("ada", "lovelace")}
        for name, value in (("Authorization", basic("eve", "x")), ("X-User", "root"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"),
                            ("Host", "other"), ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Content-Length", "5"),
                            ("X_User", "root"), ("Proxy-Authorization", "x"), ("Forwarded", "for=1.2.3.4"), ("x-request-id", "1")):
            with self.subTest(name=name):
                answers = self.ask({"path": "/me", "headers": {name: value}}, {"path": "/me"}, headers=ada)
                self.assertEqual([r["status"] for r in answers], [400, 200])
                self.assertEqual(answers[0]["body"]["reason"], "bad_request")
        self.assertEqual({r.header("X-User") for r in self.users.requests}, {"ada"})

    def test_the_door_of_the_batch(self):
        self.people(route={"auth": "known"})
        self.assertEqual(self.send({"path": "/users/1"}).status, 401)
        self.assertEqual(self.users.count, 0)

    def test_each_counts_for_limits(self):
        self.front_with(rate_limits={"few": {"rate": "3/m", "burst": 3}},
                        more=[{"path": "/few", "service": "users", "rate_limits": ["few"]}])
        self.assertEqual(sorted(self.statuses(*[{"path": "/few"}] * 5)), [200, 200, 200, 429, 429])


class Refused(Batches):
    def test_whole_batches(self):
        self.front_with()
        rows = ((b"{", "application/json", 400), (b"{}", "application/json", 400), (b'{"requests":[]}', "application/json", 400),
                (b"{}", "text/plain", 415), (b"", "application/json", 400), (b'{"requests":[{"id":1,"path":"/users/1"},{"id":1,"path":"/users/1"}]}',
                                                                            "application/json", 400))
        for body, type_, status in rows:
            with self.subTest(body=body):
                answer = self.gate.request("POST", "/batch", body=body, headers={"Content-Type": type_})
                self.assertEqual(answer.status, status)
                self.assertIn("the batch", answer.json()["detail"])
        self.assertEqual(self.gate.get("/batch").status, 405)
        self.assertEqual(self.users.count, 0)

    def test_items(self):
        self.front_with()
        bad = ({"path": "users/1"}, {"path": "/a b"}, {"path": "/a\r\nX: y"}, {"path": "http://x/"}, {"path": "/a#b"}, {"path": 1}, {},
               {"method": "get", "path": "/users/1"}, {"method": "CONNECT", "path": "/users/1"}, {"method": "GET\r\n", "path": "/users/1"},
               {"path": "/users/1", "headers": {"A": "b\r\nC: d"}}, {"path": "/users/1", "headers": {"A B": "c"}},
               {"path": "/users/1", "headers": {"A": 1}}, {"path": "/users/1", "headers": []}, {"path": "/users/1", "body": 1}, 5,
               {"path": "/users/1", "id": []}, {"path": "/users/1", "headers": {"A": "b\u0000"}})
        for item in bad:
            with self.subTest(item=item):
                self.assertEqual(self.statuses(item, {"path": "/orders/1"}), [400, 200])
        self.assertEqual(self.users.count, 0)
        # What the parser of requests refuses, whoever sends it.
        self.assertEqual(self.statuses({"path": "/users/%00"}, {"path": "/users/a/%2e%2e/%2e%2e/orders/1"}), [400, 200])

    def test_a_batch_in_a_batch(self):
        self.front_with()
        inner = {"method": "POST", "path": "/batch", "body": {"requests": [{"path": "/users/1"}]}}
        answer, = self.ask(inner)
        self.assertEqual((answer["status"], answer["body"]["detail"]), (400, "the batch is in another batch"))
        self.assertEqual(self.users.count, 0)
