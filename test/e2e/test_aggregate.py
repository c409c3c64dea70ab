# SPDX-License-Identifier: Apache-2.0
"""Several services answer one request: order, shape, what is missing and why, writes and what takes them back."""
import json
import os
import tempfile

from lib import Parallel, Scenario, cut, free_port, gate, hang, reply, reset, run_command, wait_for
from lib.h2_raw import H2Client
from test_basic import ADA, EVE, basic

USER = b'{"id":7,"name":"Ada","balance":12345678901234567890,"rate":1.50}'
ORDERS = b'{"items":[{"id":31,"total":9.50,"status":"paid","secret":1},{"id":32,"total":1,"status":"open","secret":2}]}'
PARCELS = b'[{"parcel":"p1"}]'


def says(body, **options):
    return reply(200, body, headers=[("Content-Type", "application/json")], **options)


class Screens(Scenario):
    PARTS = {"user": {"service": "users", "path": "/users/{id}", "required": True},
             "orders": {"service": "orders", "path": "/orders?user={id}&limit=5", "select": "items[*].{id,total,status}"},
             "shipping": {"service": "shipping", "path": "/shipments?order={orders.items[0].id}", "after": "orders",
                          "fallback": []}}

    def screen(self, parts=None, route=None, services=None, aggregate=None, **config):
        self.users, self.orders, self.shipping = (self.origin(name) for name in ("users", "orders", "shipping"))
        self.users.always(says(USER))
        self.orders.always(says(ORDERS))
        self.shipping.always(says(PARCELS))
        names = {"users": self.users, "orders": self.orders, "shipping": self.shipping}
        self.config = dict({
            "workers": 1, "access_log": "stdout",
            "services": {name: dict({"instances": [origin.address], "retries": {"attempts": 1}},
                                    **(services or {}).get(name, {})) for name, origin in names.items()},
            "routes": [dict({"path": "/screens/profile/{id}",
                             "aggregate": dict({"parts": parts or self.PARTS}, **aggregate or {})}, **route or {})]},
            **config)
        self.front = self.gateway(self.config, consul=None)
        return self.front

    def get(self, target="/screens/profile/7", **options):
        return self.front.get(target, **options)

    def partial(self, answer):
        return [(e["part"], e["reason"]) for e in answer.json().get("errors", [])]


