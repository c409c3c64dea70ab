/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* access_basic.h - whose user and password does this request carry? What of policy/password_pool.h
 * is the worker's: its cache of right passwords, and requests that wait for a check. */
#include "base/list.h"
#include "policy/password_pool.h"
#include "proxy/access_identity.h"

/* How long a request waits for its turn and its check. */
enum { PASSWORD_WAIT_MS = 5000 };

/* Of one request; zeroed at first. */
struct access_basic {
    struct list node; /* in w->password_waiters, while listed */
    bool listed;
    struct exchange *x;
    struct password_pool *pool; /* borrowed, while listed */
    struct password_wait wait;
    unsigned char digest[PASSWORD_DIGEST];
};

access_auth_fn access_basic_check;
/* The request is over, or waits no longer. Any number of times. */
void access_basic_end(struct access_basic *b);
/* Passwords have been checked: requests that waited for them go on. */
void access_basic_resume(struct worker *w);
