# SPDX-License-Identifier: Apache-2.0
"""Opaque tokens, asked about at a service of the catalog (RFC 7662)."""
import base64
import json
import os
import tempfile
import time
import urllib.parse

from lib import AUDIENCE, ISSUER, Parallel, Scenario, SigningKey, gate, hang, raw, reply, wait_for


class Asked(Scenario):
    def door(self, settings=None, policy=None, **config):
        self.web, self.login = self.origin("web"), self.origin("login")
        handle, self.secret = tempfile.mkstemp()
        self.addCleanup(os.unlink, self.secret)
        os.write(handle, b"pass:w%rd\n")
        os.close(handle)
        conf = dict({"service": "login", "path": "/introspect", "client_id": "gate way",
                     "client_secret_file": self.secret}, **settings or {})
        self.front = self.gateway(dict({
            "workers": 1,
            "services": {"web": {"instances": [self.web.address]}, "login": {"instances": [self.login.address]}},
            "introspection": {"login": conf},
            "policies": {"known": dict({"authenticate": [{"introspection": "login"}],
                                        "headers": {"X-User": "sub"}}, **policy or {})},
            "routes": [{"path": "/", "service": "web", "auth": "known"}]}, **config), consul=None)
        self.active()
        return self.front

    def active(self, **claims):
        self.says(dict({"active": True, "sub": "ada", "scope": "orders:read"}, **claims))

    def says(self, value, status=200, text=None):
        body = text if text is not None else json.dumps(value).encode()
        self.login.always(reply(status, body, headers=[("Content-Type", "application/json")]))

    def ask(self, token="t0k-en", **options):
        headers = dict(options.pop("headers", {}))
        if token:
            headers["Authorization"] = "Bearer " + token
        return self.front.request("GET", options.pop("target", "/x"), headers=headers, **options)


