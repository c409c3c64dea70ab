/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_table.h - the API keys of one store, as of one reading of it. Immutable, by reference.
 *
 * The text is a map of YAML (and so may be JSON), one entry a key, by id:
 *   7f3k9x2m: { owner: acme, hash: "sha256:9f86...", scopes: [orders:read], expires: 2027-01-31 }
 * Several texts may make one table (keys below a prefix in Consul).
 *
 * An unknown id costs the same work as a wrong secret: all digests are made before the entry is
 * looked for, and compared with one of zeros when there is none. */
#include "base/err.h"
#include "policy/identity.h"
#include "policy/key_answer.h"

struct key_table;

struct key_text {
    const char *name; /* for messages: file, or key in Consul */
    struct str text;
};

/* NULL and "FILE:LINE: ..." when anything in it is wrong. `source` is the store's name. `pepper` is
 * copied; n = 0: none. */
struct key_table *key_table_new(const char *source, const struct key_text *texts, size_t n,
                                struct str pepper, struct err *e) MUST_CHECK;
struct key_table *key_table_ref(struct key_table *t);
void key_table_unref(struct key_table **t);
size_t key_table_count(const struct key_table *t);

/* Whose key is it, at this time of the wall clock? With KEY_OK *ret is borrowed from the table. Any
 * thread. */
enum key_answer key_table_find(const struct key_table *t, struct str key, uint64_t now_s,
                               struct identity **ret);
