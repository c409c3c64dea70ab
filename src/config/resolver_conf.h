/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* resolver_conf.h - who knows the addresses of host names: `resolver:`. */
#include <stddef.h>
#include <stdint.h>

struct resolver_conf {
    const char **servers; /* "10.0.0.2", "127.0.0.1:8600", "[::1]:53" */
    size_t nservers;      /* 0 = those of resolv.conf */
    uint64_t timeout_ms;
    unsigned attempts;
    uint64_t min_ttl_ms, max_ttl_ms;
};
