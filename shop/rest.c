/* SPDX-License-Identifier: Apache-2.0 */
#include "rest.h"

#include <string.h>

struct rest_answer rest_problem(int status, const char *what)
{
    return (struct rest_answer){status, json_pack("{s:i, s:s}", "status", status, "error", what)};
}

/* Whether a field of the item, as text, is (whole) or contains the word. */
static bool field_matches(const json_t *item, const char *field, const char *word, bool whole)
{
    const json_t *value = json_object_get(item, field);
    char number[32];
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    }
    if (text == NULL)
        return false;
    return whole ? strcmp(text, word) == 0 : strcasestr(text, word) != NULL;
}

static bool search_matches(const struct kind *kind, const json_t *item, const char *word)
{
    for (size_t i = 0; i < KIND_MAX_FIELDS && kind->searched[i] != NULL; i++)
        if (field_matches(item, kind->searched[i], word, false))
            return true;
    return false;
}

static bool query_matches(const struct kind *kind, const json_t *item, json_t *query)
{
    const char *name;
    json_t *value;

    json_object_foreach(query, name, value)
    {
        const char *word = json_string_value(value);

        if (strcmp(name, "search") == 0) {
            if (!search_matches(kind, item, word))
                return false;
        } else if (!field_matches(item, name, word, true)) {
            return false;
        }
    }
    return true;
}

static struct rest_answer rest_list(const struct kind *kind, struct store *store, json_t *query)
{
    json_t *found = json_array();
    json_t *item;
    size_t i;

    json_array_foreach(store_items(store), i, item) if (query_matches(kind, item, query))
        json_array_append(found, item);
    return (struct rest_answer){200, found};
}

static struct rest_answer rest_create(const struct kind *kind, struct store *store,
                                      const struct rest_request *r)
{
    json_t *item = json_loadb(r->body, r->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = NULL;

    if (!json_is_object(item)) {
        json_decref(item);
        return rest_problem(400, "the body is not a JSON object");
    }
    for (size_t i = 0; i < KIND_MAX_FIELDS && kind->required[i] != NULL && wrong == NULL; i++)
        if (json_object_get(item, kind->required[i]) == NULL)
            wrong = kind->required[i];
    if (wrong != NULL) {
        json_decref(item);
        return (struct rest_answer){422, json_pack("{s:i, s:s, s:s}", "status", 422, "error",
                                                   "a field is missing", "field", wrong)};
    }
    if (kind->prepare != NULL && (wrong = kind->prepare(item)) != NULL) {
        json_decref(item);
        return rest_problem(422, wrong);
    }
    if (!store_add(store, item)) {
        json_decref(item);
        return rest_problem(500, "the item could not be stored");
    }
    return (struct rest_answer){201, item};
}

static struct rest_answer rest_change(struct store *store, const char *id,
                                      const struct rest_request *r)
{
    json_t *fields = json_loadb(r->body, r->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    json_t *item;

    if (!json_is_object(fields)) {
        json_decref(fields);
        return rest_problem(400, "the body is not a JSON object");
    }
    json_object_del(fields, "id");
    item = json_copy(store_find(store, id));
    json_object_update(item, fields);
    json_decref(fields);
    if (!store_set(store, id, item)) {
        json_decref(item);
        return rest_problem(500, "the item could not be stored");
    }
    return (struct rest_answer){200, item};
}

static struct rest_answer rest_item(struct store *store, const char *id,
                                    const struct rest_request *r)
{
    json_t *item = store_find(store, id);

    if (item == NULL)
        return rest_problem(404, "there is no item of that id");
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
        return (struct rest_answer){200, json_incref(item)};
    if (strcmp(r->method, "PATCH") == 0)
        return rest_change(store, id, r);
    if (strcmp(r->method, "DELETE") != 0)
        return rest_problem(405, "an item knows GET, PATCH and DELETE");
    if (!store_set(store, id, NULL))
        return rest_problem(500, "the item could not be removed");
    return (struct rest_answer){204, NULL};
}

struct rest_answer rest_handle(const struct kind *kind, struct store *store,
                               const struct rest_request *r)
{
    size_t n = strlen(kind->path);
    const char *id;

    if (r->path[0] != '/' || strncmp(r->path + 1, kind->path, n) != 0 ||
        (r->path[n + 1] != '\0' && r->path[n + 1] != '/'))
        return rest_problem(404, "this service has no such path");
    id = r->path[n + 1] == '/' ? r->path + n + 2 : "";
    if (id[0] != '\0')
        return rest_item(store, id, r);
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
        return rest_list(kind, store, r->query);
    if (strcmp(r->method, "POST") == 0)
        return rest_create(kind, store, r);
    return rest_problem(405, "a list knows GET and POST");
}
