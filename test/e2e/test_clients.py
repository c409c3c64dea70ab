# SPDX-License-Identifier: Apache-2.0
"""Real clients over HTTP/2: curl, nghttp, h2load, Node's own, undici."""
import re
import shutil
import subprocess

from lib import gate, raw, reply, wait_for
from lib.clients import HttpClient, have_clients
from test_h2 import H2Front


class Front2(H2Front):
    def setUp(self):
        super().setUp()
        self.start(limits={"body": "unlimited"})
        self.https, self.http = "https://localhost:%d" % self.port, "http://127.0.0.1:%d" % self.plain

    def pair(self, *names, **options):
        return super().pair(*names, "localhost", **options)

    def run_tool(self, *arguments):
        if not shutil.which(arguments[0]):
            self.skipTest("no %s here" % arguments[0])
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=120, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:])
        return done.stdout

    def node(self, kind, origin=None):
        why = have_clients()
        if why:
            self.skipTest(why)
        client = HttpClient(kind, origin or self.https, ca=self.ca.file)
        self.addCleanup(client.stop)
        return client


class Tools(Front2):
    def test_curl(self):
        self.web.always(reply(body=b"x" * 300000))
        shown = ["-sS", "--cacert", self.ca.file, "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}"]
        for option, address, version in (("--http1.1", self.https, "1.1"), ("--http2", self.https, "2"),
                                         ("--http2-prior-knowledge", self.http, "2"), ("--http1.1", self.http, "1.1")):
            with self.subTest(option=option, address=address):
                self.assertEqual(self.run_tool("curl", option, *shown, address + "/x"), version + " 200 300000")
        body = self.ca.file
        self.run_tool("curl", "--http2", "--cacert", body, "-sS", "-T", body, self.https + "/put")
        with open(body, "rb") as file:
            self.assertEqual(self.web.requests[-1].body, file.read())

    def test_nghttp(self):
        text = self.run_tool("nghttp", "-ns", "-m", "50", self.https + "/x")
        self.assertIn("200", text)
        self.assertEqual(self.web.count, 50)
        text = self.run_tool("nghttp", "-nv", "-d", self.ca.file, self.http + "/x")
        self.assertIn(":status: 200", text)

    def test_h2load(self):
        for address in (self.https, self.http):
            text = self.run_tool("h2load", "-n", "4000", "-c", "8", "-m", "20", address + "/x")
            counts = dict(reversed(pair) for pair in re.findall(r"(\d+) (succeeded|failed|errored|timeout)", text))
            self.assertEqual(counts, {"succeeded": "4000", "failed": "0", "errored": "0", "timeout": "0"})


class Node(Front2):
    def test_node_http2(self):
        for origin in (self.https, self.http):
            client = self.node("http2", origin)
            self.assertEqual(client.get("/x").status, 200)
            self.web.always(lambda request, connection: reply(body=request.body)(request, connection))
            for size in (0, 1, 100000, 5000000):
                answer = client.get("/echo", method="POST", size=size)
                self.assertEqual((answer.status, answer.length, answer.failed), (200, size, None))
            self.web.always(None)
            answers = client.get("/x", count=100)
            self.assertEqual({a.status for a in answers}, {200})
            self.assertIsNone(client.info().get("goaway"))

    def test_undici(self):
        client = self.node("undici")
        self.assertEqual(client.get("/x", headers={"cookie": "a=b; c=d"}).status, 200)
        self.assertEqual(self.web.requests[-1].header("Cookie"), "a=b; c=d")
        answers = client.get("/x", method="POST", size=70000, count=30)
        self.assertEqual({(a.status, a.failed) for a in answers}, {(200, None)})
        self.assertEqual(len(self.web.requests[-1].body), 70000)

    def test_what_is_cut_and_what_is_taken_back(self):
        client = self.node("http2")
        self.web.on("/cut", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", close=True))
        answer = client.get("/cut")
        self.assertTrue(answer.failed, answer)
        held = self.event()
        self.web.on("/slow", gate(held))
        client.get("/slow", cancel_ms=200)
        wait_for(lambda: self.gate.service("web")["in_flight"] == 0, what="the end of what was taken back")
        self.assertEqual(client.get("/x").status, 200)

    def test_draining(self):
        client = self.node("http2")
        held = self.event()
        self.web.on("/slow", gate(held))
        later = client.begin("/slow")
        self.web.wait_requests(1)
        self.gate.terminate()
        held.set()
        self.assertEqual(later.result().status, 200)
