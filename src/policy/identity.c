/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *subject_of(const json_t *claims)
{
    char buf[32];
    struct str text;

    if (!identity_text(json_object_get(claims, "sub"), buf, sizeof buf, &text))
        text = STR("");
    return strndup(text.p, text.n);
}

struct identity *identity_new(enum identity_kind kind, const char *source, json_t *claims,
                              uint64_t expires_at_s)
{
    struct identity *i = claims ? calloc(1, sizeof *i) : NULL;

    if (!i) {
        json_decref(claims);
        return NULL;
    }
    i->refs = 1;
    i->kind = kind;
    i->source = strdup(source);
    i->subject = subject_of(claims);
    i->claims = claims;
    i->expires_at_s = expires_at_s;
    if (!i->source || !i->subject)
        identity_unref(&i);
    return i;
}

struct identity *identity_ref(struct identity *i)
{
    atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void identity_unref(struct identity **ip)
{
    struct identity *i = *ip;

    *ip = NULL;
    if (!i || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) != 1)
        return;
    json_decref(i->claims);
    free((char *)i->source);
    free((char *)i->subject);
    free(i);
}

const char *identity_kind_name(enum identity_kind kind)
{
    static const char *const names[] = {
        [IDENTITY_JWT] = "jwt",
        [IDENTITY_API_KEY] = "api_key",
        [IDENTITY_BASIC] = "basic",
        [IDENTITY_CERTIFICATE] = "certificate",
        [IDENTITY_FORWARD] = "forward_auth",
        [IDENTITY_INTROSPECTION] = "introspection",
    };

    return names[kind];
}

const json_t *identity_claim(const struct identity *i, const char *name)
{
    const json_t *at = json_object_get(i->claims, name);

    if (!at) {
        at = i->claims;
        while (at && *name) {
            size_t n = strcspn(name, ".");

            at = json_object_getn(at, name, n);
            name += n + (name[n] == '.');
        }
    }
    return json_is_null(at) ? NULL : at;
}

bool identity_text(const json_t *value, char *buf, size_t cap, struct str *ret)
{
    if (json_is_string(value)) {
        *ret = (struct str){json_string_value(value), json_string_length(value)};
        return true;
    }
    if (!json_is_number(value) && !json_is_boolean(value))
        return false;
    ret->p = buf;
    ret->n = json_dumpb(value, buf, cap, JSON_ENCODE_ANY);
    return ret->n > 0 && ret->n <= cap;
}

static bool text_is(const json_t *value, struct str word)
{
    char buf[32];
    struct str text;

    return identity_text(value, buf, sizeof buf, &text) && str_eq(text, word);
}

bool identity_list_has(const json_t *value, const char *word)
{
    struct str want = str_of(word), rest, item;
    const json_t *member;
    size_t at;

    if (json_is_string(value)) {
        rest = (struct str){json_string_value(value), json_string_length(value)};
        while (str_next(&rest, ' ', &item))
            if (str_eq(item, want))
                return true;
        return false;
    }
    json_array_foreach(value, at, member) if (text_is(member, want)) return true;
    return false;
}

bool identity_has_scope(const struct identity *i, const char *scope)
{
    static const char *const claims[] = {"scope", "scp", "scopes"};

    for (size_t c = 0; c < ARRAY_LEN(claims); c++)
        if (identity_list_has(json_object_get(i->claims, claims[c]), scope))
            return true;
    return false;
}

bool identity_has_role(const struct identity *i, const char *role, const char *claim)
{
    if (claim)
        return identity_list_has(identity_claim(i, claim), role);
    return identity_list_has(json_object_get(i->claims, "roles"), role) ||
           identity_list_has(identity_claim(i, "realm_access.roles"), role);
}
