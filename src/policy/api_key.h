/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* api_key.h - what an API key looks like, and how one is made.
 *
 *   fdk_7f3k9x2m_N8c...Q4_1x9ZaB      prefix, id, secret of 43 letters, checksum of 6
 *
 * The id is public: it finds the entry, and may be in logs. The secret holds 256 random bits, so a
 * plain hash of it cannot be guessed back, and needs no salt or slow function. Prefix and checksum
 * are for scanners of repositories, and refuse a mistyped key without a look at any store. */
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>

enum {
    API_KEY_ID_MAX = 32,
    API_KEY_MAX = 4 + API_KEY_ID_MAX + 1 + 43 + 1 + 6,
    API_KEY_DIGEST = 32
};

/* Letters, digits and hyphens. */
bool api_key_id_ok(struct str id);
/* Takes a key apart; false when it is none. *ret_id is a slice of it. */
bool api_key_parse(struct str key, struct str *ret_id) MUST_CHECK;
/* A new key with this id, NUL-terminated. -1 when there is no randomness. */
int api_key_make(struct str id, char ret[API_KEY_MAX + 1]) MUST_CHECK;
/* Eight random letters and digits. */
int api_key_make_id(char ret[9]) MUST_CHECK;

/* SHA-256 of the key, or HMAC-SHA-256 with a pepper (n > 0). */
int api_key_digest(struct str key, struct str pepper, unsigned char ret[API_KEY_DIGEST]) MUST_CHECK;
