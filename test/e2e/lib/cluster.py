# SPDX-License-Identifier: Apache-2.0
"""cluster.py - a real Consul cluster on loopback: three servers and a client agent.

    cluster = Cluster()                          # TLS, ACLs that deny by default; ready in seconds
    cluster.agent                                # the client agent, which gateways talk to: a Consul
    cluster.servers                              # three more, 127.0.0.2 to 127.0.0.4
    cluster.settings(token_file)                 # the `consul:` section for a gateway

    cluster.leader().kill9()                     # ask a server that is alive, then kill -9
    cluster.wait_leader(); cluster.heal()        # another one; all four run again, three voters
    cluster.lose_quorum(); cluster.heal()
    cluster.load(services)                       # nodes, instances and checks in bulk, by /v1/txn
    saved = cluster.save(); cluster.restore(saved)            # snapshots
    cluster.rebuild(saved)                       # ... into new servers: all indexes go back
    token = cluster.grant("gateway", rules)      # a policy of that name, and a token that has it
    cluster.allow("gateway", other_rules); cluster.revoke(token)

Cluster(tls=False, acl=False) is the same without; servers=1 is a leader alone. Every member is a Consul (consul.py) with all
its calls, and is ended by its own pid. Each has an address and ports of its own, so several clusters
run side by side. Members keep what they know in a temporary folder, which close() removes.
"""
import os
import shutil
import subprocess
import tempfile
import urllib.request

from .consul import Consul, find_consul
from .wait import free_port, wait_for

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
AGENT_HOST = "127.0.0.5"
OPS_MAX = 64  # of one transaction


class Member(Consul):
    """One agent of the cluster, started by its Cluster. `https` is its second address."""

    def __init__(self, cluster, node, host, server):
        self.cluster, self.node, self.host, self.server = cluster, node, host, server
        self.binary = cluster.binary
        self.dir = os.path.join(cluster.dir, node)
        self.process = None
        self.port, self.https_port, self.serf_port = (free_port(host) for _ in range(3))
        self.rpc_port, self.wan_port = free_port(host), free_port(host)
        self.address = "http://%s:%d" % (host, self.port)
        self.https = "https://%s:%d" % (host, self.https_port)
        os.mkdir(self.dir)

    @property
    def token(self):
        return self.cluster.token

    def configure(self):
        config = {
            "node_name": self.node, "server": self.server, "data_dir": self.dir + "/data",
            "bind_addr": self.host, "client_addr": self.host, "disable_update_check": True,
            "leave_on_terminate": False, "log_level": "warn", "retry_interval": "1s",
            "retry_join": [member.serf_address for member in self.cluster.servers],
            "ports": {"http": self.port, "dns": -1, "server": self.rpc_port,
                      "serf_lan": self.serf_port, "serf_wan": self.wan_port if self.server else -1},
            "performance": {"raft_multiplier": 1},
            # A server that was killed and comes back must find its place again.
            "autopilot": {"cleanup_dead_servers": False, "server_stabilization_time": "500ms"},
        }
        if self.server:
            config["bootstrap_expect"] = len(self.cluster.servers)
        if self.cluster.tls:
            self._use_tls(config)
        if self.cluster.acl:
            config["acl"] = {"enabled": True, "default_policy": "deny", "policy_ttl": "1s",
                             "token_ttl": "1s", "enable_token_persistence": True}
        self._write(config)

    def _use_tls(self, config):
        kind = "server" if self.server else "client"
        config["ports"]["https"] = self.https_port
        config.update({
            "ca_file": self.cluster.ca_file, "verify_outgoing": True, "verify_server_hostname": True,
            "cert_file": "%s/dc1-%s-consul-0.pem" % (self.cluster.dir, kind),
            "key_file": "%s/dc1-%s-consul-0-key.pem" % (self.cluster.dir, kind)})
        if self.server:
            config["verify_incoming_rpc"] = True

    @property
    def serf_address(self):
        return "%s:%d" % (self.host, self.serf_port)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def _ready(self):
        """Its HTTP endpoint answers; with a leader or without."""
        if not self.running:
            raise RuntimeError("consul ended: " + self.log()[-1500:])
        return self.call("GET", "/v1/status/leader", timeout=2)[0] in (200, 500)

    def close(self):
        self.kill9()


