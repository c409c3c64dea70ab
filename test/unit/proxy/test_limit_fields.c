/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/head.h"
#include "proxy/limit_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MS NS_PER_MS

static struct worker worker = {.now_ns = 1000 * NS_PER_S};
static struct exchange x = {.w = &worker};
static struct bufpool pool;
static char text[4096];

/* One limit of a request: how far its number is ahead of the clock, or the count. */
struct asked {
    const char *name;
    enum rate_limit_kind kind;
    unsigned amount, burst;
    enum rate_limit_fields fields;
    bool shadow, unknown, refused;
    uint64_t ahead_ns;
};

/* The fields, with '|' for each CRLF. */
static const char *written(const struct asked *asked, size_t n, struct access_limits *l)
{
    static struct rate_limit_conf confs[MAX_REQUEST_LIMITS];
    static struct limit_entry entries[MAX_REQUEST_LIMITS];
    struct buf *b = bufpool_get(&pool);
    struct writer w = {b, false};
    size_t k = 0;

    *l = (struct access_limits){.n = (unsigned)n};
    for (size_t i = 0; i < n; i++) {
        const struct asked *a = &asked[i];
        uint64_t base = a->kind == LIMIT_RATE ? worker.now_ns : 0;

        confs[i] = (struct rate_limit_conf){.name = a->name,
                                            .kind = a->kind,
                                            .amount = a->amount,
                                            .burst = a->burst,
                                            .fields = a->fields,
                                            .shadow = a->shadow,
                                            .told = a->amount,
                                            .told_in_s = 1};
        entries[i].conf = &confs[i];
        limit_rule_of(&confs[i], &entries[i].rule);
        l->uses[i] = (struct limit_use){.entry = &entries[i],
                                        .known = !a->unknown,
                                        .refused = a->refused,
                                        .value = base + a->ahead_ns};
        if (a->refused && !a->shadow)
            l->refusal = &l->uses[i];
    }
    limit_fields_write(&x, l, &w);
    for (size_t i = b->start; i < b->end; i++)
        if (b->data[i] == '\r' && b->data[i + 1] == '\n')
            text[k++] = '|';
        else if (b->data[i] != '\n')
            text[k++] = b->data[i];
    text[k] = '\0';
    bufpool_put(&pool, &b);
    return text;
}

