/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "discovery.h"
#include "file_change.h"
#include "host.h"
#include "hosts.h"
#include "name.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    SWEEP_S = 30,
    TELL_MS = 50, /* of many changes, so often one is told: each is a look at all instances */
    HOSTS_TTL_MS = 30000, /* the file may change at any time */
};

const struct resolver_files resolver_files_of_machine = {"/etc/resolv.conf", "/etc/hosts"};

enum { V4, V6, FAMILIES };

/* One round of questions for a name. Frees itself with its last answer. */
struct lookup {
    struct host *host; /* borrowed; NULL when the name was forgotten, or is asked for anew */
    unsigned pending;
    struct question {
        struct lookup *lookup;
        struct name_answer answer;
    } questions[FAMILIES];
};

struct host {
    UT_hash_handle hh;
    struct resolver *resolver; /* borrowed */
    char *text;                /* owned; the key */
    struct name name;
    bool used;             /* since the last sweep */
    bool logged;           /* as failing */
    struct lookup *lookup; /* in flight; frees itself */
};

struct resolver {
    struct event_base *base;          /* borrowed */
    struct evdns_base *dns;           /* owned; NULL until the first name that needs it */
    struct hosts *file;               /* owned */
    const char *resolv_conf;          /* borrowed */
    struct file_change conf_change;   /* of resolv.conf */
    uint64_t conf_looked_ns;          /* when that was last looked for */
    struct event *sweep, *due, *tell; /* owned */
    uint64_t told_ns;                 /* when `changed` was last called for it */
    struct host *hosts;               /* owned */
    char **servers;                   /* owned; none: those of resolv.conf */
    size_t nservers;
    unsigned timeout_ms, attempts;
    struct name_bounds bounds;
    struct rng rng;
    resolver_changed_fn *changed;
    void *arg;
};

static void ask(struct host *h);

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;

    (void)fd;
    (void)what;
    r->told_ns = clock_now_ns();
    r->changed(r->arg);
}

static void tell(struct resolver *r)
{
    uint64_t since_ms = (clock_now_ns() - r->told_ns) / NS_PER_MS;
    struct timeval rest = {0};

    if (since_ms < TELL_MS)
        rest.tv_usec = (suseconds_t)(TELL_MS - since_ms) * 1000;
    if (!evtimer_pending(r->tell, NULL))
        evtimer_add(r->tell, &rest);
}

static void arm(struct resolver *r)
{
    uint64_t now = clock_now_ns(), next = UINT64_MAX, left_ms;
    struct timeval tv;

    for (const struct host *h = r->hosts; h; h = h->hh.next)
        if (!h->lookup && h->name.due_ns < next)
            next = h->name.due_ns;
    if (next == UINT64_MAX)
        return;
    left_ms = next > now ? (next - now) / NS_PER_MS + 1 : 0;
    tv.tv_sec = (time_t)(left_ms / 1000);
    tv.tv_usec = (suseconds_t)(left_ms % 1000) * 1000;
    evtimer_add(r->due, &tv);
}

static void tell_outcome(struct host *h)
{
    const char *why = h->name.why;

    if (why[0] && !h->logged)
        log_warn("discovery", "host %s: %s; %s", h->text, why,
                 h->name.family ? "its last address stays in use" : "its instances are not usable");
    else if (!why[0] && h->logged)
        log_info("discovery", "host %s: resolved again", h->text);
    h->logged = why[0] != '\0';
}

static void take(struct host *h, const struct name_answer *v4, const struct name_answer *v6)
{
    struct resolver *r = h->resolver;

    if (name_take(&h->name, v4, v6, &r->bounds, clock_now_ns(), &r->rng))
        tell(r);
}

static void read_result(struct name_answer *a, int result, int type, int count, int ttl,
                        const void *addresses)
{
    size_t size = type == DNS_IPv6_AAAA ? sizeof(struct in6_addr) : sizeof(struct in_addr);

    a->n = 0;
    a->ttl_ms = ttl > 0 ? (uint64_t)ttl * 1000 : 0;
    a->outcome = NAME_NONE;
    a->why = "it has no address";
    if (result == DNS_ERR_NOTEXIST) {
        a->why = "there is no such name";
    } else if (result != DNS_ERR_NONE && result != DNS_ERR_NODATA) {
        a->outcome = NAME_FAILED;
        a->why = evdns_err_to_string(result);
    } else if (result == DNS_ERR_NONE && count > 0) {
        a->outcome = NAME_FOUND;
        for (; a->n < (unsigned)count && a->n < NAME_ADDRESSES_MAX; a->n++)
            memcpy(&a->addresses[a->n], (const char *)addresses + a->n * size, size);
    }
}

