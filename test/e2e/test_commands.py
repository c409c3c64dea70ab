# SPDX-License-Identifier: Apache-2.0
"""The commands that ask a running gateway: `breaker`, `breakers`, `status` and what they leave behind on a
terminal."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from lib import Scenario, reply, run_command, wait_for
from lib.consul import ROOT
from lib.gateway import binary
from lib.terminal import Terminal

TOKEN = "an-admin-token-of-some-length-32"
NOBODY = ("-a", "127.0.0.1:1")


class Commands(Scenario):
    def new_token(self):
        folder = tempfile.mkdtemp(prefix="frontdesk-token-")
        self.addCleanup(shutil.rmtree, folder)
        self.token = os.path.join(folder, "admin.token")
        with open(self.token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(TOKEN + "\n")
        return self.token

    def operated(self, settings=None, origins=1):
        """A gateway without Consul that takes writes: service web at /, and a token file."""
        self.origins = [self.origin(name) for name in "abc"[:origins]]
        gateway = self.static_gateway(self.origins, settings=settings,
                                      config={"admin": {"token_file": self.new_token()}})
        gateway.wait_status("/", 200)
        return gateway

    def ask(self, gateway, *arguments, token=True):
        more = ("--token-file", self.token) if token else ()
        return run_command(*arguments, "-a", "127.0.0.1:%d" % gateway.admin_port, *more)

    def force(self, gateway, *arguments):
        status, output, errors = self.ask(gateway, "breaker", *arguments)
        self.assertEqual((status, errors), (0, ""))
        return output

    def run_command(self, gateway, *arguments):
        return self.ask(gateway, *arguments, token=False)


class Breaker(Commands):
    def test_open_and_back(self):
        gateway = self.operated()
        output = self.force(gateway, "open", "web", "--reason", "database upgrade", "--author", "anna@desk")
        self.assertRegex(output, r"^web: forced_open for 10m, until 20\S+Z, by anna@desk: database upgrade\n$")
        answer = gateway.wait_status("/", 503)
        self.assertEqual(answer.reason, "breaker_open")
        self.assertEqual(self.force(gateway, "auto", "web").split(",")[0].split(":")[0], "web")
        self.force(gateway, "reset", "web")
        gateway.wait_status("/", 200)

    def test_words(self):
        gateway = self.operated()
        for word, state in (("close", "forced_closed"), ("shadow", "shadow"), ("disable", "disabled"),
                            ("open", "forced_open")):
            with self.subTest(word=word):
                output = self.force(gateway, word, "web", "--for", "2h", "--reason", "why not")
                self.assertRegex(output, "^web: %s for (2h|1h59m), until " % state)
                self.assertEqual(gateway.breaker("web")["state"], state)
        self.assertEqual(self.force(gateway, "reset", "web"), "web: closed, nothing is forced\n")
        self.assertEqual(gateway.breaker("web")["forced"], None)

    def test_an_instance(self):
        gateway = self.operated(origins=2)
        one = "127.0.0.1:%d" % self.origins[0].port
        output = self.force(gateway, "open", "web/" + one, "--reason", "disk")
        self.assertRegex(output, "^web/%s: forced_open for 10m" % re.escape(one))
        gateway.wait_spread("/", {"b"})
        two = "127.0.0.1:%d" % self.origins[1].port
        status, _, errors = self.ask(gateway, "breaker", "open", "--service", "web", "--instance", two,
                                     "--reason", "disk")
        self.assertEqual(status, 1)
        self.assertIn("--even-last", errors)
        self.force(gateway, "open", "web/" + two, "--reason", "disk", "--even-last")
        gateway.wait_status("/", 503)
        for instance in (one, two):
            self.force(gateway, "auto", "web", "--instance", instance)
        gateway.wait_spread("/", {"a", "b"})

    def test_refusals_and_hints(self):
        gateway = self.operated()
        other = gateway.write_file("other.token", "this-is-another-token-altogether\n")
        rows = (
            ("no token", ("breaker", "auto", "web"), "token-file"),
            ("another token", ("breaker", "auto", "web", "--token-file", other), "not the gateway's"),
            ("no token file", ("breaker", "auto", "web", "--token-file", "/nonexistent"), "/nonexistent"),
            ("no service", ("breaker", "auto", "none", "--token-file", self.token), "no such service"),
            ("no instance", ("breaker", "auto", "web/x", "--token-file", self.token), "no such instance"),
            ("no fleet", ("breaker", "open", "web", "--fleet", "--reason", "x", "--token-file", self.token),
             "fleet"),
        )
        for name, arguments, hint in rows:
            with self.subTest(name):
                status, output, errors = self.run_command(gateway, *arguments)
                self.assertEqual((status, output), (1, ""))
                self.assertIn(hint, errors)
                self.assertNotIn("another-token", errors)
        self.assertEqual(gateway.breaker("web")["state"], "closed")

    def test_writes_that_are_off(self):
        gateway = self.static_gateway([self.origin("a")])
        self.token = gateway.write_file("token", "some-token-that-nobody-wants\n")
        status, _, errors = self.ask(gateway, "breaker", "open", "web", "--reason", "x")
        self.assertEqual(status, 1)
        self.assertIn("admin: { token_file", errors)

    def test_the_token_comes_from_the_environment(self):
        gateway = self.operated()
        done = subprocess.run([binary(), "breaker", "open", "web", "--reason", "x", "-a",
                               "http://127.0.0.1:%d/" % gateway.admin_port],
                              env=dict(os.environ, FRONTDESK_TOKEN_FILE=self.token, USER="bert",
                                       SUDO_USER="anna"), stdout=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, "by anna@")
        self.assertRegex(gateway.breaker("web")["forced"]["author"], "^anna@")

    def test_wrong_usage(self):
        for arguments, complaint in (
                (("breaker",), "action"), (("breaker", "open"), "which service"),
                (("breaker", "open", "web"), "--reason"), (("breaker", "trip", "web"), "expected open"),
                (("breaker", "open", "web", "--for", "soon", "--reason", "x"), "--for"),
                (("breaker", "open", "web", "--for", "8d", "--reason", "x"), "7 days"),
                (("breaker", "auto", "web", "--for", "1m"), "--for"),
                (("breaker", "shadow", "web/x", "--reason", "x"), "whole services"),
                (("breaker", "auto", "web", "--nonsense"), "help"),
                (("breaker", "auto", "a", "b"), "one service"),
                (("breakers", "a", "b"), "one service"), (("status", "a", "b"), "one service"),
                (("status", "--interval", "0s"), "--interval"), (("status", "-a", "127.0.0.1"), "address"),
                (("explain", "GET"), "method and a URL"), (("nonsense",), "usage"), ((), "usage")):
            with self.subTest(arguments=arguments):
                status, output, errors = run_command(*arguments)
                self.assertEqual((status, output), (2, ""))
                self.assertIn(complaint, errors)

    def test_help(self):
        for command in ("status", "breaker", "breakers", "explain", "run", "check"):
            status, output, errors = run_command(command, "--help")
            self.assertEqual((status, errors), (0, ""))
            self.assertIn(command, output)

    def test_every_option_is_documented(self):
        pages = [open(os.path.join(ROOT, name)).read().replace("\\-", "-")
                 for name in ("docs/commands.md", "docs/frontdesk.8")]
        for command in ("status", "breaker", "breakers", "explain", "config", "migrate"):
            _, output, _ = run_command(command, "--help")
            for option in set(re.findall(r"--[a-z-]+", output)) - {"--help"}:
                for page in pages:
                    self.assertIn(option, page)

    def test_1_when_nobody_answers(self):
        for arguments in (("breaker", "auto", "web"), ("breakers",), ("status",), ("explain", "GET", "/")):
            status, output, errors = run_command(*arguments, *NOBODY)
            self.assertEqual((status, output), (1, ""))
            self.assertIn("127.0.0.1:1", errors)

    def test_options_may_stand_before_the_command(self):
        gateway = self.static_gateway([self.origin("a")])
        status, output, _ = run_command("-a", "127.0.0.1:%d" % gateway.admin_port, "status", "web")
        self.assertEqual(status, 0)
        self.assertIn("INSTANCE", output)


class InAFleet(Commands):
    def test_on_all_gateways(self):
        self.instance("web", "a", tags=["frontdesk.path=/"])
        first, second = [self.operated_in_fleet(name) for name in ("one", "two")]
        output = self.force(first, "open", "web", "--fleet", "--reason", "db upgrade", "--author", "anna")
        self.assertRegex(output, "^web: forced_open for 10m, until .*, in the whole fleet, by anna: db upgrade")
        for gateway in (first, second):
            gateway.wait_status("/", 503)
        status, output, _ = self.run_command(second, "breakers")
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^web +forced_open .* left \(fleet\), by anna: db upgrade$")
        self.force(second, "auto", "web", "--fleet")
        for gateway in (first, second):
            gateway.wait_status("/", 200)

    def operated_in_fleet(self, name):
        gateway = self.gateway({"admin": {"token_file": self.new_token()},
                                "fleet": {"enabled": True, "name": name}})
        gateway.wait_status("/", 200)
        wait_for(lambda: gateway.admin_json("/v1/fleet")["connected"], 20, "the fleet")
        return gateway


@unittest.skipUnless(shutil.which("openssl"), "no openssl command here")
class OverTls(Commands):
    def certificate(self, folder, name, ca=None):
        """A key and a certificate, signed by `ca` or by itself: (certificate, key)."""
        cert, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
        signed = ["-CA", ca[0], "-CAkey", ca[1]] if ca else ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key, "-out",
                        cert, "-subj", "/CN=" + name, *signed],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return cert, key

    def test_certificates_instead_of_a_token(self):
        folder = tempfile.mkdtemp(prefix="frontdesk-tls-")
        self.addCleanup(shutil.rmtree, folder)
        server, ca = self.certificate(folder, "server"), self.certificate(folder, "ca")
        anna = self.certificate(folder, "anna", ca)
        gateway = self.operated()
        gateway.configure({
            "admin": {"tls": {"cert": server[0], "key": server[1], "client_ca": ca[0]}},
            "services": {"web": {"instances": ["127.0.0.1:%d" % self.origins[0].port]}},
            "routes": [{"path": "/", "service": "web"}]})
        gateway.reload()
        address = ("-a", "https://127.0.0.1:%d" % gateway.admin_port, "--ca", server[0])
        wait_for(lambda: run_command("status", *address)[0] == 0, 10, "an answer over TLS")
        self.assertIn("closed", run_command("status", *address)[1])
        order = ("breaker", "open", "web", "--reason", "x", *address)
        status, output, errors = run_command(*order, "--cert", anna[0], "--key", anna[1])
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, "^web: forced_open .* by anna: x\n$")
        status, output, errors = run_command("breaker", "auto", "web", *address)
        self.assertEqual((status, output), (1, ""))
        self.assertIn("hint: ", errors)
        # Not the one that signed it: nothing is asked, nothing is sent.
        status, _, errors = run_command("status", "-a", address[1], "--ca", ca[0])
        self.assertEqual(status, 1)
        self.assertIn("certificate", errors)


class Breakers(Commands):
    def test_table_and_timeline(self):
        gateway = self.operated()
        status, output, _ = self.run_command(gateway, "breakers")
        self.assertEqual((status, output), (0, "all 1 breakers are closed\n"))
        self.force(gateway, "open", "web", "--reason", "db upgrade", "--author", "anna")
        status, output, _ = self.run_command(gateway, "breakers")
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^web +forced_open .* 9m\d+s left, by anna: db upgrade$")
        self.force(gateway, "reset", "web", "--author", "bert")
        status, output, _ = self.run_command(gateway, "breakers", "web")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"(?ms)^20\S+Z  forced_open -> closed .* by bert$.*"
                                 r"^20\S+Z  closed -> forced_open .* by anna: db upgrade$")
        status, output, _ = self.run_command(gateway, "breakers", "--all")
        self.assertRegex(output, r"(?m)^web +closed ")

    def test_json(self):
        gateway = self.operated()
        status, output, _ = self.run_command(gateway, "breakers", "--json", "web")
        self.assertEqual((status, json.loads(output)["service"]), (0, "web"))
        self.force(gateway, "open", "web", "--reason", "x")
        status, output, _ = self.run_command(gateway, "breakers", "--json")
        self.assertEqual((status, json.loads(output)["breakers"][0]["state"]), (3, "forced_open"))
        status, _, errors = self.run_command(gateway, "breakers", "none")
        self.assertEqual(status, 1)
        self.assertIn("no such service", errors)


class Status(Commands):
    def test_json_says_what_is_worst(self):
        gateway = self.operated()
        status, output, _ = self.run_command(gateway, "status", "--json")
        document = json.loads(output)
        self.assertEqual((status, document["worst"], document["exit"]), (0, None, 0))
        self.force(gateway, "close", "web", "--reason", "x", "--author", "anna")
        status, output, _ = self.run_command(gateway, "status", "--json")
        document = json.loads(output)
        self.assertEqual((status, document["exit"]), (3, 3))
        self.assertEqual(document["worst"], {"attention": 3, "service": "web", "state": "forced_closed"})
        self.assertEqual(document["services"][0]["forced"]["author"], "anna")
        status, output, _ = run_command("status", "--json", *NOBODY)
        self.assertEqual((status, json.loads(output)["worst"]["state"]), (1, "no_answer"))

    def test_forced_states_are_shown(self):
        gateway = self.operated()
        self.force(gateway, "open", "web", "--reason", "db upgrade", "--author", "anna")
        status, output, _ = self.run_command(gateway, "status")
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^web +forced_open +1/1 .* by anna, 9m\d+s left: db upgrade$")
        self.assertNotIn("\x1b", output)
        self.force(gateway, "disable", "web", "--reason", "x")
        self.assertEqual(self.run_command(gateway, "status")[0], 3)
        self.force(gateway, "reset", "web")
        self.assertEqual(self.run_command(gateway, "status")[0], 0)

    def test_shadow_would_reject(self):
        gateway = self.operated({"breaker": {"shadow": True, "minimum_requests": 3, "open_for": "5m",
                                             "max_open_for": "5m"}, "outlier": {"enabled": False},
                                 "retries": {"attempts": 1}})
        self.assertEqual(self.run_command(gateway, "status")[0], 0)
        self.origins[0].always(reply(500))
        for _ in range(8):
            gateway.get("/")
        wait_for(lambda: gateway.breaker("web")["machine"] == "open", 5, "the machine is open")
        gateway.get("/")
        status, output, _ = self.run_command(gateway, "status")
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^web +shadow .* would reject \(open, \d+ so far\)$")

    def watch(self, gateway, *arguments, **options):
        return Terminal("status", "--watch", "--interval", "100ms", "-a",
                        "127.0.0.1:%d" % gateway.admin_port, *arguments, **options)

    def test_watch_a_breaker_open(self):
        gateway = self.operated({"breaker": {"minimum_requests": 5, "open_for": "5m", "max_open_for": "5m"},
                                 "outlier": {"enabled": False}, "retries": {"attempts": 1}})
        with self.watch(gateway, columns=120) as terminal:
            terminal.wait_shown(r"^web +closed +1/1 ")
            terminal.wait_shown("REQ/S")
            self.assertTrue(terminal.modes()["alternate"])
            self.assertFalse(terminal.modes()["cursor"])
            self.assertFalse(terminal.echoes())
            self.assertIn(b"\x1b[32mclosed", terminal.raw)
            self.origins[0].always(reply(500))
            for _ in range(8):
                gateway.get("/")
            terminal.wait_shown(r"^web +open .* failure_rate \d+/\d+, probes in \d")
            self.assertIn(b"\x1b[31;1mopen", terminal.raw)
            self.force(gateway, "close", "web", "--reason", "it is needed", "--author", "anna")
            terminal.wait_shown(r"^web +forced_closed .* by anna, (10m|9m\d+s) left: it is needed")
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 3)
            self.assertEqual(terminal.modes(), {"alternate": False, "cursor": True, "wrap": True})
            self.assertTrue(terminal.echoes())

    def test_watch_ends_with_any_signal_and_leaves_the_terminal_as_it_was(self):
        gateway = self.operated()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number), self.watch(gateway) as terminal:
                terminal.wait_shown(r"^web +closed")
                os.kill(terminal.process.pid, number)
                self.assertEqual(terminal.wait_end(), 0)
                self.assertEqual(terminal.modes(), {"alternate": False, "cursor": True, "wrap": True})
                self.assertTrue(terminal.echoes())

    def test_watch_ctrl_c(self):
        gateway = self.operated()
        with self.watch(gateway) as terminal:
            terminal.wait_shown(r"^web +closed")
            terminal.press("\x03")
            self.assertEqual(terminal.wait_end(), 0)
            self.assertTrue(terminal.echoes())

    def test_watch_stopped_and_continued(self):
        gateway = self.operated()
        with self.watch(gateway) as terminal:
            terminal.wait_shown(r"^web +closed")
            terminal.press("\x1a")
            wait_for(lambda: not terminal.modes()["alternate"], 5, "the terminal is given back")
            self.assertTrue(terminal.echoes())
            wait_for(terminal.is_stopped, 5, "it stops")
            os.kill(terminal.process.pid, signal.SIGCONT)
            wait_for(lambda: terminal.modes()["alternate"], 5, "the screen is back")
            terminal.wait_shown(r"^web +closed")
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 0)

    def test_watch_fits_every_size(self):
        """The terminal itself fails on a line that is too wide."""
        gateway = self.operated(origins=3)
        with self.watch(gateway, "web") as terminal:
            for rows, columns in ((24, 80), (5, 40), (3, 20), (1, 10), (50, 200)):
                terminal.resize(rows, columns)
                terminal.wait_shown(r"^web")
            terminal.wait_shown(r"^INSTANCE")
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 0)

    def test_watch_without_color(self):
        gateway = self.operated()
        for environment in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM_IS": "plain"}):
            with self.watch(gateway, environment=environment) as terminal:
                terminal.wait_shown(r"^web +closed")
                terminal.press("q")
                terminal.wait_end()
                # An empty NO_COLOR is none (no-color.org).
                self.assertEqual(re.search(rb"\x1b\[[0-9;]*m", terminal.raw) is None,
                                 bool(environment["NO_COLOR"]))

    def test_watch_survives_the_gateway(self):
        gateway = self.operated()
        with self.watch(gateway) as terminal:
            terminal.wait_shown(r"^web +closed")
            gateway.kill9()
            terminal.wait_shown(r"^NO ANSWER from 127\.0\.0\.1:\d+ for ")
            self.assertTrue(any(line.startswith("web") for line in terminal.screen()))
            gateway.start()
            terminal.wait_shown(r"^127\.0\.0\.1:\d+ answers again$")
            self.assertNotIn("NO ANSWER", "\n".join(terminal.screen()))
            terminal.wait_shown(r"^web +closed")
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 0)

    def test_watch_before_the_gateway(self):
        with Terminal("status", "--watch", *NOBODY) as terminal:
            terminal.wait_shown(r"^NO ANSWER from 127\.0\.0\.1:1 for ")
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 1)

    def pipe(self, gateway, *arguments):
        process = subprocess.Popen([binary(), "status", "--watch", "--interval", "50ms", "-a",
                                    "127.0.0.1:%d" % gateway.admin_port, *arguments],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_watch_on_a_pipe(self):
        gateway = self.operated()
        process = self.pipe(gateway)
        seen = []
        while sum(line.startswith("web ") for line in seen) < 3:
            seen.append(process.stdout.readline())
        self.assertNotIn("\x1b", "".join(seen))
        # Nobody reads any more.
        process.stdout.close()
        process.wait(timeout=10)

    def test_watch_json_is_one_document_a_line(self):
        gateway = self.operated()
        process = self.pipe(gateway, "--json")
        documents = [json.loads(process.stdout.readline()) for _ in range(3)]
        self.assertEqual([d["services"][0]["name"] for d in documents], ["web"] * 3)
        self.assertIsNone(documents[0]["services"][0]["requests_per_s"])
        self.assertIsNotNone(documents[2]["services"][0]["requests_per_s"])
        self.assertIn("worst", documents[0])
        gateway.kill9()
        for _ in range(100):
            document = json.loads(process.stdout.readline())
            if not document["reachable"]:
                break
        self.assertEqual(document["worst"]["state"], "no_answer")
        process.terminate()
        self.assertEqual(process.wait(timeout=10), 1)

    def test_names_cannot_steer_the_terminal(self):
        """The terminal fails on a control character."""
        name = "or\x1b[31mders\u202e\u009b2k\n"
        origin = self.instance("orders", "a")
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": name, "Service": name, "Address": "127.0.0.1", "Port": origin.port,
            "Tags": ["frontdesk.path=/odd/"]})
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        wait_for(lambda: name in gateway.services(), 10, "the odd service")
        with self.watch(gateway) as terminal:
            terminal.wait_shown(r"^or\?\[31mders\?\?2k\?")
            self.assertNotIn("\u202e".encode(), terminal.raw)
            terminal.press("q")
            self.assertEqual(terminal.wait_end(), 3)
        for arguments in (("breakers", "--all"), ("breakers", name), ("status", name),
                          ("explain", "GET", "/odd/"), ("explain", "GET", "http://h/odd/")):
            _, output, errors = run_command(*arguments, "-a", "127.0.0.1:%d" % gateway.admin_port)
            self.assertNotRegex(output + errors, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
