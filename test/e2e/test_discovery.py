# SPDX-License-Identifier: Apache-2.0
"""What Consul says is what is served: registration, health, weights, and what happens when Consul
itself is away, restarted, emptied or refuses the token."""
import os
import tempfile
import urllib.parse

from lib import Parallel, Scenario, gate, holds, wait_for

TAGS = ["frontdesk.path=/orders/"]
ROUND_ROBIN = {"defaults": {"balance": "round_robin"}}


class Registration(Scenario):
    def test_registered_is_routed_at_once(self):
        gateway = self.gateway()
        self.assertEqual(gateway.get("/orders/").reason, "no_route")
        self.instance("orders", "a")
        gateway.wait_status("/orders/", 200)

    def test_second_instance_joins(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a"})
        self.instance("orders", "b")
        gateway.wait_spread("/orders/", {"a", "b"})

    def test_deregistered_is_503_for_a_while_then_gone(self):
        self.instance("orders", "a")
        gateway = self.gateway({"consul": {"keep_routes": "4s"}})
        gateway.wait_status("/orders/", 200)
        self.consul.deregister("a")
        answer = gateway.wait_status("/orders/", 503)
        self.assertEqual(answer.reason, "no_healthy_instance")
        self.assertGreaterEqual(int(answer.header("Retry-After")), 1)
        self.assertEqual(gateway.wait_status("/orders/", 404, timeout=20).reason, "no_route")
        wait_for(lambda: "orders" not in gateway.services(), what="end of the service")

    def test_back_before_it_is_forgotten(self):
        origin = self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        self.consul.deregister("a")
        gateway.wait_status("/orders/", 503)
        self.instance("orders", "a", origin=origin)
        gateway.wait_status("/orders/", 200)

    def test_changed_address_is_followed(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a"})
        self.consul.register("orders", self.origin("b").port, id="a", tags=TAGS)
        gateway.wait_spread("/orders/", {"b"})

    def test_same_id_on_two_nodes_is_two_instances(self):
        self.instance("orders", "a")
        other = self.origin("b")
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": "a", "Service": "orders", "Address": "127.0.0.1", "Port": other.port, "Tags": TAGS})
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a", "b"})
        self.assertEqual(len(gateway.service("orders")["instances"]), 2)

    def test_address_of_the_node_when_the_service_has_none(self):
        origin = self.origin("a")
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": "a", "Service": "orders", "Port": origin.port, "Tags": TAGS})
        self.gateway().wait_spread("/orders/", {"a"})

    def test_instance_without_usable_address_is_skipped_and_counted(self):
        self.instance("orders", "a")
        for id, address, port in (("no-port", "127.0.0.1", 0), ("bad-host", "no such host", 80)):
            self.consul.catalog_register("node-2", "127.0.0.1", service={
                "ID": id, "Service": "orders", "Address": address, "Port": port, "Tags": TAGS})
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a"})
        self.assertEqual(set(gateway.instances("orders")), {"a"})
        self.assertEqual(gateway.status()["consul"]["skipped_instances"], 2)

    def test_three_hundred_services_at_once(self):
        origin = self.origin("many")
        gateway = self.gateway()

        def register(worker):
            for i in range(worker, 300, 6):
                self.consul.catalog_register("node-2", "127.0.0.1", service={
                    "ID": "many-%d" % i, "Service": "many-%d" % i, "Address": "127.0.0.1",
                    "Port": origin.port, "Tags": ["frontdesk.path=/many/%d/" % i]})
        Parallel(6, register).results(60)

        for i in (0, 150, 299):
            gateway.wait_status("/many/%d/" % i, 200, timeout=20)
        wait_for(lambda: len([n for n in gateway.services() if n.startswith("many-")]) == 300, 20,
                 "300 services")
        bad = [i for i in range(300) if gateway.get("/many/%d/x" % i).status != 200]
        self.assertEqual(bad, [])

        # Most of them have no watch of their own over plain HTTP: a change is seen all the same.
        self.consul.catalog_register("node-2", "127.0.0.1", checks=[{
            "Node": "node-2", "CheckID": "c", "Name": "c", "ServiceID": "many-299",
            "Status": "critical"}])
        gateway.wait_status("/many/299/", 503)
        self.consul.catalog_deregister("node-2", "many-298")
        gateway.wait_status("/many/298/", 503)
        self.assertEqual(gateway.get("/many/297/").status, 200)

    def test_agent_that_allows_few_connections(self):
        """Up to 1.8 it takes a connection too many and closes it without a word."""
        consul = self.own_consul(config={"limits": {"http_max_conns_per_client": 60}})
        origin = self.origin("many")
        for i in range(110):
            consul.catalog_register("node-2", "127.0.0.1", service={
                "ID": "many-%d" % i, "Service": "many-%d" % i, "Address": "127.0.0.1",
                "Port": origin.port, "Tags": ["frontdesk.path=/many/%d/" % i]})
        gateway = self.gateway({"consul": {"wait": "5s"}}, consul=consul, ready=False)
        wait_for(lambda: "limits.http_max_conns_per_client" in gateway.log(), 40, "the limit's name")
        wait_for(lambda: gateway.status()["consul"]["strategy"] == "watches_and_polls", 10, "polls")
        wait_for(lambda: all(gateway.get("/many/%d/" % i).status == 200 for i in range(110)), 60,
                 "all services")


class Health(Scenario):
    def pair(self, **options):
        for name in ("a", "b"):
            self.instance("orders", name, **options)
        gateway = self.gateway(ROUND_ROBIN)
        gateway.wait_spread("/orders/", {"a", "b"})
        return gateway

    def test_critical_is_out_and_comes_back(self):
        gateway = self.pair()
        self.consul.set_health("a", "critical", "disk is full")
        gateway.wait_spread("/orders/", {"b"})
        self.assertEqual(gateway.instances("orders")["a"]["health"], "critical")
        self.assertEqual(set(gateway.spread("/orders/", 20)), {"b"})
        self.consul.set_health("a", "passing")
        gateway.wait_spread("/orders/", {"a", "b"})

    def test_warning_stays_with_its_weight(self):
        self.instance("orders", "a", weights=(1, 3))
        self.instance("orders", "b", weights=(1, 1))
        gateway = self.gateway(ROUND_ROBIN)
        gateway.wait_spread("/orders/", {"a", "b"})
        self.consul.set_health("a", "warning")
        wait_for(lambda: gateway.spread("/orders/", 40)["a"] >= 27, what="three times the share")
        self.assertEqual(gateway.instances("orders")["a"]["health"], "warning")

    def test_weights_share_the_traffic(self):
        self.instance("orders", "a", weights=(3, 1))
        self.instance("orders", "b", weights=(1, 1))
        gateway = self.gateway(ROUND_ROBIN)
        gateway.wait_spread("/orders/", {"a", "b"})
        self.assertAlmostEqual(gateway.spread("/orders/", 200)["a"], 150, delta=10)

    def test_maintenance_of_a_service_drains(self):
        origins = {name: self.instance("orders", name) for name in ("a", "b")}
        open_gate = self.event()
        origins["a"].on("/orders/slow", gate(open_gate))
        origins["b"].on("/orders/slow", gate(open_gate))
        gateway = self.gateway(ROUND_ROBIN)
        gateway.wait_spread("/orders/", {"a", "b"})
        slow = Parallel(4, lambda i: gateway.get("/orders/slow"))
        origins["a"].wait_requests(1)
        wait_for(lambda: origins["a"].busy and origins["b"].busy, what="slow requests at both")

        self.consul.maintenance("a")
        gateway.wait_spread("/orders/", {"b"})
        self.assertEqual(gateway.instances("orders")["a"]["health"], "maintenance")
        open_gate.set()
        self.assertEqual({answer.status for answer in slow.results()}, {200})

        self.consul.maintenance("a", False)
        gateway.wait_spread("/orders/", {"a", "b"})

    def test_maintenance_of_the_node_takes_all_its_instances(self):
        gateway = self.pair()
        other = self.origin("elsewhere")
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": "c", "Service": "orders", "Address": "127.0.0.1", "Port": other.port, "Tags": TAGS})
        gateway.wait_spread("/orders/", {"a", "b", "elsewhere"})
        self.addCleanup(self.consul.node_maintenance, False)
        self.consul.node_maintenance(True)
        gateway.wait_spread("/orders/", {"elsewhere"})
        self.consul.node_maintenance(False)
        gateway.wait_spread("/orders/", {"a", "b", "elsewhere"})

    def test_critical_check_of_the_node_takes_all_its_instances(self):
        gateway = self.pair()
        self.addCleanup(self.consul.put, "/v1/agent/check/deregister/disk")
        self.consul.put("/v1/agent/check/register",
                        {"ID": "disk", "Name": "disk", "TTL": "24h", "Status": "critical"})
        answer = gateway.wait_status("/orders/", 503)
        self.assertEqual(answer.reason, "no_healthy_instance")
        self.consul.put("/v1/agent/check/update/disk", {"Status": "passing"})
        gateway.wait_spread("/orders/", {"a", "b"})

    def test_rolling_deployment_loses_no_request(self):
        gateway = self.pair()
        old = {"a": None, "b": None}
        with self.load(gateway, "/orders/", threads=3) as load:
            for round in range(3):
                for name in list(old):
                    fresh = "%s-%d" % (name[0], round)
                    self.instance("orders", fresh)
                    wait_for(lambda: fresh in gateway.instances("orders"), what="the new one")
                    self.consul.deregister(name)
                    wait_for(lambda: name not in gateway.instances("orders"), what="the old one gone")
                    load.wait_count(20)
                    old.pop(name)
                    old[fresh] = None
        self.assertEqual(load.failed, 0, load.summary())

    def test_no_request_fails_while_health_changes(self):
        gateway = self.pair()
        with self.load(gateway, "/orders/") as load:
            for _ in range(5):
                for name in ("a", "b"):
                    self.consul.set_health(name, "critical")
                    load.wait_count(20)
                    self.consul.set_health(name, "passing")
                    wait_for(lambda: gateway.instances("orders")[name]["available"], what="passing")
                    load.wait_count(10)
        self.assertEqual(load.failed, 0, load.summary())


class ConsulAway(Scenario):
    """Each case has an agent of its own. Instances have no check: Consul itself makes a TTL check
    critical when it restarts."""
    slow = True

    def away(self, **config):
        agent = self.own_consul()
        self.instance("orders", "a", agent=agent, check=None)
        self.instance("orders", "b", agent=agent, check=None)
        gateway = self.gateway(config, consul=agent)
        gateway.wait_spread("/orders/", {"a", "b"})
        return agent, gateway

    def wait_connected(self, gateway, connected):
        wait_for(lambda: gateway.status()["consul"]["connected"] == connected, 40,
                 "connected: %s" % connected)

    def test_stopped_agent_changes_nothing_but_the_status(self):
        agent, gateway = self.away()
        load = self.load(gateway, "/orders/")
        agent.stop()
        self.wait_connected(gateway, False)
        consul = gateway.status()["consul"]
        self.assertTrue(consul["last_error"])
        self.assertIsInstance(consul["last_good_age_ms"], int)
        load.wait_count(200)
        self.assertEqual(gateway.admin_get("/readyz").status, 200)
        load.stop()
        self.assertEqual(load.failed, 0, load.summary())
        self.assertEqual(set(load.origins), {"a", "b"})

    def test_agent_that_hangs_changes_nothing(self):
        agent, gateway = self.away(consul={"wait": "2s"})
        self.addCleanup(lambda: agent.process and agent.resume())
        with self.load(gateway, "/orders/") as load:
            agent.pause()
            self.wait_connected(gateway, False)
            load.wait_count(50)
            agent.resume()
            self.wait_connected(gateway, True)
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())

    def test_restart_with_its_data(self):
        agent, gateway = self.away()
        with self.load(gateway, "/orders/") as load:
            agent.restart()
            self.wait_connected(gateway, True)
            self.instance("late", "c", agent=agent, check=None)
            gateway.wait_status("/late/", 200, timeout=20)
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())

    def test_restart_with_an_empty_catalog(self):
        agent, gateway = self.away()
        ports = [gateway.instances("orders")[id]["port"] for id in ("a", "b")]
        with self.load(gateway, "/orders/") as load:
            agent.restart(wipe=True)
            for id, port in zip("ab", ports):
                agent.register("orders", port, id=id, tags=TAGS, check=None)
            self.wait_connected(gateway, True)
            self.instance("late", "c", agent=agent, check=None)
            gateway.wait_status("/late/", 200, timeout=20)
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())
        agent.deregister("a")
        gateway.wait_spread("/orders/", {"b"}, timeout=60)  # a lower index; agent_restart_hold

    def test_start_without_consul(self):
        agent = self.own_consul()
        self.instance("orders", "a", agent=agent, check=None)
        agent.stop()
        legacy = self.origin("legacy")
        gateway = self.gateway({"services": {"legacy": {"instances": [legacy.address]}},
                                "routes": [{"path": "/legacy/", "service": "legacy"},
                                           {"path": "/named/", "service": "orders"}]},
                               consul=agent, ready=False)
        gateway.wait_status("/legacy/", 200, timeout=4)  # a Consul that refuses is not waited for
        answer = gateway.get("/orders/")
        self.assertEqual((answer.status, answer.reason), (503, "catalog_unknown"))
        self.assertEqual(gateway.get("/named/").status, 503)
        self.assertEqual(gateway.admin_get("/readyz").status, 503)
        self.assertEqual(gateway.admin_get("/livez").status, 200)

        agent.start()
        gateway.wait_status("/orders/", 200, timeout=20)
        gateway.wait_status("/named/", 200)
        wait_for(gateway.ready, 5, "/readyz")
        self.assertEqual(gateway.get("/nowhere").reason, "no_route")

    def test_without_consul_section_static_services_suffice(self):
        origins = [self.origin(name) for name in ("a", "b")]
        gateway = self.gateway({
            "services": {"web": {"balance": "round_robin", "instances": [
                origins[0].address,
                {"address": "localhost:%d" % origins[1].port, "weight": 3}]}},
            "routes": [{"path": "/", "service": "web"}]}, consul=None)
        gateway.wait_spread("/", {"a", "b"})
        self.assertAlmostEqual(gateway.spread("/", 100)["b"], 75, delta=8)
        self.assertFalse(gateway.status()["consul"]["enabled"])


