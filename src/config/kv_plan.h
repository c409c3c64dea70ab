/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* kv_plan.h - what makes the keys below a prefix the same as the files of a folder: a file is a key
 * of its name. Pure. */
#include "config/kv_rows.h"

enum kv_change_kind { KV_ADD, KV_REPLACE, KV_REMOVE };

struct kv_change {
    enum kv_change_kind kind;
    const char *key; /* without the prefix */
    struct str before, after;
    uint64_t index; /* ModifyIndex of what is there; 0 = nothing is */
};

struct kv_plan {
    struct arena *arena;    /* owned; holds all, this struct too */
    struct kv_change *list; /* by key */
    size_t n;
    uint64_t mark_index; /* of the mark; 0 = there is none */
};

/* Keys that are no documents stay. Borrows the texts of both. */
struct kv_plan *kv_plan_new(const struct kv_rows *now, const struct config_documents *files);
/* Accepts a pointer to NULL. */
void kv_plan_free(struct kv_plan **p);

/* The first change that no transaction of Consul holds; NULL = there is none. */
const struct kv_change *kv_plan_too_large(const struct kv_plan *p);
/* Behind the last change that fits into a transaction of Consul that begins with this one. */
size_t kv_plan_fits(const struct kv_plan *p, size_t from);

/* The mark that a transaction writes: each of them, so that whoever has looked in between finds it
 * changed. */
struct kv_mark {
    uint64_t index; /* as it is now, see kv_plan.mark_index; the transaction fails when it is not */
    struct str text;
};

/* The body of PUT /v1/txn that makes the changes from..to-1, if everything that it touches is as it
 * was: allocated text. NULL and a message when a name is not UTF-8. */
char *kv_plan_transaction(const struct kv_plan *p, size_t from, size_t to, const char *prefix,
                          const struct kv_mark *mark, struct err *e) MUST_CHECK;
