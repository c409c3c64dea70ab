/* SPDX-License-Identifier: Apache-2.0 */
/* A model of one service: watch.h asks, catalog.h believes, and a server with faults answers.
 * Whatever it has said: a large loss is not believed from one answer, and once the server is sound
 * again, what is served is what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "discovery/catalog.h"
#include "discovery/host.h"
#include "discovery/instances.h"
#include "discovery/watch.h"

#include <string.h>

enum { IDS = 10, TURNS = 120, ROUNDS = 3000, QUIET_S = 120 };

/* What the service has: bit i = instance i is listed, or critical. */
struct view {
    unsigned listed, critical;
    uint64_t index;
};

static struct catalog *c;
static struct watch w;
static struct rng rng;
static uint64_t now;
static struct view truth, before[8]; /* a ring of the past */
static unsigned nbefore;
static bool sound; /* no more faults */
static struct watch_options options;
static char trace[TURNS * 64 + 4096];

static bool lookup(void *arg, const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
                   socklen_t *ret_len)
{
    (void)arg;
    return host_literal(host, port, ret_addr, ret_len);
}

static bool one_in(unsigned n)
{
    return rng_below(&rng, n) == 0;
}

static void note(const char *what, const struct view *v)
{
    size_t used = strlen(trace);

    snprintf(trace + used, sizeof trace - used, "%s %llu:%x/%x @%llu\n", what,
             (unsigned long long)v->index, v->listed, v->critical,
             (unsigned long long)(now / NS_PER_MS % 100000000));
}

static void change(void)
{
    before[nbefore++ % 8] = truth;
    if (one_in(4))
        truth.listed = rng_below(&rng, 1 << IDS);
    else if (one_in(3))
        truth.critical ^= 1u << rng_below(&rng, IDS);
    else
        truth.listed ^= 1u << rng_below(&rng, IDS);
    truth.index += 1 + rng_below(&rng, 3);
    note("change", &truth);
}

static bool put(const struct view *v, bool complete, uint64_t asked_ns)
{
    struct arena *a = arena_new();
    struct instance *items = ARENA_ARRAY(a, struct instance, IDS);
    struct catalog_answer answer = {.arena = a, .items = items, .complete = complete};

    for (unsigned i = 0; i < IDS; i++)
        if (v->listed >> i & 1)
            items[answer.n++] =
                (struct instance){.node = i % 3 ? "n1" : "n2",
                                  .id = arena_printf(a, "%u", i),
                                  .address = "10.0.0.1",
                                  .port = (uint16_t)(80 + i),
                                  .health = v->critical >> i & 1 ? HEALTH_CRITICAL : HEALTH_PASSING,
                                  .check = "",
                                  .zone = "",
                                  .datacenter = "",
                                  .weight = 1};
    answer.n = instances_sort(items, answer.n);
    answer.asked_ns = asked_ns;
    return catalog_put(c, "web", &answer, now);
}

/* Those that are served. */
static unsigned usable(void)
{
    const struct instance_set *s = catalog_find(c, "web");
    unsigned ids = 0;

    for (unsigned i = 0; i < s->n; i++)
        if (instance_usable(&s->items[i]))
            ids |= 1u << (s->items[i].port - 80);
    return ids;
}

/* One answer that ended a wait, or came too soon, is no proof of a large loss. */
static bool put_safely(const struct view *v, bool complete, uint64_t asked_ns)
{
    unsigned was = usable(), fresh = v->listed & ~v->critical & ~was;
    bool whole = put(v, complete, asked_ns);
    int n = __builtin_popcount(was), left = __builtin_popcount(was & ~v->listed & ~usable());
    int lost = left - __builtin_popcount(fresh);

    if (asked_ns == 0 && ((lost > 3 && lost * 2 > n) || (n > 0 && lost == n)))
        fail_msg("%d of %d were taken away at once:\n%s", lost, n, trace);
    return whole;
}

