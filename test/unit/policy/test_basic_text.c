/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/basic_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_scheme(void **state)
{
    static const struct {
        const char *value, *text; /* NULL = another scheme */
    } rows[] = {
        {"Basic QQ==", "QQ=="}, {"basic QQ==", "QQ=="}, {"BASIC   QQ==", "QQ=="}, {"Basic", ""},
        {"Basic ", ""},         {"Basicx QQ==", NULL},  {"Bearer x", NULL},       {"", NULL},
        {"Basic\tQQ==", NULL},  {"Bas", NULL},          {"Basic=QQ==", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str text = STR_NULL;
        bool is = basic_scheme(str_of(rows[i].value), &text);

        if (is != (rows[i].text != NULL) || (is && !str_eq(text, str_of(rows[i].text))))
            fail_msg("\"%s\"", rows[i].value);
    }
}

/* Those of RFC 7617 section 2 and 2.1 among them. */
static void test_decode(void **state)
{
    static const struct {
        const char *text, *user, *password; /* user NULL = refused */
    } rows[] = {
        {"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},
        {"YTo=", "a", ""},
        {"YTpiOmM=", "a", "b:c"},
        {"OmI=", NULL, NULL},      /* no user */
        {"YQ==", NULL, NULL},      /* no colon */
        {"YTo", NULL, NULL},       /* no padding */
        {"YTo==", NULL, NULL},     /* too much of it */
        {"YTp=", NULL, NULL},      /* bits left over */
        {"YTpi YTpi", NULL, NULL}, /* blank */
        {"YT-_", NULL, NULL},      /* base64url */
        {"YTo=YTo=", NULL, NULL},  /* padding inside */
        {"====", NULL, NULL},      /* nothing but padding */
        {"", NULL, NULL},          /* nothing */
        {"YTpiAA==", NULL, NULL},  /* NUL */
        {"YTpiCg==", NULL, NULL},  /* line feed in the password */
        {"YQk6Yg==", NULL, NULL},  /* tab in the user */
        {"YTpifw==", NULL, NULL},  /* DEL */
    };
    char buf[PASSWORD_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str user = STR_NULL, password = STR_NULL;
        bool taken = basic_decode(str_of(rows[i].text), buf, &user, &password);

        if (taken != (rows[i].user != NULL) ||
            (taken &&
             (!str_eq(user, str_of(rows[i].user)) || !str_eq(password, str_of(rows[i].password)))))
            fail_msg("%s: %s", rows[i].text, taken ? "taken" : "refused");
    }
}

static void test_length(void **state)
{
    char text[PASSWORD_MAX * 2], buf[PASSWORD_MAX];
    struct str user, password;

    (void)state;
    memset(text, 'A', sizeof text);
    memcpy(text, "YTpi", 4);
    for (size_t i = 4; i < sizeof text; i++)
        text[i] = "YWFh"[i % 4];
    /* 1024 bytes are 1366 letters and a bit: the longest that fits has 1364. */
    assert_true(basic_decode((struct str){text, 1364}, buf, &user, &password));
    assert_int_equal(password.n, 1364 / 4 * 3 - 2);
    assert_false(basic_decode((struct str){text, 1368}, buf, &user, &password));
    assert_false(basic_decode((struct str){text, sizeof text}, buf, &user, &password));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scheme),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