class Composed(Screens):
    def test_one_answer_of_three(self):
        self.screen()
        answer = self.get()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, b'{"user":' + USER + b',"orders":[{"id":31,"total":9.50,"status":"paid"},'
                         b'{"id":32,"total":1,"status":"open"}],"shipping":' + PARCELS + b'}')
        self.assertEqual(answer.header("Content-Type"), "application/json")
        self.assertIsNone(answer.header("Frontdesk-Partial"))
        self.assertEqual([r.target for r in self.users.requests], ["/users/7"])
        self.assertEqual([r.target for r in self.orders.requests], ["/orders?user=7&limit=5"])
        self.assertEqual([r.target for r in self.shipping.requests], ["/shipments?order=31"])

    def test_what_the_services_see(self):
        self.screen()
        self.get(headers={"Accept-Language": "de", "Accept": "text/html", "Accept-Encoding": "gzip", "Range": "bytes=0-1",
                          "X-Request-Id": "abc-123", "If-None-Match": '"x"', "X-Request-Deadline": "never"})
        seen = self.users.requests[0]
        self.assertEqual(seen.header("Accept-Language"), "de")
        self.assertEqual(seen.header_all("Accept"), ["application/json"])
        self.assertEqual(seen.header_all("Accept-Encoding"), ["identity"])
        self.assertEqual(seen.header("X-Request-Id"), "abc-123")
        self.assertIsNone(seen.header("Range"))
        self.assertIsNone(seen.header("If-None-Match"))
        self.assertRegex(seen.header("X-Request-Deadline"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(seen.header("X-Forwarded-For"), "127.0.0.1")

    def test_side_by_side(self):
        self.screen(parts={"a": {"service": "users", "path": "/a"}, "b": {"service": "orders", "path": "/b"}})
        open_ = self.event()
        self.users.always(gate(open_, says(b"1")))
        self.orders.always(gate(open_, says(b"2")))
        asked = Parallel(1, lambda i: self.get())
        self.users.wait_requests(1)
        self.orders.wait_requests(1)
        open_.set()
        self.assertEqual(asked.results()[0].json(), {"a": 1, "b": 2})

    def test_concurrency(self):
        self.screen(parts={"all": {"service": "users", "for_each": "`[1,2,3,4,5]`", "path": "/u/{item}"}},
                    aggregate={"concurrency": 2})
        open_ = self.event()
        self.users.always(gate(open_, says(b"1")))
        asked = Parallel(1, lambda i: self.get())
        self.users.wait_requests(2)
        self.assertEqual(self.front.service("users")["in_flight"], 2)
        open_.set()
        self.assertEqual(asked.results()[0].json(), {"all": [1, 1, 1, 1, 1]})

    def test_for_each(self):
        self.screen(parts={"orders": {"service": "orders", "path": "/orders"},
                           "parcels": {"service": "shipping", "for_each": "orders.items[*].id", "path": "/of/{item}",
                                       "select": "@[0].parcel", "fallback": "?"}})
        self.shipping.on("/of/32", reply(500, b"no"))
        answer = self.get()
        self.assertEqual(answer.json()["parcels"], ["p1", "?"])
        self.assertEqual(answer.json()["errors"][0]["item"], 1)
        self.assertRegex(answer.header("Frontdesk-Partial"),
                         r"^parcels; item=1; reason=upstream_status; status=500; ms=\d+$")

    def test_places(self):
        self.screen(parts={"user": {"service": "users", "path": "/u", "as": "."},
                           "orders": {"service": "orders", "path": "/o", "as": "shop.orders", "select": "items[].id"},
                           "parcels": {"service": "shipping", "path": "/s", "as": "shop.parcels", "select": "[*].parcel"},
                           "name": {"service": "users", "path": "/n", "select": "'Later'"}})
        self.assertEqual(self.get().json(), {"id": 7, "name": "Later", "balance": 12345678901234567890, "rate": 1.5,
                                             "shop": {"orders": [31, 32], "parcels": ["p1"]}})

    def test_shape_of_the_whole(self):
        self.screen(aggregate={"select": "{who: user.name, open: orders[?status == 'open'].id}"})
        self.assertEqual(self.get().body, b'{"who":"Ada","open":[32]}')

    def test_conditions(self):
        parts = dict(self.PARTS, shipping={"service": "shipping", "path": "/s", "when": "request.query.full == 'yes'",
                                           "fallback": "hidden"})
        self.screen(parts=parts)
        self.assertEqual(self.get().json()["shipping"], "hidden")
        self.assertNotIn("errors", self.get().json())
        self.assertEqual(self.shipping.count, 0)
        self.assertEqual(self.get("/screens/profile/7?full=yes").json()["shipping"], [{"parcel": "p1"}])

    def test_values_cannot_leave_their_place(self):
        self.screen()
        rows = (("/screens/profile/a%3Fx=1&y", "/users/a%3Fx%3D1%26y"),
                ("/screens/profile/%C3%A4%20%0d%0a", "/users/%C3%A4%20%0D%0A"))
        for target, seen in rows:
            self.users.forget()
            self.get(target)
            self.assertEqual(self.users.requests[0].target, seen)
        self.orders.always(says(b'{"items":[{"id":".."}]}'))
        self.assertEqual(self.partial(self.get()), [])
        self.screen(parts={"orders": {"service": "orders", "path": "/orders"},
                           "shipping": {"service": "shipping", "path": "/s/{orders.items[0].id}/x"}})
        self.orders.always(says(b'{"items":[{"id":".."}]}'))
        self.assertEqual(self.partial(self.get()), [("shipping", "part_skipped")])

    def test_methods(self):
        self.screen()
        self.assertEqual(self.front.request("POST", "/screens/profile/7", body=b"x").status, 405)
        head = self.front.request("HEAD", "/screens/profile/7")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(int(head.header("Content-Length")), len(self.get().body))

    def test_kept_connection_and_http2(self):
        port = free_port()
        self.screen(listeners=[{"address": "127.0.0.1:%d" % port, "http2": True}])
        client = H2Client(port)
        self.addCleanup(client.close)
        client.request(1, "/screens/profile/7")
        self.assertEqual(client.answer(1).status, 200)
        self.assertEqual(json.loads(client.answer(1).body)["user"]["id"], 7)


class Missing(Screens):
    def test_a_part_that_is_down(self):
        self.screen()
        self.shipping.refuse()
        answer = self.get()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["shipping"], [])
        self.assertEqual(answer.json()["user"]["name"], "Ada")
        error = answer.json()["errors"][0]
        self.assertEqual((error["part"], error["service"], error["reason"]), ("shipping", "shipping", "connect_failed"))
        self.assertRegex(answer.header("Frontdesk-Partial"), r"^shipping; reason=connect_failed; ms=\d+$")
        self.assertEqual(answer.header("Cache-Control"), "no-store")

    def test_a_breaker_that_is_open_costs_nothing(self):
        self.screen(services={"shipping": {"breaker": {"minimum_requests": 1, "failure_rate": 1, "open_for": "1m"}}})
        self.shipping.always(reply(500, b"no"))
        self.assertEqual(self.partial(self.get()), [("shipping", "upstream_status")])
        before = self.shipping.count
        self.assertEqual(self.partial(self.get()), [("shipping", "breaker_open")])
        self.assertEqual(self.shipping.count, before)

    def test_required(self):
        self.screen()
        self.users.always(reply(404, b"nobody"))
        answer = self.get()
        self.assertEqual((answer.status, answer.reason), (404, "upstream_status"))
        self.assertIn("part user", answer.json()["detail"])
        self.users.always(reply(302, b"", headers=[("Location", "/x")]))
        self.assertEqual(self.get().status, 502)
        self.users.always(cut())
        answer = self.get()
        self.assertEqual((answer.status, answer.reason), (502, "upstream_reset"))
        self.users.always(says(b"{"))
        answer = self.get()
        self.assertEqual((answer.status, answer.reason), (502, "part_invalid"))

    def test_the_fallback_of_a_service(self):
        stand_in = [{"on": ["5xx"], "static": {"status": 200, "json": [{"parcel": "?"}]}}]
        self.screen(services={"shipping": {"fallback": stand_in}})
        self.shipping.always(reply(503, b"no"))
        answer = self.get()
        self.assertEqual(answer.json()["shipping"], [{"parcel": "?"}])
        error = answer.json()["errors"][0]
        self.assertEqual((error["part"], error["reason"], error["fallback"]), ("shipping", "upstream_status", "static"))
        self.assertRegex(answer.header("Frontdesk-Partial"), r"^shipping; reason=upstream_status; fallback=static; ms=\d+$")

    def test_what_is_no_answer(self):
        self.screen(parts={"x": {"service": "shipping", "path": "/x"}}, aggregate={"max_part": "2k", "max_depth": 3})
        rows = ((says(b"<html>"), "part_invalid"), (says(b'{"a":1,"a":2}'), "part_invalid"),
                (says(b"[[[[1]]]]"), "part_invalid"), (says(b'"\xff"'), "part_invalid"),
                (says(b'"' + b"x" * 20000 + b'"'), "upstream_invalid"), (says(b'"' + b"x" * 3000 + b'"'), "part_too_large"),
                (says(b'"' + b"x" * 2000 + b'"'), None),
                (reply(503, b"{}"), "upstream_status"), (reset(), "upstream_reset"),
                (reply(200, b"\x1f\x8b", headers=[("Content-Encoding", "gzip")]), "part_invalid"))
        for behaviour, reason in rows:
            with self.subTest(reason=reason):
                self.shipping.always(behaviour)
                answer = self.get()
                self.assertEqual(answer.status, 200)
                self.assertEqual(self.partial(answer), [("x", reason)] if reason else [])

    def test_nothing_there(self):
        self.screen(parts={"a": {"service": "users", "path": "/a", "empty_on": [404], "fallback": {"none": True}},
                           "b": {"service": "orders", "path": "/b"}})
        self.users.always(reply(404, b"nobody"))
        self.orders.always(reply(204, b""))
        answer = self.get()
        self.assertEqual(answer.body, b'{"a":{"none":true},"b":null}')
        self.assertIsNone(answer.header("Frontdesk-Partial"))

    def test_what_needs_what_is_missing(self):
        self.screen()
        self.orders.always(reply(500, b"no"))
        answer = self.get()
        self.assertEqual(self.partial(answer), [("orders", "upstream_status"), ("shipping", "part_skipped")])
        self.assertEqual(answer.json()["orders"], None)
        self.assertEqual(self.shipping.count, 0)

    def test_deadline(self):
        self.screen(aggregate={"deadline": "300ms"})
        self.orders.always(hang())
        answer = self.get()
        orders, shipping = self.partial(answer)
        self.assertEqual(orders, ("orders", "upstream_timeout"))
        # What it needs is not there, or its time is over: that comes at once.
        self.assertIn(shipping, [("shipping", "part_skipped"), ("shipping", "upstream_timeout")])
        self.assertEqual(answer.json()["user"]["name"], "Ada")
        wait_for(lambda: self.front.service("orders")["in_flight"] == 0, what="the end of the call")

    def test_time_of_one_part(self):
        self.screen(parts={"a": {"service": "users", "path": "/a", "timeout": "200ms"},
                           "b": {"service": "orders", "path": "/b"}})
        self.users.always(hang())
        self.assertEqual(self.partial(self.get()), [("a", "upstream_timeout")])

    def test_settings(self):
        self.screen(aggregate={"partial_status": 206, "errors": "missing", "partial_cache_control": "max-age=1"})
        self.shipping.refuse()
        answer = self.get()
        self.assertEqual(answer.status, 206)
        self.assertEqual(answer.json()["missing"][0]["part"], "shipping")
        self.assertEqual(answer.header("Cache-Control"), "max-age=1")

    def test_the_client_leaves(self):
        self.screen()
        self.orders.always(hang())
        client = self.front.connect()
        client.send(b"GET /screens/profile/7 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.orders.wait_requests(1)
        client.close()
        wait_for(lambda: self.front.service("orders")["in_flight"] == 0, what="the end of the call")

    def test_what_the_operator_sees(self):
        self.screen()
        route = self.front.admin_json("/v1/routes")["routes"][0]
        self.assertEqual([(p["name"], p["service"]) for p in route["parts"]],
                         [("user", "users"), ("orders", "orders"), ("shipping", "shipping")])
        status, text, _ = run_command("explain", "GET", self.front.address + "/screens/profile/7", "-a",
                                      self.front.admin.split("//")[1])
        self.assertEqual(status, 0)
        self.assertIn("composed of user (users), orders (orders), shipping (shipping)", text)
        self.assertEqual(self.users.count, 0)

    def test_access_log(self):
        self.screen()
        self.shipping.refuse()
        self.get()
        line = wait_for(lambda: self.front.access_log(), what="a line")[0]
        self.assertRegex(line["parts"], r"^user:ok:\d+,orders:ok:\d+,shipping:connect_failed:\d+$")
        self.assertEqual(line["status"], 200)


class Caching(Screens):
    def test_as_strict_as_the_strictest(self):
        self.screen(parts={"a": {"service": "users", "path": "/a"}, "b": {"service": "orders", "path": "/b"}})
        rows = (("max-age=60", "max-age=10", "max-age=10"), ("max-age=60", "no-store", "no-store"),
                ("max-age=60", "private, max-age=5", "private, max-age=5"), ("max-age=60", None, "max-age=0"),
                (None, None, None), ("max-age=60", "no-cache", "max-age=0"), ("s-maxage=9, max-age=60", "max-age=20", "max-age=9"))
        for one, other, told in rows:
            with self.subTest(one=one, other=other):
                for origin, value in ((self.users, one), (self.orders, other)):
                    origin.always(reply(200, b"1", headers=[("Cache-Control", value)] if value else []))
                self.assertEqual(self.get().header("Cache-Control"), told)

    def test_written(self):
        self.screen(aggregate={"cache_control": "public, max-age=30"})
        self.assertEqual(self.get().header("Cache-Control"), "public, max-age=30")

    def test_validators(self):
        self.screen()
        first = self.get()
        again = self.get(headers={"If-None-Match": first.header("ETag")})
        self.assertEqual((again.status, again.body), (304, b""))
        self.users.always(says(b'{"id":8}'))
        self.assertEqual(self.get(headers={"If-None-Match": first.header("ETag")}).status, 200)

    def test_a_part_can_be_cached(self):
        parts = dict(self.PARTS, user=dict(self.PARTS["user"], cache={"ttl": "1m"}))
        self.screen(parts=parts)
        for _ in range(3):
            self.assertEqual(self.get().json()["user"]["id"], 7)
        self.get("/screens/profile/8")
        self.assertEqual([r.target for r in self.users.requests], ["/users/7", "/users/8"])
        self.assertEqual(self.orders.count, 4)


class Identity(Screens):
    def test_policies_of_parts(self):
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, (ADA + "\n" + EVE + "\n").encode())
        os.close(handle)
        parts = dict(self.PARTS, orders=dict(self.PARTS["orders"], auth="eves"),
                     shipping={"service": "shipping", "path": "/s/{request.claims.sub}"})
        self.screen(parts=parts, route={"auth": "known"}, basic={"people": {"htpasswd": path}},
                    policies={"known": {"authenticate": [{"basic": "people"}], "headers": {"X-User": "sub"}},
                              "eves": {"authenticate": [{"basic": "people"}], "claims": [{"claim": "sub", "equals": "eve"}]}})
        self.assertEqual(self.get().status, 401)
        answer = self.get(headers={"Authorization": basic("ada", "lovelace"), "X-User": "root"})
        self.assertEqual(self.partial(answer), [("orders", "forbidden")])
        self.assertEqual(answer.header("Cache-Control"), "no-store")
        self.assertEqual(self.orders.count, 0)
        self.assertEqual(self.users.requests[0].header_all("X-User"), ["ada"])
        self.assertIsNone(self.users.requests[0].header("Authorization"))
        self.assertEqual(self.shipping.requests[0].target, "/s/ada")
        answer = self.get(headers={"Authorization": basic("eve", "s3cret: with colon")})
        self.assertEqual(self.partial(answer), [])
        self.assertEqual(answer.header("Cache-Control"), "private, max-age=0")
        self.assertIsNone(self.orders.requests[0].header("Authorization"))

    def test_what_is_cached_for_one_is_not_for_another(self):
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, (ADA + "\n" + EVE + "\n").encode())
        os.close(handle)
        self.screen(parts={"user": {"service": "users", "path": "/me", "cache": {"ttl": "1m"}}}, route={"auth": "known"},
                    basic={"people": {"htpasswd": path}},
                    policies={"known": {"authenticate": [{"basic": "people"}], "headers": {"X-User": "sub"}}})

        def me(request, connection):
            says(json.dumps(request.header("X-User")).encode())(request, connection)

        self.users.always(me)
        for user, password in (("ada", "lovelace"), ("eve", "s3cret: with colon"), ("ada", "lovelace")):
            self.assertEqual(self.get(headers={"Authorization": basic(user, password)}).json(), {"user": user})

    def test_nobody_comes_in_without(self):
        self.screen(route={"auth": "nobody_has_written_it"})
        self.assertEqual(self.get().status, 403)
        self.assertEqual(self.users.count + self.orders.count, 0)


