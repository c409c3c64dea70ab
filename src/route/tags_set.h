/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags_set.h - collects the routes of one service while its tags are read; internal to this folder.
 *
 * A tag whose value cannot be used takes the route that it belongs to with it, so that a slip in
 * `methods` or `auth` never opens more than was meant; it takes no other route. */
#include "route/tags.h"

enum { TAGS_MAX_LENGTH = 1024, TAGS_MAX_ROUTES = 64, TAGS_MAX_PROBLEMS = 64 };

struct tags_set {
    const struct instance_set *instances;
    const struct consul_conf *consul;
    struct arena *arena;
    struct tag_routes *out; /* arrays of the maximal sizes */
    uint64_t create_index;  /* the oldest of the instances */
    bool asked;             /* some tag asked for a route, whether it got one or not */
    bool full;
};

/* The text as it may be shown: cut, and printable ASCII. In the arena. */
const char *tags_shown(struct tags_set *s, struct str text);
/* Reports a tag; the same report is made once. `why` is a literal. */
void tags_problem(struct tags_set *s, struct str tag, const char *why);
/* A route with the service as its target and everything else empty. */
struct route_conf *tags_route(struct tags_set *s);
/* Takes the route up, unless the same one is there already. */
void tags_add(struct tags_set *s, struct route_conf *conf, struct str tag);
/* Made of bytes of a request target alone, so it can go into a request line or a field. */
bool tags_plain_text(struct str s);
/* "CODE,URL"; what is wrong, or NULL. */
const char *tags_redirect(struct tags_set *s, struct route_conf *conf, struct str value);
/* "dst" or a host. */
const char *tags_set_host(struct tags_set *s, struct route_conf *conf, struct str value);
/* Lower-cased; "" and "*" are any host. */
const char *tags_host(struct tags_set *s, struct route_conf *conf, struct str value);

/* All native tags and the meta of one instance (tags_native.c). */
void tags_native(struct tags_set *s, const struct instance *i);
/* One tag behind its "urlprefix-" (tags_fabio.c). */
void tags_fabio(struct tags_set *s, struct str tag, struct str text);
