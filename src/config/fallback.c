/* SPDX-License-Identifier: Apache-2.0 */
/* fallback.c - what answers in place of a service that cannot: `fallback:` of routes, services and
 * defaults, and `fallback_cache:`. */
#include "config/sections.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BODY_BYTES = 1 << 20, MAX_HEADERS_BYTES = 8 << 10 };

struct fallback_draft {
    struct fallback_conf conf;
    const char *body, *file;
    struct str json;
};

/* Failures in which the service could not do its part and nothing of an answer was sent. */
bool fallback_covers(enum reason why)
{
    switch (why) {
    case REASON_NO_HEALTHY_INSTANCE:
    case REASON_BREAKER_OPEN:
    case REASON_OVERLOADED:
    case REASON_CONNECT_FAILED:
    case REASON_CONNECT_TIMEOUT:
    case REASON_UPSTREAM_TLS:
    case REASON_UPSTREAM_RESET:
    case REASON_UPSTREAM_TIMEOUT:
    case REASON_UPSTREAM_INVALID:
        return true;
    default:
        return false;
    }
}

/* The gateway had no time for the request. Only when listed: the rule is that it is told so. */
static bool may_be_listed(enum reason why)
{
    return fallback_covers(why) || why == REASON_SHED;
}

static void take_any(struct fallback_conf *f)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (fallback_covers((enum reason)i))
            f->reasons |= 1ull << i;
}

static void take_status(struct fallback_conf *f, unsigned status)
{
    f->statuses[status / 64] |= 1ull << (status % 64);
    f->reasons |= 1ull << REASON_UPSTREAM_STATUS;
}

static int status_word_read(struct reader *r, const struct node *n, struct fallback_conf *f)
{
    bool class = (n->text[0] == '4' || n->text[0] == '5') && strcmp(n->text + 1, "xx") == 0;
    unsigned from = (unsigned)(n->text[0] - '0') * 100;
    uint64_t status;

    for (unsigned i = 0; class && i < 100; i++)
        take_status(f, from + i);
    if (class)
        return 0;
    if (!value_unsigned(n->text, &status) || status < 400 || status > 599)
        return node_expected(n, r->err, "a status from 400 to 599, 4xx or 5xx");
    take_status(f, (unsigned)status);
    return 0;
}

