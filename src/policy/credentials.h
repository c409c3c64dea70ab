/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* credentials.h - the key stores and password files of a configuration, kept up to date.
 *
 * The control thread reads them; workers see an immutable set through their snapshot. What changed
 * is read again; when anything in it is wrong, what was read before stays in use, the log says so,
 * and so do status and metrics. A store in Consul that was not heard of yet has no table: its keys
 * cannot be told right from wrong (503). */
#include "policy/key_table.h"
#include "policy/password_file.h"
#include "policy/password_pool.h"

struct config;

enum credential_kind { CREDENTIAL_KEYS, CREDENTIAL_PASSWORDS };

/* One store or file by name. Outlives configurations, so that its counts do. */
struct credential_source {
    _Atomic int refs;
    enum credential_kind kind;
    const char *name;                      /* owned */
    _Atomic uint64_t answers[KEY_ANSWERS]; /* any thread: what requests were answered */
    /* Thread: control. */
    uint64_t failures;    /* readings that were refused */
    int64_t good_wall_ms; /* of the last one that was not; 0 = never */
    char problem[256];    /* why the last one was; "" = it was not */
};

struct credential_entry {
    struct credential_source *source; /* ref */
    const char *from;                 /* owned: the file, or "kv " and its key */
    struct key_table *keys;           /* ref; NULL = not known yet, or passwords */
    struct password_file *passwords;  /* ref; NULL = keys */
};

/* By index in config.api_keys and config.basic. Any thread. */
struct credential_set {
    _Atomic int refs;
    struct password_pool *pool; /* borrowed: it outlives the workers */
    size_t nkeys, nbasic;
    struct credential_entry *keys, *basic; /* owned */
};

struct credential_set *credential_set_ref(struct credential_set *s);
void credential_set_unref(struct credential_set **s);
static inline void credential_count(struct credential_source *s, enum key_answer a)
{
    atomic_fetch_add_explicit(&s->answers[a], 1, memory_order_relaxed);
}

/* What follows is of the control thread. */
struct credentials;

/* Reads every file of the configuration: NULL when one of them is bad, and nothing has changed
 * then. What Consul has said, and the counts, are taken over from `before` (may be NULL). */
struct credentials *credentials_new(struct config *c, const struct credentials *before,
                                    struct password_pool *pool, struct err *e) MUST_CHECK;
/* Accepts NULL in *c. */
void credentials_free(struct credentials **c);
/* What is known now. Borrowed until the next call. */
struct credential_set *credentials_set(const struct credentials *c);
/* Reads what has changed. True when there is a new set. */
bool credentials_poll(struct credentials *c);

/* What Consul answers for this store (key_kv.h). True when there is a new set. An answer that may
 * show less than there is (not `complete`) is only believed when nothing is known yet and it holds
 * keys; *ret_held: it was not. */
bool credentials_take(struct credentials *c, size_t store, struct str body, bool complete,
                      bool *ret_held);
/* Consul says what it said before; or it could not be asked. */
void credentials_reached(struct credentials *c, size_t store);
void credentials_unreachable(struct credentials *c, size_t store, const char *why);
