/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.h"
#include "messages.h"

#include "base/macros.h"

#include <pthread.h>

#define SECOND 1000000000ull

enum { SIZE = 256 << 10, MAX_ANSWER = 64 << 10 };

static const struct freshness fresh = {0, 3600, false, -1, -1};

static struct cache_key key_of(const struct request *r)
{
    return (struct cache_key){STR("route"), 0, STR(""), r->host, r->path, r->query, r->has_query};
}

/* One answer from head to end in two pieces; false when it was not wanted. */
static bool put(struct cache *c, struct request *r, struct response *a, const char *body, size_t n,
                uint64_t now_ns)
{
    struct cache_key k = key_of(r);
    struct cache_entry *e = cache_begin(c, &k, r, a, &fresh, now_ns);

    if (!e || !cache_append(&e, body, n / 2) || !cache_append(&e, body + n / 2, n - n / 2))
        return false;
    cache_commit(&e, r);
    return true;
}

static bool put_text(struct cache *c, const char *target, const char *asked, const char *said,
                     const char *body, uint64_t now_ns)
{
    struct asked q;
    struct answered w;

    return put(c, ask(&q, "GET", target, asked), answer(&w, 200, said), body, strlen(body), now_ns);
}

/* The body that would be served; "" = none. */
static const char *got(struct cache *c, const char *target, const char *asked, uint64_t now_ns)
{
    static char body[256];
    struct asked q;
    struct cache_key k = key_of(ask(&q, "GET", target, asked));
    struct cache_entry *e = cache_find(c, &k, &q.r, 600 * SECOND, now_ns);

    body[0] = '\0';
    if (e)
        snprintf(body, sizeof body, "%.*s", STR_FMT(e->body));
    cache_unref(&e);
    return body;
}

static void an_answer_comes_back_as_it_was(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct cache_key k = key_of(ask(&q, "GET", "/a?x=1", ""));
    struct cache_entry *e;

    (void)state;
    assert_true(put_text(c, "/a?x=1", "",
                         "Content-Length: 5\r\nETag: \"v\"\r\nAge: 9\r\nConnection: X-Hop\r\n"
                         "X-Hop: 1\r\nX-Two: a\r\nX-Two: b\r\nLast-Modified: then\r\n",
                         "hello", SECOND));
    e = cache_find(c, &k, &q.r, 600 * SECOND, 3 * SECOND);
    assert_non_null(e);
    assert_int_equal(e->status, 200);
    assert_int_equal(e->body.n, 5);
    assert_memory_equal(e->body.p, "hello", 5);
    assert_true(str_eq(e->etag, STR("\"v\"")));
    assert_true(str_eq(e->last_modified, STR("then")));
    assert_int_equal(e->nheaders, 4); /* no Content-Length, Age, Connection, X-Hop */
    assert_true(str_eq(e->headers[1].value, STR("a")));
    assert_true(str_eq(e->headers[2].value, STR("b")));
    assert_int_equal(cache_age_s(e, 3 * SECOND), 2);
    cache_unref(&e);
    cache_free(c);
}

static void the_whole_key_counts(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct cache_key base = key_of(ask(&q, "GET", "/a?x=1", "")), keys[7];
    struct cache_entry *e;

    (void)state;
    put_text(c, "/a?x=1", "", "", "1", SECOND);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        keys[i] = base;
    keys[1].scope = STR("other");
    keys[2].scope_more = 1;
    keys[3].host = STR("b");
    keys[4].path = STR("/A");
    keys[5].query = STR("x=2");
    keys[6].has_query = false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        e = cache_find(c, &keys[i], &q.r, 600 * SECOND, 2 * SECOND);
        assert_int_equal(e != NULL, i == 0);
        cache_unref(&e);
    }
    cache_free(c);
}

static void an_empty_query_is_not_no_query(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);

    (void)state;
    put_text(c, "/a", "", "", "without", SECOND);
    put_text(c, "/a?", "", "", "with", SECOND);
    assert_string_equal(got(c, "/a", "", SECOND), "without");
    assert_string_equal(got(c, "/a?", "", SECOND), "with");
    cache_free(c);
}

