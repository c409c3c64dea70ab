/* SPDX-License-Identifier: Apache-2.0 */
/* authorities.c - `forward_auth:` and `introspection:`. */
#include "base/log.h"
#include "config/sections.h"
#include "config/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const failure_words[] = {"deny", "allow", NULL};

static const char *method_problem(const char *text)
{
    return value_is_token(text) && strlen(text) <= 32 ? NULL : "is not a method";
}

static const char *path_problem(const char *text)
{
    char path[1024];
    size_t n = strcspn(text, "?");

    if (text[0] != '/')
        return "does not begin with /";
    if (n >= sizeof path || strlen(text) >= 2 * sizeof path)
        return "is too long";
    for (const char *p = text + n; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("#\"\\<>", *p))
            return "has a character in its query that has to be percent-encoded";
    memcpy(path, text, n);
    path[n] = '\0';
    return value_path_problem(path);
}

static int header_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a header name", value_header_problem);
    return *(const char **)at ? 0 : -1;
}

static int headers_read(struct reader *r, const struct node *n, field_read_fn *item,
                        struct word_list *ret)
{
    ret->words =
        list_read(r, n, "a list of header names", MAX_WORDS, sizeof *ret->words, item, &ret->n);
    return ret->words ? 0 : -1;
}

/* Fields that mean more than who asks, or that requests need. `Authorization` may be replaced. */
static const char *answer_header_problem(const char *name)
{
    static const char *const kept[] = {"cookie",     "x-forwarded-for",  "x-forwarded-proto",
                                       "forwarded",  "x-forwarded-host", "x-request-id",
                                       "via",        "content-type",     "accept",
                                       "user-agent", "x-forwarded-port"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcasecmp(name, kept[i]) == 0)
            return "has a meaning of its own: requests from outside would lose it";
    return value_header_problem(name);
}

static int answer_header_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a header name", answer_header_problem);
    return *(const char **)at ? 0 : -1;
}

static int request_read(struct reader *r, const struct node *n, void *at)
{
    return headers_read(r, n, header_item, &((struct forward_auth_conf *)at)->request_headers);
}

static int response_read(struct reader *r, const struct node *n, void *at)
{
    return headers_read(r, n, answer_header_item,
                        &((struct forward_auth_conf *)at)->response_headers);
}

static int cache_key_read(struct reader *r, const struct node *n, void *at)
{
    return headers_read(r, n, header_item, &((struct forward_auth_conf *)at)->cache_key);
}

struct forward_draft {
    struct forward_auth_conf conf;
    const char *on_failure;
};

static const struct field forward_fields[] = {
    STRING("service", forward_draft, conf.service, NULL, value_name_problem,
           "The service that is asked, with its breaker, retries and limits. Required."),
    STRING(
        "path", forward_draft, conf.path, NULL, path_problem,
        "What it is asked, with a query if you like; unset = the path and query of the request."),
    STRING("method", forward_draft, conf.method, "GET", method_problem,
           "How it is asked; `same` = the method of the request. The body stays here."),
    DURATION("timeout", forward_draft, conf.timeout_ms, 1, MINUTES, "5s",
             "How long an answer may take, all attempts included."),
    {.key = "request_headers",
     .type = FIELD_CUSTOM,
     .read = request_read,
     .kind = "list of names",
     .shown = "all",
     .help = "Fields of the request that it sees, beside `X-Forwarded-*`."},
    {.key = "response_headers",
     .type = FIELD_CUSTOM,
     .read = response_read,
     .kind = "list of names",
     .shown = "none",
     .help = "Fields of a good answer (2xx) that go to the service of the route. Requests from "
             "outside lose them, on every route (`Authorization`: on those that ask)."},
    STRING("subject", forward_draft, conf.subject_header, NULL, value_header_problem,
           "Field of a good answer that says who it is: for the log, for limits, and as claim "
           "`sub`."),
    {.key = "cache_key",
     .type = FIELD_CUSTOM,
     .read = cache_key_read,
     .kind = "list of names",
     .shown = "nothing is remembered",
     .help = "Fields of the request that the answer depends on, such as `Authorization` or "
             "`Cookie`; with method, host and path they are the key that a good answer is "
             "remembered by. A request with another of these two that the service saw is always "
             "asked about."},
    DURATION("cache_ttl", forward_draft, conf.cache_ttl_ms, 0, HOURS, "10s",
             "How long, at most; `Cache-Control` of the answer shortens it."),
    BOOLEAN("redirects", forward_draft, conf.redirects, "false",
            "Hand a redirect on to the client, as to a page where one logs in; else that is 503 "
            "`auth_unavailable`."),
    CHOICE(
        "on_failure", forward_draft, on_failure, failure_words, "deny",
        "When it is away (no good connection, no answer in time, breaker open, 5xx): refuse (503 "
        "`auth_unavailable`), or let the request in as nobody."),
};
const struct section forward_auth_section = {forward_fields, ARRAY_LEN(forward_fields)};

