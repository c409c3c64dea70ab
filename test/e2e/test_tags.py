# SPDX-License-Identifier: Apache-2.0
"""Services with the tags of fabio and Traefik, fabio's commands in the KV store, and what `frontdesk
migrate` says about them: all with a real Consul."""
import json
import os
import tempfile

from lib import Scenario, run_command, wait_for


class Fabio(Scenario):
    def share(self, gateway, target, origin, count=200):
        """How many per cent of the requests this origin answers."""
        return 100 * gateway.spread(target, count)[origin] / count

    def problems(self, gateway):
        return {entry["subject"]: entry["why"] for entry in gateway.routes()["problems"]}

    def test_hosts_with_wildcards(self):
        self.instance("wild", "wild", tags=["urlprefix-api-*.shop.example/"])
        self.instance("one", "one", tags=["urlprefix-{a,b}.shop.example/x", "urlprefix-*.shop.example/"])
        gateway = self.gateway()
        gateway.wait_status("/", 200, host="api-7.shop.example")
        for host, path, origin in (("api-7.shop.example", "/", "wild"), ("A.shop.example", "/xyz", "one"),
                                   ("b.shop.example", "/x", "one"), ("c.shop.example", "/", "one")):
            self.assertEqual(gateway.get(path, host=host).header("X-Origin"), origin, (host, path))
        self.assertEqual(gateway.get("/", host="shop.example").status, 404)

    def test_redirect_to_https_does_not_go_in_circles(self):
        self.instance("web", "web", tags=["urlprefix-shop.example/ host=dst"])
        self.instance("force", "force",
                      tags=["urlprefix-shop.example:80/ redirect=301,https://shop.example$path"])
        gateway = self.gateway({"trusted_proxies": ["127.0.0.1"]})
        gateway.wait_status("/a?b=c", 301, host="shop.example")
        answer = gateway.get("/a?b=c", host="shop.example")
        self.assertEqual(answer.header("Location"), "https://shop.example/a?b=c")
        answer = gateway.get("/a", host="shop.example", headers={"X-Forwarded-Proto": "https"})
        self.assertEqual((answer.status, answer.header("X-Origin")), (200, "web"))

    def test_who_is_not_trusted_has_no_say_about_the_scheme(self):
        self.instance("force", "force", tags=["urlprefix-/ redirect=301,https://$host$path"])
        gateway = self.gateway()
        gateway.wait_status("/a", 301)
        self.assertEqual(gateway.get("/a", headers={"X-Forwarded-Proto": "https"}).status, 301)

    def test_allow_and_deny(self):
        self.instance("in", "in", tags=["urlprefix-/in allow=ip:127.0.0.0/8,ip:10.0.0.1"])
        self.instance("out", "out", tags=["urlprefix-/out deny=ip:127.0.0.1"])
        gateway = self.gateway()
        gateway.wait_status("/in", 200)
        answer = gateway.wait_status("/out", 403)
        self.assertEqual(answer.reason, "address_denied")

    def test_two_services_share_a_route_instance_by_instance(self):
        for name in ("a1", "a2", "a3"):
            self.instance("a", name, tags=["urlprefix-/x"])
        self.instance("b", "b1", tags=["urlprefix-/x"])
        gateway = self.gateway()
        gateway.wait_spread("/x", {"a1", "a2", "a3", "b1"}, count=60)
        self.assertTrue(10 < self.share(gateway, "/x", "b1") < 40)
        self.consul.set_health("a1", "critical")
        self.consul.set_health("a2", "critical")
        gateway.wait_spread("/x", {"a3", "b1"}, count=30)
        wait_for(lambda: 35 < self.share(gateway, "/x", "b1") < 65, what="half of the requests")

    def test_weight_across_services_and_within_one(self):
        self.instance("live", "live", tags=["urlprefix-/x"])
        self.instance("canary", "canary", tags=["urlprefix-/x weight=0.1"])
        self.instance("web", "old", tags=["urlprefix-/y"])
        self.instance("web", "new", tags=["urlprefix-/y weight=0.1"])
        self.instance("web", "staged", tags=["v3"])
        gateway = self.gateway()
        for path, origin, others in (("/x", "canary", {"live"}), ("/y", "new", {"old"})):
            gateway.wait_spread(path, others | {origin}, count=100)
            self.assertTrue(1 < self.share(gateway, path, origin) < 25)
        self.assertEqual({id: entry["weight"] for id, entry in gateway.instances("web").items()},
                         {"old": 9000, "new": 1000, "staged": 0})
        self.consul.set_health("new", "critical")
        gateway.wait_spread("/y", {"old"})

    def test_what_cannot_be_honoured_is_named(self):
        self.instance("db", "db", tags=["urlprefix-:3306 proto=tcp"])
        self.instance("web", "web", tags=["urlprefix-/web register=www", "urlprefix-/bad redirect=301",
                                          'v1 "quoted"'])
        gateway = self.gateway()
        gateway.wait_status("/web", 200)
        problems = wait_for(lambda: self.problems(gateway), what="problems")
        self.assertIn("TCP routes", problems["urlprefix-:3306 proto=tcp"])
        self.assertIn("register is not obeyed", problems["urlprefix-/web register=www"])
        self.assertIn("CODE,URL", problems["urlprefix-/bad redirect=301"])