static void vary_selects(void **state)
{
    static const struct {
        const char *vary, *stored, *asked;
        bool same;
    } rows[] = {
        {"Accept", "Accept: a\r\n", "Accept: a\r\n", true},
        {"Accept", "Accept: a\r\n", "accept: a\r\n", true},
        {"accept", "Accept: a\r\n", "Accept:  a \r\n", true},
        {"Accept", "Accept: a\r\n", "Accept: A\r\n", false},
        {"Accept", "Accept: a\r\n", "Accept: ab\r\n", false},
        {"Accept", "Accept: ab\r\n", "Accept: a\r\n", false},
        {"Accept", "Accept: a\r\n", "", false},
        {"Accept", "", "Accept: a\r\n", false},
        {"Accept", "", "", true},
        {"Accept", "Accept:\r\n", "", false},
        {"Accept", "", "X: y\r\n", true},
        {"Accept", "Accept: a\r\nAccept: b\r\n", "Accept: a\r\nAccept: b\r\n", true},
        {"Accept", "Accept: a\r\nAccept: b\r\n", "Accept: a,b\r\n", true},
        {"Accept", "Accept: a,b\r\n", "Accept: a\r\nAccept: b\r\n", true},
        {"Accept", "Accept: a\r\nAccept: b\r\n", "Accept: b\r\nAccept: a\r\n", false},
        {"Accept", "Accept: a\r\n", "Accept: a\r\nAccept: a\r\n", false},
        {"Accept", "Accept: ab\r\n", "Accept: a\r\nAccept: b\r\n", false},
        {"Accept, X", "Accept: a\r\nX: 1\r\n", "Accept: a\r\nX: 1\r\n", true},
        {"Accept, X", "Accept: a\r\nX: 1\r\n", "Accept: a\r\nX: 2\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
        char said[100];

        snprintf(said, sizeof said, "Vary: %s\r\n", rows[i].vary);
        assert_true(put_text(c, "/", rows[i].stored, said, "x", SECOND));
        if ((got(c, "/", rows[i].asked, SECOND)[0] != '\0') != rows[i].same)
            fail_msg("row %zu: %s / %s", i, rows[i].stored, rows[i].asked);
        cache_free(c);
    }
}

static void variants_live_side_by_side(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    char asked[40];

    (void)state;
    put_text(c, "/", "Accept: a\r\n", "Vary: Accept\r\n", "A", SECOND);
    /* Another one that was begun in the same second is not due; a second later it is. */
    assert_false(put_text(c, "/", "Accept: b\r\n", "Vary: Accept\r\n", "B", SECOND));
    assert_true(put_text(c, "/", "Accept: b\r\n", "Vary: Accept\r\n", "B", 2 * SECOND));
    assert_string_equal(got(c, "/", "Accept: a\r\n", 2 * SECOND), "A");
    assert_string_equal(got(c, "/", "Accept: b\r\n", 2 * SECOND), "B");
    for (unsigned i = 0; i < 3 * CACHE_MAX_VARIANTS; i++) {
        snprintf(asked, sizeof asked, "Accept: v%u\r\n", i);
        assert_true(put_text(c, "/", asked, "Vary: Accept\r\n", "V", (10 + i) * SECOND));
    }
    assert_int_equal(cache_usage(c).entries, CACHE_MAX_VARIANTS);
    assert_string_equal(got(c, "/", "Accept: a\r\n", 60 * SECOND), "");
    assert_string_equal(got(c, "/", asked, 60 * SECOND), "V");
    cache_free(c);
}

static void an_answer_that_varies_by_too_much_is_not_kept(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);

    (void)state;
    assert_true(put_text(c, "/8", "", "Vary: a, b, c, d\r\nVary: e, f, g, h\r\n", "x", SECOND));
    assert_false(put_text(c, "/9", "", "Vary: a, b, c, d\r\nVary: e, f, g, h, i\r\n", "x", SECOND));
    cache_free(c);
}

static void the_newest_wins(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);

    (void)state;
    put_text(c, "/", "", "", "one", SECOND);
    put_text(c, "/", "", "Vary: Accept\r\n", "two", 3 * SECOND);
    assert_string_equal(got(c, "/", "", 3 * SECOND), "two");
    assert_int_equal(cache_usage(c).entries, 1);
    cache_free(c);
}

