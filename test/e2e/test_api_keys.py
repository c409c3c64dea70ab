# SPDX-License-Identifier: Apache-2.0
"""API keys: from a file and from Consul's KV store, what is refused and how, what services see of them,
limits that a key brings, and stores that change or go away."""
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import tempfile
import time

from lib import Scenario, holds, run_command, wait_for
from lib.gateway import binary

PEPPER = "a pepper of some length"


def new_key(*options):
    """(key, {id: entry}) from the command that operators use."""
    status, out, err = run_command("api-key", "new", "--owner", "acme", "--json", *options)
    if status != 0:
        raise AssertionError(err)
    made = json.loads(out)
    return made["key"], made["entry"]


def digest(key):
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


class Keys(Scenario):
    STORE = "frontdesk/api-keys"

    def entries(self, *entries):
        whole = {}
        for entry in entries:
            whole.update(entry)
        return json.dumps(whole)

    def door(self, store, policy=None, consul=None, ready=True, **config):
        self.web = self.origin("web")
        whole = {"services": {"web": {"instances": [self.web.address]}},
                 "api_keys": {"partners": store},
                 "policies": {"partner": dict({"authenticate": [{"api_keys": "partners"}]}, **policy or {})},
                 "routes": [{"path": "/", "service": "web", "auth": "partner"}], "access_log": "stdout"}
        whole.update(config)
        self.config = whole
        self.front = self.gateway(whole, consul=consul, ready=ready)
        return self.front

    def file_door(self, text, store=None, policy=None, **config):
        """A door whose keys are in a file beside the gateway's."""
        self.file = self.scratch("keys.yaml", text)
        return self.door(dict({"file": self.file}, **store or {}), policy, **config)

    def scratch(self, name, text):
        folder = tempfile.mkdtemp(prefix="frontdesk-keys-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.folder = folder
        return self.put_file(os.path.join(folder, name), text)

    def put_file(self, path, text):
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def ask(self, key=None, target="/x", headers=None, **options):
        headers = dict(headers or {})
        if key:
            headers["X-Api-Key"] = key
        return self.front.get(target, headers=headers, **options)

    def assertRefused(self, answer, status, detail):
        self.assertEqual((answer.status, answer.json()["detail"]), (status, detail), answer)

    def row(self, front=None):
        return next(r for r in (front or self.front).status()["credentials"] if r["name"] == "partners")

    def counted(self, result):
        return self.front.metrics().get(
            'frontdesk_credentials_total{kind="api_keys",source="partners",result="%s"}' % result, 0)


class FromAFile(Keys):
    def test_who_asks(self):
        key, entry = new_key("--id", "acme-1", "--scope", "orders:read", "--scope", "b", "--role", "admin")
        front = self.file_door(self.entries(entry), policy={
            "scopes": ["orders:read"], "roles": ["admin"],
            "headers": {"X-User": "sub", "X-Key": "key_id", "X-Scope": "scope", "X-Roles": "roles"}})
        self.assertEqual(self.ask(key, headers={"X-User": "root"}).status, 200)
        seen = self.web.requests[-1]
        self.assertEqual([seen.header(n) for n in ("X-User", "X-Key", "X-Scope", "X-Roles")],
                         ["acme", "acme-1", "orders:read b", "admin"])
        self.assertIsNone(seen.header("X-Api-Key"))
        line = front.wait_logged(path="/x")
        self.assertEqual((line["subject"], line["auth"]), ("acme", "api_key:partners"))
        self.assertNotIn(key, front.output() + front.log())
        row = self.row()
        self.assertEqual((row["kind"], row["from"], row["entries"], row["last_error"], row["accepted"]),
                         ("api_keys", self.file, 1, None, 1))

    def test_what_is_refused(self):
        good, entry = new_key("--id", "good")
        other, _ = new_key("--id", "good")
        stranger, _ = new_key("--id", "nobody")
        old, old_entry = new_key("--id", "old")
        old_entry["old"]["expires"] = "2020-01-01"
        off, off_entry = new_key("--id", "off")
        off_entry["off"]["disabled"] = True
        self.file_door(self.entries(entry, old_entry, off_entry))
        self.assertEqual(self.ask(good).status, 200)
        rows = ((other, "the API key is not valid", "wrong"), (stranger, "the API key is not valid", "unknown"),
                (old, "the API key has expired", "expired"), (off, "the API key is disabled", "disabled"),
                ("hello", "the API key is not well-formed", "malformed"),
                (good[:-1] + ("a" if good[-1] != "a" else "b"), "the API key is not well-formed", "malformed"),
                (good.upper(), "the API key is not well-formed", "malformed"),
                (good + "0" * 300, "the API key is not well-formed", "malformed"))
        for key, detail, word in rows:
            with self.subTest(key=key):
                before = self.counted(word)
                answer = self.ask(key)
                self.assertRefused(answer, 401, detail)
                self.assertIn("partners", answer.header("WWW-Authenticate"))
                self.assertEqual(self.counted(word), before + 1)
        # To the byte the same, but for what names the request.
        wrong, unknown = self.ask(other), self.ask(stranger)
        self.assertEqual([h for h in wrong.headers if h[0] not in ("X-Request-Id", "Date")],
                         [h for h in unknown.headers if h[0] not in ("X-Request-Id", "Date")])
        self.assertRefused(self.ask(), 401, "the request carries no credential that this route takes")
        self.assertEqual(self.web.count, 1)

    def test_two_keys_are_refused(self):
        key, entry = new_key()
        self.file_door(self.entries(entry), store={"query": "api_key"})
        self.assertEqual(self.ask(key).status, 200)
        self.assertEqual(self.ask(target="/x?api_key=" + key).status, 200)
        detail = "the request carries more than one API key"
        self.assertRefused(self.ask(key, target="/x?api_key=" + key), 401, detail)
        self.assertRefused(self.ask(target="/x?api_key=%s&a=b&api_key=%s" % (key, key)), 401, detail)
        self.assertRefused(self.ask(target="/x?api_key=%s&api_key" % key), 401, detail)
        raw = "GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nX-API-KEY: %s\r\nConnection: close\r\n\r\n"
        with self.front.connect() as client:
            client.send((raw % (key, key)).encode())
            self.assertRefused(client.read_answer(), 401, detail)
        # One field that holds two.
        self.assertRefused(self.ask(key + ", " + key), 401, "the API key is not well-formed")

    def test_what_the_service_sees(self):
        key, entry = new_key()
        self.file_door(self.entries(entry), store={"query": "api_key"}, routes=[
            {"path": "/", "service": "web", "auth": "partner"}, {"path": "/open/", "service": "web"},
            {"path": "/passing/", "service": "web", "auth": "passing"}],
            api_keys={"partners": {"file": self.scratch("keys.yaml", self.entries(entry)), "query": "api_key"},
                      "passing": {"file": self.scratch("more.yaml", self.entries(entry)), "query": "api_key",
                                  "pass": True}},
            policies={"partner": {"authenticate": [{"api_keys": "partners"}]},
                      "passing": {"authenticate": [{"api_keys": "passing"}]}})
        rows = (("/x?api_key=K", "/x"), ("/x?a=1&api_key=K&b=%20", "/x?a=1&b=%20"), ("/x?api_key=K&b", "/x?b"),
                ("/x?a=1&&api_key=K&", "/x?a=1&"), ("/passing/x?api_key=K", "/passing/x?api_key=K"),
                ("/open/x?api_key=K&", "/open/x?api_key=K&"))
        for sent, seen in rows:
            with self.subTest(sent=sent):
                self.assertEqual(self.ask(target=sent.replace("K", key)).status, 200)
                self.assertEqual(self.web.requests[-1].target, seen.replace("K", key))
        for target, there in (("/x?a=&", False), ("/passing/x", True), ("/open/x", True)):
            self.assertEqual(self.ask(key, target=target).status, 200)
            self.assertEqual(self.web.requests[-1].header("X-Api-Key"), key if there else None)
            self.assertEqual(self.web.requests[-1].target, target)
        self.assertNotIn(key, self.front.output() + self.front.log())

    def test_a_pepper(self):
        pepper = self.scratch("pepper", PEPPER + "\n")
        key, entry = new_key("--id", "p", "--pepper-file", pepper)
        self.assertEqual(entry["p"]["hash"], "hmac-sha256:" + hmac.new(
            PEPPER.encode(), key.encode(), "sha256").hexdigest())
        plain, plain_entry = new_key("--id", "q")
        self.assertEqual(plain_entry["q"]["hash"], digest(plain))
        self.file_door(self.entries(entry, plain_entry), store={"pepper_file": pepper})
        self.assertEqual((self.ask(key).status, self.ask(plain).status), (200, 200))
        self.put_file(pepper, "another pepper of some length")
        wait_for(lambda: self.ask(key).status == 401, what="the other pepper")
        self.assertEqual(self.ask(plain).status, 200)

    def test_limits_of_a_key(self):
        slow, slow_entry = new_key("--id", "slow", "--rate-limit", "tiny")
        fast, fast_entry = new_key("--id", "fast")
        lost, lost_entry = new_key("--id", "lost", "--rate-limit", "no-such-limit")
        self.file_door(self.entries(slow_entry, fast_entry, lost_entry),
                       rate_limits={"tiny": {"rate": "2/h", "by": "api_key"}})
        self.assertEqual([self.ask(slow).status for _ in range(4)], [200, 200, 429, 429])
        self.assertEqual([self.ask(fast).status for _ in range(4)], [200] * 4)
        self.assertRefused(self.ask(lost), 403, "the API key names a limit that this gateway does not have")

    def test_two_stores(self):
        ours, entry = new_key("--id", "a")
        theirs, other = new_key("--id", "b")
        other["b"]["expires"] = "2020-01-01"
        self.file_door(self.entries(entry), api_keys={
            "partners": {"file": self.scratch("a", self.entries(entry))},
            "others": {"file": self.scratch("b", self.entries(other))}},
            policies={"partner": {"authenticate": [{"api_keys": "partners"}, {"api_keys": "others"}]}})
        self.assertEqual(self.ask(ours).status, 200)
        self.assertRefused(self.ask(theirs), 401, "the API key has expired")


class FilesThatChange(Keys):
    def test_a_change_is_noticed(self):
        one, first = new_key("--id", "one")
        two, second = new_key("--id", "two")
        front = self.file_door(self.entries(first))
        self.assertEqual((self.ask(one).status, self.ask(two).status), (200, 401))
        self.put_file(self.file, self.entries(second))
        wait_for(lambda: self.ask(two).status == 200, what="the second key")
        self.assertEqual(self.ask(one).status, 401)
        self.assertEqual(front.status()["reload"]["count"], 0)

    def test_a_bad_file_keeps_the_old_one(self):
        key, entry = new_key("--id", "one")
        front = self.file_door(self.entries(entry))
        rows = (("one:\n  owner: acme\n  hash: %s\n" % key, "keys.yaml:3: one.hash: expected sha256:"),
                ("%s: {owner: a, hash: b}\n" % key, "keys.yaml:1: an id has 1 to 32 letters"),
                ("one: {owner: acme}\n", "keys.yaml:1: one: hash is missing"),
                ("one: [\n", "keys.yaml:"), ("", "is empty"), ("# soon\n", "is empty"))
        for text, said in rows:
            with self.subTest(text=text):
                failures = self.row()["failures"]
                self.put_file(self.file, text)
                wait_for(lambda: self.row()["failures"] > failures, what="a failed reading")
                self.assertIn(said, self.row()["last_error"])
                self.assertIn(said, front.log())
                self.assertEqual(self.ask(key).status, 200)
        self.assertNotIn(key, front.log() + front.output() + json.dumps(front.status()))
        self.assertGreaterEqual(front.metrics()[
            'frontdesk_credential_failures_total{kind="api_keys",source="partners"}'], len(rows))
        # A reload that cannot read it is refused as a whole.
        front.reload()
        wait_for(lambda: front.status()["reload"]["last_error"], what="a refused reload")
        self.assertEqual(self.ask(key).status, 200)
        self.put_file(self.file, "{}\n")
        wait_for(lambda: self.ask(key).status == 401, what="the file without keys")
        self.assertIsNone(self.row()["last_error"])
        self.assertEqual(self.row()["entries"], 0)

    def test_a_file_that_goes_and_comes_back(self):
        key, entry = new_key()
        self.file_door(self.entries(entry))
        os.remove(self.file)
        wait_for(lambda: "No such file" in (self.row()["last_error"] or ""), what="the loss in the status")
        self.assertEqual(self.ask(key).status, 200)
        self.put_file(self.file, self.entries(entry))
        wait_for(lambda: self.row()["last_error"] is None, what="the file")

    def test_it_does_not_start_with_a_bad_file(self):
        path = self.scratch("keys.yaml", "a: {owner: b, hash: c}\n")
        with self.assertRaisesRegex(AssertionError, r"api_keys.partners: .*keys.yaml:1: a.hash: expected sha256"):
            self.door({"file": path})

    def test_a_reload_reads_it_too(self):
        key, entry = new_key()
        front = self.file_door(self.entries(entry))
        self.assertEqual(self.ask(key).status, 200)
        refused = self.counted("unknown")
        self.put_file(self.file, "{}\n")
        front.reload()
        wait_for(lambda: self.ask(key).status == 401, what="the reloaded file")
        # Counts outlive the configuration.
        self.assertGreater(self.counted("unknown"), refused)
        self.assertGreaterEqual(self.counted("ok"), 1)


class FromConsul(Keys):
    def kv(self, agent, name, *entries):
        agent.kv_put(self.STORE + name, self.entries(*entries).encode())

    def test_keys_below_a_prefix(self):
        agent = self.consul
        one, first = new_key("--id", "one")
        two, second = new_key("--id", "two")
        decoy, third = new_key("--id", "decoy")
        self.kv(agent, "", first)
        self.kv(agent, "-of-others", third)
        agent.kv_put(self.STORE + "/folder/", b"")
        self.door({"kv": self.STORE}, consul=agent)
        self.assertEqual(self.ask(one).status, 200)
        self.assertEqual((self.ask(two).status, self.ask(decoy).status), (401, 401))
        self.kv(agent, "/folder/two", second)
        wait_for(lambda: self.ask(two).status == 200, what="the second key")
        self.assertEqual((self.row()["from"], self.row()["entries"]), ("kv " + self.STORE, 2))
        agent.call("DELETE", "/v1/kv/" + self.STORE + "/folder/two")
        wait_for(lambda: self.ask(two).status == 401, what="the key taken away")
        agent.call("DELETE", "/v1/kv/" + self.STORE + "?recurse")
        wait_for(lambda: self.ask(one).status == 401, what="all keys taken away")

    def test_a_bad_value_keeps_what_was_known(self):
        agent = self.consul
        key, entry = new_key("--id", "one")
        self.kv(agent, "/a", entry)
        front = self.door({"kv": self.STORE}, consul=agent)
        wait_for(lambda: self.ask(key).status == 200, what="the key")
        for text, said in ((b"one: {owner: b", "kv frontdesk/api-keys/b"), (b"", "is empty"),
                           (b"\xff\xfe", "kv frontdesk/api-keys/b"),
                           (self.entries(entry).encode(), "the same id is in another text")):
            agent.kv_put(self.STORE + "/b", text)
            wait_for(lambda: said in (self.row()["last_error"] or ""), what="%s in the status" % said)
            self.assertEqual(self.ask(key).status, 200)
            # A reload does not forget them either.
            reloads = front.status()["reload"]["count"]
            front.reload()
            wait_for(lambda: front.status()["reload"]["count"] > reloads, what="the reload")
            self.assertEqual(self.ask(key).status, 200)
        agent.kv_put(self.STORE + "/b", b"{}")
        wait_for(lambda: self.row()["last_error"] is None, what="the better value")

    def test_not_heard_of_yet(self):
        agent = self.own_consul()
        key, entry = new_key()
        self.kv(agent, "", entry)
        agent.stop()
        front = self.door({"kv": self.STORE}, consul=agent, ready=False)
        answer = wait_for(lambda: self.ask(key), what="an answer")
        self.assertRefused(answer, 503, "the API keys are not known yet")
        self.assertEqual((answer.reason, answer.header("Retry-After")), ("auth_unavailable", "1"))
        wait_for(lambda: self.row()["last_error"], what="why, in the status")
        self.assertIsNone(self.row()["entries"])
        self.assertRefused(self.ask(), 401, "the request carries no credential that this route takes")
        agent.start()
        wait_for(lambda: self.ask(key).status == 200, 30, what="the key")
        # Away again: what is known stays.
        agent.stop()
        wait_for(lambda: self.row()["last_error"], what="the loss in the status")
        self.assertEqual(self.ask(key).status, 200)
        reloads = front.status()["reload"]["count"]
        front.reload()
        wait_for(lambda: front.status()["reload"]["count"] > reloads, what="the reload")
        self.assertEqual(self.ask(key).status, 200)
        agent.start()
        wait_for(lambda: self.row()["last_error"] is None, 30, what="Consul")
        self.assertEqual(self.ask(key).status, 200)

    def test_a_token_that_loses_its_rights(self):
        agent = self.own_consul(acl=True)
        key, entry = new_key()
        agent.kv_put(self.STORE, self.entries(entry).encode())
        rules = 'node_prefix "" {policy="read"} service_prefix "" {policy="read"} %s'
        may_read = 'key_prefix "frontdesk/" {policy="read"}'
        may = agent.new_token(rules % may_read)
        everything, agent.token = agent.token, may
        try:
            front = self.door({"kv": self.STORE}, consul=agent)
        finally:
            agent.token = everything
        wait_for(lambda: self.ask(key).status == 200, what="the key")
        found = next(p for p in agent.get("/v1/acl/policies") if p["Name"].startswith("policy-"))
        agent.put("/v1/acl/policy/" + found["ID"], {"Name": found["Name"], "Rules": rules % ""})

        def loss_is_seen():
            # A write below the prefix makes an answer come, with a higher index. The query that waits
            # has the rights of when it was asked; the next one shows nothing.
            agent.kv_put(self.STORE + "/more", b"{} # %f" % time.monotonic())
            return "403" in (self.row()["last_error"] or "")

        wait_for(loss_is_seen, 20, "the loss in the status", every=0.5)
        # Nor does a reload make it believe that all keys are gone.
        reloads = front.status()["reload"]["count"]
        front.reload()
        wait_for(lambda: front.status()["reload"]["count"] > reloads, what="the reload")
        holds(lambda: self.ask(key).status == 200, 1, "the key known before")
        self.assertEqual(self.row()["entries"], 1)
        agent.put("/v1/acl/policy/" + found["ID"], {"Name": found["Name"], "Rules": rules % may_read})
        wait_for(lambda: self.row()["last_error"] is None, 30, "the rights in the status")
        self.assertEqual(self.ask(key).status, 200)

    def test_a_token_without_rights(self):
        agent = self.own_consul(acl=True)
        key, entry = new_key()
        agent.kv_put(self.STORE, self.entries(entry).encode())
        agent.token, everything = agent.new_token(
            'node_prefix "" {policy="read"} service_prefix "" {policy="read"}'), agent.token
        try:
            self.door({"kv": self.STORE}, consul=agent)
        finally:
            agent.token = everything
        self.assertRefused(self.ask(key), 503, "the API keys are not known yet")
        self.assertIn("403", self.row()["last_error"])

    def test_an_empty_prefix(self):
        key, entry = new_key()
        front = self.door({"kv": self.STORE}, consul=self.consul)
        self.assertRefused(self.ask(key), 401, "the API key is not valid")
        self.assertIn("Consul shows nothing at kv " + self.STORE, front.log())
        self.kv(self.consul, "", entry)
        wait_for(lambda: self.ask(key).status == 200, what="the key")


class Command(Keys):
    def test_hash_of_standard_input(self):
        key, entry = new_key("--id", "x")
        done = subprocess.run([binary(), "api-key", "hash"], input=key + "\n", text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, entry["x"]["hash"]))
        done = subprocess.run([binary(), "api-key", "hash"], input="fdk_mistyped\n", text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertNotIn("fdk_mistyped", done.stderr)

    def test_text_is_an_entry(self):
        status, out, _ = run_command("api-key", "new", "--owner", 'a "b": c', "--scope", "x", "--expires", "1h")
        self.assertEqual(status, 0)
        key, text = out.split("\n", 1)
        self.file_door(text)
        self.assertEqual(self.ask(key).status, 200)

    def test_check_reads_the_files(self):
        key, entry = new_key()
        front = self.file_door(self.entries(entry))
        done = run_command("check", "-c", front.dir + "/conf.d")
        self.assertEqual((done[0], done[2]), (0, ""))
        self.put_file(self.file, "a: {owner: b}\n")
        status, _, err = run_command("check", "-c", front.dir + "/conf.d")
        self.assertEqual(status, 1)
        self.assertIn("api_keys.partners: %s:1: a: hash is missing" % self.file, err)

    def test_wrong_usage(self):
        rows = ((("new",), "--owner is missing"), (("old",), "expected new or hash"), ((), "expected new or hash"),
                (("new", "--owner", "a", "--id", "a_b"), "--id: expected"),
                (("new", "--owner", "a", "--expires", "soon"), "--expires: expected a time"),
                (("new", "--owner", "a", "--expires", "2001-01-01"), "that time is over"),
                (("new", "--owner", "a", "--scope", "a b"), "a word without blanks"),
                (("new", "--owner", ""), "must have 1 to 256 characters"),
                (("hash", "--owner", "a"), "hash takes no option"))
        for arguments, said in rows:
            with self.subTest(arguments=arguments):
                status, out, err = run_command("api-key", *arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(said, err)
        self.assertEqual(run_command("api-key", "new", "--owner", "a", "--pepper-file", "/nowhere")[0], 1)
        status, out, _ = run_command("api-key", "--help")
        self.assertEqual(status, 0)
        self.assertIn("usage: frontdesk api-key new", out)
