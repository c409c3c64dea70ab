# SPDX-License-Identifier: Apache-2.0
"""Which request goes where: routes from tags and meta, from the configuration, and their order."""
from lib import Scenario, wait_for


class FromTheCatalog(Scenario):
    def target(self, gateway, path, **options):
        """The path that the service saw."""
        return gateway.wait_status(path, 200, **options).json()["target"]

    def test_native_tags(self):
        self.instance("orders", "a", tags=["frontdesk.path=/shop/orders/", "frontdesk.strip=true",
                                           "frontdesk.host=shop.example",
                                           "frontdesk.methods=GET,HEAD"])
        gateway = self.gateway()
        self.assertEqual(self.target(gateway, "/shop/orders/7?full=1"), "/7?full=1")
        self.assertEqual(gateway.get("/shop/orders/7", host="other.example").status, 404)
        answer = gateway.request("POST", "/shop/orders/7", body=b"x")
        self.assertEqual((answer.status, answer.reason), (405, "method_not_allowed"))
        self.assertEqual(answer.header("Allow"), "GET, HEAD")

    def test_several_named_routes_of_one_service(self):
        self.instance("orders", "a", tags=["frontdesk.api.path=/api/{id}", "frontdesk.api.rewrite=/v2/{id}",
                                           "frontdesk.web.path=/web", "frontdesk.web.strip=true",
                                           "frontdesk.web.prepend=/site"])
        gateway = self.gateway()
        self.assertEqual(self.target(gateway, "/api/7"), "/v2/7")
        self.assertEqual(self.target(gateway, "/web/page"), "/site/page")

    def test_meta(self):
        self.instance("orders", "a", tags=["frontdesk"],
                      meta={"frontdesk-path": "/by-meta/", "frontdesk-strip": "true"})
        gateway = self.gateway()
        self.assertEqual(self.target(gateway, "/by-meta/x"), "/x")

    def test_fabio_tags(self):
        self.instance("orders", "a", tags=["urlprefix-/fabio strip=/fabio",
                                           "urlprefix-old.example/ redirect=301,https://new.example$path"])
        gateway = self.gateway()
        self.assertEqual(self.target(gateway, "/fabio/x?q=1"), "/x?q=1")
        self.assertEqual(gateway.get("/fabiola").status, 200)  # a plain prefix of bytes, as in fabio
        answer = gateway.get("/a/b", host="old.example")
        self.assertEqual((answer.status, answer.header("Location")), (301, "https://new.example/a/b"))

    def test_fabio_tags_can_be_switched_off(self):
        self.instance("fabio", "a", tags=["urlprefix-/fabio"])
        self.instance("orders", "b")
        gateway = self.gateway({"consul": {"fabio_prefix": ""}})
        gateway.wait_status("/orders/", 200)
        self.assertEqual(gateway.get("/fabio").status, 404)

    def test_expose_all(self):
        self.instance("plain", "a", tags=[])
        gateway = self.gateway({"consul": {"expose": "all"}})
        self.assertEqual(gateway.wait_status("/plain/x", 200).header("X-Origin"), "a")

    def test_expose_tagged_leaves_others_alone(self):
        self.instance("plain", "a", tags=["primary"])
        self.instance("orders", "b")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        self.assertEqual(gateway.get("/plain/").status, 404)
        self.assertNotIn("plain", gateway.services())

    def test_expose_none_serves_what_routes_name(self):
        self.instance("orders", "a")
        gateway = self.gateway({"consul": {"expose": "none"},
                                "routes": [{"path": "/here/", "service": "orders"}]})
        gateway.wait_status("/here/", 200)
        self.assertEqual(gateway.get("/orders/").status, 404)

    def test_a_bad_tag_is_shown_and_takes_nothing_with_it(self):
        self.instance("orders", "a", tags=["frontdesk.path=/orders/", "frontdesk.odd.path=no-slash"])
        self.instance("carts", "b")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        gateway.wait_status("/carts/", 200)
        for problems in (gateway.status()["problems"], gateway.routes()["problems"]):
            self.assertEqual([p["service"] for p in problems], ["orders"])
            self.assertIn("odd", problems[0]["subject"])
            self.assertTrue(problems[0]["why"])
        self.instance("orders", "a", tags=["frontdesk.path=/orders/"])
        wait_for(lambda: gateway.status()["problems"] == [], 5, "no problem")

    def test_changed_tags_change_the_route(self):
        origin = self.instance("orders", "a", tags=["frontdesk.path=/old/"])
        gateway = self.gateway()
        gateway.wait_status("/old/", 200)
        self.instance("orders", "a", origin=origin, tags=["frontdesk.path=/new/"])
        gateway.wait_status("/new/", 200, timeout=3)
        gateway.wait_status("/old/", 404, timeout=3)

    def test_unhealthy_service_never_falls_through_to_another(self):
        self.instance("web", "web", tags=["frontdesk.path=/"])
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a"})
        self.consul.set_health("a", "critical")
        answer = gateway.wait_status("/orders/7", 503, timeout=3)
        self.assertEqual(answer.reason, "no_healthy_instance")
        self.assertEqual(set(gateway.spread("/orders/7", 20)), {"no_healthy_instance"})
        self.assertEqual(gateway.get("/else").header("X-Origin"), "web")
        self.consul.deregister("a")
        self.assertEqual(set(gateway.spread("/orders/7", 20)), {"no_healthy_instance"})

    def test_route_of_a_service_that_is_not_there_is_503(self):
        self.instance("web", "web", tags=["frontdesk.path=/"])
        gateway = self.gateway({"routes": [{"path": "/missing/", "service": "missing"}]})
        gateway.wait_status("/", 200)
        answer = gateway.get("/missing/x")
        self.assertEqual((answer.status, answer.reason), (503, "no_healthy_instance"))

    def test_unknown_policy_denies(self):
        origin = self.instance("orders", "a",
                               tags=["frontdesk.path=/orders/", "frontdesk.auth=unknown"])
        gateway = self.gateway()
        answer = gateway.wait_status("/orders/", 403)
        self.assertEqual(answer.reason, "forbidden")
        self.assertEqual(origin.count, 0)


