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

/* The body of PUT /v1/txn that does all of it, and writes the mark, if everything that it touches
 * is as it was: allocated text. NULL and a message when a name is not UTF-8. */
char *kv_plan_transaction(const struct kv_plan *p, const char *prefix, struct str mark,
                          struct err *e) MUST_CHECK;
