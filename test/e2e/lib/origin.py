# SPDX-License-Identifier: Apache-2.0
"""origin.py - a service instance whose every byte the test decides.

    origin = Origin("a")                     # listens on 127.0.0.1:origin.port, answers all with 200
    origin.on("/orders/", reply(status=500))           # longest matching prefix of the path decides
    origin.always(reply(body=b"late", delay=0.5))      # everything that no on() names
    origin.requests[-1].header("X-Request-Id")         # what arrived, raw bytes included
    origin.count, origin.busy, origin.peak             # arrived, being answered now, most at once
    origin.refuse(); origin.listen()                   # nothing listens / listens again, same port
    origin.kill()                                      # refuse, and reset every open connection
    origin.healthy = False                             # /health (a Consul check) answers 503
    Origin(tls=origin_context(cert))     # over TLS (authority.py makes certificates); an ssl.SSLContext
    origin.sessions[-1].reused, .version, .subject, .sni      # of each handshake that went well

What an origin can do with a request (each is a function of (request, connection)):

    reply(status, body, headers, framing, ...)   framing: length | chunked | close | http10
    gate(event, behaviour)          waits until the test sets the threading.Event, then behaves so
    slow_body(parts, pause)         chunked (or framing=) answer, a pause before each part
    hang(seconds)                   never answers, and does not notice when the gateway gives up
    silence(after=b"")              sends those bytes, then nothing until the gateway closes
    reset(after=b"")                sends those bytes, then RST
    cut(after=b"")                  sends those bytes, then FIN
    raw(data, close=False)          exactly these bytes: garbage, 1xx, wrong lengths
    sequence(a, b, ...)             one after the other, the last one for ever
    or any function of your own: connection.send(b"..."), connection.close()

The default answer has X-Origin: NAME and a JSON body {"origin","method","target","body"}. Requests
to /health are answered from `healthy` and not recorded, so that checks do not disturb a test.
A request is read completely, body included, before it is answered, unless its behaviour was made by
early(...), which is called as soon as the head is there.

    deaf = Deaf()      # an address where connecting neither succeeds nor fails; port, address, stop()
"""
import json
import socket
import ssl
import struct
import threading
import time

from .wait import family_of, free_port, wait_for

_PHRASES = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 404: "Not Found",
            500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class Request:
    """What arrived: method, target, path, version, headers (pairs as sent), body, head and raw (bytes
    as sent), connection (number of the connection), at (monotonic time), complete (body was whole)."""

    def __init__(self, head, connection):
        self.head = self.raw = head
        self.connection = connection
        self.at = time.monotonic()
        lines = head[:-4].split(b"\r\n")
        words = lines[0].decode("latin-1").split(" ")
        self.method, self.target, self.version = (words + ["", "", ""])[:3]
        self.path = self.target.split("?")[0]
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        self.body = b""
        self.trailers = b""
        self.complete = False

    def header(self, name, default=None):
        values = self.header_all(name)
        return values[0] if values else default

    def header_all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __repr__(self):
        return "<%s %s, %d body bytes>" % (self.method, self.target, len(self.body))


class Session:
    """What a handshake agreed on: version, reused (a session was resumed), subject (of the client's
    certificate; "" without one), sni, alpn."""

    def __init__(self, sock):
        cert = sock.getpeercert() or {}
        self.version, self.reused = sock.version(), sock.session_reused
        self.subject = "/".join("=".join(item) for part in cert.get("subject", ()) for item in part)
        self.sni = getattr(sock, "asked_for", None)
        self.alpn = sock.selected_alpn_protocol()


