/* SPDX-License-Identifier: Apache-2.0 */
/* route_cache.c - `cache:` of a route. */
#include "config/sections.h"

#include <string.h>

static const char *const by_words[] = {"everybody", "identity", NULL};

static const struct field cache_fields[] = {
    DURATION("ttl", route_cache_conf, ttl_ms, 0, 30ll * 24 * HOURS, "0s",
             "How long an answer is fresh that does not say so itself; 0 = it is not stored."),
    DURATION("max_ttl", route_cache_conf, max_ttl_ms, 0, 365ll * 24 * HOURS, "0s",
             "No answer is fresh for longer, whatever it says; 0 = no bound."),
    DURATION("stale_while_revalidate", route_cache_conf, stale_while_revalidate_ms, 0,
             30ll * 24 * HOURS, "0s",
             "How long an answer that is not fresh any more is given all the same while the "
             "service is asked again; what the answer says of it goes before (RFC 5861)."),
    DURATION("wait", route_cache_conf, wait_ms, 0, MINUTES, "5s",
             "How long requests wait for the answer to an equal one that is under way; 0 = each "
             "goes by itself."),
    {.key = "by",
     .type = FIELD_WORD,
     .offset = FIELD_AT(route_cache_conf, by, int),
     .words = by_words,
     .dflt = "everybody",
     .help = "Whose answers they are. `identity`: what somebody who was authenticated gets is kept "
             "for them alone, `private` answers too."},
    BOOLEAN("obey_clients", route_cache_conf, obeys_clients, "false",
            "`Cache-Control` and `Pragma` of requests count: any client can have the service "
            "asked."),
};
const struct section route_cache_section = {cache_fields, ARRAY_LEN(cache_fields)};

int route_cache_read(struct reader *r, const struct node *n, void *at)
{
    struct route_cache_conf *c = ARENA_ARRAY(r->arena, struct route_cache_conf, 1);
    bool word = n->kind == NODE_TEXT;

    section_defaults(r, &route_cache_section, c);
    if (word && strcmp(n->text, "false") == 0)
        return 0;
    if (word ? strcmp(n->text, "true") != 0 : n->kind != NODE_MAP)
        return node_expected(n, r->err, "true, false, or a map such as { ttl: 10s }");
    if (!word && section_read(r, &route_cache_section, n, c) < 0)
        return -1;
    c->enabled = true;
    *(const struct route_cache_conf **)at = c;
    return 0;
}
