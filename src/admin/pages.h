/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pages.h - from a path to an answer: the table of what the admin endpoint serves. No sockets. */
#include "admin/look.h"

struct evbuffer;
struct evkeyvalq;

struct page_request {
    const char *path;              /* not decoded, begins with '/' */
    const struct evkeyvalq *query; /* decoded; may be empty */
};

struct page_answer {
    int status;
    const char *type;      /* Content-Type */
    const char *policy;    /* Content-Security-Policy */
    struct evbuffer *body; /* borrowed: the caller's, filled in here */
};

/* ret->body is set by the caller and empty; the rest is written here. */
void pages_answer(const struct look *l, const struct page_request *q, struct page_answer *ret);
/* {"error": why} */
void pages_error(struct page_answer *ret, int status, const char *why);
