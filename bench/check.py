#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks can still be started: syntax, options, templates of the peers. Measures nothing."""
import ast
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import load  # noqa: E402
import peers  # noqa: E402


def scripts():
    for folder, _, names in os.walk(HERE):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(".py") or (name == "run" and os.access(path, os.X_OK)):
                yield path


def check_syntax():
    for path in scripts():
        with open(path) as file:
            ast.parse(file.read(), path)


def check_options():
    for script in ("run", "micro/run"):
        subprocess.run([os.path.join(HERE, script), "--help"], stdout=subprocess.DEVNULL, check=True)
    said = subprocess.run([os.path.join(HERE, "run"), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in list(load.SCENARIOS) + list(peers.COMMANDS):
        assert re.search("^%s " % name, said, re.M), "bench/run --list does not name " + name
    refused = subprocess.run([os.path.join(HERE, "run"), "--peers", "nobody"], stderr=subprocess.PIPE, text=True)
    assert refused.returncode == 2 and "'nobody' is none of" in refused.stderr, refused.stderr


def check_templates():
    values = dict.fromkeys(("DIR", "PORT", "TLS_PORT", "ADMIN_PORT", "CERT", "KEY", "PEM", "ORIGIN_1", "ORIGIN_2",
                            "ORIGIN_3"), "1")
    for name in peers.COMMANDS:
        folder = os.path.join(HERE, "peers", name)
        used = set()
        for template in os.listdir(folder):
            with open(os.path.join(folder, template)) as file:
                text = file.read()
            used.update(re.findall("@([A-Z][A-Z_0-9]*)@", text))
            peers.fill(text, values)
        for needed in ("PORT", "TLS_PORT", "ORIGIN_1", "ORIGIN_2", "ORIGIN_3"):
            assert needed in used, "bench/peers/%s does not use @%s@" % (name, needed)


# What the tools print, and what is read of it.
WRK = """  Latency Distribution
     50%    1.25ms
     99%    4.00ms
  20000 requests in 1.00s, 4.00MB read
"""
H2LOAD = "requests: 1010 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout\n"


def check_reading():
    assert load.read_wrk(WRK, None) == (20000, 1.25)
    for bad in (WRK + "  Non-2xx or 3xx responses: 3\n", WRK + "  Socket errors: connect 0, read 7\n", "", "unable to connect"):
        try:
            load.read_wrk(bad, None)
        except load.Failed:
            continue
        raise AssertionError("taken for a result: " + bad)
    try:
        load.read_h2load(H2LOAD.replace("0 failed", "1 failed"), None)
    except load.Failed:
        return
    raise AssertionError("taken for a result: a failed request")


def main():
    check_syntax()
    check_options()
    check_templates()
    check_reading()
    print("%d programs of bench/ can be started" % len(list(scripts())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
