# SPDX-License-Identifier: Apache-2.0
"""Which header fields pass the gateway, which it writes itself, and what becomes of the target."""
import re

from lib import Scenario, build, head, reply


class Fields(Scenario):
    def setUp(self):
        self.web = self.origin()

    def front(self, config=None, **settings):
        return self.static_gateway([self.web], settings=settings, config=config)

    def seen(self, front, headers, **options):
        """The request at the origin."""
        self.assertEqual(front.get("/", headers=headers, **options).status, 200)
        return self.web.requests[-1]


class RequestFields(Fields):
    def test_hop_by_hop_fields_end_at_the_gateway(self):
        front = self.front()
        dropped = [("Connection", "keep-alive, X-Foo , x-BAR"), ("X-Foo", "1"), ("x-bar", "2"),
                   ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"),
                   ("Trailer", "X-Sum"), ("Upgrade", "h2c"),
                   ("Proxy-Authorization", "Basic x"), ("Proxy", "http://evil")]
        with front.connect() as client:
            client.send(build("GET", "/", dropped + [("X-Kept", "yes")]))
            self.assertEqual(client.read_answer().status, 200)
        request = self.web.requests[-1]
        self.assertEqual(request.header("X-Kept"), "yes")
        for name, _ in dropped:
            with self.subTest(name):
                self.assertIsNone(request.header(name))

    def test_connection_cannot_remove_what_the_gateway_writes(self):
        front = self.front()
        request = self.seen(front, [("Connection", "close, X-Forwarded-For, X-Request-Id, Via"),
                                    ("X-Forwarded-For", "6.6.6.6")])
        self.assertEqual(request.header("X-Forwarded-For"), "127.0.0.1")
        self.assertTrue(request.header("X-Request-Id"))
        self.assertTrue(request.header("Via"))

    def test_connection_cannot_remove_what_has_a_meaning(self):
        front = self.front()
        for name in ("Host", "Content-Length", "Authorization", "Cookie", "Transfer-Encoding"):
            with self.subTest(name):
                answer = front.get("/", headers=[("Connection", name), ("Authorization", "x")])
                self.assertEqual((answer.status, answer.reason), (400, "bad_request"))
        self.assertEqual(self.web.count, 0)

    def test_other_fields_pass_unchanged_and_in_order(self):
        sent = [("X-A", "1"), ("x-a", "2"), ("Cookie", "a=b; c=d"), ("Cookie", "e=f"),
                ("Authorization", "Bearer x"), ("X-Empty", ""), ("X-Latin", "\xe4\xff"),
                ("X-Spaces", "a  b\tc"), ("Accept", "*/*"), ("X-Under_score", "kept")]
        request = self.seen(self.front(), sent)
        names = {name.lower() for name, _ in sent}
        self.assertEqual([pair for pair in request.headers if pair[0].lower() in names], sent)

    def test_provenance_is_written_and_claims_of_a_client_are_dropped(self):
        lies = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "7.7.7.7"),
                ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"),
                ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/evil"), ("X-Real-IP", "6.6.6.6"),
                ("Forwarded", "for=6.6.6.6"), ("X_Forwarded_For", "6.6.6.6"),
                ("X-Forwarded_Proto", "https")]
        request = self.seen(self.front(), lies, host="shop.example:81")
        self.assertEqual(request.header_all("X-Forwarded-For"), ["127.0.0.1"])
        self.assertEqual(request.header_all("X-Forwarded-Proto"), ["http"])
        self.assertEqual(request.header_all("X-Forwarded-Host"), ["shop.example:81"])
        for lie in (b"6.6.6.6", b"7.7.7.7", b"https", b"evil"):
            self.assertNotIn(lie, request.head)

    def test_a_trusted_proxy_is_believed_and_extended(self):
        front = self.front({"trusted_proxies": ["127.0.0.0/8"], "forwarded_header": True})
        request = self.seen(front, [("X-Forwarded-For", "10.1.1.1"), ("X-Forwarded-For", "10.2.2.2"),
                                    ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example"),
                                    ("X-Real-IP", "10.1.1.1"), ("Forwarded", "for=10.1.1.1")])
        self.assertEqual(request.header_all("X-Forwarded-For"), ["10.1.1.1, 10.2.2.2, 127.0.0.1"])
        self.assertEqual(request.header_all("X-Forwarded-Proto"), ["https"])
        self.assertEqual(request.header_all("X-Forwarded-Host"), ["a.example"])
        self.assertEqual(request.header_all("X-Real-IP"), ["10.1.1.1"])
        self.assertEqual(request.header_all("Forwarded"),
                         ['for=10.1.1.1, for=127.0.0.1;proto=http;host="shop.example"'])

    def test_trust_is_by_address(self):
        front = self.front({"trusted_proxies": ["127.0.0.9", "fd00::/8"]})
        with front.connect() as client:
            client.send(build("GET", "/", [("X-Forwarded-For", "10.1.1.1")]))
            client.read_answer()
        self.assertEqual(self.web.requests[-1].header("X-Forwarded-For"), "127.0.0.1")

    def test_forwarded_is_off_unless_asked_for(self):
        self.assertIsNone(self.seen(self.front(), []).header("Forwarded"))

    def test_request_id_is_made_or_kept(self):
        front = self.front()
        made = [self.seen(front, []).header("X-Request-Id") for _ in range(2)]
        self.assertRegex(made[0], "^[0-9a-f]{32}$")
        self.assertNotEqual(made[0], made[1])
        kept = "4bf92f35-77b3.a:b_c"
        self.assertEqual(self.seen(front, {"X-Request-Id": kept}).header_all("X-Request-Id"), [kept])
        for bad in ("a b", 'x"y', "x" * 65, "", "\xe4"):
            with self.subTest(bad):
                found = self.seen(front, {"X-Request-Id": bad}).header_all("X-Request-Id")
                self.assertEqual(len(found), 1)
                self.assertRegex(found[0], "^[0-9a-f]{32}$")

    def test_via_is_appended(self):
        self.assertEqual(self.seen(self.front(), []).header("Via"), "1.1 frontdesk")
        request = self.seen(self.front({"via": "edge"}), [("Via", "1.0 other")])
        self.assertEqual(request.header_all("Via"), ["1.0 other, 1.1 edge"])
        self.assertIsNone(self.seen(self.front({"via": ""}), []).header("Via"))

    def test_host(self):
        self.assertEqual(self.seen(self.front(), [], host="Shop.example").header_all("Host"),
                         ["shop.example"])
        self.assertEqual(self.seen(self.front(host="instance"), []).header_all("Host"),
                         [self.web.address])

    def test_host_of_a_route(self):
        for set_host, expected in (("inner.example", "inner.example"), ("dst", self.web.address)):
            route = {"path": "/", "service": "web", "set_host": set_host}
            front = self.front({"routes": [route]})
            self.assertEqual(self.seen(front, []).header_all("Host"), [expected])

    def test_changes_of_a_route(self):
        changes = {"set": {"x-set": "new", "X-Forwarded-Port": "8080"}, "add": {"x-add": "more"},
                   "remove": ["x-remove", "User-Agent"]}
        front = self.front({"routes": [{"path": "/", "service": "web", "request_headers": changes}]})
        request = self.seen(front, [("X-SET", "old"), ("X-Set", "older"), ("X-Add", "first"),
                                    ("X-Remove", "1"), ("User-Agent", "test"), ("X-Other", "kept")])
        self.assertEqual(request.header_all("x-set"), ["new"])
        self.assertEqual(request.header_all("x-add"), ["first", "more"])
        self.assertEqual(request.header_all("X-Forwarded-Port"), ["8080"])
        self.assertEqual(request.header_all("x-other"), ["kept"])
        for name in ("x-remove", "user-agent"):
            self.assertIsNone(request.header(name))


