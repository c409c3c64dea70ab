/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/json_strict.h"

/* How deep lists and objects lie in each other; in text that is no JSON, some number. */
static unsigned depth_of(struct str text)
{
    unsigned depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum json_strict json_strict(struct str text, unsigned max_depth, json_t **ret)
{
    json_error_t e;
    json_t *value;

    if (depth_of(text) > max_depth)
        return JSON_STRICT_DEPTH;
    value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!value)
        return json_error_code(&e) == json_error_duplicate_key ? JSON_STRICT_DUPLICATE
                                                               : JSON_STRICT_BROKEN;
    *ret = value;
    return JSON_STRICT_OK;
}
