/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags.h"

#include "base/hash.h"
#include "http/chars.h"
#include "http/uri.h"
#include "route/route_table.h"
#include "route/tags_set.h"

#include <stdlib.h>

enum { SHOWN_BYTES = 120 };

const char *tags_shown(struct arena *a, struct str text)
{
    size_t n = text.n < SHOWN_BYTES ? text.n : SHOWN_BYTES;
    char *shown = arena_printf(a, "%.*s%s", (int)n, text.p, n < text.n ? "..." : "");

    for (char *p = shown; *p; p++)
        if (*p < ' ' || *p >= 0x7f)
            *p = '?';
    return shown;
}

void tags_report(struct tags_set *s, enum tag_problem_kind kind, struct str tag, const char *why)
{
    const char *text = tags_shown(s->arena, tag);

    for (size_t i = 0; i < s->out->nproblems; i++)
        if (strcmp(s->out->problems[i].tag, text) == 0 && strcmp(s->out->problems[i].why, why) == 0)
            return;
    if (s->out->nproblems == TAGS_MAX_PROBLEMS)
        return;
    s->out->problems[s->out->nproblems++] =
        (struct tag_problem){arena_strdup(s->arena, s->instances->service), text, why, kind};
}

void tags_problem(struct tags_set *s, struct str tag, const char *why)
{
    tags_report(s, TAG_LEFT_OUT, tag, why);
}

bool tags_fraction(struct str text, double *ret)
{
    double value = 0, place = 1;
    bool point = false, digit = false;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text.p[i] < '0' || text.p[i] > '9' || i == 32)
            return false;
        digit = true;
        place = point ? place / 10 : place;
        value = point ? value + (text.p[i] - '0') * place : value * 10 + (text.p[i] - '0');
    }
    *ret = value;
    return digit;
}

bool tags_again(struct tags_set *s, uint64_t signature)
{
    for (unsigned i = 0; i < s->nread; i++)
        if (s->read[i] == signature)
            return true;
    if (s->nread < ARRAY_LEN(s->read))
        s->read[s->nread++] = signature;
    return false;
}

struct route_conf *tags_route(struct tags_set *s)
{
    struct route_conf *conf = ARENA_NEW(s->arena, struct route_conf);

    *conf = (struct route_conf){.host = "", .max_body = -1, .ntargets = 1};
    conf->targets = ARENA_NEW(s->arena, struct target_conf);
    *conf->targets = (struct target_conf){arena_strdup(s->arena, s->instances->service), 1};
    return conf;
}

static const char *or_none(const char *z)
{
    return z ? z : "-";
}

static const char *methods_key(struct arena *a, const struct route_conf *conf)
{
    const char *text = "";

    for (size_t i = 0; conf->methods && conf->methods[i]; i++)
        text = arena_printf(a, "%s,%s", text, conf->methods[i]);
    return text;
}

static const char *addresses_key(struct arena *a, const struct cidr_list *list)
{
    return arena_printf(
        a, "%zu %016llx", list->n,
        (unsigned long long)hash_bytes(list->items, list->n * sizeof *list->items, list->n));
}

static const char *conditions_key(struct arena *a, const struct match_conf *m, size_t n)
{
    const char *text = "";

    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, "%s\n%d%d%d %s=%s", text, m[i].prefix, m[i].regex, m[i].invert,
                            m[i].name, or_none(m[i].value));
    return text;
}

static const char *changes_key(struct arena *a, const struct header_change *h, size_t n)
{
    const char *text = "";

    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, "%s\n%d %s=%s", text, (int)h[i].op, h[i].name, or_none(h[i].value));
    return text;
}

const char *tags_match_key(struct arena *a, const struct route_conf *c)
{
    return arena_printf(a, "%s %s %d %d %s\n%s\n%s\n%s\n%s%s%s", c->host, c->path, c->path_match,
                        c->scheme, methods_key(a, c), or_none(c->host_regex),
                        or_none(c->path_regex), or_none(c->not_host_regex),
                        or_none(c->not_path_regex), conditions_key(a, c->headers, c->nheaders),
                        conditions_key(a, c->query, c->nquery));
}

