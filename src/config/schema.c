/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "base/str.h"
#include "config/shared.h"
#include "config/value.h"

#include <assert.h>
#include <stdio.h>

static const char *const booleans[] = {"false", "true", NULL};

static const char *const *field_words(const struct field *f)
{
    return f->words || f->type != FIELD_BOOL ? f->words : booleans;
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;

    while (words[n])
        n++;
    return n;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's edit distance; words longer than a key can be are just far. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1], na = strlen(a), nb = strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t change = diagonal + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));

            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[nb];
}

const char *nearest_word(const char *word, const void *words, size_t n, size_t stride)
{
    const char *best = NULL;
    size_t limit = 1 + strlen(word) / 3;

    for (size_t i = 0; i < n; i++) {
        const char *candidate;
        size_t d;

        memcpy(&candidate, (const char *)words + i * stride, sizeof candidate);
        d = distance(word, candidate);
        if (d < limit || (d == limit && !best)) {
            best = candidate;
            limit = d;
        }
    }
    return best;
}

const char *field_kind(const struct field *f, char *buf, size_t cap)
{
    static const char *const names[] = {
        [FIELD_STRING] = "text",     [FIELD_UNSIGNED] = "number",   [FIELD_INT] = "number",
        [FIELD_PERCENT] = "percent", [FIELD_DURATION] = "duration", [FIELD_SIZE] = "size",
        [FIELD_BODY_SIZE] = "size",  [FIELD_SECTION] = "map"};
    const char *const *words = field_words(f);
    size_t used = 0;

    if (!words) {
        snprintf(buf, cap, "%s", f->kind ? f->kind : names[f->type]);
        return buf;
    }
    buf[0] = '\0';
    for (size_t i = 0; words[i] && used < cap; i++)
        used += (size_t)snprintf(buf + used, cap - used, "%s`%s`", i ? ", " : "", words[i]);
    return buf;
}

const char *text_read(struct reader *r, const struct node *n, const char *what,
                      const char *(*check)(const char *))
{
    const char *problem;

    if (n->kind != NODE_TEXT || node_is_null(n)) {
        node_expected(n, r->err, what);
        return NULL;
    }
    problem = check ? check(n->text) : NULL;
    if (problem) {
        node_error(n, r->err, "\"%.60s\" %s", n->text, problem);
        return NULL;
    }
    return arena_strdup(r->arena, n->text);
}

void *list_read(struct reader *r, const struct node *n, const char *what, size_t max, size_t size,
                field_read_fn *item, size_t *ret_n)
{
    char *items, *at;

    if (n->kind != NODE_LIST) {
        node_expected(n, r->err, what);
        return NULL;
    }
    if (n->n > max) {
        node_error(n, r->err, "at most %zu entries are allowed here, found %zu", max, n->n);
        return NULL;
    }
    items = at = arena_alloc(r->arena, (n->n ? n->n : 1) * size);
    node_each(it, n)
    {
        if (item(r, it, at) < 0)
            return NULL;
        at += size;
    }
    *ret_n = n->n;
    return items;
}

/* Position in the words of the field, or -1 and an error. */
static int word_read(struct reader *r, const struct field *f, const struct node *n)
{
    const char *const *words = field_words(f);
    char list[256], expected[300];

    for (int i = 0; n->kind == NODE_TEXT && words[i]; i++)
        if (strcmp(words[i], n->text) == 0)
            return i;
    field_kind(f, list, sizeof list);
    snprintf(expected, sizeof expected, "%s%s", count_words(words) > 2 ? "one of " : "", list);
    return node_expected(n, r->err, expected);
}

static int number_of(const struct field *f, const char *text, int64_t *ret)
{
    bool negative = f->type == FIELD_INT && text[0] == '-';
    uint64_t u = 0;
    bool ok;
    char digits[24];
    size_t n = strlen(text);

    if (f->type == FIELD_BODY_SIZE && (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0)) {
        *ret = INT64_MAX;
        return 0;
    }
    if (f->type == FIELD_DURATION)
        ok = value_duration(text, &u);
    else if (f->type == FIELD_SIZE || f->type == FIELD_BODY_SIZE)
        ok = value_size(text, &u);
    else if (f->type == FIELD_PERCENT && n > 1 && n < sizeof digits && text[n - 1] == '%')
        ok = snprintf(digits, sizeof digits, "%.*s", (int)n - 1, text) > 0 &&
             value_unsigned(digits, &u);
    else
        ok = value_unsigned(text + negative, &u);
    if (!ok || u >= INT64_MAX)
        return -1;
    *ret = negative ? -(int64_t)u : (int64_t)u;
    return 0;
}

static const char *number_expected(const struct field *f)
{
    if (f->type == FIELD_DURATION)
        return "a duration such as 250ms, 3s, 1m or 2h";
    if (f->type == FIELD_SIZE)
        return "a size such as 4096, 64k or 1m";
    if (f->type == FIELD_BODY_SIZE)
        return "a size such as 4096, 64k or 1m, or unlimited";
    return f->type == FIELD_PERCENT ? "a percentage from 0 to 100" : "a whole number";
}

