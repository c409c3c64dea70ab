/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "config/cidr.h"
#include "route/traefik.h"

#include <stdarg.h>
#include <stdio.h>

/* Priorities that were given move away from those that were not, which are 0. */
enum { BELOW_ALL = 100000, MOST_PRIORITY = 100000 };

struct traefik_tag *traefik_find(struct traefik *t, const char *fmt, ...)
{
    char key[512];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(key, sizeof key, fmt, args);
    va_end(args);
    for (unsigned i = 0; n > 0 && (size_t)n < sizeof key && i < t->n; i++) {
        if (!str_ieq(t->tags[i].key, (struct str){key, (size_t)n}))
            continue;
        t->tags[i].used = true;
        return &t->tags[i];
    }
    return NULL;
}

bool traefik_name(const struct traefik_tag *tag, const char *prefix, struct str *ret_name)
{
    struct str head = str_of(prefix);
    const char *dot;

    if (!str_istarts(tag->key, head))
        return false;
    *ret_name = (struct str){tag->key.p + head.n, tag->key.n - head.n};
    dot = memchr(ret_name->p, '.', ret_name->n);
    if (dot)
        ret_name->n = (size_t)(dot - ret_name->p);
    return ret_name->n > 0;
}

bool traefik_true(const struct traefik_tag *tag)
{
    return str_ieq(tag->value, STR("true"));
}

static unsigned count_tags(const struct tags_set *s, const struct instance *i)
{
    unsigned n = 0;

    for (unsigned k = 0; k < i->ntags && n < TRAEFIK_MAX_TAGS; k++)
        n += str_istarts(str_of(i->tags[k]), str_of(s->consul->traefik_prefix));
    return n;
}

static const char *length_problem(struct str tag, size_t key)
{
    if (tag.n > TRAEFIK_MAX_TAG)
        return "longer than 4 KiB";
    return key > TRAEFIK_MAX_KEY ? "its key is longer than 400 bytes" : NULL;
}

/* False when there is something that is not read: it may be what keeps people out. */
static bool read_tags(struct traefik *t, const struct instance *i)
{
    struct str prefix = str_of(t->set->consul->traefik_prefix);

    for (unsigned k = 0; k < i->ntags; k++) {
        struct str tag = str_of(i->tags[k]);
        const char *equals = memchr(tag.p, '=', tag.n), *why;

        if (!str_istarts(tag, prefix) || !equals || (size_t)(equals - tag.p) <= prefix.n)
            continue;
        t->set->asked = true;
        why = t->n == TRAEFIK_MAX_TAGS ? "more than 256 tags of Traefik by one instance"
                                       : length_problem(tag, (size_t)(equals - tag.p));
        if (why) {
            tags_problem(t->set, tag, why);
            return false;
        }
        t->tags[t->n++] = (struct traefik_tag){
            .tag = tag,
            .key = {tag.p + prefix.n, (size_t)(equals - tag.p) - prefix.n},
            .value = str_trim((struct str){equals + 1, tag.n - (size_t)(equals + 1 - tag.p)})};
    }
    return true;
}

static bool defines(const struct traefik *t, struct str name)
{
    struct str found;

    for (unsigned i = 0; i < t->n; i++)
        if (!t->tags[i].foreign && traefik_name(&t->tags[i], "http.middlewares.", &found) &&
            str_ieq(found, name))
            return true;
    return false;
}

/* The middlewares of others whose names are not taken here. */
static void add_foreign(struct traefik *t)
{
    const struct tag_library *l = t->set->library;
    struct str prefix = str_of(t->set->consul->traefik_prefix);

    for (unsigned i = 0; l && i < l->n; i++) {
        struct str tag = str_of(l->tags[i]), name;
        const char *equals = memchr(tag.p, '=', tag.n);
        struct traefik_tag foreign = {.tag = tag, .foreign = true};

        if (!str_istarts(tag, prefix) || !equals || (size_t)(equals - tag.p) <= prefix.n ||
            tag.n > TRAEFIK_MAX_TAG)
            continue;
        foreign.key = (struct str){tag.p + prefix.n, (size_t)(equals - tag.p) - prefix.n};
        foreign.value = str_trim((struct str){equals + 1, tag.n - (size_t)(equals + 1 - tag.p)});
        if (traefik_name(&foreign, "http.middlewares.", &name) && !defines(t, name))
            t->tags[t->n++] = foreign;
    }
}

