# SPDX-License-Identifier: Apache-2.0
"""The gateways that bench/run compares. Each has a folder here with its configuration, a template:

    @PORT@ @TLS_PORT@ @ADMIN_PORT@         to listen on, on 127.0.0.1; TLS offers h2 and http/1.1
    @ORIGIN_1@ @ORIGIN_2@ @ORIGIN_3@       ports of the service, on 127.0.0.1
    @CERT@ @KEY@ @PEM@                     files; PEM is both in one
    @DIR@                                  a folder of its own, where the filled in files are

The rules: one worker, connections to the origins that are kept, X-Forwarded-For, no log. What is off by default stays
off, and what is on stays on.
"""
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test/e2e"))
from lib.wait import free_port  # noqa: E402

# name: (how it says its version, how it is run in the foreground, more environment)
COMMANDS = {
    "frontdesk": (["--version"], ["run", "-c", "@DIR@"], {}),
    "nginx": (["-v"], ["-c", "@DIR@/nginx.conf", "-e", "stderr"], {}),
    "haproxy": (["-v"], ["-db", "-f", "@DIR@/haproxy.cfg"], {}),
    "envoy": (["--version"], ["-c", "@DIR@/envoy.yaml", "--concurrency", "1", "--disable-hot-restart",
                              "--log-level", "critical"], {}),
    "traefik": (["version"], ["--configFile=@DIR@/traefik.yaml"], {"GOMAXPROCS": "1"}),
}


def binary(name):
    """The program's path, or None."""
    if name == "frontdesk":
        path = os.environ.get("FRONTDESK_BIN") or os.path.join(ROOT, "build/release/frontdesk")
        return path if os.access(path, os.X_OK) else shutil.which(name)
    # Debian has them where only root's PATH looks.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def version(name):
    done = subprocess.run([binary(name)] + COMMANDS[name][0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    return found.group() if found else "unknown version"


def children(pid):
    """pid and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it has ended
    tree, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        tree.append(parent)
        waiting.extend(child for child, of in parents.items() if of == parent)
    return tree


class Process:
    """A program of ours on the given CPUs (an empty set = any), ended by its pid."""

    def __init__(self, command, cpus, environment=None, log=None):
        self.log = log
        out = open(log, "w") if log else subprocess.DEVNULL
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                      env={**os.environ, **(environment or {})},
                                      preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
        if log:
            out.close()

    def last_words(self):
        with open(self.log) as file:
            lines = [line.strip() for line in file if line.strip()]
        return lines[-1] if lines else "it says nothing"

    def cpu_s(self):
        """CPU time of the process and what it has started, of all threads, in seconds."""
        total = 0
        for pid in children(self.popen.pid):
            try:
                threads = os.listdir("/proc/%d/task" % pid)
            except OSError:
                continue
            for thread in threads:
                try:
                    with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
                        total += int(file.read().split()[0])
                except OSError:
                    continue
        return total / 1e9

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT if "haproxy" in self.popen.args[0] else signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()


class Peer:
    """One running gateway. `name` may have a suffix behind a space: "nginx again"."""

    def __init__(self, name, folder, origins, files, cpus):
        kind = name.split()[0]
        self.name, self.port, self.tls_port = name, free_port(), free_port()
        self.dir = os.path.join(folder, name.replace(" ", "-"))
        os.mkdir(self.dir)
        values = {"DIR": self.dir, "PORT": self.port, "TLS_PORT": self.tls_port, "ADMIN_PORT": free_port(), **files,
                  **{"ORIGIN_%d" % i: port for i, port in enumerate(origins, 1)}}
        for template in sorted(os.listdir(os.path.join(HERE, kind))):
            with open(os.path.join(HERE, kind, template)) as file:
                text = file.read()
            with open(os.path.join(self.dir, template), "w") as file:
                file.write(fill(text, values))
        arguments = [fill(word, values) for word in COMMANDS[kind][1]]
        self.process = Process([binary(kind)] + arguments, cpus, COMMANDS[kind][2], self.dir + ".log")


def fill(text, values):
    return re.sub("@([A-Z][A-Z_0-9]*)@", lambda found: str(values[found.group(1)]), text)
