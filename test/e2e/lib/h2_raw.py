# SPDX-License-Identifier: Apache-2.0
"""h2_raw.py - a client of HTTP/2 that can do what no client should: frames as the test wants them.

    client = H2Client(port)                      # prior knowledge; H2Client(port, tls=context): by ALPN
    client.request(1, path="/x")                 # HEADERS with END_STREAM
    answer = client.answer(1)                    # .status .headers .body .trailers .reset (error code or None)
    client.headers(3, [(":method", "GET"), ...], end=False); client.data(3, b"...", end=True)
    client.frame(PING, 0, 0, b"12345678")        # anything
    client.goaway()                              # waits for the end: (error code, last stream id), or None

Windows are opened by the client itself as long as client.greedy is true. Fields are sent as literals;
what comes is decoded by libnghttp2, which the gateway needs anyway.
"""
import ctypes
import ctypes.util
import socket
import struct
import time

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class _Field(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_uint8)), ("value", ctypes.POINTER(ctypes.c_uint8)),
                ("name_n", ctypes.c_size_t), ("value_n", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class _Inflater:
    def __init__(self):
        self.lib = ctypes.CDLL("libnghttp2.so.14")
        self.lib.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.state = ctypes.c_void_p()
        assert self.lib.nghttp2_hd_inflate_new(ctypes.byref(self.state)) == 0

    def close(self):
        if self.state:
            self.lib.nghttp2_hd_inflate_del(self.state)
        self.state = None

    def decode(self, block):
        fields, at = [], 0
        while True:
            field, flags = _Field(), ctypes.c_int(0)
            piece = block[at:]
            n = self.lib.nghttp2_hd_inflate_hd2(self.state, ctypes.byref(field), ctypes.byref(flags), piece,
                                                ctypes.c_size_t(len(piece)), 1)
            assert n >= 0, "the fields cannot be decoded: %d" % n
            at += n
            if flags.value & 2:
                fields.append((ctypes.string_at(field.name, field.name_n).decode("latin-1"),
                               ctypes.string_at(field.value, field.value_n).decode("latin-1")))
            if flags.value & 1 or (n == 0 and not flags.value):
                self.lib.nghttp2_hd_inflate_end_headers(self.state)
                return fields


def _integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def _text(text):
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    return _integer(len(data), 7) + data


def block(fields):
    """Fields as literals without indexing."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def get(path="/", method="GET", authority="shop.example", scheme="https", more=()):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]


class H2Answer:
    def __init__(self):
        self.status, self.headers, self.trailers, self.interim = None, [], [], []
        self.body, self.ended, self.reset = b"", False, None

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return values[0] if values else None

    def __repr__(self):
        return "<%s %r reset=%s ended=%s>" % (self.status, self.body[:200], self.reset, self.ended)


class H2Client:
    def __init__(self, port, tls=None, name="shop.example", settings=(), timeout=10.0, preface=True):
        self.timeout, self.greedy = timeout, True
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            tls.set_alpn_protocols(["h2"])
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)
            assert self.sock.selected_alpn_protocol() == "h2"
        self.buffer, self.answers, self.frames = b"", {}, []
        self.settings, self.gone, self.ended, self.pings = {}, None, False, []
        self.inflater, self.fields, self.window = _Inflater(), b"", {0: 65535}
        self.initial = 65535
        if preface:
            self.send(PREFACE + self.pack(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *item) for item in settings)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()
        self.inflater.close()

    @staticmethod
    def pack(kind, flags, stream, payload=b""):
        return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload

    def send(self, data):
        self.sock.settimeout(self.timeout)
        self.sock.sendall(data)

    def frame(self, kind, flags, stream, payload=b""):
        self.send(self.pack(kind, flags, stream, payload))

    def headers(self, stream, fields, end=True):
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(fields))

    def request(self, stream, path="/", **options):
        self.headers(stream, get(path, **options))

    def data(self, stream, payload, end=False):
        """Within the windows of the gateway; waits for them to open."""
        self.window.setdefault(stream, self.initial)
        while payload:
            self.wait(lambda: self.window[stream] > 0 and self.window[0] > 0, "room in the windows")
            n = min(16384, len(payload), self.window[stream], self.window[0])
            piece, payload = payload[:n], payload[n:]
            self.window[stream] -= n
            self.window[0] -= n
            self.frame(DATA, END_STREAM if end and not payload else 0, stream, piece)
            end = end and bool(payload)
        if end:
            self.frame(DATA, END_STREAM, stream)

    def reset(self, stream, code=CANCEL):
        self.frame(RST_STREAM, 0, stream, struct.pack("!I", code))

    def update(self, stream, n):
        self.frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", n))

    # What comes.

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError("nothing more in time: %r" % self.answers)
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise AssertionError("nothing more in time: %r" % self.answers)
        except (ConnectionError, OSError):
            data = b""
        self.ended |= not data
        self.buffer += data

    def _take(self):
        while len(self.buffer) >= 9:
            n = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + n:
                return
            head, payload = self.buffer[:9], self.buffer[9:9 + n]
            self.buffer = self.buffer[9 + n:]
            self._on_frame(head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7fffffff, payload)

    def _on_frame(self, kind, flags, stream, payload):
        self.frames.append((kind, flags, stream, payload))
        answer = self.answers.setdefault(stream, H2Answer()) if stream else None
        if kind == SETTINGS and not flags & ACK:
            self._on_settings(payload)
        elif kind == GOAWAY:
            self.gone = (int.from_bytes(payload[4:8], "big"), int.from_bytes(payload[:4], "big"))
        elif kind == PING and flags & ACK:
            self.pings.append(payload)
        elif kind == WINDOW_UPDATE:
            self.window[stream] = self.window.get(stream, self.initial) + int.from_bytes(payload, "big")
        elif kind == RST_STREAM:
            answer.reset = int.from_bytes(payload, "big")
        elif kind in (HEADERS, CONTINUATION):
            self.fields += payload
            if flags & END_HEADERS:
                self._on_fields(answer)
        elif kind == DATA:
            answer.body += payload
            if self.greedy and payload:
                self.send(self.pack(WINDOW_UPDATE, 0, 0, struct.pack("!I", len(payload))) +
                          self.pack(WINDOW_UPDATE, 0, stream, struct.pack("!I", len(payload))))
        if answer and kind in (HEADERS, DATA) and flags & END_STREAM:
            answer.ended = True

    def _on_settings(self, payload):
        for at in range(0, len(payload), 6):
            key, value = struct.unpack("!HI", payload[at:at + 6])
            self.settings[key] = value
            if key == 4:
                for stream in self.window:
                    self.window[stream] += value - self.initial if stream else 0
                self.initial = value
        self.frame(SETTINGS, ACK, 0)

    def _on_fields(self, answer):
        fields, self.fields = self.inflater.decode(self.fields), b""
        status = dict(fields).get(":status")
        if not status:
            answer.trailers = fields
        elif status.startswith("1"):
            answer.interim.append(int(status))
        else:
            answer.status, answer.headers = int(status), fields

    def wait(self, condition, what, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        self._take()
        while not condition():
            if self.ended:
                raise AssertionError("the connection ended while waiting for %s; GOAWAY %r" % (what, self.gone))
            self._fill(deadline)
            self._take()

    def answer(self, stream, timeout=None):
        """The whole answer, or as far as it came before a reset."""
        self.answers.setdefault(stream, H2Answer())
        self.wait(lambda: self.answers[stream].ended or self.answers[stream].reset is not None,
                  "the answer on stream %d" % stream, timeout)
        return self.answers[stream]

    def has_ended(self, stream, within):
        """Is the answer there, or the stream reset, in that time?"""
        try:
            self.answer(stream, within)
        except AssertionError:
            return False
        return True

    def ping(self, payload=b"frontdsk"):
        """All that was sent before has been looked at."""
        before = len(self.pings)
        self.frame(PING, 0, 0, payload)
        self.wait(lambda: len(self.pings) > before, "PING")

    def goaway(self, timeout=None):
        """Reads to the end of the connection; what GOAWAY said, or None."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while not self.ended:
            self._fill(deadline)
            try:
                self._take()
            except (ConnectionError, OSError):
                pass
        return self.gone
