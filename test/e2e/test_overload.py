# SPDX-License-Identifier: Apache-2.0
"""Load shedding: a gateway that has too much to do serves the important routes. Connections are the
signal that a test can hold still: idle ones fill the table up to the percentage that it wants. The
other signal, a late event loop, is made by stopping the process again and again."""
import os
import re
import signal
import threading
import time

from lib import RawClient, Scenario, build, client, wait_for

CLASSES = ("low", "normal", "high", "critical")
LIMIT = 100
AT = {1: 95, 2: 97, 3: 99}  # connections for a level
FAST = {"interval": "20ms"}


class Overload(Scenario):
    def setUp(self):
        self.web = self.origin()
        self.crowd, self.kept = [], {}

    def front(self, overload=FAST, limits=None, fallback=None, workers=1):
        routes = [{"path": "/%s/" % word, "service": "web", "importance": word} for word in CLASSES]
        routes.append({"path": "/unsaid/", "service": "web"})
        if fallback is not None:
            routes.append({"path": "/spare/", "service": "web", "importance": "low",
                           "fallback": fallback})
        return self.static_gateway([self.web], config={
            "workers": workers, "routes": routes, "overload": overload, "access_log": "stdout",
            "limits": {"connections": LIMIT, "keepalive_timeout": "5m", "header_timeout": "5m"}
            if limits is None else limits})

    def connected(self, front):
        one = RawClient(front.port, timeout=20)
        self.addCleanup(one.close)
        return one

    def ask(self, front, word):
        """On a connection that stays, and is made anew at once when the answer closed it."""
        one = self.kept.get(word) or self.connected(front)
        one.send(build("GET", "/%s/x" % word))
        answer = one.read_answer()
        self.kept[word] = self.connected(front) if answer.header("Connection") == "close" else one
        return answer

    def reasons(self, front):
        return {word: self.ask(front, word).reason or "served" for word in CLASSES}

    def fill(self, front, percent):
        """Opens or closes idle connections until there are that many with those in use."""
        for word in CLASSES:
            if word not in self.kept:
                self.kept[word] = self.connected(front)
        while len(self.crowd) + len(self.kept) < percent:
            self.crowd.append(self.connected(front))
        while len(self.crowd) + len(self.kept) > percent:
            self.crowd.pop().close()
        wait_for(lambda: front.status()["connections"] == percent, 20, "%d connections" % percent)

    def wait_level(self, front, level):
        wait_for(lambda: front.status()["overload"]["level"] == level, 30, "level %d" % level)

    def refusal(self, front, word):
        """An answer to this class at level 1, at which only a share may be refused."""
        def found():
            self.fill(front, AT[1])
            answer = self.ask(front, word)
            return answer if answer.reason == "shed" else None
        return wait_for(found, 30, "a refusal")

    def metric(self, front, line):
        found = re.search("^" + re.escape(line) + r" (\d+)$", front.admin_get("/metrics").body.decode(),
                          re.M)
        self.assertIsNotNone(found, line)
        return int(found.group(1))


