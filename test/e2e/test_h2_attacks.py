# SPDX-License-Identifier: Apache-2.0
"""What clients of HTTP/2 do to be a nuisance: each costs them their connection, and nobody else anything."""
import struct

from lib import gate, hang, reply, request, wait_for
from lib.h2_raw import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                        GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS,
                        WINDOW_UPDATE, H2Client, block, get)
from test_h2 import H2Front


class Attacks(H2Front):
    def attack(self, client, piece, times, expected=(ENHANCE_YOUR_CALM,)):
        """Sends the piece over and over, until the gateway has had enough."""
        try:
            for _ in range(times):
                client.send(piece)
        except OSError:
            pass
        gone = client.goaway()
        self.assertTrue(gone is None or gone[0] in expected, gone)
        self.assertLive()

    def assertLive(self):
        good = self.client()
        good.request(1)
        self.assertEqual(good.answer(1).status, 200)
        self.assertEqual(request(self.plain, "GET", "/").status, 200)


class Floods(Attacks):
    def setUp(self):
        super().setUp()
        self.start(http2={"reset_burst": 100, "reset_rate": 1})

    def test_rapid_reset(self):
        self.web.on("/hang", hang())
        client = self.client()
        pieces, asked = [], b""
        for stream in range(1, 2001, 2):
            asked += client.pack(HEADERS, END_HEADERS | END_STREAM, stream, block(get("/hang")))
            asked += client.pack(RST_STREAM, 0, stream, struct.pack("!I", CANCEL))
            if len(asked) > 8000:
                pieces.append(asked)
                asked = b""
        try:
            for piece in pieces:
                client.send(piece)
        except OSError:
            pass
        gone = client.goaway()
        self.assertTrue(gone is None or gone[0] == ENHANCE_YOUR_CALM, gone)
        wait_for(lambda: self.gate.service("web")["in_flight"] == 0, what="the end of all that was taken back")
        self.assertLess(self.web.count, 250)
        self.assertLive()

    def test_resets_that_the_client_provokes(self):
        client = self.client()
        try:
            for stream in range(1, 1001, 2):
                client.send(client.pack(HEADERS, END_HEADERS, stream, block(get("/x", "POST"))) +
                            client.pack(WINDOW_UPDATE, 0, stream, struct.pack("!I", 0x7fffffff)))
        except OSError:
            pass
        gone = client.goaway()
        self.assertTrue(gone is None or gone[0] in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR), gone)
        self.assertLive()

    def test_malformed_requests_without_end(self):
        client = self.client()
        try:
            for stream in range(1, 1001, 2):
                client.headers(stream, get("/x", more=[("X-UPPER", "case")]))
        except OSError:
            pass
        gone = client.goaway()
        self.assertTrue(gone is None or gone[0] == ENHANCE_YOUR_CALM, gone)
        self.assertLive()

    def test_resets_within_reason_are_no_attack(self):
        self.web.on("/hang", hang())
        client = self.client()
        for stream in range(1, 121, 2):
            client.request(stream, "/hang")
            client.reset(stream)
        client.request(121)
        self.assertEqual(client.answer(121).status, 200)

    def test_frames_that_ask_for_nothing(self):
        rows = {
            "ping": H2Client.pack(PING, 0, 0, b"12345678") * 500,
            "settings": H2Client.pack(SETTINGS, 0, 0) * 500,
            "priority": H2Client.pack(PRIORITY, 0, 1, struct.pack("!IB", 3, 1)) * 500,
            "window update": H2Client.pack(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1)) * 500,
        }
        for name, piece in rows.items():
            with self.subTest(name=name):
                client = self.client()
                client.greedy = False
                self.attack(client, piece, 400)

    def test_empty_data(self):
        self.web.on("/hang", hang())
        client = self.client()
        client.headers(1, get("/hang", "POST"), end=False)
        self.attack(client, client.pack(DATA, 0, 1) * 500, 400)


