# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens at the door: signatures, places, keys that come and go, what is refused and how it is said."""
import hashlib
import hmac
import json
import time

from lib import AUDIENCE, ISSUER, Issuer, Parallel, Scenario, SigningKey, gate, reply, wait_for
from lib.tokens import b64, compact


class Door(Scenario):
    def key(self, alg="ES256", kid="a"):
        key = SigningKey(alg, kid)
        self.addCleanup(key.close)
        return key

    def door(self, keys, policy=None, issuer=None, route=None, **config):
        """A gateway whose one route asks for a token of the issuer with these keys."""
        self.web = self.origin("web")
        issuers = {"shop": dict({"issuer": ISSUER, "audience": [AUDIENCE], "keys": keys}, **issuer or {})}
        whole = {"issuers": issuers,
                 "policies": {"customer": dict({"authenticate": [{"issuer": "shop"}]}, **policy or {})},
                 "routes": [dict({"path": "/", "service": "web", "auth": "customer"}, **route or {})]}
        whole.update(config)
        self.config = whole
        self.front = self.static_gateway([self.web], config=whole)
        return self.front

    def ask(self, token=None, target="/x", method="GET", headers=None, **options):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        return self.front.request(method, target, headers=headers, **options)

    def assertRefused(self, answer, status, reason, error=None, detail=None):
        self.assertEqual((answer.status, answer.reason), (status, reason), answer)
        challenge = answer.header("WWW-Authenticate")
        if error:
            self.assertIn('error="%s"' % error, challenge)
        if detail:
            self.assertIn(detail, answer.json()["detail"])


class Signatures(Door):
    def test_every_family(self):
        for alg in ("RS256", "PS256", "ES256", "ES384", "EdDSA"):
            with self.subTest(alg=alg):
                key = self.key(alg)
                self.door({"jwks_url": Issuer(self, [key]).url})
                self.assertEqual(self.ask(key.token()).status, 200)
                other = self.key(alg)
                self.assertRefused(self.ask(other.token()), 401, "unauthenticated", "invalid_token",
                                   "signature is wrong")
                self.front.stop()

    def test_a_shared_secret_and_a_pem_file(self):
        secret = self.key("HS256")
        self.door({"secret_file": secret.file})
        self.assertEqual(self.ask(secret.token()).status, 200)
        self.assertEqual(self.ask(self.key("HS256").token()).status, 401)
        self.front.stop()
        key = self.key("ES256")
        self.door({"pem_file": key.pem})
        self.assertEqual(self.ask(key.token(header={"kid": None})).status, 200)

    def test_confusion_of_algorithms(self):
        key = self.key("RS256")
        self.door({"jwks_url": Issuer(self, [key]).url})
        for alg in ("none", "None", "nOnE"):
            head, body, _ = key.token(header={"alg": alg}).split(".")
            for token in ("%s.%s." % (head, body), "%s.%s.x" % (head, body)):
                self.assertRefused(self.ask(token), 401, "unauthenticated", "invalid_token")
        with open(key.pem, "rb") as file:
            public = file.read()
        text = "%s.%s" % (compact({"alg": "HS256", "kid": "a"}), key.token().split(".")[1])
        for secret in (public, public.strip(), b""):
            signature = b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())
            self.assertRefused(self.ask("%s.%s" % (text, signature)), 401, "unauthenticated", "invalid_token",
                               "algorithm is not taken")
        self.assertEqual(self.ask(key.token()).status, 200)
        self.assertEqual(self.web.count, 1)


