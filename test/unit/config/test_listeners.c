/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static struct config *parse(const char *text, struct err *e)
{
    return config_parse("test.yaml", text, strlen(text), e);
}

static void admin_keeps_its_files(void **state)
{
    struct err e = {""};
    struct config *c = parse("admin:\n"
                             "  address: localhost:9999\n"
                             "  token_file: /etc/t\n"
                             "  tls: { cert: c.pem, key: k.pem, client_ca: ca.pem }\n",
                             &e);

    (void)state;
    if (!c)
        fail_msg("%s", e.text);
    assert_string_equal(c->admin.address, "localhost:9999");
    assert_string_equal(c->admin.host, "127.0.0.1");
    assert_int_equal(c->admin.port, 9999);
    assert_string_equal(c->admin.token_file, "/etc/t");
    assert_string_equal(c->admin.tls_cert, "c.pem");
    assert_string_equal(c->admin.tls_key, "k.pem");
    assert_string_equal(c->admin.tls_client_ca, "ca.pem");
    config_unref(&c);
}

static void admin_defaults_write_nothing(void **state)
{
    struct err e = {""};
    struct config *c = parse("", &e);

    (void)state;
    assert_non_null(c);
    assert_string_equal(c->admin.address, "127.0.0.1:9901");
    assert_null(c->admin.token_file);
    assert_null(c->admin.tls_cert);
    config_unref(&c);
    c = parse("admin: false", &e);
    assert_non_null(c);
    assert_null(c->admin.address);
    config_unref(&c);
}

static void mistakes_are_named(void **state)
{
    static const char *const rows[][2] = {
        {"admin: {tls: {cert: c.pem}}", "cert and key belong together"},
        {"admin: {tls: {key: k.pem}}", "cert and key belong together"},
        {"admin: {tls: {client_ca: ca.pem}}", "cert and key belong together"},
        {"admin: {tls: {cert: \"\", key: k}}", "is not a file name"},
        {"admin: {token_file: \"\"}", "is not a file name"},
        {"admin: {tokenfile: t}", "did you mean token_file?"},
        {"admin: {address: \"gateway:9901\"}", "expected an IP address and port"},
        {"listeners: [{address: \":80\"}, {address: \":80\"}]", "is there twice"},
        {"listeners: [{}]", "a listener needs an address"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct config *c = parse(rows[i][0], &e);

        if (c || !strstr(e.text, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admin_keeps_its_files),
        cmocka_unit_test(admin_defaults_write_nothing),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
