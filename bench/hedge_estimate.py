#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the p95 that hedging goes by behaves when slow tries are given up: bench/hedge_estimate.py

A simulation, no gateway: 300 requests a second; answers take about 1 ms, from the first minute on a
share of them 200 ms. Second tries within a retry budget of 20 % + 10 a second over 10 s, the sample of
the last one or two half minutes. A row a case: estimate in ms, and the share sent twice, each 20 s.
`counted` enters a try that was given up with its time until then (as the gateway does), `left out` not.
"""
import collections
import random

RATE, SECONDS, CHANGE = 300, 300, 60


class Estimate:
    def __init__(self):
        self.halves, self.known, self.at = collections.defaultdict(list), None, 0.0

    def add(self, now, took):
        self.halves[int(now // 30)].append(took)

    def read(self, now):
        if now - self.at >= 0.1:
            self.at, half = now, int(now // 30)
            sample = sorted(self.halves[half] + self.halves[half - 1])
            if len(sample) >= 100:
                self.known = sample[(len(sample) * 95 + 99) // 100 - 1] * 1.03  # half a cell
        return self.known


class Budget:
    def __init__(self):
        self.requests, self.second = collections.deque(), collections.deque()

    def take(self, now):
        for times in (self.requests, self.second):
            while times and times[0] < now - 10:
                times.popleft()
        if len(self.second) >= len(self.requests) * 0.2 + 100:
            return False
        self.second.append(now)
        return True


def simulate(slow, counted):
    rng, estimate, budget = random.Random(3), Estimate(), Budget()
    twice, rows = 0, []

    def took(share):
        return 200 * rng.uniform(.9, 1.1) if rng.random() < share else rng.lognormvariate(0, .3)

    for i in range(RATE * SECONDS):
        now = i / RATE
        share = slow if now >= CHANGE else 0.01
        budget.requests.append(now)
        delay, first = estimate.read(now), took(share)
        given_up = None
        if delay and first > max(delay, 2) and budget.take(now):
            twice += 1
            second = max(delay, 2) + took(share)
            given_up = second if second < first else None
        if given_up is None or counted:
            estimate.add(now, given_up or first)
        if (i + 1) % (RATE * 20) == 0:
            rows.append("%.0f/%.0f%%" % (estimate.known or 0, 100 * twice / (RATE * 20)))
            twice = 0
    return rows


for slow, counted in ((.02, True), (.02, False), (.12, True), (.12, False), (.33, True), (.33, False)):
    print("%2.0f %% slow, %-8s" % (slow * 100, "counted" if counted else "left out"),
          " ".join(simulate(slow, counted)))
