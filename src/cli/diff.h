/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* diff.h - what differs between two texts, line by line, in the unified format: hunks with three
 * lines around what changed. Pure.
 *
 * The shortest script by Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986); texts that
 * have little in common are shown as one taken away and the other one added. */
#include "base/str.h"

#include <stdbool.h>

/* A line without its line feed. `kind`: '@' begins a hunk ("@@ -1,3 +1,4 @@"), ' ' is in both, '-'
 * and '+' in one of them, '\\' says that the line before it has no line feed. */
typedef void diff_line_fn(void *arg, char kind, struct str line);

/* False when they are equal; then nothing is put. */
bool diff_texts(struct str before, struct str after, diff_line_fn *put, void *arg);
