# SPDX-License-Identifier: Apache-2.0
"""Answers that are given again (RFC 9111): what is stored, for how long, for whom, and what waits for it."""
import os
import tempfile

from lib import Parallel, SigningKey, gate, hang, raw, reply, request, run_command, wait_for
from lib.client import RawClient
from test_basic import ADA, EVE, basic
from test_h2 import H2Front


class Cached(H2Front):
    def front_with(self, cache=True, route=None, **config):
        self.web.always(self.answers())
        whole = dict({"routes": [dict({"path": "/", "service": "web", "cache": cache}, **route or {})]}, **config)
        self.gate = self.static_gateway([self.web], config=whole)
        return self.gate

    def answers(self, *fields, body=None, status=200):
        """Each answer has a number, so that an old one can be told from a new one."""
        made = [0]

        def behave(request, connection):
            made[0] += 1
            pairs = [tuple(field.split(": ", 1)) for field in fields]
            reply(status, body or b"answer %d" % made[0], headers=pairs)(request, connection)

        return behave

    def says(self, *fields, **options):
        self.web.always(self.answers(*fields, **options))

    def get(self, target="/x", method="GET", **options):
        return self.gate.request(method, target, **options)

    def bodies(self, count=2, target="/x", **options):
        return [self.get(target, **options).body for _ in range(count)]


class Rules(Cached):
    def test_what_is_stored(self):
        self.front_with()
        rows = (("Cache-Control: max-age=60", True), ("Cache-Control: s-maxage=60", True),
                ("Cache-Control: public, max-age=60", True), ("Expires: Wed, 25 Nov 2099 12:00:00 GMT", True),
                ("X-Nothing: said", False), ("Cache-Control: max-age=0", False), ("Cache-Control: no-store", False),
                ("Cache-Control: no-cache, max-age=60", False), ("Cache-Control: private, max-age=60", False),
                ("Cache-Control: max-age=60|Set-Cookie: a=b", False), ("Cache-Control: max-age=60|Vary: *", False))
        for i, (fields, stored) in enumerate(rows):
            with self.subTest(fields=fields):
                self.says(*fields.split("|"))
                first, second = self.bodies(2, "/%d" % i)
                self.assertEqual(first == second, stored)

    def test_statuses_and_methods(self):
        self.front_with()
        for i, status in enumerate((201, 204, 301, 404, 500)):
            self.says("Cache-Control: max-age=60", status=status)
            before = self.web.count
            self.bodies(2, "/%d" % i)
            self.assertEqual(self.web.count, before + 2, status)
        self.says("Cache-Control: max-age=60")
        before = self.web.count
        for _ in range(2):
            self.get("/post", "POST", body=b"x")
        self.assertEqual(self.web.count, before + 2)

    def test_a_hit(self):
        self.front_with(access_log="stdout")
        self.says("Cache-Control: max-age=60", 'ETag: "v1"', "X-Own: 1", "Age: 7")
        first = self.get()
        self.assertIn("fwd=uri-miss; stored", first.header("Cache-Status"))
        answer = self.get()
        self.assertEqual((answer.status, answer.body, answer.header("X-Own")), (200, b"answer 1", "1"))
        self.assertGreaterEqual(int(answer.header("Age")), 7)
        self.assertIn("frontdesk; hit; ttl=", answer.header("Cache-Status"))
        head = self.get(method="HEAD")
        self.assertEqual((head.status, head.body, head.header("Content-Length")), (200, b"", "8"))
        for field, status in (('"v1"', 304), ('W/"v1"', 304), ("*", 304), ('"v2"', 200)):
            got = self.get(headers={"If-None-Match": field})
            self.assertEqual(got.status, status, field)
        self.assertEqual(self.web.count, 1)
        self.assertEqual(self.gate.wait_logged(cache="hit", status=200)["path"], "/x")

    def test_what_goes_by(self):
        self.front_with()
        self.says("Cache-Control: max-age=60")
        self.get()
        for fields in ({"Range": "bytes=0-1"}, {"If-Match": '"x"'}, {"If-Range": '"x"'}):
            before = self.web.count
            self.get(headers=fields)
            self.assertEqual(self.web.count, before + 1, fields)
        self.assertEqual(self.get(headers={"Cache-Control": "no-cache", "Pragma": "no-cache"}).body, b"answer 1")

    def test_clients_that_are_obeyed(self):
        self.front_with({"obey_clients": True})
        self.says("Cache-Control: max-age=60")
        self.get()
        for field in ({"Cache-Control": "no-cache"}, {"Pragma": "no-cache"}):
            before = self.web.count
            self.get(headers=field)
            self.assertEqual(self.web.count, before + 1, field)
        self.assertEqual(self.get(headers={"Cache-Control": "max-age=100"}).header("Age") is not None, True)

    def test_variants_and_keys(self):
        self.front_with()
        self.says("Cache-Control: max-age=60", "Vary: Accept-Language")
        german = self.get(headers={"Accept-Language": "de"}).body
        english = self.get(headers={"Accept-Language": "en"}).body
        self.assertNotEqual(german, english)
        self.assertEqual(self.get(headers={"Accept-Language": "de"}).body, german)
        self.assertEqual(len({self.get(t, host=h).body for t in ("/x", "/x?", "/x?a", "/X") for h in ("a", "b")}), 8)

    def test_ttl_of_the_route(self):
        self.front_with({"ttl": "60s", "max_ttl": "2m"})
        self.says("X-Nothing: said")
        self.assertEqual(self.bodies(2), [b"answer 1"] * 2)
        self.says("Cache-Control: max-age=100000")
        self.assertIn("ttl=120", self.get("/long") and self.get("/long").header("Cache-Status"))

    def test_what_changes_it(self):
        self.front_with()
        self.says("Cache-Control: max-age=60")
        self.get()
        self.get(method="POST", body=b"x")
        self.assertEqual(self.get().body, b"answer 3")

    def test_off(self):
        self.front_with(False)
        self.says("Cache-Control: max-age=60")
        self.assertEqual(self.bodies(2), [b"answer 1", b"answer 2"])

    def test_over_http2(self):
        self.web.always(self.answers("Cache-Control: max-age=60"))
        self.start(routes=[{"path": "/", "service": "web", "cache": True}])
        client = self.client(True)
        for stream in (1, 3, 5):
            client.request(stream)
            self.assertEqual(client.answer(stream).body, b"answer 1")


