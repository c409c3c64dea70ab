/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rules.h"

#include "base/macros.h"

#include <time.h>

/* A lifetime that cannot be told from for ever (section 1.2.2). */
static const int64_t longest_s = INT32_MAX;

const struct header *rules_header(const struct header *headers, unsigned n, struct str name)
{
    for (unsigned i = 0; i < n; i++)
        if (str_ieq(headers[i].name, name))
            return &headers[i];
    return NULL;
}

static struct str value_of(const struct response *a, struct str name)
{
    const struct header *h = rules_header(a->headers, a->nheaders, name);

    return h ? h->value : STR_NULL;
}

/* Length of the text up to a comma that is not in quotes. */
static size_t element_length(struct str s)
{
    bool quoted = false;

    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == ',' && !quoted)
            return i;
    }
    return s.n;
}

/* Cuts one element off a list whose elements may hold quoted strings. */
static bool next_element(struct str *rest, struct str *ret)
{
    while (rest->n > 0) {
        size_t n = element_length(*rest), step = n < rest->n ? n + 1 : n;

        *ret = str_trim((struct str){rest->p, n});
        rest->p += step;
        rest->n -= step;
        if (ret->n > 0)
            return true;
    }
    return false;
}

/* What cannot be read as seconds counts as none: stale at once (section 4.2.1). */
static int64_t seconds(struct str text)
{
    uint64_t s;

    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
        text = (struct str){text.p + 1, text.n - 2};
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return 0;
    if (text.n == 0)
        return 0;
    return str_to_u64(text, &s) && s < (uint64_t)longest_s ? (int64_t)s : longest_s;
}

/* Two values that differ: the shorter one is safe. */
static void take_seconds(int64_t *at, struct str text)
{
    int64_t s = seconds(text);

    if (*at < 0 || s < *at)
        *at = s;
}

static void take_directive(struct cache_control *c, struct str text)
{
    const char *equals = memchr(text.p, '=', text.n);
    size_t n = equals ? (size_t)(equals - text.p) : text.n;
    struct str name = {text.p, n};
    struct str arg = equals ? (struct str){equals + 1, text.n - n - 1} : STR_NULL;

    if (str_ieq(name, STR("no-store")))
        c->no_store = true;
    else if (str_ieq(name, STR("no-cache")))
        c->no_cache = true;
    else if (str_ieq(name, STR("no-transform")))
        c->no_transform = true;
    else if (str_ieq(name, STR("private")))
        c->is_private = true;
    else if (str_ieq(name, STR("public")))
        c->is_public = true;
    else if (str_ieq(name, STR("must-revalidate")) || str_ieq(name, STR("proxy-revalidate")))
        c->must_revalidate = true;
    else if (str_ieq(name, STR("max-age")))
        take_seconds(&c->max_age, arg);
    else if (str_ieq(name, STR("s-maxage")))
        take_seconds(&c->s_maxage, arg);
    else if (str_ieq(name, STR("stale-if-error")))
        take_seconds(&c->stale_if_error, arg);
    else if (str_ieq(name, STR("stale-while-revalidate")))
        take_seconds(&c->stale_while_revalidate, arg);
}

struct cache_control cache_control_of(const struct header *headers, unsigned n)
{
    struct cache_control c = {
        .max_age = -1, .s_maxage = -1, .stale_if_error = -1, .stale_while_revalidate = -1};

    for (unsigned i = 0; i < n; i++) {
        struct str rest = headers[i].value, item;

        if (!str_ieq(headers[i].name, STR("cache-control")))
            continue;
        while (next_element(&rest, &item))
            take_directive(&c, item);
    }
    c.must_revalidate |= c.s_maxage >= 0;
    return c;
}

static bool varies_by_all(const struct response *a)
{
    for (unsigned i = 0; i < a->nheaders; i++) {
        struct str rest = a->headers[i].value, item;

        if (!str_ieq(a->headers[i].name, STR("vary")))
            continue;
        while (next_element(&rest, &item))
            if (str_eq(item, STR("*")))
                return true;
    }
    return false;
}

/* Section 3. Of the statuses that may be stored without being told so (RFC 9110 section 15.1) only
 * those that carry the thing itself: a "not found" is no good answer to hold on to in an outage. */
