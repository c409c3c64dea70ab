/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_scope.h - which services of Consul's list are to be exposed. Pure. */
#include "consul_json.h"
#include "discovery.h"

struct consul_scope {
    int scope;                                        /* DISCOVER_... */
    char *tag_prefix, *fabio_prefix, *traefik_prefix; /* owned; "" = none */
};

void consul_scope_init(struct consul_scope *s, const struct discovery_options *o);
void consul_scope_release(struct consul_scope *s);
bool consul_scope_takes(const struct consul_scope *s, const struct consul_listed *service);

/* Binary search by lower-case name; NULL when it is not listed. */
const struct consul_listed *consul_services_find(const struct consul_services *list,
                                                 const char *name);
bool consul_listed_same_tags(const struct consul_listed *a, const struct consul_listed *b);
bool consul_services_same(const struct consul_services *a, const struct consul_services *b);
/* What is in either; tags of `first` win. Strings are shared with both. */
struct consul_services consul_services_join(struct arena *a, const struct consul_services *first,
                                            const struct consul_services *second);
/* A copy that shares nothing. */
struct consul_services consul_services_copy(struct arena *a, const struct consul_services *list);
