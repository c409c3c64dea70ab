/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* macros.h - compiler attributes and small idioms used everywhere. */
#include <stddef.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define LIKELY(x)                       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                     __builtin_expect(!!(x), 0)

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull
