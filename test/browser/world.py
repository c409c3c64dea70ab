#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""world.py - what the browser tests look at: the real gateway, a real Consul, scripted origins, traffic.
The processes are those of the end-to-end tests (test/e2e/lib); this gives them to the runner, which is
another program.

A line of JSON on stdin, [function, {argument: value}], gets a line on stdout: {"ok": value} or
{"error": text}. The functions are the methods of World whose name does not begin with an underscore.
The end of stdin ends everything.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib import Authority, Consul, Gateway, Load, Origin, find_consul, free_port, reply  # noqa: E402

TOKEN = "correct-horse-battery-staple"


class World:
    def __init__(self):
        self._origins, self._loads = {}, []
        self._consul = self._gateway = self._authority = None

    def origin(self, name):
        """Its address."""
        self._origins[name] = Origin(name)
        return self._origins[name].address

    def answer(self, name, status, delay=0):
        self._origins[name].always(reply(status, b"", delay=delay))

    def consul(self, acl=False):
        """False when there is none here."""
        if find_consul() is None:
            return False
        self._consul = Consul(acl=acl)
        return True

    def register(self, service, origin, id, tags, output=None, status="passing"):
        self._consul.register(service, self._origins[origin].port, id=id, tags=tags)
        if output is not None:
            self._consul.set_health(id, status, output=output)

    def secure_listener(self, name, days):
        """An entry of `listeners` whose certificate ends in so many days."""
        self._authority = self._authority or Authority()
        made = self._authority.issue(name, [name], days=days)
        return {"address": "127.0.0.1:%d" % free_port(),
                "tls": {"certificates": [{"cert": made.cert, "key": made.key}]}}

    def gateway(self, config, writable=True):
        """Address of its admin endpoint."""
        self._gateway = Gateway(consul=self._consul)
        if writable:
            path = self._gateway.write_file("admin.token", TOKEN)
            admin = {"address": "127.0.0.1:%d" % self._gateway.admin_port, "token_file": path}
            config = dict(config, admin=admin)
        self._gateway.configure(config)
        self._gateway.kill9()
        self._gateway.start(timeout=60)
        return self._gateway.admin

    def front(self):
        """Where clients connect."""
        return self._gateway.address

    def get(self, path):
        return self._gateway.admin_json(path)

    def kill(self):
        self._gateway.kill9()

    def start(self):
        self._gateway.start()

    def load(self, target, threads=2, pause=0.01):
        self._loads.append(Load(self._gateway.port, target, threads=threads, pause=pause).start())

    def end(self):
        """Of everything."""
        for load in self._loads:
            load.stop()
        if self._gateway is not None:
            self._gateway.stop()
        if self._authority is not None:
            self._authority.close()
        for origin in self._origins.values():
            origin.stop()
        if self._consul is not None:
            self._consul.close()
        self.__init__()


def main():
    world = World()
    try:
        for line in sys.stdin:
            name, arguments = json.loads(line)
            try:
                answer = {"ok": getattr(world, name)(**arguments)}
            except Exception as error:  # the runner says it, with the name of the case
                answer = {"error": "%s: %s" % (type(error).__name__, error)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        world.end()


if __name__ == "__main__":
    main()
