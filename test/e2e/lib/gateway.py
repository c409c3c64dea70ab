# SPDX-License-Identifier: Apache-2.0
"""gateway.py - the real frontdesk binary, run on a configuration that the test writes.

    gateway = Gateway({"routes": [{"path": "/", "service": "web"}]}, consul=consul)
    gateway.get("/orders/1").status               # through its first listener
    gateway.status(), .services(), .service("orders"), .breakers(), .breaker("orders"), .routes()
    gateway.configure({...}); gateway.reload()    # new files, then SIGHUP
    gateway.spread("/orders/", 40)                # Counter of the origins that answered
    gateway.wait_logged(path="/x")["reason"]      # with access_log: stdout
    gateway.rss()                                 # memory of the process
    gateway.stop()                                # SIGTERM; checks how it ended

What is not in the configuration is filled in: two workers, a listener and the admin endpoint on free
ports of loopback, and `consul:` with expose tagged when a Consul (see consul.py) is passed. The
constructor returns when /livez and, unless ready=False, /readyz answer 200.
stop() fails the test when the exit status is not 0 or a sanitizer wrote a report. The binary is
$FRONTDESK_BIN, or build/release/frontdesk.
"""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from . import client
from .consul import ROOT
from .wait import free_port, wait_for

_REPORT = re.compile(r"(ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer"
                     r"|runtime error:|Assertion .* failed)")


def binary():
    return os.environ.get("FRONTDESK_BIN") or os.path.join(ROOT, "build/release/frontdesk")


