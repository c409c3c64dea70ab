/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* places_conf.h - where in Consul the instances of a service are: `datacenters:`, `places:` and
 * `failover:` of an entry of `services:`. NULL stands for Consul's default everywhere. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place_conf {
    const char *service; /* the entry's own name unless said otherwise; NULL with a query */
    const char *datacenter, *filter, *ns, *partition, *peer;
    const char *query; /* a prepared query in place of a service */
    bool only_passing;
};

struct places_conf {
    struct place_conf *items; /* in order of preference; none = wherever `consul:` asks */
    size_t n;
    unsigned min_healthy; /* per cent */
    uint64_t fail_back_ms;
    bool on_breaker;
};
