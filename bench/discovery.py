#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Discovery at the size of a real cluster: discovery.py [--parts rest,changes,load,others] [--modes https,http]

A real Consul on loopback (a server, or three with --servers 3, and a client agent, all with their default limits)
holds --services with --instances each; the gateway routes to all of them, with its defaults, through the client
agent: over HTTPS, where every service has a watch, or plain HTTP, where most are polled. Parts, for each mode:

    rest     memory and CPU of gateway, agent and server while nothing changes
    changes  the same at 1 and at 100 changes a second, and how long a change takes, from the moment in which its PUT
             returned: until the gateway routes to the new instance, and until a blocking query for that service at
             the same agent has answered (the best that anyone can know)
    load     throughput and median latency of wrk, in turns: without changes, with 100 a second of a service that has no
             route (so Consul works and the gateway does not), and with 100 a second of services that have
    others   what fabio and Traefik would ask of this agent for the same: requests and bytes, from the real answers

Two kinds of change are timed in turns: an instance gets another port, which makes it a new one (and has nearly all of
the service's weight, so the next request shows it), and the check of such an instance becomes critical or passes again.
All others of --rate set the check of an instance to warning or back. Prints Markdown tables; takes five minutes.
The binaries: $FRONTDESK_BIN or build/release/frontdesk, nginx and wrk on PATH, Consul as in ./setup --consul.
"""
import argparse
import atexit
import gzip
import json
import multiprocessing
import os
import random
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT + "/test/e2e")
from lib.client import RawClient, build  # noqa: E402
from lib.cluster import Cluster, check_op  # noqa: E402
from lib.gateway import Gateway  # noqa: E402
from lib.wait import free_port, wait_for  # noqa: E402

HEAVY = 65535
NODES = 500
HEAVY_EACH = 50  # each so many-th service has an instance with nearly all of the weight from the start
PATIENCE_S = 15  # for one change


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=5000)
    parser.add_argument("--instances", type=int, default=10)
    parser.add_argument("--servers", type=int, default=1, choices=(1, 3))
    parser.add_argument("--modes", default="https,http")
    parser.add_argument("--parts", default="rest,changes,load,others")
    parser.add_argument("--rate", type=int, default=100, help="changes a second")
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement")
    return parser.parse_args()


# The origin: two ports of an nginx, which say which they are.


class Backends:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="frontdesk-bench-")
        self.ports = (free_port(), free_port())
        servers = "".join("server { listen 127.0.0.1:%d; location / { return 200 %d; } }\n" % (port, port)
                          for port in self.ports)
        with open(self.dir + "/nginx.conf", "w") as file:
            file.write("daemon off; master_process off; pid %s/pid; error_log /dev/null; events { "
                       "worker_connections 4096; }\nhttp { access_log off; keepalive_requests 10000000; "
                       "client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; "
                       "scgi_temp_path %s;\n%s}" % ((self.dir,) * 6 + (servers,)))
        self.process = subprocess.Popen(["nginx", "-c", self.dir + "/nginx.conf"], stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


# What is in the catalog.


def name_of(service):
    return "svc%04d" % service


def node_of(service, number, o):
    return "bulk-%d" % ((service * o.instances + number) % NODES)


def instance_op(service, number, port, weight, o):
    """Service number o.services is the one without a route."""
    tags = ["frontdesk.path=/%s/" % name_of(service)] if service < o.services else []
    id = "%s-%d" % (name_of(service), number)
    return {"Service": {"Verb": "set", "Node": node_of(service, number, o), "Service": {
        "ID": id, "Service": name_of(service), "Address": "127.0.0.1", "Port": port,
        "Tags": tags, "Weights": {"Passing": weight, "Warning": 1}}}}


def check_of(service, number, status, o):
    return check_op(node_of(service, number, o), name_of(service), "%s-%d" % (name_of(service), number), status)


def fill(cluster, ports, o):
    cluster.transact([{"Node": {"Verb": "set", "Node": {"Node": "bulk-%d" % i, "Address": "127.0.0.1"}}}
                      for i in range(NODES)])
    for at in range(0, o.services + 1, 50):
        ops = []
        for service in range(at, min(at + 50, o.services + 1)):
            for number in range(o.instances):
                heavy = number == 0 and service % HEAVY_EACH == 0
                ops.append(instance_op(service, number, ports[not heavy], HEAVY if heavy else 1, o))
                ops.append(check_of(service, number, "passing", o))
        cluster.transact(ops)


class Writer:
    """A process that changes checks, so many a second, until stop()."""

    def __init__(self, cluster, rate, o, routed=True):
        self.leader, self.rate, self.o, self.routed = cluster.leader(), rate, o, routed
        self._ending = multiprocessing.Event()
        self._written = multiprocessing.Value("i", 0)
        self._began = time.monotonic()
        self._process = multiprocessing.Process(target=self._run, daemon=True)
        self._process.start()

    def _run(self):
        client = RawClient(self.leader.port, host=self.leader.host)
        warned, due = set(), time.monotonic()
        while not self._ending.is_set():
            service = random.randrange(self.o.services) if self.routed else self.o.services
            number = random.randrange(1, self.o.instances)
            which = (service, number)
            status = "passing" if which in warned else "warning"
            warned ^= {which}
            op = check_of(service, number, status, self.o)
            client.send(build("PUT", "/v1/txn", body=json.dumps([op]).encode(), host="consul"))
            if client.read_answer("PUT").status != 200:
                break
            self._written.value += 1
            due += 1 / self.rate
            self._ending.wait(max(0, due - time.monotonic()))

    def stop(self):
        """Changes a second that there were."""
        self._ending.set()
        self._process.join(10)
        return self._written.value / (time.monotonic() - self._began)


# What processes cost.


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Cost:
    """Share of a core and memory of gateway, agent and leading server, over a time."""

    def __init__(self, gateway, cluster):
        self.gateway, self.cluster = gateway, cluster
        self.pids = [gateway.process.pid, cluster.agent.process.pid, cluster.leader().process.pid]
        self.before = [cpu_s(pid) for pid in self.pids]
        self.requests = gateway.status()["consul"].get("requests", 0)
        self.began = time.monotonic()

    def cells(self):
        took = time.monotonic() - self.began
        cells = ["%.1f %% / %.0f MB" % ((cpu_s(pid) - before) / took * 100, rss_mb(pid))
                 for pid, before in zip(self.pids, self.before)]
        requests = self.gateway.status()["consul"].get("requests", 0) - self.requests
        return cells + ["%.1f" % (requests / took), str(connections(self.cluster.agent))]


def connections(agent):
    """Open connections to the agent's HTTP and HTTPS ports."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return len([row for row in rows if row[3] == "01" and
                int(row[2].split(":")[1], 16) in (agent.port, agent.https_port)])


