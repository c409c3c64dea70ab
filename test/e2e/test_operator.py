# SPDX-License-Identifier: Apache-2.0
"""What an operator does by hand: forced breakers and instances, who may do it, and what is refused."""
import os
import shutil
import ssl
import socket
import subprocess
import unittest

from lib import Scenario, client, free_port, reply, request, run_command, wait_for

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": "Bearer " + TOKEN}


class Operated(Scenario):
    """Service web with three instances, and a token."""

    def start(self, names="abc", settings=None, **config):
        self.origins = [self.origin(name) for name in names]
        self.settings = settings or {}
        gateway = self.static_gateway(self.origins, settings=settings, config=config)
        self.use_token(gateway)
        return gateway

    def use_token(self, gateway, token=TOKEN, **admin):
        """Adds admin.token_file to the configuration in force."""
        self.token_path = gateway.write_file("token", token + "\n")
        os.chmod(self.token_path, 0o600)
        self.change(gateway, admin=dict({"token_file": self.token_path}, **admin))

    def change(self, gateway, **sections):
        config = dict(self.config_of(gateway), **sections)
        before = gateway.status()["reload"]["count"]
        gateway.configure(config)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] > before, 10, "reload")

    def config_of(self, gateway):
        if gateway.consul is not None:
            return {}
        addresses = [origin.address for origin in self.origins]
        return {"services": {"web": dict(self.settings, instances=addresses)},
                "routes": [{"path": "/", "service": "web"}]}

    def put(self, gateway, state, path="web", headers=None, **members):
        """The answer of a write that must succeed."""
        answer = gateway.admin_put("/v1/breakers/" + path, dict({"state": state}, **members),
                                   BEARER if headers is None else headers)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def refused(self, answer, status, reason):
        self.assertEqual((answer.status, answer.json().get("reason")), (status, reason), answer)
        self.assertTrue(answer.json()["error"])
        return answer


