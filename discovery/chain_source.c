/* SPDX-License-Identifier: Apache-2.0 */
#include "chain_source.h"
#include "base/clock.h"
#include "base/log.h"
#include "consul_http.h"
#include "consul_names.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

enum { KINDS = 3, SLOTS = 16 /* chains with a blocking query over HTTP/1.1 */, ERROR_MAX = 320 };

static const char *const kind_names[KINDS] = {"service-router", "service-splitter",
                                              "service-resolver"};

/* The list of the entries of one kind. */
struct kind {
    struct query query;
    const char *name;
    struct arena *arena, *read_arena; /* owned; hold the two lists */
    struct consul_names list, read;
    bool heard, logged;
    char error[ERROR_MAX];
};

/* The chain of one service. */
struct entry {
    struct query query;
    UT_hash_handle hh;
    struct list link;           /* in source.ending */
    char *service;              /* owned; lower case */
    struct chain *chain, *read; /* refs; in force, and of the answer that is being read */
    bool listed, heard;
    uint64_t changed_ns;
    char error[ERROR_MAX];
};

struct chain_source {
    struct query_pool *pool; /* borrowed */
    struct kind kinds[KINDS];
    struct entry *entries; /* owned; by service, sorted */
    struct list ending;    /* owned; entries whose last request runs out */
    struct event *later;   /* owned */
    char **left_out;       /* owned; lower case */
    size_t nleft_out;
    uint64_t wait_ms, version;
    bool multiplexed, due; /* due: a review is to come */
    chain_source_used_fn *used;
    chain_source_changed_fn *changed;
    void *arg;
};

