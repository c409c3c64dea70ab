/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/grpc_reply.h"
#include "proxy/access.h"
#include "proxy/exchange.h"
#include "proxy/head.h"
#include "proxy/reply.h"

enum {
    GRPC_INTERNAL = 13,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAUTHENTICATED = 16
};

bool grpc_reply_fits(const struct exchange *x)
{
    return x->grpc.is && x->conn->is_stream && !x->conn->inner;
}

unsigned grpc_code_of(enum reason why)
{
    switch (reason_info(why)->status) {
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
    case 405:
        return GRPC_UNIMPLEMENTED;
    case 413:
    case 429:
        return GRPC_RESOURCE_EXHAUSTED;
    case 408:
    case 504:
        return GRPC_DEADLINE_EXCEEDED;
    case 502:
    case 503:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_INTERNAL;
    }
}

/* The text between percent signs and controls, as the protocol of gRPC wants it. */
static void write_message(struct writer *w, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (c < ' ' || c > '~' || c == '%')
            writer_bytes(w, escaped, sizeof escaped);
        else
            writer_bytes(w, text, 1);
    }
}

void grpc_reply_failure(struct exchange *x)
{
    struct writer w = {x->out, false};
    const struct reason_info *info = reason_info(x->fail);
    unsigned code = grpc_code_of(x->fail);

    x->status = 200;
    x->grpc.ended = true;
    x->grpc.status = (uint8_t)code;
    reply_begin(x, &w);
    writer_field(&w, STR("Date"), worker_date(x->w));
    writer_lit(&w, "Content-Type: application/grpc\r\ngrpc-status: ");
    writer_num(&w, code);
    writer_lit(&w, "\r\ngrpc-message: ");
    write_message(&w, info->title);
    if (x->detail) {
        writer_lit(&w, ": ");
        write_message(&w, x->detail);
    }
    writer_lit(&w, "\r\n");
    writer_field(&w, STR("Frontdesk-Reason"), str_of(info->word));
    if (x->request_id[0])
        writer_field(&w, STR("X-Request-Id"), str_of(x->request_id));
    access_write_response_fields(x, &w);
    writer_lit(&w, "\r\n");
}
