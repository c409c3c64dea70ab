/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_page.h"
#include "base/macros.h"

#include <stdlib.h>
#include <string.h>

const char *doc_text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "-";
}

int64_t doc_int(const json_t *o, const char *key)
{
    return (int64_t)json_number_value(json_object_get(o, key));
}

static int64_t int_or(const json_t *o, const char *key, int64_t missing)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? (int64_t)json_number_value(v) : missing;
}

struct forced_line doc_forced(const json_t *o)
{
    const json_t *f = json_object_get(o, "forced");

    if (!json_is_object(f))
        return (struct forced_line){0};
    return (struct forced_line){
        .state = doc_text(f, "state"),
        .author = json_string_value(json_object_get(f, "author")),
        .why = json_string_value(json_object_get(f, "why")),
        .ends_in_ms = doc_int(f, "ends_in_ms"),
        .fleet = strcmp(doc_text(f, "scope"), "fleet") == 0,
    };
}

/* All lists come in the order of the names: `at` is where it stands, as a rule. */
static json_t *find(const json_t *list, const char *key, const char *name, size_t at)
{
    json_t *item = json_array_get(list, at);
    size_t i;

    if (item && strcmp(doc_text(item, key), name) == 0)
        return item;
    json_array_foreach(list, i, item) if (strcmp(doc_text(item, key), name) == 0) return item;
    return NULL;
}

static void read_instances(struct service_line *l)
{
    json_t *i;
    size_t at;

    json_array_foreach(json_object_get(l->doc, "instances"), at, i)
    {
        l->total++;
        l->available += json_is_true(json_object_get(i, "available"));
        l->ejected += json_is_true(json_object_get(i, "ejected")) ||
                      json_is_true(json_object_get(i, "on_probation"));
    }
    json_array_foreach(json_object_get(l->breaker, "instances"), at, i)
    {
        struct forced_line f = doc_forced(i);

        if (f.state && !l->instance_forced.state) {
            l->instance_forced = f;
            l->instance_id = doc_text(i, "id");
        }
    }
}

static void read_breaker(struct service_line *l, const json_t *b)
{
    const json_t *trip = json_object_get(b, "last_trip"), *machine = json_object_get(b, "machine");

    l->state = doc_text(b, "state");
    l->machine = machine ? doc_text(b, "machine") : l->state;
    l->forced = doc_forced(b);
    l->reopens_in_ms = int_or(b, "reopens_in_ms", -1);
    l->rejected = doc_int(b, "rejected");
    l->would_reject = doc_int(b, "would_reject");
    if (json_is_object(trip) && strcmp(l->machine, "closed") != 0) {
        l->cause = doc_text(trip, "cause");
        l->trip_failed = strcmp(l->cause, "slow_call_rate") == 0 ? doc_int(trip, "slow")
                                                                 : doc_int(trip, "failed");
        l->trip_total = doc_int(trip, "total");
    }
}

/* Answers of the 5xx class, and requests that got none. */
static int64_t failures_of(const json_t *service)
{
    const json_t *classes = json_object_get(service, "responses");

    return doc_int(classes, "5xx") + doc_int(classes, "none");
}

static double count_at(const json_t *service, size_t i)
{
    const json_t *counts = json_object_get(json_object_get(service, "latency_ms"), "counts");

    return json_number_value(json_array_get(counts, i));
}

/* The q-quantile of what was counted between two looks, linear within a bucket; negative when
 * nothing was. */
static double quantile(const struct status_page *p, const json_t *now, const json_t *before,
                       double q)
{
    const json_t *bounds = json_object_get(p->services, "latency_bounds_ms");
    size_t n = json_array_size(bounds);
    double total = 0, below = 0, lower = 0;

    for (size_t i = 0; i <= n; i++)
        total += count_at(now, i) - count_at(before, i);
    if (total <= 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        double upper = json_number_value(json_array_get(bounds, i));
        double here = count_at(now, i) - count_at(before, i);

        if (here > 0 && below + here >= q * total)
            return lower + (upper - lower) * (q * total - below) / here;
        below += here;
        lower = upper;
    }
    return lower;
}

static double number_or_negative(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : -1;
}

