/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* age.h - how long ago something was, in words for people. Pure. */
#include <stddef.h>
#include <stdint.h>

/* "5 s", "12 min", "3 h", "4 days": the two largest digits that matter, rounded down. What lies in
 * the future (a clock that was set back) is "0 s". Returns buf. */
const char *age_text(int64_t ms, char *buf, size_t room);
