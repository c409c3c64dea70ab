/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.c - lists of gRPC status codes. */
#include "base/grpc_code.h"
#include "config/sections.h"

int grpc_status_add(struct reader *r, const struct node *n, const char *text, uint32_t *set)
{
    unsigned code;

    if (!grpc_code_parse(text, &code) || code == 0)
        return node_expected(n, r->err, "a status of gRPC that is a failure, as 14 or unavailable");
    *set |= 1u << code;
    return 0;
}

int grpc_statuses_read(struct reader *r, const struct node *n, void *at)
{
    struct breaker_conf *b = at;

    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of gRPC statuses");
    b->failure_grpc_statuses = 0;
    node_each(it, n)
    {
        if (it->kind != NODE_TEXT)
            return node_expected(it, r->err, "a gRPC status");
        if (grpc_status_add(r, it, it->text, &b->failure_grpc_statuses) < 0)
            return -1;
    }
    return 0;
}
