/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* h1_crosscheck.h - a second opinion on the framing of a message, by llhttp.
 *
 * Request smuggling needs two parsers that read the same bytes differently. So two parsers read
 * them here, ours and the one that Node.js services use, and a message on which they differ goes no
 * further. It costs about a quarter of a microsecond. Pure. Internal to this folder. */
#include "base/macros.h"
#include "http/message.h"

/* True when llhttp accepts the field lines in [p, end), sees their end at `end`, and finds the same
 * framing. */
bool crosscheck_request(const char *p, const char *end, enum framing framing,
                        uint64_t length) MUST_CHECK;
bool crosscheck_response(const char *p, const char *end, enum framing framing,
                         uint64_t length) MUST_CHECK;
