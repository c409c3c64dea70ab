/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - one entry of `routes:`. What is written goes into a draft first; then the draft is
 * checked as a whole and the parts that depend on each other are made of it. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

struct route_draft {
    struct route_conf conf;
    int match;           /* enum path_match, -1 = not written */
    const char *service; /* short for a split with one target */
    bool strip_prefix;
};

static int method_read(struct reader *r, const struct node *n, void *at)
{
    if (n->kind != NODE_TEXT || !value_is_token(n->text))
        return node_expected(n, r->err, "a method such as GET");
    for (const char *p = n->text; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            return node_expected(n, r->err, "a method in upper case (methods are case-sensitive)");
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

/* One place more than methods: the array ends with NULL. */
static int methods_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;
    size_t count;
    const char **methods =
        list_read(r, n, "a list of methods", MAX_METHODS, sizeof *methods, method_read, &count);

    if (!methods)
        return -1;
    if (count == 0)
        return node_error(n, r->err, "a list without methods matches nothing");
    c->methods = ARENA_ARRAY(r->arena, const char *, count + 1);
    memcpy(c->methods, methods, count * sizeof *methods);
    return 0;
}

static const struct field target_fields[] = {
    STRING("service", target_conf, service, NULL, value_name_problem,
           "Name of the service. Required."),
    UNSIGNED("weight", target_conf, weight, 0, 1000000, "1",
             "Share of the requests compared with the other services; 0 = none."),
};
static const struct section target_section = {target_fields, ARRAY_LEN(target_fields)};

static int target_read(struct reader *r, const struct node *n, void *at)
{
    struct target_conf *t = at;

    section_defaults(r, &target_section, t);
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { service: web, weight: 90 }");
    if (section_read(r, &target_section, n, t) < 0)
        return -1;
    return t->service ? 0 : node_error(n, r->err, "a target needs a service");
}

static int split_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;
    unsigned sum = 0;

    c->targets = list_read(r, n, "a list of services with weights", MAX_TARGETS, sizeof *c->targets,
                           target_read, &c->ntargets);
    for (size_t i = 0; c->targets && i < c->ntargets; i++) {
        sum += c->targets[i].weight;
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->targets[i].service, c->targets[j].service) == 0)
                return node_error(n, r->err, "%s is there twice", c->targets[i].service);
    }
    if (c->targets && sum == 0)
        return node_error(n, r->err, "the weights must not all be 0");
    return c->targets ? 0 : -1;
}

static int sticky_read(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;
    bool cookie;

    if (n->kind != NODE_MAP || n->n != 1)
        return node_expected(n, r->err, "cookie: NAME or header: NAME");
    cookie = strcmp(n->first->key, "cookie") == 0;
    if (!cookie && strcmp(n->first->key, "header") != 0)
        return node_error(n->first, r->err, "unknown key; expected cookie: NAME or header: NAME");
    c->sticky_source = cookie ? HASH_COOKIE : HASH_HEADER;
    c->sticky_name = text_read(r, n->first, "a name", value_name_problem);
    if (c->sticky_name && !value_is_token(c->sticky_name))
        return node_expected(n->first, r->err, "the name of a cookie or header");
    return c->sticky_name ? 0 : -1;
}

static int redirect_status_read(struct reader *r, const struct node *n, void *at)
{
    static const unsigned known[] = {301, 302, 303, 307, 308};
    uint64_t status;

    if (n->kind == NODE_TEXT && value_unsigned(n->text, &status))
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (status == known[i]) {
                *(unsigned *)at = known[i];
                return 0;
            }
    return node_expected(n, r->err, "301, 302, 303, 307 or 308");
}

