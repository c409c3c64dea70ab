/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* batch_conf.h - `batch:` of a route: several requests of a client in one. Part of config.h. */
#include <stddef.h>
#include <stdint.h>

struct batch_conf {
    unsigned max_requests, concurrency;
    uint64_t deadline_ms;
    size_t max_request; /* bytes of the batch */
    size_t max_answer;  /* of one answer */
    size_t max_total;   /* of the answer to the batch */
};
