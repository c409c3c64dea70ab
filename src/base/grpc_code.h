/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* grpc_code.h - the status codes of gRPC (0 = OK to 16 = UNAUTHENTICATED), by number and name. */
#include <stdbool.h>

enum { GRPC_CODES = 17, GRPC_DEADLINE_EXCEEDED = 4, GRPC_UNKNOWN = 2, GRPC_UNAVAILABLE = 14 };

/* "unavailable"; "unknown" for what is none of them. */
const char *grpc_code_name(unsigned code);
/* "14", "unavailable", "UNAVAILABLE". False when it is none of them. */
bool grpc_code_parse(const char *text, unsigned *ret);
