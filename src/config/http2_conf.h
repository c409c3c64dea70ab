/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* http2_conf.h - `http2:` of a listener. Part of config.h. */
#include <stdbool.h>
#include <stddef.h>

struct http2_conf {
    bool enabled;
    unsigned max_streams; /* SETTINGS_MAX_CONCURRENT_STREAMS */
    size_t stream_window; /* bytes of request bodies that wait: of one, */
    size_t window;        /* of all on a connection */
    unsigned reset_burst; /* requests of a connection that may come to nothing at once, */
    unsigned reset_rate;  /* and each second */
};
