/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"
#include "base/log.h"
#include "host.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { REFRESH_S = 30 };

struct lookup {
    struct name *name; /* borrowed; NULL when the name was forgotten meanwhile */
};

struct name {
    UT_hash_handle hh;
    struct resolver *resolver; /* borrowed */
    char *host;                /* owned; the key */
    struct sockaddr_storage addr;
    socklen_t len;         /* 0 = not known */
    bool used;             /* since the last refresh */
    bool failing;          /* logged once */
    struct lookup *lookup; /* in flight; frees itself in its callback */
};

struct resolver {
    struct evdns_base *dns; /* owned */
    struct event *refresh;  /* owned */
    struct event *tell;     /* owned */
    struct name *names;     /* owned */
    resolver_changed_fn *changed;
    void *arg;
};

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;

    (void)fd;
    (void)what;
    r->changed(r->arg);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* NULL: the present address stays. */
static const struct evutil_addrinfo *choose(const struct name *n,
                                            const struct evutil_addrinfo *answers)
{
    const struct evutil_addrinfo *best = NULL;

    for (const struct evutil_addrinfo *a = answers; a; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        if (n->len && same_address(a->ai_addr, (const struct sockaddr *)&n->addr))
            return NULL;
        if (!best || (best->ai_family != AF_INET && a->ai_family == AF_INET))
            best = a;
    }
    return best;
}

static void note_failure(struct name *n, const char *why)
{
    if (!n->failing)
        log_warn("discovery", "host %s: %s; %s", n->host, why,
                 n->len ? "its last address stays in use" : "its instances are not usable");
    n->failing = true;
}

static void on_answer(int result, struct evutil_addrinfo *answers, void *arg)
{
    struct lookup *l = arg;
    struct name *n = l->name;
    const struct evutil_addrinfo *best;

    free(l);
    if (!n) {
        if (answers)
            evutil_freeaddrinfo(answers);
        return;
    }
    n->lookup = NULL;
    if (result != 0) {
        note_failure(n, evutil_gai_strerror(result));
        return;
    }
    n->failing = false;
    best = choose(n, answers);
    if (best) {
        memset(&n->addr, 0, sizeof n->addr);
        memcpy(&n->addr, best->ai_addr, best->ai_addrlen);
        n->len = (socklen_t)best->ai_addrlen;
        event_active(n->resolver->tell, EV_TIMEOUT, 0);
    }
    if (answers)
        evutil_freeaddrinfo(answers);
}

static void start_lookup(struct name *n)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *l;

    if (n->lookup)
        return;
    l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->name = n;
    n->lookup = l;
    /* May answer, and free the lookup, before it returns. */
    (void)evdns_getaddrinfo(n->resolver->dns, n->host, NULL, &hints, on_answer, l);
}

static void forget(struct resolver *r, struct name *n)
{
    HASH_DEL(r->names, n);
    if (n->lookup)
        n->lookup->name = NULL;
    free(n->host);
    free(n);
}

static void on_refresh(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    struct name *n, *tmp;

    (void)fd;
    (void)what;
    for (n = r->names; n; n = n->hh.next)
        n->used = false;
    r->changed(r->arg);
    HASH_ITER(hh, r->names, n, tmp)
    {
        if (n->used)
            start_lookup(n);
        else
            forget(r, n);
    }
}

struct resolver *resolver_new(struct event_base *base, resolver_changed_fn *changed, void *arg)
{
    struct resolver *r = calloc(1, sizeof *r);
    struct timeval every = {.tv_sec = REFRESH_S};

    if (!r)
        abort();
    r->changed = changed;
    r->arg = arg;
    r->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    r->refresh = event_new(base, -1, EV_PERSIST, on_refresh, r);
    r->tell = event_new(base, -1, 0, on_tell, r);
    if (!r->dns || !r->refresh || !r->tell)
        abort();
    /* A missing resolv.conf leaves names in /etc/hosts, and literals. */
    (void)evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    event_add(r->refresh, &every);
    return r;
}

void resolver_free(struct resolver *r)
{
    struct name *n, *tmp;

    if (!r)
        return;
    HASH_ITER(hh, r->names, n, tmp) forget(r, n);
    evdns_base_free(r->dns, 1);
    event_free(r->refresh);
    event_free(r->tell);
    free(r);
}

static struct name *find_name(struct resolver *r, const char *host)
{
    struct name *n;

    HASH_FIND_STR(r->names, host, n);
    if (n)
        return n;
    n = calloc(1, sizeof *n);
    if (!n)
        abort();
    n->resolver = r;
    n->host = strdup(host);
    if (!n->host)
        abort();
    HASH_ADD_KEYPTR(hh, r->names, n->host, strlen(n->host), n);
    start_lookup(n);
    return n;
}

bool resolver_get(struct resolver *r, const char *host, uint16_t port,
                  struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
    struct name *n;

    if (host_literal(host, port, ret_addr, ret_len))
        return true;
    n = find_name(r, host);
    n->used = true;
    if (n->len == 0)
        return false;
    *ret_addr = n->addr;
    *ret_len = n->len;
    if (n->addr.ss_family == AF_INET)
        ((struct sockaddr_in *)ret_addr)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)ret_addr)->sin6_port = htons(port);
    return true;
}
