# SPDX-License-Identifier: Apache-2.0
"""Consul answers wrongly, in ways that a real one does not on demand. In every case: what was known
stays in force and requests go on, Consul is not asked in a hot loop, the status page says what is
wrong, and when the fault ends the gateway follows the catalog again."""
import json

from lib import Scenario, hang, silence, wait_for
from lib import faulty_consul as faulty
from lib.faulty_consul import FaultyConsul, TlsFront, instance
from lib.h2_origin import have_node

TAGS = ["frontdesk.path=/orders/"]
WRONG = [None, True, -1, 1e300, "x", [], {}]
# A hot loop makes thousands. Five watches (the list, the service, three kinds of traffic rules) may each
# wake ten times a second for a while, after a burst of twenty.
MOST_A_SECOND = 100


class Faults(Scenario):
    slow = True

    def setUp(self):
        self.fake = FaultyConsul()
        self.addCleanup(self.fake.stop)
        self.origins = {id: self.origin(id) for id in ("a", "b", "c", "d", "late")}
        self.tell("a", "b", "c", "d")

    def tell(self, *ids):
        self.fake.set("orders", [instance(id, self.origins[id].port) for id in ids], TAGS)

    def start(self, consul=None, **settings):
        settings.setdefault("wait", "2s")
        self.running = self.gateway({"consul": settings, "defaults": {"balance": "round_robin"}},
                                    consul=consul or self.fake)
        self.running.wait_spread("/orders/", {"a", "b", "c", "d"}, count=16)
        self.traffic = self.load(self.running, "/orders/")

    def consul_status(self):
        return self.running.status()["consul"]

    def wait_named(self, words, timeout=40):
        wait_for(lambda: words in self.consul_status()["last_error"], timeout,
                 "error with %r" % words)

    def rides_out(self, seconds=3, known=("a", "b", "c", "d")):
        """While the fault lasts: bounded requests to Consul, all known instances in use."""
        rate = self.fake.rate(seconds)
        print("        %s: %.0f requests and connections a second" % (self._testMethodName, rate))
        self.assertLess(rate, MOST_A_SECOND)
        self.running.wait_spread("/orders/", set(known), count=16)

    def recovers(self):
        """The fault is over: the catalog is followed, and nothing failed meanwhile."""
        self.fake.heal()
        self.tell("a", "b", "c", "d", "late")
        self.running.wait_spread("/orders/", {"a", "b", "c", "d", "late"}, count=20, timeout=60)
        wait_for(lambda: self.consul_status()["connected"], 60, "connected")
        self.traffic.wait_count(20)
        self.traffic.stop()
        self.assertEqual(self.traffic.failed, 0, self.traffic.summary())


class Answers(Faults):
    """Whole answers that are wrong in what they say."""

    def named(self, fault, words):
        self.start()
        self.fake.fault(fault)
        self.wait_named(words)
        self.rides_out()
        self.recovers()

    def test_500_with_index_1(self):
        self.named(faulty.error(500), "no cluster leader")

    def test_503(self):
        self.named(faulty.error(503, "out of order"), "503")

    def test_429(self):
        self.named(faulty.error(429, ""), "429")

    def test_403(self):
        self.named(faulty.error(403, "ACL not found"), "403")

    def test_404_for_all(self):
        self.named(faulty.error(404, "page not found"), "404")

    def test_not_json(self):
        self.named(faulty.body("<html>Sign in to the network</html>", "text/html"), "not JSON")

    def test_not_json_though_it_says_so(self):
        self.named(faulty.body("<html>Sign in to the network</html>"), "not JSON")

    def test_empty_body(self):
        self.named(faulty.body(""), "not JSON")

    def test_half_a_document(self):
        self.named(faulty.body('[{"Node": {"Node": "n'), "not JSON")

    def test_deep_nesting(self):
        self.named(faulty.body("[" * 100000), "not JSON")

    def test_null(self):
        self.named(faulty.body("null"), "the answer is")

    def test_number(self):
        self.named(faulty.body("1e400"), "the answer is")

    def test_wrong_types_everywhere(self):
        """An answer in which nothing is an instance is not an answer without instances."""
        odd = [{"Node": node, "Service": service, "Checks": checks}
               for node in WRONG for service in WRONG for checks in WRONG
               if not node == service == {}]
        self.named(faulty.body(json.dumps(odd + WRONG)), "the answer is")

    def test_wrong_types_beside_what_is_right(self):
        """They are left out and counted, and hide nothing else."""
        self.start()
        odd = [instance("odd-%d" % i, port)
               for i, port in enumerate([None, "80", -1, 70000, 0, 1.5, [], {}])]
        odd += [instance("odd", 80, address="not a host!")] + WRONG
        good = [dict(instance(id, self.origins[id].port), Checks=checks)
                for id, checks in zip("abcd", ([None, 1, "x", []], None, [{}][:0], {}))]
        good = [dict(one, Service=dict(one["Service"], Tags=TAGS + WRONG, Meta=meta, Weights=weights))
                for one, meta, weights in zip(good, WRONG, reversed(WRONG))]
        self.fake.fault(faulty.body(json.dumps(odd + good)), "/v1/health/service/")
        wait_for(lambda: self.consul_status()["skipped_instances"] >= len(odd), 20,
                 "instances that were left out")
        self.rides_out()
        self.recovers()

    def test_wrong_types_in_the_list(self):
        self.start()
        self.fake.fault(faulty.body(json.dumps({"orders": 1, "": [], "y": [1, None, {}]})),
                        "/v1/catalog/services")
        self.wait_named("the tags of")
        self.rides_out()
        self.recovers()