class AnswerFields(Fields):
    def test_hop_by_hop_fields_end_at_the_gateway(self):
        dropped = [("Connection", "X-Foo, keep-alive"), ("X-Foo", "1"), ("Keep-Alive", "timeout=5"),
                   ("Proxy-Connection", "keep-alive"), ("Proxy-Authenticate", "Basic"),
                   ("Upgrade", "h2c"), ("Trailer", "X-Sum")]
        self.web.always(reply(headers=dropped + [("X-Kept", "yes")]))
        with self.front().connect() as client:
            for _ in range(2):
                client.send(build("GET", "/"))
                answer = client.read_answer()
                self.assertEqual(answer.header("X-Kept"), "yes")
                for name, _ in dropped:
                    self.assertIsNone(answer.header(name), name)

    def test_other_fields_pass_unchanged_and_in_order(self):
        sent = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("ETag", '"x"'), ("x-MiXed", "\xe4"),
                ("Server", "thing/1.0"), ("Cache-Control", "no-store"), ("Location", "/a?b=c")]
        self.web.always(reply(status=201, headers=sent))
        answer = self.front().get("/")
        names = {name.lower() for name, _ in sent}
        self.assertEqual([pair for pair in answer.headers if pair[0].lower() in names], sent)

    def test_date_is_added_only_where_it_lacks(self):
        front = self.front()
        shape = r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$"
        self.assertRegex(front.get("/").header("Date"), shape)
        self.assertRegex(front.get("/", headers={"Expect": "?"}).header("Date"), shape)
        self.web.always(reply(headers=[("Date", "Thu, 01 Jan 1970 00:00:00 GMT")]))
        self.assertEqual(front.get("/").header_all("Date"), ["Thu, 01 Jan 1970 00:00:00 GMT"])

    def test_via_is_added(self):
        self.assertEqual(self.front().get("/").header("Via"), "1.1 frontdesk")
        self.assertIsNone(self.front({"via": ""}).get("/").header("Via"))

    def test_phrase_of_the_origin_passes(self):
        self.web.always(lambda request, connection:
                        connection.send(b"HTTP/1.1 299 Very Special\r\nContent-Length: 0\r\n\r\n"))
        answer = self.front().get("/")
        self.assertEqual((answer.status, answer.phrase), (299, "Very Special"))

    def test_folded_field_of_an_old_origin_is_unfolded(self):
        self.web.always(lambda request, connection:
                        connection.send(b"HTTP/1.1 200 OK\r\nX-Fold: a\r\n  b\r\nContent-Length: 0\r\n\r\n"))
        answer = self.front().get("/")
        if answer.status == 200:
            self.assertRegex(answer.header("X-Fold"), "^a +b$")
        else:
            self.assertEqual((answer.status, answer.reason), (502, "upstream_invalid"))

    def test_changes_of_a_route(self):
        changes = {"set": {"x-set": "new"}, "add": {"x-add": "more"}, "remove": ["server"]}
        front = self.front({"routes": [{"path": "/", "service": "web", "response_headers": changes}]})
        self.web.always(reply(headers=[("X-Set", "old"), ("X-Add", "first"), ("Server", "x")]))
        answer = front.get("/")
        self.assertEqual(answer.header_all("x-set"), ["new"])
        self.assertEqual(answer.header_all("x-add"), ["first", "more"])
        self.assertIsNone(answer.header("Server"))

    def test_an_answer_of_the_gateway_says_what_it_is(self):
        front = self.static_gateway([self.web], path="/known/")
        answer = front.get("/unknown", headers={"X-Request-Id": "abc"})
        document = answer.json()
        self.assertEqual(answer.header("Content-Type"), "application/problem+json")
        self.assertEqual((document["status"], document["reason"]), (404, "no_route"))
        self.assertEqual((document["request_id"], answer.header("X-Request-Id")), ("abc", "abc"))
        with front.connect() as client:
            client.send(build("HEAD", "/unknown") + build("GET", "/known/"))
            answer = client.read_answer("HEAD")
            self.assertEqual((answer.status, answer.reason), (404, "no_route"))
            self.assertGreater(int(answer.header("Content-Length")), 0)
            self.assertEqual(client.read_answer().status, 200)

    def test_large_header_of_an_answer_passes(self):
        self.web.always(lambda request, connection: connection.send(
            head(200, [("X-%d" % i, "v" * 100) for i in range(90)] + [("Content-Length", "0")])))
        answer = self.front().get("/")
        self.assertEqual(answer.header("X-89"), "v" * 100)


