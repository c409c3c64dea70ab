/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_hook.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/token_file.h"
#include "json/text.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_MAX = 200, KEY_MAX = 200, HEADER_MAX = 4200 };

struct hook {
    const struct hook_context *context; /* borrowed */
    char *url;                          /* owned; secret */
    char *name, *shown, *token_path;    /* owned; the last may be NULL */
    unsigned on, attempts;
    uint64_t timeout_ms;
    struct token_file *token; /* owned, or NULL */
    struct webhook_queue queue;
    struct fetch *fetch; /* owned */
    struct event *again; /* owned; pending: not before it fires */
    struct rng rng;

    char *body; /* owned; of the delivery under way, NULL = there is none */
    char key[KEY_MAX];
    unsigned tries;
    uint64_t retry_after_s; /* what the answer to the present try asks for */

    uint64_t delivered, failed;
    uint64_t lost; /* failed since the last success */
    int64_t last_delivered_wall_ms;
    char last_error[ERROR_MAX]; /* "" = the last try was good */
};

static char *copy_text(const char *s)
{
    char *copy = s ? strdup(s) : NULL;

    if (s && !copy)
        abort();
    return copy;
}

static void wait_ms(struct hook *h, uint64_t ms)
{
    struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    event_add(h->again, &tv);
}

static void end_delivery(struct hook *h)
{
    free(h->body);
    h->body = NULL;
    h->tries = 0;
}

static void succeed(struct hook *h)
{
    h->delivered++;
    h->last_delivered_wall_ms = clock_wall_ms();
    h->last_error[0] = '\0';
    if (h->lost > 0)
        log_info("webhook", "%s: takes what it is sent again, after %llu that it did not", h->name,
                 (unsigned long long)h->lost);
    h->lost = 0;
    end_delivery(h);
}

/* One line for a receiver that is away, however long. */
static void give_up(struct hook *h)
{
    h->failed++;
    if (h->lost++ == 0)
        log_warn("webhook", "%s: could not be told, after %u tries: %s", h->name, h->tries,
                 h->last_error);
    end_delivery(h);
}

static void judge(struct hook *h, int status, const char *error)
{
    enum webhook_verdict verdict = webhook_judge(status, ++h->tries, h->attempts);

    if (verdict == WEBHOOK_DELIVERED) {
        succeed(h);
        return;
    }
    if (error)
        snprintf(h->last_error, sizeof h->last_error, "%s", error);
    else
        snprintf(h->last_error, sizeof h->last_error, "it answered %d", status);
    if (h->token)
        token_file_mask(h->token, h->last_error);
    if (verdict == WEBHOOK_RETRY)
        wait_ms(h, webhook_backoff_ms(h->tries, h->retry_after_s, &h->rng));
    else
        give_up(h);
}

static void on_header(void *arg, struct str name, struct str value)
{
    struct hook *h = arg;
    uint64_t seconds;

    if (name.n == 0)
        h->retry_after_s = 0;
    else if (str_ieq(name, STR("Retry-After")) && str_to_u64(value, &seconds))
        h->retry_after_s = seconds;
}

static void on_done(void *arg, const struct fetch_answer *a)
{
    struct hook *h = arg;

    judge(h, a->status, a->error);
    hook_pump(h);
}

/* The gateway's name may hold what a header may not. */
static void make_key(struct hook *h, const struct webhook_item *item)
{
    snprintf(h->key, sizeof h->key, "%.100s-%llx-%llu%s", h->context->who.gateway,
             (unsigned long long)h->context->started_wall_ms, (unsigned long long)item->t.id,
             item->more > 0 ? "-more" : "");
    for (char *p = h->key; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            *p = '_';
}

/* Makes the next delivery; false when there is none now. */
static bool take(struct hook *h)
{
    struct webhook_item item;
    uint64_t wait_ns = 0;

    switch (webhook_queue_take(&h->queue, clock_now_ns(), &item, &wait_ns)) {
    case WEBHOOK_EMPTY:
        return false;
    case WEBHOOK_LATER:
        wait_ms(h, wait_ns / NS_PER_MS + 1);
        return false;
    case WEBHOOK_TAKEN:
        break;
    }
    make_key(h, &item);
    h->body = webhook_body(&item, &h->context->who, clock_wall_ms());
    h->tries = 0;
    return true;
}

static void start(struct hook *h)
{
    char key[KEY_MAX + 32], bearer[HEADER_MAX];
    const char *headers[] = {"Content-Type: application/json", key, NULL, NULL};
    struct fetch_request q = {.method = "POST",
                              .url = h->url,
                              .headers = headers,
                              .body = str_of(h->body),
                              .deadline_ms = h->timeout_ms};

    snprintf(key, sizeof key, "Idempotency-Key: %s", h->key);
    if (h->token) {
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token_file_text(h->token));
        headers[2] = bearer;
    }
    h->retry_after_s = 0;
    fetch_start(h->fetch, &q);
    explicit_bzero(bearer, sizeof bearer);
}

