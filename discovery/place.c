/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"
#include "base/str.h"
#include "consul_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool given(const char *z)
{
    return z && *z;
}

static void add(FILE *f, const char *key, const char *value)
{
    char *encoded;

    if (!given(value))
        return;
    encoded = consul_http_encode(value);
    fprintf(f, "%s=%s&", key, encoded);
    free(encoded);
}

static void add_rest(FILE *f, const struct discovery_place *p)
{
    add(f, "ns", p->ns);
    add(f, "partition", p->partition);
    add(f, "peer", p->peer);
    add(f, "filter", p->filter);
}

static FILE *open_text(char **ret, size_t *size)
{
    FILE *f = open_memstream(ret, size);

    if (!f)
        abort();
    return f;
}

static void close_text(FILE *f)
{
    if (fclose(f) != 0)
        abort();
}

char *place_key(const struct discovery_place *p)
{
    char *key;
    size_t size;
    FILE *f = open_text(&key, &size);
    char *service = strdup(p->query ? "" : p->service);

    if (!service)
        abort();
    for (char *c = service; *c; c++)
        *c = ascii_lower(*c);
    fputc('?', f);
    add(f, "query", p->query);
    add(f, "service", service);
    add(f, "dc", p->datacenter);
    add_rest(f, p);
    if (p->only_passing)
        fputs("passing&", f);
    close_text(f);
    free(service);
    return key;
}

char *place_path(const struct discovery_place *p)
{
    char *encoded = consul_http_encode(p->query ? p->query : p->service), *path;
    int n = p->query ? asprintf(&path, "/v1/query/%s/execute", encoded)
                     : asprintf(&path, "/v1/health/service/%s", encoded);

    if (n < 0)
        abort();
    free(encoded);
    return path;
}

char *place_suffix(const struct discovery_place *p, bool stale, const char *datacenter)
{
    char *suffix;
    size_t size;
    FILE *f = open_text(&suffix, &size);

    if (stale)
        fputs("stale&", f);
    add(f, "dc", given(p->datacenter) ? p->datacenter : datacenter);
    add_rest(f, p);
    close_text(f);
    return suffix;
}

char *place_label(const struct discovery_place *p, const char *name)
{
    char *label;
    size_t size;
    FILE *f = open_text(&label, &size);
    bool own = !p->query && strcasecmp(p->service, name) == 0;

    if (p->query)
        fprintf(f, "query %s", p->query);
    else if (!own)
        fputs(p->service, f);
    if (given(p->datacenter))
        fprintf(f, "%s%s", own ? "" : " in ", p->datacenter);
    else if (own && !given(p->peer))
        fputs("local", f);
    if (given(p->peer))
        fprintf(f, "%speer %s", own && !given(p->datacenter) ? "" : ", ", p->peer);
    if (given(p->ns))
        fprintf(f, ", namespace %s", p->ns);
    if (given(p->partition))
        fprintf(f, ", partition %s", p->partition);
    if (given(p->filter))
        fprintf(f, " where %.60s", p->filter);
    close_text(f);
    return label;
}

bool place_is_special(const struct discovery_place *p)
{
    return given(p->datacenter) || given(p->filter) || given(p->ns) || given(p->partition) ||
           given(p->peer) || p->query;
}