class Framing(Attacks):
    def setUp(self):
        super().setUp()
        self.start()

    def test_continuations_without_end(self):
        client = self.client()
        client.frame(HEADERS, END_STREAM, 1, block(get("/x")))
        self.attack(client, client.pack(CONTINUATION, 0, 1, block([("a", "b" * 100)])), 100000,
                    (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, 2))

    def test_a_table_that_is_blown_up(self):
        """One large field is put into the table once and then named thousands of times (HPACK bomb)."""
        client = self.client()
        first = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in get("/x"))
        bomb = b"\x40" + b"\x01x" + b"\x7f\xa1\x1e" + b"y" * 4000
        client.frame(HEADERS, END_HEADERS | END_STREAM, 1, first + bomb + b"\xbe" * 8000)
        answer = None
        try:
            answer = client.answer(1)
        except AssertionError:
            pass
        self.assertTrue(answer is None or answer.status == 431 or answer.reset is not None, answer)
        self.assertLess(self.gate.rss(), 200 << 20)
        self.assertLive()

    def test_frames_against_the_rules(self):
        rows = {
            "data without a stream": (DATA, 0, 0, b"x"), "data on an idle stream": (DATA, 0, 7, b"x"),
            "headers on stream 0": (HEADERS, END_HEADERS, 0, block(get())),
            "headers on an even stream": (HEADERS, END_HEADERS, 2, block(get())),
            "settings on a stream": (SETTINGS, 0, 1, b""), "settings of odd size": (SETTINGS, 0, 0, b"12345"),
            "settings ack with payload": (SETTINGS, 1, 0, b"123456"),
            "push": (5, END_HEADERS, 1, struct.pack("!I", 2) + block(get())),
            "ping of odd size": (PING, 0, 0, b"1234"), "ping on a stream": (PING, 0, 1, b"12345678"),
            "window update of zero": (WINDOW_UPDATE, 0, 0, struct.pack("!I", 0)),
            "window update of odd size": (WINDOW_UPDATE, 0, 0, b"123"),
            "window too large": (WINDOW_UPDATE, 0, 0, struct.pack("!I", 0x7fffffff)),
            "reset of an idle stream": (RST_STREAM, 0, 9, struct.pack("!I", 8)),
            "reset on stream 0": (RST_STREAM, 0, 0, struct.pack("!I", 8)),
            "continuation alone": (CONTINUATION, END_HEADERS, 1, b""),
            "broken field block": (HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
            "goaway on a stream": (GOAWAY, 0, 1, b"\0" * 8),
            "large frame": (DATA, 0, 1, b"x" * 16385),
            "push enabled": (SETTINGS, 0, 0, struct.pack("!HI", 2, 7)),
            "window setting too large": (SETTINGS, 0, 0, struct.pack("!HI", 4, 0x80000000)),
            "frame size setting": (SETTINGS, 0, 0, struct.pack("!HI", 5, 1)),
        }
        for name, frame in rows.items():
            with self.subTest(name=name):
                client = self.client()
                client.frame(*frame)
                gone = client.goaway()
                self.assertIsNotNone(gone, name)
                self.assertNotEqual(gone[0], 0)
        self.assertLive()

    def test_more_than_the_window(self):
        self.web.on("/hang", hang())
        client = self.client()
        client.headers(1, get("/hang", "POST"), end=False)
        # What the gateway can hand on opens the window again, until the buffers behind it are full.
        for _ in range(100):
            for _ in range(20):
                client.frame(DATA, 0, 1, b"x" * 16384)
            if client.has_ended(1, 0.1):
                break
        self.assertEqual(client.answer(1).reset, FLOW_CONTROL_ERROR)
        client.request(3)
        self.assertEqual(client.answer(3).status, 200)

    def test_interleaved_heads(self):
        client = self.client()
        client.frame(HEADERS, END_STREAM, 1, block(get("/x")))
        client.frame(HEADERS, END_HEADERS | END_STREAM, 3, block(get("/y")))
        self.assertEqual(client.goaway()[0], PROTOCOL_ERROR)
        self.assertEqual(self.web.count, 0)


class Slowness(Attacks):
    def test_a_head_that_never_ends(self):
        self.start(limits={"header_timeout": "300ms"})
        client = self.client()
        client.frame(HEADERS, END_STREAM, 1, block(get("/x")))
        client.goaway()
        self.assertLive()

    def test_a_preface_that_never_comes(self):
        self.start(limits={"header_timeout": "300ms"})
        for text in (b"", PREFACE[:10], PREFACE):
            client = self.client(preface=False)
            if text:
                client.send(text)
            client.goaway()
        self.assertLive()

    def test_a_body_that_never_comes(self):
        self.start(limits={"body_timeout": "300ms"})
        client = self.client()
        client.headers(1, get("/x", "POST"), end=False)
        answer = client.answer(1)
        self.assertEqual(answer.status, 408)

    def test_an_answer_that_nobody_takes(self):
        self.web.always(reply(body=b"x" * (4 << 20)))
        self.start(limits={"write_timeout": "500ms"})
        client = self.client()
        client.greedy = False
        client.request(1)
        self.assertIsNotNone(client.answer(1).reset)
        client.greedy = True
        client.update(0, 1 << 20)
        self.web.always(reply(body=b"small"))
        client.request(3)
        self.assertEqual(client.answer(3).body, b"small")

    def test_small_answers_that_nobody_takes(self):
        """Their exchanges are over; the streams are not."""
        self.web.always(reply(body=b"x" * 10000))
        self.start(limits={"write_timeout": "500ms"})
        client = self.client(settings=[(4, 0)])
        client.request(1)
        client.request(3)
        for stream in (1, 3):
            self.assertIsNotNone(client.answer(stream).reset)

    def test_a_client_that_reads_nothing(self):
        self.web.always(reply(body=b"x" * (1 << 20)))
        self.start(limits={"write_timeout": "500ms"})
        client = self.client(settings=[(4, 0x7fffffff)])
        client.update(0, 0x7fffffff - 65535)
        for stream in range(1, 200, 2):
            client.request(stream)
        wait_for(lambda: self.gate.service("web")["in_flight"] == 0 and self.web.count > 0,
                 what="the end of the requests")
        self.assertLess(self.gate.rss(), 200 << 20)
        self.assertLive()

    def test_memory_is_bounded_while_a_service_takes_nothing(self):
        self.start(limits={"body": "unlimited"})
        held = self.event()
        self.web.on("/slow", gate(held))
        client = self.client()
        before = self.gate.rss()
        for stream in range(1, 101, 2):
            client.headers(stream, get("/slow", "POST"), end=False)
            client.frame(DATA, 0, stream, b"x" * 16384)
        client.ping()
        self.assertLess(self.gate.rss() - before, 64 << 20)
        held.set()
