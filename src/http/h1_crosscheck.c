/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_crosscheck.h"

#include <llhttp.h>

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {.on_headers_complete = on_headers_complete};

/* What a parser is after the start line, which is a fixed one: ours was judged already, and llhttp
 * knows a closed list of methods and versions where HTTP has an open one. Read once a thread. */
struct begun {
    bool made;
    llhttp_t parser;
};

static void begin(struct begun *b, llhttp_type_t type, struct str start_line)
{
    llhttp_init(&b->parser, type, &settings);
    b->made = llhttp_execute(&b->parser, start_line.p, start_line.n) == HPE_OK;
}

static bool agrees(const struct begun *b, struct str fields, enum framing framing, uint64_t length)
{
    llhttp_t parser = b->parser;

    if (!b->made || llhttp_execute(&parser, fields.p, fields.n) != HPE_PAUSED)
        return false;
    if (llhttp_get_error_pos(&parser) != fields.p + fields.n)
        return false;
    if (((parser.flags & F_CHUNKED) != 0) != (framing == FRAMING_CHUNKED))
        return false;
    if (((parser.flags & F_CONTENT_LENGTH) != 0) != (framing == FRAMING_LENGTH))
        return false;
    return framing != FRAMING_LENGTH || parser.content_length == length;
}

bool crosscheck_request(const char *p, const char *end, enum framing framing, uint64_t length)
{
    static _Thread_local struct begun b;

    if (!b.made)
        begin(&b, HTTP_REQUEST, STR("GET / HTTP/1.1\r\n"));
    return agrees(&b, (struct str){p, (size_t)(end - p)}, framing, length);
}

bool crosscheck_response(const char *p, const char *end, enum framing framing, uint64_t length)
{
    static _Thread_local struct begun b;

    if (!b.made)
        begin(&b, HTTP_RESPONSE, STR("HTTP/1.1 200 OK\r\n"));
    return agrees(&b, (struct str){p, (size_t)(end - p)}, framing, length);
}
