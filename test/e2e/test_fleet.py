# SPDX-License-Identifier: Apache-2.0
"""Several gateways as one: what one suffers the others show, and a state is forced on all of them."""
import json
import os
import time

from lib import Scenario, holds, run_command, wait_for

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": "Bearer " + TOKEN}
FRAGILE = {"breaker": {"failure_rate": 50, "minimum_requests": 4, "open_for": "60s"},
           "outlier": {"enabled": False}, "retries": {"attempts": 1}}


class Fleet(Scenario):
    def member(self, name, consul="shared", origin=None, settings=None, fleet=None, **config):
        """A gateway of the fleet with a static service `web`, whose admin token is TOKEN."""
        origin = origin or self.origin(name)
        whole = {"fleet": dict({"name": name, "session_ttl": "10s"}, **(fleet or {})),
                 "services": {"web": dict(settings or {}, instances=[origin.address])},
                 "routes": [{"path": "/", "service": "web"}]}
        whole.update(config)
        gateway = self.gateway(whole, consul=consul)
        gateway.origin = origin
        path = gateway.write_file("token", TOKEN + "\n")
        os.chmod(path, 0o600)
        gateway.whole = dict(whole, admin={"token_file": path})
        gateway.configure(gateway.whole)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, what="the token")
        return gateway

    def fleet(self, gateway):
        return gateway.admin_json("/v1/fleet")

    def joined(self, *gateways, timeout=30):
        for gateway in gateways:
            wait_for(lambda: self.fleet(gateway)["connected"], timeout, "member of the fleet")

    def seen(self, gateway, name):
        """What `gateway` shows of the one called `name`; None when it shows nothing."""
        return {other["name"]: other for other in self.fleet(gateway)["gateways"]}.get(name)

    def keys(self, agent=None):
        status, _, keys = (agent or self.consul).call("GET", "/v1/kv/frontdesk/?keys")
        return keys if status == 200 else []

    def put(self, gateway, state, **members):
        return gateway.admin_put("/v1/breakers/web", dict({"state": state, "scope": "fleet"}, **members),
                                 BEARER)

    def state(self, gateway):
        return gateway.breaker("web")["state"]

    def trip(self, gateway):
        gateway.origin.stop()
        wait_for(lambda: gateway.get("/").reason == "breaker_open", what="open breaker")


