/* SPDX-License-Identifier: Apache-2.0 */
/* networks.c - lists of addresses and networks, as several sections have them. */
#include "config/cidr.h"
#include "config/sections.h"
#include "config/value.h"

static int cidr_read(struct reader *r, const struct node *n, void *at)
{
    const char *problem;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, "an IP address or network such as 10.0.0.0/8");
    problem = value_cidr_problem(n->text, at);
    return problem ? node_error(n, r->err, "\"%.60s\" %s", n->text, problem) : 0;
}

int cidr_list_read(struct reader *r, const struct node *n, void *at)
{
    struct cidr_list *list = at, read;

    if (node_is_null(n))
        return 0;
    read.items = list_read(r, n, "a list of addresses and networks", MAX_NETWORKS,
                           sizeof *read.items, cidr_read, &read.n);
    if (!read.items)
        return -1;
    cidr_list_prepare(&read);
    *list = read;
    return 0;
}
