/* SPDX-License-Identifier: Apache-2.0 */
/* cors.c - `cors:`, what pages of other origins may do: named policies, and those of single routes.
 */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels with single dots between them; their number, 0 = something else. */
static unsigned count_labels(const char *p, size_t n)
{
    unsigned labels = 1;

    for (size_t i = 0; i < n; i++) {
        if (p[i] == '.' && i > 0 && i + 1 < n && p[i - 1] != '.')
            labels++;
        else if (!is_label_char(p[i]))
            return 0;
    }
    return n > 0 ? labels : 0;
}

static const char *origin_host_problem(const char *host, size_t n)
{
    size_t stars = strspn(host, "*");
    char v6[64];

    if (n > 2 && host[0] == '[' && host[n - 1] == ']' && n < sizeof v6) {
        memcpy(v6, host + 1, n - 2);
        v6[n - 2] = '\0';
        return value_is_ip(v6) ? NULL : "has no host";
    }
    if (stars == 0)
        return count_labels(host, n) ? NULL : "has no host as browsers send it";
    if (stars > 2 || n <= stars || host[stars] != '.' ||
        count_labels(host + stars + 1, n - stars - 1) < 2)
        return "has a star that stands for more than the first part of a name such as "
               "https://*.shop.example";
    return NULL;
}

static const char *origin_port_problem(const char *port)
{
    uint64_t v;

    if (strcmp(port, "*") == 0)
        return NULL;
    return value_unsigned(port, &v) && v > 0 && v <= 65535 && port[0] != '0'
               ? NULL
               : "has no port that exists";
}

static bool is_own_port(const char *origin, const char *port)
{
    return (strncmp(origin, "https:", 6) == 0 && strcmp(port, "443") == 0) ||
           (strncmp(origin, "http:", 5) == 0 && strcmp(port, "80") == 0);
}

