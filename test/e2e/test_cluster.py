# SPDX-License-Identifier: Apache-2.0
"""A real cluster of three servers and a client agent, with TLS and ACLs, that is broken in every way
under traffic. What all cases demand: no request fails while instances are alive. How long it takes
until the gateway follows the catalog again is printed, not judged."""
import os
import tempfile
import time
import unittest

from lib import Scenario, find_consul, holds, wait_for
from lib.cluster import Cluster, check_op

READ_ALL = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'


class OnCluster(Scenario):
    """One cluster for a class of cases; every case begins with all members alive and no service."""
    slow = True

    @classmethod
    def setUpClass(cls):
        if find_consul() is None:
            raise unittest.SkipTest("no consul binary here")
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.numbers = iter(range(1, 1000))

    def setUp(self):
        self.cluster.heal()
        self.cluster.clear()
        self.token = self.cluster.grant("gateway", READ_ALL)
        self.token_file = self.file_with(self.token.secret)

    def file_with(self, text):
        handle, path = tempfile.mkstemp(prefix="frontdesk-token-")
        self.addCleanup(os.unlink, path)
        os.close(handle)
        self.write(path, text)
        return path

    @staticmethod
    def write(path, text):
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def orders(self, count=3):
        """That many instances of the service, in the catalog without an agent: {id: origin}."""
        origins = {"orders-%d" % i: self.origin("orders-%d" % i) for i in range(count)}
        self.cluster.load({"orders": [(id, origin.port, ["frontdesk.path=/orders/"])
                                      for id, origin in origins.items()]})
        return origins

    def start(self, origins, balance="round_robin", **consul):
        """A gateway on the client agent that serves these, and traffic through it."""
        config = {"defaults": {"balance": balance},
                  "consul": self.cluster.settings(self.token_file, **consul)}
        gateway = self.gateway(config, consul=None)
        gateway.wait_spread("/orders/", set(origins), count=4 * len(origins))
        return gateway, self.load(gateway, "/orders/")

    def follows(self, gateway, what, begin=None):
        """Until a service that is registered now is routed; prints how long it took."""
        name = "late-%d" % next(self.numbers)
        origin = self.origin(name)
        begin = begin or time.monotonic()
        wait_for(lambda: self.cluster.load(
            {name: [(name, origin.port, ["frontdesk.path=/%s/" % name])]}, nodes=1) is None, 60,
            "a catalog that can be written", every=0.1)
        written = time.monotonic()
        gateway.wait_status("/%s/" % name, 200, timeout=60)
        now = time.monotonic()
        print("        %s: followed the catalog after %.1fs, %.0fms after it could be written" % (
            what, now - begin, 1000 * (now - written)))

    def no_failure(self, load, more=50):
        load.wait_count(more)
        load.stop()
        self.assertEqual(load.failed, 0, load.summary())

    def wait_consul(self, gateway, connected, timeout=60):
        wait_for(lambda: gateway.status()["consul"]["connected"] == connected, timeout,
                 "connected: %s" % connected)


