/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

static int clear_environment(void **state)
{
    (void)state;
    return unsetenv("STATE_DIRECTORY");
}

static void the_directory_is_the_files_or_systemds(void **state)
{
    static const struct {
        const char *file, *env, *dir;
    } rows[] = {
        {"{}", NULL, NULL},
        {"{}", "", NULL},
        {"{}", "/var/lib/frontdesk", "/var/lib/frontdesk"},
        {"{}", "/var/lib/one:/var/lib/two", "/var/lib/one"},
        {"{}", "not/absolute", NULL},
        {"state_dir: /srv/state", NULL, "/srv/state"},
        {"state_dir: /srv/state", "/var/lib/frontdesk", "/srv/state"},
        {"state_dir: off", "/var/lib/frontdesk", NULL},
        {"state_dir: false", "/var/lib/frontdesk", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;

        if (rows[i].env)
            setenv("STATE_DIRECTORY", rows[i].env, 1);
        c = parse_ok(rows[i].file);
        if (rows[i].dir)
            assert_string_equal(c->state_dir, rows[i].dir);
        else
            assert_null(c->state_dir);
        config_unref(&c);
    }
}

static void what_is_no_directory_is_refused(void **state)
{
    static const struct refusal rows[] = {
        {"state_dir: var/lib", "t.yaml:1: state_dir: expected the absolute path of a directory"},
        {"state_dir: [a]", "state_dir: expected the absolute path"},
        {"state_dir: \"\"", "state_dir: expected the absolute path"},
    };

    (void)state;
    parse_refused(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_directory_is_the_files_or_systemds, clear_environment),
        cmocka_unit_test_setup(what_is_no_directory_is_refused, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
