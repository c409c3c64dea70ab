/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an expression, and as a path with expressions, over a small document. */
#include "expr/expr.h"
#include "expr/template.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] =
    "{\"a\":{\"b\":[1,2.50,\"x\",null,true]},\"c\":[{\"d\":1,\"e\":\"y\"},"
    "{\"d\":2}],\"f\":\"caf\\u00e9\",\"g\":[[1],[2,[3]]]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *conf = arena_new(), *a = arena_new_bounded(1 << 18);
    struct expr_run run = {.arena = a, .steps = 20000};
    struct str text = {(const char *)data, size};
    struct bytes out = {0};
    struct err e;
    const char *why;
    const struct value *d = a ? value_parse(a, str_of(document), 32, &why) : NULL, *v;
    const struct expr *x = expr_compile(conf, text, &e);
    const struct template *t = template_compile(conf, text, &e);

    if (!d)
        abort();
    v = x ? expr_eval(x, d, &run) : NULL;
    if (x && !v && !run.why)
        abort();
    if (v && !value_write(v, 1 << 16, &out) && bytes_len(&out) < 1 << 16)
        abort();
    bytes_reuse(&out, 0);
    run.steps = 20000;
    if (t && template_expand(t, d, &run, &out))
        for (size_t i = out.start; i < out.end; i++)
            if (out.p[i] <= ' ' || out.p[i] > '~' || out.p[i] == '#')
                abort();
    bytes_free(&out);
    arena_free(a);
    arena_free(conf);
    return 0;
}
