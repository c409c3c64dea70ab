/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_peers.h"

#include <jansson.h>

static json_t *read_list(struct str text)
{
    json_t *list = json_loadb(text.p ? text.p : "", text.n, 0, NULL);

    if (json_is_string(json_array_get(list, 0)))
        return list;
    json_decref(list);
    return NULL;
}

static bool holds(const json_t *list, const json_t *address)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && json_equal(item, address))
            return true;
    }
    return false;
}

enum consul_kin consul_peers_compare(const char *before, struct str now)
{
    json_t *mine = read_list(str_of(before)), *theirs = read_list(now);
    enum consul_kin kin = !theirs ? CONSUL_KIN_UNKNOWN
                          : mine  ? CONSUL_KIN_STRANGER
                                  : CONSUL_KIN_SAME;

    for (size_t i = 0; i < json_array_size(theirs) && mine; i++)
        if (holds(mine, json_array_get(theirs, i)))
            kin = CONSUL_KIN_SAME;
    json_decref(mine);
    json_decref(theirs);
    return kin;
}