static int word_refused(struct reader *r, const struct node *n, enum reason why)
{
    const char *words[REASON_COUNT + 1] = {"any"}, *near;
    size_t nwords = 1;

    if (why == REASON_UPSTREAM_STATUS)
        return node_error(n, r->err, "expected the statuses themselves, as in [\"503\"] or 5xx");
    if (why == REASON_UPSTREAM_CUT)
        return node_error(n, r->err,
                          "upstream_cut comes when the client has a part of the answer: too late "
                          "for a fallback");
    if (why < REASON_COUNT)
        return node_error(
            n, r->err, "%s is not a failure of the service: no fallback stands in for it", n->text);
    for (int i = 0; i < REASON_COUNT; i++)
        if (may_be_listed((enum reason)i))
            words[nwords++] = reason_info((enum reason)i)->word;
    near = nearest_word(n->text, words, nwords, sizeof *words);
    return node_error(n, r->err,
                      "expected any, a status, shed, or a reason that blames the service "
                      "(breaker_open, no_healthy_instance, overloaded, connect_failed, "
                      "connect_timeout, upstream_tls_failed, upstream_reset, upstream_timeout, "
                      "upstream_invalid), found "
                      "\"%.40s\"%s%s%s",
                      n->text, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int on_word_read(struct reader *r, const struct node *n, struct fallback_conf *f)
{
    enum reason why;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, "any, a reason or a status");
    if (n->text[0] >= '0' && n->text[0] <= '9')
        return status_word_read(r, n, f);
    why = reason_parse(n->text);
    if (strcmp(n->text, "any") == 0)
        take_any(f);
    else if (why < REASON_COUNT && may_be_listed(why))
        f->reasons |= 1ull << why;
    else
        return word_refused(r, n, why);
    return 0;
}

static int on_read(struct reader *r, const struct node *n, void *at)
{
    struct fallback_draft *d = at;

    d->conf.reasons = 0;
    if (n->kind != NODE_LIST)
        return on_word_read(r, n, &d->conf);
    if (n->n == 0)
        return node_error(n, r->err, "an empty list is for nothing; leave the key out for any");
    node_each(it, n)
    {
        if (on_word_read(r, it, &d->conf) < 0)
            return -1;
    }
    return 0;
}

static const char *answer_header_problem(const char *name)
{
    const char *problem = value_header_problem(name);

    if (problem)
        return problem;
    return strncasecmp(name, "frontdesk-", 10) == 0 || strcasecmp(name, "date") == 0
               ? "is written by the gateway"
               : NULL;
}

static int answer_headers_read(struct reader *r, const struct node *n, void *at)
{
    struct fallback_draft *d = at;
    struct header_conf *h = NULL;
    size_t bytes = 0;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "header names and values");
    d->conf.answer.headers = h = ARENA_ARRAY(r->arena, struct header_conf, n->n);
    node_each(it, n)
    {
        const char *problem = answer_header_problem(it->key);
        const char *value = text_read(r, it, "a header value", value_header_value_problem);

        if (problem)
            return node_error(it, r->err, "\"%.60s\" %s", it->key, problem);
        if (!value)
            return -1;
        *h++ = (struct header_conf){arena_strdup(r->arena, it->key), value};
        bytes += strlen(it->key) + strlen(value) + 4;
    }
    if (bytes > MAX_HEADERS_BYTES)
        return node_error(n, r->err, "at most %d KiB of headers are allowed here",
                          MAX_HEADERS_BYTES >> 10);
    d->conf.answer.nheaders = n->n;
    return 0;
}

static int json_read(struct reader *r, const struct node *n, void *at)
{
    *(struct str *)at = node_json(n, r->arena);
    return 0;
}

static const struct field answer_fields[] = {
    UNSIGNED("status", fallback_draft, conf.answer.status, 200, 599, "200",
             "Status of the answer."),
    {.key = "headers",
     .type = FIELD_CUSTOM,
     .read = answer_headers_read,
     .kind = "map of values",
     .shown = "none",
     .help = "Header fields of the answer. Without `Cache-Control` it gets `no-store`."},
    STRING("body", fallback_draft, body, NULL, NULL,
           "The body as written. At most one of `body`, `file` and `json`; none = empty."),
    STRING("file", fallback_draft, file, NULL, value_file_problem,
           "File that holds the body, at most 1 MiB, read at start and on reload; a relative path "
           "begins at the configuration's folder."),
    {.key = "json",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(fallback_draft, json, struct str),
     .read = json_read,
     .kind = "any value",
     .shown = "none",
     .help = "The body, written as YAML, sent as JSON with `Content-Type: application/json`."},
};
static const struct section answer_section = {answer_fields, ARRAY_LEN(answer_fields)};

/* The whole file; at most one byte more than is allowed is read. */
static int read_file(const char *path, char *buf, size_t cap, size_t *ret_n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t used = 0;
    ssize_t n;
    int e;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EISDIR;
    }
    do {
        n = read(fd, buf + used, cap - used);
        used += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && used < cap) || (n < 0 && errno == EINTR));
    e = n < 0 ? -errno : 0;
    close(fd);
    *ret_n = used;
    return e;
}

static int file_body_read(struct reader *r, const struct node *n, struct fallback_draft *d)
{
    char *buf = arena_alloc(r->scratch, MAX_BODY_BYTES + 1);
    const char *path = d->file;
    size_t used = 0;
    int e;

    if (path[0] != '/' && r->config->dir[0])
        path = arena_printf(r->scratch, "%s/%s", r->config->dir, path);
    e = read_file(path, buf, MAX_BODY_BYTES + 1, &used);
    if (e == -EISDIR)
        return node_error(n, r->err, "\"%.200s\" is not a file", path);
    if (e < 0)
        return node_error(n, r->err, "\"%.200s\": %s", path, strerror(-e));
    if (used > MAX_BODY_BYTES)
        return node_error(n, r->err, "\"%.200s\" is larger than %d MiB", path,
                          MAX_BODY_BYTES >> 20);
    d->conf.answer.body = arena_str(r->arena, (struct str){buf, used});
    return 0;
}