class Answers(Asked):
    def test_active(self):
        self.door()
        self.assertEqual(self.ask("a+b/c=d").status, 200)
        self.assertEqual(self.web.requests[-1].header("X-User"), "ada")
        asked = self.login.requests[-1]
        self.assertEqual((asked.method, asked.target), ("POST", "/introspect"))
        self.assertEqual(urllib.parse.parse_qs(asked.body.decode())["token"], ["a+b/c=d"])
        self.assertEqual(asked.header("Content-Type"), "application/x-www-form-urlencoded")
        kind, pair = asked.header("Authorization").split()
        self.assertEqual((kind, base64.b64decode(pair)), ("Basic", b"gate%20way:pass%3Aw%25rd"))

    def test_not_active_and_claims_that_do_not_fit(self):
        self.door({"audience": ["shop"], "issuer": "https://login.example", "negative_ttl": "0s", "cache_ttl": "0s"})
        now = int(time.time())
        good = {"active": True, "sub": "ada", "aud": ["shop"], "iss": "https://login.example", "exp": now + 60}
        self.says(good)
        self.assertEqual(self.ask().status, 200)
        self.says({"active": True, "sub": "ada", "aud": "shop"})
        self.assertEqual(self.ask().status, 200)
        rows = (({"active": False}, "not active"), (dict(good, exp=now - 60), "expired"),
                (dict(good, nbf=now + 600), "not valid yet"), (dict(good, aud="bank"), "another audience"),
                (dict(good, iss="https://evil.example"), "not taken here"), ({"active": True}, "no audience"))
        for answer, words in rows:
            with self.subTest(answer=answer):
                self.says(answer)
                got = self.ask()
                self.assertEqual((got.status, got.reason), (401, "unauthenticated"))
                self.assertIn(words, got.json()["detail"])
                self.assertIn('error="invalid_token"', got.header("WWW-Authenticate"))

    def test_what_is_no_answer(self):
        self.door({"negative_ttl": "0s", "timeout": "500ms"})
        texts = (b"", b"nonsense", b"[]", b'{"active":"true"}', b'{"active":1}', b'{}', b'{"active":true,"active":false}',
                 b'{"active":true' + b' ' * 70000 + b'}', b'{"a":' * 30 + b'1' + b'}' * 30)
        for text in texts:
            with self.subTest(text=text[:40]):
                self.says(None, text=text)
                self.assertEqual(self.ask().reason, "auth_unavailable")
        for status in (400, 401, 404, 500, 302):
            self.says({"active": True}, status)
            self.assertEqual(self.ask().reason, "auth_unavailable", status)
        for behaviour in (hang(), raw(b"", close=True)):
            self.login.always(behaviour)
            self.assertEqual(self.ask().reason, "auth_unavailable")
        self.login.stop()
        self.assertEqual(self.ask().reason, "auth_unavailable")
        self.assertEqual(self.web.count, 0)

    def test_no_token_and_bad_ones(self):
        self.door()
        self.assertEqual(self.ask(None).status, 401)
        self.assertEqual(self.ask(None).header("WWW-Authenticate"), 'Bearer realm="frontdesk"')
        self.assertEqual(self.ask("x" * 5000).status, 401)
        self.assertEqual(self.login.count, 0)

    def test_scopes_and_a_token_that_stays(self):
        self.door({"forward_token": False}, {"scopes": ["orders:write"]})
        self.assertEqual(self.ask().status, 403)
        self.assertIn("insufficient_scope", self.ask().header("WWW-Authenticate"))
        self.active(scope="orders:write")
        self.assertEqual(self.ask("another").status, 200)
        self.assertIsNone(self.web.requests[-1].header("Authorization"))

    def test_beside_an_issuer(self):
        key = SigningKey("HS256")
        self.addCleanup(key.close)
        self.door(policy={"authenticate": [{"issuer": "shop"}, {"introspection": "login"}]}, issuers={
            "shop": {"issuer": ISSUER, "audience": [AUDIENCE], "keys": {"secret_file": key.file}}})
        self.assertEqual(self.ask(key.token(sub="bob")).status, 200)
        self.assertEqual((self.web.requests[-1].header("X-User"), self.login.count), ("bob", 0))
        self.assertEqual(self.ask("opaque").status, 200)
        self.assertEqual((self.web.requests[-1].header("X-User"), self.login.count), ("ada", 1))

    def test_a_secret_that_is_not_there(self):
        from lib import run_command
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/c.yaml", "w") as file:
                file.write("introspection:\n  a: { service: b, client_id: c, client_secret_file: /nowhere }\n")
            status, _, text = run_command("check", "-c", folder)
        self.assertNotEqual(status, 0)
        self.assertIn("c.yaml:2", text)
        self.assertIn("/nowhere cannot be read", text)


