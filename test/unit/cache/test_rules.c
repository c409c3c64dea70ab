/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rules.h"
#include "messages.h"

#include "base/macros.h"

/* 2026-11-25 12:00:00 */
#define NOON      "Wed, 25 Nov 2026 12:00:00 GMT"
#define NOON_S    1795608000
#define DATE_NOON "Date: " NOON "\r\n"

static void directives_are_read(void **state)
{
    static const struct {
        const char *fields;
        struct cache_control want;
    } rows[] = {
        {"", {0, 0, 0, 0, 0, 0, -1, -1, -1, -1}},
        {"Cache-Control: No-Transform\r\n", {0, 0, 1, 0, 0, 0, -1, -1, -1, -1}},
        {"Cache-Control: no-store\r\n", {1, 0, 0, 0, 0, 0, -1, -1, -1, -1}},
        {"cache-control: NO-CACHE, Private\r\n", {0, 1, 0, 1, 0, 0, -1, -1, -1, -1}},
        {"Cache-Control: private=\"x-a, x-b\", public\r\n", {0, 0, 0, 1, 1, 0, -1, -1, -1, -1}},
        {"Cache-Control: max-age=10,,stale-if-error=\"60\"\r\n",
         {0, 0, 0, 0, 0, 0, 10, -1, 60, -1}},
        {"Cache-Control: max-age=1, stale-while-revalidate=30\r\n",
         {0, 0, 0, 0, 0, 0, 1, -1, -1, 30}},
        {"Cache-Control: s-maxage=5\r\n", {0, 0, 0, 0, 0, 1, -1, 5, -1, -1}},
        {"Cache-Control: must-revalidate\r\n", {0, 0, 0, 0, 0, 1, -1, -1, -1, -1}},
        {"Cache-Control: proxy-revalidate\r\n", {0, 0, 0, 0, 0, 1, -1, -1, -1, -1}},
        {"Cache-Control: public\r\nCache-Control: max-age=1\r\n",
         {0, 0, 0, 0, 1, 0, 1, -1, -1, -1}},
        {"Cache-Control: max-age=9, max-age=3\r\n", {0, 0, 0, 0, 0, 0, 3, -1, -1, -1}},
        {"Cache-Control: max-age=-1\r\n", {0, 0, 0, 0, 0, 0, 0, -1, -1, -1}},
        {"Cache-Control: max-age=x\r\n", {0, 0, 0, 0, 0, 0, 0, -1, -1, -1}},
        {"Cache-Control: max-age\r\n", {0, 0, 0, 0, 0, 0, 0, -1, -1, -1}},
        {"Cache-Control: max-age=99999999999999999999\r\n",
         {0, 0, 0, 0, 0, 0, INT32_MAX, -1, -1, -1}},
        {"Cache-Control: x=\"no-store, \\\"no-store\", no-storex\r\n",
         {0, 0, 0, 0, 0, 0, -1, -1, -1, -1}},
        {"Cache-Control: x=\"open, no-store\r\n", {0, 0, 0, 0, 0, 0, -1, -1, -1, -1}},
    };
    struct answered w;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct response *a = answer(&w, 200, rows[i].fields);
        struct cache_control c = cache_control_of(a->headers, a->nheaders);
        const struct cache_control *want = &rows[i].want;

        if (c.no_transform != want->no_transform || c.no_store != want->no_store ||
            c.no_cache != want->no_cache || c.is_private != want->is_private ||
            c.is_public != want->is_public || c.must_revalidate != want->must_revalidate ||
            c.stale_while_revalidate != want->stale_while_revalidate ||
            c.max_age != want->max_age || c.s_maxage != want->s_maxage ||
            c.stale_if_error != want->stale_if_error)
            fail_msg("%s", rows[i].fields);
    }
}

