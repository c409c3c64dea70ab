# SPDX-License-Identifier: Apache-2.0
"""Clients that show who they are by a certificate: policies, what services are told, what they are not."""
import base64
import hashlib
import os
import shutil
import ssl
import subprocess

from test_tls import V12, V13, Front


def der_of(file, number=0):
    """The certificate at that place of a file, as bytes."""
    with open(file) as pem:
        parts = pem.read().split("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(parts[number].strip() + "\n-----END CERTIFICATE-----\n")


def item(der):
    return ":%s:" % base64.b64encode(der).decode()


class Clients(Front):
    def start(self, routes, mode="optional", **config):
        self.front(self.listener([self.pair("shop.example")], client_certificates=mode,
                                 client_ca=self.ca.file), routes=routes, **config)

    def as_client(self, certificate=None, versions=(V12, V13), session=None):
        context = self.context(versions, certificate)
        return self.connect(context=context, session=session)

    def send(self, connection, *fields, path="/x"):
        lines = ["GET %s HTTP/1.1" % path, "Host: shop.example", *fields, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            self.assertTrue(piece, "the connection ended: %r" % data)
            data += piece
        return data.decode()


class Policies(Clients):
    """Who a certificate says the client is, and whether a policy means that one."""

    RULES = {
        "any": True,
        "subject": {"subject": ["CN=*,O=Partner"]},
        "san": {"san": ["uri:spiffe://shop/ns/*/sa/web", "dns:web.*"]},
        "issuer": {"issuer": ["CN=partner ca"]},
        "both": {"issuer": ["CN=partner ca"], "san": ["dns:*.example"]},
    }

    def setUp(self):
        super().setUp()
        self.partner_ca = self.ca.intermediate("partner ca")
        self.partner = self.partner_ca.issue("web", ["web.example"], subject="/O=Partner/CN=web")
        self.spiffe = self.ca.issue("spiffe", extensions=["subjectAltName=URI:spiffe://shop/ns/a/sa/web"])
        self.other = self.ca.issue("other", ["other.example"], subject="/O=Partner+OU=x/CN=web")

    def policies(self):
        rules = dict(self.RULES, pinned={"fingerprint": [self.fingerprint(self.other)]})
        headers = {"X-Who": "sub", "X-Sans": "san", "X-By": "issuer", "X-Print": "fingerprint"}
        return {name: {"authenticate": [{"client_certificate": rule}], "headers": headers}
                for name, rule in rules.items()}

    def fingerprint(self, certificate):
        return hashlib.sha256(der_of(certificate.cert)).hexdigest()

    def test_who_may_come_in(self):
        policies = self.policies()
        self.start([{"path": "/%s/" % name, "service": "web", "auth": name} for name in policies],
                   policies=policies)
        clients = {"partner": self.partner, "spiffe": self.spiffe, "other": self.other, "nobody": None}
        allowed = {"any": {"partner", "spiffe", "other"}, "subject": {"partner"}, "san": {"partner", "spiffe"},
                   "issuer": {"partner"}, "both": {"partner"}, "pinned": {"other"}}
        for who, certificate in clients.items():
            connection = self.as_client(certificate)
            for policy, welcome in allowed.items():
                status = self.status(connection, path="/%s/" % policy)
                # No 401: there is no challenge that would ask for a certificate.
                self.assertEqual(status, 200 if who in welcome else 403, "%s at %s" % (who, policy))

    def test_the_service_learns_who_it_is(self):
        policies = self.policies()
        self.start([{"path": "/", "service": "web", "auth": "any"}], policies=policies)
        self.send(self.as_client(self.partner), "X-Who: root", "X_Who: root")
        seen = self.web.requests[-1]
        self.assertEqual(seen.header("X-Who"), "CN=web,O=Partner")
        self.assertEqual(seen.header("X-Sans"), "dns:web.example")
        self.assertEqual(seen.header("X-By"), "CN=partner ca")
        self.assertEqual(seen.header("X-Print"), self.fingerprint(self.partner))
        self.assertIsNone(seen.header("X_Who"))

    def test_a_resumed_session_is_the_same_client(self):
        policies = self.policies()
        self.start([{"path": "/", "service": "web", "auth": "subject"}], policies=policies)
        for version in (V12, V13):
            context = self.context((version, version), self.partner)
            first = self.connect(context=context)
            self.assertEqual(self.status(first), 200)
            plain = self.context((version, version))
            again = self.connect(context=context, session=first.session)
            self.assertTrue(again.session_reused)
            self.assertEqual(self.status(again), 200)
            self.assertEqual(self.web.requests[-1].header("X-Who"), "CN=web,O=Partner")
            self.assertEqual(self.status(self.connect(context=plain)), 403)


class Forwarding(Clients):
    """Client-Cert and Client-Cert-Chain (RFC 9440)."""

    ROUTES = [{"path": "/none/", "service": "web"},
              {"path": "/leaf/", "service": "web", "forward_client_certificate": True},
              {"path": "/chain/", "service": "web", "forward_client_certificate": "chain"}]

    def told(self, connection, path, *fields):
        self.assertIn(" 200 ", self.send(connection, *fields, path=path).split("\r\n")[0])
        seen = self.web.requests[-1]
        return seen.header("Client-Cert"), seen.header("Client-Cert-Chain")

    def test_as_the_route_says(self):
        self.start(self.ROUTES)
        known = self.ca.intermediate("partner ca").issue("web", ["web.example"])
        leaf, chain = item(der_of(known.cert)), item(der_of(known.cert, 1))
        connection = self.as_client(known)
        self.assertEqual(self.told(connection, "/none/"), (None, None))
        self.assertEqual(self.told(connection, "/leaf/"), (leaf, None))
        self.assertEqual(self.told(connection, "/chain/"), (leaf, chain))
        self.assertEqual(self.told(self.as_client(), "/chain/"), (None, None))
        direct = self.ca.issue("web", ["web.example"])
        self.assertEqual(self.told(self.as_client(direct), "/chain/"), (item(der_of(direct.cert)), None))

    def test_a_resumed_session_knows_the_certificate_and_no_chain(self):
        self.start(self.ROUTES)
        known = self.ca.intermediate("partner ca").issue("web", ["web.example"])
        context = self.context((V12, V12), known)
        first = self.connect(context=context)
        self.told(first, "/chain/")
        again = self.connect(context=context, session=first.session)
        self.assertTrue(again.session_reused)
        self.assertEqual(self.told(again, "/chain/"), (item(der_of(known.cert)), None))

    def test_nobody_outside_can_set_them(self):
        self.start(self.ROUTES)
        forged = ("Client-Cert: :AAAA:", "client_cert: :AAAA:", "Client-Cert-Chain: :AAAA:",
                  "CLIENT-CERT_CHAIN: :AAAA:")
        known = self.ca.issue("web", ["web.example"])
        for path in ("/none/", "/leaf/", "/chain/"):
            for certificate in (None, known):
                self.told(self.as_client(certificate), path, *forged)
                raw = "".join("%s: %s\n" % pair for pair in self.web.requests[-1].headers).lower()
                self.assertNotIn("aaaa", raw)
                self.assertNotIn("client_cert", raw)


class Http2(Clients):
    """A stream's client is that of its connection."""

    def setUp(self):
        super().setUp()
        if not shutil.which("curl") or b"HTTP2" not in subprocess.check_output(["curl", "--version"]):
            self.skipTest("no curl with HTTP/2 here")

    def curl(self, path, certificate=None, host="shop.example", asked="shop.example", fields=()):
        """(HTTP version, status) of one request; `asked` is the name of the handshake."""
        command = ["curl", "--silent", "--http2", "--cacert", self.ca.file, "--output", os.devnull,
                   "--resolve", "%s:%d:127.0.0.1" % (asked, self.port), "--header", "Host: %s" % host,
                   "--write-out", "%{http_version} %{http_code}"]
        for field in fields:
            command += ["--header", field]
        if certificate:
            command += ["--cert", certificate.cert, "--key", certificate.key]
        done = subprocess.run([*command, "https://%s:%d%s" % (asked, self.port, path)], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, timeout=30)
        return done.stdout

    def test_policy_route_and_fields(self):
        known = self.ca.intermediate("partner ca").issue("web", ["web.example"])
        other = self.ca.issue("other", ["other.example"])
        self.start([{"path": "/policy/", "service": "web", "auth": "partners", "forward_client_certificate": "chain"},
                    {"path": "/required/", "service": "web", "client_certificate": "required"}],
                   policies={"partners": {"authenticate": [{"client_certificate": {"issuer": ["CN=partner ca"]}}],
                                          "headers": {"X-Who": "sub"}}})
        self.assertEqual(self.curl("/policy/", known, fields=["Client-Cert: :AAAA:", "X-Who: root"]), "2 200")
        seen = self.web.requests[-1]
        self.assertEqual(seen.header_all("X-Who"), ["CN=web"])
        self.assertEqual(seen.header_all("Client-Cert"), [item(der_of(known.cert))])
        self.assertEqual(seen.header_all("Client-Cert-Chain"), [item(der_of(known.cert, 1))])
        self.assertEqual(self.curl("/policy/", other), "2 403")
        self.assertEqual(self.curl("/policy/"), "2 403")
        self.assertEqual(self.curl("/required/", other), "2 200")
        self.assertEqual(self.curl("/required/"), "2 403")

    def test_a_host_that_asks_for_more_than_the_handshake_did(self):
        """Browsers send requests for other names over a connection whose certificate has them."""
        strict = dict(self.pair("admin.example"), client_certificates="required", client_ca=self.ca.file)
        self.front(self.listener([self.pair("shop.example"), strict]))
        self.assertEqual(self.curl("/", host="admin.example"), "2 421")
        self.assertEqual(self.web.count, 0)
        self.assertEqual(self.curl("/"), "2 200")
