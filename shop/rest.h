/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rest.h - a service's REST interface: method, path, query and body to an answer. No I/O.
 *
 *   GET    /PATH/            all items; ?FIELD=VALUE filters, ?search=WORD looks for a word
 *   GET    /PATH/ID          one item
 *   POST   /PATH/            a new item: 201 with its id, 422 when it breaks a rule
 *   PATCH  /PATH/ID          changes fields
 *   DELETE /PATH/ID          204
 */
#include "store.h"

struct rest_request {
    const char *method;
    const char *path; /* decoded, no query */
    const char *body; /* `body_bytes` bytes */
    size_t body_bytes;
    json_t *query; /* borrowed, object of strings */
};

struct rest_answer {
    int status;
    json_t *body; /* owned; NULL = none */
};

struct rest_answer rest_handle(const struct kind *kind, struct store *store,
                               const struct rest_request *r);
struct rest_answer rest_problem(int status, const char *what);
