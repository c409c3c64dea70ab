/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* explain_text.h - the document of /v1/explain for people: it reads from top to bottom as the
 * request goes. */
#include "cli/term_text.h"

#include <jansson.h>

void explain_text(FILE *out, const struct term *t, const json_t *doc);
/* 0 = it would be forwarded or redirected, 3 = the gateway would answer with a failure. */
int explain_exit(const json_t *doc);
