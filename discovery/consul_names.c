/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_names.h"

#include <jansson.h>

int consul_names_read(struct str body, struct arena *a, struct consul_names *ret, struct err *e)
{
    json_error_t je;
    json_t *root = json_loadb(body.p ? body.p : "", body.n, 0, &je);
    size_t n = json_array_size(root);

    if (!json_is_array(root)) {
        json_decref(root);
        return err_set(e, "the answer is no list of config entries");
    }
    ret->n = 0;
    ret->names = ARENA_ARRAY(a, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(root, i), "Name"));
        char *copy;

        if (!name || !*name)
            continue;
        ret->names[ret->n++] = copy = arena_strdup(a, name);
        for (; *copy; copy++)
            *copy = ascii_lower(*copy);
    }
    json_decref(root);
    return 0;
}
