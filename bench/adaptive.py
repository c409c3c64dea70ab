#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What concurrency.adaptive does for a service that gets too much: adaptive.py [SECONDS]

One origin with 16 places and a queue before them; an answer takes 20 ms on average (exponential), so
it can give 800 a second. Requests arrive at random times (open loop, a connection each when none is
free): half of what it can, one and a half times that, the same with half of the places, and half
of what it could again. The row of a phase: answers and refusals a second, and of the answers the median
and p99 in ms; the limit and the baseline at its end. The binary is $FRONTDESK_BIN, or
build/release/frontdesk.
"""
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from multiprocessing import Process, Value

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("FRONTDESK_BIN") or ROOT + "/build/release/frontdesk"
SETTINGS = (("none", {}), ("adaptive", {"adaptive": True}),
            ("adaptive, queue", {"adaptive": True, "queue": 50, "queue_timeout": "100ms"}))
PHASES = (("half", 400, 16), ("1.5 times", 1200, 16), ("half of the places", 1200, 8),
          ("half again", 400, 16))
SERVICE_S = 0.02
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def listening():
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    return sock, sock.getsockname()[1]


def origin(sock, places):
    rng, busy, waiting = random.Random(1), [0], []

    def start():
        while waiting and busy[0] < places.value:
            busy[0] += 1
            asyncio.get_running_loop().call_later(rng.expovariate(1 / SERVICE_S), done, waiting.pop(0))

    def done(future):
        busy[0] -= 1
        if not future.done():
            future.set_result(None)
        start()

    async def serve(reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                turn = asyncio.get_running_loop().create_future()
                waiting.append(turn)
                start()
                await turn
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        async with await asyncio.start_server(serve, sock=sock, backlog=1024) as server:
            await server.serve_forever()

    asyncio.run(main())


async def ask(port, idle, now):
    begin = time.monotonic()
    try:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):
        now["refused"].append("broken")
        return
    idle.append((reader, writer))
    if head.startswith(b"HTTP/1.1 200"):
        now["took"].append((time.monotonic() - begin) * 1000)
    else:
        now["refused"].append(head.split(b"Frontdesk-Reason: ")[1].split(b"\r\n")[0].decode())


async def load(port, rate, seconds, idle, rng, now, tasks):
    now["took"], now["refused"] = [], []
    at = time.monotonic()
    until = at + seconds
    while at < until:
        at += rng.expovariate(rate)
        await asyncio.sleep(max(0, at - time.monotonic()))
        task = asyncio.ensure_future(ask(port, idle, now))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return sorted(now["took"]) or [0], now["refused"]


def service(admin):
    with urllib.request.urlopen("http://127.0.0.1:%d/v1/services/web" % admin) as answer:
        return json.load(answer)


async def phases(name, port, admin, places, seconds):
    idle, rng, now, tasks = [], random.Random(2), {}, set()
    for phase, rate, count in PHASES:
        places.value = count
        took, refused = await load(port, rate, seconds, idle, rng, now, tasks)
        shown = await asyncio.get_running_loop().run_in_executor(None, service, admin)
        adaptive = shown["adaptive"] or {}
        print("| %s | %s | %d | %d | %.0f | %.0f | %s | %s |" % (
            name, phase, len(took) / seconds, len(refused) / seconds,
            took[len(took) // 2], took[int(len(took) * .99)], shown["limit"] or "",
            "%.0f" % adaptive["baseline_ms"] if adaptive.get("baseline_ms") else ""), flush=True)
    await asyncio.gather(*tasks)


def measure(name, concurrency, seconds):
    sock, port = listening()
    places = Value("i", 16)
    process = Process(target=origin, args=(sock, places), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        (a, gateway_port), (b, admin) = listening(), listening()
        a.close()
        b.close()
        config = {"workers": 1, "listeners": [{"address": "127.0.0.1:%d" % gateway_port}],
                  "admin": {"address": "127.0.0.1:%d" % admin},
                  "services": {"web": {"instances": ["127.0.0.1:%d" % port],
                                       "concurrency": concurrency}},
                  "routes": [{"path": "/", "service": "web"}]}
        with open(folder + "/frontdesk.yaml", "w") as file:
            json.dump(config, file)
        gateway = subprocess.Popen([BINARY, "run", "-c", folder], stderr=subprocess.DEVNULL)
        try:
            for _ in range(500):
                try:
                    service(admin)
                    break
                except OSError:
                    time.sleep(0.02)
            asyncio.run(phases(name, gateway_port, admin, places, seconds))
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(60)
            process.terminate()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    print("| limit | load | answers a second | refused a second | p50 | p99 | limit | baseline |")
    print("|---|---|---|---|---|---|---|---|")
    for name, concurrency in SETTINGS:
        measure(name, concurrency, seconds)


if __name__ == "__main__":
    main()
