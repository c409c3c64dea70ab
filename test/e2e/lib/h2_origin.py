# SPDX-License-Identifier: Apache-2.0
"""h2_origin.py - a service instance that speaks HTTP/2: Node's server, see h2_origin.mjs.

    origin = H2Origin("a")                              # in the clear (h2c)
    origin = H2Origin("a", certificate=cert)            # over TLS (authority.py), ALPN h2
    H2Origin("a", certificate=cert, http1=True), H2Origin("a", max_streams=2)
    origin.requests, .sessions, .aborted                # events, as dictionaries, in their order
    origin.connections                                  # open now
    origin.wait_requests(3); .wait_sessions(1); .wait_aborted(1)      # events come a moment later
    origin.kill(); origin.stop()

What it does with a request is the first part of its path: /ok (and all others): 200 with a JSON body
{origin, session, headers, body, trailers}; /bare /status/503 /big/BYTES /trailers /grpc/STATUS[/only[/NAME]] /hints /echo
/slow/MS /hang /early /refuse /reset /cut /goaway /last /break. Those that go wrong do so the first
time that their whole path is asked for, then they are as /ok (not /cut and /early).
have_node() says whether Node is there.
"""
import json
import os
import shutil
import subprocess
import threading

from .wait import free_port, wait_for

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "h2_origin.mjs")


def have_node():
    return shutil.which("node") is not None


class H2Origin:
    def __init__(self, name="origin", certificate=None, http1=False, max_streams=0, port=None):
        self.name, self.host = name, "127.0.0.1"
        self.port = port or free_port()
        self.address = "127.0.0.1:%d" % self.port
        self.events = []
        options = {"name": name, "port": self.port, "maxStreams": max_streams, "http1": http1}
        if certificate:
            options.update(cert=certificate.cert, key=certificate.key)
        self._process = subprocess.Popen(["node", _SCRIPT, json.dumps(options)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._listen, daemon=True).start()
        wait_for(lambda: self._of("listening"), 20, "HTTP/2 origin")

    def _listen(self):
        for line in self._process.stdout:
            self.events.append(json.loads(line))

    def _of(self, kind):
        return [event for event in list(self.events) if event["event"] == kind]

    @property
    def requests(self):
        return self._of("request")

    @property
    def sessions(self):
        return self._of("session")

    @property
    def aborted(self):
        return self._of("aborted")

    @property
    def connections(self):
        """Connections that both sides have open."""
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        return len([row for row in rows
                    if row[3] == "01" and int(row[2].split(":")[1], 16) == self.port])

    def wait_requests(self, count, timeout=10.0):
        wait_for(lambda: len(self.requests) >= count, timeout, "%d requests" % count)
        return self.requests

    def wait_sessions(self, count, timeout=10.0):
        wait_for(lambda: len(self.sessions) >= count, timeout, "%d connections" % count)
        return self.sessions

    def wait_aborted(self, count, timeout=10.0):
        wait_for(lambda: len(self.aborted) >= count, timeout, "%d reset streams" % count)
        return self.aborted

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
