/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "webhook/webhook_hook.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 32 };

struct webhooks {
    struct journal *journal; /* borrowed */
    uint64_t seen;           /* id of the last transition that was read */
    struct hook_context context;
    char gateway[256];
    struct hook **hooks; /* owned, each of them too */
    size_t n;
    struct webhook_counters gone; /* of hooks that are no more */
};

/* The name that the status page and the fleet use. */
static void set_name(struct webhooks *w, const struct config *c)
{
    if (c->fleet.name)
        snprintf(w->gateway, sizeof w->gateway, "%s", c->fleet.name);
    else
        gethostname(w->gateway, sizeof w->gateway - 1);
}

static void add(struct webhook_counters *sum, struct hook_counters c)
{
    sum->delivered += c.delivered;
    sum->failed += c.failed;
    sum->dropped += c.dropped;
}

static void retire(struct webhooks *w, struct hook *h)
{
    add(&w->gone, hook_counters(h));
    w->gone.dropped += hook_waiting(h);
    hook_free(h);
}

/* Takes the hook with this url out of the present ones; NULL when there is none. */
static struct hook *keep(struct webhooks *w, const char *url)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->hooks[i] && strcmp(hook_url(w->hooks[i]), url) == 0) {
            struct hook *h = w->hooks[i];

            w->hooks[i] = NULL;
            return h;
        }
    return NULL;
}

void webhooks_configure(struct webhooks *w, const struct config *c)
{
    struct hook **next = alloc_or_abort(c->nwebhooks * sizeof(struct hook *));

    webhooks_wake(w); /* what has happened until now is for the present ones */
    set_name(w, c);
    for (size_t i = 0; i < c->nwebhooks; i++) {
        next[i] = keep(w, c->webhooks[i].url);
        if (next[i])
            hook_configure(next[i], &c->webhooks[i]);
        else
            next[i] = hook_new(&w->context, &c->webhooks[i]);
    }
    for (size_t i = 0; i < w->n; i++)
        if (w->hooks[i])
            retire(w, w->hooks[i]);
    free(w->hooks);
    w->hooks = next;
    w->n = c->nwebhooks;
}

struct webhooks *webhooks_new(struct event_base *base, const struct config *c,
                              struct journal *journal, const char *version)
{
    struct webhooks *w = alloc_or_abort(sizeof *w);

    w->journal = journal;
    w->seen = journal_newest(journal);
    w->context = (struct hook_context){
        .base = base,
        .fetcher = fetcher_new(base),
        .who = {.gateway = w->gateway, .version = version},
        .started_wall_ms = clock_wall_ms(),
    };
    webhooks_configure(w, c);
    return w;
}

static void push(struct webhooks *w, const struct transition *t)
{
    for (size_t i = 0; i < w->n; i++)
        hook_push(w->hooks[i], t);
}

void webhooks_wake(struct webhooks *w)
{
    struct transition batch[BATCH];
    uint64_t lost;
    size_t n;

    if (!w)
        return;
    do {
        n = journal_read(w->journal, w->seen, batch, BATCH, &lost);
        for (size_t i = 0; i < n; i++)
            push(w, &batch[i]);
        /* Nobody knows any more which hooks they would have been for. */
        w->gone.dropped += lost * w->n;
        w->seen = n > 0 ? batch[n - 1].id : w->seen;
    } while (n == BATCH);
    for (size_t i = 0; i < w->n; i++)
        hook_pump(w->hooks[i]);
}

void webhooks_free(struct webhooks *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        hook_free(w->hooks[i]);
    free(w->hooks);
    fetcher_free(w->context.fetcher);
    free(w);
}

void webhooks_counters(const struct webhooks *w, struct webhook_counters *ret)
{
    *ret = w->gone;
    for (size_t i = 0; i < w->n; i++)
        add(ret, hook_counters(w->hooks[i]));
}

json_t *webhooks_document(const struct webhooks *w)
{
    json_t *list = json_array();

    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(list, hook_document(w->hooks[i]));
    return list;
}
