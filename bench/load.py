# SPDX-License-Identifier: Apache-2.0
"""The scenarios of bench/run, and the tools that make their load: wrk and h2load."""
import os
import re
import shutil
import statistics
import subprocess

# name: (tool, its arguments, path, over TLS, what it is)
SCENARIOS = {
    "h1": ("wrk", ["-c64"], "/", False, "HTTP/1.1, connections that are kept, 100 bytes, 64 at once"),
    "close": ("wrk", ["-c16", "-H", "Connection: close"], "/", False, "a connection for each request, 16 at once"),
    "body100k": ("wrk", ["-c16"], "/102400", False, "answers of 100 KiB, 16 at once"),
    "tls": ("wrk", ["-c64"], "/", True, "HTTP/1.1 over TLS, connections that are kept, 64 at once"),
    "h2": ("h2load", ["-c16", "-m16"], "/", True, "HTTP/2 over TLS, 16 connections of 16 streams, HTTP/1.1 behind"),
}
MS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


class Failed(Exception):
    """The load did not get its answers."""


def tool(scenario):
    return SCENARIOS[scenario][0]


def missing(scenario):
    return None if shutil.which(tool(scenario)) else tool(scenario)


def run(scenario, peer, seconds, folder, cpus):
    """(requests answered, p50 in ms)"""
    name, arguments, path, secure, _ = SCENARIOS[scenario]
    url = "%s://127.0.0.1:%d%s" % ("https" if secure else "http", peer.tls_port if secure else peer.port, path)
    log = os.path.join(folder, "latencies")
    command = [name, "-t1"] + arguments
    if name == "wrk":
        command += ["-d%ds" % seconds, "--latency", url]
    else:
        if os.path.exists(log):
            os.remove(log)
        command += ["-D%d" % seconds, "--log-file=" + log, url]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds + 30, preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
    return (read_wrk if name == "wrk" else read_h2load)(done.stdout, log)


def read_wrk(text, _):
    requests = re.search(r"(\d+) requests in ", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s|m)", text)
    bad = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    if bad or not requests or not int(requests.group(1)) or not median:
        raise Failed(bad.group() if bad else text.strip().splitlines()[-1] if text.strip() else "wrk says nothing")
    return int(requests.group(1)), float(median.group(1)) * MS[median.group(2)]


def read_h2load(text, log):
    counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", text)
    if not counts or not int(counts.group(2)) or int(counts.group(3)):
        raise Failed(counts.group() if counts else text.strip().splitlines()[-1] if text.strip() else "h2load says nothing")
    # A line for each request: when it began, its status, microseconds.
    with open(log) as file:
        took = [int(line.rsplit("\t", 1)[1]) for line in file]
    return int(counts.group(2)), statistics.median(took) / 1000 if took else 0.0
