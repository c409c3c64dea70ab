# SPDX-License-Identifier: Apache-2.0
"""Which instance gets the request, on two workers that share what they know."""
from lib import RawClient, Scenario, reply, wait_for


class Policies(Scenario):
    def group(self, names, balance, **settings):
        origins = [self.origin(name) for name in names]
        return origins, self.static_gateway(origins, settings=dict(settings, balance=balance))

    def test_round_robin_is_even_over_both_workers(self):
        _, gateway = self.group("abc", "round_robin")
        seen = gateway.spread("/", 300)
        for name in "abc":
            self.assertAlmostEqual(seen[name], 100, delta=4)

    def test_weights(self):
        origins = [self.origin(name) for name in "abc"]
        for policy in ("round_robin", "least_request", "random"):
            with self.subTest(policy=policy):
                gateway = self.gateway({
                    "services": {"web": {"balance": policy, "instances": [
                        {"address": origin.address, "weight": weight}
                        for origin, weight in zip(origins, (4, 1, 0))]}},
                    "routes": [{"path": "/", "service": "web"}]}, consul=None)
                seen = gateway.spread("/", 250)
                self.assertEqual(seen["c"], 0)
                # Nothing is in flight twice here, so least_request sees equals, which take turns.
                if policy != "least_request":
                    self.assertTrue(165 <= seen["a"] <= 230, seen)

    def test_every_policy_reaches_every_instance(self):
        for policy in ("round_robin", "least_request", "peak_ewma", "random", "consistent_hash"):
            with self.subTest(policy=policy):
                _, gateway = self.group("abcd", policy)
                self.assertEqual(set(gateway.spread("/", 120)), set("abcd"))

    def test_consistent_hash_keeps_a_key_and_moves_few(self):
        origins, gateway = self.group(
            "abcd", {"policy": "consistent_hash", "hash": {"header": "X-Tenant"}})

        def places():
            return {key: gateway.get("/", headers={"X-Tenant": "t%d" % key}).header("X-Origin")
                    for key in range(120)}
        before = places()
        self.assertEqual(places(), before)
        self.assertEqual(set(before.values()), set("abcd"))

        config = {"services": {"web": {
            "instances": [origin.address for origin in origins[:3]],
            "balance": {"policy": "consistent_hash", "hash": {"header": "X-Tenant"}}}},
            "routes": [{"path": "/", "service": "web"}]}
        gateway.configure(config)
        gateway.reload()
        gateway.wait_instances("web", 3)
        gateway.wait_spread("/", set("abc"), count=24)
        after = places()
        moved = [key for key in before if before[key] != "d" and before[key] != after[key]]
        self.assertLess(len(moved), 20)  # of about 90; all of d's must move

    def test_consistent_hash_by_cookie_and_query(self):
        for source, ask in (("cookie", lambda g, k: g.get("/", headers={"Cookie": "k=%s" % k})),
                            ("query", lambda g, k: g.get("/?k=%s" % k))):
            with self.subTest(source=source):
                _, gateway = self.group("abc", {"policy": "consistent_hash", "hash": {source: "k"}})
                for key in range(8):
                    seen = {ask(gateway, key).header("X-Origin") for _ in range(6)}
                    self.assertEqual(len(seen), 1)

    def test_consistent_hash_by_client_address(self):
        _, gateway = self.group("abc", {"policy": "consistent_hash", "hash": "client_address"})
        self.assertEqual(len(gateway.spread("/", 20)), 1)
        places = set()
        for last in range(1, 61):  # where a key lands is chance: enough of them to meet all three
            with RawClient(gateway.port, source="127.0.0.%d" % last) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                places.add(client.read_answer().header("X-Origin"))
        self.assertEqual(places, set("abc"))

    def test_consistent_hash_by_path_parameter(self):
        origins = [self.origin(name) for name in "abc"]
        gateway = self.gateway({
            "services": {"web": {"instances": [o.address for o in origins], "balance": {
                "policy": "consistent_hash", "hash": {"path_param": "id"}}}},
            "routes": [{"path": "/c/{id}/{rest...}", "service": "web"}]}, consul=None)
        places = set()
        for key in range(60):  # where a key lands is chance: enough of them to meet all three
            seen = {gateway.get("/c/k%d/%d" % (key, i)).header("X-Origin") for i in range(3)}
            self.assertEqual(len(seen), 1)
            places |= seen
        self.assertEqual(places, set("abc"))

    def test_consistent_hash_goes_back_when_the_instance_is_back(self):
        origins, gateway = self.group(
            "abc", {"policy": "consistent_hash", "hash": {"header": "X-Tenant"}},
            outlier={"base_ejection": "1s", "consecutive_failures": 3})
        key = {"X-Tenant": "one"}
        home = gateway.get("/", headers=key).header("X-Origin")
        origin = [o for o in origins if o.name == home][0]
        origin.kill()
        away = {gateway.get("/", headers=key).header("X-Origin") for _ in range(20)}
        self.assertEqual(len(away), 1)
        self.assertNotIn(home, away)
        origin.listen()
        wait_for(lambda: gateway.get("/", headers=key).header("X-Origin") == home, 10, "home again")

    def test_least_request_avoids_the_slow_one(self):
        self.avoids_the_slow_one("least_request")

    def test_peak_ewma_avoids_the_slow_one(self):
        self.avoids_the_slow_one("peak_ewma")

    def avoids_the_slow_one(self, policy):
        origins, gateway = self.group("abcd", policy)
        origins[0].always(reply(delay=2))  # slow beside any answer of a busy machine
        with self.load(gateway, threads=8, pause=0.005) as load:
            load.wait_count(500)
        self.assertEqual(load.failed, 0, load.summary())
        self.assertLess(load.origins["a"] * 4, load.origins["b"], load.origins)