const char *rules_refuse(const struct request *r, const struct response *a, bool own)
{
    struct cache_control asked = cache_control_of(r->headers, r->nheaders);
    struct cache_control said = cache_control_of(a->headers, a->nheaders);
    bool personal =
        request_header(r, HEADER_AUTHORIZATION) != NULL || request_header(r, HEADER_COOKIE) != NULL;

    if (r->method != METHOD_GET)
        return "not a GET";
    if (a->status != 200 && a->status != 203)
        return "the status";
    if (asked.no_store || said.no_store)
        return "no-store";
    if (said.is_private && !own)
        return "private";
    if (said.no_cache)
        return "no-cache: it may not be used without asking the service";
    if (personal && !own && !rules_are_for_all(a))
        return "the request had credentials (section 3.5)";
    if (rules_header(a->headers, a->nheaders, STR("set-cookie")))
        return "Set-Cookie";
    if (rules_header(a->headers, a->nheaders, STR("content-range")))
        return "Content-Range";
    if (rules_header(a->headers, a->nheaders, STR("frontdesk-fallback")))
        return "it is a stand-in itself";
    return varies_by_all(a) ? "Vary: *" : NULL;
}

bool rules_are_for_all(const struct response *a)
{
    struct cache_control said = cache_control_of(a->headers, a->nheaders);

    return said.is_public || said.s_maxage >= 0;
}

int64_t rules_date(struct str text)
{
    static const char *const formats[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                          "%a %b %e %H:%M:%S %Y"};
    char z[64];

    if (text.n == 0 || text.n >= sizeof z)
        return -1;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct tm tm = {.tm_isdst = 0};
        const char *end = strptime(z, formats[i], &tm);

        if (end && *end == '\0') {
            int64_t s = timegm(&tm);

            return s < 0 ? -1 : s;
        }
    }
    return -1;
}

static int64_t lifetime(const struct response *a, const struct cache_control *said, int64_t date)
{
    const struct header *expires = rules_header(a->headers, a->nheaders, STR("expires"));
    int64_t modified = rules_date(value_of(a, STR("last-modified"))), until;

    if (said->s_maxage >= 0)
        return said->s_maxage;
    if (said->max_age >= 0)
        return said->max_age;
    if (expires) {
        until = rules_date(expires->value);
        return until > date ? until - date : 0;
    }
    /* Section 4.2.2: the usual tenth of the time that it had not changed for. */
    return modified >= 0 && modified < date ? (date - modified) / 10 : 0;
}

struct freshness rules_freshness(const struct response *a, int64_t now_s, int64_t delay_s)
{
    struct cache_control said = cache_control_of(a->headers, a->nheaders);
    const struct header *age = rules_header(a->headers, a->nheaders, STR("age"));
    int64_t date = rules_date(value_of(a, STR("date")));
    int64_t apparent, corrected = (age ? seconds(age->value) : 0) + delay_s;

    if (date < 0)
        date = now_s;
    apparent = now_s > date ? now_s - date : 0;
    return (struct freshness){
        .age_s = apparent > corrected ? apparent : corrected,
        .lifetime_s = lifetime(a, &said, date),
        .must_revalidate = said.must_revalidate,
        .stale_if_error_s = said.stale_if_error,
        .stale_while_revalidate_s = said.stale_while_revalidate,
    };
}

bool rules_says_lifetime(const struct response *a)
{
    struct cache_control said = cache_control_of(a->headers, a->nheaders);

    return said.s_maxage >= 0 || said.max_age >= 0 ||
           rules_header(a->headers, a->nheaders, STR("expires")) != NULL;
}

bool rules_usable(const struct freshness *f, int64_t age_s)
{
    if (age_s <= f->lifetime_s)
        return true;
    if (f->must_revalidate)
        return false;
    return f->stale_if_error_s < 0 || age_s - f->lifetime_s <= f->stale_if_error_s;
}

static struct str opaque_tag(struct str etag)
{
    return str_starts(etag, STR("W/")) ? (struct str){etag.p + 2, etag.n - 2} : etag;
}

/* RFC 9110 section 8.8.3.2: the weak comparison. */
static bool any_matches(struct str list, struct str etag)
{
    struct str item;

    while (next_element(&list, &item))
        if (str_eq(item, STR("*")) || (etag.n > 0 && str_eq(opaque_tag(item), opaque_tag(etag))))
            return true;
    return false;
}

/* RFC 9110 section 13.2.2: with If-None-Match, If-Modified-Since is not looked at. */
bool rules_not_modified(const struct request *r, struct str etag, struct str last_modified)
{
    const struct header *since = request_header_named(r, STR("if-modified-since"));
    int64_t modified = rules_date(last_modified);
    bool has_tags = false;

    for (unsigned i = 0; i < r->nheaders; i++) {
        if (!str_ieq(r->headers[i].name, STR("if-none-match")))
            continue;
        if (any_matches(r->headers[i].value, etag))
            return true;
        has_tags = true;
    }
    return !has_tags && since && modified >= 0 && rules_date(since->value) >= modified;
}