class View(Fleet):
    slow = True

    def test_each_sees_what_is_open_at_the_others(self):
        a, b = self.member("gw-a", settings=FRAGILE), self.member("gw-b", settings=FRAGILE)
        self.joined(a, b)
        wait_for(lambda: self.seen(a, "gw-b"), what="the other gateway")
        self.assertTrue(self.seen(a, "gw-a")["self"])
        self.assertFalse(self.seen(a, "gw-b")["self"])
        self.assertEqual(self.seen(a, "gw-b")["open"], [])

        self.trip(b)

        entry = wait_for(lambda: self.seen(a, "gw-b")["open"], what="the open breaker of gw-b")[0]
        self.assertEqual((entry["service"], entry["instance"], entry["state"], entry["cause"]),
                         ("web", None, "open", "failure_rate"))
        self.assertTrue(entry["since"] and entry["until"])
        self.assertEqual(self.state(a), "closed")

    def test_registers_as_a_service_and_leaves_nothing_behind(self):
        a = self.member("gw-a")
        self.joined(a)
        wait_for(lambda: self.consul.health("frontdesk") == [("frontdesk-gw-a", "passing")],
                 what="the service frontdesk")
        service = self.consul.get("/v1/agent/services")["frontdesk-gw-a"]
        self.assertEqual(service["Port"], a.port)
        self.assertEqual(service["Meta"]["admin"], "127.0.0.1:%d" % a.admin_port)
        a.stop()
        wait_for(lambda: self.consul.health("frontdesk") == [], what="deregistration")
        self.assertEqual(self.keys(), [])

    def test_no_write_without_a_change(self):
        a = self.member("gw-a")
        self.joined(a)
        before = self.fleet(a)["writes"]
        for _ in range(300):
            a.get("/")
        holds(lambda: self.fleet(a)["writes"] == before, 2.5, "no write under load")

    def test_flapping_is_written_at_most_once_a_second(self):
        a = self.member("gw-a")
        self.joined(a)
        before, began = self.fleet(a)["writes"], time.monotonic()
        for _ in range(40):
            for state in ("forced_open", "forced_closed"):
                self.assertEqual(a.admin_put("/v1/breakers/web", {"state": state, "reason": "x"},
                                             BEARER).status, 200)
        took = time.monotonic() - began
        self.assertLessEqual(self.fleet(a)["writes"] - before, 2 + took)

    def test_two_of_one_name_get_two_names(self):
        a = self.member("twin")
        self.joined(a)
        b = self.member("twin")
        wait_for(lambda: "another gateway holds the key" in (self.fleet(b)["last_error"] or ""),
                 what="the clash named")
        self.joined(b, timeout=60)
        self.assertEqual((self.fleet(a)["name"], self.fleet(b)["name"]), ("twin", "twin-2"))

    def test_off_by_default(self):
        gateway = self.static_gateway([self.origin("a")])
        self.assertEqual(self.fleet(gateway), {"enabled": False})

    def test_reload_turns_it_on_and_off(self):
        a = self.member("gw-a")
        self.joined(a)
        without = dict(a.whole)
        del without["fleet"]
        a.configure(without)
        a.reload()
        wait_for(lambda: self.fleet(a) == {"enabled": False}, what="no fleet")
        wait_for(lambda: self.keys() == [], what="the key gone")
        a.configure(a.whole)
        a.reload()
        self.joined(a)

    def test_needs_consul(self):
        gateway = self.static_gateway([self.origin("a")])
        gateway.write_file("conf.d/fleet.yaml", "fleet: true\n")
        status, _, errors = run_command("check", "-c", gateway.dir + "/conf.d")
        self.assertEqual(status, 1)
        self.assertIn("fleet.yaml:1", errors)
        self.assertIn("needs consul", errors)


