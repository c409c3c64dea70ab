/* SPDX-License-Identifier: Apache-2.0 */
#include "control_registration.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "control_discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct control_registration {
    struct event_base *base; /* borrowed */
    const char *version;     /* borrowed */
    registration_report_fn *report;
    void *arg;
    struct config *config;       /* ref: as it is registered; NULL = never was */
    char gateway[128];           /* the same; "" = none */
    struct registration *now;    /* owned; NULL = none */
    struct registration *before; /* owned; under another ID, leaving; NULL = none */
    bool draining;
};

static bool is_wildcard(const char *host)
{
    return !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* host and port of "host:port" or "[host]:port", which the configuration has checked. */
static const char *split(struct arena *a, const char *address, uint16_t *ret_port)
{
    const char *colon = strrchr(address, ':');
    struct str host = {address, colon ? (size_t)(colon - address) : strlen(address)};
    uint64_t port = 0;

    if (host.n >= 2 && host.p[0] == '[')
        host = (struct str){host.p + 1, host.n - 2};
    if (!colon || !str_to_u64(str_of(colon + 1), &port) || port > UINT16_MAX)
        port = 0;
    *ret_port = (uint16_t)port;
    return arena_strndup(a, host.p, host.n);
}

/* What the agent, which runs on the same machine, connects to. */
static const char *const *checked(struct arena *a, const struct config *c)
{
    const char **list = ARENA_ARRAY(a, const char *, c->nlisteners);

    for (size_t i = 0; i < c->nlisteners; i++) {
        uint16_t port;
        const char *host = split(a, c->listeners[i].address, &port);
        bool v6 = strchr(host, ':') != NULL;

        if (is_wildcard(host))
            host = v6 ? "::1" : "127.0.0.1";
        list[i] = arena_printf(a, v6 ? "[%s]:%u" : "%s:%u", host, port);
    }
    return list;
}

static void add_meta(struct registration_pair *list, size_t *n, const char *key, const char *value)
{
    if (value && *value)
        list[(*n)++] = (struct registration_pair){key, value};
}

static const char *address_of(const struct config *c)
{
    if (c->registration.address)
        return c->registration.address;
    if (c->fleet.enabled && c->fleet.address)
        return c->fleet.address;
    return c->nlisteners ? c->listeners[0].address : "";
}

/* Two gateways of one agent differ in their port, members of a fleet in their names. */
static const char *id_of(struct arena *a, const struct config *c, const char *gateway,
                         const char *host, uint16_t port)
{
    if (c->registration.id)
        return c->registration.id;
    if (gateway)
        return arena_printf(a, "%s-%s", c->registration.name, gateway);
    return arena_printf(a, "%s-%s-%u", c->registration.name, host, port);
}

static struct registration *make(const struct control_registration *r, const struct config *c,
                                 const char *gateway, struct err *e)
{
    const struct registration_conf *conf = &c->registration;
    struct discovery_options consul = control_discovery_options(c);
    char machine[256] = "localhost";
    struct arena *a;
    struct registration_pair *meta;
    struct registration_options full;
    struct registration *made;
    const char *host;

    e->text[0] = '\0';
    if (!conf->enabled)
        return NULL;
    gethostname(machine, sizeof machine - 1);
    a = arena_new();
    meta = ARENA_ARRAY(a, struct registration_pair, conf->nmeta + 3);
    full = (struct registration_options){
        .base = r->base,
        .consul = &consul,
        .name = conf->name,
        .tags = conf->tags,
        .ntags = conf->ntags,
        .meta = meta,
        .listeners = checked(a, c),
        .nlisteners = c->nlisteners,
        .check_interval_ms = conf->check_interval_ms,
        .deregister_after_ms = conf->deregister_after_ms,
        .report = r->report,
        .arg = r->arg,
    };
    for (size_t i = 0; i < conf->nmeta; i++)
        add_meta(meta, &full.nmeta, conf->meta[i].key, conf->meta[i].value);
    host = split(a, address_of(c), &full.port);
    full.host = is_wildcard(host) ? NULL : host;
    full.id = id_of(a, c, gateway, machine, full.port);
    add_meta(meta, &full.nmeta, "version", r->version);
    add_meta(meta, &full.nmeta, "admin", c->admin.address);
    add_meta(meta, &full.nmeta, "frontdesk-gateway", gateway ? gateway : machine);
    made = registration_new(&full, e);
    arena_free(a);
    return made;
}

static bool same_lists(const struct registration_conf *x, const struct registration_conf *y)
{
    if (x->ntags != y->ntags || x->nmeta != y->nmeta)
        return false;
    for (size_t i = 0; i < x->ntags; i++)
        if (strcmp(x->tags[i], y->tags[i]) != 0)
            return false;
    for (size_t i = 0; i < x->nmeta; i++)
        if (strcmp(x->meta[i].key, y->meta[i].key) != 0 ||
            strcmp(x->meta[i].value, y->meta[i].value) != 0)
            return false;
    return true;
}

static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->nlisteners != b->nlisteners)
        return false;
    for (size_t i = 0; i < a->nlisteners; i++)
        if (!str_same(a->listeners[i].address, b->listeners[i].address))
            return false;
    return true;
}

