/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* clock.h - the two clocks. Everything that measures or waits uses the monotonic one, so that a
 * jump of the wall clock never fires or delays a timer; the wall clock is for people and logs. */
#include <stdint.h>

uint64_t clock_now_ns(void); /* CLOCK_MONOTONIC, nanoseconds */
int64_t clock_wall_ms(void); /* milliseconds since 1970-01-01 UTC */
/* "2026-11-24T23:01:06.123Z"; buf has at least 25 bytes. Returns buf. */
char *clock_format(int64_t wall_ms, char *buf);
