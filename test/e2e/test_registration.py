# SPDX-License-Identifier: Apache-2.0
"""The gateway as a service of Consul's catalog: registered, reported, registered again, gone."""
import threading

from lib import Scenario, free_port, holds, wait_for


class Registration(Scenario):
    def passing(self, consul, id, name="frontdesk"):
        wait_for(lambda: consul.health(name) == [(id, "passing")], 20, "%s passing" % id)

    def own(self, gateway):
        return gateway.status()["registration"]

    def test_shows_itself_with_checks_tags_and_version(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1", "tags": ["edge", "blue"],
                                                 "meta": {"team": "web"}}}, consul=consul)
        self.passing(consul, "gw-1")
        service = consul.get("/v1/agent/services")["gw-1"]
        self.assertEqual((service["Service"], service["Port"], service["Address"]),
                         ("frontdesk", gateway.port, "127.0.0.1"))
        self.assertEqual(service["Tags"], ["edge", "blue"])
        self.assertEqual(service["Meta"]["team"], "web")
        self.assertEqual(service["Meta"]["version"], gateway.status()["version"])
        self.assertEqual(service["Meta"]["admin"], "127.0.0.1:%d" % gateway.admin_port)
        checks = {c["CheckID"]: c for c in consul.get("/v1/agent/checks").values()}
        self.assertEqual(sorted(checks), ["gw-1:listener:127.0.0.1:%d" % gateway.port, "gw-1:self"])
        self.assertIn("serving", checks["gw-1:self"]["Output"])
        own = self.own(gateway)
        self.assertEqual((own["service"], own["id"], own["registered"], own["registrations"],
                          own["last_error"]), ("frontdesk", "gw-1", True, 1, None))

    def test_off_unless_asked_for(self):
        consul = self.own_consul()
        gateway = self.gateway({}, consul=consul)
        self.assertIsNone(self.own(gateway))
        self.assertEqual(consul.health("frontdesk"), [])

    def test_two_of_one_agent_have_ids_of_their_own(self):
        consul = self.own_consul()
        for _ in range(2):
            self.gateway({"registration": True}, consul=consul)
        wait_for(lambda: [s for _, s in consul.health("frontdesk")] == ["passing"] * 2,
                 20, "two gateways")

    def test_wildcard_listener_is_the_node_s_address(self):
        consul = self.own_consul()
        port = free_port()
        self.gateway({"registration": {"id": "gw-1"},
                      "listeners": [{"address": "0.0.0.0:%d" % port}]}, consul=consul, ready=True)
        self.passing(consul, "gw-1")
        service = consul.get("/v1/agent/services")["gw-1"]
        self.assertEqual((service["Address"], service["Port"]), ("", port))

    def test_forgotten_by_the_agent(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        consul.deregister("gw-1")
        self.passing(consul, "gw-1")
        self.assertEqual(self.own(gateway)["registrations"], 2)

    def test_agent_restarted_without_its_data(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        consul.restart(wipe=True)
        self.passing(consul, "gw-1")
        self.assertTrue(self.own(gateway)["registered"])

    def test_agent_killed_and_started(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        consul.kill9()
        wait_for(lambda: self.own(gateway)["last_error"] == "the Consul agent does not answer", 20,
                 "the error")
        consul.start()
        self.passing(consul, "gw-1")
        wait_for(lambda: self.own(gateway)["last_error"] is None, what="no error")

    def test_drains_in_maintenance_and_is_gone_at_the_end(self):
        consul = self.own_consul()
        origin = self.origin("web")
        gateway = self.gateway({"registration": {"id": "gw-1"}, "drain_delay": "2s",
                                "services": {"web": {"instances": [origin.address]}},
                                "routes": [{"path": "/", "service": "web"}]}, consul=consul)
        self.passing(consul, "gw-1")
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        try:
            wait_for(lambda: consul.health("frontdesk") == [("gw-1", "critical")], 10,
                     "maintenance")
            self.assertIn("_service_maintenance:gw-1", consul.get("/v1/agent/checks"))
            # Balancers in front still send for a moment.
            self.assertEqual(gateway.get("/").status, 200)
        finally:
            stopping.join(20)
        self.assertEqual(consul.health("frontdesk"), [])

    def test_consul_away_does_not_hold_up_the_end(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        consul.pause()
        try:
            gateway.stop()
        finally:
            consul.resume()

    def test_reload_changes_tags_name_and_switches_off(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        gateway.configure({"registration": {"id": "gw-1", "tags": ["new"]}})
        gateway.reload()
        wait_for(lambda: consul.get("/v1/agent/services")["gw-1"]["Tags"] == ["new"], what="tags")
        gateway.configure({"registration": {"id": "gw-2", "name": "edge"}})
        gateway.reload()
        self.passing(consul, "gw-2", "edge")
        wait_for(lambda: consul.health("frontdesk") == [], what="the old one gone")
        gateway.configure({"registration": False})
        gateway.reload()
        wait_for(lambda: consul.health("edge") == [], what="gone")
        self.assertIsNone(self.own(gateway))

    def test_missing_right_is_named(self):
        consul = self.own_consul(acl=True)
        reader = consul.new_token('service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }')
        gateway = self.gateway({"registration": {"id": "gw-1"}}, consul=consul)
        self.passing(consul, "gw-1")
        gateway.write_file("consul.token", reader)
        wait_for(lambda: "service write" in (self.own(gateway)["last_error"] or ""), 30, "the right")
        gateway.write_file("consul.token", consul.token)
        wait_for(lambda: self.own(gateway)["last_error"] is None, 90, "the right again")

    def test_gets_no_route_to_itself(self):
        consul = self.own_consul()
        gateway = self.gateway({"registration": {"id": "gw-1", "name": "edge",
                                                 "tags": ["frontdesk.path=/loop/"]},
                                "consul": {"expose": "all"}}, consul=consul)
        self.passing(consul, "gw-1", "edge")
        self.instance("web", "web-1", agent=consul)
        wait_for(lambda: gateway.get("/web/").status == 200, what="another service's route")
        self.assertEqual(gateway.get("/edge/").status, 404)
        self.assertEqual(gateway.get("/loop/").status, 404)
        holds(lambda: gateway.get("/loop/").status == 404, 0.5, "no route")
