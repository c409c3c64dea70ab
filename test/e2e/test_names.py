# SPDX-License-Identifier: Apache-2.0
"""Instances whose address is a host name: asked for without waiting, kept while nobody can say
otherwise, and followed when their address changes."""
import socket
import unittest

from lib import Scenario, holds, wait_for
from lib.dns import Dns

SOON = {"min_ttl": "300ms", "timeout": "200ms", "attempts": 2}


def has_version_6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Names(Scenario):
    def setUp(self):
        self.dns = Dns()
        self.addCleanup(self.dns.stop)

    def resolver(self, **more):
        return dict(SOON, nameservers=[self.dns.address], **more)

    def two_origins(self):
        """Two origins with the same port, on two addresses of loopback."""
        one = self.origin("one", host="127.0.0.2")
        return one, self.origin("two", host="127.0.0.3", port=one.port)

    def named(self, port, name="web.test", **config):
        return self.gateway(dict({"services": {"web": {"instances": ["%s:%d" % (name, port)]}},
                                  "routes": [{"path": "/", "service": "web"}],
                                  "resolver": self.resolver(),
                                  "defaults": {"host": "instance"}}, **config), consul=None)

    def instance_of(self, gateway):
        return list(gateway.instances("web").values())[0]


class Addresses(Names):
    def test_is_followed_when_its_time_to_live_is_over(self):
        one, _ = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.2"], ttl=0)
        gateway = self.named(one.port)
        gateway.wait_spread("/", {"one"}, count=4)
        self.dns.set("web.test", a=["127.0.0.3"], ttl=0)
        gateway.wait_spread("/", {"two"}, count=4)
        self.assertIsNone(self.instance_of(gateway)["unresolved"])

    def test_a_long_time_to_live_is_kept(self):
        one, _ = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.2"], ttl=3600)
        gateway = self.named(one.port)
        gateway.wait_spread("/", {"one"}, count=4)
        self.dns.set("web.test", a=["127.0.0.3"], ttl=3600)
        holds(lambda: gateway.get("/").header("X-Origin") == "one", 1.5, "the first address")
        self.assertEqual(sorted(self.dns.asked("web.test")), ["A", "AAAA"])

    def test_the_present_one_stays_while_it_is_among_the_answers(self):
        one, _ = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.3"], ttl=0)
        gateway = self.named(one.port)
        gateway.wait_spread("/", {"two"}, count=4)
        self.dns.set("web.test", a=["127.0.0.2", "127.0.0.3"], ttl=0)
        asked = len(self.dns.asked("web.test"))
        wait_for(lambda: len(self.dns.asked("web.test")) >= asked + 6, what="three more rounds")
        self.assertEqual(set(gateway.spread("/", 4)), {"two"})

    @unittest.skipUnless(has_version_6(), "no IPv6 on loopback here")
    def test_an_address_of_version_6_alone(self):
        origin = self.origin("six", host="::1")
        self.dns.set("web.test", aaaa=["::1"], ttl=0)
        gateway = self.named(origin.port)
        gateway.wait_spread("/", {"six"}, count=4)
        self.assertEqual(origin.requests[-1].header("Host"), "web.test:%d" % origin.port)

    @unittest.skipUnless(has_version_6(), "no IPv6 on loopback here")
    def test_a_literal_of_version_6_is_bracketed(self):
        origin = self.origin("six", host="::1")
        gateway = self.named(origin.port, name="[::1]", access_log="stdout")
        self.assertEqual(gateway.get("/").status, 200)
        self.assertEqual(origin.requests[-1].header("Host"), "[::1]:%d" % origin.port)
        line = gateway.wait_logged(path="/")
        self.assertIn("[::1]:%d" % origin.port, str(line))

    def test_one_of_consul(self):
        one, _ = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.2"], ttl=0)
        self.consul.register("web", one.port, address="web.test", tags=["frontdesk.path=/web/"])
        gateway = self.gateway({"resolver": self.resolver()})
        gateway.wait_spread("/web/", {"one"}, count=4)
        self.dns.set("web.test", a=["127.0.0.3"], ttl=0)
        gateway.wait_spread("/web/", {"two"}, count=4)

    def test_the_hosts_file_comes_first(self):
        origin = self.origin("local")
        gateway = self.named(origin.port, name="localhost")
        gateway.wait_spread("/", {"local"}, count=2)
        self.assertEqual(self.dns.asked("localhost"), [])


