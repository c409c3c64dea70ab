/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term_text.h"
#include "base/macros.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

struct term term_now(void)
{
    struct term t = {0};
    const char *no_color = getenv("NO_COLOR"), *name = getenv("TERM");
    bool tty = isatty(STDOUT_FILENO);

    setlocale(LC_CTYPE, "");
    t.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t.color = tty && !(no_color && *no_color) && name && strcmp(name, "dumb") != 0;
    if (tty)
        term_measure(&t);
    return t;
}

void term_measure(struct term *t)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    t->width = size.ws_col;
    t->height = size.ws_row;
}

/* Length of the character at s, 1 for what is none; *ret_code 0 for that. */
static unsigned decode(const unsigned char *s, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    uint32_t code = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));

    *ret_code = 0;
    if (n == 0 || s[0] > 0xf4)
        return 1;
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return i;
        code = code << 6 | (s[i] & 0x3f);
    }
    if (code >= least[n] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff))
        *ret_code = code;
    return n;
}

/* Characters without a mark of their own, whatever the locale thinks of their width: they join,
 * turn, hide or tag what is around them. */
static bool is_invisible(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x034f, 0x034f},
        {0x061c, 0x061c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},
        {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
        {0xfff0, 0xfffc}, {0xe000, 0xf8ff}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* The columns that the character takes; 0 = it is replaced. */
static unsigned width_of(const struct term *t, uint32_t code)
{
    int width;

    if (is_invisible(code))
        return 0;
    if (code < 0x7f)
        return 1;
    if (!t->utf8)
        return 0;
    width = wcwidth((wchar_t)code);
    return width == 1 || width == 2 ? (unsigned)width : 0;
}

static unsigned write_text(FILE *out, const struct term *t, const char *s, unsigned max)
{
    unsigned columns = 0;

    for (const char *p = s; *p;) {
        uint32_t code;
        unsigned n = decode((const unsigned char *)p, &code), width = width_of(t, code);
        bool replaced = width == 0;

        width = replaced ? 1 : width;
        if (max && columns + width > max)
            return columns;
        if (out && replaced)
            putc('?', out);
        else if (out)
            fwrite(p, 1, n, out);
        columns += width;
        p += n;
    }
    return columns;
}

unsigned text_columns(const struct term *t, const char *s)
{
    return write_text(NULL, t, s ? s : "-", TEXT_ALL);
}

unsigned text_put(FILE *out, const struct term *t, const char *s, unsigned max)
{
    unsigned columns;

    s = s ? s : "-";
    if (max == TEXT_ALL || text_columns(t, s) <= max)
        return write_text(out, t, s, max);
    columns = max > 1 ? write_text(out, t, s, max - 1) : 0;
    putc('~', out);
    return columns + 1;
}

void text_cell(FILE *out, const struct term *t, const char *s, unsigned width)
{
    for (unsigned n = text_put(out, t, s, width); n < width; n++)
        putc(' ', out);
}

static const char *color_of(const char *state)
{
    static const char *const colors[][2] = {
        {"open", "31;1"},   {"forced_open", "31;1"}, {"half_open", "33"}, {"forced_closed", "35"},
        {"disabled", "35"}, {"shadow", "35"},        {"closed", "32"},
    };

    for (size_t i = 0; i < ARRAY_LEN(colors); i++)
        if (strcmp(colors[i][0], state) == 0)
            return colors[i][1];
    return NULL;
}

void text_state(FILE *out, const struct term *t, const char *state, unsigned width)
{
    const char *color = t->color && state ? color_of(state) : NULL;

    if (color)
        fprintf(out, "\033[%sm", color);
    text_cell(out, t, state, width);
    if (color)
        fputs("\033[0m", out);
}

void text_bold(FILE *out, const struct term *t, const char *s)
{
    if (t->color)
        fputs("\033[1m", out);
    text_put(out, t, s, t->width);
    if (t->color)
        fputs("\033[0m", out);
}
