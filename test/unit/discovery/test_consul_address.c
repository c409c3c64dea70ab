/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/consul_address.h"

#include <string.h>

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void addresses_are_understood(void **state)
{
    static const struct {
        const char *name, *text, *server_name;
        const char *url, *unix_path, *connect_to;
        bool https;
    } rows[] = {
        {"plain", "http://127.0.0.1:8500", NULL, "http://127.0.0.1:8500", NULL, NULL, false},
        {"without a scheme", "consul:8500", NULL, "http://consul:8500", NULL, NULL, false},
        {"slash at the end", "https://consul:8501/", NULL, "https://consul:8501", NULL, NULL, true},
        {"below a path", "http://proxy/consul/", NULL, "http://proxy/consul", NULL, NULL, false},
        {"unix", "unix:///run/c.sock", NULL, "http://localhost", "/run/c.sock", NULL, false},
        {"a name for the certificate", "https://127.0.0.1:8501", "server.dc1.consul",
         "https://server.dc1.consul:8501", NULL, "127.0.0.1:8501", true},
        {"a name, the usual port", "https://10.0.0.1", "consul.example", "https://consul.example",
         NULL, "10.0.0.1:443", true},
        {"a name, IPv6", "https://[::1]:8501", "consul.example", "https://consul.example:8501",
         NULL, "[::1]:8501", true},
        {"a name without TLS", "http://127.0.0.1:8500", "consul.example", "http://127.0.0.1:8500",
         NULL, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_address a;
        struct err e;

        if (consul_address_init(&a, rows[i].text, rows[i].server_name, &e) < 0)
            fail_msg("%s: %s", rows[i].name, e.text);
        if (!same(a.text, rows[i].text) || !same(a.url, rows[i].url) ||
            !same(a.unix_path, rows[i].unix_path) || !same(a.connect_to, rows[i].connect_to) ||
            a.https != rows[i].https)
            fail_msg("%s: %s %s %s", rows[i].name, a.url, a.unix_path ? a.unix_path : "-",
                     a.connect_to ? a.connect_to : "-");
        consul_address_release(&a);
    }
}

static void others_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "address"},
        {"ftp://consul", "expected http"},
        {"unix://run/c.sock", "unix:///path"},
        {"http://me:secret@consul", "credentials do not belong"},
        {"http://consul?token=secret", "no query"},
        {"http://con sul", "consul address"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct consul_address a;
        struct err e;

        if (consul_address_init(&a, rows[i].text, NULL, &e) == 0)
            fail_msg("%s: taken", rows[i].text);
        if (!strstr(e.text, rows[i].why))
            fail_msg("%s: %s", rows[i].text, e.text);
        if (strstr(rows[i].text, "me:") && strstr(e.text, "secret"))
            fail_msg("a password is repeated: %s", e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_understood),
        cmocka_unit_test(others_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
