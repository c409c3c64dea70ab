/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags.h - routes that a service brings along in its Consul tags and meta.
 *
 * Four sources: native tags `frontdesk.KEY=VALUE` (and meta `frontdesk-KEY`), fabio's
 * `urlprefix-HOST/PATH OPTIONS`, Traefik's `traefik.http.routers.NAME.KEY=VALUE`, and `expose: all`
 * (every service under /SERVICE/). Pure. One bad
 * tag is reported and left out; it never takes another one with it. Everything a service registers
 * is untrusted: lengths and counts are bounded. */
#include "base/instance.h"
#include "config/config.h"
#include "route/route.h"

enum tag_problem_kind {
    TAG_LEFT_OUT,   /* its route is not there */
    TAG_NOT_OBEYED, /* the route is there, but for what `why` says */
    TAG_DIFFERS     /* nothing is wrong; for who compares with another gateway */
};

struct tag_problem {
    const char *service, *tag, *why; /* in the arena */
    enum tag_problem_kind kind;
};

struct fabio_target;

struct tag_routes {
    struct route_input *inputs;
    size_t ninputs;
    struct tag_problem *problems;
    size_t nproblems;
    const struct fabio_target *targets; /* of fabio's tags: see fabio.h */
};

/* The text as it may be shown: cut, and printable ASCII. In the arena. */
const char *tags_shown(struct arena *a, struct str text);

/* All routes of one service from all its instances; the instance with the lowest create_index wins
 * where two disagree about the same route (reported). Results live in `a`. */
void tags_parse(const struct instance_set *set, const struct consul_conf *consul, struct arena *a,
                struct tag_routes *ret);
struct tag_library;
/* The same; routers may use the middlewares of other services, too. NULL = there are none. */
void tags_parse_with(const struct instance_set *set, const struct consul_conf *consul,
                     const struct tag_library *library, struct arena *a, struct tag_routes *ret);