static bool has_header(const struct fallback_conf *f, const char *name)
{
    for (size_t i = 0; i < f->answer.nheaders; i++)
        if (strcasecmp(f->answer.headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_header(struct reader *r, struct fallback_conf *f, const char *name,
                       const char *value)
{
    size_t n = f->answer.nheaders;
    struct header_conf *copy = ARENA_ARRAY(r->arena, struct header_conf, n + 1);

    if (n > 0)
        memcpy(copy, f->answer.headers, n * sizeof *copy);
    copy[n] = (struct header_conf){name, value};
    f->answer.headers = copy;
    f->answer.nheaders = n + 1;
}

static int static_read(struct reader *r, const struct node *n, void *at)
{
    struct fallback_draft *d = at;
    struct fallback_conf *f = &d->conf;
    bool no_body = f->answer.status == 204 || f->answer.status == 205 || f->answer.status == 304;

    if (!!d->body + !!d->file + !!d->json.p > 1)
        return node_error(n, r->err, "body, file and json exclude each other");
    if (d->file && file_body_read(r, node_get(n, "file"), d) < 0)
        return -1;
    if (!d->file)
        f->answer.body = d->json.p ? d->json : str_of(d->body);
    if (f->answer.body.n > MAX_BODY_BYTES)
        return node_error(n, r->err, "the body is larger than %d MiB", MAX_BODY_BYTES >> 20);
    if (no_body && f->answer.body.n > 0)
        return node_error(n, r->err, "an answer with status %u has no body", f->answer.status);
    if (d->json.p && !has_header(f, "content-type"))
        add_header(r, f, "Content-Type", "application/json");
    /* A stand-in must not outlive the outage in some cache further down. */
    if (!has_header(f, "cache-control"))
        add_header(r, f, "Cache-Control", "no-store");
    return 0;
}

static const struct field cache_fields[] = {
    DURATION("max_age", fallback_draft, conf.max_age_ms, 1, 7 * 24 * HOURS, "1h",
             "An answer that was stored longer ago is not used."),
};
static const struct section cache_section = {cache_fields, ARRAY_LEN(cache_fields)};

static const struct field fallback_fields[] = {
    {.key = "on",
     .type = FIELD_CUSTOM,
     .dflt = "any",
     .read = on_read,
     .kind = "`any`, or list of reasons and statuses",
     .help = "What it stands in for: reasons that blame the service, `breaker_open`, "
             "`no_healthy_instance`, `overloaded` (`any` = all of these); only when listed: "
             "`shed`, and statuses that the service answered (`\"503\"`, `5xx`)."},
    {.key = "cache",
     .type = FIELD_SECTION,
     .section = &cache_section,
     .help = "The last good answer to the same request. `cache: {}` is enough."},
    STRING("service", fallback_draft, conf.service, NULL, value_name_problem,
           "Another service, which gets the same request."),
    {.key = "static",
     .type = FIELD_SECTION,
     .section = &answer_section,
     .read = static_read,
     .help = "A fixed answer."},
};
const struct section fallback_section = {fallback_fields, ARRAY_LEN(fallback_fields)};

static bool given(const struct node *n, const char *key)
{
    const struct node *value = node_get(n, key);

    return value && !node_is_null(value);
}

static int item_read(struct reader *r, const struct node *n, void *at)
{
    struct fallback_draft d = {.body = NULL};
    bool cache, service, answer;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { service: products-static }");
    section_defaults(r, &fallback_section, &d);
    if (section_read(r, &fallback_section, n, &d) < 0)
        return -1;
    cache = given(n, "cache");
    service = given(n, "service");
    answer = given(n, "static");
    if (cache + service + answer != 1)
        return node_error(n, r->err, "expected exactly one of cache, service and static");
    if (service && d.conf.reasons >> REASON_SHED & 1)
        return node_error(node_get(n, "on"), r->err,
                          "shed: another service takes the saturated gateway as long; only cache "
                          "and static can stand in");
    d.conf.kind = cache ? FALLBACK_CACHE : service ? FALLBACK_SERVICE : FALLBACK_STATIC;
    *(struct fallback_conf *)at = d.conf;
    return 0;
}

int fallback_read(struct reader *r, const struct node *n, void *at)
{
    struct fallback_list *list = ARENA_NEW(r->arena, struct fallback_list);

    list->items = list_read(r, n, "a list of fallbacks", MAX_FALLBACKS, sizeof *list->items,
                            item_read, &list->n);
    if (!list->items)
        return -1;
    for (size_t i = 0; i < list->n; i++) {
        list->caches |= list->items[i].kind == FALLBACK_CACHE;
        for (size_t k = 0; k < ARRAY_LEN(list->statuses); k++)
            list->statuses[k] |= list->items[i].statuses[k];
    }
    *(const struct fallback_list **)at = list;
    return 0;
}

int fallback_check_self(struct reader *r, const struct node *n, const struct fallback_list *list,
                        const char *service)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].service && strcmp(list->items[i].service, service) == 0)
            return node_error(n, r->err, "%s cannot stand in for itself", service);
    return 0;
}