class Services(Operated):
    def test_forced_open_refuses_and_is_shown_everywhere(self):
        gateway = self.start()
        shown = self.put(gateway, "forced_open", ttl="10m", reason="disk full", author="alice")
        self.assertEqual((shown["state"], shown["forced"]["author"], shown["forced"]["why"]),
                         ("forced_open", "alice", "disk full"))
        answer = gateway.get("/")
        self.assertEqual((answer.status, answer.reason), (503, "breaker_open"))
        self.assertTrue(1 <= int(answer.header("Retry-After")) <= 601, answer.headers)
        self.assertEqual(sum(origin.count for origin in self.origins), 0)
        for document in (gateway.admin_json("/v1/breakers/web"), gateway.breaker("web"),
                         gateway.service("web")["breaker"]):
            self.assertEqual(document["state"], "forced_open")
            self.assertTrue(0 < document["forced"]["ends_in_ms"] <= 600000)
            self.assertEqual(document["forced"]["scope"], "local")
        status = gateway.status()
        self.assertEqual((status["forced"], status["not_closed"], status["breakers"]["forced_open"]),
                         (1, 1, 1))
        first = status["attention"][0]
        self.assertEqual((first["service"], first["level"], first["state"]), ("web", 3, "forced_open"))
        for words in ("forced open by alice", "disk full", "ends in", "503 breaker_open"):
            self.assertIn(words, first["text"])
        told = gateway.admin_json("/v1/transitions")["transitions"][-1]
        self.assertEqual((told["service"], told["from"], told["to"], told["cause"], told["author"],
                          told["why"], told["instance"]),
                         ("web", "closed", "forced_open", "operator", "alice", "disk full", None))
        self.assertEqual(status["newest_transition"], told["id"])
        log = gateway.log()
        for words in ("asked for by alice from 127.0.0.1", "disk full"):
            self.assertIn(words, log)
        self.assertNotIn(TOKEN, log)

    def test_ends_by_itself(self):
        gateway = self.start()
        self.put(gateway, "forced_open", ttl="500ms", author="bob")
        wait_for(lambda: gateway.breaker("web")["forced"] is None, 10, "the end")
        gateway.wait_spread("/", set("abc"))
        ends = [t for t in gateway.breaker("web")["transitions"] if t["cause"] == "expired"]
        self.assertEqual((ends[0]["from"], ends[0]["author"]), ("forced_open", "bob"))

    def test_countdown_goes_down(self):
        gateway = self.start()
        first = self.put(gateway, "forced_open", ttl="1h")["forced"]["ends_in_ms"]
        wait_for(lambda: gateway.breaker("web")["forced"]["ends_in_ms"] < first, 5, "less")

    def test_forced_closed_never_rejects(self):
        gateway = self.start("a", settings={"breaker": {"minimum_requests": 5},
                                            "outlier": {"enabled": False}})
        self.put(gateway, "forced_closed", ttl="10m", author="alice", reason="false alarm")
        self.origins[0].always(reply(500))
        self.assertEqual(gateway.spread("/", 40), {"a": 40})
        self.assertEqual(gateway.breaker("web")["state"], "forced_closed")

    def test_shadow_tells_but_lets_pass(self):
        settings = {"breaker": {"minimum_requests": 5, "open_for": "60s"},
                    "outlier": {"enabled": False}}
        gateway = self.start("a", settings=settings)
        self.put(gateway, "shadow", ttl="10m")
        self.origins[0].always(reply(500))
        self.assertEqual(gateway.spread("/", 40), {"a": 40})
        shown = gateway.breaker("web")
        self.assertEqual((shown["state"], shown["machine"]), ("shadow", "open"))
        self.assertGreater(shown["would_reject"], 0)

    def test_auto_and_reset(self):
        gateway = self.start()
        self.put(gateway, "forced_open")
        self.assertEqual(gateway.get("/").status, 503)
        shown = self.put(gateway, "auto")
        self.assertIsNone(shown["forced"])
        wait_for(lambda: gateway.get("/").status == 200, 5, "200")
        self.put(gateway, "forced_open")
        shown = self.put(gateway, "reset", reason="all good")
        self.assertEqual((shown["state"], shown["forced"]), ("closed", None))
        self.assertEqual(gateway.spread("/", 10)["breaker_open"], 0)

    def test_reload_keeps_it(self):
        gateway = self.start()
        self.put(gateway, "forced_open", author="alice", reason="kept")
        self.settings = {"timeout": "7s", "breaker": {"open_for": "9s"}}
        self.change(gateway, admin={"token_file": self.token_path})
        shown = gateway.breaker("web")
        self.assertEqual((shown["state"], shown["forced"]["why"]), ("forced_open", "kept"))
        self.assertEqual(gateway.get("/").reason, "breaker_open")

    def test_names_are_percent_encoded(self):
        name, path = 'odd/50% "é"', "odd%2F50%25%20%22%C3%A9%22"
        self.instance(name, "a 1", tags=["frontdesk.path=/"])
        gateway = self.gateway()
        gateway.wait_spread("/", {"a 1"})
        self.use_token(gateway)
        self.assertEqual(gateway.admin_json("/v1/breakers/" + path)["service"], name)
        self.assertEqual(gateway.admin_json("/v1/services/" + path)["name"], name)
        self.put(gateway, "forced_open", path)
        self.assertEqual(gateway.get("/").reason, "breaker_open")
        shown = gateway.admin_json("/v1/breakers/%s/a%%201" % path)
        self.assertEqual((shown["id"], shown["service"]), ("a 1", name))