static bool has_token(struct hook *h)
{
    if (!h->token)
        return true;
    token_file_refresh(h->token, false);
    return token_file_text(h->token)[0] != '\0';
}

void hook_pump(struct hook *h)
{
    while (!fetch_busy(h->fetch) && !evtimer_pending(h->again, NULL)) {
        if (!h->body && !take(h))
            return;
        if (has_token(h)) {
            start(h);
        } else {
            h->retry_after_s = 0;
            judge(h, 0, "there is no usable token in token_file");
        }
    }
}

static void on_again(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    hook_pump(arg);
}

struct hook *hook_new(const struct hook_context *context, const struct webhook_conf *c)
{
    struct hook *h = alloc_or_abort(sizeof *h);
    struct fetch_options options = {.on_header = on_header};

    h->context = context;
    h->url = copy_text(c->url);
    h->fetch = fetch_new(context->fetcher, &options, on_done, h);
    h->again = evtimer_new(context->base, on_again, h);
    if (!h->again)
        abort();
    h->rng.state = clock_now_ns() ^ (uint64_t)(uintptr_t)h;
    webhook_queue_init(&h->queue);
    hook_configure(h, c);
    return h;
}

void hook_configure(struct hook *h, const struct webhook_conf *c)
{
    if (!str_same(h->token_path, c->token_file)) {
        token_file_free(h->token);
        h->token = c->token_file ? token_file_new("webhook", c->token_file, NULL) : NULL;
        free(h->token_path);
        h->token_path = copy_text(c->token_file);
    }
    free(h->name);
    free(h->shown);
    h->name = copy_text(c->name);
    h->shown = copy_text(c->shown);
    h->on = c->on;
    h->attempts = c->attempts;
    h->timeout_ms = c->timeout_ms;
}

void hook_free(struct hook *h)
{
    if (!h)
        return;
    if (hook_waiting(h) > 0)
        log_warn("webhook", "%s: ends with %zu that it was not told of", h->name, hook_waiting(h));
    fetch_free(h->fetch);
    event_free(h->again);
    webhook_queue_release(&h->queue);
    token_file_free(h->token);
    explicit_bzero(h->url, strlen(h->url));
    free(h->url);
    free(h->name);
    free(h->shown);
    free(h->token_path);
    free(h->body);
    free(h);
}

const char *hook_url(const struct hook *h)
{
    return h->url;
}

void hook_push(struct hook *h, const struct transition *t)
{
    if (webhook_events(t) & h->on)
        webhook_queue_push(&h->queue, t);
}

struct hook_counters hook_counters(const struct hook *h)
{
    return (struct hook_counters){h->delivered, h->failed, h->queue.dropped};
}

size_t hook_waiting(const struct hook *h)
{
    return h->queue.n + (h->body != NULL);
}

json_t *hook_document(const struct hook *h)
{
    return json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:o,s:o}", "name", json_text(h->name), "url",
                     json_text(h->shown), "delivered", (json_int_t)h->delivered, "failed",
                     (json_int_t)h->failed, "dropped", (json_int_t)h->queue.dropped, "queued",
                     (json_int_t)hook_waiting(h), "last_error",
                     h->last_error[0] ? json_text(h->last_error) : json_null(), "last_delivered",
                     json_wall_time(h->last_delivered_wall_ms));
}
