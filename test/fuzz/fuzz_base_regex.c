/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern in the first line, a text in the rest: refused with words, or run within its bounds. A
 * whole match is a match of a part; and a part is found by the pattern with anything around it. */
#include "base/regex.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const struct regex *re, struct str pattern, struct str text)
{
    bool part = regex_finds(re, text);
    const struct regex *around;
    const char *why;
    char *longer;

    assert(!regex_matches(re, text) || part);
    if (pattern.n + 20 > REGEX_MAX_PATTERN)
        return;
    longer = arena_printf(a, "(?s).*(?-s)(?:%.*s).*", STR_FMT(pattern));
    around = regex_compile(a, str_of(longer), &why);
    /* What follows the pattern may complete it: "\Q", flags, a lone backslash. And a dot is a code
     * point, so only text that is ASCII is looked at. */
    if (!around || strpbrk(longer, "\\?"))
        return;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80 || text.p[i] == '\n')
            return;
    assert(regex_matches(around, text) == part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *line = memchr(p ? p : "", '\n', size), *why = NULL;
    size_t n = line ? (size_t)(line - p) : size;
    struct str pattern = {p, n}, text = {p + n + (line != NULL), size - n - (line != NULL)};
    struct arena *a = arena_new();
    const struct regex *re;

    if (text.n > 512)
        text.n = 512;
    re = regex_compile(a, pattern, &why);
    if (re && !memchr(p, '\0', n))
        check(a, re, pattern, text);
    else if (!re)
        assert(why && why[0]);
    arena_free(a);
    return 0;
}