class Instances(Operated):
    def test_ejected_and_restored_by_hand(self):
        gateway = self.start()
        gateway.wait_spread("/", set("abc"))
        one = self.origins[0]
        shown = self.put(gateway, "forced_open", "web/" + one.address, author="alice", reason="swap")
        self.assertEqual((shown["id"], shown["state"], shown["forced"]["author"]),
                         (one.address, "forced_open", "alice"))
        self.assertEqual(set(gateway.spread("/", 30)), {"b", "c"})
        self.assertTrue(gateway.instances("web")[one.address]["ejected"])
        told = gateway.admin_json("/v1/transitions?service=web")["transitions"][-1]
        self.assertEqual((told["instance"], told["to"], told["author"]),
                         (one.address, "forced_open", "alice"))
        shown = self.put(gateway, "auto", "web/" + one.address)
        self.assertEqual((shown["state"], shown["forced"]), ("closed", None))
        gateway.wait_spread("/", set("abc"))
        self.assertEqual(gateway.breaker("web")["state"], "closed")

    def test_ends_by_itself(self):
        gateway = self.start()
        self.put(gateway, "forced_open", "web/" + self.origins[0].address, ttl="300ms")
        gateway.wait_spread("/", set("abc"))

    def test_kept_in_whatever_it_does(self):
        gateway = self.start(settings={"outlier": {"consecutive_failures": 2},
                                       "breaker": {"enabled": False}})
        self.put(gateway, "forced_closed", "web/" + self.origins[0].address)
        self.origins[0].always(reply(500))
        self.assertGreater(gateway.spread("/", 60)["a"], 10)

    def test_the_last_one_needs_a_word_more(self):
        gateway = self.start("a")
        path = "/v1/breakers/web/" + self.origins[0].address
        answer = gateway.admin_put(path, {"state": "forced_open"}, BEARER)
        self.refused(answer, 409, "last_instance")
        self.assertEqual(gateway.get("/").status, 200)
        self.put(gateway, "forced_open", "web/" + self.origins[0].address, even_last=True)
        self.assertEqual(gateway.wait_status("/", 503).reason, "no_healthy_instance")

    def test_not_every_word_is_for_instances(self):
        gateway = self.start()
        for state in ("disabled", "shadow"):
            answer = gateway.admin_put("/v1/breakers/web/" + self.origins[0].address,
                                       {"state": state}, BEARER)
            self.refused(answer, 400, "bad_request")

    def test_same_id_on_two_nodes(self):
        for node, name in (("node-2", "a"), ("node-3", "b")):
            service = {"ID": "same", "Service": "web", "Address": "127.0.0.1",
                       "Port": self.origin(name).port, "Tags": ["frontdesk.path=/"]}
            self.consul.catalog_register(node, "127.0.0.1", service)
        gateway = self.gateway()
        gateway.wait_spread("/", {"a", "b"})
        self.use_token(gateway)
        answer = gateway.admin_put("/v1/breakers/web/same", {"state": "forced_open"}, BEARER)
        self.refused(answer, 409, "ambiguous_instance")
        self.put(gateway, "forced_open", "web/node-2%2Fsame")
        gateway.wait_spread("/", {"b"})
        self.put(gateway, "auto", "web/node-2/same")
        gateway.wait_spread("/", {"a", "b"})


