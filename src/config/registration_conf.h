/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* registration_conf.h - how the gateway shows itself in Consul's catalog: `registration:`. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct registration_meta {
    const char *key, *value;
};

struct registration_conf {
    bool wanted;         /* as written; true when the section does not say */
    bool enabled;        /* the section wants it, or a fleet does and nothing speaks against it */
    bool refused;        /* written as off */
    const char *name;    /* of the service */
    const char *id;      /* NULL = made of name, host and port */
    const char *address; /* "10.0.0.4:8080", NULL = the fleet's, or the first listener */
    const char *const *tags;
    size_t ntags;
    const struct registration_meta *meta;
    size_t nmeta;
    uint64_t check_interval_ms;
    uint64_t deregister_after_ms; /* a gateway that died is gone from the catalog after this */
};
