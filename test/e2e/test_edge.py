# SPDX-License-Identifier: Apache-2.0
"""Who may come in by address, what bodies and queries may be, and security headers of answers."""
from lib import RawClient, Scenario, build, free_port, reply, wait_for


class Edge(Scenario):
    def setUp(self):
        self.web = self.origin()

    def front(self, config=None, **route):
        return self.static_gateway([self.web], config=dict(
            {"routes": [dict({"path": "/", "service": "web"}, **route)]}, **(config or {})))

    def ask(self, front, source=None, port=None, **headers):
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        with RawClient(port or front.port, source=source) as client:
            client.send(build("GET", "/", pairs, close=True))
            return client.read_answer()

    def assertDenied(self, answer):
        self.assertEqual((answer.status, answer.reason), (403, "address_denied"))


class Addresses(Edge):
    def test_of_a_route(self):
        front = self.front(allow_from=["127.0.0.0/29"], deny_from=["127.0.0.3"])
        for source, allowed in (("127.0.0.1", True), ("127.0.0.7", True), ("127.0.0.3", False),
                                ("127.0.0.8", False)):
            with self.subTest(source):
                answer = self.ask(front, source)
                if allowed:
                    self.assertEqual(answer.status, 200)
                else:
                    self.assertDenied(answer)
        self.assertEqual(self.web.count, 2)

    def test_deny_alone_lets_the_others_in(self):
        front = self.front(deny_from=["127.0.0.2"])
        self.assertEqual(self.ask(front, "127.0.0.1").status, 200)
        self.assertDenied(self.ask(front, "127.0.0.2"))

    def test_for_all_before_anything_is_known_of_routes(self):
        front = self.front({"deny_from": ["127.0.0.2"]}, path="/known", max_body=1)
        for target in ("/known", "/unknown"):
            with self.subTest(target), RawClient(front.port, source="127.0.0.2") as client:
                client.send(build("GET", target) * 2)
                for _ in range(2):
                    self.assertDenied(client.read_answer())
                client.send(build("PUT", target, body=b"too large"))
                self.assertDenied(client.read_answer())
        self.assertEqual(front.get("/unknown").status, 404)

    def test_of_a_listener(self):
        outer, inner = free_port(), free_port()
        front = self.front({"listeners": [
            {"address": "127.0.0.1:%d" % outer, "deny_from": ["127.0.0.2"]},
            {"address": "[::]:%d" % inner, "allow_from": ["127.0.0.2"]}]})
        self.assertDenied(self.ask(front, "127.0.0.2", outer))
        self.assertEqual(self.ask(front, "127.0.0.1", outer).status, 200)
        # The same address on a listener that sees it as ::ffff:127.0.0.2.
        self.assertEqual(self.ask(front, "127.0.0.2", inner).status, 200)
        self.assertDenied(self.ask(front, "127.0.0.1", inner))

    def test_explain(self):
        front = self.front({"deny_from": ["192.0.2.9"]}, allow_from=["192.0.2.0/24"])
        for client, kind in (("192.0.2.1", "forward"), ("192.0.2.9", "refuse"), ("::1", "refuse")):
            with self.subTest(client):
                told = front.admin_json("/v1/explain?method=GET&url=/&client=" + client)
                self.assertEqual(told["outcome"]["kind"], kind)
                self.assertEqual(told["outcome"]["reason"],
                                 "address_denied" if kind == "refuse" else None)
                self.assertTrue(told["matched"]["by_address"])
                self.assertIsNone(told["matched"]["cors"])

    def test_the_client_that_a_trusted_proxy_names(self):
        front = self.front({"trusted_proxies": ["127.0.0.0/30"], "access_log": "stdout"},
                           allow_from=["192.0.2.0/24", "2001:db8::/32"])
        for source, fields, allowed in (
                ("127.0.0.1", {"X_Forwarded_For": "192.0.2.1"}, True),
                ("127.0.0.1", {"X_Forwarded_For": "192.0.2.1, 127.0.0.2"}, True),
                ("127.0.0.1", {"X_Forwarded_For": "192.0.2.1, 198.51.100.1"}, False),
                ("127.0.0.1", {"X_Forwarded_For": "192.0.2.1, junk"}, False),
                ("127.0.0.1", {}, False),
                ("127.0.0.1", {"Forwarded": "for=192.0.2.1"}, True),
                ("127.0.0.1", {"Forwarded": 'for="[2001:db8::7]:80"'}, True),
                ("127.0.0.1", {"Forwarded": "for=192.0.2.1", "X_Forwarded_For": "::1"}, False),
                ("127.0.0.1", {"Connection": "x-forwarded-for", "X_Forwarded_For": "192.0.2.1"}, True),
                ("127.0.0.9", {"X_Forwarded_For": "192.0.2.1"}, False)):
            with self.subTest(source=source, fields=fields):
                answer = self.ask(front, source, **fields)
                if allowed:
                    self.assertEqual(answer.status, 200)
                else:
                    self.assertDenied(answer)
        front.wait_logged(client="192.0.2.1", peer="127.0.0.1", status=200)
        front.wait_logged(client="2001:db8::7", peer="127.0.0.1", status=200)
        front.wait_logged(client="127.0.0.9", status=403, reason="address_denied")

    def test_connection_cannot_take_off_what_a_trusted_proxy_says(self):
        """A proxy that passes Connection on would else make its clients nameless to the service."""
        front = self.front({"trusted_proxies": ["127.0.0.1"]})
        self.ask(front, Connection="x-forwarded-for, x-forwarded-proto",
                 X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https")
        seen = self.web.requests[-1]
        self.assertEqual(seen.header_all("X-Forwarded-For"), ["192.0.2.1, 127.0.0.1"])
        self.assertEqual(seen.header_all("X-Forwarded-Proto"), ["https"])


class Bodies(Edge):
    def test_types(self):
        front = self.front(content_types=["application/json", "image/*", "application/*+json"])
        for content_type, allowed in (
                ("application/json", True), ("Application/JSON; charset=utf-8", True),
                ("image/png", True), ("application/problem+json", True), ("text/plain", False),
                ("application/json, text/plain", False), ("application/jsonx", False),
                ("application/json; charset", False), ("json", False), ("", False), (None, False)):
            with self.subTest(content_type):
                headers = {} if content_type is None else {"Content-Type": content_type}
                answer = front.request("POST", "/", headers=headers, body=b"{}")
                if allowed:
                    self.assertEqual(answer.status, 200)
                    continue
                self.assertEqual((answer.status, answer.reason), (415, "media_type_unsupported"))
                self.assertEqual(answer.header("Accept"),
                                 "application/json, image/*, application/*+json")

    def test_two_types_are_none(self):
        front = self.front(content_types=["*/*"])
        pairs = [("Content-Type", "a/b"), ("Content-Type", "a/b")]
        self.assertEqual(front.request("POST", "/", headers=pairs, body=b"x").status, 415)

    def test_chunked_counts_and_no_body_does_not(self):
        front = self.front(content_types=["application/json"])
        self.assertEqual(front.get("/").status, 200)
        self.assertEqual(front.request("POST", "/", body=b"").status, 200)
        with front.connect() as client:
            client.send(build("POST", "/", [("Transfer-Encoding", "chunked")]) + b"1\r\nx\r\n0\r\n\r\n")
            self.assertEqual(client.read_answer().status, 415)

    def test_query(self):
        front = self.front(max_query=5)
        self.assertEqual(front.get("/?12345").status, 200)
        answer = front.get("/?123456")
        self.assertEqual((answer.status, answer.reason), (414, "uri_too_long"))


class SecurityHeaders(Edge):
    STRICT = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
              "Referrer-Policy": "strict-origin-when-cross-origin",
              "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
              "Cross-Origin-Opener-Policy": "same-origin",
              "Cross-Origin-Resource-Policy": "same-origin"}

    def shown(self, answer):
        names = list(self.STRICT) + ["Content-Security-Policy", "Cross-Origin-Embedder-Policy"]
        return {name: ", ".join(answer.header_all(name)) for name in names if answer.header(name)}

    def test_strict(self):
        self.web.always(reply(headers=[("Server", "x/1.0"), ("X-Powered-By", "y"), ("ETag", '"z"')]))
        front = self.front({"security_headers": "strict"}, path="/a")
        answer = front.get("/a")
        self.assertEqual(self.shown(answer), self.STRICT)
        self.assertIsNone(answer.header("Server"))
        self.assertIsNone(answer.header("X-Powered-By"))
        self.assertEqual(answer.header("ETag"), '"z"')
        self.assertEqual(self.shown(front.get("/none")), self.STRICT)
        with front.connect() as client:
            client.send(b"BAD\r\n\r\n")
            self.assertEqual(self.shown(client.read_answer()), self.STRICT)

    def test_none_is_the_default(self):
        self.web.always(reply(headers=[("Server", "x/1.0")]))
        answer = self.front().get("/")
        self.assertEqual(self.shown(answer), {})
        self.assertEqual(answer.header("Server"), "x/1.0")

    def test_the_service_and_the_route_say_more(self):
        self.web.always(reply(headers=[("x-frame-options", "SAMEORIGIN"), ("Referrer-Policy", "origin")]))
        changes = {"set": {"Cross-Origin-Opener-Policy": "unsafe-none"},
                   "remove": ["Permissions-Policy"]}
        shown = self.shown(self.front({"security_headers": "strict"}, response_headers=changes).get("/"))
        wanted = dict(self.STRICT, **{"X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "origin",
                                      "Cross-Origin-Opener-Policy": "unsafe-none"})
        del wanted["Permissions-Policy"]
        self.assertEqual(shown, wanted)

    def test_override(self):
        self.web.always(reply(headers=[("x-frame-options", "SAMEORIGIN"), ("X-Frame-Options", "x")]))
        front = self.front(security_headers={"frame_options": "DENY", "override": True})
        self.assertEqual(self.shown(front.get("/")), {"X-Frame-Options": "DENY"})

    def test_of_a_route(self):
        config = {"security_headers": "strict", "routes": [
            {"path": "/bare", "service": "web", "security_headers": "none"},
            {"path": "/page", "service": "web", "security_headers": {
                "content_security_policy": "default-src 'self'", "frame_options": "off"}}]}
        front = self.static_gateway([self.web], config=config)
        self.assertEqual(self.shown(front.get("/bare")), {})
        wanted = dict(self.STRICT, **{"Content-Security-Policy": "default-src 'self'"})
        del wanted["X-Frame-Options"]
        self.assertEqual(self.shown(front.get("/page")), wanted)

    def test_fallbacks(self):
        self.web.always(reply(headers=[("X-Frame-Options", "SAMEORIGIN"), ("Server", "x"),
                                       ("Cache-Control", "max-age=60")]))
        front = self.static_gateway([self.web], config={"security_headers": "strict", "routes": [
            {"path": "/stored", "service": "web",
             "fallback": [{"cache": {"max_age": "1h"}, "on": ["connect_failed"]}]},
            {"path": "/written", "service": "web", "fallback": [{"on": ["connect_failed"], "static": {
                "status": 200, "body": "x", "headers": {"Referrer-Policy": "origin"}}}]}]})
        front.get("/stored")
        self.web.kill()
        answer = front.get("/stored")
        self.assertTrue(answer.header("Frontdesk-Fallback"))
        self.assertEqual(self.shown(answer), dict(self.STRICT, **{"X-Frame-Options": "SAMEORIGIN"}))
        self.assertIsNone(answer.header("Server"))
        self.assertEqual(self.shown(front.get("/written")),
                         dict(self.STRICT, **{"Referrer-Policy": "origin"}))


class Mistakes(Edge):
    def test_a_reload_with_a_mistake_changes_nothing(self):
        front = self.front(deny_from=["127.0.0.2"])
        front.configure({"deny_from": ["nonsense"]})
        front.reload()
        wait_for(lambda: "is not an IP address or network" in front.log(), what="the mistake named")
        self.assertDenied(self.ask(front, "127.0.0.2"))
        self.assertEqual(self.ask(front).status, 200)