class Targets(Fields):
    TABLE = [
        # route, target of the client, target at the origin
        ({"path": "/"}, "/", "/"),
        ({"path": "/"}, "/a/b?c=d&e", "/a/b?c=d&e"),
        ({"path": "/"}, "/a?", "/a?"),
        ({"path": "/"}, "/a?x=%2F..%2f&y=/../", "/a?x=%2F..%2f&y=/../"),
        ({"path": "/"}, "//a///b/./c/../d", "/a/b/d"),
        ({"path": "/"}, "/%61%7E/%c3%a4", "/a~/%C3%A4"),
        ({"path": "/"}, "http://shop.example/a?b", "/a?b"),
        ({"path": "/"}, "http://shop.example?b", "/?b"),
        ({"path": "/api/", "strip_prefix": True}, "/api/orders/1?x", "/orders/1?x"),
        ({"path": "/api/", "strip_prefix": True}, "/api/", "/"),
        ({"path": "/api", "strip_prefix": True}, "/api", "/"),
        ({"path": "/api/", "strip": "/api/v1"}, "/api/v1/a", "/a"),
        ({"path": "/api/", "prepend": "/inner"}, "/api/a?b", "/inner/api/a?b"),
        ({"path": "/api/", "strip_prefix": True, "prepend": "/v2"}, "/api/a", "/v2/a"),
        ({"path": "/o/{id}/lines/{line}", "rewrite": "/l/{line}/of/{id}"}, "/o/7/lines/a%20b?q",
         "/l/a%20b/of/7?q"),
        ({"path": "/files/{rest...}", "rewrite": "/f/{rest}"}, "/files/a/b/c", "/f/a/b/c"),
    ]

    def test_target_at_the_origin(self):
        routes = [dict(route, host="h%d.example" % i, service="web")
                  for i, (route, _, _) in enumerate(self.TABLE)]
        front = self.front({"routes": routes})
        for i, (route, target, expected) in enumerate(self.TABLE):
            with self.subTest(route=route, target=target):
                host = "h%d.example" % i
                answer = front.get(target.replace("shop.example", host), host=host)
                self.assertEqual(answer.status, 200)
                self.assertEqual(self.web.requests[-1].target, expected)

    def test_prefix_that_was_stripped_is_told(self):
        front = self.front({"routes": [{"path": "/api/", "strip_prefix": True, "service": "web"}]})
        front.get("/api/a", headers={"X-Forwarded-Prefix": "/lie"})
        self.assertRegex(",".join(self.web.requests[-1].header_all("X-Forwarded-Prefix")), "^/api/?$")

    def test_options_of_the_server(self):
        """OPTIONS * has no path: it goes to no route, or as it is to the one for everything."""
        with self.front().connect() as client:
            client.send(build("OPTIONS", "*") + build("GET", "/next"))
            self.assertIn(client.read_answer().status, (200, 404))
            self.assertEqual(client.read_answer().status, 200)

    def test_redirects(self):
        routes = [{"host": "a.example", "redirect": {"status": 301, "to": "https://b.example$path"}},
                  {"host": "c.example", "path": "/o/{id}", "redirect": {"to": "/orders/{id}"}},
                  {"host": "d.example", "redirect": {"status": 308, "to": "http://$host:81/new"}}]
        front = self.front({"routes": routes})
        for host, target, status, where in (
                ("a.example", "/x/y", 301, r"^https://b\.example/x/y$"),
                ("a.example", "/x?q=1", 301, r"^https://b\.example/x(\?q=1)?$"),
                ("c.example", "/o/7", 302, "^/orders/7$"),
                ("d.example", "/any", 308, r"^http://d\.example:81/new$")):
            with self.subTest(host=host, target=target), front.connect() as client:
                client.send(build("GET", target, host=host) * 2)
                for _ in range(2):
                    answer = client.read_answer()
                    self.assertEqual((answer.status, answer.body), (status, b""))
                    self.assertRegex(answer.header("Location"), where)
                    self.assertIsNone(answer.reason)
        self.assertEqual(self.web.count, 0)

    def test_redirect_cannot_be_made_to_carry_a_header(self):
        front = self.front({"routes": [{"path": "/", "redirect": {"to": "https://b.example$path"}}]})
        answer = front.get("/%0d%0aSet-Cookie:%20a=b")
        self.assertEqual(answer.status, 302)
        self.assertIsNone(answer.header("Set-Cookie"))
        self.assertTrue(re.search("%0[dD]%0[aA]", answer.header("Location")))
