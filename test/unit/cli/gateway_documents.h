/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Documents of a gateway, in short. Include after <cmocka.h>. */
#include "cli/status_page.h"

#include <stdio.h>

struct service_said {
    const char *name;
    const char *breaker;   /* members of its breaker, JSON without the braces */
    const char *instances; /* the list, JSON */
    long long requests, failed;
    const char *counts;   /* of latencies up to 10, up to 100, above; "" = none */
    const char *failover; /* JSON; NULL = null */
};

static inline json_t *said(const char *text)
{
    json_error_t e;
    json_t *doc = json_loads(text, 0, &e);

    if (!doc)
        fail_msg("%s: %s", e.text, text);
    return doc;
}

static inline json_t *service_document_of(const struct service_said *s)
{
    char text[4096];

    snprintf(text, sizeof text,
             "{\"name\": \"%s\", \"breaker\": {\"state\": \"closed\"}, \"requests\": %lld,"
             " \"responses\": {\"2xx\": %lld, \"5xx\": %lld, \"none\": 0}, \"in_flight\": 2,"
             " \"waiting\": 1, \"panic\": false, \"latency_ms\": {\"p50\": 5.5, \"p99\": 50.25,"
             " \"counts\": [%s]}, \"failover\": %s, \"instances\": %s}",
             s->name, s->requests, s->requests - s->failed, s->failed, s->counts ? s->counts : "",
             s->failover ? s->failover : "null",
             s->instances ? s->instances
                          : "[{\"id\": \"a\", \"address\": \"10.0.0.1\", \"port\": 80,"
                            " \"health\": \"passing\", \"available\": true}]");
    return said(text);
}

static inline json_t *breaker_document_of(const struct service_said *s)
{
    char text[4096];

    snprintf(text, sizeof text, "{\"service\": \"%s\", %s}", s->name,
             s->breaker ? s->breaker : "\"state\": \"closed\"");
    return said(text);
}

static inline struct status_page *page_of(const struct service_said *s, size_t n, uint64_t at_ns,
                                          const struct status_page *before, const char *only)
{
    json_t *services = json_array(), *breakers = json_array();

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(services, service_document_of(&s[i]));
        json_array_append_new(breakers, breaker_document_of(&s[i]));
    }
    return status_page_new(
        said("{\"version\": \"1.2.3\", \"started\": \"2026-11-25T00:00:00.000Z\", \"uptime_s\": 61,"
             " \"ready\": true, \"connections\": 3, \"requests\": 99,"
             " \"consul\": {\"enabled\": true, \"connected\": true, \"last_good_age_ms\": 1500}}"),
        json_pack("{s:o,s:[i,i]}", "services", services, "latency_bounds_ms", 10, 100),
        json_pack("{s:o}", "breakers", breakers), at_ns, before, only);
}

#define FORCED(word, who, why)                                                                     \
    "\"state\": \"" word "\", \"machine\": \"closed\", \"forced\": {\"state\": \"" word            \
    "\", \"at\": \"x\", \"until\": \"2026-11-25T02:00:00.000Z\", \"ends_in_ms\": 598000,"          \
    " \"author\": \"" who "\", \"why\": \"" why "\", \"scope\": \"local\"}"
