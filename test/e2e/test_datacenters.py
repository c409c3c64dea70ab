# SPDX-License-Identifier: Apache-2.0
"""A service that is in two real datacenters, joined over WAN: the local one first, the other one when
too few are healthy, back when it has been good for a while; and what happens to each datacenter's
instances when its servers are away."""
import tempfile
import unittest

from lib import Consul, Scenario, find_consul, free_port, holds, reply, run_command, wait_for

ROUTES = [{"path": "/", "service": "web"}]
_pair = None


def _start_pair():
    """Two servers, each a datacenter of its own."""
    wan = free_port()
    one = Consul(node="one", config={"datacenter": "dc1", "ports": {"serf_wan": wan}})
    try:
        two = Consul(node="two", config={"datacenter": "dc2", "ports": {"serf_wan": free_port()},
                                         "retry_join_wan": ["127.0.0.1:%d" % wan],
                                         "retry_interval_wan": "1s"})
    except BaseException:
        one.close()
        raise
    return one, two


def _joined(one):
    """dc1 answers for dc2."""
    status, _, nodes = one.call("GET", "/v1/catalog/nodes?dc=dc2")
    return status == 200 and nodes


@unittest.skipIf(find_consul() is None, "no consul binary here")
class Datacenters(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.one, cls.two = _start_pair()
        cls.addClassCleanup(cls.one.close)
        cls.addClassCleanup(cls.two.close)
        wait_for(lambda: _joined(cls.one), 30, "two datacenters that know each other")

    def setUp(self):
        self.one.clear()
        self.two.clear()

    def near(self, name, **more):
        return self.instance("web", name, agent=self.one, tags=[], **more)

    def far(self, name, service="web", **more):
        return self.instance(service, name, agent=self.two, tags=[], **more)

    def routed(self, settings, **config):
        return self.gateway(dict({"routes": ROUTES, "services": {"web": settings}}, **config),
                            consul=self.one)

    def failover(self, gateway):
        return gateway.service("web")["failover"]

    def test_local_first_then_the_other_and_back(self):
        self.near("near-1")
        self.near("near-2")
        self.far("far-1")
        gateway = self.routed({"datacenters": ["dc1", "dc2"], "failover": {"fail_back": "2s"}})
        gateway.wait_spread("/", {"near-1", "near-2"})
        shown = self.failover(gateway)
        self.assertEqual((shown["active"], shown["preferred"], shown["moves"]), ("dc1", True, 0))
        self.assertEqual({i["datacenter"] for i in gateway.service("web")["instances"]}, {"dc1"})
        with self.load(gateway, "/") as load:
            load.wait_count(50)
            for name in ("near-1", "near-2"):
                self.one.set_health(name, "critical", "by hand")
            gateway.wait_spread("/", {"far-1"})
            shown = self.failover(gateway)
            self.assertEqual((shown["active"], shown["preferred"]), ("dc2", False))
            self.assertEqual(shown["why"], "dc1: 0 of 2 healthy")
            self.assertEqual({i["datacenter"] for i in gateway.service("web")["instances"]}, {"dc2"})
            load.wait_count(50)
            self.one.set_health("near-1", "passing")
            wait_for(lambda: self.failover(gateway)["places"][0]["usable"] == 1, what="a healthy one")
            gateway.wait_spread("/", {"near-1"}, timeout=20)
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())
        shown = self.failover(gateway)
        self.assertEqual((shown["active"], shown["moves"]), ("dc1", 2))
        self.assertIn("fails over from dc1 to dc2: dc1: 0 of 2 healthy", gateway.log())
        self.assertIn("goes back from dc2 to dc1", gateway.log())

    def test_does_not_go_back_before_its_time(self):
        self.near("near-1", status="critical")
        self.far("far-1")
        gateway = self.routed({"datacenters": ["local", "dc2"], "failover": {"fail_back": "1h"}})
        gateway.wait_spread("/", {"far-1"})
        self.one.set_health("near-1", "passing")
        wait_for(lambda: self.failover(gateway)["places"][0]["usable"] == 1, what="a healthy one")
        holds(lambda: gateway.get("/").header("X-Origin") == "far-1", 1, "the other datacenter")

    def test_too_few_are_too_few(self):
        for i in range(4):
            self.near("near-%d" % i)
        self.far("far-1")
        gateway = self.routed({"datacenters": ["dc1", "dc2"], "failover": {"min_healthy": 50}})
        gateway.wait_spread("/", {"near-%d" % i for i in range(4)})
        self.one.set_health("near-0", "critical")
        self.one.set_health("near-1", "critical")
        gateway.wait_spread("/", {"near-2", "near-3"})
        self.one.set_health("near-2", "critical")
        gateway.wait_spread("/", {"far-1"})
        # Nobody has enough: the one with most.
        self.two.deregister("far-1")
        gateway.wait_spread("/", {"near-3"}, timeout=20)
        self.assertIn("no place has enough", self.failover(gateway)["why"])

    def test_place_whose_requests_fail_is_left(self):
        """Consul finds it healthy, its requests fail: the breaker opens, and the service moves."""
        near = self.near("near-1")
        self.far("far-1")
        gateway = self.routed({
            "datacenters": ["dc1", "dc2"], "failover": {"fail_back": "1h"}, "retries": {"attempts": 1},
            "breaker": {"minimum_requests": 5, "open_for": "200ms"}})
        gateway.wait_spread("/", {"near-1"})
        near.always(reply(500))
        with self.load(gateway, "/", threads=1):
            wait_for(lambda: self.failover(gateway)["active"] == "dc2", what="the other datacenter")
            gateway.wait_spread("/", {"far-1"})
        shown = self.failover(gateway)
        self.assertEqual(shown["why"], "dc1: requests to it failed")
        self.assertIsNotNone(shown["places"][0]["suspect_until"])
        wait_for(lambda: gateway.breaker("web")["state"] == "closed", what="a closed breaker")

    def test_the_service_is_only_elsewhere(self):
        self.far("far-1")
        gateway = self.routed({"datacenters": ["local", "dc2"]})
        gateway.wait_spread("/", {"far-1"})
        self.assertEqual(self.failover(gateway)["why"], "local: no instance")

    def test_route_in_tags_of_each_datacenter(self):
        tags = ["frontdesk.path=/shop/"]
        self.instance("web", "near", agent=self.one, tags=tags)
        self.instance("web", "far", agent=self.two, tags=tags)
        gateway = self.gateway({"services": {"web": {"datacenters": ["local", "dc2"]}}}, consul=self.one)
        gateway.wait_spread("/shop/", {"near"})
        self.one.set_health("near", "critical")
        gateway.wait_spread("/shop/", {"far"})

    def test_datacenter_that_does_not_exist(self):
        self.near("near-1")
        gateway = self.routed({"datacenters": ["dc9", "dc1"]})
        gateway.wait_spread("/", {"near-1"})
        place = self.failover(gateway)["places"][0]
        self.assertEqual((place["place"], place["watch"], place["data_age_ms"]), ("dc9", "failing", None))
        self.assertIn("No path to datacenter", place["error"])
        self.assertTrue(gateway.status()["consul"]["connected"])
        self.assertIn("dc9", gateway.status()["attention"][0]["text"])

    def test_named_by_the_status_command_and_metrics(self):
        self.near("near-1", status="critical")
        self.far("far-1")
        gateway = self.routed({"datacenters": ["dc1", "dc2"]})
        gateway.wait_spread("/", {"far-1"})
        status, text, _ = run_command("status", "-a", gateway.admin, "web")
        self.assertEqual(status, 3)
        self.assertIn("comes from dc2 (dc1: 0 of 1 healthy)", text)
        self.assertRegex(text, r"dc2 +in use +1/1 +ok")
        metrics = gateway.admin_get("/metrics").body.decode()
        self.assertIn('frontdesk_place_active{service="web",place="dc1"} 0', metrics)
        self.assertIn('frontdesk_place_active{service="web",place="dc2"} 1', metrics)
        self.assertIn('frontdesk_place_preferred{service="web"} 0', metrics)

    def test_reload_that_adds_a_datacenter_loses_nothing(self):
        self.near("near-1")
        self.far("far-1")
        gateway = self.routed({})
        gateway.wait_spread("/", {"near-1"})
        self.assertIsNone(self.failover(gateway))
        with self.load(gateway, "/") as load:
            load.wait_count(20)
            gateway.configure({"routes": ROUTES, "services": {"web": {"datacenters": ["dc2", "dc1"]}}})
            gateway.reload()
            gateway.wait_spread("/", {"far-1"})
            gateway.configure({"routes": ROUTES})
            gateway.reload()
            gateway.wait_spread("/", {"near-1"})
            load.wait_count(20)
        self.assertEqual(load.failed, 0, load.summary())

    def test_another_service_with_a_filter(self):
        self.near("old", meta={"version": "1"})
        self.instance("web-next", "new", agent=self.one, tags=[], meta={"version": "2"})
        self.instance("web-next", "newer", agent=self.one, tags=[], meta={"version": "3"})
        gateway = self.routed({"places": [
            {"service": "web-next", "filter": 'Service.Meta.version == "2"'}, {"service": "web"}]})
        gateway.wait_spread("/", {"new"})
        self.one.set_health("new", "critical")
        gateway.wait_spread("/", {"old"})

    def test_bad_filter_is_named(self):
        self.near("near-1")
        gateway = self.routed({"places": [{"filter": "nonsense ="}, {}]})
        gateway.wait_spread("/", {"near-1"})
        self.assertEqual(self.failover(gateway)["places"][0]["watch"], "failing")
        self.assertTrue(gateway.status()["consul"]["connected"])

    def test_prepared_query_is_followed(self):
        self.near("near-1")
        self.far("far-1")
        self.one.call("POST", "/v1/query", {"Name": "any-web", "Service": {
            "Service": "web", "Failover": {"Datacenters": ["dc2"]}}})
        gateway = self.routed({"places": [{"query": "any-web"}]})
        gateway.wait_spread("/", {"near-1"})
        # Consul's own failover, found by asking again.
        self.one.set_health("near-1", "critical")
        gateway.wait_spread("/", {"far-1"}, timeout=30)
        self.assertEqual(self.failover(gateway)["places"][0]["place"], "query any-web")

    def test_unknown_query_and_namespace_are_named(self):
        self.near("near-1")
        gateway = self.routed({"places": [{"query": "none"}, {"namespace": "team"}, {}]})
        gateway.wait_spread("/", {"near-1"})
        query, namespace, _ = self.failover(gateway)["places"]
        self.assertIn("404", query["error"])
        self.assertIn("Enterprise", namespace["error"])


