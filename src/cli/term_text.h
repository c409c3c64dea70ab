/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* term_text.h - text of unknown origin for a terminal.
 *
 * Names, addresses, reasons and errors come from the catalog and from other people. Nothing in them
 * may steer the terminal or fool the reader: control characters (C0, DEL, C1 in any form), bytes
 * that are no UTF-8, characters without a width, and those that turn the direction of writing
 * become '?'. What is too wide is cut, with '~' in its last column. */
#include <stdbool.h>
#include <stdio.h>

/* How text is shown: found out once, see term_now(). */
struct term {
    unsigned width, height; /* 0 = no limit */
    bool color;
    bool utf8;
};

/* What standard output is. Not a terminal: no limit, no colour. $NO_COLOR and TERM=dumb: no colour.
 * Sets the locale's character type. */
struct term term_now(void);
/* The size may have changed. */
void term_measure(struct term *t);

enum { TEXT_ALL = 0 };

/* Writes `s` (NULL = "-"), at most `max` columns of it (TEXT_ALL = all); returns the columns. */
unsigned text_put(FILE *out, const struct term *t, const char *s, unsigned max);
/* The same, filled up with spaces to exactly `width` columns. */
void text_cell(FILE *out, const struct term *t, const char *s, unsigned width);
/* Columns that text_put() would write. */
unsigned text_columns(const struct term *t, const char *s);

/* The word of a state in its colour, filled up to `width`: red keeps requests off, yellow probes,
 * magenta is by hand or only watches, green lets pass. */
void text_state(FILE *out, const struct term *t, const char *state, unsigned width);
/* As printf, in bold; for headings. */
void text_bold(FILE *out, const struct term *t, const char *s);