def origin_context(certificate, client_ca=None, versions=None):
    """An ssl.SSLContext for Origin(tls=...). `versions`: (lowest, highest) ssl.TLSVersion."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    context.set_alpn_protocols(["http/1.1"])
    if versions:
        context.minimum_version, context.maximum_version = versions
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Connection:
    """One accepted connection, as a behaviour sees it."""

    def __init__(self, origin, sock, number):
        self.origin, self.sock, self.number = origin, sock, number
        self.buffer = b""
        self.open = True    # until this side decides to close it
        self.ended = False  # the other side can know of it
        self.idle = True

    def send(self, data):
        self.sock.sendall(data)

    def read(self):
        """Some bytes more into buffer; False at the end."""
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def close(self):
        if self.open:
            self.open = False
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.sock.close()
            self.ended = True

    def reset(self):
        if self.open:
            self.open = False
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # A thread that is reading keeps the socket alive: wake it, or no RST goes out.
            try:
                self.sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            self.sock.close()
            self.ended = True

    def take(self, count):
        while len(self.buffer) < count:
            if not self.read():
                raise ConnectionError("ended in the middle of a body")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.read():
                if self.buffer:
                    raise ConnectionError("ended in the middle of a request")
                return None
        return self.take(self.buffer.index(mark) + len(mark))

    def read_body(self, request):
        """The body by the framing of the request; kept decoded in body and as sent in raw."""
        if "chunked" in request.header("Transfer-Encoding", "").lower():
            self._read_chunks(request)
        else:
            request.body = self.take(int(request.header("Content-Length", "0")))
            request.raw += request.body
        request.complete = True

    def _read_chunks(self, request):
        size = None
        while size != 0:
            line = self.take_until(b"\r\n")
            if line is None:
                raise ConnectionError("ended in the middle of a body")
            request.raw += line
            size = int(line.split(b";")[0], 16)
            if size:
                data = self.take(size + 2)
                request.raw += data
                request.body += data[:-2]
        line = None
        while line != b"\r\n":
            line = self.take_until(b"\r\n")
            if line is None:
                raise ConnectionError("ended in the trailers")
            request.raw += line
            if line != b"\r\n":
                request.trailers += line


def head(status=200, headers=(), version="HTTP/1.1"):
    """The bytes of a status line and headers, empty line included."""
    lines = "%s %d %s\r\n" % (version, status, _PHRASES.get(status, "Status"))
    return (lines + "".join("%s: %s\r\n" % pair for pair in headers) + "\r\n").encode("latin-1")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def reply(status=200, body=b"ok", headers=(), framing="length", delay=0.0, interim=(), close=False,
          silent_close=False):
    """A whole answer. `interim` = 1xx statuses sent before it; close announces the closing,
    silent_close closes without having said so."""

    def behave(request, connection):
        if delay and connection.origin.sleep(delay):
            return
        for code in interim:
            connection.send(head(code))
        pairs = [("X-Origin", connection.origin.name)] + list(headers)
        if close:
            pairs.append(("Connection", "close"))
        bodyless = request.method == "HEAD" or status in (204, 304)
        if framing == "length" and status not in (204, 304):
            pairs.append(("Content-Length", str(len(body))))
        if framing == "chunked":
            pairs.append(("Transfer-Encoding", "chunked"))
        data = head(status, pairs, "HTTP/1.0" if framing == "http10" else "HTTP/1.1")
        if not bodyless:
            data += (chunk(body) if body else b"") + b"0\r\n\r\n" if framing == "chunked" else body
        connection.send(data)
        if close or silent_close or framing in ("close", "http10"):
            connection.close()

    return behave


def slow_body(parts, pause=0.1, framing="chunked", headers=()):
    """An answer whose body comes in pieces, `pause` seconds before each."""

    def behave(request, connection):
        pairs = [("X-Origin", connection.origin.name)] + list(headers)
        if framing == "chunked":
            pairs.append(("Transfer-Encoding", "chunked"))
        elif framing == "length":
            pairs.append(("Content-Length", str(sum(len(part) for part in parts))))
        connection.send(head(200, pairs))
        for part in parts:
            if connection.origin.sleep(pause):
                return
            connection.send(chunk(part) if framing == "chunked" else part)
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")
        elif framing == "close":
            connection.close()

    return behave


def hang(seconds=60.0):
    """No answer for that long, then the connection closes."""

    def behave(request, connection):
        connection.origin.sleep(seconds)
        connection.close()

    return behave


def silence(after=b""):
    def behave(request, connection):
        connection.send(after)
        while connection.read():
            pass

    return behave


def gate(event, behaviour=None, seconds=60.0):
    """Holds every request until `event` is set (or that time is over): a test decides how many are
    under way. Then `behaviour`, the default answer without one."""

    def behave(request, connection):
        event.wait(seconds)
        (behaviour or _echo)(request, connection)

    return behave


def reset(after=b""):
    def behave(request, connection):
        if after:
            connection.send(after)
            connection.origin.sleep(0.1)  # RST throws away what the other side has not read yet
        connection.reset()

    return behave


def cut(after=b""):
    def behave(request, connection):
        if after:
            connection.send(after)
        connection.close()

    return behave


def raw(data, close=False):
    def behave(request, connection):
        connection.send(data)
        if close:
            connection.close()

    return behave


def sequence(*behaviours):
    left = list(behaviours)
    lock = threading.Lock()

    def behave(request, connection):
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(request, connection)

    return behave


def early(behaviour):
    """Runs as soon as the head of the request is there, before its body is read."""

    def behave(request, connection):
        behaviour(request, connection)

    behave.early = True
    return behave


def _echo(request, connection):
    body = json.dumps({"origin": connection.origin.name, "method": request.method,
                       "target": request.target, "body": request.body.decode("latin-1")}).encode()
    reply(200, body, [("Content-Type", "application/json")])(request, connection)


class Origin:
    """Listens at once. `stop()` (or the Scenario it was made in) ends it."""

    def __init__(self, name="origin", port=None, host="127.0.0.1", tls=None):
        self.name, self.host = name, host
        self.port = port or free_port(host)
        self.address = "%s:%d" % (host, self.port)
        self.healthy = True
        self.requests = []
        self.accepted = 0
        self.tls = tls
        self.sessions = []
        self.failed_handshakes = 0
        self.busy = self.peak = 0
        self._paths = {}
        self._default = _echo
        self._lock = threading.Lock()
        self._connections = set()
        self._ending = threading.Event()
        self._listener = None
        self.listen()

    # What it does.

    def on(self, prefix, behaviour):
        self._paths[prefix] = behaviour
        return self

    def always(self, behaviour=None):
        """None: back to the answer described at the top."""
        self._default = behaviour or _echo
        return self

    def listen(self):
        if self._listener is not None:
            return
        self._listener = socket.socket(family_of(self.host), socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(512)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """Nothing listens any more: connecting fails at once. Open connections live on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()

    def kill(self):
        """As kill -9 of the instance."""
        self.refuse()
        for connection in self._open():
            connection.reset()

    def close_idle(self):
        """Closes the keep-alive connections that wait for a request."""
        for connection in self._open():
            if connection.idle:
                connection.close()

    def wait_idle_closed(self, timeout=10.0):
        """close_idle() until none is left: a connection is idle a moment after its last answer."""
        wait_for(lambda: self.close_idle() or self.connections == 0, timeout,
                 "end of all connections of origin %s" % self.name)

    def stop(self):
        self._ending.set()
        self.refuse()
        for connection in self._open():
            connection.close()

    def sleep(self, seconds):
        """True when the origin was stopped meanwhile."""
        return self._ending.wait(seconds)

    # What it saw.

    @property
    def count(self):
        return len(self.requests)

    @property
    def connections(self):
        """Number of connections that the other side may still take for open."""
        with self._lock:
            return len([connection for connection in self._connections if not connection.ended])

    def wait_requests(self, count, timeout=10.0):
        wait_for(lambda: len(self.requests) >= count, timeout,
                 "%d requests at origin %s" % (count, self.name))
        return self.requests

    def forget(self):
        """Starts counting anew."""
        self.requests.clear()
        self.peak = self.busy

    # How.

    def _open(self):
        with self._lock:
            return [connection for connection in self._connections if connection.open]

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.accepted += 1
                connection = Connection(self, sock, self.accepted)
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _handshake(self, connection):
        self.tls.sni_callback = lambda sock, name, context: setattr(sock, "asked_for", name)
        try:
            connection.sock = self.tls.wrap_socket(connection.sock, server_side=True)
        except (OSError, ValueError):
            self.failed_handshakes += 1
            raise
        self.sessions.append(Session(connection.sock))

    def _serve(self, connection):
        try:
            if self.tls is not None:
                self._handshake(connection)
            while connection.open and self._one(connection):
                pass
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
            with self._lock:
                self._connections.discard(connection)

    def _one(self, connection):
        connection.idle = True
        head_bytes = connection.take_until(b"\r\n\r\n")
        if head_bytes is None:
            return False
        connection.idle = False
        request = Request(head_bytes, connection.number)
        if request.path == "/health":
            reply(200 if self.healthy else 503)(request, connection)
            return True
        behaviour = self._behaviour(request.path)
        self.requests.append(request)
        self._enter(1)
        try:
            return self._answer(behaviour, request, connection)
        finally:
            self._enter(-1)

    def _enter(self, step):
        with self._lock:
            self.busy += step
            self.peak = max(self.peak, self.busy)

    def _answer(self, behaviour, request, connection):
        if not getattr(behaviour, "early", False):
            if request.header("Expect", "").lower() == "100-continue":
                connection.send(head(100))
            connection.read_body(request)
        behaviour(request, connection)
        if connection.open and not request.complete:
            connection.read_body(request)
        return connection.open

    def _behaviour(self, path):
        matching = [prefix for prefix in self._paths if path.startswith(prefix)]
        return self._paths[max(matching, key=len)] if matching else self._default


class Deaf:
    """Listens with a full queue and never accepts: the kernel drops every further attempt to connect,
    as an address whose host is gone."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.port = free_port(host)
        self.address = "%s:%d" % (host, self.port)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind((host, self.port))
        self._listener.listen(0)
        self._waiting = []
        for _ in range(4):
            waiting = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            waiting.setblocking(False)
            waiting.connect_ex((host, self.port))
            self._waiting.append(waiting)
        wait_for(self._is_full, 5, "a connection attempt that hangs")

    def _is_full(self):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.1)
            try:
                probe.connect((self.host, self.port))
            except socket.timeout:
                return True
        return False

    def stop(self):
        for waiting in self._waiting:
            waiting.close()
        self._listener.close()
