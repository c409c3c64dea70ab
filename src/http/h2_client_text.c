/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_client_text.h"
#include "http/h2_lines.h"

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

    if (!h2_next_line(&at, end, &line) || !str_next(&line, ' ', &method) ||
        !str_next(&line, ' ', &path))
        return -1;
    fields[METHOD] = h2_field(STR(":method"), method);
    fields[SCHEME] = h2_field(STR(":scheme"), scheme);
    fields[PATH] = h2_field(STR(":path"), path);
    fields[AUTHORITY] = h2_field(STR(":authority"), STR(""));
    while (h2_next_line(&at, end, &line)) {
        if (!h2_split_line(line, &name, &value) || count == H2_MAX_FIELDS)
            return -1;
        if (str_eq(name, STR("host")))
            fields[AUTHORITY] = h2_field(STR(":authority"), value);
        else if (!h2_is_of_connection(name, value))
            fields[count++] = h2_field(name, value);
    }
    *ret_n = count;
    return 0;
}

int h2_trailer_fields(char *text, size_t n, nghttp2_nv fields[H2_MAX_FIELDS], size_t *ret_n)
{
    char *at = text, *end = text + n;
    struct str line, name, value;

    *ret_n = 0;
    while (h2_next_line(&at, end, &line)) {
        if (!h2_split_line(line, &name, &value) || *ret_n == H2_MAX_FIELDS)
            return -1;
        if (!h2_is_of_connection(name, value) && !is_framing(name))
            fields[(*ret_n)++] = h2_field(name, value);
    }
    return 0;
}
