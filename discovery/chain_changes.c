/* SPDX-License-Identifier: Apache-2.0 */
/* chain_changes.c - RequestHeaders and ResponseHeaders of a destination or a part of a split. What
 * cannot be done is left out, with a note. */
#include "chain_parts.h"

#include <strings.h>

enum { MAX_CHANGES = 64, MAX_NAME = 256, MAX_VALUE = 4096 };

static bool is_token(const char *z)
{
    static const char more[] = "!#$%&'*+-.^_`|~";
    const char *p = z;

    for (; *p; p++) {
        char low = ascii_lower(*p);

        if (!(low >= 'a' && low <= 'z') && !(*p >= '0' && *p <= '9') && !strchr(more, *p))
            return false;
    }
    return p > z && p - z <= MAX_NAME;
}

/* Those that frame the message, belong to the connection, or say where the request came from. */
static bool is_kept(const char *name)
{
    static const char *const kept[] = {"connection",
                                       "content-length",
                                       "expect",
                                       "forwarded",
                                       "host",
                                       "http2-settings",
                                       "keep-alive",
                                       "te",
                                       "proxy-authenticate",
                                       "proxy-connection",
                                       "proxy-authorization",
                                       "trailer",
                                       "upgrade",
                                       "transfer-encoding",
                                       "via",
                                       "x-forwarded-for",
                                       "x-forwarded-host",
                                       "x-forwarded-port",
                                       "x-forwarded-proto",
                                       "x-forwarded-prefix",
                                       "x-real-ip",
                                       "x-request-id"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcasecmp(kept[i], name) == 0)
            return true;
    return false;
}

/* Without control bytes, and without Envoy's variables (%DOWNSTREAM_REMOTE_ADDRESS%). */
static bool is_value(const char *z)
{
    size_t n = strlen(z);

    for (const char *p = z; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f || *p == '%')
            return false;
    return n <= MAX_VALUE;
}

static void add(struct chain_reader *r, struct chain_changes *to, enum chain_change_op op,
                const char *name, const char *value)
{
    if (!name || !is_token(name) || is_kept(name)) {
        chain_note(r, "the field \"%.60s\" cannot be changed", name ? name : "");
        return;
    }
    if (op != CHAIN_REMOVE && (!value || !is_value(value))) {
        chain_note(r, "the value of the field %.60s is not obeyed: it is none, or has variables",
                   name);
        return;
    }
    to->items[to->n++] = (struct chain_change){op, arena_strdup(r->arena, name),
                                               value ? arena_strdup(r->arena, value) : NULL};
}

static void add_values(struct chain_reader *r, struct chain_changes *to, enum chain_change_op op,
                       const json_t *map)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)map, name, value) add(r, to, op, name, json_string_value(value));
}

bool chain_read_changes(struct chain_reader *r, const json_t *object, const char *key,
                        struct chain_changes *ret)
{
    const json_t *changes, *set, *append, *gone;
    size_t n;

    if (!chain_object(r, object, key, &changes) || !chain_object(r, changes, "Set", &set) ||
        !chain_object(r, changes, "Add", &append) ||
        !chain_array(r, changes, "Remove", MAX_CHANGES, &gone))
        return false;
    n = json_object_size(set) + json_object_size(append) + json_array_size(gone);
    if (n > MAX_CHANGES)
        return chain_refuse(r, "%s has more than %d changes", key, MAX_CHANGES);
    ret->items = ARENA_ARRAY(r->arena, struct chain_change, n);
    for (size_t i = 0; i < json_array_size(gone); i++)
        add(r, ret, CHAIN_REMOVE, json_string_value(json_array_get(gone, i)), NULL);
    add_values(r, ret, CHAIN_SET, set);
    add_values(r, ret, CHAIN_ADD, append);
    return true;
}
