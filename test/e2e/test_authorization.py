# SPDX-License-Identifier: Apache-2.0
"""What somebody who is known may do: scopes, roles, claims, methods, policies made of policies, and what
the services are told about who asks."""
from lib import reply, request, run_command
from test_jwt import Door


class Front(Door):
    """One gateway with a route for each policy: /NAME."""

    POLICIES = {
        "known": {"authenticate": [{"issuer": "shop"}]},
        "maybe": {"authenticate": [{"issuer": "shop"}], "optional": True, "headers": {"X-User": "sub"}},
        "reads": {"authenticate": [{"issuer": "shop"}], "scopes": ["orders:read", "profile"]},
        "either": {"authenticate": [{"issuer": "shop"}], "any_scope": ["a", "b"]},
        "admin": {"authenticate": [{"issuer": "shop"}], "roles": ["admin"]},
        "groups": {"authenticate": [{"issuer": "shop"}], "any_role": ["x", "y"], "roles_claim": "teams"},
        "acme": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "tenant.name", "equals": "acme"}]},
        "tier": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "tier", "one_of": ["gold", "7"]}]},
        "beta": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "flags", "contains": "beta"}]},
        "mail": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "email", "present": True},
                                                                  {"claim": "blocked", "present": False}]},
        "reader": {"authenticate": [{"issuer": "shop"}], "methods": ["GET"]},
        "owner": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "sub", "path_parameter": "id"}]},
        "or": {"any": ["owner", "admin"]},
        "and": {"all": ["reads", "acme"]},
        "bad": {"authenticate": [{"issuer": "shop"}], "claims": [{"claim": "blocked", "equals": "true"}]},
        "good": {"all": ["known", "nobad"]},
        "nobad": {"not": "bad"},
    }

    def setUp(self):
        self.signing = self.key("HS256")
        routes = [{"path": "/%s/{id}" % name, "service": "web", "auth": name} for name in self.POLICIES]
        routes.append({"path": "/open", "service": "web"})
        routes.append({"path": "/missing", "service": "web", "auth": "nobody-wrote-it"})
        self.door({"secret_file": self.signing.file}, policies=dict(self.POLICIES, customer={
            "authenticate": [{"issuer": "shop"}],
            "headers": {"X-User": "sub", "X-Tenant": "tenant.name", "X-Teams": "teams"}}),
            routes=routes + [{"path": "/told", "service": "web", "auth": "customer"}])

    def status(self, path, method="GET", **claims):
        return self.ask(self.signing.token(claims), path, method).status


