/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* watch.h - draws again and again until someone ends it, and leaves the terminal as it was.
 *
 * On a terminal: the alternate screen, no cursor, keys without Enter and without echo. On anything
 * else: what is drawn is written as it is, one after the other. Ends with q (on a terminal),
 * SIGINT, SIGTERM, SIGHUP, or when nobody reads the output any more; SIGTSTP gives the terminal
 * back until the process goes on; SIGWINCH draws at once in the new size. One at a time. */
#include "cli/term_text.h"

#include <stdint.h>

struct watch_options {
    uint64_t interval_ms;
    bool full_screen; /* false: never take the terminal over (JSON) */
    /* Writes one picture; it may use t->height lines less one. `fresh`: it is time for new numbers;
     * false after a change of the size. */
    void (*draw)(void *arg, FILE *out, const struct term *t, bool fresh);
    void *arg;
};

/* Returns when it has ended. */
void watch_run(const struct watch_options *o, struct term *t);
/* Has someone asked for the end? For calls that take long: reads keys, too. */
bool watch_stopped(void *unused);
