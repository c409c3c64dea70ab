/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct store {
    const struct kind *kind; /* borrowed */
    json_t *items;           /* owned, array */
    FILE *journal;           /* owned; NULL = private items */
    unsigned long last_id;
};

static const char *item_id(const json_t *item)
{
    const char *id = json_string_value(json_object_get(item, "id"));

    return id != NULL ? id : "";
}

static size_t store_index(struct store *s, const char *id)
{
    size_t i;
    json_t *item;

    json_array_foreach(s->items, i, item) if (strcmp(item_id(item), id) == 0) break;
    return i;
}

static void store_note_id(struct store *s, const char *id)
{
    size_t prefix = strlen(s->kind->id_prefix);
    unsigned long number =
        strncmp(id, s->kind->id_prefix, prefix) == 0 ? strtoul(id + prefix, NULL, 10) : 0;

    if (number > s->last_id && number < 1000000000)
        s->last_id = number;
}

/* One change, from a journal line or from this instance: {"id":..., "item":{...} or null}. */
static void store_apply(struct store *s, const json_t *change)
{
    const char *id = item_id(change);
    json_t *item = json_object_get(change, "item");
    size_t at = store_index(s, id);

    store_note_id(s, id);
    if (!json_is_object(item))
        json_array_remove(s->items, at);
    else if (at < json_array_size(s->items))
        json_array_set(s->items, at, item);
    else
        json_array_append(s->items, item);
}

/* Takes in what other instances appended. A half line (its writer died) is left for later. */
static void store_catch_up(struct store *s)
{
    char *line = NULL;
    size_t size = 0;
    long begin;

    if (s->journal == NULL)
        return;
    clearerr(s->journal);
    while ((begin = ftell(s->journal)) >= 0 && getline(&line, &size, s->journal) > 0) {
        json_t *change;

        if (strchr(line, '\n') == NULL) {
            fseek(s->journal, begin, SEEK_SET);
            break;
        }
        change = json_loads(line, 0, NULL);
        if (change != NULL)
            store_apply(s, change);
        json_decref(change);
    }
    free(line);
}

static bool store_append(struct store *s, const json_t *change)
{
    fseek(s->journal, 0, SEEK_END);
    return json_dumpf(change, s->journal, JSON_COMPACT) == 0 && fputc('\n', s->journal) != EOF &&
           fflush(s->journal) == 0;
}

struct store *store_open(const struct kind *kind, const char *journal)
{
    struct store *s = calloc(1, sizeof(*s));
    json_t *item;
    size_t i;

    if (s == NULL)
        return NULL;
    s->kind = kind;
    s->items = json_loads(kind->seed, 0, NULL);
    json_array_foreach(s->items, i, item) store_note_id(s, item_id(item));
    if (journal != NULL && (s->journal = fopen(journal, "a+")) == NULL) {
        perror(journal);
        store_close(s);
        return NULL;
    }
    if (s->journal != NULL)
        rewind(s->journal);
    return s;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (s->journal != NULL)
        fclose(s->journal);
    json_decref(s->items);
    free(s);
}

json_t *store_items(struct store *s)
{
    store_catch_up(s);
    return s->items;
}

json_t *store_find(struct store *s, const char *id)
{
    store_catch_up(s);
    return json_array_get(s->items, store_index(s, id));
}

static bool store_change(struct store *s, const char *id, json_t *item)
{
    json_t *change = json_pack("{s:s, s:O?}", "id", id, "item", item);
    bool done = change != NULL && (s->journal == NULL || store_append(s, change));

    if (done)
        store_apply(s, change);
    json_decref(change);
    return done;
}

/* While it is held nobody appends, so what was caught up with is all there is. */
static bool store_lock(struct store *s)
{
    if (s->journal != NULL && flock(fileno(s->journal), LOCK_EX) != 0)
        return false;
    store_catch_up(s);
    return true;
}

static void store_unlock(struct store *s)
{
    if (s->journal != NULL)
        flock(fileno(s->journal), LOCK_UN);
}

bool store_set(struct store *s, const char *id, json_t *item)
{
    bool done = store_lock(s);

    if (done) {
        done = store_change(s, id, item);
        store_unlock(s);
    }
    return done;
}

bool store_add(struct store *s, json_t *item)
{
    bool done = store_lock(s);
    char id[64];

    if (done) {
        snprintf(id, sizeof(id), "%s%lu", s->kind->id_prefix, s->last_id + 1);
        json_object_set_new(item, "id", json_string(id));
        done = store_change(s, id, item);
        store_unlock(s);
    }
    return done;
}
