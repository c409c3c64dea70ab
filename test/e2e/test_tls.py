# SPDX-License-Identifier: Apache-2.0
"""TLS to clients: versions, names, certificates side by side, tickets, client certificates, redirects."""
import os
import socket
import ssl

from lib import Scenario, free_port, wait_for

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Front(Scenario):
    def setUp(self):
        self.ca = self.authority()
        self.web = self.origin("web")
        self.port = free_port()

    def pair(self, *names, **options):
        certificate = self.ca.issue(names[0], names, **options)
        return {"cert": certificate.cert, "key": certificate.key}

    def listener(self, certificates, **tls):
        return {"address": "127.0.0.1:%d" % self.port, "tls": dict(tls, certificates=certificates)}

    def front(self, *listeners, **config):
        return self.static_gateway([self.web], config=dict(config, listeners=list(listeners)))

    def context(self, versions=(V12, V13), certificate=None, alpn=None):
        context = ssl.create_default_context(cafile=self.ca.file)
        context.minimum_version, context.maximum_version = versions
        if certificate:
            context.load_cert_chain(certificate.cert, certificate.key)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def connect(self, name="shop.example", context=None, session=None):
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        self.addCleanup(plain.close)
        connection = (context or self.context()).wrap_socket(plain, server_hostname=name,
                                                             session=session)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, host="shop.example", path="/x"):
        """(head, body) of one GET; the connection is kept."""
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path.encode(), host.encode()))
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            self.assertTrue(piece, "the connection ended: %r" % data)
            data += piece
        top, body = data.split(b"\r\n\r\n", 1)
        length = [int(line.split(b":")[1]) for line in top.split(b"\r\n")
                  if line.lower().startswith(b"content-length")]
        while length and len(body) < length[0]:
            body += connection.recv(65536)
        return top.decode(), body.decode()

    def status(self, *arguments, **options):
        return int(self.ask(*arguments, **options)[0].split()[1])


