# SPDX-License-Identifier: Apache-2.0
"""gRPC end to end: a client and a service of @grpc/grpc-js, the gateway between them, TLS and not."""
from lib import SigningKey, wait_for
from lib.clients import GrpcClient, GrpcService, have_clients
from test_h2 import H2Front

OK, CANCELLED, INVALID, DEADLINE, DENIED, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 0, 1, 3, 4, 7, 12, 14, 16


class Shop(H2Front):
    def setUp(self):
        super().setUp()
        why = have_clients()
        if why:
            self.skipTest(why)

    def service(self, name="a"):
        service = GrpcService(name)
        self.addCleanup(service.stop)
        return service

    def shop(self, services=None, settings=None, route=None, **config):
        self.services = services or [self.service()]
        conf = dict({"instances": ["127.0.0.1:%d" % s.port for s in self.services], "protocol": "h2c"}, **settings or {})
        self.start(services={"shop": conf, "web": {"instances": [self.web.address]}},
                   routes=[dict({"path": "/shop.v1.Shop/", "service": "shop"}, **route or {}),
                           {"path": "/web", "service": "web"}], limits={"body": "unlimited"}, **config)
        return self.services[0]

    def grpc(self, tls=False):
        if tls:
            client = GrpcClient("127.0.0.1:%d" % self.port, ca=self.ca.file, name="shop.example")
        else:
            client = GrpcClient("127.0.0.1:%d" % self.plain)
        self.addCleanup(client.stop)
        return client


class Calls(Shop):
    def test_every_kind(self):
        self.shop()
        for tls in (False, True):
            with self.subTest(tls=tls):
                grpc = self.grpc(tls)
                got = grpc.one(text="hi", metadata={"x-echo": "1"})
                self.assertEqual((got.code, got.messages[0].text), (OK, "a: hi"))
                self.assertEqual((got.head["x-origin"], got.trailers["x-end"], got.trailers["x-echo"]), ("a", "yes", "1"))
                got = grpc.many(text="n", count=50)
                self.assertEqual((got.code, len(got.messages), got.messages[-1].count), (OK, 50, 50))
                got = grpc.sum([{"send": 1000}] * 20)
                self.assertEqual((got.code, got.messages[0].text), (OK, "20000"))
                chat = grpc.chat()
                for i in range(5):
                    chat.send(text=str(i))
                    self.assertEqual(chat.wait_messages(i + 1)[i].text, "a: %d" % i)
                chat.end()
                self.assertEqual(chat.status().code, OK)

    def test_large_messages(self):
        self.shop()
        grpc = self.grpc(True)
        got = grpc.one(text="big", size=3 << 20)
        self.assertEqual((got.code, got.messages[0].bytes), (OK, 3 << 20))
        got = grpc.sum([{"send": 1 << 20}] * 3)
        self.assertEqual((got.code, got.messages[0].text), (OK, str(3 << 20)))
        got = grpc.many(count=20, size=200000)
        self.assertEqual((got.code, len(got.messages)), (OK, 20))

    def test_failures_of_the_service(self):
        self.shop()
        grpc = self.grpc()
        got = grpc.one(text="x", status=INVALID, details="no, \u00fc%", metadata={"x-echo-a": "b"})
        self.assertEqual((got.code, got.details, got.trailers["x-echo-a"]), (INVALID, "no, \u00fc%", "b"))
        got = grpc.many(count=3, status=INVALID)
        self.assertEqual((got.code, len(got.messages)), (INVALID, 3))
        chat = grpc.chat()
        chat.send(text="1")
        chat.wait_messages(1)
        chat.send(status=INVALID)
        self.assertEqual(chat.status().code, INVALID)

    def test_deadlines_and_cancellation_reach_the_service(self):
        service = self.shop()
        grpc = self.grpc(True)
        got = grpc.one(text="x", pause_ms=-1, deadline_ms=400)
        self.assertEqual(got.code, DEADLINE)
        self.assertLessEqual(service.calls[-1]["deadline_ms"], 400)
        service.wait_cancelled(1)
        chat = grpc.chat()
        chat.send(text="1")
        chat.wait_messages(1)
        chat.cancel()
        self.assertEqual(chat.status().code, CANCELLED)
        wait_for(lambda: self.gate.service("shop")["in_flight"] == 0, what="the end of the call")
        many = grpc.begin("Many", count=1000, pause_ms=20)
        many.wait_messages(2)
        many.cancel()
        service.wait_cancelled(2)
        self.assertEqual(grpc.one(text="y").code, OK)


