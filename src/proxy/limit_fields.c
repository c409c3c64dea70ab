/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/limit_fields.h"
#include "base/clock.h"
#include "proxy/head.h"

/* What is known of one limit as the answer is written. */
struct told {
    const struct rate_limit_conf *conf;
    uint64_t remaining, in_s;
};

static uint64_t seconds(uint64_t ns)
{
    return (ns + NS_PER_S - 1) / NS_PER_S;
}

static bool is_spoken_of(const struct limit_use *u, enum rate_limit_fields form)
{
    const struct rate_limit_conf *c = u->entry->conf;

    if (!u->known || c->shadow || (c->fields != FIELDS_BOTH && c->fields != form))
        return false;
    return form == FIELDS_DRAFT || c->kind != LIMIT_CONCURRENCY;
}

/* When nothing is left, the time is that until the next request; else until all is. */
static void tell(const struct limit_use *u, const struct limit_clock *clock, struct told *ret)
{
    struct limit_state s;

    limit_rule_state(&u->entry->rule, clock, u->value, &s);
    ret->conf = u->entry->conf;
    ret->remaining = u->refused ? 0 : s.remaining;
    ret->in_s = seconds(u->refused ? s.retry_ns : s.reset_ns);
    if (u->refused && ret->in_s == 0)
        ret->in_s = 1;
}

static void write_parameter(struct writer *w, const char *name, uint64_t value)
{
    writer_str(w, str_of(name));
    writer_num(w, value);
}

static void begin_item(struct writer *w, const char *field, unsigned i, const char *name)
{
    writer_str(w, i == 0 ? str_of(field) : STR(", "));
    writer_lit(w, "\"");
    writer_str(w, str_of(name)); /* a token: nothing to escape */
    writer_lit(w, "\"");
}

static void write_draft(struct writer *w, const struct told *told, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        begin_item(w, "RateLimit-Policy: ", i, told[i].conf->name);
        write_parameter(w, ";q=", told[i].conf->told);
        if (told[i].conf->kind != LIMIT_CONCURRENCY)
            write_parameter(w, ";w=", told[i].conf->told_in_s);
    }
    writer_lit(w, "\r\n");
    for (unsigned i = 0; i < n; i++) {
        begin_item(w, "RateLimit: ", i, told[i].conf->name);
        write_parameter(w, ";r=", told[i].remaining);
        if (told[i].conf->kind != LIMIT_CONCURRENCY)
            write_parameter(w, ";t=", told[i].in_s);
    }
    writer_lit(w, "\r\n");
}

static void write_legacy(struct writer *w, const struct told *t)
{
    write_parameter(w, "RateLimit-Limit: ", t->conf->told);
    write_parameter(w, "\r\nRateLimit-Remaining: ", t->remaining);
    write_parameter(w, "\r\nRateLimit-Reset: ", t->in_s);
    writer_lit(w, "\r\n");
}

static unsigned collect(const struct access_limits *l, const struct limit_clock *clock,
                        enum rate_limit_fields form, struct told *ret)
{
    unsigned n = 0;

    for (const struct limit_use *u = l->uses; u < l->uses + l->n; u++)
        if (is_spoken_of(u, form))
            tell(u, clock, &ret[n++]);
    return n;
}

static bool has_quota(const struct access_limits *l)
{
    for (const struct limit_use *u = l->uses; u < l->uses + l->n; u++)
        if (u->entry->rule.kind == LIMIT_QUOTA)
            return true;
    return false;
}

void limit_fields_write(const struct exchange *x, const struct access_limits *l, struct writer *w)
{
    struct told told[MAX_REQUEST_LIMITS], refusal;
    struct limit_clock clock;
    unsigned n, least = 0;

    if (!l || l->n == 0)
        return;
    clock = (struct limit_clock){x->w->now_ns, has_quota(l) ? clock_wall_ms() / 1000 : 0};
    n = collect(l, &clock, FIELDS_DRAFT, told);
    if (n > 0)
        write_draft(w, told, n);
    n = collect(l, &clock, FIELDS_LEGACY, told);
    for (unsigned i = 1; i < n; i++)
        if (told[i].remaining < told[least].remaining)
            least = i;
    if (n > 0)
        write_legacy(w, &told[least]);
    if (!l->refusal)
        return;
    tell(l->refusal, &clock, &refusal);
    write_parameter(w, "Retry-After: ", refusal.in_s);
    writer_lit(w, "\r\n");
}

bool limit_fields_replace(const struct access_limits *l, struct str name)
{
    static const struct str names[] = {
        {"ratelimit-limit", 15}, {"ratelimit-remaining", 19}, {"ratelimit-reset", 15}};

    if (!l || l->n == 0 || !str_istarts(name, STR("ratelimit-")))
        return false;
    for (const struct limit_use *u = l->uses; u < l->uses + l->n; u++)
        for (size_t i = 0; is_spoken_of(u, FIELDS_LEGACY) && i < ARRAY_LEN(names); i++)
            if (str_ieq(name, names[i]))
                return true;
    return false;
}