/* A bound in the unit that its key is written in. */
static const char *show_bound(const struct field *f, int64_t value, char *buf, size_t cap)
{
    static const struct {
        int64_t factor;
        const char *suffix;
    } times[] = {{HOURS, "h"}, {MINUTES, "m"}, {SECONDS, "s"}, {1, "ms"}},
      sizes[] = {{1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}, {1, ""}};
    bool is_time = f->type == FIELD_DURATION, is_size = f->type == FIELD_SIZE;
    size_t i = 0;

    if (value == 0 || (!is_time && !is_size)) {
        snprintf(buf, cap, "%lld", (long long)value);
        return buf;
    }
    while (value % (is_time ? times[i].factor : sizes[i].factor) != 0)
        i++;
    snprintf(buf, cap, "%lld%s", (long long)(value / (is_time ? times[i].factor : sizes[i].factor)),
             is_time ? times[i].suffix : sizes[i].suffix);
    return buf;
}

static int number_read(struct reader *r, const struct field *f, const struct node *n, int64_t *ret)
{
    char min[32], max[32], range[80];

    if (n->kind != NODE_TEXT || number_of(f, n->text, ret) < 0)
        return node_expected(n, r->err, number_expected(f));
    if ((f->min || f->max) && (*ret < f->min || *ret > f->max)) {
        snprintf(range, sizeof range, "%s to %s", show_bound(f, f->min, min, sizeof min),
                 show_bound(f, f->max, max, sizeof max));
        return node_expected(n, r->err, range);
    }
    return 0;
}

static int store_number(struct reader *r, const struct field *f, const struct node *n, char *at)
{
    int64_t value = 0;

    if (number_read(r, f, n, &value) < 0)
        return -1;
    if (f->type == FIELD_UNSIGNED || f->type == FIELD_PERCENT)
        *(unsigned *)(void *)at = (unsigned)value;
    else if (f->type == FIELD_INT)
        *(int *)(void *)at = (int)value;
    else if (f->type == FIELD_SIZE)
        *(size_t *)(void *)at = (size_t)value;
    else if (f->type == FIELD_BODY_SIZE)
        *(int64_t *)(void *)at = value;
    else
        *(uint64_t *)(void *)at = (uint64_t)value;
    return 0;
}

static int store_word(struct reader *r, const struct field *f, const struct node *n, char *at)
{
    int word = word_read(r, f, n);

    if (word < 0)
        return -1;
    if (f->type == FIELD_BOOL)
        *(bool *)at = word;
    else if (f->type == FIELD_WORD)
        *(int *)(void *)at = word;
    else
        *(const char **)(void *)at = f->words[word];
    return 0;
}

static int field_read(struct reader *r, const struct field *f, const struct node *n, char *at)
{
    const char *text;

    switch (f->type) {
    case FIELD_STRING:
        text = text_read(r, n, "text", f->check);
        if (text && f->check == value_file_problem && shared_file_check(r, n) < 0)
            return -1;
        if (text)
            *(const char **)(void *)at = text;
        return text ? 0 : -1;
    case FIELD_CHOICE:
    case FIELD_WORD:
    case FIELD_BOOL:
        return store_word(r, f, n, at);
    case FIELD_UNSIGNED:
    case FIELD_INT:
    case FIELD_PERCENT:
    case FIELD_DURATION:
    case FIELD_SIZE:
    case FIELD_BODY_SIZE:
        return store_number(r, f, n, at);
    case FIELD_SECTION:
        if (f->read_text && n->kind == NODE_TEXT && !node_is_null(n))
            return f->read_text(r, n, at);
        if (section_read(r, f->section, n, at) < 0)
            return -1;
        return f->read ? f->read(r, n, at) : 0;
    case FIELD_CUSTOM:
        return f->read(r, n, at);
    case FIELD_REFUSED:
        return node_error(n, r->err, "%s", f->help);
    }
    return -1;
}

/* The text of a default as a value: lists and maps are parsed, words are what they are. */
static void read_default(struct reader *r, const struct field *f, char *at)
{
    struct node plain = {.kind = NODE_TEXT, .quoted = true, .file = "default", .text = f->dflt};
    const struct node *n = &plain;
    struct tree tree;
    int rc = 0;

    plain.key = f->key;
    if (f->dflt[0] == '[' || f->dflt[0] == '{') {
        char *text = arena_printf(r->scratch, "%s: %s", f->key, f->dflt);

        tree_init(&tree, r->scratch);
        rc = tree_add(&tree, "default", text, strlen(text), r->err);
        n = tree.root.first;
    }
    rc = rc < 0 ? rc : field_read(r, f, n, at);
    assert(rc == 0);
}

void section_defaults(struct reader *r, const struct section *s, void *base)
{
    for (const struct field *f = s->fields; f < s->fields + s->n; f++) {
        char *at = (char *)base + f->offset;

        if (f->type == FIELD_SECTION)
            section_defaults(r, f->section, at);
        else if (f->dflt)
            read_default(r, f, at);
    }
}

static const struct field *find_field(const struct section *s, const char *key)
{
    for (const struct field *f = s->fields; f < s->fields + s->n; f++)
        if (strcmp(f->key, key) == 0)
            return f;
    return NULL;
}

int section_read(struct reader *r, const struct section *s, const struct node *n, void *base)
{
    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "keys and values");
    node_each(it, n)
    {
        const struct field *f = find_field(s, it->key);

        if (!f) {
            const char *near = nearest_word(it->key, s->fields, s->n, sizeof *s->fields);

            return node_error(it, r->err, "unknown key%s%s%s", near ? "; did you mean " : "",
                              near ? near : "", near ? "?" : "");
        }
        if (field_read(r, f, it, (char *)base + f->offset) < 0)
            return -1;
    }
    return 0;
}

int key_read(struct reader *r, const struct section *s, const char *key, const struct node *n,
             void *base)
{
    const struct field *f = find_field(s, key);

    assert(f);
    return field_read(r, f, n, (char *)base + f->offset);
}
