/* SPDX-License-Identifier: Apache-2.0 */
/* edge.c - what a listener or a route asks for before anybody asks who sends a request: PROXY
 * protocol, media types; and the security headers of answers. */
#include "config/cidr.h"
#include "config/sections.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static const char *const proxy_versions[] = {"any", "v1", "v2", NULL};

struct proxy_draft {
    struct proxy_protocol_conf conf;
    int version; /* position in proxy_versions */
};

static const struct field proxy_protocol_fields[] = {
    {.key = "version",
     .type = FIELD_WORD,
     .offset = FIELD_AT(proxy_draft, version, int),
     .words = proxy_versions,
     .dflt = "any",
     .help = "Which headers are taken."},
    {.key = "from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(proxy_draft, conf.from, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "required",
     .help = "The proxies: addresses and networks. Connections of others are closed."},
    SIZE("max_bytes", proxy_draft, conf.max_bytes, 52, 16384, "2k",
         "Largest header of version 2, additional fields included."),
};
const struct section proxy_protocol_section = {proxy_protocol_fields,
                                               ARRAY_LEN(proxy_protocol_fields)};

int listener_proxy_read(struct reader *r, const struct node *n, void *at)
{
    static const unsigned sets[] = {PROXY_PROTOCOL_V1 | PROXY_PROTOCOL_V2, PROXY_PROTOCOL_V1,
                                    PROXY_PROTOCOL_V2};
    struct proxy_draft d = {.version = 0};
    struct proxy_protocol_conf *conf = ARENA_NEW(r->arena, struct proxy_protocol_conf);

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { from: [10.0.0.0/8] }");
    section_defaults(r, &proxy_protocol_section, &d);
    if (section_read(r, &proxy_protocol_section, n, &d) < 0)
        return -1;
    if (d.conf.from.n == 0)
        return node_error(n, r->err, "says whom to believe: from: [ADDRESS...]");
    *conf = d.conf;
    conf->versions = sets[d.version];
    *(const struct proxy_protocol_conf **)at = conf;
    return 0;
}

/* "type/subtype", "type/" "*", "type/" "*+suffix", "*" "/" "*". */
static const char *media_type_problem(const char *text)
{
    const char *slash = strchr(text, '/'), *star = strchr(text, '*');
    char *type;
    bool fine;

    if (!slash || slash == text || !slash[1])
        return "is not a media type such as application/json or image/*";
    if (strcmp(text, "*/*") == 0)
        return NULL;
    type = strndup(text, (size_t)(slash - text));
    fine = type && value_is_token(type) && value_is_token(slash + 1);
    free(type);
    if (!fine || (star && star != slash + 1) || (star && star[1] && star[1] != '+') ||
        (star && strchr(star + 1, '*')))
        return "is not a media type such as application/json, image/* or application/*+json";
    return NULL;
}

int media_type_item_read(struct reader *r, const struct node *n, void *at)
{
    const char *text = text_read(r, n, "a media type", media_type_problem);

    *(const char **)at = text;
    return text ? 0 : -1;
}

int content_types_read(struct reader *r, const struct node *n, void *at)
{
    struct route_edge_conf *c = at;
    size_t count;
    const char **items = list_read(r, n, "a list of media types", MAX_CONTENT_TYPES, sizeof *items,
                                   media_type_item_read, &count);
    const char **types;

    if (!items)
        return -1;
    if (count == 0)
        return node_error(n, r->err, "a list without media types lets no body in");
    c->content_types = types = ARENA_ARRAY(r->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        types[i] = items[i];
        c->accept = c->accept ? arena_printf(r->arena, "%s, %s", c->accept, items[i]) : items[i];
    }
    return 0;
}

/* The security headers that have a key of their own, and what `strict` says. */
enum { SECURITY_HEADERS = 8 };
static const struct header_conf security_names[SECURITY_HEADERS] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "strict-origin-when-cross-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
    {"Content-Security-Policy", NULL},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", NULL},
};
static const char *const strict_removes[] = {"Server", "X-Powered-By", NULL};
static const char *const presets[] = {"none", "strict", NULL};

struct security_draft {
    int preset; /* position in presets; -1 = as for all routes */
    const char *values[SECURITY_HEADERS];
    const char *const *remove;
    bool override;
};

static const char *security_value_problem(const char *text)
{
    return text[0] ? value_header_value_problem(text) : "is empty; off takes a header out";
}

static int preset_read(struct reader *r, const struct node *n, void *at)
{
    for (int i = 0; n->kind == NODE_TEXT && presets[i]; i++)
        if (strcmp(n->text, presets[i]) == 0) {
            *(int *)at = i;
            return 0;
        }
    return node_expected(n, r->err, "none or strict");
}

