/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/documents.h"
#include "base/alloc.h"

#include <string.h>

static json_t *text_or_null(const char *s)
{
    return s[0] ? json_text(s) : json_null();
}

static bool is_empty(struct history *h)
{
    bool empty;

    pthread_mutex_lock(&h->lock);
    empty = h->n == 0;
    pthread_mutex_unlock(&h->lock);
    return empty;
}

json_t *history_part(struct history *h)
{
    json_t *list = json_array();
    struct transition *copy;
    size_t n;

    /* Most services and instances never had one. */
    if (is_empty(h))
        return list;
    copy = alloc_or_abort(sizeof *copy * TRANSITIONS_KEPT);
    n = history_copy(h, copy, TRANSITIONS_KEPT);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, transition_json(&copy[i]));
    free(copy);
    return list;
}

json_t *forced_part(const struct look *l, struct history *h, const struct forced *f,
                    const char *state)
{
    struct forced now;
    uint64_t left_ns;

    pthread_mutex_lock(&h->lock);
    now = *f;
    pthread_mutex_unlock(&h->lock);
    /* One that is over waits for the next tick to be told of. */
    if (!now.active || now.until_ns <= l->now_ns)
        return json_null();
    left_ns = now.until_ns - l->now_ns;
    return json_pack("{s:s,s:o,s:o,s:I,s:o,s:o,s:s}", "state", state, "at",
                     json_wall_time(now.at_wall_ms), "until", json_wall_time(now.until_wall_ms),
                     "ends_in_ms", (json_int_t)(left_ns / NS_PER_MS), "author",
                     text_or_null(now.author), "why", text_or_null(now.why), "scope",
                     now.fleet ? "fleet" : "local");
}

static bool wanted(const struct transition *t, const char *service)
{
    return !service || strcmp(t->service, service) == 0;
}

json_t *transitions_document(const struct look *l, bool after_given, uint64_t after,
                             const char *service, size_t limit)
{
    struct transition *all = alloc_or_abort(sizeof *all * JOURNAL_KEPT);
    uint64_t lost = 0;
    size_t n = journal_read(registry_journal(l->sources->registry), after, all, JOURNAL_KEPT,
                            after_given ? &lost : NULL);
    size_t matching = 0, skip;
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        matching += wanted(&all[i], service);
    skip = after_given || matching <= limit ? 0 : matching - limit;
    for (size_t i = 0; i < n && json_array_size(list) < limit; i++) {
        if (!wanted(&all[i], service))
            continue;
        if (skip > 0)
            skip--;
        else
            json_array_append_new(list, transition_json(&all[i]));
    }
    free(all);
    return json_pack("{s:o,s:I}", "transitions", list, "lost", (json_int_t)lost);
}