class Indexes(Faults):
    """Good bodies with wrong indexes, which is where clients begin to spin."""

    def test_missing_index(self):
        self.start()
        self.fake.fault(faulty.with_index(None))
        self.rides_out()
        self.recovers()

    def test_index_0(self):
        self.start()
        self.fake.fault(faulty.with_index(0))
        self.rides_out(5)
        self.recovers()

    def test_index_1_that_never_blocks(self):
        self.start()
        self.fake.fault(faulty.with_index(1))
        self.rides_out(5)
        self.recovers()

    def test_index_that_is_no_number(self):
        self.start()
        self.fake.fault(faulty.with_index("-17 apples"))
        self.rides_out()
        self.recovers()

    def test_index_beyond_64_bits(self):
        self.start()
        self.fake.fault(faulty.with_index(2 ** 64 + 5))
        self.rides_out()
        self.recovers()

    def test_index_that_stays_and_never_blocks(self):
        self.start()
        self.fake.fault(faulty.with_index(self.fake.index()))
        self.rides_out(5)
        self.recovers()

    def test_index_backwards(self):
        self.start()
        self.fake.turn_back(3)
        wait_for(lambda: self.consul_status()["index_resets"] > 0, 20, "an index that fell")
        self.rides_out()
        self.recovers()

    def test_index_that_swings(self):
        """Two servers whose indexes differ, asked in turn."""
        self.start()
        self.fake.fault(lambda request, connection: faulty.with_index(
            1000 + self.fake.count % 2)(request, connection))
        self.rides_out(5)
        self.recovers()


class LessThanThere(Faults):
    """Answers that show less than there is: not believed."""

    def test_empty_with_the_same_index(self):
        self.start()
        self.fake.fault(faulty.empty)
        self.rides_out(5)
        self.recovers()

    def test_empty_from_a_follower_that_is_cut_off(self):
        self.start()
        self.fake.fault(faulty.empty_without_leader)
        self.rides_out(5)
        self.recovers()

    def test_server_that_is_reading_its_log(self):
        """For longer than it takes to confirm a loss by a second read."""
        self.start()
        self.fake.fault(faulty.reading_its_log)
        self.rides_out(8)
        self.recovers()

    def test_old_answers_of_a_follower_that_is_cut_off(self):
        self.start()
        self.fake.fault(faulty.without_leader)
        wait_for(lambda: not self.consul_status()["leader_known"], 20, "word of the missing leader")
        self.assertGreaterEqual(self.consul_status()["last_contact_ms"], 600000)
        self.rides_out(5)
        self.recovers()

    def test_most_gone_then_back_at_once(self):
        """The mistake is corrected before it was confirmed."""
        self.start()
        self.tell("a")
        self.tell("a", "b", "c", "d")
        self.rides_out()
        self.recovers()


