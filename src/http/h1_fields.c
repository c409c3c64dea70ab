/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_fields.h"

#include "http/chars.h"

#include <assert.h>

static_assert(HEADER_ID_COUNT <= 32, "struct fields keeps the ids in 32 bits");

static const uint64_t max_content_length = 1ull << 53;
enum { MAX_CONNECTION_OPTIONS = 32 };

/* RFC 9110 section 7.6.1, and Proxy, which CGI programs mistake for a setting ("httpoxy"). */
static const uint32_t hop_ids =
    FIELD_BIT(HEADER_CONNECTION) | FIELD_BIT(HEADER_KEEP_ALIVE) |
    FIELD_BIT(HEADER_PROXY_CONNECTION) | FIELD_BIT(HEADER_TE) | FIELD_BIT(HEADER_TRAILER) |
    FIELD_BIT(HEADER_TRANSFER_ENCODING) | FIELD_BIT(HEADER_UPGRADE) | FIELD_BIT(HEADER_PROXY) |
    FIELD_BIT(HEADER_PROXY_AUTHENTICATE) | FIELD_BIT(HEADER_PROXY_AUTHORIZATION);

/* End-to-end fields whose removal would change what the message means or who sent it. */
static const uint32_t never_hop_ids = FIELD_BIT(HEADER_HOST) | FIELD_BIT(HEADER_CONTENT_LENGTH) |
                                      FIELD_BIT(HEADER_TRANSFER_ENCODING) |
                                      FIELD_BIT(HEADER_AUTHORIZATION) | FIELD_BIT(HEADER_COOKIE) |
                                      FIELD_BIT(HEADER_EXPECT) | FIELD_BIT(HEADER_CONNECTION);

/* "X_Forwarded_For": CGI and its heirs read '_' and '-' as the same. */
static bool twin_of_known(struct str name)
{
    char dashed[32];

    if (name.n > sizeof(dashed))
        return false;
    for (size_t i = 0; i < name.n; i++)
        dashed[i] = name.p[i] == '_' ? '-' : name.p[i];
    return header_id((struct str){dashed, name.n}) != HEADER_OTHER;
}

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* The first byte from p on that a field value cannot have; eight at a time while they are plain. */
static const char *skip_value(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101ull, high = ones * 0x80;
    uint64_t w;

    while (end - p >= (ptrdiff_t)sizeof(w)) {
        memcpy(&w, p, sizeof(w));
        uint64_t is_del = w ^ (ones * 0x7f);
        if ((((w - ones * 0x20) & ~w) | ((is_del - ones) & ~is_del)) & high)
            break;
        p += sizeof(w);
    }
    while (char_is(*p, CHAR_VALUE))
        p++;
    return p;
}

enum reason fields_split(struct fields *f, const char *p, const char *end)
{
    /* Neither CR nor any other byte that ends a loop is a token or value byte, so the CRLF CRLF at
     * the end of the head stops every one of them. */
    while (*p != '\r') {
        const char *name = p;
        while (char_is(*p, CHAR_TOKEN))
            p++;
        if (p == name || *p != ':')
            return REASON_BAD_REQUEST;
        if (f->n == f->max)
            return REASON_HEADERS_TOO_LARGE;

        struct header *h = &f->headers[f->n++];
        h->name = (struct str){name, (size_t)(p - name)};
        const char *value = p = skip_space(p + 1);
        p = skip_value(p, end);
        if (p[0] != '\r' || p[1] != '\n')
            return REASON_BAD_REQUEST;
        const char *last = p;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        h->value = (struct str){value, (size_t)(last - value)};
        p += 2;

        h->id = (uint8_t)header_id(h->name);
        f->seen |= FIELD_BIT(h->id);
        h->hop = (hop_ids & FIELD_BIT(h->id)) != 0;
        if (h->id == HEADER_OTHER && memchr(h->name.p, '_', h->name.n))
            h->hop = twin_of_known(h->name);
    }
    return p[1] == '\n' ? REASON_NONE : REASON_BAD_REQUEST;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_TOKEN))
            return false;
    return s.n > 0;
}

static enum reason connection_option(struct fields *f, struct str option, struct connection *ret)
{
    enum header_id id = header_id(option);

    if (!is_token(option) || (never_hop_ids & FIELD_BIT(id)) != 0)
        return REASON_BAD_REQUEST;
    if (str_ieq(option, STR("close")))
        ret->close = true;
    else if (str_ieq(option, STR("keep-alive")))
        ret->keep_alive = true;
    else if (str_ieq(option, STR("upgrade")))
        ret->upgrade = true;
    else
        for (unsigned i = 0; i < f->n; i++)
            if (f->headers[i].id == id && str_ieq(f->headers[i].name, option))
                f->headers[i].hop = true;
    return REASON_NONE;
}

