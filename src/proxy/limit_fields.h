/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_fields.h - what an answer tells its client of the limits that were asked for it.
 *
 * RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers, structured fields with an
 * item for each limit), and the older three that most clients read, for the limit that leaves the
 * least: RateLimit-Limit, -Remaining, -Reset. With a refusal also Retry-After, which the times of
 * the others then agree with. A limit in shadow mode is not spoken of. */
#include "proxy/access_limits.h"

/* `l` may be NULL. */
void limit_fields_write(const struct exchange *x, const struct access_limits *l, struct writer *w);
/* Is this one of the service's own that must not stand beside ours? */
bool limit_fields_replace(const struct access_limits *l, struct str name);
