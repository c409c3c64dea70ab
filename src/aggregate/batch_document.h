/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* batch_document.h - what a client sends as a batch, and what it gets. Pure.
 *
 *   {"sequential": false, "stop_on_error": false,
 *    "requests": [{"id": "a", "method": "GET", "path": "/x?y", "headers": {"Name": "value"},
 * "body": any}]}
 *   {"responses": [{"id": "a", "status": 200, "headers": {...}, "body": any}]}
 */
#include "base/reason.h"
#include "json/value.h"

struct batch_item {
    const struct value *id; /* as written; NULL = its index */
    struct str method, path;
    struct str fields;        /* lines of its headers */
    bool has_type;            /* Content-Type is among them */
    const struct value *body; /* NULL = none */
    const char *wrong;        /* why it cannot be sent; NULL = it can */
};

struct batch {
    struct batch_item *items;
    size_t n;
    bool sequential, stop_on_error;
};

/* Beside what is never taken: may a client bring a field of that name in an item? */
typedef bool batch_field_fn(void *arg, struct str name);

/* False and *ret_why (static) when the whole is of no use; an item that cannot be sent says so
 * itself. Everything is in the arena. */
bool batch_parse(struct arena *a, struct str text, size_t max_requests, batch_field_fn *may_bring,
                 void *arg, struct batch *ret, const char **ret_why) MUST_CHECK;

/* An answer that the gateway makes, as a problem document, in place of one. False: memory. */
bool batch_write_problem(enum reason why, unsigned status, const char *detail,
                         struct bytes *to) MUST_CHECK;
