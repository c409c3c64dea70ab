/* SPDX-License-Identifier: Apache-2.0 */
#include "config_store.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "control_discovery.h"
#include "discovery/consul_http.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { CALL_MS = 30000, LOGOUT_MS = 2000 };

struct config_store {
    struct event_base *base;
    struct consul_http *http;
    struct consul_get *get;
    int status; /* of the last answer */
    struct bytes body;
    char error[512]; /* "" = none */
};

static void on_answer(void *arg, const struct consul_answer *a)
{
    struct config_store *s = arg;

    s->status = a->status;
    bytes_free(&s->body);
    if (a->body.n > 0 && !bytes_add_str(&s->body, a->body))
        abort();
    snprintf(s->error, sizeof s->error, "%s", a->error ? a->error : "");
    event_base_loopbreak(s->base);
}

struct config_store *config_store_new(const struct config *c, struct err *e)
{
    struct discovery_options o = control_discovery_options(c);
    struct config_store *s = alloc_or_abort(sizeof *s);

    s->base = event_base_new();
    if (!s->base)
        abort();
    s->http = consul_http_new(s->base, &o, e);
    if (!s->http) {
        config_store_free(s);
        return NULL;
    }
    s->get = consul_get_new(s->http, on_answer, s);
    return s;
}

void config_store_free(struct config_store *s)
{
    if (!s)
        return;
    consul_get_free(s->get);
    consul_http_free(s->http);
    bytes_free(&s->body);
    consul_access_finish(s->base, LOGOUT_MS);
    event_base_free(s->base);
    libevent_global_shutdown();
    free(s);
}

static void call(struct config_store *s, const char *method, const char *path, struct str body)
{
    s->status = 0;
    if (method)
        consul_write_start(s->get, method, path, body, CALL_MS);
    else
        consul_get_start(s->get, path, CALL_MS);
    event_base_dispatch(s->base);
}

static char *kv_path(const char *prefix, const char *query)
{
    char *encoded = consul_http_encode(prefix), *path;

    if (asprintf(&path, "/v1/kv/%s%s", encoded, query) < 0)
        abort();
    free(encoded);
    return path;
}

/* Who may not read is told of no key below a prefix, but is told when it asks for one. */
static bool may_read(struct config_store *s, const char *prefix)
{
    char *path = kv_path(prefix, "");

    call(s, NULL, path, STR(""));
    free(path);
    return s->status == 200 || s->status == 404;
}

struct kv_rows *config_store_read(struct config_store *s, const char *prefix, struct err *e)
{
    char *path = kv_path(prefix, "?recurse");

    call(s, NULL, path, STR(""));
    free(path);
    if (s->status == 200 && !s->error[0])
        return kv_rows_parse(bytes_str(&s->body), prefix, e);
    if (s->status == 404 && may_read(s, prefix))
        return kv_rows_parse(STR(""), prefix, e);
    if (s->status == 403)
        err_set(e, "the token may not read keys below %s: it needs key_prefix \"%s\" read (%s)",
                prefix, prefix, s->error);
    else
        err_set(e, "Consul: %s", s->error);
    return NULL;
}

int config_store_get(struct config_store *s, const char *path, struct str *ret_body, struct err *e)
{
    call(s, NULL, path, STR(""));
    *ret_body = bytes_str(&s->body);
    if (s->status == 200 && !s->error[0])
        return 0;
    return err_set(e, "Consul: %s", s->error[0] ? s->error : "no such thing");
}

static uint64_t first_index(struct str answer)
{
    json_t *doc = json_loadb(answer.p, answer.n, 0, NULL);
    const json_t *first = json_array_get(json_object_get(doc, "Results"), 0);
    const json_t *index = json_object_get(json_object_get(first, "KV"), "ModifyIndex");
    uint64_t value = (uint64_t)json_integer_value(index);

    json_decref(doc);
    return value;
}

static const char *why_not(const struct config_store *s)
{
    if (s->status == 413)
        return "too much for one transaction of Consul (limits.kv_max_value_size and "
               "limits.txn_max_req_len of its agents, 512 KiB if they do not say otherwise)";
    if (strstr(s->error, "index is stale") || strstr(s->error, "index mismatch") ||
        strstr(s->error, "already exists"))
        return "somebody else has written meanwhile: look at frontdesk config diff, and push again";
    if (strstr(s->error, "ermission denied"))
        return "the token may not write there: it needs key_prefix write";
    return "Consul";
}

int config_store_write(struct config_store *s, const char *transaction, uint64_t *ret_index,
                       struct err *e)
{
    call(s, "PUT", "/v1/txn", str_of(transaction));
    if (s->status != 200)
        return err_set(e, "%s (%s)", why_not(s), s->error);
    *ret_index = first_index(bytes_str(&s->body));
    return 0;
}
