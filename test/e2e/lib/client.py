# SPDX-License-Identifier: Apache-2.0
"""client.py - an HTTP/1.1 client that works in bytes.

    answer = request(port, "GET", "/orders/1", headers={"X-Tenant": "a"})   # one connection, one answer
    answer.status, answer.body, answer.json(), answer.header("Content-Type"), answer.reason

    with RawClient(port) as client:                # a connection that stays
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.read_answer()              # one answer; .interim holds the 1xx before it
        answer = client.read_head()                # the next head alone, a 1xx too; the body is left
        client.send(...)                           # keep-alive, pipelining, half requests, garbage
        client.read_to_end()                       # bytes until the other side closes
        client.is_closed()                         # True once the other side has closed

Every read has a deadline (`timeout`, for the whole answer) and raises AssertionError when it passes,
when the connection ends in the middle of an answer, or when the bytes are not HTTP.
"""
import json as jsonlib
import socket
import struct
import time


class Answer:
    """One HTTP answer: status, phrase, headers (list of pairs as sent), body, raw (bytes as sent)."""

    def __init__(self, version, status, phrase, headers):
        self.version, self.status, self.phrase, self.headers = version, status, phrase, headers
        self.body = b""
        self.trailers = []
        self.interim = []
        self.raw = b""

    def header(self, name, default=None):
        """The first value of that header, whatever its case."""
        values = self.header_all(name)
        return values[0] if values else default

    def header_all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self):
        return jsonlib.loads(self.body)

    @property
    def reason(self):
        """The Frontdesk-Reason word, None when the answer came from a service."""
        return self.header("Frontdesk-Reason")

    def __repr__(self):
        return "<%d %s reason=%s body=%r>" % (self.status, self.phrase, self.reason, self.body[:200])


class RawClient:
    """One TCP connection to 127.0.0.1:port (or host). Closed at the end of a with block."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0, source=None):
        self.timeout = timeout
        self.sock = socket.create_connection((host, port), timeout=timeout,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST, as a client that crashed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def finish_sending(self):
        """Half-closes: the other side reads end of file and may still answer."""
        self.sock.shutdown(socket.SHUT_WR)

    def _fill(self, deadline):
        """Reads some more; False at the end of the stream."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError("no complete answer in time, got %r" % self.buffer[-300:])
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise AssertionError("no complete answer in time, got %r" % self.buffer[-300:])
        self.buffer += data
        return bool(data)

    def _until(self, mark, deadline):
        while mark not in self.buffer:
            if not self._fill(deadline):
                raise AssertionError("connection ended early, got %r" % self.buffer[-300:])
        at = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:at], self.buffer[at:]
        return taken

    def _exactly(self, count, deadline):
        while len(self.buffer) < count:
            if not self._fill(deadline):
                raise AssertionError("connection ended %d bytes early" % (count - len(self.buffer)))
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_answer(self, method="GET", timeout=None):
        """The next final answer. `method` is that of the request: HEAD has no body."""
        deadline = time.monotonic() + (timeout or self.timeout)
        interim = []
        while True:
            raw = self._until(b"\r\n\r\n", deadline)
            answer = parse_head(raw)
            if answer.status >= 200 or answer.status == 101:
                break
            interim.append(answer)
        answer.interim = interim
        answer.raw = raw
        self._read_body(answer, method, deadline)
        return answer

    def read_head(self, timeout=None):
        """The next head, interim or final; what follows it stays to be read."""
        raw = self._until(b"\r\n\r\n", time.monotonic() + (timeout or self.timeout))
        answer = parse_head(raw)
        answer.raw = raw
        return answer

    def _read_body(self, answer, method, deadline):
        if method == "HEAD" or answer.status in (101, 204, 304):
            return
        coding = answer.header("Transfer-Encoding", "").lower()
        if coding.endswith("chunked"):
            self._read_chunked(answer, deadline)
        elif answer.header("Content-Length") is not None:
            answer.body = self._exactly(int(answer.header("Content-Length")), deadline)
            answer.raw += answer.body
        else:
            while self._fill(deadline):
                pass
            answer.body, self.buffer = self.buffer, b""
            answer.raw += answer.body

    def _read_chunked(self, answer, deadline):
        while True:
            line = self._until(b"\r\n", deadline)
            answer.raw += line
            size = int(line.split(b";")[0].strip(), 16)
            if size == 0:
                break
            data = self._exactly(size + 2, deadline)
            answer.raw += data
            if data[-2:] != b"\r\n":
                raise AssertionError("chunk does not end in CRLF")
            answer.body += data[:-2]
        while True:
            line = self._until(b"\r\n", deadline)
            answer.raw += line
            if line == b"\r\n":
                return
            answer.trailers.append(_field(line))

    def read_chunk(self, timeout=None):
        """The next chunk of a chunked body, without its framing."""
        deadline = time.monotonic() + (timeout or self.timeout)
        size = int(self._until(b"\r\n", deadline).split(b";")[0], 16)
        return self._exactly(size + 2, deadline)[:-2]

    def read_some(self, timeout=None):
        """At least one byte (what was buffered first); b"" at the end of the stream."""
        if not self.buffer:
            self._fill(time.monotonic() + (timeout or self.timeout))
        taken, self.buffer = self.buffer, b""
        return taken

    def read_to_end(self, timeout=None):
        """All bytes until the other side closes; a reset counts as the end."""
        deadline = time.monotonic() + (timeout or self.timeout)
        try:
            while self._fill(deadline):
                pass
        except ConnectionResetError:
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def is_closed(self):
        """Whether the other side has closed or reset; never waits."""
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(65536)
            self.buffer += data
            return not data
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionError:
            return True
        finally:
            self.sock.settimeout(self.timeout)


def _field(line):
    name, colon, value = line.rstrip(b"\r\n").partition(b":")
    if not colon:
        raise AssertionError("not a header line: %r" % line)
    return name.decode("latin-1"), value.strip().decode("latin-1")


def parse_head(raw):
    """Status line and headers, up to and with the empty line, to an Answer without a body."""
    lines = raw[:-4].split(b"\r\n")
    parts = lines[0].decode("latin-1").split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise AssertionError("not a status line: %r" % lines[0])
    return Answer(parts[0], int(parts[1]), parts[2] if len(parts) > 2 else "",
                  [_field(line) for line in lines[1:]])


def build(method, target, headers=None, body=None, host="shop.example", close=False):
    """The bytes of a request. `headers` is a dict or a list of pairs; Host, and Content-Length for
    a body, are added when they are not among them."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = {name.lower() for name, _ in pairs}
    if "host" not in names:
        pairs.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    if close:
        pairs.append(("Connection", "close"))
    head = "%s %s HTTP/1.1\r\n" % (method, target)
    head += "".join("%s: %s\r\n" % pair for pair in pairs) + "\r\n"
    return head.encode("latin-1") + (body or b"")


def request(port, method="GET", target="/", headers=None, body=None, json=None, host="shop.example",
            timeout=10.0):
    """One request on a connection of its own."""
    if json is not None:
        body = jsonlib.dumps(json).encode()
        headers = dict(headers or {}, **{"Content-Type": "application/json"})
    with RawClient(port, timeout=timeout) as client:
        client.send(build(method, target, headers, body, host, close=True))
        return client.read_answer(method)


def exchange(port, data, timeout=10.0):
    """Sends bytes on a new connection and returns all bytes until the other side closes."""
    with RawClient(port, timeout=timeout) as client:
        client.send(data)
        return client.read_to_end()
