# SPDX-License-Identifier: Apache-2.0
"""Requests that two readers could understand in two ways. Each is refused, the connection is closed,
and the origin sees none of it: neither the request nor what was smuggled behind it."""
from lib import Scenario, build, exchange
from lib.client import parse_head

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def get(fields=b"", line=b"GET / HTTP/1.1", host=b"Host: a\r\n"):
    return line + b"\r\n" + host + fields + b"\r\n"


def post(fields, body=b""):
    return get(fields, b"POST / HTTP/1.1") + body


def chunked(body):
    return post(b"Transfer-Encoding: chunked\r\n", body)


FRAMING = [
    ("CL and TE", 400, post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    ("TE and CL", 400, post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n")),
    ("two CL", 400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello")),
    ("CL list", 400, post(b"Content-Length: 5, 6\r\n", b"hello")),
    ("CL list with an end missing", 400, post(b"Content-Length: 5,\r\n", b"hello")),
    ("CL with plus", 400, post(b"Content-Length: +5\r\n", b"hello")),
    ("CL negative", 400, post(b"Content-Length: -5\r\n", b"hello")),
    ("CL hexadecimal", 400, post(b"Content-Length: 0x5\r\n", b"hello")),
    ("CL with underscore", 400, post(b"Content-Length: 1_0\r\n", b"hello12345")),
    ("CL with space inside", 400, post(b"Content-Length: 1 0\r\n", b"hello12345")),
    ("CL empty", 400, post(b"Content-Length: \r\n")),
    ("CL fraction", 400, post(b"Content-Length: 5.0\r\n", b"hello")),
    ("CL of a GET", 400, get(b"Content-Length: 5x\r\n")),
    ("TE xchunked", 501, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    ("TE identity", 501, post(b"Transfer-Encoding: identity\r\n")),
    ("TE gzip, chunked", 501, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    ("TE chunked, identity", 400, post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n")),
    ("TE chunked twice", 400, post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n")),
    ("TE lines", 400, post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n")),
    ("TE same line twice", 400, post(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n")),
    ("TE leading comma", 400, post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n")),
    ("TE vertical tab", 400, post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    ("TE quoted", 400, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    ("TE empty", 400, post(b"Transfer-Encoding: \r\n", b"0\r\n\r\n")),
    ("TE space before colon", 400, post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n")),
    ("TE folded", 400, post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    ("TE in 1.0", 400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("Connection: Content-Length", 400, post(b"Connection: Content-Length\r\nContent-Length: 5\r\n", b"hello")),
]

LINES = [
    ("bare LF", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare LF after a field", 400, get(b"X: 1\nY: 2\r\n")),
    ("bare LF at the end", 400, b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    ("bare CR in a value", 400, get(b"X: 1\rY: 2\r\n")),
    ("CR CR LF", 400, get(b"X: 1\r\r\n")),
    ("NUL in a value", 400, get(b"X: a\x00b\r\n")),
    ("NUL in a name", 400, get(b"X\x00: a\r\n")),
    ("control byte in a value", 400, get(b"X: a\x01b\r\n")),
    ("DEL in a value", 400, get(b"X: a\x7fb\r\n")),
    ("folded field", 400, get(b"X: a\r\n b\r\n")),
    ("folded with tab", 400, get(b"X: a\r\n\tb\r\n")),
    ("space before the first field", 400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("space before colon", 400, get(b"X : 1\r\n")),
    ("tab before colon", 400, get(b"X\t: 1\r\n")),
    ("no colon", 400, get(b"X\r\n")),
    ("empty name", 400, get(b": x\r\n")),
    ("name with a slash", 400, get(b"X/Y: 1\r\n")),
    ("name in latin-1", 400, get(b"X\xe4: 1\r\n")),
    ("Connection that is no list", 400, get(b"Connection: a b\r\n")),
]

HOSTS = [
    ("no Host", 400, get(host=b"")),
    ("two Hosts", 400, get(b"Host: b\r\n")),
    ("same Host twice", 400, get(b"Host: a\r\n")),
    ("empty Host", 400, get(host=b"Host: \r\n")),
    ("Host with a path", 400, get(host=b"Host: a/b\r\n")),
    ("Host with a user", 400, get(host=b"Host: user@a\r\n")),
    ("Host with a comma", 400, get(host=b"Host: a,b\r\n")),
    ("Host with a space", 400, get(host=b"Host: a b\r\n")),
    ("Host with a bad port", 400, get(host=b"Host: a:x\r\n")),
    ("Host with a large port", 400, get(host=b"Host: a:65536\r\n")),
    ("Host with half an address", 400, get(host=b"Host: [::1\r\n")),
    ("absolute form of another host", 400, get(line=b"GET http://b/ HTTP/1.1")),
    ("absolute form with a user", 400, get(line=b"GET http://u@a/ HTTP/1.1")),
    ("absolute form without a host", 400, get(line=b"GET http:/// HTTP/1.1")),
    ("absolute form of another scheme", 400, get(line=b"GET ftp://a/ HTTP/1.1")),
]

REQUEST_LINES = [
    ("HTTP/0.9", 400, b"GET /\r\n\r\n"),
    ("HTTP/2.0", 505, get(line=b"GET / HTTP/2.0")),
    ("HTTP/0.9 in words", 505, get(line=b"GET / HTTP/0.9")),
    ("lower-case version", 400, get(line=b"GET / http/1.1")),
    ("long version", 400, get(line=b"GET / HTTP/1.10")),
    ("short version", 400, get(line=b"GET / HTTP/1")),
    ("no version", 400, get(line=b"GET / ")),
    ("two spaces", 400, get(line=b"GET  / HTTP/1.1")),
    ("two spaces before the version", 400, get(line=b"GET /  HTTP/1.1")),
    ("tab", 400, get(line=b"GET\t/ HTTP/1.1")),
    ("space at the end", 400, get(line=b"GET / HTTP/1.1 ")),
    ("space in the target", 400, get(line=b"GET /a b HTTP/1.1")),
    ("method with a control byte", 400, get(line=b"GE\x01T / HTTP/1.1")),
    ("method with a colon", 400, get(line=b"GET: / HTTP/1.1")),
    ("long method", 501, get(line=b"M" * 33 + b" / HTTP/1.1")),
    ("CONNECT", 501, get(line=b"CONNECT a:80 HTTP/1.1")),
    ("TRACE", 501, get(line=b"TRACE / HTTP/1.1")),
    ("preface of HTTP/2", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("space first", 400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("PROXY protocol", 400, b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + get()),
    ("no slash", 400, get(line=b"GET a HTTP/1.1")),
    ("star of a GET", 400, get(line=b"GET * HTTP/1.1")),
    ("fragment", 400, get(line=b"GET /a#b HTTP/1.1")),
    ("NUL in the target", 400, get(line=b"GET /a\x00b HTTP/1.1")),
    ("byte above ASCII", 400, get(line=b"GET /\xff HTTP/1.1")),
    ("encoded NUL", 400, get(line=b"GET /a%00b HTTP/1.1")),
    ("encoded slash", 400, get(line=b"GET /a%2fb HTTP/1.1")),
    ("encoded backslash", 400, get(line=b"GET /a%5Cb HTTP/1.1")),
    ("backslash", 400, get(line=b"GET /a\\b HTTP/1.1")),
    ("half an encoding", 400, get(line=b"GET /a%2 HTTP/1.1")),
    ("bad encoding", 400, get(line=b"GET /a%zz HTTP/1.1")),
    ("above the root", 400, get(line=b"GET /../a HTTP/1.1")),
    ("above the root, encoded", 400, get(line=b"GET /%2e%2E/a HTTP/1.1")),
    ("dots with a parameter", 400, get(line=b"GET /a/..;/b HTTP/1.1")),
    ("long line", 414, get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1")),
    ("endless line", 414, b"GET /" + b"a" * 60000),
    ("long field", 431, get(b"X: " + b"a" * 40000 + b"\r\n")),
    ("many fields", 431, get(b"".join(b"X-%d: 1\r\n" % i for i in range(101)))),
    ("endless fields", 431, b"GET / HTTP/1.1\r\n" + b"X-Y: 1\r\n" * 10000),
]

# The origin may have seen a beginning of these, but never a whole request.
CHUNKS = [
    ("size no number", 400, chunked(b"x\r\nhello\r\n0\r\n\r\n")),
    ("size empty", 400, chunked(b"\r\nhello\r\n0\r\n\r\n")),
    ("size with 0x", 400, chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    ("size with plus", 400, chunked(b"+5\r\nhello\r\n0\r\n\r\n")),
    ("size negative", 400, chunked(b"-1\r\nhello\r\n0\r\n\r\n")),
    ("size after a space", 400, chunked(b" 5\r\nhello\r\n0\r\n\r\n")),
    ("size before a space", 400, chunked(b"5 \r\nhello\r\n0\r\n\r\n")),
    ("size with underscore", 400, chunked(b"1_0\r\nhello\r\n0\r\n\r\n")),
    ("size of 17 digits", 400, chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
    ("size that wraps", 400, chunked(b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
    ("size line with LF", 400, chunked(b"5\nhello\r\n0\r\n\r\n")),
    ("size line with CR", 400, chunked(b"5\rhello\r\n0\r\n\r\n")),
    ("no CRLF after data", 400, chunked(b"5\r\nhello0\r\n\r\n")),
    ("LF after data", 400, chunked(b"5\r\nhello\n0\r\n\r\n")),
    ("longer data", 400, chunked(b"5\r\nhello!\r\n0\r\n\r\n")),
    ("LF at the end", 400, chunked(b"5\r\nhello\r\n0\n\n")),
    ("LF in an extension", 400, chunked(b"5;a=b\nc\r\nhello\r\n0\r\n\r\n")),
    ("long extension", 400, chunked(b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n")),
    ("trailer without colon", 400, chunked(b"5\r\nhello\r\n0\r\nbad\r\n\r\n")),
    ("trailer with a space", 400, chunked(b"5\r\nhello\r\n0\r\nbad : 1\r\n\r\n")),
    ("folded trailer", 400, chunked(b"5\r\nhello\r\n0\r\na: 1\r\n b\r\n\r\n")),
    ("long trailers", 400, chunked(b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 3000 + b"\r\n")),
]

REASONS = {400: "bad_request", 414: "uri_too_long", 431: "headers_too_large", 505: "version_unsupported"}


class Refused(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def check(self, table, split=False):
        for name, status, data in table:
            with self.subTest(name):
                before = len([request for request in self.web.requests if request.complete])
                answer = self.ask(data + SMUGGLED, split)
                head, _, rest = answer.partition(b"\r\n\r\n")
                parsed = parse_head(head + b"\r\n\r\n")
                self.assertEqual(parsed.status, status)
                if status in REASONS:
                    self.assertEqual(parsed.reason, REASONS[status])
                self.assertEqual(parsed.header("Connection"), "close")
                self.assertNotIn(b"HTTP/1.1 ", rest, "an answer behind the refusal")
                complete = [request for request in self.web.requests if request.complete]
                self.assertEqual(len(complete), before, complete[before:])
        self.assertEqual(self.front.get("/after").status, 200)

    def ask(self, data, split):
        if not split:
            return exchange(self.front.port, data)
        with self.front.connect() as client:
            end = data.index(b"\r\n\r\n") + 4
            seen = self.web.count
            client.send(data[:end])
            self.web.wait_requests(seen + 1)
            try:
                for at in range(end, len(data), 3):
                    client.send(data[at:at + 3])
            except OSError:
                pass  # refused already
            return client.read_to_end()

    def test_framing(self):
        self.check(FRAMING)
        self.assertEqual([request.target for request in self.web.requests], ["/after"])

    def test_lines(self):
        self.check(LINES)
        self.assertEqual([request.target for request in self.web.requests], ["/after"])

    def test_hosts(self):
        self.check(HOSTS)
        self.assertEqual([request.target for request in self.web.requests], ["/after"])

    def test_request_lines(self):
        self.check(REQUEST_LINES)
        self.assertEqual([request.target for request in self.web.requests], ["/after"])

    def test_chunks_that_come_with_the_head(self):
        self.check(CHUNKS)
        self.assertEqual([request.target for request in self.web.requests], ["/after"])

    def test_chunks_that_come_after_the_head(self):
        self.check(CHUNKS, split=True)
        self.assertNotIn("/smuggled", [request.target for request in self.web.requests])


class Accepted(Scenario):
    """Strict is not deaf: what the RFCs allow and clients do must work."""
    TABLE = [
        ("equal CLs", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
        ("list of equal CLs", post(b"Content-Length: 5, 5\r\n", b"hello")),
        ("CL with leading zeros", post(b"Content-Length: 0005\r\n", b"hello")),
        ("TE in capitals", post(b"Transfer-Encoding: CHUNKED\r\n", b"5\r\nhello\r\n0\r\n\r\n")),
        ("TE with spaces", post(b"Transfer-Encoding:   chunked  \r\n", b"5\r\nhello\r\n0\r\n\r\n")),
        ("size with zeros", chunked(b"0005\r\nhello\r\n000\r\n\r\n")),
        ("no space after colon", get(b"X:1\r\n")),
        ("empty value", get(b"X:\r\nY: \r\n")),
        ("value above ASCII", get(b"X: \xe4\r\n")),
        ("HTTP/1.2", get(line=b"GET / HTTP/1.2")),
        ("method of its own", get(line=b"PROPFIND / HTTP/1.1")),
        ("lower-case method", get(line=b"get / HTTP/1.1")),
        ("absolute form", get(line=b"GET HTTP://a/ HTTP/1.1")),
        ("Host with port", get(host=b"Host: a:8080\r\n")),
        ("Host of IPv6", get(host=b"Host: [::1]:80\r\n")),
        ("Host of capitals", get(host=b"hOST: A.Example\r\n")),
        ("long path", get(line=b"GET /" + b"a" * 8000 + b" HTTP/1.1")),
        ("long field", get(b"X: " + b"a" * 16000 + b"\r\n")),
        ("many fields", get(b"".join(b"X-%d: 1\r\n" % i for i in range(90)))),
        ("odd characters", get(line=b"GET /a;b=c,d/(e)'!$&*+=:@~ HTTP/1.1")),
    ]

    def test_served_and_followed_by_the_next_request(self):
        web = self.origin()
        front = self.static_gateway([web])
        for name, data in self.TABLE:
            with self.subTest(name), front.connect() as client:
                client.send(data + build("GET", "/next"))
                answer = client.read_answer()
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json()["body"], "hello" if b"hello" in data else "")
                self.assertEqual(client.read_answer().json()["target"], "/next")