class Changes(Scenario):
    def test_slow_start_ramps(self):
        for name in "ab":
            self.instance("orders", name)
        gateway = self.gateway({"defaults": {"balance": {"policy": "round_robin", "slow_start": "8s"}}})
        gateway.wait_spread("/orders/", {"a", "b"})
        new = self.instance("orders", "c")
        wait_for(lambda: "c" in gateway.instances("orders"), what="the new one")
        first = gateway.spread("/orders/", 30)["c"]
        self.assertLess(first, 8)  # a third is 10
        wait_for(lambda: gateway.spread("/orders/", 90)["c"] >= 27, 30, "the full share")
        self.assertGreater(new.count, 0)

    def test_no_slow_start_when_the_gateway_starts(self):
        origins = [self.origin(name) for name in "ab"]
        gateway = self.static_gateway(origins, settings={
            "balance": {"policy": "round_robin", "slow_start": "60s"}})
        self.assertAlmostEqual(gateway.spread("/", 60)["a"], 30, delta=4)

    def zones(self, settings):
        for name, zone in (("near-1", "east"), ("near-2", "east"), ("far-1", "west")):
            origin = self.origin(name)
            self.consul.catalog_register(name, "127.0.0.1", meta={"zone": zone}, service={
                "ID": name, "Service": "orders", "Address": "127.0.0.1", "Port": origin.port,
                "Tags": ["frontdesk.path=/orders/"]}, checks=[self.check(name, "passing")])
        gateway = self.gateway(settings)
        gateway.wait_instances("orders", 3)
        return gateway

    @staticmethod
    def check(node, status):
        return {"Node": node, "CheckID": "c", "Name": "c", "ServiceID": node, "Status": status}

    def set_health(self, node, status):
        self.consul.catalog_register(node, "127.0.0.1", meta={
            "zone": "west" if node.startswith("far") else "east"}, checks=[self.check(node, status)])

    def near_then_far(self, gateway):
        gateway.wait_spread("/orders/", {"near-1", "near-2"}, count=30)
        self.set_health("near-1", "critical")
        gateway.wait_spread("/orders/", {"near-2"}, count=30)  # half of them is the minimum
        self.set_health("near-2", "critical")
        gateway.wait_spread("/orders/", {"far-1"}, count=30)
        self.set_health("near-1", "passing")
        self.set_health("near-2", "passing")
        gateway.wait_spread("/orders/", {"near-1", "near-2"}, count=30)

    def test_near_zone_is_preferred(self):
        prefer = {"policy": "round_robin", "prefer": {"node_meta": "zone", "value": "east"}}
        self.near_then_far(self.zones({"defaults": {"balance": prefer}}))

    def test_near_zone_is_preferred_by_one_service(self):
        prefer = {"policy": "round_robin", "prefer": {"node_meta": "zone", "value": "east"}}
        self.near_then_far(self.zones({"services": {"orders": {"balance": prefer}}}))

    def test_panic_threshold(self):
        for name in "abcd":
            self.instance("orders", name)
        gateway = self.gateway({"services": {"orders": {
            "balance": {"policy": "round_robin", "panic_threshold": 50}}}})
        gateway.wait_spread("/orders/", set("abcd"), count=24)
        self.consul.set_health("a", "critical")
        gateway.wait_spread("/orders/", set("bcd"), count=24)
        self.consul.set_health("b", "critical")
        self.consul.set_health("c", "critical")
        gateway.wait_spread("/orders/", set("abcd"), count=24)
        self.assertTrue(gateway.service("orders")["panic"])
        self.consul.set_health("b", "passing")
        self.consul.set_health("c", "passing")
        gateway.wait_spread("/orders/", set("bcd"), count=24)
        self.assertFalse(gateway.service("orders")["panic"])
