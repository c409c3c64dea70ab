/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/batch.h"
#include "aggregate/batch_document.h"
#include "http/media_type.h"
#include "json/utf8.h"
#include "proxy/access.h"
#include "proxy/client_fields.h"
#include "proxy/subrequest.h"
#include "proxy/whole_body.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEAD_BYTES = 16 * 1024, MAX_DEPTH = 64 };

struct batch_call {
    struct batching *b;
    size_t index;
    struct subrequest *sub; /* owned; NULL = not under way */
    bool started, over;
    unsigned status;
    struct bytes answer; /* its part of the answer, a JSON object */
};

struct batching {
    struct composed composed; /* first */
    struct exchange *x;
    const struct batch_conf *conf;
    struct arena *arena; /* owned */
    struct whole_body body;
    struct batch batch;
    struct batch_call *calls; /* owned */
    size_t running, over, bytes;
    bool stopped; /* after an error: no more are sent */
    char detail[160];
};

static struct batching *of(struct exchange *x)
{
    return (struct batching *)x->composed;
}

/* Names by which somebody is known here are for the batch as a whole. */
static bool may_bring(void *arg, struct str name)
{
    const struct config *c = exchange_config(arg);

    for (size_t i = 0; i < c->napi_keys; i++)
        if (c->api_keys[i].header && str_ieq(name, str_of(c->api_keys[i].header)))
            return false;
    return !access_removes_request_field(arg, name);
}

static enum verdict refuse(struct exchange *x, struct batching *b, enum reason why,
                           const char *detail)
{
    snprintf(b->detail, sizeof b->detail, "the batch %s", detail);
    x->detail = b->detail;
    return exchange_refuse(x, why);
}

/* V_NEXT: the requests are known. */
static enum verdict begin(struct exchange *x, struct batching *b)
{
    const struct header *type = request_header_named(&x->req, STR("content-type"));
    enum verdict v;
    const char *why;

    if (b->composed.timed_out)
        return exchange_refuse(x, REASON_REQUEST_TIMEOUT);
    if (x->conn->inner)
        return refuse(x, b, REASON_BAD_REQUEST, "is in another batch");
    v = whole_body_read(x, &b->body, b->conf->max_request);
    if (v != V_NEXT)
        return v;
    if (!type || !media_type_is_json(type->value))
        return refuse(x, b, REASON_MEDIA_TYPE, "is not of type application/json");
    if (!batch_parse(b->arena, whole_body_text(x, &b->body), b->conf->max_requests, may_bring, x,
                     &b->batch, &why))
        return refuse(x, b, REASON_BAD_REQUEST, why);
    b->calls = calloc(b->batch.n, sizeof *b->calls);
    if (!b->calls)
        return exchange_refuse(x, REASON_INTERNAL);
    for (size_t i = 0; i < b->batch.n; i++)
        b->calls[i] = (struct batch_call){.b = b, .index = i};
    exchange_wait(x, b->conf->deadline_ms, REASON_UPSTREAM_TIMEOUT);
    return V_NEXT;
}

static bool write_id(const struct batch_call *call, struct bytes *to)
{
    const struct value *id = call->b->batch.items[call->index].id;
    char text[32];

    if (id)
        return bytes_add_str(to, STR("{\"id\":")) && value_write(id, SIZE_MAX, to);
    snprintf(text, sizeof text, "{\"id\":%zu", call->index);
    return bytes_add_str(to, str_of(text));
}

static bool write_status(unsigned status, struct bytes *to)
{
    char text[32];

    snprintf(text, sizeof text, ",\"status\":%u", status);
    return bytes_add_str(to, str_of(text));
}

static bool write_text(struct arena *a, struct str s, struct bytes *to)
{
    const struct value *v = value_string(a, s);

    return v && value_write(v, SIZE_MAX, to);
}

/* What belongs to the connection is not there, since the answer was read from one; its length is
 * that of the body here. */
static bool is_shown(const struct header *h)
{
    return !h->hop && h->id != HEADER_CONTENT_LENGTH && h->id != HEADER_DATE && h->id != HEADER_VIA;
}

