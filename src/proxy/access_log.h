/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_log.h - one JSON line for each finished request.
 *
 * A worker appends to a buffer of its own and hands it over when it is full or a moment old; one
 * thread of the process writes. So a slow disk or a pipe that nobody reads never holds up a
 * request: when more than 8 MiB wait, further lines are dropped and counted. */
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct access_log;
struct access_log_buffer;

/* `path` is a file (appended to) or "stdout". Starts the writing thread. */
struct access_log *access_log_open(const char *path, struct err *e) MUST_CHECK;
/* Opens the file again under its name, after it was rotated away. Control thread. */
void access_log_reopen(struct access_log *l);
/* Writes what is left, ends the thread. All buffers must be freed before. */
void access_log_close(struct access_log *l);
uint64_t access_log_dropped(const struct access_log *l);

struct access_log_buffer *access_log_buffer_new(struct access_log *l);
void access_log_buffer_free(struct access_log_buffer *b);
/* Hands over what there is. */
void access_log_flush(struct access_log_buffer *b);

/* A line is begun, filled with members, and ended. Values are escaped: control bytes, quotes and
 * bytes that are not ASCII become \u00XX, so a client cannot forge a line or break the JSON. */
void log_line_begin(struct access_log_buffer *b);
void log_line_str(struct access_log_buffer *b, const char *name, struct str value);
void log_line_num(struct access_log_buffer *b, const char *name, int64_t value);
void log_line_bool(struct access_log_buffer *b, const char *name, bool value);
/* Milliseconds with three decimals. */
void log_line_ms(struct access_log_buffer *b, const char *name, uint64_t ns);
void log_line_end(struct access_log_buffer *b);
