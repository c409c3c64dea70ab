/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - `batch:` of a route. */
#include "config/sections.h"

#include <string.h>

static const struct field batch_fields[] = {
    UNSIGNED("max_requests", batch_conf, max_requests, 1, 1000, "20", "Requests in one batch."),
    UNSIGNED("concurrency", batch_conf, concurrency, 1, 64, "8", "Of these, under way at once."),
    DURATION("deadline", batch_conf, deadline_ms, 1, HOURS, "10s",
             "Of the whole batch; a request without an answer by then has 504."),
    SIZE("max_request", batch_conf, max_request, 1024, 64 << 20, "1m", "Largest batch."),
    SIZE("max_answer", batch_conf, max_answer, 1024, 64 << 20, "1m",
         "Largest answer to one of its requests."),
    SIZE("max_total", batch_conf, max_total, 1024, 256 << 20, "8m", "All answers together."),
};
const struct section batch_section = {batch_fields, ARRAY_LEN(batch_fields)};

int batch_read(struct reader *r, const struct node *n, void *at)
{
    struct batch_conf *c = ARENA_ARRAY(r->arena, struct batch_conf, 1);
    bool word = n->kind == NODE_TEXT;

    section_defaults(r, &batch_section, c);
    if (word ? strcmp(n->text, "true") != 0 : n->kind != NODE_MAP)
        return node_expected(n, r->err, "true, or a map such as { max_requests: 10 }");
    if (!word && section_read(r, &batch_section, n, c) < 0)
        return -1;
    *(const struct batch_conf **)at = c;
    return 0;
}
