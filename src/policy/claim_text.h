/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* claim_text.h - a claim as the value of a header field for a service.
 *
 * A service takes the text for the truth, so no two claims may look the same on the wire. What
 * cannot be put into a field unchanged is left out rather than mended: control characters, blanks
 * at the ends, empty texts, members of a list with a comma, and what is longer than
 * CLAIM_TEXT_MAX. */
#include "policy/identity.h"

enum { CLAIM_TEXT_MAX = 4096 };

/* Texts as they are (UTF-8), lists joined by ",", objects as JSON in ASCII. False: left out. */
bool claim_text(const json_t *claim, char buf[CLAIM_TEXT_MAX], struct str *ret);