class Force(Fleet):
    slow = True

    def test_one_word_is_in_force_everywhere_and_ends_by_itself(self):
        gateways = [self.member(name) for name in ("gw-a", "gw-b", "gw-c")]
        self.joined(*gateways)
        answer = self.put(gateways[0], "forced_open", ttl="3s", reason="deploy", author="ann")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.state(gateways[0]), "forced_open")
        for gateway in gateways[1:]:
            wait_for(lambda: self.state(gateway) == "forced_open", what="the fleet's word")
            forced = gateway.breaker("web")["forced"]
            self.assertEqual((forced["author"], forced["why"], forced["scope"]),
                             ("ann", "deploy", "fleet"))
            self.assertEqual(gateway.get("/").reason, "breaker_open")
        word = self.fleet(gateways[2])["forced"][0]
        self.assertEqual((word["service"], word["state"], word["by"]), ("web", "forced_open", "gw-a"))
        for gateway in gateways:
            wait_for(lambda: self.state(gateway) != "forced_open", what="end by itself")
        wait_for(lambda: "frontdesk/force/web" not in self.keys(), 30, "tidied key")

    def test_auto_takes_it_back_everywhere(self):
        a, b = self.member("gw-a"), self.member("gw-b")
        self.joined(a, b)
        self.put(a, "forced_open", reason="deploy")
        wait_for(lambda: self.state(b) == "forced_open", what="the fleet's word")
        self.assertEqual(self.put(b, "auto", reason="done").status, 200)
        wait_for(lambda: self.state(a) != "forced_open", what="taken back at the other one")
        self.assertNotEqual(self.state(b), "forced_open")
        holds(lambda: self.state(b) != "forced_open", 1, "taken back")

    def test_gateway_that_comes_later_obeys(self):
        a = self.member("gw-a")
        self.joined(a)
        self.put(a, "forced_open", reason="deploy")
        b = self.member("gw-b")
        wait_for(lambda: self.state(b) == "forced_open", what="the fleet's word")

    def test_refused_where_it_makes_no_sense(self):
        gateway = self.member("gw-a")
        self.joined(gateway)
        self.assertEqual(self.put(gateway, "reset").status, 400)
        one = gateway.admin_put("/v1/breakers/web/" + gateway.origin.address,
                                {"state": "forced_open", "reason": "x", "scope": "fleet"}, BEARER)
        self.assertEqual(one.status, 400)

    def test_garbage_in_the_store_hurts_nobody(self):
        a = self.member("gw-a")
        self.joined(a)
        for key, value in (("force/web", "{"), ("force/other", '{"state":"on_fire","until":1}'),
                           ("gateways/evil", "[]"), ("force/" + "x" * 300, "{}"), ("zzz", "")):
            self.consul.kv_put("frontdesk/" + key, value.encode())
        until = int(time.time() * 1000) + 60000
        self.consul.kv_put("frontdesk/gateways/odd", json.dumps(
            {"address": "<b>", "open": [{"service": "<img src=x>\n", "state": "open"}, 7]}).encode())
        self.consul.kv_put("frontdesk/force/web", json.dumps(
            {"state": "forced_open", "at": until - 60000, "until": until, "author": "e\nvil", "why": ""}).encode())
        wait_for(lambda: self.state(a) == "forced_open", what="the good word among the bad")
        self.assertGreaterEqual(self.fleet(a)["skipped"], 4)
        self.assertEqual(self.seen(a, "odd")["open"][0]["service"], "<img src=x>\n")
        self.assertNotIn("\nvil", a.log())


class Away(Fleet):
    slow = True

    def test_without_consul_each_goes_on_and_catches_up(self):
        agent = self.own_consul()
        a, b = self.member("gw-a", consul=agent), self.member("gw-b", consul=agent)
        self.joined(a, b)
        self.put(a, "forced_open", ttl="3s", reason="deploy")
        wait_for(lambda: self.state(b) == "forced_open", what="the fleet's word")
        agent.stop()
        for gateway in (a, b):
            wait_for(lambda: not self.fleet(gateway)["connected"], what="away")
            self.assertTrue(self.fleet(gateway)["last_error"])
        answer = self.put(a, "forced_closed", reason="x")
        self.assertEqual((answer.status, answer.json()["reason"]), (503, "fleet_away"))
        self.assertEqual(a.admin_put("/v1/breakers/web", {"state": "forced_closed", "reason": "x"},
                                     BEARER).status, 200)
        wait_for(lambda: self.state(b) != "forced_open", what="end by itself")
        agent.start()
        self.joined(a, b, timeout=60)
        entry = wait_for(lambda: self.seen(b, "gw-a")["open"], 20, "what happened meanwhile")[0]
        self.assertEqual(entry["state"], "forced_closed")

    def test_gateway_that_dies_disappears(self):
        agent = self.own_consul()
        a, b = self.member("gw-a", consul=agent), self.member("gw-b", consul=agent)
        self.joined(a, b)
        wait_for(lambda: self.seen(a, "gw-b"), what="the other gateway")
        b.kill9()
        wait_for(lambda: self.seen(a, "gw-b") is None, 60, "gone with its session")

    def test_missing_rights_are_named(self):
        agent = self.own_consul(acl=True)
        agent.token = agent.new_token('node_prefix "" { policy = "read" } '
                                      'service_prefix "" { policy = "read" }')
        gateway = self.member("gw-a", consul=agent)
        wait_for(lambda: "session write" in (self.fleet(gateway)["last_error"] or ""),
                 what="the missing right")
