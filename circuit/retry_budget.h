/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* retry_budget.h - keeps retries a small share of the traffic, so that they never make an outage
 * worse (Finagle's RetryBudget, Google SRE book chapter 22).
 *
 * Each request deposits percent/100 of a retry, each retry withdraws one; a minimum per second is
 * always allowed, and unused deposits expire with the 10 s window. Shared and lock-free, so workers
 * that ask in the same instant can exceed it, by at most one retry each. */
#include "base/macros.h"

#include "circuit/window.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct retry_budget {
    struct window window;     /* total = requests and retries, failed = retries */
    _Atomic uint32_t percent; /* 20 = one retry for five requests */
    _Atomic uint32_t min_per_s;
    _Atomic uint64_t taken, refused; /* since start */
};

void retry_budget_init(struct retry_budget *b, uint32_t percent, uint32_t min_per_s);
void retry_budget_configure(struct retry_budget *b, uint32_t percent, uint32_t min_per_s);
void retry_budget_request(struct retry_budget *b, uint64_t now_ns);
/* True takes one retry. */
bool retry_budget_take(struct retry_budget *b, uint64_t now_ns) MUST_CHECK;
