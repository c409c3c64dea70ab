# SPDX-License-Identifier: Apache-2.0
"""Answers in a content coding: who gets which, what the head says of it, and that streams stay streams."""
import json
import os
import shutil
import subprocess
import zlib

from lib import Scenario, build, cut, free_port, gate, reply, slow_body, wait_for
from lib.h2_raw import H2Client

TEXT = json.dumps([{"id": i, "name": "thing %d" % i, "tags": ["a", "b"]} for i in range(400)]).encode()


def says(body=TEXT, *fields, type_="application/json", **options):
    return reply(200, body, headers=[("Content-Type", type_)] + [tuple(f.split(": ", 1)) for f in fields], **options)


def decode(case, coding, body):
    if coding is None:
        return body
    if coding == "gzip":
        made = zlib.decompressobj(31)
        text = made.decompress(body)
        case.assertTrue(made.eof and not made.unused_data)
        return text
    tool = {"br": ["brotli", "-dc"], "zstd": ["zstd", "-dcq"]}[coding]
    if not shutil.which(tool[0]):
        case.skipTest("no %s here" % tool[0])
    done = subprocess.run(tool, input=body, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    case.assertEqual(done.returncode, 0, done.stderr)
    return done.stdout


class Coded(Scenario):
    def front_with(self, compression=True, route=None, **config):
        self.web = self.origin("web")
        self.web.always(says())
        whole = dict({"workers": 1, "services": {"web": {"instances": [self.web.address]}},
                      "routes": [dict({"path": "/", "service": "web", "compression": compression}, **route or {})]}, **config)
        self.gate = self.gateway(whole, consul=None)
        return self.gate

    def get(self, accept="gzip", method="GET", target="/x", **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            fields["Accept-Encoding"] = accept
        return self.gate.request(method, target, headers=fields)

    def coding(self, *args, **options):
        return self.get(*args, **options).header("Content-Encoding")


class Choice(Coded):
    def test_codings(self):
        self.front_with()
        for accept, coding in (("gzip", "gzip"), ("zstd", "zstd"), ("br", "br")):
            with self.subTest(coding=coding):
                answer = self.get(accept)
                self.assertEqual(answer.header("Content-Encoding"), coding)
                self.assertEqual(decode(self, coding, answer.body), TEXT)
                self.assertLess(len(answer.body), len(TEXT) // 4)
                self.assertEqual(answer.header("Vary"), "Accept-Encoding")
                self.assertIsNone(answer.header("Content-Length"))

    def test_what_the_client_takes(self):
        self.front_with()
        rows = ((None, None), ("", None), ("identity", None), ("gzip, br, zstd", "zstd"), ("gzip;q=1, br;q=0.5", "gzip"),
                ("gzip;q=0", None), ("*", "zstd"), ("*;q=0.1, zstd;q=0", "br"), ("gzip;q=0.5, identity", None),
                ("gzip;q=2", None), ("gzip;q=0.1234", None), ("deflate, compress", None), ("X-GZIP", "gzip"), ("gzip ; q=0.001", "gzip"),
                ("gzip;level=9", None), (",,gzip,,", "gzip"))
        for accept, coding in rows:
            with self.subTest(accept=accept):
                answer = self.get(accept)
                self.assertEqual(answer.header("Content-Encoding"), coding)
                self.assertEqual(answer.header("Vary"), "Accept-Encoding")
                if coding in (None, "gzip"):
                    self.assertEqual(decode(self, coding, answer.body), TEXT)

    def test_off(self):
        self.front_with(compression=False)
        answer = self.get()
        self.assertEqual((answer.header("Content-Encoding"), answer.header("Vary"), answer.body), (None, None, TEXT))
        self.assertEqual(self.web.requests[-1].header("Accept-Encoding"), "gzip")

    def test_for_all_routes(self):
        self.front_with(compression={"codings": ["gzip"], "level": "best"})
        self.assertEqual(self.coding("gzip, zstd"), "gzip")

    def test_what_stays_as_it_is(self):
        self.front_with()
        rows = ((says(b"small"), None), (says(TEXT, type_="image/png"), None), (says(TEXT, type_="text/html; charset=utf-8"), "gzip"),
                (says(TEXT, type_="application/problem+json"), "gzip"), (says(TEXT, type_="image/svg+xml"), "gzip"),
                (says(TEXT, "Content-Encoding: br"), "br"), (says(TEXT, "Cache-Control: no-transform"), None),
                (says(TEXT, type_="nonsense"), None), (reply(200, TEXT), None),
                (reply(206, TEXT, headers=[("Content-Type", "text/plain"), ("Content-Range", "bytes 0-1/2")]), None),
                (reply(204, b""), None), (reply(500, TEXT, headers=[("Content-Type", "text/plain")]), "gzip"), (says(b""), None))
        for i, (behaviour, coding) in enumerate(rows):
            with self.subTest(row=i):
                self.web.always(behaviour)
                self.assertEqual(self.coding(), coding)

    def test_settings(self):
        self.front_with(compression={"min_size": "64", "types": ["x/*"], "codings": ["br", "gzip"]})
        self.web.always(says(b"x" * 64, type_="x/y"))
        self.assertEqual(self.coding("gzip, br"), "br")
        self.web.always(says(b"x" * 63, type_="x/y"))
        self.assertIsNone(self.coding())
        self.web.always(says())
        self.assertIsNone(self.coding())


class Heads(Coded):
    def test_validators(self):
        self.front_with()
        for etag, sent in (('"abc"', 'W/"abc"'), ('W/"abc"', 'W/"abc"')):
            self.web.always(says(TEXT, "ETag: " + etag, "Accept-Ranges: bytes", "Content-MD5: x", "Vary: Origin"))
            answer = self.get()
            self.assertEqual(answer.header("ETag"), sent)
            self.assertIsNone(answer.header("Accept-Ranges"))
            self.assertIsNone(answer.header("Content-MD5"))
            self.assertEqual(answer.header_all("Vary"), ["Origin", "Accept-Encoding"])
            self.assertEqual(self.get(None).header("ETag"), etag)
        self.web.always(says(TEXT, "Vary: accept-encoding, Origin"))
        self.assertEqual(self.get().header_all("Vary"), ["accept-encoding, Origin"])

    def test_head(self):
        self.front_with()
        self.web.always(reply(200, b"", headers=[("Content-Type", "text/plain"), ("Content-Length", "5000")], framing="none"))
        answer = self.get(method="HEAD")
        self.assertEqual((answer.header("Content-Encoding"), answer.header("Content-Length")), ("gzip", None))
        self.assertEqual(self.get(None, method="HEAD").header("Content-Length"), "5000")

    def test_guessing(self):
        self.front_with()
        rows = (({}, "gzip"), ({"Cookie": "a=b"}, None), ({"Authorization": "Basic eDp5"}, None),
                ({"Authorization": "Bearer x"}, "gzip"), ({"Authorization": "Negotiate x"}, None))
        for headers, coding in rows:
            with self.subTest(headers=headers):
                self.assertEqual(self.coding(**headers), coding)
        self.web.always(says(TEXT, "Cache-Control: public"))
        self.assertEqual(self.coding(Cookie="a=b"), "gzip")
        self.front_with(compression={"breach": "off"})
        self.assertEqual(self.coding(Cookie="a=b"), "gzip")


class Streams(Coded):
    def test_what_is_sent_is_let_out(self):
        self.front_with()
        more = self.event()

        def behave(request, connection):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.send(b"d\r\ndata: first\n\n\r\n")
            more.wait(20)
            connection.send(b"e\r\ndata: second\n\n\r\n0\r\n\r\n")

        self.web.always(behave)
        client = self.gate.connect()
        client.send(build("GET", "/x", {"Accept-Encoding": "gzip"}))
        head = client.read_head()
        self.assertEqual(head.header("Transfer-Encoding"), "chunked")
        made, text = zlib.decompressobj(31), b""
        while b"first" not in text:
            text += made.decompress(client.read_chunk())
        more.set()
        while not made.eof:
            text += made.decompress(client.read_chunk())
        self.assertEqual(text, b"data: first\n\ndata: second\n\n")

    def test_framings(self):
        self.front_with()
        body = TEXT * 20
        for framing in ("length", "chunked", "close"):
            with self.subTest(framing=framing):
                self.web.always(says(body, framing=framing))
                for coding in ("gzip", "zstd"):
                    self.assertEqual(decode(self, coding, self.get(coding).body), body)

    def test_http10(self):
        self.front_with()
        client = self.gate.connect()
        client.send(b"GET /x HTTP/1.0\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
        answer = client.read_answer()
        self.assertEqual((answer.header("Transfer-Encoding"), answer.header("Connection")), (None, "close"))
        self.assertEqual(decode(self, "gzip", answer.body), TEXT)

    def test_http2(self):
        port = free_port()
        self.front_with(listeners=[{"address": "127.0.0.1:%d" % port, "http2": True}])
        client = H2Client(port)
        self.addCleanup(client.close)
        client.request(1, "/x", more=[("accept-encoding", "gzip")])
        answer = client.answer(1)
        self.assertEqual(answer.header("content-encoding"), "gzip")
        self.assertIsNone(answer.header("content-length"))
        self.assertEqual(decode(self, "gzip", answer.body), TEXT)

    def test_a_service_that_breaks_off(self):
        self.front_with()
        self.web.always(cut(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\n" + b"x" * 5000))
        client = self.gate.connect()
        client.send(build("GET", "/x", {"Accept-Encoding": "gzip"}))
        client.read_head()
        rest = client.read_to_end()
        self.assertFalse(rest.endswith(b"0\r\n\r\n"))
        made = zlib.decompressobj(31)
        self.assertFalse(made.eof)

    def test_a_slow_client(self):
        self.front_with(compression={"level": "fast"})
        body = b"".join(os.urandom(30).hex().encode() + b"\n" for _ in range(60000))
        self.web.always(says(body, type_="text/plain"))
        before = self.gate.rss()
        client = self.gate.connect(timeout=60)
        client.send(build("GET", "/x", {"Accept-Encoding": "gzip"}))
        head = client.read_head()
        self.assertEqual(head.header("Content-Encoding"), "gzip")
        self.assertLess(self.gate.rss() - before, 8 << 20)
        made, text = zlib.decompressobj(31), b""
        while not made.eof:
            text += made.decompress(client.read_chunk())
        self.assertEqual(text, body)

    def test_many_at_once(self):
        self.front_with()
        go = self.event()
        self.web.always(gate(go, says()))
        clients = []
        for _ in range(80):
            client = self.gate.connect(timeout=30)
            client.send(build("GET", "/x", {"Accept-Encoding": "gzip"}))
            clients.append(client)
        self.web.wait_requests(80)
        go.set()
        for client in clients:
            answer = client.read_answer()
            self.assertEqual(decode(self, answer.header("Content-Encoding"), answer.body), TEXT)

    def test_the_client_leaves(self):
        self.front_with()
        self.web.always(slow_body([TEXT] * 50, pause=0.05, headers=[("Content-Type", "text/plain")]))
        client = self.gate.connect()
        client.send(build("GET", "/x", {"Accept-Encoding": "gzip"}))
        client.read_head()
        client.close()
        wait_for(lambda: self.gate.service("web")["in_flight"] == 0, what="the end of the exchange")


class InMemory(Coded):
    def test_stored_answers(self):
        self.front_with(route={"cache": {"ttl": "1m"}})
        self.web.always(says(TEXT, 'ETag: "v1"'))
        self.assertEqual(decode(self, "gzip", self.get().body), TEXT)
        for accept, coding in ((None, None), ("gzip", "gzip"), ("zstd", "zstd")):
            answer = self.get(accept)
            self.assertEqual((answer.header("Content-Encoding"), answer.header("Vary")), (coding, "Accept-Encoding"))
            self.assertEqual(int(answer.header("Content-Length")), len(answer.body))
            self.assertEqual(decode(self, coding, answer.body), TEXT)
        self.assertEqual(self.web.count, 1)
        answer = self.get(If_None_Match='W/"v1"')
        self.assertEqual((answer.status, answer.body), (304, b""))
        self.assertEqual((answer.header("Vary"), answer.header("ETag"), answer.header("Content-Encoding")), ("Accept-Encoding", 'W/"v1"', None))
        head = self.get(method="HEAD")
        self.assertEqual((head.body, head.header("Content-Encoding"), head.header("Content-Length")),
                         (b"", "gzip", str(len(self.get().body))))

    def test_aggregates(self):
        self.front_with()
        whole = {"workers": 1, "compression": True, "services": {"web": {"instances": [self.web.address]}},
                 "routes": [{"path": "/", "aggregate": {"parts": {"a": {"service": "web", "path": "/a"}}}}]}
        self.gate = self.gateway(whole, consul=None)
        answer = self.get()
        self.assertEqual(json.loads(decode(self, "gzip", answer.body)), {"a": json.loads(TEXT)})
        for coding, body in (("gzip", zlib.compress(TEXT, wbits=31)), ("x-gzip", zlib.compress(TEXT, wbits=31))):
            self.web.always(says(body, "Content-Encoding: " + coding))
            self.assertEqual(self.get(None).json(), {"a": json.loads(TEXT)})
        bomb = zlib.compress(b"[" + b" " * (8 << 20) + b"]", wbits=31)
        rows = ((bomb, "gzip", "part_too_large"), (TEXT, "gzip", "part_invalid"), (zlib.compress(TEXT, wbits=31)[:-9], "gzip", "part_invalid"),
                (TEXT, "rot13", "part_invalid"))
        for body, coding, reason in rows:
            with self.subTest(reason=reason, coding=coding):
                self.web.always(says(body, "Content-Encoding: " + coding))
                self.assertEqual(self.get(None).json()["errors"][0]["reason"], reason)

    def test_counted(self):
        self.front_with()
        for _ in range(3):
            self.get()
        self.assertEqual(self.gate.metrics()['frontdesk_compressed_answers_total{coding="gzip"}'], 3)
        self.assertEqual(self.gate.metrics()["frontdesk_compressed_bytes_in_total"], 3 * len(TEXT))
