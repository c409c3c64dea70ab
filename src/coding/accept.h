/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* accept.h - what a client takes: Accept-Encoding (RFC 9110 section 12.5.3). Pure. */
#include "coding/coding.h"

/* Weights in thousandths; -1 = not named. */
struct accepted {
    int weights[CODINGS];
    int any; /* "*" */
};

/* Nothing is accepted but identity. */
void accept_begin(struct accepted *a);
/* One field value. What is malformed in it is as if it were not there. */
void accept_add(struct accepted *a, struct str value);
/* The best of `ours`, which are in order of preference, by the weight that the client gives;
 * identity when it takes none of them or likes that better. */
enum coding accept_choose(const struct accepted *a, const enum coding *ours, size_t n);