class Outages(OnCluster):
    def test_leader_killed_under_load(self):
        origins = self.orders()
        gateway, load = self.start(origins)
        begin = time.monotonic()
        self.cluster.kill(self.cluster.leader())
        self.follows(gateway, "leader killed", begin)
        load.wait_count(50)
        self.cluster.heal()
        self.follows(gateway, "killed leader back")
        self.no_failure(load)
        self.assertEqual(set(gateway.spread("/orders/", 12)), set(origins))

    def test_leader_killed_three_times_in_a_row(self):
        origins = self.orders()
        gateway, load = self.start(origins)
        for _ in range(3):
            self.cluster.kill(self.cluster.leader())
            self.cluster.wait_leader()
            self.cluster.heal()
        self.follows(gateway, "three leaders killed")
        self.no_failure(load)

    def test_agent_killed_and_restarted(self):
        origins = self.orders()
        gateway, load = self.start(origins)
        self.cluster.kill(self.cluster.agent)
        self.wait_consul(gateway, False)
        load.wait_count(50)
        begin = time.monotonic()
        self.cluster.agent.start()
        self.follows(gateway, "agent back", begin)
        self.no_failure(load)

    def test_agent_whose_own_instances_were_healthy(self):
        """Their TTL checks are critical after its restart, until each instance has reported."""
        origins = {id: self.origin(id) for id in ("a", "b")}
        for id, origin in origins.items():
            self.cluster.agent.register("orders", origin.port, id=id,
                                        tags=["frontdesk.path=/orders/"])
            self.cluster.agent.set_health(id, "passing")
        gateway, load = self.start(origins)
        self.cluster.kill(self.cluster.agent)
        load.wait_count(200)
        self.cluster.agent.start()
        wait_for(lambda: all(status == "critical" for _, status in
                             self.cluster.agent.health("orders")) or
                 gateway.status()["consul"]["connected"], 30, "the agent in the catalog")
        holds(lambda: load.failed == 0, 3, "traffic to instances that have not reported yet")
        for id in origins:
            self.cluster.agent.set_health(id, "passing")
        self.follows(gateway, "agent back with its instances")
        self.no_failure(load)

    def test_agent_that_is_away_until_its_node_is_critical(self):
        origins = {id: self.origin(id) for id in ("a", "b")}
        for id, origin in origins.items():
            self.cluster.agent.register("orders", origin.port, id=id, check=None,
                                        tags=["frontdesk.path=/orders/"])
        gateway, load = self.start(origins)
        self.cluster.kill(self.cluster.agent)
        wait_for(lambda: "critical" in [check["Status"] for check in
                                        self.cluster.get("/v1/health/node/client-1")], 60,
                 "a critical node")
        self.cluster.agent.start()
        self.follows(gateway, "agent back after its node was critical")
        self.no_failure(load)
        gateway.wait_spread("/orders/", set(origins))

    def test_quorum_lost_and_regained(self):
        origins = self.orders()
        gateway, load = self.start(origins, wait="2s")
        self.cluster.lose_quorum()
        wait_for(lambda: not gateway.status()["consul"]["leader_known"] or
                 not gateway.status()["consul"]["connected"], 60, "word of the missing leader")
        origins["orders-1"].kill()  # what Consul cannot tell, the gateway finds out by itself
        load.wait_count(300)
        begin = time.monotonic()
        self.cluster.heal()
        self.follows(gateway, "quorum back", begin)
        self.wait_consul(gateway, True)
        self.no_failure(load)

    def test_all_servers_gone_and_back(self):
        origins = self.orders()
        gateway, load = self.start(origins, wait="2s")
        self.cluster.kill(*self.cluster.servers)
        self.wait_consul(gateway, False)
        load.wait_count(200)
        begin = time.monotonic()
        self.cluster.heal()
        self.follows(gateway, "all servers back", begin)
        self.no_failure(load)

    def test_snapshot_restored(self):
        origins = self.orders()
        gateway, load = self.start(origins)
        saved = self.cluster.save()
        self.cluster.load({"passing-by": [("passing-by", 2000, [])]})
        self.follows(gateway, "before the restore")
        begin = time.monotonic()
        self.cluster.restore(saved)
        self.cluster.wait_leader()
        self.follows(gateway, "snapshot restored", begin)
        self.no_failure(load)

    def test_snapshot_in_new_servers_so_that_the_index_goes_back(self):
        origins = self.orders()
        gateway, load = self.start(origins)
        saved = self.cluster.save()
        for round in range(300):
            self.cluster.load({"passing-by": [("passing-by", 2000 + round, [])]}, nodes=1)
        self.follows(gateway, "before the servers are replaced")
        resets = gateway.status()["consul"]["index_resets"]
        begin = time.monotonic()
        self.cluster.rebuild(saved)
        self.follows(gateway, "new servers with a snapshot", begin)
        self.assertGreater(gateway.status()["consul"]["index_resets"], resets)
        self.no_failure(load)
        gateway.wait_spread("/orders/", set(origins))

    def test_snapshot_without_the_instances_is_not_a_deregistration(self):
        """A snapshot of a time before they were there; they register again a moment later."""
        saved = self.cluster.save()
        origins = self.orders()
        gateway, load = self.start(origins)
        self.cluster.restore(saved)
        self.cluster.wait_leader()
        self.cluster.load({"orders": [(id, origin.port, ["frontdesk.path=/orders/"])
                                      for id, origin in origins.items()]})
        self.follows(gateway, "snapshot without the instances")
        self.no_failure(load)
        gateway.wait_spread("/orders/", set(origins))


