/* SPDX-License-Identifier: Apache-2.0 */
/* api_keys.c - `api_keys:` and `basic:`, where the gateway finds the keys and passwords of its
 * clients. What is in those files is read by policy/. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>
#include <strings.h>

static const char *kv_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 256 || text[0] == '/' || text[n - 1] == '/')
        return "is not a key of the KV store such as frontdesk/api-keys";
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"\\?#%", *p))
            return "holds a character that a key may not have here";
    return NULL;
}

/* A header that carries a key: nothing that means something else already. */
static const char *key_header_problem(const char *text)
{
    static const char *const taken[] = {"authorization", "cookie"};

    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (strcasecmp(text, taken[i]) == 0)
            return "carries other things already";
    return value_header_problem(text);
}

static const char *query_problem(const char *text)
{
    return value_is_token(text) && strlen(text) <= 64 && !strpbrk(text, "%&+=")
               ? NULL
               : "is not the name of a query parameter";
}

static const struct field api_keys_fields[] = {
    STRING("file", api_keys_conf, file, NULL, value_file_problem,
           "File with the keys' hashes, read again when it changes. Either this or `kv`."),
    STRING("kv", api_keys_conf, kv, NULL, kv_problem,
           "Key in Consul's KV store, and all keys below it, that hold what the file would."),
    STRING("pepper_file", api_keys_conf, pepper_file, NULL, value_file_problem,
           "File with a secret that entries with `hmac-sha256:` need."),
    STRING("header", api_keys_conf, header, "X-Api-Key", key_header_problem,
           "Request header that carries the key."),
    STRING("query", api_keys_conf, query, NULL, query_problem,
           "Query parameter that may carry it too. Addresses get into histories and logs: only for "
           "clients that cannot set a header."),
    BOOLEAN("pass", api_keys_conf, pass, "false",
            "Let the service see the header or parameter with the key too."),
};
const struct section api_keys_section = {api_keys_fields, ARRAY_LEN(api_keys_fields)};

static const struct field basic_fields[] = {
    STRING(
        "htpasswd", basic_conf, htpasswd, NULL, value_file_problem,
        "File of `user:hash` lines as `htpasswd -B` makes them, read again when it changes. Only "
        "bcrypt. Required."),
    STRING("realm", basic_conf, realm, "frontdesk", value_realm_problem,
           "What browsers show when they ask for the password."),
    DURATION("cache", basic_conf, cache_ms, 0, HOURS, "1m",
             "How long a worker remembers that a password was right; a changed file ends it at "
             "once. 0 = each request costs a bcrypt."),
    BOOLEAN("pass", basic_conf, pass, "false", "Let the service see `Authorization` too."),
};
const struct section basic_section = {basic_fields, ARRAY_LEN(basic_fields)};

static int name_check(struct reader *r, const struct node *n)
{
    const char *problem = value_name_problem(n->key);

    return problem ? node_error(n, r->err, "\"%.60s\" %s", n->key, problem) : 0;
}

static int store_read(struct reader *r, const struct node *n, struct api_keys_conf *c)
{
    section_defaults(r, &api_keys_section, c);
    if (name_check(r, n) < 0 || section_read(r, &api_keys_section, n, c) < 0)
        return -1;
    c->name = arena_strdup(r->arena, n->key);
    if (!c->file == !c->kv)
        return node_error(n, r->err, "expected exactly one of file and kv");
    return 0;
}

static int map_check(struct reader *r, const struct node *n, const char *what)
{
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, what);
    if (n->n > MAX_STORES)
        return node_error(n, r->err, "at most %d entries are allowed here", MAX_STORES);
    return 0;
}

int api_keys_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (map_check(r, n, "stores of API keys by name") < 0)
        return -1;
    c->api_keys = ARENA_ARRAY(r->arena, struct api_keys_conf, n->n);
    node_each(it, n)
    {
        struct api_keys_conf *k = &c->api_keys[c->napi_keys];

        if (store_read(r, it, k) < 0)
            return -1;
        k->index = (unsigned)c->napi_keys++;
    }
    return 0;
}

int api_keys_finish(struct reader *r, const struct node *root)
{
    const struct config *c = r->config;

    for (size_t i = 0; i < c->napi_keys; i++) {
        const struct api_keys_conf *k = &c->api_keys[i];
        const struct node *store = node_get(node_get(root, "api_keys"), k->name);

        if (k->kv && !c->consul.enabled)
            return node_error(node_get(store, "kv"), r->err,
                              "the keys are in Consul: needs consul");
    }
    return 0;
}

int basic_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (map_check(r, n, "files of passwords by name") < 0)
        return -1;
    c->basic = ARENA_ARRAY(r->arena, struct basic_conf, n->n);
    node_each(it, n)
    {
        struct basic_conf *b = &c->basic[c->nbasic];

        section_defaults(r, &basic_section, b);
        if (name_check(r, it) < 0 || section_read(r, &basic_section, it, b) < 0)
            return -1;
        if (!b->htpasswd)
            return node_error(it, r->err, "htpasswd is missing");
        b->name = arena_strdup(r->arena, it->key);
        b->index = (unsigned)c->nbasic++;
    }
    return 0;
}