class Claims(Door):
    def setUp(self):
        self.signing = self.key()
        self.door({"jwks_url": Issuer(self, [self.signing]).url})

    def test_what_is_wrong_is_named(self):
        now = int(time.time())
        rows = (({"exp": now - 60}, "has expired"), ({"exp": None}, "has no exp"), ({"nbf": now + 600}, "not valid yet"),
                ({"iat": now + 600}, "in the future"), ({"aud": "bank"}, "another audience"),
                ({"aud": None}, "no audience"), ({"iss": "https://evil.example"}, "not taken here"),
                ({"iss": None}, "names no issuer"), ({"iss": ISSUER + "/"}, "not taken here"),
                ({"exp": "soon"}, "exp is not a time"), ({"sub": 7}, "sub is not a text"))
        for claims, words in rows:
            with self.subTest(claims=claims):
                answer = self.ask(self.signing.token(claims))
                self.assertRefused(answer, 401, "unauthenticated", "invalid_token", words)
                self.assertIn(words, answer.header("WWW-Authenticate"))
        self.assertEqual(self.web.count, 0)

    def test_no_token_and_many(self):
        answer = self.ask()
        self.assertRefused(answer, 401, "unauthenticated")
        self.assertEqual(answer.header("WWW-Authenticate"), 'Bearer realm="frontdesk"')
        token = self.signing.token()
        with self.front.connect() as client:
            client.send(("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
                         "Authorization: Bearer %s\r\n\r\n" % (token, token)).encode())
            self.assertIn(client.read_answer().status, (400, 401))
        for wrong in ("Bearer", "Bearer ", "Basic " + token, token, "Bearer x" + token, "Bearer %s.x" % token):
            self.assertEqual(self.ask(headers={"Authorization": wrong}).status, 401, wrong[:20])
        self.assertEqual(self.ask(headers={"Authorization": "bearer " + token}).status, 200)
        self.assertEqual(self.web.count, 1)

    def test_oversized_and_hostile_texts(self):
        self.assertEqual(self.ask(self.signing.token(junk="x" * 9000)).status, 401)
        for text in ("." * 7000, "a" * 9000, "e30.e30.e30", "%%%.%%%.%%%", "..", "a.b.c.d.e"):
            answer = self.ask(text)
            self.assertEqual(answer.status, 401, text[:20])
            self.assertNotIn(text[:50], answer.body.decode())
        deep = "[" * 2000 + "]" * 2000
        self.assertEqual(self.ask("%s.%s.%s" % (b64(deep.encode()), b64(b"{}"), "AAAA")).status, 401)

    def test_a_token_is_never_shown(self):
        token = self.signing.token(aud="bank", sub="secret-subject")
        answer = self.ask(token)
        for part in token.split("."):
            self.assertNotIn(part.encode(), answer.body)
            self.assertNotIn(part, json.dumps(answer.headers))
            self.assertNotIn(part, self.front.log())
        page = json.dumps(self.front.status())
        self.assertNotIn(token.split(".")[2], page)

    def test_expires_in_use(self):
        token = self.signing.token(exp=int(time.time()) + 2 - 30)  # the leeway is 30 s
        self.assertEqual(self.ask(token).status, 200)
        wait_for(lambda: self.ask(token).status == 401, timeout=15, what="the end of the token")

    def test_a_thousand_at_once(self):
        tokens = [self.signing.token(sub="user-%d" % i) for i in range(10)]
        seen = Parallel(20, lambda i: [self.ask(tokens[(i + k) % 10]).status for k in range(50)]).results()
        self.assertEqual({status for row in seen for status in row}, {200})


class Places(Door):
    def test_header_cookie_query(self):
        key = self.key()
        self.door({"jwks_url": Issuer(self, [key]).url},
                  issuer={"token_from": [{"header": "X-Token"}, {"cookie": "session"}, {"query": "access_token"}]})
        token = key.token()
        self.assertEqual(self.ask(headers={"X-Token": token}).status, 200)
        self.assertEqual(self.ask(headers={"Cookie": "a=b; session=%s; c=d" % token}).status, 200)
        self.assertEqual(self.ask(target="/x?a=b&access_token=%s" % token).status, 200)
        self.assertEqual(self.ask(token).status, 401)
        self.assertEqual(self.ask(headers={"Cookie": "session=%s; session=%s" % (token, token)}).status, 401)
        self.assertEqual(self.ask(target="/x?access_token=%s&access_token=%s" % (token, token)).status, 401)

    def test_what_the_service_sees(self):
        key = self.key()
        for forward in (True, False):
            with self.subTest(forward=forward):
                self.door({"jwks_url": Issuer(self, [key]).url}, issuer={"forward_token": forward})
                self.assertEqual(self.ask(key.token()).status, 200)
                self.assertEqual(self.web.requests[-1].header("Authorization") is not None, forward)
                self.front.stop()