static const char *location_problem(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`|", *p))
            return "holds a character that a URL cannot have";
    return text[0] ? NULL : "is empty";
}

static const struct field redirect_fields[] = {
    {.key = "status",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_conf, redirect_status, unsigned),
     .read = redirect_status_read,
     .kind = "301, 302, 303, 307, 308",
     .shown = "`302`",
     .help = "Status of the answer."},
    STRING(
        "to", route_conf, redirect_to, NULL, location_problem,
        "Where to: a URL or a path. `$host` (`$hostname`: without its port) and `$path` stand for "
        "those of the request, "
        "`{name}` for a parameter of the path. Required."),
};
static const struct section redirect_section = {redirect_fields, ARRAY_LEN(redirect_fields)};

static int redirect_finish(struct reader *r, const struct node *n, void *at)
{
    struct route_conf *c = at;

    if (!c->redirect_to)
        return node_error(n, r->err, "a redirect needs a place to go: to: URL");
    if (!c->redirect_status)
        c->redirect_status = 302;
    return 0;
}

static const char *const client_certificate_words[] = {"any", "required", NULL};
static const char *const forward_certificate_words[] = {"false", "true", "chain", NULL};
static const char *const scheme_words[] = {"any", "http", "https", NULL};
static const char *const match_words[] = {"prefix",        "exact", "pattern", "plain_prefix",
                                          "plain_iprefix", "glob",  NULL};

static const char *any_path_problem(const char *text)
{
    return text[0] == '/' ? NULL : "must start with a slash";
}

static const struct field route_fields[] = {
    STRING("name", route_draft, conf.name, NULL, value_name_problem,
           "For logs, metrics and the dashboard; unique."),
    STRING("host", route_draft, conf.host, "", value_host_problem,
           "Host of the request, in any case: `shop.example`, `*.shop.example` (any subdomain), "
           "`shop.example:8443`; `*` and `?` may stand elsewhere too, as in `*-api.shop.example`; "
           "empty = every host."),
    STRING("path", route_draft, conf.path, "/", any_path_problem,
           "Path of the request. With `{name}` as a segment it is a pattern; `{name...}` at the "
           "end takes the rest."),
    {.key = "match",
     .type = FIELD_WORD,
     .offset = FIELD_AT(route_draft, match, int),
     .words = match_words,
     .shown = "`pattern` if the path has a `{`, else `prefix`",
     .help = "How the path is compared. A prefix matches whole segments, a plain one any bytes "
             "(`plain_iprefix`: in any case); in a glob `*` is any bytes and `?` one."},
    STRING("host_regex", route_draft, conf.host_regex, NULL, value_regex_problem,
           "A regular expression (RE2) that must be found in the host, its port left out. Anchored "
           "only by `^` and `$`."),
    STRING("path_regex", route_draft, conf.path_regex, NULL, value_regex_problem,
           "The same for the path, besides what `path` and `match` say."),
    STRING("not_host_regex", route_draft, conf.not_host_regex, NULL, value_regex_problem,
           "One that must not be found in the host."),
    STRING("not_path_regex", route_draft, conf.not_path_regex, NULL, value_regex_problem,
           "One that must not be found in the path."),
    {.key = "scheme",
     .type = FIELD_WORD,
     .offset = FIELD_AT(route_draft, conf.scheme, enum route_scheme),
     .words = scheme_words,
     .dflt = "any",
     .help = "How the client came: `https` over TLS, `http` without. A trusted proxy's "
             "`X-Forwarded-Proto` counts."},
    {.key = "methods",
     .type = FIELD_CUSTOM,
     .read = methods_read,
     .kind = "list of methods",
     .shown = "every method",
     .help = "Methods that this route takes; GET includes HEAD."},
    {.key = "headers",
     .type = FIELD_CUSTOM,
     .section = &condition_section,
     .read = condition_headers_read,
     .kind = "list of maps",
     .shown = "none",
     .help = "Conditions on request headers; all must hold."},
    {.key = "query",
     .type = FIELD_CUSTOM,
     .section = &condition_section,
     .read = condition_query_read,
     .kind = "list of maps",
     .shown = "none",
     .help = "Conditions on query parameters; all must hold."},
    {.key = "priority",
     .type = FIELD_INT,
     .offset = FIELD_AT(route_draft, conf.priority, int),
     .min = -1000000,
     .max = 1000000,
     .dflt = "0",
     .help = "Higher wins among the routes of a host, before the path is compared."},
    STRING("service", route_draft, service, NULL, value_name_problem,
           "Where requests go. Exactly one of `service`, `split`, `redirect`, `aggregate` and "
           "`batch`."),
    {.key = "split",
     .type = FIELD_CUSTOM,
     .section = &target_section,
     .read = split_read,
     .kind = "list of maps",
     .help = "Several services that share the requests."},
    {.key = "sticky",
     .type = FIELD_CUSTOM,
     .read = sticky_read,
     .kind = "`{cookie: NAME}` or `{header: NAME}`",
     .shown = "none",
     .help = "Keeps a client, told by that value, on one side of the split, be it one of Consul's "
             "traffic rules."},
    BOOLEAN("strip_prefix", route_draft, strip_prefix, "false",
            "Take the path of the route off before forwarding: `/orders/7` becomes `/7`."),
    STRING("strip", route_draft, conf.strip, NULL, value_path_problem,
           "Take this prefix off instead."),
    STRING("prepend", route_draft, conf.prepend, NULL, value_path_problem,
           "Put this before the path that is left."),
    STRING("rewrite", route_draft, conf.rewrite, NULL, any_path_problem,
           "The whole new path; `{name}` stands for a parameter of the path."),
    STRING("set_host", route_draft, conf.set_host, NULL, value_authority_problem,
           "Host header that the service sees; `dst` = the instance's address and port."),
    {.key = "redirect",
     .type = FIELD_SECTION,
     .section = &redirect_section,
     .read = redirect_finish,
     .help = "Answer with a redirect in place of forwarding."},
    {.key = "aggregate",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.aggregate, const struct aggregate_conf *),
     .section = &aggregate_section,
     .read = aggregate_read,
     .kind = "map",
     .help = "Several services are asked, and their answers composed into one."},
    {.key = "batch",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.batch, const struct batch_conf *),
     .section = &batch_section,
     .read = batch_read,
     .kind = "map or `true`",
     .help = "Its requests hold several others, each of which goes through the whole gateway."},
    {.key = "request_headers",
     .type = FIELD_CUSTOM,
     .section = &change_section,
     .read = request_headers_read,
     .kind = "map",
     .shown = "none",
     .help = "Changes to what the service gets."},
    {.key = "response_headers",
     .type = FIELD_CUSTOM,
     .section = &change_section,
     .read = response_headers_read,
     .kind = "map",
     .shown = "none",
     .help = "Changes to what the client gets."},
    {.key = "timeout",
     .type = FIELD_DURATION,
     .offset = FIELD_AT(route_draft, conf.timeout_ms, uint64_t),
     .max = 24 * HOURS,
     .shown = "the service's",
     .help = "Whole exchange with the service."},
    {.key = "max_body",
     .type = FIELD_BODY_SIZE,
     .offset = FIELD_AT(route_draft, conf.max_body, int64_t),
     .shown = "`limits.body`",
     .help = "Largest request body; `unlimited` = no limit."},
    {.key = "hedge",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.hedge, enum route_hedge),
     .read = hedge_read_route,
     .kind = "`false`, `true`",
     .shown = "the service's",
     .help = "`false`: never. `true`: as the service says, `p95` when it says nothing."},
    {.key = "importance",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.importance, enum importance),
     .dflt = "normal",
     .read = importance_read,
     .kind = "`low`, `normal`, `high`, `critical`",
     .help = "Which routes give way first while the gateway is saturated; `critical` never does."},
    {.key = "client_certificate",
     .type = FIELD_BOOL,
     .offset = FIELD_AT(route_draft, conf.client_certificate, bool),
     .words = client_certificate_words,
     .dflt = "any",
     .help = "`required`: refuses who has shown no verified client certificate (403). Its listener "
             "asks for one with `tls.client_certificates`."},
    {.key = "forward_client_certificate",
     .type = FIELD_WORD,
     .offset = FIELD_AT(route_draft, conf.forward_client_certificate, enum forward_certificate),
     .words = forward_certificate_words,
     .dflt = "false",
     .help = "Sends the client's verified certificate to the service in `Client-Cert` (RFC 9440); "
             "`chain`: those that link it to its authority too, in `Client-Cert-Chain`."},
    STRING("auth", route_draft, conf.auth, NULL, value_name_problem,
           "Name of a policy that must allow the request. One that does not exist denies (403)."),
    {.key = "cache",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.cache, const struct route_cache_conf *),
     .section = &route_cache_section,
     .read = route_cache_read,
     .kind = "map, `true` or `false`",
     .shown = "off",
     .help = "Good answers are given again without asking the service, as they say (RFC 9111)."},
    {.key = "compression",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.compression, const struct compression_conf *),
     .section = &compression_section,
     .read = compression_read,
     .kind = "map, `true` or `false`",
     .shown = "as for all routes",
     .help = "The same for this route; a map begins with the defaults."},
    {.key = "rate_limits",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.limits, const struct limit_plan *),
     .read = route_limits_read,
     .kind = "list of names",
     .shown = "those that apply to all",
     .help = "Limits out of `rate_limits` that its requests must keep, besides those with `apply: "
             "all`."},
    {.key = "concurrency_per_client",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.limits, const struct limit_plan *),
     .read = route_concurrency_read,
     .kind = "number",
     .shown = "no limit",
     .help = "Requests that a client may have under way at once: who was authenticated, else the "
             "address."},
    {.key = "allow_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.edge.addresses.allow, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "everybody",
     .help = "Clients that may use the route: addresses and networks."},
    {.key = "deny_from",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.edge.addresses.deny, struct cidr_list),
     .read = cidr_list_read,
     .kind = "list of addresses",
     .shown = "nobody",
     .help = "Clients that may not (403 `address_denied`), even if `allow_from` has them."},
    {.key = "cors",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.edge.cors, const struct cors_conf *),
     .section = &cors_section,
     .read = cors_read_route,
     .kind = "name or map",
     .shown = "left to the service",
     .help = "What pages of other origins may do: a policy of `cors`, or one of its own."},
    {.key = "content_types",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.edge, struct route_edge_conf),
     .read = content_types_read,
     .kind = "list of media types",
     .shown = "any",
     .help = "What request bodies may be: `application/json`, `image/*`, `application/*+json`. "
             "Others, and those that do not say, are refused (415 `media_type_unsupported`)."},
    SIZE("max_query", route_draft, conf.edge.max_query, 0, 1 << 20, "0",
         "Longest query string; beyond it 414 (`uri_too_long`). 0 = no limit of its own."),
    {.key = "security_headers",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.edge.security, const struct security_headers_conf *),
     .section = &security_section,
     .read = security_read,
     .kind = "map, `strict` or `none`",
     .shown = "as for all routes",
     .help = "Changes to the security headers of its answers."},
    {.key = "fallback",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(route_draft, conf.fallback, const struct fallback_list *),
     .section = &fallback_section,
     .read = fallback_read,
     .kind = "list of maps",
     .shown = "the service's",
     .help = "What answers in place of the service when it cannot, tried in order; `[]` = "
             "nothing."},
};
const struct section route_section = {route_fields, ARRAY_LEN(route_fields)};

