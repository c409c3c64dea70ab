/* SPDX-License-Identifier: Apache-2.0 */
#include "http/media_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *name, *value, *type; /* type NULL = malformed */
} values[] = {
    {"plain", "application/json", "application/json"},
    {"parameter", "text/html; charset=utf-8", "text/html"},
    {"no space", "text/html;charset=utf-8", "text/html"},
    {"quoted parameter", "text/html ; a=\"b; c\\\"d\" ; e=f", "text/html"},
    {"empty parameters", "text/html; ;", "text/html"},
    {"suffix", "application/problem+json", "application/problem+json"},
    {"empty", "", NULL},
    {"no slash", "json", NULL},
    {"no subtype", "application/", NULL},
    {"no type", "/json", NULL},
    {"space before the slash", "application /json", NULL},
    {"two types", "application/json, text/html", NULL},
    {"two words", "application/json text", NULL},
    {"second slash", "application/json/x", NULL},
    {"parameter without value", "text/html; charset", NULL},
    {"parameter with an empty value", "text/html; charset=", NULL},
    {"parameter without name", "text/html; =x", NULL},
    {"open quote", "text/html; a=\"b", NULL},
    {"quote that ends in a backslash", "text/html; a=\"b\\", NULL},
    {"text behind a quote", "text/html; a=\"b\"c", NULL},
    {"space around =", "text/html; a = b", NULL},
    {"control byte in a quote", "text/html; a=\"\x01\"", NULL},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct str type;
        bool fine = media_type_read(str_of(values[i].value), &type);

        if (fine != (values[i].type != NULL) || (fine && !str_eq(type, str_of(values[i].type))))
            fail_msg("%s", values[i].name);
    }
}

static const struct {
    const char *pattern, *type;
    bool matches;
} matches[] = {
    {"application/json", "application/json", true},
    {"application/json", "Application/JSON", true},
    {"application/json", "application/jsonp", false},
    {"application/json", "application/jso", false},
    {"image/*", "image/png", true},
    {"image/*", "image/svg+xml", true},
    {"image/*", "imagex/png", false},
    {"image/*", "image/", false},
    {"application/*+json", "application/problem+JSON", true},
    {"application/*+json", "application/json", false},
    {"application/*+json", "application/+json", false},
    {"application/*+json", "text/x+json", false},
    {"*/*", "a/b", true},
};

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(matches); i++)
        if (media_type_matches(str_of(matches[i].pattern), str_of(matches[i].type)) !=
            matches[i].matches)
            fail_msg("%s for %s", matches[i].pattern, matches[i].type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
