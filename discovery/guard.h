/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* guard.h - is so much loss at once to be believed? The numbers of the shrink guard, for one
 * service and for all together.
 *
 * A script with a wrong filter, a token without its rights, an agent that leaves: each makes Consul
 * list far fewer instances than run. So an answer is doubted that takes away by not listing them
 * - every instance of a service that is usable,
 * - more than shrink_percent of them and more than GUARD_FEW, also in steps within a window,
 * - or some of more than services_percent of all services, and more than GUARD_FEW services, within
 *   a window.
 * What is registered anew with the same answer counts against the loss: replacing all instances of
 * a service at once is no shrink. An instance that is listed as critical is no loss either: that is
 * a statement about it, and obeyed (see panic_threshold for what follows when all are critical).
 *
 * What doubt leads to, and what ends it, is in belief.h. Pure: time is an argument. */
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GUARD_FEW = 3,          /* a loss of so many, or of so many services, is everyday life */
    GUARD_WINDOW_MS = 10000 /* losses of the last one to two windows are added up */
};

struct guard_options {
    uint64_t confirm_ms;       /* how long doubt lasts at least; 0 = everything is believed */
    unsigned shrink_percent;   /* of a service's instances */
    unsigned services_percent; /* of all services */
};

/* All services together. Embedded; owns nothing. */
struct guard_all {
    struct list losing; /* struct guard.link: lost instances lately, oldest loss first */
    unsigned nlosing;
    unsigned known; /* services with instances */
};

/* One for each service. */
struct guard {
    struct guard_all *all;    /* borrowed; outlives it */
    struct list link;         /* in all->losing */
    uint64_t loss_ns;         /* when it was put there */
    bool known;               /* counted in all->known */
    uint64_t window_ns;       /* start of the present window; 0 = none yet */
    unsigned peak, peak_past; /* most usable instances in this window and the one before */
    unsigned lost, lost_past; /* taken away by not being listed, and believed at once */
};

struct guard_loss {
    unsigned usable; /* as believed before */
    unsigned absent; /* of these: not listed any more, and not confirmed */
    unsigned listed; /* usable by the present answer */
};

void guard_all_init(struct guard_all *all);
void guard_init(struct guard *g, struct guard_all *all);
void guard_release(struct guard *g);

/* True: what is absent is to be doubted. False: it may leave, and is counted as lost. */
bool guard_doubts(struct guard *g, const struct guard_options *o, const struct guard_loss *l,
                  uint64_t now_ns);
/* A loss was confirmed: what is left is what there is. */
void guard_confirmed(struct guard *g, unsigned usable, uint64_t now_ns);
/* The service has so many usable instances from now on. */
void guard_note(struct guard *g, unsigned usable, uint64_t now_ns);
