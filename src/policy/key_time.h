/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* key_time.h - points in time as entries of keys have them: RFC 3339 in UTC, or a day. */
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum { KEY_TIME_MAX = 21 };

/* "2027-01-31" (its beginning) or "2027-01-31T12:00:00Z" as seconds since 1970. */
bool key_time_parse(const char *text, uint64_t *ret_s) MUST_CHECK;
/* The long form. Returns buf. */
char *key_time_format(uint64_t s, char buf[KEY_TIME_MAX]);
