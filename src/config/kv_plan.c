/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kv_plan.h"

#include "base/alloc.h"
#include "base/base64.h"

#include <jansson.h>
#include <string.h>

/* Consul takes 64 operations and 512 KiB, of which one and a little are the mark's. */
enum { MOST_CHANGES = 63, MOST_BYTES = 500 << 10, OVERHEAD_BYTES = 320 };

static const char *key_of(const struct config_document *file)
{
    const char *slash = strrchr(file->name, '/');

    return slash ? slash + 1 : file->name;
}

static void add(struct kv_plan *p, enum kv_change_kind kind, const char *key,
                const struct kv_row *before, const struct config_document *after)
{
    p->list[p->n++] = (struct kv_change){
        .kind = kind,
        .key = arena_strdup(p->arena, key),
        .before = before ? before->text : STR(""),
        .after = after ? after->text : STR(""),
        .index = before ? before->index : 0,
    };
}

static bool is_wanted(const struct config_documents *files, const char *key)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(key_of(&files->list[i]), key) == 0)
            return true;
    return false;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct kv_change *)a)->key, ((const struct kv_change *)b)->key);
}

struct kv_plan *kv_plan_new(const struct kv_rows *now, const struct config_documents *files)
{
    struct arena *a = arena_new();
    struct kv_plan *p = a ? ARENA_NEW(a, struct kv_plan) : NULL;
    const struct kv_row *mark = kv_rows_find(now, KV_MARK);

    if (!p)
        abort();
    p->arena = a;
    p->list = ARENA_ARRAY(a, struct kv_change, now->n + files->n + 1);
    p->mark_index = mark ? mark->index : 0;
    for (size_t i = 0; i < files->n; i++) {
        const struct config_document *file = &files->list[i];
        const struct kv_row *row = kv_rows_find(now, key_of(file));

        if (!row)
            add(p, KV_ADD, key_of(file), NULL, file);
        else if (!str_eq(row->text, file->text))
            add(p, KV_REPLACE, row->key, row, file);
    }
    for (size_t i = 0; i < now->n; i++)
        if (kv_row_is_document(&now->list[i]) && !is_wanted(files, now->list[i].key))
            add(p, KV_REMOVE, now->list[i].key, &now->list[i], NULL);
    qsort(p->list, p->n, sizeof *p->list, by_key);
    return p;
}

void kv_plan_free(struct kv_plan **p)
{
    struct kv_plan *old = *p;

    *p = NULL;
    if (old)
        arena_free(old->arena);
}

/* One operation. Index 0: only if there is no such key. */
static int add_operation(json_t *list, const char *prefix, const char *key, const char *verb,
                         uint64_t index, const struct str *value)
{
    json_t *kv = json_object();
    char *text;
    int rc;

    rc = json_object_set_new(kv, "Verb", json_string(verb));
    rc |= json_object_set_new(kv, "Key", json_sprintf("%s%s", prefix, key));
    rc |= json_object_set_new(kv, "Index", json_integer((json_int_t)index));
    if (value) {
        text = alloc_or_abort(BASE64_TEXT(value->n) + 1);
        base64_encode(*value, text);
        rc |= json_object_set_new(kv, "Value", json_string(text));
        free(text);
    }
    return rc | json_array_append_new(list, json_pack("{s:o}", "KV", kv));
}

static size_t size_of(const struct kv_change *c)
{
    return BASE64_TEXT(c->after.n) + strlen(c->key) + OVERHEAD_BYTES;
}

const struct kv_change *kv_plan_too_large(const struct kv_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (size_of(&p->list[i]) > MOST_BYTES)
            return &p->list[i];
    return NULL;
}

size_t kv_plan_fits(const struct kv_plan *p, size_t from)
{
    size_t to = from, bytes = 0;

    while (to < p->n && to - from < MOST_CHANGES) {
        bytes += size_of(&p->list[to]);
        if (to > from && bytes > MOST_BYTES)
            break;
        to++;
    }
    return to;
}

char *kv_plan_transaction(const struct kv_plan *p, size_t from, size_t to, const char *prefix,
                          const struct kv_mark *mark, struct err *e)
{
    json_t *list = json_array();
    char *text = NULL;
    int rc = add_operation(list, prefix, KV_MARK, "cas", mark->index, &mark->text);

    for (size_t i = from; rc == 0 && i < to; i++) {
        const struct kv_change *c = &p->list[i];

        if (c->kind == KV_REMOVE)
            rc = add_operation(list, prefix, c->key, "delete-cas", c->index, NULL);
        else
            rc = add_operation(list, prefix, c->key, "cas", c->index, &c->after);
        if (rc != 0)
            err_set(e, "%s: not a name for a key: it is not UTF-8", c->key);
    }
    if (rc == 0)
        text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}
