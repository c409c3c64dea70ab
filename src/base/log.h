/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* log.h - the operator's log: one line an event on standard error, for journald.
 *
 *   2026-11-24T23:01:06.123Z warn discovery service=orders: 2 instances left ...
 *
 * With systemd (JOURNAL_STREAM set) the time is left out and the level becomes a "<4>" prefix.
 * Thread-safe: a line is one write(2). Control bytes in the text become "?", so that nothing a
 * peer or the catalog says can forge a line. Never give it a token or a key. */
#include "base/macros.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level);
/* "debug" | "info" | "warn" | "error" -> level; -1 when unknown. */
int log_level_parse(const char *name);

/* `area` is the module ("discovery", "worker"); the message names its subject first. */
void log_write(enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(area, ...) log_write(LOG_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...)  log_write(LOG_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_write(LOG_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_write(LOG_ERROR, area, __VA_ARGS__)
