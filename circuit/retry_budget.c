/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit/retry_budget.h"

#include "circuit/relaxed.h"

enum { WINDOW_S = 10 };

void retry_budget_init(struct retry_budget *b, uint32_t percent, uint32_t min_per_s)
{
    window_init(&b->window, WINDOW_S * NS_PER_S);
    SET(&b->taken, 0);
    SET(&b->refused, 0);
    retry_budget_configure(b, percent, min_per_s);
}

void retry_budget_configure(struct retry_budget *b, uint32_t percent, uint32_t min_per_s)
{
    SET(&b->percent, percent);
    SET(&b->min_per_s, min_per_s);
}

void retry_budget_request(struct retry_budget *b, uint64_t now_ns)
{
    window_add(&b->window, now_ns, 0, 0);
}

bool retry_budget_take(struct retry_budget *b, uint64_t now_ns)
{
    struct window_counts c = window_sum(&b->window, now_ns);
    uint64_t requests = c.total - c.failed;
    uint64_t allowed = requests * GET(&b->percent) / 100 + (uint64_t)GET(&b->min_per_s) * WINDOW_S;

    if (c.failed >= allowed) {
        INC(&b->refused);
        return false;
    }
    window_add(&b->window, now_ns, 1, 0);
    INC(&b->taken);
    return true;
}
