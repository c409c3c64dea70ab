/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/place.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    struct discovery_place place;
    const char *key, *path, *suffix, *label;
    bool special;
} rows[] = {
    {"plain",
     {.service = "Web"},
     "?service=web&",
     "/v1/health/service/Web",
     "stale&dc=dc1&",
     "local",
     false},
    {"datacenter",
     {.service = "web", .datacenter = "dc2"},
     "?service=web&dc=dc2&",
     "/v1/health/service/web",
     "stale&dc=dc2&",
     "dc2",
     true},
    {"another service",
     {.service = "web-backup"},
     "?service=web-backup&",
     "/v1/health/service/web-backup",
     "stale&dc=dc1&",
     "web-backup",
     false},
    {"another service elsewhere",
     {.service = "web backup/x", .datacenter = "dc2"},
     "?service=web%20backup%2Fx&dc=dc2&",
     "/v1/health/service/web%20backup%2Fx",
     "stale&dc=dc2&",
     "web backup/x in dc2",
     true},
    {"filter",
     {.service = "web", .filter = "Service.Meta.v == 2", .only_passing = true},
     "?service=web&filter=Service.Meta.v%20%3D%3D%202&passing&",
     "/v1/health/service/web",
     "stale&dc=dc1&filter=Service.Meta.v%20%3D%3D%202&",
     "local where Service.Meta.v == 2",
     true},
    {"peer",
     {.service = "web", .peer = "east"},
     "?service=web&peer=east&",
     "/v1/health/service/web",
     "stale&dc=dc1&peer=east&",
     "peer east",
     true},
    {"namespace and partition",
     {.service = "web", .datacenter = "dc2", .ns = "a", .partition = "b"},
     "?service=web&dc=dc2&ns=a&partition=b&",
     "/v1/health/service/web",
     "stale&dc=dc2&ns=a&partition=b&",
     "dc2, namespace a, partition b",
     true},
    {"prepared query",
     {.query = "web any"},
     "?query=web%20any&",
     "/v1/query/web%20any/execute",
     "stale&dc=dc1&",
     "query web any",
     true},
};

static void check(const char *name, char *made, const char *expected)
{
    if (strcmp(made, expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, made, expected);
    free(made);
}

static void places_are_asked_for_known_and_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct discovery_place *p = &rows[i].place;

        check(rows[i].name, place_key(p), rows[i].key);
        check(rows[i].name, place_path(p), rows[i].path);
        check(rows[i].name, place_suffix(p, true, "dc1"), rows[i].suffix);
        check(rows[i].name, place_label(p, "web"), rows[i].label);
        assert_int_equal(place_is_special(p), rows[i].special);
    }
}

static void nothing_is_added_that_was_not_said(void **state)
{
    (void)state;
    check("none", place_suffix(&(struct discovery_place){.service = "web"}, false, NULL), "");
    check("empty", place_suffix(&(struct discovery_place){.service = "web", .ns = ""}, false, ""),
          "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_asked_for_known_and_shown),
        cmocka_unit_test(nothing_is_added_that_was_not_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