/* What is no wildcard is as in other paths. */
static const char *glob_problem(struct reader *r, const char *path)
{
    char *text = arena_strdup(r->scratch, path);

    for (char *p = text; *p; p++)
        if (*p == '*' || *p == '?')
            *p = 'x';
    return value_path_problem(text);
}

static int path_finish(struct reader *r, const struct node *n, struct route_draft *d,
                       struct value_params *params)
{
    bool braces = strchr(d->conf.path, '{') != NULL;
    const struct node *at = node_get(n, "path");
    const char *problem;

    d->conf.path_match = braces ? PATH_PATTERN : PATH_PREFIX;
    if (d->match >= 0)
        d->conf.path_match = (enum path_match)d->match;
    params->n = 0;
    problem = d->conf.path_match == PATH_PATTERN ? value_pattern_problem(d->conf.path, params)
              : d->conf.path_match == PATH_GLOB  ? glob_problem(r, d->conf.path)
                                                 : value_path_problem(d->conf.path);
    if (problem)
        return node_error(at ? at : n, r->err, "\"%.80s\" %s", d->conf.path, problem);
    return 0;
}

/* A prefix that no matching path begins with would be a mistake that nobody notices. */
static int strip_finish(struct reader *r, const struct node *n, struct route_draft *d)
{
    struct route_conf *c = &d->conf;
    struct str literal = {c->path, strcspn(c->path, c->path_match == PATH_GLOB ? "*?" : "{")};

    if (d->strip_prefix && c->strip)
        return node_error(n, r->err, "strip_prefix and strip exclude each other");
    if (d->strip_prefix && c->path_match == PATH_PATTERN)
        return node_error(n, r->err, "strip_prefix needs a literal path; use strip or rewrite");
    if (d->strip_prefix)
        c->strip = c->path;
    if (c->rewrite && (c->strip || c->prepend))
        return node_error(n, r->err,
                          "rewrite makes the whole path: it goes neither with "
                          "strip_prefix or strip nor with prepend");
    if (c->strip && !str_starts(literal, str_of(c->strip)) &&
        !str_starts(str_of(c->strip), literal))
        return node_error(node_get(n, "strip"), r->err,
                          "\"%.60s\" never is the beginning of a path that matches \"%.60s\"",
                          c->strip, c->path);
    return 0;
}

