/* SPDX-License-Identifier: Apache-2.0 */
/* compression.c - `compression:`, of all routes and of one. */
#include "config/sections.h"

#include <string.h>

enum { MAX_COMPRESSED_TYPES = 64 };

/* In the order of enum coding. */
static const char *const coding_words[] = {"identity", "gzip", "br", "zstd"};
static const char *const level_words[] = {"fast", "default", "best", NULL};
static const char *const breach_words[] = {"protect", "off", NULL};
static const char *const usual_types[] = {"text/*",
                                          "application/json",
                                          "application/*+json",
                                          "application/javascript",
                                          "application/xml",
                                          "application/*+xml",
                                          "image/svg+xml",
                                          "application/manifest+json",
                                          NULL};

static int coding_read(struct reader *r, const struct node *n, void *at)
{
    for (unsigned i = 1; n->kind == NODE_TEXT && i < ARRAY_LEN(coding_words); i++)
        if (strcmp(n->text, coding_words[i]) == 0) {
            *(unsigned *)at = i;
            return 0;
        }
    return node_expected(n, r->err, "zstd, br or gzip");
}

static int codings_read(struct reader *r, const struct node *n, void *at)
{
    struct compression_conf *c = at;
    unsigned *list = list_read(r, n, "a list such as [br, gzip]", MAX_COMPRESSION_CODINGS,
                               sizeof *list, coding_read, &c->ncodings);

    if (!list)
        return -1;
    if (c->ncodings == 0)
        return node_error(n, r->err, "a list without codings compresses nothing");
    for (size_t i = 0; i < c->ncodings; i++) {
        c->codings[i] = list[i];
        for (size_t k = 0; k < i; k++)
            if (list[k] == list[i])
                return node_error(n, r->err, "%s is there twice", coding_words[list[i]]);
    }
    return 0;
}

static int types_read(struct reader *r, const struct node *n, void *at)
{
    size_t count;
    const char **items = list_read(r, n, "a list of media types", MAX_COMPRESSED_TYPES,
                                   sizeof *items, media_type_item_read, &count);
    const char **types;

    if (!items)
        return -1;
    types = ARENA_ARRAY(r->arena, const char *, count + 1);
    memcpy(types, items, count * sizeof *types);
    *(const char *const **)at = types;
    return 0;
}

static const struct field compression_fields[] = {
    {.key = "codings",
     .type = FIELD_CUSTOM,
     .read = codings_read,
     .kind = "list of `zstd`, `br`, `gzip`",
     .shown = "`[zstd, br, gzip]`",
     .help = "Codings, the preferred one first; the client's `Accept-Encoding` decides."},
    {.key = "level",
     .type = FIELD_WORD,
     .offset = FIELD_AT(compression_conf, level, int),
     .words = level_words,
     .dflt = "default",
     .help = "Time against size: gzip 1, 5 or 9; br 1, 4 or 9; zstd 1, 3 or 9."},
    SIZE("min_size", compression_conf, min_size, 0, 64 << 20, "1k",
         "Smaller answers stay as they are; those that do not say how long they are count as "
         "large."),
    {.key = "types",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(compression_conf, types, const char *const *),
     .read = types_read,
     .kind = "list of media types",
     .shown = "text, JSON, XML, JavaScript, SVG",
     .help = "What is compressed: `text/*`, `application/json`, `application/*+json`."},
    {.key = "breach",
     .type = FIELD_WORD,
     .offset = FIELD_AT(compression_conf, breach, int),
     .words = breach_words,
     .dflt = "protect",
     .help = "`protect`: no answer to a request with cookies, a password or a client certificate, "
             "unless it says `public`; its length could tell a secret in it. `off`: those too."},
};
const struct section compression_section = {compression_fields, ARRAY_LEN(compression_fields)};

static void usual(struct reader *r, struct compression_conf *c)
{
    static const unsigned codings[] = {3, 2, 1};

    section_defaults(r, &compression_section, c);
    memcpy(c->codings, codings, sizeof codings);
    c->ncodings = ARRAY_LEN(codings);
    c->types = usual_types;
}

int compression_read(struct reader *r, const struct node *n, void *at)
{
    struct compression_conf *c = ARENA_ARRAY(r->arena, struct compression_conf, 1);
    bool word = n->kind == NODE_TEXT, off = word && strcmp(n->text, "false") == 0;

    usual(r, c);
    if (word ? !off && strcmp(n->text, "true") != 0 : n->kind != NODE_MAP)
        return node_expected(n, r->err, "true, false, or a map such as { codings: [gzip] }");
    if (!word && section_read(r, &compression_section, n, c) < 0)
        return -1;
    c->enabled = !off;
    *(const struct compression_conf **)at = c;
    return 0;
}
