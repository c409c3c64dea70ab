# SPDX-License-Identifier: Apache-2.0
"""scenario.py - the base class of end-to-end tests: what a case starts, it also ends.

    from lib import Scenario, reply

    class Orders(Scenario):
        def test_what_it_should_do(self):
            origin = self.origin("a")
            self.consul.register("orders", origin.port, tags=["frontdesk.path=/orders/"])
            gateway = self.gateway({...})                  # with self.consul; consul=None: without
            ...

`self.consul` is one agent for the whole run, cleared before the first use in every case, because
starting one takes seconds. A case that kills or wipes it takes its own: `self.own_consul()`.
Gateways are stopped (and judged, see gateway.py) before origins and agents.
"""
import atexit
import threading
import unittest

from .authority import Authority, have_openssl
from .consul import Consul, find_consul
from .gateway import Gateway
from .h2_origin import H2Origin, have_node
from .load import Load
from .origin import Deaf, Origin

_shared = None


def _shared_consul():
    global _shared
    if _shared is None:
        _shared = Consul()
        atexit.register(_shared.close)
    return _shared


class Scenario(unittest.TestCase):
    maxDiff = None
    _cleared = False

    @property
    def consul(self):
        if find_consul() is None:
            self.skipTest("no consul binary here")
        agent = _shared_consul()
        if not self._cleared:
            agent.clear()
            self._cleared = True
        return agent

    def own_consul(self, **options):
        if find_consul() is None:
            self.skipTest("no consul binary here")
        agent = Consul(**options)
        self.addCleanup(agent.close)
        return agent

    def authority(self, name="test authority"):
        """A certificate authority (authority.py); without the openssl command the case is skipped."""
        if not have_openssl():
            self.skipTest("no openssl command here")
        authority = Authority(name)
        self.addCleanup(authority.close)
        return authority

    def origin(self, name="origin", **options):
        origin = Origin(name, **options)
        self.addCleanup(origin.stop)
        return origin

    def h2_origin(self, name="origin", **options):
        """An instance that speaks HTTP/2 (h2_origin.py); without Node the case is skipped."""
        if not have_node():
            self.skipTest("no node here")
        origin = H2Origin(name, **options)
        self.addCleanup(origin.stop)
        return origin

    def event(self):
        """A threading.Event for gate(); set at the end of the case, so that no origin waits on."""
        event = threading.Event()
        self.addCleanup(event.set)
        return event

    def deaf(self):
        """An instance that nothing can connect to (origin.Deaf)."""
        deaf = Deaf()
        self.addCleanup(deaf.stop)
        return deaf

    def instance(self, service, name, agent=None, tags=None, origin=None, **registration):
        """An origin that is registered in Consul as instance `name` of the service; without `tags` it
        is routed at /SERVICE/. `registration`: see Consul.register()."""
        agent = agent or self.consul
        origin = origin or self.origin(name)
        if tags is None:
            tags = ["frontdesk.path=/%s/" % service]
        agent.register(service, origin.port, id=name, tags=tags, **registration)
        return origin

    def gateway(self, config=None, consul="shared", **options):
        """Started after its origins, so stopped before them (cleanups run backwards)."""
        agent = self.consul if consul == "shared" else consul
        gateway = Gateway(config, consul=agent, **options)
        self.addCleanup(gateway.stop)
        return gateway

    def static_gateway(self, instances, path="/", service="web", settings=None, config=None):
        """A gateway without Consul: one route at `path` to the given origins."""
        addresses = ["%s:%d" % (origin.host, origin.port) for origin in instances]
        whole = {"services": {service: dict(settings or {}, instances=addresses)},
                 "routes": [{"path": path, "service": service}]}
        whole.update(config or {})
        return self.gateway(whole, consul=None)

    def load(self, gateway, target="/", **options):
        """Background traffic that ends with the case (or at the end of a with block)."""
        load = Load(gateway.port, target, **options)
        self.addCleanup(load.stop)
        return load.start()
