/* SPDX-License-Identifier: Apache-2.0 */
#include "registration.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_EVERY_S = 5, CALL_TIMEOUT_MS = 2000 };

struct registration {
    struct registration_input in;
    CURL *curl; /* owned; of the thread */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

/* HTTP status, 0 when Consul did not answer. `body` NULL = GET. */
static long call(struct registration *r, const char *path, const char *body)
{
    char url[512];
    long status = 0;

    snprintf(url, sizeof(url), "%s%s", r->in.consul, path);
    curl_easy_reset(r->curl);
    curl_easy_setopt(r->curl, CURLOPT_URL, url);
    curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)CALL_TIMEOUT_MS);
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, discard);
    if (body != NULL) {
        curl_easy_setopt(r->curl, CURLOPT_CUSTOMREQUEST, "PUT");
        curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, body);
    }
    if (curl_easy_perform(r->curl) != CURLE_OK)
        return 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static long call_for_instance(struct registration *r, const char *path, const char *body)
{
    char *id = curl_easy_escape(r->curl, r->in.instance, 0);
    char whole[384];

    snprintf(whole, sizeof(whole), "%s%s", path, id != NULL ? id : "");
    curl_free(id);
    return call(r, whole, body);
}

static json_t *tag_list(const char *tags)
{
    json_t *list = json_array();
    char *copy = strdup(tags);
    char *rest = copy;
    char *tag;

    while (rest != NULL && (tag = strsep(&rest, ",")) != NULL)
        if (tag[0] != '\0')
            json_array_append_new(list, json_string(tag));
    free(copy);
    return list;
}

/* "passing" from the start: the port is open before this is sent. */
static char *registration_body(const struct registration_input *in)
{
    char url[256];
    json_t *body;
    char *text;

    snprintf(url, sizeof(url), "http://%s:%u/health", in->address, in->port);
    body =
        json_pack("{s:s, s:s, s:s, s:i, s:o, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "ID", in->instance,
                  "Name", in->service, "Address", in->address, "Port", in->port, "Tags",
                  tag_list(in->tags), "Check", "Name", "health", "HTTP", url, "Interval", "1s",
                  "Timeout", "500ms", "Status", "passing", "DeregisterCriticalServiceAfter", "1m");
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static void register_instance(struct registration *r)
{
    char *body = registration_body(&r->in);
    long status = body != NULL ? call(r, "/v1/agent/service/register", body) : 0;

    if (status == 200)
        printf("%s: registered in Consul\n", r->in.instance);
    else
        fprintf(stderr, "%s: not registered, Consul answered %ld\n", r->in.instance, status);
    fflush(stdout);
    free(body);
}

/* False when it is time to stop. */
static bool sleep_until_next_look(struct registration *r)
{
    struct timespec until;
    int error = 0;
    bool stopping;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOOK_EVERY_S;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping && error == 0)
        error = pthread_cond_timedwait(&r->wake, &r->lock, &until);
    stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return !stopping;
}

static void *registration_run(void *arg)
{
    struct registration *r = arg;
    bool away = false;

    do {
        long status = call_for_instance(r, "/v1/agent/service/", NULL);

        if (status == 404)
            register_instance(r);
        if (status == 0 && !away)
            fprintf(stderr, "%s: Consul is away, serving on\n", r->in.instance);
        away = status == 0;
    } while (sleep_until_next_look(r));
    call_for_instance(r, "/v1/agent/service/deregister/", "");
    return NULL;
}

struct registration *registration_start(const struct registration_input *in)
{
    struct registration *r = calloc(1, sizeof(*r));

    if (r == NULL || (r->curl = curl_easy_init()) == NULL) {
        free(r);
        return NULL;
    }
    r->in = *in;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    if (pthread_create(&r->thread, NULL, registration_run, r) != 0) {
        curl_easy_cleanup(r->curl);
        free(r);
        return NULL;
    }
    return r;
}

void registration_stop(struct registration *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    curl_easy_cleanup(r->curl);
    free(r);
}
