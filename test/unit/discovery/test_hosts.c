/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct name_answer v4, v6;

static const char text[] = "# the machine itself\n"
                           "127.0.0.1\tlocalhost web.local # web.remark\n"
                           "::1 localhost ip6-localhost\r\n"
                           "\n"
                           "10.0.0.1 web.local\n"
                           "10.0.0.999 bad.local\n"
                           "fe80::1%lo zone.local\n"
                           "10.0.0.2\n"
                           " 10.0.0.3 indented.local\n"
                           "10.0.0.4 last.local";

static void names_in_a_text(void **state)
{
    static const struct {
        const char *name;
        unsigned n4, n6;
        const char *first;
    } rows[] = {
        {"localhost", 1, 1, "127.0.0.1"},
        {"LocalHost", 1, 1, "127.0.0.1"},
        {"localhost.", 1, 1, "127.0.0.1"},
        {"web.local", 2, 0, "127.0.0.1"},
        {"web.remark", 0, 0, NULL},
        {"bad.local", 0, 0, NULL},
        {"zone.local", 0, 0, NULL},
        {"indented.local", 1, 0, "10.0.0.3"},
        {"last.local", 1, 0, "10.0.0.4"},
        {"10.0.0.2", 0, 0, NULL},
        {"", 0, 0, NULL},
        {"local", 0, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool found = hosts_find_in(str_of(text), rows[i].name, &v4, &v6);
        char first[INET6_ADDRSTRLEN] = "";

        if (found != (rows[i].n4 + rows[i].n6 > 0) || v4.n != rows[i].n4 || v6.n != rows[i].n6)
            fail_msg("\"%s\": %u and %u", rows[i].name, v4.n, v6.n);
        assert_int_equal(v4.outcome, v4.n ? NAME_FOUND : NAME_NONE);
        assert_int_equal(v6.outcome, v6.n ? NAME_FOUND : NAME_NONE);
        if (rows[i].first)
            assert_string_equal(inet_ntop(AF_INET, &v4.addresses[0], first, sizeof first),
                                rows[i].first);
    }
}

static void no_more_than_there_is_room_for(void **state)
{
    char many[8000];
    size_t n = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "10.0.1.%u many.local\n", i);
    assert_true(hosts_find_in((struct str){many, n}, "many.local", &v4, &v6));
    assert_int_equal(v4.n, NAME_ADDRESSES_MAX);
}

static void write_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_changed_file_is_read_again(void **state)
{
    char path[] = P_tmpdir "/frontdesk-hosts-XXXXXX";
    int fd = mkstemp(path);
    struct hosts *h;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    h = hosts_new(path);
    assert_false(hosts_find(h, "a.local", &v4, &v6));
    write_file(path, "10.0.0.1 a.local\n");
    assert_true(hosts_find(h, "a.local", &v4, &v6));
    write_file(path, "10.0.0.1 a.local b.local\n");
    assert_true(hosts_find(h, "b.local", &v4, &v6));
    unlink(path);
    assert_false(hosts_find(h, "a.local", &v4, &v6));
    hosts_free(h);
    hosts_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_a_text),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(a_changed_file_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
