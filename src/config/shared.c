/* SPDX-License-Identifier: Apache-2.0 */
#include "config/shared.h"

#include "config/sections.h"

#include <string.h>

static const char *const allowed[] = {
    "allow_from",   "api_keys",         "basic",         "compression",
    "cors",         "defaults",         "deny_from",     "fallback_cache",
    "forward_auth", "forwarded_header", "introspection", "issuers",
    "limits",       "overload",         "policies",      "rate_limits",
    "routes",       "security_headers", "services",      "trusted_proxies",
    "via",          "webhooks",
};

static bool is_allowed(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (strcmp(allowed[i], key) == 0)
            return true;
    return false;
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < top_section.n; i++)
        if (strcmp(top_section.fields[i].key, key) == 0)
            return true;
    return false;
}

int shared_check(const struct node *first, struct err *e)
{
    for (const struct node *n = first; n; n = n->next)
        if (is_known(n->key) && !is_allowed(n->key))
            return node_error(n, e,
                              "belongs to one gateway: it must be in a file of its "
                              "configuration folder, not in Consul");
    return 0;
}

/* No step of the path leads up. */
static bool is_straight(const char *path)
{
    for (const char *at = path; (at = strstr(at, "/..")); at++)
        if (at[3] == '/' || at[3] == '\0')
            return false;
    return true;
}

int shared_file_check(struct reader *r, const struct node *n)
{
    const char *folder = r->shared_files;
    size_t len = folder ? strlen(folder) : 0;

    if (!n->shared)
        return 0;
    while (len > 0 && folder[len - 1] == '/')
        len--;
    if (len > 0 && strncmp(n->text, folder, len) == 0 && n->text[len] == '/' &&
        is_straight(n->text))
        return 0;
    return node_error(n, r->err,
                      "names a file of the gateway: a document in Consul may only name "
                      "files below consul.config_files, %s%.200s",
                      len ? "here " : "which is not set", len ? folder : "");
}