class Refusals(Operated):
    def untouched(self, gateway):
        self.assertEqual(gateway.breaker("web")["state"], "closed")
        self.assertEqual(gateway.status()["newest_transition"], 0)

    def test_writes_are_off_by_default(self):
        self.origins = [self.origin("a")]
        gateway = self.static_gateway(self.origins)
        answer = gateway.admin_put("/v1/breakers/web", {"state": "forced_open"}, BEARER)
        self.refused(answer, 403, "writes_off")
        self.untouched(gateway)

    def test_who_may_not(self):
        gateway = self.start()
        own = "http://127.0.0.1:%d" % gateway.admin_port
        cases = [
            ({}, 401, "unauthenticated"),
            ({"Authorization": "Bearer wrong-horse-battery-staple"}, 401, "unauthenticated"),
            ({"Authorization": "Bearer " + TOKEN[:-1]}, 401, "unauthenticated"),
            ({"Authorization": "Basic " + TOKEN}, 401, "unauthenticated"),
            (dict(BEARER, Origin="http://evil.example"), 403, "cross_origin"),
            (dict(BEARER, Origin="null"), 403, "cross_origin"),
            (dict(BEARER, Origin=own + "0"), 403, "cross_origin"),
            (dict(BEARER, Origin=own.replace("http:", "https:")), 403, "cross_origin"),
            (dict(BEARER, Host="evil.example"), 403, "host"),
        ]
        for headers, status, reason in cases:
            with self.subTest(headers=headers):
                answer = gateway.admin_put("/v1/breakers/web", {"state": "forced_open"}, headers)
                self.refused(answer, status, reason)
                if status == 401:
                    self.assertIn("Bearer", answer.header("WWW-Authenticate"))
        self.untouched(gateway)
        self.put(gateway, "forced_open", headers=dict(BEARER, Origin=own))

    def test_what_is_no_order(self):
        gateway = self.start()
        json_type = dict(BEARER, **{"Content-Type": "application/json"})
        cases = [
            (b'{"state": "forced_open"}', dict(BEARER, **{"Content-Type": "text/plain"}), 415,
             "unsupported_media_type"),
            (b'{"state": "forced_open"}', BEARER, 415, "unsupported_media_type"),
            (b"state=forced_open",
             dict(BEARER, **{"Content-Type": "application/x-www-form-urlencoded"}), 415,
             "unsupported_media_type"),
            (b"", json_type, 400, "bad_request"),
            (b"\xff\x00garbage", json_type, 400, "bad_request"),
            (b'{"state": "open"}', json_type, 400, "bad_request"),
            (b'{"state": "forced_open", "tll": "1m"}', json_type, 400, "bad_request"),
            (b'{"state": "forced_open", "ttl": "8d"}', json_type, 400, "bad_request"),
            (b'{"state": "forced_open", "scope": "fleet"}', json_type, 503, "fleet_off"),
            (b'{"state": "forced_open", "reason": "' + b"x" * 5000 + b'"}', json_type, 413,
             "body_too_large"),
            (b"[" * 4000, json_type, 400, "bad_request"),
        ]
        for body, headers, status, reason in cases:
            with self.subTest(body=body[:60], headers=headers):
                answer = request(gateway.admin_port, "PUT", "/v1/breakers/web", headers, body,
                                 host="127.0.0.1:%d" % gateway.admin_port)
                self.refused(answer, status, reason)
        self.assertIn("tll", request(gateway.admin_port, "PUT", "/v1/breakers/web", json_type,
                                     b'{"state": "auto", "tll": 1}', host="127.0.0.1").json()["error"])
        self.untouched(gateway)
        answer = request(gateway.admin_port, "PUT", "/v1/breakers/web",
                         dict(BEARER, **{"Content-Type": "Application/JSON; charset=utf-8"}),
                         b'{"state": "forced_open"}', host="127.0.0.1")
        self.assertEqual(answer.status, 200, answer)

    def test_a_body_that_is_far_too_large(self):
        gateway = self.start()
        answer = request(gateway.admin_port, "PUT", "/v1/breakers/web",
                         dict(BEARER, **{"Content-Type": "application/json"}), b"x" * 200000,
                         host="127.0.0.1")
        self.assertEqual(answer.status, 413)
        self.untouched(gateway)

    def test_who_is_not_there(self):
        gateway = self.start()
        for path in ("none", "web/none", "web/", "%00", "web%2Fnone", ""):
            with self.subTest(path=path):
                answer = gateway.admin_put("/v1/breakers/" + path, {"state": "auto"}, BEARER)
                self.refused(answer, 404, "not_found")

    def test_methods(self):
        gateway = self.start()
        host = "127.0.0.1:%d" % gateway.admin_port
        for method, path, allow in (("POST", "/v1/breakers/web", "GET, HEAD, PUT"),
                                    ("DELETE", "/v1/breakers/web", "GET, HEAD, PUT"),
                                    ("OPTIONS", "/v1/breakers/web", "GET, HEAD, PUT"),
                                    ("PATCH", "/v1/breakers/web/x", "GET, HEAD, PUT"),
                                    ("PUT", "/v1/breakers", "GET, HEAD"),
                                    ("PUT", "/v1/status", "GET, HEAD"),
                                    ("POST", "/v1/events", "GET, HEAD")):
            with self.subTest(method=method, path=path):
                answer = request(gateway.admin_port, method, path, BEARER, host=host)
                self.assertEqual((answer.status, answer.header("Allow")), (405, allow))
                self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
        answer = request(gateway.admin_port, "HEAD", "/v1/breakers/web", host=host)
        self.assertEqual((answer.status, answer.body), (200, b""))
        answer = request(gateway.admin_port, "HEAD", "/v1/events", host=host)
        self.assertEqual((answer.status, answer.header("Content-Type")), (200, "text/event-stream"))
        self.untouched(gateway)

    def test_guessing_is_slowed_down(self):
        gateway = self.start()
        wrong = {"Authorization": "Bearer 0123456789abcdef"}
        answers = [gateway.admin_put("/v1/breakers/web", {"state": "auto"}, wrong)
                   for _ in range(25)]
        last = self.refused(answers[-1], 429, "too_many_failures")
        self.assertTrue(1 <= int(last.header("Retry-After")) <= 10)
        self.assertEqual(gateway.log().count("wrong tokens within ten seconds"), 1)
        wait_for(lambda: gateway.admin_put("/v1/breakers/web", {"state": "auto"}, BEARER).status
                 == 200, 20, "the end of the wait", every=0.3)