@unittest.skipIf(find_consul() is None, "no consul binary here")
class ServersAway(Scenario):
    def pair(self):
        one, two = _start_pair()
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        wait_for(lambda: _joined(one), 30, "two datacenters that know each other")
        return one, two

    def test_what_was_known_of_a_datacenter_stays(self):
        one, two = self.pair()
        self.instance("web", "near", agent=one, tags=[], status="critical")
        self.instance("web", "far", agent=two, tags=[])
        gateway = self.gateway({"routes": ROUTES, "services": {"web": {
            "datacenters": ["dc1", "dc2"], "failover": {"fail_back": "0"}}}}, consul=one)
        gateway.wait_spread("/", {"far"})

        def places():
            return gateway.service("web")["failover"]["places"]

        with self.load(gateway, "/") as load:
            load.wait_count(20)
            two.kill9()
            wait_for(lambda: places()[1]["watch"] == "failing", 60, "a failing datacenter")
            self.assertEqual(gateway.get("/").header("X-Origin"), "far")
            self.assertTrue(gateway.status()["consul"]["connected"])
            # The local ones are watched meanwhile.
            one.set_health("near", "passing")
            gateway.wait_spread("/", {"near"})
            two.start()
            wait_for(lambda: places()[1]["watch"] == "ok", 60, "a datacenter that is back")
        self.assertEqual(load.failed, 0, load.summary())

    def test_started_while_all_servers_are_away(self):
        """Each place has its last known good."""
        one, two = self.pair()
        state = tempfile.TemporaryDirectory()
        self.addCleanup(state.cleanup)
        self.instance("web", "near", agent=one, tags=[], status="critical")
        self.instance("web", "far", agent=two, tags=[])
        config = {"state_dir": state.name, "routes": ROUTES,
                  "services": {"web": {"datacenters": ["dc1", "dc2"]}}}
        gateway = self.gateway(config, consul=one)
        gateway.wait_spread("/", {"far"})
        gateway.stop()
        two.kill9()
        one.kill9()
        gateway = self.gateway(config, consul=one)
        gateway.wait_spread("/", {"far"})
        self.assertEqual(gateway.service("web")["failover"]["why"], "dc1: 0 of 1 healthy")

    def test_own_datacenter_away(self):
        one, two = self.pair()
        self.instance("web", "near", agent=one, tags=[])
        self.instance("web", "far", agent=two, tags=[])
        gateway = self.gateway({"routes": ROUTES, "services": {"web": {
            "datacenters": ["dc1", "dc2"]}}}, consul=one)
        gateway.wait_spread("/", {"near"})
        with self.load(gateway, "/") as load:
            load.wait_count(20)
            one.kill9()
            wait_for(lambda: not gateway.status()["consul"]["connected"], 30, "Consul away")
            self.assertEqual(gateway.get("/").header("X-Origin"), "near")
            one.start()
            wait_for(lambda: gateway.status()["consul"]["connected"], 30, "Consul back")
            load.wait_count(20)
        self.assertEqual(load.failed, 0, load.summary())


if __name__ == "__main__":
    unittest.main()
