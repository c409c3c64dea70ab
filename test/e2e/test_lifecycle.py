# SPDX-License-Identifier: Apache-2.0
"""From `frontdesk check` to the last request of a drain: start, reload, signals, log, sd_notify."""
import json
import os
import signal
import socket
import tempfile
import threading

from lib import (Parallel, Scenario, exchange, free_port, gate, holds, request, run_command,
                 wait_for)


class Folder(Scenario):
    def folder(self, **files):
        """A configuration folder; names without .yaml."""
        made = tempfile.TemporaryDirectory(prefix="frontdesk-conf-")
        self.addCleanup(made.cleanup)
        for name, text in files.items():
            with open("%s/%s.yaml" % (made.name, name), "w") as file:
                file.write(text if isinstance(text, str) else json.dumps(text))
        return made.name


class Check(Folder):
    def test_good(self):
        status, output, errors = run_command("check", "-c", self.folder(
            a="workers: 2\n", b="routes: [{path: /, service: web}]\nconsul: {}\n"))
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("1 routes", output)

    def test_bad_names_file_line_and_key(self):
        rows = [
            ("unknown key", "workers: 2\nservices:\n  orders:\n    breaker:\n      failure_rat: 5\n",
             "bad.yaml:5: services.orders.breaker.failure_rat", "failure_rate"),
            ("not a duration", "services:\n  orders: { timeout: soon }\n",
             "bad.yaml:2: services.orders.timeout", "soon"),
            ("not YAML", "workers: [\n", "bad.yaml:", ""),
            ("bad path", "routes:\n  - { path: orders, service: a }\n", "bad.yaml:2: routes", "path"),
            ("bad address", "listeners:\n  - { address: nonsense }\n", "bad.yaml:2: listeners", "address"),
            ("tls", "listeners:\n  - address: 0.0.0.0:1\n    tls: {}\n", "bad.yaml:3: listeners", "tls"),
        ]
        for name, text, where, word in rows:
            with self.subTest(name):
                status, output, errors = run_command("check", "-c", self.folder(bad=text))
                self.assertEqual((status, output), (1, ""))
                self.assertIn(where, errors)
                self.assertIn(word, errors)

    def test_given_twice_names_both(self):
        status, _, errors = run_command("check", "-c", self.folder(a="workers: 2\n", b="\nworkers: 3\n"))
        self.assertEqual(status, 1)
        self.assertIn("a.yaml:1", errors)
        self.assertIn("b.yaml:2", errors)

    def test_missing_folder(self):
        status, _, errors = run_command("check", "-c", "/does/not/exist")
        self.assertEqual(status, 1)
        self.assertIn("/does/not/exist", errors)


class Start(Folder):
    def test_bad_configuration(self):
        status, _, errors = run_command("run", "-c", self.folder(bad="worker: 2\n"))
        self.assertEqual(status, 1)
        self.assertIn("bad.yaml:1: worker: unknown key", errors)

    def fails(self, config, word):
        status, _, errors = run_command("run", "-c", self.folder(a=config))
        self.assertEqual(status, 1, errors)
        self.assertIn(word, errors)
        self.assertNotIn("Sanitizer", errors)

    def test_port_in_use(self):
        taken = self.origin()
        self.fails({"listeners": [{"address": taken.address}], "admin": False}, taken.address)

    def test_port_in_use_when_the_catalog_comes_first(self):
        taken = self.origin()
        self.fails({"listeners": [{"address": taken.address}], "admin": False,
                    "consul": {"address": self.consul.address}}, taken.address)

    def test_admin_port_in_use(self):
        taken = self.origin()
        self.fails({"listeners": [{"address": "127.0.0.1:%d" % free_port()}],
                    "admin": {"address": taken.address}}, str(taken.port))

    def test_access_log_that_cannot_be_opened(self):
        self.fails({"listeners": [{"address": "127.0.0.1:%d" % free_port()}], "admin": False,
                    "access_log": "/does/not/exist/log"}, "/does/not/exist/log")


