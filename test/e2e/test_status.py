# SPDX-License-Identifier: Apache-2.0
"""What the gateway says of itself: JSON, metrics, probes, dashboard, `frontdesk status`. All of it must
hold whatever names the catalog brings along."""
import contextlib
import html.parser
import re

from lib import RawClient, Scenario, gate, reply, request, run_command, wait_for

MARKUP = '<script>alert("x")</script>'

MEMBERS = {
    "/v1/status": "version started uptime_s ready unready_reason draining workers connections requests "
                  "unrouted bad_requests snapshot consul reload problems breakers access_log_dropped "
                  "not_closed forced newest_transition attention listeners listeners_dropped",
    "/v1/services": "services latency_bounds_ms",
    "/v1/services/orders": "name breaker data_age_ms index watch requests responses reasons retries "
                           "in_flight limit waiting rejected_overload adaptive latency_ms retry_budget "
                           "available panic instances",
    "/v1/breakers": "breakers",
    "/v1/breakers/orders": "service enabled state since since_ms_ago reopens_in_ms trips trips_in_a_row "
                           "rejected probes_in_flight probes_succeeded window last_trip transitions "
                           "machine would_reject forced instances",
    "/v1/transitions": "transitions lost",
    "/v1/fleet": "enabled",
    "/v1/routes": "routes problems",
    "/v1/explain?url=/orders/7": "matched allow host path forwarded_path location services",
}
STATES = "closed open half_open forced_open forced_closed disabled shadow".split()
CONSUL = ("enabled connected leader_known last_contact_ms last_good_age_ms failing_since last_error "
          "watches requests errors index_resets skipped_instances updates")
INSTANCE = ("id node address port resolved health check weight zone available ejected ejected_until "
            "ejection_cause ejections on_probation in_flight ewma_ms requests failures last_reason "
            "last_failure")
ROUTE = ("name source host path match methods priority targets strip prepend rewrite redirect auth "
         "conditions")

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([-+0-9.eE]+|\+Inf|NaN)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def parse_metrics(text):
    """{(name, ((label, value), ...)): number} of Prometheus' text format 0.0.4, strictly: every family
    is announced once and stays together."""
    values, types, family = {}, {}, None
    if not text.endswith("\n"):
        raise AssertionError("does not end in a line feed")
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            kind, name, rest = line[2:].split(" ", 2)
            if kind == "TYPE":
                if name in types:
                    raise AssertionError("%s is announced twice" % name)
                types[name] = rest
                family = name
            continue
        match = SAMPLE.match(line)
        if not match:
            raise AssertionError("not a sample: %r" % line)
        name, labels, at = match.group(1), [], 0
        base = re.sub("_(bucket|sum|count)$", "", name) if types[family] == "histogram" else name
        if base != family:
            raise AssertionError("%s stands among %s" % (name, family))
        inside = (match.group(2) or "{}")[1:-1]
        while at < len(inside):
            label = LABEL.match(inside, at)
            if not label:
                raise AssertionError("bad labels: %r" % line)
            labels.append((label.group(1), unescape(label.group(2))))
            at = label.end()
        key = (name, tuple(labels))
        if key in values:
            raise AssertionError("twice: %s" % line)
        values[key] = float(match.group(3))
    return values


