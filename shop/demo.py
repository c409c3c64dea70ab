#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shop behind frontdesk: a real Consul, six services, sixteen instances, one gateway.

    ./demo            builds and starts everything, prints what to try, ends with Ctrl-C
    ./demo --check    takes the tour by itself: every step is asserted, exit status 0 or 1
    --build DIR       uses frontdesk and shop of that build folder as they are, builds nothing
    --no-consul       the same shop from a static list, as on a machine without Consul

It ends exactly the processes that it started and removes its temporary folder.
"""
import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
from far import Phone  # noqa: E402
from login import Login  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Service: (first segment of its paths, number of instances).
SERVICES = {"users": ("users", 2), "products": ("products", 3), "orders": ("orders", 3),
            "payments": ("payments", 3), "notifications": ("notifications", 2),
            "shipping": ("shipments", 3)}
# Impatient settings, so that a person can watch the breaker open and close.
ORDERS_BREAKER = {"failure_rate": 50, "minimum_requests": 10, "window": "10s", "open_for": "3s",
                  "half_open_requests": 3}
# A shop without parcel tracking is still a shop.
SHIPPING_FALLBACK = [{"on": ["any", "5xx"], "cache": {"max_age": "10m"}},
                     {"on": ["any", "5xx"], "static": {"status": 200, "json": {"shipments": []}}}]
# What the app shows first: one request in place of five.
PROFILE = {"deadline": "800ms", "parts": {
    "user": {"service": "users", "path": "/users/{id}", "select": "omit(@, ['email'])", "required": True},
    "orders": {"service": "orders", "path": "/orders/?user={id}", "select": "[*].{id, total, status}", "fallback": []},
    "shipping": {"service": "shipping", "for_each": "orders[*].id", "path": "/shipments/?order={item}", "fallback": []},
    "news": {"service": "notifications", "path": "/notifications/?user={id}", "fallback": []},
    "tea": {"service": "products", "path": "/products/?search=tea", "select": "[*].name", "fallback": []}}}


# Small helpers.

def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(wanted, _next=[20000 + os.getpid() % 8000]):
    """The usual port when it is free, else one outside the range of outgoing connections."""
    if wanted and port_is_free(wanted):
        return wanted
    while True:
        _next[0] += 1
        if port_is_free(_next[0]):
            return _next[0]


def call(url, method="GET", body=None, timeout=10):
    """(status, headers, text); status 0 when nobody answered."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method,
                                     headers={"Content-Type": "application/json"} if data else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError as error:
        return 0, {}, str(error)
    with answer:
        return answer.status, answer.headers, answer.read().decode("utf-8", "replace")


