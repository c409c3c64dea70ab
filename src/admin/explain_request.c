/* SPDX-License-Identifier: Apache-2.0 */
/* From the parameters of /v1/explain to a request as the gateway's parser leaves it. */
#include "admin/explain.h"
#include "http/h1_parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { MAX_METHOD = 32 };

struct parts {
    struct str authority, rest; /* rest: path and query */
};

/* Nothing that would end or split the head that is made of it. */
static bool visible_ascii(const char *s, size_t max)
{
    size_t n = 0;

    for (; s[n]; n++)
        if (n >= max || (unsigned char)s[n] <= 0x20 || (unsigned char)s[n] >= 0x7f)
            return false;
    return n > 0;
}

static int split_url(const char *url, struct explained *x, struct parts *ret, struct err *e)
{
    static const struct str schemes[] = {{"http", 4}, {"https", 5}};
    struct str all = str_of(url);

    *ret = (struct parts){STR(""), all};
    if (url[0] == '/')
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = schemes[i].n;

        if (!str_istarts(all, schemes[i]) || strncmp(url + n, "://", 3) != 0)
            continue;
        x->https = i == 1;
        ret->authority = (struct str){url + n + 3, strcspn(url + n + 3, "/?#")};
        ret->rest = str_of(ret->authority.p + ret->authority.n);
        if (ret->authority.n > 0)
            return 0;
    }
    return err_set(e, "url: expected http://HOST/PATH, https://HOST/PATH or /PATH");
}

/* "Name: value" on one line; what is odd in it else is for the parser to find. */
static int check_headers(const struct explain_query *q, bool *ret_host, struct err *e)
{
    *ret_host = false;
    if (q->nheaders > EXPLAIN_MAX_HEADERS)
        return err_set(e, "header: at most %d of them", EXPLAIN_MAX_HEADERS);
    for (size_t i = 0; i < q->nheaders; i++) {
        const char *h = q->headers[i], *colon = strchr(h, ':');

        if (!colon || colon == h || strpbrk(h, "\r\n"))
            return err_set(e, "header: expected Name: value");
        *ret_host = *ret_host || str_ieq((struct str){h, (size_t)(colon - h)}, STR("Host"));
    }
    return 0;
}

static void set_client(const struct explain_query *q, struct explained *x, bool *ret_good)
{
    struct in_addr v4 = {htonl(INADDR_LOOPBACK)};

    *ret_good = true;
    memset(&x->client, 0, sizeof x->client);
    if (q->client && strchr(q->client, ':')) {
        *ret_good = inet_pton(AF_INET6, q->client, &x->client) == 1;
        return;
    }
    if (q->client)
        *ret_good = inet_pton(AF_INET, q->client, &v4) == 1;
    x->client.s6_addr[10] = x->client.s6_addr[11] = 0xff;
    memcpy(x->client.s6_addr + 12, &v4, 4);
}

/* The bytes that a client would send. A path alone is a request without Host, which only HTTP/1.0
 * may send. */
static int write_head(const struct explain_query *q, const struct parts *p, bool own_host,
                      struct explained *x, size_t *ret_n)
{
    FILE *out = fmemopen(x->head, sizeof x->head, "w");
    const char *slash = p->rest.n > 0 && p->rest.p[0] == '/' ? "" : "/";
    bool named = own_host || p->authority.n > 0;
    long n;

    if (!out)
        return -1;
    fprintf(out, "%s %s%.*s HTTP/1.%d\r\n", q->method, slash, STR_FMT(p->rest), named);
    if (named && !own_host)
        fprintf(out, "Host: %.*s\r\n", STR_FMT(p->authority));
    for (size_t i = 0; i < q->nheaders; i++)
        fprintf(out, "%s\r\n", q->headers[i]);
    fputs("\r\n", out);
    fflush(out);
    n = ftell(out);
    /* fmemopen() cuts at the end of the buffer, and wants one byte for its NUL. */
    if (ferror(out) || n < 0 || (size_t)n + 1 >= sizeof x->head)
        n = -1;
    fclose(out);
    *ret_n = (size_t)n;
    return n < 0 ? -1 : 0;
}

int explain_parse(const struct explain_query *q, struct explained *ret, struct err *e)
{
    static const struct h1_limits limits = {.max_line = EXPLAIN_MAX_HEAD,
                                            .max_head = EXPLAIN_MAX_HEAD,
                                            .max_headers = HTTP_MAX_HEADERS};
    size_t n, scanned = 0, head_bytes;
    enum reason why = REASON_BAD_REQUEST;
    struct parts parts;
    bool own_host, good;

    ret->https = false;
    if (!visible_ascii(q->method, MAX_METHOD))
        return err_set(e, "method: expected a word of at most %d characters", MAX_METHOD);
    if (!visible_ascii(q->url, EXPLAIN_MAX_URL))
        return err_set(e, "url: expected at most %d visible ASCII characters", EXPLAIN_MAX_URL);
    set_client(q, ret, &good);
    if (!good)
        return err_set(e, "client: expected an IPv4 or IPv6 address");
    if (split_url(q->url, ret, &parts, e) < 0 || check_headers(q, &own_host, e) < 0)
        return -1;
    if (write_head(q, &parts, own_host, ret, &n) < 0)
        return err_set(e, "the request is too large");
    if (h1_parse_request(ret->head, n, &limits, &scanned, &ret->req, &head_bytes, &why) == H1_DONE)
        return 0;
    return err_set(e, "the gateway would refuse this request: %s", reason_info(why)->word);
}