class Reload(Folder):
    def start(self, **config):
        self.a, self.b = self.origin("a"), self.origin("b")
        self.config = dict({"services": {"web": {"instances": [self.a.address]}},
                            "routes": [{"path": "/", "service": "web"}]}, **config)
        return self.gateway(self.config, consul=None)

    def test_good_and_bad_under_load(self):
        gateway = self.start()
        with self.load(gateway, threads=3) as load:
            load.wait_count(50)
            self.config["services"]["web"]["instances"] = [self.b.address]
            gateway.configure(self.config)
            gateway.reload()
            wait_for(lambda: gateway.status()["reload"]["count"] == 1, 5, "the reload")
            gateway.wait_spread("/", {"b"})
            load.wait_count(50)

            gateway.write_file("conf.d/zz.yaml", "routes: [ { path: no-slash, service: web } ]\n")
            gateway.reload()
            wait_for(lambda: gateway.status()["reload"]["failed"] == 1, 5, "the refusal")
            shown = gateway.status()["reload"]
            self.assertIn("zz.yaml:1: routes", shown["last_error"])
            self.assertEqual(shown["count"], 1)
            self.assertEqual(set(gateway.spread("/", 10)), {"b"})
            load.wait_count(50)

            os.unlink(gateway.dir + "/conf.d/zz.yaml")
            gateway.reload()
            wait_for(lambda: gateway.status()["reload"]["count"] == 2, 5, "the next reload")
            self.assertIsNone(gateway.status()["reload"]["last_error"])
        self.assertEqual(load.failed, 0, load.summary())

    def test_many_reloads_under_load(self):
        gateway = self.start()
        with self.load(gateway, threads=3) as load:
            for count in range(1, 21):
                self.config["services"]["web"]["instances"] = [
                    (self.a if count % 2 else self.b).address]
                gateway.configure(self.config)
                gateway.reload()
                wait_for(lambda: gateway.status()["reload"]["count"] == count, 5, "the reload")
        self.assertEqual(load.failed, 0, load.summary())
        self.assertEqual(set(load.origins), {"a", "b"})

    def test_request_under_way_keeps_its_configuration(self):
        gateway = self.start()
        open_gate = self.event()
        self.a.on("/x", gate(open_gate))
        call = Parallel(1, lambda i: gateway.get("/x"))
        self.a.wait_requests(1)
        self.config["services"] = {"other": {"instances": [self.b.address]}}
        self.config["routes"] = [{"path": "/", "service": "other"}]
        gateway.configure(self.config)
        gateway.reload()
        gateway.wait_spread("/", {"b"})
        open_gate.set()
        self.assertEqual(call.results()[0].header("X-Origin"), "a")

    def test_listener_added_and_removed(self):
        gateway = self.start()
        first, second = gateway.port, free_port()
        address = "127.0.0.1:%d"
        gateway.configure(dict(self.config, listeners=[{"address": address % first},
                                                       {"address": address % second}]))
        gateway.reload()
        wait_for(lambda: request(second).status == 200, 5, "the second listener")
        with gateway.connect() as kept:
            kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(kept.read_answer().status, 200)
            gateway.configure(dict(self.config, listeners=[{"address": address % second}]))
            gateway.reload()
            wait_for(lambda: not self.connects(first), 5, "the end of the first listener")
            kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(kept.read_answer().status, 200)
        self.assertEqual(request(second).status, 200)

    @staticmethod
    def connects(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        except ConnectionRefusedError:
            return False

    def test_listener_that_cannot_be_opened_refuses_the_reload(self):
        gateway = self.start()
        gateway.configure(dict(self.config, listeners=[{"address": "127.0.0.1:%d" % gateway.port},
                                                       {"address": self.b.address}],
                               services={"web": {"instances": [self.b.address]}}))
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["failed"] == 1, 5, "the refusal")
        self.assertIn(self.b.address, gateway.status()["reload"]["last_error"])
        self.assertEqual(set(gateway.spread("/", 10)), {"a"})

    def test_admin_moves(self):
        gateway = self.start()
        gateway.admin_port = free_port()
        gateway.configure(self.config)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, 5, "the new admin address")

    def test_consul_section_appears_and_changes(self):
        gateway = self.start()
        self.instance("orders", "o")
        gateway.consul = self.consul
        gateway.configure(self.config)
        gateway.reload()
        gateway.wait_spread("/orders/", {"o"})
        with self.load(gateway, "/orders/") as load:
            gateway.configure(dict(self.config, consul={"wait": "30s"}))
            gateway.reload()
            wait_for(lambda: "new Consul settings" in gateway.log(), 10, "the new settings")
            load.wait_count(50)
            gateway.configure(dict(self.config, consul={"expose": "all"}))
            gateway.reload()
            wait_for(lambda: gateway.log().count("new Consul settings") >= 2, 10, "the new settings")
            load.wait_count(50)
        self.assertEqual(load.failed, 0, load.summary())

    def test_consul_section_goes_away(self):
        self.instance("orders", "o")
        gateway = self.gateway({})
        gateway.wait_spread("/orders/", {"o"})
        gateway.consul = None
        web = self.origin("web")
        gateway.configure({"services": {"web": {"instances": [web.address]}},
                           "routes": [{"path": "/", "service": "web"}]})
        gateway.reload()
        gateway.wait_spread("/orders/", {"web"})
        self.assertFalse(gateway.status()["consul"]["enabled"])

    def test_new_consul_that_is_away_is_waited_for(self):
        """The old one is followed meanwhile, and reloads in between are not forgotten."""
        other = self.own_consul()
        self.instance("orders", "new", agent=other, check=None)
        other.stop()
        self.instance("orders", "old")
        gateway = self.gateway({})
        gateway.wait_spread("/orders/", {"old"})
        load = self.load(gateway, "/orders/")
        moved = {"consul": {"address": other.address}}
        gateway.configure(moved)
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, 5, "the reload")
        load.wait_count(50)
        web = self.origin("web")
        moved.update(services={"web": {"instances": [web.address]}},
                     routes=[{"path": "/web/", "service": "web"}])
        gateway.configure(moved)
        gateway.reload()
        gateway.wait_status("/web/", 200)
        other.start()
        gateway.wait_spread("/orders/", {"new"}, timeout=30)
        self.assertEqual(set(gateway.spread("/web/", 10)), {"web"})
        load.stop()
        self.assertEqual(load.failed, 0, load.summary())

    def test_reload_while_draining(self):
        gateway = self.start()
        open_gate = self.event()
        self.a.on("/x", gate(open_gate))
        call = Parallel(1, lambda i: gateway.get("/x"))
        self.a.wait_requests(1)
        gateway.terminate()
        wait_for(lambda: not self.connects(gateway.port), 5, "the end of the listener")
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] == 1, 5, "the reload")
        self.assertFalse(self.connects(gateway.port))
        open_gate.set()
        self.assertEqual(call.results()[0].status, 200)
        self.assertEqual(gateway.process.wait(10), 0)