class Rules(Front):
    def test_each_rule(self):
        rows = (
            ("/known/1", {}, 200),
            ("/reads/1", {"scope": "orders:read profile email"}, 200), ("/reads/1", {"scope": "orders:read"}, 403),
            ("/reads/1", {"scp": ["profile", "orders:read"]}, 200), ("/reads/1", {"scope": "orders:readprofile"}, 403),
            ("/either/1", {"scope": "b c"}, 200), ("/either/1", {"scope": "c"}, 403), ("/either/1", {}, 403),
            ("/admin/1", {"roles": ["admin"]}, 200), ("/admin/1", {"realm_access": {"roles": ["admin"]}}, 200),
            ("/admin/1", {"roles": ["administrator"]}, 403), ("/admin/1", {"groups": ["admin"]}, 403),
            ("/groups/1", {"teams": ["y"]}, 200), ("/groups/1", {"roles": ["y"]}, 403),
            ("/acme/1", {"tenant": {"name": "acme"}}, 200), ("/acme/1", {"tenant.name": "acme"}, 200),
            ("/acme/1", {"tenant": {"name": "ACME"}}, 403), ("/acme/1", {"tenant": "acme"}, 403),
            ("/acme/1", {"tenant": {"name": ["acme"]}}, 403),
            ("/tier/1", {"tier": "gold"}, 200), ("/tier/1", {"tier": 7}, 200), ("/tier/1", {"tier": 7.5}, 403),
            ("/beta/1", {"flags": ["alpha", "beta"]}, 200), ("/beta/1", {"flags": "alpha beta"}, 200),
            ("/beta/1", {"flags": "betamax"}, 403),
            ("/mail/1", {"email": "a@b"}, 200), ("/mail/1", {}, 403), ("/mail/1", {"email": "a", "blocked": True}, 403),
            ("/mail/1", {"email": None}, 403),
            ("/and/1", {"scope": "orders:read profile", "tenant": {"name": "acme"}}, 200),
            ("/and/1", {"scope": "orders:read profile"}, 403), ("/and/1", {"tenant": {"name": "acme"}}, 403),
            ("/good/1", {}, 200), ("/good/1", {"blocked": True}, 403), ("/good/1", {"blocked": "no"}, 200),
            ("/or/ada", {}, 200), ("/or/bob", {}, 403), ("/or/bob", {"roles": ["admin"]}, 200),
        )
        for path, claims, expected in rows:
            with self.subTest(path=path, claims=claims):
                self.assertEqual(self.status(path, **claims), expected)

    def test_nobody_gets_past(self):
        for name in self.POLICIES:
            if name not in ("maybe", "nobad"):
                self.assertEqual(self.ask(target="/%s/1" % name).status, 401, name)
        self.assertEqual(self.ask(target="/nobad/1").status, 401)
        self.assertEqual(self.ask(target="/open").status, 200)
        self.assertEqual(self.web.count, 1)

    def test_a_policy_that_nobody_wrote_denies(self):
        answer = self.ask(self.signing.token(), "/missing")
        self.assertRefused(answer, 403, "forbidden", detail="does not exist")
        self.assertIn("there is no policy", self.front.log())

    def test_optional(self):
        self.assertEqual(self.ask(target="/maybe/1").status, 200)
        self.assertIsNone(self.web.requests[-1].header("X-User"))
        self.assertEqual(self.status("/maybe/1"), 200)
        self.assertEqual(self.web.requests[-1].header("X-User"), "ada")
        self.assertEqual(self.ask(self.signing.token(exp=1), "/maybe/1").status, 401)

    def test_methods(self):
        self.assertEqual(self.status("/reader/1"), 200)
        self.assertEqual(self.status("/reader/1", "HEAD"), 200)
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            self.assertEqual(self.status("/reader/1", method), 403, method)

    def test_the_owner_of_a_path(self):
        rows = (("ada", "ada", 200), ("bob", "ada", 403), ("%61da", "ada", 200), ("a%2564a", "ada", 403),
                ("ADA", "ada", 403), ("ada%20", "ada", 403), ("ada%00", "ada", 400), ("a%2Fb", "a/b", 400),
                ("a+b", "a b", 403), ("a%20b", "a b", 200), ("17", 17, 401))
        for path, sub, expected in rows:
            with self.subTest(path=path, sub=sub):
                self.assertEqual(self.status("/owner/" + path, sub=sub), expected)
        self.assertEqual(self.status("/owner/ada", sub=None), 403)
        self.assertEqual(self.status("/owner/ada", sub=""), 403)

    def test_dots_do_not_change_the_owner(self):
        for path in ("/owner/ada/../bob", "/owner/./bob", "/owner/bob/.", "/owner/ada/%2e%2e/bob", "//owner/bob"):
            self.assertIn(self.status(path), (400, 403, 404), path)
        self.assertEqual(self.web.count, 0)


class Told(Front):
    def told(self, headers=None, **claims):
        answer = self.ask(self.signing.token(claims), "/told", headers=headers)
        self.assertEqual(answer.status, 200)
        return self.web.requests[-1]

    def test_claims_become_fields(self):
        seen = self.told(tenant={"name": "acme"}, teams=["a", "b"])
        self.assertEqual([seen.header(name) for name in ("X-User", "X-Tenant", "X-Teams")], ["ada", "acme", "a,b"])
        seen = self.told(sub="Zo\u00eb")
        self.assertEqual(seen.header("X-User").encode("latin-1").decode(), "Zo\u00eb")

    def test_what_is_no_field_is_left_out(self):
        for sub in ("a\r\nX-Admin: yes", "a\nb", " a", "", "\x7f"):
            seen = self.told(sub=sub)
            self.assertIsNone(seen.header("X-User"), repr(sub))
            self.assertIsNone(seen.header("X-Admin"))
        self.assertIsNone(self.told(teams=["a,b"]).header("X-Teams"))

    def test_nobody_else_may_set_them(self):
        forged = (("X-User", "root"), ("x-user", "root"), ("X_User", "root"), ("X-USER", "root"),
                  ("X-Tenant", "evil"), ("X_Tenant", "evil"))
        for name, value in forged:
            with self.subTest(name=name):
                seen = self.told(headers={name: value})
                self.assertEqual([v for k, v in seen.headers if k.lower().replace("_", "-") == "x-user"], ["ada"])
                self.assertEqual([v for k, v in seen.headers if k.lower().replace("_", "-") == "x-tenant"], [])
                for path in ("/open", "/maybe/1"):
                    request(self.front.port, "GET", path, headers={name: value})
                    self.assertNotIn(value, [v for _, v in self.web.requests[-1].headers])

    def test_connection_does_not_take_them_away(self):
        seen = self.told(headers={"Connection": "keep-alive, X-User, X-Tenant"}, tenant={"name": "acme"})
        self.assertEqual([seen.header("X-User"), seen.header("X-Tenant")], ["ada", "acme"])


