/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* introspection.h - what is said to an introspection endpoint and what its answer means (RFC 7662).
 * Pure. */
#include "base/bytes.h"
#include "config/authorities_conf.h"
#include "policy/identity.h"

enum { OPAQUE_TOKEN_MAX = 4096 };

/* The form that asks about the token. False when memory is out. */
bool introspection_form(struct bytes *to, struct str token) MUST_CHECK;
/* "Authorization: Basic ...\r\n", client id and secret encoded as RFC 6749 section 2.3.1 wants;
 * nothing when there are none. */
bool introspection_credentials(struct bytes *to, const struct introspection_conf *c) MUST_CHECK;

/* Does this field carry a token that stays here (forward_token)? */
bool introspection_conf_hides(const struct introspection_conf *c, struct str name);

enum introspection_verdict {
    TOKEN_ACTIVE,
    TOKEN_INACTIVE,
    TOKEN_UNTOLD /* the answer does not say, or memory is out */
};

/* Of an answer 200. TOKEN_ACTIVE: *ret is the caller's, its claims are the members of the answer.
 * TOKEN_INACTIVE: *ret_detail says why, static text for the client. */
enum introspection_verdict introspection_judge(const struct introspection_conf *c, struct str body,
                                               int64_t now_s, struct identity **ret,
                                               const char **ret_detail) MUST_CHECK;
