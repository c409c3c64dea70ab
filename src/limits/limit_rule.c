/* SPDX-License-Identifier: Apache-2.0 */
#include "limits/limit_rule.h"
#include "base/macros.h"

/* No worker's idea of the time is further behind another's. */
#define SKEW_NS NS_PER_S

static const uint64_t period_s[] = {1, 60, 3600, 86400, 30 * 86400};

uint64_t limit_period_s(enum rate_limit_period p)
{
    return period_s[p];
}

void limit_rule_of(const struct rate_limit_conf *c, struct limit_rule *ret)
{
    uint64_t period_ns = period_s[c->period] * NS_PER_S;

    *ret = (struct limit_rule){.kind = c->kind, .period = c->period, .amount = c->amount};
    if (c->kind != LIMIT_RATE)
        return;
    ret->amount = c->burst;
    ret->interval_ns = (period_ns + c->amount - 1) / c->amount;
    ret->ahead_ns = ret->interval_ns * c->burst;
}

/* The months since 1970, and the first second of the next one. Days to a date in the proleptic
 * Gregorian calendar, counted in years that begin in March, so that the odd day comes last. */
static uint64_t month_of(int64_t wall_s, int64_t *ret_end_s)
{
    int64_t day = wall_s / 86400 + 719468, era = day / 146097, of_era = day % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march = (5 * of_year + 2) / 153; /* 0 = March */
    int64_t next = march + 1, days;

    year += era * 400;
    /* The first day of the next month, by the same count; after February a year begins. */
    days = next == 12 ? 365 * (year + 1) + (year + 1) / 4 - (year + 1) / 100 + (year + 1) / 400
                      : 365 * year + year / 4 - year / 100 + year / 400 + (153 * next + 2) / 5;
    *ret_end_s = (days - 719468) * 86400;
    return (uint64_t)((year - 1970) * 12 + march + 2);
}

uint64_t limit_window(enum rate_limit_period p, int64_t wall_s, int64_t *ret_end_s)
{
    int64_t period = (int64_t)period_s[p], number;

    if (wall_s < 0)
        wall_s = 0;
    if (p == PERIOD_MONTH)
        return month_of(wall_s, ret_end_s);
    number = wall_s / period;
    *ret_end_s = (number + 1) * period;
    return (uint64_t)number;
}

static bool take_rate(const struct limit_rule *r, uint64_t now_ns, uint64_t value,
                      uint64_t *ret_value)
{
    uint64_t last = now_ns + r->ahead_ns;
    uint64_t next = (value > now_ns ? value : now_ns) + r->interval_ns;
    bool passes = next <= last;

    /* A slower rate of the past may have let it run further ahead; a little further it is for
     * another thread whose clock is a little further. */
    *ret_value = passes ? next : value < last + SKEW_NS ? value : last;
    return passes;
}

/* The next window goes on when the clock was set back a little; one further ahead is a mistake of
 * the clock that is over. */
static uint64_t count_of(uint64_t value, uint64_t *window)
{
    uint64_t of = value >> QUOTA_COUNT_BITS;

    if (of < *window || of > *window + 1)
        return 0;
    *window = of;
    return value & ((1u << QUOTA_COUNT_BITS) - 1);
}

static bool take_quota(const struct limit_rule *r, int64_t wall_s, uint64_t value,
                       uint64_t *ret_value)
{
    int64_t end_s;
    uint64_t window = limit_window(r->period, wall_s, &end_s), count = count_of(value, &window);
    bool passes = count < r->amount;

    *ret_value = window << QUOTA_COUNT_BITS | (count + passes);
    return passes;
}

bool limit_rule_take(const struct limit_rule *r, const struct limit_clock *c, uint64_t value,
                     uint64_t *ret_value)
{
    switch (r->kind) {
    case LIMIT_RATE:
        return take_rate(r, c->now_ns, value, ret_value);
    case LIMIT_QUOTA:
        return take_quota(r, c->wall_s, value, ret_value);
    case LIMIT_CONCURRENCY:
        *ret_value = value + (value < r->amount);
        return value < r->amount;
    }
    return true;
}

uint64_t limit_rule_give_back(const struct limit_rule *r, uint64_t value)
{
    if (r->kind == LIMIT_RATE)
        return value > r->interval_ns ? value - r->interval_ns : 0;
    return (value & ((1u << QUOTA_COUNT_BITS) - 1)) > 0 ? value - 1 : value;
}

bool limit_rule_is_live(const struct limit_rule *r, const struct limit_clock *c, uint64_t value)
{
    uint64_t window;
    int64_t end_s;

    switch (r->kind) {
    case LIMIT_RATE:
        return value > c->now_ns;
    case LIMIT_QUOTA:
        window = limit_window(r->period, c->wall_s, &end_s);
        return count_of(value, &window) > 0;
    case LIMIT_CONCURRENCY:
        return value > 0;
    }
    return false;
}

static void rate_state(const struct limit_rule *r, uint64_t now_ns, uint64_t value,
                       struct limit_state *ret)
{
    uint64_t debt = value > now_ns ? value - now_ns : 0;
    uint64_t room = r->ahead_ns > debt ? r->ahead_ns - debt : 0;

    ret->remaining = room / r->interval_ns;
    ret->reset_ns = debt;
    ret->retry_ns = debt + r->interval_ns > r->ahead_ns ? debt + r->interval_ns - r->ahead_ns : 0;
}

void limit_rule_state(const struct limit_rule *r, const struct limit_clock *c, uint64_t value,
                      struct limit_state *ret)
{
    int64_t end_s = 0;
    uint64_t window, count = value;

    *ret = (struct limit_state){0};
    if (r->kind == LIMIT_RATE) {
        rate_state(r, c->now_ns, value, ret);
        return;
    }
    if (r->kind == LIMIT_QUOTA) {
        window = limit_window(r->period, c->wall_s, &end_s);
        count = count_of(value, &window);
        ret->reset_ns = (uint64_t)(end_s - c->wall_s) * NS_PER_S;
    }
    ret->remaining = r->amount > count ? r->amount - count : 0;
    /* When a place becomes free nobody knows; a second is polite. */
    if (ret->remaining == 0)
        ret->retry_ns = r->kind == LIMIT_QUOTA ? ret->reset_ns : NS_PER_S;
}
