# SPDX-License-Identifier: Apache-2.0
"""Many connections, and what happens when there can be no more of them."""
import os
import resource

from lib import RawClient, Scenario, build, reply, wait_for


class Connections(Scenario):
    def setUp(self):
        self.web = self.origin()

    def connected(self, gateway, count):
        clients = []
        for _ in range(count):
            client = RawClient(gateway.port, timeout=15)
            self.addCleanup(client.close)
            clients.append(client)
        return clients

    def test_connections_beyond_the_limit_are_closed(self):
        front = self.static_gateway([self.web], config={
            "limits": {"connections": 10}, "overload": {"enabled": False}})
        clients = self.connected(front, 10)
        for client in clients:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_answer().status, 200)
        extra = self.connected(front, 3)
        for client in extra:
            self.assertEqual(client.read_to_end(), b"")
        for client in clients:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_answer().status, 200)
        for client in clients:
            client.close()
        wait_for(lambda: front.get("/").status == 200, 5, "200 after the others left")

    def test_a_thousand_idle_connections_disturb_nobody(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            self.skipTest("only %d descriptors here" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        front = self.static_gateway([self.web], config={"limits": {"header_timeout": "120s"}})
        clients = self.connected(front, 1000)
        for client in clients[:500]:
            client.send(build("GET", "/"))
        for client in clients[:500]:
            self.assertEqual(client.read_answer().status, 200)
        for _ in range(50):
            self.assertEqual(front.get("/").status, 200)
        self.assertFalse([client for client in clients if client.is_closed()])
        for client in clients[500:]:
            client.send(build("GET", "/"))
        for client in clients[500:]:
            self.assertEqual(client.read_answer().status, 200)


class Descriptors(Scenario):
    """Nothing is worse than a gateway that ends, or spins, when descriptors run out."""

    def setUp(self):
        self.web = self.origin()
        self.front = self.static_gateway([self.web], settings={"keepalive": {"connections": 4}},
                                         config={"access_log": "stdout"})
        self.assertEqual(self.front.get("/").status, 200)

    def lower(self, room):
        """Leaves the gateway that many more descriptors than it uses. The limit is one of their
        numbers, and below the highest in use there may be free ones."""
        pid = self.front.process.pid
        used = {int(name) for name in os.listdir("/proc/%d/fd" % pid)}
        free = [number for number in range(len(used) + room + 1) if number not in used]
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[room], limits[1]))
        return limits

    def upstream_connections(self):
        """How many the gateway has not closed yet, whatever the origin did: established, or closed
        by the origin only."""
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file]
        return len([row for row in rows if row[2].endswith(":%04X" % self.web.port)
                    and row[3] in ("01", "08")])

    def test_connections_under_way_go_on_and_the_others_follow(self):
        first = self.front.connect()
        self.addCleanup(first.close)
        first.send(build("GET", "/"))
        self.assertEqual(first.read_answer().status, 200)
        limits = self.lower(20)
        waiting = [self.front.connect(timeout=20) for _ in range(60)]
        for client in waiting:
            self.addCleanup(client.close)
        wait_for(lambda: "accept" in self.front.log(), what="word of it in the log")
        for _ in range(20):
            first.send(build("GET", "/"))
            self.assertEqual(first.read_answer().status, 200)
        for client in waiting[:40]:
            client.close()
        for client in waiting[40:]:
            client.send(build("GET", "/"))
        for client in waiting[40:]:
            self.assertIn(client.read_answer().status, (200, 500))
            client.close()
        resource.prlimit(self.front.process.pid, resource.RLIMIT_NOFILE, limits)
        self.front.wait_status("/", 200)

    def test_no_descriptor_for_the_instance(self):
        """The gateway's own shortage: 500 and no word against the instance."""
        clients = [self.front.connect(timeout=15) for _ in range(10)]
        for client in clients:
            self.addCleanup(client.close)
            client.send(build("GET", "/"))
        for client in clients:
            self.assertEqual(client.read_answer().status, 200)
        self.web.wait_idle_closed()
        wait_for(lambda: self.upstream_connections() == 0, what="closing by the gateway")
        self.web.always(reply(delay=0.3))
        limits = self.lower(0)
        for client in clients:
            client.send(build("GET", "/full"))
        answers = [client.read_answer() for client in clients]
        self.assertLessEqual({(answer.status, answer.reason) for answer in answers},
                             {(200, None), (500, "internal")})
        self.assertIn(500, {answer.status for answer in answers})
        resource.prlimit(self.front.process.pid, resource.RLIMIT_NOFILE, limits)
        for client in clients:
            client.send(build("GET", "/"))
            self.assertEqual(client.read_answer().status, 200)
        self.assertEqual(sum(entry["failures"] for entry in self.front.instances("web").values()), 0)
