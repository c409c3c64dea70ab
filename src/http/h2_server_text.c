/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_server_text.h"
#include "http/chars.h"
#include "http/h2_lines.h"

#include <stdio.h>
#include <string.h>

static const struct str pseudo_names[H2_PSEUDOS] = {
    [H2_METHOD] = STR(":method"),
    [H2_SCHEME] = STR(":scheme"),
    [H2_AUTHORITY] = STR(":authority"),
    [H2_PATH] = STR(":path"),
};

static struct str pseudo(const struct h2_head *h, enum h2_pseudo which)
{
    if (h->values[which].n == 0)
        return STR("");
    return (struct str){h->pseudo.p + h->values[which].at, h->values[which].n};
}

static bool all(struct str s, unsigned classes)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], classes))
            return false;
    return true;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is(s.p[i], CHAR_TOKEN) || (s.p[i] >= 'A' && s.p[i] <= 'Z'))
            return false;
    return s.n > 0;
}

/* Section 8.2.1: the parser behind would take blanks at the ends off, and others would not. */
static bool is_value(struct str s)
{
    return all(s, CHAR_VALUE) && (s.n == 0 || (s.p[0] != ' ' && s.p[0] != '\t' &&
                                               s.p[s.n - 1] != ' ' && s.p[s.n - 1] != '\t'));
}

static int add_pseudo(struct h2_head *h, struct str name, struct str value)
{
    for (unsigned i = 0; i < H2_PSEUDOS; i++) {
        if (!str_eq(name, pseudo_names[i]))
            continue;
        if (h->values[i].is_there || h->regular)
            break;
        h->values[i].is_there = true;
        h->values[i].at = h->pseudo.end;
        h->values[i].n = value.n;
        return bytes_add_str(&h->pseudo, value) ? 0 : -1;
    }
    h->malformed = true;
    return 0;
}

static int add_line(struct bytes *to, struct str name, struct str value)
{
    return bytes_add_str(to, name) && bytes_add_str(to, STR(": ")) && bytes_add_str(to, value) &&
                   bytes_add_str(to, STR("\r\n"))
               ? 0
               : -1;
}

static int add_crumb(struct h2_head *h, struct str value)
{
    return (bytes_len(&h->cookie) == 0 || bytes_add_str(&h->cookie, STR("; "))) &&
                   bytes_add_str(&h->cookie, value)
               ? 0
               : -1;
}

/* One that is the authority again says nothing new; any other is somebody else's. */
static int add_host(struct h2_head *h, struct str value)
{
    h->malformed |= h->has_host ||
                    (h->values[H2_AUTHORITY].is_there && !str_ieq(value, pseudo(h, H2_AUTHORITY)));
    h->has_host = true;
    return h->values[H2_AUTHORITY].is_there ? 0 : add_line(&h->fields, STR("host"), value);
}

static int add_regular(struct h2_head *h, struct str name, struct str value)
{
    h->regular = true;
    if (!is_name(name) || !is_value(value) || h2_is_of_connection(name, value)) {
        h->malformed = true;
        return 0;
    }
    if (str_eq(name, STR("cookie")))
        return add_crumb(h, value);
    if (str_eq(name, STR("host")))
        return add_host(h, value);
    h->has_length |= str_eq(name, STR("content-length"));
    return add_line(&h->fields, name, value);
}

int h2_head_add(struct h2_head *h, struct str name, struct str value, size_t limit)
{
    if (h->malformed || h->too_large)
        return 0;
    /* The parser is to see that the limit is passed, so what passes it is kept. */
    h->too_large = h->pseudo.end + h->fields.end + h->cookie.end > limit;
    if (name.n > 0 && name.p[0] == ':')
        return add_pseudo(h, name, value);
    return add_regular(h, name, value);
}

static bool is_http(struct str scheme)
{
    return str_ieq(scheme, STR("http")) || str_ieq(scheme, STR("https"));
}

/* Sections 8.3.1 and 8.5. Only a path is a target here: no address that an HTTP/1.1 parser would
 * take for another authority. */