static int template_check(struct reader *r, const struct node *n, const char *text,
                          const struct value_params *params)
{
    const char *problem = text ? value_template_problem(text, params) : NULL;

    return problem ? node_error(n, r->err, "\"%.80s\" %s", text, problem) : 0;
}

/* A rewrite is a path once its parameters are gone; each of them counts as an ordinary letter. */
static int rewrite_check(struct reader *r, const struct node *n, const struct route_conf *c,
                         const struct value_params *params)
{
    char *path = arena_strdup(r->scratch, c->rewrite ? c->rewrite : "/");
    const char *problem;
    char *out = path;

    if (template_check(r, node_get(n, "rewrite"), c->rewrite, params) < 0)
        return -1;
    for (const char *p = path; *p; p++) {
        bool param = *p == '{';

        p = param ? strchr(p, '}') : p;
        *out++ = param ? 'x' : *p;
    }
    *out = '\0';
    problem = value_path_problem(path);
    if (problem)
        return node_error(node_get(n, "rewrite"), r->err, "\"%.80s\" %s", c->rewrite, problem);
    return 0;
}

static int targets_finish(struct reader *r, const struct node *n, struct route_draft *d)
{
    struct route_conf *c = &d->conf;
    bool split = c->targets != NULL, redirect = c->redirect_status != 0;

    if ((d->service != NULL) + split + redirect + (c->aggregate != NULL) + (c->batch != NULL) != 1)
        return node_error(n, r->err,
                          "a route needs exactly one of service, split, redirect, aggregate and "
                          "batch");
    /* A service may be split by Consul's traffic rules. */
    if (c->sticky_source != HASH_NONE && !split && !d->service)
        return node_error(node_get(n, "sticky"), r->err, "sticky needs a split or a service");
    if (d->service) {
        c->targets = ARENA_ARRAY(r->arena, struct target_conf, 1);
        c->targets[0] = (struct target_conf){.service = d->service, .weight = 1};
        c->ntargets = 1;
    }
    if (c->fallback && redirect)
        return node_error(node_get(n, "fallback"), r->err, "a redirect needs no fallback");
    if (c->fallback && d->service)
        return fallback_check_self(r, node_get(n, "fallback"), c->fallback, d->service);
    return 0;
}