class Transport(Faults):
    """Answers that never become whole."""

    def through(self, fault, words=""):
        self.start()
        self.fake.fault(fault)
        wait_for(lambda: not self.consul_status()["connected"], 20, "trouble")
        self.assertTrue(self.consul_status()["last_error"])
        self.wait_named(words)
        self.rides_out()
        self.recovers()

    def test_truncated(self):
        self.through(faulty.truncated)

    def test_truncated_then_reset(self):
        self.through(faulty.truncated_reset)

    def test_429_before_the_request(self):
        self.start()
        self.fake.greet(faulty.too_many)
        wait_for(lambda: not self.consul_status()["connected"], 20, "trouble")
        self.wait_named("429")
        self.rides_out()
        self.recovers()

    def test_reset_right_after_accept(self):
        self.start()
        self.fake.greet(faulty.resets)
        wait_for(lambda: not self.consul_status()["connected"], 20, "trouble")
        self.assertTrue(self.consul_status()["last_error"])
        self.rides_out()
        self.recovers()

    def test_garbage_for_an_answer(self):
        self.through(faulty.garbage)

    def test_larger_than_the_bound(self):
        self.through(faulty.endless, "larger")


class Patience(Faults):
    """What only a deadline ends."""

    def test_never_answers(self):
        self.start(wait="1s")
        self.fake.fault(silence())
        wait_for(lambda: not self.consul_status()["connected"], 40, "the deadline")
        self.rides_out()
        self.recovers()

    def test_slow_body(self):
        self.start(wait="1s")
        self.fake.fault(faulty.slow(0.5))
        wait_for(lambda: not self.consul_status()["connected"], 40, "the deadline")
        self.rides_out()
        self.recovers()

    def test_start_with_an_agent_that_never_answers(self):
        self.fake.fault(hang())
        gateway = self.gateway(consul=self.fake, ready=False)
        wait_for(lambda: gateway.get("/orders/").reason == "catalog_unknown", 20,
                 "503 catalog_unknown")
        self.fake.heal()
        gateway.wait_status("/orders/", 200, timeout=40)


class Large(Faults):
    def test_fifty_megabytes(self):
        """Understood, and requests go on while it is read."""
        self.start()
        self.fake.fault(faulty.padded(50 << 20), "/v1/health/service/")
        asked = self.fake.count
        wait_for(lambda: self.fake.count > asked + 1, 60, "two large answers")
        self.rides_out(known=("a", "b", "c", "d"))
        self.recovers()

    def test_small_body_that_becomes_a_large_one(self):
        self.start()
        before = self.running.rss()
        self.fake.fault(faulty.gzip_bomb(1 << 29), "/v1/health/service/")
        self.rides_out()
        self.assertLess(self.running.rss() - before, 400 << 20)  # a sanitizer keeps what was freed
        self.recovers()


class Multiplexed(Faults):
    """HTTP/2 over TLS, as an agent's HTTPS port speaks it."""

    def begin(self):
        if not have_node():
            self.skipTest("no node here")
        authority = self.authority()
        self.front = TlsFront(self.fake, authority.issue("localhost"))
        self.addCleanup(self.front.stop)
        self.start(self.front, ca_file=authority.file)

    def test_goaway(self):
        self.begin()
        sessions = self.front.sessions
        self.front.goaway()
        self.tell("a", "b", "c")
        wait_for(lambda: self.front.sessions > sessions, 40, "a new connection")
        self.rides_out(known=("a", "b", "c"))
        self.recovers()

    def test_goaway_again_and_again(self):
        self.begin()
        for _ in range(5):
            sessions = self.front.sessions
            self.front.goaway()
            wait_for(lambda: self.front.sessions > sessions, 40, "a new connection")
        self.rides_out()
        self.recovers()

    def test_told_to_calm_down(self):
        self.begin()
        for _ in range(5):
            sessions = self.front.sessions
            self.front.calm()
            wait_for(lambda: self.front.sessions > sessions, 40, "a new connection")
        self.rides_out()
        self.recovers()

    def test_streams_reset(self):
        self.begin()
        for _ in range(5):
            asked = self.fake.count
            self.front.reset_streams()
            wait_for(lambda: self.fake.count > asked, 40, "another try")
        self.rides_out()
        self.recovers()

    def test_500_over_http2(self):
        self.begin()
        self.fake.fault(faulty.error(500))
        self.wait_named("no cluster leader")
        self.rides_out()
        self.recovers()

    def test_truncated_over_http2(self):
        self.begin()
        self.fake.fault(faulty.truncated)
        wait_for(lambda: not self.consul_status()["connected"], 20, "trouble")
        self.rides_out()
        self.recovers()
