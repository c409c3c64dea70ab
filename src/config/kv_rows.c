/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kv_rows.h"

#include "base/base64.h"

#include <jansson.h>
#include <stdlib.h>

/* For people: keys may hold anything. */
static const char *shown_name(struct arena *a, const char *prefix, const char *key)
{
    char *name = arena_printf(a, "consul:%s%.300s", prefix, key);

    for (char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return name;
}

static int add_row(struct kv_rows *rows, const json_t *row, const char *prefix, struct err *e)
{
    const json_t *key = json_object_get(row, "Key"), *value = json_object_get(row, "Value");
    const json_t *index = json_object_get(row, "ModifyIndex");
    struct str text = {json_string_value(value), json_string_length(value)};
    struct kv_row *to = &rows->list[rows->n];
    size_t prefix_n = strlen(prefix), n = 0;
    char *bytes;

    if (!json_is_string(key) || (value && !json_is_string(value) && !json_is_null(value)) ||
        !json_is_integer(index))
        return err_set(e, "Consul's answer is not a list of keys and values");
    if (strncmp(json_string_value(key), prefix, prefix_n) != 0)
        return 0;
    to->key = arena_strdup(rows->arena, json_string_value(key) + prefix_n);
    to->index = (uint64_t)json_integer_value(index);
    bytes = arena_alloc(rows->arena, BASE64_BYTES(text.n) + 1);
    if (text.n > 0 && !base64_decode(text, bytes, &n))
        return err_set(e, "%s: its value is not base64", shown_name(rows->arena, prefix, to->key));
    to->text = (struct str){bytes, n};
    rows->index = to->index > rows->index ? to->index : rows->index;
    rows->n++;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct kv_row *)a)->key, ((const struct kv_row *)b)->key);
}

static int add_rows(struct kv_rows *rows, const json_t *list, const char *prefix, struct err *e)
{
    const json_t *row;
    size_t at;

    if (!json_is_array(list))
        return err_set(e, "Consul's answer is not a list of keys and values");
    rows->list = ARENA_ARRAY(rows->arena, struct kv_row, json_array_size(list) + 1);
    json_array_foreach(list, at, row)
    {
        if (add_row(rows, row, prefix, e) < 0)
            return -1;
    }
    qsort(rows->list, rows->n, sizeof *rows->list, by_key);
    return 0;
}

struct kv_rows *kv_rows_parse(struct str body, const char *prefix, struct err *e)
{
    struct arena *arena = arena_new();
    struct kv_rows *rows = arena ? ARENA_NEW(arena, struct kv_rows) : NULL;
    json_t *list;

    if (!rows)
        abort();
    rows->arena = arena;
    if (body.n == 0)
        return rows;
    list = json_loadb(body.p, body.n, 0, NULL);
    if (add_rows(rows, list, prefix, e) < 0)
        kv_rows_free(&rows);
    json_decref(list);
    return rows;
}

void kv_rows_free(struct kv_rows **rows)
{
    struct kv_rows *old = *rows;

    *rows = NULL;
    if (old)
        arena_free(old->arena);
}

const struct kv_row *kv_rows_find(const struct kv_rows *rows, const char *key)
{
    struct kv_row wanted = {.key = key};

    return rows->n ? bsearch(&wanted, rows->list, rows->n, sizeof wanted, by_key) : NULL;
}

bool kv_row_is_document(const struct kv_row *row)
{
    const char *slash = strrchr(row->key, '/');
    const char *last = slash ? slash + 1 : row->key;

    return last[0] != '\0' && last[0] != '.';
}

bool kv_rows_are_unfinished(const struct kv_rows *rows)
{
    const struct kv_row *mark = kv_rows_find(rows, KV_MARK);
    json_t *doc = mark ? json_loadb(mark->text.p, mark->text.n, 0, NULL) : NULL;
    bool unfinished = json_is_true(json_object_get(doc, "unfinished"));

    json_decref(doc);
    return unfinished;
}

struct config_documents *kv_rows_documents(const struct kv_rows *rows, const char *prefix,
                                           struct err *e)
{
    struct config_documents *d = documents_new(rows->n);

    for (size_t i = 0; i < rows->n; i++) {
        const struct kv_row *row = &rows->list[i];

        if (!kv_row_is_document(row))
            continue;
        d->list[d->n++] = (struct config_document){
            shown_name(d->arena, prefix, row->key),
            {arena_strndup(d->arena, row->text.p, row->text.n), row->text.n}};
    }
    if (d->n >= DOCUMENTS_MOST) {
        err_set(e, "consul:%s: too many keys", prefix);
        documents_free(&d);
    }
    return d;
}
