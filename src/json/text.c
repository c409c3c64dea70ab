/* SPDX-License-Identifier: Apache-2.0 */
#include "json/text.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *s)
{
    json_t *text;
    char *copy;

    if (!s)
        return json_null();
    text = json_string(s);
    if (text)
        return text;
    copy = strdup(s);
    for (char *p = copy; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    text = json_string(copy ? copy : "");
    free(copy);
    return text;
}

char *json_quoted(const char *s)
{
    json_t *text = json_text(s);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY | JSON_COMPACT);

    json_decref(text);
    if (!quoted)
        abort();
    return quoted;
}

json_t *json_wall_time(int64_t wall_ms)
{
    char buf[32];

    return wall_ms ? json_string(clock_format(wall_ms, buf)) : json_null();
}
