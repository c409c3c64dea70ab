/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* keeper.h - the last believed answers (answers.h) in a file, so that a gateway that starts while
 * Consul is away knows what the last one knew.
 *
 * Read once, at the start of the process. Written whole (base/state_writer.h) a few seconds after a
 * change, never more than about a MiB a second, at once when the process ends, and every ten
 * minutes when nothing changes, for the times in it. The file belongs to one Consul (its origin):
 * that of another is not used. One that is damaged is moved aside and named in the log and the
 * status.
 *
 * Thread: control. Every function accepts NULL for a keeper: then nothing is kept. */
#include "base/bytes.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct keeper;

struct keeper_options {
    const char *dir;
    const char *origin; /* which Consul, one line of text */
    bool recall;        /* read the file; else begin with nothing */
};

/* Strings are copied. */
struct keeper *keeper_new(struct event_base *base, const struct keeper_options *o) MUST_CHECK;
/* Writes what changed, when it was started; waits for that a few seconds at most. */
void keeper_free(struct keeper *k);
/* From now on the file is this keeper's. */
void keeper_start(struct keeper *k);

/* A query for this key begins, or ends. */
void keeper_use(struct keeper *k, const char *key);
void keeper_leave(struct keeper *k, const char *key);
/* The answer that is kept; false when there is none. The caller frees `ret`. */
bool keeper_recall(struct keeper *k, const char *key, struct bytes *ret,
                   int64_t *ret_heard_ms) MUST_CHECK;
/* This is the believed answer now; or it was confirmed; or it turned out to be useless. */
void keeper_believe(struct keeper *k, const char *key, struct str body);
void keeper_confirm(struct keeper *k, const char *key);
void keeper_forget(struct keeper *k, const char *key);

struct keeper_status {
    const char *file; /* borrowed; NULL = nothing is kept */
    int64_t
        recalled_ms;    /* when Consul last confirmed what was read at the start; 0 = nothing was */
    int64_t written_ms; /* wall time; 0 = not yet */
    size_t answers, bytes;
    const char *refused; /* why the file was not read at the start; borrowed, NULL = it was */
    const char *error;   /* of the last write; borrowed, NULL = none */
};
void keeper_status(const struct keeper *k, struct keeper_status *ret);