class Rights(OnCluster):
    def test_token_revoked_and_replaced_in_its_file(self):
        origins = self.orders()
        gateway, load = self.start(origins, wait="1s")
        self.cluster.revoke(self.token)
        wait_for(lambda: "403" in gateway.status()["consul"]["last_error"], 60, "the refusal")
        load.wait_count(200)
        begin = time.monotonic()
        self.write(self.token_file, self.cluster.grant("gateway").secret)
        self.follows(gateway, "token replaced", begin)
        self.wait_consul(gateway, True)
        self.no_failure(load)
        self.assertNotIn(self.token.secret, gateway.log() + str(gateway.status()))

    def test_policy_stripped_and_given_back(self):
        """A token without rights is answered 200 with an empty list: that is no deregistration."""
        origins = self.orders()
        gateway, load = self.start(origins, wait="1s")
        self.cluster.allow("gateway", 'key_prefix "none/" { policy = "read" }')
        other = self.origin("other")
        self.cluster.load({"other": [("other", other.port, [])]})  # wakes what waits for a change
        holds(lambda: load.failed == 0, 5, "traffic without rights")
        begin = time.monotonic()
        self.cluster.allow("gateway", READ_ALL)
        self.follows(gateway, "policy given back", begin)
        self.no_failure(load)
        gateway.wait_spread("/orders/", set(origins))

    def test_node_read_taken_away(self):
        """Names are still listed then, but no instance of any."""
        origins = self.orders()
        gateway, load = self.start(origins, wait="1s")
        self.cluster.allow("gateway", 'service_prefix "" { policy = "read" }')
        self.cluster.load({"other": [("other", 2000, [])]})
        holds(lambda: load.failed == 0, 5, "traffic without node:read")
        wait_for(lambda: "node:read" in gateway.log() + str(gateway.status()), 30,
                 "the right that is missing")
        begin = time.monotonic()
        self.cluster.allow("gateway", READ_ALL)
        self.follows(gateway, "node:read given back", begin)
        self.no_failure(load)


class Removals(OnCluster):
    def test_most_instances_deregistered_by_mistake_and_put_back(self):
        origins = self.orders(10)
        gateway, load = self.start(origins, shrink_confirm="30s")
        self.cluster.deregister("orders", list(origins)[2:])
        wait_for(lambda: gateway.status()["consul"]["held_instances"] == 8, 20, "8 that are held")
        gateway.wait_spread("/orders/", set(origins), count=40)
        self.cluster.load({"orders": [(id, origin.port, ["frontdesk.path=/orders/"])
                                      for id, origin in origins.items()]})
        wait_for(lambda: gateway.status()["consul"]["held_instances"] == 0, 20, "none held")
        self.follows(gateway, "deregistered by mistake and put back")
        self.no_failure(load)
        gateway.wait_spread("/orders/", set(origins), count=40)

    def test_all_services_deregistered_by_mistake_and_put_back(self):
        """Of each service all instances, as by a script with a wrong filter."""
        origins = self.orders()
        others = {"other-%d" % i: self.origin("other-%d" % i) for i in range(5)}

        def register_others():
            self.cluster.load({name: [(name, origin.port, ["frontdesk.path=/%s/" % name])]
                               for name, origin in others.items()})
        register_others()
        gateway, load = self.start(origins, shrink_confirm="30s")
        for name in others:
            gateway.wait_status("/%s/" % name, 200)
        for name in list(others) + ["orders"]:
            self.cluster.deregister(name, list(self.cluster.placed(name)))
        wait_for(lambda: gateway.status()["consul"]["held_instances"] == 8, 20, "8 that are held")
        for name in others:
            self.assertEqual(gateway.get("/%s/" % name).status, 200)
        self.cluster.load({"orders": [(id, origin.port, ["frontdesk.path=/orders/"])
                                      for id, origin in origins.items()]})
        register_others()
        wait_for(lambda: gateway.status()["consul"]["held_instances"] == 0, 20, "none held")
        self.no_failure(load)
        for name in others:
            self.assertEqual(gateway.get("/%s/" % name).status, 200)

    def test_most_instances_deregistered_on_purpose(self):
        origins = self.orders(10)
        kept = {"orders-0", "orders-1"}
        gateway, load = self.start(origins)
        begin = time.monotonic()
        self.cluster.deregister("orders", set(origins) - kept)
        wait_for(lambda: set(gateway.instances("orders")) == kept, 60, "the two that are left")
        print("        8 of 10 deregistered: believed after %.1fs" % (time.monotonic() - begin))
        for id, origin in origins.items():
            if id not in kept:
                origin.stop()
        self.no_failure(load)

    def test_all_checks_critical_at_once(self):
        """Every instance critical, and every one alive: with a panic threshold they are used."""
        origins = self.orders()
        gateway, load = self.start(origins, {"policy": "round_robin", "panic_threshold": "50%"})
        self.cluster.transact([check_op(node, "orders", id, "critical")
                               for id, node in self.cluster.placed("orders").items()])
        self.follows(gateway, "all critical")
        self.no_failure(load)