class Stale(Cached):
    def test_validation(self):
        self.front_with()
        seen = []

        def behave(request, connection):
            seen.append(request.header("If-None-Match"))
            if request.header("If-None-Match") == '"v1"':
                reply(304, b"", headers=[("ETag", '"v1"'), ("Cache-Control", "max-age=60"), ("X-New", "1")])(request, connection)
            else:
                reply(200, b"body", headers=[("ETag", '"v1"'), ("Cache-Control", "max-age=0")])(request, connection)

        self.web.always(behave)
        self.assertEqual(self.get().body, b"body")
        def ask():
            return self.get(headers={"If-None-Match": '"other"'})

        wait_for(lambda: ask().header("X-New") == "1", what="a head that is up to date")
        answer = ask()
        self.assertEqual((answer.status, answer.body), (200, b"body"))
        count = len(seen)
        self.assertEqual(self.get(headers={"If-None-Match": '"v1"'}).status, 304)
        self.assertEqual((seen[0], set(seen[1:]), len(seen)), (None, {'"v1"'}, count))

    def test_while_it_is_asked_again(self):
        self.front_with({"stale_while_revalidate": "1h"})
        self.says("Cache-Control: max-age=1")
        self.assertEqual(self.get().body, b"answer 1")
        held = self.event()
        self.web.always(gate(held, reply(200, b"new", headers=[("Cache-Control", "max-age=60")])))
        wait_for(lambda: self.web.count == 2 or self.get().body != b"answer 1" or self.web.count == 2, timeout=15,
                 what="the question")
        for _ in range(5):
            answer = self.get()
            self.assertEqual(answer.body, b"answer 1")
        self.assertIn("detail=stale-while-revalidate", answer.header("Cache-Status"))
        self.assertEqual(self.web.count, 2)
        self.assertIsNone(self.web.requests[-1].header("Cookie"))
        held.set()
        wait_for(lambda: self.get().body == b"new", what="the new answer")
        self.assertEqual(self.web.count, 2)

    def test_the_answer_says_so_itself_and_may_forbid_it(self):
        self.front_with({"stale_while_revalidate": "1h"})
        self.says("Cache-Control: max-age=1, must-revalidate")
        self.get()
        wait_for(lambda: self.get().body == b"answer 2", timeout=15, what="the end of the answer")

    def test_a_refresh_that_fails_changes_nothing(self):
        self.front_with({"stale_while_revalidate": "1h"})
        self.says("Cache-Control: max-age=1")
        self.get()
        self.web.always(reply(500, b"broken"))
        wait_for(lambda: self.get().body == b"answer 1" and self.web.count > 2, timeout=15, what="failing questions")
        self.assertEqual(self.get().body, b"answer 1")

    def test_a_refresh_while_the_gateway_ends(self):
        self.front_with({"stale_while_revalidate": "1h"})
        self.says("Cache-Control: max-age=1")
        self.get()
        self.web.always(hang())
        wait_for(lambda: self.get().status == 200 and self.web.count == 2, timeout=15, what="the question")
        self.gate.reload()
        self.assertEqual(self.get().body, b"answer 1")

    def test_in_an_outage(self):
        self.front_with(route={"fallback": [{"on": ["503", "connect_failed"], "cache": {"max_age": "1h"}}]})
        self.says("Cache-Control: max-age=1")
        self.get()
        self.web.always(reply(503, b"down"))
        wait_for(lambda: self.get().header("Frontdesk-Fallback") == "cache", timeout=15, what="the stand-in")
        self.assertEqual(self.get().body, b"answer 1")