static void what_may_be_stored(void **state)
{
    static const struct {
        const char *section, *method, *asked;
        unsigned status;
        const char *said;
        bool yes;
    } rows[] = {
        {"9111 3 plain", "GET", "", 200, "", true},
        {"9111 3 method", "HEAD", "", 200, "", false},
        {"9111 3 method", "POST", "", 200, "Cache-Control: public, max-age=9\r\n", false},
        {"9110 15 203", "GET", "", 203, "", true},
        {"9110 15 204", "GET", "", 204, "", false},
        {"9110 15 206", "GET", "", 206, "Content-Range: bytes 0-1/2\r\n", false},
        {"9110 15 301", "GET", "", 301, "", false},
        {"9110 15 304", "GET", "", 304, "", false},
        {"9110 15 404", "GET", "", 404, "Cache-Control: max-age=9\r\n", false},
        {"9110 15 410", "GET", "", 410, "", false},
        {"9110 15 500", "GET", "", 500, "Cache-Control: max-age=9\r\n", false},
        {"9111 5.2.1.5 request no-store", "GET", "Cache-Control: no-store\r\n", 200, "", false},
        {"9111 5.2.1.4 request no-cache", "GET", "Cache-Control: no-cache\r\n", 200, "", true},
        {"9111 5.2.2.5 no-store", "GET", "", 200, "Cache-Control: no-store\r\n", false},
        {"9111 5.2.2.7 private", "GET", "", 200, "Cache-Control: private\r\n", false},
        {"9111 5.2.2.7 private=", "GET", "", 200, "Cache-Control: private=\"x\"\r\n", false},
        {"9111 5.2.2.4 no-cache", "GET", "", 200, "Cache-Control: no-cache\r\n", false},
        {"9111 5.2.2.1 max-age=0", "GET", "", 200, "Cache-Control: max-age=0\r\n", true},
        {"9111 3.5", "GET", "Authorization: Basic x\r\n", 200, "", false},
        {"9111 3.5 max-age", "GET", "Authorization: Basic x\r\n", 200,
         "Cache-Control: max-age=9\r\n", false},
        {"9111 3.5 public", "GET", "Authorization: Basic x\r\n", 200, "Cache-Control: public\r\n",
         true},
        {"9111 3.5 s-maxage", "GET", "Authorization: Basic x\r\n", 200,
         "Cache-Control: s-maxage=0\r\n", true},
        {"cookie", "GET", "Cookie: a=b\r\n", 200, "", false},
        {"cookie public", "GET", "Cookie: a=b\r\n", 200, "Cache-Control: public\r\n", true},
        {"9111 7.3 set-cookie", "GET", "", 200, "Set-Cookie: a=b\r\n", false},
        {"9111 7.3 set-cookie public", "GET", "", 200,
         "Set-Cookie: a=b\r\nCache-Control: public\r\n", false},
        {"9111 3.3 content-range", "GET", "", 200, "Content-Range: bytes 0-1/2\r\n", false},
        {"9111 4.1 vary", "GET", "", 200, "Vary: Accept, Accept-Encoding\r\n", true},
        {"9111 4.1 vary *", "GET", "", 200, "Vary: *\r\n", false},
        {"9111 4.1 vary x, *", "GET", "", 200, "Vary: Accept\r\nVary: x , *\r\n", false},
        {"stand-in", "GET", "", 200, "Frontdesk-Fallback: static\r\n", false},
    };
    struct asked q;
    struct answered w;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = rules_refuse(ask(&q, rows[i].method, "/", rows[i].asked),
                                       answer(&w, rows[i].status, rows[i].said), false);

        if (!why != rows[i].yes)
            fail_msg("%s: %s", rows[i].section, why ? why : "stored");
    }
}

static void age_and_lifetime(void **state)
{
    static const struct {
        const char *section, *fields;
        int64_t after_s, delay_s, age, lifetime;
    } rows[] = {
        {"4.2.3 fresh from the service", DATE_NOON, 0, 0, 0, 0},
        {"4.2.3 apparent age", DATE_NOON, 7, 0, 7, 0},
        {"4.2.3 a clock ahead", DATE_NOON, -7, 0, 0, 0},
        {"4.2.3 Age", DATE_NOON "Age: 20\r\n", 7, 0, 20, 0},
        {"4.2.3 Age and delay", DATE_NOON "Age: 20\r\n", 7, 3, 23, 0},
        {"4.2.3 no Date", "", 0, 2, 2, 0},
        {"5.1 Age that is none", DATE_NOON "Age: -4\r\n", 0, 0, 0, 0},
        {"4.2.1 s-maxage first", DATE_NOON "Cache-Control: max-age=10, s-maxage=5\r\n", 0, 0, 0, 5},
        {"4.2.1 max-age", DATE_NOON "Cache-Control: max-age=10\r\nExpires: 0\r\n", 0, 0, 0, 10},
        {"4.2.1 Expires", DATE_NOON "Expires: Wed, 25 Nov 2026 12:01:00 GMT\r\n", 0, 0, 0, 60},
        {"5.3 Expires: 0", DATE_NOON "Expires: 0\r\nLast-Modified: " NOON "\r\n", 0, 0, 0, 0},
        {"5.3 Expires in the past", DATE_NOON "Expires: Wed, 25 Nov 2020 12:01:00 GMT\r\n", 0, 0, 0,
         0},
        {"4.2.2 a tenth", DATE_NOON "Last-Modified: Wed, 25 Nov 2026 11:50:00 GMT\r\n", 0, 0, 0,
         60},
        {"4.2.2 modified later", DATE_NOON "Last-Modified: Wed, 25 Nov 2026 12:50:00 GMT\r\n", 0, 0,
         0, 0},
    };
    struct answered w;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct freshness f = rules_freshness(answer(&w, 200, rows[i].fields),
                                             NOON_S + rows[i].after_s, rows[i].delay_s);

        if (f.age_s != rows[i].age || f.lifetime_s != rows[i].lifetime)
            fail_msg("%s: age %d, lifetime %d", rows[i].section, (int)f.age_s, (int)f.lifetime_s);
    }
}

