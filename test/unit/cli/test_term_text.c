/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term_text.h"

#include "base/macros.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"

static const struct term utf8 = {.utf8 = true}, ascii = {.utf8 = false};

static void check(const struct term *t, const char *name, const char *s, unsigned max,
                  const char *wanted, unsigned columns)
{
    struct capture c;
    unsigned n;

    capture_begin(&c);
    n = text_put(c.out, t, s, max);
    if (strcmp(capture_end(&c), wanted) != 0 || n != columns)
        fail_msg("%s: '%s', %u columns", name, c.text, n);
    capture_free(&c);
}

static void test_nothing_steers_the_terminal(void **state)
{
    static const struct {
        const char *name, *text, *shown;
    } rows[] = {
        {"plain", "orders-1", "orders-1"},
        {"none", NULL, "-"},
        {"escape", "a\033[31mb", "a?[31mb"},
        {"line feed and return", "a\nb\rc\td", "a?b?c?d"},
        {"backspace, bell, delete", "a\bb\ac\177", "a?b?c?"},
        {"C1 as one byte",
         "a\x9b"
         "31m",
         "a?31m"},
        {"C1 in UTF-8",
         "a\xc2\x9b"
         "31m",
         "a?31m"},
        {"next line in UTF-8",
         "a\xc2\x85"
         "b",
         "a?b"},
        {"right-to-left override",
         "a\xe2\x80\xae"
         "b",
         "a?b"},
        {"isolates",
         "a\xe2\x81\xa6"
         "b\xe2\x81\xa9",
         "a?b?"},
        {"arabic letter mark",
         "a\xd8\x9c"
         "b",
         "a?b"},
        {"zero width space",
         "a\xe2\x80\x8b"
         "b",
         "a?b"},
        {"byte order mark",
         "\xef\xbb\xbf"
         "a",
         "?a"},
        {"line separator",
         "a\xe2\x80\xa8"
         "b",
         "a?b"},
        {"variation selector", "a\xef\xb8\x8f", "a?"},
        {"tag characters", "a\xf3\xa0\x81\x81", "a?"},
        {"private use", "a\xee\x80\x80", "a?"},
        {"combining accent", "e\xcc\x81", "e?"},
        {"overlong slash", "\xc0\xaf", "??"},
        {"overlong escape, three bytes", "\xe0\x80\x9b", "?"},
        {"surrogate", "\xed\xa0\x80", "?"},
        {"beyond Unicode", "\xf4\x90\x80\x80", "?"},
        {"five bytes", "\xf8\x88\x80\x80\x80", "?????"},
        {"cut short", "a\xe2\x80", "a?"},
        {"cut by a letter",
         "a\xe2"
         "b",
         "a?b"},
        {"lone continuation", "\x80", "?"},
        {"letters beyond ASCII", "caf\xc3\xa9 \xd0\xb4", "caf\xc3\xa9 \xd0\xb4"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct capture c;

        capture_begin(&c);
        text_put(c.out, &utf8, rows[i].text, TEXT_ALL);
        if (strcmp(capture_end(&c), rows[i].shown) != 0)
            fail_msg("%s: '%s'", rows[i].name, c.text);
        capture_free(&c);
    }
}

/* Whatever bytes there are: printable ASCII, or UTF-8 of what has a width. */
static void test_all_bytes(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++) {
        for (unsigned b = 1; b < 256; b++) {
            const char s[] = {(char)a, (char)b, '\0'};
            struct capture c;

            capture_begin(&c);
            text_put(c.out, &ascii, s, TEXT_ALL);
            capture_end(&c);
            for (size_t i = 0; i < c.n; i++)
                if (c.text[i] < 0x20 || c.text[i] > 0x7e)
                    fail_msg("%02x %02x", a, b);
            capture_free(&c);
        }
    }
}

static void test_cut(void **state)
{
    (void)state;
    check(&utf8, "fits", "orders", 6, "orders", 6);
    check(&utf8, "cut", "orders", 5, "orde~", 5);
    check(&utf8, "one column", "orders", 1, "~", 1);
    check(&utf8, "accents count once", "\xc3\xa9\xc3\xa9\xc3\xa9", 2, "\xc3\xa9~", 2);
    check(&utf8, "wide ones count twice", "\xe6\x97\xa5\xe6\x9c\xac", 4, "\xe6\x97\xa5\xe6\x9c\xac",
          4);
    check(&utf8, "a wide one is not halved", "\xe6\x97\xa5\xe6\x9c\xac", 3, "\xe6\x97\xa5~", 3);
    check(&utf8, "a wide one that does not fit", "\xe6\x97\xa5\xe6\x9c\xac", 2, "~", 1);
    check(&ascii, "no UTF-8 here", "caf\xc3\xa9", TEXT_ALL, "caf?", 4);
}

static void test_cell(void **state)
{
    struct capture c;

    (void)state;
    capture_begin(&c);
    text_cell(c.out, &utf8, "ab", 4);
    text_cell(c.out, &utf8, "\xe6\x97\xa5\xe6\x9c\xac", 2);
    text_cell(c.out, &utf8, "abcdef", 4);
    assert_string_equal(capture_end(&c), "ab  ~ abc~");
    capture_free(&c);
}

static void test_states_have_a_word_and_a_color(void **state)
{
    static const struct term color = {.color = true};
    static const char *const words[] = {"open",     "half_open",     "closed", "forced_open",
                                        "disabled", "forced_closed", "shadow"};
    struct capture c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        capture_begin(&c);
        text_state(c.out, &color, words[i], 14);
        assert_non_null(strstr(capture_end(&c), words[i]));
        assert_true(strncmp(c.text, "\033[", 2) == 0);
        assert_string_equal(c.text + c.n - 4, "\033[0m");
        capture_free(&c);
    }
    capture_begin(&c);
    text_state(c.out, &utf8, "open", 6);
    text_state(c.out, &color, "open\033", 6);
    assert_string_equal(capture_end(&c), "open  open? ");
    capture_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_steers_the_terminal),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cell),
        cmocka_unit_test(test_states_have_a_word_and_a_color),
    };

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