/* All values of a name that has several, as a list, at the place of the first. */
static bool write_values(struct arena *a, const struct response *r, unsigned at, struct bytes *to)
{
    struct str name = r->headers[at].name;
    unsigned n = 0;

    for (unsigned i = at; i < r->nheaders; i++)
        n += str_ieq(r->headers[i].name, name) && is_shown(&r->headers[i]);
    if (n == 1)
        return write_text(a, r->headers[at].value, to);
    for (unsigned i = at, k = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, name) && is_shown(&r->headers[i]) &&
            !(bytes_add(to, k++ ? "," : "[", 1) && write_text(a, r->headers[i].value, to)))
            return false;
    return bytes_add(to, "]", 1);
}

static bool was_before(const struct response *r, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (str_ieq(r->headers[i].name, r->headers[at].name) && is_shown(&r->headers[i]))
            return true;
    return false;
}

static bool write_headers(struct arena *a, const struct response *r, struct bytes *to)
{
    bool any = false;

    if (!bytes_add_str(to, STR(",\"headers\":{")))
        return false;
    for (unsigned i = 0; i < r->nheaders; i++) {
        if (!is_shown(&r->headers[i]) || was_before(r, i))
            continue;
        if (!((!any || bytes_add(to, ",", 1)) && write_text(a, r->headers[i].name, to) &&
              bytes_add(to, ":", 1) && write_values(a, r, i, to)))
            return false;
        any = true;
    }
    return bytes_add(to, "}", 1);
}

static bool is_utf8(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned n = utf8_length(s.p + i, s.n - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool write_base64(struct str s, struct bytes *to)
{
    char *text = malloc(s.n / 3 * 4 + 5);
    int n = text ? EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)s.p, (int)s.n) : 0;
    bool good = text && bytes_add_str(to, STR(",\"body_base64\":\"")) &&
                bytes_add(to, text, (size_t)n) && bytes_add(to, "\"", 1);

    free(text);
    return good;
}

static bool write_body(struct arena *a, const struct response *r, struct str body, struct bytes *to)
{
    const struct value *v = NULL;
    const char *why, *type = NULL;

    if (body.n == 0)
        return true;
    for (unsigned i = 0; i < r->nheaders; i++)
        if (str_ieq(r->headers[i].name, STR("Content-Type")) &&
            media_type_is_json(r->headers[i].value))
            type = "json";
    if (type)
        v = value_parse(a, body, MAX_DEPTH, &why);
    if (v)
        return bytes_add_str(to, STR(",\"body\":")) && value_write(v, SIZE_MAX, to);
    if (!is_utf8(body))
        return write_base64(body, to);
    return bytes_add_str(to, STR(",\"body_text\":")) && write_text(a, body, to);
}

static bool write_answer(struct batch_call *call, const struct subrequest_answer *a)
{
    struct bytes *to = &call->answer;
    struct arena *arena = arena_new_bounded(16 * call->b->conf->max_answer + HEAD_BYTES);
    bool good = arena && write_id(call, to) && write_status(a->head->status, to) &&
                write_headers(arena, a->head, to) && write_body(arena, a->head, a->body, to) &&
                bytes_add(to, "}", 1);

    arena_free(arena);
    return good;
}

/* In place of an answer. */
static void write_failure(struct batch_call *call, enum reason why, const char *detail)
{
    struct bytes *to = &call->answer;
    unsigned status = (unsigned)reason_info(why)->status;
    bool good;

    bytes_reuse(to, SIZE_MAX);
    call->status = status ? status : 502;
    good = write_id(call, to) && write_status(call->status, to) &&
           bytes_add_str(to, STR(",\"headers\":{\"Content-Type\":\"application/problem+json\"},"
                                 "\"body\":")) &&
           batch_write_problem(why, call->status, detail, to) && bytes_add(to, "}", 1);
    if (!good)
        bytes_free(to);
}

static void end_call(struct batch_call *call)
{
    struct batching *b = call->b;

    subrequest_end(&call->sub);
    b->running -= call->started;
    call->over = true;
    b->over++;
    b->bytes += bytes_len(&call->answer);
    b->stopped |= b->batch.stop_on_error && call->status >= 400;
}

static void on_done(void *arg, const struct subrequest_answer *a)
{
    struct batch_call *call = arg;
    struct batching *b = call->b;
    struct exchange *x = b->x;

    if (!a->head) {
        write_failure(call, a->fail, NULL);
    } else if (b->bytes + a->body.n > b->conf->max_total) {
        write_failure(call, REASON_PART_TOO_LARGE, "all answers together");
    } else {
        call->status = a->head->status;
        if (!write_answer(call, a))
            write_failure(call, REASON_PART_TOO_LARGE, NULL);
    }
    end_call(call);
    conn_run(x->conn);
}

