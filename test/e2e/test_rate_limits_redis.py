# SPDX-License-Identifier: Apache-2.0
"""Limits that several gateways count together in Redis, and what they do while it is away, hangs,
refuses them or has been restarted. Needs Debian's redis-server; without it the cases are skipped."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from lib import RawClient, Scenario, build, wait_for
from lib.wait import free_port

PASSWORD = "correct-horse"


class Redis:
    """A redis-server of the test's own, which keeps nothing on disk."""

    def __init__(self, *options):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="frontdesk-redis-")
        self.options = options
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir,
             "--save", "", "--appendonly", "no", *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ask("PING", login=False), 20, "an answer of redis-server")

    def ask(self, *words, login=True):
        """One command; the answer's raw text."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as one:
            commands = [("AUTH", PASSWORD)] if login and "--requirepass" in self.options else []
            for command in commands + [words]:
                one.sendall(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in command))
            one.shutdown(socket.SHUT_WR)
            text = b""
            while True:
                more = one.recv(65536)
                if not more:
                    return text.decode()
                text += more

    def calls(self, command):
        """How often that command was called since the start."""
        for line in self.ask("INFO", "commandstats").splitlines():
            if line.startswith("cmdstat_%s:calls=" % command):
                return int(line.split("=")[1].split(",")[0])
        return 0

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None:
            self.thaw()
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class SharedLimits(Scenario):
    def setUp(self):
        if shutil.which("redis-server") is None:
            self.skipTest("no redis-server here")
        self.web = self.origin()

    def redis(self, *options):
        redis = Redis(*options)
        self.addCleanup(redis.close)
        return redis

    def config(self, redis, limits, **options):
        options = dict({"address": "127.0.0.1:%d" % redis.port, "timeout": "5s"}, **options)
        return {"services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                "limits": {"redis": options}, "rate_limits": limits,
                "routes": [{"path": "/", "service": "web", "rate_limits": list(limits)}]}

    def front(self, redis, limits, connected=True, **options):
        front = self.gateway(self.config(redis, limits, **options), consul=None)
        if connected:
            self.wait_connected(front)
        return front

    def wait_connected(self, front, workers=2):
        wait_for(lambda: front.status()["redis"]["connected"] == workers, 20, "a connection to Redis")

    def statuses(self, front, count):
        return [front.get("/").status for _ in range(count)]

    def test_two_gateways_are_exact_together(self):
        redis = self.redis()
        limits = {"all": {"by": "global", "rate": "60/h", "shared": True}}
        fronts = [self.front(redis, limits) for _ in range(2)]
        statuses = []

        def ask(front):
            with RawClient(front.port) as one:
                for _ in range(20):
                    one.send(build("GET", "/"))
                    statuses.append(one.read_answer().status)
        threads = [threading.Thread(target=ask, args=(fronts[i % 2],)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses.count(200), 60)
        self.assertEqual(statuses.count(429), 100)
        self.assertEqual(self.web.count, 60)
        for front in fronts:
            status = front.status()
            self.assertEqual((status["redis"]["decided_here"], status["redis"]["late"]), (0, 0))
            self.assertEqual(status["rate_limits"][0]["counted_in"], "redis")
            self.assertEqual(front.metrics()["frontdesk_redis_up"], 1)
        # Who is known to be at his limit is not asked for again.
        self.assertTrue(redis.calls("evalsha") < 120, redis.calls("evalsha"))

    def test_what_clients_are_told_and_what_redis_keeps(self):
        redis = self.redis()
        limits = {"slow": {"rate": "2/h", "shared": True}, "day": {"quota": "50/d", "shared": True}}
        fronts = [self.front(redis, limits, prefix="gate:") for _ in range(2)]
        fronts[0].get("/")
        answer = fronts[1].get("/")
        self.assertRegex(answer.header("RateLimit"), r'^"slow";r=0;t=3[56]\d\d, "day";r=48;t=\d+$')
        refused = fronts[0].get("/")
        self.assertEqual(refused.status, 429)
        self.assertTrue(1790 < int(refused.header("Retry-After")) <= 1800)
        keys = [word for word in redis.ask("KEYS", "*").split() if word.startswith("gate:")]
        self.assertEqual(len(keys), 2, keys)
        for key in keys:
            self.assertRegex(key, r"^gate:(slow:[0-9a-f]{32}|day:[0-9a-f]{32}:\d+)$")
            self.assertNotIn("127.0.0.1", key)
            self.assertNotIn(":-1", redis.ask("TTL", key))  # none stays for ever

    def test_one_refusal_costs_the_other_limits_nothing(self):
        redis = self.redis()
        limits = {"wide": {"quota": "5/d", "shared": True}, "narrow": {"rate": "1/h", "shared": True},
                  "here": {"rate": "5/h"}}
        front = self.front(redis, limits)
        self.assertEqual(self.statuses(front, 9), [200] + [429] * 8)
        front.configure(self.config(redis, {name: limits[name] for name in ("wide", "here")}))
        front.reload()
        wait_for(lambda: len(front.status()["rate_limits"]) == 2)
        self.assertEqual(self.statuses(front, 5), [200] * 4 + [429])

    def test_shadow(self):
        redis = self.redis()
        front = self.front(redis, {"a": {"rate": "1/h", "shared": True, "shadow": True}})
        self.assertEqual(self.statuses(front, 3), [200] * 3)
        self.assertEqual(front.status()["rate_limits"][0]["would_refuse"], 2)

    def test_redis_away_from_the_start(self):
        redis = self.redis()
        redis.stop()
        front = self.front(redis, {"a": {"rate": "2/h", "shared": True}}, connected=False)
        self.assertEqual(self.statuses(front, 3), [200, 200, 429])
        status = front.status()
        self.assertEqual(status["redis"]["connected"], 0)
        self.assertEqual(status["rate_limits"][0]["counted_in"], "here")
        self.assertEqual(front.metrics()["frontdesk_redis_up"], 0)
        self.assertEqual(front.log().count("counted by this gateway alone"), 1)
        redis.start()
        self.wait_connected(front)
        wait_for(lambda: "is back" in front.log(), what="the line that it is back")

    def test_redis_dies_and_comes_back(self):
        """While it is away the gateway goes on from what it last heard."""
        redis = self.redis()
        front = self.front(redis, {"a": {"rate": "5/h", "shared": True}})
        self.assertEqual(self.statuses(front, 3), [200] * 3)
        redis.stop()
        self.assertEqual(self.statuses(front, 3), [200, 200, 429])
        self.assertTrue(front.status()["redis"]["decided_here"] >= 2)
        redis.start()
        self.wait_connected(front)
        self.assertEqual(self.statuses(front, 1), [429])

    def test_redis_forgets_the_script(self):
        redis = self.redis()
        front = self.front(redis, {"a": {"rate": "9/h", "shared": True}})
        self.assertEqual(self.statuses(front, 1), [200])
        redis.ask("SCRIPT", "FLUSH")
        answer = front.get("/")
        self.assertEqual((answer.status, answer.header("RateLimit-Remaining")), (200, "7"))
        self.assertEqual(redis.calls("eval"), 1)
        front.get("/")
        self.assertEqual(front.status()["redis"]["decided"], 3)
        self.assertEqual(redis.calls("eval"), 1)  # it is known again

    def test_redis_hangs(self):
        """No request waits longer than the timeout, and after a few none waits at all."""
        redis = self.redis()
        front = self.front(redis, {"a": {"rate": "100/h", "shared": True}}, timeout="20ms")
        self.assertEqual(self.statuses(front, 1), [200])
        redis.freeze()
        self.addCleanup(redis.thaw)
        self.assertEqual(set(self.statuses(front, 30)), {200})
        status = front.status()
        self.assertTrue(0 < status["redis"]["late"] <= 10, status["redis"])
        self.assertEqual(status["redis"]["connected"], 0)
        self.assertEqual(front.get("/").header("RateLimit-Remaining"), "68")
        redis.thaw()
        self.wait_connected(front)

    def test_clients_that_leave_while_redis_hangs(self):
        redis = self.redis()
        front = self.front(redis, {"a": {"rate": "100/h", "shared": True}}, timeout="10s")
        redis.freeze()
        self.addCleanup(redis.thaw)
        gone = [RawClient(front.port) for _ in range(5)]
        for one in gone:
            one.send(build("GET", "/"))
        wait_for(lambda: front.status()["connections"] == 5)
        for one in gone:
            one.reset()
        wait_for(lambda: front.status()["connections"] == 0, what="the end of the connections")
        redis.thaw()
        self.assertEqual(self.statuses(front, 1), [200])

    def test_a_password(self):
        redis = self.redis("--requirepass", PASSWORD)
        path = os.path.join(redis.dir, "password")
        with open(path, "w") as file:
            file.write("wrong\n")
        limits = {"a": {"rate": "2/h", "shared": True}}
        front = self.front(redis, limits, connected=False, password_file=path)
        wait_for(lambda: "WRONGPASS" in front.log(), what="the refusal in the log")
        self.assertEqual(self.statuses(front, 3), [200, 200, 429])
        with open(path, "w") as file:
            file.write(PASSWORD + "\n")
        self.wait_connected(front)  # it is read for every connection
        self.assertNotIn(PASSWORD, front.log())
        self.assertNotIn("wrong\n", front.log())

    def test_a_reload_to_another_redis_and_to_none(self):
        first, second = self.redis(), self.redis()
        limits = {"a": {"rate": "9/h", "shared": True}}
        front = self.front(first, limits)
        self.assertEqual(self.statuses(front, 1), [200])
        front.configure(self.config(second, limits))
        front.reload()
        wait_for(lambda: str(second.port) in front.status()["redis"]["address"])
        self.wait_connected(front)
        self.assertEqual(self.statuses(front, 1), [200])
        self.assertTrue(second.calls("evalsha") + second.calls("eval") > 0)
        config = self.config(second, {"a": {"rate": "9/h"}})
        del config["limits"]
        front.configure(config)
        front.reload()
        wait_for(lambda: front.status()["redis"] is None)
        wait_for(lambda: "connected_clients:1\r" in second.ask("INFO", "clients"))
        self.assertEqual(self.statuses(front, 1), [200])
