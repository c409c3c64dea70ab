/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "config/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

/* RFC 8259 section 6. */
static bool is_number(const char *p)
{
    static const char digits[] = "0123456789";
    size_t n;

    p += *p == '-';
    n = strspn(p, digits);
    if (n == 0 || (n > 1 && p[0] == '0'))
        return false;
    p += n;
    if (*p == '.') {
        n = strspn(++p, digits);
        if (n == 0)
            return false;
        p += n;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        n = strspn(p, digits);
        if (n == 0)
            return false;
        p += n;
    }
    return *p == '\0';
}

static void write_text(FILE *out, const struct node *n)
{
    bool plain = !n->quoted && (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0 ||
                                is_number(n->text));

    if (node_is_null(n))
        fputs("null", out);
    else if (plain)
        fputs(n->text, out);
    else
        write_string(out, n->text);
}

/* As deep as the tree, which TREE_MAX_DEPTH bounds. */
static void write_node(FILE *out, const struct node *n)
{
    if (n->kind == NODE_TEXT) {
        write_text(out, n);
        return;
    }
    putc(n->kind == NODE_MAP ? '{' : '[', out);
    node_each(it, n)
    {
        if (it != n->first)
            putc(',', out);
        if (n->kind == NODE_MAP) {
            write_string(out, it->key);
            putc(':', out);
        }
        write_node(out, it);
    }
    putc(n->kind == NODE_MAP ? '}' : ']', out);
}

struct str node_json(const struct node *n, struct arena *a)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct str copy;

    if (!out)
        abort();
    write_node(out, n);
    if (fclose(out) != 0)
        abort();
    copy = arena_str(a, (struct str){text, len});
    free(text);
    return copy;
}
