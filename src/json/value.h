/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* value.h - JSON (RFC 8259) as it is written: numbers keep their text, strings their escapes,
 * objects their order.
 *
 * For answers that pass through: libraries make doubles of numbers, and 12345678901234567890 or 1.0
 * would come out as another one. A value never changes once it is made and lives in the arena that
 * it was made in (arena_new_bounded()); values of one arena may share parts. NULL from a function
 * that makes one: the arena is full, or memory is out. Not for untrusted depth beyond
 * VALUE_MAX_DEPTH: walks are recursive. */
#include "base/arena.h"
#include "base/bytes.h"

enum { VALUE_MAX_DEPTH = 64 };

enum value_kind {
    VALUE_NULL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT
};

struct value;

struct member {
    struct str name;           /* decoded */
    const struct value *value; /* never NULL */
};

struct value {
    enum value_kind kind;
    bool escaped;    /* string: `text` holds escapes */
    struct str text; /* number: as written; string: between the quotes, as written */
    size_t n;        /* of items or members */
    union {
        const struct value **items;
        struct member *members; /* as written */
    };
    const uint32_t *order; /* of a large object: its members by name */
};

/* The whole text is one value, nested no deeper than max_depth (VALUE_MAX_DEPTH at most). Refused:
 * an object with the same name twice, since readers differ on which counts (RFC 8259 section 4),
 * and strings that are no UTF-8. *ret_why: what is wrong, static text. The text is copied. */
const struct value *value_parse(struct arena *a, struct str text, unsigned max_depth,
                                const char **ret_why) MUST_CHECK;
/* As compact JSON. False when memory is out or it is longer than about `max` bytes: a value that
 * has a part twice takes more room written than in memory. */
bool value_write(const struct value *v, size_t max, struct bytes *to) MUST_CHECK;

const struct value *value_null(void);
const struct value *value_bool(bool b);
/* A copy of any bytes; what is no UTF-8 becomes U+FFFD. */
const struct value *value_string(struct arena *a, struct str s) MUST_CHECK;
/* The shortest text that reads back as d; null when it is not finite. */
const struct value *value_number(struct arena *a, double d) MUST_CHECK;
/* The items are borrowed: the array is of the arena. */
const struct value *value_array(struct arena *a, const struct value **items, size_t n) MUST_CHECK;
/* The members are borrowed. Of two with the same name the later value counts, at the earlier place.
 */
const struct value *value_object(struct arena *a, struct member *members, size_t n) MUST_CHECK;

/* NULL when v is no object or has no such member. */
const struct value *value_get(const struct value *v, struct str name);
/* What a string says, decoded: lone surrogates become U+FFFD. p = NULL when memory is out. */
struct str value_text(struct arena *a, const struct value *v);
double value_double(const struct value *v);
/* Numbers by text or else as doubles, objects whatever their order. */
bool value_equal(struct arena *a, const struct value *x, const struct value *y);
/* "null" "boolean" "number" "string" "array" "object". */
const char *value_kind_name(const struct value *v);