class Writes(Screens):
    PARTS = {"order": {"service": "orders", "method": "POST", "path": "/orders", "body": "{items: request.body.items}",
                       "required": True, "compensate": {"path": "/orders/{order.id}"}},
             "parcel": {"service": "shipping", "method": "POST", "path": "/parcels", "after": "order",
                        "body": "{order: order.id}", "required": True}}

    def shop(self, **options):
        self.screen(parts=self.PARTS, route={"path": "/buy"}, aggregate=dict({"writes": True}, **options))
        self.orders.always(says(b'{"id":"o1"}'))
        self.shipping.always(says(b'{"id":"p1"}'))

    def buy(self, body=b'{"items":[1,2.50]}', type_="application/json"):
        return self.front.request("POST", "/buy", body=body, headers={"Content-Type": type_})

    def seen(self, origin):
        return ["%s %s" % (r.method, r.target) for r in origin.requests]

    def test_in_order(self):
        self.shop()
        self.assertEqual(self.buy().body, b'{"order":{"id":"o1"},"parcel":{"id":"p1"}}')
        self.assertEqual(self.orders.requests[0].body, b'{"items":[1,2.50]}')
        self.assertEqual(self.shipping.requests[0].body, b'{"order":"o1"}')
        self.assertEqual(self.shipping.requests[0].header("Content-Type"), "application/json")
        self.assertIsNone(self.buy().header("ETag"))

    def test_taken_back(self):
        self.shop()
        self.shipping.always(reply(400, b"no"))
        answer = self.buy()
        self.assertEqual((answer.status, answer.reason), (400, "upstream_status"))
        self.assertIn("taken back: order", answer.json()["detail"])
        self.assertEqual(self.seen(self.orders), ["POST /orders", "DELETE /orders/o1"])

    def test_what_could_not_be_taken_back(self):
        self.shop()
        self.shipping.always(reply(400, b"no"))
        self.orders.on("/orders/o1", reply(500, b"no"))
        answer = self.buy()
        self.assertEqual(answer.status, 400)
        self.assertIn("could not be taken back: order", answer.json()["detail"])

    def test_nothing_was_written(self):
        self.shop()
        self.orders.always(reply(422, b"no"))
        self.assertEqual(self.buy().status, 422)
        self.assertEqual(self.seen(self.orders), ["POST /orders"])
        self.assertEqual(self.shipping.count, 0)

    def test_the_client_leaves_in_the_middle(self):
        self.shop()
        self.shipping.always(hang())
        client = self.front.connect()
        client.send(b"POST /buy HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        self.shipping.wait_requests(1)
        client.close()
        wait_for(lambda: self.seen(self.orders)[-1] == "DELETE /orders/o1", what="the order to be taken back")

    def test_bodies(self):
        self.shop(max_request="1k")
        rows = ((b"{", "application/json", 400), (b"{}", "text/plain", 415), (b'"' + b"x" * 2000 + b'"', "application/json", 413),
                (b'{"items":"' + b"y" * 900 + b'"}', "application/problem+json", 200))
        for body, type_, status in rows:
            with self.subTest(status=status):
                self.assertEqual(self.buy(body, type_).status, status)

    def test_large_bodies(self):
        self.shop(max_request="1m")
        items = "y" * 200000
        self.assertEqual(self.buy(json.dumps({"items": items}).encode()).status, 200)
        self.assertEqual(json.loads(self.orders.requests[0].body), {"items": items})

    def test_a_body_that_comes_in_pieces(self):
        self.shop()
        client = self.front.connect()
        client.send(b"POST /buy HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b'9\r\n{"items":\r\n')
        client.send(b'3\r\n[1]\r\n')
        client.send(b'1\r\n}\r\n0\r\n\r\n')
        self.assertEqual(client.read_answer().status, 200)
        self.assertEqual(self.orders.requests[0].body, b'{"items":[1]}')
        client.send(b"POST /buy HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 2\r\n\r\n")
        self.assertEqual(client.read_head().status, 100)
        client.send(b"{}")
        self.assertEqual(client.read_answer().status, 200)


class Refused(Scenario):
    def test_configurations(self):
        user = {"service": "users", "path": "/u"}
        post = dict(user, method="POST")
        rows = (({"parts": {}}, "a map of parts"),
                ({"parts": {"a": {"service": "users"}}}, "needs service and path"),
                ({"parts": {"a": dict(user, path="/x/{b.c}")}}, '"b" is no part, no parameter of the path'),
                ({"parts": {"a": dict(user, path="/x/{a.c}")}}, "refers to its own answer"),
                ({"parts": {"a": dict(user, path="/x/{id")}}, "a { without }"),
                ({"parts": {"a": dict(user, path="/x/{id.}")}}, "column 4: expected a name"),
                ({"parts": {"a": dict(user, select="a[*")}}, "expected ]"),
                ({"parts": {"a": dict(user, after="b"), "b": dict(user, after=["a"])}}, "parts wait for each other: "),
                ({"parts": {"a": dict(user, after="c")}}, 'there is no part "c"'),
                ({"parts": {"item": user}}, "what expressions call something else"),
                ({"parts": {"a-b": user}}, "is not a name that expressions can use"),
                ({"parts": {"id": user}}, "the path has a parameter of that name"),
                ({"parts": {"a": dict(user, path="/x/{item}")}}, '"item" is no part'),
                ({"parts": {"errors": user}}, "where the answer says what is missing"),
                ({"parts": {"a": post}}, "POST is a write"),
                ({"writes": True, "parts": {"a": post, "b": post}}, "two writes need an order"),
                ({"writes": True, "parts": {"a": post, "b": dict(post, after="a")}}, "say what takes this one back"),
                ({"writes": True, "parts": {"a": dict(post, for_each="`[1]`")}}, "writes are one call each"),
                ({"parts": {"a": dict(user, body="x")}}, "a GET has no body"),
                ({"parts": {"a": dict(user, required=True, when="id")}}, "exclude each other"),
                ({"parts": {"a": dict(user, method="FETCH")}}, "GET, POST, PUT, PATCH or DELETE"),
                ({"parts": {"a": dict(user, servce="x")}}, "did you mean service?"))
        for aggregate, why in rows:
            with self.subTest(why=why):
                self.refused({"path": "/x/{id}", "aggregate": aggregate}, why)
        self.refused({"path": "/x", "aggregate": {"parts": {"a": user}}, "service": "users"}, "exactly one of")
        self.refused({"path": "/x", "aggregate": {"parts": {"a": user}}, "timeout": "1s"}, "does not go with an aggregate")
        self.refused({"path": "/x", "methods": ["GET"], "aggregate": {"writes": True, "parts": {"a": post}}},
                     "GET must not change anything")

    def refused(self, route, why):
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/a.yaml", "w") as file:
                json.dump({"routes": [route], "services": {"users": {"instances": ["127.0.0.1:1"]}}}, file)
            status, _, errors = run_command("check", "-c", folder)
        self.assertEqual(status, 1)
        self.assertIn(why, errors)