class TokenFile(Operated):
    def test_exchanged_without_a_reload(self):
        gateway = self.start()
        gateway.write_file("token", "another-token-of-the-team")
        answer = gateway.admin_put("/v1/breakers/web", {"state": "auto"}, BEARER)
        self.refused(answer, 401, "unauthenticated")
        self.put(gateway, "auto", headers={"Authorization": "Bearer another-token-of-the-team"})
        os.unlink(self.token_path)
        answer = gateway.admin_put("/v1/breakers/web", {"state": "auto"},
                                   {"Authorization": "Bearer another-token-of-the-team"})
        self.refused(answer, 401, "unauthenticated")

    def test_a_bad_one_is_refused_at_reload_and_by_check(self):
        gateway = self.start()
        gateway.write_file("token", "short")
        gateway.reload()
        wait_for(lambda: "too short: 5 bytes" in (gateway.status()["reload"]["last_error"] or ""), 10,
                 "refusal")
        status, _, error = run_command("check", "-c", gateway.dir + "/conf.d")
        self.assertEqual(status, 1)
        self.assertIn("too short: 5 bytes", error)
        status, _, error = run_command("run", "-c", gateway.dir + "/conf.d")
        self.assertEqual(status, 1)
        self.assertIn("too short: 5 bytes", error)

    def test_one_that_all_can_read_is_warned_of(self):
        gateway = self.start()
        os.chmod(self.token_path, 0o644)
        gateway.reload()
        wait_for(lambda: "everyone on this machine can read" in gateway.log(), 10, "warning")
        self.put(gateway, "auto")


class Address(Operated):
    def test_moves_with_a_reload(self):
        gateway = self.start()
        self.put(gateway, "forced_open")
        old, gateway.admin_port = gateway.admin_port, free_port()
        gateway.configure(dict(self.config_of(gateway), admin={
            "address": "127.0.0.1:%d" % gateway.admin_port, "token_file": self.token_path}))
        gateway.reload()
        wait_for(lambda: gateway.breaker("web")["state"] == "forced_open", 10, "the new address")
        self.put(gateway, "auto")
        with self.assertRaises(OSError):
            request(old, "GET", "/livez")

    def test_one_that_is_taken_refuses_the_reload(self):
        gateway = self.start()
        with socket.create_server(("127.0.0.1", free_port())) as other:
            gateway.configure(dict(self.config_of(gateway), admin={
                "address": "127.0.0.1:%d" % other.getsockname()[1], "token_file": self.token_path}))
            gateway.reload()
            wait_for(lambda: "cannot listen" in (gateway.status()["reload"]["last_error"] or ""), 10,
                     "refusal")
        self.put(gateway, "auto")
        stream = request(gateway.admin_port, "HEAD", "/v1/events", host="127.0.0.1")
        self.assertEqual(stream.status, 200)


