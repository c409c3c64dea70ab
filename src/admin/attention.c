/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/attention.h"
#include "admin/access_part.h"
#include "admin/certificates.h"
#include "admin/doubt_part.h"
#include "admin/places_part.h"
#include "admin/series.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 20, RECENT_STEPS = 6, RECENT_MINIMUM = 20, TEXT_MAX = 1024 };

static bool many_errors(const struct look *l, const struct service_row *row, uint64_t *ret_requests,
                        uint64_t *ret_errors)
{
    series_recent(l->sources->series, row->view->state->slot, RECENT_STEPS, ret_requests,
                  ret_errors);
    return *ret_requests >= RECENT_MINIMUM && *ret_errors * 20 > *ret_requests;
}

enum attention attention_of(const struct look *l, const struct service_row *row)
{
    const struct breaker_info *b = &row->breaker;
    struct discovery_group_status group;
    struct discovery_place_status place;
    struct discovery_watch_status watch;
    uint64_t requests, errors;

    if (b->state == BREAKER_OPEN || (row->in_rotation == 0 && !row->panic))
        return ATTENTION_DOWN;
    if (b->state == BREAKER_HALF_OPEN || b->state == BREAKER_FORCED_OPEN ||
        b->state == BREAKER_FORCED_CLOSED || row->panic)
        return ATTENTION_LIMITED;
    if (row->ejected > 0 || many_errors(l, row, &requests, &errors))
        return ATTENTION_SUSPECT;
    if ((b->state == BREAKER_DISABLED && b->forced) ||
        (b->state == BREAKER_SHADOW && b->machine != BREAKER_CLOSED) ||
        places_away(l, row->name, &group, &place) || doubt_holds(l, row->name, &watch))
        return ATTENTION_NOTE;
    return ATTENTION_NONE;
}

struct text {
    char *at;
    size_t left;
    unsigned parts; /* begun so far */
};

static void say(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(t->at, t->left, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= t->left)
        n = (int)t->left - 1;
    t->at += n;
    t->left -= (size_t)n;
}

/* Begins the next part of the sentence. */
static void begin(struct text *t)
{
    say(t, t->parts++ ? "; " : ": ");
}