def run_command(*arguments, timeout=20, input="", environment=None):
    """frontdesk ARGUMENTS to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([binary(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          input=input, text=True, timeout=timeout,
                          env=dict(os.environ, **environment) if environment else None)
    return done.returncode, done.stdout, done.stderr


class Gateway:
    def __init__(self, config=None, consul=None, ready=True, environment=None, timeout=15):
        self.dir = tempfile.mkdtemp(prefix="frontdesk-gateway-")
        self.port = free_port()
        self.admin_port = free_port()
        self.address = "http://127.0.0.1:%d" % self.port
        self.admin = "http://127.0.0.1:%d" % self.admin_port
        self.consul = consul
        self.environment = environment or {}
        self.process = None
        os.mkdir(self.dir + "/conf.d")
        self.configure(config or {})
        self.start(ready, timeout)

    # Configuration.

    def configure(self, config):
        """Writes conf.d/frontdesk.yaml (JSON is YAML); takes effect with reload() or start()."""
        full = {"workers": 2, "listeners": [{"address": "127.0.0.1:%d" % self.port}],
                "admin": {"address": "127.0.0.1:%d" % self.admin_port}}
        if self.consul is not None:
            full["consul"] = {"address": self.consul.address, "expose": "tagged"}
            if self.consul.token:
                self.write_file("consul.token", self.consul.token)
                full["consul"]["token_file"] = self.dir + "/consul.token"
        for key, value in config.items():
            both_maps = isinstance(value, dict) and isinstance(full.get(key), dict)
            full[key] = dict(full[key], **value) if both_maps else value
        self.write_file("conf.d/frontdesk.yaml", json.dumps(full, indent=2))

    def write_file(self, name, text):
        """A file in the gateway's folder, in place at once; the path is returned."""
        path = os.path.join(self.dir, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    # Life.

    def start(self, ready=True, timeout=15):
        environment = dict(os.environ, **self.environment)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        environment.setdefault("TSAN_OPTIONS", "halt_on_error=0:second_deadlock_stack=1:suppressions="
                               + os.path.join(ROOT, "test/tools/tsan.supp"))
        try:
            with open(self.dir + "/stderr", "ab") as err, open(self.dir + "/stdout", "ab") as out:
                self.process = subprocess.Popen(
                    [binary(), "run", "-c", self.dir + "/conf.d"], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=err, env=environment, start_new_session=True)
            self._wait_probe("/livez", timeout)
            if ready:
                self._wait_probe("/readyz", timeout)
        except BaseException as error:
            self.kill9()
            message = "frontdesk did not start: %s\n%s" % (error, self.log()[-3000:])
            shutil.rmtree(self.dir, ignore_errors=True)
            raise AssertionError(message) from None

    def _wait_probe(self, path, timeout):
        def probe():
            if self.process.poll() is not None:
                raise RuntimeError("it ended with status %d" % self.process.returncode)
            return self.admin_get(path).status == 200
        wait_for(probe, timeout, "200 from %s" % path)

    def ready(self):
        try:
            return self.admin_get("/readyz").status == 200
        except (OSError, AssertionError):
            return False

    def reload(self):
        """SIGHUP. A wait_for() on what should change must follow: it works on its own time."""
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        """SIGTERM without waiting, to look at the drain; stop() afterwards."""
        self.process.send_signal(signal.SIGTERM)

    def kill9(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()
            self.process = None

    def stop(self, timeout=30):
        """Ends it as an operator would, and checks how it went. Its files are removed."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            status = "none within %gs of SIGTERM" % timeout
        self.process = None
        log = self.log()
        shutil.rmtree(self.dir, ignore_errors=True)
        report = _REPORT.search(log)
        if report:
            raise AssertionError("sanitizer report:\n" + log[report.start():][:6000])
        if status != 0:
            raise AssertionError("exit status %s:\n%s" % (status, log[-3000:]))

    def log(self):
        """Everything it wrote to stderr."""
        with open(self.dir + "/stderr", errors="replace") as file:
            return file.read()

    def output(self):
        """Everything it wrote to stdout, the access log when it goes there."""
        with open(self.dir + "/stdout", errors="replace") as file:
            return file.read()

    def access_log(self, **members):
        """The lines of the access log that have all these members; for `access_log: stdout`."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.endswith("}")]
        return [line for line in lines if members.items() <= line.items()]

    def wait_logged(self, timeout=10.0, **members):
        """The first line of the access log with these members, as soon as it is written."""
        return wait_for(lambda: self.access_log(**members), timeout,
                        "line with %s in the access log" % members)[0]

    def rss(self):
        """Bytes of memory in use by the process now."""
        with open("/proc/%d/statm" % self.process.pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # Through the gateway.

    def request(self, method, target, **options):
        """See client.request()."""
        return client.request(self.port, method, target, **options)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def connect(self, timeout=10.0):
        """A raw connection to its listener (client.RawClient)."""
        return client.RawClient(self.port, timeout=timeout)

    def spread(self, target, count, **options):
        """Who answers that many GETs, each on a connection of its own: Counter of X-Origin, with
        the reason or status of an answer that no origin gave."""
        answers = [self.get(target, **options) for _ in range(count)]
        return collections.Counter(answer.header("X-Origin") or answer.reason or str(answer.status)
                                   for answer in answers)

    def wait_spread(self, target, origins, timeout=10.0, count=12, **options):
        """Until just these origins, and all of them, answer. Workers take up a change a moment after
        the status page shows it, so this is what a case waits for."""
        wait_for(lambda: set(self.spread(target, count, **options)) == set(origins), timeout,
                 "GET %s answered by %s" % (target, sorted(origins)))

    # Its admin endpoint.

    def admin_get(self, path, timeout=10.0):
        return client.request(self.admin_port, "GET", path, timeout=timeout,
                              host="127.0.0.1:%d" % self.admin_port)

    def admin_json(self, path):
        answer = self.admin_get(path)
        if answer.status != 200:
            raise AssertionError("GET %s: %r" % (path, answer))
        return answer.json()

    def admin_put(self, path, body, headers=None):
        return client.request(self.admin_port, "PUT", path, headers=headers, json=body,
                              host="127.0.0.1:%d" % self.admin_port)

    def status(self):
        return self.admin_json("/v1/status")

    def routes(self):
        return self.admin_json("/v1/routes")

    def services(self):
        """{name: entry} of /v1/services."""
        return {entry["name"]: entry for entry in self.admin_json("/v1/services")["services"]}

    def service(self, name):
        return self.services()[name]

    def instances(self, name):
        """{id: entry} of one service; empty when the service is not known."""
        return {entry["id"]: entry for entry in self.services().get(name, {}).get("instances", [])}

    def breakers(self):
        """{service: entry} of /v1/breakers."""
        return {entry["service"]: entry for entry in self.admin_json("/v1/breakers")["breakers"]}

    def breaker(self, name):
        return self.breakers()[name]

    def metrics(self):
        """{'name{label="value"}': number} of /metrics."""
        values = {}
        for line in self.admin_get("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    # Waiting.

    def wait_status(self, target, status, timeout=10.0, **options):
        """Polls until GET answers with that status; returns that answer."""
        def ask():
            answer = self.get(target, **options)
            if answer.status != status:
                raise AssertionError("last answer %r" % answer)
            return answer
        return wait_for(ask, timeout, "%d for GET %s" % (status, target))

    def wait_instances(self, name, count, timeout=10.0):
        """Until the status shows that many instances of the service."""
        def ask():
            found = self.instances(name)
            if len(found) != count:
                raise AssertionError("shown: %s" % sorted(found))
            return True
        wait_for(ask, timeout, "%d instances of %s" % (count, name))
