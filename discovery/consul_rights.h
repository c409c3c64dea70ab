/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_rights.h - what a token may, and what it lacks. Pure: which questions to ask Consul, and
 * what its answers mean.
 *
 * /v1/internal/acl/authorize (Consul 1.7 and newer) says of each right whether the token of the
 * request has it. Without it, or when the right is not held for every name, what is listed shows
 * whether it is held for some. */
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "discovery.h"

/* One question holds so many rights at most. */
enum { CONSUL_RIGHTS_ASKED = 64 };

/* The body of the question. Free with free(). */
char *consul_rights_question(const struct consul_right *rights, size_t n) MUST_CHECK;
/* Its answer: ret[i] of rights[i]. */
int consul_rights_answer(struct str body, const struct consul_right *rights, size_t n, bool *ret,
                         struct err *e) MUST_CHECK;

/* "key:read on frontdesk/" */
void consul_right_name(const struct consul_right *r, char *text, size_t room);
/* The line of a policy that gives it: key_prefix "frontdesk/" { policy = "read" } */
void consul_right_rule(const struct consul_right *r, char *text, size_t room);

/* What /v1/acl/token/self says of a token; never its secret. */
struct consul_token_facts {
    char accessor[40];
    char policies[200]; /* names of policies and roles, "a, b" */
    int64_t expires_s;  /* seconds since 1970; 0 = does not */
};
int consul_token_facts(struct str body, struct consul_token_facts *ret, struct err *e) MUST_CHECK;

/* "2026-11-25T21:37:14.355182974Z" in nanoseconds since 1970; false when it is not such a time, or
 * after 2261. */
bool consul_time(const char *text, int64_t *ret_ns) MUST_CHECK;
