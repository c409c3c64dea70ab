/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/tell.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

void tell_copy(char *to, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) /* inside of a UTF-8 sequence */
            n--;
    }
    memcpy(to, text, n);
    to[n] = '\0';
}

/* Who has said so, and why. What has run out by itself is active no longer; a newer word, given
 * before the end of the older one was told, stays untouched. */
static void sign(struct transition *t, struct history *h, struct forced *f, bool expired,
                 uint64_t at_ns)
{
    pthread_mutex_lock(&h->lock);
    if (!expired || f->until_ns <= at_ns) {
        memcpy(t->author, f->author, sizeof t->author);
        memcpy(t->why, f->why, sizeof t->why);
        f->active = f->active && !expired;
    }
    pthread_mutex_unlock(&h->lock);
}

static int64_t wall_of(int64_t wall_ms, uint64_t now_ns, uint64_t at_ns)
{
    if (at_ns == 0 || at_ns == UINT64_MAX)
        return 0;
    if (at_ns <= now_ns)
        return wall_ms;
    return wall_ms + (int64_t)((at_ns - now_ns) / NS_PER_MS);
}

/* "; until TIME; by AUTHOR: WHY" of what there is. */
static void write_end(const struct transition *t, char *buf, size_t size)
{
    char when[32];
    int n = 0;

    buf[0] = '\0';
    if (t->until_wall_ms)
        n = snprintf(buf, size, "; until %s", clock_format(t->until_wall_ms, when));
    if (t->author[0] || t->why[0])
        snprintf(buf + n, size - (size_t)n, "; by %s: %s", t->author[0] ? t->author : "unknown",
                 t->why[0] ? t->why : "no reason given");
}

static void write_numbers(const struct transition *t, char *buf, size_t size)
{
    char slow[32] = "", over[40] = "";

    buf[0] = '\0';
    if (t->total == 0)
        return;
    if (t->slow)
        snprintf(slow, sizeof slow, ", %u slow", t->slow);
    if (t->window_ms)
        snprintf(over, sizeof over, " in %llu ms", (unsigned long long)t->window_ms);
    snprintf(buf, size, ", %u of %u failed%s%s", t->failed, t->total, slow, over);
}

void tell_breaker(struct service_state *s, const struct breaker_change *c)
{
    int64_t wall_ms = clock_wall_ms();
    bool bad = c->to == BREAKER_OPEN || c->to == BREAKER_FORCED_OPEN;
    struct transition t = {
        .wall_ms = wall_ms,
        .service = s->name,
        .from = breaker_state_name(c->from),
        .to = breaker_state_name(c->to),
        .cause = breaker_cause_name(c->cause),
        .shadow = c->shadow,
        .total = c->total,
        .failed = c->failed,
        .slow = c->slow,
        .window_ms = c->window_ns / NS_PER_MS,
        .until_wall_ms = wall_of(wall_ms, c->at_ns, c->until_ns),
    };
    char numbers[120], end[AUTHOR_MAX + WHY_MAX + 80];

    if (c->cause == BREAKER_BY_OPERATOR || c->cause == BREAKER_BY_EXPIRY)
        sign(&t, &s->history, &s->forced, c->cause == BREAKER_BY_EXPIRY, c->at_ns);
    write_numbers(&t, numbers, sizeof numbers);
    write_end(&t, end, sizeof end);
    log_write(bad ? LOG_WARN : LOG_INFO, "circuit", "service %s: breaker %s -> %s%s: %s%s%s",
              s->name, t.from, t.to, c->shadow ? " (shadow, nothing is rejected)" : "", t.cause,
              numbers, end);
    journal_add(s->journal, &t);
    history_add(&s->history, &t);
}

void tell_instance(struct instance_state *i, const struct instance_change *c, uint64_t now_ns)
{
    struct service_state *s = i->service;
    int64_t wall_ms = clock_wall_ms();
    bool bad = c->to == OUTLIER_IS_EJECTED || c->to == OUTLIER_HELD_OUT;
    struct transition t = {
        .wall_ms = wall_ms,
        .service = s->name,
        .from = outlier_state_name(c->from),
        .to = outlier_state_name(c->to),
        .cause = c->cause,
        .total = c->total,
        .failed = c->failed,
        .window_ms = c->window_ms,
        .until_wall_ms = wall_of(wall_ms, now_ns, c->until_ns),
    };
    char numbers[120], end[AUTHOR_MAX + WHY_MAX + 80];

    tell_copy(t.instance, sizeof t.instance, i->id);
    if (c->by_operator)
        sign(&t, &i->history, &i->forced, c->expired, now_ns);
    write_numbers(&t, numbers, sizeof numbers);
    write_end(&t, end, sizeof end);
    log_write(bad ? LOG_WARN : LOG_INFO, "circuit",
              "service %s: instance %.300s %s -> %s: %s%s%s%s%s", s->name,
              i->key + strlen(s->name) + 1, t.from, t.to, t.cause, numbers,
              c->last == REASON_NONE ? "" : ", last: ",
              c->last == REASON_NONE ? "" : reason_info(c->last)->word, end);
    journal_add(s->journal, &t);
    history_add(&i->history, &t);
    history_add(&s->history, &t);
}
