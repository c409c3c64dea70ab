/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* err.h - a failure told in words to a person (configuration, start-up, admin calls).
 *
 * Functions that can fail return 0 or -1 (or NULL) and fill the caller's struct err.
 * The request path does not use it: there a failure is a reason (reason.h). */
#include "base/macros.h"

struct err {
    char text[1024];
};

/* Replaces the text; always returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "PREFIX: " before the present text. Always returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
