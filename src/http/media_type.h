/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* media_type.h - the value of Content-Type (RFC 9110 section 8.3.1), read strictly. Pure. */
#include "base/macros.h"
#include "base/str.h"

/* type/subtype of a well-formed value, without its parameters. */
bool media_type_read(struct str value, struct str *ret_type) MUST_CHECK;

/* "application/json", "image/" "*" for any subtype, "application/" "*+json" for those with that
 * suffix, "*" "/" "*" for all. Whatever the case. */
bool media_type_matches(struct str pattern, struct str type);
/* application/json, or a type with the suffix +json, whatever its parameters. */
bool media_type_is_json(struct str value);
