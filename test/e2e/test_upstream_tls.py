# SPDX-License-Identifier: Apache-2.0
"""TLS to the instances: who is believed, what is sent first, sessions, files that change, failures."""
import shutil
import socket
import ssl
import threading

from lib import Scenario, free_port, head, origin_context, reply, wait_for

QUIET = {"retries": {"attempts": 1}, "breaker": {"enabled": False}, "outlier": {"enabled": False}}
TLS12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
TLS13 = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)


class Secure(Scenario):
    def setUp(self):
        self.ca = self.authority()

    def secure_origin(self, names=("127.0.0.1",), name="web", certificate=None, **options):
        certificate = certificate or self.ca.issue(name, names)
        return self.origin(name, tls=origin_context(certificate, **options))

    def front(self, origins, tls=None, config=None, **settings):
        settings = dict(QUIET, tls=dict({"ca": self.ca.file}, **(tls or {})), **settings)
        whole = {"access_log": "stdout", "workers": 1}
        whole.update(config or {})
        return self.static_gateway(origins, settings=settings, config=whole)

    def last_error(self, gateway, service="web"):
        return gateway.service(service)["instances"][0]["last_error"]


class Verification(Secure):
    def test_the_address_is_the_name(self):
        web = self.secure_origin()
        front = self.front([web])
        answer = front.request("POST", "/x", body=b"hello")
        self.assertEqual((answer.status, answer.json()["body"]), (200, "hello"))
        self.assertEqual((web.sessions[0].sni, web.sessions[0].alpn), (None, "http/1.1"))
        shown = front.service("web")
        self.assertEqual(shown["protocol"], "http/1.1")
        self.assertEqual((shown["tls"]["verify"], shown["tls"]["server_name"]), (True, None))
        self.assertEqual(shown["instances"][0]["tls"], True)

    def test_a_name_that_is_configured(self):
        web = self.secure_origin(["web.internal"])
        front = self.front([web], {"server_name": "{service}.internal"})
        self.assertEqual(front.get("/").status, 200)
        self.assertEqual(web.sessions[0].sni, "web.internal")

    def test_who_is_not_believed(self):
        other = self.authority("another")
        table = [
            ("other name", self.ca.issue("a", ["10.1.2.3"]), "IP address mismatch"),
            ("common name alone", self.ca.issue("127.0.0.1"), "IP address mismatch"),
            ("expired", self.ca.issue("a", ["127.0.0.1"], days=-1), "expired"),
            ("other authority", other.issue("a", ["127.0.0.1"]), "unable to get local issuer"),
        ]
        for name, certificate, words in table:
            with self.subTest(name):
                web = self.secure_origin(certificate=certificate)
                front = self.front([web])
                answer = front.get("/")
                self.assertEqual((answer.status, answer.reason), (502, "upstream_tls_failed"))
                self.assertEqual(web.count, 0)
                self.assertIn(words, self.last_error(front))
                self.assertIn(words, front.log())
                self.assertEqual(front.wait_logged(status=502)["reason"], "upstream_tls_failed")

    def test_verify_false_believes_anybody(self):
        web = self.secure_origin(certificate=self.authority("another").issue("x", ["y"]))
        front = self.front([web], {"verify": False})
        self.assertEqual(front.get("/").status, 200)
        self.assertFalse(front.service("web")["tls"]["verify"])
        self.assertIn("anybody can pose as the service", front.log())

    def test_plain_text_to_a_tls_server_is_no_answer(self):
        web = self.secure_origin()
        front = self.static_gateway([web], settings=QUIET)
        self.assertEqual(front.get("/").status, 502)
        self.assertEqual(web.count, 0)

    def test_versions(self):
        old = self.secure_origin(versions=TLS12)
        self.assertEqual(self.front([old]).get("/").status, 200)
        front = self.front([old], {"min_version": "1.3"})
        self.assertEqual(front.get("/").reason, "upstream_tls_failed")
        self.assertEqual([session.version for session in old.sessions], ["TLSv1.2"])


class ClientCertificate(Secure):
    def test_is_shown(self):
        mine = self.ca.issue("gateway", ["gateway"])
        web = self.secure_origin(client_ca=self.ca.file)
        front = self.front([web], {"cert": mine.cert, "key": mine.key})
        self.assertEqual(front.get("/").status, 200)
        self.assertEqual(web.sessions[0].subject, "commonName=gateway")
        self.assertTrue(front.service("web")["tls"]["client_certificate"])
        row = front.status()["certificates"][0]
        self.assertEqual((row["listener"], row["file"]), (None, mine.cert))
        self.assertIn("hours", row["problem"])
        self.assertIn('frontdesk_certificate_expiry_seconds{file="%s"}' % mine.cert,
                      front.admin_get("/metrics").body.decode())

    def test_is_missing(self):
        web = self.secure_origin(client_ca=self.ca.file, versions=TLS12)
        front = self.front([web])
        self.assertEqual(front.get("/").reason, "upstream_tls_failed")
        self.assertIn("handshake failure", self.last_error(front))


