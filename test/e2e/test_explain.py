# SPDX-License-Identifier: Apache-2.0
"""`frontdesk explain` and /v1/explain: what the gateway says that it would do is what it does."""
import json
import urllib.parse

from lib import Scenario, reply, run_command, wait_for

REQUESTS = (
    ("GET", "/orders/7", "h", {}),
    ("GET", "/orders/./../orders//7?x=1", "h", {}),
    ("PUT", "/orders/7", "h", {}),
    ("GET", "/orders/7", "shop.example", {}),
    ("GET", "/orders/7", "shop.example:81", {"X-Beta": "yes"}),
    ("GET", "/exact", "h", {}),
    ("GET", "/exact/", "h", {}),
    ("GET", "/user/7/posts", "h", {}),
    ("GET", "/user/7/posts?version=2", "h", {}),
    ("DELETE", "/user/7/posts", "h", {}),
    ("GET", "/nowhere", "h", {}),
    ("GET", "/old/path?q=1", "h", {}),
)


class Explain(Scenario):
    def start(self, config=None):
        self.web, self.orders = self.origin("web"), self.origin("orders")
        full = {
            "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]},
                         "orders": {"instances": ["127.0.0.1:%d" % self.orders.port]}},
            "routes": [
                {"path": "/orders/", "service": "orders", "methods": ["GET"], "prepend": "/v2"},
                {"host": "shop.example", "path": "/", "service": "web"},
                {"host": "shop.example", "path": "/", "service": "orders",
                 "headers": [{"name": "X-Beta", "present": True}]},
                {"path": "/exact", "match": "exact", "service": "web"},
                {"path": "/user/{id}/posts", "service": "web", "rewrite": "/posts/{id}"},
                {"path": "/user/{id}/posts", "service": "orders",
                 "query": [{"name": "version", "value": "2"}], "methods": ["GET"]},
                {"path": "/old/", "redirect": {"status": 308, "to": "https://shop.example$path"}},
            ]}
        for key, value in (config or {}).items():
            full[key] = dict(full[key], **value) if isinstance(value, dict) else value
        return self.gateway(full, consul=None)

    def explain(self, gateway, method, url, headers=None, client=None):
        pairs = [("method", method), ("url", url)]
        pairs += [("header", "%s: %s" % pair) for pair in (headers or {}).items()]
        pairs += [("client", client)] if client else []
        return gateway.admin_json("/v1/explain?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote))

    def command(self, gateway, *arguments):
        return run_command("explain", *arguments, "-a", "127.0.0.1:%d" % gateway.admin_port)

    def test_it_says_what_happens(self):
        """Each request is explained, then sent: same status and reason, same service, path and Host."""
        gateway = self.start()
        for method, target, host, headers in REQUESTS:
            with self.subTest(method=method, target=target, host=host):
                said = self.explain(gateway, method, "http://%s%s" % (host, target), headers)
                before = {"web": self.web.count, "orders": self.orders.count}
                answer = gateway.request(method, target, headers=headers, host=host)
                outcome = said["outcome"]
                if outcome["kind"] == "forward":
                    self.assertEqual(answer.header("X-Origin"), outcome["service"])
                    got = getattr(self, outcome["service"]).requests[-1]
                    self.assertEqual(got.path, said["forwarded_path"])
                    self.assertEqual(got.header("Host"), said["services"][0]["forwarded_host"])
                    self.assertEqual(answer.status, 200)
                else:
                    self.assertEqual((answer.status, answer.reason), (outcome["status"], outcome["reason"]))
                    self.assertEqual(answer.header("Location"), said["location"])
                    self.assertEqual(before, {"web": self.web.count, "orders": self.orders.count})

    def test_nothing_is_sent_or_moved(self):
        gateway = self.start()
        for _ in range(10):
            self.explain(gateway, "GET", "http://h/orders/7")
        self.assertEqual(self.orders.count, 0)
        self.assertEqual(gateway.service("orders")["requests"], 0)

    def test_why_the_others_lost(self):
        gateway = self.start()
        rows = (
            ("GET", "http://shop.example/orders/7", "/orders/", "more_specific_host", None),
            ("GET", "http://shop.example/x", "shop.example/", "header", "X-Beta"),
            ("PUT", "http://h/orders/7", "/orders/", "method", None),
            ("GET", "http://h/user/7/posts", "/user/{id}/posts", "query", "version"),
            ("GET", "http://h/exact/x", "/exact", "path", None),
        )
        for method, url, name, loss, field in rows:
            with self.subTest(url=url):
                others = self.explain(gateway, method, url)["others"]
                found = [o for o in others if o["name"].startswith(name) and o["lost_by"] == loss]
                self.assertTrue(found, others)
                self.assertEqual(found[0]["field"], field)
                self.assertRegex(found[0]["source"], r"^frontdesk\.yaml:\d+$")

    def test_refusals(self):
        gateway = self.start()
        for query in ("", "?url=", "?url=ftp://a/b", "?url=/a%0d%0aX:1", "?url=/&method=G%20T",
                      "?url=/&header=X", "?url=/&header=%3A", "?url=/&header=X:1%0d%0aY:2", "?url=/&client=x",
                      "?url=/" + "&header=X:1" * 65, "?url=http://h/%2e%2e/"):
            with self.subTest(query=query[:40]):
                answer = gateway.admin_get("/v1/explain" + query)
                self.assertEqual(answer.status, 400)
                self.assertIn("error", answer.json())

    def test_consistent_hash_names_the_instance(self):
        origins = [self.origin(name) for name in "abcd"]
        gateway = self.static_gateway(origins, settings={
            "balance": {"policy": "consistent_hash", "hash": {"header": "X-User"}}})
        names = {"127.0.0.1:%d" % origin.port: origin.name for origin in origins}
        for user in range(12):
            said = self.explain(gateway, "GET", "http://h/", {"X-User": "u%d" % user})
            self.assertTrue(said["outcome"]["certain"])
            answer = gateway.get("/", headers={"X-User": "u%d" % user})
            self.assertEqual(answer.header("X-Origin"), names[said["outcome"]["instance"]])
        said = self.explain(gateway, "GET", "http://h/")
        self.assertFalse(said["outcome"]["certain"])
        self.assertEqual(sum(1 for i in said["services"][0]["instances"] if 0 < i["chance"] < 1), 4)

    def test_a_sticky_split(self):
        gateway = self.start({"routes": [{"path": "/", "sticky": {"cookie": "id"}, "split": [
            {"service": "web", "weight": 50}, {"service": "orders", "weight": 50}]}]})
        sides = set()
        for user in range(12):
            headers = {"Cookie": "id=%d" % user}
            said = self.explain(gateway, "GET", "http://h/", headers)
            self.assertEqual([s["share"] for s in said["services"]], [0.5, 0.5])
            self.assertTrue(said["outcome"]["certain"])
            answer = gateway.get("/", headers=headers)
            self.assertEqual(answer.header("X-Origin"), said["outcome"]["service"])
            sides.add(said["outcome"]["service"])
        self.assertEqual(sides, {"web", "orders"})
        self.assertFalse(self.explain(gateway, "GET", "http://h/")["outcome"]["certain"])

    def test_an_open_breaker_and_its_fallback(self):
        gateway = self.start({"services": {"orders": {
            "instances": ["127.0.0.1:%d" % self.free()], "retries": {"attempts": 1},
            "outlier": {"enabled": False}, "fallback": [{"static": {"status": 503, "body": "sorry"}}],
            "breaker": {"minimum_requests": 3, "open_for": "5m", "max_open_for": "5m"}}}})
        for _ in range(5):
            gateway.get("/orders/7", host="h")
        wait_for(lambda: gateway.breaker("orders")["state"] == "open", 5, "open")
        rejected = gateway.breaker("orders")["rejected"]
        said = self.explain(gateway, "GET", "http://h/orders/7")
        self.assertEqual((said["outcome"]["status"], said["outcome"]["reason"]), (503, "breaker_open"))
        self.assertEqual(said["outcome"]["fallback"], "static")
        self.assertTrue(said["services"][0]["circuit"]["would_reject_now"])
        self.assertEqual(gateway.breaker("orders")["rejected"], rejected)
        status, output, _ = self.command(gateway, "GET", "http://h/orders/7")
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^breaker +open: would reject it now")
        self.assertRegex(output, r"(?m)^outcome +the gateway answers 503 breaker_open")

    def free(self):
        origin = self.origin("gone")
        origin.refuse()
        return origin.port

    def test_an_ejected_instance(self):
        origins = [self.origin(name) for name in "ab"]
        gateway = self.static_gateway(origins, settings={
            "outlier": {"consecutive_failures": 2, "base_ejection": "5m", "max_ejection": "5m"},
            "breaker": {"enabled": False}, "retries": {"attempts": 1}, "balance": "round_robin"})
        origins[0].always(reply(500))
        for _ in range(12):
            gateway.get("/")
        bad = "127.0.0.1:%d" % origins[0].port
        wait_for(lambda: gateway.instances("web")[bad]["ejected"], 5, "ejected")
        said = {i["id"]: i for i in self.explain(gateway, "GET", "http://h/")["services"][0]["instances"]}
        self.assertEqual((said[bad]["why_not"], said[bad]["could_be_chosen"], said[bad]["chance"]),
                         ("ejected", False, 0))

    def test_the_command(self):
        gateway = self.start()
        status, output, errors = self.command(gateway, "GET", "http://shop.example/orders/7?x=1",
                                              "-H", "X-Beta: 1", "--client", "10.9.8.7")
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, r"(?m)^request +GET http://shop\.example/orders/7\?x=1 .* from 10\.9\.8\.7$")
        self.assertRegex(output, r"(?m)^service +orders$")
        self.assertRegex(output, r"(?m)^outcome +goes to orders, instance 127\.0\.0\.1:\d+$")
        self.assertRegex(output, r"(?m)^  not +shop\.example/ .*: fits, but it has fewer conditions$")
        labels = [line.split()[0] for line in output.splitlines() if line[0] != " "]
        self.assertEqual(labels, ["request", "route", "auth", "service", "breaker", "limit", "timeouts",
                                  "retries", "sent", "instances", "outcome"])

    def test_the_command_in_json(self):
        gateway = self.start()
        status, output, _ = self.command(gateway, "GET", "/exact", "-H", "Host: h", "--json")
        self.assertEqual((status, json.loads(output)["outcome"]["service"]), (0, "web"))
        status, output, _ = self.command(gateway, "PUT", "http://h/orders/")
        self.assertEqual(status, 3)
        self.assertIn("the path has routes, but for GET, HEAD", output)
        status, output, _ = self.command(gateway, "GET", "http://h/old/x")
        self.assertEqual(status, 0)
        self.assertIn("308 to https://shop.example/old/x", output)
        status, output, errors = self.command(gateway, "GET", "ftp://h/")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("url:", errors)

    def test_a_route_of_a_tag_names_it(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        said = self.explain(gateway, "GET", "http://h/orders/")
        self.assertIn("tag frontdesk.path=/orders/", said["matched"]["source"])
        self.assertEqual(said["services"][0]["instances"][0]["node"], "node-1")
        self.consul.set_health("a", "critical")
        gateway.wait_status("/orders/", 503)
        said = self.explain(gateway, "GET", "http://h/orders/")
        self.assertEqual((said["outcome"]["reason"], said["outcome"]["instance"]),
                         ("no_healthy_instance", None))
        self.assertEqual(said["services"][0]["instances"][0]["why_not"], "critical")