class FromTheConfiguration(Scenario):
    """Every route has a service of its own, named as what it stands for."""

    def routed(self, *routes):
        """routes: (service, {conditions}); one origin each."""
        services, list_ = {}, []
        for service, route in routes:
            if service not in services:
                services[service] = {"instances": [self.origin(service).address]}
            list_.append(dict(route, service=service))
        gateway = self.gateway({"services": services, "routes": list_}, consul=None)
        return lambda path, method="GET", **options: self.who(gateway.request(method, path, **options))

    @staticmethod
    def who(answer):
        return answer.header("X-Origin") or answer.reason

    def check(self, ask, rows):
        for path, options, expected in rows:
            with self.subTest(path=path, **{k: str(v) for k, v in options.items()}):
                self.assertEqual(ask(path, **options), expected)

    def test_path(self):
        ask = self.routed(("exact", {"path": "/a/b", "match": "exact"}), ("short", {"path": "/a"}),
                          ("long", {"path": "/a/b/c"}), ("pattern", {"path": "/p/{id}/x"}),
                          ("rest", {"path": "/p/{all...}"}))
        self.check(ask, [
            ("/a/b", {}, "exact"), ("/a/b/", {}, "short"), ("/a", {}, "short"), ("/a/x", {}, "short"),
            ("/ab", {}, "no_route"), ("/a/b/c", {}, "long"), ("/a/b/c/d", {}, "long"),
            ("/a/b/cd", {}, "short"), ("/p/7/x", {}, "pattern"), ("/p/7/y", {}, "rest"),
            ("/", {}, "no_route"), ("/A/b", {}, "no_route"), ("/a/%62", {}, "exact")])

    def test_host(self):
        ask = self.routed(("exact", {"host": "shop.example"}), ("wild", {"host": "*.shop.example"}),
                          ("port", {"host": "shop.example:8443"}), ("any", {"path": "/any"}))
        self.check(ask, [
            ("/", {"host": "shop.example"}, "exact"), ("/", {"host": "SHOP.example"}, "exact"),
            ("/", {"host": "shop.example:80"}, "exact"), ("/", {"host": "shop.example:8443"}, "port"),
            ("/", {"host": "a.shop.example"}, "wild"), ("/", {"host": "a.b.shop.example"}, "wild"),
            ("/", {"host": "ashop.example"}, "no_route"), ("/any", {"host": "else.example"}, "any"),
            ("/any", {"host": "shop.example"}, "exact")])

    def test_method(self):
        ask = self.routed(("read", {"path": "/m", "methods": ["GET", "HEAD"]}),
                          ("write", {"path": "/m", "methods": ["PUT"]}))
        self.check(ask, [("/m", {"method": "GET"}, "read"), ("/m", {"method": "PUT"}, "write"),
                         ("/m", {"method": "DELETE"}, "method_not_allowed")])

    def test_405_names_every_method_that_would_do(self):
        origin = self.origin("a")
        gateway = self.gateway({
            "services": {"a": {"instances": [origin.address]}},
            "routes": [{"name": "1", "path": "/m", "methods": ["GET"], "service": "a"},
                       {"name": "2", "path": "/m", "methods": ["PUT", "POST"], "service": "a"}]},
            consul=None)
        answer = gateway.request("DELETE", "/m")
        self.assertEqual(answer.status, 405)
        self.assertEqual(set(answer.header("Allow").split(", ")), {"GET", "HEAD", "PUT", "POST"})

    def test_header_and_query(self):
        ask = self.routed(
            ("plain", {"path": "/c"}),
            ("canary", {"path": "/c", "headers": [{"name": "X-Canary", "value": "yes"}]}),
            ("beta", {"path": "/c", "headers": [{"name": "x-ver", "prefix": "2."}]}),
            ("debug", {"path": "/c", "query": [{"name": "debug", "present": True}]}),
            ("both", {"path": "/c", "headers": [{"name": "X-Canary", "value": "yes"}],
                      "query": [{"name": "debug", "present": True}]}),
            ("not", {"path": "/n", "headers": [{"name": "x-a", "value": "1", "invert": True}]}))
        self.check(ask, [
            ("/c", {}, "plain"), ("/c", {"headers": {"x-canary": "yes"}}, "canary"),
            ("/c", {"headers": {"x-canary": "no"}}, "plain"), ("/c", {"headers": {"X-Ver": "2.1"}}, "beta"),
            ("/c?debug", {}, "debug"), ("/c?debug=1&a=b", {}, "debug"), ("/c?debugger=1", {}, "plain"),
            ("/c?debug", {"headers": {"X-Canary": "yes"}}, "both"),
            ("/n", {}, "not"), ("/n", {"headers": {"X-A": "2"}}, "not"),
            ("/n", {"headers": {"X-A": "1"}}, "no_route")])

    def test_priority_before_path(self):
        ask = self.routed(("long", {"path": "/a/b"}), ("first", {"path": "/a", "priority": 5}))
        self.check(ask, [("/a/b/c", {}, "first")])

    def test_configuration_before_tags(self):
        self.instance("tagged", "tagged", tags=["frontdesk.path=/same/"])
        mine = self.origin("mine")
        gateway = self.gateway({"services": {"mine": {"instances": [mine.address]}},
                                "routes": [{"path": "/same/", "service": "mine"}]})
        wait_for(lambda: "tagged" in gateway.services(), 5, "the tagged service")
        self.assertEqual(set(gateway.spread("/same/x", 10)), {"mine"})

    def test_redirect(self):
        gateway = self.gateway({"routes": [
            {"host": "www.shop.example", "path": "/",
             "redirect": {"status": 308, "to": "https://shop.example$path"}},
            {"path": "/item/{id}", "redirect": {"to": "/items?id={id}"}}]}, consul=None)
        answer = gateway.get("/a/b", host="www.shop.example")
        self.assertEqual((answer.status, answer.header("Location")), (308, "https://shop.example/a/b"))
        answer = gateway.request("POST", "/item/7", body=b"hello")
        self.assertEqual((answer.status, answer.header("Location")), (302, "/items?id=7"))


