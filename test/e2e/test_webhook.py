# SPDX-License-Identifier: Apache-2.0
"""Webhooks: who is told of transitions, in which order, and what a receiver that fails costs."""
import json
import os

from lib import Scenario, hang, reply, sequence, wait_for

TOKEN = "correct-horse-battery-staple"
SECRET = "tr0ub4dor-and-3"


class Hooked(Scenario):
    """Service web with one instance, a token for writes, and receivers."""

    def start(self, *hooks, settings=None, **sections):
        """Each hook: a receiver, or (receiver, {more keys})."""
        self.instances = [self.origin("a")]
        self.settings, self.sections = settings or {}, sections
        self.token_path = None
        gateway = self.static_gateway(self.instances, settings=self.settings)
        self.token_path = gateway.write_file("admin.token", TOKEN + "\n")
        os.chmod(self.token_path, 0o600)
        self.use(gateway, *hooks)
        return gateway

    def use(self, gateway, *hooks, **sections):
        """Reloads with these hooks."""
        before = gateway.status()["reload"]["count"]
        gateway.configure(dict({
            "services": {"web": dict(self.settings, instances=[o.address for o in self.instances])},
            "routes": [{"path": "/", "service": "web"}],
            "admin": {"token_file": self.token_path},
            "webhooks": [self.hook(hook) for hook in hooks],
        }, **dict(self.sections, **sections)))
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["count"] > before, 10, "reload")

    @staticmethod
    def hook(hook):
        receiver, keys = hook if isinstance(hook, tuple) else (hook, {})
        return dict({"url": "http://%s/hook" % receiver.address}, **keys)

    def receiver(self, behaviour=None):
        return self.origin("receiver").always(behaviour)

    def force(self, gateway, *states, service="web", **members):
        """One transition each."""
        for state in states:
            answer = gateway.admin_put("/v1/breakers/" + service, dict({"state": state}, **members),
                                       {"Authorization": "Bearer " + TOKEN})
            self.assertEqual(answer.status, 200, answer)

    def shown(self, gateway, number=0):
        return gateway.status()["webhooks"][number]

    def wait_shown(self, gateway, number=0, **members):
        """Until the status shows these members of a hook."""
        def ask():
            shown = self.shown(gateway, number)
            if not members.items() <= shown.items():
                raise AssertionError("shown: %s" % shown)
            return shown
        return wait_for(ask, 30, "hook %d with %s" % (number, members))

    @staticmethod
    def ids(receiver):
        """Of the transitions as they came, repeated tries included."""
        return [json.loads(request.body)["transition"]["id"] for request in receiver.requests]


