/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* target.h - from the end of a path to the service or instance that it names.
 *
 * SERVICE or SERVICE/INSTANCE or SERVICE/NODE/INSTANCE, each part percent-encoded, so that names
 * may hold anything. An id that several nodes have needs its node. Both in one part
 * ("node%2Fid") is understood too. */
#include "snapshot/snapshot.h"

struct breaker_target {
    const struct service_view *view; /* borrowed from the snapshot */
    bool whole;                      /* the service itself, no instance */
    unsigned instance;               /* index into the view */
};

enum target_result {
    TARGET_FOUND,
    TARGET_NO_SERVICE,
    TARGET_NO_INSTANCE,
    TARGET_AMBIGUOUS /* several instances have this id */
};

/* `rest` is not decoded yet; `s` may be NULL. */
enum target_result target_find(const struct snapshot *s, const char *rest,
                               struct breaker_target *ret);

/* One decoded part of a path; NULL when it is none (a NUL within, no memory). Free with free(). */
char *target_decode(const char *part, size_t n);
