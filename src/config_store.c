/* SPDX-License-Identifier: Apache-2.0 */
#include "config_store.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "control_discovery.h"
#include "discovery/consul_http.h"

#include <event2/event.h>
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

int config_store_write(struct config_store *s, const char *transaction, struct err *e)
{
    const char *why = "Consul";

    call(s, "PUT", "/v1/txn", str_of(transaction));
    if (s->status == 200)
        return 0;
    if (s->status == 413)
        why = "too much for one transaction of Consul (limits.kv_max_value_size and "
              "limits.txn_max_req_len of its agents; 64 keys): push fewer changes at once, or join "
              "files";
    else if (strstr(s->error, "index is stale") || strstr(s->error, "index mismatch") ||
             strstr(s->error, "already exists"))
        why = "somebody else has written meanwhile: look at frontdesk config diff, and push again";
    else if (strstr(s->error, "ermission denied"))
        why = "the token may not write there: it needs key_prefix write";
    return err_set(e, "nothing was written: %s (%s)", why, s->error);
}
