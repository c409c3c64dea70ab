# SPDX-License-Identifier: Apache-2.0
"""What Consul says is believed at once when it is small, and when it is large only after a second
look: mass deregistration, lost rights, flapping checks, restarted agents."""
import json
import os
import tempfile

from lib import Scenario, holds, run_command, wait_for

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": "Bearer " + TOKEN}
TAGS = ["frontdesk.path=/orders/"]
ROUND_ROBIN = {"balance": "round_robin"}


def config(**consul):
    return {"consul": consul, "defaults": ROUND_ROBIN}


class Shrink(Scenario):
    def ten(self, **consul):
        """Ten instances on a node that no agent looks after, so that one call takes many away."""
        self.origins = {name: self.origin(name) for name in "abcdefghij"}
        for name in self.origins:
            self.join(name)
        gateway = self.gateway(config(**consul))
        gateway.wait_spread("/orders/", set(self.origins), count=30)
        return gateway

    def join(self, name):
        self.consul.catalog_register("rack-1", "127.0.0.1", service={
            "ID": name, "Service": "orders", "Address": "127.0.0.1",
            "Port": self.origins[name].port, "Tags": TAGS})

    def leave(self, names):
        """In one transaction: one answer lacks all of them."""
        self.consul.put("/v1/txn", [{"Service": {"Verb": "delete", "Node": "rack-1", "Service": {
            "ID": name, "Service": "orders"}}} for name in names])

    def test_most_instances_at_once_are_kept_until_confirmed(self):
        gateway = self.ten(shrink_confirm="5s")
        self.leave("abcdefgh")
        wait_for(lambda: gateway.service("orders")["held"]["instances"] == 8, what="eight held")
        held = gateway.service("orders")["held"]
        self.assertIn("read again", held["why"])
        self.assertTrue(held["since"])
        self.assertEqual(gateway.instances("orders")["a"]["doubt"], "held")
        self.assertEqual(gateway.status()["consul"]["held_instances"], 8)
        self.assertEqual(set(gateway.spread("/orders/", 40)), set(self.origins))

        gateway.wait_spread("/orders/", {"i", "j"}, timeout=20)
        wait_for(lambda: set(gateway.instances("orders")) == {"i", "j"}, what="two left")
        service = gateway.service("orders")
        self.assertEqual(service["held"]["instances"], 0)
        self.assertEqual({row["id"] for row in service["removals"]}, set("abcdefgh"))
        for row in service["removals"]:
            self.assertEqual((row["reason"], row["node"]), ("deregistered", "rack-1"))
            self.assertGreaterEqual(row["held_ms"], 5000)
        self.assertIn("kept", gateway.log())

    def test_mistake_that_is_undone_is_never_seen(self):
        gateway = self.ten(shrink_confirm="20s")
        with self.load(gateway, "/orders/") as load:
            self.leave("abcdefghij")
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 10, what="all held")
            load.wait_count(100)
            for name in self.origins:
                self.join(name)
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 0, what="none held")
            load.wait_count(100)
        self.assertEqual(load.failed, 0, load.summary())
        self.assertEqual(gateway.service("orders")["removals"], [])

    def test_operator_says_that_it_is_true(self):
        gateway = self.ten(shrink_confirm="10m")
        token = gateway.write_file("token", TOKEN + "\n")
        os.chmod(token, 0o600)
        gateway.configure(dict(config(shrink_confirm="10m"), admin={"token_file": token}))
        gateway.reload()
        wait_for(lambda: gateway.admin_put("/v1/catalog/accept", {"all": True}, BEARER).status == 200,
                 what="writes")
        self.leave("abcdefgh")
        wait_for(lambda: gateway.service("orders")["held"]["instances"] == 8, what="eight held")
        self.assertEqual(gateway.admin_put("/v1/catalog/accept", {"service": "orders"}).status, 401)
        for body, status in (({}, 400), ({"all": False}, 400), ({"service": "orders", "all": True}, 400),
                             ({"service": ""}, 400), ({"service": "nobody"}, 404)):
            answer = gateway.admin_put("/v1/catalog/accept", body, BEARER)
            self.assertEqual(answer.status, status, body)
        status, out, _ = self.catalog(gateway)
        self.assertEqual(status, 3)
        self.assertIn("8 held since", out)
        self.assertEqual(self.catalog(gateway, "accept")[0], 2)
        self.assertEqual(self.catalog(gateway, "accept", "orders")[0], 1)  # no token
        status, out, _ = self.catalog(gateway, "accept", "orders", "--token-file", token)
        self.assertEqual((status, out), (0, "8 instances let go\n"))
        wait_for(lambda: set(gateway.instances("orders")) == {"i", "j"}, what="two left")
        self.assertTrue(all(row["accepted"] for row in gateway.service("orders")["removals"]))
        status, out, _ = self.catalog(gateway, "show", "orders")
        self.assertEqual(status, 0)
        self.assertEqual(out.count("deregistered"), 8, out)
        self.assertIn("(accepted after ", out)
        shown = json.loads(self.catalog(gateway, "--json")[1])["services"]
        self.assertEqual([(s["name"], len(s["removals"])) for s in shown], [("orders", 8)])
        self.assertEqual(self.catalog(gateway, "nobody")[0], 1)

    def catalog(self, gateway, *arguments):
        return run_command("catalog", "-a", "127.0.0.1:%d" % gateway.admin_port, *arguments)

    def test_one_of_many_is_gone_at_once(self):
        gateway = self.ten(shrink_confirm="10m")
        self.leave("a")
        gateway.wait_instances("orders", 9)
        self.leave("b")
        gateway.wait_instances("orders", 8)
        removed = gateway.service("orders")["removals"]
        self.assertEqual([row["id"] for row in removed], ["b", "a"])  # newest first
        self.assertEqual({row["held_ms"] for row in removed}, {0})

    def test_last_one_is_gone_after_a_second_look(self):
        origin = self.instance("orders", "a")
        gateway = self.gateway(config())
        gateway.wait_status("/orders/", 200)
        self.consul.deregister("a")
        wait_for(lambda: gateway.service("orders")["held"]["instances"] == 1, what="held")
        self.assertEqual(gateway.get("/orders/").status, 200)
        gateway.wait_status("/orders/", 503)
        del origin

    def test_guard_can_be_off(self):
        gateway = self.ten(shrink_confirm=0)
        self.leave("abcdefgh")
        gateway.wait_instances("orders", 2)
        self.assertEqual({row["held_ms"] for row in gateway.service("orders")["removals"]}, {0})

    def test_purposeful_shrink_with_stopped_instances_fails_no_request(self):
        """Their sockets are closed while they are still kept: a refused connection costs a retry."""
        gateway = self.ten()
        with self.load(gateway, "/orders/", threads=4) as load:
            load.wait_count(100)
            self.leave("abcdefgh")
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 8, what="held")
            for name in "abcdefgh":
                self.origins[name].stop()
            wait_for(lambda: set(gateway.instances("orders")) == {"i", "j"}, 20, "two left")
            load.wait_count(100)
        self.assertEqual(load.failed, 0, load.summary())


