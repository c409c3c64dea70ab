/* SPDX-License-Identifier: Apache-2.0 */
/* header_changes.c - `request_headers:` and `response_headers:` of a route. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>
#include <strings.h>

struct changes {
    struct header_change *items;
    size_t n;
};

/* Removals come first, then set, then add: so `remove` and `add` of one name replace it. */
static int add_change(struct reader *r, const struct node *n, struct changes *c, int op,
                      const char *name, const char *value)
{
    const char *problem = value_header_problem(name);

    if (problem)
        return node_error(n, r->err, "\"%.60s\" %s", name, problem);
    if (c->n == MAX_HEADER_CHANGES)
        return node_error(n, r->err, "at most %d changes are allowed here", MAX_HEADER_CHANGES);
    for (size_t i = 0; i < c->n; i++)
        if ((int)c->items[i].op == op && strcasecmp(c->items[i].name, name) == 0)
            return node_error(n, r->err, "\"%.60s\" is there twice", name);
    c->items[c->n].op = op;
    c->items[c->n].name = arena_strdup(r->arena, name);
    c->items[c->n++].value = value;
    return 0;
}

static int remove_read(struct reader *r, const struct node *n, void *at)
{
    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of header names");
    node_each(it, n)
    {
        if (it->kind != NODE_TEXT)
            return node_expected(it, r->err, "a header name");
        if (add_change(r, it, at, HEADER_REMOVE, it->text, NULL) < 0)
            return -1;
    }
    return 0;
}

static int values_read(struct reader *r, const struct node *n, struct changes *c, int op)
{
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "header names and values");
    node_each(it, n)
    {
        const char *value = text_read(r, it, "a header value", value_header_value_problem);

        if (!value || add_change(r, it, c, op, it->key, value) < 0)
            return -1;
    }
    return 0;
}

static int set_read(struct reader *r, const struct node *n, void *at)
{
    return values_read(r, n, at, HEADER_SET);
}

static int add_read(struct reader *r, const struct node *n, void *at)
{
    return values_read(r, n, at, HEADER_ADD);
}

static const struct field change_fields[] = {
    {.key = "remove",
     .type = FIELD_CUSTOM,
     .read = remove_read,
     .kind = "list of names",
     .help = "Headers to take out, first of all."},
    {.key = "set",
     .type = FIELD_CUSTOM,
     .read = set_read,
     .kind = "map of values",
     .help = "Headers to write, in place of what was there."},
    {.key = "add",
     .type = FIELD_CUSTOM,
     .read = add_read,
     .kind = "map of values",
     .help = "Headers to write besides what is there."},
};
const struct section change_section = {change_fields, ARRAY_LEN(change_fields)};

/* Reads the three keys in their order of effect, whatever the order of writing. */
static int changes_read(struct reader *r, const struct node *n, struct header_change **ret_items,
                        size_t *ret_n)
{
    struct changes c = {ARENA_ARRAY(r->scratch, struct header_change, MAX_HEADER_CHANGES), 0};
    struct changes unordered = {ARENA_ARRAY(r->scratch, struct header_change, MAX_HEADER_CHANGES),
                                0};

    if (section_read(r, &change_section, n, &unordered) < 0)
        return -1;
    for (int op = 0; op < 3; op++) {
        static const int order[] = {HEADER_REMOVE, HEADER_SET, HEADER_ADD};

        for (size_t i = 0; i < unordered.n; i++)
            if ((int)unordered.items[i].op == order[op])
                c.items[c.n++] = unordered.items[i];
    }
    *ret_items = ARENA_ARRAY(r->arena, struct header_change, c.n);
    memcpy(*ret_items, c.items, c.n * sizeof *c.items);
    *ret_n = c.n;
    return 0;
}

int request_headers_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;

    return changes_read(r, n, &c->request_headers, &c->nrequest_headers);
}

int response_headers_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;

    return changes_read(r, n, &c->response_headers, &c->nresponse_headers);
}
