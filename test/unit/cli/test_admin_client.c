/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *address;
        bool good;
    } rows[] = {
        {"127.0.0.1:9901", true},
        {"[::1]:9901", true},
        {"http://127.0.0.1:9901", true},
        {"https://gateway.example:443/", true},
        {"gateway:1", true},
        {"", false},
        {"127.0.0.1", false},
        {"127.0.0.1:", false},
        {":9901", false},
        {"127.0.0.1:0", false},
        {"127.0.0.1:65536", false},
        {"127.0.0.1:99x", false},
        {"http://", false},
        {"http://127.0.0.1:9901/x", false},
        {"http://u@127.0.0.1:9901", false},
        {"ftp://127.0.0.1:21", false},
        {"127.0.0.1:80?x", false},
        {"a b:80", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct admin_options o = {.address = rows[i].address};
        struct err e = {""};
        struct admin_client *c = admin_client_new(&o, &e);

        if ((c != NULL) != rows[i].good || (!c && e.text[0] == '\0'))
            fail_msg("%s: %s", rows[i].address, e.text);
        admin_client_free(&c);
        assert_null(c);
    }
}

static void token_of(const char *content, size_t n, const char *wanted)
{
    char name[] = "/tmp/frontdesk-token-XXXXXX", token[64];
    int fd = mkstemp(name);
    struct err e = {""};
    int result;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, n), n);
    close(fd);
    result = admin_token_read(name, token, sizeof token, &e);
    unlink(name);
    if (wanted) {
        assert_int_equal(result, 0);
        assert_string_equal(token, wanted);
        return;
    }
    assert_int_equal(result, -1);
    assert_non_null(strstr(e.text, name));
    /* What a message says of a bad token is not the token. */
    assert_null(strstr(e.text, "s3cret"));
}

#define TOKEN(literal, wanted) token_of(literal, sizeof(literal) - 1, wanted)

static void test_tokens(void **state)
{
    char large[100];
    struct err e;

    (void)state;
    TOKEN("s3cret", "s3cret");
    TOKEN("s3cret\n", "s3cret");
    TOKEN("s3cret \r\nmore\n", "s3cret");
    TOKEN("", NULL);
    TOKEN("\ns3cret\n", NULL);
    TOKEN("s3cret\x01x\n", NULL);
    TOKEN("s3cret\xff\n", NULL);
    memset(large, 'x', sizeof large);
    token_of(large, sizeof large, NULL);
    assert_int_equal(admin_token_read("/nonexistent/token", large, sizeof large, &e), -1);
}

static void test_where_the_token_comes_from(void **state)
{
    struct admin_options o = {.token_file = "/given"};

    (void)state;
    setenv("FRONTDESK_TOKEN_FILE", "/from/environment", 1);
    assert_string_equal(admin_token_file(&o), "/given");
    o.token_file = NULL;
    assert_string_equal(admin_token_file(&o), "/from/environment");
    unsetenv("FRONTDESK_TOKEN_FILE");
    if (access(ADMIN_TOKEN_FILE, R_OK) != 0)
        assert_null(admin_token_file(&o));
}

static void test_url(void **state)
{
    struct capture c;

    (void)state;
    capture_begin(&c);
    url_put(c.out, "aZ09-._~ /%?#&=+\xc3\xa9\n");
    assert_string_equal(capture_end(&c), "aZ09-._~%20%2F%25%3F%23%26%3D%2B%C3%A9%0A");
    capture_free(&c);
}

static void test_nobody_there(void **state)
{
    struct admin_options o = {.address = "127.0.0.1:1"};
    struct err e = {""};
    struct admin_client *c = admin_client_new(&o, &e);
    struct admin_reply r = {.status = 7};

    (void)state;
    assert_non_null(c);
    assert_int_equal(admin_get(c, "/v1/status", &r, &e), -1);
    assert_int_equal(r.status, 0);
    assert_null(r.doc);
    assert_non_null(strstr(e.text, "127.0.0.1:1"));
    assert_null(admin_document(c, "/v1/status", &e));
    admin_client_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_where_the_token_comes_from),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
