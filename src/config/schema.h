/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* schema.h - sections as tables: one row is a key with its type, place, bounds, default and help.
 *
 * Adding a key is one row here and one line of docs/configuration.md, which a unit test compares
 * with the row. A default is written as a user would write it and goes through the same reader, so
 * it can never be out of its own bounds. */
#include "config/config.h"
#include "config/tree.h"

#include <stddef.h>

/* What the readers share during one load. */
struct reader {
    struct arena *arena;   /* of the configuration that is being made */
    struct arena *scratch; /* of the tree */
    struct err *err;
    struct config *config;
    const char *shared_files; /* consul.config_files as written; NULL = none */
};

enum field_type {
    FIELD_STRING,    /* const char * */
    FIELD_CHOICE,    /* const char *, one of words */
    FIELD_WORD,      /* enum: position in words */
    FIELD_BOOL,      /* bool: true and false, or the two words */
    FIELD_UNSIGNED,  /* unsigned */
    FIELD_INT,       /* int */
    FIELD_PERCENT,   /* unsigned, 0 to 100 */
    FIELD_DURATION,  /* uint64_t, milliseconds */
    FIELD_SIZE,      /* size_t, bytes */
    FIELD_BODY_SIZE, /* int64_t, bytes; unlimited = INT64_MAX */
    FIELD_SECTION,   /* a struct, or more fields of the same struct */
    FIELD_CUSTOM,    /* what `read` makes of it */
    FIELD_REFUSED    /* known, but not here: `help` says why */
};

struct section;
typedef int field_read_fn(struct reader *r, const struct node *n, void *at);

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    int64_t min, max;         /* numbers, durations (ms), sizes; both 0 = no bounds */
    const char *dflt;         /* as YAML; NULL = none */
    const char *shown;        /* how the documentation puts the default, when not as dflt */
    const char *const *words; /* NULL-terminated */
    const struct section *section;
    const char *(*check)(const char *text); /* FIELD_STRING: what is wrong, or NULL */
    field_read_fn *read;      /* FIELD_CUSTOM; FIELD_SECTION: called last, for cross-checks */
    field_read_fn *read_text; /* FIELD_SECTION: takes a word in place of the map */
    const char *kind;         /* the type as documented, when `type` does not say it */
    const char *help;
};

struct section {
    const struct field *fields;
    size_t n;
};

/* Offset of a member, checked to have the type that the field's reader writes. */
#define FIELD_AT(s, member, type)                                                                  \
    (offsetof(struct s, member) + 0 * sizeof((type *)0 == &((struct s *)0)->member))

#define STRING(key_, s, m, dflt_, check_, help_)                                                   \
    {                                                                                              \
        .key = key_, .type = FIELD_STRING, .offset = FIELD_AT(s, m, const char *), .dflt = dflt_,  \
        .check = check_, .help = help_                                                             \
    }
#define CHOICE(key_, s, m, words_, dflt_, help_)                                                   \
    {                                                                                              \
        .key = key_, .type = FIELD_CHOICE, .offset = FIELD_AT(s, m, const char *),                 \
        .words = words_, .dflt = dflt_, .help = help_                                              \
    }
#define BOOLEAN(key_, s, m, dflt_, help_)                                                          \
    {                                                                                              \
        .key = key_, .type = FIELD_BOOL, .offset = FIELD_AT(s, m, bool), .dflt = dflt_,            \
        .help = help_                                                                              \
    }
#define UNSIGNED(key_, s, m, min_, max_, dflt_, help_)                                             \
    {                                                                                              \
        .key = key_, .type = FIELD_UNSIGNED, .offset = FIELD_AT(s, m, unsigned), .min = min_,      \
        .max = max_, .dflt = dflt_, .help = help_                                                  \
    }
#define PERCENT(key_, s, m, min_, dflt_, help_)                                                    \
    {                                                                                              \
        .key = key_, .type = FIELD_PERCENT, .offset = FIELD_AT(s, m, unsigned), .min = min_,       \
        .max = 100, .dflt = dflt_, .help = help_                                                   \
    }
#define DURATION(key_, s, m, min_, max_, dflt_, help_)                                             \
    {                                                                                              \
        .key = key_, .type = FIELD_DURATION, .offset = FIELD_AT(s, m, uint64_t), .min = min_,      \
        .max = max_, .dflt = dflt_, .help = help_                                                  \
    }
#define SIZE(key_, s, m, min_, max_, dflt_, help_)                                                 \
    {                                                                                              \
        .key = key_, .type = FIELD_SIZE, .offset = FIELD_AT(s, m, size_t), .min = min_,            \
        .max = max_, .dflt = dflt_, .help = help_                                                  \
    }
#define BODY_SIZE(key_, s, m, dflt_, help_)                                                        \
    {                                                                                              \
        .key = key_, .type = FIELD_BODY_SIZE, .offset = FIELD_AT(s, m, int64_t), .dflt = dflt_,    \
        .help = help_                                                                              \
    }

enum { SECONDS = 1000, MINUTES = 60 * SECONDS, HOURS = 60 * MINUTES };

/* Fills in every default of the section. */
void section_defaults(struct reader *r, const struct section *s, void *base);
/* Reads the keys that are there; the others keep what they have. */
int section_read(struct reader *r, const struct section *s, const struct node *n,
                 void *base) MUST_CHECK;
/* Reads n as the value of one key of the section. */
int key_read(struct reader *r, const struct section *s, const char *key, const struct node *n,
             void *base) MUST_CHECK;

/* Reads a list into an array of the arena, `size` bytes an item. NULL on failure. */
void *list_read(struct reader *r, const struct node *n, const char *what, size_t max, size_t size,
                field_read_fn *item, size_t *ret_n) MUST_CHECK;
/* A text that `check` (may be NULL) has nothing against; NULL and an error otherwise. */
const char *text_read(struct reader *r, const struct node *n, const char *what,
                      const char *(*check)(const char *)) MUST_CHECK;

/* The type of a field as the documentation puts it: "duration", "`a`, `b`". Returns buf. */
const char *field_kind(const struct field *f, char *buf, size_t cap);
/* Nearest of n words (stride bytes apart, each a const char * first), or NULL when none is near. */
const char *nearest_word(const char *word, const void *words, size_t n, size_t stride);