static bool is_complete(const struct h2_head *h)
{
    struct str method = pseudo(h, H2_METHOD), path = pseudo(h, H2_PATH);

    if (method.n == 0 || !all(method, CHAR_TOKEN) || !all(pseudo(h, H2_AUTHORITY), CHAR_TARGET))
        return false;
    if (str_eq(method, STR("CONNECT")))
        return h->values[H2_AUTHORITY].n > 0 && !h->values[H2_PATH].is_there &&
               !h->values[H2_SCHEME].is_there;
    return is_http(pseudo(h, H2_SCHEME)) && path.n > 0 && all(path, CHAR_TARGET) &&
           (path.p[0] == '/' || (str_eq(path, STR("*")) && str_eq(method, STR("OPTIONS"))));
}

static int add_request_line(const struct h2_head *h, struct bytes *to)
{
    struct str method = pseudo(h, H2_METHOD);
    bool connects = str_eq(method, STR("CONNECT"));

    if (!bytes_add_str(to, method) || !bytes_add_str(to, STR(" ")) ||
        !bytes_add_str(to, pseudo(h, connects ? H2_AUTHORITY : H2_PATH)) ||
        !bytes_add_str(to, STR(" HTTP/1.1\r\n")))
        return -1;
    return h->values[H2_AUTHORITY].is_there ? add_line(to, STR("host"), pseudo(h, H2_AUTHORITY))
                                            : 0;
}

static int add_framing(const struct h2_head *h, enum h2_body body, uint64_t length,
                       struct bytes *to)
{
    char text[32];

    if (h->has_length || body == H2_BODY_NONE)
        return 0;
    if (body == H2_BODY_OPEN)
        return add_line(to, STR("transfer-encoding"), STR("chunked"));
    snprintf(text, sizeof text, "%llu", (unsigned long long)length);
    return add_line(to, STR("content-length"), str_of(text));
}

bool h2_head_is_good(struct h2_head *h)
{
    if (!h->too_large && !is_complete(h))
        h->malformed = true;
    return !h->malformed;
}

int h2_head_end(struct h2_head *h, enum h2_body body, uint64_t length, struct bytes *to)
{
    if (add_request_line(h, to) < 0 || !bytes_add_str(to, bytes_str(&h->fields)) ||
        (bytes_len(&h->cookie) > 0 && add_line(to, STR("cookie"), bytes_str(&h->cookie)) < 0))
        return -1;
    if (h->too_large)
        return 0;
    return add_framing(h, body, length, to) == 0 && bytes_add_str(to, STR("\r\n")) ? 0 : -1;
}

void h2_head_free(struct h2_head *h)
{
    bytes_free(&h->pseudo);
    bytes_free(&h->fields);
    bytes_free(&h->cookie);
}

void h2_head_reuse(struct h2_head *h, size_t keep)
{
    struct h2_head fresh = {.pseudo = h->pseudo, .fields = h->fields, .cookie = h->cookie};

    bytes_reuse(&fresh.pseudo, keep);
    bytes_reuse(&fresh.fields, keep);
    bytes_reuse(&fresh.cookie, keep);
    *h = fresh;
}

int h2_answer_fields(char *text, size_t n, unsigned *ret_status,
                     nghttp2_nv fields[H2_MAX_ANSWER_FIELDS], size_t *ret_n)
{
    char *at = text, *end = text + n;
    struct str line, name, value, version, status;
    uint64_t number;
    size_t count = 0;

    if (!h2_next_line(&at, end, &line) || !str_next(&line, ' ', &version) ||
        !str_next(&line, ' ', &status) || status.n != 3 || !str_to_u64(status, &number))
        return -1;
    *ret_status = (unsigned)number;
    fields[count++] = h2_field(STR(":status"), status);
    while (h2_next_line(&at, end, &line)) {
        if (!h2_split_line(line, &name, &value) || count == H2_MAX_ANSWER_FIELDS)
            return -1;
        if (!h2_is_of_connection(name, value))
            fields[count++] = h2_field(name, value);
    }
    *ret_n = count;
    return 0;
}
