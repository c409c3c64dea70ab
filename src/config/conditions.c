/* SPDX-License-Identifier: Apache-2.0 */
/* conditions.c - `headers:` and `query:` of a route: what must hold of a request. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

struct condition_draft {
    const char *name, *value, *prefix, *regex;
    bool present, invert;
};

static const struct field condition_fields[] = {
    STRING("name", condition_draft, name, NULL, value_name_problem,
           "Header or query parameter. Required."),
    STRING("value", condition_draft, value, NULL, value_header_value_problem, "Its whole value."),
    STRING("prefix", condition_draft, prefix, NULL, value_header_value_problem,
           "The beginning of its value."),
    STRING("regex", condition_draft, regex, NULL, value_regex_problem,
           "A regular expression (RE2) that is found somewhere in its value."),
    BOOLEAN("present", condition_draft, present, "false", "It is there, whatever its value."),
    BOOLEAN("invert", condition_draft, invert, "false",
            "The opposite must hold: another value, or absent."),
};
const struct section condition_section = {condition_fields, ARRAY_LEN(condition_fields)};

static int condition_read(struct reader *r, const struct node *n, void *at)
{
    struct condition_draft draft = {.name = NULL};
    struct match_conf *m = at;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { name: x-canary, value: \"yes\" }");
    if (section_read(r, &condition_section, n, &draft) < 0)
        return -1;
    if (!draft.name)
        return node_error(n, r->err, "a condition needs a name");
    if (!!draft.value + !!draft.prefix + !!draft.regex + draft.present != 1)
        return node_error(n, r->err,
                          "expected exactly one of value, prefix, regex and present: true");
    m->name = draft.name;
    m->value = draft.prefix ? draft.prefix : draft.regex ? draft.regex : draft.value;
    m->prefix = draft.prefix != NULL;
    m->regex = draft.regex != NULL;
    m->invert = draft.invert;
    return 0;
}

int condition_headers_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;

    c->headers = list_read(r, n, "a list of conditions", MAX_CONDITIONS, sizeof *c->headers,
                           condition_read, &c->nheaders);
    for (size_t i = 0; c->headers && i < c->nheaders; i++)
        if (!value_is_token(c->headers[i].name))
            return node_error(n, r->err, "\"%s\" is not a header name", c->headers[i].name);
    return c->headers ? 0 : -1;
}

int condition_query_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;

    c->query = list_read(r, n, "a list of conditions", MAX_CONDITIONS, sizeof *c->query,
                         condition_read, &c->nquery);
    return c->query ? 0 : -1;
}
