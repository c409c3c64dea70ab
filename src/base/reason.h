/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* reason.h - the closed list of failure reasons (reason.def). */
#include <stddef.h>

enum reason {
#define REASON(NAME, word, status, retry, title) REASON_##NAME,
#include "base/reason.def"
#undef REASON
    REASON_COUNT
};

enum retry_class { RETRY_NEVER, RETRY_UNSENT, RETRY_IDEMPOTENT };

struct reason_info {
    const char *word;
    int status; /* HTTP status of the gateway's own answer, 0 = none */
    enum retry_class retry;
    const char *title;
};

/* Never NULL for a value of the enum. */
const struct reason_info *reason_info(enum reason r);
/* REASON_COUNT when the word is not known. */
enum reason reason_parse(const char *word);
