/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/migrate_route.h"
#include "http/uri.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

json_t *migrate_text(const char *text)
{
    json_t *s = json_string(text);
    char *safe;

    if (s)
        return s;
    safe = strdup(text);
    if (!safe)
        abort();
    for (char *p = safe; *p; p++)
        if (*p < ' ' || *p >= 0x7f)
            *p = '?';
    s = json_string(safe);
    free(safe);
    return s;
}

static void put(json_t *to, const char *key, const char *value)
{
    if (value)
        json_object_set_new(to, key, migrate_text(value));
}

/* In its normal form, as the configuration wants it. */
static void put_path(json_t *to, const struct route_conf *c)
{
    char *path = strdup(c->path);
    size_t n = strlen(c->path);

    if (!path)
        abort();
    if (c->path_match != PATH_GLOB && uri_normalise_path(path, &n))
        path[n] = '\0';
    put(to, "path", path);
    free(path);
}

static void put_match(json_t *to, const struct route_conf *c)
{
    static const char *const words[] = {[PATH_EXACT] = "exact",
                                        [PATH_PATTERN] = "pattern",
                                        [PATH_PLAIN_PREFIX] = "plain_prefix",
                                        [PATH_PLAIN_IPREFIX] = "plain_iprefix",
                                        [PATH_GLOB] = "glob"};

    if (c->path_match != PATH_PREFIX &&
        !(c->path_match == PATH_PLAIN_PREFIX && strcmp(c->path, "/") == 0))
        put(to, "match", words[c->path_match]);
    put(to, "host_regex", c->host_regex);
    put(to, "path_regex", c->path_regex);
    put(to, "not_host_regex", c->not_host_regex);
    put(to, "not_path_regex", c->not_path_regex);
    if (c->scheme != SCHEME_ANY)
        put(to, "scheme", c->scheme == SCHEME_HTTP ? "http" : "https");
}

static void put_words(json_t *to, const char *key, const char *const *words)
{
    json_t *list = json_array();

    for (size_t i = 0; words && words[i]; i++)
        json_array_append_new(list, migrate_text(words[i]));
    if (json_array_size(list) > 0)
        json_object_set(to, key, list);
    json_decref(list);
}

static void put_conditions(json_t *to, const char *key, const struct match_conf *m, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *one = json_object();

        put(one, "name", m[i].name);
        put(one, m[i].regex ? "regex" : m[i].prefix ? "prefix" : "value", m[i].value);
        if (!m[i].value)
            json_object_set_new(one, "present", json_true());
        if (m[i].invert)
            json_object_set_new(one, "invert", json_true());
        json_array_append_new(list, one);
    }
    if (n > 0)
        json_object_set(to, key, list);
    json_decref(list);
}

static void put_target(json_t *to, const struct route_conf *c)
{
    json_t *list;

    if (c->redirect_status) {
        json_t *redirect = json_object();

        json_object_set_new(redirect, "status", json_integer(c->redirect_status));
        put(redirect, "to", c->redirect_to);
        json_object_set_new(to, "redirect", redirect);
        return;
    }
    if (c->ntargets == 1) {
        put(to, "service", c->targets[0].service);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < c->ntargets; i++) {
        json_t *one = json_object();

        put(one, "service", c->targets[i].service);
        json_object_set_new(one, "weight", json_integer(c->targets[i].weight));
        json_array_append_new(list, one);
    }
    json_object_set_new(to, "split", list);
}

static void put_addresses(json_t *to, const char *key, const struct cidr_list *list)
{
    static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++) {
        const struct cidr *c = &list->items[i];
        bool four = c->bits >= 96 && memcmp(c->addr, v4, sizeof v4) == 0;
        char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];

        inet_ntop(four ? AF_INET : AF_INET6, c->addr + (four ? 12 : 0), host, sizeof host);
        snprintf(text, sizeof text, "%s/%u", host, four ? c->bits - 96 : c->bits);
        json_array_append_new(array, json_string(text));
    }
    if (list->n > 0)
        json_object_set(to, key, array);
    json_decref(array);
}

static void put_changes(json_t *to, const char *key, const struct header_change *h, size_t n)
{
    json_t *set = json_object(), *remove = json_array(), *both = json_object();

    for (size_t i = 0; i < n; i++) {
        if (h[i].op == HEADER_REMOVE)
            json_array_append_new(remove, migrate_text(h[i].name));
        else
            put(set, h[i].name, h[i].value);
    }
    if (json_object_size(set) > 0)
        json_object_set(both, "set", set);
    if (json_array_size(remove) > 0)
        json_object_set(both, "remove", remove);
    if (n > 0)
        json_object_set(to, key, both);
    json_decref(set);
    json_decref(remove);
    json_decref(both);
}

/* What is done with a request that is forwarded. */
static void put_changes_of(json_t *to, const struct route_conf *c)
{
    put(to, "strip", c->strip);
    put(to, "prepend", c->prepend);
    put(to, "rewrite", c->rewrite);
    put(to, "set_host", c->set_host);
    put_changes(to, "request_headers", c->request_headers, c->nrequest_headers);
}

json_t *migrate_route(const struct route_conf *c)
{
    json_t *to = json_object();

    if (*c->host)
        put(to, "host", c->host);
    put_path(to, c);
    put_match(to, c);
    put_words(to, "methods", (const char *const *)c->methods);
    put_conditions(to, "headers", c->headers, c->nheaders);
    put_conditions(to, "query", c->query, c->nquery);
    if (c->priority != 0)
        json_object_set_new(to, "priority", json_integer(c->priority));
    put_target(to, c);
    if (!c->redirect_status)
        put_changes_of(to, c);
    put_changes(to, "response_headers", c->response_headers, c->nresponse_headers);
    put(to, "auth", c->auth);
    put_addresses(to, "allow_from", &c->edge.addresses.allow);
    put_addresses(to, "deny_from", &c->edge.addresses.deny);
    return to;
}
