/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* status_screen.h - a status page as lines for a terminal: what fits its width and height. */
#include "cli/status_page.h"
#include "cli/term_text.h"

struct screen_state {
    const char *address;
    const char *away;    /* why there is no answer now; NULL = there is one */
    uint64_t away_ms;    /* since when */
    const char *missing; /* the service that is asked for and that is not there; NULL = it is */
    bool came_back;      /* the first answer after some time without one */
    bool instances;      /* list the instances of each service, too */
};

/* `p` may be NULL (no answer yet). Never more than t->height lines when that is set, and never more
 * than t->width columns in one. */
void status_screen(FILE *out, const struct term *t, const struct status_page *p,
                   const struct screen_state *s);
/* What is to be said of a service in a few words: who forced it, when it reopens, what is wrong. */
void status_note(FILE *out, const struct service_line *l);