static void once_a_second_is_enough(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    struct cache_key k = key_of(ask(&q, "GET", "/", ""));
    struct cache_entry *first, *e;

    (void)state;
    answer(&w, 200, "");
    first = cache_begin(c, &k, &q.r, &w.a, &fresh, SECOND);
    assert_non_null(first);
    /* While the first is on its way, and after it. */
    assert_null(cache_begin(c, &k, &q.r, &w.a, &fresh, SECOND + 1));
    cache_commit(&first, &q.r);
    assert_null(first);
    assert_null(cache_begin(c, &k, &q.r, &w.a, &fresh, 2 * SECOND - 1));
    e = cache_begin(c, &k, &q.r, &w.a, &fresh, 2 * SECOND);
    assert_non_null(e);
    assert_null(cache_begin(c, &k, &q.r, &w.a, &fresh, 2 * SECOND));
    cache_abort(&e);
    assert_null(e);
    assert_int_equal(cache_usage(c).entries, 1);
    cache_free(c);
}

static void old_answers_are_not_used(void **state)
{
    static const struct {
        struct freshness f;
        uint64_t max_age_s, after_s;
        bool yes;
    } rows[] = {
        {{0, 0, false, -1, -1}, 60, 60, true},     {{0, 0, false, -1, -1}, 60, 61, false},
        {{0, 1000, false, -1, -1}, 60, 61, false}, {{500, 0, false, -1, -1}, 60, 60, true},
        {{0, 30, true, -1, -1}, 60, 30, true},     {{0, 30, true, -1, -1}, 60, 31, false},
        {{0, 30, false, 5, -1}, 60, 36, false},
    };
    struct asked q;
    struct answered w;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
        struct cache_key k = key_of(ask(&q, "GET", "/", ""));
        struct cache_entry *e = cache_begin(c, &k, &q.r, answer(&w, 200, ""), &rows[i].f, SECOND);

        cache_commit(&e, &q.r);
        e = cache_find(c, &k, &q.r, rows[i].max_age_s * SECOND, (1 + rows[i].after_s) * SECOND);
        if ((e != NULL) != rows[i].yes)
            fail_msg("row %zu", i);
        cache_unref(&e);
        cache_free(c);
    }
}

static void what_is_too_large_is_given_up(void **state)
{
    static char body[MAX_ANSWER];
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    struct cache_key k = key_of(ask(&q, "GET", "/", ""));
    size_t before = cache_usage(c).bytes;
    struct cache_entry *e;

    (void)state;
    assert_null(
        cache_begin(c, &k, &q.r, answer(&w, 200, "Content-Length: 65536\r\n"), &fresh, SECOND));
    assert_null(cache_begin(c, &k, &q.r, answer(&w, 200, "Content-Length: 999999999999\r\n"),
                            &fresh, SECOND));
    /* Of unknown length: given up by the piece that is too much, and its memory is back. */
    e = cache_begin(c, &k, &q.r, answer(&w, 200, "Transfer-Encoding: chunked\r\n"), &fresh, SECOND);
    assert_non_null(e);
    assert_true(cache_append(&e, body, 60000));
    assert_false(cache_append(&e, body, 6000));
    assert_null(e);
    assert_int_equal(cache_usage(c).bytes, before);
    cache_free(c);
}

static void the_bound_holds(void **state)
{
    static char body[40000];
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    char target[40], said[60];
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        size_t n = i * 7919 % sizeof body;

        snprintf(target, sizeof target, "/%u", i);
        snprintf(said, sizeof said, i % 2 ? "Content-Length: %zu\r\n" : "X: %zu\r\n", n);
        kept +=
            put(c, ask(&q, "GET", target, ""), answer(&w, 200, said), body, n, (i + 1) * SECOND);
        assert_true(cache_usage(c).bytes <= SIZE);
    }
    assert_int_equal(kept, 2000);
    assert_true(cache_usage(c).entries >= SIZE / (int)sizeof body - 1);
    assert_int_equal(cache_usage(c).evicted, 2000 - cache_usage(c).entries);
    /* Smaller from now on; larger again. */
    cache_configure(c, SIZE / 4, MAX_ANSWER);
    assert_true(cache_usage(c).bytes <= SIZE / 4);
    cache_configure(c, 64 * SIZE, MAX_ANSWER);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(target, sizeof target, "/%u", i);
        put(c, ask(&q, "GET", target, ""), answer(&w, 200, ""), body, 30000, (3000 + i) * SECOND);
    }
    assert_true(cache_usage(c).entries >= 300);
    assert_true(cache_usage(c).bytes >= 300 * 30000);
    cache_free(c);
}

