/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dashboard.h - the files of the status page, compiled in: dashboard.html, .js and .css of this
 * folder, and the script's modules and the tab's icons in dashboard/. */
#include "base/str.h"

#include <stdbool.h>

struct dashboard_file {
    const char *type; /* of its content, static */
    struct str bytes; /* static */
};

/* False when the page has no such file. "/" is the page itself. */
bool dashboard_find(const char *path, struct dashboard_file *ret);
