# SPDX-License-Identifier: Apache-2.0
"""What a gateway keeps of the catalog on disk: it starts while Consul is away, believes nothing that
is damaged or another Consul's, and takes Consul's word again as soon as there is one."""
import os
import re
import shutil
import stat
import tempfile

from lib import Scenario, holds, run_command, wait_for

TAGS = ["frontdesk.path=/orders/"]


class Kept(Scenario):
    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="frontdesk-state-")
        self.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.file = self.state + "/catalog.answers"

    def settings(self, **consul):
        return {"state_dir": self.state, "defaults": {"balance": "round_robin"}, "consul": consul}

    def kept(self, gateway):
        return gateway.status()["consul"]["kept"]

    def wait_written(self, *services):
        """The file holds the list of services and the instances of these."""
        def look():
            with open(self.file, "rb") as file:
                content = file.read()
            return b"/v1/catalog/services" in content and all(
                b"/v1/health/service/%s?" % service.encode() in content for service in services)
        wait_for(look, 15, "%s on disk" % ", ".join(services))

    def end(self, gateway):
        """SIGTERM, to its end; it can be started again."""
        gateway.terminate()
        self.assertEqual(gateway.process.wait(20), 0, gateway.log()[-2000:])
        gateway.process = None

    def served(self, consul, **settings):
        """A gateway that has known orders (a and b) and was ended, with its file written."""
        # Without checks: a TTL check turns critical when its agent starts again.
        self.a, self.b = (self.instance("orders", name, consul, check=None) for name in "ab")
        gateway = self.gateway(self.settings(**settings), consul=consul)
        gateway.wait_spread("/orders/", {"a", "b"})
        self.end(gateway)
        return gateway


