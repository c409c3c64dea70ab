/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_lines.h"
#include "http/chars.h"

nghttp2_nv h2_field(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n, value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

bool h2_next_line(char **at, char *end, struct str *ret)
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

bool h2_split_line(struct str line, struct str *ret_name, struct str *ret_value)
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

bool h2_is_of_connection(struct str name, struct str value)
{
    static const struct str names[] = {STR("connection"), STR("keep-alive"), STR("upgrade"),
                                       STR("transfer-encoding"), STR("proxy-connection")};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_eq(name, STR("te")) && !str_ieq(value, STR("trailers"));
}