/* As query.c does. */
static struct watch_request take(const struct watch_answer *in, const struct view *v,
                                 uint64_t asked_ns)
{
    struct discovery_watch_status status = {0};
    struct watch_reply reply;

    watch_take(&w, &options, in, now, &rng, &reply);
    if (!reply.publish || put_safely(v, reply.complete, asked_ns))
        return reply.next;
    assert_true(catalog_status(c, "web", &status));
    watch_hold(&w, &options, status.believed_ns, now, &rng, &reply);
    if (catalog_asks_rights(c, "web") && (sound || one_in(2)))
        catalog_set_rights(c, "web", sound || one_in(2), now);
    return reply.next;
}

/* What a server says that may be behind, cut off, restarted, or of another mind on who asks. */
static struct watch_request ask(struct watch_request r)
{
    uint64_t asked_ns;
    struct view v;
    struct watch_answer in = {.has_index = !options.no_index, .leader_known = true};

    now += r.delay_ms * NS_PER_MS;
    asked_ns = r.index ? 0 : now;
    while (!sound && one_in(3))
        change();
    if (r.index >= truth.index) {
        now += r.wait_ms * NS_PER_MS / (sound ? 1 : 1 + rng_below(&rng, 8));
        if (!sound)
            change();
    }
    v = truth;
    if (!sound && one_in(3) && nbefore > 0)
        v = before[rng_below(&rng, nbefore < 8 ? nbefore : 8)];
    if (!sound && one_in(6))
        v.listed = 0; /* a token without rights */
    if (!sound && one_in(30))
        truth.index = v.index = 1 + rng_below(&rng, 5); /* built anew */
    if (!sound && one_in(20))
        catalog_agent_back(c, "n1", now + 15 * NS_PER_S);
    if (!sound)
        in.leader_known = !one_in(4);
    if (!sound && one_in(5))
        in.result = WATCH_FAILED + rng_below(&rng, 4);
    in.index = v.index;
    in.body_hash = hash_mix(v.listed | (uint64_t)(v.critical & v.listed) << IDS);
    note(in.result != WATCH_GOOD ? "error" : in.leader_known ? "answer" : "leaderless", &v);
    return take(&in, &v, asked_ns);
}

static bool is_true(void)
{
    const struct instance_set *s = catalog_find(c, "web");
    struct discovery_watch_status status;
    unsigned listed = 0, critical = 0;

    assert_true(catalog_status(c, "web", &status));
    if (status.gone)
        return truth.listed == 0;
    for (unsigned i = 0; i < s->n; i++) {
        unsigned bit = 1u << (s->items[i].port - 80);

        listed |= bit;
        critical |= s->items[i].health == HEALTH_CRITICAL ? bit : 0;
    }
    return status.held == 0 && status.damped == 0 && listed == truth.listed &&
           critical == (truth.critical & truth.listed);
}

static void play(unsigned round)
{
    const struct belief_options o = {
        .guard = {2000, 50, 20}, .damping_ms = 3000, .ask_rights = true};
    struct watch_request r = {0};
    uint64_t end;

    rng.state = round * 7919u + 1;
    options = (struct watch_options){
        .wait_ms = 60000, .polled = round % 3 == 1, .no_index = round % 3 == 2};
    now = 100000 * NS_PER_S;
    truth = (struct view){rng_below(&rng, 1 << IDS), 0, 100};
    nbefore = 0;
    sound = false;
    trace[0] = '\0';
    c = catalog_new(5000, lookup, NULL);
    catalog_protect(c, &o);
    catalog_watch(c, "web");
    watch_init(&w);
    for (unsigned i = 0; i < TURNS; i++) {
        r = ask(r);
        (void)catalog_expire(c, now);
    }
    sound = true;
    for (end = now + QUIET_S * NS_PER_S; now < end && !is_true();) {
        r = ask(r);
        (void)catalog_expire(c, now);
    }
    (void)catalog_expire(c, now + 15 * NS_PER_S);
    if (!is_true())
        fail_msg("round %u: not what Consul says after %u s:\n%s", round, QUIET_S, trace);
    catalog_free(c);
}

static void what_is_served_becomes_what_is_said(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++)
        play(round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_served_becomes_what_is_said)};

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