READ_ALL = ('service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }')
WRONG = "deadbeef-0000-1111-2222-333344445555"


class Token(Scenario):
    """Default deny: without its token the gateway sees nothing."""
    slow = True

    def token_file(self, text):
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

    def test_token_from_a_file(self):
        agent = self.own_consul(acl=True)
        self.instance("orders", "a", agent=agent)
        path = self.token_file(agent.new_token(READ_ALL) + "\n")
        gateway = self.gateway({"consul": {"token_file": path}}, consul=agent)
        gateway.wait_status("/orders/", 200)

    def test_wrong_token_is_reported_and_never_shown_then_corrected(self):
        agent = self.own_consul(acl=True)
        self.instance("orders", "a", agent=agent)
        good = agent.new_token(READ_ALL)
        path = self.token_file(WRONG)
        gateway = self.gateway({"consul": {"token_file": path}}, consul=agent, ready=False)
        wait_for(lambda: "403" in gateway.status()["consul"]["last_error"], 10, "the 403")
        self.assertFalse(gateway.status()["consul"]["connected"])

        self.write(path, good)
        gateway.wait_status("/orders/", 200, timeout=30)
        seen = gateway.log() + gateway.output()
        for page in ("/", "/v1/status", "/v1/services", "/v1/routes", "/metrics"):
            seen += gateway.admin_get(page).body.decode()
        for secret in (WRONG, good, agent.token):
            self.assertNotIn(secret, seen)
            self.assertNotIn(urllib.parse.quote(secret), seen)

    def test_token_that_is_revoked_leaves_the_last_good_set(self):
        agent = self.own_consul(acl=True)
        self.instance("orders", "a", agent=agent)
        token = agent.new_token(READ_ALL)
        path = self.token_file(token)
        gateway = self.gateway({"consul": {"token_file": path, "wait": "1s"}}, consul=agent)
        gateway.wait_status("/orders/", 200)
        accessor = [entry["AccessorID"] for entry in agent.get("/v1/acl/tokens")
                    if entry["Description"] == "" and entry["Policies"] and
                    entry["Policies"][0]["Name"].startswith("policy-")][0]
        agent.call("DELETE", "/v1/acl/token/" + accessor)
        wait_for(lambda: not gateway.status()["consul"]["connected"], 40, "refusal")
        holds(lambda: gateway.get("/orders/").status == 200, 1, "200")
        self.write(path, agent.new_token(READ_ALL))
        wait_for(lambda: gateway.status()["consul"]["connected"], 40, "the new token")
        self.assertEqual(gateway.get("/orders/").status, 200)
