/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_word.h"
#include "base/alloc.h"
#include "json/text.h"

#include <openssl/evp.h>
#include <string.h>

/* What one look into the store makes. */
struct parse {
    struct fleet_view *view;
    const char *prefix;
    size_t prefix_n;
    size_t cap_gateways, cap_words;
};

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

static const char *keep(struct parse *p, const char *text)
{
    return arena_strdup(p->view->arena, text);
}

/* A member that must be text of 1 to `max` bytes, or may be missing when `dflt` is not NULL. */
static const char *text_of(struct parse *p, json_t *o, const char *key, size_t max,
                           const char *dflt)
{
    json_t *v = json_object_get(o, key);
    size_t n = json_string_length(v);

    if (!v || json_is_null(v))
        return dflt;
    if (!json_is_string(v) || n == 0 || n > max)
        return n == 0 && json_is_string(v) ? dflt : NULL;
    return keep(p, json_string_value(v));
}

static int64_t time_of(json_t *o, const char *key)
{
    json_int_t t = json_integer_value(json_object_get(o, key));

    return t > 0 ? (int64_t)t : 0;
}

/* The decoded value as JSON; NULL when it is none. */
static json_t *value_of(json_t *row)
{
    const char *text = json_string_value(json_object_get(row, "Value"));
    size_t n = text ? strlen(text) : 0;
    unsigned char *raw;
    json_t *value = NULL;
    int got;

    if (n == 0 || n % 4 != 0 || n > FLEET_VALUE_MAX / 3 * 4 + 4)
        return NULL;
    raw = alloc_or_abort(n);
    got = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)n);
    if (got > 0) {
        /* EVP_DecodeBlock counts the padding as bytes. */
        for (size_t i = n; i > n - 2 && text[i - 1] == '='; i--)
            got--;
        value = json_loadb((const char *)raw, (size_t)got, 0, NULL);
    }
    free(raw);
    if (value && !json_is_object(value)) {
        json_decref(value);
        value = NULL;
    }
    return value;
}

static bool read_entry(struct parse *p, json_t *o, struct fleet_entry *e)
{
    json_t *instance = json_object_get(o, "instance");

    *e = (struct fleet_entry){
        .service = text_of(p, o, "service", FLEET_NAME_MAX, NULL),
        .instance = text_of(p, o, "instance", INSTANCE_LABEL_MAX, NULL),
        .state = text_of(p, o, "state", 32, NULL),
        .cause = text_of(p, o, "cause", 64, ""),
        .since_ms = time_of(o, "since"),
        .until_ms = time_of(o, "until"),
    };
    return e->service && e->state && e->cause &&
           (e->instance || !instance || json_is_null(instance));
}

static void read_entries(struct parse *p, json_t *list, struct fleet_gateway *g)
{
    size_t n = json_array_size(list), room = at_most(n, FLEET_ENTRIES_MAX);
    struct fleet_entry *entries = ARENA_ARRAY(p->view->arena, struct fleet_entry, room);

    g->entries = entries;
    for (size_t i = 0; i < n; i++) {
        if (g->n < room && read_entry(p, json_array_get(list, i), &entries[g->n]))
            g->n++;
        else
            p->view->skipped++;
    }
}

static bool read_gateway(struct parse *p, const char *name, json_t *row, json_t *value)
{
    struct fleet_gateway *g = &p->view->gateways[p->view->ngateways];
    json_int_t more = json_integer_value(json_object_get(value, "more"));

    *g = (struct fleet_gateway){
        .name = keep(p, name),
        .address = text_of(p, value, "address", 256, ""),
        .version = text_of(p, value, "version", 64, ""),
        .held = json_string_length(json_object_get(row, "Session")) > 0,
        .more = more > 0 ? (uint64_t)more : 0,
    };
    if (!g->address || !g->version)
        return false;
    read_entries(p, json_object_get(value, "open"), g);
    p->view->ngateways++;
    return true;
}

static bool read_word(struct parse *p, const char *service, json_t *row, json_t *value)
{
    struct fleet_word *w = &p->view->words[p->view->nwords];
    const char *state = text_of(p, value, "state", 32, NULL);
    json_int_t index = json_integer_value(json_object_get(row, "ModifyIndex"));

    *w = (struct fleet_word){
        .service = keep(p, service),
        .what = state ? operation_parse(state) : OPERATION_COUNT,
        .at_ms = time_of(value, "at"),
        .until_ms = time_of(value, "until"),
        .author = text_of(p, value, "author", AUTHOR_MAX, ""),
        .why = text_of(p, value, "why", WHY_MAX, ""),
        .by = text_of(p, value, "by", FLEET_NAME_MAX, ""),
        .modify_index = index > 0 ? (uint64_t)index : 0,
    };
    if (w->what > OPERATE_SHADOW || !w->until_ms || !w->author || !w->why || !w->by ||
        w->until_ms - w->at_ms > (int64_t)OPERATE_TTL_MAX_MS)
        return false;
    p->view->nwords++;
    return true;
}