class Told(Hooked):
    def test_what_is_sent(self):
        receiver = self.receiver()
        gateway = self.start(receiver)
        self.force(gateway, "forced_open", author="alice", reason="disk <full>, @all")
        request = receiver.wait_requests(1)[0]
        self.assertEqual((request.method, request.path), ("POST", "/hook"))
        self.assertEqual(request.header("Content-Type"), "application/json")
        self.assertIsNone(request.header("Authorization"))
        self.assertIsNone(request.header("Expect"))
        body = json.loads(request.body)
        self.assertEqual(set(body), {"gateway", "version", "transition", "more", "text"})
        told = gateway.admin_json("/v1/transitions")["transitions"][-1]
        self.assertEqual(body["transition"], told)
        self.assertEqual((told["to"], told["author"], told["why"]),
                         ("forced_open", "alice", "disk <full>, @all"))
        self.assertTrue(body["text"].startswith(
            "web: circuit breaker forced open, every request is turned away "
            "(by alice: disk (full), (at)all), until "), body["text"])
        self.assertTrue(body["text"].endswith("[%s]" % body["gateway"]), body["text"])
        shown = self.wait_shown(gateway, delivered=1, failed=0, dropped=0, queued=0, last_error=None)
        self.assertTrue(shown["last_delivered"])

    def test_what_clients_feel_is_told(self):
        receiver = self.receiver()
        gateway = self.start(receiver, settings={"breaker": {"minimum_requests": 5},
                                                 "outlier": {"enabled": False}})
        self.instances[0].always(reply(500))
        gateway.spread("/", 8)
        body = json.loads(receiver.wait_requests(1)[0].body)
        self.assertEqual((body["transition"]["to"], body["transition"]["cause"]),
                         ("open", "failure_rate"))
        self.assertIn("requests are turned away (5 of 5 requests failed in", body["text"])

    def test_in_order_and_each_with_a_key_of_its_own(self):
        receiver = self.receiver()
        gateway = self.start(receiver)
        self.force(gateway, *["forced_open", "forced_closed"] * 10)
        receiver.wait_requests(20)
        self.assertEqual(self.ids(receiver), list(range(1, 21)))
        keys = {request.header("Idempotency-Key") for request in receiver.requests}
        self.assertEqual(len(keys), 20)
        gateway.stop()
        gateway = self.start(receiver)
        self.force(gateway, "forced_open")
        keys.add(receiver.wait_requests(21)[20].header("Idempotency-Key"))
        self.assertEqual(len(keys), 21)

    def test_only_what_is_asked_for(self):
        forced, passing = self.receiver(), self.receiver()
        gateway = self.start((forced, {"on": ["forced"], "name": "ops"}), (passing, {"on": "half_open"}))
        self.force(gateway, "forced_open", "auto", "reset", "forced_closed")
        forced.wait_requests(3)
        self.wait_shown(gateway, 1, queued=0)
        told = [json.loads(r.body)["transition"] for r in passing.requests]
        self.assertEqual([t["to"] for t in told], ["half_open"])
        self.assertEqual(self.shown(gateway)["name"], "ops")

    def test_shadow_is_told_when_asked_for(self):
        receiver, other = self.receiver(), self.receiver()
        settings = {"breaker": {"minimum_requests": 5, "shadow": True}, "outlier": {"enabled": False}}
        gateway = self.start((receiver, {"on": ["shadow"]}), (other, {"on": ["open"]}), settings=settings)
        self.instances[0].always(reply(500))
        gateway.spread("/", 8)
        body = json.loads(receiver.wait_requests(1)[0].body)
        self.assertTrue(body["transition"]["shadow"])
        self.assertIn("would be open, nothing is turned away", body["text"])
        self.assertEqual(other.count, 0)

    def test_metrics_are_there_without_hooks(self):
        gateway = self.start()
        self.assertEqual(gateway.status()["webhooks"], [])
        metrics = gateway.metrics()
        for result in ("delivered", "failed", "dropped"):
            self.assertEqual(metrics['frontdesk_webhook_deliveries_total{result="%s"}' % result], 0)


