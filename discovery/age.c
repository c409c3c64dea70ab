/* SPDX-License-Identifier: Apache-2.0 */
#include "age.h"

#include <inttypes.h>
#include <stdio.h>

const char *age_text(int64_t ms, char *buf, size_t room)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 120)
        snprintf(buf, room, "%" PRId64 " s", s);
    else if (s < 2 * 3600)
        snprintf(buf, room, "%" PRId64 " min", s / 60);
    else if (s < 2 * 86400)
        snprintf(buf, room, "%" PRId64 " h", s / 3600);
    else
        snprintf(buf, room, "%" PRId64 " days", s / 86400);
    return buf;
}
