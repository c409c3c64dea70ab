/* SPDX-License-Identifier: Apache-2.0 */
/* http2.c - `http2:` of a listener. */
#include "config/sections.h"

#include <string.h>

static const struct field http2_fields[] = {
    UNSIGNED("max_concurrent_streams", http2_conf, max_streams, 1, 10000, "100",
             "Requests that one connection may have under way."),
    SIZE("stream_window", http2_conf, stream_window, 65535, 16 << 20, "64k",
         "How much of a request's body waits for its service, before its client has to."),
    SIZE("window", http2_conf, window, 65535, 256 << 20, "1m",
         "The same for all requests of a connection together."),
    UNSIGNED("reset_burst", http2_conf, reset_burst, 10, 1000000, "1000",
             "Requests of one connection that may come to nothing (reset by the client, or for its "
             "faults) at once; beyond that the connection ends."),
    UNSIGNED("reset_rate", http2_conf, reset_rate, 1, 100000, "33",
             "How many of those are forgotten each second."),
};
const struct section http2_section = {http2_fields, ARRAY_LEN(http2_fields)};

int http2_finish(struct reader *r, const struct node *n, void *at)
{
    struct http2_conf *h = at;

    h->enabled = true;
    if (h->stream_window > h->window)
        return node_error(n, r->err, "stream_window is larger than window");
    return 0;
}

int http2_switch_read(struct reader *r, const struct node *n, void *at)
{
    struct http2_conf *h = at;

    h->enabled = strcmp(n->text, "true") == 0;
    if (!h->enabled && strcmp(n->text, "false") != 0)
        return node_expected(n, r->err,
                             "true, false, or a map such as { max_concurrent_streams: 100 }");
    return 0;
}

void http2_default(const struct node *n, struct listener_conf *l)
{
    if (!node_get(n, "http2"))
        l->http2.enabled = l->tls.enabled;
    l->tls.offers_h2 = l->http2.enabled;
}