const char *tags_action_key(struct arena *a, const struct route_conf *c)
{
    return arena_printf(
        a, "%d\n%d\n%s\n%s\n%s\n%s\n%u\n%s\n%s\n%s\n%s\n%s%s%s", c->priority, (int)c->importance,
        or_none(c->strip), or_none(c->prepend), or_none(c->rewrite), or_none(c->set_host),
        c->redirect_status, or_none(c->redirect_to), or_none(c->auth), or_none(c->edge.cors_name),
        addresses_key(a, &c->edge.addresses.allow), addresses_key(a, &c->edge.addresses.deny),
        changes_key(a, c->request_headers, c->nrequest_headers),
        changes_key(a, c->response_headers, c->nresponse_headers));
}

static bool guard_list(struct cidr_list *to, const struct cidr_list *from)
{
    bool more = to->n == 0 && from->n > 0;

    *to = more ? *from : *to;
    return more;
}

bool tags_guard(struct route_conf *to, const struct route_conf *from)
{
    const struct address_rules *addresses = &from->edge.addresses;
    bool more = !to->auth && from->auth;

    to->auth = more ? from->auth : to->auth;
    more |= guard_list(&to->edge.addresses.allow, &addresses->allow);
    more |= guard_list(&to->edge.addresses.deny, &addresses->deny);
    return more;
}

/* Another tag about the same route as the i-th one says something else. */
static void settle(struct tags_set *s, size_t i, const struct route_conf *other, struct str tag)
{
    struct route_conf *conf = ARENA_NEW(s->arena, struct route_conf);

    *conf = *s->out->inputs[i].conf;
    if (tags_guard(conf, other)) {
        s->out->inputs[i].conf = conf;
        s->actions[i] = tags_action_key(s->arena, conf);
    }
    tags_report(s, TAG_NOT_OBEYED, tag, TAGS_DISPUTED);
}

void tags_add(struct tags_set *s, struct route_conf *conf, struct str tag)
{
    struct tag_routes *out = s->out;
    const char *match = tags_match_key(s->arena, conf);
    const char *action = tags_action_key(s->arena, conf);

    if (conf->redirect_status != 0)
        conf->ntargets = 0;
    for (size_t i = 0; i < out->ninputs; i++) {
        if (strcmp(s->matches[i], match) != 0)
            continue;
        if (strcmp(s->actions[i], action) != 0)
            settle(s, i, conf, tag);
        return;
    }
    if (out->ninputs == TAGS_MAX_ROUTES) {
        if (!s->full)
            tags_problem(s, tag, "more than 64 routes by one service: the rest is left out");
        s->full = true;
        return;
    }
    s->matches[out->ninputs] = match;
    s->actions[out->ninputs] = action;
    out->inputs[out->ninputs++] = (struct route_input){conf, true, s->create_index};
}

bool tags_plain_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_TARGET))
            return false;
    return s.n > 0;
}

const char *tags_redirect(struct tags_set *s, struct route_conf *conf, struct str value)
{
    static const unsigned statuses[] = {301, 302, 303, 307, 308};
    const char *comma = memchr(value.p, ',', value.n);
    uint64_t status;

    if (!comma || !str_to_u64((struct str){value.p, (size_t)(comma - value.p)}, &status))
        return "redirect is CODE,URL";
    struct str url = {comma + 1, value.n - (size_t)(comma + 1 - value.p)};
    if (!tags_plain_text(url))
        return "the redirect's URL has bytes that a URL cannot have";
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (status != statuses[i])
            continue;
        conf->redirect_status = statuses[i];
        conf->redirect_to = arena_strndup(s->arena, url.p, url.n);
        return NULL;
    }
    return "redirect takes 301, 302, 303, 307 or 308";
}

const char *tags_set_host(struct tags_set *s, struct route_conf *conf, struct str value)
{
    char *host = arena_strndup(s->arena, value.p, value.n);

    if (!uri_check_authority(host, value.n))
        return "not a host name";
    conf->set_host = host;
    return NULL;
}

const char *tags_host(struct tags_set *s, struct route_conf *conf, struct str value)
{
    char *host = arena_strndup(s->arena, value.p, value.n);

    if (value.n == 0 || str_eq(value, STR("*")))
        return NULL;
    for (char *p = host; *p; p++)
        *p = ascii_lower(*p);
    conf->host = host;
    return route_host_problem(host);
}

