/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_apply.h"
#include "base/alloc.h"

#include <string.h>
#include <uthash.h>

/* How long a word that was taken back here is remembered, for views that are on their way. */
enum { FORGET_MS = 60000 };

/* What was done about one service. */
struct record {
    char *service; /* owned */
    enum operation what;
    int64_t at_ms, until_ms; /* of the word; until: when the record is forgotten at the latest */
    bool in_force;           /* given to the registry */
    bool expected;           /* given here: the store may not show it yet */
    bool taken_back;         /* ignored while the store still shows it */
    UT_hash_handle hh;
};

struct fleet_applied {
    struct registry *registry; /* borrowed */
    struct record *records;    /* hash by service; owned */
};

struct fleet_applied *fleet_applied_new(struct registry *r)
{
    struct fleet_applied *a = alloc_or_abort(sizeof *a);

    a->registry = r;
    return a;
}

static void forget(struct fleet_applied *a, struct record *r)
{
    HASH_DEL(a->records, r);
    free(r->service);
    free(r);
}

void fleet_applied_free(struct fleet_applied *a)
{
    struct record *r, *next;

    if (!a)
        return;
    HASH_ITER(hh, a->records, r, next) forget(a, r);
    free(a);
}

static struct record *find(struct fleet_applied *a, const char *service)
{
    struct record *r;

    HASH_FIND_STR(a->records, service, r);
    return r;
}

static struct record *find_or_add(struct fleet_applied *a, const char *service)
{
    struct record *r = find(a, service);

    if (r)
        return r;
    r = alloc_or_abort(sizeof *r);
    r->service = strdup(service);
    if (!r->service)
        abort();
    HASH_ADD_KEYPTR(hh, a->records, r->service, strlen(r->service), r);
    return r;
}

/* What is forced now; a worker may just be telling that its time is over. */
static struct forced forced_of(struct service_state *s)
{
    struct forced f;

    pthread_mutex_lock(&s->history.lock);
    f = s->forced;
    pthread_mutex_unlock(&s->history.lock);
    return f;
}

static bool local_word_since(struct service_state *s, int64_t at_ms)
{
    struct forced f = forced_of(s);

    return f.active && !f.fleet && f.at_wall_ms >= at_ms;
}

/* A word given here in between replaced it: it may come back when that one ends. */
static void note_replaced(struct fleet_applied *a, struct record *r)
{
    struct service_state *s = registry_find(a->registry, r->service);

    if (s && r->in_force && local_word_since(s, 0))
        r->in_force = false;
}

static void bring_into_force(struct fleet_applied *a, struct record *r, const struct fleet_word *w,
                             uint64_t now_ns, int64_t wall_ms)
{
    struct service_state *s = registry_find(a->registry, w->service);
    struct operate_request q = {
        .what = w->what,
        .ttl_ms = (uint64_t)(w->until_ms - wall_ms),
        .author = w->author,
        .why = w->why,
        .fleet = true,
    };

    if (!s || local_word_since(s, w->at_ms))
        return;
    r->in_force = operate_service(s, &q, now_ns) == OPERATE_DONE;
}

static void take(struct record *r, const struct fleet_word *w)
{
    r->what = w->what;
    r->at_ms = w->at_ms;
    r->until_ms = w->until_ms;
    r->in_force = r->taken_back = false;
}

static bool same_word(const struct record *r, const struct fleet_word *w)
{
    return r->what == w->what && r->at_ms == w->at_ms && r->until_ms == w->until_ms;
}

static void apply_word(struct fleet_applied *a, const struct fleet_word *w, uint64_t now_ns,
                       int64_t wall_ms)
{
    struct record *r;

    if (w->until_ms <= wall_ms)
        return;
    r = find_or_add(a, w->service);
    if (r->taken_back && w->at_ms <= r->at_ms)
        return;
    if (r->expected && w->at_ms < r->at_ms)
        return;
    r->expected = false;
    if (!same_word(r, w))
        take(r, w);
    note_replaced(a, r);
    if (!r->in_force)
        bring_into_force(a, r, w, now_ns, wall_ms);
}

static void end_word(struct fleet_applied *a, const char *service, const char *author,
                     const char *why, uint64_t now_ns)
{
    struct service_state *s = registry_find(a->registry, service);
    struct operate_request q = {.what = OPERATE_AUTO, .author = author, .why = why, .fleet = true};

    struct forced f;

    if (!s)
        return;
    f = forced_of(s);
    if (f.active && f.fleet)
        (void)operate_service(s, &q, now_ns);
}

void fleet_apply(struct fleet_applied *a, const struct fleet_view *v, bool complete,
                 uint64_t now_ns, int64_t wall_ms)
{
    struct record *r, *next;

    for (size_t i = 0; i < v->nwords; i++)
        apply_word(a, &v->words[i], now_ns, wall_ms);
    HASH_ITER(hh, a->records, r, next)
    {
        bool shown = fleet_view_word(v, r->service) != NULL;

        if (r->until_ms <= wall_ms) {
            forget(a, r);
        } else if (!shown && complete && !r->expected && !r->taken_back) {
            end_word(a, r->service, "", "the fleet's word was taken back", now_ns);
            forget(a, r);
        }
    }
}

void fleet_apply_own(struct fleet_applied *a, const struct fleet_word *w, uint64_t now_ns,
                     int64_t wall_ms)
{
    struct record *r = find_or_add(a, w->service);

    take(r, w);
    r->expected = true;
    /* The word of now is later than any. */
    bring_into_force(a, r, w, now_ns, wall_ms);
}

void fleet_take_back(struct fleet_applied *a, const char *service, const char *author,
                     const char *why, uint64_t now_ns, int64_t wall_ms)
{
    struct record *r = find_or_add(a, service);

    end_word(a, service, author, why, now_ns);
    r->at_ms = wall_ms;
    r->until_ms = wall_ms + FORGET_MS;
    r->in_force = r->expected = false;
    r->taken_back = true;
}