class Failing(Hooked):
    def test_tried_again_until_it_works_and_in_order(self):
        receiver = self.receiver(sequence(reply(500), reply(503), reply(200)))
        gateway = self.start(receiver)
        self.force(gateway, "forced_open", "forced_closed")
        receiver.wait_requests(4, 20)
        self.assertEqual(self.ids(receiver), [1, 1, 1, 2])
        keys = [request.header("Idempotency-Key") for request in receiver.requests]
        self.assertEqual((len(set(keys[:3])), len(set(keys))), (1, 2))
        self.wait_shown(gateway, delivered=2, failed=0, last_error=None)

    def test_429_says_when(self):
        receiver = self.receiver(sequence(reply(429, headers=[("Retry-After", "3")]), reply(204)))
        gateway = self.start(receiver)
        self.force(gateway, "forced_open")
        receiver.wait_requests(1)
        self.wait_shown(gateway, queued=1, last_error="it answered 429")
        first, second = receiver.wait_requests(2, 20)
        self.assertGreaterEqual(second.at - first.at, 2.9)  # a back-off alone is 1 s at most
        self.wait_shown(gateway, delivered=1, failed=0)

    def test_refused_for_good(self):
        receiver = self.receiver(sequence(reply(400, b"token=" + SECRET.encode()), reply(302), reply(200)))
        gateway = self.start(receiver)
        self.force(gateway, "forced_open")
        self.wait_shown(gateway, failed=1, delivered=0, last_error="it answered 400")
        self.force(gateway, "forced_closed")
        self.wait_shown(gateway, failed=2, delivered=0, last_error="it answered 302")
        self.force(gateway, "forced_open")
        self.wait_shown(gateway, failed=2, delivered=1, last_error=None)
        self.assertEqual(self.ids(receiver), [1, 2, 3])
        metrics = gateway.metrics()
        self.assertEqual(metrics['frontdesk_webhook_deliveries_total{result="delivered"}'], 1)
        self.assertEqual(metrics['frontdesk_webhook_deliveries_total{result="failed"}'], 2)
        log = gateway.log()
        self.assertEqual(log.count("could not be told"), 1)
        self.assertIn("takes what it is sent again", log)
        self.assertNotIn(SECRET, log)

    def test_nobody_listens_for_a_while(self):
        receiver = self.receiver()
        gateway = self.start(receiver)
        receiver.kill()
        self.force(gateway, "forced_open", "forced_closed")
        wait_for(lambda: "connect" in (self.shown(gateway)["last_error"] or "").lower(), 10, "error")
        self.assertEqual(self.shown(gateway)["queued"], 2)
        receiver.listen()
        receiver.wait_requests(2, 20)
        self.assertEqual(self.ids(receiver), [1, 2])

    def test_given_up_after_attempts(self):
        receiver = self.receiver(reply(503))
        gateway = self.start((receiver, {"attempts": 2}))
        self.force(gateway, "forced_open")
        self.wait_shown(gateway, failed=1, queued=0)
        self.assertEqual(receiver.count, 2)

    def test_no_answer_in_time(self):
        receiver = self.receiver(sequence(hang(), reply(200)))
        gateway = self.start((receiver, {"timeout": "300ms", "attempts": 1}))
        self.force(gateway, "forced_open")
        shown = self.wait_shown(gateway, failed=1)
        self.assertIn("timed out", shown["last_error"].lower())
        self.force(gateway, "forced_closed")
        self.wait_shown(gateway, delivered=1)

    def test_one_that_hangs_holds_up_nobody(self):
        slow, good = self.receiver(hang()), self.receiver()
        gateway = self.start((slow, {"timeout": "60s"}), good)
        self.force(gateway, *["forced_open", "forced_closed"] * 10)
        good.wait_requests(20)
        self.assertEqual(self.ids(good), list(range(1, 21)))
        self.wait_shown(gateway, 0, queued=20)
        self.assertEqual(slow.count, 1)
        self.force(gateway, "auto")
        gateway.wait_status("/", 200)

    def test_ends_promptly_with_deliveries_pending(self):
        for behaviour in (hang(), reply(500)):
            receiver = self.receiver(behaviour)
            gateway = self.start((receiver, {"timeout": "60s", "attempts": 50}))
            self.force(gateway, "forced_open", "forced_closed")
            receiver.wait_requests(1)
            gateway.terminate()
            gateway.process.wait(10)
            self.assertIn("ends with 2 that it was not told of", gateway.log())
            gateway.stop()


class Secrets(Hooked):
    def write(self, gateway, text):
        return gateway.write_file("hook.token", text)

    def test_the_token_is_sent_and_followed(self):
        receiver = self.receiver()
        gateway = self.start(log_level="debug")
        path = self.write(gateway, SECRET + "-1\n")
        self.use(gateway, (receiver, {"token_file": path}))
        self.force(gateway, "forced_open")
        receiver.wait_requests(1)
        self.write(gateway, SECRET + "-2\n")
        self.force(gateway, "forced_closed")
        receiver.wait_requests(2)
        self.assertEqual([request.header_all("Authorization") for request in receiver.requests],
                         [["Bearer %s-1" % SECRET], ["Bearer %s-2" % SECRET]])
        # One that is broken leaves the last in use.
        self.write(gateway, SECRET + "\r\nX-Evil: 1\r\n")
        self.force(gateway, "forced_open")
        third = receiver.wait_requests(3)[2]
        self.assertEqual(third.header("Authorization"), "Bearer %s-2" % SECRET)
        self.assertIsNone(third.header("X-Evil"))
        receiver.kill()
        self.force(gateway, "forced_closed")
        wait_for(lambda: self.shown(gateway)["last_error"], 10, "error")
        self.assertNotIn(SECRET, gateway.log())
        self.assertNotIn(SECRET, json.dumps(gateway.status()))

    def test_nothing_is_sent_without_the_token(self):
        receiver = self.receiver()
        gateway = self.start()
        path = self.write(gateway, "two words\n")
        self.use(gateway, (receiver, {"token_file": path}))
        self.force(gateway, "forced_open")
        self.wait_shown(gateway, queued=1, last_error="there is no usable token in token_file")
        self.assertEqual(receiver.count, 0)
        self.write(gateway, SECRET)
        self.assertEqual(receiver.wait_requests(1, 20)[0].header("Authorization"), "Bearer " + SECRET)
        self.wait_shown(gateway, delivered=1, last_error=None)

    def test_the_url_is_not_shown(self):
        receiver = self.receiver(reply(400))
        gateway = self.start(log_level="debug")
        url = "http://user:%s@%s/%s?key=%s" % (SECRET, receiver.address, SECRET, SECRET)
        self.use(gateway, (receiver, {"url": url, "attempts": 1}))
        self.force(gateway, "forced_open")
        request = receiver.wait_requests(1)[0]
        self.assertEqual(request.target, "/%s?key=%s" % (SECRET, SECRET))
        self.assertTrue(request.header("Authorization").startswith("Basic "))
        shown = self.wait_shown(gateway, failed=1)
        self.assertEqual(shown["url"], "http://%s/..." % receiver.address)
        receiver.kill()
        self.force(gateway, "forced_closed")
        self.wait_shown(gateway, failed=2)
        self.assertNotIn(SECRET, gateway.log())
        self.assertNotIn(SECRET, json.dumps(gateway.status()))
        self.assertNotIn(SECRET, gateway.admin_get("/metrics").body.decode())