class ConsulAway(Kept):
    def test_is_served_at_once_and_says_how_old_it_is(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        consul.kill9()
        gateway.start()
        self.assertEqual(gateway.get("/orders/").status, 200)
        self.assertEqual(set(gateway.spread("/orders/", 8)), {"a", "b"})

        status = gateway.status()
        kept = status["consul"]["kept"]
        self.assertTrue(status["ready"])
        self.assertFalse(status["consul"]["connected"])
        self.assertEqual((kept["file"], kept["refused"], kept["error"]), (self.file, None, None))
        self.assertEqual(kept["recalled"]["services"], 1)
        self.assertTrue(kept["recalled"]["list"])
        self.assertLess(kept["recalled"]["age_ms"], 60000)
        service = gateway.service("orders")
        self.assertEqual(service["watch"], "recalled")
        self.assertGreater(service["data_age_ms"], 0)
        metrics = gateway.metrics()
        self.assertEqual(metrics["frontdesk_catalog_recalled_services"], 1)
        self.assertGreater(metrics["frontdesk_catalog_recalled_age_seconds"], 0)
        wait_for(lambda: re.search(r"serving the catalog of 2\S+Z \(\d+ s old\) from %s: Consul does "
                                   r"not answer" % re.escape(self.file), gateway.log()), what="log")
        _, screen, _ = run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port)
        self.assertRegex(screen, r"Catalog from disk, \d+ ?m?s old: 1 services not confirmed")
        self.assertRegex(screen, "Consul: AWAY, never heard")

    def test_takes_up_what_changed_meanwhile(self):
        consul = self.own_consul()
        self.instance("gone", "g", consul, check=None)
        gateway = self.served(consul)
        # Changed while the gateway is down, and seen when Consul is back.
        c = self.origin("c")
        consul.register("orders", c.port, id="c", tags=TAGS, check=None)
        consul.deregister("a")
        consul.deregister("g")
        self.instance("new", "n", consul, check=None)
        consul.kill9()
        gateway.start()
        self.assertEqual(set(gateway.spread("/orders/", 8)), {"a", "b"})
        self.assertEqual(gateway.get("/gone/").status, 200)
        consul.start()
        gateway.wait_spread("/orders/", {"b", "c"}, timeout=30)
        gateway.wait_status("/new/", 200, timeout=30)
        gateway.wait_status("/gone/", 503, timeout=30)
        wait_for(lambda: self.kept(gateway)["recalled"] is None, 30, what="a confirmed catalog")
        self.assertEqual(gateway.service("orders")["watch"], "ok")
        self.assertEqual(gateway.metrics()["frontdesk_catalog_recalled_services"], 0)
        wait_for(lambda: "has been replaced: Consul has answered" in gateway.log(), what="log")

    def test_an_instance_that_is_gone_is_not_asked_for_long(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        consul.kill9()
        self.a.kill()
        gateway.start()
        self.assertEqual([gateway.get("/orders/").status for _ in range(20)], [200] * 20)
        wait_for(lambda: set(gateway.spread("/orders/", 6)) == {"b"}, what="only the one that lives")

    def test_survives_several_starts_without_consul(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        consul.kill9()
        for how in (self.end, lambda g: g.kill9(), self.end):
            gateway.start()
            self.assertEqual(gateway.get("/orders/").status, 200)
            how(gateway)
        gateway.start()
        self.assertEqual(gateway.get("/orders/").status, 200)

    def test_a_reload_that_changes_the_section_keeps_serving(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        consul.kill9()
        gateway.start()
        gateway.configure(self.settings(wait="5s"))
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, what="reload")
        holds(lambda: gateway.get("/orders/").status == 200, 1, "service from the recalled catalog")
        self.assertEqual(self.kept(gateway)["recalled"]["services"], 1)
        consul.start()
        wait_for(lambda: self.kept(gateway)["recalled"] is None, 30, "a confirmed catalog")
        wait_for(lambda: "the new Consul settings are in force" in gateway.log(), 30, "new settings")
        self.assertEqual(set(gateway.spread("/orders/", 8)), {"a", "b"})

    def test_without_a_directory_nothing_is_kept(self):
        consul = self.own_consul()
        self.instance("orders", "a", consul)
        gateway = self.gateway({"state_dir": "off"}, consul=consul)
        gateway.wait_status("/orders/", 200)
        self.assertIsNone(self.kept(gateway))
        self.end(gateway)
        consul.kill9()
        gateway.start(ready=False)
        self.assertEqual(gateway.wait_status("/orders/", 503).reason, "catalog_unknown")
        self.assertFalse(gateway.ready())


    def test_places_and_traffic_rules_are_kept_too(self):
        consul = self.own_consul()
        consul.put("/v1/config", {"Kind": "service-resolver", "Name": "old",
                                  "Redirect": {"Service": "orders"}})
        self.instance("search", "s1", consul, tags=[], meta={"index": "1"}, check=None)
        self.instance("search", "s2", consul, tags=[], meta={"index": "2"}, check=None)
        self.instance("orders", "a", consul, check=None)
        config = dict(self.settings(), services={"search": {"places": [
            {"filter": "Service.Meta.index == 2"}, {"service": "orders"}]}}, routes=[
            {"path": "/old", "service": "old"}, {"path": "/search", "service": "search"}])
        gateway = self.gateway(config, consul=consul)
        gateway.wait_spread("/old", {"a"})
        gateway.wait_spread("/search", {"s2"})
        self.end(gateway)
        consul.kill9()
        gateway.start()
        self.assertEqual(set(gateway.spread("/old", 4)), {"a"})
        self.assertEqual(set(gateway.spread("/search", 4)), {"s2"})
        self.assertEqual(gateway.service("search")["watch"], "recalled")
        consul.start()
        wait_for(lambda: self.kept(gateway)["recalled"] is None, 40, what="a confirmed catalog")
        self.assertEqual(set(gateway.spread("/search", 4)), {"s2"})

    def test_a_consul_that_lost_everything_is_doubted(self):
        consul = self.own_consul()
        gateway = self.served(consul, shrink_confirm="3s")
        consul.restart(wipe=True)
        gateway.start()
        holds(lambda: gateway.get("/orders/").status == 200, 2, "service from the recalled catalog")
        # What it goes on saying is believed at last.
        gateway.wait_status("/orders/", 503, timeout=30)

    def test_a_token_that_is_refused_is_no_reason_to_forget(self):
        consul = self.own_consul(acl=True)
        gateway = self.served(consul)
        gateway.write_file("consul.token", "00000000-0000-0000-0000-00000000dead")
        gateway.start()
        self.assertEqual(gateway.get("/orders/").status, 200)
        wait_for(lambda: re.search("serving the catalog of .*: Consul refuses the token", gateway.log()),
                 what="log")
        holds(lambda: gateway.get("/orders/").status == 200, 1, "service from the recalled catalog")
        gateway.write_file("consul.token", consul.token)
        wait_for(lambda: self.kept(gateway)["recalled"] is None, 40, what="a confirmed catalog")


class ConsulThere(Kept):
    def test_the_directory_of_systemd_is_used(self):
        self.instance("orders", "a")
        gateway = self.gateway({}, environment={"STATE_DIRECTORY": self.state + ":/elsewhere"})
        gateway.wait_status("/orders/", 200)
        self.wait_written("orders")
        self.assertEqual(self.kept(gateway)["file"], self.file)

    def test_changes_are_written_soon(self):
        self.instance("orders", "a")
        gateway = self.gateway(self.settings())
        gateway.wait_status("/orders/", 200)
        self.wait_written("orders")
        self.instance("web", "w")
        gateway.wait_status("/web/", 200)
        self.wait_written("orders", "web")
        self.assertIsNone(self.kept(gateway)["recalled"])
        gateway.kill9()
        gateway.start()
        self.assertEqual(gateway.get("/web/").status, 200)

    def test_what_is_empty_is_kept_as_empty(self):
        """A service without instances is something that Consul said, too."""
        gateway = self.gateway(dict(self.settings(), routes=[{"path": "/", "service": "orders"}]))
        self.wait_written("orders")
        self.assertEqual(gateway.get("/").reason, "no_healthy_instance")

    def test_killed_in_the_middle_of_writes(self):
        self.instance("orders", "a")
        gateway = self.gateway(self.settings())
        gateway.wait_status("/orders/", 200)
        self.wait_written("orders")
        for round in range(4):
            name = "more-%d" % round
            self.instance(name, name)
            before = os.stat(self.file).st_mtime_ns
            # Whenever it may be: while the file is written, just before, just after.
            wait_for(lambda: os.path.exists(self.file + ".tmp") or
                     os.stat(self.file).st_mtime_ns != before, 15, "a write", every=0.0002)
            gateway.kill9()
            gateway.start()
            self.assertIsNone(self.kept(gateway)["refused"])
            self.assertEqual(gateway.get("/orders/").status, 200)
        self.assertFalse(os.path.exists(self.file + ".damaged"))

    def test_another_directory_after_a_reload(self):
        self.instance("orders", "a")
        gateway = self.gateway(self.settings())
        gateway.wait_status("/orders/", 200)
        self.wait_written("orders")
        other = tempfile.mkdtemp(prefix="frontdesk-state-")
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        gateway.configure(dict(self.settings(), state_dir=other))
        gateway.reload()
        wait_for(lambda: os.path.exists(other + "/catalog.answers"), 15, "a file in the new directory")
        self.assertEqual(self.kept(gateway)["file"], other + "/catalog.answers")
        gateway.configure(dict(self.settings(), state_dir="off"))
        gateway.reload()
        wait_for(lambda: self.kept(gateway) is None, 15, "the end of keeping")
        self.assertEqual(gateway.get("/orders/").status, 200)

    def test_a_directory_that_cannot_be_written(self):
        self.instance("orders", "a")
        missing = self.state + "/missing"
        gateway = self.gateway(dict(self.settings(), state_dir=missing))
        gateway.wait_status("/orders/", 200)
        self.assertIn("state_dir %s: No such file or directory" % missing, gateway.log())
        wait_for(lambda: self.kept(gateway)["error"], 15, "a failed write")
        self.assertEqual(gateway.metrics()["frontdesk_catalog_keep_failing"], 1)
        os.mkdir(missing)
        self.instance("web", "w")
        wait_for(lambda: self.kept(gateway)["error"] is None, 15, "a write that went well")
        self.assertTrue(os.path.exists(missing + "/catalog.answers"))


class Refused(Kept):
    def start_away(self, gateway, consul):
        consul.kill9()
        gateway.start(ready=False)
        return wait_for(lambda: self.kept(gateway)["refused"], what="a refusal")

    def test_damaged(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        with open(self.file, "rb+") as file:
            file.seek(300)
            byte = file.read(1)
            file.seek(300)
            file.write(bytes([byte[0] ^ 1]))
        why = self.start_away(gateway, consul)
        self.assertIn("damaged", why)
        self.assertIn("moved aside to %s.damaged" % self.file, why)
        self.assertIn("%s is not used: damaged" % self.file, gateway.log())
        self.assertTrue(os.path.exists(self.file + ".damaged"))
        self.assertFalse(os.path.exists(self.file))
        self.assertEqual(gateway.wait_status("/orders/", 503).reason, "catalog_unknown")
        consul.start()
        gateway.wait_spread("/orders/", {"a", "b"}, timeout=30)
        self.wait_written("orders")

    def test_cut_short_not_ours_and_another_version(self):
        gateway = self.served(self.consul)
        with open(self.file, "rb") as file:
            good = file.read()
        cases = ((good[:-10], "cut short", True), (b"", "cut short", True),
                 (b"{\"some\": \"thing\"}", "not ours", True),
                 (good.replace(b"answers 1", b"answers 2", 1), "of another version", False))
        for content, reason, moved in cases:
            with self.subTest(reason=reason):
                with open(self.file, "wb") as file:
                    file.write(content)
                gateway.start()
                self.assertIn(reason, self.kept(gateway)["refused"])
                self.assertEqual("moved aside" in self.kept(gateway)["refused"], moved)
                gateway.wait_status("/orders/", 200)
                self.end(gateway)

    def test_that_of_another_datacenter(self):
        consul = self.own_consul()
        gateway = self.served(consul)
        gateway.configure(self.settings(datacenter="dc9"))
        why = self.start_away(gateway, consul)
        self.assertIn("another Consul", why)
        self.assertEqual(gateway.wait_status("/orders/", 503).reason, "catalog_unknown")
        # It is still there for the right one.
        self.end(gateway)
        gateway.configure(self.settings(datacenter="dc1"))
        gateway.start(ready=False)
        self.assertIn("another Consul", self.kept(gateway)["refused"])
        self.end(gateway)
        gateway.configure(self.settings())
        gateway.start()
        self.assertEqual(gateway.get("/orders/").status, 200)

    def test_the_token_is_not_in_it(self):
        consul = self.own_consul(acl=True)
        gateway = self.served(consul)
        with open(self.file, "rb") as file:
            content = file.read()
        self.assertIn(b"/v1/health/service/orders", content)
        self.assertNotIn(consul.token.encode(), content)


if __name__ == "__main__":
    import unittest
    unittest.main()