static void on_answer(int result, char type, int count, int ttl, void *addresses, void *arg)
{
    struct question *q = arg;
    struct lookup *l = q->lookup;
    struct host *h = l->host;

    l->pending--;
    if (h) {
        read_result(&q->answer, result, type, count, ttl, addresses);
        take(h, &l->questions[V4].answer, &l->questions[V6].answer);
    }
    if (l->pending > 0)
        return;
    if (h) {
        h->lookup = NULL;
        tell_outcome(h);
        arm(h->resolver);
    }
    free(l);
}

static void set_option(struct evdns_base *dns, const char *option, unsigned value)
{
    char text[16];

    snprintf(text, sizeof text, "%u", value);
    evdns_base_set_option(dns, option, text);
}

static void set_servers(struct resolver *r)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%u.%03u", r->timeout_ms / 1000, r->timeout_ms % 1000);
    evdns_base_set_option(r->dns, "timeout:", seconds);
    set_option(r->dns, "attempts:", r->attempts);
    for (size_t i = 0; i < r->nservers; i++)
        if (evdns_base_nameserver_ip_add(r->dns, r->servers[i]) != 0)
            log_warn("discovery", "name server %s: not usable", r->servers[i]);
    /* Without the file the machine's own server is asked, as everywhere. */
    if (r->nservers == 0)
        (void)evdns_base_resolv_conf_parse(r->dns, DNS_OPTIONS_ALL, r->resolv_conf);
}

static void end_lookup(struct host *h)
{
    if (h->lookup)
        h->lookup->host = NULL;
    h->lookup = NULL;
}

/* Other servers: what was asked of the ones before counts no more. */
static void drop_dns(struct resolver *r)
{
    uint64_t now = clock_now_ns();

    for (struct host *h = r->hosts; h; h = h->hh.next) {
        end_lookup(h);
        h->name.due_ns = now;
    }
    if (r->dns)
        evdns_base_free(r->dns, 1);
    r->dns = NULL;
    arm(r);
}

/* A machine that moves to another network gets other servers. */
static void look_at_conf(struct resolver *r)
{
    uint64_t now = clock_now_ns();
    bool first = !r->conf_change.looked;

    if (r->nservers > 0 || (!first && now - r->conf_looked_ns < NS_PER_S))
        return;
    r->conf_looked_ns = now;
    if (!file_changed(&r->conf_change, r->resolv_conf) || first)
        return;
    log_info("discovery", "%s has changed: read again", r->resolv_conf);
    drop_dns(r);
}

static struct evdns_base *dns_of(struct resolver *r)
{
    look_at_conf(r);
    if (r->dns)
        return r->dns;
    r->dns = evdns_base_new(r->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!r->dns)
        abort();
    set_servers(r);
    return r->dns;
}

static void ask_dns(struct host *h)
{
    struct evdns_base *dns = dns_of(h->resolver);
    /* What the configuration names is complete; only resolv.conf has domains to search. */
    int flags = h->resolver->nservers > 0 ? DNS_QUERY_NO_SEARCH : 0;
    struct lookup *l = alloc_or_abort(sizeof *l);

    l->host = h;
    h->lookup = l;
    l->pending = FAMILIES;
    for (int i = 0; i < FAMILIES; i++)
        l->questions[i].lookup = l;
    /* Answers come in later loop turns, but for what cannot be asked. */
    if (!evdns_base_resolve_ipv4(dns, h->text, flags, on_answer, &l->questions[V4]))
        on_answer(DNS_ERR_FORMAT, DNS_IPv4_A, 0, 0, NULL, &l->questions[V4]);
    if (!evdns_base_resolve_ipv6(dns, h->text, flags, on_answer, &l->questions[V6]))
        on_answer(DNS_ERR_FORMAT, DNS_IPv6_AAAA, 0, 0, NULL, &l->questions[V6]);
}

static void ask(struct host *h)
{
    struct name_answer v4, v6;

    if (h->lookup)
        return;
    if (!hosts_find(h->resolver->file, h->text, &v4, &v6)) {
        ask_dns(h);
        return;
    }
    v4.ttl_ms = v6.ttl_ms = HOSTS_TTL_MS;
    take(h, &v4, &v6);
    tell_outcome(h);
    arm(h->resolver);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    uint64_t now = clock_now_ns();

    (void)fd;
    (void)what;
    look_at_conf(r);
    for (struct host *h = r->hosts; h; h = h->hh.next)
        if (!h->lookup && h->name.due_ns <= now)
            ask(h);
    arm(r);
}