static void names_finish(struct reader *r, const struct node *n, struct route_conf *c)
{
    const char *slash = n->shared ? NULL : strrchr(n->file, '/');
    char *host = arena_strdup(r->arena, c->host);

    for (char *p = host; *p; p++)
        *p = ascii_lower(*p);
    c->host = host;
    c->source = arena_printf(r->arena, "%s:%u", slash ? slash + 1 : n->file, n->line);
    if (!c->name)
        c->name = arena_printf(r->arena, "%s%s", c->host, c->path);
}

/* A route that answers by itself forwards nothing, so there is nothing that these could be about.
 */
static int own_answer_check(struct reader *r, const struct node *n, const char *what)
{
    static const char *const keys[] = {"strip_prefix", "strip",  "prepend",         "rewrite",
                                       "set_host",     "sticky", "request_headers", "timeout",
                                       "hedge",        "cache",  "fallback"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct node *key = node_get(n, keys[i]);

        if (key)
            return node_error(key, r->err, "does not go with %s", what);
    }
    return 0;
}

int route_read(struct reader *r, const struct node *n, void *at)
{
    struct route_draft d = {.match = -1, .conf = {.max_body = -1}};
    struct value_params params;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { path: /orders/, service: orders }");
    section_defaults(r, &route_section, &d);
    if (section_read(r, &route_section, n, &d) < 0 || path_finish(r, n, &d, &params) < 0 ||
        strip_finish(r, n, &d) < 0 || targets_finish(r, n, &d) < 0)
        return -1;
    if (rewrite_check(r, n, &d.conf, &params) < 0 ||
        template_check(r, node_get(n, "redirect"), d.conf.redirect_to, &params) < 0)
        return -1;
    names_finish(r, n, &d.conf);
    if (d.conf.batch && own_answer_check(r, n, "a batch") < 0)
        return -1;
    if (d.conf.batch && !d.conf.methods) {
        d.conf.methods = ARENA_ARRAY(r->arena, const char *, 2);
        d.conf.methods[0] = "POST";
    }
    if (d.conf.aggregate && (own_answer_check(r, n, "an aggregate") < 0 ||
                             aggregate_finish(r, node_get(n, "aggregate"), &d.conf, &params) < 0))
        return -1;
    *(struct route_conf *)at = d.conf;
    return 0;
}
