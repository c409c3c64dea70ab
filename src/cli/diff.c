/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/diff.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { AROUND = 3, MOST_EDITS = 1500 };

/* One of the two texts. */
struct side {
    struct str *lines; /* with their line feeds */
    bool *changed;     /* not in the other one */
    size_t n;
};

struct diff {
    struct side a, b;
    size_t start, a_end, b_end; /* before and behind it both are the same */
    diff_line_fn *put;
    void *arg;
};

static void split(struct side *s, struct str text)
{
    size_t room = 1, at = 0;

    for (size_t i = 0; i < text.n; i++)
        room += text.p[i] == '\n';
    s->lines = alloc_or_abort(room * sizeof *s->lines);
    s->changed = alloc_or_abort(room * sizeof *s->changed);
    while (at < text.n) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t len = end ? (size_t)(end - text.p) + 1 - at : text.n - at;

        s->lines[s->n++] = (struct str){text.p + at, len};
        at += len;
    }
}

static void trim(struct diff *d)
{
    d->a_end = d->a.n;
    d->b_end = d->b.n;
    while (d->start < d->a_end && d->start < d->b_end &&
           str_eq(d->a.lines[d->start], d->b.lines[d->start]))
        d->start++;
    while (d->a_end > d->start && d->b_end > d->start &&
           str_eq(d->a.lines[d->a_end - 1], d->b.lines[d->b_end - 1])) {
        d->a_end--;
        d->b_end--;
    }
}

/* The furthest lines of `a` that are reached with `edits` edits, on each diagonal from -edits to
 * edits in steps of two; the rows of all numbers of edits are kept for the way back. */
static int *row_of(int *rows, int edits)
{
    return rows + edits * (edits + 1) / 2;
}

static int reached(int *rows, int edits, int diagonal)
{
    if (edits < 0 || diagonal < -edits || diagonal > edits)
        return -1;
    return row_of(rows, edits)[(diagonal + edits) / 2];
}

/* Comes one line down (a line of b) or right (a line of a), whichever gets further. */
static bool comes_down(int *rows, int edits, int diagonal)
{
    return diagonal == -edits || (diagonal != edits && reached(rows, edits - 1, diagonal - 1) <
                                                           reached(rows, edits - 1, diagonal + 1));
}

static int step(const struct diff *d, int *rows, int edits, int diagonal)
{
    int na = (int)(d->a_end - d->start), nb = (int)(d->b_end - d->start), x;

    if (edits == 0)
        x = 0;
    else if (comes_down(rows, edits, diagonal))
        x = reached(rows, edits - 1, diagonal + 1);
    else
        x = reached(rows, edits - 1, diagonal - 1) + 1;
    while (x < na && x - diagonal < nb && x - diagonal >= 0 &&
           str_eq(d->a.lines[d->start + (size_t)x], d->b.lines[d->start + (size_t)(x - diagonal)]))
        x++;
    return x;
}

/* The number of edits; -1 = more than are looked for. */
static int search(const struct diff *d, int *rows, int most)
{
    int na = (int)(d->a_end - d->start), nb = (int)(d->b_end - d->start);

    for (int edits = 0; edits <= most; edits++)
        for (int diagonal = -edits; diagonal <= edits; diagonal += 2) {
            int x = step(d, rows, edits, diagonal);

            row_of(rows, edits)[(diagonal + edits) / 2] = x;
            if (x >= na && x - diagonal >= nb)
                return edits;
        }
    return -1;
}

static void walk_back(struct diff *d, int *rows, int edits)
{
    int diagonal = (int)d->a_end - (int)d->b_end;

    for (; edits > 0; edits--) {
        if (comes_down(rows, edits, diagonal)) {
            int x = reached(rows, edits - 1, diagonal + 1);

            diagonal++;
            d->b.changed[d->start + (size_t)(x - diagonal)] = true;
        } else {
            diagonal--;
            d->a.changed[d->start + (size_t)reached(rows, edits - 1, diagonal)] = true;
        }
    }
}

