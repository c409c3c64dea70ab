/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/issuer.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* Where the keys are, and what kind of place that is. */
static const char *source_of(const struct issuer_keys_conf *k, const char **ret_kind)
{
    const struct {
        const char *kind, *place;
    } places[] = {
        {"jwks_url", k->jwks_url},
        {"jwks_file", k->jwks_file},
        {"pem_file", k->pem_file},
        {"secret_file", k->secret_file},
    };
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(places) && !places[i].place)
        i++;
    *ret_kind = places[i].kind;
    return places[i].place;
}

struct issuer *issuer_new(const struct issuer_conf *c, issuer_ask_fn *ask, void *arg)
{
    struct issuer *i = alloc_or_abort(sizeof *i);
    const char *kind, *place = source_of(&c->keys, &kind);

    i->refs = 1;
    i->name = strdup(c->name);
    if (!i->name || asprintf(&i->source, "%s %s", kind, place) < 0)
        abort();
    i->algorithms = c->algorithms;
    pthread_mutex_init(&i->shared.lock, NULL);
    i->ask = ask;
    i->ask_arg = arg;
    return i;
}

struct issuer *issuer_ref(struct issuer *i)
{
    atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void issuer_unref(struct issuer **ip)
{
    struct issuer *i = *ip;

    *ip = NULL;
    if (!i || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) != 1)
        return;
    keyset_unref(&i->shared.keys);
    pthread_mutex_destroy(&i->shared.lock);
    free(i->name);
    free(i->source);
    free(i);
}

bool issuer_is_for(const struct issuer *i, const struct issuer_conf *c)
{
    const char *kind, *place = source_of(&c->keys, &kind);
    size_t n = strlen(kind);

    return strcmp(i->name, c->name) == 0 && i->algorithms == c->algorithms &&
           strncmp(i->source, kind, n) == 0 && i->source[n] == ' ' &&
           strcmp(i->source + n + 1, place) == 0;
}

struct keyset *issuer_keys(struct issuer *i)
{
    struct keyset *keys;

    pthread_mutex_lock(&i->shared.lock);
    keys = i->shared.keys ? keyset_ref(i->shared.keys) : NULL;
    pthread_mutex_unlock(&i->shared.lock);
    return keys;
}

uint64_t issuer_wish(struct issuer *i)
{
    if (!atomic_load_explicit(&i->shared.can_ask, memory_order_relaxed))
        return 0;
    if (!atomic_exchange_explicit(&i->shared.asked, true, memory_order_acq_rel))
        i->ask(i->ask_arg);
    return issuer_rounds(i) + 1;
}

bool issuer_wished(struct issuer *i)
{
    return atomic_exchange_explicit(&i->shared.asked, false, memory_order_acq_rel);
}

void issuer_allow_wishes(struct issuer *i, bool can_ask)
{
    atomic_store_explicit(&i->shared.can_ask, can_ask, memory_order_relaxed);
}

static void end_round(struct issuer *i)
{
    atomic_fetch_add_explicit(&i->shared.rounds, 1, memory_order_release);
}

bool issuer_take(struct issuer *i, struct keyset *keys, int64_t wall_ms)
{
    bool same = i->shared.keys && keyset_same(i->shared.keys, keys), news = !same || i->error[0];
    struct keyset *old = keys;

    if (!same) {
        pthread_mutex_lock(&i->shared.lock);
        old = i->shared.keys;
        i->shared.keys = keys;
        pthread_mutex_unlock(&i->shared.lock);
        atomic_store_explicit(&i->shared.generation, keys->generation, memory_order_release);
    }
    keyset_unref(&old);
    i->refreshes++;
    i->good_wall_ms = wall_ms;
    i->error[0] = '\0';
    end_round(i);
    return news;
}

bool issuer_fail(struct issuer *i, const char *why)
{
    bool news = strncmp(i->error, why, sizeof i->error - 1) != 0;

    i->refreshes++;
    i->failures++;
    snprintf(i->error, sizeof i->error, "%s", why);
    end_round(i);
    return news;
}
