/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags.h - routes that a service brings along in its Consul tags and meta.
 *
 * Three sources: native tags `frontdesk.KEY=VALUE` (and meta `frontdesk-KEY`), fabio's
 * `urlprefix-HOST/PATH OPTIONS`, and `expose: all` (every service under /SERVICE/). Pure. One bad
 * tag is reported and left out; it never takes another one with it. Everything a service registers
 * is untrusted: lengths and counts are bounded. */
#include "base/instance.h"
#include "config/config.h"
#include "route/route.h"

struct tag_problem {
    const char *service, *tag, *why; /* in the arena */
};

struct tag_routes {
    struct route_input *inputs;
    size_t ninputs;
    struct tag_problem *problems;
    size_t nproblems;
};

/* All routes of one service from all its instances; the instance with the lowest create_index wins
 * where two disagree about the same route (reported). Results live in `a`. */
void tags_parse(const struct instance_set *set, const struct consul_conf *consul, struct arena *a,
                struct tag_routes *ret);
