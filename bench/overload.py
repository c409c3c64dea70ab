#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a busy but healthy gateway shed? And what do important requests gain when it must?

    bench/overload.py [--binary build/release/frontdesk] [--seconds 5] [--targets 50,20,10,5,2]
                      [--connections 64,128,256,512,2000] [--spinners 1]

One worker on the first CPU, wrk and nginx as the origin on the second; each spinner is a
process that takes its share of the first CPU, so that the gateway is what is short. For every target and number of connections wrk keeps the worker busy with
requests to a route of low importance; a line says what was answered, the share of it that was shed, the
highest level seen, and how long requests to a critical route took beside it.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "test/e2e"))
sys.dont_write_bytecode = True
from lib import RawClient, free_port, wait_for  # noqa: E402
from lib.client import request  # noqa: E402

ASK = b"GET /vital HTTP/1.1\r\nHost: shop.example\r\n\r\n"


class Process:
    """A gateway on one CPU."""

    def __init__(self, binary, cpu, config):
        self.port, self.admin = free_port(), free_port()
        config = dict(config, workers=1, listeners=[{"address": "127.0.0.1:%d" % self.port}],
                      admin={"address": "127.0.0.1:%d" % self.admin})
        folder = tempfile.mkdtemp(prefix="frontdesk-overload-")
        with open(os.path.join(folder, "frontdesk.yaml"), "w") as file:
            json.dump(config, file)
        self.process = subprocess.Popen(["taskset", "-c", str(cpu), binary, "run", "-c", folder],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.alive, timeout=20, what="the gateway")

    def alive(self):
        try:
            return request(self.admin, "GET", "/readyz", host="127.0.0.1").status == 200
        except (AssertionError, OSError):
            return False

    def overload(self):
        return request(self.admin, "GET", "/v1/status", host="127.0.0.1").json()["overload"]

    def cpu_s(self):
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Nginx:
    def __init__(self):
        self.port, folder = free_port(), tempfile.mkdtemp(prefix="frontdesk-overload-")
        with open(os.path.join(folder, "nginx.conf"), "w") as file:
            file.write("daemon off; master_process off; pid %s/pid; error_log %s/error;"
                       "worker_rlimit_nofile 20000; events { worker_connections 10000; }"
                       "http { access_log off; keepalive_requests 1000000000; server {"
                       "listen 127.0.0.1:%d backlog=4096; location / { return 200 '%s'; } } }"
                       % (folder, folder, self.port, "x" * 100))
        self.process = subprocess.Popen(["taskset", "-c", "1", "nginx", "-c", folder + "/nginx.conf"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Probe(threading.Thread):
    """A critical request every 10 ms, and the level every 100 ms, until the event is set."""

    def __init__(self, front):
        super().__init__(daemon=True)
        self.front, self.end, self.took_ms, self.level = front, threading.Event(), [], 0

    def run(self):
        with RawClient(self.front.port, timeout=30) as client:
            for turn in range(1000000):
                if self.end.wait(0.01):
                    return
                begin = time.perf_counter()
                client.send(ASK)
                assert client.read_answer().status == 200
                self.took_ms.append((time.perf_counter() - begin) * 1000)
                if turn % 10 == 0:
                    self.level = max(self.level, self.front.overload()["level"])


def run(binary, origin, target_ms, connections, seconds):
    front = Process(binary, 0, {
        "overload": {"target": "%dms" % target_ms} if target_ms else {"enabled": False},
        "services": {"web": {"instances": ["127.0.0.1:%d" % origin.port]}},
        "routes": [{"path": "/", "service": "web", "importance": "low"},
                   {"path": "/vital", "service": "web", "importance": "critical"}]})
    try:
        probe, before = Probe(front), front.cpu_s()
        probe.start()
        out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c%d" % connections,
                              "-d%ds" % seconds, "--latency", "http://127.0.0.1:%d/x" % front.port],
                             stdout=subprocess.PIPE, text=True).stdout
        busy = (front.cpu_s() - before) / seconds
        probe.end.set()
        probe.join()
        shed = front.overload()["shed"]["low"]
    finally:
        front.stop()
    total = int(re.search(r"(\d+) requests in", out).group(1))
    took = sorted(probe.took_ms)
    print("%8s %6d %7.0f/s %5.0f %% %9.2f %% %6d %12.1f %9.1f" % (
        "%d ms" % target_ms if target_ms else "off", connections, total / seconds, busy * 100,
        100 * shed / max(total, 1), probe.level, took[len(took) // 2], took[len(took) * 99 // 100]),
        flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", default=os.path.join(ROOT, "build/release/frontdesk"))
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--targets", default="50,20,10,5,2")
    options.add_argument("--spinners", type=int, default=0)
    options.add_argument("--connections", default="64,128,256,512,2000")
    o = options.parse_args()
    origin = Nginx()
    print("  target  conns   answers    CPU       shed  level  critical p50    p99 (ms)")
    spinners = [subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"])
                for _ in range(o.spinners)]
    try:
        for target in map(int, o.targets.split(",")):
            for connections in map(int, o.connections.split(",")):
                run(o.binary, origin, target, connections, o.seconds)
    finally:
        origin.stop()
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


main()