class Documents(Scenario):
    def start(self):
        self.origins = [self.instance("orders", name) for name in "ab"]
        gateway = self.gateway()
        gateway.wait_spread("/orders/", {"a", "b"})
        return gateway

    def has(self, document, members):
        self.assertEqual(set(document) & set(members.split()), set(members.split()))

    def test_members(self):
        gateway = self.start()
        for path, members in MEMBERS.items():
            with self.subTest(path=path):
                answer = gateway.admin_get(path)
                self.assertEqual((answer.status, answer.header("Content-Type")),
                                 (200, "application/json"))
                self.assertEqual(answer.header("Cache-Control"), "no-store")
                self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
                self.has(answer.json(), members)
        status = gateway.status()
        self.has(status["consul"], CONSUL)
        self.has(status["reload"], "count failed last last_error")
        self.has(status["snapshot"], "version routes services")
        self.assertEqual((status["workers"], status["ready"], status["draining"]), (2, True, False))
        self.assertEqual(status["breakers"], dict.fromkeys(STATES, 0) | {"closed": 1})
        self.has(gateway.service("orders")["instances"][0], INSTANCE)
        self.has(gateway.routes()["routes"][0], ROUTE)

    def test_unknown_pages(self):
        gateway = self.start()
        for path in ("/v1/services/none", "/v1/breakers/none", "/v1/other", "/v2/status", "/x",
                     "/v1/services/", "/v1/services/%00orders"):
            with self.subTest(path=path):
                answer = gateway.admin_get(path)
                self.assertEqual(answer.status, 404)
                self.assertIn("error", answer.json())

    def test_counts_move(self):
        gateway = self.start()
        before = gateway.service("orders")
        self.origins[0].on("/orders/bad", reply(500))
        self.origins[1].on("/orders/bad", reply(500))
        for _ in range(10):
            gateway.get("/orders/")
        gateway.get("/orders/bad")
        gateway.get("/nowhere")
        wait_for(lambda: gateway.service("orders")["requests"] - before["requests"] == 11, 5, "11 more")
        after = gateway.service("orders")
        self.assertEqual(after["responses"]["2xx"] - before["responses"]["2xx"], 10)
        self.assertEqual(after["responses"]["5xx"] - before["responses"]["5xx"], 1)
        self.assertEqual(sum(i["requests"] for i in after["instances"]), after["requests"])
        self.assertEqual(sum(i["failures"] for i in after["instances"]), 1)
        self.assertGreater(after["latency_ms"]["p50"], 0)
        self.assertEqual(sum(after["latency_ms"]["counts"]), after["requests"])
        wait_for(lambda: gateway.status()["unrouted"] == 1, 5, "one without a route")

    def test_in_flight_goes_up_and_down(self):
        gateway = self.start()
        open_gate = self.event()
        for origin in self.origins:
            origin.always(gate(open_gate))
        load = self.load(gateway, "/orders/", threads=3)
        wait_for(lambda: gateway.service("orders")["in_flight"] == 3, 5, "three under way")
        self.assertEqual(sum(i["in_flight"] for i in gateway.service("orders")["instances"]), 3)
        open_gate.set()
        load.stop()
        wait_for(lambda: gateway.service("orders")["in_flight"] == 0, 5, "none under way")

    def test_explain(self):
        gateway = self.start()
        found = gateway.admin_json("/v1/explain?method=GET&url=http://shop.example/orders/7")
        self.assertEqual(found["matched"]["path"], "/orders/")
        self.assertEqual(found["forwarded_path"], "/orders/7")
        self.assertEqual(found["services"][0]["name"], "orders")
        self.assertEqual(len(found["services"][0]["instances"]), 2)
        self.assertIsNone(gateway.admin_json("/v1/explain?url=/else")["matched"])
        for query in ("", "?url=", "?url=ftp://a/b", "?url=/a%0d%0aX:1", "?url=/&method=G%20T"):
            self.assertEqual(gateway.admin_get("/v1/explain" + query).status, 400, query)

    def test_only_reading(self):
        gateway = self.start()
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            with self.subTest(method=method):
                answer = request(gateway.admin_port, method, "/v1/services/orders", body=b"{}",
                                 host="127.0.0.1")
                self.assertEqual(answer.status, 405)
                self.assertEqual(answer.header("Allow"), "GET, HEAD")
        answer = request(gateway.admin_port, "HEAD", "/v1/status", host="127.0.0.1")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_foreign_host_is_refused(self):
        gateway = self.gateway(consul=None)
        for host, status in (("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost", 200),
                             ("localhost:1", 200), ("127.0.0.1:99", 200), ("[::1]:9901", 200),
                             ("localhost.evil", 403), ("127.0.0.1:99x", 403)):
            for path in ("/v1/status", "/", "/metrics"):
                with self.subTest(host=host, path=path):
                    answer = request(gateway.admin_port, "GET", path, host=host)
                    self.assertEqual(answer.status, status)

    def test_garbage_does_not_hurt(self):
        gateway = self.gateway(consul=None)
        for data in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A" * 40000,
                     b"POST /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n",
                     b"GET /%zz?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", b""):
            with self.subTest(data=data[:40]):
                with RawClient(gateway.admin_port) as client, contextlib.suppress(OSError):
                    client.send(data)  # which may be cut off at any byte
                    client.finish_sending()
                    client.read_to_end()
                self.assertEqual(gateway.admin_get("/livez").status, 200)


