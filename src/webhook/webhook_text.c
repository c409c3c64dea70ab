/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_text.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"
#include "snapshot/transition_json.h"
#include "json/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EVENT(e) (1u << (WEBHOOK_##e))

/* A transition by the word it goes to. */
static const struct state {
    const char *word;
    const char *service, *would, *instance; /* would: in shadow mode */
    unsigned service_events, instance_events;
} states[] = {
    {"open", "circuit breaker open, requests are turned away",
     "circuit breaker would be open, nothing is turned away", "out of rotation", EVENT(OPEN),
     EVENT(EJECTED)},
    {"half_open", "circuit breaker half-open, a few probes decide",
     "circuit breaker would be half-open, nothing is turned away",
     "on probation, one request at a time", EVENT(HALF_OPEN), EVENT(HALF_OPEN)},
    {"closed", "circuit breaker closed, requests pass", "circuit breaker would be closed again",
     "in rotation again", EVENT(CLOSED), EVENT(RESTORED)},
    {"forced_open", "circuit breaker forced open, every request is turned away",
     "circuit breaker would be forced open", "taken out of rotation by hand", EVENT(FORCED),
     EVENT(FORCED) | EVENT(EJECTED)},
    {"forced_closed", "circuit breaker forced closed, nothing trips it",
     "circuit breaker would be forced closed", "kept in rotation by hand", EVENT(FORCED),
     EVENT(FORCED) | EVENT(RESTORED)},
    {"disabled", "circuit breaker disabled, nothing trips it", "circuit breaker would be disabled",
     "disabled", EVENT(FORCED), EVENT(FORCED)},
    {"shadow", "circuit breaker in shadow mode, it tells but turns nothing away",
     "circuit breaker in shadow mode", "in shadow mode", EVENT(FORCED), EVENT(FORCED)},
};

static const struct state *state_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].word, word) == 0)
            return &states[i];
    return NULL;
}

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

static unsigned events_to(const struct transition *t, const char *word)
{
    const struct state *s = state_of(word);

    if (!s)
        return 0;
    return t->instance[0] ? s->instance_events : s->service_events;
}

unsigned webhook_events(const struct transition *t)
{
    bool by_hand = is(t->cause, "operator") || is(t->cause, "expired");

    if (t->shadow)
        return EVENT(SHADOW);
    return events_to(t, t->to) | (events_to(t, t->from) & EVENT(FORCED)) |
           (by_hand ? EVENT(FORCED) : 0);
}

/* A text that grows in a buffer of fixed size; what does not fit is cut. */
struct writer {
    char *buf;
    size_t n, size;
};

static void PRINTF_LIKE(2, 3) put(struct writer *w, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(w->buf + w->n, w->size - w->n, fmt, args);
    va_end(args);
    if (n > 0)
        w->n += (size_t)n < w->size - w->n ? (size_t)n : w->size - w->n - 1;
}

static void put_window(struct writer *w, uint64_t ms)
{
    if (ms > 0 && ms % 1000 == 0)
        put(w, " in %llu s", (unsigned long long)(ms / 1000));
    else if (ms > 0)
        put(w, " in %llu ms", (unsigned long long)ms);
}

static void put_operator(struct writer *w, const struct transition *t)
{
    put(w, "by %s", t->author[0] ? t->author : "an operator");
    if (t->why[0])
        put(w, ": %s", t->why);
    else
        put(w, ", no reason given");
}

static void put_cause(struct writer *w, const struct transition *t)
{
    if (is(t->cause, "failure_rate")) {
        put(w, "%u of %u requests failed", t->failed, t->total);
        put_window(w, t->window_ms);
    } else if (is(t->cause, "slow_call_rate")) {
        put(w, "%u of %u requests were slow", t->slow, t->total);
        put_window(w, t->window_ms);
    } else if (is(t->cause, "consecutive_failures")) {
        put(w, "%u requests in a row failed", t->failed);
    } else if (is(t->cause, "probe_failed")) {
        put(w, "a probe failed");
    } else if (is(t->cause, "probation_failed")) {
        put(w, "the request on probation failed");
    } else if (is(t->cause, "probes_passed")) {
        put(w, "%s", t->instance[0] ? "it answers again" : "the probes passed");
    } else if (is(t->cause, "open_time_over")) {
        put(w, "its time is over");
    } else if (is(t->cause, "operator")) {
        put_operator(w, t);
    } else if (is(t->cause, "expired")) {
        put(w, "the time set by %s is over", t->author[0] ? t->author : "an operator");
    } else {
        put(w, "%s", t->cause);
    }
}

