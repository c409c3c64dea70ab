# SPDX-License-Identifier: Apache-2.0
"""concurrency.adaptive: the limit finds what the service can do at once. The origin has a few places
and a queue before them, as a server with so many threads has."""
import threading
import time

from lib import Scenario, holds, reply, wait_for

SLOTS, SERVICE_TIME, CLIENTS = 5, 0.04, 30
ADAPTIVE = {"minimum": 2, "initial": 10, "maximum": 100}


class Adaptive(Scenario):
    def start(self, **concurrency):
        self.slots = threading.Semaphore(SLOTS)
        self.slow_down = 1

        def one_place_each(request, connection):
            with self.slots:
                time.sleep(SERVICE_TIME * self.slow_down)
            reply()(request, connection)
        self.web = self.origin("web").always(one_place_each)
        self.settings = {"concurrency": concurrency, "retries": {"attempts": 1}}
        return self.static_gateway([self.web], settings=self.settings)

    def shown(self, gateway):
        return gateway.service("web")

    def settle(self, gateway):
        """Until a probe has been made and the limit was near what the origin has for a while."""
        wait_for(lambda: self.shown(gateway)["adaptive"]["probes"] > 0, 30, "a probe")
        near = []

        def often_near():
            near.append(SLOTS * 0.4 <= self.shown(gateway)["limit"] <= SLOTS * 3)
            return sum(near[-20:]) == 20
        wait_for(often_near, 60, "a settled limit", every=0.1)

    def test_without_a_limit_the_queue_is_at_the_origin(self):
        gateway = self.start()
        with self.load(gateway, threads=CLIENTS, pause=0) as load:
            load.wait_count(200)
            wait_for(lambda: self.web.peak >= CLIENTS - 2, 20, "everything at the origin at once")
        self.assertEqual(load.failed, 0, load.summary())
        self.assertIsNone(self.shown(gateway)["adaptive"])
        self.assertEqual(self.shown(gateway)["limit"], 0)

    def test_what_is_too_much_is_refused(self):
        gateway = self.start(adaptive=ADAPTIVE)
        self.assertEqual(self.shown(gateway)["limit"], 10)
        with self.load(gateway, threads=CLIENTS, pause=0.02) as load:
            self.settle(gateway)
            self.web.forget()
            load.wait_count(1000)
        self.assertEqual(set(load.reasons), {"overloaded"})
        self.assertEqual(set(load.statuses), {200, 503})
        self.assertLessEqual(self.web.peak, SLOTS * 4)
        self.assertGreater(load.origins["web"], 0)
        shown = self.shown(gateway)
        self.assertGreater(shown["rejected_overload"], 0)
        self.assertEqual(shown["breaker"]["state"], "closed")
        adaptive = shown["adaptive"]
        self.assertGreater(adaptive["baseline_ms"], 0)
        self.assertGreater(adaptive["measured_ms"], 0)
        self.assertIn(adaptive["last_change"]["why"], ("room", "latency", "drops", "probe"))
        self.assertTrue(adaptive["last_change"]["at"])
        self.assertIn('frontdesk_concurrency_limit{service="web"}', gateway.metrics())

    def test_queue_takes_what_is_above(self):
        gateway = self.start(adaptive=ADAPTIVE, queue=100, queue_timeout="30s")
        with self.load(gateway, threads=CLIENTS, pause=0) as load:
            self.settle(gateway)
            self.web.forget()
            load.wait_count(300)
            wait_for(lambda: self.shown(gateway)["waiting"] > 0, 10, "somebody in the queue")
        self.assertEqual(load.failed, 0, load.summary())
        self.assertLessEqual(self.web.peak, SLOTS * 4)
        wait_for(lambda: self.shown(gateway)["in_flight"] == 0, what="nothing in flight")

    def test_timeouts_lower_it_and_an_end_of_them_raises_it(self):
        """Nothing was ever answered before: what the limit goes by is found afterwards."""
        gateway = self.start(adaptive={"minimum": 3, "initial": 40})
        self.settings["first_byte_timeout"] = "100ms"
        self.settings["breaker"] = {"enabled": False}
        self.settings["outlier"] = {"enabled": False}
        gateway.stop()
        gateway = self.static_gateway([self.web], settings=self.settings)
        self.slow_down = 50
        with self.load(gateway, threads=CLIENTS, pause=0.02):
            wait_for(lambda: self.shown(gateway)["limit"] == 3, 30, "the lowest limit")
            self.assertEqual(self.shown(gateway)["adaptive"]["last_change"]["why"], "drops")
            holds(lambda: self.shown(gateway)["limit"] >= 3, 1, "the minimum")
            adaptive = self.shown(gateway)["adaptive"]
            self.assertEqual((adaptive["baseline_ms"], adaptive["probes"]), (None, 0))
            self.slow_down = 1
            wait_for(lambda: self.shown(gateway)["adaptive"]["baseline_ms"], 30, "a baseline")
            holds(lambda: 3 <= self.shown(gateway)["limit"] <= 100, 2, "a limit")

    def test_refused_connections_leave_it_alone(self):
        """They are the failure of an instance, and say nothing of the others."""
        origins = [self.origin(name) for name in ("a", "b", "c")]
        gateway = self.static_gateway(origins, settings={
            "concurrency": {"adaptive": {"minimum": 2, "initial": 50}},
            "outlier": {"enabled": False}, "breaker": {"enabled": False}})
        origins[0].refuse()
        origins[0].close_idle()
        with self.load(gateway, threads=8, pause=0) as load:
            wait_for(lambda: self.shown(gateway)["adaptive"]["measured_ms"], 20, "a window")
            load.wait_count(3000)
        self.assertGreater(self.shown(gateway)["retries"], 100)
        self.assertGreaterEqual(self.shown(gateway)["limit"], 50)

    def test_settings_change_and_what_was_learnt_stays(self):
        gateway = self.start(adaptive=ADAPTIVE)
        config = {"services": {"web": dict(self.settings, instances=[self.web.address])},
                  "routes": [{"path": "/", "service": "web"}]}

        def change(**concurrency):
            config["services"]["web"]["concurrency"] = concurrency
            count = gateway.status()["reload"]["count"]
            gateway.configure(config)
            gateway.reload()
            wait_for(lambda: gateway.status()["reload"]["count"] > count, what="the reload")
        with self.load(gateway, threads=8, pause=0):
            wait_for(lambda: self.shown(gateway)["adaptive"]["measured_ms"], 20, "a window")
        baseline = self.shown(gateway)["adaptive"]["baseline_ms"]
        change(adaptive=dict(ADAPTIVE, maximum=90))
        self.assertEqual(self.shown(gateway)["adaptive"]["baseline_ms"], baseline)
        change(adaptive={"minimum": 3, "initial": 3, "maximum": 3})
        self.assertEqual(self.shown(gateway)["limit"], 3)
        change(requests=77)
        self.assertEqual(self.shown(gateway)["limit"], 77)
        self.assertIsNone(self.shown(gateway)["adaptive"])
        change(adaptive=ADAPTIVE)
        self.assertEqual(self.shown(gateway)["limit"], 10)
        self.assertEqual(gateway.get("/").status, 200)
