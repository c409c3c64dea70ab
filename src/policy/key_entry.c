/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_entry.h"
#include "policy/key_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry_draft {
    const char *owner, *hash, *expires;
    bool disabled;
    json_t *scopes, *roles, *rate_limits, *claims; /* owned; NULL = not there */
};

static int word_add(struct reader *r, const struct node *n, json_t *list)
{
    if (n->kind != NODE_TEXT || !n->text[0] || strlen(n->text) > 256 || strpbrk(n->text, " \t\r\n"))
        return node_expected(n, r->err, "a word without blanks");
    json_array_append_new(list, json_string(n->text));
    return 0;
}

static int words_read(struct reader *r, const struct node *n, void *at)
{
    json_t *list = json_array();

    *(json_t **)at = list;
    if (n->kind == NODE_TEXT)
        return word_add(r, n, list);
    if (n->kind != NODE_LIST)
        return node_expected(n, r->err, "a list of words");
    if (n->n > MAX_WORDS)
        return node_error(n, r->err, "at most %d words are allowed here", MAX_WORDS);
    node_each(it, n)
    {
        if (word_add(r, it, list) < 0)
            return -1;
    }
    return 0;
}

static int claims_read(struct reader *r, const struct node *n, void *at)
{
    static const char *const own[] = {"sub", "key_id", "scope",      "scopes",
                                      "scp", "roles",  "rate_limits"};
    struct str text;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map of claims");
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (node_get(n, own[i]))
            return node_error(node_get(n, own[i]), r->err, "is what other keys of the entry say");
    text = node_json(n, r->scratch);
    *(json_t **)at = json_loadb(text.p, text.n, 0, NULL);
    return *(json_t **)at ? 0 : node_error(n, r->err, "cannot be written as JSON");
}

static const char *owner_problem(const char *text)
{
    if (!text[0] || strlen(text) > 256)
        return "must have 1 to 256 characters";
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "holds a control character";
    return NULL;
}

#define WORDS(key_, m, help_)                                                                      \
    {                                                                                              \
        .key = key_, .type = FIELD_CUSTOM, .offset = FIELD_AT(entry_draft, m, json_t *),           \
        .read = words_read, .kind = "list", .help = help_                                          \
    }

static const struct field entry_fields[] = {
    STRING("owner", entry_draft, owner, NULL, owner_problem,
           "Whose key it is: claim `sub`. Required."),
    STRING("hash", entry_draft, hash, NULL, NULL,
           "`sha256:` or `hmac-sha256:` and 64 hex digits, of the whole key. Required."),
    WORDS("scopes", scopes, "Claims `scope` (words in one text) and `scopes`."),
    WORDS("roles", roles, "Claim `roles`."),
    WORDS("rate_limits", rate_limits,
          "Names in `rate_limits` of the configuration that count for this key, besides those of "
          "the route: claim `rate_limits`."),
    {.key = "claims",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(entry_draft, claims, json_t *),
     .read = claims_read,
     .kind = "map",
     .help = "Further claims, for rules and headers of policies."},
    STRING("expires", entry_draft, expires, NULL, NULL,
           "From then on it is refused: `2027-01-31` (its beginning, UTC) or "
           "`2027-01-31T12:00:00Z`."),
    BOOLEAN("disabled", entry_draft, disabled, "false", "Refuse it."),
};
const struct section key_entry_section = {entry_fields, ARRAY_LEN(entry_fields)};

static bool hex_digest(const char *text, unsigned char *out)
{
    if (strlen(text) != 2 * API_KEY_DIGEST ||
        strspn(text, "0123456789abcdefABCDEF") != 2 * API_KEY_DIGEST)
        return false;
    for (size_t i = 0; i < API_KEY_DIGEST; i++) {
        char two[3] = {text[2 * i], text[2 * i + 1], '\0'};

        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return true;
}

static int hash_read(const struct node *n, const char *text, bool has_pepper, struct key_entry *e,
                     struct err *err)
{
    static const char plain[] = "sha256:", peppered[] = "hmac-sha256:";

    if (strncmp(text, peppered, sizeof peppered - 1) == 0) {
        e->peppered = true;
        text += sizeof peppered - 1;
    } else if (strncmp(text, plain, sizeof plain - 1) == 0) {
        text += sizeof plain - 1;
    } else {
        text = "";
    }
    if (!hex_digest(text, e->digest))
        return node_error(n, err, "expected sha256: or hmac-sha256: and 64 hex digits");
    return e->peppered && !has_pepper
               ? node_error(n, err, "hmac-sha256 needs the store's pepper_file")
               : 0;
}

/* "a b" of a list, since headers and services know scopes in this form. */
static json_t *joined(const json_t *list)
{
    size_t at, n = 1, used = 0;
    const json_t *word;
    char *text;
    json_t *ret;

    json_array_foreach(list, at, word) n += json_string_length(word) + 1;
    text = calloc(1, n);
    if (!text)
        return NULL;
    json_array_foreach(list, at, word) used +=
        (size_t)snprintf(text + used, n - used, "%s%s", at ? " " : "", json_string_value(word));
    ret = json_string(text);
    free(text);
    return ret;
}

static struct identity *identity_of(const char *source, const struct key_entry *e,
                                    const struct entry_draft *d)
{
    json_t *claims = d->claims ? json_incref(d->claims) : json_object();

    json_object_set_new(claims, "sub", json_string(d->owner));
    json_object_set_new(claims, "key_id", json_string(e->id));
    if (d->scopes) {
        json_object_set_new(claims, "scope", joined(d->scopes));
        json_object_set(claims, "scopes", d->scopes);
    }
    if (d->roles)
        json_object_set(claims, "roles", d->roles);
    if (d->rate_limits)
        json_object_set(claims, "rate_limits", d->rate_limits);
    return identity_new(IDENTITY_API_KEY, source, claims, e->expires_s);
}

static int entry_check(struct reader *r, const struct node *n, const char *source, bool has_pepper,
                       const struct entry_draft *d, struct key_entry *e)
{
    if (!d->owner || !d->hash)
        return node_error(n, r->err, "%s is missing", d->owner ? "hash" : "owner");
    if (hash_read(node_get(n, "hash"), d->hash, has_pepper, e, r->err) < 0)
        return -1;
    if (d->expires && !key_time_parse(d->expires, &e->expires_s))
        return node_error(node_get(n, "expires"), r->err,
                          "expected a time such as 2027-01-31 or 2027-01-31T12:00:00Z");
    e->disabled = d->disabled;
    e->id = arena_strdup(r->arena, n->key);
    e->identity = identity_of(source, e, d);
    return e->identity ? 0 : err_set(r->err, "out of memory");
}

int key_entry_read(struct reader *r, const struct node *n, const char *source, bool has_pepper,
                   struct key_entry *ret)
{
    struct entry_draft d = {.owner = NULL};
    int rc = -1;

    *ret = (struct key_entry){.id = NULL};
    if (!api_key_id_ok(str_of(n->key)))
        return err_set(r->err, "%s:%u: an id has 1 to %d letters, digits and hyphens", n->file,
                       n->line, API_KEY_ID_MAX);
    if (n->kind != NODE_MAP)
        rc = node_error(n, r->err, "expected a map such as { owner: acme, hash: \"sha256:...\" }");
    else if (section_read(r, &key_entry_section, n, &d) == 0)
        rc = entry_check(r, n, source, has_pepper, &d, ret);
    json_decref(d.scopes);
    json_decref(d.roles);
    json_decref(d.rate_limits);
    json_decref(d.claims);
    return rc;
}