class Drain(Scenario):
    def start(self, **config):
        self.open_gate = self.event()
        self.slow = self.origin("a")
        self.slow.on("/slow", gate(self.open_gate))
        return self.static_gateway([self.slow], config=config)

    def refused(self, gateway):
        try:
            gateway.connect().close()
            return False
        except OSError:
            return True

    def test_running_request_completes_and_new_connections_are_refused(self):
        gateway = self.start()
        call = Parallel(1, lambda i: gateway.get("/slow"))
        self.slow.wait_requests(1)
        idle = gateway.connect()
        idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.read_answer()
        gateway.terminate()
        wait_for(lambda: self.refused(gateway), 5, "refused connections")
        self.assertEqual(idle.read_to_end(), b"")
        idle.close()
        holds(lambda: gateway.process.poll() is None, 0.3, "the process")
        self.open_gate.set()
        self.assertEqual(call.results()[0].status, 200)
        self.assertEqual(gateway.process.wait(10), 0)

    def test_kept_connection_learns_that_it_ends(self):
        gateway = self.start()
        with gateway.connect() as client:
            client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            self.slow.wait_requests(1)
            gateway.terminate()
            wait_for(lambda: self.refused(gateway), 5, "refused connections")
            self.open_gate.set()
            answer = client.read_answer()
            self.assertEqual((answer.status, answer.header("Connection")), (200, "close"))
            self.assertEqual(client.read_to_end(), b"")

    def test_no_request_fails_when_clients_go_elsewhere(self):
        """Two gateways, one is told to end: who is connected is answered, then told to go."""
        gateway = self.start(drain_delay="1s")
        with self.load(gateway, "/", threads=3) as load:
            load.wait_count(50)
            gateway.terminate()
            wait_for(lambda: gateway.admin_get("/readyz").status == 503, 5, "not ready")
            load.wait_count(30)
            load._stop.set()
        self.assertEqual(load.failed, 0, load.summary())

    def test_drain_timeout_cuts(self):
        gateway = self.start(drain_timeout="500ms")
        with gateway.connect() as client:
            client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            self.slow.wait_requests(1)
            gateway.terminate()
            self.assertEqual(gateway.process.wait(10), 0)
            self.assertEqual(client.read_to_end(), b"")
        self.assertIn("drain timeout", gateway.log())

    def test_second_sigterm_ends_at_once(self):
        gateway = self.start()
        with gateway.connect() as client:
            client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            self.slow.wait_requests(1)
            gateway.terminate()
            wait_for(lambda: gateway.status()["draining"], 5, "drain")
            gateway.terminate()
            self.assertEqual(gateway.process.wait(10), 0)

    def test_sigint_is_as_good(self):
        gateway = self.start()
        gateway.process.send_signal(signal.SIGINT)
        self.assertEqual(gateway.process.wait(10), 0)

    def test_sigterm_while_waiting_for_consul(self):
        agent = self.own_consul()
        agent.stop()
        gateway = self.gateway(consul=agent, ready=False)
        gateway.terminate()
        self.assertEqual(gateway.process.wait(10), 0)


