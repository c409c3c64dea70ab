# SPDX-License-Identifier: Apache-2.0
"""Consul's own traffic rules: service-router, service-splitter and service-resolver, written as config
entries and obeyed without touching the gateway."""
import json
import os
import shutil
import tempfile
import threading

from lib import Scenario, gate, holds, reply, run_command, wait_for
from lib.faulty_consul import FaultyConsul, body, instance

SUBSETS = {"v1": {"Filter": "Service.Meta.version == 1"}, "v2": {"Filter": "Service.Meta.version == 2"}}


class Rules(Scenario):
    def setUp(self):
        for name in ("web", "other", "old"):
            self.consul.entry("service-defaults", name, Protocol="http")
        self.consul.entry("service-defaults", "admin", Protocol="http")

    def version(self, name, version, service="web", **registration):
        return self.instance(service, name, tags=[], meta={"version": str(version)}, **registration)

    def front(self, path="/", services=None, consul=None, **route):
        config = {"routes": [dict({"path": path, "service": "web"}, **route)],
                  "defaults": {"balance": "round_robin"}, "access_log": "stdout"}
        if services:
            config["services"] = services
        if consul:
            config["consul"] = consul
        return self.gateway(config)

    def subsets(self, **more):
        self.consul.entry("service-resolver", "web", Subsets=SUBSETS, **more)

    def split(self, v1, v2):
        self.consul.entry("service-splitter", "web", Splits=[
            {"Weight": v1, "ServiceSubset": "v1"}, {"Weight": v2, "ServiceSubset": "v2"}])

    def router(self, *routes):
        self.consul.entry("service-router", "web", Routes=[
            {"Match": {"HTTP": match}, "Destination": destination} for match, destination in routes])


