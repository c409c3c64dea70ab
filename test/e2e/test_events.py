# SPDX-License-Identifier: Apache-2.0
"""The event stream: what a dashboard that stays open all night is told, and what it costs."""
import json
import re
import socket
import time

from lib import RawClient, Scenario, build, reply, request, wait_for

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": "Bearer " + TOKEN}


class Stream:
    """A listener of /v1/events: the events so far as (name, id, data)."""

    def __init__(self, gateway, query="", last_id=None, receive_buffer=None):
        self.client = RawClient(gateway.admin_port)
        if receive_buffer:
            self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        self.client.send(build("GET", "/v1/events" + query, headers,
                               host="127.0.0.1:%d" % gateway.admin_port))
        self.head = self.client.read_head()
        self.raw = self.text = b""
        self.events = []
        self.rows = {}

    def close(self):
        self.client.close()

    def take(self, wait=0.05):
        """What has arrived, after at most that long."""
        self.client.sock.settimeout(wait)
        try:
            data = self.client.sock.recv(1 << 20)
        except (socket.timeout, BlockingIOError):
            data = None
        self.raw += self.client.buffer + (data or b"")
        self.client.buffer = b""
        self._unchunk()
        while b"\n\n" in self.text:
            one, _, self.text = self.text.partition(b"\n\n")
            self._event(one.decode())
        return data

    def _unchunk(self):
        while b"\r\n" in self.raw:
            size, _, rest = self.raw.partition(b"\r\n")
            count = int(size, 16)
            if len(rest) < count + 2:
                return
            self.text += rest[:count]
            self.raw = rest[count + 2:]

    def _event(self, text):
        name = id = data = None
        for line in text.split("\n"):
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                id = int(value)
            elif key == "data":
                data = json.loads(value)
        self.events.append((name, id, data))
        if name == "services":
            if data["full"]:
                self.rows = {}
            for row in data["rows"]:
                self.rows.setdefault(row["n"], {}).update(row)
            for gone in data["gone"]:
                self.rows.pop(gone, None)

    def all(self, name):
        return [data for kind, _, data in self.events if kind == name]

    def wait(self, condition, what, timeout=10):
        def look():
            self.take()
            return condition()
        return wait_for(look, timeout, what, every=0)

    def wait_event(self, name, count=1):
        self.wait(lambda: len(self.all(name)) >= count, "%d of %s" % (count, name))
        return self.all(name)[-1]

    def wait_end(self, timeout=15):
        """Until the gateway ends the stream; True when it did so in an orderly way."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if self.take(0.2) == b"":
                    return self.raw == b"0\r\n\r\n" or self.raw == b""
            except ConnectionError:
                return False
        raise AssertionError("the stream goes on")


class Events(Scenario):
    slow = True

    SETTINGS = {"breaker": {"minimum_requests": 10, "open_for": "30s"}, "outlier": {"enabled": False}}

    def start(self, names="ab", **config):
        self.origins = [self.origin(name) for name in names]
        self.config = {
            "services": {"web": dict(self.SETTINGS, instances=[o.address for o in self.origins]),
                         "idle": {"instances": [self.origins[0].address]}},
            "routes": [{"path": "/", "service": "web"}, {"path": "/idle/", "service": "idle"}]}
        self.config.update(config)
        gateway = self.gateway(self.config, consul=None)
        token = gateway.write_file("token", TOKEN)
        self.config["admin"] = {"token_file": token}
        self.change(gateway)
        return gateway

    def change(self, gateway, **sections):
        self.config.update(sections)
        before = gateway.status()["reload"]["count"]
        gateway.configure(self.config)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] > before, 10, "reload")

    def stream(self, gateway, *arguments, **options):
        stream = Stream(gateway, *arguments, **options)
        self.addCleanup(stream.close)
        return stream

    def force(self, gateway, state, path="web", **members):
        answer = gateway.admin_put("/v1/breakers/" + path, dict({"state": state}, **members), BEARER)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def test_begins_with_everything(self):
        gateway = self.start()
        stream = self.stream(gateway)
        self.assertEqual((stream.head.status, stream.head.header("Content-Type"),
                          stream.head.header("Cache-Control")),
                         (200, "text/event-stream", "no-store"))
        self.assertIsNone(stream.head.header("Access-Control-Allow-Origin"))
        stream.wait_event("services")
        self.assertEqual([name for name, _, _ in stream.events[:3]], ["hello", "status", "services"])
        hello = stream.all("hello")[0]
        self.assertEqual((hello["writable"], hello["fleet"], hello["tick_ms"], hello["history_step_s"]),
                         (True, False, 1000, 5))
        self.assertLess(abs(hello["now"] / 1000 - time.time()), 60)
        full = stream.all("services")[0]
        self.assertTrue(full["full"])
        self.assertEqual({row["n"] for row in full["rows"]}, {"web", "idle"})
        row = stream.rows["web"]
        self.assertEqual(set(row) - {"h"}, {
            "n", "s", "m", "since", "until", "cause", "trip", "fby", "fwhy", "r", "e", "fb", "p50",
            "p99", "f", "w", "rej", "probes", "i", "ej", "a"})
        self.assertEqual((row["s"], row["i"], row["a"], row["trip"]), ("closed", [2, 2], 0, None))
        status = stream.wait_event("status", 2)
        self.assertEqual(status["breakers"]["closed"], 2)
        self.assertIn("rate", status)

    def test_rates_and_history(self):
        gateway = self.start()
        stream = self.stream(gateway)
        with self.load(gateway, threads=2):
            stream.wait(lambda: stream.rows.get("web", {}).get("r", 0) > 5, "rate")
            stream.wait(lambda: stream.rows["web"]["p99"] is not None, "p99")
            stream.wait(lambda: stream.all("status")[-1]["rate"] > 5, "rate of all")

            def with_history():
                late = Stream(gateway)
                late.wait_event("services")
                late.close()
                history = late.rows["web"]["h"]
                return max(history["r"]) > 0 and history
            history = wait_for(with_history, 20, "history", every=0.3)
        self.assertEqual([len(history[key]) for key in "rep"], [60, 60, 60])
        self.assertGreater(max(p or 0 for p in history["p"]), 0)
        self.assertIsNone(history["p"][0])
        stream.wait(lambda: stream.rows["web"]["r"] == 0 and stream.rows["web"]["p99"] is None, "rest")
        self.assertNotIn("h", stream.rows["idle"])

    def test_what_does_not_change_is_not_sent(self):
        gateway = self.start()
        stream = self.stream(gateway)
        stream.wait_event("status", 4)
        self.assertEqual(len(stream.all("services")), 1)

    def test_a_trip_is_told_at_once(self):
        gateway = self.start()
        stream = self.stream(gateway)
        stream.wait_event("services")
        for origin in self.origins:
            origin.always(reply(500))
        wait_for(lambda: gateway.get("/").reason == "breaker_open", 20, "open breaker")
        told = stream.wait_event("transition")
        self.assertEqual((told["service"], told["from"], told["to"], told["cause"]),
                         ("web", "closed", "open", "failure_rate"))
        at = [name for name, _, _ in stream.events].index("transition")
        stream.wait(lambda: len(stream.events) > at + 1, "row")
        name, _, data = stream.events[at + 1]
        self.assertEqual((name, [row["n"] for row in data["rows"]]), ("services", ["web"]))
        row = data["rows"][0]
        self.assertEqual((row["s"], row["cause"], row["a"]), ("open", "failure_rate", 4))
        self.assertGreaterEqual(row["trip"][0], 10)
        self.assertGreater(row["until"], row["since"])
        wait_for(lambda: stream.take() is None or
                 stream.all("status")[-1]["attention"][0]["service"] == "web", 5, "attention")

    def test_by_hand(self):
        gateway = self.start()
        stream = self.stream(gateway)
        stream.wait_event("services")
        self.force(gateway, "forced_open", author="alice", reason="deploy", ttl="1h")
        stream.wait(lambda: stream.rows["web"]["s"] == "forced_open", "row")
        row = stream.rows["web"]
        self.assertEqual((row["fby"], row["fwhy"], row["a"]), ("alice", "deploy", 3))
        self.assertLess(abs(row["until"] - row["since"] - 3600000), 1000)
        self.force(gateway, "auto")
        stream.wait(lambda: stream.rows["web"]["fby"] is None, "row")
        self.assertEqual([t["to"] for t in stream.all("transition")][0], "forced_open")

    def test_resumes(self):
        gateway = self.start()
        first = self.stream(gateway)
        first.wait_event("services")
        self.force(gateway, "forced_closed")
        first.wait_event("transition")
        seen = [id for _, id, _ in first.events if id][-1]
        first.close()
        self.force(gateway, "shadow", "idle")
        self.force(gateway, "auto", "idle")
        again = self.stream(gateway, last_id=seen)
        again.wait_event("services")
        ids = [id for _, id, _ in again.events if id]
        newest = gateway.status()["newest_transition"]
        self.assertEqual(ids, list(range(seen + 1, newest + 1)))
        self.assertEqual({t["service"] for t in again.all("transition")}, {"idle"})
        fresh = self.stream(gateway)
        fresh.wait_event("status", 2)
        self.assertEqual(fresh.all("transition"), [])
        restarted = self.stream(gateway, last_id=10 ** 9)
        restarted.wait_event("services")
        self.assertEqual(len(restarted.all("transition")), newest)
        odd = self.stream(gateway, last_id="x")
        odd.wait_event("services")
        self.assertEqual(odd.all("transition"), [])

    def test_one_service(self):
        gateway = self.start()
        stream = self.stream(gateway, "?service=idle")
        stream.wait_event("services")
        self.force(gateway, "shadow", "web")
        self.force(gateway, "shadow", "idle")
        self.assertEqual(stream.wait_event("transition")["service"], "idle")
        self.assertEqual(len(stream.all("transition")), 1)

    def test_services_come_and_go(self):
        gateway = self.start()
        stream = self.stream(gateway)
        stream.wait(lambda: "idle" in stream.rows, "idle")
        services = {"web": self.config["services"]["web"],
                    "new": {"instances": [self.origins[0].address]}}
        self.change(gateway, services=services, routes=[{"path": "/", "service": "web"},
                                                        {"path": "/new/", "service": "new"}])
        stream.wait(lambda: set(stream.rows) == {"web", "new"}, "the new set")

    def test_odd_names(self):
        names = ['<script>alert("x")</script>', "caf\u00e9 \u2028", "back\\slash", "data: x"]
        for i, name in enumerate(names):
            self.instance(name, "odd-%d" % i, tags=["frontdesk.path=/x%d/" % i])
        gateway = self.gateway()
        stream = self.stream(gateway)
        stream.wait(lambda: set(stream.rows) >= set(names), "rows of %s" % names)

    def test_drain_ends_it(self):
        gateway = self.start(drain_delay="3s")
        stream = self.stream(gateway)
        stream.wait_event("services")
        gateway.terminate()
        self.assertTrue(stream.wait_end())
        self.assertTrue(stream.all("status")[-1]["draining"])
        answer = gateway.admin_get("/v1/events")
        self.assertEqual((answer.status, answer.json()["reason"]), (503, "draining"))

    def test_too_many(self):
        gateway = self.start()
        streams = [self.stream(gateway) for _ in range(32)]
        answer = gateway.admin_get("/v1/events")
        self.assertEqual((answer.status, answer.json()["reason"]), (503, "too_many_listeners"))
        self.assertTrue(answer.header("Retry-After"))
        streams[0].close()
        streams[1].client.reset()
        wait_for(lambda: gateway.status()["listeners"] == 30, 10, "two less")
        self.stream(gateway).wait_event("services")

    def test_listeners_come_and_go(self):
        gateway = self.start()
        with self.load(gateway, threads=2):
            for i in range(60):
                stream = Stream(gateway)
                if i % 3 == 0:
                    stream.wait_event("services")
                if i % 2:
                    stream.client.reset()
                else:
                    stream.close()
                self.force(gateway, "shadow" if i % 2 else "auto", "idle")
        wait_for(lambda: gateway.status()["listeners"] == 0, 10, "nobody")

    def test_what_a_listener_sends_is_not_kept(self):
        gateway = self.start()
        stream = self.stream(gateway)
        stream.wait_event("services")
        before = gateway.rss()
        stream.client.sock.settimeout(2)
        try:
            for _ in range(500):
                stream.client.sock.sendall(b"x" * 65536)
        except (socket.timeout, ConnectionError):
            pass
        self.assertLess(gateway.rss() - before, 16 << 20)
        gateway.status()

    def test_one_that_does_not_read_is_dropped(self):
        services = {"s%04d" % i: {"instances": ["127.0.0.1:9"]} for i in range(2000)}
        routes = [{"path": "/%s/" % name, "service": name} for name in services]
        gateway = self.start(services=services, routes=routes)
        reader = self.stream(gateway)
        reader.wait(lambda: len(reader.rows) == 2000, "all rows", timeout=20)
        rounds = []

        def change_all():
            rounds.append("disabled" if len(rounds) % 2 == 0 else "closed")
            self.change(gateway, defaults={"breaker": {"enabled": rounds[-1] == "closed"}})
            reader.wait(lambda: reader.rows["s0000"]["s"] == rounds[-1], "change")
            return gateway.status()["listeners_dropped"]
        deaf = self.stream(gateway, receive_buffer=4096)
        self.assertEqual(wait_for(change_all, 90, "drop", every=0), 1)
        self.assertEqual(gateway.status()["listeners"], 1)
        unread = re.search(r"does not read: dropped with (\d+) bytes", gateway.log())
        self.assertTrue(4 << 20 < int(unread.group(1)) < 8 << 20, unread.group(0))
        deaf.close()
        reader.wait_event("status", len(reader.all("status")) + 1)

    def test_thousands_come_in_parts(self):
        services = {"s%04d" % i: {"instances": ["127.0.0.1:9"]} for i in range(1000)}
        gateway = self.start(services=services,
                             routes=[{"path": "/%s/" % name, "service": name} for name in services])
        stream = self.stream(gateway)
        stream.wait(lambda: len(stream.rows) == 1000, "all rows", timeout=20)
        parts = stream.all("services")
        self.assertEqual([part["full"] for part in parts[:5]], [True] + [False] * 4)
        self.assertLessEqual(max(len(part["rows"]) for part in parts), 200)

    def test_http_1_0(self):
        gateway = self.start()
        with RawClient(gateway.admin_port) as client:
            client.send(b"GET /v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            self.assertIsNone(client.read_head().header("Transfer-Encoding"))
            text = b""
            while b"event: services" not in text:
                text += client.read_some()
            self.assertTrue(text.startswith(b"event: hello\ndata: {"))