static void forget(struct resolver *r, struct host *h)
{
    HASH_DEL(r->hosts, h);
    end_lookup(h);
    free(h->text);
    free(h);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    struct host *h, *tmp;

    (void)fd;
    (void)what;
    for (h = r->hosts; h; h = h->hh.next)
        h->used = false;
    r->changed(r->arg);
    HASH_ITER(hh, r->hosts, h, tmp)
    {
        if (!h->used)
            forget(r, h);
    }
}

/* libevent would write it to standard error itself. */
static void on_dns_log(int is_warning, const char *text)
{
    log_write(is_warning ? LOG_INFO : LOG_DEBUG, "discovery", "dns: %s", text);
}

struct resolver *resolver_new(struct event_base *base, const struct resolver_files *files,
                              resolver_changed_fn *changed, void *arg)
{
    struct resolver *r = alloc_or_abort(sizeof *r);
    struct timeval every = {.tv_sec = SWEEP_S};

    r->base = base;
    r->changed = changed;
    r->arg = arg;
    r->resolv_conf = files->resolv_conf;
    r->file = hosts_new(files->hosts);
    evdns_set_log_fn(on_dns_log);
    r->rng.state = clock_now_ns() ^ (uint64_t)(uintptr_t)r;
    r->sweep = event_new(base, -1, EV_PERSIST, on_sweep, r);
    r->due = evtimer_new(base, on_due, r);
    r->tell = event_new(base, -1, 0, on_tell, r);
    if (!r->sweep || !r->due || !r->tell)
        abort();
    resolver_configure(r, &discovery_resolver_default);
    event_add(r->sweep, &every);
    return r;
}

static void free_servers(struct resolver *r)
{
    for (size_t i = 0; i < r->nservers; i++)
        free(r->servers[i]);
    free(r->servers);
    r->servers = NULL;
    r->nservers = 0;
}

void resolver_free(struct resolver *r)
{
    struct host *h, *tmp;

    if (!r)
        return;
    HASH_ITER(hh, r->hosts, h, tmp) forget(r, h);
    if (r->dns)
        evdns_base_free(r->dns, 1);
    free_servers(r);
    hosts_free(r->file);
    event_free(r->sweep);
    event_free(r->due);
    event_free(r->tell);
    free(r);
}

static bool is_same(const struct resolver *r, const struct discovery_resolver *o)
{
    if (r->nservers != o->nservers || r->timeout_ms != o->timeout_ms || r->attempts != o->attempts)
        return false;
    for (size_t i = 0; i < o->nservers; i++)
        if (strcmp(r->servers[i], o->servers[i]) != 0)
            return false;
    return true;
}

void resolver_configure(struct resolver *r, const struct discovery_resolver *o)
{
    r->bounds = (struct name_bounds){o->min_ttl_ms, o->max_ttl_ms};
    if (is_same(r, o))
        return;
    free_servers(r);
    r->servers = alloc_or_abort(o->nservers * sizeof *r->servers);
    for (size_t i = 0; i < o->nservers; i++) {
        r->servers[i] = strdup(o->servers[i]);
        if (!r->servers[i])
            abort();
    }
    r->nservers = o->nservers;
    r->timeout_ms = (unsigned)o->timeout_ms;
    r->attempts = o->attempts;
    drop_dns(r);
}

static struct host *find_host(struct resolver *r, const char *text)
{
    struct host *h;

    HASH_FIND_STR(r->hosts, text, h);
    if (h)
        return h;
    h = alloc_or_abort(sizeof *h);
    h->resolver = r;
    h->text = strdup(text);
    if (!h->text)
        abort();
    HASH_ADD_KEYPTR(hh, r->hosts, h->text, strlen(h->text), h);
    ask(h);
    return h;
}

bool resolver_get(struct resolver *r, const char *host, uint16_t port,
                  struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
    struct host *h;

    if (host_literal(host, port, ret_addr, ret_len))
        return true;
    h = find_host(r, host);
    h->used = true;
    return name_address(&h->name, port, ret_addr, ret_len);
}

const char *resolver_problem(const struct resolver *r, const char *host)
{
    const struct host *h;

    HASH_FIND_STR(r->hosts, host, h);
    if (!h)
        return NULL;
    if (h->name.why[0])
        return h->name.why;
    return h->name.family ? NULL : "not answered yet";
}