static void touch(struct chain_source *s)
{
    s->due = true;
    event_active(s->later, EV_TIMEOUT, 0);
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static char *lower_copy(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        abort();
    for (char *p = copy; *p; p++)
        *p = ascii_lower(*p);
    return copy;
}

/* One chain. */

static int entry_read(struct query *q, struct str body, struct err *e)
{
    struct entry *en = CONTAINER_OF(q, struct entry, query);

    chain_unref(&en->read);
    en->read = chain_parse(body, en->service, e);
    return en->read ? 0 : -1;
}

static void tell_notes(const struct chain *c)
{
    for (unsigned i = 0; i < c->nnotes; i++)
        log_warn("rules", "service=%s: %s", c->service, c->notes[i]);
}

static bool entry_apply(struct query *q, bool complete, bool empty_ok)
{
    struct entry *en = CONTAINER_OF(q, struct entry, query);
    struct chain_source *s = q->owner;

    /* A view of the past must not undo what is in force, nor may a token that sees little. */
    if (en->chain && (!complete || (chain_is_plain(en->read) && !empty_ok))) {
        chain_unref(&en->read);
        return false;
    }
    if (!chain_is_plain(en->read))
        log_info("rules", "service=%s: Consul's traffic rules %s", en->service,
                 en->chain && !chain_is_plain(en->chain) ? "changed" : "are in force");
    else if (en->chain && !chain_is_plain(en->chain))
        log_info("rules", "service=%s: has no traffic rules any more", en->service);
    tell_notes(en->read);
    chain_unref(&en->chain);
    en->chain = en->read;
    en->read = NULL;
    en->changed_ns = clock_now_ns();
    en->heard = true;
    s->version++;
    touch(s);
    return true;
}

static void entry_after(struct query *q, const struct query_outcome *o)
{
    struct entry *en = CONTAINER_OF(q, struct entry, query);
    struct chain_source *s = q->owner;
    char error[ERROR_MAX] = "";

    if (o->result != WATCH_GOOD)
        snprintf(error, sizeof error, "%s", o->error && *o->error ? o->error : "no answer");
    if (strcmp(error, en->error) != 0) {
        memcpy(en->error, error, sizeof error);
        s->version++;
        if (*error)
            log_warn("rules", "service=%s: %s; %s", en->service, error,
                     en->chain ? "the rules before stay in force" : "no rules are in force");
    }
    en->heard = true;
    touch(s);
}

static void free_entry(struct entry *en)
{
    query_release(&en->query);
    chain_unref(&en->chain);
    chain_unref(&en->read);
    free(en->service);
    free(en);
}

static void entry_ended(struct query *q)
{
    struct entry *en = CONTAINER_OF(q, struct entry, query);

    list_remove(&en->link);
    free_entry(en);
}

static const struct query_ops entry_ops = {
    .read = entry_read, .apply = entry_apply, .after = entry_after, .ended = entry_ended};

static struct entry *add_entry(struct chain_source *s, const char *service)
{
    struct entry *en = calloc(1, sizeof *en);
    char *encoded = consul_http_encode(service), *path;

    if (!en || !encoded || asprintf(&path, "/v1/discovery-chain/%s", encoded) < 0)
        abort();
    en->service = lower_copy(service);
    list_init(&en->link);
    query_init(&en->query, &entry_ops, s->pool, s, path);
    en->query.options.polled = true;
    query_keep(&en->query);
    HASH_ADD_KEYPTR(hh, s->entries, en->service, strlen(en->service), en);
    free(encoded);
    free(path);
    return en;
}

static void remove_entry(struct chain_source *s, struct entry *en)
{
    s->version += en->chain != NULL || en->error[0];
    HASH_DEL(s->entries, en);
    list_push_back(&s->ending, &en->link);
    query_end(&en->query);
}

/* Which services have entries. */

static int kind_read(struct query *q, struct str body, struct err *e)
{
    struct kind *k = CONTAINER_OF(q, struct kind, query);

    arena_free(k->read_arena);
    k->read_arena = arena_new();
    return consul_names_read(body, k->read_arena, &k->read, e);
}

/* That a service has left the list is only a hint: its chain has the last word. */
static bool kind_apply(struct query *q, bool complete, bool empty_ok)
{
    struct kind *k = CONTAINER_OF(q, struct kind, query);

    if (k->heard && (!complete || (k->read.n == 0 && k->list.n > 0 && !empty_ok)))
        return false;
    arena_free(k->arena);
    k->arena = k->read_arena;
    k->read_arena = NULL;
    k->list = k->read;
    k->heard = true;
    touch(q->owner);
    return true;
}

static void kick_entries(struct chain_source *s)
{
    for (struct entry *en = s->entries; en; en = en->hh.next)
        query_kick(&en->query);
}

static void kind_after(struct query *q, const struct query_outcome *o)
{
    struct kind *k = CONTAINER_OF(q, struct kind, query);
    struct chain_source *s = q->owner;
    bool good = o->result == WATCH_GOOD;

    /* What is refused will not come; whoever waits for it would wait for ever. */
    k->heard |= good || o->result == WATCH_DENIED || o->result == WATCH_INVALID;
    snprintf(k->error, sizeof k->error, "%s", good ? "" : o->error);
    if (good == k->logged && (good || q->watch.failures > 2 || o->result == WATCH_DENIED)) {
        k->logged = !good;
        if (good)
            log_info("rules", "%s entries: Consul answers again", k->name);
        else
            log_warn("rules", "%s entries: %s; the rules that are known stay in force", k->name,
                     o->error);
    }
    if (o->woke || (good && o->was_failing))
        kick_entries(s);
    touch(s);
}

static void kind_ended(struct query *q)
{
    (void)q;
    abort(); /* query_end() is not used on it */
}

static const struct query_ops kind_ops = {
    .read = kind_read, .apply = kind_apply, .after = kind_after, .ended = kind_ended};

/* What is followed. */

static bool is_left_out(const struct chain_source *s, const char *service)
{
    for (size_t i = 0; i < s->nleft_out; i++)
        if (strcmp(s->left_out[i], service) == 0)
            return true;
    return false;
}

static bool is_wanted(const struct chain_source *s, const char *service)
{
    return !is_left_out(s, service) && s->used(s->arg, service);
}

static void want_listed(struct chain_source *s, const struct consul_names *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        struct entry *en;

        if (!is_wanted(s, list->names[i]))
            continue;
        HASH_FIND_STR(s->entries, list->names[i], en);
        if (!en) {
            en = add_entry(s, list->names[i]);
            query_kick(&en->query);
        }
        en->listed = true;
    }
}

/* Is there something that only Consul's word may end? */
static bool is_held(const struct entry *en)
{
    return en->chain && !chain_is_plain(en->chain);
}

static void share_slots(struct chain_source *s)
{
    unsigned used = 0;

    for (struct entry *en = s->entries; en; en = en->hh.next) {
        bool was_polled = en->query.options.polled;

        en->query.options.wait_ms = s->wait_ms;
        en->query.options.polled = !s->multiplexed && used++ >= SLOTS;
        if (was_polled && !en->query.options.polled)
            query_kick(&en->query);
    }
}

static int by_service(const struct entry *a, const struct entry *b)
{
    return strcmp(a->service, b->service);
}

