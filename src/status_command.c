/* SPDX-License-Identifier: Apache-2.0 */
#include "status_command.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char *data; /* owned */
    size_t n;
};

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
    struct body *b = arg;
    char *grown = realloc(b->data, b->n + size * n + 1);

    if (!grown)
        return 0;
    b->data = grown;
    memcpy(b->data + b->n, p, size * n);
    b->n += size * n;
    b->data[b->n] = '\0';
    return size * n;
}

/* NULL after a message on standard error. */
static json_t *fetch(const char *admin, const char *path)
{
    struct body body = {NULL, 0};
    char url[512], why[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    json_t *doc = NULL;
    json_error_t e;

    if (!curl)
        return NULL;
    snprintf(url, sizeof url, "http://%s%s", admin, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    if (curl_easy_perform(curl) != CURLE_OK)
        fprintf(stderr, "frontdesk: %s: %s\n", url, why);
    else if (!(doc = json_loads(body.data ? body.data : "", 0, &e)))
        fprintf(stderr, "frontdesk: %s: %s\n", url, e.text);
    curl_easy_cleanup(curl);
    free(body.data);
    return doc;
}

static const char *text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "-";
}

static long long number(json_t *o, const char *key)
{
    return (long long)json_number_value(json_object_get(o, key));
}

/* Names come from the catalog: nothing in them may steer the terminal. */
static void print_cell(const char *s, int width)
{
    int n = 0;

    for (; *s && n < 60; s++, n++)
        putchar((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f ? '?' : *s);
    for (; n < width; n++)
        putchar(' ');
    putchar(' ');
}

static int available_instances(json_t *service)
{
    json_t *instances = json_object_get(service, "instances"), *i;
    size_t at;
    int n = 0;

    json_array_foreach(instances, at, i) n += json_is_true(json_object_get(i, "available"));
    return n;
}

static int print_service(json_t *s)
{
    json_t *breaker = json_object_get(s, "breaker"), *latency = json_object_get(s, "latency_ms");
    const char *state = text(breaker, "state");
    int available = available_instances(s);

    print_cell(text(s, "name"), 24);
    print_cell(state, 10);
    printf("%3d/%-3zu %10lld %9lld %8.1f %8.1f\n", available,
           json_array_size(json_object_get(s, "instances")), number(s, "requests"),
           number(breaker, "rejected"), json_number_value(json_object_get(latency, "p50")),
           json_number_value(json_object_get(latency, "p99")));
    return strcmp(state, "closed") != 0 || available == 0;
}

static void print_instances(json_t *s)
{
    json_t *i;
    size_t at;

    printf("\n%-28s %-22s %-12s %-10s %9s %9s %9s\n", "INSTANCE", "ADDRESS", "HEALTH", "STATE",
           "IN FLIGHT", "REQUESTS", "FAILURES");
    json_array_foreach(json_object_get(s, "instances"), at, i)
    {
        char address[128];

        snprintf(address, sizeof address, "%s:%lld", text(i, "address"), number(i, "port"));
        print_cell(text(i, "id"), 28);
        print_cell(address, 22);
        print_cell(text(i, "health"), 12);
        print_cell(json_is_true(json_object_get(i, "ejected"))        ? "ejected"
                   : json_is_true(json_object_get(i, "on_probation")) ? "probation"
                   : json_is_true(json_object_get(i, "available"))    ? "in"
                                                                      : "out",
                   10);
        printf("%9lld %9lld %9lld\n", number(i, "in_flight"), number(i, "requests"),
               number(i, "failures"));
    }
}

static int print_head(json_t *status)
{
    json_t *consul = json_object_get(status, "consul");
    bool enabled = json_is_true(json_object_get(consul, "enabled"));
    bool connected = json_is_true(json_object_get(consul, "connected"));

    printf("frontdesk %s, up %lld s, %s, %lld connections, %lld requests\n",
           text(status, "version"), number(status, "uptime_s"),
           json_is_true(json_object_get(status, "draining")) ? "draining"
           : json_is_true(json_object_get(status, "ready"))  ? "ready"
                                                             : "not ready",
           number(status, "connections"), number(status, "requests"));
    if (!enabled)
        printf("Consul: not used\n\n");
    else if (connected)
        printf("Consul: connected, last answer %lld ms ago\n\n",
               number(consul, "last_good_age_ms"));
    else
        printf("Consul: AWAY, data is %lld ms old: %s\n\n", number(consul, "last_good_age_ms"),
               text(consul, "last_error"));
    return enabled && !connected;
}

int status_command(const char *admin, const char *service)
{
    json_t *status, *services = NULL, *s;
    int attention = 0, found = 0;
    size_t at;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    status = fetch(admin, "/v1/status");
    if (status)
        services = fetch(admin, "/v1/services");
    if (!services) {
        json_decref(status);
        return 1;
    }
    attention |= print_head(status);
    printf("%-24s %-10s %-7s %10s %9s %8s %8s\n", "SERVICE", "BREAKER", "INST", "REQUESTS",
           "REJECTED", "P50 MS", "P99 MS");
    json_array_foreach(json_object_get(services, "services"), at, s)
    {
        if (service && strcmp(text(s, "name"), service) != 0)
            continue;
        found = 1;
        attention |= print_service(s);
        if (service)
            print_instances(s);
    }
    json_decref(status);
    json_decref(services);
    curl_global_cleanup();
    if (service && !found) {
        fprintf(stderr, "frontdesk: no service %s\n", service);
        return 1;
    }
    return attention ? 3 : 0;
}