/* The route that `expose: all` gives a service that asks for none. */
static void add_auto(struct tags_set *s)
{
    struct str name = str_of(s->instances->service), prefix = str_of(s->consul->tag_prefix);

    if (str_eq(name, STR("consul")) ||
        (prefix.n > 0 && str_eq(name, (struct str){prefix.p, prefix.n - 1})))
        return;
    for (size_t i = 0; i < name.n; i++) {
        if (!char_is(name.p[i], CHAR_UNRESERVED)) {
            tags_problem(s, name, "the name of this service cannot be a path");
            return;
        }
    }
    struct route_conf *conf = tags_route(s);
    conf->name = "auto";
    conf->source = arena_printf(s->arena, "expose: all of %s", name.p);
    conf->path = arena_printf(s->arena, "/%s/", name.p);
    conf->path_match = PATH_PREFIX;
    conf->strip = conf->path;
    tags_add(s, conf, name);
}

static int by_age(const void *a, const void *b)
{
    const struct instance *x = *(const struct instance *const *)a;
    const struct instance *y = *(const struct instance *const *)b;

    if (x->create_index != y->create_index)
        return x->create_index < y->create_index ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Mostly all instances of a service say the same. */
static bool same_words(const struct instance *a, const struct instance *b)
{
    if (a->ntags != b->ntags || a->nmeta != b->nmeta)
        return false;
    for (unsigned i = 0; i < a->ntags; i++)
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    for (unsigned i = 0; i < a->nmeta; i++)
        if (strcmp(a->meta[i].key, b->meta[i].key) != 0 ||
            strcmp(a->meta[i].value, b->meta[i].value) != 0)
            return false;
    return true;
}

/* `before`: the one that was read before it, or NULL. */
static void read_instance(struct tags_set *s, const struct instance *i,
                          const struct instance *before)
{
    struct str fabio = str_of(s->consul->fabio_prefix);
    unsigned n = 0;

    if (s->consul->tag_prefix && *s->consul->tag_prefix && !(before && same_words(before, i)))
        tags_native(s, i);
    if (s->consul->traefik_prefix && *s->consul->traefik_prefix)
        tags_traefik(s, i);
    for (unsigned k = 0; fabio.n > 0 && k < i->ntags; k++) {
        struct str tag = str_trim(str_of(i->tags[k]));

        if (!str_starts(tag, fabio))
            continue;
        s->asked = true;
        if (tag.n > TAGS_MAX_LENGTH)
            tags_problem(s, tag, "longer than 1 KiB");
        else if (++n == TAGS_MAX_ROUTES + 1)
            tags_problem(s, tag, "more than 64 routes by one instance: the rest is left out");
        else if (n <= TAGS_MAX_ROUTES)
            tags_fabio(s, i, tag, (struct str){tag.p + fabio.n, tag.n - fabio.n});
    }
}

/* A gateway that registers itself is no service behind a gateway, whatever it is called: a route to
 * it would lead in circles. */
static bool is_gateway(const struct instance *i)
{
    for (unsigned k = 0; k < i->nmeta; k++)
        if (strcmp(i->meta[k].key, "frontdesk-gateway") == 0)
            return true;
    return false;
}

void tags_parse(const struct instance_set *set, const struct consul_conf *consul, struct arena *a,
                struct tag_routes *ret)
{
    tags_parse_with(set, consul, NULL, a, ret);
}

void tags_parse_with(const struct instance_set *set, const struct consul_conf *consul,
                     const struct tag_library *library, struct arena *a, struct tag_routes *ret)
{
    struct tags_set s = {
        .instances = set, .consul = consul, .library = library, .arena = a, .out = ret};

    *ret = (struct tag_routes){0};
    if (consul->expose == EXPOSE_NONE || set->n == 0 || is_gateway(&set->items[0]))
        return;
    ret->inputs = ARENA_ARRAY(a, struct route_input, TAGS_MAX_ROUTES);
    ret->problems = ARENA_ARRAY(a, struct tag_problem, TAGS_MAX_PROBLEMS);
    s.matches = ARENA_ARRAY(a, const char *, TAGS_MAX_ROUTES);
    s.actions = ARENA_ARRAY(a, const char *, TAGS_MAX_ROUTES);
    const struct instance **oldest = ARENA_ARRAY(a, const struct instance *, set->n);
    for (unsigned i = 0; i < set->n; i++)
        oldest[i] = &set->items[i];
    s.last = (struct fabio_target **)&ret->targets;
    qsort(oldest, set->n, sizeof(oldest[0]), by_age);
    s.create_index = oldest[0]->create_index;
    for (unsigned i = 0; i < set->n; i++)
        read_instance(&s, oldest[i], i > 0 ? oldest[i - 1] : NULL);
    if (consul->expose == EXPOSE_ALL && !s.asked && ret->nproblems == 0)
        add_auto(&s);
}