class Connections(Secure):
    def test_kept_alive_with_tickets(self):
        """TLS 1.3 tickets arrive behind the handshake, also on a connection that is idle by then."""
        for versions in (TLS12, TLS13):
            web = self.secure_origin(versions=versions)
            front = self.front([web])
            for number in range(20):
                method = "POST" if number % 2 else "GET"
                self.assertEqual(front.request(method, "/%d" % number, body=b"x" * number).status, 200)
            self.assertEqual(web.accepted, 1)

    def test_sessions_are_resumed(self):
        for versions in (TLS12, TLS13):
            web = self.secure_origin(versions=versions)
            front = self.front([web])
            web.always(reply(close=True))
            for _ in range(3):
                self.assertEqual(front.get("/").status, 200)
            self.assertEqual([session.reused for session in web.sessions], [False, True, True])

    def test_bodies_both_ways(self):
        web = self.secure_origin()
        front = self.front([web])
        body = bytes(range(256)) * 8192
        web.always(reply(body=body))
        self.assertEqual(front.request("POST", "/", body=body).body, body)
        self.assertEqual(web.requests[0].body, body)
        web.always(reply(body=body, framing="chunked"))
        self.assertEqual(front.get("/").body, body)

    def test_an_end_without_close_notify_cuts_an_answer_short(self):
        """Without a length, only the end of TLS says that an answer is whole."""
        web = self.secure_origin()
        front = self.front([web])

        def torn(request, connection):
            connection.send(head(200, [("Connection", "close")]) + b"half")
            connection.close()

        def whole(request, connection):
            connection.send(head(200, [("Connection", "close")]) + b"whole")
            try:
                connection.sock.unwrap()
            except OSError:
                pass
            connection.close()

        web.on("/whole", whole).on("/torn", torn)
        self.assertEqual(front.get("/whole").body, b"whole")
        with front.connect() as client:
            client.send(b"GET /torn HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"0\r\n\r\n", client.read_to_end())
        self.assertEqual(front.wait_logged(path="/torn")["reason"], "upstream_cut")

    def test_a_kept_connection_that_the_service_closes(self):
        web = self.secure_origin()
        front = self.front([web])
        for _ in range(3):
            self.assertEqual(front.request("POST", "/", body=b"x").status, 200)
            web.wait_idle_closed()
        self.assertEqual(web.accepted, 3)

    def test_retried_elsewhere_when_the_handshake_fails(self):
        bad = self.secure_origin(["other.example"], name="bad")
        good = self.secure_origin(name="good")
        front = self.front([bad, good], retries={"attempts": 2})
        for _ in range(8):
            answer = front.request("POST", "/", body=b"once")
            self.assertEqual((answer.status, answer.header("X-Origin")), (200, "good"))
        self.assertGreater(bad.failed_handshakes + len(bad.sessions), 0)
        self.assertEqual(bad.count, 0)

    def test_failed_handshakes_open_the_breaker(self):
        web = self.secure_origin(["other.example"])
        front = self.front([web], breaker={"minimum_requests": 3, "failure_rate": 50})
        for _ in range(3):
            self.assertEqual(front.get("/").reason, "upstream_tls_failed")
        self.assertEqual(front.get("/").reason, "breaker_open")

    def test_a_handshake_that_hangs_is_a_connect_timeout(self):
        port = free_port()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen(8)
            front = self.gateway({"services": {"web": dict(QUIET, instances=["127.0.0.1:%d" % port],
                                                           tls={"ca": self.ca.file},
                                                           connect_timeout="200ms")},
                                  "routes": [{"path": "/", "service": "web"}]}, consul=None)
            answer = front.get("/")
            self.assertEqual((answer.status, answer.reason), (504, "connect_timeout"))

    def test_nothing_in_the_clear_is_taken_for_an_answer(self):
        """Bytes before the handshake has ended are no part of an answer."""
        port = free_port()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen(8)

            def serve():
                sock, _ = listener.accept()
                with sock:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                    sock.settimeout(5)
                    try:
                        while sock.recv(4096):
                            pass
                    except OSError:
                        pass

            threading.Thread(target=serve, daemon=True).start()
            front = self.gateway({"services": {"web": dict(QUIET, instances=["127.0.0.1:%d" % port],
                                                           tls={"ca": self.ca.file})},
                                  "routes": [{"path": "/", "service": "web"}]}, consul=None)
            self.assertEqual(front.get("/").reason, "upstream_tls_failed")

    def test_a_reload_that_asks_for_tls_takes_no_plain_connection(self):
        web = self.origin()
        front = self.static_gateway([web], settings=QUIET, config={"workers": 1})
        self.assertEqual(front.get("/").status, 200)
        front.configure({"workers": 1, "services": {"web": dict(QUIET, instances=[web.address],
                                                                connect_timeout="100ms",
                                                                tls={"ca": self.ca.file})},
                         "routes": [{"path": "/", "service": "web"}]})
        front.reload()
        # It waits for the rest of what it takes for a request.
        wait_for(lambda: front.get("/").reason == "connect_timeout", 10, "TLS to a plain server")


class Files(Secure):
    def test_read_again_when_they_change(self):
        next_ca = self.authority("the next one")
        web = self.secure_origin(certificate=next_ca.issue("web", ["127.0.0.1"]))
        front = self.front([web])
        self.assertEqual(front.get("/").reason, "upstream_tls_failed")
        shutil.copyfile(next_ca.file, self.ca.file + ".new")
        shutil.move(self.ca.file + ".new", self.ca.file)
        wait_for(lambda: front.get("/").status == 200, 15, "the new authority in force")

    def test_bad_files_are_refused_when_loading(self):
        web = self.secure_origin()
        front = self.front([web])
        for tls, words in (({"ca": "/no/such/file"}, "/no/such/file"),
                           ({"ca": self.ca.key}, self.ca.key),
                           ({"cert": self.ca.file, "key": web_key(self.ca)}, "mismatch")):
            front.configure({"services": {"web": dict(QUIET, instances=[web.address], tls=tls)},
                             "routes": [{"path": "/", "service": "web"}]})
            front.reload()
            wait_for(lambda: words in (front.status()["reload"]["last_error"] or ""), 10,
                     "refusal that names %s" % words)
            self.assertEqual(front.get("/").status, 200)


def web_key(ca):
    return ca.issue("x", ["x"]).key


class Catalog(Secure):
    def test_instances_say_that_they_speak_tls(self):
        web = self.secure_origin()
        self.instance("web", "a", origin=web,
                      tags=["frontdesk.path=/web/", "frontdesk.protocol=https"])
        front = self.gateway({"defaults": {"tls": {"enabled": False, "ca": self.ca.file}}})
        wait_for(lambda: front.get("/web/").status == 200, 10, "answer over TLS")
        self.assertEqual(front.service("web")["instances"][0]["tls"], True)

    def test_fabio_tags(self):
        web = self.secure_origin(["whatever"])
        self.instance("old", "a", origin=web, tags=["urlprefix-/old proto=https tlsskipverify=true"])
        front = self.gateway({})
        wait_for(lambda: front.get("/old").status == 200, 10, "answer over TLS")
        self.assertEqual(front.service("old")["tls"]["verify"], False)


class ProxyProtocol(Scenario):
    """The header comes before everything else, also before TLS."""

    def listener(self, serve):
        listener = socket.socket()
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(8)
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def front(self, address, **settings):
        return self.gateway({"services": {"web": dict(QUIET, instances=[address], **settings)},
                             "routes": [{"path": "/", "service": "web"}]}, consul=None)

    def test_version_1_names_the_client(self):
        heads = []

        def serve(sock):
            data = b""
            while not data.endswith(b"\r\n\r\n"):
                data += sock.recv(4096)
            heads.append(data)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if not sock.recv(1):
                sock.close()

        front = self.front(self.listener(serve), send_proxy_protocol="v1")
        with front.connect() as client:
            ours = client.sock.getsockname()
            for _ in range(2):
                client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
                self.assertEqual(client.read_answer().status, 200)
        expected = b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nGET /x HTTP/1.1\r\n" % (ours[1], front.port)
        self.assertEqual([data[:len(expected)] for data in heads], [expected] * 2)

    def test_version_2_before_tls(self):
        ca = self.authority()
        context = origin_context(ca.issue("web", ["127.0.0.1"]))
        heads = []

        def serve(sock):
            heads.append(sock.recv(28, socket.MSG_WAITALL))
            with context.wrap_socket(sock, server_side=True) as secure:
                data = b""
                while not data.endswith(b"\r\n\r\n"):
                    data += secure.recv(4096)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                secure.recv(1)

        front = self.front(self.listener(serve), send_proxy_protocol="v2", tls={"ca": ca.file})
        self.assertEqual(front.get("/").body, b"ok")
        self.assertEqual(heads[0][:14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
        self.assertEqual(heads[0][16:24], bytes([127, 0, 0, 1, 127, 0, 0, 1]))
        self.assertEqual(int.from_bytes(heads[0][26:28], "big"), front.port)
