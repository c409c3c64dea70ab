/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is written to a stream, as a string. Include after <cmocka.h>.
 *
 *     capture_begin(&c);
 *     text_put(c.out, ...);
 *     assert_string_equal(capture_end(&c), "...");       // until capture_free(&c)
 */
#include <stdio.h>
#include <stdlib.h>

struct capture {
    FILE *out;
    char *text;
    size_t n;
};

static inline void capture_begin(struct capture *c)
{
    c->text = NULL;
    c->n = 0;
    c->out = open_memstream(&c->text, &c->n);
    assert_non_null(c->out);
}

static inline const char *capture_end(struct capture *c)
{
    fclose(c->out);
    return c->text;
}

static inline void capture_free(struct capture *c)
{
    free(c->text);
}
