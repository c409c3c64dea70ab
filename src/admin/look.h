/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* look.h - one look at the gateway: everything on a page is of the same moment.
 *
 * Made anew for each request, on the control thread; borrows everything until the next loop turn.
 */
#include "admin/admin.h"
#include "json/text.h"

struct look {
    const struct admin_sources *sources;
    const struct snapshot *snapshot; /* NULL before the first */
    struct admin_workers workers;
    uint64_t now_ns;
    int64_t wall_ms;
};

struct look look_now(const struct admin_sources *s);

/* NULL when the gateway is ready for traffic, else why it is not. A Consul that goes away later
 * does not make it unready: it serves what it knows. */
const char *look_unready(const struct look *l);

/* Wall-clock time of a monotonic one, RFC 3339; null for 0 and UINT64_MAX. */
json_t *look_time(const struct look *l, uint64_t monotonic_ns);
/* Milliseconds since a monotonic time; null for 0. */
json_t *look_age_ms(const struct look *l, uint64_t monotonic_ns);