class ManyServices(Scenario):
    def test_node_that_leaves_with_a_share_of_everything(self):
        """Each service loses one of two, which is little; all of them at once is much."""
        origin = self.origin("many")
        names = ["many-%d" % i for i in range(12)]
        for name in names:
            for node in ("rack-1", "rack-2"):
                self.consul.catalog_register(node, "127.0.0.1", service={
                    "ID": "%s-%s" % (name, node), "Service": name, "Address": "127.0.0.1", "Port": origin.port,
                    "Tags": ["frontdesk.path=/%s/" % name]})
        gateway = self.gateway(config(shrink_confirm="5s"))
        wait_for(lambda: len(gateway.services()) >= 12, what="all services")
        for name in names:
            gateway.wait_instances(name, 2)
        self.consul.catalog_deregister("rack-2")
        wait_for(lambda: gateway.status()["consul"]["held_services"] >= 9, what="most are held")
        for name in names:
            gateway.wait_instances(name, 1, timeout=20)
        rows = [gateway.service(name)["removals"][0] for name in names]
        self.assertEqual({row["reason"] for row in rows}, {"node_gone"})


    def test_everything_is_deregistered_at_once(self):
        """More services than the agent gives connections to: what ends makes room for the others."""
        agent = self.own_consul()
        origin = self.origin("many")
        agent.catalog_register("rack-1", "127.0.0.1")
        for first in range(0, 240, 60):
            agent.put("/v1/txn", [{"Service": {"Verb": "set", "Node": "rack-1", "Service": {
                "ID": "many-%d" % i, "Service": "many-%d" % i, "Address": "127.0.0.1",
                "Port": origin.port, "Tags": ["frontdesk.path=/many/%d/" % i]}}}
                for i in range(first, first + 60)])
        gateway = self.gateway(config(), consul=agent)
        wait_for(lambda: gateway.status()["snapshot"]["services"] >= 240, 20, "all services")
        agent.catalog_deregister("rack-1")
        wait_for(lambda: gateway.status()["consul"]["held_services"] > 100, 20, "most are held")
        self.assertEqual(gateway.get("/many/7/").status, 200)
        wait_for(lambda: gateway.status()["consul"]["removals"]["deregistered"] == 240, 40, "end")
        self.assertEqual(gateway.get("/many/7/").status, 503)
        self.assertEqual(gateway.status()["consul"]["held_services"], 0)


