/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/issuers.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "policy/key_file.h"
#include "policy/token.h"
#include "policy/token_place.h"

#include <string.h>

struct issuers {
    struct issuer_set *set; /* ref; NULL = none yet */
    issuer_ask_fn *ask;
    void *arg;
};

struct issuers *issuers_new(issuer_ask_fn *ask, void *arg)
{
    struct issuers *is = alloc_or_abort(sizeof *is);

    is->ask = ask;
    is->arg = arg;
    return is;
}

void issuers_free(struct issuers **isp)
{
    struct issuers *is = *isp;

    *isp = NULL;
    if (!is)
        return;
    issuer_set_unref(&is->set);
    free(is);
}

struct issuer_set *issuer_set_ref(struct issuer_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void issuer_set_unref(struct issuer_set **sp)
{
    struct issuer_set *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        issuer_unref(&s->at[i].issuer);
    config_unref(&s->config);
    free(s);
}

static struct issuer *find_running(const struct issuers *is, const struct issuer_conf *c)
{
    for (size_t i = 0; is->set && i < is->set->n; i++)
        if (issuer_is_for(is->set->at[i].issuer, c))
            return issuer_ref(is->set->at[i].issuer);
    return NULL;
}

/* Keys that are in a file are there from the start, or the configuration does not do. */
static int read_file(struct issuer *i, const struct issuer_conf *c, struct err *e)
{
    struct keyset *keys = key_file_read(c, e);

    if (!keys) {
        err_prefix(e, "issuers.%s.keys", c->name);
        return -1;
    }
    issuer_take(i, keys, clock_wall_ms());
    return 0;
}

struct issuer_set *issuers_prepare(const struct issuers *is, struct config *c, struct err *e)
{
    static uint64_t last_id;
    struct issuer_set *s = alloc_or_abort(sizeof *s + c->nissuers * sizeof s->at[0]);

    s->refs = 1;
    s->config = config_ref(c);
    s->id = ++last_id;
    for (; s->n < c->nissuers; s->n++) {
        const struct issuer_conf *conf = &c->issuers[s->n];
        struct issuer *i = find_running(is, conf);
        bool fresh = !i;

        if (fresh)
            i = issuer_new(conf, is->ask, is->arg);
        s->at[s->n] = (struct issuer_entry){conf, i};
        if (fresh && key_file_path(&conf->keys) && read_file(i, conf, e) < 0) {
            s->n++;
            issuer_set_unref(&s);
            return NULL;
        }
    }
    return s;
}

void issuers_use(struct issuers *is, struct issuer_set *set)
{
    issuer_set_ref(set);
    issuer_set_unref(&is->set);
    is->set = set;
}

bool issuer_conf_hides(const struct issuer_conf *c, struct str name)
{
    for (size_t i = 0; !c->forward_token && i < c->nplaces; i++)
        if (str_ieq(name, str_of(c->places[i].name)))
            return true;
    return false;
}

bool issuer_wait_over(const struct issuer_wait *w)
{
    return !w->issuer || issuer_rounds(w->issuer) >= w->round;
}

/* What issuers_authenticate() was asked. */
struct question {
    struct issuer_set *set;
    struct token_cache *cache;
    const unsigned *allowed;
    size_t n;
    const struct request *r;
    int64_t now_s;
    struct issuer_wait *wait; /* NULL = no waiting */
};

/* Would this issuer have taken the token from where it was? */
static bool delivers(const struct question *q, const struct issuer_entry *entry, struct str text)
{
    struct str its;

    return q->n == 1 || (token_find(q->r, entry->conf, &its) == TOKEN_OK && its.p == text.p);
}

/* The allowed one that is this issuer, or that the claim iss names, and that takes tokens from
 * there.
 */
static const struct issuer_entry *entry_of(const struct question *q, const struct issuer *issuer,
                                           struct str iss, struct str text)
{
    for (size_t i = 0; i < q->n; i++) {
        const struct issuer_entry *entry = &q->set->at[q->allowed[i]];

        if ((entry->issuer == issuer || str_eq(str_of(entry->conf->issuer), iss)) &&
            delivers(q, entry, text))
            return entry;
    }
    return NULL;
}

static enum token_error count(struct issuer *i, enum token_error e)
{
    atomic_fetch_add_explicit(&i->shared.results[e], 1, memory_order_relaxed);
    return e;
}

static struct identity *from_cache(const struct question *q, struct str text)
{
    const struct token_facts *f;

    if (!q->cache)
        return NULL;
    f = token_cache_find(q->cache, text, q->set->id, q->now_s);
    if (!f || !entry_of(q, f->issuer, STR_NULL, text))
        return NULL;
    count(f->issuer, TOKEN_OK);
    return identity_ref(f->identity);
}

static void wish(const struct question *q, const struct issuer_entry *entry)
{
    uint64_t round = issuer_wish(entry->issuer), wait_ms = entry->conf->keys.unknown_key_wait_ms;

    if (round && wait_ms)
        *q->wait = (struct issuer_wait){entry->issuer, round, wait_ms};
}

static enum token_error verify(const struct question *q, const struct issuer_entry *entry,
                               struct token *t, struct identity **ret)
{
    struct keyset *keys = issuer_keys(entry->issuer);
    enum token_error e =
        keys ? token_verify(t, entry->conf, keys, q->now_s) : TOKEN_KEYS_UNAVAILABLE;
    struct token_facts facts = {.issuer = entry->issuer,
                                .generation = keys ? keys->generation : 0,
                                .set_id = q->set->id,
                                .expires_at_s = token_expires(t, entry->conf)};

    keyset_unref(&keys);
    if ((e == TOKEN_KEY_UNKNOWN || e == TOKEN_KEYS_UNAVAILABLE) && q->wait)
        wish(q, entry);
    if (e != TOKEN_OK)
        return e;
    facts.identity = token_identity(t, entry->conf);
    if (!facts.identity)
        return TOKEN_MEMORY;
    if (q->cache)
        token_cache_add(q->cache, t->text, &facts);
    *ret = facts.identity;
    return TOKEN_OK;
}

/* A token that `found` delivers. */
static enum token_error judge(const struct question *q, const struct issuer_entry *found,
                              struct str text, struct identity **ret)
{
    const struct issuer_entry *entry;
    struct token t;
    enum token_error e;

    *ret = from_cache(q, text);
    if (*ret)
        return TOKEN_OK;
    e = token_read(text, &t);
    if (e != TOKEN_OK)
        return count(found->issuer, e);
    entry = entry_of(q, NULL, str_of(t.issuer), text);
    e = entry ? verify(q, entry, &t, ret) : TOKEN_ISSUER_UNKNOWN;
    token_release(&t);
    if (q->wait && q->wait->issuer)
        return e;
    return count(entry ? entry->issuer : found->issuer, e);
}

enum token_error issuers_authenticate(struct issuer_set *set, struct token_cache *cache,
                                      const unsigned *allowed, size_t n, const struct request *r,
                                      int64_t now_s, struct identity **ret,
                                      struct issuer_wait *wait)
{
    struct question q = {set, cache, allowed, n, r, now_s, NULL};
    enum token_error first = TOKEN_MISSING, e;
    struct str text, before = STR_NULL;
    bool waited = wait && wait->issuer;

    if (wait)
        wait->issuer = NULL;
    q.wait = waited ? NULL : wait;
    for (size_t i = 0; i < n; i++) {
        const struct issuer_entry *entry = &set->at[allowed[i]];

        e = token_find(r, entry->conf, &text);
        if (e == TOKEN_MISSING || (e == TOKEN_OK && text.p == before.p))
            continue;
        if (e == TOKEN_REPEATED) {
            count(entry->issuer, e);
        } else {
            before = text;
            e = judge(&q, entry, text, ret);
        }
        if (e == TOKEN_OK || (wait && wait->issuer))
            return e;
        if (first == TOKEN_MISSING)
            first = e;
    }
    return first;
}
