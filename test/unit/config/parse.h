/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* parse.h - a configuration from a string, for the tests of the sections. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Include-only helpers: each test uses what it needs. */
#define HELPER static inline

HELPER struct config *parse_ok(const char *text)
{
    struct err e = {""};
    struct config *c = config_parse("t.yaml", text, strlen(text), &e);

    if (!c)
        fail_msg("%s\n%s", e.text, text);
    return c;
}

/* A text that must be refused, and what the message must say. */
struct refusal {
    const char *text, *says;
};

HELPER void parse_refused(const struct refusal *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err e = {""};
        struct config *c = config_parse("t.yaml", rows[i].text, strlen(rows[i].text), &e);

        if (c)
            fail_msg("accepted: %s", rows[i].text);
        if (!strstr(e.text, rows[i].says))
            fail_msg("%s\ngave:  %s\nlacks: %s", rows[i].text, e.text, rows[i].says);
    }
}