static void say_span(struct text *t, uint64_t ns)
{
    uint64_t s = ns / NS_PER_S;

    if (s >= 3600)
        say(t, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        say(t, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else
        say(t, "%" PRIu64 " s", s);
}

static uint64_t span(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* "since 02:14:07 UTC (3 min 12 s)" */
static void say_since(struct text *t, const struct look *l, uint64_t since_ns)
{
    uint64_t ago_ns = span(since_ns, l->now_ns);
    char when[32];

    clock_format(l->wall_ms - (int64_t)(ago_ns / NS_PER_MS), when);
    say(t, " since %.8s UTC (", when + strlen("2026-11-24T"));
    say_span(t, ago_ns);
    say(t, ")");
}

static void say_trip(struct text *t, const struct breaker_info *b)
{
    const char *probes = b->trip.window_ns ? "" : "probe ";
    bool slow = b->trip.cause == BREAKER_BY_SLOW_CALLS;

    if (b->trip.cause == BREAKER_BY_NOTHING)
        return;
    say(t, ": %u of %u %srequests %s", slow ? b->trip.slow : b->trip.failed, b->trip.total, probes,
        slow ? "were too slow" : "failed");
    if (b->trip.window_ns) {
        say(t, " within ");
        say_span(t, b->trip.window_ns);
    }
}

static void say_machine(struct text *t, const struct look *l, const struct breaker_info *b)
{
    begin(t);
    say(t, "%s%s", b->state == BREAKER_SHADOW ? "in shadow mode, would be " : "",
        b->machine == BREAKER_OPEN ? "open" : "half-open");
    say_since(t, l, b->since_ns);
    say_trip(t, b);
    begin(t);
    if (b->machine == BREAKER_HALF_OPEN) {
        say(t, "being tried: %u good, %u under way", b->probes_succeeded, b->probes_in_flight);
    } else if (b->reopens_at_ns > l->now_ns) {
        say(t, "tried again in ");
        say_span(t, b->reopens_at_ns - l->now_ns);
    } else {
        say(t, "the next request tries it");
    }
}

static const char *forced_phrase(enum breaker_state s)
{
    switch (s) {
    case BREAKER_FORCED_OPEN:
        return "forced open";
    case BREAKER_FORCED_CLOSED:
        return "forced closed (does not open by itself)";
    case BREAKER_DISABLED:
        return "switched off";
    default:
        return "in shadow mode";
    }
}

static void say_forced(struct text *t, const struct look *l, const struct service_row *row)
{
    struct service_state *s = row->view->state;
    struct forced f;

    pthread_mutex_lock(&s->history.lock);
    f = s->forced;
    pthread_mutex_unlock(&s->history.lock);
    begin(t);
    say(t, "%s by %s%s", forced_phrase(row->breaker.state), f.author[0] ? f.author : "an operator",
        f.fleet ? " on all gateways" : "");
    say_since(t, l, row->breaker.since_ns);
    if (f.why[0])
        say(t, ", \"%s\"", f.why);
    begin(t);
    say(t, "ends in ");
    say_span(t, span(l->now_ns, row->breaker.forced_until_ns));
}

static void say_instances(struct text *t, const struct look *l, const struct service_row *row)
{
    uint64_t requests, errors;

    if (row->in_rotation < row->instances || row->instances == 0) {
        begin(t);
        say(t, row->instances ? "%u of %u instances in rotation" : "it has no instance",
            row->in_rotation, row->instances);
        if (row->ejected)
            say(t, " (%u ejected)", row->ejected);
        if (row->panic)
            say(t, ", too few: all get requests (panic)");
    }
    if (many_errors(l, row, &requests, &errors)) {
        begin(t);
        say(t, "%.1f %% errors in the last %d s (%" PRIu64 " of %" PRIu64 ")",
            100.0 * (double)errors / (double)requests, RECENT_STEPS * SERIES_STEP_S, errors,
            requests);
    }
}

static void say_place(struct text *t, const struct look *l, const struct service_row *row)
{
    struct discovery_group_status group;
    struct discovery_place_status place;

    if (!places_away(l, row->name, &group, &place))
        return;
    begin(t);
    say(t, "comes from %s", place.label);
    say_since(t, l, group.since_ns);
    say(t, ": %s", group.why);
}

static void say_held(struct text *t, const struct look *l, const struct service_row *row)
{
    struct discovery_watch_status w;

    if (!doubt_holds(l, row->name, &w))
        return;
    begin(t);
    say(t, "Consul is not believed about %u instance%s", w.held, w.held == 1 ? "" : "s");
    say_since(t, l, w.held_since_ns);
    say(t, ": %s", w.held_why);
}

/* What clients get meanwhile. */
static void say_meanwhile(struct text *t, const struct service_row *row)
{
    enum breaker_state state = row->breaker.state;
    bool refused =
        state == BREAKER_OPEN || state == BREAKER_HALF_OPEN || state == BREAKER_FORCED_OPEN;
    enum reason why = refused ? REASON_BREAKER_OPEN : REASON_NO_HEALTHY_INSTANCE;
    const char *kind;

    if (!refused && (row->in_rotation > 0 || row->panic))
        return;
    kind = fallback_kind(NULL, row->view->conf, why);
    begin(t);
    say(t, "%s get ", state == BREAKER_HALF_OPEN ? "all other clients" : "clients");
    if (kind)
        say(t, "the fallback (%s)", kind);
    else
        say(t, "%d %s", reason_info(why)->status, reason_info(why)->word);
}

void attention_text(const struct look *l, const struct service_row *row, char *ret, size_t cap)
{
    const struct breaker_info *b = &row->breaker;
    struct text t = {.at = ret, .left = cap};

    say(&t, "%s", row->name);
    if (b->forced)
        say_forced(&t, l, row);
    if (b->machine == BREAKER_OPEN || b->machine == BREAKER_HALF_OPEN)
        say_machine(&t, l, b);
    say_place(&t, l, row);
    say_instances(&t, l, row);
    say_held(&t, l, row);
    say_meanwhile(&t, row);
    say(&t, ".");
}

struct candidate {
    const struct service_row *row;
    enum attention level;
};

static int worst_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->level != y->level)
        return x->level > y->level ? -1 : 1;
    return strcmp(x->row->name, y->row->name);
}

static json_t *item(const struct look *l, const struct candidate *c)
{
    const struct breaker_info *b = &c->row->breaker;
    uint64_t until = b->forced ? b->forced_until_ns : b->reopens_at_ns;
    char text[TEXT_MAX];

    attention_text(l, c->row, text, sizeof text);
    return json_pack("{s:o,s:i,s:s,s:o,s:o,s:o}", "service", json_text(c->row->name), "level",
                     (int)c->level, "state", breaker_state_name(b->state), "since",
                     look_time(l, b->since_ns), "until", look_time(l, until), "text",
                     json_text(text));
}

json_t *attention_list(const struct look *l, const struct service_row *rows, size_t n)
{
    struct candidate *all = alloc_or_abort(n * sizeof *all);
    json_t *list = json_array();
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        enum attention level = attention_of(l, &rows[i]);

        if (level != ATTENTION_NONE)
            all[found++] = (struct candidate){&rows[i], level};
    }
    qsort(all, found, sizeof *all, worst_first);
    for (size_t i = 0; i < found && i < MOST; i++)
        json_array_append_new(list, item(l, &all[i]));
    free(all);
    access_attention(l, list);
    certificates_attention(l, list);
    return list;
}
