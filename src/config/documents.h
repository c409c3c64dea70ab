/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* documents.h - the texts that a configuration is made of, in memory: the files of a folder, or
 * keys of Consul's KV store (kv_rows.h).
 *
 * Kept apart from what is made of them, so that a gateway can put one part beside another anew
 * without reading its files again: what somebody is editing there counts when a reload says so. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "config/tree.h"

enum { DOCUMENTS_MOST = 10000 };

struct config_document {
    const char *name; /* in front of line numbers: "conf.d/10-orders.yaml", "consul:PREFIX/KEY" */
    struct str text;
};

struct config_documents {
    struct arena *arena; /* owned; holds all, this struct too. NULL when the caller's */
    struct config_document *list;
    size_t n;
};

/* The *.yaml and *.json files of a folder, in name order; without any: an error unless `empty_ok`.
 */
struct config_documents *documents_read(const char *dir, bool empty_ok, struct err *e) MUST_CHECK;
/* An empty list of `room` documents to be filled. */
struct config_documents *documents_new(size_t room) MUST_CHECK;
/* Accepts a pointer to NULL. */
void documents_free(struct config_documents **d);

/* Adds all to the tree; those that are `shared` only when they hold nothing else than they may. `d`
 * may be NULL. */
int documents_add(struct tree *t, const struct config_documents *d, bool shared,
                  struct err *e) MUST_CHECK;