class Together(Cached):
    def test_one_for_many(self):
        self.front_with()
        held = self.event()
        self.web.always(gate(held, reply(200, b"one", headers=[("Cache-Control", "max-age=60")])))
        parallel = Parallel(50, lambda i: self.get().body)
        self.web.wait_requests(1)
        held.set()
        self.assertEqual(set(parallel.results()), {b"one"})
        self.assertEqual(self.web.count, 1)

    def test_what_cannot_be_stored_is_asked_for_by_each(self):
        self.front_with()
        held = self.event()
        self.web.always(gate(held, reply(200, b"mine", headers=[("Cache-Control", "private")])))
        parallel = Parallel(10, lambda i: self.get().body)
        self.web.wait_requests(1)
        held.set()
        self.assertEqual(set(parallel.results()), {b"mine"})
        self.assertEqual(self.web.count, 10)

    def test_the_first_leaves_or_fails(self):
        self.front_with()
        held = self.event()
        self.web.always(gate(held, reply(200, b"one", headers=[("Cache-Control", "max-age=60")])))
        with RawClient(self.gate.port) as first:
            first.send(b"GET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            self.web.wait_requests(1)
            parallel = Parallel(5, lambda i: self.get().body)
            first.reset()
            self.web.wait_requests(2)
            held.set()
            self.assertEqual(set(parallel.results()), {b"one"})
        self.web.always(raw(b"", close=True))
        answers = Parallel(5, lambda i: self.get("/broken").status).results()
        self.assertEqual(set(answers), {502})

    def test_they_do_not_wait_for_ever(self):
        self.front_with({"wait": "200ms"})
        held = self.event()
        self.web.on("/slow", gate(held, reply(200, b"one", headers=[("Cache-Control", "max-age=60")])))
        parallel = Parallel(3, lambda i: self.get("/slow").body)
        self.web.wait_requests(3)
        held.set()
        self.assertEqual(set(parallel.results()), {b"one"})

    def test_clients_that_wait_and_leave(self):
        self.front_with()
        held = self.event()
        self.web.always(gate(held, reply(200, b"one", headers=[("Cache-Control", "max-age=60")])))
        clients = [RawClient(self.gate.port) for _ in range(10)]
        for client in clients:
            client.send(b"GET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        self.web.wait_requests(1)
        for client in clients[::2]:
            client.reset()
        held.set()
        for client in clients[1::2]:
            self.assertIn(client.read_answer().body, (b"one",))
            client.close()


class Identities(Cached):
    def test_each_has_its_own(self):
        key = SigningKey("HS256")
        self.addCleanup(key.close)
        self.front_with(route={"auth": "known"}, issuers={
            "shop": {"issuer": "https://login.shop.example", "audience": ["shop"], "keys": {"secret_file": key.file},
                     "token_from": [{"header": "X-Token"}]}},
            policies={"known": {"authenticate": [{"issuer": "shop"}], "headers": {"X-User": "sub"}}})

        def ask(target, sub=None):
            return self.get(target, headers={"X-Token": key.token(sub=sub)} if sub else {})

        for target, fields, shared in (("/a", "Cache-Control: max-age=60", False),
                                       ("/b", "Cache-Control: public, max-age=60", True),
                                       ("/c", "Cache-Control: public, max-age=60|Vary: X-User", False)):
            self.says(*fields.split("|"))
            first, second = ask(target, "ada").body, ask(target, "bob").body
            self.assertEqual(first == second, shared, target)
        self.assertEqual(ask("/b").status, 401)




class Purge(Cached):
    def setUp(self):
        super().setUp()
        self.web.always(self.answers("Cache-Control: max-age=600", "Cache-Tag: shoes, red", "Surrogate-Key: a b"))
        self.gate = self.static_gateway([self.web], config={"routes": [
            {"name": "one", "path": "/one", "service": "web", "cache": True},
            {"name": "two", "path": "/two", "service": "web", "cache": True}]})
        path = self.gate.write_file("admin.token", "correct-horse-battery-staple")
        self.gate.configure({"services": {"web": {"instances": [self.web.address]}},
                             "admin": {"address": "127.0.0.1:%d" % self.gate.admin_port, "token_file": path},
                             "routes": [{"name": "one", "path": "/one", "service": "web", "cache": True},
                                        {"name": "two", "path": "/two", "service": "web", "cache": True}]})
        self.gate.reload()
        self.token = {"Authorization": "Bearer correct-horse-battery-staple"}
        wait_for(lambda: self.purge({"all": True}).status == 200, what="writes")

    def purge(self, order, headers=None):
        return request(self.gate.admin_port, "PUT", "/v1/cache/purge", host="127.0.0.1", json=order,
                       headers=self.token if headers is None else headers)

    def test_by_each(self):
        targets = ("/one/a", "/one/b", "/two/a")
        rows = (({"route": "one"}, 2), ({"service": "web"}, 3), ({"service": "other"}, 0), ({"tag": "red"}, 3),
                ({"tag": "b"}, 3), ({"tag": "re"}, 0), ({"path": "/one/a"}, 1), ({"path": "/one/*"}, 2), ({"all": True}, 3))
        for order, count in rows:
            with self.subTest(order=order):
                self.purge({"all": True})
                before = {t: self.get(t).body for t in targets}
                self.assertEqual({t: self.get(t).body for t in targets}, before)
                answer = self.purge(order)
                self.assertEqual((answer.status, answer.json()), (200, {"purged": count}))
                self.assertEqual(sum(self.get(t).body != before[t] for t in targets), count)

    def test_who_may_and_what_is_no_order(self):
        self.assertEqual(self.purge({"all": True}, {}).status, 401)
        for order in ({}, [], {"all": False}, {"route": "one", "all": True}, {"route": 1}, {"route": ""}, {"x": "y"}):
            self.assertEqual(self.purge(order).status, 400, order)
        self.assertEqual(request(self.gate.admin_port, "POST", "/v1/cache/purge", host="127.0.0.1").status, 405)

    def test_the_command(self):
        for _ in range(2):
            self.get("/one/a")
        token = self.gate.dir + "/admin.token"
        where = ["-a", "127.0.0.1:%d" % self.gate.admin_port, "--token-file", token]
        self.assertEqual(run_command("cache", "purge", "--route", "one", *where)[:2], (0, "1 answers purged\n"))
        self.assertEqual(run_command("cache", "purge", *where)[0], 2)
        self.assertEqual(run_command("cache", "purge", "--all", "--tag", "x", *where)[0], 2)
        self.assertIn("usage", run_command("cache", "--help")[1])

    def test_counts(self):
        self.purge({"all": True})
        for _ in range(3):
            self.get("/one/a")
        wait_for(lambda: 'frontdesk_cache_requests_total{result="hit"} 2' in self.gate.admin_get("/metrics").body.decode(),
                 what="the count")


class ByIdentity(Cached):
    """Two people with passwords, and a route whose answers are kept for each alone."""

    def people(self, **cache):
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        os.write(handle, (ADA + "\n" + EVE + "\n").encode())
        os.close(handle)
        self.file = path
        self.front_with(cache=dict({"by": "identity"}, **cache), route={"auth": "known"}, basic={"people": {"htpasswd": path, "cache": "0s"}},
                        policies={"known": {"authenticate": [{"basic": "people"}], "headers": {"X-User": "sub"}}})
        self.ada, self.eve = {"Authorization": basic("ada", "lovelace")}, {"Authorization": basic("eve", "s3cret: with colon")}

    def test_each_has_their_own(self):
        self.people(ttl="1m")
        for said in ((), ("Cache-Control: private, max-age=60",), ("Cache-Control: max-age=60", "Vary: X-User")):
            with self.subTest(said=said):
                self.gate.admin_put("/v1/cache/purge", {"all": True})
                self.says(*said)
                ada, eve = self.get(headers=self.ada).body, self.get(headers=self.eve).body
                self.assertNotEqual(ada, eve)
                self.assertEqual(self.get(headers=self.ada).body, ada)
                self.assertEqual(self.get(headers=self.eve).body, eve)

    def test_the_door_is_before_it(self):
        self.people(ttl="1m")
        self.get(headers=self.ada)
        self.assertEqual(self.get().status, 401)
        with open(self.file + ".new", "w") as file:
            file.write(EVE + "\n")
        os.rename(self.file + ".new", self.file)
        wait_for(lambda: self.get(headers=self.ada).status == 401, what="the end of an account")

    def test_what_is_never_stored(self):
        self.people(ttl="1m")
        for field in ("Cache-Control: no-store", "Cache-Control: no-cache", "Set-Cookie: a=b", "Vary: *"):
            with self.subTest(field=field):
                self.says(field)
                first, second = self.bodies(headers=self.ada)
                self.assertNotEqual(first, second)

    def test_stale_ones_are_asked_for_again(self):
        self.people(stale_while_revalidate="1m")
        self.says("Cache-Control: private, max-age=0", "ETag: \"a\"")
        first, second = self.bodies(headers=self.ada)
        self.assertNotEqual(first, second)
        self.assertEqual(self.web.requests[-1].header("If-None-Match"), '"a"')

    def test_without_anybody(self):
        self.front_with(cache={"by": "identity", "ttl": "1m"})
        first, second = self.bodies()
        self.assertEqual(first, second)
        self.says("Cache-Control: private, max-age=60")
        first, second = self.bodies(target="/private")
        self.assertNotEqual(first, second)