static void what_was_used_last_stays(void **state)
{
    static char body[20000];
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    char target[40];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(target, sizeof target, "/%u", i);
        put(c, ask(&q, "GET", target, ""), answer(&w, 200, ""), body, sizeof body,
            (i + 1) * SECOND);
        if (i >= 1)
            cache_configure(c, SIZE, MAX_ANSWER);
        got(c, "/0", "", (i + 1) * SECOND); /* asked for all the time */
    }
    assert_non_null(c);
    {
        struct cache_key k = key_of(ask(&q, "GET", "/0", ""));
        struct cache_entry *e = cache_find(c, &k, &q.r, 600 * SECOND, 100 * SECOND);

        assert_non_null(e);
        cache_unref(&e);
        k = key_of(ask(&q, "GET", "/1", ""));
        e = cache_find(c, &k, &q.r, 600 * SECOND, 100 * SECOND);
        assert_null(e);
    }
    cache_free(c);
}

static void answers_that_are_being_read_count_and_live(void **state)
{
    static char body[60000];
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    struct cache_entry *held[8] = {NULL};
    char target[40];
    unsigned nheld = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
        struct cache_key k;

        snprintf(target, sizeof target, "/%u", i);
        ask(&q, "GET", target, "");
        memset(body, 'a' + (int)i, sizeof body);
        put(c, &q.r, answer(&w, 200, "Content-Length: 60000\r\n"), body, sizeof body,
            (i + 1) * SECOND);
        k = key_of(&q.r);
        held[nheld] = cache_find(c, &k, &q.r, 600 * SECOND, (i + 1) * SECOND);
        nheld += held[nheld] != NULL;
        assert_true(cache_usage(c).bytes <= SIZE);
    }
    /* All that fit are in use, so the others found no room. */
    assert_in_range(nheld, 3, 4);
    assert_int_equal(cache_usage(c).refused, ARRAY_LEN(held) - nheld);
    /* Replaced and forgotten, they still count until they are given back. */
    for (unsigned i = 0; i < nheld; i++)
        cache_remove(c, &held[i]->key);
    assert_int_equal(cache_usage(c).entries, 0);
    assert_true(cache_usage(c).bytes > nheld * sizeof body);
    for (unsigned i = 0; i < nheld; i++) {
        assert_int_equal(held[i]->body.p[59999], 'a' + (int)i);
        cache_unref(&held[i]);
    }
    assert_true(cache_usage(c).bytes < sizeof body);
    cache_free(c);
}

/* Answers on their way may not push out everything that is there. */
static void drafts_take_half_at_most(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct asked q;
    struct answered w;
    struct cache_entry *drafts[16];
    unsigned n = 0;
    char target[40];

    (void)state;
    put_text(c, "/kept", "", "", "kept", SECOND);
    answer(&w, 200, "Content-Length: 30000\r\n");
    for (unsigned i = 0; i < ARRAY_LEN(drafts); i++) {
        struct cache_key k;

        snprintf(target, sizeof target, "/%u", i);
        ask(&q, "GET", target, "");
        k = key_of(&q.r);
        drafts[n] = cache_begin(c, &k, &q.r, &w.a, &fresh, SECOND);
        n += drafts[n] != NULL;
    }
    assert_int_equal(n, SIZE / 2 / 31000);
    assert_string_equal(got(c, "/kept", "", SECOND), "kept");
    while (n > 0)
        cache_abort(&drafts[--n]);
    cache_free(c);
}

struct crowd {
    struct cache *cache;
    _Atomic unsigned ids, found;
};