class Edges(Door):
    def test_redirects_upgrades_and_preflights(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file}, routes=[
            {"path": "/moved", "redirect": {"status": 302, "to": "/there"}, "auth": "customer"},
            {"path": "/ws", "service": "web", "auth": "customer"},
            {"path": "/api", "service": "web", "auth": "customer",
             "cors": "shop"}],
                  cors={"shop": {"allow_origins": ["https://shop.example"], "allow_headers": ["Authorization"]}})
        self.assertEqual(self.ask(target="/moved").status, 401)
        self.assertEqual(self.ask(key.token(), "/moved").status, 302)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        self.assertEqual(self.ask(target="/ws", headers=upgrade).status, 401)
        preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET",
                     "Access-Control-Request-Headers": "authorization"}
        self.assertEqual(self.ask(target="/api", method="OPTIONS", headers=preflight).status, 204)
        answer = self.ask(target="/api", headers={"Origin": "https://shop.example"})
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.header("Access-Control-Allow-Origin"), "https://shop.example")

    def test_a_fallback_is_not_for_strangers(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file}, route={"fallback": [{"on": ["503"], "static": {"status": 200, "body": "instead"}}]})
        self.web.always(reply(503, body=b"down"))
        self.assertEqual(self.ask().status, 401)
        self.assertEqual(self.ask(key.token()).body, b"instead")

    def test_a_stored_answer_is_nobody_elses(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file}, issuer={"token_from": [{"header": "X-Token"}]},
                  policy={"headers": {"X-User": "sub"}},
                  route={"fallback": [{"on": ["503"], "cache": {"max_age": "1h"}}]})

        def ask(path, sub):
            answer = self.ask(target=path, headers={"X-Token": key.token(sub=sub)})
            return answer.status, answer.body

        rows = (("/own", [], False), ("/vary", ["Vary: Accept, x-user"], False),
                ("/all", ["Cache-Control: public, max-age=60"], True),
                ("/told", ["Cache-Control: public, max-age=60", "Vary: X-User"], False))
        for path, fields, shared in rows:
            with self.subTest(path=path):
                self.web.always(reply(body=b"ada's", headers=[tuple(f.split(": ", 1)) for f in fields]))
                self.assertEqual(ask(path, "ada"), (200, b"ada's"))
                self.web.always(reply(503, body=b"down"))
                self.assertEqual(ask(path, "bob"), (200, b"ada's") if shared else (503, b"down"))
        self.assertEqual(self.ask(target="/all").status, 401)

    def test_bodies_are_out_of_the_way(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file})
        with self.front.connect() as client:
            for _ in range(3):
                client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
                self.assertEqual(client.read_answer().status, 401)

    def test_the_log_and_the_count(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file}, access_log="stdout")
        self.ask(key.token(sub="ada"))
        self.ask()
        line = self.front.wait_logged(status=200)
        self.assertEqual((line["subject"], line["auth"]), ("ada", "jwt:shop"))
        line = self.front.wait_logged(status=401)
        self.assertEqual((line.get("subject"), line["reason"]), (None, "unauthenticated"))


class Explained(Front):
    def test_the_policy_is_named_with_all_that_it_is_made_of(self):
        doc = self.front.admin_json("/v1/explain?url=/and/1")
        self.assertEqual((doc["auth"], doc["policy"]["name"], doc["outcome"]["kind"]), ("and", "and", "forward"))
        reads, acme = doc["policy"]["all"]
        self.assertEqual(reads["scopes"], ["orders:read", "profile"])
        self.assertEqual(reads["authenticate"], [{"kind": "issuer", "name": "shop"}])
        self.assertEqual(acme["claims"], ["tenant.name"])
        self.assertIsNone(self.front.admin_json("/v1/explain?url=/open")["policy"])
        missing = self.front.admin_json("/v1/explain?url=/missing")
        self.assertEqual((missing["policy"], missing["outcome"]["reason"]), (None, "forbidden"))
        _, text, _ = run_command("explain", "GET", "/and/1", "-a", "127.0.0.1:%d" % self.front.admin_port)
        self.assertIn("reads: issuer shop; scopes: orders:read profile", text)
        self.assertIn("if the policy allows it", text)


class Limits(Door):
    def test_by_subject_and_claim(self):
        key = self.key("HS256")
        self.door({"secret_file": key.file}, route={"rate_limits": ["person", "tenant"]}, rate_limits={
            "person": {"by": "subject", "rate": "2/h", "burst": 2},
            "tenant": {"by": {"claim": "tenant"}, "rate": "5/h", "burst": 5}})
        seen = [self.ask(key.token(sub="ada", tenant="acme")).status for _ in range(3)]
        self.assertEqual(seen, [200, 200, 429])
        self.assertEqual(self.ask(key.token(sub="bob", tenant="acme")).status, 200)
        self.assertEqual(self.ask().status, 401)
        seen = [self.ask(key.token(sub="user-%d" % i, tenant="acme")).status for i in range(4)]
        self.assertEqual(seen, [200, 200, 429, 429])
        self.assertEqual(self.ask(key.token(sub="zoe", tenant="other")).status, 200)
