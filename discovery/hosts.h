/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* hosts.h - names that the machine itself knows: the hosts file. It comes before DNS. */
#include "base/str.h"
#include "name.h"

#include <stdbool.h>

struct hosts;

/* Read when first asked, and again when the file has changed. The path is copied. */
struct hosts *hosts_new(const char *path);
void hosts_free(struct hosts *h);
/* The addresses of a name, in any case and with or without a dot at its end; false when there are
 * none. */
bool hosts_find(struct hosts *h, const char *name, struct name_answer *ret_v4,
                struct name_answer *ret_v6);

/* The same in a text. Pure. */
bool hosts_find_in(struct str text, const char *name, struct name_answer *ret_v4,
                   struct name_answer *ret_v6);