static void fail_call(struct batch_call *call, enum reason why, const char *detail)
{
    write_failure(call, why, detail);
    end_call(call);
}

static bool write_request(struct exchange *x, const struct batch_item *item, struct bytes *fields,
                          struct bytes *body)
{
    return client_fields_write(x, true, fields) && bytes_add_str(fields, item->fields) &&
           bytes_add_str(fields, STR("Accept-Encoding: identity\r\n")) &&
           (!item->body || item->has_type ||
            bytes_add_str(fields, STR("Content-Type: application/json\r\n"))) &&
           (!item->body || value_write(item->body, SIZE_MAX, body));
}

static void start_call(struct batch_call *call)
{
    struct batching *b = call->b;
    const struct batch_item *item = &b->batch.items[call->index];
    struct bytes fields = {0}, body = {0};
    struct subrequest_options o = {.method = item->method,
                                   .path = item->path,
                                   .host = b->x->req.host,
                                   .max_answer = b->conf->max_answer + HEAD_BYTES,
                                   .as_client = true};

    call->started = true;
    b->running++;
    if (write_request(b->x, item, &fields, &body)) {
        o.fields = bytes_str(&fields);
        o.body = bytes_str(&body);
        call->sub = subrequest_start(b->x, &o, on_done, call);
    }
    bytes_free(&fields);
    bytes_free(&body);
    if (!call->sub)
        fail_call(call, REASON_INTERNAL, NULL);
}

static void advance(struct batching *b)
{
    size_t most = b->batch.sequential ? 1 : b->conf->concurrency;

    for (size_t i = 0; i < b->batch.n && b->running < most; i++) {
        struct batch_call *call = &b->calls[i];

        if (call->started || call->over)
            continue;
        if (b->batch.items[i].wrong)
            fail_call(call, REASON_BAD_REQUEST, b->batch.items[i].wrong);
        else if (b->stopped)
            fail_call(call, REASON_PART_SKIPPED, "a request before it has failed");
        else
            start_call(call);
    }
}

static void expire(struct batching *b)
{
    for (size_t i = 0; i < b->batch.n; i++)
        if (!b->calls[i].over)
            fail_call(&b->calls[i], REASON_UPSTREAM_TIMEOUT, "the deadline of the batch");
}

static enum verdict finish(struct exchange *x, struct batching *b)
{
    struct composed *c = &b->composed;
    bool good = bytes_add_str(&c->fields, STR("Content-Type: application/json\r\n"
                                              "Cache-Control: no-store\r\n")) &&
                bytes_add_str(&c->body, STR("{\"responses\":["));

    for (size_t i = 0; good && i < b->batch.n; i++)
        good = bytes_len(&b->calls[i].answer) > 0 && (i == 0 || bytes_add(&c->body, ",", 1)) &&
               bytes_add_str(&c->body, bytes_str(&b->calls[i].answer));
    x->step_deadline_ns = 0;
    if (!good || !bytes_add_str(&c->body, STR("]}")))
        return exchange_refuse(x, REASON_INTERNAL);
    c->status = 200;
    c->made = true;
    return V_FINISH;
}

static enum verdict run(struct exchange *x)
{
    struct batching *b = of(x);

    if (!b->calls) {
        enum verdict v = begin(x, b);

        if (v != V_NEXT)
            return v;
    }
    if (b->composed.timed_out)
        expire(b);
    b->composed.timed_out = false;
    advance(b);
    return b->over == b->batch.n ? finish(x, b) : V_WAIT;
}

static void free_all(struct exchange *x)
{
    struct batching *b = of(x);

    for (size_t i = 0; b->calls && i < b->batch.n; i++) {
        subrequest_end(&b->calls[i].sub);
        bytes_free(&b->calls[i].answer);
    }
    free(b->calls);
    whole_body_free(&b->body);
    arena_free(b->arena);
    free(b);
}

static const struct composed_ops ops = {run, free_all};

struct composed *batch_new(struct exchange *x)
{
    struct batching *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->composed.ops = &ops;
    b->x = x;
    b->conf = x->match.route->conf->batch;
    /* The parsed form of a text is some times as large. */
    b->arena = arena_new_bounded(32 * b->conf->max_request);
    if (b->arena)
        return &b->composed;
    free(b);
    return NULL;
}
