# SPDX-License-Identifier: Apache-2.0
"""Back-pressure: whoever is slow slows the other side down; the gateway keeps neither in memory."""
import threading

from lib import Scenario, build, early, head, reply, wait_for

MIB = 1024 * 1024
PIECE = b"p" * 65536


class Meter:
    """Counts what a side could send before it had to wait."""

    def __init__(self):
        self.sent = 0

    def stands_still(self, seconds=0.7):
        """True once nothing moved for that long: the buffers on the way are full."""
        def look():
            before = self.sent
            threading.Event().wait(seconds)
            return before > 0 and self.sent == before
        return wait_for(look, 30, "a sender that has to wait", every=0.01)


class Pressure(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web], config={
            "limits": {"body": "unlimited", "write_timeout": "60s", "body_timeout": "60s"}})
        self.assertEqual(self.front.get("/").status, 200)

    def flood(self, total, framing, meter):
        """An answer of `total` bytes, sent as fast as it is taken."""
        def behave(request, connection):
            connection.send(head(200, [framing]))
            for _ in range(total // len(PIECE)):
                if framing[0] == "Transfer-Encoding":
                    connection.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
                else:
                    connection.send(PIECE)
                meter.sent += len(PIECE)
            if framing[0] == "Transfer-Encoding":
                connection.send(b"0\r\n\r\n")
        return behave

    def test_client_that_reads_slowly(self):
        total = 100 * MIB
        for framing in (("Content-Length", str(total)), ("Transfer-Encoding", "chunked")):
            with self.subTest(framing[0]), self.front.connect(timeout=60) as client:
                meter = Meter()
                self.web.always(self.flood(total, framing, meter))
                before = self.front.rss()
                client.send(build("GET", "/"))
                self.assertEqual(client.read_head().status, 200)
                meter.stands_still()
                self.assertLess(meter.sent, 40 * MIB, "the origin was not slowed down")
                self.assertLess(self.front.rss() - before, 20 * MIB)
                got = 0
                while got < total:
                    data = client.read_some()
                    self.assertTrue(data)
                    got += len(data)
                self.assertLess(self.front.rss() - before, 20 * MIB)

    def test_many_clients_that_do_not_read(self):
        self.web.always(self.flood(20 * MIB, ("Content-Length", str(20 * MIB)), Meter()))
        before = self.front.rss()
        clients = []
        for _ in range(20):
            client = self.front.connect()
            self.addCleanup(client.close)
            client.send(build("GET", "/"))
            clients.append(client)
        for client in clients:
            self.assertEqual(client.read_head().status, 200)
        self.web.on("/quick", reply())
        self.assertEqual(self.front.get("/quick").status, 200)
        self.assertLess(self.front.rss() - before, 20 * MIB)

    def test_origin_that_reads_slowly(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        total = 60 * MIB

        def behave(request, connection):
            go_on.wait(60)
            left = total
            while left:
                left -= len(connection.take(min(left, 65536)))
            request.complete = True
            reply()(request, connection)

        self.web.always(early(behave))
        before = self.front.rss()
        meter = Meter()
        with self.front.connect(timeout=60) as client:
            def upload():
                client.send(build("POST", "/", [("Content-Length", str(total))]))
                for _ in range(total // len(PIECE)):
                    client.send(PIECE)
                    meter.sent += len(PIECE)
            writer = threading.Thread(target=upload, daemon=True)
            writer.start()
            meter.stands_still()
            self.assertLess(meter.sent, 40 * MIB, "the client was not slowed down")
            self.assertLess(self.front.rss() - before, 20 * MIB)
            go_on.set()
            self.assertEqual(client.read_answer().status, 200)
            writer.join(10)
        self.assertLess(self.front.rss() - before, 20 * MIB)
