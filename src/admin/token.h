/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* token.h - the one token that may write: `admin.token_file`.
 *
 * Read again whenever the file is another one (device, inode, size, times), so a token is exchanged
 * without a reload. When the new file cannot be used, nobody may write until it can: an operator
 * who removes a token means it. The token itself is never kept, only its SHA-256; digests are
 * compared in constant time, so that neither content nor length leaks.
 *
 * After TOKEN_MAX_FAILURES wrong tokens within ten seconds every token is refused, also the right
 * one, until the ten seconds are over: guessing gets two tries a second, however many connections
 * it has. Thread: control. */
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOKEN_MIN_BYTES = 16, TOKEN_MAX_BYTES = 4096, TOKEN_MAX_FAILURES = 20 };

/* Can the file be used? Warns in the log when others than its owner and group can read it. */
int token_check(const char *path, struct err *e) MUST_CHECK;

struct token;

/* The file need not be usable yet. */
struct token *token_new(const char *path);
void token_free(struct token *t);

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_ABSENT, /* no `Bearer` credentials at all: counts as no failure */
    TOKEN_WRONG,
    TOKEN_TOO_MANY /* not looked at */
};
/* `authorization` is the field as received, NULL when there is none. */
enum token_verdict token_judge(struct token *t, const char *authorization, uint64_t now_ns);
/* For Retry-After: whole seconds until the next try, at least 1. */
unsigned token_wait_s(const struct token *t, uint64_t now_ns);
