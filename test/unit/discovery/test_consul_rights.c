/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "discovery/consul_rights.h"

#include <stdlib.h>

static const struct consul_right two[] = {{"service", "read", "", "services", false},
                                          {"key", "write", "frontdesk/", "the fleet", false}};

static void question_names_each_right(void **state)
{
    char *text = consul_rights_question(two, 2);

    (void)state;
    assert_string_equal(text, "[{\"Resource\":\"service\",\"Access\":\"read\",\"Segment\":\"\"},"
                              "{\"Resource\":\"key\",\"Access\":\"write\",\"Segment\":"
                              "\"frontdesk/\"}]");
    free(text);
}

#define SERVICE(allow) "{\"Resource\":\"service\",\"Access\":\"read\",\"Allow\":" allow "}"
#define KEY(allow)                                                                                 \
    "{\"Resource\":\"key\",\"Segment\":\"frontdesk/\",\"Access\":\"write\",\"Allow\":" allow "}"

static void answers_are_read(void **state)
{
    static const struct {
        const char *name, *body;
        int ret;
        bool allowed[2];
    } rows[] = {
        {"both", "[" SERVICE("true") "," KEY("true") "]", 0, {true, true}},
        {"one", "[" SERVICE("false") "," KEY("true") "]", 0, {false, true}},
        {"another order", "[" KEY("true") "," SERVICE("true") "]", -1, {false, false}},
        {"too short", "[" SERVICE("true") "]", -1, {false, false}},
        {"no list", "{}", -1, {false, false}},
        {"null", "null", -1, {false, false}},
        {"no JSON", "<html>", -1, {false, false}},
        {"empty", "", -1, {false, false}},
        {"numbers", "[1,2]", -1, {false, false}},
        {"allow is no boolean", "[" SERVICE("\"true\"") "," KEY("1") "]", 0, {false, false}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool allowed[2] = {false, false};
        struct err e;
        int ret = consul_rights_answer(str_of(rows[i].body), two, 2, allowed, &e);

        if (ret != rows[i].ret || (ret == 0 && memcmp(allowed, rows[i].allowed, sizeof allowed)))
            fail_msg("%s", rows[i].name);
    }
}

static void rights_have_names_and_rules(void **state)
{
    static const struct {
        struct consul_right right;
        const char *name, *rule;
    } rows[] = {
        {{"service", "read", "", "", false},
         "service:read",
         "service_prefix \"\" { policy = \"read\" }"},
        {{"service", "write", "frontdesk", "", false},
         "service:write on frontdesk",
         "service \"frontdesk\" { policy = \"write\" }"},
        {{"key", "read", "a/", "", false},
         "key:read on a/",
         "key_prefix \"a/\" { policy = \"read\" }"},
        {{"session", "write", "", "", false},
         "session:write",
         "session_prefix \"\" { policy = \"write\" }"},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        consul_right_name(&rows[i].right, text, sizeof text);
        assert_string_equal(text, rows[i].name);
        consul_right_rule(&rows[i].right, text, sizeof text);
        assert_string_equal(text, rows[i].rule);
    }
}

static void facts_hold_no_secret(void **state)
{
    static const char body[] = "{\"AccessorID\":\"acc\",\"SecretID\":\"s3cret\",\"Policies\":[{"
                               "\"Name\":\"a\"},{\"Name\":\"b\"}],\"Roles\":[{\"Name\":\"r\"}],"
                               "\"ExpirationTime\":\"1970-01-02T00:00:00Z\"}";
    struct consul_token_facts f;
    struct err e;

    (void)state;
    assert_int_equal(consul_token_facts(str_of(body), &f, &e), 0);
    assert_string_equal(f.accessor, "acc");
    assert_string_equal(f.policies, "a, b, r");
    assert_int_equal(f.expires_s, 86400);
    for (size_t i = 0; i + 6 <= sizeof f; i++)
        assert_true(memcmp((const char *)&f + i, "s3cret", 6) != 0);
    assert_int_equal(consul_token_facts(STR("[]"), &f, &e), -1);
    assert_int_equal(consul_token_facts(STR("{\"Policies\":7}"), &f, &e), 0);
    assert_string_equal(f.policies, "");
    assert_int_equal(f.expires_s, 0);
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t ns;
    } rows[] = {
        {"1970-01-01T00:00:01Z", true, 1000000000},
        {"1970-01-01T00:00:01.25Z", true, 1250000000},
        {"1970-01-01T00:00:00.123456789Z", true, 123456789},
        {"1970-01-01T02:00:00+02:00", true, 0},
        {"1969-12-31T22:00:00-02:00", false, 0},
        {"1970-01-01T00:00:00-00:30", true, 1800000000000},
        {"0001-01-01T00:00:00Z", false, 0},
        {"2262-04-11T00:00:00Z", true, 9223286400000000000},
        {"2263-01-01T00:00:00Z", false, 0}, /* more nanoseconds than fit */
        {"9999-12-31T23:59:59.9Z", false, 0},
        {"1970-01-01T00:00:01", false, 0},
        {"1970-01-01T00:00:01Zx", false, 0},
        {"yesterday", false, 0},
        {"", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns = 0;

        if (consul_time(rows[i].text, &ns) != rows[i].good || ns != rows[i].ns)
            fail_msg("%s: %lld", rows[i].text, (long long)ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_names_each_right),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(rights_have_names_and_rules),
        cmocka_unit_test(facts_hold_no_secret),
        cmocka_unit_test(times_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
