/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* challenge.h - values of WWW-Authenticate: what a client should have shown (RFC 9110 section
 * 11.6.1, RFC 6750 section 3, RFC 7617). One field for each mechanism of a route. */
#include "base/str.h"
#include "config/policies_conf.h"

enum { CHALLENGE_MAX = 1024 };

struct bearer_challenge {
    const char *realm;
    const char *error;       /* "invalid_token", "insufficient_scope"; NULL = no token was shown */
    const char *description; /* with error: static text; NULL = none */
    const struct word_list *scopes; /* what would have been needed; NULL = none. Those that do not
                                       fit into the value are left out */
};

/* Into buf; never fails, as realm and descriptions are bounded. */
struct str challenge_bearer(const struct bearer_challenge *c, char buf[CHALLENGE_MAX]);
struct str challenge_basic(const char *realm, char buf[CHALLENGE_MAX]);
/* API keys have no registered scheme; `ApiKey` tells a person what is missing. */
struct str challenge_key(const char *realm, char buf[CHALLENGE_MAX]);
