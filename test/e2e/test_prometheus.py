# SPDX-License-Identifier: Apache-2.0
"""What Prometheus makes of the gateway: promtool reads the metrics, the alert rules and every query of
the Grafana dashboard, and none of them names a metric that the gateway does not have."""
import json
import os
import re
import subprocess
import tempfile

from lib import Scenario
from lib.consul import ROOT

ALERTS = os.path.join(ROOT, "docs/prometheus/alerts.yml")
DASHBOARD = os.path.join(ROOT, "docs/prometheus/grafana.json")


def promtool(*arguments, stdin=""):
    found = subprocess.run([os.path.join(ROOT, "setup"), "--promtool"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    path = found.stdout.strip()
    if not path:
        return None
    return subprocess.run([path, *arguments], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)


def dashboard_queries():
    with open(DASHBOARD) as file:
        for panel in json.load(file)["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]


def names_in(text):
    return set(re.findall(r"\bfrontdesk_[a-z0-9_]+", text))


class Prometheus(Scenario):
    def good(self, *arguments, stdin=""):
        done = promtool(*arguments, stdin=stdin)
        if done is None:
            self.skipTest("no promtool: ./setup --promtool could not get one")
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def scrape(self):
        """Metrics of a gateway that has seen every kind of outcome."""
        origin = self.origin("a")
        gateway = self.static_gateway([origin])
        gateway.get("/good")
        origin.stop()
        for _ in range(3):
            gateway.get("/bad")
        return gateway.admin_get("/metrics").body.decode()

    def test_metrics_follow_the_conventions(self):
        self.assertEqual(self.good("check", "metrics", stdin=self.scrape()), "")

    def test_alert_rules(self):
        self.good("check", "rules", ALERTS)
        self.good("test", "rules", os.path.join(ROOT, "test/prometheus/alerts_test.yml"))

    def test_dashboard_queries_parse(self):
        rules = [{"record": "panel:%d" % i, "expr": expr.replace("$__rate_interval", "1m")}
                 for i, (_, expr) in enumerate(dashboard_queries())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            self.good("check", "rules", file.name)

    def test_only_metrics_that_exist_are_named(self):
        exist = set(re.findall(r"^# TYPE (\S+)", self.scrape(), re.M))
        exist |= {name + suffix for name in exist for suffix in ("_bucket", "_sum", "_count")}
        with open(ALERTS) as file:
            self.assertEqual(names_in(file.read()) - exist, set())
        for title, expr in dashboard_queries():
            self.assertEqual(names_in(expr) - exist, set(), title)
