/* SPDX-License-Identifier: Apache-2.0 */
/* micro.c - the micro-benchmarks' program. bench/micro/run runs it under callgrind and counts the
 * instructions within micro_measured(); by itself it runs each case once and checks what comes out.
 *
 *   micro               every case once
 *   micro --list        NAME OPERATIONS, a line each
 *   micro --requests    succeeds when it was built with valgrind's header
 *   micro NAME          one case, as often as --list says
 */
#include "micro.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define HAVE_REQUESTS 1
#endif
#endif
#ifndef HAVE_REQUESTS
#define HAVE_REQUESTS                   0
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION  (void)0
#endif

static const struct micro_group *const groups[] = {&micro_http,    &micro_route, &micro_balancer,
                                                   &micro_breaker, &micro_proxy, &micro_token,
                                                   &micro_snapshot};
enum { NGROUPS = sizeof groups / sizeof *groups };

static const char *running = "";

void micro_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "micro: %s: %s:%d: %s\n", running, file, line, what);
    exit(1);
}

/* The runner has callgrind collect between its entry and its return. */
void micro_measured(const struct micro_case *c, unsigned n);
void micro_measured(const struct micro_case *c, unsigned n)
{
    c->run(n);
    /* So that the call is no jump, which would end the function before its work. */
    __asm__ volatile("" ::: "memory");
}

/* Called through a pointer that may change, it stays a function of that name. */
static void (*volatile measure)(const struct micro_case *c, unsigned n) = micro_measured;

static void run_case(const struct micro_case *c, unsigned n)
{
    running = c->name;
    c->prepare(c->arg);
    /* What only the first time costs (lazy binding, caches that fill) is no cost of an operation.
     */
    c->run(1);
    CALLGRIND_START_INSTRUMENTATION;
    measure(c, n);
    CALLGRIND_STOP_INSTRUMENTATION;
    c->release();
}

/* NULL = all. Number of cases found. */
static unsigned each(const char *name, void (*fn)(const struct micro_case *c))
{
    unsigned found = 0;

    for (size_t g = 0; g < NGROUPS; g++)
        for (size_t i = 0; i < groups[g]->n; i++) {
            const struct micro_case *c = &groups[g]->cases[i];

            if (name && strcmp(name, c->name) != 0)
                continue;
            fn(c);
            found++;
        }
    return found;
}

static void list(const struct micro_case *c)
{
    printf("%s %u\n", c->name, c->n);
}

static void once(const struct micro_case *c)
{
    run_case(c, 1);
}

static void measured(const struct micro_case *c)
{
    run_case(c, c->n);
}

int main(int argc, char **argv)
{
    json_object_seed(1); /* else the order within JSON objects is another in each run */
    if (argc > 1 && strcmp(argv[1], "--requests") == 0)
        return HAVE_REQUESTS ? 0 : 1;
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        each(NULL, list);
        return 0;
    }
    if (argc > 1 && each(argv[1], measured) == 0) {
        fprintf(stderr, "micro: no case \"%s\"\n", argv[1]);
        return 2;
    }
    if (argc == 1)
        printf("%u cases\n", each(NULL, once));
    return 0;
}