class Reloads(Hooked):
    def test_hooks_come_and_go(self):
        first, second = self.receiver(), self.receiver()
        gateway = self.start(first)
        self.force(gateway, "forced_open")
        first.wait_requests(1)
        self.use(gateway, first, second)
        self.force(gateway, "forced_closed")
        first.wait_requests(2)
        second.wait_requests(1)
        self.use(gateway, second)
        self.force(gateway, "forced_open")
        second.wait_requests(2)
        self.assertEqual((self.ids(first), self.ids(second)), ([1, 2], [2, 3]))
        self.wait_shown(gateway, delivered=2)
        # What a hook that is gone has delivered still counts.
        self.assertEqual(gateway.metrics()['frontdesk_webhook_deliveries_total{result="delivered"}'], 4)

    def test_what_waits_survives(self):
        receiver, other = self.receiver(), self.receiver()
        gateway = self.start(receiver)
        receiver.kill()
        self.force(gateway, "forced_open", "forced_closed", "forced_open")
        self.wait_shown(gateway, queued=3)
        self.use(gateway, other, (receiver, {"name": "still", "attempts": 20}))
        self.assertEqual(self.shown(gateway, 1)["queued"], 3)
        receiver.listen()
        receiver.wait_requests(3, 20)
        self.assertEqual(self.ids(receiver), [1, 2, 3])
        self.assertEqual(other.count, 0)

    def test_one_that_goes_with_deliveries_pending(self):
        receiver = self.receiver(hang())
        gateway = self.start((receiver, {"timeout": "60s"}))
        self.force(gateway, "forced_open", "forced_closed")
        receiver.wait_requests(1)
        self.use(gateway)
        self.assertEqual(gateway.metrics()['frontdesk_webhook_deliveries_total{result="dropped"}'], 2)
        self.force(gateway, "auto")
        gateway.wait_status("/", 200)

    def test_a_bad_section_is_refused(self):
        receiver = self.receiver()
        gateway = self.start(receiver)
        failed = gateway.status()["reload"]["failed"]
        gateway.configure({"webhooks": [{"url": "http://u:%s@" % SECRET}]})
        gateway.reload()
        wait_for(lambda: gateway.status()["reload"]["failed"] > failed, 10, "refusal")
        self.assertIn("webhooks[0].url", gateway.status()["reload"]["last_error"])
        self.assertNotIn(SECRET, gateway.log())
        self.force(gateway, "forced_open")
        receiver.wait_requests(1)


class Storm(Hooked):
    slow = True

    def test_a_minute_of_sixty_then_one_summary(self):
        receiver, away = self.receiver(), self.receiver()
        gateway = self.start(receiver, (away, {"attempts": 100}))
        away.kill()
        self.force(gateway, *["forced_open", "forced_closed"] * 150)
        receiver.wait_requests(60)
        self.wait_shown(gateway, delivered=60, queued=240, dropped=0)
        # One is under way, the newest 256 of the other 299 wait.
        self.wait_shown(gateway, 1, queued=257, dropped=43)
        self.assertEqual(self.ids(receiver), list(range(1, 61)))
        summary = json.loads(receiver.wait_requests(61, 90)[60].body)
        self.assertIsNone(summary["transition"])
        self.assertEqual(summary["more"], 240)
        self.assertRegex(summary["text"],
                         r"^240 more transitions (in the last minute|since .*), see the status page \[")
        self.wait_shown(gateway, delivered=61, queued=0, dropped=0)
        self.force(gateway, "forced_open")
        self.assertEqual(json.loads(receiver.wait_requests(62)[61].body)["transition"]["id"], 301)
