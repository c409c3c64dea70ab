/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void put_digits(char *at, unsigned v, int n)
{
    while (n-- > 0) {
        at[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* By hand: every line of the access log has one, of which strftime() and printf() were a tenth. */
char *clock_format(int64_t wall_ms, char *buf)
{
    int ms = (int)((wall_ms % 1000 + 1000) % 1000);
    time_t s = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm tm;

    gmtime_r(&s, &tm);
    memcpy(buf, "0000-00-00T00:00:00.000Z", 25);
    put_digits(buf, (unsigned)(tm.tm_year + 1900), 4);
    put_digits(buf + 5, (unsigned)(tm.tm_mon + 1), 2);
    put_digits(buf + 8, (unsigned)tm.tm_mday, 2);
    put_digits(buf + 11, (unsigned)tm.tm_hour, 2);
    put_digits(buf + 14, (unsigned)tm.tm_min, 2);
    put_digits(buf + 17, (unsigned)tm.tm_sec, 2);
    put_digits(buf + 20, (unsigned)ms, 3);
    return buf;
}
