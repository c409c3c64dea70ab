/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_json.h - Consul's answers, from bytes to plain structs. Pure: no I/O; fuzzed.
 *
 * Nothing in an answer is trusted: unknown members are ignored, a member that is missing or of the
 * wrong type counts as its default, and an instance that cannot be used is left out and counted,
 * because one bad registration must never hide the good ones. Only an answer that is not JSON, or
 * not of the outermost type expected, is an error. Results live in the caller's arena. */
#include "base/arena.h"
#include "base/err.h"
#include "base/instance.h"
#include "base/macros.h"
#include "base/str.h"

struct consul_listed {
    const char *name; /* lower case: Consul's look-ups ignore case */
    const char *const *tags;
    unsigned ntags;
};

struct consul_services {
    struct consul_listed *items; /* sorted by name; names that differ in case only are one */
    unsigned n;
};

/* /v1/catalog/services */
int consul_json_services(struct str body, struct arena *a, struct consul_services *ret,
                         struct err *e) MUST_CHECK;

struct consul_health {
    struct instance *items; /* sorted by identity; not resolved */
    unsigned n;
    unsigned skipped;
    char skipped_why[200]; /* the first one skipped, for the log */
};

/* /v1/health/service/NAME. Proxies and gateways (Kind) are left out without being counted.
 * `zone_key`: node meta key that becomes instance.zone, or NULL. */
int consul_json_health(struct str body, const char *zone_key, struct arena *a,
                       struct consul_health *ret, struct err *e) MUST_CHECK;

/* /v1/query/NAME/execute: the same of its Nodes. */
int consul_json_prepared(struct str body, const char *zone_key, struct arena *a,
                         struct consul_health *ret, struct err *e) MUST_CHECK;

struct consul_check {
    const char *node, *id;
    const char *service; /* lower case; "" = a check of the whole node */
};

struct consul_checks {
    struct consul_check *items; /* sorted by node, id, service */
    unsigned n;
};

/* /v1/health/state/STATE */
int consul_json_checks(struct str body, struct arena *a, struct consul_checks *ret,
                       struct err *e) MUST_CHECK;
int consul_check_compare(const struct consul_check *a, const struct consul_check *b);

/* Lower-case copy of a service name. */
const char *consul_key(struct arena *a, const char *name);
