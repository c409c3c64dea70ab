/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* consul_names.h - the names in a list of config entries (/v1/config/KIND). Pure; results live in
 * the caller's arena. An entry without a name is left out. */
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

struct consul_names {
    const char **names; /* lower case */
    unsigned n;
};

int consul_names_read(struct str body, struct arena *a, struct consul_names *ret,
                      struct err *e) MUST_CHECK;
