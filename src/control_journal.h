/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* control_journal.h - wakes the control thread when any thread has written a transition. */
#include "base/err.h"

#include <event2/event.h>

struct journal;
struct control_journal;

/* `told` is called on the control thread, once for any number of transitions. The journal calls
 * this until the process ends. */
struct control_journal *control_journal_new(struct event_base *base, struct journal *j,
                                            void (*told)(void *arg), void *arg,
                                            struct err *e) MUST_CHECK;
/* After all other threads have ended. Accepts NULL. */
void control_journal_free(struct control_journal **j);