class AccessLog(Scenario):
    FIELDS = ("time id client method host path status reason route service instance attempts "
              "duration_ms bytes_in bytes_out")

    def start(self, access_log):
        self.target = self.origin("a")
        return self.static_gateway([self.target], config={"access_log": access_log})

    def test_fields(self):
        gateway = self.start("stdout")
        gateway.get("/orders/7?secret=1", headers={"X-Request-Id": "abc-1"})
        line = gateway.wait_logged(path="/orders/7")
        self.assertEqual(set(self.FIELDS.split()) - set(line), set())
        self.assertEqual((line["status"], line["reason"], line["service"], line["method"], line["host"]),
                         (200, "none", "web", "GET", "shop.example"))
        self.assertEqual((line["client"], line["attempts"], line["instance"]),
                         ("127.0.0.1", 1, self.target.address))
        self.assertGreaterEqual(line["duration_ms"], 0)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_every_line_is_json_whatever_comes(self):
        gateway = self.start("stdout")
        hostile = ['/quote"back\\slash', "/%00%0a%1b[31m", "/\x80\xff", "/<script>", "/" + "a" * 7000,
                   "/\\u0022", "/'", "/%22%7D"]
        for path in hostile:
            exchange(gateway.port, ("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path
                                    ).encode("latin-1"))
        for data in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \"x\\\r\n\r\n", b"G\"ET / HTTP/1.1\r\n\r\n"):
            exchange(gateway.port, data)
        gateway.get("/last")
        gateway.wait_logged(path="/last")
        # Each worker writes its own lines when it gets to it: the last request's say nothing of others.
        wait_for(lambda: len(gateway.output().splitlines()) > len(hostile), 10, "all lines")
        text = gateway.output()
        for line in text.splitlines():
            json.loads(line)
        self.assertRegex(text, r"\A[\x20-\x7e\n]*\Z")
        self.assertEqual(gateway.status()["access_log_dropped"], 0)

    def test_rotation_by_rename_and_sigusr1(self):
        folder = tempfile.TemporaryDirectory(prefix="frontdesk-log-")
        self.addCleanup(folder.cleanup)
        path = folder.name + "/access.log"
        gateway = self.start(path)

        def paths(name):
            with open(name) as file:
                return [json.loads(line)["path"] for line in file]
        gateway.get("/first")
        wait_for(lambda: paths(path) == ["/first"], 5, "the first line")
        os.rename(path, path + ".1")
        gateway.get("/second")
        wait_for(lambda: paths(path + ".1") == ["/first", "/second"], 5, "the second in the old file")
        gateway.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(path), 5, "the new file")
        gateway.get("/third")
        wait_for(lambda: paths(path) == ["/third"], 5, "the third in the new file")

    def test_nothing_is_lost_at_the_end(self):
        folder = tempfile.TemporaryDirectory(prefix="frontdesk-log-")
        self.addCleanup(folder.cleanup)
        gateway = self.start(folder.name + "/log")
        for i in range(200):
            gateway.get("/%d" % i)
        gateway.stop()
        with open(folder.name + "/log") as file:
            logged = [json.loads(line)["path"] for line in file]
        self.assertEqual(sorted(logged), sorted("/%d" % i for i in range(200)))

    def test_fifo_that_is_full_never_blocks_traffic(self):
        folder = tempfile.TemporaryDirectory(prefix="frontdesk-log-")
        self.addCleanup(folder.cleanup)
        os.mkfifo(folder.name + "/fifo")
        reader = os.open(folder.name + "/fifo", os.O_RDONLY | os.O_NONBLOCK)
        gateway = self.start(folder.name + "/fifo")
        with self.load(gateway, "/" + "x" * 4000, threads=4, pause=0) as load:
            load.wait_count(400)  # far more than the 64 kB that a pipe holds
        self.assertEqual(load.failed, 0, load.summary())
        self.assertLess(load.slowest, 5)
        os.close(reader)
        self.assertEqual(gateway.get("/").status, 200)

    def test_fifo_that_is_full_does_not_block_the_end(self):
        path = self.fifo()
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        gateway = self.start(path)
        with self.load(gateway, "/" + "x" * 4000, threads=4, pause=0) as load:
            load.wait_count(400)
        gateway.stop(timeout=15)

    def test_fifo_without_reader_does_not_block_the_start(self):
        gateway = self.start(self.fifo())
        self.assertEqual(gateway.get("/").status, 200)
        gateway.stop(timeout=15)

    def fifo(self):
        folder = tempfile.TemporaryDirectory(prefix="frontdesk-log-")
        self.addCleanup(folder.cleanup)
        os.mkfifo(folder.name + "/fifo")
        return folder.name + "/fifo"


