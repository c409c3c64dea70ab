/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_client_text.h"
#include "http/chars.h"

static nghttp2_nv field(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

/* Next line without its end; false when there is none. */
static bool next_line(char **at, char *end, struct str *ret)
{
    char *lf = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;

    if (!lf)
        return false;
    *ret = (struct str){*at, (size_t)(lf - *at)};
    if (ret->n > 0 && lf[-1] == '\r')
        ret->n--;
    *at = lf + 1;
    return ret->n > 0;
}

/* Splits "Name: value", the name in lower case. */
static bool split(struct str line, struct str *ret_name, struct str *ret_value)
{
    char *colon = memchr(line.p, ':', line.n);

    if (!colon || colon == line.p)
        return false;
    for (char *p = (char *)line.p; p < colon; p++)
        *p = ascii_lower(*p);
    *ret_name = (struct str){line.p, (size_t)(colon - line.p)};
    *ret_value = str_trim((struct str){colon + 1, line.n - ret_name->n - 1});
    return true;
}

/* What belongs to a connection of HTTP/1.1 (RFC 9113 section 8.2.2). */
static bool is_of_connection(struct str name, struct str value)
{
    static const struct str names[] = {STR("connection"), STR("keep-alive"), STR("upgrade"),
                                       STR("transfer-encoding"), STR("proxy-connection")};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_eq(name, STR("te")) && !str_ieq(value, STR("trailers"));
}

static bool is_framing(struct str name)
{
    return str_eq(name, STR("content-length")) || str_eq(name, STR("host")) ||
           str_eq(name, STR("te")) || str_eq(name, STR("trailer"));
}

/* Pseudo-fields come first, so the host's place is kept free for :authority. */
int h2_request_fields(char *text, size_t n, struct str scheme, nghttp2_nv fields[H2_MAX_FIELDS],
                      size_t *ret_n)
{
    enum { METHOD, SCHEME, PATH, AUTHORITY, PSEUDO };
    char *at = text, *end = text + n;
    struct str line, name, value, method, path;
    size_t count = PSEUDO;

    if (!next_line(&at, end, &line) || !str_next(&line, ' ', &method) ||
        !str_next(&line, ' ', &path))
        return -1;
    fields[METHOD] = field(STR(":method"), method);
    fields[SCHEME] = field(STR(":scheme"), scheme);
    fields[PATH] = field(STR(":path"), path);
    fields[AUTHORITY] = field(STR(":authority"), STR(""));
    while (next_line(&at, end, &line)) {
        if (!split(line, &name, &value) || count == H2_MAX_FIELDS)
            return -1;
        if (str_eq(name, STR("host")))
            fields[AUTHORITY] = field(STR(":authority"), value);
        else if (!is_of_connection(name, value))
            fields[count++] = field(name, value);
    }
    *ret_n = count;
    return 0;
}

int h2_trailer_fields(char *text, size_t n, nghttp2_nv fields[H2_MAX_FIELDS], size_t *ret_n)
{
    char *at = text, *end = text + n;
    struct str line, name, value;

    *ret_n = 0;
    while (next_line(&at, end, &line)) {
        if (!split(line, &name, &value) || *ret_n == H2_MAX_FIELDS)
            return -1;
        if (!is_of_connection(name, value) && !is_framing(name))
            fields[(*ret_n)++] = field(name, value);
    }
    return 0;
}