class Gateway(Shop):
    def test_its_own_failures(self):
        service = self.shop()
        grpc = self.grpc()
        self.assertEqual(grpc.one(text="x").code, OK)
        service.stop()
        got = grpc.one(text="x")
        self.assertEqual((got.code, got.trailers.get("frontdesk-reason")), (UNAVAILABLE, "connect_failed"))
        self.assertIn("could not be reached", got.details)

    def test_a_breaker_opens_on_statuses(self):
        service = self.shop(settings={"breaker": {"minimum_requests": 3, "open_for": "60s"}})
        grpc = self.grpc()
        for _ in range(5):
            self.assertEqual(grpc.one(text="x", status=UNAVAILABLE).code, UNAVAILABLE)
        wait_for(lambda: self.gate.breaker("shop")["state"] == "open", what="the breaker")
        before = len(service.calls)
        got = grpc.one(text="x")
        self.assertEqual((got.code, got.trailers["frontdesk-reason"]), (UNAVAILABLE, "breaker_open"))
        self.assertEqual(len(service.calls), before)

    def test_a_status_is_tried_again(self):
        services = [self.service("a"), self.service("b")]
        self.shop(services, {"retries": {"attempts": 2, "on": ["grpc:14"]}})
        grpc = self.grpc(True)
        for _ in range(6):
            got = grpc.one(text="x", status=UNAVAILABLE, only="a")
            self.assertEqual((got.code, got.messages[0].text), (OK, "b: x"))

    def test_tokens(self):
        key = SigningKey("HS256")
        self.addCleanup(key.close)
        service = self.shop(route={"auth": "known"}, issuers={
            "shop": {"issuer": "https://login.shop.example", "audience": ["shop"], "keys": {"secret_file": key.file}}},
            policies={"known": {"authenticate": [{"issuer": "shop"}], "scopes": ["a"], "headers": {"X-User": "sub"}}})
        grpc = self.grpc(True)
        self.assertEqual(grpc.one(text="x").code, UNAUTHENTICATED)
        self.assertEqual(grpc.one(text="x", metadata={"authorization": "Bearer " + key.token()}).code, DENIED)
        got = grpc.one(text="x", metadata={"authorization": "Bearer " + key.token(scope="a"), "x-user": "root"})
        self.assertEqual((got.code, service.calls[-1]["metadata"]["x-user"]), (OK, "ada"))

    def test_draining_lets_calls_end(self):
        self.shop()
        grpc = self.grpc(True)
        chat = grpc.chat()
        chat.send(text="1")
        chat.wait_messages(1)
        self.gate.terminate()
        chat.send(text="2")
        chat.wait_messages(2)
        chat.end()
        self.assertEqual(chat.status().code, OK)

    def test_a_reload_ends_no_call(self):
        self.shop()
        grpc = self.grpc()
        chat = grpc.chat()
        for i in range(5):
            self.gate.reload()
            chat.send(text=str(i))
            chat.wait_messages(i + 1)
        chat.end()
        self.assertEqual(chat.status().code, OK)

    def test_unknown_methods(self):
        self.shop(route={"path": "/shop.v1.Shop/One"})
        self.assertEqual(self.grpc().many(count=1).code, UNIMPLEMENTED)
