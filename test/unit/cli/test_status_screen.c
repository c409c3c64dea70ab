/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"

#include "base/macros.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "gateway_documents.h"

static const struct service_said few[] = {
    {.name = "calm", .requests = 7},
    {.name = "stormy",
     .requests = 20,
     .failed = 12,
     .breaker = "\"state\": \"open\", \"machine\": \"open\", \"reopens_in_ms\": 4200,"
                " \"rejected\": 33, \"last_trip\": {\"cause\": \"failure_rate\", \"failed\": 12,"
                " \"total\": 20}"},
    {.name = "held", .breaker = FORCED("forced_open", "anna@desk", "db upgrade")},
};

static const struct screen_state calm = {.address = "127.0.0.1:9901"};

static void draw(struct capture *c, const struct term *t, const struct status_page *p,
                 const struct screen_state *s)
{
    capture_begin(c);
    status_screen(c->out, t, p, s);
    capture_end(c);
}

/* The longest line, and how many there are. */
static unsigned widest(const char *text, unsigned *ret_lines)
{
    static const struct term utf8 = {.utf8 = true};
    unsigned width = 0;

    *ret_lines = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = strndup(text, n);
        unsigned columns = text_columns(&utf8, line);

        free(line);
        width = columns > width ? columns : width;
        ++*ret_lines;
        text += n + (text[n] == '\n');
    }
    return width;
}

static void test_lines(void **state)
{
    static const struct term wide = {.utf8 = true};
    struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
    struct capture c;
    const char *stormy, *held, *calm_line;

    (void)state;
    draw(&c, &wide, p, &calm);
    stormy = strstr(c.text, "stormy");
    held = strstr(c.text, "held");
    calm_line = strstr(c.text, "\ncalm");
    assert_true(stormy && held && calm_line && stormy < held && held < calm_line);
    assert_non_null(strstr(stormy, "failure_rate 12/20, probes in 4s"));
    assert_non_null(strstr(held, "by anna@desk, 9m58s left: db upgrade"));
    assert_non_null(strstr(c.text, "frontdesk 1.2.3, up 1m1s, ready"));
    assert_non_null(strstr(c.text, "REQUESTS"));
    capture_free(&c);
    status_page_free(&p);
}

static void test_places(void **state)
{
    static const struct term wide = {.utf8 = true};
    static const struct screen_state with_instances = {.address = "x", .instances = true};
    static const struct service_said far = {
        .name = "far",
        .failover = "{\"active\": \"dc2\", \"preferred\": false, \"why\": \"dc1: 0 of 3 healthy\","
                    " \"places\": ["
                    "{\"place\": \"dc1\", \"active\": false, \"usable\": 0, \"total\": 3, "
                    "\"watch\": \"ok\","
                    " \"data_age_ms\": 4000, \"error\": null},"
                    "{\"place\": \"dc2\", \"active\": true, \"usable\": 2, \"total\": 2,"
                    " \"watch\": \"failing\", \"data_age_ms\": 61000, \"error\": \"HTTP 500\"},"
                    "{\"place\": \"dc3\", \"active\": false, \"usable\": 0, \"total\": 0,"
                    " \"watch\": \"pending\", \"data_age_ms\": null, \"error\": null},"
                    "{\"place\": \"dc4\", \"active\": false, \"usable\": 1, \"total\": 1,"
                    " \"watch\": \"ok\", \"data_age_ms\": 1000, \"error\": null,"
                    " \"suspect_until\": \"2026-11-25T00:15:09.926Z\"}]}"};
    struct status_page *p = page_of(&far, 1, 1, NULL, NULL);
    struct capture c;

    (void)state;
    draw(&c, &wide, p, &with_instances);
    assert_non_null(strstr(c.text, "  comes from dc2 (dc1: 0 of 3 healthy)\n"));
    assert_non_null(strstr(c.text, "\nPLACE "));
    assert_non_null(strstr(c.text, "  0/3   ok       4s ago\n"));
    assert_non_null(strstr(c.text, " in use     2/2   failing  1m1s ago: HTTP 500\n"));
    assert_non_null(strstr(c.text, "  0/0   pending  never\n"));
    assert_non_null(strstr(c.text, "  1/1   ok       1s ago, requests to it failed\n"));
    capture_free(&c);
    status_page_free(&p);
}

