/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/documents.h"
#include "fixture.h"

/* Which worker speaks for all, where since_ns is in milliseconds after the start; 0 = never. */
static void the_worst_worker_speaks(void **state)
{
    static const struct {
        const char *name;
        struct proxy_shedding workers[3];
        unsigned speaks;
    } rows[] = {
        {"nobody ever", {{0, 0}, {0, 0}, {0, 0}}, 0},
        {"the highest level", {{1, 1}, {3, 9}, {2, 2}}, 1},
        {"though it is the last", {{0, 1}, {0, 2}, {1, 3}}, 2},
        {"of two, the one that is so for longest", {{0, 1}, {2, 7}, {2, 5}}, 2},
        {"at rest, the one that was not until just now", {{0, 4}, {0, 8}, {0, 0}}, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gateway g;
        struct look l;
        json_t *doc, *part, *workers;

        gateway_init(&g);
        g.workers.overload.nworkers = 3;
        for (int w = 0; w < 3; w++) {
            uint64_t ms = rows[i].workers[w].since_ns;

            g.workers.overload.workers[w].level = rows[i].workers[w].level;
            g.workers.overload.workers[w].since_ns = ms ? g.sources.started_ns + ms * NS_PER_MS : 0;
        }
        g.workers.overload.refused[2] = 5;
        l = look_now(&g.sources);
        doc = status_document(&l);
        part = json_object_get(doc, "overload");
        workers = json_object_get(part, "workers");
        assert_int_equal(json_array_size(workers), 3);
        if (!json_equal(json_object_get(part, "since"),
                        json_object_get(json_array_get(workers, rows[i].speaks), "since")) ||
            json_integer_value(json_object_get(part, "level")) !=
                rows[i].workers[rows[i].speaks].level)
            fail_msg("%s: %s", rows[i].name, json_dumps(part, 0));
        part = json_object_get(part, "shed");
        assert_int_equal(json_integer_value(json_object_get(part, "low")), 0);
        assert_int_equal(json_integer_value(json_object_get(part, "high")), 5);
        json_decref(doc);
        gateway_release(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_worst_worker_speaks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
