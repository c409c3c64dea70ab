# SPDX-License-Identifier: Apache-2.0
"""How the gateway gets at Consul: tokens, logins, rights, TLS, a socket, and several agents."""
import atexit
import os
import shutil
import subprocess
import tempfile
import time

from lib import Consul, Scenario, SigningKey, find_consul, free_port, run_command, wait_for
from lib.cluster import Cluster
from lib.consul import ROOT
from lib.faulty_consul import FaultyConsul, error

READ = ('service_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\n'
        'agent_prefix "" { policy = "read" }\n')
ROUTE = {"routes": [{"path": "/", "service": "web"}]}
ALL_OF_IT = {"fleet": {"name": "gw-1", "session_ttl": "10s"},
             "api_keys": {"partners": {"kv": "frontdesk/keys"}},
             "registration": {"name": "frontdesk"}}


MASTER = "00000000-0000-0000-0000-00000000f00d"


class Access(Scenario):
    _secure = None

    @property
    def secure(self):
        """One agent for all cases here, that denies by default and forgets quickly."""
        if find_consul() is None:
            self.skipTest("no consul binary here")
        if Access._secure is None:
            Access._secure = Consul(acl=True, config={"acl": {
                "enabled": True, "default_policy": "deny", "policy_ttl": "1s", "token_ttl": "1s",
                "tokens": {"master": MASTER, "agent": MASTER}}})
            atexit.register(Access._secure.close)
        return Access._secure

    def web(self, consul, name="a"):
        origin = self.origin(name)
        consul.register("web", origin.port, id="web-" + name)
        self.addCleanup(consul.call, "PUT", "/v1/agent/service/deregister/web-" + name)
        return origin

    def start(self, consul, token=None, settings=None, ready=True, environment=None, **config):
        """A gateway with a route to `web`, and the token in a file of its own."""
        gateway = self.gateway({"routes": []}, consul=None, ready=False)
        gateway.kill9()
        gateway.environment = environment or {}
        section = {"address": consul.address, "expose": "none"}
        if token is not None:
            section["token_file"] = gateway.write_file("token", token + "\n")
        section.update(settings or {})
        gateway.whole = dict(ROUTE, consul=section, **config)
        gateway.configure(gateway.whole)
        gateway.start(ready=ready)
        return gateway

    def access(self, gateway):
        return gateway.status()["consul"]["access"]

    def missing(self, gateway, optional=False):
        return sorted(row["right"] for row in self.access(gateway)["missing"]
                      if optional or not row["optional"])

    def wait_checked(self, gateway, timeout=20):
        """The rights were looked into, and nothing is the matter."""
        wait_for(lambda: self.access(gateway)["trusted"], timeout, "trust")

    def wait_served(self, gateway, timeout=20):
        wait_for(lambda: gateway.get("/").status == 200, timeout, "answer of web")

    def check(self, gateway):
        return run_command("check", "-c", gateway.dir + "/conf.d", "--consul")


class Tokens(Access):
    def test_a_file_that_is_replaced(self):
        """A token is revoked, and replaced in its file: no restart, no failed request."""
        first, second = self.secure.new_token(READ), self.secure.new_token(READ)
        self.web(self.secure)
        gateway = self.start(self.secure, first)
        self.wait_served(gateway)
        self.wait_checked(gateway)
        accessor = self.access(gateway)["token"]["accessor"]
        self.secure.call("DELETE", "/v1/acl/token/" + accessor)
        gateway.reload()  # looks into the rights at once
        wait_for(lambda: "does not know" in (self.access(gateway)["problem"] or ""), what="named token")
        self.assertEqual(gateway.get("/").status, 200)
        text = " ".join(item["text"] for item in gateway.status()["attention"])
        self.assertIn("does not know the token", text)
        gateway.write_file("token", second)
        self.wait_checked(gateway)
        self.assertNotEqual(self.access(gateway)["token"]["accessor"], accessor)
        self.assertEqual(gateway.get("/").status, 200)
        wait_for(lambda: gateway.status()["consul"]["connected"], what="good answers")
        for secret in (first, second):
            self.assertNotIn(secret, gateway.log())
            self.assertNotIn(secret, str(gateway.status()))

    def test_from_the_environment(self):
        token = self.secure.new_token(READ)
        self.web(self.secure)
        for name, value in (("CONSUL_HTTP_TOKEN", token), ("CONSUL_HTTP_TOKEN_FILE", None)):
            gateway = self.gateway({"routes": []}, consul=None)
            path = gateway.write_file("token", token)
            gateway.kill9()
            gateway.environment = {name: value or path, "CONSUL_HTTP_ADDR": self.secure.address}
            gateway.configure(dict(ROUTE, consul={"expose": "none"}))
            gateway.start()
            self.wait_served(gateway)
            self.wait_checked(gateway)
            self.assertEqual(self.access(gateway)["token"]["from"], "file" if value is None else "environment")
            gateway.stop()

    def test_none_is_named(self):
        """Consul answers 200 and shows nothing: that is no empty catalog."""
        self.web(self.secure)
        gateway = self.start(self.secure)
        wait_for(lambda: self.missing(gateway) == ["node:read", "service:read"], what="both rights")
        self.assertIn("no token is given", self.access(gateway)["problem"])
        self.assertIn("no token is given", gateway.log())
        self.assertIn('node_prefix "" { policy = "read" }', gateway.log())


