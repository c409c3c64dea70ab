/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c - `registration:`, the gateway as a service of Consul's catalog. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

enum { MAX_TAGS = 64, MAX_META = 48, MAX_META_KEY = 128, MAX_META_VALUE = 512 };

static const char *text_problem(const char *text)
{
    if (!*text)
        return "is empty";
    if (strlen(text) > 200)
        return "is longer than 200 bytes";
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || *text == '/')
            return "holds a slash, space or control character";
    return NULL;
}

static const char *tag_problem(const char *text)
{
    if (!*text)
        return "is empty";
    return strlen(text) > 512 ? "is longer than 512 bytes" : NULL;
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

static int tag_read(struct reader *r, const struct node *n, void *at)
{
    const char *text = text_read(r, n, "a tag", tag_problem);

    *(const char **)at = text;
    return text ? 0 : -1;
}

static int tags_read(struct reader *r, const struct node *n, void *at)
{
    struct registration_conf *c = at;

    c->tags = list_read(r, n, "a list of tags", MAX_TAGS, sizeof *c->tags, tag_read, &c->ntags);
    return c->tags ? 0 : -1;
}

/* What Consul takes as a key: letters, digits, - and _, and nothing that begins with "consul-". */
static const char *meta_key_problem(const char *key)
{
    if (strlen(key) > MAX_META_KEY || !*key)
        return "is empty or longer than 128 bytes";
    if (strncmp(key, "consul-", strlen("consul-")) == 0)
        return "begins with consul-, which Consul keeps for itself";
    for (; *key; key++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *key))
            return "holds something else than letters, digits, - and _";
    return NULL;
}

static int meta_read(struct reader *r, const struct node *n, void *at)
{
    struct registration_conf *c = at;
    struct registration_meta *items;

    if (n->kind != NODE_MAP || n->n > MAX_META)
        return node_expected(n, r->err, "a map of at most 48 texts");
    items = ARENA_ARRAY(r->arena, struct registration_meta, n->n);
    node_each(pair, n)
    {
        const char *problem = meta_key_problem(pair->key);

        if (problem)
            return node_error(pair, r->err, "the key %s", problem);
        if (pair->kind != NODE_TEXT || strlen(pair->text) > MAX_META_VALUE)
            return node_expected(pair, r->err, "a text of at most 512 bytes");
        items[c->nmeta++] = (struct registration_meta){arena_strdup(r->arena, pair->key),
                                                       arena_strdup(r->arena, pair->text)};
    }
    c->meta = items;
    return 0;
}

static const struct field registration_fields[] = {
    BOOLEAN("enabled", registration_conf, wanted, "true",
            "Register. Needs `consul`, and a token with service write for the name."),
    STRING("name", registration_conf, name, "frontdesk", text_problem, "Name of the service."),
    {.key = "id",
     .type = FIELD_STRING,
     .offset = FIELD_AT(registration_conf, id, const char *),
     .shown = "name, host and port",
     .check = text_problem,
     .help = "Its ID, which no other service of the same agent may have."},
    {.key = "address",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(registration_conf, address, const char *),
     .read = address_read,
     .kind = "address",
     .shown = "the first listener",
     .help = "Where clients reach this gateway. A wildcard host means the node's own address."},
    {.key = "tags",
     .type = FIELD_CUSTOM,
     .read = tags_read,
     .kind = "list of texts",
     .shown = "none",
     .help = "Tags of the service."},
    {.key = "meta",
     .type = FIELD_CUSTOM,
     .read = meta_read,
     .kind = "map of texts",
     .shown = "none",
     .help =
         "Its meta, beside `version`, `admin` and `frontdesk-gateway`, which are always there."},
    DURATION("check_interval", registration_conf, check_interval_ms, SECONDS, HOURS, "10s",
             "How often the agent connects to each listener."),
    DURATION("deregister_after", registration_conf, deregister_after_ms, MINUTES, 72 * HOURS, "10m",
             "A gateway that died leaves the catalog after this."),
};
const struct section registration_section = {registration_fields, ARRAY_LEN(registration_fields)};

int registration_finish(struct reader *r, const struct node *n, void *at)
{
    struct registration_conf *c = at;

    (void)r;
    (void)n;
    c->enabled = c->wanted;
    c->refused = !c->wanted;
    return 0;
}

int registration_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct registration_conf *c = at;

    if (strcmp(n->text, "true") != 0 && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err, "true, false or a map such as { name: edge }");
    c->enabled = strcmp(n->text, "true") == 0;
    c->refused = !c->enabled;
    return 0;
}

int registration_check(struct reader *r, const struct node *root)
{
    struct registration_conf *c = &r->config->registration;

    if (c->enabled && !r->config->consul.enabled)
        return node_error(node_get(root, "registration"), r->err,
                          "the gateway registers in Consul: needs consul");
    c->enabled |= r->config->fleet.enabled && !c->refused;
    return 0;
}
