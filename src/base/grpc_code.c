/* SPDX-License-Identifier: Apache-2.0 */
#include "base/grpc_code.h"
#include "base/str.h"

#include <strings.h>

static const char *const names[GRPC_CODES] = {
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
};

const char *grpc_code_name(unsigned code)
{
    return names[code < GRPC_CODES ? code : GRPC_UNKNOWN];
}

bool grpc_code_parse(const char *text, unsigned *ret)
{
    uint64_t number;

    if (str_to_u64(str_of(text), &number)) {
        *ret = (unsigned)number;
        return number < GRPC_CODES;
    }
    for (unsigned i = 0; i < GRPC_CODES; i++) {
        if (strcasecmp(text, names[i]) != 0)
            continue;
        *ret = i;
        return true;
    }
    return false;
}
