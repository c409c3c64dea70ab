/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - `fleet:`, several gateways that show each other their breakers. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

static const char *name_problem(const char *text)
{
    if (strlen(text) > 100)
        return "is longer than 100 bytes";
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || *text == '/')
            return "holds a slash, space or control character";
    return NULL;
}

static const char *prefix_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 200 || text[0] == '/' || text[n - 1] == '/' || strstr(text, "//"))
        return "is not a prefix such as frontdesk or ops/frontdesk";
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return "holds a space or control character";
    return NULL;
}

static int address_read(struct reader *r, const struct node *n, void *at)
{
    const char *host;
    uint16_t port;

    if (n->kind != NODE_TEXT || !value_address(r->arena, n->text, &host, &port) || !host[0])
        return node_expected(n, r->err, "host:port");
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

static const struct field fleet_fields[] = {
    BOOLEAN("enabled", fleet_conf, wanted, "true", "Be part of the fleet. Needs `consul`."),
    {.key = "name",
     .type = FIELD_STRING,
     .offset = FIELD_AT(fleet_conf, name, const char *),
     .shown = "the host's name",
     .check = name_problem,
     .help = "This gateway's name among the others. When another one has it already, `-2` to `-9` "
             "is added."},
    STRING("prefix", fleet_conf, prefix, "frontdesk", prefix_problem,
           "Where in Consul's KV store the fleet meets."),
    {.key = "address",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(fleet_conf, address, const char *),
     .read = address_read,
     .kind = "address",
     .shown = "the first listener",
     .help = "Where clients reach this gateway, as Consul and the others are told."},
    DURATION("session_ttl", fleet_conf, session_ttl_ms, 10 * SECONDS, HOURS, "30s",
             "A gateway that dies is gone from the others' pages after one to two of these."),
};
const struct section fleet_section = {fleet_fields, ARRAY_LEN(fleet_fields)};

int fleet_finish(struct reader *r, const struct node *n, void *at)
{
    struct fleet_conf *f = at;

    (void)r;
    (void)n;
    f->enabled = f->wanted;
    return 0;
}

int fleet_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct fleet_conf *f = at;

    if (strcmp(n->text, "true") != 0 && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "true, false or a map such as { name: gw-1 }");
    f->enabled = strcmp(n->text, "true") == 0;
    return 0;
}
