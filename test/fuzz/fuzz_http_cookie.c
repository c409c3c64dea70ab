/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says in lists: cookies, query parameters, and whom X-Forwarded-For and Forwarded
 * name. The first line is the name that is looked for, the others are fields of the request. */
#include "http/forwarded.h"
#include "http/message.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct str s, const char *p, size_t n)
{
    return s.p >= p && s.p + s.n <= p + n;
}

static bool trusts_ten(const void *arg, const struct in6_addr *a)
{
    (void)arg;
    return IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 10;
}

static struct str take_line(struct str *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    struct str line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};

    rest->p += line.n + (end != NULL);
    rest->n -= line.n + (end != NULL);
    return line;
}

static void find_client(struct request *r, enum header_id id)
{
    struct in6_addr client = IN6ADDR_LOOPBACK_INIT, again = IN6ADDR_LOOPBACK_INIT;
    unsigned n = r->nheaders;

    for (unsigned i = 0; i < n; i++)
        r->headers[i].id = (uint8_t)id;
    forwarded_find_client(r, trusts_ten, NULL, &client);
    if (n == 0 || n == HTTP_MAX_HEADERS)
        return;
    /* Whatever a client writes: the proxy behind it has the last word. */
    r->headers[n].id = (uint8_t)id;
    r->headers[n].value = id == HEADER_FORWARDED ? STR("for=192.0.2.1") : STR("192.0.2.1");
    r->nheaders++;
    forwarded_find_client(r, trusts_ten, NULL, &again);
    assert(again.s6_addr[12] == 192 && again.s6_addr[15] == 1);
    r->nheaders--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request r;
    char *copy = malloc(size ? size : 1);
    struct str rest = {copy, size}, name, value;

    assert(copy);
    if (size > 0)
        memcpy(copy, data, size);
    name = take_line(&rest);
    r.nheaders = 0;
    while (rest.n > 0 && r.nheaders < HTTP_MAX_HEADERS) {
        struct header *h = &r.headers[r.nheaders++];

        h->id = HEADER_COOKIE;
        h->value = take_line(&rest);
        r.query = h->value;
        r.has_query = true;
    }
    if (request_cookie(&r, name, &value))
        assert(is_within(value, copy, size) && !memchr(value.p, ';', value.n));
    if (r.nheaders > 0 && request_query(&r, name, &value))
        assert(is_within(value, copy, size) && !memchr(value.p, '&', value.n));
    find_client(&r, HEADER_X_FORWARDED_FOR);
    find_client(&r, HEADER_FORWARDED);
    free(copy);
    return 0;
}