/* Brings an origin into the form in which browsers send it, in place. */
static const char *origin_problem(char *origin)
{
    char *host = strstr(origin, "://"), *port;
    const char *problem;
    size_t scheme = strspn(origin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789+-.");

    if (strcmp(origin, "*") == 0 || strcmp(origin, "null") == 0)
        return NULL;
    if (!host || scheme == 0 || origin + scheme != host || strlen(origin) > 255)
        return "is no origin such as https://shop.example, nor \"*\" or \"null\"";
    for (char *p = origin; *p; p++)
        *p = ascii_lower(*p);
    host += 3;
    if (strchr(host, '/'))
        return "has a slash behind its host; an origin ends with the host or port";
    port = strchr(host[0] == '[' ? host + strcspn(host, "]") : host, ':');
    problem = origin_host_problem(host, port ? (size_t)(port - host) : strlen(host));
    if (!problem && port)
        problem = origin_port_problem(port + 1);
    if (!problem && port && is_own_port(origin, port + 1))
        *port = '\0';
    return problem;
}

static int origin_read(struct reader *r, const struct node *n, void *at)
{
    const char *problem;
    char *origin;

    if (n->kind != NODE_TEXT || (node_is_null(n) && strcmp(n->text, "null") != 0))
        return node_expected(n, r->err, "an origin such as https://shop.example");
    origin = arena_strdup(r->arena, n->text);
    problem = origin_problem(origin);
    if (problem)
        return node_error(n, r->err, "\"%.80s\" %s", n->text, problem);
    *(const char **)at = origin;
    return 0;
}

static const char *name_problem(const char *text)
{
    return value_is_token(text) ? NULL : "is not a header name, nor \"*\"";
}

static int name_read(struct reader *r, const struct node *n, void *at)
{
    const char *text = text_read(r, n, "a header name", name_problem);

    *(const char **)at = text;
    return text ? 0 : -1;
}

static int method_read(struct reader *r, const struct node *n, void *at)
{
    if (n->kind != NODE_TEXT || !value_is_token(n->text) ||
        n->text[strcspn(n->text, "abcdefghijklmnopqrstuvwxyz")])
        return node_expected(n, r->err, "a method in upper case such as PUT, or \"*\"");
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

/* The list, ended with NULL; *ret_star: "*" is in it. */
static const char *const *words_read(struct reader *r, const struct node *n, const char *what,
                                     field_read_fn *item, bool *ret_star)
{
    size_t count;
    const char **items = list_read(r, n, what, MAX_CORS_WORDS, sizeof *items, item, &count);
    const char **words = items ? ARENA_ARRAY(r->arena, const char *, count + 1) : NULL;

    *ret_star = false;
    for (size_t i = 0; items && i < count; i++) {
        words[i] = items[i];
        *ret_star |= strcmp(items[i], "*") == 0;
    }
    return words;
}

static const char *join(struct arena *a, const char *const *words)
{
    const char *text = NULL;

    for (; *words; words++)
        text = text ? arena_printf(a, "%s, %s", text, *words) : *words;
    return text;
}

static int origins_read(struct reader *r, const struct node *n, void *at)
{
    struct cors_conf *c = at;

    c->origins = words_read(r, n, "a list of origins", origin_read, &c->any_origin);
    if (c->origins && !c->origins[0])
        return node_error(n, r->err, "a list without origins allows nothing");
    return c->origins ? 0 : -1;
}

static int methods_read(struct reader *r, const struct node *n, void *at)
{
    struct cors_conf *c = at;

    c->methods = words_read(r, n, "a list of methods", method_read, &c->any_method);
    c->allow_methods = c->methods ? join(r->arena, c->methods) : NULL;
    return c->methods ? 0 : -1;
}

static int headers_read(struct reader *r, const struct node *n, void *at)
{
    struct cors_conf *c = at;

    c->headers = words_read(r, n, "a list of header names", name_read, &c->any_header);
    return c->headers ? 0 : -1;
}

static int expose_read(struct reader *r, const struct node *n, void *at)
{
    struct cors_conf *c = at;
    bool star;
    const char *const *words = words_read(r, n, "a list of header names", name_read, &star);

    c->expose_headers = words ? join(r->arena, words) : NULL;
    return words ? 0 : -1;
}

static const struct field cors_fields[] = {
    {.key = "allow_origins",
     .type = FIELD_CUSTOM,
     .read = origins_read,
     .kind = "list of origins",
     .shown = "required",
     .help = "Whose pages may ask: `https://shop.example`; `https://*.shop.example` has one name "
             "in place of the star, `https://**.shop.example` one or more; `http://localhost:*` "
             "any port; `null`; `\"*\"` = all."},
    {.key = "allow_methods",
     .type = FIELD_CUSTOM,
     .read = methods_read,
     .kind = "list of methods",
     .dflt = "[GET, HEAD, POST]",
     .shown = "`GET`, `HEAD`, `POST`",
     .help = "What they may ask; `\"*\"` = whatever the route takes."},
    {.key = "allow_headers",
     .type = FIELD_CUSTOM,
     .read = headers_read,
     .kind = "list of names",
     .dflt = "[]",
     .shown = "none",
     .help = "Headers they may send beyond those that need no permission; `\"*\"` = all but "
             "`Authorization`, which has to be named."},
    {.key = "expose_headers",
     .type = FIELD_CUSTOM,
     .read = expose_read,
     .kind = "list of names",
     .shown = "none",
     .help = "Headers of answers they may read beyond those that need no permission; `\"*\"` = "
             "all."},
    BOOLEAN("allow_credentials", cors_conf, credentials, "false",
            "They may send cookies and read the answers. Not together with `\"*\"` as origin."),
    DURATION("max_age", cors_conf, max_age_ms, 0, 24 * HOURS, "10m",
             "How long a browser may remember what it was allowed."),
    BOOLEAN("allow_private_network", cors_conf, private_network, "false",
            "Pages from the internet may ask although this gateway is in a private network."),
    BOOLEAN("reject_foreign", cors_conf, reject_foreign, "false",
            "Refuse requests from pages of other origins (403 `origin_denied`) in place of "
            "answering them without permission to read the answer."),
};
const struct section cors_section = {cors_fields, ARRAY_LEN(cors_fields)};

static int policy_read(struct reader *r, const struct node *n, struct cors_conf *c)
{
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { allow_origins: [https://shop.example] }");
    section_defaults(r, &cors_section, c);
    if (section_read(r, &cors_section, n, c) < 0)
        return -1;
    if (!c->origins)
        return node_error(n, r->err, "a policy needs allow_origins");
    if (c->credentials && c->any_origin)
        return node_error(n, r->err,
                          "allow_credentials with \"*\" in allow_origins would let every page act "
                          "for its visitor; name the origins");
    if (c->credentials && c->expose_headers && strcmp(c->expose_headers, "*") == 0)
        return node_error(
            node_get(n, "expose_headers"), r->err,
            "with allow_credentials browsers take \"*\" for a name; name the headers");
    return 0;
}

int cors_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = at;
    struct cors_conf *policy;

    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "policies by name");
    c->cors = policy = ARENA_ARRAY(r->arena, struct cors_conf, n->n);
    node_each(it, n)
    {
        if (value_name_problem(it->key))
            return node_error(it, r->err, "\"%.60s\" %s", it->key, value_name_problem(it->key));
        if (policy_read(r, it, policy) < 0)
            return -1;
        policy++->name = arena_strdup(r->arena, it->key);
    }
    c->ncors = n->n;
    return 0;
}

const struct cors_conf *config_cors(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->ncors; i++)
        if (strcmp(c->cors[i].name, name) == 0)
            return &c->cors[i];
    return NULL;
}

int cors_read_route(struct reader *r, const struct node *n, void *at)
{
    const struct cors_conf **ret = at;
    struct cors_conf *own;
    const char *near;

    if (n->kind == NODE_TEXT && !node_is_null(n)) {
        *ret = config_cors(r->config, n->text);
        if (*ret)
            return 0;
        near = nearest_word(n->text, r->config->cors, r->config->ncors, sizeof *r->config->cors);
        return node_error(n, r->err, "there is no policy \"%.60s\" in cors%s%s%s", n->text,
                          near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    *ret = own = ARENA_NEW(r->arena, struct cors_conf);
    return policy_read(r, n, own);
}
