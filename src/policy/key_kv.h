/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_kv.h - what Consul says is below a key of its KV store, as texts of entries. */
#include "policy/key_table.h"

struct key_kv {
    struct arena *arena;    /* owned */
    struct key_text *texts; /* [n] */
    size_t n;
};

/* The answer of /v1/kv/PREFIX?recurse; an empty one: there is nothing. Keys that only begin with
 * the same letters as PREFIX do not count, nor do folders. NULL and a message when it is no such
 * answer. */
struct key_kv *key_kv_parse(struct str body, const char *prefix, struct err *e) MUST_CHECK;
/* Accepts NULL. */
void key_kv_free(struct key_kv *kv);
