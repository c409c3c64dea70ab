/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* span.h - lengths of time for people: "350ms", "4s", "9m58s", "2h5m", "3d4h". */
#include <stddef.h>
#include <stdint.h>

enum { SPAN_MAX = 24 };

/* Two units at most, rounded down; buf has at least SPAN_MAX bytes. Returns buf. */
char *span_text(char *buf, int64_t ms);
/* "10m", "1.5s" is not: digits and one of ms s m h d; 0 when it is none or does not fit. */
uint64_t span_parse(const char *text);