static int removed_name_read(struct reader *r, const struct node *n, void *at)
{
    const char *text = text_read(r, n, "a header name", value_header_problem);

    *(const char **)at = text;
    return text ? 0 : -1;
}

static int remove_read(struct reader *r, const struct node *n, void *at)
{
    size_t count;
    const char **items = list_read(r, n, "a list of header names", MAX_HEADER_CHANGES,
                                   sizeof *items, removed_name_read, &count);
    const char **names = items ? ARENA_ARRAY(r->arena, const char *, count + 1) : NULL;

    for (size_t i = 0; items && i < count; i++)
        names[i] = items[i];
    *(const char *const **)at = names;
    return names ? 0 : -1;
}

#define SECURITY_TEXT(key_, i, help_)                                                              \
    STRING(key_, security_draft, values[i], NULL, security_value_problem, help_)

static const struct field security_fields[] = {
    {.key = "preset",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(security_draft, preset, int),
     .read = preset_read,
     .kind = "`none`, `strict`",
     .shown = "of a route: as for all routes",
     .help = "What to begin with. `strict`: the values that the other keys name, and removes "
             "`Server` and `X-Powered-By`."},
    SECURITY_TEXT("content_type_options", 0, "`X-Content-Type-Options`; strict: `nosniff`."),
    SECURITY_TEXT("frame_options", 1, "`X-Frame-Options`; strict: `DENY`."),
    SECURITY_TEXT("referrer_policy", 2,
                  "`Referrer-Policy`; strict: `strict-origin-when-cross-origin`."),
    SECURITY_TEXT("permissions_policy", 3,
                  "`Permissions-Policy`; strict: no camera, geolocation and microphone."),
    SECURITY_TEXT("content_security_policy", 4, "`Content-Security-Policy`; strict: none."),
    SECURITY_TEXT("opener_policy", 5, "`Cross-Origin-Opener-Policy`; strict: `same-origin`."),
    SECURITY_TEXT("resource_policy", 6, "`Cross-Origin-Resource-Policy`; strict: `same-origin`."),
    SECURITY_TEXT("embedder_policy", 7, "`Cross-Origin-Embedder-Policy`; strict: none."),
    {.key = "remove",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(security_draft, remove, const char *const *),
     .read = remove_read,
     .kind = "list of names",
     .shown = "as the preset",
     .help = "Headers that are taken off the service's answers."},
    {.key = "override",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(security_draft, override, bool),
     .shown = "`false`",
     .help = "Write the headers in place of what the service says, not only where it says "
             "nothing."},
};
const struct section security_section = {security_fields, ARRAY_LEN(security_fields)};

/* What holds where the keys say nothing. */
static void security_begin(struct security_draft *d, const struct security_headers_conf *base)
{
    if (d->preset == 1) {
        for (int i = 0; i < SECURITY_HEADERS; i++)
            d->values[i] = security_names[i].value;
        d->remove = strict_removes;
    }
    if (d->preset >= 0 || !base)
        return;
    for (size_t f = 0; f < base->n; f++)
        for (int i = 0; i < SECURITY_HEADERS; i++)
            if (strcmp(base->fields[f].name, security_names[i].name) == 0)
                d->values[i] = base->fields[f].value;
    d->remove = base->remove;
    d->override = base->override;
}

static const struct security_headers_conf *security_make(struct arena *a,
                                                         const struct security_draft *d)
{
    static const char *const nothing[] = {NULL};
    struct security_headers_conf *conf = ARENA_NEW(a, struct security_headers_conf);
    struct header_conf *fields = ARENA_ARRAY(a, struct header_conf, SECURITY_HEADERS);

    for (int i = 0; i < SECURITY_HEADERS; i++)
        if (d->values[i] && strcmp(d->values[i], "off") != 0)
            fields[conf->n++] = (struct header_conf){security_names[i].name, d->values[i]};
    conf->fields = fields;
    conf->remove = d->remove ? d->remove : nothing;
    conf->override = d->override;
    return conf;
}

int security_read(struct reader *r, const struct node *n, void *at)
{
    const struct security_headers_conf **ret = at, *base = r->config->security_headers;
    struct security_draft d = {.preset = -1};
    const struct node *preset = n;

    if (n->kind == NODE_MAP)
        preset = node_get(n, "preset");
    if (preset && preset_read(r, preset, &d.preset) < 0)
        return -1;
    security_begin(&d, base);
    if (n->kind == NODE_MAP && section_read(r, &security_section, n, &d) < 0)
        return -1;
    *ret = security_make(r->arena, &d);
    return 0;
}
