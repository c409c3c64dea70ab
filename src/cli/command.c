/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdarg.h>
#include <stdlib.h>

bool common_option(struct admin_options *o, int option, const char *value)
{
    switch (option) {
    case 'a':
        o->address = value;
        return true;
    case OPTION_CA:
        o->ca = value;
        return true;
    case OPTION_CERT:
        o->cert = value;
        return true;
    case OPTION_KEY:
        o->key = value;
        return true;
    case OPTION_TOKEN_FILE:
        o->token_file = value;
        return true;
    }
    return false;
}

static void complain(const char *fmt, va_list args) PRINTF_LIKE(1, 0);
static void complain(const char *fmt, va_list args)
{
    struct term t = term_now();
    char *text;

    if (vasprintf(&text, fmt, args) < 0)
        return;
    fputs("frontdesk: ", stderr);
    text_put(stderr, &t, text, TEXT_ALL);
    putc('\n', stderr);
    free(text);
}

int command_failed(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    return EXIT_FAILED;
}

int command_misused(const char *command, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    fprintf(stderr, "see frontdesk %s --help\n", command);
    return EXIT_USAGE;
}

void command_json(FILE *out, json_t *doc, bool one_line)
{
    /* What is no ASCII is escaped: nothing in a document can steer a terminal. */
    json_dumpf(doc, out,
               JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6) |
                   (one_line ? JSON_COMPACT : JSON_INDENT(2)));
    putc('\n', out);
    json_decref(doc);
}