class Splitter(Rules):
    def test_canary_moves_without_touching_the_gateway(self):
        self.version("one", 1)
        self.version("two", 2)
        front = self.front()
        self.assertEqual(set(front.spread("/", 12)), {"one", "two"})
        self.subsets()
        self.split(90, 10)
        wait_for(lambda: front.spread("/", 40)["two"] < 12, what="a small share for two")
        seen = front.spread("/", 300)
        self.assertGreater(seen["one"], 220)
        self.assertGreater(seen["two"], 5)
        self.split(0, 100)
        front.wait_spread("/", {"two"}, count=40)
        self.split(100, 0)
        front.wait_spread("/", {"one"}, count=40)
        self.consul.delete_entry("service-splitter", "web")
        front.wait_spread("/", {"one", "two"})
        self.consul.delete_entry("service-resolver", "web")
        front.wait_spread("/", {"one", "two"})

    def test_no_request_fails_while_rules_come_change_and_go(self):
        self.version("one", 1)
        self.version("two", 2)
        front = self.front()
        load = self.load(front, "/", threads=4)
        self.subsets()
        for v1, v2 in ((90, 10), (50, 50), (10, 90), (0, 100), (100, 0)):
            self.split(v1, v2)
            wait_for(lambda: v2 == 0 or front.spread("/", 20)["two"] > 0, what="%d/%d" % (v1, v2))
        front.wait_spread("/", {"one"}, count=30)
        self.consul.delete_entry("service-splitter", "web")
        self.consul.delete_entry("service-resolver", "web")
        front.wait_spread("/", {"one", "two"})
        load.stop()
        self.assertEqual(set(load.statuses), {200}, load.statuses)

    def test_one_request_in_flight_stays_where_it_is(self):
        one = self.version("one", 1)
        self.version("two", 2)
        self.subsets()
        self.split(100, 0)
        front = self.front()
        front.wait_spread("/", {"one"})
        go = threading.Event()
        one.on("/slow", gate(go, reply(body=b"late")))
        answers = []
        asking = threading.Thread(target=lambda: answers.append(front.get("/slow")))
        asking.start()
        wait_for(lambda: one.busy == 1, what="the slow request")
        self.split(0, 100)
        front.wait_spread("/", {"two"})
        go.set()
        asking.join(20)
        self.assertEqual((answers[0].status, answers[0].body), (200, b"late"))

    def test_sticky_routes_keep_a_client_on_one_side(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets()
        self.split(50, 50)
        front = self.front(sticky={"header": "X-User"})
        front.wait_spread("/", {"one", "two"}, count=40)
        sides = [set(front.spread("/", 6, headers={"X-User": "user-%d" % i})) for i in range(12)]
        self.assertEqual({len(side) for side in sides}, {1})
        self.assertEqual(set.union(*sides), {"one", "two"})


class Router(Rules):
    def setUp(self):
        super().setUp()
        self.version("one", 1)
        self.version("two", 2)
        self.admin = self.instance("admin", "admin", tags=[])
        self.subsets(DefaultSubset="v1")

    def test_path_header_query_and_method(self):
        self.router(
            ({"PathPrefix": "/admin"}, {"Service": "admin", "PrefixRewrite": "/"}),
            ({"PathExact": "/exact"}, {"ServiceSubset": "v2"}),
            ({"PathRegex": "/items/[0-9]+"}, {"ServiceSubset": "v2"}),
            ({"Header": [{"Name": "X-Debug", "Exact": "1"}]}, {"ServiceSubset": "v2"}),
            ({"Header": [{"Name": "X-Old", "Present": True}], "PathPrefix": "/h"}, {"ServiceSubset": "v2"}),
            ({"QueryParam": [{"Name": "beta", "Present": True}]}, {"ServiceSubset": "v2"}),
            ({"Methods": ["DELETE"]}, {"ServiceSubset": "v2"}))
        front = self.front()
        front.wait_spread("/exact", {"two"})
        for target, headers, method, origin in (
                ("/", {}, "GET", "one"), ("/exact", {}, "GET", "two"), ("/exact/", {}, "GET", "one"),
                ("/items/17", {}, "GET", "two"), ("/items/17/x", {}, "GET", "one"), ("/items/x", {}, "GET", "one"),
                ("/", {"X-Debug": "1"}, "GET", "two"), ("/", {"X-Debug": "2"}, "GET", "one"),
                ("/h", {"X-Old": ""}, "GET", "two"), ("/g", {"X-Old": ""}, "GET", "one"),
                ("/?a=1&beta", {}, "GET", "two"), ("/?a=1", {}, "GET", "one"),
                ("/", {}, "DELETE", "two"), ("/", {}, "PUT", "one"), ("/admin/x", {}, "GET", "admin")):
            with self.subTest(target=target, headers=headers, method=method):
                answer = front.request(method, target, headers=headers)
                self.assertEqual(answer.header("X-Origin"), origin)
        self.assertEqual(front.get("/admin/x?y=1").json()["target"], "/x?y=1")
        self.assertEqual(front.get("/admin").json()["target"], "/")
        self.assertEqual(front.get("/items/17").json()["target"], "/items/17")

    def test_rules_see_the_path_that_the_route_makes(self):
        self.router(({"PathPrefix": "/admin"}, {"Service": "admin", "PrefixRewrite": "/x"}))
        front = self.front(path="/shop/", strip="/shop")
        front.wait_spread("/shop/admin/y", {"admin"})
        self.assertEqual(front.get("/shop/admin/y").json()["target"], "/x/y")
        self.assertEqual(front.get("/shop/other").header("X-Origin"), "one")

    def test_a_rewrite_cannot_be_climbed_out_of(self):
        self.router(({"PathPrefix": "/a"}, {"Service": "admin", "PrefixRewrite": "/files/"}))
        front = self.front()
        front.wait_spread("/a/b", {"admin"})
        answer = front.get("/a../secret")
        self.assertEqual((answer.status, answer.reason), (400, "bad_request"))
        outcome = front.admin_json("/v1/explain?url=/a../secret")["outcome"]
        self.assertEqual((outcome["kind"], outcome["status"], outcome["reason"]), ("refuse", 400, "bad_request"))
        self.assertEqual(front.get("/a.../x").json()["target"], "/files/.../x")

    def test_timeout_and_retries_of_a_destination(self):
        self.router(({"PathPrefix": "/slow"}, {"Service": "admin", "RequestTimeout": "300ms"}),
                    ({"PathPrefix": "/again"}, {"Service": "admin", "NumRetries": 3, "RetryOnStatusCodes": [418]}))
        front = self.front()
        front.wait_spread("/again", {"admin"})
        never = threading.Event()
        self.addCleanup(never.set)
        self.admin.on("/slow", gate(never, reply()))
        self.assertEqual(front.get("/slow").reason, "upstream_timeout")
        second = self.instance("admin", "admin-2", tags=[])
        front.wait_spread("/again", {"admin", "admin-2"})
        before = self.admin.count + second.count
        for origin in (self.admin, second):
            origin.on("/again", reply(418))
        self.assertEqual(front.get("/again").status, 418)
        self.assertEqual(self.admin.count + second.count - before, 2)

    def test_configuration_of_the_service_comes_first(self):
        self.router(({"PathPrefix": "/slow"}, {"Service": "admin", "RequestTimeout": "100ms"}))
        front = self.front(services={"admin": {"timeout": "30s"}})
        front.wait_spread("/slow", {"admin"})
        self.admin.on("/slow", reply(delay=0.5))
        self.assertEqual(front.get("/slow").status, 200)

    def test_an_expression_that_is_none_is_reported_and_the_rules_before_stay(self):
        self.router(({"PathPrefix": "/two"}, {"ServiceSubset": "v2"}))
        front = self.front()
        front.wait_spread("/two", {"two"})
        self.router(({"PathRegex": "/(two"}, {"ServiceSubset": "v2"}))

        def reported():
            problem = front.service("web")["traffic_rules"]["problem"]
            return problem and "/(two" in problem
        wait_for(reported, what="the problem")
        metrics = front.metrics()
        self.assertEqual((metrics["frontdesk_traffic_rules"], metrics["frontdesk_traffic_rules_refused"]), (1, 1))
        self.assertTrue([p for p in front.status()["problems"] if p["service"] == "web" and "/(two" in p["why"]])
        self.assertEqual(set(front.spread("/two", 12)), {"two"})
        self.router(({"PathRegex": "/(too)"}, {"ServiceSubset": "v2"}))
        front.wait_spread("/too", {"two"}, timeout=40)
        self.assertIsNone(front.service("web")["traffic_rules"]["problem"])
        self.assertEqual(set(front.spread("/two", 12)), {"one"})


class Resolver(Rules):
    def test_subset_by_metadata(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets(DefaultSubset="v2")
        front = self.front()
        front.wait_spread("/", {"two"})
        self.version("three", 2)
        front.wait_spread("/", {"two", "three"})
        self.assertEqual(front.wait_logged(path="/")["service"], "web:v2")

    def test_only_passing(self):
        self.version("one", 2)
        self.version("two", 2)
        self.consul.entry("service-resolver", "web", DefaultSubset="v2", Subsets={
            "v2": {"Filter": "Service.Meta.version == 2", "OnlyPassing": True}})
        front = self.front()
        front.wait_spread("/", {"one", "two"})
        self.consul.set_health("one", "warning")
        front.wait_spread("/", {"two"})

    def test_redirect_to_another_service(self):
        self.version("one", 1)
        self.instance("other", "elsewhere", tags=[])
        front = self.front()
        front.wait_spread("/", {"one"})
        self.consul.entry("service-resolver", "web", Redirect={"Service": "other"})
        front.wait_spread("/", {"elsewhere"})
        self.consul.delete_entry("service-resolver", "web")
        front.wait_spread("/", {"one"})

    def test_failover_to_another_service(self):
        self.version("one", 1)
        self.instance("other", "spare", tags=[])
        self.consul.entry("service-resolver", "web", Failover={"*": {"Service": "other"}})
        front = self.front()
        front.wait_spread("/", {"one"})
        self.consul.set_health("one", "critical")
        front.wait_spread("/", {"spare"})
        self.assertEqual(front.service("web")["failover"]["active"], "other")

    def test_a_failing_subset_opens_its_own_breaker(self):
        self.version("one", 1)
        bad = self.version("two", 2)
        self.subsets()
        self.split(50, 50)
        front = self.front(services={"web": {
            "breaker": {"minimum_requests": 4, "open_for": "60s"}, "retries": {"attempts": 1}}})
        front.wait_spread("/", {"one", "two"}, count=40)
        bad.always(reply(500))
        wait_for(lambda: [front.get("/") for _ in range(4)] and
                 front.service("web:v2")["breaker"]["state"] == "open", what="an open breaker")
        self.assertEqual(front.service("web:v1")["breaker"]["state"], "closed")
        self.assertEqual(set(front.spread("/", 40)), {"one", "breaker_open"})

    def test_a_breaker_forced_open_holds_for_all_targets(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets()
        self.split(50, 50)
        front = self.front()
        front.wait_spread("/", {"one", "two"}, count=40)
        path = front.write_file("token", "operators-only-token\n")
        os.chmod(path, 0o600)
        front.configure({"routes": [{"path": "/", "service": "web"}], "admin": {"token_file": path}})
        front.reload()
        bearer = {"Authorization": "Bearer operators-only-token"}

        def force(state):
            answer = front.admin_put("/v1/breakers/web", {"state": state, "reason": "incident", "ttl": "60s"}, bearer)
            return answer.status == 200
        wait_for(lambda: force("forced_open"), what="the order")
        front.wait_spread("/", {"breaker_open"}, count=20)
        self.assertEqual(front.admin_json("/v1/explain?url=/")["outcome"]["reason"], "breaker_open")
        self.assertTrue(force("forced_closed"))
        front.wait_spread("/", {"one", "two"}, count=40)

    def test_a_service_can_be_left_out(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets(DefaultSubset="v2")
        self.front().wait_spread("/", {"two"})
        self.assertEqual(set(self.front(services={"web": {"traffic_rules": False}}).spread("/", 12)), {"one", "two"})
        self.assertEqual(set(self.front(consul={"traffic_rules": False}).spread("/", 12)), {"one", "two"})

    def test_parts_of_aggregates_obey_them_too(self):
        self.version("one", 1)
        self.version("two", 2).on("/", reply(body=b'{"from":"two"}', headers=[("Content-Type", "application/json")]))
        self.subsets(DefaultSubset="v2")
        front = self.gateway({"routes": [{"path": "/all", "aggregate": {"parts": {
            "a": {"service": "web", "path": "/a"}}}}]})
        wait_for(lambda: front.get("/all").json() == {"a": {"from": "two"}}, what="the part of two")


    def test_a_service_that_stands_in_obeys_its_own(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets(DefaultSubset="v2")
        broken = self.instance("other", "broken", tags=[])
        broken.always(reply(500))
        front = self.gateway({"routes": [{"path": "/", "service": "other", "fallback": [
            {"service": "web", "on": ["500"]}]}]})
        front.wait_spread("/", {"two"})


class Starting(Rules):
    def test_the_first_request_obeys(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets(DefaultSubset="v2")
        for _ in range(5):
            self.assertEqual(set(self.front().spread("/", 6)), {"two"})

    def test_a_new_route_never_goes_where_the_rules_forbid(self):
        self.version("one", 1)
        self.version("two", 2)
        self.subsets(DefaultSubset="v2")
        for _ in range(5):
            front = self.gateway({"routes": []})
            with self.load(front, "/", threads=2, pause=0) as load:
                front.configure({"routes": [{"path": "/", "service": "web"}]})
                front.reload()
                front.wait_spread("/", {"two"})
            self.assertEqual(set(load.origins) - {None}, {"two"}, load.origins)

    def test_nor_do_those_of_a_service_that_just_came(self):
        tags = ["frontdesk.path=/new/"]
        self.subsets(DefaultSubset="v2")
        front = self.gateway()
        one, two = self.origin("one"), self.origin("two")
        with self.load(front, "/new/", threads=2, pause=0) as load:
            for origin, version in ((one, "1"), (two, "2")):
                self.instance("web", origin.name, origin=origin, tags=tags, meta={"version": version})
            front.wait_spread("/new/", {"two"})
        self.assertEqual(set(load.origins) - {None}, {"two"}, load.origins)

    def test_a_restarted_agent_changes_nothing(self):
        consul = self.own_consul()
        for name, version in (("one", "1"), ("two", "2")):
            self.instance("web", name, agent=consul, tags=[], meta={"version": version}, check=None)
        consul.entry("service-defaults", "web", Protocol="http")
        consul.entry("service-resolver", "web", Subsets=SUBSETS)
        consul.entry("service-splitter", "web", Splits=[{"Weight": 0, "ServiceSubset": "v1"},
                                                        {"Weight": 100, "ServiceSubset": "v2"}])
        front = self.gateway({"routes": [{"path": "/", "service": "web"}]}, consul=consul)
        front.wait_spread("/", {"two"})
        with self.load(front, "/") as load:
            consul.kill9()
            holds(lambda: front.get("/").status == 200, 1)
            consul.start()
            wait_for(lambda: front.status()["consul"]["connected"], 40, "the agent")
            consul.entry("service-splitter", "web", Splits=[{"Weight": 100, "ServiceSubset": "v1"},
                                                            {"Weight": 0, "ServiceSubset": "v2"}])
            front.wait_spread("/", {"one"}, timeout=40)
        self.assertEqual((set(load.statuses), load.broken), ({200}, []))
        self.assertLessEqual(set(load.origins), {"one", "two"})

    def test_while_consul_is_away(self):
        consul = self.own_consul()
        state = tempfile.mkdtemp(prefix="frontdesk-state-")
        self.addCleanup(shutil.rmtree, state, ignore_errors=True)
        for name, version in (("one", "1"), ("two", "2")):
            self.instance("web", name, agent=consul, tags=[], meta={"version": version}, check=None)
        consul.entry("service-defaults", "web", Protocol="http")
        consul.entry("service-resolver", "web", DefaultSubset="v2", Subsets=SUBSETS)
        front = self.gateway({"routes": [{"path": "/", "service": "web"}], "state_dir": state}, consul=consul)
        front.wait_spread("/", {"two"})
        front.terminate()
        self.assertEqual(front.process.wait(20), 0)
        front.process = None
        consul.kill9()
        front.start()
        self.assertEqual(set(front.spread("/", 12)), {"two"})
        consul.start()
        wait_for(lambda: front.service("web:v2")["watch"] == "ok", 40, "Consul's word")
        self.assertEqual(set(front.spread("/", 12)), {"two"})


class Explained(Rules):
    def test_the_way_is_shown(self):
        self.version("one", 1)
        self.version("two", 2)
        self.instance("admin", "admin", tags=[])
        self.subsets()
        self.split(0, 100)
        self.router(({"PathPrefix": "/admin", "Methods": ["GET"]},
                     {"Service": "admin", "PrefixRewrite": "/", "RequestTimeout": "7s", "NumRetries": 4,
                      "RetryOnStatusCodes": [503]}))
        front = self.front()
        front.wait_spread("/admin/x", {"admin"})
        front.wait_spread("/", {"two"})

        said = front.admin_json("/v1/explain?url=/admin/x")
        service = said["services"][0]
        self.assertEqual((service["name"], service["target"], said["outcome"]["service"]), ("web", "admin", "admin"))
        self.assertEqual([(hop["kind"], hop.get("route"), hop.get("target")) for hop in service["rules"]],
                         [("router", 1, None), ("resolver", None, "admin")])
        self.assertEqual(service["rules"][0]["conditions"][0],
                         {"of": "path", "name": None, "is": "prefix", "value": "/admin", "invert": False})
        self.assertEqual((said["forwarded_path"], said["outcome"]["certain"]), ("/x", True))
        self.assertEqual(service["policy"]["timeouts"]["whole_ms"], 7000)
        self.assertEqual(service["policy"]["retries"], {"attempts": 5, "on": ["503"], "only_unsent": False})

        said = front.admin_json("/v1/explain?method=POST&url=/admin/x")
        self.assertEqual([hop["kind"] for hop in said["services"][0]["rules"]], ["router", "splitter", "resolver"])
        self.assertEqual((said["outcome"]["service"], said["outcome"]["instance"]), ("web:v2", "two"))
        status, text, _ = run_command("explain", "POST", "/admin/x", "-a", "127.0.0.1:%d" % front.admin_port)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"rules +Consul's: route 2 of 2, part 2 of 2 \(100 %\), web:v2")
        shown = front.service("web")["traffic_rules"]
        self.assertEqual((shown["start"], sorted(shown["targets"])), ("router", ["admin", "web:v1", "web:v2"]))


class Newer(Scenario):
    """What Consul 1.8 does not have: header changes, LoadBalancer, conditions of later versions."""

    def setUp(self):
        self.fake = FaultyConsul()
        self.addCleanup(self.fake.stop)
        self.origins = [self.origin(name) for name in ("a", "b", "c")]
        self.fake.set("web", [instance(o.name, o.port) for o in self.origins])
        self.fake.fault(body('[{"Kind":"service-router","Name":"web"}]'), "/v1/config/service-router")

    def chain(self, match, destination, resolver):
        self.fake.fault(body(json.dumps({"Chain": {
            "ServiceName": "web", "Namespace": "default", "Partition": "default", "Datacenter": "dc1",
            "Protocol": "http", "StartNode": "router:web.default.default", "Nodes": {
                "router:web.default.default": {"Type": "router", "Name": "web", "Routes": [
                    {"Definition": {"Match": {"HTTP": match}, "Destination": destination}, "NextNode": "resolver:v2"},
                    {"Definition": {"Match": {"HTTP": {"PathPrefix": "/"}}}, "NextNode": "resolver:web"}]},
                "resolver:v2": {"Type": "resolver", "Name": "v2", "Resolver": dict(resolver, Target="v2")},
                "resolver:web": {"Type": "resolver", "Name": "web", "Resolver": {
                    "ConnectTimeout": "5s", "Target": "web"}}},
            "Targets": {
                "v2": {"ID": "v2", "Service": "web", "ServiceSubset": "v2", "Partition": "default", "Datacenter": "dc1",
                       "Subset": {"Filter": '"v2" in Service.Tags'}},
                "web": {"ID": "web", "Service": "web", "Partition": "default", "Datacenter": "dc1"}}}})),
            "/v1/discovery-chain/")

    def front(self, **route):
        return self.gateway({"routes": [dict({"path": "/", "service": "web"}, **route)],
                             "defaults": {"balance": "round_robin"}, "consul": {"expose": "none"}}, consul=self.fake)

    def last(self):
        return max((o.requests[-1] for o in self.origins if o.requests), key=lambda request: request.at)

    def test_fields_of_request_and_answer(self):
        for origin in self.origins:
            origin.always(reply(headers=[("X-Secret", "1"), ("X-Kept", "service")]))
        self.chain({"PathPrefix": "/V2", "CaseInsensitive": True},
                   {"RequestHeaders": {"Set": {"x-set": "new", "x-route": "rule"}, "Add": {"x-added": "more"},
                                       "Remove": ["x-gone"]},
                    "ResponseHeaders": {"Set": {"X-Kept": "rule"}, "Remove": ["X-Secret"], "Add": {"X-More": "1"}}},
                   {"ConnectTimeout": "5s"})
        front = self.front(request_headers={"set": {"X-Route": "configuration"}})
        answer = front.get("/v2/x", headers={"X-Set": "old", "X-Added": "some", "X-Gone": "1"})
        self.assertEqual((answer.status, answer.header("X-Kept"), answer.header("X-Secret"), answer.header("X-More")),
                         (200, "rule", None, "1"))
        sent = self.last()
        self.assertEqual((sent.header_all("X-Set"), sent.header_all("X-Added"), sent.header_all("X-Gone"),
                          sent.header_all("X-Route")), (["new"], ["some", "more"], [], ["configuration"]))
        answer = front.get("/x", headers={"X-Set": "old"})
        self.assertEqual((answer.header("X-Kept"), self.last().header("X-Set")), ("service", "old"))

    def test_load_balancer(self):
        self.chain({"Header": [{"Name": "X-User", "Present": True}]}, {},
                   {"ConnectTimeout": "5s", "LoadBalancer": {"Policy": "maglev", "HashPolicies": [
                       {"Field": "header", "FieldValue": "X-User"}]}})
        front = self.front()
        users = [set(front.spread("/", 6, headers={"X-User": "u%d" % i})) for i in range(60)]
        self.assertEqual({len(user) for user in users}, {1})
        self.assertEqual(set.union(*users), {"a", "b", "c"})
        self.assertEqual(set(front.spread("/", 6)), {"a", "b", "c"})

    def test_what_is_not_obeyed_is_listed(self):
        self.chain({}, {"IdleTimeout": "5s", "RequestHeaders": {"Set": {"Host": "x", "x-a": "%HOSTNAME%"}}},
                   {"LoadBalancer": {"Policy": "astrology"}})
        front = self.front()
        listed = front.service("web")["traffic_rules"]["not_obeyed"]
        for part in ("IdleTimeout", '"Host" cannot be changed', "x-a is not obeyed", "astrology"):
            self.assertTrue([note for note in listed if part in note], (part, listed))
        self.assertTrue([p for p in front.status()["problems"] if p["service"] == "web" and "astrology" in p["why"]])
        self.assertEqual(front.get("/").status, 200)


class Rights(Rules):
    def test_a_token_without_rights_ends_no_rules(self):
        consul = self.own_consul(acl=True)
        allowed = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
        consul.put("/v1/acl/policy", {"Name": "gateway", "Rules": allowed})
        token = consul.put("/v1/acl/token", {"Policies": [{"Name": "gateway"}]})["SecretID"]
        for name, version in (("one", "1"), ("two", "2")):
            self.instance("web", name, agent=consul, tags=[], meta={"version": version})
        consul.entry("service-defaults", "web", Protocol="http")
        consul.entry("service-resolver", "web", DefaultSubset="v2", Subsets=SUBSETS)
        front = self.gateway({"routes": [{"path": "/", "service": "web"}], "consul": {"wait": "1s"}},
                             consul=consul)
        front.write_file("consul.token", token)
        front.wait_spread("/", {"two"})
        policy = consul.get("/v1/acl/policies")
        id = [p["ID"] for p in policy if p["Name"] == "gateway"][0]
        consul.put("/v1/acl/policy/" + id, {"Name": "gateway", "Rules": ""})
        wait_for(lambda: front.service("web")["traffic_rules"]["problem"], 60, "the refusal")
        holds(lambda: set(front.spread("/", 6)) == {"two"}, 2)
