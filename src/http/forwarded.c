/* SPDX-License-Identifier: Apache-2.0 */
#include "http/forwarded.h"

#include "http/chars.h"

#include <arpa/inet.h>

/* A walk from the right in one pass from the left: what an untrusted address or an element without
 * one makes void is forgotten when it comes. */
struct walk {
    forwarded_trust_fn *trust;
    const void *arg;
    bool found;
    struct in6_addr client;
};

static void take(struct walk *w, bool good, const struct in6_addr *address)
{
    if (!good)
        w->found = false;
    else if (!w->found || !w->trust(w->arg, address)) {
        w->found = true;
        w->client = *address;
    }
}

static bool read_v4(const char *z, struct in6_addr *ret)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, z, &v4) != 1)
        return false;
    memset(ret, 0, sizeof *ret);
    ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
    memcpy(ret->s6_addr + 12, &v4, sizeof v4);
    return true;
}

/* RFC 7239 section 6.2: up to five digits; an obfuscated port is a name. */
static bool is_port(struct str s)
{
    uint64_t v;

    return s.n <= 5 && str_to_u64(s, &v) && v <= UINT16_MAX;
}

bool forwarded_read_address(struct str text, struct in6_addr *ret)
{
    bool bracketed = text.n > 0 && text.p[0] == '[';
    const char *end = text.p + text.n, *stop = end, *colon;
    char z[INET6_ADDRSTRLEN];

    if (bracketed) {
        stop = memchr(text.p, ']', text.n);
        if (!stop)
            return false;
        if (stop + 1 < end &&
            (stop[1] != ':' || !is_port((struct str){stop + 2, (size_t)(end - stop - 2)})))
            return false;
        text.p++;
    } else if ((colon = memchr(text.p, ':', text.n)) &&
               !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        if (!is_port((struct str){colon + 1, (size_t)(end - colon - 1)}))
            return false;
        stop = colon;
    }
    text.n = (size_t)(stop - text.p);
    if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    return (!bracketed && read_v4(z, ret)) || inet_pton(AF_INET6, z, ret) == 1;
}

static void walk_x_forwarded_for(struct walk *w, struct str list)
{
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        struct str item = str_trim((struct str){list.p, n});
        struct in6_addr address;

        list.p += comma ? n + 1 : n;
        list.n -= comma ? n + 1 : n;
        if (item.n > 0)
            take(w, forwarded_read_address(item, &address), &address);
    }
}

static void skip_space(struct str *s)
{
    while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t')) {
        s->p++;
        s->n--;
    }
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

static bool take_token(struct str *s, struct str *ret)
{
    size_t n = 0;

    while (n < s->n && char_is(s->p[n], CHAR_TOKEN))
        n++;
    *ret = (struct str){s->p, n};
    s->p += n;
    s->n -= n;
    return n > 0;
}

/* A quoted string without its quotes. No address needs a backslash: one in it makes it none. */
static bool take_quoted(struct str *s, struct str *ret)
{
    size_t n = 1;

    while (n < s->n && s->p[n] != '"')
        n += s->p[n] == '\\' ? 2 : 1;
    if (n >= s->n)
        return false;
    *ret = (struct str){s->p + 1, n - 1};
    s->p += n + 1;
    s->n -= n + 1;
    return true;
}

/* One element, "for=192.0.2.1;proto=https", up to the comma or the end. Two
 * `for` are one too many. Returns the number of its pairs, -1 when it is broken. */
static int take_element(struct str *s, struct str *ret_for)
{
    struct str name, value;
    int pairs = 0;

    *ret_for = STR_NULL;
    do {
        skip_space(s);
        if (!take_token(s, &name))
            continue;
        if (!take_char(s, '='))
            return -1;
        if (!(s->n > 0 && s->p[0] == '"' ? take_quoted(s, &value) : take_token(s, &value)))
            return -1;
        pairs++;
        if (str_ieq(name, STR("for"))) {
            if (ret_for->p)
                return -1;
            *ret_for = value;
        }
        skip_space(s);
    } while (take_char(s, ';'));
    return s->n == 0 || s->p[0] == ',' ? pairs : -1;
}

/* A broken element ends at the next comma, be it within its quotes: an open quote of a client must
 * not swallow what the proxies behind it have said. */
static void walk_forwarded(struct walk *w, struct str list)
{
    while (list.n > 0) {
        struct str rest = list, node;
        struct in6_addr address;
        int pairs = take_element(&rest, &node);

        if (pairs < 0) {
            const char *comma = memchr(list.p, ',', list.n);

            rest = comma ? (struct str){comma, list.n - (size_t)(comma - list.p)} : STR("");
        }
        if (pairs != 0)
            take(w, pairs > 0 && node.p && forwarded_read_address(node, &address), &address);
        list = rest;
        take_char(&list, ',');
    }
}

void forwarded_find_client(const struct request *r, forwarded_trust_fn *trust, const void *arg,
                           struct in6_addr *client)
{
    struct walk w = {.trust = trust, .arg = arg};
    bool simple = request_header(r, HEADER_X_FORWARDED_FOR) != NULL;
    enum header_id id = simple ? HEADER_X_FORWARDED_FOR : HEADER_FORWARDED;

    for (unsigned i = 0; i < r->nheaders; i++) {
        if (r->headers[i].id != id)
            continue;
        if (simple)
            walk_x_forwarded_for(&w, r->headers[i].value);
        else
            walk_forwarded(&w, r->headers[i].value);
    }
    if (w.found)
        *client = w.client;
}
