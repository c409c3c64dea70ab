# SPDX-License-Identifier: Apache-2.0
"""The shortest way through everything: a service registers in Consul and is called."""
from lib import Scenario, holds

ORDERS = ["frontdesk.path=/orders/"]


class Smoke(Scenario):
    def test_a_tag_makes_a_route(self):
        origin = self.origin("a")
        gateway = self.gateway()
        self.assertEqual(gateway.get("/orders/1").status, 404)

        self.consul.register("orders", origin.port, tags=ORDERS)

        answer = gateway.wait_status("/orders/1?full=yes", 200, timeout=2)
        self.assertEqual(answer.json()["target"], "/orders/1?full=yes")
        self.assertEqual(answer.header("X-Origin"), "a")
        self.assertIsNone(answer.reason)

    def test_two_instances_take_turns(self):
        for name in ("a", "b"):
            self.consul.register("orders", self.origin(name).port, tags=ORDERS)
        gateway = self.gateway()
        gateway.wait_instances("orders", 2)
        seen = [gateway.get("/orders/").header("X-Origin") for _ in range(40)]
        self.assertEqual(set(seen), {"a", "b"})

    def test_503_says_why_when_no_instance_is_healthy(self):
        origin = self.origin("a")
        instance = self.consul.register("orders", origin.port, tags=ORDERS)
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)

        self.consul.set_health(instance, "critical")

        answer = gateway.wait_status("/orders/", 503, timeout=2)
        self.assertEqual(answer.reason, "no_healthy_instance")
        self.assertEqual(answer.header("Content-Type"), "application/problem+json")
        origin.forget()
        holds(lambda: gateway.get("/orders/").status == 503, 0.3, "503")
        self.assertEqual(origin.count, 0)

        self.consul.set_health(instance, "passing")
        gateway.wait_status("/orders/", 200, timeout=2)

    def test_404_says_that_there_is_no_route(self):
        gateway = self.gateway()
        answer = gateway.get("/nothing/here")
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.reason, "no_route")

    def test_static_instances_need_no_consul(self):
        origin = self.origin("a")
        gateway = self.static_gateway([origin])
        self.assertEqual(gateway.get("/any").header("X-Origin"), "a")
