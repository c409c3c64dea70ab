/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* compose.h - one JSON document of the answers of the parts. */
#include "aggregate/scope.h"
#include "expr/expr.h"

/* Something that a part did not give, or not its service. */
struct part_failure {
    unsigned part; /* of the configuration */
    int item;      /* of its for_each; -1 = the part as a whole */
    enum reason reason;
    unsigned status;      /* of the service; 0 = it gave none */
    const char *detail;   /* static; NULL = nothing more */
    const char *fallback; /* of the service, that stood in: "cache" ...; NULL = none */
    uint64_t took_ms;
};

/* What stands for a part that is missing. NULL = memory. */
const struct value *compose_fallback(struct arena *a, const struct part_conf *p) MUST_CHECK;

/* The document: `shown[i]` is what part i gives, placed in the order of the configuration, so that
 * of two that say the same the later counts; then the shape of the whole; then what is missing.
 * NULL and run->why when it cannot be made. */
const struct value *compose(const struct aggregate_conf *c, const struct value *const *shown,
                            const struct part_failure *failures, size_t nfailures,
                            struct expr_run *run) MUST_CHECK;

/* "shipping; reason=breaker_open; ms=0, ..." (RFC 9651), as the value of Frontdesk-Partial. False
 * when memory is out. */
bool compose_partial_field(const struct aggregate_conf *c, const struct part_failure *failures,
                           size_t nfailures, struct bytes *to) MUST_CHECK;
