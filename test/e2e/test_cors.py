# SPDX-License-Identifier: Apache-2.0
"""CORS at the gateway: preflights answered, origins told what they may read (Fetch standard)."""
from lib import Scenario, build, reply, wait_for

SHOP = "https://shop.example"
FIELDS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
          "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
          "Access-Control-Expose-Headers", "Access-Control-Max-Age",
          "Access-Control-Allow-Private-Network")


class Cors(Scenario):
    POLICY = {"allow_origins": [SHOP, "https://*.shop.example"], "allow_methods": ["GET", "PUT"],
              "allow_headers": ["Content-Type", "X-Token"], "expose_headers": ["X-Total"],
              "allow_credentials": True, "max_age": "5m"}

    def setUp(self):
        self.web = self.origin()

    def front(self, policy=None, routes=None, **config):
        route = {"path": "/", "service": "web", "cors": "shop"}
        return self.static_gateway([self.web], config=dict(
            config, cors={"shop": policy or self.POLICY}, routes=routes or [route]))

    def preflight(self, front, origin=SHOP, method="PUT", headers=None, target="/a", more=()):
        fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
        if headers is not None:
            fields.append(("Access-Control-Request-Headers", headers))
        return front.request("OPTIONS", target, headers=fields + list(more))

    def shown(self, answer):
        """The fields of CORS, by the word that tells them apart."""
        return {name.replace("Access-Control-", ""): answer.header(name) for name in FIELDS
                if answer.header(name) is not None}

    def assertNothingAllowed(self, answer):
        self.assertEqual(self.shown(answer), {})

    def vary(self, answer):
        return {name.strip().lower() for value in answer.header_all("Vary")
                for name in value.split(",")}


class Preflight(Cors):
    def test_what_is_allowed_is_answered_here(self):
        front = self.front(access_log="stdout")
        answer = self.preflight(front, headers="content-type,x-token")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.shown(answer), {
            "Allow-Origin": SHOP, "Allow-Credentials": "true", "Allow-Methods": "GET, PUT",
            "Allow-Headers": "content-type,x-token", "Max-Age": "300"})
        self.assertIn("origin", self.vary(answer))
        self.assertIsNone(answer.header("Content-Length"))
        self.assertIsNone(answer.reason)
        self.assertEqual(self.web.count, 0)
        front.wait_logged(method="OPTIONS", status=204, reason="none")

    def test_connection_goes_on(self):
        with self.front().connect() as client:
            client.send(build("OPTIONS", "/", [("Origin", SHOP),
                                               ("Access-Control-Request-Method", "PUT")]) * 2
                        + build("GET", "/"))
            self.assertEqual([client.read_answer("OPTIONS").status for _ in range(2)], [204, 204])
            self.assertEqual(client.read_answer().status, 200)

    def test_what_is_not_allowed(self):
        front = self.front()
        for name, options in {
                "origin": dict(origin="https://evil.example"),
                "origin in another case": dict(origin="https://SHOP.example"),
                "origin with a slash": dict(origin=SHOP + "/"),
                "other port": dict(origin=SHOP + ":8443"),
                "other scheme": dict(origin="http://shop.example"),
                "null": dict(origin="null"),
                "method": dict(method="DELETE"),
                "method in another case": dict(method="put"),
                "header": dict(headers="content-type,x-other"),
                "malformed header": dict(headers="x token"),
                "one header of two fields": dict(headers="x-token", more=[
                    ("Access-Control-Request-Headers", "x-other")]),
                "two origins": dict(more=[("Origin", SHOP)])}.items():
            with self.subTest(name):
                answer = self.preflight(front, **options)
                self.assertEqual((answer.status, answer.reason), (403, "origin_denied"))
                self.assertIn("origin", self.vary(answer))
                for word in ("Allow-Methods", "Allow-Headers", "Max-Age"):
                    self.assertNotIn(word, self.shown(answer))
        self.assertEqual(self.web.count, 0)

    def test_the_route_is_that_of_the_request_to_come(self):
        front = self.front(routes=[
            {"path": "/o", "methods": ["PUT"], "service": "web", "cors": "shop"},
            {"path": "/o", "methods": ["GET"], "service": "web"},
            {"path": "/posts", "methods": ["POST"], "service": "web", "cors": "shop"}])
        self.assertEqual(self.preflight(front, target="/o").status, 204)
        answer = self.preflight(front, target="/o", method="GET")
        self.assertEqual((answer.status, answer.reason), (405, "method_not_allowed"))
        answer = self.preflight(front, target="/posts", method="PUT")
        self.assertEqual((answer.status, answer.reason), (405, "method_not_allowed"))
        self.assertEqual(self.preflight(front, target="/none").status, 404)
        self.assertEqual(self.web.count, 0)

    def test_no_identity_is_asked_for(self):
        front = self.front(routes=[{"path": "/", "service": "web", "cors": "shop",
                                    "auth": "there-is-none"}])
        self.assertEqual(self.preflight(front).status, 204)
        answer = front.request("PUT", "/", headers={"Origin": SHOP})
        self.assertEqual(answer.status, 403)

    def test_other_options_requests_go_to_the_service(self):
        front = self.front()
        for fields in ([], [("Origin", SHOP)], [("Access-Control-Request-Method", "PUT")],
                       [("Origin", SHOP), ("Access-Control-Request-Method", "")]):
            with self.subTest(fields=fields):
                before = self.web.count
                self.assertEqual(front.request("OPTIONS", "/", headers=fields).status, 200)
                self.assertEqual(self.web.count, before + 1)

    def test_without_the_key_preflights_are_the_services(self):
        self.web.always(reply(204, headers=[("Access-Control-Allow-Origin", "*")]))
        front = self.front(routes=[{"path": "/", "service": "web"}])
        self.assertEqual(self.shown(self.preflight(front)), {"Allow-Origin": "*"})
        self.assertEqual(self.web.requests[-1].method, "OPTIONS")

    def test_stars(self):
        front = self.front({"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"]})
        answer = self.preflight(front, origin="https://any.example", method="REPORT",
                                headers="x-any, x-other")
        self.assertEqual(self.shown(answer), {
            "Allow-Origin": "*", "Allow-Methods": "REPORT", "Allow-Headers": "x-any, x-other",
            "Max-Age": "600"})
        self.assertNotIn("origin", self.vary(answer))
        self.assertEqual(self.preflight(front, headers="authorization").status, 403)

    def test_private_network(self):
        asked = [("Access-Control-Request-Private-Network", "true")]
        policy = dict(self.POLICY, allow_private_network=True)
        name = "Access-Control-Allow-Private-Network"
        self.assertEqual(self.preflight(self.front(policy), more=asked).header(name), "true")
        self.assertIsNone(self.preflight(self.front(policy)).header(name))
        self.assertIsNone(self.preflight(self.front(), more=asked).header(name))

    def test_a_long_list_of_headers_is_refused(self):
        front = self.front({"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"]})
        self.assertEqual(self.preflight(front, headers="a," * 2000 + "a").status, 204)
        self.assertEqual(self.preflight(front, headers="a," * 2500).status, 403)


