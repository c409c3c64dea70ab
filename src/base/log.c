/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int min_level = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const journal_prefix[] = {"<7>", "<6>", "<4>", "<3>"};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

int log_level_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (strcmp(name, level_names[i]) == 0)
            return (int)i;
    return -1;
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
    char text[2048], line[2300], when[32];
    va_list ap;
    int n;
    ssize_t ignored;

    if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (getenv("JOURNAL_STREAM"))
        n = snprintf(line, sizeof line, "%s%s %s: %s\n", journal_prefix[level], level_names[level],
                     area, text);
    else
        n = snprintf(line, sizeof line, "%s %s %s: %s\n", clock_format(clock_wall_ms(), when),
                     level_names[level], area, text);
    ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}
