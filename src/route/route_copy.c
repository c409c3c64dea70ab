/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"
#include "route/route_table.h"

static const char *copy_text(struct arena *a, const char *z)
{
    return z ? arena_strdup(a, z) : NULL;
}

static const char **copy_words(struct arena *a, const char **words)
{
    size_t n = 0;

    if (!words)
        return NULL;
    while (words[n])
        n++;
    const char **copy = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(a, words[i]);
    return copy;
}

static struct match_conf *copy_matches(struct arena *a, const struct match_conf *from, size_t n)
{
    struct match_conf *to = ARENA_ARRAY(a, struct match_conf, n);
    const char *why;

    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].name = copy_text(a, from[i].name);
        to[i].value = copy_text(a, from[i].value);
        if (to[i].regex)
            to[i].re = regex_compile(a, str_of(to[i].value), &why);
    }
    return to;
}

static struct header_change *copy_changes(struct arena *a, const struct header_change *from,
                                          size_t n)
{
    struct header_change *to = ARENA_ARRAY(a, struct header_change, n);

    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].name = copy_text(a, from[i].name);
        to[i].value = copy_text(a, from[i].value);
    }
    return to;
}

static struct target_conf *copy_targets(struct arena *a, const struct target_conf *from, size_t n)
{
    struct target_conf *to = ARENA_ARRAY(a, struct target_conf, n);

    for (size_t i = 0; i < n; i++)
        to[i] = (struct target_conf){copy_text(a, from[i].service), from[i].weight};
    return to;
}

/* A tag's are of its arena. */
static void copy_addresses(struct arena *a, struct cidr_list *list)
{
    struct cidr *items = ARENA_ARRAY(a, struct cidr, list->n);

    if (list->n > 0)
        memcpy(items, list->items, list->n * sizeof *items);
    list->items = items;
}

struct route_conf *route_copy(struct arena *a, const struct route_conf *from)
{
    struct route_conf *to = ARENA_NEW(a, struct route_conf);

    *to = *from;
    to->name = copy_text(a, from->name ? from->name : "");
    to->source = copy_text(a, from->source ? from->source : "");
    to->host = copy_text(a, from->host ? from->host : "");
    to->path = copy_text(a, from->path ? from->path : "");
    to->host_regex = copy_text(a, from->host_regex);
    to->path_regex = copy_text(a, from->path_regex);
    to->not_host_regex = copy_text(a, from->not_host_regex);
    to->not_path_regex = copy_text(a, from->not_path_regex);
    to->methods = copy_words(a, from->methods);
    to->headers = copy_matches(a, from->headers, from->nheaders);
    to->query = copy_matches(a, from->query, from->nquery);
    to->targets = copy_targets(a, from->targets, from->ntargets);
    to->sticky_name = copy_text(a, from->sticky_name);
    to->strip = copy_text(a, from->strip);
    to->prepend = copy_text(a, from->prepend);
    to->rewrite = copy_text(a, from->rewrite);
    to->set_host = copy_text(a, from->set_host);
    to->redirect_to = copy_text(a, from->redirect_to);
    to->request_headers = copy_changes(a, from->request_headers, from->nrequest_headers);
    to->response_headers = copy_changes(a, from->response_headers, from->nresponse_headers);
    to->auth = copy_text(a, from->auth);
    to->edge.cors_name = copy_text(a, from->edge.cors_name);
    copy_addresses(a, &to->edge.addresses.allow);
    copy_addresses(a, &to->edge.addresses.deny);
    /* What else it points to stays with the configuration, which every snapshot that has this
     * table holds. */
    return to;
}
