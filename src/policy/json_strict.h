/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* json_strict.h - JSON (RFC 8259) from strangers: members that are there twice are refused, since
 * two readers may take different ones (RFC 8725 section 2.6), and so is deep nesting, which costs
 * stack. NUL characters, text behind the value and broken UTF-8 are no JSON here. */
#include "base/macros.h"
#include "base/str.h"

#include <jansson.h>

enum json_strict { JSON_STRICT_OK, JSON_STRICT_DEPTH, JSON_STRICT_DUPLICATE, JSON_STRICT_BROKEN };

/* On JSON_STRICT_OK *ret is the caller's. A value of any type. */
enum json_strict json_strict(struct str text, unsigned max_depth, json_t **ret) MUST_CHECK;
