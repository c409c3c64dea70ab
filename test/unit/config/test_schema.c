/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "config/sections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The line that docs/configuration.md must have for a key. */
static void doc_row(const struct field *f, char *row, size_t cap)
{
    char kind[300], dflt[300];

    field_kind(f, kind, sizeof kind);
    if (f->shown)
        snprintf(dflt, sizeof dflt, "%s", f->shown);
    else if (f->dflt)
        snprintf(dflt, sizeof dflt, "`%s`", f->dflt[0] ? f->dflt : "\"\"");
    else
        snprintf(dflt, sizeof dflt, "–");
    snprintf(row, cap, "\n| `%s` | %s | %s | %s |\n", f->key, kind, dflt, f->help);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 18);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

static unsigned check_rows(const struct section *s, const char *docs)
{
    unsigned missing = 0;
    char row[1200];

    for (const struct field *f = s->fields; f < s->fields + s->n; f++) {
        if (f->type == FIELD_REFUSED)
            continue;
        doc_row(f, row, sizeof row);
        if (!strstr(docs, row)) {
            print_error("docs/configuration.md lacks this row:%s", row);
            missing++;
        }
        if (f->section)
            missing += check_rows(f->section, docs);
    }
    return missing;
}

static void every_key_is_documented(void **state)
{
    char *docs = read_text("docs/configuration.md");

    (void)state;
    assert_int_equal(check_rows(&top_section, docs), 0);
    free(docs);
}

/* What the messages and the documentation rely on. */
static void check_tables(const struct section *s)
{
    for (const struct field *f = s->fields; f < s->fields + s->n; f++) {
        assert_non_null(f->help);
        assert_true(f->type != FIELD_CUSTOM || (f->read && f->kind));
        assert_true(f->type != FIELD_SECTION || f->section);
        assert_true((f->type != FIELD_CHOICE && f->type != FIELD_WORD) || f->words);
        if (f->type == FIELD_UNSIGNED || f->type == FIELD_INT)
            assert_true(f->max > 0 && f->max <= INT32_MAX && f->min <= f->max);
        if (f->type == FIELD_DURATION)
            assert_true(f->max > 0 && f->max <= 3650ll * 24 * HOURS && f->min <= f->max);
        for (const struct field *other = s->fields; other < f; other++)
            assert_string_not_equal(f->key, other->key);
        if (f->section)
            check_tables(f->section);
    }
}

static void tables_are_complete(void **state)
{
    (void)state;
    check_tables(&top_section);
}

static void near_words_are_found(void **state)
{
    static const char *const words[] = {"failure_rate", "window", "open_for"};
    static const struct {
        const char *word, *near;
    } rows[] = {
        {"failure_rat", "failure_rate"},
        {"failrue_rate", "failure_rate"},
        {"Window", "window"},
        {"openfor", "open_for"},
        {"x", NULL},
        {"listeners", NULL},
        {"a_word_that_is_longer_than_any_key_could_ever_be", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *near = nearest_word(rows[i].word, words, ARRAY_LEN(words), sizeof *words);

        if (rows[i].near)
            assert_string_equal(near ? near : rows[i].word, rows[i].near);
        else
            assert_null(near);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_complete),
        cmocka_unit_test(near_words_are_found),
        cmocka_unit_test(every_key_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