class Split(Scenario):
    def split(self, weights, sticky=None):
        services, sides = {}, []
        for name, weight in weights.items():
            services[name] = {"instances": [self.origin(name).address]}
            sides.append({"service": name, "weight": weight})
        route = {"path": "/", "split": sides}
        if sticky:
            route["sticky"] = sticky
        return self.gateway({"services": services, "routes": [route]}, consul=None)

    def test_shares_follow_the_weights(self):
        gateway = self.split({"old": 75, "new": 25, "off": 0})
        seen = gateway.spread("/", 400)
        self.assertEqual(set(seen), {"old", "new"})
        self.assertTrue(60 <= seen["new"] <= 145, seen)  # 100 expected; beyond this: one in 10,000

    def test_cookie_keeps_a_client_on_its_side(self):
        gateway = self.split({"old": 50, "new": 50}, sticky={"cookie": "session"})
        sides = set()
        for client in range(24):
            seen = gateway.spread("/", 6, headers={"Cookie": "a=b; session=s%d; c=d" % client})
            self.assertEqual(len(seen), 1, "client %d: %s" % (client, seen))
            sides |= set(seen)
        self.assertEqual(sides, {"old", "new"})

    def test_header_keeps_a_client_on_its_side(self):
        gateway = self.split({"old": 50, "new": 50}, sticky={"header": "X-User"})
        for client in range(6):
            self.assertEqual(len(gateway.spread("/", 6, headers={"X-User": "u%d" % client})), 1)