class FabioCommands(Scenario):
    def start(self, commands, **config):
        self.consul.kv_put("fabio/config", commands.encode())
        return self.gateway({"consul": dict(config, fabio_kv="fabio/config")})

    def problems(self, gateway):
        return {entry["subject"]: entry["why"] for entry in gateway.routes()["problems"]}

    def test_add_weight_and_del_while_running(self):
        self.instance("web", "blue", tags=["urlprefix-/web", "blue"])
        self.instance("web", "green", tags=["urlprefix-/web", "green"])
        self.instance("old", "old", tags=["urlprefix-/old"])
        outside = self.origin("outside")
        gateway = self.start('# by hand\nroute add legacy /legacy http://127.0.0.1:%d/ opts "strip=/legacy"\n'
                             'route weight web /web weight 0 tags "green"\n' % outside.port)
        answer = gateway.wait_status("/legacy/x", 200)
        self.assertEqual((answer.header("X-Origin"), answer.json()["target"]), ("outside", "/x"))
        gateway.wait_spread("/web", {"blue", "green"})
        gateway.wait_status("/old", 200)

        self.consul.kv_put("fabio/config", b'route weight web /web weight 1 tags "green"\nroute del old\n')
        gateway.wait_status("/old", 404)
        gateway.wait_status("/legacy/x", 404)
        gateway.wait_spread("/web", {"green"})

        self.consul.kv_put("fabio/config", b"")
        gateway.wait_status("/old", 200)
        gateway.wait_spread("/web", {"blue", "green"})

    def test_keys_below_in_their_order_and_no_others(self):
        self.instance("web", "web", tags=["urlprefix-/web"])
        self.consul.kv_put("fabio/config/20-del", b"route del gone\n")
        self.consul.kv_put("fabio/config/10-add",
                           b"route add gone /gone http://127.0.0.1:1/\n"
                           b"route add here /here http://127.0.0.1:%d/" % self.origin("here").port)
        self.consul.kv_put("fabio/configuration", b"route del web")
        gateway = self.start("route add base /base http://127.0.0.1:%d/" % self.origin("base").port)
        for path in ("/here", "/base", "/web"):
            gateway.wait_status(path, 200)
        self.assertEqual(gateway.get("/gone").status, 404)

    def test_a_bad_command_is_named_with_its_line_and_harms_no_other(self):
        self.instance("web", "web", tags=["urlprefix-/web"])
        gateway = self.start("route del web /nothing\n\nroute add tcp :80 tcp://127.0.0.1:1\n"
                             "route add x /x http://127.0.0.1:%d/" % self.origin("x").port)
        gateway.wait_status("/x", 200)
        gateway.wait_status("/web", 200)
        problems = self.problems(gateway)
        line = [subject for subject in problems if "line 3:" in subject]
        self.assertEqual(len(line), 1, problems)
        self.assertIn("http, https, grpc or grpcs", problems[line[0]])
        self.assertIn("no such target", problems[[s for s in problems if "line 1:" in s][0]])

    def test_last_good_stays_while_consul_is_away(self):
        consul = self.own_consul()
        consul.kv_put("fabio/config", b"route add x /x http://127.0.0.1:%d/" % self.origin("x").port)
        gateway = self.gateway({"consul": {"fabio_kv": "fabio/config"}}, consul=consul)
        gateway.wait_status("/x", 200)
        consul.kill9()
        wait_for(lambda: not gateway.status()["consul"]["connected"], 20, "Consul away")
        self.assertEqual(gateway.get("/x").status, 200)
        consul.start()
        consul.kv_put("fabio/config", b"")
        gateway.wait_status("/x", 404, timeout=30)

    def test_they_are_there_after_a_start_without_consul(self):
        consul = self.own_consul()
        consul.kv_put("fabio/config", b"route add x /x http://127.0.0.1:%d/" % self.origin("x").port)
        with tempfile.TemporaryDirectory() as state:
            gateway = self.gateway({"consul": {"fabio_kv": "fabio/config"}, "state_dir": state}, consul=consul)
            gateway.wait_status("/x", 200)
            wait_for(lambda: os.path.exists(state + "/fabio.state"), what="fabio.state")
            consul.kill9()
            gateway.kill9()
            gateway.start(ready=False)
            gateway.wait_status("/x", 200)
            gateway.stop()

    def test_reload_switches_it_off_and_on(self):
        self.consul.kv_put("fabio/config", b"route add x /x http://127.0.0.1:%d/" % self.origin("x").port)
        gateway = self.gateway({"consul": {"fabio_kv": "fabio/config"}})
        gateway.wait_status("/x", 200)
        gateway.configure({})
        gateway.reload()
        gateway.wait_status("/x", 404)
        gateway.configure({"consul": {"fabio_kv": "fabio/config"}})
        gateway.reload()
        gateway.wait_status("/x", 200)


