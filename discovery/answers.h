/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* answers.h - the last believed answer to each query, packed (zlib): what a gateway knows of the
 * catalog when it starts while Consul is away.
 *
 * Kept are the bodies as Consul sent them, so that they go the same way into the catalog as fresh
 * ones and the catalog needs no format of its own. A key is what was asked: path and parameters,
 * never a token. All of it in one sequence of bytes:
 *
 *   ORIGIN\n                                              whom it was asked of
 *   KEY-BYTES PACKED-BYTES BODY-BYTES HEARD-MS USED-MS\n  then key and packed body; and so on
 *
 * Pure: no files, no clock; times are milliseconds since 1970. Thread: control. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdint.h>

enum {
    ANSWERS_BODY_MAX = 64 << 20, /* of one, unpacked */
    ANSWERS_KEY_MAX = 4096,
    ANSWERS_UNUSED_MS = 24 * 3600 * 1000, /* what no query asks for any more is kept for so long */
};

struct answers;

/* `origin` is one line of text. `max_bytes`: of all that is kept, packed. */
struct answers *answers_new(const char *origin, size_t max_bytes) MUST_CHECK;
/* Clears the caller's pointer; accepts a pointer to NULL. */
void answers_free(struct answers **a);

/* This was said, and is believed, now. False: there is no room for it; then nothing is kept for
 * this key, rather than something older beside what is newer. */
bool answers_put(struct answers *a, const char *key, struct str body, int64_t now_ms);
/* The same was said again. Nothing happens for a key that is not there. */
void answers_confirm(struct answers *a, const char *key, int64_t now_ms);
void answers_forget(struct answers *a, const char *key);

/* A query asks for this key; or does so no longer. What is asked for never becomes too old. */
void answers_use(struct answers *a, const char *key);
void answers_leave(struct answers *a, const char *key, int64_t now_ms);

/* Unpacks what is kept into `ret`, which is emptied first. False: nothing is, or it does not
 * unpack. */
bool answers_get(const struct answers *a, const char *key, struct bytes *ret,
                 int64_t *ret_heard_ms) MUST_CHECK;

size_t answers_count(const struct answers *a);
size_t answers_bytes(const struct answers *a); /* what counts against max_bytes */
/* When Consul last said or confirmed any of it; 0 = there is nothing. */
int64_t answers_newest_ms(const struct answers *a);
/* Drops what was not used for ANSWERS_UNUSED_MS. */
void answers_prune(struct answers *a, int64_t now_ms);

/* Adds all of it to `ret`. */
void answers_write(const struct answers *a, int64_t now_ms, struct bytes *ret);

enum answers_result { ANSWERS_READ, ANSWERS_OTHER_ORIGIN, ANSWERS_MALFORMED };
/* The reverse, into an empty store; all of it or nothing. Otherwise `e` says what is wrong. */
enum answers_result answers_read(struct answers *a, struct str content, struct err *e) MUST_CHECK;
