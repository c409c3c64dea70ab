/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* messages.h - requests and answers from their text, as the gateway would read them. */
#include "http/h1_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HELPER static inline

static const struct h1_limits roomy = {8192, 32768, HTTP_MAX_HEADERS};

struct asked {
    char text[2048];
    struct request r;
};

struct answered {
    char text[2048];
    struct response a;
};

/* `fields` is "Name: value\r\n" and so on. */
HELPER struct request *ask(struct asked *q, const char *method, const char *target,
                           const char *fields)
{
    size_t scanned = 0, head;
    enum reason why;

    snprintf(q->text, sizeof q->text, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target,
             fields);
    if (h1_parse_request(q->text, strlen(q->text), &roomy, &scanned, &q->r, &head, &why) != H1_DONE)
        fail_msg("not a request: %s", q->text);
    return &q->r;
}

HELPER struct response *answer(struct answered *w, unsigned status, const char *fields)
{
    size_t scanned = 0, head;
    enum reason why;

    snprintf(w->text, sizeof w->text, "HTTP/1.1 %u X\r\n%s\r\n", status, fields);
    if (h1_parse_response(w->text, strlen(w->text), &roomy, &scanned, METHOD_GET, &w->a, &head,
                          &why) != H1_DONE)
        fail_msg("not an answer: %s", w->text);
    return &w->a;
}
