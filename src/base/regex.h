/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* regex.h - regular expressions of RE2's language, matched in linear time.
 *
 * For expressions that others wrote (Consul's routers, tags) on what strangers send: no input makes
 * a match cost more than its length times the length of the expression. The language is that of RE2
 * and Go: literals, `.`, classes (also \d \w \s and [:alpha:]), groups, alternatives, repetition
 * with its lazy forms, ^ $ \A \z \b \B, and the flags i, m, s, U. What no such machine can do
 * (backreferences, look-around) and what is left out here (Unicode classes such as \pL, members
 * beyond ASCII in a class) is refused by name. Text is UTF-8: `.` is one code point; (?i) folds
 * ASCII.
 *
 * Why by hand: RE2 itself is C++, and the libraries of C backtrack (PCRE2), which a limit turns
 * into wrong answers instead of slow ones.
 *
 * Captures are not kept: the answer is yes or no. Immutable once made; any thread. */
#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

enum { REGEX_MAX_PATTERN = 1024 };

struct regex;

/* Lives in the arena. NULL: *ret_why is what is wrong, static text. */
const struct regex *regex_compile(struct arena *a, struct str pattern,
                                  const char **ret_why) MUST_CHECK;
/* Is the whole text of this language? Needs 16 KiB of stack, no memory. */
bool regex_matches(const struct regex *re, struct str text);
/* Is a part of the text? */
bool regex_finds(const struct regex *re, struct str text);