class Keys(Door):
    def test_a_new_key_is_fetched_when_a_token_names_it(self):
        first, second = self.key(kid="one"), self.key(kid="two")
        issuer = Issuer(self, [first])
        self.door({"jwks_url": issuer.url, "unknown_key_interval": "1s"})
        self.assertEqual(self.ask(first.token()).status, 200)
        issuer.publish([first, second])
        token = second.token()
        wait_for(lambda: self.ask(token).status == 200, what="the new key")
        self.assertEqual(self.ask(first.token()).status, 200)

    def test_unknown_keys_are_asked_for_once_in_a_while(self):
        key, forged = self.key(kid="one"), self.key(kid="never")
        issuer = Issuer(self, [key])
        self.door({"jwks_url": issuer.url})
        self.assertEqual(self.ask(key.token()).status, 200)
        before = issuer.count
        tokens = [forged.token(header={"kid": "k%d" % i}) for i in range(20)]
        seen = Parallel(10, lambda i: [self.ask(t).status for t in tokens]).results()
        self.assertEqual({status for row in seen for status in row}, {401})
        self.assertLessEqual(issuer.count, before + 2)
        self.assertEqual(self.ask(key.token()).status, 200)

    def test_a_key_that_is_taken_back_ends_its_tokens(self):
        first, second = self.key(kid="one"), self.key(kid="two")
        issuer = Issuer(self, [first, second])
        self.door({"jwks_url": issuer.url, "unknown_key_interval": "1s"})
        token = first.token()
        self.assertEqual(self.ask(token).status, 200)
        issuer.publish([second])
        other = self.key(kid="three")
        wait_for(lambda: self.ask(other.token()).status == 401 and self.ask(token).status == 401,
                 timeout=20, what="the end of the key")
        self.assertEqual(self.ask(second.token()).status, 200)

    def test_an_issuer_that_is_away_at_the_start(self):
        key = self.key()
        issuer = Issuer(self, [key])
        issuer.fail()
        self.door({"jwks_url": issuer.url, "unknown_key_wait": "50ms"})
        answer = self.ask(key.token())
        self.assertRefused(answer, 503, "auth_unavailable")
        self.assertIsNone(answer.header("WWW-Authenticate"))
        self.assertEqual(self.ask().status, 401)
        issuer.publish([key])
        wait_for(lambda: self.ask(key.token()).status == 200, timeout=20, what="the keys")

    def test_an_issuer_that_goes_away_later(self):
        key = self.key()
        issuer = Issuer(self, [key])
        self.door({"jwks_url": issuer.url})
        self.assertEqual(self.ask(key.token()).status, 200)
        issuer.origin.stop()
        for i in range(3):
            self.assertEqual(self.ask(key.token(sub="user-%d" % i)).status, 200)
        self.assertEqual(self.ask(self.key(kid="new").token()).status, 401)

    def leave(self, token):
        with self.front.connect() as client:
            client.send(("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % token).encode())
            client.reset()

    def test_a_client_that_leaves_while_keys_are_fetched(self):
        key = self.key(kid="one")
        issuer = Issuer(self, [key])
        self.door({"jwks_url": issuer.url, "unknown_key_interval": "1s"})
        self.assertEqual(self.ask(key.token()).status, 200)
        held = self.event()
        issuer.origin.always(gate(held, reply(body=b'{"keys":[]}')))
        token = self.key(kid="two").token()
        before = issuer.count
        wait_for(lambda: self.leave(token) or issuer.count > before, what="the issuer to be asked")
        for _ in range(5):
            self.leave(token)
        held.set()
        self.assertEqual(self.ask(key.token(sub="bob")).status, 200)


class Several(Door):
    def test_the_token_says_whose_it_is(self):
        shop, staff = self.key(kid="a"), self.key(kid="a")
        self.web = self.origin("web")
        self.front = self.static_gateway([self.web], config={
            "issuers": {
                "shop": {"issuer": ISSUER, "audience": [AUDIENCE], "keys": {"jwks_url": Issuer(self, [shop]).url}},
                "staff": {"issuer": "https://staff.example", "audience": [AUDIENCE], "realm": "staff",
                          "keys": {"jwks_url": Issuer(self, [staff]).url}}},
            "policies": {"both": {"authenticate": [{"issuer": "shop"}, {"issuer": "staff"}]},
                         "one": {"authenticate": [{"issuer": "staff"}]}},
            "routes": [{"path": "/", "service": "web", "auth": "both"},
                       {"path": "/staff", "service": "web", "auth": "one"}]})
        self.assertEqual(self.ask(shop.token()).status, 200)
        self.assertEqual(self.ask(staff.token(iss="https://staff.example")).status, 200)
        self.assertEqual(self.ask(shop.token(), "/staff").status, 401)
        self.assertEqual(self.ask(shop.token(iss="https://staff.example")).status, 401)
        answer = self.ask(staff.token(iss="https://staff.example", exp=1))
        self.assertRefused(answer, 401, "unauthenticated", "invalid_token", "has expired")
        challenges = answer.header_all("WWW-Authenticate")
        self.assertEqual(["realm=\"frontdesk\"" in challenges[0], "realm=\"staff\"" in challenges[1]], [True, True])


class Reload(Door):
    def test_a_policy_that_changes(self):
        key = self.key()
        self.door({"jwks_url": Issuer(self, [key]).url})
        token = key.token(scope="a")
        self.assertEqual(self.ask(token).status, 200)
        web = "%s:%d" % (self.web.host, self.web.port)
        self.front.configure(dict(
            self.config, services={"web": {"instances": [web]}},
            policies={"customer": {"authenticate": [{"issuer": "shop"}], "scopes": ["b"]}}))
        self.front.reload()
        wait_for(lambda: self.ask(token).status == 403, what="the new policy")
        self.assertRefused(self.ask(token), 403, "forbidden", "insufficient_scope", "a scope is missing")
        self.assertIn('scope="b"', self.ask(token).header("WWW-Authenticate"))