static void test_fits_any_size(void **state)
{
    static const unsigned widths[] = {1, 10, 20, 26, 34, 40, 60, 79, 80, 100, 132, 200};
    struct service_said many[30];
    struct status_page *p;
    char names[30][64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(names[i], sizeof names[i], "service-with-a-rather-long-name-%zu", i);
        many[i] = few[i % ARRAY_LEN(few)];
        many[i].name = names[i];
    }
    p = page_of(many, ARRAY_LEN(many), 1, NULL, NULL);
    for (size_t w = 0; w < ARRAY_LEN(widths); w++) {
        for (unsigned height = 1; height < 50; height++) {
            struct term t = {.width = widths[w], .height = height, .utf8 = true};
            struct screen_state s = {.address = "x", .instances = height % 2, .away = "refused"};
            struct capture c;
            unsigned lines;

            draw(&c, &t, p, &s);
            if (widest(c.text, &lines) > widths[w] || lines > height)
                fail_msg("%u x %u: %u columns, %u lines:\n%s", widths[w], height,
                         widest(c.text, &lines), lines, c.text);
            capture_free(&c);
        }
    }
    status_page_free(&p);
}

static void test_says_what_was_left_out(void **state)
{
    static const struct term low = {.width = 100, .height = 6};
    struct service_said many[9];
    struct status_page *p;
    struct capture c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = few[i % ARRAY_LEN(few)];
    p = page_of(many, ARRAY_LEN(many), 1, NULL, NULL);
    draw(&c, &low, p, &calm);
    assert_non_null(strstr(c.text, "... 6 more, 3 of them need attention\n"));
    capture_free(&c);
    status_page_free(&p);
}

static void test_away_and_back(void **state)
{
    static const struct term t = {.width = 100, .height = 20};
    struct screen_state s = {.address = "127.0.0.1:9901", .away = "refused", .away_ms = 3500};
    struct status_page *p = page_of(few, 1, 1, NULL, NULL);
    struct capture c;

    (void)state;
    draw(&c, &t, NULL, &s);
    assert_string_equal(c.text, "NO ANSWER from 127.0.0.1:9901 for 3s: refused\n");
    capture_free(&c);
    draw(&c, &t, p, &s);
    assert_true(strncmp(c.text, "NO ANSWER", 9) == 0);
    assert_non_null(strstr(c.text, "calm"));
    capture_free(&c);
    s = (struct screen_state){.missing = "orders"};
    draw(&c, &t, p, &s);
    assert_true(strncmp(c.text, "there is no service orders\n", 27) == 0);
    capture_free(&c);
    s = (struct screen_state){.address = "127.0.0.1:9901", .came_back = true};
    draw(&c, &t, p, &s);
    assert_true(strncmp(c.text, "127.0.0.1:9901 answers again\n", 29) == 0);
    capture_free(&c);
    status_page_free(&p);
}

static void test_rates_have_their_own_heading(void **state)
{
    static const struct term t = {.width = 120, .height = 20};
    static const struct service_said before = {.name = "calm"};
    struct status_page *a = page_of(&before, 1, NS_PER_S, NULL, NULL);
    struct status_page *b = page_of(few, 1, 2 * NS_PER_S, a, NULL);
    struct capture c;

    (void)state;
    draw(&c, &t, b, &calm);
    assert_non_null(strstr(c.text, "REQ/S"));
    assert_non_null(strstr(c.text, "      7.0 "));
    capture_free(&c);
    status_page_free(&a);
    status_page_free(&b);
}

static void test_color_only_when_asked(void **state)
{
    static const struct term plain = {.width = 120, .height = 20};
    static const struct term color = {.width = 120, .height = 20, .color = true};
    struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
    struct capture c;

    (void)state;
    draw(&c, &plain, p, &calm);
    assert_null(strchr(c.text, '\033'));
    capture_free(&c);
    draw(&c, &color, p, &calm);
    assert_non_null(strstr(c.text, "\033[31;1mopen"));
    capture_free(&c);
    status_page_free(&p);
}

