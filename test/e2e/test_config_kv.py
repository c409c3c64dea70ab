# SPDX-License-Identifier: Apache-2.0
"""Configuration in Consul's KV store: whole or not at all, the offending key named, and what was
last good held whatever happens to Consul."""
import base64
import json
import os
import tempfile

from lib import Scenario, find_consul, reply, run_command
from lib.cluster import Cluster
from lib.faulty_consul import FaultyConsul
from lib.wait import holds, wait_for

PREFIX = "frontdesk-config/"
BIG = 500 * 1024


def route(path, service="web", **more):
    return dict(path=path, service=service, **more)


def document(*routes, **sections):
    return json.dumps(dict(sections, routes=list(routes))).encode()


class ConfigKv(Scenario):
    def setUp(self):
        self.web = self.origin("web")

    def put(self, consul, **documents):
        """One transaction: names with _ for -; None deletes."""
        operations = []
        for name, value in documents.items():
            key = PREFIX + name.replace("_", "-").replace("mark", ".pushed")
            operation = {"Verb": "delete", "Key": key} if value is None else {
                "Verb": "set", "Key": key, "Value": base64.b64encode(value).decode()}
            operations.append({"KV": operation})
        consul.put("/v1/txn", operations)

    def shared(self, consul, ready=True, config=None, **options):
        """A gateway with a static service, /local of its own, and the prefix."""
        whole = {"consul": {"config_prefix": PREFIX},
                 "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                 "routes": [route("/local")]}
        for key, value in (config or {}).items():
            whole[key] = dict(whole[key], **value) if isinstance(value, dict) and key in whole else value
        return self.gateway(whole, consul=consul, ready=ready, **options)

    @staticmethod
    def end(gateway):
        """As stop() does, but its files stay."""
        gateway.terminate()
        gateway.process.wait(30)

    def restart(self, gateway):
        self.end(gateway)
        gateway.start(ready=False)

    def wait_config(self, gateway, timeout=10, **wanted):
        """Until these fields of consul_config have these values."""
        def ask():
            now = gateway.status()["consul_config"]
            if any(now[key] != value for key, value in wanted.items()):
                raise AssertionError(now)
            return now
        return wait_for(ask, timeout, "consul_config with %s" % wanted)

    def wait_error(self, gateway, *words, timeout=10):
        def ask():
            now = gateway.status()["consul_config"]
            if not all(word in (now["last_error"] or "") for word in words):
                raise AssertionError(now)
            return now
        return wait_for(ask, timeout, "last_error with %s" % (words,))

    def test_two_gateways_follow_one_prefix(self):
        consul = self.consul
        self.put(consul, a=document(route("/a")), b=document(route("/b"), limits={"body": "1m"}))
        gateways = [self.shared(consul), self.shared(consul)]
        for gateway in gateways:
            self.assertEqual(gateway.get("/a").status, 200)
            self.assertEqual(gateway.get("/b").status, 200)
            self.assertEqual(gateway.get("/local").status, 200)
            self.assertEqual(gateway.get("/c").status, 404)
        self.put(consul, c=document(route("/c")), b=None)
        for gateway in gateways:
            gateway.wait_status("/c", 200)
            gateway.wait_status("/b", 404)
            now = self.wait_config(gateway, documents=2, source="consul", refused=False)
            self.assertEqual(now["prefix"], PREFIX)
        self.assertEqual(*[g.status()["consul_config"]["index"] for g in gateways])

    def test_a_source_is_named_after_its_key(self):
        self.put(self.consul, orders=document(route("/a")))
        gateway = self.shared(self.consul)
        sources = [r["source"] for r in gateway.routes()["routes"] if r["path"] == "/a"]
        self.assertEqual(sources, ["consul:%sorders:1" % PREFIX])

    def test_a_bad_document_changes_nothing(self):
        consul = self.consul
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul)
        rows = [
            (b"routes:\n- path: /x\n  service: web\n  timeuot: 1s\n", "consul:%sbad:4" % PREFIX, "timeuot"),
            (b"\nlisteners: []\n", "consul:%sbad:2" % PREFIX, "belongs to one gateway"),
            (b"services: {web: {timeout: 1s}}", "given twice", "frontdesk.yaml"),
            (b"\x7fELF\x00\x01\x02", "consul:%sbad:1" % PREFIX, "not valid YAML"),
            (b"via: \xff\xfe\n", "consul:%sbad:1" % PREFIX, "not valid YAML"),
            (b"basic: {users: {htpasswd: /etc/passwd}}", "names a file of the gateway", "consul:"),
            (b"routes: [{path: /x, service: web, cors: nobody}]", "consul:%sbad:1" % PREFIX, "nobody"),
        ]
        for text, *words in rows:
            self.put(consul, bad=text, good=document(route("/good")))
            self.wait_error(gateway, *words)
            self.assertTrue(gateway.status()["consul_config"]["refused"])
            self.assertEqual(gateway.get("/a").status, 200)
            self.assertEqual(gateway.get("/good").status, 404)
            self.assertEqual(gateway.get("/x").status, 404)
            self.put(consul, bad=None, good=None)
            self.wait_config(gateway, refused=False, last_error=None, documents=1)
        self.assertTrue(gateway.status()["ready"])
        self.put(consul, good=document(route("/good")))
        gateway.wait_status("/good", 200)

    def test_what_people_see_of_a_refusal(self):
        consul = self.consul
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul)
        self.assertEqual(gateway.metrics()["frontdesk_consul_config_refused"], 0)
        index = gateway.metrics()["frontdesk_consul_config_index"]
        self.put(consul, bad=b"\nrotues: []\n")
        self.wait_error(gateway, "rotues")
        self.assertEqual(gateway.metrics()["frontdesk_consul_config_refused"], 1)
        self.assertEqual(gateway.metrics()["frontdesk_consul_config_index"], index)
        said = "refused, what was there before stays in force: consul:%sbad:2: rotues" % PREFIX
        _, output, _ = run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port)
        self.assertIn("Configuration in Consul: " + said, output)
        self.assertIn("configuration in Consul: " + said, gateway.log())

    def test_a_bad_document_at_the_first_start_is_not_ready(self):
        consul = self.consul
        self.put(consul, bad=b"nonsense: 1\n")
        gateway = self.shared(consul, ready=False)
        gateway.wait_status("/local", 200)
        self.wait_error(gateway, "consul:%sbad:1" % PREFIX)
        self.assertEqual(gateway.admin_get("/readyz").status, 503)
        self.assertIn("refused", gateway.status()["unready_reason"])
        self.assertEqual(gateway.get("/a").reason, "catalog_unknown")
        self.put(consul, bad=document(route("/a")))
        gateway.wait_status("/a", 200)
        wait_for(lambda: gateway.admin_get("/readyz").status == 200, what="ready")
        self.assertEqual(gateway.get("/b").reason, "no_route")

    def test_a_reload_keeps_the_documents(self):
        consul = self.consul
        self.put(consul, a=document(route("/a", cors="staff")))
        gateway = self.shared(consul, ready=False)
        self.wait_error(gateway, "staff")
        # What is missing comes from a file: what was refused is tried again.
        gateway.configure({"consul": {"config_prefix": PREFIX},
                           "cors": {"staff": {"allow_origins": ["https://shop.example"]}},
                           "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                           "routes": [route("/more")]})
        gateway.reload()
        gateway.wait_status("/more", 200)
        gateway.wait_status("/a", 200)
        self.wait_config(gateway, refused=False, documents=1, source="consul")
        gateway.write_file("conf.d/half.yaml", "routes: [{path: /half")
        self.put(consul, b=document(route("/b")))
        gateway.wait_status("/b", 200)
        self.assertEqual(gateway.get("/half").status, 404)

    def test_the_prefix_comes_and_goes_with_a_reload(self):
        self.put(self.consul, a=document(route("/a")))
        gateway = self.shared(self.consul)
        self.assertEqual(gateway.get("/a").status, 200)
        static = {"services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                  "routes": [route("/local")]}
        gateway.configure(static)
        gateway.reload()
        gateway.wait_status("/a", 404)
        self.assertIsNone(gateway.status()["consul_config"])
        gateway.configure(dict(static, consul={"config_prefix": PREFIX}))
        gateway.reload()
        gateway.wait_status("/a", 200)

    def test_keys_that_vanish_are_held(self):
        consul = self.consul
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul)
        consul.call("DELETE", "/v1/kv/%s?recurse" % PREFIX)
        self.wait_error(gateway, "all keys are gone")
        self.assertEqual(gateway.get("/a").status, 200)
        self.assertTrue(gateway.status()["ready"])
        gateway.reload()
        self.assertEqual(gateway.get("/a").status, 200)
        # On purpose.
        self.put(consul, mark=b"{}")
        gateway.wait_status("/a", 404)
        self.wait_config(gateway, refused=False, documents=0, last_error=None)
        self.assertEqual(gateway.get("/local").status, 200)

    def test_an_answer_that_may_be_of_the_past(self):
        """From a server without a leader, or from one that has not caught up."""
        consul = FaultyConsul()
        self.addCleanup(consul.stop)

        def say(index, leader=True, **documents):
            rows = [{"Key": PREFIX + name, "Value": base64.b64encode(value).decode(), "ModifyIndex": index}
                    for name, value in documents.items()]
            headers = [("Content-Type", "application/json"), ("X-Consul-Index", str(index)),
                       ("X-Consul-Knownleader", str(leader).lower()), ("X-Consul-Lastcontact", "0")]
            good = reply(200, json.dumps(rows).encode(), headers)

            def behave(request, connection):
                if "index=%d" % index in request.target:
                    consul.sleep(0.2)
                good(request, connection)
            consul.fault(behave, "/v1/kv/")

        say(20, a=document(route("/a")), b=document(route("/b")))
        gateway = self.shared(consul, config={"consul": {"config_prefix": PREFIX, "expose": "none"}})
        self.assertEqual(gateway.get("/b").status, 200)
        say(21, leader=False, a=document(route("/a")))
        holds(lambda: gateway.get("/b").status == 200, 1.5)
        self.assertTrue(gateway.status()["ready"])
        say(22, a=document(route("/a")), c=document(route("/c")))
        gateway.wait_status("/c", 200)
        gateway.wait_status("/b", 404)
        # An index that falls: what is there must still be there after a while.
        say(5, b=document(route("/b")))
        gateway.wait_status("/b", 200, timeout=60)
        # No list of keys at all.
        consul.fault(reply(200, b'{"Key": 1}', [("Content-Type", "application/json"), ("X-Consul-Index", "30"),
                                                ("X-Consul-Knownleader", "true")]), "/v1/kv/")
        self.wait_error(gateway, "not a list of keys")
        self.assertEqual(gateway.get("/b").status, 200)

    def test_an_empty_prefix_is_no_trouble(self):
        gateway = self.shared(self.consul)
        self.wait_config(gateway, documents=0, source="consul", last_error=None)
        self.put(self.consul, a=document(route("/a")))
        gateway.wait_status("/a", 200)

    def test_a_token_that_loses_its_rights(self):
        consul = self.own_consul(acl=True)
        self.put(consul, a=document(route("/a")))
        rules = 'node_prefix "" { policy = "read" } service_prefix "" { policy = "read" } '
        reader = consul.new_token(rules + 'key_prefix "%s" { policy = "read" }' % PREFIX)
        nobody = consul.new_token(rules)
        gateway = self.shared(consul, ready=False, config={"consul": {"config_prefix": PREFIX}})
        gateway.write_file("consul.token", nobody)
        gateway.wait_status("/local", 200)
        self.restart(gateway)
        self.wait_error(gateway, "cannot be read", "403")
        self.assertEqual(gateway.admin_get("/readyz").status, 503)
        gateway.write_file("consul.token", reader)
        gateway.wait_status("/a", 200, timeout=30)
        self.wait_config(gateway, last_error=None, connected=True)
        gateway.write_file("consul.token", nobody)
        self.put(consul, unrelated=document(route("/b")))
        self.assertEqual(gateway.get("/a").status, 200)
        holds(lambda: gateway.get("/a").status == 200, 1)

    def test_consul_is_away_when_the_gateway_starts(self):
        consul = self.own_consul()
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul, config={"state_dir": "/nonexistent"})
        state = gateway.dir + "/state"
        os.mkdir(state)
        static = {"consul": {"config_prefix": PREFIX}, "state_dir": state,
                  "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                  "routes": [route("/local")]}
        gateway.configure(static)
        gateway.reload()
        wait_for(lambda: os.path.exists(state + "/config.state"), what="config.state")
        self.assertEqual(os.stat(state + "/config.state").st_mode & 0o777, 0o600)
        consul.stop()
        self.restart(gateway)
        gateway.wait_status("/a", 200)
        now = self.wait_config(gateway, source="disk", documents=1, connected=False)
        self.assertIsNotNone(now["saved"])
        self.assertIsNone(gateway.status()["unready_reason"] if gateway.status()["ready"] else None)
        # It comes back, with another configuration.
        consul.start()
        self.put(consul, b=document(route("/b")))
        gateway.wait_status("/b", 200, timeout=30)
        self.wait_config(gateway, source="consul", documents=2, last_error=None)
        # A damaged file is refused with a reason, and the gateway starts without it.
        self.end(gateway)
        consul.stop()
        with open(state + "/config.state", "r+b") as file:
            file.seek(-3, 2)
            file.write(b"xxx")
        gateway.start(ready=False)
        gateway.wait_status("/local", 200)
        self.assertEqual(gateway.admin_get("/readyz").status, 503)
        self.assertEqual(gateway.get("/a").reason, "catalog_unknown")
        self.assertIn("config.state is not used", gateway.log())

    def test_catalog_and_configuration_from_disk(self):
        """Routes that only Consul's KV store has, to services that only its catalog has."""
        consul = self.own_consul()
        self.instance("orders", "o1", agent=consul, tags=[])
        self.put(consul, a=document(route("/orders", "orders")))
        made = tempfile.TemporaryDirectory(prefix="frontdesk-state-")
        self.addCleanup(made.cleanup)
        gateway = self.shared(consul, config={"state_dir": made.name})
        gateway.wait_status("/orders", 200)
        # Both are written by a thread that takes its time; a gateway that ends writes what is left.
        consul.stop()
        self.restart(gateway)
        gateway.wait_status("/orders", 200)
        self.wait_config(gateway, source="disk")

    def test_consul_is_restarted(self):
        consul = self.own_consul()
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul)
        load = self.load(gateway, "/a")
        consul.restart()
        self.put(consul, b=document(route("/b")))
        gateway.wait_status("/b", 200, timeout=30)
        consul.restart(wipe=True)
        self.wait_error(gateway, "all keys are gone", timeout=60)
        self.put(consul, c=document(route("/c")), a=document(route("/a")))
        gateway.wait_status("/c", 200, timeout=60)
        load.stop()
        self.assertEqual(load.failed, 0, load.summary())

    def test_a_transaction_is_one_change(self):
        consul = self.consul
        self.put(consul, a=document(route("/a")))
        gateway = self.shared(consul)
        before = gateway.status()["snapshot"]["version"]
        self.put(consul, **{"k%02d" % i: document(route("/k%d" % i)) for i in range(60)})
        gateway.wait_status("/k59", 200)
        self.wait_config(gateway, documents=61)
        for i in range(60):
            self.assertEqual(gateway.get("/k%d" % i).status, 200)
        self.assertLessEqual(gateway.status()["snapshot"]["version"] - before, 4)

    def test_a_thousand_documents_and_big_ones(self):
        consul = self.consul
        for first in range(0, 1000, 50):
            self.put(consul, **{"k%04d" % i: document(route("/k%d" % i)) for i in range(first, first + 50)})
        padding = b"# " + b"x" * BIG + b"\n"
        consul.kv_put(PREFIX + "big", padding + b"routes: [{path: /big, service: web}]\n")
        gateway = self.shared(consul, timeout=30)
        gateway.wait_status("/k999", 200)
        gateway.wait_status("/big", 200)
        self.wait_config(gateway, documents=1001)
        self.put(consul, last=document(route("/last")))
        gateway.wait_status("/last", 200)


class Commands(Scenario):
    """frontdesk config push, diff and pull."""

    def setUp(self):
        self.web = self.origin("web")
        made = tempfile.TemporaryDirectory(prefix="frontdesk-conf-")
        self.addCleanup(made.cleanup)
        self.dir = made.name + "/shared"
        self.base = made.name + "/base"
        os.mkdir(self.dir)
        os.mkdir(self.base)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        if text is None:
            os.unlink(path)
        else:
            with open(path, "w" if isinstance(text, str) else "wb") as file:
                file.write(text)

    def write_base(self, consul, **more):
        """A gateway's own folder; `token`: its name."""
        section = dict({"address": consul.address, "config_prefix": PREFIX}, **more)
        with open(self.base + "/base.yaml", "w") as file:
            json.dump({"consul": section, "services": {
                "web": {"instances": ["127.0.0.1:%d" % self.web.port]}}}, file)

    def run_config(self, verb, *more, directory=None):
        return run_command("config", verb, "-c", directory or self.dir, "--base", self.base, *more)

    def keys(self, consul):
        status, _, value = consul.call("GET", "/v1/kv/%s?keys" % PREFIX)
        return [key[len(PREFIX):] for key in value] if status == 200 else []

    def gateway_of(self, consul):
        return self.gateway({"consul": {"config_prefix": PREFIX}, "services": {
            "web": {"instances": ["127.0.0.1:%d" % self.web.port]}}}, consul=consul)

    def test_push_diff_pull(self):
        consul = self.consul
        self.write_base(consul)
        self.write("10-a.yaml", "routes:\n- {path: /a, service: web}\n")
        self.write("20-b.json", '{"routes": [{"path": "/b", "service": "web"}]}')
        gateways = [self.gateway_of(consul), self.gateway_of(consul)]
        status, output, errors = self.run_config("push", "--dry-run")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("+ 10-a.yaml\n+ 20-b.json\n", output)
        self.assertEqual(self.keys(consul), [])
        status, output, errors = self.run_config("diff")
        self.assertEqual((status, errors), (1, ""))
        self.assertIn("--- /dev/null\n+++ %s/10-a.yaml\n@@ -0,0 +1,2 @@\n+routes:\n" % self.dir, output)
        self.assertEqual(self.run_config("push")[0], 0)
        self.assertEqual(self.keys(consul), [".pushed", "10-a.yaml", "20-b.json"])
        self.assertEqual(self.run_config("diff"), (0, "", ""))
        for gateway in gateways:
            gateway.wait_status("/a", 200)
            gateway.wait_status("/b", 200)
        self.write("20-b.json", None)
        self.write("10-a.yaml", "routes:\n- {path: /changed, service: web}\n")
        status, output, _ = self.run_config("diff")
        self.assertEqual(status, 1)
        self.assertIn("-- {path: /a, service: web}\n+- {path: /changed, service: web}\n", output)
        self.assertIn("--- consul:%s20-b.json\n+++ /dev/null\n" % PREFIX, output)
        status, output, _ = self.run_config("push")
        self.assertEqual((status, "~ 10-a.yaml\n- 20-b.json\n" in output), (0, True))
        for gateway in gateways:
            gateway.wait_status("/changed", 200)
            gateway.wait_status("/b", 404)
        copy = self.dir + "-copy"
        self.assertEqual(self.run_config("pull", directory=copy)[0], 0)
        with open(copy + "/10-a.yaml") as file:
            self.assertIn("/changed", file.read())
        self.assertEqual(self.run_config("diff", directory=copy), (0, "", ""))
        status, _, errors = self.run_config("pull", directory=copy)
        self.assertEqual((status, "there are files already" in errors), (1, True))
        # A second push has nothing to do.
        index = gateways[0].status()["consul_config"]["index"]
        self.assertIn("nothing to change", self.run_config("push")[1])
        self.assertEqual(gateways[0].status()["consul_config"]["index"], index)

    def test_an_empty_folder_empties_the_prefix(self):
        consul = self.consul
        self.write_base(consul)
        self.write("a.yaml", "routes: [{path: /a, service: web}]")
        self.assertEqual(self.run_config("push")[0], 0)
        gateway = self.gateway_of(consul)
        self.assertEqual(gateway.get("/a").status, 200)
        self.write("a.yaml", None)
        self.assertEqual(self.run_config("push")[0], 0)
        gateway.wait_status("/a", 404)
        self.assertIsNone(gateway.status()["consul_config"]["last_error"])

    def test_a_bad_push_writes_nothing(self):
        consul = self.consul
        self.write_base(consul)
        self.write("a.yaml", "routes: [{path: /a, service: web}]")
        self.assertEqual(self.run_config("push")[0], 0)
        before = consul.get("/v1/kv/%s?recurse" % PREFIX)
        rows = [("routes:\n- {path: /b, servcie: web}", self.dir + "/b.yaml:2", "servcie"),
                ("services: {web: {timeout: 1s}}", "given twice", "base.yaml"),
                ("listeners: []", "listeners: belongs to one gateway", "b.yaml:1"),
                ("basic: {u: {htpasswd: /etc/passwd}}", "names a file of the gateway", "b.yaml:1"),
                (b"via: \xff", "b.yaml:1", "not valid YAML"),
                (b"via: a\x00b", "b.yaml:1", "not valid YAML")]
        for text, *words in rows:
            self.write("b.yaml", text)
            status, output, errors = self.run_config("push")
            self.assertEqual((status, output), (1, ""))
            for word in words:
                self.assertIn(word, errors)
        self.assertEqual(consul.get("/v1/kv/%s?recurse" % PREFIX), before)

    def test_many_files_are_one_change(self):
        """More than a transaction holds: gateways wait for the last one."""
        consul = self.consul
        self.write_base(consul)
        self.write("first.yaml", "routes: [{path: /first, service: web}]")
        self.assertEqual(self.run_config("push")[0], 0)
        gateway = self.gateway_of(consul)
        self.assertEqual(gateway.get("/first").status, 200)
        self.write("first.yaml", None)
        for i in range(200):
            self.write("%d.yaml" % i, "routes: [{path: /%d, service: web}]\n# %s\n" % (i, "x" * 5000))
        before = gateway.log().count("documents in force")
        status, output, errors = self.run_config("push")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("200 documents, 201 changes made", output)
        gateway.wait_status("/199", 200)
        gateway.wait_status("/first", 404)
        wait_for(lambda: gateway.status()["consul_config"]["documents"] == 200, what="all of them")
        self.assertFalse(gateway.status()["consul_config"]["refused"])
        self.assertEqual(gateway.log().count("documents in force"), before + 1)
        self.assertEqual(self.run_config("diff"), (0, "", ""))

    def test_a_push_that_does_not_come_to_its_end(self):
        consul = self.consul
        self.write_base(consul)
        self.write("a.yaml", "routes: [{path: /a, service: web}]")
        self.assertEqual(self.run_config("push")[0], 0)
        gateway = self.gateway_of(consul)
        consul.kv_put(PREFIX + ".pushed", b'{"unfinished": true}')
        consul.kv_put(PREFIX + "b.yaml", b"routes: [{path: /b, service: web}]")
        wait_for(lambda: "has not come to its end" in (gateway.status()["consul_config"]["last_error"] or ""),
                 what="the push is unfinished")
        self.assertEqual(gateway.get("/a").status, 200)
        self.assertEqual(gateway.get("/b").status, 404)
        late = self.gateway({"consul": {"config_prefix": PREFIX}}, consul=consul, ready=False)
        wait_for(lambda: "has not come to its end" in (late.status()["consul_config"]["last_error"] or ""),
                 what="the push is unfinished here too")
        self.assertFalse(late.status()["ready"])
        # Whatever it wrote: the next push ends it, even if there is nothing else to do.
        self.write("b.yaml", "routes: [{path: /b, service: web}]")
        self.assertEqual(self.run_config("push")[0], 0)
        gateway.wait_status("/b", 200)
        wait_for(lambda: late.status()["ready"], what="ready")

    def test_a_file_that_is_too_large(self):
        consul = self.consul
        self.write_base(consul)
        self.write("big.yaml", "# " + "x" * 400 * 1024)
        status, _, errors = self.run_config("push")
        self.assertEqual(status, 1)
        self.assertIn("nothing was written: big.yaml: 400 KiB", errors)
        self.assertEqual(self.keys(consul), [])
        self.write("big.yaml", "# " + "x" * 370 * 1024)
        self.write("another.yaml", "# " + "x" * 370 * 1024)
        self.assertEqual(self.run_config("push")[0], 0)

    def test_pushes_do_not_interleave(self):
        """All at once: those that lose say so and write nothing; what is there is of one of them."""
        import subprocess
        from lib.gateway import binary
        consul = self.consul
        self.write_base(consul)
        pushes = []
        for i in range(6):
            folder = "%s-%d" % (self.dir, i)
            os.mkdir(folder)
            for name in ("a", "b", "c"):
                with open("%s/%s%d.yaml" % (folder, name, i), "w") as file:
                    file.write("routes: [{path: /%s%d, service: web}]" % (name, i))
            pushes.append(subprocess.Popen(
                [binary(), "config", "push", "-c", folder, "--base", self.base],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        results = [(p.communicate(timeout=30), p.returncode) for p in pushes]
        for (_, errors), status in results:
            self.assertTrue(status == 0 or "somebody else has written meanwhile" in errors, errors)
        self.assertTrue(any(status == 0 for _, status in results))
        self.assertEqual(len({name[1] for name in self.keys(consul) if name != ".pushed"}), 1)

    def test_rights(self):
        consul = self.own_consul(acl=True)
        read = consul.new_token('key_prefix "%s" { policy = "read" }' % PREFIX)
        write = consul.new_token('key_prefix "%s" { policy = "write" }' % PREFIX)
        nobody = consul.new_token('key_prefix "other/" { policy = "write" }')
        token = self.base + "/consul.token"
        self.write_base(consul, token_file=token)
        self.write("a.yaml", "routes: [{path: /a, service: web}]")

        def run(verb, secret):
            with open(token, "w") as file:
                file.write(secret)
            status, output, errors = self.run_config(verb)
            self.assertNotIn(secret, output + errors)
            return status, errors

        status, errors = run("diff", nobody)
        self.assertEqual((status, "may not read" in errors), (2, True), errors)
        status, errors = run("push", read)
        self.assertEqual((status, "may not write" in errors), (1, True), errors)
        self.assertEqual(run("push", write), (0, ""))
        self.assertEqual(run("diff", read), (0, ""))
        status, errors = run("push", "wrong-token")
        self.assertEqual(status, 1)

    def test_where_consul_is(self):
        consul = self.consul
        self.write("a.yaml", "routes: [{path: /a, service: web}]")
        os.environ["CONSUL_HTTP_ADDR"] = consul.address
        self.addCleanup(os.environ.pop, "CONSUL_HTTP_ADDR")
        status, _, errors = run_command("config", "push", "-c", self.dir)
        self.assertEqual((status, "--prefix" in errors), (1, True))
        for wrong in ("", "/a", "../a", "a/./b", "a b"):
            status, _, errors = run_command("config", "push", "-c", self.dir, "--prefix", wrong)
            self.assertEqual((status, "--prefix" in errors), (1, True), (wrong, errors))
        self.assertEqual(run_command("config", "push", "-c", self.dir, "--prefix", PREFIX.rstrip("/"))[0], 0)
        self.assertEqual(self.keys(consul), [".pushed", "a.yaml"])
        os.environ["CONSUL_HTTP_ADDR"] = "http://127.0.0.1:1"
        status, _, errors = run_command("config", "diff", "-c", self.dir, "--prefix", PREFIX)
        self.assertEqual(status, 2)
        self.assertIn("Consul: ", errors)

    def test_wrong_usage(self):
        for arguments in (["config"], ["config", "push"], ["config", "fetch", "-c", self.dir],
                          ["config", "diff", "-c", self.dir, "--dry-run"],
                          ["config", "push", "-c", self.dir, "more"]):
            self.assertEqual(run_command(*arguments)[0], 2, arguments)
        status, output, _ = run_command("config", "--help")
        self.assertEqual((status, "push" in output), (0, True))


class OnACluster(Scenario):
    """Three servers and an agent, with TLS and ACLs."""
    slow = True

    def run_config(self, verb, token):
        with open(self.dir + "/base/base.yaml", "w") as file:
            json.dump({"consul": self.cluster.settings(token, config_prefix=PREFIX),
                       "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}}}, file)
        return run_command("config", verb, "-c", self.dir + "/shared", "--base", self.dir + "/base", timeout=60)

    def push(self, *paths):
        with open(self.dir + "/shared/a.yaml", "w") as file:
            json.dump({"routes": [route(path) for path in paths]}, file)
        status, _, errors = self.run_config("push", self.dir + "/writer")
        self.assertEqual((status, errors), (0, ""))

    def secret(self, name, rules):
        """A file with a token that has them."""
        self.policies = getattr(self, "policies", 0) + 1
        with open(self.dir + "/" + name, "w") as file:
            file.write(self.cluster.grant("policy-%d" % self.policies, rules).secret)
        return self.dir + "/" + name

    def test_a_fleet(self):
        if find_consul() is None:
            self.skipTest("no consul binary here")
        self.web = self.origin("web")
        made = tempfile.TemporaryDirectory(prefix="frontdesk-conf-")
        self.addCleanup(made.cleanup)
        self.dir = made.name
        os.mkdir(self.dir + "/base")
        os.mkdir(self.dir + "/shared")
        cluster = self.cluster = Cluster()
        self.addCleanup(cluster.close)
        catalog = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } '
        self.secret("writer", 'key_prefix "%s" { policy = "write" }' % PREFIX)
        reader = self.secret("reader", catalog + 'key_prefix "%s" { policy = "read" }' % PREFIX)
        self.push("/a", "/b")
        self.assertEqual(self.run_config("push", reader)[0], 0)  # nothing to change
        gateways = [self.gateway(
            {"consul": cluster.settings(reader, config_prefix=PREFIX, wait="5s"),
             "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}}}, consul=None)
            for _ in range(2)]
        loads = [self.load(gateway, "/a") for gateway in gateways]
        for gateway in gateways:
            self.assertEqual(gateway.get("/b").status, 200)
        saved = cluster.save()
        # A leader is lost.
        cluster.leader().kill9()
        cluster.wait_leader()
        self.push("/a", "/c")
        for gateway in gateways:
            gateway.wait_status("/c", 200, timeout=30)
            gateway.wait_status("/b", 404)
        cluster.heal()
        # The rights to the prefix are lost: Consul shows no key, which is not that there is none.
        with open(reader) as file:
            secret = file.read()
        self.secret("reader", catalog)
        cluster.agent.kill9()
        cluster.agent.start()
        for gateway in gateways:
            wait_for(lambda: "403" in (gateway.status()["consul_config"]["last_error"] or ""), 60,
                     "the missing right named", every=0.1)
        self.push("/a", "/d")
        for gateway in gateways:
            holds(lambda: gateway.get("/c").status == 200 and gateway.get("/d").status == 404, 0.5)
        with open(reader, "w") as file:
            file.write(secret)
        for gateway in gateways:
            gateway.wait_status("/d", 200, timeout=90)
        # A backup is restored: indexes go back, which is seen when the present wait ends, and with
        # them the configuration.
        cluster.restore(saved)
        for gateway in gateways:
            gateway.wait_status("/b", 200, timeout=90)
            gateway.wait_status("/d", 404)
        for load in loads:
            load.stop()
            self.assertEqual(load.failed, 0, load.summary())
