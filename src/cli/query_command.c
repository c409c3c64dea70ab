/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "expr/expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: frontdesk query [-l] EXPRESSION [FILE]\n"
    "\n"
    "Evaluates an expression, as aggregates of the configuration have them, on a JSON document: "
    "that\n"
    "of FILE, else the standard input.\n"
    "\n"
    "  -l, --lines     the input is lines \"EXPRESSION<tab>DOCUMENT\", each with a line for an "
    "answer:\n"
    "                  the result, or ! and why there is none; no EXPRESSION is given\n"
    "  -h, --help\n"
    "\n"
    "Exit status: 0 done, 1 there is no result, 2 wrong usage.\n";

enum { MAX_MEMORY = 256 << 20, MAX_RESULT = 64 << 20 };

/* The result into `to`, or why there is none. */
static bool evaluate(struct str text, struct str document, struct bytes *to, struct err *e)
{
    struct arena *conf = arena_new(), *a = arena_new_bounded(MAX_MEMORY);
    struct expr_run run = {.arena = a, .steps = EXPR_STEPS};
    const struct expr *x = expr_compile(conf, text, e);
    const struct value *d, *v = NULL;
    const char *why = "memory is out";

    if (x) {
        d = a ? value_parse(a, document, VALUE_MAX_DEPTH, &why) : NULL;
        v = d ? expr_eval(x, d, &run) : NULL;
        if (!d)
            err_set(e, "the document %s", why);
        else if (!v)
            err_set(e, "%s", run.why);
        else if (!value_write(v, MAX_RESULT, to))
            v = (err_set(e, "the result is too large"), NULL);
    }
    arena_free(a);
    arena_free(conf);
    return v != NULL;
}

static int run_lines(FILE *in)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, in)) > 0) {
        char *tab = memchr(line, '\t', (size_t)n);
        struct bytes out = {0};
        struct err e;
        struct str document;

        n -= line[n - 1] == '\n';
        if (!tab) {
            free(line);
            return command_failed("a line without a tab");
        }
        document = (struct str){tab + 1, (size_t)(line + n - tab - 1)};
        if (evaluate((struct str){line, (size_t)(tab - line)}, document, &out, &e))
            printf("%.*s\n", STR_FMT(bytes_str(&out)));
        else
            printf("!%s\n", e.text);
        bytes_free(&out);
    }
    free(line);
    return EXIT_DONE;
}

static bool read_all(FILE *in, struct bytes *to)
{
    char buf[65536];
    size_t n;

    while ((n = fread(buf, 1, sizeof buf, in)) > 0)
        if (!bytes_add(to, buf, n))
            return false;
    return !ferror(in);
}

static int run_one(FILE *in, const char *text)
{
    struct bytes document = {0}, out = {0};
    struct err e;
    int status = EXIT_FAILED;

    if (!read_all(in, &document))
        command_failed("the document cannot be read");
    else if (!evaluate(str_of(text), bytes_str(&document), &out, &e))
        command_failed("%s", e.text);
    else
        status = (fwrite(out.p, 1, out.end, stdout), putchar('\n'), EXIT_DONE);
    bytes_free(&document);
    bytes_free(&out);
    return status;
}

int query_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"lines", no_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool lines = false;
    FILE *in = stdin;
    int c, status, wanted;

    while ((c = getopt_long(argc, argv, "lh", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (c != 'l')
            return command_misused("query", "unknown option");
        lines = true;
    }
    wanted = lines ? 0 : 1;
    if (argc - optind < wanted || argc - optind > wanted + 1)
        return command_misused("query", "expected an expression, and a file at most");
    if (argc - optind > wanted && !(in = fopen(argv[optind + wanted], "re")))
        return command_failed("%s: %s", argv[optind + wanted], strerror(errno));
    status = lines ? run_lines(in) : run_one(in, argv[optind]);
    if (in != stdin)
        fclose(in);
    return status;
}
