/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* password_cache.h - passwords that were found right a moment ago, by their digest
 * (password_pool.h): never the password, nor anything that it could be guessed from without the
 * key of this process.
 *
 * One a worker, never shared. Only right ones get in, so strangers cannot push anything out.
 * Bounded: of those whose digests lead to the same few places, the one that would end first goes.
 */
#include "base/macros.h"
#include "policy/identity.h"
#include "policy/password_pool.h"

struct password_cache;

/* NULL when memory is out. */
struct password_cache *password_cache_new(void) MUST_CHECK;
/* Accepts NULL. */
void password_cache_free(struct password_cache **c);
/* Whose it is; NULL = not known, or no longer. Borrowed until the next call. */
struct identity *password_cache_find(struct password_cache *c,
                                     const unsigned char digest[PASSWORD_DIGEST], uint64_t now_ns);
/* Takes a reference of its own. */
void password_cache_add(struct password_cache *c, const unsigned char digest[PASSWORD_DIGEST],
                        struct identity *who, uint64_t until_ns);