static bool same(const struct config *a, const struct config *b)
{
    const struct registration_conf *x = &a->registration, *y = &b->registration;

    if (!x->enabled && !y->enabled)
        return true;
    return x->enabled == y->enabled && a->fleet.enabled == b->fleet.enabled &&
           str_same(x->name, y->name) && str_same(x->id, y->id) &&
           str_same(address_of(a), address_of(b)) && same_lists(x, y) && same_listeners(a, b) &&
           x->check_interval_ms == y->check_interval_ms &&
           x->deregister_after_ms == y->deregister_after_ms &&
           str_same(a->admin.address, b->admin.address) && control_discovery_same(a, b);
}

struct control_registration *control_registration_new(struct event_base *base, const char *version,
                                                      registration_report_fn *report, void *arg)
{
    struct control_registration *r = alloc_or_abort(sizeof *r);

    r->base = base;
    r->version = version;
    r->report = report;
    r->arg = arg;
    return r;
}

void control_registration_free(struct control_registration *r)
{
    if (!r)
        return;
    registration_free(r->now);
    registration_free(r->before);
    config_unref(&r->config);
    free(r);
}

static bool same_id(const struct registration *a, const struct registration *b)
{
    struct registration_status x, y;

    registration_status(a, &x);
    registration_status(b, &y);
    return strcmp(x.id, y.id) == 0;
}

/* An ID that stays is taken over: then the one before must not deregister it. */
static void replace(struct control_registration *r, struct registration *next)
{
    registration_free(r->before);
    r->before = r->now;
    r->now = next;
    if (r->before && next && same_id(r->before, next)) {
        registration_free(r->before);
        r->before = NULL;
    }
    if (r->before)
        registration_leave(r->before);
}

static void register_as(struct control_registration *r, const char *gateway)
{
    struct err e;
    struct registration *next = make(r, r->config, gateway, &e);

    snprintf(r->gateway, sizeof r->gateway, "%s", gateway ? gateway : "");
    if (!next && e.text[0])
        log_error("registration", "%s", e.text);
    else
        replace(r, next);
}

void control_registration_use(struct control_registration *r, struct config *c, const char *gateway)
{
    struct config *before = r->config;
    bool stays = before && same(before, c);

    r->config = config_ref(c);
    if (!stays && !r->draining)
        register_as(r, gateway);
    config_unref(&before);
}

void control_registration_rename(struct control_registration *r, const char *gateway)
{
    if (r->now && gateway && !r->draining && strcmp(gateway, r->gateway) != 0)
        register_as(r, gateway);
}

void control_registration_drain(struct control_registration *r)
{
    r->draining = true;
    if (r->now)
        registration_drain(r->now);
}

void control_registration_leave(struct control_registration *r)
{
    r->draining = true;
    if (r->now)
        registration_leave(r->now);
}

bool control_registration_gone(const struct control_registration *r)
{
    return (!r->now || registration_gone(r->now)) && (!r->before || registration_gone(r->before));
}

bool control_registration_status(const struct control_registration *r,
                                 struct registration_status *ret)
{
    if (r->now)
        registration_status(r->now, ret);
    return r->now != NULL;
}
