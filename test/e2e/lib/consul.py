# SPDX-License-Identifier: Apache-2.0
"""consul.py - a real Consul agent on ports of its own, and the calls that tests need.

    consul = Consul()                                  # returns when it has a leader; stop() ends it
    consul.register("orders", origin.port, id="orders-1", tags=["frontdesk.path=/orders/"])
    consul.set_health("orders-1", "critical")          # its check answers at once; "warning", "passing"
    consul.maintenance("orders-1", True, "upgrade")
    consul.deregister("orders-1")
    consul.stop(); consul.kill9(); consul.start()      # start() again: same ports, same data
    consul.restart(wipe=True)                          # same ports, empty catalog, indexes fall
    consul.get("/v1/health/service/orders")            # anything else of the HTTP API

A service is registered with a TTL check that a test sets by hand (check="ttl"), with a real HTTP
check on /health every second (check="http"), or without any (check=None).
The binary: $CONSUL_BIN, or what `./setup --consul` prints. Without one, find_consul() gives None
and the cases that need Consul are skipped with a line that says so.
"""
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from .wait import free_port, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


@functools.lru_cache(maxsize=None)
def find_consul():
    if os.environ.get("CONSUL_BIN"):
        return os.environ["CONSUL_BIN"]
    found = subprocess.run([os.path.join(ROOT, "setup"), "--consul"], stdout=subprocess.PIPE, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


class Consul:
    """One agent that is a whole cluster (a server that elects itself). `acl=True`: everything is
    denied without a token, `token` is the one that may all; `config` is merged into the agent's, its `ports` into the
    ports."""

    def __init__(self, acl=False, config=None, node="node-1"):
        self.binary = find_consul()
        if self.binary is None:
            raise RuntimeError("no consul binary: run ./setup")
        self.token = "00000000-0000-0000-0000-00000000f00d" if acl else None
        self.node = node
        self.port = free_port()
        self.address = "http://127.0.0.1:%d" % self.port
        self.dir = tempfile.mkdtemp(prefix="frontdesk-consul-")
        self.process = None
        self._write_config(acl, config or {})
        self.start()

    def _write_config(self, acl, extra):
        # Several agents may share this machine: every one has its own ports.
        config = {
            "node_name": self.node, "server": True, "bootstrap_expect": 1,
            "data_dir": self.dir + "/data", "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
            "ports": {"http": self.port, "dns": -1, "server": free_port(),
                      "serf_lan": free_port(), "serf_wan": -1},
            "performance": {"raft_multiplier": 1}, "disable_update_check": True,
            "enable_script_checks": False, "leave_on_terminate": False,
            "connect": {"enabled": True},  # for the discovery chain
        }
        if acl:
            config["acl"] = {"enabled": True, "default_policy": "deny", "tokens": {
                "master": self.token, "agent": self.token}}
        config["ports"].update(extra.get("ports", {}))
        config.update((key, value) for key, value in extra.items() if key != "ports")
        self._write(config)

    def _write(self, config):
        with open(self.dir + "/agent.json", "w") as file:
            json.dump(config, file)

    # Life.

    def start(self, timeout=60):
        log = open(self.dir + "/log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "agent", "-config-file", self.dir + "/agent.json"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        try:
            wait_for(self._ready, timeout, "Consul with a leader")
        except AssertionError:
            tail = self.log()[-1500:]
            self.close()
            raise AssertionError("Consul did not start:\n" + tail)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("consul ended: " + self.log()[-1500:])
        return self.get("/v1/status/leader") and self.get("/v1/health/node/" + self.node)

    def stop(self):
        self._end(signal.SIGTERM)

    def kill9(self):
        self._end(signal.SIGKILL)

    def pause(self):
        """Stops answering without closing anything (SIGSTOP), until resume()."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self, wipe=False):
        self.kill9()
        if wipe:
            shutil.rmtree(self.dir + "/data", ignore_errors=True)
        return self.start()

    def _end(self, how):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self):
        """Ends the agent and removes its files."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.dir + "/log", errors="replace") as file:
            return file.read()

    # The HTTP API.

    def call(self, method, path, body=None, timeout=30, token=None):
        """(status, headers, parsed JSON or text)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        if token or self.token:
            request.add_header("X-Consul-Token", token or self.token)
        try:
            answer = urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode("utf-8", "replace")
        try:
            return answer.status, answer.headers, json.loads(text)
        except ValueError:
            return answer.status, answer.headers, text

    def get(self, path, **options):
        status, _, value = self.call("GET", path, **options)
        if status != 200:
            raise AssertionError("GET %s: %d %s" % (path, status, value))
        return value

    def put(self, path, body=None, **options):
        status, _, value = self.call("PUT", path, body, **options)
        if status != 200:
            raise AssertionError("PUT %s: %d %s" % (path, status, value))
        return value

    def register(self, name, port, id=None, address="127.0.0.1", tags=(), meta=None, check="ttl",
                 status="passing", weights=None, **more):
        """Returns the instance's id. `more`: further fields of the registration as Consul calls them."""
        id = id or "%s-%d" % (name, port)
        service = dict(ID=id, Name=name, Address=address, Port=port, Tags=list(tags), Meta=meta or {},
                       **more)
        if weights:
            service["Weights"] = {"Passing": weights[0], "Warning": weights[1]}
        if check == "ttl":
            service["Check"] = {"CheckID": "check:" + id, "Name": "by hand", "TTL": "24h",
                                "Status": status}
        elif check == "http":
            service["Check"] = {"CheckID": "check:" + id, "Name": "http", "Interval": "1s",
                                "Timeout": "500ms", "Status": status,
                                "HTTP": "http://%s:%d/health" % (address, port)}
        elif check is not None:
            service["Check"] = check
        self.put("/v1/agent/service/register?replace-existing-checks=true", service)
        return id

    def entry(self, kind, name, **fields):
        """Writes a config entry: entry("service-splitter", "web", Splits=[...]). Those for HTTP need
        entry("service-defaults", "web", Protocol="http") first."""
        self.put("/v1/config", dict(fields, Kind=kind, Name=name))

    def delete_entry(self, kind, name):
        status, _, value = self.call("DELETE", "/v1/config/%s/%s" % (kind, name))
        if status != 200:
            raise AssertionError("DELETE %s %s: %d %s" % (kind, name, status, value))

    def deregister(self, id):
        self.put("/v1/agent/service/deregister/" + urllib.parse.quote(id, safe=""))

    def set_health(self, id, status, output=""):
        self.put("/v1/agent/check/update/check:" + urllib.parse.quote(id, safe=""),
                 {"Status": status, "Output": output})

    def maintenance(self, id, enable=True, reason="test"):
        self.put("/v1/agent/service/maintenance/%s?%s" % (
            urllib.parse.quote(id, safe=""),
            urllib.parse.urlencode({"enable": str(enable).lower(), "reason": reason})))

    def node_maintenance(self, enable=True, reason="test"):
        self.put("/v1/agent/maintenance?" + urllib.parse.urlencode(
            {"enable": str(enable).lower(), "reason": reason}))

    def catalog_register(self, node, address, service=None, checks=None, meta=None):
        """A node that has no agent, straight into the catalog. `service` as Consul calls its fields."""
        body = {"Node": node, "Address": address, "NodeMeta": meta or {}}
        if service:
            body["Service"] = service
        if checks:
            body["Checks"] = checks
        self.put("/v1/catalog/register", body)

    def catalog_deregister(self, node, service_id=None):
        body = {"Node": node}
        if service_id:
            body["ServiceID"] = service_id
        self.put("/v1/catalog/deregister", body)

    def health(self, name):
        """[(id, worst status)] of a service as the catalog has it."""
        order = ["passing", "warning", "critical"]
        return [(entry["Service"]["ID"],
                 max([check["Status"] for check in entry["Checks"]], key=order.index, default="passing"))
                for entry in self.get("/v1/health/service/" + urllib.parse.quote(name, safe=""))]

    def kv_put(self, key, value):
        request = urllib.request.Request(self.address + "/v1/kv/" + urllib.parse.quote(key),
                                         data=value, method="PUT")
        if self.token:
            request.add_header("X-Consul-Token", self.token)
        urllib.request.urlopen(request, timeout=10).close()

    def new_token(self, rules):
        """A token that may what `rules` (Consul's policy language) say; needs acl=True."""
        name = "policy-%d" % free_port()
        self.put("/v1/acl/policy", {"Name": name, "Rules": rules})
        return self.put("/v1/acl/token", {"Policies": [{"Name": name}]})["SecretID"]

    def clear(self):
        """Removes every service, key, config entry, other node and maintenance: as freshly started."""
        for id in self.get("/v1/agent/services"):
            self.deregister(id)
        self.node_maintenance(False)
        self.call("DELETE", "/v1/kv/?recurse")
        for kind in ("service-router", "service-splitter", "service-resolver", "service-defaults"):
            for entry in self.get("/v1/config/" + kind):
                self.call("DELETE", "/v1/config/%s/%s" % (kind, entry["Name"]))
        for node in self.get("/v1/catalog/nodes"):
            if node["Node"] != self.node:
                self.catalog_deregister(node["Node"])
        wait_for(lambda: list(self.get("/v1/catalog/services")) == ["consul"], 20, "empty catalog")
