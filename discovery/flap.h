/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* flap.h - damping of an instance whose checks come and go.
 *
 * It leaves rotation at once, every time. After FLAP_FALLS falls within a minute it is flapping: it
 * then comes back only when it has been well for damping_ms, so that each short recovery does not
 * send it requests that fail. A change of some other instance says nothing about this one, so
 * only time counts. Pure: time is an argument. */
#include <stdbool.h>
#include <stdint.h>

enum { FLAP_FALLS = 4 /* the 4th within a minute */ };

/* One for each instance that has fallen lately. Zeroed = never. */
struct flap {
    uint64_t fell_ns[FLAP_FALLS]; /* ring */
    unsigned nfell;               /* ever */
    uint64_t well_ns;             /* since when it has been well; 0 = it is not */
};

void flap_fell(struct flap *f, uint64_t now_ns);
void flap_recovered(struct flap *f, uint64_t now_ns);
/* When the instance may come back; 0 = at once. */
uint64_t flap_until(const struct flap *f, uint64_t damping_ms, uint64_t now_ns);
/* Nothing that is remembered matters any more. */
bool flap_over(const struct flap *f, uint64_t damping_ms, uint64_t now_ns);