class Rights(Access):
    def policy(self):
        """The lines of the policy that is shipped, each with the right that it gives."""
        with open(os.path.join(ROOT, "docs/consul-acl.hcl")) as file:
            return [line for line in file.read().splitlines() if line and not line.startswith("#")]

    def test_each_line_of_the_shipped_policy(self):
        """With all lines everything works; without one, exactly its right is missing."""
        lacks = {'service_prefix ""': ["service:read"], 'node_prefix ""': ["node:read"],
                 'service "frontdesk"': ["service:write on frontdesk"],
                 'key_prefix "frontdesk/"': ["key:write on frontdesk/"],
                 'session_prefix ""': ["session:write"], 'agent_prefix ""': ["agent:read"],
                 'key_prefix "frontdesk-config/"': ["key:read on frontdesk-config/"],
                 'key_prefix "fabio/config"': ["key:read on fabio/config"],
                 'key_prefix "frontdesk/keys"': []}  # the fleet's prefix gives that, too
        lines = self.policy()
        self.assertEqual(sorted(line.split(" {")[0] for line in lines), sorted(lacks))
        self.web(self.secure)
        token = self.secure.new_token("\n".join(lines))
        gateway = self.start(self.secure, token, ready=False, settings={
            "expose": "tagged", "fabio_kv": "fabio/config", "config_prefix": "frontdesk-config/"}, **ALL_OF_IT)
        self.wait_served(gateway)
        self.wait_checked(gateway)
        self.assertEqual(self.missing(gateway, True), [])
        wait_for(lambda: gateway.admin_json("/v1/fleet")["connected"], 30, "member of the fleet")
        wait_for(lambda: "frontdesk" in self.secure.get("/v1/catalog/services"), what="registration")
        self.assertEqual(self.check(gateway)[0], 0)
        for line in lines:
            name = line.split(" {")[0]
            gateway.write_file("token", self.secure.new_token(
                "\n".join(other for other in lines if other != line)))
            expected = lacks[name]
            wait_for(lambda: self.access(gateway)["acls"] == "on" and self.missing(gateway, True) == expected
                     and self.access(gateway)["trusted"] == (name[:4] != "node" and name != 'service_prefix ""'),
                     what="%s named when %s is gone" % (expected, name))
            status, out, _ = self.check(gateway)
            self.assertEqual(status, 1 if expected and expected != ["agent:read"] else 0, out)
            if expected:
                self.assertIn("MISSING  " + expected[0], out)
                self.assertIn(line, out)
            self.assertEqual(gateway.get("/").status, 200, name)

    def test_keys_of_their_own(self):
        """Without the fleet's prefix around them, the lines for keys and configuration count too."""
        self.web(self.secure)
        gateway = self.start(self.secure, self.secure.new_token(READ), ready=False,
                             api_keys={"partners": {"kv": "frontdesk/keys"}},
                             settings={"config_prefix": "frontdesk/config/"})
        wait_for(lambda: self.missing(gateway) == ["key:read on frontdesk/config/",
                                                   "key:read on frontdesk/keys"], what="both keys")
        gateway.write_file("token", self.secure.new_token(
            READ + 'key_prefix "frontdesk/config/" { policy = "read" }\n'
                   'key_prefix "frontdesk/keys" { policy = "read" }'))
        wait_for(lambda: self.access(gateway)["trusted"] and not self.missing(gateway), what="no right missing")

    def test_what_a_reload_switches_on(self):
        self.web(self.secure)
        gateway = self.start(self.secure, self.secure.new_token(READ))
        self.wait_checked(gateway)
        self.assertEqual(self.missing(gateway), [])
        gateway.configure(dict(gateway.whole, fleet={"name": "gw-1"}, registration=False))
        gateway.reload()
        wait_for(lambda: self.missing(gateway) == ["key:write on frontdesk/", "session:write"], what="rights of a fleet")
        self.assertTrue(self.access(gateway)["trusted"])
        gateway.configure(gateway.whole)
        gateway.reload()
        wait_for(lambda: self.access(gateway)["trusted"] and not self.missing(gateway), what="none missing")

    def test_a_policy_that_is_stripped(self):
        """The same token loses a right: named, and what is known stays; then it has it again."""
        self.web(self.secure)
        self.secure.put("/v1/acl/policy", {"Name": "strip", "Rules": READ})
        policy = self.secure.get("/v1/acl/policy/name/strip")
        self.addCleanup(self.secure.call, "DELETE", "/v1/acl/policy/" + policy["ID"])
        token = self.secure.put("/v1/acl/token", {"Policies": [{"Name": "strip"}]})["SecretID"]
        gateway = self.start(self.secure, token)
        self.wait_served(gateway)
        self.wait_checked(gateway)
        self.assertEqual(self.access(gateway)["token"]["policies"], "strip")
        half = 'service_prefix "" { policy = "read" }'
        self.secure.put("/v1/acl/policy/" + policy["ID"], dict(policy, Rules=half))
        gateway.reload()
        wait_for(lambda: self.missing(gateway) == ["node:read"] or gateway.reload(), 20, "node:read named", every=0.5)
        # Something changes, so that every query is answered anew, by what the token may see now.
        self.web(self.secure, "b")
        self.assertEqual(gateway.get("/").status, 200)
        self.secure.put("/v1/acl/policy/" + policy["ID"], dict(policy, Rules=READ))
        wait_for(lambda: self.missing(gateway) == [], 20, "right again")
        self.wait_checked(gateway)
        gateway.wait_spread("/", ["a", "b"], timeout=90)

    def test_a_reload_that_names_a_token_without_rights(self):
        """What the new token does not see is still there: the settings of before stay in force."""
        good, poor = self.secure.new_token(READ), self.secure.new_token('service_prefix "" { policy = "read" }')
        self.web(self.secure)
        gateway = self.start(self.secure, good)
        self.wait_served(gateway)
        gateway.whole["consul"]["token_file"] = gateway.write_file("other", poor)
        gateway.configure(gateway.whole)
        gateway.reload()
        wait_for(lambda: "new Consul settings" in gateway.log(), what="word on the new settings")
        self.assertIn("the new Consul settings are not in force yet", gateway.log())
        self.assertIn("lacks node:read", gateway.log())
        self.assertEqual(gateway.get("/").status, 200)
        self.assertNotIn("the new Consul settings are in force", gateway.log())
        gateway.write_file("other", good)
        wait_for(lambda: "the new Consul settings are in force" in gateway.log(), 20, "the new settings")
        self.assertEqual(gateway.get("/").status, 200)

    def test_a_right_that_comes_later(self):
        """Nothing in the catalog changes, so no query wakes: the gateway asks anew by itself."""
        self.web(self.secure)
        self.secure.put("/v1/acl/policy", {"Name": "later", "Rules": 'service_prefix "" { policy = "read" } '
                                                                     'agent_prefix "" { policy = "read" }'})
        policy = self.secure.get("/v1/acl/policy/name/later")
        self.addCleanup(self.secure.call, "DELETE", "/v1/acl/policy/" + policy["ID"])
        token = self.secure.put("/v1/acl/token", {"Policies": [{"Name": "later"}]})["SecretID"]
        gateway = self.start(self.secure, token, ready=False, settings={"wait": "10m"})
        wait_for(lambda: self.missing(gateway) == ["node:read"], what="node:read named")
        self.assertEqual(gateway.get("/").status, 503)
        status, out, _ = run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port)
        self.assertEqual(status, 3)
        self.assertIn("Consul: the token lacks node:read", out)
        metrics = gateway.admin_get("/metrics").body.decode()
        self.assertIn("frontdesk_consul_rights_missing 1", metrics)
        self.assertIn("frontdesk_consul_token_trusted 0", metrics)
        self.secure.put("/v1/acl/policy/" + policy["ID"], dict(policy, Rules=READ))
        self.wait_served(gateway, 30)
        wait_for(lambda: gateway.status()["consul"]["connected"], what="an answer to what was asked anew")
        self.assertNotIn("nothing bad is believed", gateway.log())  # as after a restart of the agent

    def test_for_some_services_only(self):
        """Rights for single services and nodes are as good as those for all."""
        self.web(self.secure)
        gateway = self.start(self.secure, self.secure.new_token(
            'service "web" { policy = "read" }\nnode "%s" { policy = "read" }' % self.secure.node))
        self.wait_served(gateway)
        self.wait_checked(gateway)
        self.assertEqual(self.missing(gateway), [])

    def test_acls_that_are_off(self):
        self.web(self.consul)
        gateway = self.start(self.consul)
        self.wait_served(gateway)
        self.wait_checked(gateway)
        self.assertEqual(self.access(gateway)["acls"], "off")
        status, out, _ = self.check(gateway)
        self.assertEqual(status, 0)
        self.assertIn("ACLs are off", out)

    def test_a_namespace_where_there_are_none(self):
        gateway = self.start(self.consul, settings={"namespace": "team"}, ready=False)
        wait_for(lambda: "no namespaces" in (gateway.status()["consul"]["last_error"] or ""), what="named cause")


