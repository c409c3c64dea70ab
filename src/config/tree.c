/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

/* State of reading one file. */
struct builder {
    struct tree *tree;
    struct err *err;
    const char *file;
    struct node *root;    /* of the document; NULL until it starts */
    struct node *current; /* innermost open map or list */
    unsigned depth;
    const char *key; /* read, its value not yet */
    unsigned key_line;
    unsigned documents;
};

void tree_init(struct tree *t, struct arena *a)
{
    *t = (struct tree){.arena = a, .root = {.kind = NODE_MAP, .file = "", .text = ""}};
}

/* Key names and file names come from people, but may be anything: keep messages on one line. */
static const char *shown(const char *text, char *buf, size_t cap)
{
    size_t n = 0;

    for (; text[n] && n + 4 < cap; n++)
        buf[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
    buf[n] = '\0';
    if (text[n])
        strcpy(buf + n, "...");
    return buf;
}

static size_t write_path(const struct node *n, char *buf, size_t cap)
{
    size_t used = n->parent ? write_path(n->parent, buf, cap) : 0;
    char name[64];
    int k = 0;

    if (n->key)
        k = snprintf(buf + used, cap - used, "%s%s", used ? "." : "",
                     shown(n->key, name, sizeof name));
    else if (n->parent)
        k = snprintf(buf + used, cap - used, "[%u]", n->index);
    used += (size_t)k;
    return used < cap ? used : cap - 1;
}

int node_error(const struct node *n, struct err *e, const char *fmt, ...)
{
    char message[600], path[200] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    write_path(n, path, sizeof path);
    return err_set(e, "%s:%u: %s%s%s", n->file, n->line, path, path[0] ? ": " : "", message);
}

int node_expected(const struct node *n, struct err *e, const char *what)
{
    char value[48];

    if (node_is_null(n))
        return node_error(n, e, "expected %s, found nothing", what);
    if (n->kind != NODE_TEXT)
        return node_error(n, e, "expected %s, found a %s", what,
                          n->kind == NODE_MAP ? "map" : "list");
    return node_error(n, e, "expected %s, found \"%s\"", what, shown(n->text, value, sizeof value));
}

bool node_is_null(const struct node *n)
{
    return n->kind == NODE_TEXT && !n->quoted &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

const struct node *node_get(const struct node *map, const char *key)
{
    node_each(it, map) if (strcmp(it->key, key) == 0) return it;
    return NULL;
}

static void append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

static int fail_at(struct builder *b, size_t line, const char *what)
{
    return err_set(b->err, "%s:%zu: %s", b->file, line + 1, what);
}

/* Hangs a new value below the open map or list; NULL and an error when it may not be there. */
static struct node *add_node(struct builder *b, enum node_kind kind, const yaml_event_t *ev,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    size_t line = ev->start_mark.line;
    struct node *n;

    if (anchor || tag) {
        fail_at(b, line, anchor ? "anchors are not supported" : "tags are not supported");
        return NULL;
    }
    if (++b->tree->nodes > TREE_MAX_NODES) {
        fail_at(b, line, "too many values in this configuration");
        return NULL;
    }
    if (b->current && b->current->kind == NODE_MAP && !b->key) {
        fail_at(b, line, "a key must be a word, not a map or a list");
        return NULL;
    }
    n = ARENA_NEW(b->tree->arena, struct node);
    *n = (struct node){.kind = kind, .file = b->file, .key = b->key, .seq = b->tree->nodes};
    n->shared = b->tree->shared;
    n->line = b->key ? b->key_line : (unsigned)line + 1;
    n->index = b->current ? (unsigned)b->current->n : 0;
    b->key = NULL;
    if (b->current)
        append(b->current, n);
    else
        b->root = n;
    return n;
}

static int on_text(struct builder *b, const yaml_event_t *ev)
{
    const char *value = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    struct node *n;

    if (memchr(value, '\0', len))
        return fail_at(b, ev->start_mark.line, "a NUL byte in a value");
    if (b->current && b->current->kind == NODE_MAP && !b->key) {
        if (ev->data.scalar.anchor || ev->data.scalar.tag)
            return fail_at(b, ev->start_mark.line, "anchors and tags are not supported");
        b->key = arena_strndup(b->tree->arena, value, len);
        b->key_line = (unsigned)ev->start_mark.line + 1;
        return 0;
    }
    n = add_node(b, NODE_TEXT, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
    if (!n)
        return -1;
    n->text = arena_strndup(b->tree->arena, value, len);
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int open_node(struct builder *b, struct node *n, size_t line)
{
    if (!n)
        return -1;
    if (++b->depth > TREE_MAX_DEPTH)
        return fail_at(b, line, "nested too deeply");
    b->current = n;
    return 0;
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
    size_t line = ev->start_mark.line;

    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++b->documents > 1 ? fail_at(b, line, "more than one document in a file") : 0;
    case YAML_ALIAS_EVENT:
        return fail_at(b, line, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        return on_text(b, ev);
    case YAML_MAPPING_START_EVENT:
        return open_node(
            b, add_node(b, NODE_MAP, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag),
            line);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(
            b,
            add_node(b, NODE_LIST, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag),
            line);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->current = b->current->parent;
        b->depth--;
        return 0;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

static int fail_yaml(struct builder *b, const yaml_parser_t *p)
{
    /* A reader error (bad UTF-8, control byte) has an offset only; the parser's mark is near. */
    size_t line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;

    return err_set(b->err, "%s:%zu: not valid YAML: %s%s%s", b->file, line + 1,
                   p->problem ? p->problem : "out of memory", p->context ? " " : "",
                   p->context ? p->context : "");
}

static int build(struct builder *b, yaml_parser_t *p)
{
    yaml_event_t ev;
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        if (!yaml_parser_parse(p, &ev))
            return fail_yaml(b, p);
        end = ev.type == YAML_STREAM_END_EVENT;
        rc = on_event(b, &ev);
        yaml_event_delete(&ev);
    }
    return rc;
}

int tree_add(struct tree *t, const char *file, const char *text, size_t n, struct err *e)
{
    struct builder b = {.tree = t, .err = e, .file = arena_strdup(t->arena, file)};
    yaml_parser_t p;
    int rc;

    if (!yaml_parser_initialize(&p))
        return err_set(e, "%s: out of memory", file);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
    rc = build(&b, &p);
    yaml_parser_delete(&p);
    if (rc < 0)
        return -1;
    if (!b.root || node_is_null(b.root))
        return 0;
    if (b.root->kind != NODE_MAP)
        return node_expected(b.root, e, "keys and values at the top level");
    for (struct node *it = b.root->first, *next; it; it = next) {
        next = it->next;
        append(&t->root, it);
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int order = strcmp(x->key, y->key);

    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

/* The second mention of a name goes into the first. */
static int join(struct node *first, struct node *second, bool top, struct err *e)
{
    bool same_file = strcmp(first->file, second->file) == 0;

    if (top && !same_file && node_is_null(second))
        return 0;
    if (top && !same_file && node_is_null(first)) {
        first->kind = second->kind;
        first->text = second->text;
        first->quoted = second->quoted;
        first->file = second->file;
        first->line = second->line;
        first->shared = second->shared;
    } else if (!top || same_file || first->kind == NODE_TEXT || first->kind != second->kind) {
        return node_error(second, e, "given twice; first at %s:%u", first->file, first->line);
    }
    for (struct node *it = second->first, *next; it; it = next) {
        next = it->next;
        append(first, it);
    }
    return 0;
}

static int merge_map(struct tree *t, struct node *map, struct err *e)
{
    struct node **sorted = ARENA_ARRAY(t->arena, struct node *, map->n);
    struct node *it = map->first;
    struct node *keep = NULL;
    size_t n = map->n;

    for (size_t i = 0; i < n; i++, it = it->next)
        sorted[i] = it;
    qsort(sorted, n, sizeof *sorted, by_key);
    for (size_t i = 0; i < n; i++) {
        if (!keep || strcmp(keep->key, sorted[i]->key) != 0) {
            keep = sorted[i];
            continue;
        }
        if (join(keep, sorted[i], map == &t->root, e) < 0)
            return -1;
        sorted[i]->parent = NULL; /* marks it as gone */
    }

    it = map->first;
    map->first = map->last = NULL;
    map->n = 0;
    for (struct node *next; it; it = next) {
        next = it->next;
        if (it->parent)
            append(map, it);
    }
    return 0;
}

static int merge_below(struct tree *t, struct node *n, struct err *e)
{
    if (n->kind == NODE_MAP && merge_map(t, n, e) < 0)
        return -1;
    for (struct node *it = n->first; it; it = it->next)
        if (it->kind != NODE_TEXT && merge_below(t, it, e) < 0)
            return -1;
    return 0;
}

int tree_merge(struct tree *t, struct err *e)
{
    return merge_below(t, &t->root, e);
}