static void what_is_written(void **state)
{
    static const struct {
        const char *name;
        struct asked asked[3];
        size_t n;
        const char *fields;
    } rows[] = {
        {"nothing", {{0}}, 0, ""},
        {"one",
         {{"a", LIMIT_RATE, 10, 5, .ahead_ns = 100 * MS}},
         1,
         "RateLimit-Policy: \"a\";q=10;w=1|RateLimit: \"a\";r=4;t=1|"
         "RateLimit-Limit: 10|RateLimit-Remaining: 4|RateLimit-Reset: 1|"},
        {"draft alone",
         {{"a", LIMIT_RATE, 10, 5, FIELDS_DRAFT, .ahead_ns = 100 * MS}},
         1,
         "RateLimit-Policy: \"a\";q=10;w=1|RateLimit: \"a\";r=4;t=1|"},
        {"the old ones alone",
         {{"a", LIMIT_RATE, 10, 5, FIELDS_LEGACY, .ahead_ns = 1}},
         1,
         "RateLimit-Limit: 10|RateLimit-Remaining: 4|RateLimit-Reset: 1|"},
        {"none, but a refusal says when",
         {{"a", LIMIT_RATE, 1, 1, FIELDS_NONE, .refused = true, .ahead_ns = 900 * MS}},
         1,
         "Retry-After: 1|"},
        {"rounded up",
         {{"a", LIMIT_RATE, 1, 3, FIELDS_DRAFT, .refused = true, .ahead_ns = 2001 * MS}},
         1,
         "RateLimit-Policy: \"a\";q=1;w=1|RateLimit: \"a\";r=0;t=1|Retry-After: 1|"},
        {"whole seconds",
         {{"a", LIMIT_RATE, 1, 3, FIELDS_DRAFT, .refused = true, .ahead_ns = 5000 * MS}},
         1,
         "RateLimit-Policy: \"a\";q=1;w=1|RateLimit: \"a\";r=0;t=3|Retry-After: 3|"},
        {"never at once",
         {{"a", LIMIT_RATE, 1, 3, FIELDS_DRAFT, .refused = true, .ahead_ns = 0}},
         1,
         "RateLimit-Policy: \"a\";q=1;w=1|RateLimit: \"a\";r=0;t=1|Retry-After: 1|"},
        {"several, and the least of them",
         {{"a", LIMIT_RATE, 10, 5, .ahead_ns = 100 * MS},
          {"b", LIMIT_RATE, 10, 5, .ahead_ns = 300 * MS},
          {"c", LIMIT_RATE, 10, 5, .ahead_ns = 200 * MS}},
         3,
         "RateLimit-Policy: \"a\";q=10;w=1, \"b\";q=10;w=1, \"c\";q=10;w=1|"
         "RateLimit: \"a\";r=4;t=1, \"b\";r=2;t=1, \"c\";r=3;t=1|"
         "RateLimit-Limit: 10|RateLimit-Remaining: 2|RateLimit-Reset: 1|"},
        {"a shadow and one that was not asked any more",
         {{"a", LIMIT_RATE, 1, 1, FIELDS_DRAFT, .shadow = true, .refused = true},
          {"b", LIMIT_RATE, 1, 1, FIELDS_DRAFT, .refused = true, .ahead_ns = 1000 * MS},
          {"c", LIMIT_RATE, 1, 1, FIELDS_DRAFT, .unknown = true}},
         3,
         "RateLimit-Policy: \"b\";q=1;w=1|RateLimit: \"b\";r=0;t=1|Retry-After: 1|"},
        {"only shadows", {{"a", LIMIT_RATE, 1, 1, .shadow = true}}, 1, ""},
        {"concurrency has no time",
         {{"a", LIMIT_CONCURRENCY, 4, 0, .ahead_ns = 3}},
         1,
         "RateLimit-Policy: \"a\";q=4|RateLimit: \"a\";r=1|"},
        {"too much at once",
         {{"a", LIMIT_CONCURRENCY, 4, 0, .refused = true, .ahead_ns = 4}},
         1,
         "RateLimit-Policy: \"a\";q=4|RateLimit: \"a\";r=0|Retry-After: 1|"},
    };
    struct access_limits l;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(written(rows[i].asked, rows[i].n, &l), rows[i].fields) != 0)
            fail_msg("%s:\n%s\n%s", rows[i].name, text, rows[i].fields);
    limit_fields_write(&x, NULL, NULL);
}

static void what_the_service_may_not_say(void **state)
{
    static const struct asked both = {.name = "a", .kind = LIMIT_RATE, .amount = 1, .burst = 1},
                              draft = {.name = "a",
                                       .kind = LIMIT_RATE,
                                       .amount = 1,
                                       .burst = 1,
                                       .fields = FIELDS_DRAFT};
    struct access_limits l;

    (void)state;
    written(&both, 1, &l);
    assert_true(limit_fields_replace(&l, STR("RateLimit-Remaining")));
    assert_true(limit_fields_replace(&l, STR("ratelimit-limit")));
    assert_true(limit_fields_replace(&l, STR("RATELIMIT-RESET")));
    assert_false(limit_fields_replace(&l, STR("RateLimit")));
    assert_false(limit_fields_replace(&l, STR("RateLimit-Policy")));
    assert_false(limit_fields_replace(&l, STR("RateLimit-Limits")));
    assert_false(limit_fields_replace(&l, STR("Date")));
    written(&draft, 1, &l);
    assert_false(limit_fields_replace(&l, STR("RateLimit-Limit")));
    assert_false(limit_fields_replace(NULL, STR("RateLimit-Limit")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written),
        cmocka_unit_test(what_the_service_may_not_say),
    };

    bufpool_init(&pool, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