def poll(condition, seconds, what):
    """The first true value of condition(); an error when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s: not within %g seconds" % (what, seconds))
        time.sleep(0.02)


# The demo: its processes, in the order in which they start.

class Demo:
    def __init__(self, build, fixed_ports):
        self.frontdesk = os.environ.get("FRONTDESK_BIN") or os.path.join(build, "frontdesk")
        self.shop = os.path.join(build, "shop", "shop")
        self.folder = tempfile.mkdtemp(prefix="frontdesk-demo-")
        self.token = os.path.join(self.folder, "admin.token")
        with open(os.open(self.token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(16) + "\n")
        self.processes = {}
        self.instances = {}
        self.consul = None
        self.login = Login(self.folder)
        self.ada = self.login.token("u1", name="Ada")
        self.support = self.login.token("sam", roles=["support"])
        port, secure, admin = (8080, 8443, 9901) if fixed_ports else (None, None, None)
        self.consul_port = 8500 if fixed_ports else None
        self.port = choose_port(port)
        self.secure_port = choose_port(secure)
        self.admin_port = choose_port(admin)
        self.url = "http://127.0.0.1:%d" % self.port
        self.secure_url = "https://localhost:%d" % self.secure_port
        self.admin = "http://127.0.0.1:%d" % self.admin_port

    def start(self, name, *command):
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            # A session of its own: Ctrl-C reaches this script alone, which then ends them in order.
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=log, start_new_session=True)

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as file:
            return file.read()

    def start_consul(self, binary):
        port = choose_port(self.consul_port)
        self.start("consul", binary, "agent", "-dev", "-node", "demo", "-bind", "127.0.0.1",
                   "-http-port", str(port), "-dns-port", "-1", "-grpc-port", "-1",
                   "-server-port", str(choose_port(None)), "-serf-lan-port", str(choose_port(None)),
                   "-serf-wan-port", str(choose_port(None)), "-log-level", "warn")
        self.consul = "http://127.0.0.1:%d" % port
        poll(lambda: '"' in call(self.consul + "/v1/status/leader")[2][1:], 30, "Consul is up")

    def start_instance(self, service, number):
        name = "%s-%d" % (service, number)
        port = choose_port(None)
        command = [self.shop, "--service", service, "--instance", name, "--port", str(port),
                   "--journal", os.path.join(self.folder, service + ".journal")]
        if self.consul:
            command += ["--consul", self.consul]
        self.start(name, *command)
        self.instances[name] = "http://127.0.0.1:%d" % port
        return name

    def start_shop(self):
        for service, (_, count) in SERVICES.items():
            for number in range(1, count + 1):
                self.start_instance(service, number)
        for name, url in self.instances.items():
            poll(lambda: call(url + "/health")[0] == 200, 10, name + " is up")
        if self.consul:
            poll(lambda: set(SERVICES) <= set(json.loads(call(self.consul + "/v1/catalog/services")[2])),
                 10, "all services are registered")

    def configuration(self):
        door = {"certificates": [{"cert": self.login.certificate, "key": self.login.certificate_key}]}
        config = {"listeners": [{"address": "127.0.0.1:%d" % self.port},
                                {"address": "127.0.0.1:%d" % self.secure_port, "tls": door}],
                  "admin": {"address": "127.0.0.1:%d" % self.admin_port,
                            "token_file": self.token},
                  "state_dir": os.path.join(self.folder, "state"),
                  "services": {"orders": {"breaker": ORDERS_BREAKER},
                               "shipping": {"fallback": SHIPPING_FALLBACK}},
                  **self.login.configuration()}
        config["routes"].append({"path": "/screens/profile/{id}", "aggregate": PROFILE, "auth": "account"})
        if self.consul:
            config["consul"] = {"address": self.consul, "expose": "tagged"}
            config["fleet"] = {"name": "demo"}
            return config
        for service, (path, _) in SERVICES.items():
            entry = config["services"].setdefault(service, {})
            entry["instances"] = [url.split("//")[1] for name, url in self.instances.items()
                                  if name.startswith(service + "-")]
            config["routes"].append({"path": "/%s/" % path, "service": service})
        return config

    def start_gateway(self):
        folder = os.path.join(self.folder, "conf.d")
        os.makedirs(folder, exist_ok=True)
        os.makedirs(os.path.join(self.folder, "state"), exist_ok=True)
        with open(os.path.join(folder, "demo.yaml"), "w") as file:
            json.dump(self.configuration(), file, indent=2)  # JSON is YAML
        self.start("frontdesk", self.frontdesk, "run", "-c", folder)
        poll(self.gateway_is_ready, 15, "the gateway is ready")

    def gateway_is_ready(self):
        if self.processes["frontdesk"].poll() is not None:
            raise AssertionError("frontdesk ended:\n" + self.log("frontdesk"))
        return call(self.admin + "/readyz")[0] == 200

    def stop(self):
        """The gateway first, Consul last; what does not end in time is killed."""
        for name, process in reversed(self.processes.items()):
            if process.poll() is None:
                process.terminate()
                if name == "frontdesk":
                    self.wait(process)
        for process in self.processes.values():
            self.wait(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def wait(process):
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # What the tour uses.

    def rule(self, kind, **entry):
        """An entry of Consul's configuration, as `consul config write` makes it."""
        body = {"Kind": kind, "Name": "products", **entry}
        assert call(self.consul + "/v1/config", "PUT", body)[0] == 200, kind

    def command(self, *words):
        """frontdesk WORDS as on-call types it: (exit status, what it printed)."""
        done = subprocess.run([self.frontdesk, *words, "-a", "127.0.0.1:%d" % self.admin_port],
                              env=dict(os.environ, FRONTDESK_TOKEN_FILE=self.token), timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def get(self, path):
        return call(self.url + path)

    def admin_json(self, path):
        status, _, text = call(self.admin + path)
        if status != 200:
            raise AssertionError("GET %s answered %d" % (path, status))
        return json.loads(text)

    def breaker(self, service):
        for entry in self.admin_json("/v1/breakers")["breakers"]:
            if entry["service"] == service:
                return entry["state"]
        return None

    def usable(self, service):
        """Names of the instances that the status shows as in use; addresses without Consul."""
        for entry in self.admin_json("/v1/services")["services"]:
            if entry["name"] == service:
                return [i["id"] for i in entry["instances"]
                        if i["health"] in ("passing", "warning") and not i.get("ejected")]
        return []

    def chaos(self, service, **wanted):
        for name, url in self.instances.items():
            if name.startswith(service + "-") and self.processes[name].poll() is None:
                assert call(url + "/_chaos", "PUT", wanted)[0] == 200, name


# The tour that a person takes.

TOUR = """
The shop is open.
  gateway    {url}
  status     {admin}/            (a page to watch while you try the rest)
  consul     {consul}

Call it: one address, six services. X-Instance tells who answered.
  curl -i {url}/users/
  curl -i '{url}/products/?search=tea'
  curl -i {url}/orders/o1
  curl -i '{url}/shipments/?order=o1'
  curl -i -d '{{"user":"u2","items":[{{"product":"p2","quantity":2,"price":900}}]}}' {url}/orders/
  curl -i -d '{{"order":"o3","amount":1050}}' {url}/payments/
  curl -i '{url}/notifications/?user=u1'

Log in, over TLS and HTTP/2: an account is for its owner, and for support.
  curl -i {url}/users/u1                                       # 401, and why
  curl -i --cacert {cert} -H "Authorization: Bearer $(cat {ada})" {secure}/users/u1
  curl -i --cacert {cert} -H "Authorization: Bearer $(cat {ada})" {secure}/users/u2      # 403
  curl -i --cacert {cert} -H "Authorization: Bearer $(cat {support})" {secure}/users/u2

Load a whole screen with one call: side by side behind the door, over a network with 150 ms there and back.
  python3 {far} {secure} {cert} {ada}
  for u in {news}; do curl -X PUT -d '{{"mode":"fail"}}' $u/_chaos; done
  python3 {far} {secure} {cert} {ada}       # it still loads, and says what is missing
  for u in {news}; do curl -X PUT -d '{{"mode":"ok"}}' $u/_chaos; done

Kill an instance: nobody notices.
  kill -9 {victim}                          # products-1
  for i in $(seq 20); do curl -s -o /dev/null -w '%{{http_code}} ' {url}/products/; done

Lose a service that has a fallback: clients get the last good answer.
  curl -i '{url}/shipments/?order=o1'
  for u in {shipping}; do curl -X PUT -d '{{"mode":"fail"}}' $u/_chaos; done
  curl -i '{url}/shipments/?order=o1'       # 200, Frontdesk-Fallback: cache
  for u in {shipping}; do curl -X PUT -d '{{"mode":"ok"}}' $u/_chaos; done

Be on call: look, take a breaker in hand, see it end by itself; ask where a request would go.
  export FRONTDESK_TOKEN_FILE={token}       # the status page asks for what is in it
  {frontdesk} status -a {address} --watch
  {frontdesk} breaker open payments --for 1m --reason "double charges" -a {address}
  curl -i {url}/payments/
  {frontdesk} breakers payments -a {address}
  {frontdesk} explain GET {url}/orders/o1 -a {address}

Break a service: its breaker opens, the others do not feel it, and it closes by itself.
  for u in {orders}; do curl -X PUT -d '{{"mode":"fail"}}' $u/_chaos; done
  for i in $(seq 30); do curl -s -o /dev/null -w '%{{http_code}} ' {url}/orders/; done
  curl -i {url}/orders/                     # 503, Frontdesk-Reason: breaker_open
  curl {admin}/v1/breakers
  for u in {orders}; do curl -X PUT -d '{{"mode":"ok"}}' $u/_chaos; done
  (other modes: slow, hang, reset, flaky; see shop/chaos.h)
"""
TOUR_CONSUL = """
Bring a new service: it is callable the moment it has registered.
  {shop} --service reviews --consul {consul} &
  curl -i -d '{{"product":"p1","stars":5}}' {url}/reviews/
  curl -i {url}/reviews/

Move traffic by Consul's own rules, which nobody edits the gateway for: all of it to one instance, and back.
  curl -X PUT -d '{{"Kind":"service-resolver","Name":"products","DefaultSubset":"canary","Subsets":{{"canary":{{"Filter":"Service.ID == \\"products-3\\""}}}}}}' {consul}/v1/config
  for i in $(seq 6); do curl -s -o /dev/null -D - {url}/products/ | grep -i x-instance; done
  curl -X DELETE {consul}/v1/config/service-resolver/products

Freeze Consul and end the gateway, which the demo starts anew: it serves what it knew, and says how old that is.
  kill -STOP {consul_pid}; kill {gateway_pid}; sleep 4
  curl -i {url}/orders/o1; {frontdesk} status -a {address}; kill -CONT {consul_pid}
"""


def instances_of(demo, service):
    return " ".join(url for name, url in demo.instances.items() if name.startswith(service + "-"))


def print_tour(demo):
    text = TOUR + (TOUR_CONSUL if demo.consul else "")
    print(text.format(
        url=demo.url, admin=demo.admin, shop=demo.shop,
        consul=demo.consul or "none to be had here: the instances come from a static list",
        victim=demo.processes["products-1"].pid, token=demo.token, frontdesk=demo.frontdesk,
        consul_pid=demo.processes["consul"].pid if demo.consul else 0,
        gateway_pid=demo.processes["frontdesk"].pid, cert=demo.login.certificate, ada=demo.ada, support=demo.support, secure=demo.secure_url,
        address=demo.admin.split("//")[1], orders=instances_of(demo, "orders"),
        shipping=instances_of(demo, "shipping"), news=instances_of(demo, "notifications"),
        far=os.path.join(ROOT, "shop", "far.py")))
    print("Ctrl-C ends everything.", flush=True)


# The tour that takes itself.

def check_whole_shop(demo):
    """all six services answer through the gateway"""
    for service, (path, _) in SERVICES.items():
        poll(lambda: demo.get("/%s/" % path)[0] == 200, 5, "GET /%s/" % path)
    status, _, text = demo.get("/orders/o1")
    assert status == 200 and json.loads(text)["user"] == "u1", text
    status, _, text = call(demo.url + "/orders/", "POST", {
        "user": "u2", "items": [{"product": "p2", "quantity": 2, "price": 900}]})
    assert status == 201 and json.loads(text)["total"] == 1800, text
    made = json.loads(text)["id"]
    assert demo.get("/orders/" + made)[0] == 200, "the new order is there for every instance"


def check_rotation(demo):
    """the instances of a service take turns"""
    seen = {demo.get("/products/")[1].get("X-Instance") for _ in range(60)}
    assert len(seen) == SERVICES["products"][1], seen


def check_kill(demo):
    """kill -9 of an instance: no failed GET among 200, and the status drops it"""
    before = len(demo.usable("products"))
    demo.processes["products-1"].kill()
    answers = [demo.get("/products/") for _ in range(200)]
    failed = [(status, headers.get("Frontdesk-Reason")) for status, headers, _ in answers
              if status != 200]
    assert not failed, "%d failed: %s" % (len(failed), failed[:5])
    poll(lambda: len(demo.usable("products")) == before - 1, 15, "the dead instance is out")


def check_breaker(demo):
    """a failing service: its breaker opens, others work, it closes by itself"""
    demo.chaos("orders", mode="fail", status=500)

    def refused():
        status, headers, _ = demo.get("/orders/")
        return status == 503 and headers.get("Frontdesk-Reason") == "breaker_open"
    poll(refused, 10, "503 breaker_open")
    assert demo.breaker("orders") == "open", demo.breaker("orders")
    begin = time.monotonic()
    assert refused() and time.monotonic() - begin < 0.5, "an open breaker answers at once"
    for service, (path, _) in SERVICES.items():
        assert service == "orders" or demo.get("/%s/" % path)[0] == 200, service
    demo.chaos("orders", mode="ok")
    poll(lambda: demo.get("/orders/")[0] == 200, 20, "orders answers again")
    poll(lambda: demo.get("/orders/") and demo.breaker("orders") == "closed", 20, "breaker closed")


def check_new_service(demo):
    """a new service is callable within a second of registering, and gone when it leaves"""
    assert demo.get("/reviews/")[0] == 404, "nobody serves /reviews/ yet"
    name = demo.start_instance("reviews", 1)
    poll(lambda: "reviews" in call(demo.consul + "/v1/catalog/services")[2], 10, "it registers")
    poll(lambda: demo.get("/reviews/")[0] == 200, 1, "GET /reviews/")
    status, headers, _ = call(demo.url + "/reviews/", "POST", {"product": "p1", "stars": 5})
    assert status == 201 and headers["X-Instance"] == name, (status, headers)
    demo.processes[name].terminate()
    poll(lambda: demo.get("/reviews/")[0] in (404, 503), 5, "404 or 503 for /reviews/")


def check_fallback(demo):
    """a failing service with a fallback: clients get the last good answer, then a new one"""
    target = "/shipments/?order=o1"
    good = poll(lambda: demo.get(target)[0] == 200 and demo.get(target)[2], 5, "GET " + target)
    demo.chaos("shipping", mode="fail", status=500)
    for _ in range(20):
        status, headers, text = demo.get(target)
        assert (status, headers.get("Frontdesk-Fallback"), text) == (200, "cache", good), (status, text)
    demo.chaos("shipping", mode="ok")
    poll(lambda: demo.get(target)[1].get("Frontdesk-Fallback") is None, 30, "shipping answers again")


def check_login(demo):
    """an account is for its owner and for support, over TLS and HTTP/2"""
    def ask(path, token=None):
        words = ["curl", "-sS", "--cacert", demo.login.certificate, "-o", "/dev/null",
                 "-w", "%{http_version} %{http_code}", demo.secure_url + path]
        if token:
            with open(token) as file:
                words += ["-H", "Authorization: Bearer " + file.read()]
        return subprocess.run(words, stdout=subprocess.PIPE, timeout=20, text=True).stdout

    status, headers, text = demo.get("/users/u1")
    assert (status, headers.get("Frontdesk-Reason")) == (401, "unauthenticated"), (status, text)
    assert headers.get("WWW-Authenticate", "").startswith("Bearer"), headers
    seen = [ask("/users/u1"), ask("/users/u1", demo.ada), ask("/users/u2", demo.ada), ask("/users/u2", demo.support)]
    assert seen == ["2 401", "2 200", "2 403", "2 200"], seen


def check_profile(demo):
    """a whole screen with one call: quicker than five, and it loads when a part of it is down"""
    phone = Phone(demo.secure_url, demo.login.certificate, demo.ada)
    phone.get("/users/u1")
    slow, answers = phone.one_by_one()
    assert [a[0] for a in answers] == [200] * 5, answers
    fast, (status, screen, partial) = phone.at_once()
    assert (status, partial) == (200, None), (status, partial, screen)
    assert screen["user"]["id"] == "u1" and "email" not in screen["user"] and screen["orders"], screen
    print("        five calls %.0f ms, one call %.0f ms" % (slow, fast))
    demo.chaos("notifications", mode="fail", status=500)
    _, (status, screen, partial) = phone.at_once()
    demo.chaos("notifications", mode="ok")
    assert status == 200 and screen["user"]["id"] == "u1" and screen["news"] == [], (status, screen)
    assert partial.startswith("news; reason="), partial
    assert screen["errors"][0]["part"] == "news", screen["errors"]


def check_operator(demo):
    """a breaker forced open by hand: refused at once, shown with author and end, ends by itself"""
    status, text = demo.command("breaker", "open", "payments", "--for", "2s", "--reason", "demo")
    assert status == 0, text
    status, headers, _ = demo.get("/payments/")
    assert (status, headers.get("Frontdesk-Reason")) == (503, "breaker_open"), status
    status, text = demo.command("breakers", "payments")
    assert "forced open" in text.replace("_", " ") and "demo" in text, text
    poll(lambda: demo.get("/payments/")[0] == 200, 10, "payments answers again")
    status, text = demo.command("explain", "GET", demo.url + "/payments/")
    assert status == 0 and "payments" in text, text


def check_traffic_rules(demo):
    """Consul's own rules: all of a service to a canary and back, by two writes to Consul"""
    def who():
        return {demo.get("/products/")[1].get("X-Instance") for _ in range(12)}
    everybody = who()
    assert len(everybody) > 1, everybody
    canary = sorted(everybody)[-1]
    demo.rule("service-resolver", DefaultSubset="canary",
              Subsets={"canary": {"Filter": 'Service.ID == "%s"' % canary}})
    poll(lambda: who() == {canary}, 10, "the canary alone")
    assert call(demo.consul + "/v1/config/service-resolver/products", "DELETE")[0] == 200
    poll(lambda: who() == everybody, 10, "all of them again")


def check_consul_away(demo):
    """Consul hangs and the gateway starts anew: it serves what it knew, and says how old that is"""
    consul = demo.processes["consul"]
    poll(lambda: demo.admin_json("/v1/status")["consul"]["kept"]["written"], 20, "the catalog is on disk")
    consul.send_signal(signal.SIGSTOP)
    try:
        demo.processes["frontdesk"].terminate()
        demo.wait(demo.processes["frontdesk"])
        demo.start_gateway()
        for service, (path, _) in SERVICES.items():
            assert demo.get("/%s/" % path)[0] == 200, service
        kept = demo.admin_json("/v1/status")["consul"]["kept"]
        assert kept["recalled"]["services"] >= len(SERVICES), kept
    finally:
        consul.send_signal(signal.SIGCONT)
    poll(lambda: demo.admin_json("/v1/status")["consul"]["kept"]["recalled"] is None, 60,
         "Consul has confirmed it")


def check_status_pages(demo):
    """the status page and /v1/status answer"""
    status, headers, text = call(demo.admin + "/")
    assert status == 200 and "html" in headers.get("Content-Type", ""), (status, text[:200])
    assert isinstance(demo.admin_json("/v1/status"), dict)


def run_checks(demo):
    """Every step, also after one that failed; True when all passed."""
    steps = [check_whole_shop, check_rotation, check_kill, check_breaker, check_fallback,
             check_login, check_profile, check_operator, check_new_service, check_status_pages,
             check_traffic_rules, check_consul_away]
    if not demo.consul:
        for step in (check_new_service, check_traffic_rules, check_consul_away):
            steps.remove(step)
    failed = []
    for step in steps:
        begin = time.monotonic()
        try:
            step(demo)
            verdict = "ok    "
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            failed.append(step.__doc__)
            verdict = "FAILED"
            print("        %s: %s" % (type(error).__name__, error))
        print("%s %5.1fs  %s" % (verdict, time.monotonic() - begin, step.__doc__), flush=True)
    if failed:
        print("\nthe end of the gateway's log:\n" + demo.log("frontdesk")[-3000:])
        print("".join("failed: demo, %s\n" % what for what in failed), end="")
    print("demo: %d steps passed, %d failed" % (len(steps) - len(failed), len(failed)))
    return not failed


# From start to end.

def build_release():
    subprocess.run([os.path.join(ROOT, "setup")], check=True)
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", "frontdesk", "shop"]):
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def find_consul():
    found = subprocess.run([os.path.join(ROOT, "setup"), "--consul"], stdout=subprocess.PIPE, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-consul", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--build", metavar="DIR", help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    if not options.build:
        print("Building frontdesk ...", flush=True)
        build_release()
    consul = None if options.no_consul else find_consul()
    demo = Demo(os.path.abspath(options.build or os.path.join(ROOT, "build/release")),
                fixed_ports=not options.check)
    try:
        if consul:
            demo.start_consul(consul)
        else:
            print("No Consul: the same shop from a static list of instances.")
        demo.start_shop()
        demo.start_gateway()
        if options.check:
            return 0 if run_checks(demo) else 1
        print_tour(demo)
        while demo.processes["frontdesk"].poll() in (None, 0):
            if demo.processes["frontdesk"].poll() == 0:  # as the tour says
                demo.start_gateway()
            time.sleep(0.2)
        print("frontdesk has ended:\n" + demo.log("frontdesk")[-3000:])
        return 1
    except KeyboardInterrupt:
        print("\nClosing the shop ...")
        return 0
    except (AssertionError, OSError) as error:
        print("demo: %s" % error, file=sys.stderr)
        return 1
    finally:
        demo.stop()


if __name__ == "__main__":
    sys.exit(main())