@unittest.skipUnless(shutil.which("openssl"), "no openssl command here")
class Tls(Operated):
    def certificate(self, folder, name, ca=None, subject=None):
        """A key and a certificate, signed by `ca` or by itself; their paths."""
        key, cert = "%s/%s.key" % (folder, name), "%s/%s.pem" % (folder, name)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key, "-out",
                   cert, "-subj", "/CN=" + (subject or name)]
        if ca:
            command += ["-CA", ca[0], "-CAkey", ca[1]]
        else:
            command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return cert, key

    def start_tls(self, **admin):
        gateway = self.start()
        self.server = self.certificate(gateway.dir, "server")
        self.ca = self.certificate(gateway.dir, "ca")
        tls = {"cert": self.server[0], "key": self.server[1], "client_ca": self.ca[0]}
        gateway.configure(dict(self.config_of(gateway), admin=dict({"tls": tls}, **admin)))
        gateway.reload()
        wait_for(lambda: self.ask(gateway, "GET", "/livez")[0] == 200, 10, "TLS")
        return gateway

    def ask(self, gateway, method, path, certificate=None, body=None, headers=None, version=None,
            host="127.0.0.1"):
        context = ssl.create_default_context(cafile=self.server[0])
        if certificate:
            context.load_cert_chain(*certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        fields = dict({"Content-Type": "application/json"} if body else {}, **(headers or {}))
        data = client.build(method, path, fields, body, "%s:%d" % (host, gateway.admin_port), True)
        with socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=10) as plain, \
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.sendall(data)
            got = b""
            while True:
                some = secure.recv(65536)
                if not some:
                    break
                got += some
        head, _, rest = got.partition(b"\r\n\r\n")
        return client.parse_head(head + b"\r\n\r\n").status, rest

    def test_a_client_certificate_writes(self):
        gateway = self.start_tls()
        alice = self.certificate(gateway.dir, "alice", self.ca)
        status, body = self.ask(gateway, "PUT", "/v1/breakers/web", alice,
                                b'{"state": "forced_open", "reason": "by certificate"}')
        self.assertEqual(status, 200, body)
        self.assertIn(b'"author": "alice"', body)
        self.assertEqual(gateway.get("/").reason, "breaker_open")
        self.assertIn("with the certificate of alice", gateway.log())

    def test_reads_need_none_and_writes_do(self):
        gateway = self.start_tls()
        self.assertEqual(self.ask(gateway, "GET", "/v1/status")[0], 200)
        status, body = self.ask(gateway, "PUT", "/v1/breakers/web", None, b'{"state": "auto"}')
        self.assertEqual((status, b"unauthenticated" in body), (401, True))
        stranger = self.certificate(gateway.dir, "stranger")
        with self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
            self.ask(gateway, "PUT", "/v1/breakers/web", stranger, b'{"state": "forced_open"}')
        self.assertEqual(gateway.get("/").status, 200)

    def test_a_token_works_too(self):
        gateway = self.start_tls()
        tls = {"cert": self.server[0], "key": self.server[1]}
        gateway.configure(dict(self.config_of(gateway),
                               admin={"tls": tls, "token_file": self.token_path}))
        gateway.reload()
        wait_for(lambda: self.ask(gateway, "PUT", "/v1/breakers/web", None,
                                  b'{"state": "forced_open"}', BEARER)[0] == 200, 10, "write")
        self.assertEqual(gateway.get("/").reason, "breaker_open")

    def test_names_are_welcome_but_other_origins_are_not(self):
        gateway = self.start_tls()
        alice = self.certificate(gateway.dir, "alice", self.ca)
        name = "gateway-1.shop.example"
        self.assertEqual(self.ask(gateway, "GET", "/v1/status", host=name)[0], 200)
        for origin, status in (("https://%s:%d" % (name, gateway.admin_port), 200),
                               ("http://%s:%d" % (name, gateway.admin_port), 403),
                               ("https://evil.example", 403)):
            answer = self.ask(gateway, "PUT", "/v1/breakers/web", alice, b'{"state": "auto"}',
                              {"Origin": origin}, host=name)
            self.assertEqual(answer[0], status, answer)

    def test_the_event_stream_is_encrypted_too(self):
        gateway = self.start_tls()
        context = ssl.create_default_context(cafile=self.server[0])
        with socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=10) as plain, \
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.sendall(client.build("GET", "/v1/events", host="127.0.0.1"))
            got = b""
            while got.count(b"event: status") < 3:
                some = secure.recv(65536)
                self.assertTrue(some, got[-500:])
                got += some
        wait_for(lambda: b'"listeners": 0' in self.ask(gateway, "GET", "/v1/status")[1], 10, "the end")

    def test_plain_http_and_old_tls_are_not_answered(self):
        gateway = self.start_tls()
        with self.assertRaises(AssertionError):
            gateway.admin_get("/livez", timeout=3)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.ask(gateway, "GET", "/livez", version=version)[0], 200)
        with self.assertRaises((ssl.SSLError, OSError)):
            self.ask(gateway, "GET", "/livez", version=ssl.TLSVersion.TLSv1_1)

    def test_a_reload_takes_new_files_and_refuses_bad_ones(self):
        gateway = self.start_tls()
        self.server = gateway.write_file("trusted.pem", open(self.server[0]).read()), self.server[1]
        gateway.write_file("server.pem", "no certificate")
        gateway.reload()
        wait_for(lambda: b"admin.tls.cert" in self.ask(gateway, "GET", "/v1/status")[1], 10, "refusal")
        self.server = self.certificate(gateway.dir, "server", subject="second")
        gateway.reload()
        wait_for(lambda: self.ask(gateway, "GET", "/livez")[0] == 200, 10, "the new certificate")
