# SPDX-License-Identifier: Apache-2.0
"""User and password: who is let in, what is refused and how, checks that wait, are shared and find no
room, and files that change."""
import base64
import os
import shutil
import tempfile
import threading

from lib import RawClient, Scenario, build, request, wait_for

# As `htpasswd -nbBC 4` makes them, and the other names of the same hash.
ADA = "ada:$2y$04$vBGeZRMxqsFUUB.iW1Ao8uxKQ8HMj/akPnKYf/odknaQ1b0CMdAo6"  # lovelace
EVE = "eve:$2b$04$0HNKubhIXBCzFioraVEqBu.l1nBmRzlKmaqv.LI1qmet0iyZ/XHCK"  # s3cret: with colon
# No password is right, and each takes some 100 ms to find that out; and a second.
SLOW = "slow:$2y$10$Nu0ITyjo3aAB.IuWj6BvduZHKOuCv6bEyz9pnTUVG1YQfZnAbrliG"
SLOWER = "slower:$2y$14$Nu0ITyjo3aAB.IuWj6BvduZHKOuCv6bEyz9pnTUVG1YQfZnAbrliG"
WRONG = "the user or password is not valid"
SHAPE = "the user and password are not well-formed"
BUSY = "too many passwords are being checked"


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def ask_at_once(case, credentials, source=None):
    """A connection each; they are all there before the first answer is read."""
    clients = []
    for credential in credentials:
        client = RawClient(case.front.port, source=source, timeout=60)
        case.addCleanup(client.close)
        client.send(build("GET", "/x", {"Authorization": credential}))
        clients.append(client)
    return clients


