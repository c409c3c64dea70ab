/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* traefik_rule.h - the rules of Traefik's routers: tests with && || ! and parentheses, in the words
 * of its versions 2 and 3. Pure; what is read was written by others, so all is bounded. */
#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

enum {
    TRAEFIK_MAX_RULE = 4096,
    TRAEFIK_MAX_DEPTH = 16,
    TRAEFIK_MAX_ARGS = 16,
    TRAEFIK_MAX_ARG = 1024,
    TRAEFIK_MAX_TESTS = 16, /* of a case */
    TRAEFIK_MAX_CASES = 32
};

enum traefik_matcher {
    TRAEFIK_HOST,
    TRAEFIK_HOST_REGEXP,
    TRAEFIK_PATH,
    TRAEFIK_PATH_PREFIX,
    TRAEFIK_PATH_REGEXP,
    TRAEFIK_METHOD,
    TRAEFIK_HEADER,
    TRAEFIK_HEADER_REGEXP,
    TRAEFIK_QUERY,
    TRAEFIK_QUERY_REGEXP,
    TRAEFIK_CLIENT_IP
};

struct traefik_test {
    enum traefik_matcher matcher;
    bool inverse;
    unsigned nargs; /* one, but for headers and queries, which have a name and perhaps a value */
    struct str args[2];
};

/* All of its tests hold. */
struct traefik_case {
    struct traefik_test tests[TRAEFIK_MAX_TESTS];
    unsigned n;
};

/* One of its cases does. */
struct traefik_rule {
    struct traefik_case *cases;
    unsigned n;
};

/* What is wrong with the rule, or NULL. *ret is in the arena. */
const char *traefik_rule_parse(struct arena *a, struct str text,
                               struct traefik_rule *ret) MUST_CHECK;
