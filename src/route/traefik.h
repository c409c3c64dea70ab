/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* traefik.h - what the readers of Traefik's tags share; internal to this folder.
 *
 *   tags_traefik.c        the tags of an instance: routers, services
 *   traefik_case.c        one case of a rule -> which requests a route takes
 *   traefik_middleware.c  what routers do with them
 *   traefik_keys.c        what must be understood before a router gets a route
 *
 * A router that uses what cannot be honoured is left out whole: the part that is missing may be the
 * one that keeps people out. */
#include "route/tags_library.h"
#include "route/tags_set.h"
#include "route/traefik_rule.h"

enum {
    TRAEFIK_MAX_TAGS = 256,
    TRAEFIK_MAX_TAG = 4096,
    TRAEFIK_MAX_KEY = 400,     /* so that traefik_find() finds all */
    TRAEFIK_MAX_ROUTERS = 1024 /* read of one service, those that come to nothing among them */
};

/* One tag, "KEY=VALUE" behind the prefix. */
struct traefik_tag {
    struct str tag, key, value;
    bool used;
    bool foreign; /* of another service */
};

struct traefik {
    struct tags_set *set;
    struct traefik_tag *tags;
    unsigned n;
};

/* The value of the key, case aside, and marks it as used; NULL when it is not there. */
struct traefik_tag *traefik_find(struct traefik *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The parts of "a.b.c" behind `prefix`, up to the next dot; false when the key does not begin so.
 */
bool traefik_name(const struct traefik_tag *tag, const char *prefix, struct str *ret_name);
/* "true" or not. */
bool traefik_true(const struct traefik_tag *tag);

/* Routes are for all listeners: a router that was for some inner ones only must not become one.
 * Why it cannot, or NULL. */
const char *traefik_check_entry_points(struct traefik *t, struct str router) MUST_CHECK;
/* A key that is not known may be a slip in one that keeps people out. What is wrong, or NULL. */
const char *traefik_check_keys(struct traefik *t, struct str router) MUST_CHECK;
/* A tag of no kind that is known; NULL = there is none. Those of Traefik 1 say in other words what
 * the route is and who may. */
struct traefik_tag *traefik_find_unknown(struct traefik *t);

/* What a router does, whatever case of its rule. */
struct traefik_work {
    struct route_conf like;    /* all but which requests it takes */
    struct str strip;          /* prefixes, with commas */
    bool stripped, prepended;  /* in this order only */
    const char *redirect_port; /* redirectscheme: "" or ":8443" */
    enum route_scheme redirect_from;
    struct str regex, replacement; /* redirectregex, replacepathregex */
    bool regex_redirects;
    struct header_change *request, *response; /* room for TRAEFIK_MAX_CHANGES */
    unsigned napplied;                        /* middlewares, those of chains among them */
};

enum { TRAEFIK_MAX_CHANGES = 32, TRAEFIK_MAX_CHAIN = 4, TRAEFIK_MAX_APPLIED = 64 };

/* "a,b@consulcatalog": what is wrong with one of them, or NULL. */
const char *traefik_apply(struct traefik *t, struct str names, struct traefik_work *w,
                          unsigned depth) MUST_CHECK;

/* Which requests the case is for, into conf. What cannot be expressed, or NULL. */
const char *traefik_case_route(struct tags_set *s, struct str tag, const struct traefik_case *c,
                               struct route_conf *conf) MUST_CHECK;
/* The parts of the work that depend on the path that is matched. */
const char *traefik_finish(struct traefik *t, const struct traefik_work *w,
                           struct route_conf *conf) MUST_CHECK;
/* The text as an expression that matches it alone. */
const char *traefik_quote(struct arena *a, struct str text);
