/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/failover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLACES = 3, MAX_STEPS = 8 };

/* "3/4" = 3 of 4 usable, "?" = silent, "x" = absent. */
struct step {
    unsigned at_s;
    const char *places[MAX_PLACES];
    const char
        *active; /* "0" ...; "-" = not decided; "!1" = after requests to the active one failed */
    unsigned next_s; /* when it wants to be asked again; 0 = never */
};

struct row {
    const char *name;
    unsigned min_healthy, fail_back_s;
    struct step steps[MAX_STEPS];
};

static const struct row rows[] = {
    {"the first one is used", 0, 30, {{1, {"3/3", "3/3"}, "0", 0}}},
    {"one instance is enough by default", 0, 30, {{1, {"1/9", "9/9"}, "0", 0}}},
    {"none left: at once the next one",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0}, {2, {"0/3", "3/3"}, "1", 0}}},
    {"no instance there at all", 0, 30, {{1, {"0/0", "2/2"}, "1", 0}}},
    {"too few is too few", 30, 30, {{1, {"3/10", "9/9"}, "0", 0}, {2, {"2/10", "9/9"}, "1", 0}}},
    {"all must be healthy", 100, 30, {{1, {"9/9", "1/1"}, "0", 0}, {2, {"8/9", "1/1"}, "1", 0}}},
    {"the second one is skipped when it is no better",
     50,
     30,
     {{1, {"1/4", "1/4", "4/4"}, "2", 0}}},
    {"goes back after the delay",
     0,
     30,
     {{1, {"0/3", "3/3"}, "1", 0},
      {10, {"3/3", "3/3"}, "1", 40},
      {39, {"3/3", "3/3"}, "1", 40},
      {40, {"3/3", "3/3"}, "0", 0}}},
    {"the delay begins anew",
     0,
     30,
     {{1, {"0/3", "3/3"}, "1", 0},
      {10, {"1/3", "3/3"}, "1", 40},
      {20, {"0/3", "3/3"}, "1", 0},
      {40, {"3/3", "3/3"}, "1", 70},
      {70, {"3/3", "3/3"}, "0", 0}}},
    {"no delay when the other one fails",
     0,
     30,
     {{1, {"0/3", "3/3"}, "1", 0}, {10, {"1/3", "3/3"}, "1", 40}, {11, {"1/3", "0/3"}, "0", 0}}},
    {"no delay is asked for", 0, 0, {{1, {"0/3", "3/3"}, "1", 0}, {2, {"1/3", "3/3"}, "0", 0}}},
    {"goes back to the one that is good for long enough, not to the better one that is not",
     0,
     30,
     {{1, {"0/1", "0/1", "1/1"}, "2", 0},
      {10, {"0/1", "1/1", "1/1"}, "2", 40},
      {35, {"1/1", "1/1", "1/1"}, "2", 40},
      {40, {"1/1", "1/1", "1/1"}, "1", 65},
      {65, {"1/1", "1/1", "1/1"}, "0", 0}}},
    {"none has enough: the one with most",
     50,
     30,
     {{1, {"1/9", "2/9", "1/9"}, "1", 0},
      {2, {"1/9", "1/9", "1/9"}, "1", 0},
      {3, {"2/9", "1/9", "1/9"}, "0", 0}}},
    {"none has any: stays", 0, 30, {{1, {"0/1", "1/1"}, "1", 0}, {2, {"0/1", "0/1"}, "1", 0}}},
    {"nothing anywhere from the start: the first", 0, 30, {{1, {"0/0", "0/0"}, "0", 0}}},
    {"a silent place is not an empty one",
     0,
     30,
     {{1, {"?", "3/3"}, "-", 0}, {2, {"1/3", "3/3"}, "0", 0}}},
    {"and need not be heard when a better one is", 0, 30, {{1, {"3/3", "?"}, "0", 0}}},
    {"nobody is enough, one is silent: it may be the one",
     50,
     30,
     {{1, {"1/3", "?"}, "-", 0}, {2, {"1/3", "3/3"}, "1", 0}}},
    {"an absent one is passed over, and used once heard",
     0,
     30,
     {{1, {"x", "3/3"}, "1", 0}, {2, {"3/3", "3/3"}, "0", 0}}},
    {"an absent one that turns out to be bad, then good",
     0,
     30,
     {{1, {"x", "3/3"}, "1", 0}, {2, {"0/3", "3/3"}, "1", 0}, {5, {"3/3", "3/3"}, "1", 35}}},
    {"all absent",
     0,
     30,
     {{1, {"x", "x"}, "0", 0}, {2, {"x", "0/2"}, "1", 0}, {3, {"x", "1/2"}, "1", 0}}},
    {"heard beats absent even with nothing usable", 0, 30, {{1, {"x", "0/2"}, "1", 0}}},
    {"suspect: passed over for the delay",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 40},
      {39, {"3/3", "3/3"}, "1", 40},
      {40, {"3/3", "3/3"}, "0", 0}}},
    {"suspect again: twice as long",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 40},
      {40, {"3/3", "3/3"}, "0", 0},
      {50, {"3/3", "3/3"}, "!1", 110},
      {110, {"3/3", "3/3"}, "0", 0},
      {111, {"3/3", "3/3"}, "!1", 231}}},
    {"suspect again and again: at most ten minutes",
     0,
     400,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 410},
      {410, {"3/3", "3/3"}, "0", 0},
      {420, {"3/3", "3/3"}, "!1", 1020},
      {1020, {"3/3", "3/3"}, "0", 0},
      {1030, {"3/3", "3/3"}, "!1", 1630}}},
    {"suspect long ago: as the first time",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 40},
      {40, {"3/3", "3/3"}, "0", 0},
      {641, {"3/3", "3/3"}, "!1", 671}}},
    {"suspect without a delay: not at once again",
     0,
     0,
     {{1, {"3/3", "3/3"}, "0", 0}, {10, {"3/3", "3/3"}, "!1", 15}, {15, {"3/3", "3/3"}, "0", 0}}},
    {"suspect, and there is no other",
     0,
     30,
     {{1, {"3/3", "0/3"}, "0", 0}, {10, {"3/3", "0/3"}, "!0", 40}, {20, {"3/3", "1/3"}, "1", 40}}},
    {"all are suspect: stays",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 40},
      {20, {"3/3", "3/3"}, "!1", 40},
      {40, {"3/3", "3/3"}, "0", 0}}},
    {"the others are no place at all",
     0,
     30,
     {{1, {"3/3", "?", "x"}, "0", 0}, {10, {"3/3", "?", "x"}, "!0", 40}}},
    {"suspect and then bad by Consul's word too: comes back when both are over",
     0,
     30,
     {{1, {"3/3", "3/3"}, "0", 0},
      {10, {"3/3", "3/3"}, "!1", 40},
      {30, {"0/3", "3/3"}, "1", 0},
      {35, {"3/3", "3/3"}, "1", 65},
      {65, {"3/3", "3/3"}, "0", 0}}},
    {"the active one fails while a silent one comes before: the one that is known",
     0,
     30,
     {{1, {"1/1", "?", "1/1"}, "0", 0},
      {2, {"0/1", "?", "1/1"}, "2", 0},
      {3, {"0/1", "1/1", "1/1"}, "1", 0}}},
};

