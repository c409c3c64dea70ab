/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* admin_client.h - asks the admin endpoint of a running gateway.
 *
 * One connection that is kept between calls. Every answer is JSON; the token is read anew for each
 * write and appears in no message. Not for use by several threads. */
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct admin_options {
    const char *address;         /* HOST:PORT, http://HOST:PORT or https://HOST:PORT */
    const char *ca, *cert, *key; /* files for https; NULL = the system's, none */
    const char *token_file;      /* NULL = $FRONTDESK_TOKEN_FILE, or the usual place */
    long timeout_ms;             /* for a whole call; 0 = 5 s */
    bool (*stop)(void *arg);     /* asked about once a second during a call: true ends it */
    void *arg;
};

#define ADMIN_ADDRESS    "127.0.0.1:9901"
#define ADMIN_TOKEN_FILE "/etc/frontdesk/admin.token"

struct admin_client;

/* Keeps the pointers of the options. NULL and a message when the address is none. */
struct admin_client *admin_client_new(const struct admin_options *o, struct err *e) MUST_CHECK;
/* Accepts a pointer to NULL. */
void admin_client_free(struct admin_client **c);

/* What came back. */
struct admin_reply {
    long status; /* 0 = nothing came */
    json_t *doc; /* owned by the caller; NULL when there is none */
};

/* `path` begins with '/' and is encoded. 0 when there is an answer, whatever its status; else -1, a
 * message, and an empty reply. */
int admin_get(struct admin_client *c, const char *path, struct admin_reply *ret,
              struct err *e) MUST_CHECK;
int admin_put(struct admin_client *c, const char *path, json_t *body, struct admin_reply *ret,
              struct err *e) MUST_CHECK;

/* A document of status 200; NULL and a message with the server's sentence for anything else. */
json_t *admin_document(struct admin_client *c, const char *path, struct err *e) MUST_CHECK;

/* The server's sentence, or a general one. */
const char *admin_error(const struct admin_reply *r);
/* Percent-encodes everything but unreserved characters, '/' too. */
void url_put(FILE *out, const char *s);

/* Where the token comes from; NULL = there is none to be had. */
const char *admin_token_file(const struct admin_options *o);
/* The first line of the file into `out`. -1 and a message when it cannot be used. */
int admin_token_read(const char *file, char *out, size_t cap, struct err *e) MUST_CHECK;
