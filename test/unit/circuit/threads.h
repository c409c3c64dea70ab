/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* threads.h - runs the same function in several threads at once, for the stress tests. They matter
 * most in the build with the thread sanitizer. */
#include <pthread.h>

enum { THREADS = 4 };

static inline void in_threads(void *(*fn)(void *), void *arg)
{
    pthread_t ids[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, fn, arg), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
}
