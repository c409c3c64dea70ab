/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* breaker_order.h - what `frontdesk breaker` asks for: checked, and as the admin endpoint's PUT. */
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct breaker_order {
    const char *action;                    /* "open" ... as on the command line */
    const char *service, *instance, *node; /* instance NULL = the service; node NULL = not told */
    const char *ttl;                       /* NULL = not told */
    const char *reason, *author;
    bool fleet, even_last;
    char name[512]; /* storage for what was cut out of SERVICE/INSTANCE */
};

/* SERVICE, SERVICE/INSTANCE or SERVICE/NODE/INSTANCE. Not for names with '/': those are given by
 * --service, --instance and --node. */
int breaker_order_target(struct breaker_order *o, const char *text, struct err *e) MUST_CHECK;
/* Is it complete and possible? */
int breaker_order_check(struct breaker_order *o, struct err *e) MUST_CHECK;
/* "/v1/breakers/..."; free with free(). */
char *breaker_order_path(const struct breaker_order *o);
json_t *breaker_order_body(const struct breaker_order *o);
/* "forced_open" for "open" and so on; NULL when there is no such action. */
const char *breaker_order_word(const char *action);

/* One line: what is in force now, from the answer. Free with free(). */
char *breaker_order_told(const struct breaker_order *o, const json_t *answer);
/* What to do about a refusal: a sentence, "" when there is nothing to add. */
const char *breaker_order_hint(long status, const char *reason, bool had_token);

/* Would a token go over a network that others may listen to? `address` as for the client. */
bool breaker_order_exposed(const char *address);

/* $SUDO_USER, $USER or the login name, "@" and the name of this host. Free with free(). */
char *breaker_author(void);