class Door(Scenario):
    def door(self, users, settings=None, policy=None, **config):
        folder = tempfile.mkdtemp(prefix="frontdesk-users-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.file = os.path.join(folder, "users")
        self.put_users(users)
        self.web = self.origin("web")
        whole = {"services": {"web": {"instances": [self.web.address]}},
                 "basic": {"staff": dict({"htpasswd": self.file, "realm": "the staff"}, **settings or {})},
                 "policies": {"staff": dict({"authenticate": [{"basic": "staff"}]}, **policy or {})},
                 "routes": [{"path": "/", "service": "web", "auth": "staff"}], "access_log": "stdout"}
        whole.update(config)
        self.front = self.gateway(whole, consul=None)
        return self.front

    def put_users(self, users):
        with open(self.file + ".new", "w") as file:
            file.write("".join(user + "\n" for user in users))
        os.rename(self.file + ".new", self.file)

    def ask(self, authorization=None, target="/x", **options):
        headers = {"Authorization": authorization} if authorization is not None else {}
        return self.front.get(target, headers=headers, **options)

    def counted(self, result):
        return self.front.metrics().get(
            'frontdesk_credentials_total{kind="basic",source="staff",result="%s"}' % result, 0)

    def assertRefused(self, answer, status, detail):
        self.assertEqual((answer.status, answer.json()["detail"]), (status, detail), answer)

    def row(self):
        return next(r for r in self.front.status()["credentials"] if r["name"] == "staff")


class Passwords(Door):
    def test_who_asks(self):
        front = self.door([ADA, EVE], policy={"headers": {"X-User": "sub"}})
        for credential, user in ((basic("ada", "lovelace"), "ada"), (basic("eve", "s3cret: with colon"), "eve"),
                                 (basic("ada", "lovelace").replace("Basic", "bAsIc "), "ada")):
            with self.subTest(credential=credential):
                self.assertEqual(self.ask(credential).status, 200)
                self.assertEqual(self.web.requests[-1].header("X-User"), user)
                self.assertIsNone(self.web.requests[-1].header("Authorization"))
        line = front.wait_logged(subject="eve")
        self.assertEqual(line["auth"], "basic:staff")
        said = front.output() + front.log() + str(front.status())
        for secret in ("lovelace", "s3cret", basic("ada", "lovelace")[6:], ADA[20:]):
            self.assertNotIn(secret, said)
        self.assertEqual((self.row()["kind"], self.row()["entries"], self.row()["accepted"]), ("basic", 2, 3))

    def test_what_is_refused(self):
        front = self.door([ADA])
        good = basic("ada", "lovelace")
        rows = ((basic("ada", "Lovelace"), WRONG, "wrong"), (basic("bob", "lovelace"), WRONG, "wrong"),
                (basic("ada", ""), WRONG, "wrong"), (basic("ada", "x" * 600), WRONG, "wrong"),
                ("Basic", SHAPE, "malformed"), ("Basic YWRh", SHAPE, "malformed"),
                (basic("", "x"), SHAPE, "malformed"), (basic("ada", "lovelace1").rstrip("="), SHAPE, "malformed"),
                (good + "=", SHAPE, "malformed"), (good + " x", SHAPE, "malformed"),
                (basic("ada", "love\x00lace"), SHAPE, "malformed"), (basic("ada", "a\nb"), SHAPE, "malformed"),
                (basic("ada", "x" * 2000), SHAPE, "malformed"))
        for credential, detail, word in rows:
            with self.subTest(credential=credential[:60]):
                before = self.counted(word)
                answer = self.ask(credential)
                self.assertRefused(answer, 401, detail)
                self.assertRegex(answer.header("WWW-Authenticate"), 'Basic realm="the staff"')
                self.assertEqual(self.counted(word), before + 1)
        for other in (None, "Bearer abc", "Digest username=ada"):
            self.assertRefused(self.ask(other), 401, "the request carries no credential that this route takes")
        with self.front.connect() as client:
            client.send(("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nAuthorization: %s\r\n\r\n"
                         % (good, good)).encode())
            self.assertRefused(client.read_answer(), 401, "the request carries more than one Authorization")
        self.assertEqual(self.web.count, 0)
        self.assertEqual(self.ask(good).status, 200)
        self.assertEqual(front.metrics()["frontdesk_password_checks"], 0)

    def test_the_service_may_see_it(self):
        self.door([ADA], {"pass": True})
        self.assertEqual(self.ask(basic("ada", "lovelace")).status, 200)
        self.assertEqual(self.web.requests[-1].header("Authorization"), basic("ada", "lovelace"))

    def test_a_password_is_remembered(self):
        # All places of this address are taken, so only what needs no check gets through.
        self.door([ADA, SLOWER], {"cache": "1h"}, workers=1)
        self.assertEqual(self.ask(basic("ada", "lovelace")).status, 200)
        clients = ask_at_once(self, [basic("slower", "p%d" % i) for i in range(8)])
        wait_for(lambda: self.front.metrics()["frontdesk_password_checks"] == 8, what="eight checks")
        for _ in range(20):
            self.assertEqual(self.ask(basic("ada", "lovelace")).status, 200)
        self.assertRefused(self.ask(basic("ada", "lovelacE")), 503, BUSY)
        self.put_users([EVE])
        wait_for(lambda: self.ask(basic("ada", "lovelace")).status != 200, what="the user's end")
        for client in clients:
            client.reset()

    def test_with_a_body_and_keep_alive(self):
        self.door([ADA], {"cache": "0"})
        with RawClient(self.front.port) as client:
            for i in range(3):
                client.send(build("POST", "/x", {"Authorization": basic("ada", "lovelace")}, b"x" * 70000))
                self.assertEqual(client.read_answer().status, 200)
        self.assertEqual(self.web.count, 3)
        self.assertEqual(len(self.web.requests[-1].body), 70000)

    def test_other_mechanisms_beside_it(self):
        self.door([ADA], basic={
            "staff": {"htpasswd": self.other_file([ADA]), "realm": "a"},
            "guests": {"htpasswd": self.other_file([EVE]), "realm": "b"}},
            policies={"staff": {"authenticate": [{"basic": "staff"}, {"basic": "guests"}]}})
        self.assertEqual(self.ask(basic("ada", "lovelace")).status, 200)
        self.assertEqual(self.ask(basic("eve", "s3cret: with colon")).status, 200)
        answer = self.ask(basic("eve", "x"))
        self.assertRefused(answer, 401, WRONG)
        self.assertEqual(len(answer.header_all("WWW-Authenticate")), 2)

    def other_file(self, users):
        handle, path = tempfile.mkstemp(prefix="frontdesk-users-")
        self.addCleanup(os.unlink, path)
        with os.fdopen(handle, "w") as file:
            file.write("".join(user + "\n" for user in users))
        return path


class Pressure(Door):
    def pending(self):
        return self.front.metrics()["frontdesk_password_checks"]

    def test_one_address_has_eight_places(self):
        self.door([ADA, SLOWER], {"cache": "0"})
        clients = ask_at_once(self, [basic("slower", "p%d" % i) for i in range(8)])
        wait_for(lambda: self.pending() == 8, what="eight checks")
        answer = self.ask(basic("slower", "one more"))
        self.assertRefused(answer, 503, BUSY)
        self.assertEqual((answer.reason, answer.header("Retry-After")), ("auth_unavailable", "1"))
        # The one that is being checked may be asked for once more; other addresses have places too.
        more = ask_at_once(self, [basic("slower", "p7")])
        other = ask_at_once(self, [basic("ada", "lovelace")], source="127.0.0.2")
        wait_for(lambda: self.pending() == 9, what="the other address")
        # Requests that need no password do not notice.
        self.assertEqual(self.ask().status, 401)
        # Who goes away makes room.
        for client in clients + more + other:
            client.reset()
        wait_for(lambda: self.pending() <= 1, what="the end of what nobody waits for")
        wait_for(lambda: self.ask(basic("ada", "lovelace")).status == 200, 20, what="a password")
        self.assertGreaterEqual(self.counted("busy"), 1)

    def test_who_waits_too_long(self):
        self.door([ADA, SLOWER], {"cache": "0"})
        clients = ask_at_once(self, [basic("slower", "p%d" % i) for i in range(8)])
        statuses = [client.read_answer().status for client in clients]
        self.assertEqual(statuses[0], 401)
        self.assertLessEqual(set(statuses), {401, 503})
        self.assertEqual(self.ask(basic("ada", "lovelace")).status, 200)

    def test_a_crowd(self):
        self.door([ADA, SLOW], {"cache": "0"})
        statuses, lock = [], threading.Lock()

        def one(number):
            for i in range(6):
                good = (number + i) % 2 == 0
                credential = basic("ada", "lovelace") if good else basic("slow", "p%d" % (i % 3))
                status = request(self.front.port, headers={"Authorization": credential}).status
                with lock:
                    statuses.append((good, status))

        threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(statuses), 48)
        self.assertLessEqual({status for good, status in statuses if good}, {200, 503})
        self.assertLessEqual({status for good, status in statuses if not good}, {401, 503})
        self.assertIn((True, 200), statuses)

    def test_reload_and_end_while_they_wait(self):
        front = self.door([ADA, SLOW], {"cache": "0"})
        for _ in range(3):
            clients = ask_at_once(self, [basic("slow", "p%d" % i) for i in range(8)])
            wait_for(lambda: self.pending() >= 4, what="checks")
            reloads = front.status()["reload"]["count"]
            front.reload()
            wait_for(lambda: front.status()["reload"]["count"] > reloads, what="the reload")
            for client in clients:
                self.assertIn(client.read_answer().status, (401, 503))
        clients = ask_at_once(self, [basic("slow", "p%d" % i) for i in range(8)])
        wait_for(lambda: self.pending() >= 4, what="checks")
        # A second signal ends it at once.
        front.terminate()
        front.terminate()
        front.stop()
        for client in clients:
            client.close()