/* What is from disk, and what would be missing there, has a line of its own. */
static void test_catalog_from_disk(void **state)
{
    static const struct term page = {.width = 120};
    static const struct {
        const char *kept, *shown; /* NULL = nothing */
    } rows[] = {
        {"{\"recalled\": null, \"refused\": null, \"error\": null}", NULL},
        {"{\"recalled\": {\"age_ms\": 7200000, \"services\": 12}}",
         "Catalog from disk, 2h old: 12 services not confirmed by Consul yet\n"},
        {"{\"recalled\": null, \"refused\": \"cut short\"}",
         "Catalog on disk not used: cut short\n"},
        {"{\"recalled\": null, \"error\": \"No space\"}", "Catalog not kept on disk: No space\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
        struct capture c;

        json_object_set_new(json_object_get(p->status, "consul"), "kept",
                            json_loads(rows[i].kept, 0, NULL));
        draw(&c, &page, p, &calm);
        if (rows[i].shown ? !strstr(c.text, rows[i].shown) : strstr(c.text, "Catalog") != NULL)
            fail_msg("%s:\n%s", rows[i].kept, c.text);
        capture_free(&c);
        status_page_free(&p);
    }
}

static void test_consul_is_not_believed(void **state)
{
    static const struct term page = {.width = 120};

    (void)state;
    for (int held = 0; held < 2; held++) {
        struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
        json_t *consul = json_object_get(p->status, "consul");
        struct capture c;

        json_object_set_new(consul, "held_instances", json_integer(held * 8));
        json_object_set_new(consul, "held_services", json_integer(held));
        draw(&c, &page, p, &calm);
        assert_int_equal(
            strstr(c.text, "Consul is not believed about 8 instances of 1 service: ") != NULL,
            held);
        capture_free(&c);
        status_page_free(&p);
    }
}

static void test_access_to_consul(void **state)
{
    static const struct term page = {.width = 120}, small = {.width = 120, .height = 20};
    static const struct {
        const char *access, *shown;
        bool always; /* where there is little room too */
    } rows[] = {
        {"{\"agents\": [\"a\"], \"missing\": [], \"token\": {}, \"verify\": true}", NULL, false},
        {"{\"agents\": [\"a\", \"b\"], \"agent\": \"b\", \"since\": \"T\", \"missing\": [],"
         " \"switch_why\": \"a: gone\", \"token\": {}, \"verify\": true}",
         "Consul agent: b since T; a: gone\n", false},
        {"{\"missing\": [{\"right\": \"key:read on x\", \"for\": \"API keys\"}], \"token\": {}}",
         "Consul: the token lacks key:read on x, for API keys\n", true},
        {"{\"missing\": [], \"judged\": true, \"problem\": \"who are you\", \"token\": {}}",
         "Consul: who are you\n", true},
        {"{\"missing\": [], \"token\": {\"login_error\": \"no such file\"}}",
         "Consul: the login fails: no such file\n", true},
        {"{\"missing\": [], \"token\": {}, \"verify\": false}",
         "Consul: the agent's certificate is not verified\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
        struct capture c;

        json_object_set_new(json_object_get(p->status, "consul"), "access",
                            json_loads(rows[i].access, 0, NULL));
        draw(&c, &page, p, &calm);
        if (rows[i].shown ? !strstr(c.text, rows[i].shown) : strstr(c.text, "Consul agent") != NULL)
            fail_msg("%s:\n%s", rows[i].access, c.text);
        capture_free(&c);
        draw(&c, &small, p, &calm);
        if (rows[i].always && !strstr(c.text, rows[i].shown))
            fail_msg("%s, small:\n%s", rows[i].access, c.text);
        capture_free(&c);
        status_page_free(&p);
    }
}

/* The configuration in Consul has a line where there is room, and always when something is off. */
static void test_configuration_in_consul(void **state)
{
    static const struct term page = {.width = 120}, small = {.width = 120, .height = 20};
    static const struct {
        const char *name, *document, *on_page, *on_small; /* NULL = no line */
    } rows[] = {
        {"none", "null", NULL, NULL},
        {"in force",
         "{\"source\": \"consul\", \"documents\": 3, \"index\": 42, \"refused\": false,"
         " \"last_error\": null}",
         "Configuration in Consul: 3 documents, index 42", NULL},
        {"from disk",
         "{\"source\": \"disk\", \"saved\": \"2026-11-25T00:00:00Z\", \"refused\": false,"
         " \"last_error\": null}",
         "as on disk, of 2026-11-25T00:00:00Z", "as on disk, of 2026-11-25T00:00:00Z"},
        {"refused",
         "{\"source\": \"consul\", \"refused\": true, \"last_error\": \"refused: f/a:3: no\"}",
         "Configuration in Consul: refused: f/a:3: no", "refused: f/a:3: no"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status_page *p = page_of(few, ARRAY_LEN(few), 1, NULL, NULL);
        struct capture c;

        json_object_set_new(p->status, "consul_config",
                            json_loads(rows[i].document, JSON_DECODE_ANY, NULL));
        draw(&c, &page, p, &calm);
        if (!strstr(c.text, rows[i].on_page ? rows[i].on_page : "\n") ||
            !rows[i].on_page != !strstr(c.text, "Configuration in Consul"))
            fail_msg("%s: %s", rows[i].name, c.text);
        capture_free(&c);
        draw(&c, &small, p, &calm);
        if (!strstr(c.text, rows[i].on_small ? rows[i].on_small : "\n") ||
            !rows[i].on_small != !strstr(c.text, "Configuration in Consul"))
            fail_msg("%s, small: %s", rows[i].name, c.text);
        capture_free(&c);
        status_page_free(&p);
    }
}

/* Names, reasons, errors: nothing of the catalog gets to the terminal as it is. */
static void test_nothing_steers_the_terminal(void **state)
{
    static const struct term t = {.width = 200, .height = 50, .utf8 = true};
    static const struct service_said evil = {
        .name = "a\\u001b[31m\\u202eb\\u009b",
        .instances = "[{\"id\": \"i\\u001b]0;x\\u0007\", \"address\": \"\\n\\r\", \"port\": 1,"
                     " \"health\": \"\\u0085\", \"available\": true}]",
        .breaker = "\"instances\": [{\"id\": \"i\\u001b]0;x\\u0007\", " FORCED(
            "forced_open\\u001b", "\\u001bc", "\\u2066\\n") "}], " FORCED("\\u001b[2J", "\\u0090",
                                                                          "x\\ny")};
    struct status_page *p = page_of(&evil, 1, 1, NULL, NULL);
    struct screen_state s = {.address = "\033", .away = "\033[1m\x9b", .instances = true};
    struct capture c;

    (void)state;
    json_object_set_new(p->status, "version", json_string("\033[5m"));
    json_object_set_new(json_object_get(p->status, "consul"), "connected", json_false());
    json_object_set_new(json_object_get(p->status, "consul"), "last_error", json_string("\033\n"));
    draw(&c, &t, p, &s);
    for (size_t i = 0; i < c.n; i++)
        if ((unsigned char)c.text[i] < 0x20 && c.text[i] != '\n')
            fail_msg("byte %02x in:\n%s", c.text[i], c.text);
    assert_null(strstr(c.text, "\xe2\x80\xae"));
    assert_null(strstr(c.text, "\xe2\x81\xa6"));
    assert_null(strstr(c.text, "\xc2\x9b"));
    assert_null(strstr(c.text, "\xc2\x90"));
    assert_null(strstr(c.text, "\xc2\x85"));
    assert_null(strstr(c.text, "\ny"));
    capture_free(&c);
    status_page_free(&p);
}

static void test_notes(void **state)
{
    static const struct {
        struct service_line line;
        const char *note;
    } rows[] = {
        {{.state = "closed", .available = 1, .total = 1}, ""},
        {{.state = "closed"}, "no instance is registered"},
        {{.state = "closed", .total = 2, .ejected = 2}, "no instance is available; 2 ejected"},
        {{.state = "closed", .available = 1, .total = 1, .panic = true},
         "panic: health is ignored"},
        {{.state = "shadow", .machine = "open", .would_reject = 12, .available = 1, .total = 1},
         "would reject (open, 12 so far)"},
        {{.state = "shadow", .machine = "closed", .available = 1, .total = 1}, "only watches"},
        {{.state = "half_open",
          .cause = "slow_call_rate",
          .trip_failed = 4,
          .trip_total = 8,
          .available = 1,
          .total = 1},
         "probing after slow_call_rate 4/8"},
        {{.state = "disabled",
          .forced = {.state = "disabled", .ends_in_ms = 5000, .fleet = true},
          .available = 1,
          .total = 1},
         "by nobody named (fleet), 5s left"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct service_line line = rows[i].line;
        struct capture c;

        line.reopens_in_ms = -1;
        capture_begin(&c);
        status_note(c.out, &line);
        assert_string_equal(capture_end(&c), rows[i].note);
        capture_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_fits_any_size),
        cmocka_unit_test(test_says_what_was_left_out),
        cmocka_unit_test(test_away_and_back),
        cmocka_unit_test(test_rates_have_their_own_heading),
        cmocka_unit_test(test_color_only_when_asked),
        cmocka_unit_test(test_nothing_steers_the_terminal),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_access_to_consul),
        cmocka_unit_test(test_configuration_in_consul),
        cmocka_unit_test(test_catalog_from_disk),
        cmocka_unit_test(test_consul_is_not_believed),
    };

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
