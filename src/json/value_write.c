/* SPDX-License-Identifier: Apache-2.0 */
#include "json/utf8.h"
#include "json/value.h"

/* A name was decoded when it was read. */
static bool write_name(struct str name, struct bytes *to)
{
    size_t from = 0;

    if (!bytes_add(to, "\"", 1))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        char escape[] = "\\u0000";
        size_t n = 2;

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        escape[1] = (char)c;
        if (c < 0x20) {
            escape[1] = 'u';
            escape[4] = "01"[c >> 4];
            escape[5] = "0123456789abcdef"[c & 15];
            n = 6;
        }
        if (!bytes_add(to, name.p + from, i - from) || !bytes_add(to, escape, n))
            return false;
        from = i + 1;
    }
    return bytes_add(to, name.p + from, name.n - from) && bytes_add(to, "\"", 1);
}

static bool write_array(const struct value *v, size_t max, struct bytes *to)
{
    for (size_t i = 0; i < v->n; i++)
        if (!bytes_add(to, i > 0 ? "," : "[", 1) || !value_write(v->items[i], max, to))
            return false;
    return v->n > 0 ? bytes_add(to, "]", 1) : bytes_add(to, "[]", 2);
}

static bool write_object(const struct value *v, size_t max, struct bytes *to)
{
    for (size_t i = 0; i < v->n; i++)
        if (!bytes_add(to, i > 0 ? "," : "{", 1) || !write_name(v->members[i].name, to) ||
            !bytes_add(to, ":", 1) || !value_write(v->members[i].value, max, to))
            return false;
    return v->n > 0 ? bytes_add(to, "}", 1) : bytes_add(to, "{}", 2);
}

bool value_write(const struct value *v, size_t max, struct bytes *to)
{
    if (bytes_len(to) > max)
        return false;
    switch (v->kind) {
    case VALUE_NULL:
        return bytes_add_str(to, STR("null"));
    case VALUE_FALSE:
        return bytes_add_str(to, STR("false"));
    case VALUE_TRUE:
        return bytes_add_str(to, STR("true"));
    case VALUE_NUMBER:
        return bytes_add_str(to, v->text);
    case VALUE_STRING:
        return bytes_add(to, "\"", 1) && bytes_add_str(to, v->text) && bytes_add(to, "\"", 1);
    case VALUE_ARRAY:
        return write_array(v, max, to);
    case VALUE_OBJECT:
        break;
    }
    return write_object(v, max, to);
}