class ByConnections(Overload):
    def test_levels_refuse_class_after_class_and_end(self):
        front = self.front()
        self.assertEqual(self.reasons(front), dict.fromkeys(CLASSES, "served"))
        for level in (1, 2, 3):
            self.fill(front, AT[level])
            self.wait_level(front, level)
            wait_for(lambda: self.refused_at(front, level), 30, "level %d in full" % level)
        self.check_seen(front)
        for one in self.crowd:
            one.close()
        self.crowd = []
        self.wait_level(front, 0)
        for word in CLASSES:
            self.assertEqual(self.ask(front, word).status, 200)
        wait_for(lambda: "shedding ends" in front.log(), 30, "the end in the log")
        self.assertEqual(front.log().count("shedding begins"), 1)
        self.assertEqual(front.log().count("shedding ends"), 1)
        self.assertEqual(self.metric(front, 'frontdesk_shed_level{worker="0"}'), 0)

    def refused_at(self, front, level):
        """Are just the classes below the level refused, with the table as full as it was?"""
        self.fill(front, AT[level])
        expected = {word: "shed" if i < level else "served" for i, word in enumerate(CLASSES)}
        got = self.reasons(front)
        for word in CLASSES[level:]:
            self.assertEqual(got[word], "served", "%s at level %d" % (word, level))
        return got == expected

    def check_seen(self, front):
        self.fill(front, AT[3])
        self.wait_level(front, 3)
        overload = front.status()["overload"]
        self.assertEqual(overload["level"], 3)
        self.assertIsNotNone(overload["since"])
        self.assertEqual(overload["workers"][0]["level"], 3)
        for word in ("low", "normal", "high"):
            self.assertGreater(overload["shed"][word], 0)
            name = 'frontdesk_shed_total{importance="%s"}' % word
            self.assertEqual(self.metric(front, name), overload["shed"][word])
        self.assertNotIn("critical", overload["shed"])
        self.assertEqual(self.metric(front, 'frontdesk_shed_level{worker="0"}'), 3)
        self.assertEqual(self.metric(front, 'frontdesk_failures_total{service="web",reason="shed"}'),
                         sum(overload["shed"].values()))

    def test_what_the_refused_client_gets(self):
        front = self.front()
        answer = self.refusal(front, "low")
        self.assertEqual((answer.status, answer.reason), (503, "shed"))
        self.assertEqual(answer.header("Retry-After"), "1")
        self.assertEqual(answer.header("Connection"), "close")
        problem = answer.json()
        self.assertEqual(problem["title"],
                         "The gateway is saturated and gives way to more important routes")
        self.assertEqual((problem["reason"], problem["service"]), ("shed", "web"))
        self.assertEqual(front.breaker("web")["state"], "closed")
        self.assertEqual(front.breaker("web")["window"]["failed"], 0)
        self.assertEqual(front.wait_logged(reason="shed")["attempts"], 0)

    def test_a_listed_fallback_stands_in(self):
        front = self.front(fallback=[{"on": "any", "static": {"body": "not for shed"}},
                                     {"on": ["shed"], "static": {"body": "later, please"}}])
        answer = self.refusal(front, "spare")
        self.assertEqual((answer.status, answer.body), (200, b"later, please"))
        self.assertEqual(answer.header("Frontdesk-Fallback"), "static")
        self.assertEqual(answer.reason, "shed")

    def test_switched_off(self):
        front = self.front(overload={"enabled": False})
        self.fill(front, LIMIT)
        for _ in range(20):
            self.assertEqual(self.reasons(front), dict.fromkeys(CLASSES, "served"))
        self.assertEqual(front.status()["overload"]["level"], 0)

    def test_reload_switches_it_off_at_once(self):
        front = self.front()
        self.fill(front, AT[3])
        self.wait_level(front, 3)
        settings = {"workers": 1, "overload": {"enabled": False}, "limits": {"connections": LIMIT},
                    "services": {"web": {"instances": ["127.0.0.1:%d" % self.web.port]}},
                    "routes": [{"path": "/", "service": "web", "importance": "low"}]}
        front.configure(settings)
        front.reload()
        self.wait_level(front, 0)
        self.assertEqual(self.ask(front, "low").status, 200)

    def test_explain_names_the_importance(self):
        front = self.front()
        for target, expected in (("/low/x", "low"), ("/critical/x", "critical"),
                                 ("/unsaid/x", "normal")):
            document = front.admin_get("/v1/explain?url=http://shop.example" + target).json()
            self.assertEqual(document["services"][0]["policy"]["importance"], expected)


class ByDelay(Overload):
    def pulses(self, front):
        """Stops the process most of the time until the event is set."""
        end = threading.Event()

        def beat():
            while not end.is_set():
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.15)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.01)
        pid = front.process.pid
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()

        def stop():
            end.set()
            thread.join()
        self.addCleanup(stop)
        return stop

    def asker(self, front, word, answers, end):
        def run():
            while not end.is_set():
                answers.append(client.request(front.port, "GET", "/%s/x" % word, timeout=60))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def test_a_late_event_loop_sheds_and_recovers(self):
        front = self.front(overload={"target": "50ms", "interval": "100ms"}, limits={}, workers=2)
        end, answers = threading.Event(), {"low": [], "critical": []}
        threads = [self.asker(front, word, answers[word], end) for word in answers]
        stop = self.pulses(front)
        wait_for(lambda: any(a.reason == "shed" for a in answers["low"]), 60, "a refusal")
        had = len(answers["critical"])
        wait_for(lambda: len(answers["critical"]) > had + 5, 60, "critical requests beside them")
        stop()
        end.set()
        for thread in threads:
            thread.join(60)
        self.assertEqual({a.status for a in answers["critical"]}, {200})
        self.wait_level(front, 0)
        for word in CLASSES:
            self.assertEqual(front.get("/%s/x" % word).status, 200)
        wait_for(lambda: front.log().count("shedding ends") == front.log().count("shedding begins"),
                 30, "the end in the log")
        self.assertGreater(front.status()["overload"]["shed"]["low"], 0)


class FromTags(Overload):
    def test_tags_and_meta_say_it_too(self):
        self.instance("cart", "cart-1",
                      tags=["frontdesk.path=/cart/", "frontdesk.importance=critical"])
        self.instance("ads", "ads-1", tags=["frontdesk.path=/ads/"],
                      meta={"frontdesk-importance": "low"})
        front = self.gateway({})
        for name, expected in (("cart", "critical"), ("ads", "low")):
            url = "/v1/explain?url=http://shop.example/%s/x" % name
            wait_for(lambda: front.admin_get(url).json().get("services"), 10, "the route of " + name)
            document = front.admin_get(url).json()
            self.assertEqual(document["services"][0]["policy"]["importance"], expected)
