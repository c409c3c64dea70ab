/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* tree.h - YAML text as a tree of values that know their file and line.
 *
 * Why by hand on libyaml: libcyaml was tried first, but 1.3.1 cannot express maps with free keys
 * (`services:`) and forgets line numbers once loaded. The tree is built from parser events rather
 * than from yaml_document_t, because a document no longer shows where an alias was: here aliases,
 * anchors, tags, depth and size are refused before they cost anything.
 *
 * Every value knows its parent, so that an error can name the whole key path. Text never holds a
 * NUL byte. Nodes and their strings live in the arena of the caller. */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { TREE_MAX_DEPTH = 16, TREE_MAX_NODES = 500000 };

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool quoted;      /* NODE_TEXT: was not plain, so `""` is not null */
    bool shared;      /* as tree.shared was */
    const char *text; /* NODE_TEXT */
    const char *key;  /* its name in the map above; NULL in a list */
    unsigned index;   /* its place in the list above, counted in its file */
    const char *file;
    unsigned line; /* of the key in a map, else of the value */
    unsigned seq;  /* order of appearance over all files */
    struct node *parent;
    struct node *first, *last, *next; /* children; next sibling */
    size_t n;                         /* number of children */
};

#define node_each(it, parent) for (const struct node *it = (parent)->first; it; it = it->next)

struct tree {
    struct arena *arena; /* borrowed */
    struct node root;    /* NODE_MAP: the top level of all files */
    unsigned nodes;
    bool shared; /* what is added now is no file of this machine (shared.h) */
};

void tree_init(struct tree *t, struct arena *a);
/* Adds the top level of one file; a file without a document adds nothing. */
int tree_add(struct tree *t, const char *file, const char *text, size_t n,
             struct err *e) MUST_CHECK;
/* After the last file: joins what several of them say. Maps and lists of the top level merge; any
 * other name that is given twice is an error naming both places. */
int tree_merge(struct tree *t, struct err *e) MUST_CHECK;

/* NULL when the map has no such key. */
const struct node *node_get(const struct node *map, const char *key);
/* Nothing was written: `key:`, `~`, `null`. */
bool node_is_null(const struct node *n);
/* "FILE:LINE: services.orders.timeout: MESSAGE". Always returns -1. */
int node_error(const struct node *n, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with "expected WHAT, found THE VALUE". */
int node_expected(const struct node *n, struct err *e, const char *what);
/* What the value says as JSON (RFC 8259): plain numbers, true, false and null keep their type, all
 * other text is a string. In the arena. */
struct str node_json(const struct node *n, struct arena *a);
