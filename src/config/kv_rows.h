/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* kv_rows.h - what Consul's KV store holds below a prefix, and which of it is configuration.
 *
 * A key is a document, in the order of their names, unless its last part begins with a dot (as with
 * hidden files) or it ends in a slash (a folder of Consul's web page). One hidden key is the mark,
 * KV_MARK: `frontdesk config push` writes it with every push, so two pushes cannot interleave, and
 * a prefix that holds the mark and no document is empty on purpose. Of a push of several
 * transactions the first one puts "unfinished": true into it, and the last one takes it out. */
#include "base/err.h"
#include "config/documents.h"

#include <stdbool.h>
#include <stdint.h>

#define KV_MARK ".pushed"

struct kv_row {
    const char *key; /* without the prefix */
    struct str text;
    uint64_t index; /* ModifyIndex */
};

struct kv_rows {
    struct arena *arena; /* owned; holds all, this struct too */
    struct kv_row *list; /* by key */
    size_t n;
    uint64_t index; /* the highest one */
};

/* The body of /v1/kv/PREFIX?recurse; an empty one has no rows. Keys that do not begin with the
 * prefix are left out. NULL and a message when it is something else. */
struct kv_rows *kv_rows_parse(struct str body, const char *prefix, struct err *e) MUST_CHECK;
/* Accepts a pointer to NULL. */
void kv_rows_free(struct kv_rows **rows);

/* NULL when there is none of this key. */
const struct kv_row *kv_rows_find(const struct kv_rows *rows, const char *key);
bool kv_row_is_document(const struct kv_row *row);
/* The mark says that a push has begun, and has not come to its end. */
bool kv_rows_are_unfinished(const struct kv_rows *rows);
/* Those that are, under names such as "consul:PREFIX10-orders". Copied. NULL and a message when
 * there are too many. */
struct config_documents *kv_rows_documents(const struct kv_rows *rows, const char *prefix,
                                           struct err *e) MUST_CHECK;
