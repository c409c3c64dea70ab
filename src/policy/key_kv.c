/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_kv.h"
#include "base/arena.h"
#include "base/base64.h"

#include <jansson.h>
#include <stdlib.h>

/* The key itself, or one below it that is no folder. */
static bool belongs(struct str key, struct str prefix)
{
    if (!str_starts(key, prefix))
        return false;
    return key.n == prefix.n || (key.p[prefix.n] == '/' && key.p[key.n - 1] != '/');
}

static int add_row(struct key_kv *kv, const json_t *row, struct str prefix, struct err *e)
{
    const json_t *key = json_object_get(row, "Key"), *value = json_object_get(row, "Value");
    struct str name = {json_string_value(key), json_string_length(key)};
    struct str text = {json_string_value(value), json_string_length(value)};
    struct key_text *t = &kv->texts[kv->n];
    char *bytes;
    size_t n = 0;

    if (!name.p || (value && !text.p && !json_is_null(value)))
        return err_set(e, "Consul's answer is not a list of keys and values");
    if (!belongs(name, prefix))
        return 0;
    bytes = arena_alloc(kv->arena, BASE64_BYTES(text.n) + 1);
    if (text.n > 0 && !base64_decode(text, bytes, &n))
        return err_set(e, "kv %.200s: its value is not base64", name.p);
    t->name = arena_printf(kv->arena, "kv %.200s", name.p);
    t->text = (struct str){bytes, n};
    kv->n++;
    return 0;
}

static int add_rows(struct key_kv *kv, const json_t *rows, const char *prefix, struct err *e)
{
    const json_t *row;
    size_t at;

    if (!json_is_array(rows))
        return err_set(e, "Consul's answer is not a list of keys and values");
    kv->texts = ARENA_ARRAY(kv->arena, struct key_text, json_array_size(rows));
    json_array_foreach(rows, at, row)
    {
        if (add_row(kv, row, str_of(prefix), e) < 0)
            return -1;
    }
    return 0;
}

struct key_kv *key_kv_parse(struct str body, const char *prefix, struct err *e)
{
    struct arena *arena = arena_new();
    struct key_kv *kv = arena ? ARENA_NEW(arena, struct key_kv) : NULL;
    json_t *rows = NULL;

    if (!kv)
        abort();
    kv->arena = arena;
    if (body.n == 0)
        return kv;
    rows = json_loadb(body.p, body.n, 0, NULL);
    if (add_rows(kv, rows, prefix, e) < 0) {
        key_kv_free(kv);
        kv = NULL;
    }
    json_decref(rows);
    return kv;
}

void key_kv_free(struct key_kv *kv)
{
    if (kv)
        arena_free(kv->arena);
}