enum reason fields_connection(struct fields *f, struct connection *ret)
{
    unsigned options = 0;

    *ret = (struct connection){0};
    if ((f->seen & FIELD_BIT(HEADER_CONNECTION)) == 0)
        return REASON_NONE;
    for (unsigned i = 0; i < f->n; i++) {
        struct str rest = f->headers[i].value, option;

        if (f->headers[i].id != HEADER_CONNECTION)
            continue;
        while (str_next(&rest, ',', &option)) {
            enum reason reason = ++options > MAX_CONNECTION_OPTIONS
                                     ? REASON_BAD_REQUEST
                                     : connection_option(f, option, ret);
            if (reason != REASON_NONE)
                return reason;
        }
    }
    return REASON_NONE;
}

/* 1*DIGIT, bounded while it is read. */
static enum reason parse_length(struct str digits, uint64_t *ret)
{
    uint64_t value = 0;

    if (digits.n == 0)
        return REASON_BAD_REQUEST;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return REASON_BAD_REQUEST;
        if (value <= max_content_length)
            value = value * 10 + (uint64_t)(digits.p[i] - '0');
    }
    *ret = value;
    return value <= max_content_length ? REASON_NONE : REASON_BODY_TOO_LARGE;
}

/* One field value: a number, or a list of equal numbers, which is cut to its first element. */
static enum reason length_of_field(struct fields *f, struct str *value, uint64_t *ret)
{
    struct str rest = *value;
    const char *comma = memchr(rest.p, ',', rest.n);
    enum reason reason;

    if (!comma)
        return parse_length(rest, ret);
    struct str first = str_trim((struct str){rest.p, (size_t)(comma - rest.p)});
    reason = parse_length(first, ret);
    while (reason == REASON_NONE && comma) {
        uint64_t other = 0;

        rest.n -= (size_t)(comma + 1 - rest.p);
        rest.p = comma + 1;
        comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        reason = parse_length(str_trim((struct str){rest.p, n}), &other);
        if (reason == REASON_NONE && other != *ret)
            reason = REASON_BAD_REQUEST;
    }
    *value = first;
    f->merged = true;
    return reason;
}

enum reason fields_content_length(struct fields *f, uint64_t *ret_length)
{
    const struct header *first = NULL;
    uint64_t length = 0, other = 0;

    for (unsigned i = 0; i < f->n; i++) {
        struct header *h = &f->headers[i];

        if (h->id != HEADER_CONTENT_LENGTH)
            continue;
        enum reason reason = length_of_field(f, &h->value, first ? &other : &length);
        if (reason != REASON_NONE)
            return reason;
        if (first && other != length)
            return REASON_BAD_REQUEST;
        h->hop = first != NULL;
        f->merged = f->merged || first != NULL;
        first = first ? first : h;
    }
    *ret_length = length;
    return REASON_NONE;
}

enum reason fields_transfer_encoding(const struct fields *f)
{
    struct str value, rest, coding;
    bool chunked = false;

    if (fields_single(f, HEADER_TRANSFER_ENCODING, &value) != REASON_NONE)
        return REASON_BAD_REQUEST;
    if (str_ieq(value, STR("chunked")))
        return REASON_NONE;
    /* A well-formed list of other codings is not an attack, only unknown here. */
    if (value.n == 0 || value.p[0] == ',' || value.p[value.n - 1] == ',')
        return REASON_BAD_REQUEST;
    rest = value;
    while (str_next(&rest, ',', &coding)) {
        if (chunked || !is_token(coding))
            return REASON_BAD_REQUEST;
        chunked = str_ieq(coding, STR("chunked"));
    }
    return REASON_CODING_UNSUPPORTED;
}

enum reason fields_single(const struct fields *f, enum header_id id, struct str *ret)
{
    const struct header *found = NULL;

    for (unsigned i = 0; i < f->n; i++) {
        if (f->headers[i].id != id)
            continue;
        if (found)
            return REASON_BAD_REQUEST;
        found = &f->headers[i];
    }
    *ret = found ? found->value : STR_NULL;
    return REASON_NONE;
}

bool fields_list_has(const struct fields *f, enum header_id id, struct str token)
{
    if ((f->seen & FIELD_BIT(id)) == 0)
        return false;
    for (unsigned i = 0; i < f->n; i++) {
        struct str rest = f->headers[i].value, item;

        if (f->headers[i].id != id)
            continue;
        while (str_next(&rest, ',', &item))
            if (str_ieq(item, token))
                return true;
    }
    return false;
}