static void review(struct chain_source *s)
{
    struct entry *en, *tmp;

    s->due = false;
    for (en = s->entries; en; en = en->hh.next)
        en->listed = false;
    for (size_t i = 0; i < KINDS; i++)
        want_listed(s, &s->kinds[i].list);
    HASH_ITER(hh, s->entries, en, tmp)
    {
        if (!is_wanted(s, en->service) || (!en->listed && !is_held(en)))
            remove_entry(s, en);
    }
    share_slots(s);
    HASH_SORT(s->entries, by_service);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct chain_source *s = arg;

    (void)fd;
    (void)what;
    review(s);
    s->changed(s->arg);
}

void chain_source_review(struct chain_source *s)
{
    touch(s);
}

void chain_source_leave_out(struct chain_source *s, const char *const *services, size_t n)
{
    char **names = calloc(n ? n : 1, sizeof *names);

    if (!names)
        abort();
    for (size_t i = 0; i < n; i++)
        names[i] = lower_copy(services[i]);
    free_names(s->left_out, s->nleft_out);
    s->left_out = names;
    s->nleft_out = n;
    touch(s);
}

struct chain_source *chain_source_new(struct query_pool *p, uint64_t wait_ms, bool multiplexed,
                                      chain_source_used_fn *used, chain_source_changed_fn *changed,
                                      void *arg)
{
    struct chain_source *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->pool = p;
    s->wait_ms = wait_ms;
    s->multiplexed = multiplexed;
    s->used = used;
    s->changed = changed;
    s->arg = arg;
    list_init(&s->ending);
    s->later = event_new(p->base, -1, 0, on_later, s);
    if (!s->later)
        abort();
    for (size_t i = 0; i < KINDS; i++) {
        struct kind *k = &s->kinds[i];
        char path[64];

        k->name = kind_names[i];
        snprintf(path, sizeof path, "/v1/config/%s", k->name);
        query_init(&k->query, &kind_ops, p, s, path);
        k->query.options.wait_ms = wait_ms;
        query_keep(&k->query);
        query_kick(&k->query);
    }
    return s;
}

void chain_source_free(struct chain_source *s)
{
    struct entry *en, *tmp;
    struct list *l;

    if (!s)
        return;
    HASH_ITER(hh, s->entries, en, tmp)
    {
        HASH_DEL(s->entries, en);
        free_entry(en);
    }
    while ((l = list_pop(&s->ending)))
        free_entry(CONTAINER_OF(l, struct entry, link));
    for (size_t i = 0; i < KINDS; i++) {
        query_release(&s->kinds[i].query);
        arena_free(s->kinds[i].arena);
        arena_free(s->kinds[i].read_arena);
    }
    event_free(s->later);
    free_names(s->left_out, s->nleft_out);
    free(s);
}

uint64_t chain_source_version(const struct chain_source *s)
{
    return s->version;
}

bool chain_source_heard(const struct chain_source *s)
{
    if (s->due)
        return false;
    for (size_t i = 0; i < KINDS; i++)
        if (!s->kinds[i].heard)
            return false;
    for (const struct entry *en = s->entries; en; en = en->hh.next)
        if (!en->heard)
            return false;
    return true;
}

static bool is_shown(const struct entry *en)
{
    return is_held(en) || en->error[0];
}

size_t chain_source_count(const struct chain_source *s)
{
    size_t n = 0;

    for (const struct entry *en = s->entries; en; en = en->hh.next)
        n += is_shown(en);
    return n;
}

void chain_source_at(const struct chain_source *s, size_t i, struct chain_status *ret)
{
    const struct entry *en = s->entries;

    while (!is_shown(en) || i-- > 0)
        en = en->hh.next;
    *ret = (struct chain_status){.service = en->service,
                                 .chain = is_held(en) ? en->chain : NULL,
                                 .error = en->error,
                                 .changed_ns = en->changed_ns,
                                 .listed = en->listed};
}

const char *chain_source_error(const struct chain_source *s)
{
    for (size_t i = 0; i < KINDS; i++)
        if (s->kinds[i].error[0])
            return s->kinds[i].error;
    return NULL;
}

/* Any case. */
static const struct entry *find_entry(const struct chain_source *s, const char *service)
{
    char *name = lower_copy(service);
    struct entry *en;

    HASH_FIND_STR(s->entries, name, en);
    free(name);
    return en;
}

const char *chain_source_problem(const struct chain_source *s, const char *service)
{
    const struct entry *en = find_entry(s, service);

    return en && en->error[0] ? en->error : NULL;
}

bool chain_source_awaits(const struct chain_source *s, const char *service)
{
    const struct entry *en = find_entry(s, service);

    return en && !en->heard;
}
