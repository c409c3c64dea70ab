/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/issuer.h"
#include "policy/token_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "token_maker.h"

#define LONG                                                                                       \
    "\"long enough to be hashed by its end only, which is the same in all of them .........\""

static const struct issuer_conf conf = {.name = "i", .keys = {.jwks_url = "http://localhost/"}};

static void no_asking(void *arg)
{
    (void)arg;
}

static struct identity *who(const char *sub)
{
    return identity_new(IDENTITY_JWT, "i", json_pack("{s:s}", "sub", sub), 0);
}

/* The subject that the cache has for this text, or "". */
static const char *found(struct token_cache *c, const char *text, uint64_t set_id, int64_t now)
{
    const struct token_facts *f = token_cache_find(c, str_of(text), set_id, now);

    return f ? f->identity->subject : "";
}

static void remember(struct token_cache *c, struct issuer *i, const char *text, const char *sub,
                     int64_t expires)
{
    struct token_facts f = {.issuer = i,
                            .generation = issuer_generation(i),
                            .set_id = 7,
                            .expires_at_s = expires,
                            .identity = who(sub)};

    token_cache_add(c, str_of(text), &f);
    identity_unref(&f.identity);
}

static void counts_as_long_as_nothing_changes(void **state)
{
    struct token_cache *c = token_cache_new_with(16, 4096, 1);
    struct issuer *i = issuer_new(&conf, no_asking, NULL);
    struct token_cache_usage u;

    (void)state;
    assert_string_equal(found(c, "a", 7, 100), "");
    remember(c, i, "a", "ada", 200);
    assert_string_equal(found(c, "a", 7, 100), "ada");
    assert_string_equal(found(c, "a", 7, 199), "ada");
    assert_string_equal(found(c, "b", 7, 100), "");
    assert_string_equal(found(c, "", 7, 100), "");
    /* Expired: forgotten, even if the clock goes back. */
    assert_string_equal(found(c, "a", 7, 200), "");
    assert_string_equal(found(c, "a", 7, 100), "");
    /* Another configuration. */
    remember(c, i, "a", "ada", 200);
    assert_string_equal(found(c, "a", 8, 100), "");
    /* Other keys. */
    remember(c, i, "a", "ada", 200);
    atomic_fetch_add(&i->shared.generation, 1);
    assert_string_equal(found(c, "a", 7, 100), "");
    /* No end. */
    remember(c, i, "a", "ada", 0);
    assert_string_equal(found(c, "a", 7, INT64_MAX), "ada");
    /* The same once more. */
    remember(c, i, "a", "bob", 0);
    assert_string_equal(found(c, "a", 7, 1), "bob");
    token_cache_usage(c, &u);
    assert_int_equal(u.entries, 1);
    assert_int_equal(u.bytes, 1);
    token_cache_free(&c);
    assert_null(c);
    token_cache_free(&c);
    issuer_unref(&i);
}

/* The same end, and so the same hash: only the whole text counts. */
static void the_whole_text_counts(void **state)
{
    struct token_cache *c = token_cache_new_with(16, 4096, 1);
    struct issuer *i = issuer_new(&conf, no_asking, NULL);

    (void)state;
    remember(c, i, "x" LONG, "ada", 0);
    assert_string_equal(found(c, "y" LONG, 7, 1), "");
    remember(c, i, "y" LONG, "bob", 0);
    assert_string_equal(found(c, "x" LONG, 7, 1), "ada");
    assert_string_equal(found(c, "y" LONG, 7, 1), "bob");
    assert_string_equal(found(c, LONG, 7, 1), "");
    token_cache_free(&c);
    issuer_unref(&i);
}

static void is_bounded(void **state)
{
    struct token_cache *c = token_cache_new_with(4, 100, 1);
    struct issuer *i = issuer_new(&conf, no_asking, NULL);
    struct token_cache_usage u;
    char text[101];

    (void)state;
    remember(c, i, "1", "1", 0);
    remember(c, i, "2", "2", 0);
    remember(c, i, "3", "3", 0);
    remember(c, i, "4", "4", 0);
    assert_string_equal(found(c, "1", 7, 1), "1");
    remember(c, i, "5", "5", 0);
    assert_string_equal(found(c, "2", 7, 1), "");
    assert_string_equal(found(c, "1", 7, 1), "1");
    token_cache_usage(c, &u);
    assert_int_equal(u.entries, 4);
    assert_int_equal(u.evicted, 1);
    /* Bytes: one large one pushes out all that it needs the room of. */
    memset(text, 'x', 100);
    text[98] = '\0';
    remember(c, i, text, "x", 0);
    token_cache_usage(c, &u);
    assert_true(u.bytes <= 100);
    assert_int_equal(u.entries, 3);
    assert_string_equal(found(c, "1", 7, 1), "1");
    text[98] = 'x';
    text[100] = '\0';
    remember(c, i, text, "all", 0);
    assert_string_equal(found(c, text, 7, 1), "all");
    token_cache_usage(c, &u);
    assert_int_equal(u.entries, 1);
    token_cache_free(&c);
    issuer_unref(&i);
}

/* A random life against a table that keeps everything. */
static void as_a_table_would(void **state)
{
    enum { TEXTS = 64, STEPS = 200000 };
    struct token_cache *c = token_cache_new_with(32, 1 << 20, 99);
    struct issuer *i = issuer_new(&conf, no_asking, NULL);
    int64_t expires[TEXTS] = {0};
    char text[TEXTS][24];
    uint64_t r = 1;
    struct token_cache_usage u;

    (void)state;
    for (int k = 0; k < TEXTS; k++)
        snprintf(text[k], sizeof text[k], "token %d", k);
    for (int64_t now = 1; now < STEPS; now++) {
        int k = (int)((r = r * 6364136223846793005ull + 1442695040888963407ull) >> 58);

        if (r >> 20 & 1) {
            expires[k] = now + (int64_t)(r >> 30 & 255);
            remember(c, i, text[k], text[k], expires[k]);
        } else if (strcmp(found(c, text[k], 7, now), "") != 0) {
            assert_true(now < expires[k]);
        }
        token_cache_usage(c, &u);
        assert_true(u.entries <= 32);
    }
    assert_true(u.hits > 10000 && u.evicted > 10000);
    token_cache_free(&c);
    issuer_unref(&i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_long_as_nothing_changes),
        cmocka_unit_test(the_whole_text_counts),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(as_a_table_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
