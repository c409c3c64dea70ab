/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cors.h - the comparisons of the CORS protocol (Fetch standard, "CORS protocol"). Pure functions.
 *
 * An origin is compared byte by byte with what is allowed, in the form in which browsers send it:
 * scheme and host in lower case, no port when it is the scheme's own, no slash at the end. So what
 * is allowed is written in that form too. */
#include "base/str.h"

#include <stdbool.h>

enum { CORS_MAX_ORIGIN = 320, CORS_MAX_ASKED_HEADERS = 4096 };

/* "null", or scheme://host[:port] as browsers write it. */
bool cors_origin_is_valid(struct str origin);

/* Is it one of these? "https://shop.example", "null";
 * "https://" "*.shop.example": one label in place of the star, "**": one or more of them;
 * "http://localhost:*": any port or none; "*" alone: every origin, "null" too. */
bool cors_origin_allowed(const char *const *patterns, struct str origin);

/* Does the origin name the authority (host[:port], lower case) that the request was sent to? */
bool cors_origin_is_own(struct str origin, struct str scheme, struct str authority);

/* Methods are case-sensitive. */
bool cors_method_allowed(const char *const *methods, struct str method);

/* The value of Access-Control-Request-Headers: every name must be in the list, whatever its case.
 * With `any` every well-formed name is fine but Authorization, which must be in the list. */
bool cors_headers_allowed(const char *const *names, bool any, struct str asked);