/* "03:12:41 UTC", with the date when it is another day. */
static void put_time(struct writer *w, int64_t wall_ms, int64_t seen_from_ms)
{
    char at[32], from[32];

    clock_format(wall_ms, at);
    clock_format(seen_from_ms, from);
    if (strncmp(at, from, 10) != 0)
        put(w, "%.10s ", at);
    put(w, "%.8s UTC", at + 11);
}

static void put_what(struct writer *w, const struct transition *t)
{
    const struct state *s = state_of(t->to);

    put(w, "%.200s", t->service);
    if (t->instance[0])
        put(w, ", instance %s", t->instance);
    if (!s)
        put(w, ": %s", t->to);
    else
        put(w, ": %s", t->shadow ? s->would : t->instance[0] ? s->instance : s->service);
    put(w, " (");
    put_cause(w, t);
    put(w, ")");
    if (t->until_wall_ms) {
        put(w, ", until ");
        put_time(w, t->until_wall_ms, t->wall_ms);
    }
}

/* Bytes of a character at p that a line of text should not hold; 0 = it may. */
static size_t unwanted(const unsigned char *p)
{
    if (p[0] < ' ' || p[0] == 0x7f)
        return 1;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* C1 controls */
        return 2;
    if (p[0] == 0xe2 && p[1] == 0x80 &&
        ((p[2] >= 0x8b && p[2] <= 0x8f)      /* zero width, marks */
         || (p[2] >= 0xa8 && p[2] <= 0xae))) /* lines, bidi */
        return 3;
    if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf) /* isolates */
        return 3;
    return 0;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static void put_clean(struct writer *w, const char *text)
{
    char before = ' ';

    for (const char *p = text; *p; before = *p++) {
        size_t n = unwanted((const unsigned char *)p);

        if (n > 0) {
            put(w, " ");
            p += n - 1;
        } else if (*p == '<' || *p == '>') {
            put(w, "%c", *p == '<' ? '(' : ')');
        } else if (*p == '@' && !is_word(before)) {
            put(w, "(at)");
        } else {
            put(w, "%c", *p);
        }
    }
}

char *webhook_sentence(const struct transition *t, char *buf)
{
    char raw[WEBHOOK_SENTENCE_MAX];
    struct writer w = {raw, 0, sizeof raw}, clean = {buf, 0, WEBHOOK_SENTENCE_MAX};

    put_what(&w, t);
    buf[0] = '\0';
    put_clean(&clean, raw);
    return buf;
}

static const char *summary(const struct webhook_item *item, int64_t now_wall_ms, char *buf)
{
    struct writer w = {buf, 0, WEBHOOK_SENTENCE_MAX};
    bool just_now = now_wall_ms - item->since_wall_ms <= 61 * 1000;

    put(&w, "%u more transitions ", item->more);
    if (just_now) {
        put(&w, "in the last minute");
    } else {
        put(&w, "since ");
        put_time(&w, item->since_wall_ms, now_wall_ms);
    }
    put(&w, ", see the status page");
    return buf;
}

char *webhook_body(const struct webhook_item *item, const struct webhook_teller *who,
                   int64_t now_wall_ms)
{
    char sentence[WEBHOOK_SENTENCE_MAX], text[WEBHOOK_SENTENCE_MAX + 300];
    struct writer w = {text, 0, sizeof text};
    json_t *body;
    char *dumped;

    if (item->more > 0)
        summary(item, now_wall_ms, sentence);
    else
        webhook_sentence(&item->t, sentence);
    put(&w, "%s [", sentence);
    put_clean(&w, who->gateway);
    put(&w, "]");
    body = json_pack("{s:o,s:s,s:o,s:I,s:o}", "gateway", json_text(who->gateway), "version",
                     who->version, "transition",
                     item->more > 0 ? json_null() : transition_json(&item->t), "more",
                     (json_int_t)item->more, "text", json_text(text));
    dumped = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!dumped)
        abort();
    return dumped;
}