class Requests(Cors):
    def test_allowed_origins_may_read(self):
        front = self.front()
        for origin in (SHOP, "https://m.shop.example"):
            answer = front.get("/", headers={"Origin": origin})
            self.assertEqual(answer.status, 200)
            self.assertEqual(self.shown(answer), {
                "Allow-Origin": origin, "Allow-Credentials": "true", "Expose-Headers": "X-Total"})
            self.assertIn("origin", self.vary(answer))
            self.assertEqual(self.web.requests[-1].header("Origin"), origin)

    def test_others_are_answered_but_may_not(self):
        front = self.front()
        for origin in ("https://evil.example", "null", "https://a.b.shop.example", "", SHOP + "/",
                       "https://shop.example.evil.example"):
            with self.subTest(origin):
                answer = front.get("/", headers={"Origin": origin})
                self.assertEqual(answer.status, 200)
                self.assertNothingAllowed(answer)
                self.assertIn("origin", self.vary(answer))

    def test_without_an_origin_caches_are_told_all_the_same(self):
        answer = self.front().get("/")
        self.assertNothingAllowed(answer)
        self.assertIn("origin", self.vary(answer))

    def test_what_the_service_says_is_replaced(self):
        self.web.always(reply(headers=[("access-control-allow-origin", "*"),
                                       ("Access-Control-Allow-Credentials", "true"),
                                       ("Access-Control-Expose-Headers", "X-Secret"),
                                       ("Vary", "Accept-Encoding"), ("X-Total", "1")]))
        front = self.front()
        self.assertNothingAllowed(front.get("/", headers={"Origin": "https://evil.example"}))
        answer = front.get("/", headers={"Origin": SHOP})
        self.assertEqual(answer.header_all("Access-Control-Allow-Origin"), [SHOP])
        self.assertEqual(answer.header_all("Access-Control-Expose-Headers"), ["X-Total"])
        self.assertLessEqual({"origin", "accept-encoding"}, self.vary(answer))
        self.assertEqual(answer.header("X-Total"), "1")

    def test_pages_can_read_the_gateways_own_answers(self):
        self.web.kill()
        answer = self.front().get("/", headers={"Origin": SHOP})
        self.assertEqual((answer.status, answer.reason), (502, "connect_failed"))
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), SHOP)
        front = self.front(routes=[{"path": "/", "service": "web", "cors": "shop", "max_body": 1}])
        answer = front.request("PUT", "/", headers={"Origin": SHOP}, body=b"xx")
        self.assertEqual((answer.status, answer.reason), (413, "body_too_large"))
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), SHOP)

    def test_stored_and_written_fallbacks(self):
        self.web.always(reply(headers=[("Access-Control-Allow-Origin", "https://evil.example"),
                                       ("Cache-Control", "max-age=60")]))
        front = self.front(routes=[
            {"path": "/stored", "service": "web", "cors": "shop",
             "fallback": [{"cache": {"max_age": "1h"}, "on": ["connect_failed"]}]},
            {"path": "/written", "service": "web", "cors": "shop", "fallback": [
                {"static": {"status": 200, "body": "{}", "headers": {
                    "Access-Control-Allow-Origin": "*"}}, "on": ["connect_failed"]}]}])
        front.get("/stored", headers={"Origin": SHOP})
        self.web.kill()
        for target in ("/stored", "/written"):
            with self.subTest(target):
                answer = front.get(target, headers={"Origin": SHOP})
                self.assertEqual(answer.status, 200)
                self.assertTrue(answer.header("Frontdesk-Fallback"))
                self.assertEqual(answer.header_all("Access-Control-Allow-Origin"), [SHOP])

    def test_everybody(self):
        self.web.always(reply(headers=[("Access-Control-Allow-Credentials", "true")]))
        front = self.front({"allow_origins": ["*"], "expose_headers": ["*"]})
        for headers in ({}, {"Origin": "https://any.example"}, {"Origin": "null"}):
            answer = front.get("/", headers=headers)
            self.assertEqual(self.shown(answer), {"Allow-Origin": "*", "Expose-Headers": "*"})
            self.assertNotIn("origin", self.vary(answer))

    def test_null_when_it_is_named(self):
        answer = self.front({"allow_origins": ["null"]}).get("/", headers={"Origin": "null"})
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "null")

    def test_a_tag_names_a_policy(self):
        for name in ("shop", "gone"):
            self.instance(name, name, tags=["frontdesk.path=/" + name, "frontdesk.cors=" + name],
                          origin=self.web)
        self.web.always(reply(headers=[("Access-Control-Allow-Origin", "*")]))
        front = self.gateway({"cors": {"shop": self.POLICY}})
        for name, allowed, status in (("shop", SHOP, 204), ("gone", None, 403)):
            wait_for(lambda: front.get("/" + name).status == 200, what="the route")
            answer = front.get("/" + name, headers={"Origin": SHOP})
            self.assertEqual(answer.header("Access-Control-Allow-Origin"), allowed)
            self.assertEqual(self.preflight(front, target="/" + name).status, status)

    def test_a_reload_changes_the_policy(self):
        front = self.front()
        config = {"cors": {"shop": {"allow_origins": ["https://new.example"]}},
                  "services": {"web": {"instances": [self.web.address]}},
                  "routes": [{"path": "/", "service": "web", "cors": "shop"}]}
        front.configure(config)
        front.reload()
        wait_for(lambda: not self.shown(front.get("/", headers={"Origin": SHOP})),
                 what="the new policy")
        answer = front.get("/", headers={"Origin": "https://new.example"})
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "https://new.example")


class Foreign(Cors):
    def test_foreign_pages_are_refused(self):
        front = self.front(dict(self.POLICY, reject_foreign=True))
        for origin, host, status in (
                (SHOP, "api.example", 200), ("https://evil.example", "api.example", 403),
                ("null", "api.example", 403), ("https://api.example", "api.example", 200),
                ("http://api.example", "api.example:80", 200),
                ("http://api.example:81", "api.example", 403),
                ("https://api.example.evil.example", "api.example", 403)):
            with self.subTest(origin=origin, host=host):
                answer = front.request("POST", "/", headers={"Origin": origin}, host=host)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.reason, "origin_denied" if status == 403 else None)
        self.assertEqual(front.get("/").status, 200)

    def test_two_origins_are_foreign(self):
        front = self.front(dict(self.POLICY, reject_foreign=True))
        answer = front.get("/", headers=[("Origin", SHOP), ("Origin", SHOP)])
        self.assertEqual((answer.status, answer.reason), (403, "origin_denied"))
        self.assertEqual(self.web.count, 0)