static void read_traffic(const struct status_page *p, struct service_line *l,
                         const struct status_page *before, size_t at)
{
    const json_t *latency = json_object_get(l->doc, "latency_ms");
    const json_t *old =
        before ? find(json_object_get(before->services, "services"), "name", l->name, at) : NULL;
    double seconds = before ? (double)(p->at_ns - before->at_ns) / (double)NS_PER_S : 0;

    l->requests = doc_int(l->doc, "requests");
    l->failures = failures_of(l->doc);
    l->in_flight = doc_int(l->doc, "in_flight");
    l->waiting = doc_int(l->doc, "waiting");
    l->rate = l->failure_rate = -1;
    if (before && seconds > 0) {
        l->rate = (double)(l->requests - doc_int(old, "requests")) / seconds;
        l->failure_rate = (double)(l->failures - failures_of(old)) / seconds;
        l->p50_ms = quantile(p, l->doc, old, 0.5);
        l->p99_ms = quantile(p, l->doc, old, 0.99);
    } else {
        l->p50_ms = number_or_negative(latency, "p50");
        l->p99_ms = number_or_negative(latency, "p99");
    }
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_notable(const struct service_line *l)
{
    return l->forced.state || l->place || l->held > 0 ||
           (is(l->state, "shadow") && !is(l->machine, "closed"));
}

static enum attention judge(const struct service_line *l)
{
    if (is(l->state, "open") || l->available == 0)
        return ATTENTION_DOWN;
    if (is(l->state, "half_open") || is(l->state, "forced_open") || is(l->state, "forced_closed") ||
        l->panic)
        return ATTENTION_SERIOUS;
    if (l->ejected > 0 || l->instance_forced.state ||
        (l->rate > 0 && l->failure_rate > l->rate * 0.05))
        return ATTENTION_WARNING;
    return is_notable(l) ? ATTENTION_NOTICE : ATTENTION_NONE;
}

static void read_place(struct service_line *l)
{
    const json_t *f = json_object_get(l->doc, "failover");

    if (json_is_false(json_object_get(f, "preferred")) &&
        json_is_string(json_object_get(f, "active"))) {
        l->place = doc_text(f, "active");
        l->place_why = doc_text(f, "why");
    }
}

static void read_line(const struct status_page *p, struct service_line *l, const json_t *service,
                      const struct status_page *before, size_t at)
{
    *l = (struct service_line){.doc = service, .name = doc_text(service, "name")};
    l->breaker = find(json_object_get(p->breakers, "breakers"), "service", l->name, at);
    read_breaker(l, l->breaker ? l->breaker : json_object_get(service, "breaker"));
    read_instances(l);
    read_place(l);
    l->held = doc_int(json_object_get(service, "held"), "instances");
    l->damped = doc_int(service, "damped");
    l->panic = json_is_true(json_object_get(service, "panic"));
    read_traffic(p, l, before, at);
    l->attention = judge(l);
}

static int worst_first(const void *pa, const void *pb)
{
    const struct service_line *a = pa, *b = pb;

    if (a->attention != b->attention)
        return a->attention < b->attention ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* After a restart all counts begin again: nothing to compare with. */
static bool comparable(const struct status_page *p, const struct status_page *before)
{
    return before && is(doc_text(p->status, "started"), doc_text(before->status, "started"));
}

struct status_page *status_page_new(json_t *status, json_t *services, json_t *breakers,
                                    uint64_t at_ns, const struct status_page *before,
                                    const char *only)
{
    struct status_page *p = calloc(1, sizeof *p);
    const json_t *list = json_object_get(services, "services");
    json_t *s;
    size_t i;

    if (!p || !(p->lines = calloc(json_array_size(list) + 1, sizeof *p->lines)))
        abort();
    p->status = status;
    p->services = services;
    p->breakers = breakers;
    p->at_ns = at_ns;
    p->rates = comparable(p, before);
    json_array_foreach(list, i, s) if (!only || is(doc_text(s, "name"), only))
        read_line(p, &p->lines[p->n++], s, p->rates ? before : NULL, i);
    qsort(p->lines, p->n, sizeof *p->lines, worst_first);
    return p;
}

void status_page_free(struct status_page **pp)
{
    struct status_page *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    json_decref(p->status);
    json_decref(p->services);
    json_decref(p->breakers);
    free(p->lines);
    free(p);
}

bool status_page_consul_away(const struct status_page *p)
{
    const json_t *consul = json_object_get(p->status, "consul");

    return json_is_true(json_object_get(consul, "enabled")) &&
           !json_is_true(json_object_get(consul, "connected"));
}

bool status_page_lacks_rights(const struct status_page *p)
{
    const json_t *access = json_object_get(json_object_get(p->status, "consul"), "access"), *m;
    size_t i;

    json_array_foreach(json_object_get(access, "missing"), i, m)
    {
        if (!json_is_true(json_object_get(m, "optional")))
            return true;
    }
    return (json_is_true(json_object_get(access, "judged")) &&
            json_is_string(json_object_get(access, "problem"))) ||
           json_is_string(json_object_get(json_object_get(access, "token"), "login_error"));
}

int status_page_shed_level(const struct status_page *p)
{
    const json_t *overload = json_object_get(p->status, "overload");

    return (int)json_integer_value(json_object_get(overload, "level"));
}

/* Errors that trip nothing are no state: they rank a line, but the gateway has judged them. */
static bool needs_attention(const struct service_line *l)
{
    if (l->attention == ATTENTION_WARNING)
        return l->ejected > 0 || l->instance_forced.state || is_notable(l);
    return l->attention != ATTENTION_NONE;
}

int status_page_exit(const struct status_page *p)
{
    if (status_page_consul_away(p) || status_page_lacks_rights(p) || status_page_shed_level(p) > 0)
        return 3;
    for (size_t i = 0; i < p->n; i++)
        if (needs_attention(&p->lines[i]))
            return 3;
    return 0;
}

static json_t *number_or_null(double v)
{
    return v < 0 ? json_null() : json_real(v);
}

static json_t *line_document(const struct service_line *l)
{
    json_t *forced = json_object_get(l->breaker, "forced");

    return json_pack(
        "{s:s,s:s,s:s,s:i,s:O,s:I,s:I,s:I,s:b,s:I,s:I,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:o}", "name",
        l->name, "state", l->state, "machine", l->machine, "attention", (int)l->attention, "forced",
        forced ? forced : json_null(), "available", (json_int_t)l->available, "instances",
        (json_int_t)l->total, "ejected", (json_int_t)l->ejected, "panic", l->panic, "requests",
        (json_int_t)l->requests, "failures", (json_int_t)l->failures, "requests_per_s",
        number_or_null(l->rate), "failures_per_s", number_or_null(l->failure_rate), "p50_ms",
        number_or_null(l->p50_ms), "p99_ms", number_or_null(l->p99_ms), "in_flight",
        (json_int_t)l->in_flight, "waiting", (json_int_t)l->waiting, "rejected",
        (json_int_t)l->rejected, "would_reject", (json_int_t)l->would_reject, "reopens_in_ms",
        l->reopens_in_ms < 0 ? json_null() : json_integer((json_int_t)l->reopens_in_ms));
}

static json_t *worst_part(const struct status_page *p)
{
    if (p->n > 0 && needs_attention(&p->lines[0]))
        return json_pack("{s:i,s:s,s:s}", "attention", (int)p->lines[0].attention, "service",
                         p->lines[0].name, "state", p->lines[0].state);
    if (status_page_consul_away(p))
        return json_pack("{s:i,s:n,s:s}", "attention", (int)ATTENTION_SERIOUS, "service", "state",
                         "consul_away");
    if (status_page_lacks_rights(p))
        return json_pack("{s:i,s:n,s:s}", "attention", (int)ATTENTION_SERIOUS, "service", "state",
                         "consul_rights");
    if (status_page_shed_level(p) > 0)
        return json_pack("{s:i,s:n,s:s}", "attention", (int)ATTENTION_SERIOUS, "service", "state",
                         "shedding");
    return json_null();
}

json_t *status_page_document(const struct status_page *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(list, line_document(&p->lines[i]));
    return json_pack("{s:b,s:o,s:i,s:O,s:o}", "reachable", 1, "worst", worst_part(p), "exit",
                     status_page_exit(p), "gateway", p->status, "services", list);
}
