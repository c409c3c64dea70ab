/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cache_refresh.h"
#include "base/bytes.h"
#include "cache/pending.h"
#include "proxy/cached.h"
#include "proxy/proxy_internal.h"
#include "proxy/subrequest.h"

#include <stdlib.h>

struct refresh {
    struct list node; /* in w->refreshes */
    struct worker *w;
    struct subrequest *call;   /* owned */
    struct cache_entry *entry; /* ref */
    uint64_t hash;
    bool claimed; /* others wait, until its exchange takes that over */
};

static void end(struct refresh *f)
{
    list_remove(&f->node);
    subrequest_end(&f->call);
    if (f->claimed)
        proxy_fetched(f->w->proxy, f->hash);
    cache_unref(&f->entry);
    free(f);
}

static void on_done(void *arg, const struct subrequest_answer *a)
{
    (void)a;
    end(arg);
}

static bool write_fields(struct bytes *to, const struct cache_entry *e)
{
    for (unsigned i = 0; i < e->nvary; i++)
        if (e->vary[i].present &&
            !(bytes_add_str(to, e->vary[i].name) && bytes_add_str(to, STR(": ")) &&
              bytes_add_str(to, e->vary[i].value) && bytes_add_str(to, STR("\r\n"))))
            return false;
    return true;
}

static bool write_path(struct bytes *to, const struct cache_key *k)
{
    return bytes_add_str(to, k->path) &&
           (!k->has_query || (bytes_add_str(to, STR("?")) && bytes_add_str(to, k->query)));
}

static struct subrequest *ask(struct exchange *x, struct refresh *f)
{
    struct bytes fields = {0}, path = {0};
    struct subrequest_options o = {
        .method = STR("GET"), .host = f->entry->key.host, .detached = true, .refresh = true};
    struct subrequest *call = NULL;

    if (write_fields(&fields, f->entry) && write_path(&path, &f->entry->key)) {
        o.fields = bytes_str(&fields);
        o.path = bytes_str(&path);
        call = subrequest_start(x, &o, on_done, f);
    }
    bytes_free(&fields);
    bytes_free(&path);
    return call;
}

void cache_refresh_begin(struct exchange *x)
{
    struct cached *c = x->cached;
    struct refresh *f;

    if (pending_claim(proxy_pending(x->w->proxy), c->hash, false) != PENDING_FIRST)
        return;
    f = calloc(1, sizeof *f);
    if (!f) {
        proxy_fetched(x->w->proxy, c->hash);
        return;
    }
    f->w = x->w;
    f->hash = c->hash;
    f->claimed = true;
    f->entry = cache_ref(c->entry);
    list_push_back(&x->w->refreshes, &f->node);
    f->call = ask(x, f);
    if (!f->call)
        end(f);
}

enum verdict cache_refresh_take(struct exchange *x)
{
    struct refresh *f = subrequest_refresh(x->conn->inner);

    if (!f)
        return V_NEXT;
    x->cached = calloc(1, sizeof *x->cached);
    if (!x->cached)
        return exchange_refuse(x, REASON_INTERNAL);
    x->cached->x = x;
    x->cached->hash = f->hash;
    x->cached->leads = true;
    f->claimed = false;
    x->cached->entry = cache_ref(f->entry);
    x->cached->conditional = f->entry->etag.n > 0 || f->entry->last_modified.n > 0;
    return V_NEXT;
}

void cache_refresh_end_all(struct worker *w)
{
    while (!list_empty(&w->refreshes))
        end(CONTAINER_OF(w->refreshes.next, struct refresh, node));
}