class Words(Scenario):
    def test_what_an_agent_says_cannot_steer_the_terminal(self):
        consul = FaultyConsul()
        self.addCleanup(consul.stop)
        consul.fault(error(500, "\x9b31mred \x1b[2Jgone"))
        gateway = self.gateway({"routes": []}, consul=None, ready=False)
        gateway.configure(dict(ROUTE, consul={"address": consul.address}))
        status, out, _ = run_command("check", "-c", gateway.dir + "/conf.d", "--consul",
                                     environment={"LC_ALL": "C.UTF-8"})
        self.assertEqual(status, 1)
        self.assertIn("HTTP 500", out)
        self.assertFalse([c for c in out if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")], ascii(out))


class Login(Access):
    def method(self, ttl="1m"):
        """An auth method that takes JWTs of a key, and gives what a gateway needs."""
        key = SigningKey("ES256")
        self.addCleanup(key.close)
        public = subprocess.run(["openssl", "pkey", "-in", key.file, "-pubout"], stdout=subprocess.PIPE,
                                check=True, text=True, timeout=20).stdout
        name = "gwjwt-%d" % free_port()
        consul = self.secure
        consul.put("/v1/acl/policy", {"Name": name, "Rules": READ})
        consul.put("/v1/acl/role", {"Name": name, "Policies": [{"Name": name}]})
        consul.put("/v1/acl/auth-method", {
            "Name": name, "Type": "jwt", "MaxTokenTTL": ttl, "Config": {
                "JWTValidationPubKeys": [public], "BoundIssuer": "test", "BoundAudiences": ["consul"],
                "ClaimMappings": {"svc": "svc"}}})
        consul.put("/v1/acl/binding-rule", {"AuthMethod": name, "BindType": "role", "BindName": name,
                                            "Selector": 'value.svc==frontdesk'})
        self.addCleanup(consul.call, "DELETE", "/v1/acl/auth-method/" + name)
        return name, key

    def jwt(self, key, **claims):
        return key.token(dict(dict(iss="test", aud="consul", svc="frontdesk", exp=int(time.time()) + 3600),
                              **claims))

    def tokens(self, method):
        return [token for token in self.secure.get("/v1/acl/tokens") if token.get("AuthMethod") == method]

    def start_login(self, method, jwt, ready=True):
        gateway = self.gateway({"routes": []}, consul=None)
        gateway.kill9()
        path = gateway.write_file("jwt", jwt + "\n")
        gateway.configure(dict(ROUTE, consul={
            "address": self.secure.address, "expose": "none",
            "login": {"method": method, "jwt_file": path, "meta": {"gateway": "gw-1"}}}))
        gateway.start(ready=ready)
        return gateway

    def test_logs_in_and_out(self):
        method, key = self.method()
        jwt = self.jwt(key)
        self.web(self.secure)
        gateway = self.start_login(method, jwt)
        self.wait_served(gateway)
        self.wait_checked(gateway)
        token = self.access(gateway)["token"]
        self.assertEqual((token["from"], token["logins"], token["login_error"]), ("login", 1, None))
        self.assertTrue(token["next_login"] < token["expires"])
        listed = self.tokens(method)
        self.assertEqual([one["AccessorID"] for one in listed], [token["accessor"]])
        self.assertIn("gw-1", listed[0]["Description"])
        log, status = gateway.log(), str(gateway.status())
        secret = self.secure.get("/v1/acl/token/" + token["accessor"])["SecretID"]
        for hidden in (jwt, secret):
            self.assertNotIn(hidden, log)
            self.assertNotIn(hidden, status)
        gateway.stop()
        self.assertEqual(self.tokens(method), [])

    def test_logs_in_again_when_its_token_is_gone(self):
        method, key = self.method()
        self.web(self.secure)
        gateway = self.start_login(method, self.jwt(key))
        self.wait_served(gateway)
        self.wait_checked(gateway)
        # A login that a refusal brings about comes no sooner than ten seconds after the last one.
        self.secure.call("DELETE", "/v1/acl/token/" + self.access(gateway)["token"]["accessor"])
        self.web(self.secure, "b")  # wakes the queries
        wait_for(lambda: self.access(gateway)["token"]["logins"] == 2, 60, "second login")
        gateway.wait_spread("/", ["a", "b"], timeout=90)
        self.wait_checked(gateway)

    def test_a_reload_logs_in_with_the_jwt_of_now(self):
        method, key = self.method()
        self.web(self.secure)
        gateway = self.start_login(method, self.jwt(key))
        self.wait_checked(gateway)
        first = self.access(gateway)["token"]["accessor"]
        gateway.write_file("jwt", self.jwt(key, jti="another"))
        gateway.reload()
        wait_for(lambda: self.access(gateway)["token"]["logins"] == 2, what="second login")
        self.wait_checked(gateway)
        self.assertNotEqual(self.access(gateway)["token"]["accessor"], first)
        # The one of before goes later: queries that were sent with it are under way.
        self.assertEqual(gateway.get("/").status, 200)

    def test_a_bad_jwt_is_named_and_a_good_one_taken(self):
        method, key = self.method()
        other = SigningKey("ES256")
        self.addCleanup(other.close)
        self.web(self.secure)
        forged = self.jwt(other)
        gateway = self.start_login(method, forged, ready=False)
        wait_for(lambda: self.access(gateway)["token"]["login_error"], what="login error")
        self.assertIn("login", gateway.status()["consul"]["last_error"])
        self.assertIn("login by method " + method, gateway.log())
        self.assertNotIn(forged, gateway.log())
        self.assertTrue(any("login fails" in item["text"] for item in gateway.status()["attention"]))
        status, out, _ = self.check(gateway)
        self.assertEqual(status, 1)
        self.assertIn("FAILED   login", out)
        gateway.write_file("jwt", self.jwt(key))
        self.wait_served(gateway, 60)
        wait_for(lambda: self.access(gateway)["token"]["login_error"] is None, what="good login")
        gateway.kill9()

    def test_no_jwt_at_all(self):
        method, key = self.method()
        gateway = self.start_login(method, self.jwt(key))
        os.unlink(gateway.dir + "/jwt")
        gateway.reload()
        wait_for(lambda: "No such file" in (self.access(gateway)["token"]["login_error"] or ""), what="named file")
        self.assertTrue(self.access(gateway)["token"]["accessor"])  # that of before stays
        gateway.write_file("jwt", self.jwt(key))
        wait_for(lambda: self.access(gateway)["token"]["login_error"] is None, 30, "good login")


class Placed(Consul):
    """An agent whose ports are given by the test."""

    def __init__(self, ports, **options):
        self.ports = dict({"dns": -1, "server": free_port(), "serf_lan": free_port(), "serf_wan": -1},
                          **ports)
        super().__init__(**options)

    def _write_config(self, acl, extra):
        super()._write_config(acl, dict(extra, ports=dict(self.ports, http=self.port)))


class Transport(Access):
    def folder(self):
        path = tempfile.mkdtemp(prefix="frontdesk-consul-tls-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def agent(self, **config):
        """An agent that speaks TLS too, with a certificate for server.dc1.consul and localhost; the
        folder of its authority and of a client's certificate; its address."""
        if find_consul() is None:
            self.skipTest("no consul binary here")
        folder, port = self.folder(), free_port()
        for what in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-cli"]):
            subprocess.run([find_consul(), "tls"] + what, cwd=folder, check=True, timeout=30,
                           stdout=subprocess.DEVNULL)
        agent = Placed({"https": port}, config=dict(
            ca_file=folder + "/consul-agent-ca.pem", cert_file=folder + "/dc1-server-consul-0.pem",
            key_file=folder + "/dc1-server-consul-0-key.pem", **config))
        self.addCleanup(agent.close)
        return agent, folder, "https://localhost:%d" % port

    def test_https_with_a_server_name_and_a_client_certificate(self):
        agent, folder, https = self.agent(verify_incoming_https=True)
        self.web(agent)
        settings = {"address": https, "ca_file": folder + "/consul-agent-ca.pem",
                    "server_name": "server.dc1.consul"}
        cert = {"cert_file": folder + "/dc1-cli-consul-0.pem", "key_file": folder + "/dc1-cli-consul-0-key.pem"}
        gateway = self.start(agent, settings=dict(settings, **cert))
        self.wait_served(gateway)
        self.wait_checked(gateway)
        # Without the certificate Consul wants none of it; with another name it is not the agent.
        for wrong in (settings, dict(settings, server_name="other.dc1.consul", **cert)):
            gateway.configure(dict(ROUTE, consul=dict(wrong, expose="none")))
            self.assertEqual(self.check(gateway)[0], 1)
        # The same from the environment.
        other = self.start(agent, settings={"address": https}, environment={
            "CONSUL_CACERT": settings["ca_file"], "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
            "CONSUL_CLIENT_CERT": cert["cert_file"], "CONSUL_CLIENT_KEY": cert["key_file"]})
        self.wait_served(other)

    def test_files_that_are_replaced(self):
        """Authority and client certificate are read for new connections: no restart, no reload."""
        agent, folder, https = self.agent(verify_incoming_https=True)
        names = {"consul-agent-ca.pem": "ca_file", "dc1-cli-consul-0.pem": "cert_file",
                 "dc1-cli-consul-0-key.pem": "key_file"}
        other = self.folder()
        for what in (["ca", "create"], ["cert", "create", "-cli"]):
            subprocess.run([find_consul(), "tls"] + what, cwd=other, check=True, timeout=30,
                           stdout=subprocess.DEVNULL)
        mine = self.folder()
        for name in names:
            shutil.copy(other + "/" + name, mine)
        self.web(agent)
        gateway = self.start(agent, ready=False, settings=dict(
            {key: mine + "/" + name for name, key in names.items()}, address=https))
        wait_for(lambda: gateway.status()["consul"]["failing_since"], what="errors")
        for name in names:
            shutil.copy(folder + "/" + name, mine)
        self.wait_served(gateway)

    def test_no_verification_is_loud(self):
        agent, folder, https = self.agent()
        self.web(agent)
        gateway = self.start(agent, settings={"address": https},
                             environment={"CONSUL_HTTP_SSL_VERIFY": "false"})
        self.wait_served(gateway)
        self.assertFalse(self.access(gateway)["verify"])
        self.assertIn("NOT verified", gateway.log())
        self.assertTrue(any("not verified" in item["text"] for item in gateway.status()["attention"]))
        # Verified, the certificate is not good for this address.
        status, out, _ = self.check(gateway)
        self.assertEqual(status, 1, out)

    def test_a_folder_of_authorities(self):
        agent, folder, https = self.agent()
        self.web(agent)
        os.mkdir(folder + "/authorities")
        os.rename(folder + "/consul-agent-ca.pem", folder + "/authorities/ca.pem")
        subprocess.run(["openssl", "rehash", folder + "/authorities"], check=True, timeout=20)
        gateway = self.start(agent, settings={"address": https, "server_name": "server.dc1.consul",
                                              "ca_path": folder + "/authorities"})
        self.wait_served(gateway)

    def test_a_unix_socket(self):
        path = self.folder() + "/consul.sock"
        agent = self.own_consul(config={"addresses": {"http": "127.0.0.1 unix://" + path}})
        self.web(agent)
        gateway = self.start(agent, settings={"address": "unix://" + path})
        self.wait_served(gateway)
        self.wait_checked(gateway)
        self.assertEqual(self.access(gateway)["agent"], "unix://" + path)


class Agents(Access):
    """Instances without checks: those with a TTL turn critical when their agent is restarted."""

    def agents(self):
        """A client agent and the server that it belongs to: the same catalog by two ways."""
        if find_consul() is None:
            self.skipTest("no consul binary here")
        server = Placed({}, node="server")
        self.addCleanup(server.close)
        client = Placed({}, node="client", config={
            "server": False, "bootstrap_expect": 0, "retry_interval": "1s",
            "retry_join": ["127.0.0.1:%d" % server.ports["serf_lan"]]})
        self.addCleanup(client.close)
        return client, server

    def test_the_next_one_when_the_first_is_gone(self):
        client, server = self.agents()
        origin = self.origin("a")
        server.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(client, settings={"address": [client.address, server.address], "fail_back": "1s"})
        self.wait_served(gateway)
        self.assertEqual(self.access(gateway)["agent"], client.address)
        client.kill9()
        wait_for(lambda: self.access(gateway)["agent"] == server.address, what="second agent")
        part = self.access(gateway)
        self.assertEqual(part["switches"], 1)
        self.assertIn(client.address, part["switch_why"])
        self.assertEqual(gateway.get("/").status, 200)
        self.assertTrue(any(server.address in item["text"] for item in gateway.status()["attention"]))
        # What changes now is seen by way of the second one.
        other = self.origin("b")
        server.register("web", other.port, id="web-b")
        gateway.wait_spread("/", ["a", "b"])
        # The first one is back, and well for a calm while.
        client.start()
        wait_for(lambda: self.access(gateway)["agent"] == client.address, 30, "first agent again")
        gateway.wait_spread("/", ["a", "b"])
        server.deregister("web-b")
        gateway.wait_spread("/", ["a"], timeout=30)

    def test_one_that_knows_no_server(self):
        """The other agent answers, but with errors: what is known stays."""
        client, server = self.agents()
        origin = self.origin("a")
        server.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(server, settings={"address": [server.address, client.address], "fail_back": "0"})
        self.wait_served(gateway)
        server.kill9()
        wait_for(lambda: self.access(gateway)["switches"] >= 1, 30, "other agent")
        for _ in range(20):
            self.assertEqual(gateway.get("/").status, 200)
        server.start()
        wait_for(lambda: gateway.status()["consul"]["connected"], 60, "Consul again")
        self.assertEqual(gateway.get("/").status, 200)

    def test_one_that_hangs(self):
        """It neither answers nor refuses, and no query of ours is due for minutes."""
        client, server = self.agents()
        origin = self.origin("a")
        server.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(client, settings={"address": [client.address, server.address], "wait": "10m",
                                               "fail_back": "2s"})
        self.wait_served(gateway)
        wait_for(lambda: gateway.status()["consul"]["watches"] >= 2, what="watches")
        client.pause()
        wait_for(lambda: self.access(gateway)["agent"] == server.address, 60, "second agent")
        self.assertIn("does not answer", self.access(gateway)["switch_why"])
        self.assertEqual(gateway.get("/").status, 200)
        client.resume()
        wait_for(lambda: self.access(gateway)["agent"] == client.address, 30, "first agent again")

    def test_what_belongs_to_an_agent_is_made_anew(self):
        """The gateway's own entry in the catalog is the agent's: another agent gets one, too."""
        client, server = self.agents()
        gateway = self.start(client, settings={"address": [client.address, server.address]},
                             registration={"name": "frontdesk"})
        here = lambda agent: [one["Service"] for one in agent.get("/v1/agent/services").values()]
        wait_for(lambda: "frontdesk" in here(client), what="registration")
        client.kill9()
        wait_for(lambda: "frontdesk" in here(server), 60, "registration at the other agent")

    def test_over_tls_with_acls(self):
        """A whole cluster: thousands of watches would share one HTTP/2 connection; all move at once."""
        if find_consul() is None:
            self.skipTest("no consul binary here")
        cluster = Cluster()
        self.addCleanup(cluster.close)
        origin, server = self.origin("a"), cluster.servers[0]
        server.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(cluster.agent, cluster.grant("gateway", READ).secret, settings={
            "address": [cluster.agent.https, server.https], "ca_file": cluster.ca_file, "fail_back": "2s"})
        self.wait_served(gateway)
        self.wait_checked(gateway)
        cluster.kill(cluster.agent)
        wait_for(lambda: self.access(gateway)["agent"] == server.https, what="second agent")
        self.wait_checked(gateway)
        other = self.origin("b")
        server.register("web", other.port, id="web-b")
        gateway.wait_spread("/", ["a", "b"])
        self.assertEqual(gateway.status()["consul"]["strategy"], "http2")
        cluster.heal()
        wait_for(lambda: self.access(gateway)["agent"] == cluster.agent.https, 60, "first agent again")
        gateway.wait_spread("/", ["a", "b"])

    def test_one_without_a_leader(self):
        """It answers, of old times: another one that knows a leader is better, and keeps no grudge."""
        if find_consul() is None:
            self.skipTest("no consul binary here")
        cluster = Cluster(tls=False, acl=False)
        self.addCleanup(cluster.close)
        origin, better = self.origin("a"), self.own_consul()
        for agent in (cluster.servers[0], better):
            agent.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(cluster.servers[0], settings={
            "address": [cluster.servers[0].address, better.address], "fail_back": "2s"})
        self.wait_served(gateway)
        cluster.kill(*cluster.servers[1:])
        wait_for(lambda: self.access(gateway)["agent"] == better.address, 60, "the better agent")
        self.assertEqual(gateway.get("/").status, 200)
        cluster.heal()
        wait_for(lambda: self.access(gateway)["agent"] == cluster.servers[0].address, 60, "the first one again")
        self.assertEqual(gateway.get("/").status, 200)

    def test_all_gone_and_back(self):
        client, server = self.agents()
        origin = self.origin("a")
        server.register("web", origin.port, id="web-a", check=None)
        gateway = self.start(client, settings={"address": [client.address, server.address]})
        self.wait_served(gateway)
        client.kill9()
        server.kill9()
        wait_for(lambda: not gateway.status()["consul"]["connected"], what="Consul away")
        for _ in range(20):
            self.assertEqual(gateway.get("/").status, 200)
        # Trying them in turn, many times a second, is one change.
        self.assertLessEqual(gateway.log().count("is asked from now on"), 2)
        server.start()
        wait_for(lambda: gateway.status()["consul"]["connected"], 30, "Consul again")
        self.assertLessEqual(self.access(gateway)["switches"], 2)
        self.assertEqual(gateway.get("/").status, 200)

    def test_a_stranger_with_an_empty_catalog_takes_nothing_away(self):
        """The second agent is of another, empty cluster: what is known is kept while it may be."""
        stranger, own = self.own_consul(), self.own_consul()
        origin = self.origin("a")
        own.register("web", origin.port, id="web-a")
        gateway = self.start(own, settings={"address": [own.address, stranger.address]})
        self.wait_served(gateway)
        self.wait_checked(gateway)
        own.kill9()
        wait_for(lambda: self.access(gateway)["agent"] == stranger.address, what="second agent")
        wait_for(lambda: "another cluster" in (self.access(gateway)["problem"] or ""), what="named stranger")
        self.assertFalse(self.access(gateway)["trusted"])
        self.assertTrue(any("another cluster" in item["text"] for item in gateway.status()["attention"]))
        end = time.monotonic() + 8  # it would be believed after two seconds
        while time.monotonic() < end:
            self.assertEqual(gateway.get("/").status, 200)
            time.sleep(0.1)
        # A person may accept it.
        gateway.reload()
        self.wait_checked(gateway)
        wait_for(lambda: gateway.get("/").status != 200, 120, "its catalog")