/* What Traefik calls a service that gives itself no name. */
static const char *normalised(struct arena *a, const char *name)
{
    char *out = arena_strdup(a, name);
    size_t n = 0;

    for (const char *p = name; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (ascii_lower(*p) >= 'a' && ascii_lower(*p) <= 'z');

        if (plain)
            out[n++] = *p;
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    return out;
}

static bool has_service(const struct traefik *t, struct str name)
{
    struct str found;

    for (unsigned i = 0; i < t->n; i++)
        if (traefik_name(&t->tags[i], "http.services.", &found) && str_ieq(found, name))
            return true;
    return str_ieq(name, str_of(normalised(t->set->arena, t->set->instances->service)));
}

static unsigned count_services(const struct traefik *t)
{
    struct str first = STR_NULL, found;
    unsigned n = 0;

    for (unsigned i = 0; i < t->n; i++)
        if (traefik_name(&t->tags[i], "http.services.", &found) &&
            (!first.p || !str_ieq(found, first))) {
            first = found;
            n++;
        }
    return n;
}

/* Its instances are those of the service that has the tags; nothing else can be meant here. */
static const char *check_service(struct traefik *t, struct str router)
{
    struct traefik_tag *tag = traefik_find(t, "http.routers.%.*s.service", STR_FMT(router));
    struct str name;
    const char *at;

    if (!tag)
        return count_services(t) > 1 ? "it does not say which of its services it is for" : NULL;
    name = tag->value;
    at = memchr(name.p, '@', name.n);
    name.n = at ? (size_t)(at - name.p) : name.n;
    return has_service(t, name) ? NULL : "its service is not one of these tags";
}

static const char *set_priority(struct traefik *t, struct str router, struct str rule,
                                struct route_conf *conf)
{
    struct traefik_tag *tag = traefik_find(t, "http.routers.%.*s.priority", STR_FMT(router));
    bool negative = tag && tag->value.n > 0 && tag->value.p[0] == '-';
    uint64_t n = 0;
    int priority;

    if (!tag)
        return NULL;
    if (!str_to_u64((struct str){tag->value.p + negative, tag->value.n - negative}, &n))
        return "priority is not a number";
    n = n > MOST_PRIORITY ? MOST_PRIORITY : n;
    if (n == 0)
        return NULL;
    /* Without one it would be the length of the rule. */
    priority = negative ? -(int)n : (int)n;
    conf->priority = priority >= (int)rule.n ? priority : priority - BELOW_ALL;
    tags_report(t->set, TAG_DIFFERS, tag->tag,
                "priorities are compared within a host; a router without one is not ranked by the "
                "length of its rule but by how specific it is");
    return NULL;
}

static bool is_false(const struct traefik_tag *tag)
{
    return str_ieq(tag->value, STR("false"));
}

/* tls=true, and all that says more about it. */
static void read_tls(struct traefik *t, struct str router, struct route_conf *conf)
{
    struct traefik_tag *tls = traefik_find(t, "http.routers.%.*s.tls", STR_FMT(router));
    const char *prefix = arena_printf(t->set->arena, "http.routers.%.*s.tls.", STR_FMT(router));

    for (unsigned i = 0; i < t->n; i++) {
        if (!str_istarts(t->tags[i].key, str_of(prefix)))
            continue;
        t->tags[i].used = true;
        conf->scheme = SCHEME_HTTPS;
        tags_report(t->set, TAG_NOT_OBEYED, t->tags[i].tag,
                    "certificates and TLS options are those of the listener");
    }
    if (tls)
        conf->scheme = is_false(tls) ? SCHEME_ANY : SCHEME_HTTPS;
}

/* The routes of a router. */
struct made {
    struct route_conf *confs[2 * TRAEFIK_MAX_CASES];
    const char *matches[2 * TRAEFIK_MAX_CASES];
    unsigned n;
};

static void join_lists(struct arena *a, struct cidr_list *to, const struct cidr_list *from)
{
    struct cidr *items = ARENA_ARRAY(a, struct cidr, to->n + from->n);

    memcpy(items, to->items, to->n * sizeof *items);
    memcpy(items + to->n, from->items, from->n * sizeof *items);
    *to = (struct cidr_list){items, to->n + from->n};
    cidr_list_prepare(to);
}

/* Two cases that differ by nothing but the clients that they are for are one route. */
static const char *keep(struct traefik *t, struct made *m, struct route_conf *conf)
{
    const char *match = tags_match_key(t->set->arena, conf);
    struct address_rules *now = &conf->edge.addresses;

    for (unsigned i = 0; i < m->n; i++) {
        struct address_rules *before = &m->confs[i]->edge.addresses;

        if (strcmp(m->matches[i], match) != 0)
            continue;
        if (now->deny.n > 0 || before->deny.n > 0)
            return "a ClientIP that must not be, and || for the same route";
        if (now->allow.n == 0 || before->allow.n == 0)
            before->allow.n = 0;
        else
            join_lists(t->set->arena, &before->allow, &now->allow);
        return NULL;
    }
    m->matches[m->n] = match;
    m->confs[m->n++] = conf;
    return NULL;
}

static const char *make_route(struct traefik *t, const struct traefik_work *w, struct made *m,
                              const struct traefik_case *c, struct str tag, bool redirect)
{
    struct tags_set *s = t->set;
    struct route_conf *conf = ARENA_NEW(s->arena, struct route_conf);
    const char *why;

    *conf = w->like;
    conf->targets = ARENA_NEW(s->arena, struct target_conf);
    conf->targets[0] = w->like.targets[0];
    why = traefik_case_route(s, tag, c, conf);
    if (why)
        return why;
    if (w->redirect_port && !redirect) {
        conf->redirect_status = 0;
        conf->scheme = w->redirect_from == SCHEME_HTTP ? SCHEME_HTTPS : SCHEME_HTTP;
    }
    if (redirect) {
        conf->scheme = w->redirect_from;
        conf->redirect_to =
            arena_printf(s->arena, "%s://$hostname%s$path",
                         w->redirect_from == SCHEME_HTTP ? "https" : "http", w->redirect_port);
    } else {
        why = traefik_finish(t, w, conf);
    }
    return why ? why : keep(t, m, conf);
}

static const char *add_cases(struct traefik *t, const struct traefik_work *w,
                             const struct traefik_rule *rule, struct str tag)
{
    enum route_scheme scheme = w->like.scheme;
    bool redirects = w->redirect_port && (scheme == SCHEME_ANY || scheme == w->redirect_from);
    bool serves = !w->redirect_port || scheme != w->redirect_from;
    struct made *m = ARENA_NEW(t->set->arena, struct made);
    const char *why = NULL;

    for (unsigned i = 0; i < rule->n && !why; i++) {
        if (redirects)
            why = make_route(t, w, m, &rule->cases[i], tag, true);
        if (!why && serves)
            why = make_route(t, w, m, &rule->cases[i], tag, false);
    }
    for (unsigned i = 0; i < m->n && !why; i++)
        tags_add(t->set, m->confs[i], tag);
    if (!why && w->like.redirect_status)
        tags_report(t->set, TAG_DIFFERS, tag,
                    "the status is 301 or 302 whatever the method is, never 308 or 307");
    return why;
}

/* The rest of what its service says, as far as it is about routes. */
static void read_pass_host(struct traefik *t, struct route_conf *conf)
{
    struct str name;

    for (unsigned i = 0; i < t->n; i++) {
        struct traefik_tag *tag;

        if (!traefik_name(&t->tags[i], "http.services.", &name))
            continue;
        tag = traefik_find(t, "http.services.%.*s.loadbalancer.passhostheader", STR_FMT(name));
        if (tag && is_false(tag))
            conf->set_host = "dst";
    }
}

/* `scratch`: for the rule, which is far larger than what comes of it. */
static const char *make_routes(struct traefik *t, struct str router, struct str rule,
                               struct str tag, struct arena *scratch)
{
    struct tags_set *s = t->set;
    struct traefik_work w = {
        .like = *tags_route(s),
        .request = ARENA_ARRAY(s->arena, struct header_change, TRAEFIK_MAX_CHANGES),
        .response = ARENA_ARRAY(s->arena, struct header_change, TRAEFIK_MAX_CHANGES)};
    struct traefik_tag *middlewares =
        traefik_find(t, "http.routers.%.*s.middlewares", STR_FMT(router));
    struct traefik_rule cases;
    const char *why = traefik_rule_parse(scratch, rule, &cases);

    w.like.name = tags_shown(s->arena, router);
    w.like.source =
        arena_printf(s->arena, "tag %s of %s", tags_shown(s->arena, tag), s->instances->service);
    w.like.request_headers = w.request;
    w.like.response_headers = w.response;
    read_tls(t, router, &w.like);
    read_pass_host(t, &w.like);
    if (!why)
        why = traefik_check_keys(t, router);
    if (!why)
        why = traefik_check_entry_points(t, router);
    if (!why)
        why = check_service(t, router);
    if (!why)
        why = set_priority(t, router, rule, &w.like);
    if (!why && middlewares)
        why = traefik_apply(t, middlewares->value, &w, 0);
    return why ? why : add_cases(t, &w, &cases, tag);
}

static const char *read_router(struct traefik *t, struct str router, struct str rule,
                               struct str tag)
{
    struct arena *scratch;
    const char *why;

    if (t->set->nrouters == TRAEFIK_MAX_ROUTERS)
        return "more than 1024 routers by one service: the rest is left out";
    t->set->nrouters++;
    scratch = arena_new();
    why = make_routes(t, router, rule, tag, scratch);
    arena_free(scratch);
    return why;
}

static bool read_routers(struct traefik *t)
{
    struct str router, other;
    bool found = false;

    for (unsigned i = 0; i < t->n; i++) {
        struct traefik_tag *rule;
        bool again = false;
        const char *why;

        if (!traefik_name(&t->tags[i], "http.routers.", &router))
            continue;
        for (unsigned k = 0; k < i; k++)
            again |= traefik_name(&t->tags[k], "http.routers.", &other) && str_ieq(other, router);
        if (again)
            continue;
        found = true;
        rule = traefik_find(t, "http.routers.%.*s.rule", STR_FMT(router));
        t->tags[i].used |= !rule;
        why = rule ? read_router(t, router, rule->value, rule->tag) : "a router without a rule";
        if (why)
            tags_problem(t->set, rule ? rule->tag : t->tags[i].tag, why);
    }
    return found;
}

/* What is not of a route, and what is in another one's hands. */
static void read_service(struct traefik *t, struct traefik_tag *tag, struct str name)
{
    static const char *const known[] = {"server.port", "server.scheme", "passhostheader",
                                        "responseforwarding.flushinterval"};
    struct str key = tag->key;
    size_t head = (size_t)(name.p + name.n - key.p) + 1;
    struct str rest = {key.p + head, key.n > head ? key.n - head : 0};

    tag->used = true;
    if (!str_istarts(rest, STR("loadbalancer."))) {
        tags_report(t->set, TAG_NOT_OBEYED, tag->tag,
                    "kinds of services other than loadbalancer are not supported");
        return;
    }
    rest = (struct str){rest.p + 13, rest.n - 13};
    for (size_t k = 0; k < ARRAY_LEN(known); k++) {
        if (str_ieq(rest, str_of(known[k])))
            return;
    }
    tags_report(t->set, TAG_NOT_OBEYED, tag->tag,
                str_istarts(rest, STR("sticky"))
                    ? "sticky is not obeyed: balance.hash of the service keeps clients"
                : str_istarts(rest, STR("healthcheck"))
                    ? "healthcheck is not obeyed: the checks of Consul decide"
                : str_istarts(rest, STR("passivehealthcheck"))
                    ? "passivehealthcheck is not obeyed: outliers of the service do that"
                : str_ieq(rest, STR("server.weight"))
                    ? "server.weight is not obeyed: the weights of Consul decide"
                    : "an option of loadbalancer that is not known here");
}

static void report_rest(struct traefik *t)
{
    struct str name;

    for (unsigned k = 0; k < t->n; k++) {
        struct traefik_tag *tag = &t->tags[k];

        if (tag->foreign)
            continue;
        if (traefik_name(tag, "http.services.", &name))
            read_service(t, tag, name);
        else if (str_istarts(tag->key, STR("tcp.")) || str_istarts(tag->key, STR("udp.")))
            tags_problem(t->set, tag->tag, "TCP and UDP are not supported");
        else if (!tag->used && str_istarts(tag->key, STR("http.middlewares.")))
            tags_report(t->set, TAG_DIFFERS, tag->tag, "no router of this service uses it");
        else if (!tag->used)
            tags_report(t->set, TAG_NOT_OBEYED, tag->tag, "not a key that is known here");
    }
}

static bool has_other_protocol(const struct traefik *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (str_istarts(t->tags[i].key, STR("tcp.")) || str_istarts(t->tags[i].key, STR("udp.")))
            return true;
    return false;
}

/* Another port than the registered one cannot be reached, and the registered one may be something
 * else that is nobody's business. */
static struct traefik_tag *find_other_port(struct traefik *t, const struct instance *i)
{
    struct str name;
    uint64_t port;

    for (unsigned k = 0; k < t->n; k++) {
        struct traefik_tag *tag;

        if (!traefik_name(&t->tags[k], "http.services.", &name))
            continue;
        tag = traefik_find(t, "http.services.%.*s.loadbalancer.server.port", STR_FMT(name));
        if (tag && (!str_to_u64(tag->value, &port) || port != i->port))
            return tag;
    }
    return NULL;
}

static uint64_t signature_of(const struct traefik *t, bool other_port)
{
    uint64_t h = hash_mix(t->n + 2 + other_port);

    for (unsigned k = 0; k < t->n; k++)
        h = hash_str(t->tags[k].tag, h);
    return h;
}

/* As Traefik's default rule. */
static void add_default(struct traefik *t)
{
    struct traefik_tag *unknown = traefik_find_unknown(t);
    const char *name = normalised(t->set->arena, t->set->instances->service), *rule, *why;

    if (unknown) {
        unknown->used = true;
        tags_problem(t->set, unknown->tag,
                     "not a key that is known here, so there is no default route");
        return;
    }
    rule = arena_printf(t->set->arena, "Host(`%s`)", name);
    why = read_router(t, str_of(name), str_of(rule), t->tags[0].tag);
    if (why)
        tags_problem(t->set, t->tags[0].tag, why);
}

/* Nothing is exposed that does not ask for it; a service that defines middlewares does not. */
static void report_hidden(struct traefik *t)
{
    struct str name;

    for (unsigned i = 0; i < t->n; i++) {
        if (t->tags[i].foreign || !traefik_name(&t->tags[i], "http.services.", &name))
            continue;
        tags_problem(t->set, t->tags[i].tag,
                     "the service has no router, and no traefik.enable=true: it is not exposed");
        return;
    }
}

void tags_traefik(struct tags_set *s, const struct instance *i)
{
    struct traefik_tag *enable, *other_port;
    struct traefik now = {.set = s}, *t = &now;
    unsigned most = count_tags(s, i);
    bool whole;

    most += s->library ? s->library->n : 0;
    t->tags = ARENA_ARRAY(s->arena, struct traefik_tag, most);
    whole = read_tags(t, i);
    enable = traefik_find(t, "enable");
    if (!whole || t->n == 0 || (enable && !traefik_true(enable)))
        return;
    other_port = find_other_port(t, i);
    if (tags_again(s, signature_of(t, other_port != NULL)))
        return;
    if (other_port) {
        tags_problem(
            s, other_port->tag,
            "requests go to the port that the service is registered with, and to no other");
        return;
    }
    add_foreign(t);
    if (!read_routers(t) && !has_other_protocol(t)) {
        if (enable)
            add_default(t);
        else
            report_hidden(t);
    }
    report_rest(t);
}