class Cluster:
    def __init__(self, servers=3, tls=True, acl=True):
        self.binary = find_consul()
        if self.binary is None:
            raise RuntimeError("no consul binary: run ./setup")
        self.tls, self.acl, self.token, self.members = tls, acl, None, []
        self.dir = tempfile.mkdtemp(prefix="frontdesk-cluster-")
        self.ca_file = self.dir + "/consul-agent-ca.pem"
        try:
            self._start(servers)
        except BaseException:
            self.close()
            raise

    def _start(self, servers):
        if self.tls:
            self._make_certificates()
        self.servers = [Member(self, "server-%d" % (i + 1), host, True)
                        for i, host in enumerate(HOSTS[:servers])]
        self.agent = Member(self, "client-1", AGENT_HOST, False)
        self.members = self.servers + [self.agent]
        for member in self.members:
            member.configure()
            member.start()
        if self.acl:
            self.token = self._first_token()
            self._give_agent_tokens(self.members)
        self.heal()

    def _make_certificates(self):
        addresses = ["-additional-ipaddress=" + host for host in HOSTS + [AGENT_HOST]]
        for arguments in (["ca", "create"], ["cert", "create", "-server"] + addresses,
                          ["cert", "create", "-client"] + addresses):
            subprocess.run([self.binary, "tls"] + arguments, cwd=self.dir, check=True, timeout=30,
                           stdout=subprocess.DEVNULL)

    def _first_token(self):
        def ask():
            status, _, answer = self.servers[0].call("PUT", "/v1/acl/bootstrap", token="none")
            return answer["SecretID"] if status == 200 else None
        return wait_for(ask, 30, "first token", every=0.1)

    def _give_agent_tokens(self, members):
        """A node's own rights: without them it cannot register itself."""
        for member in members:
            wait_for(lambda: member.put("/v1/agent/token/agent", {"Token": self.token}) or True, 30,
                     "token of " + member.node, every=0.1)

    def close(self):
        for member in self.members:
            member.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def settings(self, token_file=None, **more):
        """What a gateway needs to talk to the client agent."""
        if token_file:
            more["token_file"] = token_file
        if not self.tls:
            return dict(address=self.agent.address, **more)
        return dict(address=self.agent.https, ca_file=self.ca_file, **more)

    # Who lives and who leads.

    def alive(self):
        return [member for member in self.servers if member.running]

    def leader(self):
        """The server that leads, by the word of those that live; None without a quorum."""
        for member in self.alive():
            status, _, answer = member.call("GET", "/v1/status/leader")
            for server in self.alive() if status == 200 else ():
                if answer == "%s:%d" % (server.host, server.rpc_port):
                    return server
        return None

    def wait_leader(self, timeout=60):
        """Until one leads and the client agent is answered by it."""
        def ask():
            leader = self.leader()
            return leader if leader and self._answers(self.agent) else None
        return wait_for(ask, timeout, "a leader", every=0.1)

    def _answers(self, member):
        """It reaches the leader, or does not run at all."""
        paths = ["/v1/catalog/services?consistent"] + ["/v1/acl/policies"] * self.acl
        return not member.running or all(
            member.call("GET", path, timeout=10)[0] == 200 for path in paths)

    def kill(self, *members):
        """kill -9, all at once."""
        for member in members:
            member.process.kill()
        for member in members:
            member.kill9()

    def lose_quorum(self):
        """kill -9 of the leader and one more server; returns them."""
        leader = self.leader()
        other = next(server for server in self.alive() if server is not leader)
        self.kill(leader, other)
        return [leader, other]

    def heal(self, timeout=60):
        """Starts whoever does not run, and waits until all vote and all answer."""
        for member in self.members:
            if not member.running:
                member.start()
        wait_for(self._whole, timeout, "a whole cluster", every=0.1)

    def _whole(self):
        """All servers follow, every agent is seen to live, and (a moment after a start it is not so)
        each of them knows tokens and policies."""
        if self.leader() is None:
            return False
        health = self.get("/v1/operator/autopilot/health")
        voters = [server for server in health["Servers"] if server["Voter"] and server["Healthy"]]
        serf = {node["Node"]: node["Status"] for node in self.get("/v1/health/state/any?consistent")
                if node["CheckID"] == "serfHealth"}
        return (len(voters) == len(self.servers) and
                all(serf.get(member.node) == "passing" for member in self.members) and
                all(self._answers(member) for member in self.members))

    # What is in the catalog.

    def put(self, path, body=None, **options):
        """To a server that lives: works without the client agent."""
        return self.alive()[0].put(path, body, **options)

    def get(self, path, **options):
        return self.alive()[0].get(path, **options)

    def load(self, services, nodes=10, address="127.0.0.1", status="passing"):
        """Instances in bulk: services = {name: [(id, port, tags), ...]}, spread over that many nodes
        without an agent (bulk-0 ...), each with one check."""
        ops = [{"Node": {"Verb": "set", "Node": {"Node": node, "Address": address}}}
               for node in ("bulk-%d" % i for i in range(nodes))]
        number = 0
        for name, instances in services.items():
            for id, port, tags in instances:
                node = "bulk-%d" % (number % nodes)
                ops.append({"Service": {"Verb": "set", "Node": node, "Service": {
                    "ID": id, "Service": name, "Address": address, "Port": port,
                    "Tags": list(tags)}}})
                ops.append(check_op(node, name, id, status))
                number += 1
        self.transact(ops)

    def transact(self, ops):
        """Operations of /v1/txn, as few transactions as there may be."""
        for at in range(0, len(ops), OPS_MAX):
            self.put("/v1/txn", ops[at:at + OPS_MAX])

    def deregister(self, name, ids):
        """Removes these instances of a service, all in one transaction where it is not too many."""
        placed = self.placed(name)
        self.transact([{"Service": {"Verb": "delete", "Node": placed[id], "Service": {
            "ID": id, "Service": name}}} for id in ids])

    def placed(self, name):
        """{service id: node} of what the catalog has of a service."""
        return {entry["ServiceID"]: entry["Node"]
                for entry in self.get("/v1/catalog/service/" + name)}

    def clear(self):
        """Removes all services but Consul's own, and all nodes without an agent."""
        for id in self.agent.get("/v1/agent/services"):
            self.agent.deregister(id)
        mine = [member.node for member in self.members]
        ops = [{"Node": {"Verb": "delete", "Node": {"Node": node["Node"]}}}
               for node in self.get("/v1/catalog/nodes") if node["Node"] not in mine]
        self.transact(ops)
        wait_for(lambda: list(self.get("/v1/catalog/services")) == ["consul"], 20, "empty catalog")

    # Snapshots.

    def save(self):
        with self._raw("GET", "/v1/snapshot") as answer:
            return answer.read()

    def restore(self, saved):
        self._raw("PUT", "/v1/snapshot", saved).close()

    def _raw(self, method, path, data=None):
        request = urllib.request.Request(self.leader().address + path, data=data, method=method)
        if self.token:
            request.add_header("X-Consul-Token", self.token)
        return urllib.request.urlopen(request, timeout=30)

    def rebuild(self, saved):
        """New servers in the place of the old ones, with nothing but what was saved: all indexes are
        lower than before. Tokens and policies come back with the snapshot."""
        old_token = self.token
        self.kill(*self.servers)
        for server in self.servers:
            shutil.rmtree(server.dir + "/data")
            server.start()
        if self.acl:
            self.token = self._first_token()
        wait_for(lambda: self.leader() and self._answers(self.leader()), 60, "a leader", every=0.1)
        self.restore(saved)
        self.token = old_token
        if self.acl:
            self._give_agent_tokens(self.servers)
        self.heal()

    # Rights.

    def allow(self, policy, rules):
        """Creates the policy, or gives it other rules."""
        known = [entry["ID"] for entry in self.get("/v1/acl/policies") if entry["Name"] == policy]
        path = "/v1/acl/policy" + ("/" + known[0] if known else "")
        self.put(path, {"Name": policy, "Rules": rules})

    def grant(self, policy, rules=None):
        """A new token with that policy (made or changed when there are rules)."""
        if rules is not None:
            self.allow(policy, rules)
        return Token(self.put("/v1/acl/token", {"Policies": [{"Name": policy}]}))

    def revoke(self, token):
        self.alive()[0].call("DELETE", "/v1/acl/token/" + token.accessor)


class Token:
    def __init__(self, answer):
        self.accessor, self.secret = answer["AccessorID"], answer["SecretID"]


def check_op(node, service, id, status):
    """The operation that sets the check of one instance that load() made."""
    return {"Check": {"Verb": "set", "Check": {
        "Node": node, "CheckID": "check:" + id, "Name": "bulk", "Status": status,
        "ServiceID": id, "ServiceName": service}}}
