# SPDX-License-Identifier: Apache-2.0
"""What the gateway understands of gRPC calls: how they end, and how long their clients wait. The calls
come over HTTP/1.1 here, which shows the same to the parts that count."""
from lib import Scenario, wait_for

QUIET = {"retries": {"attempts": 1}, "breaker": {"enabled": False}, "outlier": {"enabled": False}}
MESSAGE = b"\0\0\0\0\2hi"
CALL = {"Content-Type": "application/grpc+proto", "TE": "trailers", "Connection": "TE"}


class Calls(Scenario):
    def front(self, origins, **settings):
        settings = dict({"protocol": "h2c"}, **dict(QUIET, **settings))
        return self.static_gateway(origins, settings=settings,
                                   config={"access_log": "stdout", "workers": 1})

    def call(self, front, target, **headers):
        with front.connect() as client:
            fields = dict(CALL, Host="h", **headers)
            head = "POST %s HTTP/1.1\r\nContent-Length: %d\r\n%s\r\n" % (
                target, len(MESSAGE), "".join("%s: %s\r\n" % pair for pair in fields.items()))
            client.send(head.encode() + MESSAGE)
            return client.read_answer("POST")

    def metric(self, front, status):
        line = 'frontdesk_grpc_calls_total{service="web",status="%s"} ' % status
        found = [row for row in front.admin_get("/metrics").body.decode().splitlines()
                 if row.startswith(line)]
        return int(found[0].rsplit(" ", 1)[1]) if found else 0


class Ends(Calls):
    def test_trailers_are_asked_for(self):
        web = self.h2_origin()
        self.assertEqual(self.call(self.front([web]), "/grpc/0").body, MESSAGE)
        self.assertEqual(web.wait_requests(1)[0]["headers"]["te"], "trailers")

    def test_statuses_are_counted_and_logged(self):
        web = self.h2_origin()
        front = self.front([web])
        self.call(front, "/grpc/0")
        self.call(front, "/grpc/14")
        self.call(front, "/grpc/14/only")
        self.call(front, "/grpc/5/only")
        self.assertEqual([self.metric(front, word) for word in ("ok", "unavailable", "not_found")],
                         [1, 2, 1])
        self.assertEqual(front.wait_logged(path="/grpc/14")["grpc_status"], 14)
        self.assertEqual(front.wait_logged(path="/grpc/14/only")["grpc_status"], 14)

    def test_others_are_no_calls(self):
        web = self.h2_origin()
        front = self.front([web])
        front.request("POST", "/grpc/14", body=MESSAGE, headers={"Content-Type": "application/grpc"})
        self.assertEqual(self.metric(front, "unavailable"), 0)
        self.assertNotIn("grpc_status", front.wait_logged(path="/grpc/14"))


class Failures(Calls):
    def test_failing_statuses_open_the_breaker(self):
        for form in ("", "/only"):
            web = self.h2_origin()
            front = self.front([web], breaker={"minimum_requests": 4})
            for status in (4, 13, 14, 15):
                self.assertEqual(self.call(front, "/grpc/%d%s" % (status, form)).status, 200)
            self.assertEqual(self.call(front, "/grpc/0").reason, "breaker_open")

    def test_other_statuses_do_not(self):
        web = self.h2_origin()
        front = self.front([web], breaker={"minimum_requests": 4})
        for status in (1, 2, 3, 5, 7, 12, 16, 0):
            self.assertEqual(self.call(front, "/grpc/%d" % status).status, 200)
        self.assertEqual(front.breaker("web")["state"], "closed")

    def test_which_ones_is_configured(self):
        web = self.h2_origin()
        front = self.front([web], breaker={"minimum_requests": 4, "failure_grpc_statuses": ["aborted"]})
        for _ in range(4):
            self.call(front, "/grpc/14")
        for _ in range(4):
            self.assertEqual(self.call(front, "/grpc/10").status, 200)
        self.assertEqual(self.call(front, "/grpc/0").reason, "breaker_open")

    def test_failing_instances_are_ejected(self):
        web = self.h2_origin("a")
        other = self.h2_origin("b")
        front = self.front([web, other], outlier={"consecutive_failures": 2})
        for _ in range(12):
            self.call(front, "/grpc/14/only/a")
        ejected = {item["address"] + str(item["port"]): item["ejected"]
                   for item in front.service("web")["instances"]}
        self.assertEqual(ejected, {"127.0.0.1%d" % web.port: True, "127.0.0.1%d" % other.port: False})

    def test_tried_again_elsewhere_when_asked_for(self):
        web, other = self.h2_origin("a"), self.h2_origin("b")
        front = self.front([web, other], retries={"attempts": 2, "on": ["connect_failed", "grpc:14"]})
        for _ in range(4):
            answer = self.call(front, "/grpc/14/only/a")
            self.assertEqual(answer.header("X-Origin"), "b")
        self.assertEqual(self.metric(front, "ok"), 4)
        # A message was sent: too late.
        self.assertEqual(self.call(front, "/grpc/14").status, 200)


class Deadlines(Calls):
    def test_the_client_waits_no_longer(self):
        web = self.h2_origin()
        front = self.front([web], breaker={"minimum_requests": 1})
        with front.connect() as client:
            head = "".join("%s: %s\r\n" % pair for pair in dict(CALL, Host="h").items())
            client.send(("POST /hang HTTP/1.1\r\nContent-Length: 0\r\nGrpc-Timeout: 100m\r\n%s\r\n"
                         % head).encode())
            self.assertEqual(client.read_to_end(), b"")
        web.wait_aborted(1)
        self.assertEqual(front.wait_logged(path="/hang")["reason"], "client_gone")
        # Its own wish is not held against the service.
        wait_for(lambda: front.breaker("web")["state"] == "closed", 5, "closed breaker")