static struct failover_fact fact(const char *text)
{
    struct failover_fact f = {.state = PLACE_HEARD};

    if (*text == '?')
        f.state = PLACE_SILENT;
    else if (*text == 'x')
        f.state = PLACE_ABSENT;
    else
        assert_int_equal(sscanf(text, "%u/%u", &f.usable, &f.total), 2);
    return f;
}

static void run(const struct row *row)
{
    struct failover_options o = {row->min_healthy, row->fail_back_s * 1000ull};
    struct failover f;
    size_t n = 0;

    while (n < MAX_PLACES && row->steps[0].places[n])
        n++;
    failover_init(&f, n);
    for (const struct step *s = row->steps; s < row->steps + MAX_STEPS && s->active; s++) {
        struct failover_fact facts[MAX_PLACES];
        bool was_decided = f.decided, moved;
        size_t before = f.active;
        char active[24] = "-";

        if (s->active[0] == '!')
            failover_suspect(&f, &o, s->at_s * NS_PER_S);
        for (size_t i = 0; i < n; i++)
            facts[i] = fact(s->places[i]);
        moved = failover_judge(&f, &o, facts, s->at_s * NS_PER_S);
        if (f.decided)
            snprintf(active, sizeof active, "%zu", f.active);
        if (strcmp(active, s->active + (s->active[0] == '!')) != 0)
            fail_msg("%s: at %u s: %s, not %s", row->name, s->at_s, active, s->active);
        if (f.next_ns != s->next_s * NS_PER_S)
            fail_msg("%s: at %u s: next at %lu ns", row->name, s->at_s, (unsigned long)f.next_ns);
        assert_int_equal(moved, f.decided && (!was_decided || f.active != before));
        if (moved)
            assert_int_equal(f.since_ns, s->at_s * NS_PER_S);
    }
    failover_release(&f);
}

static void the_right_place_is_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        run(&rows[i]);
}

static void moves_are_counted(void **state)
{
    struct failover_options o = {0, 0};
    struct failover_fact good[] = {{PLACE_HEARD, 1, 1}, {PLACE_HEARD, 1, 1}},
                         bad[] = {{PLACE_HEARD, 0, 1}, {PLACE_HEARD, 1, 1}};
    struct failover f;

    (void)state;
    failover_init(&f, 2);
    failover_judge(&f, &o, good, 1);
    assert_int_equal(f.moves, 0);
    failover_judge(&f, &o, bad, 2);
    failover_judge(&f, &o, bad, 3);
    failover_judge(&f, &o, good, 4);
    assert_int_equal(f.moves, 2);
    failover_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_place_is_used),
        cmocka_unit_test(moves_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
