/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/claim_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_row(void **state)
{
    static const struct {
        const char *name, *json, *text; /* NULL = left out */
    } rows[] = {
        {"text", "\"ada\"", "ada"},
        {"UTF-8", "\"\\u00fc\"", "\xc3\xbc"},
        {"blank inside", "\"a b\"", "a b"},
        {"comma in a text", "\"a,b\"", "a,b"},
        {"number", "-17", "-17"},
        {"true", "true", "true"},
        {"list", "[\"a\", 1, \"b c\"]", "a,1,b c"},
        {"object", "{\"b\": \"\\u00fc\\n\", \"a\": [1]}", "{\"a\":[1],\"b\":\"\\u00FC\\n\"}"},
        {"empty text", "\"\"", NULL},
        {"blank before", "\" admin\"", NULL},
        {"blank behind", "\"admin \"", NULL},
        {"line break", "\"a\\r\\nX-Admin: 1\"", NULL},
        {"tab", "\"a\\tb\"", NULL},
        {"DEL", "\"a\\u007f\"", NULL},
        {"null", "null", NULL},
        {"empty list", "[]", NULL},
        {"comma in a member", "[\"a,admin\"]", NULL},
        {"line break in a member", "[\"a\", \"b\\n\"]", NULL},
        {"list in a list", "[[\"a\"]]", NULL},
        {"null in a list", "[null]", NULL},
        {"empty member", "[\"\"]", NULL},
    };
    char buf[CLAIM_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *claim = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        struct str text = STR_NULL;
        bool ok = claim_text(claim, buf, &text);

        if (ok != (rows[i].text != NULL) || (ok && !str_eq(text, str_of(rows[i].text))))
            fail_msg("%s: %.*s", rows[i].name, STR_FMT(text));
        json_decref(claim);
    }
}

static void length(void **state)
{
    static const struct {
        size_t n;
        bool list, fits;
    } rows[] = {{CLAIM_TEXT_MAX, false, true},
                {CLAIM_TEXT_MAX + 1, false, false},
                {CLAIM_TEXT_MAX - 3, true, true},
                {CLAIM_TEXT_MAX, true, false}};
    char buf[CLAIM_TEXT_MAX], *text = malloc(CLAIM_TEXT_MAX + 2);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *claim;
        struct str ret;

        memset(text, 'x', rows[i].n);
        claim = json_stringn(text, rows[i].n);
        if (rows[i].list)
            claim = json_pack("[s, o]", "a", claim);
        assert_int_equal(claim_text(claim, buf, &ret), rows[i].fits);
        json_decref(claim);
        claim = json_pack("{s:s%}", "k", text, rows[i].n);
        assert_false(rows[i].n >= CLAIM_TEXT_MAX && claim_text(claim, buf, &ret));
        json_decref(claim);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(length)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
