/* SPDX-License-Identifier: Apache-2.0 */
/* overload.c - `overload:`, when the gateway itself has more to do than it can, and `importance:`
 * of routes, whose requests then go first. */
#include "config/sections.h"
#include "config/value.h"

static const char *const importance_words[IMPORTANCES] = {"low", "normal", "high", "critical"};

const char *importance_name(enum importance i)
{
    return importance_words[i - IMPORTANCE_LOW];
}

bool importance_parse(struct str word, enum importance *ret)
{
    for (int i = 0; i < IMPORTANCES; i++)
        if (str_eq(word, str_of(importance_words[i]))) {
            *ret = (enum importance)(IMPORTANCE_LOW + i);
            return true;
        }
    return false;
}

int importance_read(struct reader *r, const struct node *n, void *at)
{
    if (n->kind == NODE_TEXT && importance_parse(str_of(n->text), at))
        return 0;
    return node_expected(n, r->err, "one of `low`, `normal`, `high`, `critical`");
}

static const struct field overload_fields[] = {
    BOOLEAN("enabled", overload_conf, enabled, "true",
            "Refuse requests of less important routes (`shed`) while the gateway is saturated."),
    DURATION("target", overload_conf, target_ms, 10, MINUTES, "50ms",
             "How late the event loop of a worker may be. It is saturated when it was later than "
             "that during the whole `interval`."),
    DURATION("interval", overload_conf, interval_ms, 20, MINUTES, "100ms",
             "How long it must last before anything is refused, and before more is."),
};
const struct section overload_section = {overload_fields, ARRAY_LEN(overload_fields)};