class Failures(Names):
    def known(self):
        one, two = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.2"], ttl=0)
        gateway = self.named(one.port)
        gateway.wait_spread("/", {"one"}, count=4)
        return gateway

    def stays(self, gateway, why):
        wait_for(lambda: why in (self.instance_of(gateway)["unresolved"] or ""), what=why)
        self.assertTrue(self.instance_of(gateway)["resolved"])
        self.assertEqual(set(gateway.spread("/", 6)), {"one"})
        self.assertIn("host web.test: %s" % why, gateway.log())
        self.assertIn("its last address stays in use", gateway.log())
        self.dns.silent = self.dns.truncate = False
        self.dns.set("web.test", a=["127.0.0.3"], ttl=0)
        gateway.wait_spread("/", {"two"}, count=4, timeout=20)
        wait_for(lambda: self.instance_of(gateway)["unresolved"] is None, what="a resolved name")

    def test_the_address_stays_when_the_server_fails(self):
        gateway = self.known()
        self.dns.set("web.test", code=Dns.SERVFAIL)
        # libevent lets what a server cannot answer time out.
        self.stays(gateway, "request timed out")

    def test_the_address_stays_when_the_name_is_gone(self):
        gateway = self.known()
        self.dns.set("web.test", code=Dns.NXDOMAIN)
        self.stays(gateway, "there is no such name")

    def test_the_address_stays_when_the_name_has_none(self):
        gateway = self.known()
        self.dns.set("web.test")
        self.stays(gateway, "it has no address")

    def test_the_address_stays_when_nobody_answers(self):
        gateway = self.known()
        self.dns.silent = True
        self.stays(gateway, "request timed out")

    def test_the_address_stays_when_the_answer_is_cut(self):
        gateway = self.known()
        self.dns.truncate = True
        self.stays(gateway, "reply truncated")

    def test_what_was_never_known_is_unusable_and_says_why(self):
        origin = self.origin("one")
        gateway = self.named(origin.port, name="nobody.test")
        instance = wait_for(lambda: self.instance_of(gateway)["unresolved"] == "there is no such name"
                            and self.instance_of(gateway), what="a reason")
        self.assertFalse(instance["resolved"])
        self.assertFalse(instance["available"])
        self.assertEqual(gateway.get("/").reason, "no_healthy_instance")
        self.dns.set("nobody.test", a=["127.0.0.1"], ttl=0)
        gateway.wait_spread("/", {"one"}, count=4, timeout=20)

    def test_a_silent_server_delays_nothing_else(self):
        one, two = self.origin("one"), self.origin("two")
        self.dns.silent = True
        gateway = self.gateway({
            "services": {"slow": {"instances": ["slow.test:%d" % two.port]},
                         "web": {"instances": ["127.0.0.1:%d" % one.port]}},
            "routes": [{"path": "/slow", "service": "slow"}, {"path": "/", "service": "web"}],
            "resolver": self.resolver()}, consul=None)
        self.assertEqual(gateway.get("/").status, 200)
        self.assertEqual(gateway.get("/slow").reason, "no_healthy_instance")


class Settings(Names):
    def test_other_servers_after_a_reload(self):
        one, _ = self.two_origins()
        self.dns.set("web.test", a=["127.0.0.2"], ttl=3600)
        gateway = self.named(one.port)
        gateway.wait_spread("/", {"one"}, count=4)
        other = Dns()
        self.addCleanup(other.stop)
        other.set("web.test", a=["127.0.0.3"], ttl=3600)
        gateway.configure({"services": {"web": {"instances": ["web.test:%d" % one.port]}},
                           "routes": [{"path": "/", "service": "web"}],
                           "resolver": dict(SOON, nameservers=[other.address])})
        gateway.reload()
        gateway.wait_spread("/", {"two"}, count=4)

    def test_a_second_server_answers_when_the_first_is_silent(self):
        one, _ = self.two_origins()
        silent = Dns()
        self.addCleanup(silent.stop)
        silent.silent = True
        self.dns.set("web.test", a=["127.0.0.2"], ttl=3600)
        gateway = self.named(one.port, resolver=dict(
            SOON, nameservers=[silent.address, self.dns.address]))
        gateway.wait_spread("/", {"one"}, count=4, timeout=20)


if __name__ == "__main__":
    unittest.main()
