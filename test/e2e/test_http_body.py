# SPDX-License-Identifier: Apache-2.0
"""Bodies: the same bytes arrive on the other side, however they are framed and cut."""
import hashlib
import random
import threading

from lib import Scenario, build, chunk, head, reply, wait_for

CHUNKED = [("Transfer-Encoding", "chunked")]
KIB = 1024
SIZES = (0, 1, 100, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 100 * KIB, 5 * KIB * KIB)


def pattern(size):
    return random.Random(size).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def chunks(data, size):
    return b"".join(chunk(data[at:at + size]) for at in range(0, len(data), size)) + b"0\r\n\r\n"


def in_pieces(client, data, rng):
    """Sends data cut at random places, each piece in a segment of its own."""
    at = 0
    while at < len(data):
        step = rng.choice((1, 2, 3, 7, 100, 5000))
        client.send(data[at:at + step])
        at += step


class Requests(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.web.always(lambda request, connection:
                        reply(body=digest(request.body).encode())(request, connection))
        self.front = self.static_gateway([self.web])

    def test_with_content_length(self):
        for size in SIZES:
            with self.subTest(size):
                data = pattern(size)
                answer = self.front.request("POST", "/", body=data)
                self.assertEqual(answer.body.decode(), digest(data))
                self.assertEqual(self.web.requests[-1].header_all("Content-Length"), [str(size)])

    def test_chunked(self):
        for size in SIZES:
            for piece in (1, 1000, 70 * KIB):
                if size / piece > 20000:
                    continue
                with self.subTest(size=size, chunk=piece):
                    data = pattern(size)
                    answer = self.front.request("POST", "/", headers=CHUNKED,
                                                body=chunks(data, piece))
                    self.assertEqual(answer.body.decode(), digest(data))

    def test_chunked_and_cut_at_odd_places(self):
        rng = random.Random(1)
        data = pattern(40 * KIB)
        for piece in (1, 15, 16, 17, 4095, 40 * KIB):
            body = chunks(data[:2000] if piece == 1 else data, piece)
            with self.subTest(piece), self.front.connect() as client:
                client.send(build("POST", "/", CHUNKED))
                in_pieces(client, body, rng)
                self.assertEqual(client.read_answer().body.decode(),
                                 digest(data[:2000] if piece == 1 else data))

    def test_extensions_and_trailers_stay_at_the_gateway(self):
        body = (b'3;name=value\r\nabc\r\n3;a="quo;ted\\"";b\r\ndef\r\n0;last\r\n'
                b"X-Trailer: 1\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n")
        for where in ("with the head", "after it"):
            with self.subTest(where), self.front.connect() as client:
                if where == "with the head":
                    client.send(build("POST", "/", CHUNKED, body) + build("GET", "/next"))
                else:
                    client.send(build("POST", "/", CHUNKED))
                    client.send(body)
                    client.send(build("GET", "/next"))
                self.assertEqual(client.read_answer().body.decode(), digest(b"abcdef"))
                self.assertEqual(client.read_answer().status, 200)
                seen = self.web.requests[-2]
                self.assertEqual((seen.body, seen.trailers), (b"abcdef", b""))
                for word in (b"name=value", b"quo;ted", b"last", b"X-Trailer", b"9.9.9.9"):
                    self.assertNotIn(word, seen.raw)

    def test_get_and_delete_may_have_a_body(self):
        for method in ("GET", "DELETE"):
            answer = self.front.request(method, "/", body=b"odd but legal")
            self.assertEqual(answer.body.decode(), digest(b"odd but legal"))

    def test_request_without_a_body_has_no_framing_at_the_origin(self):
        self.front.get("/")
        seen = self.web.requests[-1]
        self.assertIsNone(seen.header("Content-Length"))
        self.assertIsNone(seen.header("Transfer-Encoding"))


class Limits(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.gateway({
            "limits": {"body": "20k"},
            "services": {"web": {"instances": [self.web.address]}},
            "routes": [{"path": "/", "service": "web"},
                       {"path": "/small/", "service": "web", "max_body": 10},
                       {"path": "/any/", "service": "web", "max_body": "unlimited"}]}, consul=None)

    def refused(self, target, headers, body):
        with self.front.connect() as client:
            client.send(build("POST", target, headers, body))
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.reason), (413, "body_too_large"))
            return answer

    def test_content_length_beyond_the_limit_never_reaches_the_origin(self):
        answer = self.refused("/", [("Content-Length", "20481")], b"")
        self.assertEqual(answer.header("Connection"), "close")
        self.refused("/small/", None, b"12345678901")
        self.assertEqual(self.web.count, 0)

    def test_just_the_limit_is_allowed(self):
        self.assertEqual(self.front.request("POST", "/", body=b"x" * 20480).status, 200)
        self.assertEqual(self.front.request("POST", "/small/", body=b"1234567890").status, 200)
        self.assertEqual(self.front.request("POST", "/small/", headers=CHUNKED,
                                            body=chunks(b"1234567890", 3)).status, 200)
        self.assertEqual(self.front.request("POST", "/any/", body=b"x" * 300000).status, 200)

    def test_chunked_beyond_the_limit(self):
        self.refused("/small/", CHUNKED, chunks(b"12345678901", 3))
        self.refused("/", CHUNKED, chunks(b"x" * 20481, 1000))
        self.refused("/", CHUNKED, chunks(b"x" * 900000, 70000))
        self.assertFalse([request for request in self.web.requests if request.complete])
        self.assertEqual(self.front.request("POST", "/", body=b"next").status, 200)

    def test_absurd_length(self):
        for length in ("9007199254740993", "18446744073709551616", "9" * 100):
            with self.subTest(length), self.front.connect() as client:
                client.send(build("POST", "/any/", [("Content-Length", length)]))
                self.assertEqual(client.read_answer().status, 413)
        self.assertEqual(self.web.count, 0)


