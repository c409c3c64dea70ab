/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h2_guard.h - what a client of HTTP/2 may do that is of no use: requests that come to nothing
 * (rapid reset, CVE-2023-44487; made by faults of its own, CVE-2025-8671), frames that ask for
 * nothing (empty ones, PING, SETTINGS, PRIORITY, tiny window updates: CVE-2019-9511 and its kin).
 * Pure; time is an argument.
 *
 * Two buckets of tokens that fill up with time. Useful work fills the one for frames as well, since
 * a client that takes a lot of data sends many window updates. */
#include "config/http2_conf.h"

#include <stdint.h>

enum h2_flood { H2_FLOOD_NONE, H2_FLOOD_RESETS, H2_FLOOD_FRAMES, H2_FLOODS };

struct h2_bucket {
    uint64_t full_ns; /* when it is full again, if nothing is taken */
};

struct h2_guard {
    struct h2_bucket resets, frames;
};

/* False: it is empty, the client has gone too far. */
bool h2_guard_reset(struct h2_guard *g, const struct http2_conf *c, uint64_t now_ns);
bool h2_guard_frame(struct h2_guard *g, uint64_t now_ns);
/* A request came to its end, or so many bytes have gone out. */
void h2_guard_worked(struct h2_guard *g, unsigned requests, uint64_t bytes);
/* "resets" "frames": for metrics and the log. */
const char *h2_flood_word(enum h2_flood f);
