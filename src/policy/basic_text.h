/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* basic_text.h - user and password in an Authorization field (RFC 7617), strictly: base64 with its
 * padding and no bits left over, so that no two texts are the same password; a user that is not
 * empty; no control characters. */
#include "base/macros.h"
#include "base/str.h"
#include "policy/password_file.h"

#include <stdbool.h>

/* What follows the scheme `Basic` (any case) and its blanks; false when it is another scheme. */
bool basic_scheme(struct str value, struct str *ret_text) MUST_CHECK;
/* User, colon and password in base64, decoded into buf. */
bool basic_decode(struct str text, char buf[PASSWORD_MAX], struct str *ret_user,
                  struct str *ret_password) MUST_CHECK;