class Metrics(Scenario):
    def scrape(self, gateway):
        answer = gateway.admin_get("/metrics")
        self.assertTrue(answer.header("Content-Type").startswith("text/plain; version=0.0.4"))
        return parse_metrics(answer.body.decode())

    def test_parse_and_move(self):
        self.instance("orders", "a").on("/orders/bad", reply(503))
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        service = ("service", "orders")
        good = ("frontdesk_requests_total", (service, ("code", "2xx")))
        bad = ("frontdesk_requests_total", (service, ("code", "5xx")))
        # A request is counted a moment after its answer.
        wait_for(lambda: self.scrape(gateway)[good] == 1, 5, "the first one")
        before = self.scrape(gateway)
        for _ in range(7):
            gateway.get("/orders/")
        gateway.get("/orders/bad")
        gateway.get("/nowhere")
        wait_for(lambda: self.scrape(gateway)[good] == before[good] + 7, 5, "seven more")
        after = self.scrape(gateway)
        self.assertEqual(after[bad], before[bad] + 1)
        self.assertEqual(after["frontdesk_unrouted_total", ()], before["frontdesk_unrouted_total", ()] + 1)
        self.assertEqual(after["frontdesk_breaker_state", (service, ("state", "closed"))], 1)
        self.assertEqual(after["frontdesk_instances", (service, ("health", "passing"))], 1)
        self.assertEqual(after["frontdesk_consul_connected", ()], 1)
        count = after["frontdesk_request_duration_seconds_count", (service,)]
        self.assertEqual(count, after[good] + after[bad])
        self.assertEqual(after["frontdesk_request_duration_seconds_bucket", (service, ("le", "+Inf"))],
                         count)
        for key, value in before.items():
            if key[0].endswith("_total"):
                self.assertGreaterEqual(after[key], value, key)

    def test_buckets_never_fall(self):
        self.instance("orders", "a").on("/orders/slow", reply(delay=0.2))
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        gateway.get("/orders/slow")
        buckets = [(float(dict(labels)["le"]), value) for (name, labels), value
                   in self.scrape(gateway).items() if name == "frontdesk_request_duration_seconds_bucket"]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual([v for _, v in buckets], sorted(v for _, v in buckets))

    def test_names_are_escaped(self):
        self.instance('quo"te\\', "a", tags=["frontdesk.path=/quoted/"])
        gateway = self.gateway()
        gateway.wait_status("/quoted/", 200)
        services = {dict(labels).get("service") for _, labels in self.scrape(gateway)}
        self.assertIn('quo"te\\', services)


class Probes(Scenario):
    def test_readyz_and_livez(self):
        gateway = self.gateway()
        for path in ("/livez", "/readyz"):
            self.assertEqual((gateway.admin_get(path).status, gateway.admin_get(path).body), (200, b"ok\n"))

    def test_not_ready_while_draining(self):
        open_gate = self.event()
        origin = self.origin("a").always(gate(open_gate))
        gateway = self.static_gateway([origin])
        load = self.load(gateway, threads=1)
        origin.wait_requests(1)
        gateway.terminate()
        wait_for(lambda: gateway.admin_get("/readyz").status == 503, 5, "503")
        self.assertIn(b"draining", gateway.admin_get("/readyz").body)
        self.assertEqual(gateway.admin_get("/livez").status, 200)
        self.assertTrue(gateway.status()["draining"])
        load._stop.set()
        open_gate.set()


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


