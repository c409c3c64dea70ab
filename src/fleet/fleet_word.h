/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fleet_word.h - what gateways tell each other through Consul's KV store, as text and back. Pure.
 *
 *   PREFIX/gateways/NAME   held by that gateway's session: what is not closed there
 *   PREFIX/force/SERVICE   the fleet's word: a state that every gateway forces
 *
 * Anybody with a Consul token may have written there, so nothing in it is trusted: an entry that is
 * not as it should be is left out and counted, sizes are bounded. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "snapshot/operate.h"

#include <jansson.h>

enum {
    FLEET_GATEWAYS_MAX = 256,
    FLEET_WORDS_MAX = 1024,
    FLEET_ENTRIES_MAX = 200,     /* of one gateway */
    FLEET_VALUE_MAX = 64 * 1024, /* bytes of one key's value */
    FLEET_NAME_MAX = 128
};

/* A breaker or instance that is not closed at one gateway. Times are wall-clock milliseconds. */
struct fleet_entry {
    const char *service;
    const char *instance; /* NULL = the service's breaker */
    const char *state, *cause;
    int64_t since_ms, until_ms; /* until: 0 = not known */
};

struct fleet_gateway {
    const char *name, *address, *version;
    bool held; /* a living session holds the key */
    const struct fleet_entry *entries;
    size_t n;
    uint64_t more; /* left out by the writer */
};

struct fleet_word {
    const char *service;
    enum operation what; /* OPERATE_OPEN to OPERATE_SHADOW */
    int64_t at_ms, until_ms;
    const char *author, *why;
    const char *by;        /* gateway that was told */
    uint64_t modify_index; /* of the key */
};

/* Everything below the prefix at one moment. */
struct fleet_view {
    struct arena *arena; /* owned: holds the view itself too */
    struct fleet_gateway *gateways;
    size_t ngateways;
    struct fleet_word *words;
    size_t nwords;
    size_t skipped; /* entries that were not as they should be, or too many */
};

/* The answer of /v1/kv/PREFIX/?recurse; `prefix` without a slash at the end. An empty body is an
 * empty view. NULL and a message when it is no list of keys. */
struct fleet_view *fleet_view_parse(struct str body, const char *prefix, struct err *e) MUST_CHECK;
/* Accepts NULL. */
void fleet_view_free(struct fleet_view *v);
const struct fleet_gateway *fleet_view_gateway(const struct fleet_view *v, const char *name);
const struct fleet_word *fleet_view_word(const struct fleet_view *v, const char *service);

/* The value of a gateway's own key; at most FLEET_VALUE_MAX bytes: what does not fit is counted as
 * more. An allocated string. */
char *fleet_gateway_text(const struct fleet_gateway *g) MUST_CHECK;
/* The value of a word's key. */
char *fleet_word_text(const struct fleet_word *w) MUST_CHECK;