static int audience_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a text", NULL);
    return *(const char **)at ? 0 : -1;
}

static int audience_read(struct reader *r, const struct node *n, void *at)
{
    struct introspection_conf *c = at;

    c->audience =
        list_read(r, n, "a list", MAX_AUDIENCES, sizeof *c->audience, audience_item, &c->naudience);
    if (!c->audience)
        return -1;
    return c->naudience ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static int places_read(struct reader *r, const struct node *n, void *at)
{
    struct introspection_conf *c = at;

    return token_places_read(r, n, &c->places, &c->nplaces);
}

static const char *client_problem(const char *text)
{
    return text[0] && strlen(text) <= 256 && !strchr(text, ':') ? value_header_value_problem(text)
                                                                : "is not the id of a client";
}

static const struct field introspection_fields[] = {
    STRING("service", introspection_conf, service, NULL, value_name_problem,
           "The service that is asked, with its breaker, retries and limits. Required."),
    STRING("path", introspection_conf, path, "/introspect", path_problem, "Its address for it."),
    DURATION("timeout", introspection_conf, timeout_ms, 1, MINUTES, "5s",
             "How long an answer may take, all attempts included."),
    STRING("client_id", introspection_conf, client_id, NULL, client_problem,
           "Who the gateway is to it (HTTP basic)."),
    STRING("client_secret_file", introspection_conf, client_secret_file, NULL, value_file_problem,
           "File with the password to that. A line break at the end does not count."),
    STRING("issuer", introspection_conf, issuer, NULL, NULL,
           "What `iss` of an answer that has it must be."),
    {.key = "audience",
     .type = FIELD_CUSTOM,
     .read = audience_read,
     .kind = "list",
     .shown = "not looked at",
     .help = "`aud` of the answer, a text or a list, must hold one of these."},
    {.key = "token_from",
     .type = FIELD_CUSTOM,
     .section = &token_place_section,
     .read = places_read,
     .kind = "list of maps",
     .dflt = "[{header: Authorization, scheme: Bearer}]",
     .shown = "`Authorization: Bearer`",
     .help = "As in `issuers`."},
    DURATION("cache_ttl", introspection_conf, cache_ttl_ms, 0, HOURS, "1m",
             "How long a good token is believed without asking again, never beyond its `exp`."),
    DURATION("negative_ttl", introspection_conf, negative_ttl_ms, 0, MINUTES, "5s",
             "How long one that is not active is refused without asking again."),
    BOOLEAN("forward_token", introspection_conf, forward_token, "true",
            "Let the service of the route see the field with the token too."),
    STRING("realm", introspection_conf, realm, "frontdesk", value_realm_problem,
           "What `WWW-Authenticate` names to clients without a good token."),
};
const struct section introspection_section = {introspection_fields,
                                              ARRAY_LEN(introspection_fields)};

static int map_check(struct reader *r, const struct node *n, const char *what)
{
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, what);
    if (n->n > MAX_AUTHORITIES)
        return node_error(n, r->err, "at most %d entries are allowed here", MAX_AUTHORITIES);
    node_each(it, n) if (value_name_problem(it->key)) return node_error(
        it, r->err, "\"%.60s\" %s", it->key, value_name_problem(it->key));
    return 0;
}