def router(name="r", **keys):
    """Tags of a router: rule="Host(`a`)", middlewares="m", ..."""
    return ["traefik.http.routers.%s.%s=%s" % (name, key.replace("_", "."), value)
            for key, value in keys.items()]


class Traefik(Scenario):
    ON = {"consul": {"traefik_prefix": "traefik"}}

    def origin_of(self, gateway, path, **options):
        return gateway.get(path, **options).header("X-Origin")

    def test_off_unless_asked_for(self):
        self.instance("web", "web", tags=router(rule="Host(`web.example`)"))
        self.instance("orders", "orders")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        self.assertEqual(gateway.get("/", host="web.example").status, 404)

    def test_rules(self):
        self.instance("api", "api", tags=router(
            rule="(Host(`a.example`) || Host(`b.example`)) && PathPrefix(`/api`) && !PathPrefix(`/api/old`)"))
        self.instance("write", "write", tags=router(rule="Host(`a.example`) && Path(`/api`) && Method(`POST`)"))
        self.instance("beta", "beta", tags=router(
            rule="Host(`a.example`) && PathPrefix(`/api`) && Headers(`X-Beta`, `1`)", priority="500"))
        self.instance("any", "any", tags=router(rule="HostRegexp(`^[a-z]+\\.wild\\.example$`)"))
        self.instance("v2", "v2", tags=router(rule="Path(`/orders/{id:[0-9]+}`)"))
        self.instance("named", "named", tags=["traefik.enable=true"])
        self.instance("hidden", "hidden", tags=["traefik.enable=false"] + router(rule="Host(`hidden.example`)"))
        gateway = self.gateway(self.ON)
        gateway.wait_status("/", 200, host="named")
        for host, path, wanted in (
                ("a.example", "/api/x", "api"), ("b.example", "/api", "api"), ("a.example", "/api/old/x", None),
                ("c.wild.example", "/", "any"), ("c1.wild.example", "/", None), ("x", "/orders/17", "v2"),
                ("x", "/orders/a", None), ("hidden.example", "/", None)):
            self.assertEqual(self.origin_of(gateway, path, host=host), wanted, (host, path))
        self.assertEqual(self.origin_of(gateway, "/api/x", host="a.example", headers={"X-Beta": "1"}), "beta")
        self.assertEqual(gateway.request("POST", "/api", host="a.example", body=b"x").header("X-Origin"), "write")

    def test_priorities(self):
        self.instance("all", "all", tags=router(rule="Host(`a.example`)", priority="1"))
        self.instance("long", "long", tags=router(rule="Host(`a.example`) && PathPrefix(`/x`)")
                      + router("s", rule="Host(`b.example`) && PathPrefix(`/x`)"))
        self.instance("first", "first", tags=router(rule="Host(`b.example`)", priority="1000"))
        gateway = self.gateway(self.ON)
        for host, path, wanted in (("a.example", "/", "all"), ("a.example", "/x", "long"),
                                   ("b.example", "/x", "first")):
            gateway.wait_spread(path, {wanted}, count=2, host=host)

    def test_middlewares(self):
        self.instance("web", "web", tags=router(
            rule="PathPrefix(`/web`)", middlewares="chain@consulcatalog", entrypoints="websecure") + [
            "traefik.http.middlewares.chain.chain.middlewares=strip,add,fields,squeeze",
            "traefik.http.middlewares.strip.stripprefix.prefixes=/web",
            "traefik.http.middlewares.add.addprefix.prefix=/v2",
            "traefik.http.middlewares.fields.headers.customrequestheaders.X-From=tag",
            "traefik.http.middlewares.fields.headers.customresponseheaders.X-To=client",
            "traefik.http.middlewares.squeeze.compress=true"])
        self.instance("closed", "closed", tags=router(rule="PathPrefix(`/closed`)", middlewares="auth") + [
            "traefik.http.middlewares.auth.basicauth.users=a:b"])
        self.instance("foreign", "foreign", tags=router(rule="PathPrefix(`/foreign`)", middlewares="x@file"))
        self.instance("inner", "inner", tags=router(rule="PathPrefix(`/inner`)", entrypoints="internal"))
        self.instance("secure", "secure", tags=router(rule="Host(`s.example`)", middlewares="https") + [
            "traefik.http.middlewares.https.redirectscheme.scheme=https",
            "traefik.http.middlewares.https.redirectscheme.permanent=true"])
        gateway = self.gateway(dict(self.ON, trusted_proxies=["127.0.0.1"]))
        answer = gateway.wait_status("/web/x?y", 200)
        self.assertEqual((answer.json()["target"], answer.header("X-To")), ("/v2/x?y", "client"))
        self.assertEqual(gateway.wait_status("/closed", 403).header("X-Origin"), None)
        self.assertEqual(gateway.get("/foreign").status, 404)
        self.assertEqual(gateway.get("/inner").status, 404)
        answer = gateway.wait_status("/p?q", 301, host="s.example:8080")
        self.assertEqual(answer.header("Location"), "https://s.example/p?q")
        answer = gateway.get("/p", host="s.example", headers={"X-Forwarded-Proto": "https"})
        self.assertEqual(answer.header("X-Origin"), "secure")
        problems = {entry["why"] for entry in gateway.routes()["problems"]}
        for part in ("middleware x@file is of another provider", "compress is not obeyed", "entrypoints is not obeyed",
                     "everybody is refused (403)", "traefik_entry_points"):
            self.assertTrue([why for why in problems if part in why], (part, problems))

    def test_middlewares_of_other_services(self):
        self.instance("web", "web", tags=router(rule="PathPrefix(`/web`)", middlewares="strip@consulcatalog"))
        gateway = self.gateway(self.ON)
        wait_for(lambda: gateway.routes()["problems"], what="a problem")
        self.assertEqual(gateway.get("/web/x").status, 404)
        self.instance("shared", "shared", tags=["traefik.http.middlewares.strip.stripprefix.prefixes=/web"])
        self.assertEqual(gateway.wait_status("/web/x", 200).json()["target"], "/x")
        self.assertFalse(gateway.routes()["problems"])

    def test_tags_change_while_running(self):
        origin = self.instance("web", "web", tags=router(rule="PathPrefix(`/a`)"))
        gateway = self.gateway(self.ON)
        gateway.wait_status("/a", 200)
        self.instance("web", "web", origin=origin, tags=router(rule="PathPrefix(`/b`)"))
        gateway.wait_status("/b", 200)
        gateway.wait_status("/a", 404)


