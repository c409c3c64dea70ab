/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* state_writer.h - writes a state file (state_file.h) on a thread of its own, so that a slow disk
 * never stops the control thread.
 *
 * One at a time, and the latest wins: content that was put while another was being written replaces
 * what still waited. The thread starts with the first put. Everything here is called on the loop's
 * thread. */
#include "base/macros.h"
#include "base/state_file.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct state_writer;

/* A write has ended; `error` is NULL when it is on the disk. Called from the loop, never from
 * inside another call. It may put, not free. */
typedef void state_written_fn(void *arg, const char *error);

/* Strings are copied. `done` may be NULL. */
struct state_writer *state_writer_new(struct event_base *base, const char *path,
                                      const struct state_kind *kind, state_written_fn *done,
                                      void *arg) MUST_CHECK;

/* Takes the bytes over, which must be a whole allocation (struct bytes with start 0); empties the
 * caller's struct. */
void state_writer_put(struct state_writer *w, struct bytes *content);

/* Something is being written or waits for it, or its end was not told yet. */
bool state_writer_busy(const struct state_writer *w);

/* What was put is written first, for wait_ms at most; nothing is told any more. False: it was not
 * done in time, or failed, with `e` filled; a thread that hangs in the disk is left to itself.
 * Accepts NULL. */
bool state_writer_free(struct state_writer *w, uint64_t wait_ms, struct err *e);
