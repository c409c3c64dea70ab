# SPDX-License-Identifier: Apache-2.0
"""Handshakes that are too many, and what is counted of all of them."""
import socket
import ssl
import subprocess
import time

from lib import wait_for
from test_tls import V12, V13, Front


class Counted(Front):
    def results(self):
        return self.gateway_.status()["tls"]["results"]

    def start(self, workers=2, **tls):
        self.gateway_ = self.front(self.listener([self.pair("shop.example")], **tls), workers=workers)

    def try_to_connect(self, **options):
        try:
            return self.connect(**options)
        except OSError:
            return None

    def plain(self):
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        self.addCleanup(connection.close)
        return connection

    def wait_count(self, **wanted):
        wait_for(lambda: all(self.results()[key] == count for key, count in wanted.items()), 10,
                 "the counts %r" % wanted)


class Limits(Counted):
    def test_handshakes_in_a_second(self):
        """Exact, whatever worker a connection comes to: so many at once, then as many each second."""
        rate, asked = 4, 24
        self.start(max_handshakes_per_second=rate)
        began = time.monotonic()
        good = sum(self.try_to_connect() is not None for _ in range(asked))
        took = time.monotonic() - began
        self.assertGreaterEqual(good, rate)
        self.assertLessEqual(good, rate + int(took * rate) + 1)
        self.wait_count(full=good, rate_limited=asked - good)
        wait_for(lambda: self.try_to_connect() is not None, 10, "another second")

    def test_handshakes_at_once(self):
        self.start(max_concurrent_handshakes=2, handshake_timeout="30s")
        slow = [self.plain() for _ in range(3)]
        for connection in slow:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        self.wait_count(too_many=1)  # one of them, whichever was last
        self.assertIsNone(self.try_to_connect())
        self.assertEqual(self.results()["too_many"], 2)
        for connection in slow:
            connection.close()
        wait_for(lambda: self.try_to_connect() is not None, 10, "a free place")

    def test_a_finished_handshake_gives_its_place_back(self):
        self.start(max_concurrent_handshakes=1)
        kept = []
        for _ in range(10):
            wait_for(lambda: kept.append(self.connect()) or True, 10, "a place")
        for connection in kept:
            self.assertEqual(self.status(connection), 200)

    def test_the_silent_hold_no_place(self):
        """As load balancers look whether a port is open: nothing is taken, nothing is counted."""
        self.start(max_concurrent_handshakes=1, max_handshakes_per_second=1)
        for connection in [self.plain() for _ in range(20)]:
            connection.close()
        silent = [self.plain() for _ in range(5)]
        self.assertEqual(self.status(self.connect()), 200)
        self.assertEqual(sum(self.results().values()), 1)
        for connection in silent:
            connection.close()

    def test_a_reload_does_not_fill_it_up_again(self):
        self.start(max_handshakes_per_second=1)
        self.assertIsNotNone(self.try_to_connect())
        self.gateway_.reload()
        wait_for(lambda: self.gateway_.status()["reload"]["count"] == 1, 10, "the reload")
        good = sum(self.try_to_connect() is not None for _ in range(5))
        self.assertLessEqual(good, 2)


class Results(Counted):
    """Each way in which a handshake ends has its word."""

    def refused(self, **options):
        with self.assertRaises(OSError):
            self.ask(self.connect(**options))

    def test_versions_and_resumption(self):
        self.start()
        for number, version in enumerate((V12, V13), 1):
            context = self.context((version, version))
            first = self.connect(context=context)
            self.assertEqual(self.status(first), 200)
            for _ in range(6):  # comes to both workers
                self.assertTrue(self.connect(context=context, session=first.session).session_reused)
            self.wait_count(full=number, resumed=6 * number)
        tls = self.gateway_.status()["tls"]
        self.assertEqual(tls["versions"], {"1.2": 7, "1.3": 7})
        self.assertEqual(sum(tls["ciphers"].values()), 14)
        text = self.gateway_.admin_get("/metrics").body.decode()
        self.assertIn('frontdesk_tls_handshakes_total{result="resumed"} 12\n', text)
        self.assertIn('frontdesk_tls_versions_total{version="1.3"} 7\n', text)

    def test_no_common_ground(self):
        self.start()
        old = self.context((ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1))
        old.set_ciphers("ALL:@SECLEVEL=0")
        self.refused(context=old)
        weak = self.context((V12, V12))
        weak.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        self.refused(context=weak)
        self.refused(context=self.context(alpn=["spdy/3"]))
        self.wait_count(unsupported_version=1, no_shared_cipher=1, no_shared_protocol=1)

    def test_what_is_no_tls(self):
        self.start(handshake_timeout="300ms")
        http = self.plain()
        http.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.wait_count(not_tls=1)
        gone = self.plain()
        gone.sendall(b"\x16\x03\x01\x02\x00\x01")
        gone.close()
        self.wait_count(client_gone=1)
        slow = self.plain()
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")
        self.wait_count(timeout=1)

    def test_certificates_on_both_sides(self):
        self.start(client_certificates="required", client_ca=self.ca.file)
        self.refused()
        self.refused(context=self.context(certificate=self.authority("another").issue("x", ["x"])))
        self.wait_count(client_certificate=2)
        stranger = ssl.create_default_context()
        self.refused(context=stranger)
        self.wait_count(client_alert=1)


class NoEarlyData(Front):
    def test_a_ticket_allows_none(self):
        """What could be replayed is never taken (RFC 8446 section 8)."""
        self.front(self.listener([self.pair("shop.example")]))
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.port, "-tls1_3",
                               "-servername", "shop.example", "-CAfile", self.ca.file, "-ign_eof"],
                              input=b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        text = done.stdout.decode(errors="replace")
        self.assertIn("TLS session ticket", text)
        self.assertIn("Max Early Data: 0", text)