class Remembered(Asked):
    def test_good_and_bad_ones(self):
        self.door()
        for _ in range(3):
            self.assertEqual(self.ask("good").status, 200)
        self.assertEqual(self.login.count, 1)
        self.says({"active": False})
        for _ in range(3):
            self.assertEqual(self.ask("bad").status, 401)
        self.assertEqual(self.login.count, 2)
        self.assertEqual(self.ask("good").status, 200)

    def test_why_not_is_remembered_too(self):
        self.door({"audience": ["shop"]})
        self.active(aud="bank")
        self.assertEqual({self.ask().json()["detail"] for _ in range(3)}, {"the token is for another audience"})
        self.assertEqual(self.login.count, 1)

    def test_thousands(self):
        self.door()
        with self.front.connect() as client:
            for _ in range(2):
                for k in range(3000):
                    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d\r\n\r\n" % k)
                    self.assertEqual(client.read_answer().status, 200)
                self.assertEqual(self.login.count, 3000)

    def test_strangers_push_out_only_each_other(self):
        self.door({"negative_ttl": "1m"})
        self.assertEqual(self.ask("good").status, 200)
        self.says({"active": False})
        with self.front.connect() as client:
            for k in range(5000):
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d\r\n\r\n" % k)
                self.assertEqual(client.read_answer().status, 401)
        self.assertEqual((self.ask("good").status, self.login.count), (200, 5001))

    def test_never_beyond_exp(self):
        self.door()
        self.active(exp=int(time.time()) + 2)
        self.assertEqual(self.ask().status, 200)
        self.says({"active": False})
        wait_for(lambda: self.ask().status == 401, timeout=15, what="the end of the token")

    def test_one_question_for_many(self):
        self.door({"cache_ttl": "0s", "negative_ttl": "0s"})
        for told, status in ((b'{"active":true,"sub":"ada"}', 200), (b'{"active":false}', 401), (b"nonsense", 503)):
            held = self.event()
            self.login.forget()
            self.login.always(gate(held, reply(200, told)))
            clients = [self.front.connect() for _ in range(20)]
            for client in clients:
                client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer same\r\n\r\n")
            self.login.wait_requests(1)
            for _ in range(3):  # behind all of them, in the one worker's order
                self.assertEqual(self.ask(None).status, 401)
            held.set()
            self.assertEqual([client.read_answer().status for client in clients], [status] * 20)
            self.assertEqual(self.login.count, 1)
            for client in clients:
                client.close()

    def test_the_one_that_asks_leaves(self):
        self.door()
        held = self.event()
        self.login.always(gate(held, reply(200, b'{"active":true,"sub":"ada"}')))
        text = b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer same\r\n\r\n"
        with self.front.connect() as first, self.front.connect() as second, self.front.connect() as third:
            first.send(text)
            self.login.wait_requests(1)
            for other in (second, third):
                other.send(text)
            first.reset()
            wait_for(lambda: self.login.count == 2, what="the second question")
            second.reset()
            wait_for(lambda: self.login.count == 3, what="the third question")
            held.set()
            self.assertEqual(third.read_answer().status, 200)
        self.assertEqual(self.front.service("login")["in_flight"], 0)

    def test_many_that_wait_leave_at_once(self):
        self.door({"cache_ttl": "0s"})
        text = b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer same\r\n\r\n"
        for _ in range(10):
            held = self.event()
            self.login.forget()
            self.login.always(gate(held, reply(200, b'{"active":true,"sub":"ada"}')))
            clients = [self.front.connect() for _ in range(8)]
            before = self.front.metrics()["frontdesk_connections"]
            for client in clients:
                client.send(text)
            self.login.wait_requests(1)
            wait_for(lambda: self.front.metrics()["frontdesk_connections"] >= before, what="the clients")
            for client in clients[:-1]:
                client.reset()
            held.set()
            self.assertEqual(clients[-1].read_answer().status, 200)
            clients[-1].close()
        wait_for(lambda: self.front.service("login")["in_flight"] == 0, what="the end of all questions")

    def test_other_tokens_have_other_answers(self):
        self.door({"cache_ttl": "0s", "negative_ttl": "0s"})

        def answer(request, connection):
            token = urllib.parse.parse_qs(request.body.decode())["token"][0]
            told = {"active": token.startswith("good"), "sub": token}
            reply(200, json.dumps(told).encode())(request, connection)

        def user(i):
            with self.front.connect() as client:
                for k in range(20):
                    token = "%s-%d" % ("good" if (i + k) % 3 else "bad", k)
                    client.send(b"GET /%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (token.encode(), token.encode()))
                    if client.read_answer().status != (200 if token.startswith("good") else 401):
                        return token
            return None
        self.login.always(answer)
        self.assertEqual(set(Parallel(100, user).results()), {None})
        for request in self.web.requests:
            self.assertEqual(request.header("X-User"), request.path[1:])

    def test_many_clients(self):
        self.door()
        seen = Parallel(20, lambda i: [self.ask("token-%d" % (k % 7)).status for k in range(20)]).results()
        self.assertEqual({s for row in seen for s in row}, {200})
        self.assertLessEqual(self.login.count, 20)