class Handshakes(Front):
    def test_versions_and_what_the_service_is_told(self):
        self.front(self.listener([self.pair("shop.example")]))
        for versions, name in (((V12, V12), "TLSv1.2"), ((V13, V13), "TLSv1.3")):
            connection = self.connect(context=self.context(versions, alpn=["http/1.1"]))
            self.assertEqual(connection.version(), name)
            self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")
            top, _ = self.ask(connection)
            self.assertIn("200", top.split("\r\n")[0])
            self.assertIn("strict-transport-security: max-age=15552000", top.lower())
            self.assertEqual(self.web.requests[-1].header("X-Forwarded-Proto"), "https")
            self.assertEqual(self.status(connection), 200)  # kept

    def test_old_versions_and_weak_ciphers_are_refused(self):
        self.front(self.listener([self.pair("shop.example", rsa=True)]))
        old = self.context((ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1))
        old.set_ciphers("ALL:@SECLEVEL=0")
        weak = self.context((V12, V12))
        weak.set_ciphers("AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA")
        for context in (old, weak):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.connect(context=context)

    def test_only_the_newest_version(self):
        self.front(self.listener([self.pair("shop.example")], min_version="1.3"))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(context=self.context((V12, V12)))
        self.assertEqual(self.status(self.connect()), 200)

    def test_names_choose_the_certificate(self):
        self.front(self.listener([self.pair("shop.example"), self.pair("*.shop.example"),
                                  self.pair("api.shop.example")]))
        for asked, shown in (("shop.example", "shop.example"), ("www.shop.example", "*.shop.example"),
                             ("api.shop.example", "api.shop.example")):
            names = self.connect(asked).getpeercert()["subjectAltName"]
            self.assertEqual(names, (("DNS", shown),))
        context = self.context()
        context.check_hostname = False
        for asked in ("a.b.shop.example", "elsewhere.example"):
            names = self.connect(asked, context).getpeercert()["subjectAltName"]
            self.assertEqual(names, (("DNS", "shop.example"),), "the first is the default")

    def test_ecdsa_and_rsa_side_by_side(self):
        self.front(self.listener([self.pair("shop.example"), self.pair("shop.example", rsa=True)]))
        for kind in ("ECDSA", "RSA"):
            context = self.context((V12, V12))
            context.set_ciphers("ECDHE-%s-AES128-GCM-SHA256" % kind)
            self.assertIn(kind, self.connect(context=context).cipher()[0])

    def test_unknown_protocols_are_refused(self):
        self.front(self.listener([self.pair("shop.example")]))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(context=self.context(alpn=["spdy/3"]))

    def test_plain_text_garbage_and_silence(self):
        front = self.front(self.listener([self.pair("shop.example")], handshake_timeout="300ms"))
        for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(300), b"\x16\x03\x01", b""):
            with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
                connection.sendall(first)
                data = b"-"
                while data:
                    try:
                        data = connection.recv(4096)
                    except ConnectionError:
                        break
        self.assertEqual(self.status(self.connect()), 200)
        self.assertEqual(self.web.count, 1)
        self.assertTrue(front.ready())

    def test_large_bodies_both_ways(self):
        self.front(self.listener([self.pair("shop.example")]))
        connection = self.connect()
        body = os.urandom(3 << 20).hex().encode()
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n"
                           % len(body))
        connection.sendall(body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        self.assertIn(b" 200 ", data.split(b"\r\n")[0])


class Sessions(Front):
    def test_tickets_are_good_with_every_worker(self):
        self.front(self.listener([self.pair("shop.example")]), workers=2)
        context = self.context((V12, V12))
        first = self.connect(context=context)
        self.assertEqual(self.status(first), 200)
        for _ in range(12):
            again = self.connect(context=context, session=first.session)
            self.assertTrue(again.session_reused)
            self.assertEqual(self.status(again), 200)

    def test_tickets_survive_a_reload(self):
        front = self.front(self.listener([self.pair("shop.example")]))
        context = self.context((V12, V12))
        first = self.connect(context=context)
        front.reload()
        wait_for(lambda: "reload" in front.log(), 10, "the reload is logged")
        self.assertTrue(self.connect(context=context, session=first.session).session_reused)

    def test_without_tickets_nothing_is_resumed(self):
        self.front(self.listener([self.pair("shop.example")], tickets=False))
        context = self.context((V12, V12))
        first = self.connect(context=context)
        self.assertFalse(self.connect(context=context, session=first.session).session_reused)

    def test_a_session_without_certificate_is_not_resumed_where_one_is_required(self):
        strict = dict(self.pair("admin.example"), client_certificates="required",
                      client_ca=self.ca.file)
        self.front(self.listener([self.pair("shop.example"), strict]))
        context = self.context((V12, V12))
        context.check_hostname = False
        first = self.connect("shop.example", context)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.ask(self.connect("admin.example", context, first.session), "admin.example")


class ClientCertificates(Front):
    def test_required(self):
        self.front(self.listener([self.pair("shop.example")], client_certificates="required",
                                 client_ca=self.ca.file))
        known = self.ca.issue("partner", ["partner.example"])
        self.assertEqual(self.status(self.connect(context=self.context(certificate=known))), 200)
        unknown = self.authority("another").issue("partner", ["partner.example"])
        for certificate in (None, unknown):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.ask(self.connect(context=self.context(certificate=certificate)))

    def test_a_route_that_wants_one(self):
        self.front(self.listener([self.pair("shop.example")], client_certificates="optional",
                                 client_ca=self.ca.file),
                   routes=[{"path": "/", "service": "web"},
                           {"path": "/partners/", "service": "web",
                            "client_certificate": "required"}])
        known = self.ca.issue("partner", ["partner.example"])
        self.assertEqual(self.status(self.connect()), 200)
        top, body = self.ask(self.connect(), path="/partners/1")
        self.assertIn("403", top.split("\r\n")[0])
        self.assertIn("client certificate", body)
        shown = self.connect(context=self.context(certificate=known))
        self.assertEqual(self.status(shown, path="/partners/1"), 200)

    def test_a_host_that_asks_for_more_than_the_handshake_did(self):
        strict = dict(self.pair("admin.example"), client_certificates="required",
                      client_ca=self.ca.file)
        self.front(self.listener([self.pair("shop.example"), strict]))
        connection = self.connect("shop.example")
        top, _ = self.ask(connection, host="admin.example")
        self.assertIn("421", top.split("\r\n")[0])
        self.assertIn("frontdesk-reason: misdirected", top.lower())
        self.assertEqual(self.web.count, 0)


class Redirects(Front):
    def test_everything_plain_is_sent_to_tls(self):
        plain = free_port()
        self.front(self.listener([self.pair("shop.example")]),
                   {"address": "127.0.0.1:%d" % plain, "redirect_https": self.port})
        with socket.create_connection(("127.0.0.1", plain), 10) as connection:
            top, _ = self.ask(connection, "Shop.example:%d" % plain, "/a%20b?c=d&e")
        self.assertIn("308", top.split("\r\n")[0])
        self.assertIn("Location: https://shop.example:%d/a%%20b?c=d&e\r\n" % self.port, top + "\r\n")
        self.assertNotIn("strict-transport", top.lower())
        self.assertEqual(self.web.count, 0)

    def test_the_usual_port_is_not_written(self):
        plain = free_port()
        self.front({"address": "127.0.0.1:%d" % plain, "redirect_https": True})
        with socket.create_connection(("127.0.0.1", plain), 10) as connection:
            top, _ = self.ask(connection, "[::1]:80", "/nowhere")
        self.assertIn("Location: https://[::1]/nowhere\r\n", top + "\r\n")


class Files(Front):
    def test_a_reload_changes_the_certificate_and_ends_no_connection(self):
        old, new = self.ca.issue("a", ["shop.example"]), self.ca.issue("b", ["shop.example"])
        front = self.front(self.listener([{"cert": old.cert, "key": old.key}]))
        kept = self.connect()
        serial = kept.getpeercert()["serialNumber"]
        os.replace(new.cert, old.cert)
        os.replace(new.key, old.key)
        front.reload()
        wait_for(lambda: self.connect().getpeercert()["serialNumber"] != serial, 10,
                 "the new certificate")
        self.assertEqual(self.status(kept), 200)

    def test_a_bad_pair_leaves_the_old_one_in_force(self):
        pair = self.ca.issue("a", ["shop.example"])
        other = self.ca.issue("b", ["shop.example"])
        front = self.front(self.listener([{"cert": pair.cert, "key": pair.key}]))
        os.replace(other.key, pair.key)
        front.reload()
        wait_for(lambda: "key %s" % pair.key in front.log(), 10, "the key is named")
        self.assertEqual(self.status(self.connect()), 200)
