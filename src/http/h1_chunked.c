/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_chunked.h"

#include "http/chars.h"

#include <string.h>

enum {
    MAX_DIGITS = 16,
    MAX_EXTENSION = 256,        /* of one chunk */
    MAX_EXTENSIONS = 16 * 1024, /* of all chunks */
    MAX_TRAILERS = 8 * 1024,
};
static const uint64_t max_size = 1ull << 53;

/* BWS is accepted only where the grammar has it: around ';' and '=', never before CRLF. */
enum state {
    SIZE,
    EXT_SPACE, /* after a size or value: only ';' may follow */
    EXT_NAME_START,
    EXT_NAME,
    EXT_NAME_SPACE,
    EXT_VALUE_START,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    BAD
};

void chunked_init(struct chunked *c)
{
    memset(c, 0, sizeof(*c));
}

static bool is_space(char b)
{
    return b == ' ' || b == '\t';
}

/* What may follow an extension's name or value: another extension or the end of the line. */
static enum state after_extension(char b, enum state space)
{
    if (b == ';')
        return EXT_NAME_START;
    if (b == '\r')
        return SIZE_LF;
    return is_space(b) ? space : BAD;
}

static enum state step_size(struct chunked *c, char b)
{
    int digit = char_hex(b);

    if (digit >= 0) {
        c->remaining = c->remaining << 4 | (unsigned)digit;
        return ++c->digits <= MAX_DIGITS && c->remaining <= max_size ? SIZE : BAD;
    }
    return c->digits > 0 ? after_extension(b, EXT_SPACE) : BAD;
}

static enum state step_extension(enum state s, char b)
{
    switch ((int)s) {
    case EXT_SPACE:
        return b == '\r' ? BAD : after_extension(b, EXT_SPACE);
    case EXT_NAME_START:
        return is_space(b) ? s : char_is(b, CHAR_TOKEN) ? EXT_NAME : BAD;
    case EXT_NAME:
        if (char_is(b, CHAR_TOKEN))
            return s;
        return b == '=' ? EXT_VALUE_START : after_extension(b, EXT_NAME_SPACE);
    case EXT_NAME_SPACE:
        if (b == '\r')
            return BAD;
        return b == '=' ? EXT_VALUE_START : after_extension(b, EXT_NAME_SPACE);
    case EXT_VALUE_START:
        if (is_space(b))
            return s;
        return b == '"' ? EXT_QUOTED : char_is(b, CHAR_TOKEN) ? EXT_VALUE : BAD;
    case EXT_VALUE:
        return char_is(b, CHAR_TOKEN) ? s : after_extension(b, EXT_SPACE);
    case EXT_QUOTED:
        if (b == '"')
            return EXT_QUOTED_END;
        return b == '\\' ? EXT_ESCAPE : char_is(b, CHAR_VALUE) ? s : BAD;
    case EXT_ESCAPE:
        return char_is(b, CHAR_VALUE) ? EXT_QUOTED : BAD;
    case EXT_QUOTED_END:
        return after_extension(b, EXT_SPACE);
    }
    return BAD;
}

static enum state step_trailer(enum state s, char b)
{
    switch ((int)s) {
    case TRAILER_START:
        return b == '\r' ? END_LF : char_is(b, CHAR_TOKEN) ? TRAILER_NAME : BAD;
    case TRAILER_NAME:
        return char_is(b, CHAR_TOKEN) ? s : b == ':' ? TRAILER_VALUE : BAD;
    case TRAILER_VALUE:
        return char_is(b, CHAR_VALUE) ? s : b == '\r' ? TRAILER_LF : BAD;
    case TRAILER_LF:
        return b == '\n' ? TRAILER_START : BAD;
    case END_LF:
        return b == '\n' ? DONE : BAD;
    }
    return BAD;
}

/* One byte of anything but chunk data. */
static enum state step(struct chunked *c, char b)
{
    enum state s = (enum state)c->state;

    if (s == SIZE)
        return step_size(c, b);
    if (s < SIZE_LF) {
        if (++c->line_bytes > MAX_EXTENSION || ++c->extension_bytes > MAX_EXTENSIONS)
            return BAD;
        return step_extension(s, b);
    }
    if (s == SIZE_LF) {
        c->digits = c->line_bytes = 0;
        return b != '\n' ? BAD : c->remaining > 0 ? DATA : TRAILER_START;
    }
    if (s == DATA_CR)
        return b == '\r' ? DATA_LF : BAD;
    if (s == DATA_LF)
        return b == '\n' ? SIZE : BAD;
    if (++c->trailer_bytes > MAX_TRAILERS)
        return BAD;
    return step_trailer(s, b);
}

enum chunked_verdict chunked_decode(struct chunked *c, char *buf, size_t n, size_t *ret_payload,
                                    size_t *ret_used)
{
    size_t in = 0, out = 0;

    while (in < n && c->state != DONE && c->state != BAD) {
        if (c->state != DATA) {
            c->state = step(c, buf[in++]);
            continue;
        }
        size_t take = n - in < c->remaining ? n - in : (size_t)c->remaining;
        if (out != in)
            memmove(buf + out, buf + in, take);
        in += take;
        out += take;
        c->remaining -= take;
        if (c->remaining == 0)
            c->state = DATA_CR;
    }
    *ret_payload = out;
    *ret_used = in;
    return c->state == DONE ? CHUNKED_DONE : c->state == BAD ? CHUNKED_BAD : CHUNKED_MORE;
}
