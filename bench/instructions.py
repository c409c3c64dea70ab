#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that the gateway spends on one proxied request, by callgrind.

    bench/instructions.py [--binary build/release/frontdesk] [--requests 2000] [--functions N]
                          [--service "concurrency: { adaptive: true }"] [--token]

Runs the gateway (one worker, one instance, kept connections on both sides) under valgrind twice, with
N and with 2 N small GET requests one after the other; the difference divided by N is free of what
starting and stopping cost. --functions also lists, for the longer run, the inclusive instructions a
request of the N most expensive functions of circuit/ and of what counts (statistics, latency, journal).
--token: the route asks for a bearer token (ES256), each request carries the same one, and the service is
told the subject.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "test/e2e"))
sys.dont_write_bytecode = True
from lib import AUDIENCE, ISSUER, Origin, RawClient, SigningKey, free_port, wait_for  # noqa: E402
from lib.client import request  # noqa: E402

REQUEST = b"GET /orders/17 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
ACCOUNTS = re.compile(r"^(breaker_|outlier_|window_|retry_budget_|limit_|instance_load_|adaptive_|shed_|"
                      r"latency_|finish_report|count$|request_settle|sample_latency|count_outcome)")


def policy(key):
    return ("issuers: { shop: { issuer: '%s', audience: [%s], keys: { pem_file: %s } } }\n"
            "policies: { known: { authenticate: [{ issuer: shop }], headers: { X-User: sub } } }\n"
            % (ISSUER, AUDIENCE, key.pem))


def configuration(folder, port, admin, origin, service, key):
    with open(os.path.join(folder, "frontdesk.yaml"), "w") as file:
        file.write("workers: 1\nlisteners: [ { address: '127.0.0.1:%d' } ]\n"
                   "admin: { address: '127.0.0.1:%d' }\nlimits: { keepalive_requests: 0 }\n"
                   "services: { orders: { instances: ['%s'], %s } }\n"
                   "routes: [ { path: /, service: orders%s } ]\n%s"
                   % (port, admin, origin.address, service, ", auth: known" if key else "",
                      policy(key) if key else ""))


def run(binary, count, origin, service, key=None):
    """(instructions in all, path of callgrind's output)"""
    port, admin = free_port(), free_port()
    folder = tempfile.mkdtemp(prefix="frontdesk-instructions-")
    configuration(folder, port, admin, origin, service, key)
    ask = REQUEST
    if key:
        ask = REQUEST[:-2] + b"Authorization: Bearer %s\r\n\r\n" % key.token(exp=1 << 33, header={"kid": None}).encode()
    out = os.path.join(folder, "callgrind.out")
    gateway = subprocess.Popen(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "-q",
                                binary, "run", "-c", folder],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: alive(admin), timeout=60, what="the gateway")
        with RawClient(port, timeout=30) as client:
            for _ in range(count):
                client.send(ask)
                assert client.read_answer().status == 200
    finally:
        gateway.terminate()
        gateway.wait(60)
    with open(out) as file:
        total = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
    return int(total.group(1)), out


def alive(admin):
    try:
        return request(admin, "GET", "/readyz", host="127.0.0.1").status == 200
    except (AssertionError, OSError):
        return False


def functions(out, count, most):
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out],
                          stdout=subprocess.PIPE, text=True).stdout
    rows = re.findall(r"^\s*([\d,]+) \([^)]*\)\s+\S*?:(\w+)", text, re.M)
    seen = [(int(n.replace(",", "")) / count, name) for n, name in rows if ACCOUNTS.match(name)]
    for per_request, name in sorted(seen, reverse=True)[:most]:
        print("%10.1f  %s" % (per_request, name))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", default=os.path.join(ROOT, "build/release/frontdesk"))
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--functions", type=int, default=0, metavar="N")
    options.add_argument("--service", default="", help="more settings of the service, as YAML")
    options.add_argument("--token", action="store_true", help="requests with a bearer token")
    options = options.parse_args()
    key = SigningKey("ES256") if options.token else None
    origin = Origin("a")
    try:
        short, _ = run(options.binary, options.requests, origin, options.service, key)
        long, out = run(options.binary, 2 * options.requests, origin, options.service, key)
    finally:
        if key:
            key.close()
        origin.stop()
    print("%.1f instructions a request" % ((long - short) / options.requests))
    if options.functions:
        functions(out, 2 * options.requests, options.functions)


if __name__ == "__main__":
    main()
