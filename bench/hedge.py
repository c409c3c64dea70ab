#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What hedging does to the tail: hedge.py [SECONDS] [BALANCE]

Three origins, of which one delays one answer in twenty by 200 ms, in turns: one request in sixty is
slow. (With the default balance, least_request, a busy instance gets less: that hides a part of it.)
Sixteen clients on kept connections, each with a pause of 10 ms on average between an answer and the next
request. The same load runs without hedging, with `hedge: p95` and with a fixed delay; a row a
setting: percentiles in ms, and how many more requests the origins saw than the clients sent.
The binary is $FRONTDESK_BIN, or build/release/frontdesk.
"""
import asyncio
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("FRONTDESK_BIN") or ROOT + "/build/release/frontdesk"
SETTINGS = ("off", "p95", "20ms")
CLIENTS = 16
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100


def listening():
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    return sock, sock.getsockname()[1]


def origin(sock, slow_share, count):
    rng = random.Random(1)

    async def serve(reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                count.value += 1
                if rng.random() < slow_share:
                    await asyncio.sleep(0.2)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        async with await asyncio.start_server(serve, sock=sock) as server:
            await server.serve_forever()

    asyncio.run(main())


async def client(port, until, rng, took):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        await asyncio.sleep(rng.expovariate(100))
        begin = time.monotonic()
        writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        await reader.readexactly(100)
        took.append((time.monotonic() - begin) * 1000)
    writer.close()


async def load(port, seconds):
    took, rng = [], random.Random(2)
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(port, until, rng, took) for _ in range(CLIENTS)))
    return sorted(took)


def wait_port(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the gateway does not listen")


def measure(hedge, balance, ports, seconds, counts):
    with tempfile.TemporaryDirectory() as folder:
        sock, port = listening()
        sock.close()
        config = {"workers": 1, "listeners": [{"address": "127.0.0.1:%d" % port}], "admin": False,
                  "services": {"web": {"instances": ["127.0.0.1:%d" % p for p in ports],
                                       "balance": balance, "hedge": hedge}},
                  "routes": [{"path": "/", "service": "web"}]}
        with open(folder + "/frontdesk.yaml", "w") as file:
            json.dump(config, file)
        gateway = subprocess.Popen([BINARY, "run", "-c", folder], stderr=subprocess.DEVNULL)
        try:
            wait_port(port)
            asyncio.run(load(port, 2))  # the estimate needs answers to go by
            before = sum(count.value for count in counts)
            took = asyncio.run(load(port, seconds))
            extra = sum(count.value for count in counts) - before - len(took)
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(60)
    at = [took[min(len(took) - 1, int(len(took) * share))] for share in (.5, .95, .99, .999)]
    print("| `%s` | %d | %s | %.1f %% |" % (hedge, len(took), " | ".join("%.1f" % ms for ms in at),
                                           100 * extra / len(took)), flush=True)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    balance = sys.argv[2] if len(sys.argv) > 2 else "round_robin"
    socks = [listening() for _ in range(3)]
    counts = [multiprocessing.Value("L", 0, lock=False) for _ in socks]
    origins = [multiprocessing.Process(target=origin, args=(sock, 0.05 if i == 0 else 0, counts[i]),
                                       daemon=True) for i, (sock, _) in enumerate(socks)]
    for process in origins:
        process.start()
    print("| hedge | requests | p50 | p95 | p99 | p99.9 | extra |\n|---|---|---|---|---|---|---|")
    for hedge in SETTINGS:
        measure(hedge, balance, [port for _, port in socks], seconds, counts)
    for process in origins:
        process.terminate()


if __name__ == "__main__":
    main()
