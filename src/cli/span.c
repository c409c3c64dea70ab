/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/span.h"
#include "base/str.h"

#include <stdio.h>

static const struct unit {
    const char *name;
    uint64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { UNITS = sizeof units / sizeof units[0] };

char *span_text(char *buf, int64_t ms)
{
    uint64_t left = ms > 0 ? (uint64_t)ms : 0;
    const struct unit *u = units;
    int n;

    while (u->ms > 1 && left < u->ms)
        u++;
    n = snprintf(buf, SPAN_MAX, "%llu%s", (unsigned long long)(left / u->ms), u->name);
    left %= u->ms;
    /* Below a second nobody counts: "4s", not "4s350ms". */
    if (u->ms > 1000 && left >= u[1].ms)
        snprintf(buf + n, (size_t)(SPAN_MAX - n), "%llu%s", (unsigned long long)(left / u[1].ms),
                 u[1].name);
    return buf;
}

uint64_t span_parse(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t n;

    if (!str_to_u64((struct str){text, digits}, &n))
        return 0;
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(text + digits, units[i].name) == 0)
            return n <= UINT64_MAX / units[i].ms ? n * units[i].ms : 0;
    return 0;
}
