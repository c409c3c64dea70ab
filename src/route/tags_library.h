/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tags_library.h - the middlewares that services define in their Traefik tags, for the routers of
 * all of them. A name that two services define in different ways is nobody's: who may do what must
 * not depend on which of them came first. Pure; thread: control. */
#include "base/instance.h"
#include "config/config.h"

enum { TAGS_LIBRARY_MAX = 1024 /* tags in all */ };

struct tag_library {
    struct arena *arena;     /* owned */
    const char *const *tags; /* "PREFIXhttp.middlewares.NAME...=VALUE", those of a name together */
    unsigned n;
    const char *const *disputed; /* names that are nobody's */
    unsigned ndisputed;
};

/* What this service has to do with it: a hash of the tags that define some, 0 = it defines none;
 * and whether it has a router that uses some. */
uint64_t tags_library_part(const struct instance_set *set, const struct consul_conf *consul,
                           bool *ret_uses);
/* Of all these services. Never NULL. */
struct tag_library *tags_library_new(const struct instance_set *const *sets, size_t n,
                                     const struct consul_conf *consul) MUST_CHECK;
/* Accepts a pointer to NULL. */
void tags_library_free(struct tag_library **l);
