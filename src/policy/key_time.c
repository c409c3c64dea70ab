/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/key_time.h"

#include <string.h>
#include <time.h>

/* Digits of `text` where the form has a 0, else the same letter. */
static bool has_form(const char *text, const char *form)
{
    for (; *form; text++, form++)
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
            return false;
    return !*text;
}

static int number(const char *digits, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

bool key_time_parse(const char *text, uint64_t *ret_s)
{
    bool has_time = has_form(text, "0000-00-00T00:00:00Z");
    struct tm tm = {.tm_sec = 0}, was;
    time_t t;

    if (!has_time && !has_form(text, "0000-00-00"))
        return false;
    tm.tm_year = number(text, 4) - 1900;
    tm.tm_mon = number(text + 5, 2) - 1;
    tm.tm_mday = number(text + 8, 2);
    if (has_time) {
        tm.tm_hour = number(text + 11, 2);
        tm.tm_min = number(text + 14, 2);
        tm.tm_sec = number(text + 17, 2);
    }
    was = tm;
    t = timegm(&tm);
    /* timegm() takes February 31 for March 3. */
    if (t <= 0 || tm.tm_year != was.tm_year || tm.tm_mon != was.tm_mon ||
        tm.tm_mday != was.tm_mday || tm.tm_hour != was.tm_hour || tm.tm_min != was.tm_min ||
        tm.tm_sec != was.tm_sec)
        return false;
    *ret_s = (uint64_t)t;
    return true;
}

char *key_time_format(uint64_t s, char buf[KEY_TIME_MAX])
{
    time_t t = (time_t)s;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || !strftime(buf, KEY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf[0] = '\0';
    return buf;
}