class Files(Door):
    def test_changes(self):
        front = self.door([ADA])
        self.put_users([ADA, EVE])
        wait_for(lambda: self.row()["entries"] == 2, what="the second user")
        self.assertEqual(self.ask(basic("eve", "s3cret: with colon")).status, 200)
        for users, said in ((["ada:secret"], "users:1: user \"ada\": only bcrypt hashes are taken"),
                            ([ADA, "eve"], "users:2: expected user:hash"), ([], "is empty"),
                            ([ADA, ADA], "users:2: user \"ada\" is on line 1 too")):
            with self.subTest(said=said):
                failures = self.row()["failures"]
                self.put_users(users)
                wait_for(lambda: self.row()["failures"] > failures, what="a failed reading")
                self.assertIn(said, self.row()["last_error"])
                self.assertIn(said, front.log())
                self.assertEqual(self.ask(basic("eve", "s3cret: with colon")).status, 200)
        self.assertNotIn("secret", front.log().replace("s3cret", ""))
        self.put_users(["# nobody"])
        wait_for(lambda: self.row()["entries"] == 0, what="the end of all users")
        self.assertRefused(self.ask(basic("ada", "lovelace")), 401, WRONG)

    def test_it_does_not_start_with_a_bad_file(self):
        with self.assertRaisesRegex(AssertionError, r"basic.staff: .*users:1: user .bob.: only bcrypt"):
            self.door(["bob:$apr1$abc$def"])