class Flapping(Scenario):
    def test_flapping_instance_is_kept_out_for_a_while(self):
        for name in "ab":
            self.instance("orders", name)
        gateway = self.gateway(config(flap_damping="5s"))
        gateway.wait_spread("/orders/", {"a", "b"})
        for _ in range(4):
            self.consul.set_health("a", "critical", "disk is full")
            wait_for(lambda: gateway.instances("orders")["a"]["health"] == "critical", what="out")
            self.consul.set_health("a", "passing")
            wait_for(lambda: gateway.instances("orders")["a"]["health"] == "passing" or
                     gateway.instances("orders")["a"]["doubt"] == "damped", what="back or damped")
        self.assertEqual(gateway.instances("orders")["a"]["doubt"], "damped")
        self.assertEqual(gateway.service("orders")["damped"], 1)
        self.assertEqual(set(gateway.spread("/orders/", 20)), {"b"})
        gateway.wait_spread("/orders/", {"a", "b"}, timeout=20)
        removed = gateway.service("orders")["removals"]
        self.assertEqual({(row["id"], row["reason"]) for row in removed}, {("a", "critical")})

    def test_only_instance_is_never_damped(self):
        self.instance("orders", "a")
        gateway = self.gateway(config(flap_damping="10m"))
        gateway.wait_status("/orders/", 200)
        for _ in range(6):
            self.consul.set_health("a", "critical")
            gateway.wait_status("/orders/", 503)
            self.consul.set_health("a", "passing")
            gateway.wait_status("/orders/", 200)


class AgentRestart(Scenario):
    slow = True

    def test_checks_of_a_restarted_agent_fail_no_request(self):
        """A TTL check is critical from the restart of its agent until it is passed again."""
        agent = self.own_consul()
        for name in "ab":
            self.instance("orders", name, agent=agent)
        gateway = self.gateway(config(), consul=agent)
        gateway.wait_spread("/orders/", {"a", "b"})
        with self.load(gateway, "/orders/") as load:
            agent.restart()
            wait_for(lambda: {check["Status"] for entry in agent.get("/v1/health/service/orders")
                              for check in entry["Checks"]} >= {"critical"}, 20, "critical checks")
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 2, 20, "held")
            self.assertIn("restarted", gateway.service("orders")["held"]["why"])
            for name in "ab":
                agent.set_health(name, "passing")
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 0, 20, "none held")
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())
        self.assertEqual(gateway.service("orders")["removals"], [])

    def test_they_are_believed_in_the_end(self):
        agent = self.own_consul()
        self.instance("orders", "a", agent=agent)
        gateway = self.gateway(config(agent_restart_hold="6s"), consul=agent)
        gateway.wait_status("/orders/", 200)
        agent.restart()
        wait_for(lambda: gateway.service("orders")["held"]["instances"] == 1, 20, "held")
        gateway.wait_status("/orders/", 503, timeout=30)
        self.assertEqual(gateway.service("orders")["removals"][0]["reason"], "critical")


READ_ALL = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'


class Rights(Scenario):
    slow = True

    def test_empty_lists_of_a_token_without_rights_are_never_believed(self):
        agent = self.own_consul(acl=True)
        for name in "ab":
            self.instance("orders", name, agent=agent, check=None)
        other = self.origin("other")
        agent.put("/v1/acl/policy", {"Name": "gateway", "Rules": READ_ALL})
        token = agent.put("/v1/acl/token", {"Policies": [{"Name": "gateway"}]})["SecretID"]
        policy = [row["ID"] for row in agent.get("/v1/acl/policies") if row["Name"] == "gateway"][0]
        handle, path = tempfile.mkstemp(prefix="frontdesk-token-")
        self.addCleanup(os.unlink, path)
        os.write(handle, token.encode())
        os.close(handle)
        gateway = self.gateway(config(token_file=path, wait="1s"), consul=agent)
        gateway.wait_spread("/orders/", {"a", "b"})
        with self.load(gateway, "/orders/") as load:
            agent.put("/v1/acl/policy/" + policy, {"ID": policy, "Name": "gateway", "Rules": ""})
            wait_for(lambda: agent.get("/v1/health/service/orders", token=token) == [], 40,
                     "an empty list")
            # The index grows as well: nothing in the answer itself shows that it is wrong.
            agent.catalog_register("rack-1", "127.0.0.1", service={
                "ID": "c", "Service": "orders", "Address": "127.0.0.1", "Port": other.port,
                "Tags": TAGS})
            wait_for(lambda: gateway.service("orders")["held"]["instances"] == 2, 40, "held")
            wait_for(lambda: "rights" in gateway.service("orders")["held"]["why"], 40, "why")
            holds(lambda: set(gateway.instances("orders")) == {"a", "b"}, 3, "both")
            agent.put("/v1/acl/policy/" + policy,
                      {"ID": policy, "Name": "gateway", "Rules": READ_ALL})
            wait_for(lambda: set(gateway.instances("orders")) == {"a", "b", "c"}, 60, "all three")
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())
