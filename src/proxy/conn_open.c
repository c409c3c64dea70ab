/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/conn_open.h"

enum conn_stage conn_open_first(const struct listener_settings *l)
{
    (void)l;
    return CONN_HTTP;
}

/* IO_OK: the stage is over and c->stage is the next one. */
static enum io run_stage(struct conn *c)
{
    switch (c->stage) {
    case CONN_PROXY_HEADER:
    case CONN_HANDSHAKE:
    case CONN_HTTP:
        break;
    }
    c->stage = CONN_HTTP;
    return IO_OK;
}

bool conn_open(struct conn *c)
{
    while (c->stage != CONN_HTTP) {
        enum io io = run_stage(c);

        if (io == IO_AGAIN)
            return false;
        if (io != IO_OK) {
            conn_close(c);
            return false;
        }
    }
    return true;
}