/* Stores, reads and forgets a few keys over and over; a body is one letter all through. */
static void *busy(void *arg)
{
    struct crowd *crowd = arg;
    unsigned id = atomic_fetch_add(&crowd->ids, 1);
    struct asked q;
    struct answered w;
    char body[3000], target[40];

    for (unsigned i = 0; i < 3000; i++) {
        uint64_t now = (i + 1) * SECOND;
        struct cache_key k;
        struct cache_entry *e;

        snprintf(target, sizeof target, "/%u", i * 31 % 80);
        k = key_of(ask(&q, "GET", target, ""));
        memset(body, 'a' + (int)((id + i) % 26), sizeof body);
        put(crowd->cache, &q.r, answer(&w, 200, ""), body, sizeof body, now);
        e = cache_find(crowd->cache, &k, &q.r, 10000 * SECOND, now);
        for (size_t at = 1; e && at < e->body.n; at++)
            assert_true(e->body.p[at] == e->body.p[0]);
        crowd->found += e != NULL;
        cache_unref(&e);
        if (i % 100 == 0)
            cache_remove(crowd->cache, &k);
        if (i % 500 == 0)
            cache_configure(crowd->cache, i % 1000 ? SIZE : SIZE / 2, MAX_ANSWER);
        assert_true(cache_usage(crowd->cache).bytes <= SIZE);
    }
    return NULL;
}

static void many_threads_share_it(void **state)
{
    struct crowd crowd = {.cache = cache_new(SIZE / 2, MAX_ANSWER, 7)};
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, busy, &crowd), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(crowd.found > 0);
    cache_free(crowd.cache); /* asserts that every byte was given back */
}

static void a_304_brings_the_head_up_to_date(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    struct freshness longer = {.lifetime_s = 500, .stale_if_error_s = -1};
    struct asked q;
    struct answered w;
    struct cache_key k;
    struct cache_entry *old, *now;

    (void)state;
    put_text(c, "/", "", "ETag: a\r\nX-Old: 1\r\nX-Both: 1\r\nContent-Type: text/plain\r\n", "body",
             SECOND);
    k = key_of(ask(&q, "GET", "/", ""));
    old = cache_find_stored(c, &k, &q.r);
    assert_non_null(old);
    now = cache_freshen(c, old, &q.r,
                        answer(&w, 304, "ETag: a\r\nX-Both: 2\r\nContent-Type: image/png\r\n"),
                        &longer, 10 * SECOND);
    assert_non_null(now);
    assert_ptr_not_equal(old, now);
    assert_int_equal(now->status, 200);
    assert_int_equal(now->fresh.lifetime_s, 500);
    assert_string_equal(got(c, "/", "", 10 * SECOND), "body");
    assert_non_null(rules_header(now->headers, now->nheaders, STR("x-old")));
    assert_true(str_eq(rules_header(now->headers, now->nheaders, STR("x-both"))->value, STR("2")));
    assert_true(str_eq(rules_header(now->headers, now->nheaders, STR("content-type"))->value,
                       STR("text/plain")));
    assert_int_equal(cache_usage(c).entries, 1);
    cache_unref(&old);
    cache_unref(&now);
    cache_free(c);
}

static bool is_path(void *arg, const struct cache_entry *e)
{
    return str_eq(e->key.path, str_of(arg));
}

static void purged_answers_are_gone_and_can_come_back_at_once(void **state)
{
    struct cache *c = cache_new(SIZE, MAX_ANSWER, 1);
    char a[] = "/a";

    (void)state;
    put_text(c, a, "", "", "a", SECOND);
    put_text(c, "/b", "", "", "b", SECOND);
    assert_int_equal(cache_purge(c, is_path, a), 1);
    assert_int_equal(cache_purge(c, is_path, a), 0);
    assert_string_equal(got(c, "/a", "", SECOND), "");
    assert_string_equal(got(c, "/b", "", SECOND), "b");
    assert_true(put_text(c, "/a", "", "", "new", SECOND));
    assert_string_equal(got(c, "/a", "", SECOND), "new");
    cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_as_it_was),
        cmocka_unit_test(the_whole_key_counts),
        cmocka_unit_test(an_empty_query_is_not_no_query),
        cmocka_unit_test(vary_selects),
        cmocka_unit_test(variants_live_side_by_side),
        cmocka_unit_test(an_answer_that_varies_by_too_much_is_not_kept),
        cmocka_unit_test(the_newest_wins),
        cmocka_unit_test(once_a_second_is_enough),
        cmocka_unit_test(old_answers_are_not_used),
        cmocka_unit_test(what_is_too_large_is_given_up),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(what_was_used_last_stays),
        cmocka_unit_test(answers_that_are_being_read_count_and_live),
        cmocka_unit_test(drafts_take_half_at_most),
        cmocka_unit_test(many_threads_share_it),
        cmocka_unit_test(a_304_brings_the_head_up_to_date),
        cmocka_unit_test(purged_answers_are_gone_and_can_come_back_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