static const struct field fallback_cache_fields[] = {
    SIZE("size", fallback_cache_conf, size, 64 << 10, 1ll << 40, "64m",
         "Memory for all stored answers, what keeps them in order included. The answers that were "
         "not asked for longest make room."),
    SIZE("max_answer", fallback_cache_conf, max_answer, 1 << 10, 1 << 30, "1m",
         "A larger answer, header and body, is not stored."),
};
const struct section fallback_cache_section = {fallback_cache_fields,
                                               ARRAY_LEN(fallback_cache_fields)};

int fallback_cache_check(struct reader *r, const struct node *n, void *at)
{
    const struct fallback_cache_conf *c = at;

    return c->max_answer > c->size ? node_error(n, r->err, "max_answer is larger than size") : 0;
}

const char *fallback_name(enum fallback_kind kind)
{
    static const char *const names[] = {
        [FALLBACK_CACHE] = "cache", [FALLBACK_SERVICE] = "service", [FALLBACK_STATIC] = "static"};

    return kind < FALLBACK_KINDS ? names[kind] : "";
}

const struct fallback_list *fallback_list_of(const struct route_conf *r,
                                             const struct service_conf *s)
{
    return r && r->fallback ? r->fallback : s->fallback;
}

bool fallback_is_for(const struct fallback_conf *f, enum reason why, unsigned status)
{
    if (why == REASON_UPSTREAM_STATUS)
        return status < 600 && (f->statuses[status / 64] >> (status % 64) & 1);
    return f->reasons >> why & 1;
}

static void each_service(const struct fallback_list *list, void (*fn)(void *arg, const char *),
                         void *arg)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (list->items[i].kind == FALLBACK_SERVICE)
            fn(arg, list->items[i].service);
}

void fallback_each_service(const struct config *c, void (*fn)(void *arg, const char *service),
                           void *arg)
{
    each_service(c->defaults.fallback, fn, arg);
    for (size_t i = 0; i < c->nservices; i++)
        each_service(c->services[i].fallback, fn, arg);
    for (size_t i = 0; i < c->nroutes; i++)
        each_service(c->routes[i].fallback, fn, arg);
}

const char *fallback_kind(const struct route_conf *r, const struct service_conf *s, enum reason why)
{
    const struct fallback_list *list = fallback_list_of(r, s);

    for (size_t i = 0; list && i < list->n; i++)
        if (why == REASON_UPSTREAM_STATUS ? list->items[i].reasons >> why & 1
                                          : fallback_is_for(&list->items[i], why, 0))
            return fallback_name(list->items[i].kind);
    return NULL;
}