static void compare(struct diff *d)
{
    size_t lines = d->a_end - d->start + d->b_end - d->start;
    int most = lines < MOST_EDITS ? (int)lines : MOST_EDITS;
    int *rows = alloc_or_abort(sizeof *rows * (size_t)(most + 1) * (size_t)(most + 2) / 2);
    int edits = search(d, rows, most);

    if (edits >= 0) {
        walk_back(d, rows, edits);
    } else {
        for (size_t i = d->start; i < d->a_end; i++)
            d->a.changed[i] = true;
        for (size_t i = d->start; i < d->b_end; i++)
            d->b.changed[i] = true;
    }
    free(rows);
}

static void put_line(struct diff *d, char kind, struct str line)
{
    bool ends = line.n > 0 && line.p[line.n - 1] == '\n';

    d->put(d->arg, kind, (struct str){line.p, line.n - ends});
    if (!ends)
        d->put(d->arg, '\\', STR(" No newline at end of file"));
}

/* A place in both texts: as many lines before it are equal as are not changed. */
struct place {
    size_t a, b;
};

static bool at_change(const struct diff *d, struct place p)
{
    return (p.a < d->a.n && d->a.changed[p.a]) || (p.b < d->b.n && d->b.changed[p.b]);
}

/* Where the change ends that is at p. */
static struct place behind_change(const struct diff *d, struct place p)
{
    while (p.a < d->a.n && d->a.changed[p.a])
        p.a++;
    while (p.b < d->b.n && d->b.changed[p.b])
        p.b++;
    return p;
}

/* Where the hunk ends whose first change is at p: changes that are near are of one hunk. */
static struct place behind_hunk(const struct diff *d, struct place p)
{
    size_t same = 0;
    struct place end;

    for (end = p = behind_change(d, p); same <= 2 * (size_t)AROUND && p.a < d->a.n;) {
        if (at_change(d, p)) {
            end = p = behind_change(d, p);
            same = 0;
            continue;
        }
        p.a++;
        p.b++;
        same++;
    }
    if (at_change(d, p) && same <= 2 * (size_t)AROUND)
        end = behind_change(d, p);
    return end;
}

static void put_range(char *buf, size_t cap, size_t from, size_t n)
{
    if (n == 1)
        snprintf(buf, cap, "%zu", from + 1);
    else
        snprintf(buf, cap, "%zu,%zu", n ? from + 1 : from, n);
}

static void put_hunk(struct diff *d, struct place p, struct place end)
{
    char head[100], a[45], b[45];
    int n;

    put_range(a, sizeof a, p.a, end.a - p.a);
    put_range(b, sizeof b, p.b, end.b - p.b);
    n = snprintf(head, sizeof head, "@@ -%s +%s @@", a, b);
    d->put(d->arg, '@', (struct str){head, (size_t)n});
    while (p.a < end.a || p.b < end.b) {
        if (p.a < end.a && d->a.changed[p.a]) {
            put_line(d, '-', d->a.lines[p.a++]);
        } else if (p.b < end.b && d->b.changed[p.b]) {
            put_line(d, '+', d->b.lines[p.b++]);
        } else {
            put_line(d, ' ', d->a.lines[p.a++]);
            p.b++;
        }
    }
}

static void put_hunks(struct diff *d)
{
    struct place p = {0, 0};

    while (p.a < d->a.n || p.b < d->b.n) {
        struct place end;
        size_t before, behind;

        if (!at_change(d, p)) {
            p.a++;
            p.b++;
            continue;
        }
        end = behind_hunk(d, p);
        before = p.a < AROUND ? p.a : AROUND;
        behind = d->a.n - end.a < AROUND ? d->a.n - end.a : AROUND;
        put_hunk(d, (struct place){p.a - before, p.b - before},
                 (struct place){end.a + behind, end.b + behind});
        p = end;
    }
}

static void side_release(struct side *s)
{
    free(s->lines);
    free(s->changed);
}

bool diff_texts(struct str before, struct str after, diff_line_fn *put, void *arg)
{
    struct diff d = {.put = put, .arg = arg};

    if (str_eq(before, after))
        return false;
    split(&d.a, before);
    split(&d.b, after);
    trim(&d);
    compare(&d);
    put_hunks(&d);
    side_release(&d.a);
    side_release(&d.b);
    return true;
}
