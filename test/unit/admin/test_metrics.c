/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/metrics.h"
#include "fixture.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>

static char *text_of(struct evbuffer *b)
{
    size_t n = evbuffer_get_length(b);
    char *text = calloc(1, n + 1);

    assert_non_null(text);
    evbuffer_remove(b, text, n);
    evbuffer_free(b);
    return text;
}

static void label_values_are_escaped(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"orders", "orders"},
        {"", ""},
        {"a\"b", "a\\\"b"},
        {"a\\b", "a\\\\b"},
        {"a\nb", "a\\nb"},
        {"\"} 1\nevil 2", "\\\"} 1\\nevil 2"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"bad\xff", "bad?"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct evbuffer *b = evbuffer_new();
        char *text;

        metrics_label(b, cases[i].value);
        text = text_of(b);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

static char *scrape(struct gateway *g)
{
    struct look l = look_now(&g->sources);
    struct evbuffer *b = evbuffer_new();

    metrics_write(&l, b);
    return text_of(b);
}

static void has_line(const char *text, const char *line)
{
    char whole[512];

    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(text, whole))
        fail_msg("no line: %s", line);
}

static void values_come_from_where_they_should(void **state)
{
    struct gateway g;
    struct service_state *s;
    char *text;

    (void)state;
    gateway_init(&g);
    s = gateway_service(&g, "orders");
    stat_add(&s->stats[0].by_class[2], 5);
    stat_add(&s->stats[2].by_class[2], 1);
    stat_add(&s->stats[1].reasons[REASON_CONNECT_FAILED], 3);
    stat_add(&s->stats[1].grpc[14], 2);
    stat_add(&s->stats[0].latency[0], 4);
    stat_add(&s->stats[0].latency[2], 1);
    stat_add(&s->stats[0].latency[LATENCY_BUCKETS - 1], 1);
    stat_add(&s->stats[0].latency_ns_sum, 1500000000);
    gateway_trip(&g, "orders");
    g.sources.reloads = 2;
    g.workers.overload = (struct proxy_overload){
        .nworkers = 2, .workers = {{.level = 0}, {.level = 2}}, .refused = {70, 8, 0}};
    g.snapshot->limits->at[0].limiter->refused = 9;
    g.snapshot->limits->at[0].limiter->would_refuse = 4;
    text = scrape(&g);
    has_line(text, "frontdesk_rate_limited_total{limit=\"address\"} 9");
    has_line(text, "frontdesk_rate_limit_would_refuse_total{limit=\"address\"} 4");
    has_line(text, "frontdesk_rate_limit_clients{limit=\"address\"} 0");
    has_line(text, "frontdesk_rate_limit_max_clients{limit=\"address\"} 64");
    has_line(text, "frontdesk_build_info{version=\"1.2.3\"} 1");
    has_line(text, "frontdesk_ready 1");
    has_line(text, "frontdesk_accepted_total 12");
    has_line(text, "frontdesk_unrouted_total 4");
    has_line(text, "frontdesk_config_reloads_total 2");
    has_line(text, "frontdesk_shed_level{worker=\"0\"} 0");
    has_line(text, "frontdesk_shed_level{worker=\"1\"} 2");
    has_line(text, "frontdesk_shed_total{importance=\"low\"} 70");
    has_line(text, "frontdesk_shed_total{importance=\"normal\"} 8");
    has_line(text, "frontdesk_shed_total{importance=\"high\"} 0");
    has_line(text, "frontdesk_requests_total{service=\"orders\",code=\"2xx\"} 6");
    has_line(text, "frontdesk_requests_total{service=\"web\",code=\"5xx\"} 0");
    has_line(text, "frontdesk_failures_total{service=\"orders\",reason=\"connect_failed\"} 3");
    has_line(text, "frontdesk_grpc_calls_total{service=\"orders\",status=\"unavailable\"} 2");
    has_line(text, "frontdesk_breaker_state{service=\"orders\",state=\"open\"} 1");
    has_line(text, "frontdesk_breaker_state{service=\"orders\",state=\"closed\"} 0");
    has_line(text, "frontdesk_breaker_trips_total{service=\"orders\"} 1");
    has_line(text, "frontdesk_instances{service=\"orders\",health=\"passing\"} 2");
    has_line(text, "frontdesk_instances_available{service=\"nobody\"} 0");
    has_line(text, "frontdesk_request_duration_seconds_bucket{service=\"orders\",le=\"0.0005\"} 4");
    has_line(text, "frontdesk_request_duration_seconds_bucket{service=\"orders\",le=\"0.001\"} 4");
    has_line(text, "frontdesk_request_duration_seconds_bucket{service=\"orders\",le=\"30\"} 5");
    has_line(text, "frontdesk_request_duration_seconds_bucket{service=\"orders\",le=\"+Inf\"} 6");
    has_line(text, "frontdesk_request_duration_seconds_sum{service=\"orders\"} 1.500000000");
    has_line(text, "frontdesk_request_duration_seconds_count{service=\"orders\"} 6");
    /* Without Consul there is nothing to say about it. */
    assert_null(strstr(text, "\nfrontdesk_consul_connected"));
    free(text);
    gateway_release(&g);
}

/* Each sample belongs to the family that the last TYPE line named, and every family is named once.
 */
static void every_sample_follows_its_type(void **state)
{
    struct gateway g;
    char *text, *line, *rest, family[128] = "", seen[8192] = "\n";

    (void)state;
    gateway_init(&g);
    text = scrape(&g);
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0)
            continue;
        if (sscanf(line, "# TYPE %127s", family) == 1) {
            char entry[130];

            snprintf(entry, sizeof entry, "\n%.127s\n", family);
            assert_null(strstr(seen, entry));
            strncat(seen, entry + 1, sizeof seen - strlen(seen) - 1);
            continue;
        }
        if (strncmp(line, family, strlen(family)) != 0)
            fail_msg("%s under %s", line, family);
    }
    free(text);
    gateway_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(values_come_from_where_they_should),
        cmocka_unit_test(every_sample_follows_its_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