class Systemd(Scenario):
    """sd_notify, as the service manager sees it: datagrams at $NOTIFY_SOCKET."""

    def listen(self, abstract=False):
        folder = tempfile.TemporaryDirectory(prefix="frontdesk-notify-")
        self.addCleanup(folder.cleanup)
        name = folder.name + "/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind("\0" + name if abstract else name)
        self.told = []
        threading.Thread(target=self.read, daemon=True).start()
        return "@" + name if abstract else name

    def read(self):
        while True:
            try:
                self.told.append(self.socket.recv(4096).decode())
            except OSError:
                return

    def wait_told(self, word, count=1, timeout=15):
        wait_for(lambda: sum(word in text.split("\n") for text in self.told) >= count, timeout,
                 "%s among %s" % (word, self.told))

    def test_ready_reloading_stopping(self):
        name = self.listen()
        origin = self.origin("a")
        gateway = self.gateway(
            {"services": {"web": {"instances": [origin.address]}},
             "routes": [{"path": "/", "service": "web"}]},
            consul=None, environment={"NOTIFY_SOCKET": name})
        self.wait_told("READY=1")
        gateway.reload()
        self.wait_told("RELOADING=1")
        self.wait_told("READY=1", 2)
        self.assertTrue([t for t in self.told if "MONOTONIC_USEC=" in t])
        gateway.terminate()
        self.wait_told("STOPPING=1")
        self.assertEqual(gateway.process.wait(10), 0)

    def test_abstract_socket(self):
        name = self.listen(abstract=True)
        self.gateway(consul=None, environment={"NOTIFY_SOCKET": name})
        self.wait_told("READY=1")

    def test_ready_only_when_it_listens(self):
        name = self.listen()
        agent = self.own_consul()
        agent.stop()
        gateway = self.gateway(consul=agent, ready=False, environment={"NOTIFY_SOCKET": name})
        self.assertFalse([t for t in self.told if "READY=1" in t])
        self.wait_told("READY=1")
        self.assertEqual(gateway.get("/").status, 503)

    def test_watchdog(self):
        name = self.listen()
        self.gateway(consul=None, environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"})
        self.wait_told("WATCHDOG=1", 2)

    def test_no_socket_is_fine(self):
        gateway = self.gateway(consul=None, environment={"NOTIFY_SOCKET": "/does/not/exist"})
        self.assertTrue(gateway.ready())