# How long a change takes.


class Ports:
    """Which port each service answers from, by what was changed so far."""

    def __init__(self, ports, o):
        self.ports, self.o = ports, o
        self.moved = {}  # service: which port its first instance has
        self.critical = None  # the service whose first instance is critical now
        self.next_checked = 0

    def move(self, service):
        """(operation, port that answers then) of an instance that gets another port."""
        now = self.moved.get(service, int(service % HEAVY_EACH != 0))
        self.moved[service] = 1 - now
        return instance_op(service, 0, self.ports[1 - now], HEAVY, self.o), self.ports[1 - now]

    def check(self):
        """(service, operation, port) of a check that fails, or passes again the time after."""
        if self.critical is not None:
            service, self.critical = self.critical, None
            return service, check_of(service, 0, "passing", self.o), self.ports[0]
        self.next_checked = (self.next_checked + HEAVY_EACH) % self.o.services
        self.critical = self.next_checked
        return self.critical, check_of(self.critical, 0, "critical", self.o), self.ports[1]


class Prober:
    """Changes one service after the other and waits until that can be seen, at the gateway and in a
    blocking query. What it took is in ms."""

    def __init__(self, cluster, gateway, ports, o):
        self.o, self.ports = o, ports
        self.leader, self.agent, self.port = cluster.leader(), cluster.agent, gateway.port
        self.moved, self.checked, self.known, self.late = [], [], [], 0
        self._connect()

    def _connect(self):
        self.put = RawClient(self.leader.port, host=self.leader.host)
        self.query = RawClient(self.agent.port, host=self.agent.host)
        self.gateway = RawClient(self.port)

    def _index(self, path):
        self.query.send(build("GET", path, host="consul"))
        return self.query.read_answer().header("X-Consul-Index")

    def change(self, service, op, port, to):
        path = "/v1/health/service/%s?stale" % name_of(service)
        self.query.send(build("GET", path + "&wait=1m&index=" + self._index(path), host="consul"))
        self.put.send(build("PUT", "/v1/txn", body=json.dumps([op]).encode(), host="consul"))
        written, known, routed = self._watch(build("GET", "/%s/" % name_of(service)), port)
        if written and known:
            self.known.append((known - written) * 1000)
        if written and routed:
            to.append((routed - written) * 1000)
        if not (written and known and routed):
            self.late += 1
            self._connect()

    def _watch(self, ask, port):
        """When the write was answered, the blocking query was, and the gateway routed to that port."""
        written = known = routed = None
        end = time.monotonic() + PATIENCE_S
        asked = False
        while not (written and known and routed) and time.monotonic() < end:
            if not asked and not routed:
                self.gateway.send(ask)
                asked = True
            ready, _, _ = select.select([self.put.sock] * (not written) + [self.query.sock] * (not known) +
                                        [self.gateway.sock] * asked, [], [], 1)
            if self.gateway.sock in ready:
                asked = False
                if self.gateway.read_answer().body.startswith(str(port).encode()):
                    routed = time.monotonic()
                else:
                    time.sleep(0.0003)
            if self.put.sock in ready:
                self.put.read_answer("PUT")
                written = time.monotonic()
            if self.query.sock in ready:
                self.query.read_answer()
                known = time.monotonic()
        return written, known, routed

    def run(self, seconds, a_second, moves):
        """`moves`: one of so many changes is another port, the others are checks."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        turn = 0
        while time.monotonic() < end:
            if turn % moves != moves - 1:
                self.change(*self.ports.check(), self.checked)
            else:
                service = random.randrange(1, HEAVY_EACH) + HEAVY_EACH * random.randrange(
                    self.o.services // HEAVY_EACH)
                self.change(service, *self.ports.move(service), self.moved)
            turn += 1
            due = max(due + 1 / a_second, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))

    def cells(self):
        late = ["%d not within %d s" % (self.late, PATIENCE_S)] if self.late else []
        cells = ["%.1f / %.1f (%d)" % (quantile(values, 0.5), quantile(values, 0.99), len(values)) if values else "-"
                 for values in (self.moved, self.checked, self.known)]
        return [", ".join([cells[0]] + late)] + cells[1:]


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


# wrk.


def wrk(url, seconds):
    """(answers a second, median latency in ms)"""
    done = subprocess.run(["wrk", "-t1", "-c16", "-d%ds" % seconds, "--latency", url], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        sys.exit(done)
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", done).groups()
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done).group(1)),
            float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit])


# What others would ask.


def size(agent, path):
    body = RawClient(agent.port, host=agent.host, timeout=60)
    body.send(build("GET", path, host="consul"))
    answer = body.read_answer().body
    return len(answer), len(gzip.compress(answer, 1))


def kb(pair):
    return "%s (%s gzip)" % tuple("%.0f KB" % (n / 1e3) if n < 1e6 else "%.1f MB" % (n / 1e6) for n in pair)


def others(agent, o):
    state, lists = size(agent, "/v1/health/state/any"), size(agent, "/v1/catalog/services")
    catalog, health = (size(agent, "/v1/%s/%s" % (path, name_of(1))) for path in ("catalog/service", "health/service"))
    fabio = tuple(s + o.services * c for s, c in zip(state, catalog))
    traefik = tuple(a + o.services * b for a, b in zip(lists, health))
    print("\n| asks | requests for one change | bytes |\n|---|---|---|")
    print("| frontdesk, HTTPS | 1: the watch of that service | %s |" % kb(health))
    print("| fabio: `health/state/any`, then `catalog/service/X` for each | %d | %s |" % (1 + o.services, kb(fabio)))
    print("| Traefik: `catalog/services`, then `health/service/X` for each, every 15 s, changed or not | %d | %s |" % (
        1 + o.services, kb(traefik)))


# The whole.


def measured(cluster, gateway, what):
    cost = Cost(gateway, cluster)
    values = what()
    return cost.cells() + values


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def costs(mode, cluster, gateway, ports, o):
    row(mode, "gateway CPU / memory", "agent", "server", "requests to Consul a second", "connections",
        "new instance routed to, ms p50 / p99 (n)", "check obeyed", "told to a raw blocking query")
    row(*["---"] * 9)
    if "rest" in o.parts:
        time.sleep(5)
        row("rest", *measured(cluster, gateway, lambda: time.sleep(o.seconds / 2) or ["", "", ""]))
    if "changes" not in o.parts:
        return
    for rate in (1, o.rate):
        prober = Prober(cluster, gateway, ports, o)
        writer = Writer(cluster, rate - 10, o) if rate > 10 else None
        cells = measured(cluster, gateway,
                         lambda: prober.run(o.seconds * (2 if rate == 1 else 1), min(10, rate),
                                            2 if mode == "https" else 6) or prober.cells())
        written = (writer.stop() if writer else 0) + min(10, rate)
        row("%.0f change%s a second" % (written, "" if rate == 1 else "s"), *cells)


def under_load(gateway, cluster, o):
    """Turns, because the machine is never quiet for long."""
    url = "http://127.0.0.1:%d/%s/" % (gateway.port, name_of(0))
    seconds = max(2, o.seconds // 5)
    kinds = {"no change": None, "%d changes a second without a route" % o.rate: False,
             "%d changes a second" % o.rate: True}
    turns = {kind: [] for kind in kinds}
    wrk(url, 1)
    for _ in range(3):
        for kind, routed in kinds.items():
            updates = gateway.status()["consul"]["updates"]
            writer = Writer(cluster, o.rate, o, routed) if routed is not None else None
            turns[kind].append(wrk(url, seconds) + ((gateway.status()["consul"]["updates"] - updates) / seconds,))
            if writer:
                writer.stop()
    print("\n| | answers a second | median, ms | snapshots a second |\n|---|---|---|---|")
    for kind, values in turns.items():
        row(kind, *(", ".join(form % value[i] for value in values) for i, form in enumerate(("%.0f", "%.2f", "%.0f"))))


def run_mode(mode, cluster, ports, o):
    settings = cluster.settings() if mode == "https" else {"address": cluster.agent.address}
    began = time.monotonic()
    gateway = Gateway({"consul": settings}, timeout=120)
    atexit.register(gateway.kill9)
    wait_for(lambda: gateway.get("/%s/" % name_of(o.services - 1)).status == 200, 60, "the last service")
    ready = time.monotonic() - began
    print("\n%s: ready after %.1f s, %.1f s of CPU\n" % (
        "HTTPS" if mode == "https" else "Plain HTTP", ready, cpu_s(gateway.process.pid)))
    costs(mode, cluster, gateway, ports, o)
    if "load" in o.parts:
        under_load(gateway, cluster, o)
    gateway.stop()


def main(o):
    o.parts = o.parts.split(",")
    sys.setswitchinterval(0.0005)
    backends = Backends()
    atexit.register(backends.stop)
    cluster = Cluster(servers=o.servers, acl=False)
    atexit.register(cluster.close)
    began = time.monotonic()
    fill(cluster, backends.ports, o)
    print("%d services, %d instances: filled within %.0f s" % (
        o.services, o.services * o.instances, time.monotonic() - began), flush=True)
    ports = Ports(backends.ports, o)
    for mode in o.modes.split(","):
        run_mode(mode, cluster, ports, o)
    if "others" in o.parts:
        others(cluster.agent, o)


if __name__ == "__main__":
    main(options())
