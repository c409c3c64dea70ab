/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of /v1/kv as Consul 1.8.7 gives them, and nonsense. */
#include "policy/key_kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROW(key, value)                                                                            \
    "{\"LockIndex\":0,\"Key\":\"" key "\",\"Flags\":0,\"Value\":" value                            \
    ",\"CreateIndex\":12,\"ModifyIndex\":12}"

static void test_rows(void **state)
{
    static const struct {
        const char *name, *body, *told; /* "KEY=VALUE;..." */
    } rows[] = {
        {"the key itself", "[" ROW("f/keys", "\"YTpi\"") "]", "kv f/keys=a:b;"},
        {"keys below", "[" ROW("f/keys/a", "\"YQ==\"") "," ROW("f/keys/b/c", "\"Yg==\"") "]",
         "kv f/keys/a=a;kv f/keys/b/c=b;"},
        {"same letters only",
         "[" ROW("f/keys-old", "\"YQ==\"") "," ROW("f/keysx/a", "\"YQ==\"") "]", ""},
        {"folders", "[" ROW("f/keys/", "null") "," ROW("f/keys/a/", "\"YQ==\"") "]", ""},
        {"an empty value", "[" ROW("f/keys/a", "null") "]", "kv f/keys/a=;"},
        {"nothing", "", ""},
        {"no rows", "[]", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct key_kv *kv = key_kv_parse(str_of(rows[i].body), "f/keys", &e);
        char told[256] = "";

        if (!kv)
            fail_msg("%s: %s", rows[i].name, e.text);
        for (size_t k = 0; k < kv->n; k++)
            snprintf(told + strlen(told), sizeof told - strlen(told), "%s=%.*s;", kv->texts[k].name,
                     STR_FMT(kv->texts[k].text));
        assert_string_equal(told, rows[i].told);
        key_kv_free(kv);
    }
}

static void test_nonsense(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{}", "not a list"},
        {"[1]", "not a list"},
        {"[{}]", "not a list"},
        {"[{\"Key\":1,\"Value\":null}]", "not a list"},
        {"[{\"Key\":\"f/keys\",\"Value\":1}]", "not a list"},
        {"[" ROW("f/keys", "\"YQ\"") "]", "kv f/keys: its value is not base64"},
        {"[", "not a list"},
        {"No cluster leader", "not a list"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};

        if (key_kv_parse(str_of(rows[i].body), "f/keys", &e) || !strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].body, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
