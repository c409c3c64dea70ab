/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* micro.h - one measured case: what it needs is made first, then `run` does the same thing `n`
 * times and nothing else, then all is freed. Inputs and seeds are fixed, so that two runs execute
 * the same instructions. A case that does not do what it should ends the program: micro_check(). */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct micro_case {
    const char *name;
    unsigned n; /* operations in a measurement */
    void (*prepare)(long arg);
    void (*run)(unsigned n);
    void (*release)(void);
    long arg;
};

struct micro_group {
    const struct micro_case *cases;
    size_t n;
};

extern const struct micro_group micro_http, micro_route, micro_balancer, micro_breaker, micro_proxy,
    micro_token, micro_snapshot;

#define MICRO_GROUP(cases)                                                                         \
    {                                                                                              \
        cases, sizeof(cases) / sizeof *(cases)                                                     \
    }

/* As assert(), which tests of the release build have, too; says which case it was. */
void micro_failed(const char *what, const char *file, int line) __attribute__((noreturn));
#define micro_check(c) ((c) ? (void)0 : micro_failed(#c, __FILE__, __LINE__))

/* The helpers of the unit tests check with cmocka's words. */
#define assert_non_null(p)     micro_check((p) != NULL)
#define assert_true(c)         micro_check(c)
#define assert_int_equal(a, b) micro_check((a) == (b))
#define fail_msg(...)          (fprintf(stderr, __VA_ARGS__), micro_failed("fixture", __FILE__, __LINE__))
#define print_error(...)       fprintf(stderr, __VA_ARGS__)
