/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* pages.h - from a path to an answer: the table of what the admin endpoint serves. No sockets. */
#include "admin/look.h"
#include "admin/target.h"

struct evbuffer;
struct evkeyvalq;

/* What a service's or an instance's breaker lives under; the only one that is written to. */
#define PAGES_BREAKER "/v1/breakers/"

struct page_request {
    const char *path;              /* not decoded, begins with '/' */
    const struct evkeyvalq *query; /* decoded; may be empty */
};

struct page_answer {
    int status;
    const char *type;      /* Content-Type */
    const char *policy;    /* Content-Security-Policy */
    const char *allow;     /* of a 405 */
    unsigned retry_after;  /* seconds; 0 = none */
    struct evbuffer *body; /* borrowed: the caller's, filled in here */
};

/* ret->body is set by the caller and empty; the rest is written here. */
void pages_answer(const struct look *l, const struct page_request *q, struct page_answer *ret);
/* Any document; takes over the reference. NULL gives 500. */
void pages_json(struct page_answer *a, int status, json_t *doc);
/* {"error": why} */
void pages_error(struct page_answer *ret, int status, const char *why);
/* {"error": why, "reason": reason}: the word is for programs. */
void pages_refuse(struct page_answer *a, int status, const char *reason, const char *why);
/* The refusal for a name that is not found or not enough. */
void pages_no_target(struct page_answer *a, enum target_result r);