class Answers(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web])

    def test_every_framing_and_size(self):
        for framing in ("length", "chunked", "close", "http10"):
            for size in SIZES:
                with self.subTest(framing=framing, size=size):
                    data = pattern(size)
                    self.web.always(reply(body=data, framing=framing))
                    with self.front.connect() as client:
                        client.send(build("GET", "/"))
                        answer = client.read_answer()
                        self.assertEqual(digest(answer.body), digest(data))
                        client.send(build("GET", "/"))
                        self.assertEqual(len(client.read_answer().body), size)

    def test_chunked_and_cut_at_odd_places(self):
        data = pattern(40 * KIB)

        def behave(request, connection):
            connection.send(head(200, CHUNKED))
            in_pieces(connection, chunks(data, 777), random.Random(2))

        self.web.always(behave)
        self.assertEqual(digest(self.front.get("/").body), digest(data))

    def test_extensions_and_trailers_stay_at_the_gateway(self):
        def behave(request, connection):
            connection.send(head(200, CHUNKED + [("Trailer", "X-Sum")]))
            connection.send(b"3;ext=1\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")

        self.web.always(behave)
        with self.front.connect() as client:
            for _ in range(3):
                client.send(build("GET", "/"))
                answer = client.read_answer()
                self.assertEqual((answer.body, answer.trailers), (b"abc", []))
                self.assertNotIn(b"ext", answer.raw)
                self.assertIsNone(answer.header("Trailer"))
        self.assertEqual(self.web.accepted, 1)

    def test_without_a_body(self):
        """HEAD, 204 and 304: what the header says is passed on, and no byte follows."""
        cases = [("HEAD", reply(body=b"12345"), 200, "5"),
                 ("HEAD", reply(body=b"12345", framing="chunked"), 200, None),
                 ("GET", reply(status=204), 204, None),
                 ("GET", reply(status=304), 304, None),
                 ("DELETE", reply(status=204), 204, None)]
        with self.front.connect() as client:
            for method, behaviour, status, length in cases * 2:
                with self.subTest(method=method, status=status, length=length):
                    self.web.always(behaviour)
                    client.send(build(method, "/"))
                    answer = client.read_answer(method)
                    self.assertEqual(answer.status, status)
                    self.assertEqual(answer.header("Content-Length"), length)
            self.web.always()
            client.send(build("GET", "/after"))
            self.assertEqual(client.read_answer().json()["target"], "/after")
        self.assertEqual(self.web.accepted, 1)

    def test_304_keeps_the_length_of_what_it_stands_for(self):
        self.web.always(lambda request, connection:
                        connection.send(head(304, [("Content-Length", "1234"), ("ETag", '"x"')])))
        with self.front.connect() as client:
            for _ in range(2):
                client.send(build("GET", "/"))
                answer = client.read_answer()
                self.assertEqual(answer.status, 304)
                self.assertEqual(answer.header("ETag"), '"x"')

    def test_pieces_are_passed_on_as_they_come(self):
        """A stream of events must not wait for its end."""
        def behave(request, connection):
            connection.send(head(200, CHUNKED) + chunk(b"one"))
            self.assertEqual(self.first.wait(10), True)
            connection.send(chunk(b"two") + b"0\r\n\r\n")

        self.first = threading.Event()
        self.web.always(behave)
        with self.front.connect() as client:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_head().status, 200)
            seen = b""
            while b"one" not in seen:
                seen += client.read_some()
            self.first.set()
            while not seen.endswith(b"0\r\n\r\n"):
                seen += client.read_some()
            self.assertIn(b"two", seen)

    def test_large_body_of_known_length_is_passed_on_as_it_comes(self):
        """However it is moved, what is there is not kept back until more has come."""
        size, data = 2 * KIB * KIB, pattern(2 * KIB * KIB)
        steps = [threading.Event() for _ in range(3)]
        cuts = [0, 10, 300 * KIB, 300 * KIB + 1, size]

        def behave(request, connection):
            connection.send(head(200, [("Content-Length", str(size))]))
            for i in range(4):
                connection.send(data[cuts[i]:cuts[i + 1]])
                if i < 3:
                    self.assertEqual(steps[i].wait(10), True)

        self.web.always(behave)
        with self.front.connect() as client:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_head().status, 200)
            seen = b""
            for i in range(4):
                while len(seen) < cuts[i + 1]:
                    seen += client.read_some()
                if i < 3:
                    steps[i].set()
            self.assertEqual(digest(seen), digest(data))
            self.web.always()
            client.send(build("GET", "/after"))
            self.assertEqual(client.read_answer().json()["target"], "/after")

    def test_many_large_bodies_side_by_side(self):
        """More at once than there are pipes, some of them given up half-way by either side."""
        size, data = 3 * KIB * KIB, pattern(3 * KIB * KIB)
        wrong = []

        def behave(request, connection):
            cut = request.target.endswith("/cut")
            connection.send(head(200, [("Content-Length", str(size))]))
            connection.send(data[:size // 2] if cut else data)
            if cut:
                connection.close()

        def fetch(i):
            kind = ("/whole", "/cut", "/left", "/whole")[i % 4]
            with self.front.connect() as client:
                client.send(build("GET", kind))
                if kind == "/left":
                    client.read_head()
                    client.read_some()
                    return
                try:
                    good = digest(client.read_answer().body) == digest(data)
                except (OSError, AssertionError, ValueError):
                    good = False
                if good != (kind == "/whole"):
                    wrong.append((i, kind))

        self.web.always(behave)
        for _ in range(2):
            threads = [threading.Thread(target=fetch, args=(i,)) for i in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        self.assertEqual(wrong, [])

    def test_both_directions_at_once(self):
        """An origin that answers while it reads: a proxy that does one after the other hangs here."""
        total = 3 * KIB * KIB

        def behave(request, connection):
            connection.send(head(200, CHUNKED))
            left = total
            while left:
                data = connection.take(min(left, 8 * KIB))
                left -= len(data)
                connection.send(chunk(data))
            connection.send(b"0\r\n\r\n")
            request.complete = True

        behave.early = True
        self.web.always(behave)
        data = pattern(total)
        with self.front.connect(timeout=30) as client:
            writer = threading.Thread(target=client.send, args=(build("POST", "/", body=data),))
            writer.start()
            answer = client.read_answer()
            writer.join(10)
            self.assertEqual(digest(answer.body), digest(data))
        wait_for(lambda: self.front.get("/health").status == 200, what="next answer")
