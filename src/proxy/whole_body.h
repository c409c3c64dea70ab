/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* whole_body.h - the body of a request as a whole, for who answers in place of a service. */
#include "base/bytes.h"
#include "proxy/exchange.h"

/* Zeroed: nothing was read yet. */
struct whole_body {
    struct bytes text;
    size_t max;
    struct sock sink;
    bool begun;
};

/* V_WAIT: more is to come, and the step that called this is to be called again; the time that the
 * client may be silent is armed as the wait of the step. V_NEXT: all is there, in
 * whole_body_text(), and the connection is free for another request. V_FINISH: x->fail says why
 * not. */
enum verdict whole_body_read(struct exchange *x, struct whole_body *b, size_t max);
struct str whole_body_text(const struct exchange *x, const struct whole_body *b);
void whole_body_free(struct whole_body *b);
