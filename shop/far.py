#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A phone far away: what its profile screen takes with a call for each thing on it, and with one for all.

    far.py GATEWAY CERTIFICATE TOKEN_FILE [MILLISECONDS]

Each call waits that long (150) first: the way there and back on a slow network. One connection is kept, as an app does.
"""
import http.client
import json
import ssl
import sys
import time

CALLS = ("/users/u1", "/orders/?user=u1", "/shipments/?order=o1", "/notifications/?user=u1", "/products/?search=tea")
SCREEN = "/screens/profile/u1"


class Phone:
    def __init__(self, gateway, certificate, token, delay_s=0.150):
        host, _, port = gateway.split("//")[1].partition(":")
        self.connection = http.client.HTTPSConnection(host, int(port), timeout=20,
                                                      context=ssl.create_default_context(cafile=certificate))
        self.delay_s = delay_s
        with open(token) as file:
            self.headers = {"Authorization": "Bearer " + file.read().strip()}

    def get(self, path):
        """(status, what the body says, Frontdesk-Partial)."""
        time.sleep(self.delay_s)
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("Frontdesk-Partial")

    def one_by_one(self):
        """(milliseconds, the answers)."""
        begin = time.monotonic()
        answers = [self.get(path) for path in CALLS]
        return (time.monotonic() - begin) * 1000, answers

    def at_once(self):
        begin = time.monotonic()
        answer = self.get(SCREEN)
        return (time.monotonic() - begin) * 1000, answer


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    phone = Phone(*sys.argv[1:4], *(int(ms) / 1000 for ms in sys.argv[4:5]))
    phone.get(CALLS[0])  # the connection is there
    slow, answers = phone.one_by_one()
    fast, (status, screen, partial) = phone.at_once()
    print("five calls   %5.0f ms  %s" % (slow, " ".join(str(a[0]) for a in answers)))
    print("one call     %5.0f ms  %d%s" % (fast, status, "  missing: " + partial if partial else ""))
    print(json.dumps(screen, indent=2))


if __name__ == "__main__":
    main()
