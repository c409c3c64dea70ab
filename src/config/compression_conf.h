/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* compression_conf.h - `compression:` of all routes or of one: answers leave in a content coding
 * that makes them smaller. Part of config.h. */
#include <stdbool.h>
#include <stddef.h>

enum { MAX_COMPRESSION_CODINGS = 3 };

struct compression_conf {
    bool enabled;
    unsigned codings[MAX_COMPRESSION_CODINGS]; /* enum coding, the preferred one first */
    size_t ncodings;
    int level;                /* enum coding_level */
    size_t min_size;          /* smaller answers stay as they are */
    const char *const *types; /* media types, ends with NULL */
    int breach;               /* enum breach_rule */
};

/* An answer that has a secret and something that an attacker chose in one compressed text can be
 * guessed by its length (BREACH). */
enum breach_rule {
    BREACH_PROTECT, /* not for who is known by what a browser sends by itself, unless it is public
                     */
    BREACH_OFF
};