/* "PREFIX/PART/NAME": the name, or NULL. */
static const char *name_below(const struct parse *p, const char *key, const char *part)
{
    size_t n = strlen(part);
    const char *rest = key + p->prefix_n;

    if (strncmp(key, p->prefix, p->prefix_n) != 0 || strncmp(rest, part, n) != 0 ||
        rest[n] == '\0' || strlen(rest + n) > FLEET_NAME_MAX)
        return NULL;
    return rest + n;
}

static bool read_row(struct parse *p, json_t *row)
{
    const char *key = json_string_value(json_object_get(row, "Key")), *gateway, *service;
    json_t *value;
    bool good = false;

    if (!key)
        return false;
    gateway = name_below(p, key, "/gateways/");
    service = name_below(p, key, "/force/");
    value = gateway || service ? value_of(row) : NULL;
    if (value && gateway && p->view->ngateways < p->cap_gateways)
        good = read_gateway(p, gateway, row, value);
    else if (value && service && p->view->nwords < p->cap_words)
        good = read_word(p, service, row, value);
    json_decref(value);
    return good;
}

struct fleet_view *fleet_view_parse(struct str body, const char *prefix, struct err *e)
{
    struct arena *arena = arena_new();
    struct fleet_view *v = ARENA_ARRAY(arena, struct fleet_view, 1);
    struct parse p = {.view = v, .prefix = prefix, .prefix_n = strlen(prefix)};
    json_error_t why;
    json_t *list;

    *v = (struct fleet_view){.arena = arena};
    if (body.n == 0)
        return v;
    list = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_array(list)) {
        err_set(e, "the KV store's answer is no list of keys");
        json_decref(list);
        arena_free(arena);
        return NULL;
    }
    p.cap_gateways = at_most(json_array_size(list), FLEET_GATEWAYS_MAX);
    p.cap_words = at_most(json_array_size(list), FLEET_WORDS_MAX);
    v->gateways = ARENA_ARRAY(arena, struct fleet_gateway, p.cap_gateways + 1);
    v->words = ARENA_ARRAY(arena, struct fleet_word, p.cap_words + 1);
    for (size_t i = 0; i < json_array_size(list); i++)
        v->skipped += !read_row(&p, json_array_get(list, i));
    json_decref(list);
    return v;
}

void fleet_view_free(struct fleet_view *v)
{
    if (v)
        arena_free(v->arena);
}

const struct fleet_gateway *fleet_view_gateway(const struct fleet_view *v, const char *name)
{
    for (size_t i = 0; v && i < v->ngateways; i++)
        if (strcmp(v->gateways[i].name, name) == 0)
            return &v->gateways[i];
    return NULL;
}

const struct fleet_word *fleet_view_word(const struct fleet_view *v, const char *service)
{
    for (size_t i = 0; v && i < v->nwords; i++)
        if (strcmp(v->words[i].service, service) == 0)
            return &v->words[i];
    return NULL;
}

static json_t *entry_json(const struct fleet_entry *e)
{
    return json_pack("{s:o,s:o,s:s,s:s,s:I,s:I}", "service", json_text(e->service), "instance",
                     json_text(e->instance), "state", e->state, "cause", e->cause, "since",
                     (json_int_t)e->since_ms, "until", (json_int_t)e->until_ms);
}

static char *gateway_text(const struct fleet_gateway *g, size_t n)
{
    json_t *open = json_array(), *doc;
    char *text;

    for (size_t i = 0; i < n; i++)
        json_array_append_new(open, entry_json(&g->entries[i]));
    doc = json_pack("{s:o,s:s,s:o,s:I}", "address", json_text(g->address), "version", g->version,
                    "open", open, "more", (json_int_t)(g->more + (g->n - n)));
    text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    if (!text)
        abort();
    return text;
}

char *fleet_gateway_text(const struct fleet_gateway *g)
{
    size_t n = at_most(g->n, FLEET_ENTRIES_MAX);
    char *text = gateway_text(g, n);

    while (strlen(text) > FLEET_VALUE_MAX && n > 0) {
        free(text);
        n /= 2;
        text = gateway_text(g, n);
    }
    return text;
}

char *fleet_word_text(const struct fleet_word *w)
{
    json_t *doc = json_pack("{s:s,s:I,s:I,s:o,s:o,s:o}", "state", operation_word(w->what), "at",
                            (json_int_t)w->at_ms, "until", (json_int_t)w->until_ms, "author",
                            json_text(w->author), "why", json_text(w->why), "by", json_text(w->by));
    char *text = json_dumps(doc, JSON_COMPACT);

    json_decref(doc);
    if (!text)
        abort();
    return text;
}