static void what_may_be_used(void **state)
{
    static const struct {
        const char *section;
        struct freshness f;
        int64_t age;
        bool yes;
    } rows[] = {
        {"4.2 fresh", {0, 10, true, -1, -1}, 10, true},
        {"4.2.4 must-revalidate", {0, 10, true, -1, -1}, 11, false},
        {"4.2.4 stale", {0, 10, false, -1, -1}, 1000, true},
        {"5861 4 within", {0, 10, false, 5, -1}, 15, true},
        {"5861 4 beyond", {0, 10, false, 5, -1}, 16, false},
        {"5861 4 none", {0, 10, false, 0, -1}, 11, false},
        {"5861 and must-revalidate", {0, 10, true, 5, -1}, 11, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rules_usable(&rows[i].f, rows[i].age) != rows[i].yes)
            fail_msg("%s", rows[i].section);
}

static void conditions(void **state)
{
    static const struct {
        const char *fields, *etag, *modified;
        bool yes;
    } rows[] = {
        {"", "\"a\"", NOON, false},
        {"If-None-Match: \"a\"\r\n", "\"a\"", "", true},
        {"If-None-Match: \"a\"\r\n", "\"A\"", "", false},
        {"If-None-Match: \"a\"\r\n", "", "", false},
        {"If-None-Match: W/\"a\"\r\n", "\"a\"", "", true},
        {"If-None-Match: \"a\"\r\n", "W/\"a\"", "", true},
        {"If-None-Match: \"x\", \"a,b\", \"y\"\r\n", "\"a,b\"", "", true},
        {"If-None-Match: \"x\"\r\nIf-None-Match: \"a\"\r\n", "\"a\"", "", true},
        {"If-None-Match: *\r\n", "", "", true},
        {"If-Modified-Since: " NOON "\r\n", "", NOON, true},
        {"If-Modified-Since: Wed, 25 Nov 2026 12:00:01 GMT\r\n", "", NOON, true},
        {"If-Modified-Since: Wed, 25 Nov 2026 11:59:59 GMT\r\n", "", NOON, false},
        {"If-Modified-Since: " NOON "\r\n", "", "", false},
        {"If-Modified-Since: soon\r\n", "", NOON, false},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " NOON "\r\n", "\"a\"", NOON, false},
    };
    struct asked q;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rules_not_modified(ask(&q, "GET", "/", rows[i].fields), str_of(rows[i].etag),
                               str_of(rows[i].modified)) != rows[i].yes)
            fail_msg("%s ETag %s", rows[i].fields, rows[i].etag);
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t s;
    } rows[] = {
        {NOON, NOON_S},
        {"Wednesday, 25-Nov-26 12:00:00 GMT", NOON_S},
        {"Wed Nov 25 12:00:00 2026", NOON_S},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed, 25 Nov 2026 12:00:00 GMTx", -1},
        {"Wed, 25 Nov 2026 12:00:00", -1},
        {"0", -1},
        {"", -1},
        {"Wed, 25 Nov 2026 12:00:00 GMT and a lot of text behind it, much more than fits", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rules_date(str_of(rows[i].text)) != rows[i].s)
            fail_msg("%s: %lld", rows[i].text, (long long)rules_date(str_of(rows[i].text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directives_are_read), cmocka_unit_test(what_may_be_stored),
        cmocka_unit_test(age_and_lifetime),    cmocka_unit_test(what_may_be_used),
        cmocka_unit_test(conditions),          cmocka_unit_test(dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
