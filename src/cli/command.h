/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* command.h - the commands that ask a running gateway, and what they share.
 *
 * Each takes its own argv (argv[0] is the command's name) and returns the exit status. */
#include "cli/admin_client.h"
#include "cli/term_text.h"

#include <getopt.h>

enum command_exit {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* no answer, or it could not be done */
    EXIT_USAGE = 2,
    EXIT_ATTENTION = 3
};

int status_command(int argc, char **argv);
int breakers_command(int argc, char **argv);
int breaker_command(int argc, char **argv);
int explain_command(int argc, char **argv);
int cache_command(int argc, char **argv);
int catalog_command(int argc, char **argv);
/* Asks nobody: evaluates an expression. */
int query_command(int argc, char **argv);
/* Asks nobody: makes API keys and their entries. */
int api_key_command(int argc, char **argv);

/* Options that all of them have; a command's own long options begin at OPTION_OWN. */
enum { OPTION_CA = 256, OPTION_CERT, OPTION_KEY, OPTION_TOKEN_FILE, OPTION_OWN };
#define COMMON_SHORT "a:h"
#define COMMON_OPTIONS                                                                             \
    {"admin", required_argument, NULL, 'a'}, {"ca", required_argument, NULL, OPTION_CA},           \
        {"cert", required_argument, NULL, OPTION_CERT},                                            \
        {"key", required_argument, NULL, OPTION_KEY},                                              \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define COMMON_USAGE                                                                               \
    "  -a, --admin ADDRESS   admin endpoint: HOST:PORT or https://HOST:PORT (127.0.0.1:9901)\n"    \
    "      --ca FILE         certificates that the endpoint's is checked with\n"                   \
    "      --cert FILE, --key FILE   client certificate\n"                                         \
    "  -h, --help\n"

/* True when the option was one of these. */
bool common_option(struct admin_options *o, int option, const char *value);

/* Anything to a person, made safe for the terminal. Returns EXIT_FAILED. */
int command_failed(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same with EXIT_USAGE, and where help is. */
int command_misused(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes a document and its line feed; drops the reference. */
void command_json(FILE *out, json_t *doc, bool one_line);