class Dashboard(Scenario):
    def test_page_policy_and_parts(self):
        gateway = self.gateway(consul=None)
        page = gateway.admin_get("/")
        self.assertEqual(page.header("Content-Type"), "text/html; charset=utf-8")
        policy = page.header("Content-Security-Policy")
        self.assertIn("default-src 'none'", policy)
        self.assertIn("script-src 'self'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(page.header("X-Content-Type-Options"), "nosniff")
        parts = [a.get("src") or a.get("href") for tag, a in Tags(page.body.decode()).seen
                 if tag in ("script", "link") and "data:," not in a.values()]
        self.assertTrue(parts)
        for part in parts:
            answer = gateway.admin_get("/" + part.lstrip("./"))
            self.assertEqual(answer.status, 200, part)
        for tag, attributes in Tags(page.body.decode()).seen:
            self.assertFalse([a for a in attributes if a.startswith("on") or a == "style"], tag)
            self.assertFalse(tag == "script" and not attributes.get("src"), "inline script")

    def test_markup_from_the_catalog_is_only_text(self):
        name = "<script>x"
        origin = self.origin("a")
        self.consul.register(name, origin.port, id=MARKUP, meta={"frontdesk-note": MARKUP},
                             tags=["frontdesk.path=/evil/", "frontdesk.x.path=" + MARKUP])
        gateway = self.gateway()
        gateway.wait_status("/evil/", 200)
        self.consul.set_health(MARKUP, "critical", output=MARKUP)
        answer = gateway.wait_status("/evil/", 503)
        self.assertEqual(answer.json()["service"], name)
        self.assertEqual(answer.header("Content-Type"), "application/problem+json")
        for path in ("/v1/status", "/v1/services", "/v1/breakers", "/v1/routes",
                     "/v1/explain?url=/evil/", "/v1/services/%3Cscript%3Ex"):
            with self.subTest(path=path):
                page = gateway.admin_get(path)
                page.json()
                self.assertEqual(page.header("Content-Type"), "application/json")
                self.assertEqual(page.header("X-Content-Type-Options"), "nosniff")
                self.assertIn("default-src 'none'", page.header("Content-Security-Policy"))
        self.assertIn(MARKUP, gateway.instances(name))
        self.assertNotIn(b"<script>x", gateway.admin_get("/").body)
        script = gateway.admin_get("/dashboard.js").body
        for danger in (b"innerHTML", b"outerHTML", b"document.write", b"eval(", b"insertAdjacentHTML"):
            self.assertNotIn(danger, script)
        parse_metrics(gateway.admin_get("/metrics").body.decode())

    def test_names_that_consul_does_not_let_anyone_ask_for(self):
        """Such a service is not served, but it must not keep the gateway from being ready."""
        origin = self.instance("orders", "a")
        name = "line\nbreak \x1b[31m\u202e"
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": name, "Service": name, "Address": "127.0.0.1", "Port": origin.port,
            "Tags": ["frontdesk.path=/odd/", "frontdesk.\r\nX.path=/y"]})
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        self.assertEqual(gateway.service(name)["instances"], [])
        parse_metrics(gateway.admin_get("/metrics").body.decode())
        _, output, errors = run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port)
        self.assertIn("400", gateway.status()["consul"]["last_error"])
        self.assertTrue(gateway.status()["consul"]["connected"])
        for text in (output, errors, gateway.log()):
            self.assertNotRegex(text, "(?m)^break")
            self.assertNotIn("\x1b", text)

    def test_odd_bytes_in_ids_and_tags(self):
        id = "line\nbreak \x1b[31m \u00e9"
        origin = self.origin("a")
        self.consul.catalog_register("node-2", "127.0.0.1", service={
            "ID": id, "Service": "orders", "Address": "127.0.0.1", "Port": origin.port,
            "Tags": ["frontdesk.path=/orders/", "frontdesk.\r\nX.path=\x1b[31m"]})
        gateway = self.gateway({"access_log": "stdout"})
        gateway.wait_status("/orders/", 200)
        self.assertEqual(set(gateway.instances("orders")), {id})
        self.assertEqual(gateway.wait_logged(path="/orders/")["status"], 200)
        _, output, _ = run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port, "orders")
        for text in (output, gateway.log(), gateway.output()):
            self.assertNotRegex(text, "(?m)^(break|X.path)")
            self.assertNotIn("\x1b", text)


class Command(Scenario):
    def run_status(self, gateway, *more):
        return run_command("status", "-a", "127.0.0.1:%d" % gateway.admin_port, *more)

    def test_all_is_well(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        status, output, errors = self.run_status(gateway)
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, r"(?m)^frontdesk .* ready")
        self.assertRegex(output, r"(?m)^Consul: connected")
        self.assertRegex(output, r"(?m)^orders +closed +1/1 ")

    def test_one_service_shows_its_instances(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        status, output, _ = self.run_status(gateway, "orders")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"(?m)^a +127\.0\.0\.1:\d+ +passing +in ")
        status, _, errors = self.run_status(gateway, "none")
        self.assertEqual(status, 1)
        self.assertIn("none", errors)

    def test_3_when_something_needs_attention(self):
        self.instance("orders", "a")
        gateway = self.gateway()
        gateway.wait_status("/orders/", 200)
        self.consul.set_health("a", "critical")
        gateway.wait_status("/orders/", 503)
        status, output, _ = self.run_status(gateway)
        self.assertEqual(status, 3)
        self.assertRegex(output, r"(?m)^orders +closed +0/1 ")

    def test_3_when_consul_is_away(self):
        agent = self.own_consul()
        gateway = self.gateway(consul=agent)
        agent.stop()
        wait_for(lambda: not gateway.status()["consul"]["connected"], 20, "away")
        status, output, _ = self.run_status(gateway)
        self.assertEqual(status, 3)
        self.assertIn("Consul: AWAY", output)

    def test_1_when_there_is_no_gateway(self):
        status, output, errors = run_command("status", "-a", "127.0.0.1:1")
        self.assertEqual((status, output), (1, ""))
        self.assertTrue(errors)

    def test_usage(self):
        for arguments, status in ((["--help"], 0), (["--version"], 0), ([], 2), (["nonsense"], 2),
                                  (["--nonsense"], 2)):
            with self.subTest(arguments=arguments):
                self.assertEqual(run_command(*arguments)[0], status)
