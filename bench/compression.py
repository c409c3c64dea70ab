#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to compress an answer, and what one to compose of three is: compression.py [SECONDS] [ROUNDS]

nginx serves the origin, a JSON of some 100 KB of records that are no copies of each other. Each proxy has one worker on
core 0, load (wrk) and origin have core 1. A turn of each in every round; a row has the medians: CPU of the proxy for
a request in us, and bytes of the answer. The binary is $FRONTDESK_BIN, or build/release/frontdesk; nginx and wrk are on PATH.
"""
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("FRONTDESK_BIN") or ROOT + "/build/release/frontdesk"
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def records():
    random.seed(1)
    words = ["%s%d" % (random.choice(("tea", "cup", "pot", "mug", "tray", "spoon")), i) for i in range(400)]
    return [{"id": i, "name": " ".join(random.sample(words, 4)), "price": random.randrange(100, 9999) / 100,
             "stock": random.randrange(50), "tags": random.sample(words, 3)} for i in range(900)]


def nginx(folder, name, text, core):
    path = "%s/%s.conf" % (folder, name)
    with open(path, "w") as file:
        file.write("daemon off; master_process off; pid %s/%s.pid; error_log /dev/null; events {}\n"
                   "http { access_log off; client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s;"
                   " uwsgi_temp_path %s; scgi_temp_path %s; keepalive_requests 10000000; types { application/json json; }\n%s }"
                   % (folder, name, folder, folder, folder, folder, folder, text))
    return subprocess.Popen(["taskset", "-c", str(core), "nginx", "-c", path], stderr=subprocess.DEVNULL)


def frontdesk(folder, config):
    os.makedirs(folder + "/conf.d", exist_ok=True)
    with open(folder + "/conf.d/a.yaml", "w") as file:
        json.dump(config, file)
    return subprocess.Popen(["taskset", "-c", "0", BINARY, "run", "-c", folder + "/conf.d"], stderr=subprocess.DEVNULL)


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer(url, accept):
    request = urllib.request.Request(url, headers={"Accept-Encoding": accept})
    for _ in range(100):
        try:
            with urllib.request.urlopen(request) as reply:
                return len(reply.read()), reply.headers.get("Content-Encoding")
        except OSError:
            time.sleep(0.05)
    sys.exit("no answer from " + url)


def load(url, accept, pid):
    before = cpu_s(pid)
    done = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c8", "-d%ds" % SECONDS, "-H", "Accept-Encoding: " + accept, url],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    requests = next(int(line.split()[0]) for line in done.splitlines() if " requests in " in line)
    if "Non-2xx" in done:
        sys.exit(done)
    return (cpu_s(pid) - before) / requests * 1e6


def main():
    folder = tempfile.mkdtemp(prefix="frontdesk-bench-")
    origin, port = free_port(), free_port()
    with open(folder + "/a.json", "w") as file:
        json.dump(records(), file)
    for name in ("b", "c", "d"):
        with open("%s/%s.json" % (folder, name), "w") as file:
            json.dump({"id": name, "items": records()[:20]}, file)
    started = [nginx(folder, "origin", "server { listen 127.0.0.1:%d; root %s; }" % (origin, folder), 1)]
    proxied = ("upstream o { server 127.0.0.1:%d; keepalive 32; } server { listen 127.0.0.1:%d; location / { proxy_pass http://o;"
               " proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Accept-Encoding identity; proxy_buffers 16 16k; } }")
    rows = []

    def add(name, url, accept, process):
        started.append(process)
        size, coding = answer(url, accept)
        rows.append([name, url, accept, process.pid, size, coding, []])

    for level in (None, 1, 5):
        port = free_port()
        gzip = "gzip on; gzip_comp_level %d; gzip_types application/json; gzip_proxied any;\n" % level if level else ""
        add("nginx, " + ("gzip %d" % level if level else "as it is"), "http://127.0.0.1:%d/a.json" % port, "gzip" if level else "identity",
            nginx(folder, "n%s" % level, gzip + proxied % (origin, port), 0))
    for level, accept in ((None, "identity"), ("fast", "gzip"), ("default", "gzip"), ("fast", "br"), ("default", "br"),
                          ("fast", "zstd"), ("default", "zstd")):
        port = free_port()
        base = "%s/f%d" % (folder, port)
        config = {"workers": 1, "admin": False, "listeners": [{"address": "127.0.0.1:%d" % port}],
                  "services": {"o": {"instances": ["127.0.0.1:%d" % origin]}},
                  "routes": [{"path": "/", "service": "o", "request_headers": {"remove": ["Accept-Encoding"]}},
                             {"path": "/three", "aggregate": {"parts": {
                                 n: {"service": "o", "path": "/%s.json" % n, "select": "items[*].{id,name}"} for n in "bcd"}}}]}
        if level:
            config["compression"] = {"level": level}
        process = frontdesk(base, config)
        add("frontdesk, " + ("%s %s" % (accept, level) if level else "as it is"), "http://127.0.0.1:%d/a.json" % port, accept, process)
        if not level:
            add("frontdesk, three parts in one", "http://127.0.0.1:%d/three" % port, "identity", process)
            add("frontdesk, one of the three", "http://127.0.0.1:%d/b.json" % port, "identity", process)
    try:
        for _ in range(ROUNDS):
            for row in rows:
                row[6].append(load(row[1], row[2], row[3]))
        print("%-32s %8s %8s" % ("", "us", "bytes"))
        for name, _, accept, _, size, coding, times in rows:
            assert accept == "identity" or coding == accept, (name, coding)
            print("%-32s %8.0f %8d" % (name, statistics.median(times), size))
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


if __name__ == "__main__":
    main()