class Migrate(Scenario):
    def run_migrate(self, *arguments, status):
        code, out, err = run_command("migrate", "--consul", self.consul.address, *arguments)
        self.assertEqual(code, status, out + err)
        return out

    def check(self, text):
        """The file is one that a gateway takes."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("00.yaml", "consul: {}\n"), ("50-migrated.yaml", text)):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(content)
            code, out, err = run_command("check", "-c", folder)
            self.assertEqual(code, 0, out + err + text)

    def register_all(self):
        self.consul.register("orders", 1001, id="o1", tags=["urlprefix-/orders strip=/orders", "v1"])
        self.consul.register("orders", 1002, id="o2", tags=["urlprefix-/orders strip=/orders weight=0.1"])
        self.consul.register("web", 1003, id="w1", tags=[
            "urlprefix-b*.example/", "urlprefix-shop.example:80/ redirect=301,https://shop.example$path"])
        self.consul.register("api", 1004, id="a1", tags=router(
            rule="Host(`api.example`) && PathPrefix(`/v1`) && !Header(`X-Old`, `1`)", middlewares="m",
            tls="true") + ["traefik.http.middlewares.m.stripprefix.prefixes=/v1",
                           "traefik.http.middlewares.m2.headers.customrequestheaders.X-A=b"][:1])
        self.consul.register("plain", 1005, id="p1", tags=["frontdesk.path=/plain"])

    def test_all_is_as_it_was(self):
        self.register_all()
        out = self.run_migrate(status=0)
        self.assertIn("3 services with 8 tags, 0 commands: 8 work as they did, 0 differ, 0 are left out", out)
        self.assertNotIn("/plain", out)
        self.check(out)

    def test_what_differs_is_said(self):
        self.register_all()
        self.consul.register("db", 1006, id="d1", tags=["urlprefix-:3306 proto=tcp", "urlprefix-/db register=x"])
        self.consul.kv_put("fabio/config", b"route add legacy /legacy https://10.0.0.9/ weight 0.5\nroute nonsense\n")
        out = self.run_migrate(status=1)
        self.check(out)
        for line in ("  #   urlprefix-:3306 proto=tcp\n  #     left out: TCP routes are not supported\n",
                     "  #     differs: register is not obeyed",
                     '  "legacy:kv":\n    instances: ["10.0.0.9:443"]\n',
                     "  #   route nonsense\n  #     left out: expected: route add",
                     "2 commands: 9 work as they did, 1 differ, 2 are left out"):
            self.assertIn(line, out)
        doc = json.loads(self.run_migrate("--json", status=1))
        self.assertEqual([s["name"] for s in doc["services"]], ["api", "db", "orders", "web"])
        self.assertEqual(doc["services"][2]["weights"],
                         [{"instance": "o1", "weight": 9000}, {"instance": "o2", "weight": 1000}])
        self.assertEqual(doc["summary"]["left_out"], 2)

    def test_what_it_says_is_what_the_gateway_does(self):
        """The file instead of the tags: the same routes."""
        for name, tags in (("x", ["urlprefix-/x strip=/x"]), ("y", ["urlprefix-api-*.example/"]),
                           ("z", router(rule="PathPrefix(`/z`) && Query(`a`, `b`)"))):
            self.instance(name, name, tags=tags)
        text = self.run_migrate(status=0)
        gateway = self.gateway({"consul": {"fabio_prefix": ""}})
        gateway.write_file("conf.d/50-migrated.yaml", text)
        gateway.reload()
        self.assertEqual(gateway.wait_status("/x/1", 200).json()["target"], "/1")
        self.assertEqual(gateway.wait_status("/", 200, host="api-1.example").header("X-Origin"), "y")
        self.assertEqual(gateway.wait_status("/z?a=b", 200).header("X-Origin"), "z")
        self.assertEqual(gateway.get("/z").status, 404)

    def test_nothing_in_the_catalog_steers_the_terminal(self):
        self.consul.register("evil", 1, id="e", tags=["urlprefix-/\x1b[31m\n- x: y", 'urlprefix-/a"\u202e'])
        out = self.run_migrate(status=1)
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\u202e", out)
        self.check(out)

    def test_of_a_gateway(self):
        self.consul.register("x", 1, id="x", tags=["fab-/x", "urlprefix-/y"])
        gateway = self.gateway({"consul": {"fabio_prefix": "fab-"}})
        code, out, _ = run_command("migrate", "-c", gateway.dir + "/conf.d")
        self.assertEqual(code, 0)
        self.assertIn('path: "/x"', out)
        self.assertNotIn("/y", out)

    def test_2_when_it_cannot_be_read(self):
        code, out, err = run_command("migrate", "--consul", "127.0.0.1:1")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("Consul", err)
        for arguments in (["--bad"], ["more"], ["-c", "x", "--consul", "y"]):
            self.assertEqual(run_command("migrate", *arguments)[0], 2)

    def test_commands_that_may_not_be_read(self):
        consul = self.own_consul(acl=True)
        consul.register("x", 1, id="x", tags=["urlprefix-/x"])
        token = consul.new_token('service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }')
        code, out, err = run_command("migrate", "--consul", consul.address,
                                     environment={"CONSUL_HTTP_TOKEN": token})
        self.assertEqual(code, 0, err)
        self.assertIn("fabio's commands were not read", out)
        self.assertIn('path: "/x"', out)
        self.assertNotIn(token, out + err)
