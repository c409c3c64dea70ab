/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_token.h - whose bearer token does this request carry? What of policy/issuers.h is the
 * worker's: its cache of good tokens, and requests that wait until an issuer was asked for its keys
 * again. */
#include "base/list.h"
#include "policy/issuers.h"
#include "proxy/exchange.h"

/* Of one request; zeroed at first. */
struct access_token {
    struct list node; /* in w->key_waiters, while listed */
    bool listed;
    struct exchange *x;
    struct issuer_wait wait;
};

/* `allowed`: indices of config.issuers, in the order of preference. *ret_waits: V_WAIT is to be
 * returned, and this is to be called again when the step runs again; x->access->timed_out, which
 * stays for the caller to clear, ends the wait. Else as issuers_authenticate(): with TOKEN_OK *ret
 * is the caller's reference. */
enum token_error access_token_check(struct exchange *x, struct access_token *a,
                                    const unsigned *allowed, size_t n, struct identity **ret,
                                    bool *ret_waits);
/* The request is over, or waits no longer. Any number of times. */
void access_token_end(struct access_token *a);
/* An issuer has been asked: requests that waited for it go on. */
void access_token_resume(struct worker *w);