static int forward_check(struct reader *r, const struct node *n, struct forward_draft *d)
{
    struct forward_auth_conf *c = &d->conf;

    if (!c->service)
        return node_error(n, r->err, "service is missing");
    c->fails_open = strcmp(d->on_failure, "allow") == 0;
    if (c->method && strcmp(c->method, "same") == 0)
        c->method = NULL;
    for (size_t i = 0; i < c->response_headers.n; i++)
        if (strcasecmp(c->response_headers.words[i], "authorization") != 0)
            guarded_add(r->arena, &r->config->guarded, c->response_headers.words[i]);
    return 0;
}

int forward_auth_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (map_check(r, n, "authorities by name") < 0)
        return -1;
    c->forward_auth = ARENA_ARRAY(r->arena, struct forward_auth_conf, n->n);
    node_each(it, n)
    {
        struct forward_draft d = {.on_failure = NULL};

        section_defaults(r, &forward_auth_section, &d);
        if (section_read(r, &forward_auth_section, it, &d) < 0 || forward_check(r, it, &d) < 0)
            return -1;
        d.conf.name = arena_strdup(r->arena, it->key);
        d.conf.index = (unsigned)c->nforward_auth;
        c->forward_auth[c->nforward_auth++] = d.conf;
    }
    return 0;
}

enum { MAX_SECRET = 1024 };

static int secret_read(struct reader *r, const struct node *n, struct introspection_conf *c)
{
    FILE *file = fopen(c->client_secret_file, "re");
    char text[MAX_SECRET + 2];
    size_t used;

    if (!file)
        return node_error(n, r->err, "%s cannot be read: %s", c->client_secret_file,
                          strerror(errno));
    used = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    while (used > 0 && (text[used - 1] == '\n' || text[used - 1] == '\r'))
        used--;
    text[used] = '\0';
    if (used == 0 || used > MAX_SECRET || strlen(text) != used)
        return node_error(n, r->err, "%s holds no password of 1 to %d bytes", c->client_secret_file,
                          MAX_SECRET);
    c->client_secret = arena_strdup(r->arena, text);
    return 0;
}

static bool places_all_headers(const struct introspection_conf *c)
{
    for (size_t i = 0; i < c->nplaces; i++)
        if (c->places[i].kind != PLACE_HEADER)
            return false;
    return true;
}

static int introspection_check(struct reader *r, const struct node *n, struct introspection_conf *c)
{
    if (!c->service)
        return node_error(n, r->err, "service is missing");
    if (!c->client_id != !c->client_secret_file)
        return node_error(n, r->err, "client_id and client_secret_file go together");
    if (!c->forward_token && !places_all_headers(c))
        return node_error(n, r->err,
                          "forward_token: false takes fields away, no cookies or parameters");
    return c->client_secret_file ? secret_read(r, node_get(n, "client_secret_file"), c) : 0;
}

int introspection_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (map_check(r, n, "authorities by name") < 0)
        return -1;
    c->introspection = ARENA_ARRAY(r->arena, struct introspection_conf, n->n);
    node_each(it, n)
    {
        struct introspection_conf *i = &c->introspection[c->nintrospection];

        section_defaults(r, &introspection_section, i);
        if (section_read(r, &introspection_section, it, i) < 0 || introspection_check(r, it, i) < 0)
            return -1;
        i->name = arena_strdup(r->arena, it->key);
        i->index = (unsigned)c->nintrospection++;
    }
    return 0;
}

void authority_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                            void *arg)
{
    for (size_t i = 0; i < c->nforward_auth; i++)
        fn(arg, c->forward_auth[i].service);
    for (size_t i = 0; i < c->nintrospection; i++)
        fn(arg, c->introspection[i].service);
}

static void warn_service(const struct config *c, const char *section, const char *name,
                         const char *service)
{
    if (!c->consul.enabled && config_service(c, service)->ninstances == 0)
        log_warn("config",
                 "%s.%s: service %s has no instances, and there is no consul section to find some",
                 section, name, service);
}

void authorities_warn(const struct config *c)
{
    for (size_t i = 0; i < c->nforward_auth; i++)
        warn_service(c, "forward_auth", c->forward_auth[i].name, c->forward_auth[i].service);
    for (size_t i = 0; i < c->nintrospection; i++)
        warn_service(c, "introspection", c->introspection[i].name, c->introspection[i].service);
}
