/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access_forward.h"
#include "base/log.h"
#include "cache/rules.h"
#include "policy/claim_text.h"
#include "proxy/access.h"
#include "proxy/attempt.h"
#include "proxy/client_fields.h"
#include "proxy/head.h"
#include "proxy/reply.h"

#include <openssl/evp.h>

enum { MAX_ANSWER = 64 * 1024, LATE_MS = 1000, SAY_AGAIN_MS = 10 * 1000 };

static struct auth_answer answer_of(struct exchange *x, struct access_forward *f)
{
    if (f->outcome == AUTH_KNOWN)
        return access_identity_known(x, f->identity ? identity_ref(f->identity) : NULL);
    return (struct auth_answer){.outcome = f->outcome, .detail = f->detail};
}

static bool add_part(struct bytes *to, struct str s)
{
    uint64_t n = s.n;

    return bytes_add(to, &n, sizeof n) && bytes_add_str(to, s);
}

static bool add_words(struct bytes *to, const struct word_list *words)
{
    for (size_t i = 0; i < words->n; i++)
        if (!add_part(to, str_of(words->words[i])))
            return false;
    return true;
}

/* All fields of that name, each with its length, so that no two requests look alike. */
static bool add_fields(struct bytes *to, const struct request *r, const struct word_list *names)
{
    for (size_t k = 0; k < names->n; k++) {
        for (unsigned i = 0; i < r->nheaders; i++)
            if (str_ieq(r->headers[i].name, str_of(names->words[k])) &&
                !add_part(to, r->headers[i].value))
                return false;
        if (!add_part(to, STR("|")))
            return false;
    }
    return true;
}

static bool make_digest(const struct exchange *x, const struct forward_auth_conf *c,
                        unsigned char digest[ANSWER_DIGEST])
{
    struct bytes text = {0};
    bool good = bytes_add(&text, x->w->digest_key, sizeof x->w->digest_key) &&
                add_part(&text, STR("forward_auth")) && add_part(&text, str_of(c->name)) &&
                add_part(&text, str_of(c->service)) &&
                add_part(&text, str_of(c->path ? c->path : "")) &&
                add_part(&text, str_of(c->method ? c->method : "")) &&
                add_part(&text, str_of(c->subject_header ? c->subject_header : "")) &&
                add_words(&text, &c->request_headers) && add_part(&text, STR("|")) &&
                add_words(&text, &c->response_headers) && add_part(&text, STR("|")) &&
                add_words(&text, &c->cache_key) && add_part(&text, STR("|")) &&
                add_part(&text, x->req.method_name) && add_part(&text, x->req.host) &&
                add_part(&text, x->req.path) && add_part(&text, x->req.query) &&
                add_fields(&text, &x->req, &c->cache_key) &&
                EVP_Digest(text.p, text.end, digest, NULL, EVP_sha256(), NULL) == 1;

    bytes_free(&text);
    return good;
}

static bool is_among(const struct word_list *names, struct str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_ieq(name, str_of(names->words[i])))
            return true;
    return false;
}

static bool wanted(const struct forward_auth_conf *c, struct str name)
{
    return c->request_headers.n == 0 || is_among(&c->request_headers, name);
}

/* What the authority may have gone by and the key does not hold: its answer would be believed of
 * others. */
static bool has_other_credential(const struct request *r, const struct forward_auth_conf *c)
{
    for (unsigned i = 0; i < r->nheaders; i++) {
        const struct header *h = &r->headers[i];

        if ((h->id == HEADER_AUTHORIZATION || h->id == HEADER_COOKIE) && wanted(c, h->name) &&
            !is_among(&c->cache_key, h->name))
            return true;
    }
    return false;
}

static bool may_remember(const struct exchange *x, const struct forward_auth_conf *c)
{
    return c->cache_key.n > 0 && c->cache_ttl_ms > 0 && !has_other_credential(&x->req, c);
}

/* It is told of the request in fields of its own. */
static bool is_set_here(const struct header *h)
{
    return str_ieq(h->name, STR("x-forwarded-method")) || str_ieq(h->name, STR("x-forwarded-uri"));
}

static bool add_line(struct bytes *to, struct str name, struct str value)
{
    return bytes_add_str(to, name) && bytes_add_str(to, STR(": ")) && bytes_add_str(to, value) &&
           bytes_add_str(to, STR("\r\n"));
}

static bool add_target(struct bytes *to, const struct request *r)
{
    return bytes_add_str(to, r->path) &&
           (!r->has_query || (bytes_add_str(to, STR("?")) && bytes_add_str(to, r->query)));
}

static bool write_fields(struct bytes *to, const struct exchange *x,
                         const struct forward_auth_conf *c, struct str target)
{
    for (unsigned i = 0; i < x->req.nheaders; i++) {
        const struct header *h = &x->req.headers[i];

        if (client_field_goes_along(h) && !is_set_here(h) && wanted(c, h->name) &&
            !add_line(to, h->name, h->value))
            return false;
    }
    return add_line(to, STR("X-Forwarded-Method"), x->req.method_name) &&
           add_line(to, STR("X-Forwarded-Uri"), target);
}

static json_t *claims_of(const struct forward_auth_conf *c, const struct response *head)
{
    json_t *claims = json_object();

    for (size_t i = 0; claims && i < c->response_headers.n; i++) {
        const char *name = c->response_headers.words[i];
        const struct header *h = rules_header(head->headers, head->nheaders, str_of(name));

        /* What is no UTF-8 is left out. */
        if (h)
            json_object_set_new(claims, name, json_stringn(h->value.p, h->value.n));
    }
    if (claims && c->subject_header) {
        const struct header *h =
            rules_header(head->headers, head->nheaders, str_of(c->subject_header));

        if (h)
            json_object_set_new(claims, "sub", json_stringn(h->value.p, h->value.n));
    }
    return claims;
}

/* What its claims take, roughly. */
static size_t bytes_of(const struct forward_auth_conf *c, const struct response *head)
{
    size_t n = 512;

    for (unsigned i = 0; i < head->nheaders; i++)
        if (is_among(&c->response_headers, head->headers[i].name))
            n += 2 * head->headers[i].value.n;
    return n;
}

static void remember(struct exchange *x, struct access_forward *f)
{
    const struct response *head = f->answer.head;
    struct cache_control said = cache_control_of(head->headers, head->nheaders);
    uint64_t ms = f->conf->cache_ttl_ms;

    if (!f->remembers || said.no_store || said.no_cache)
        return;
    if (said.max_age >= 0 && (uint64_t)said.max_age * 1000 < ms)
        ms = (uint64_t)said.max_age * 1000;
    if (ms > 0 && !x->w->good_answers)
        x->w->good_answers = answer_cache_new(ANSWERS_GOOD, ANSWERS_GOOD_BYTES);
    if (ms > 0 && x->w->good_answers)
        answer_cache_add(x->w->good_answers, f->digest, &(struct cached_answer){f->identity, NULL},
                         bytes_of(f->conf, head), x->w->now_ns + ms * NS_PER_MS);
}

static void refuse(struct access_forward *f, const char *why)
{
    f->outcome = AUTH_UNAVAILABLE;
    f->detail = "who may come in could not be asked";
    log_debug("auth", "forward_auth %s: %s", f->conf->name, why);
}

/* One line in a while: an authority that is away has many requests. */
static void let_in(struct exchange *x, struct access_forward *f, const char *why)
{
    struct worker *w = x->w;

    stat_add(&w->counters.auth_failed_open, 1);
    if (w->let_in_said_ns == 0 || w->now_ns - w->let_in_said_ns > SAY_AGAIN_MS * NS_PER_MS) {
        w->let_in_said_ns = w->now_ns;
        log_warn("auth", "forward_auth %s: %s; requests are let in unasked", f->conf->name, why);
    }
    f->outcome = AUTH_KNOWN;
    f->identity = identity_new(IDENTITY_FORWARD, f->conf->name, json_object(), 0);
}

/* The authority is away. What a request can bring about by itself is no reason to let it in. */
static void fail(struct exchange *x, struct access_forward *f, const char *why)
{
    if (f->conf->fails_open)
        let_in(x, f, why);
    else
        refuse(f, why);
}

static bool is_away(enum reason why)
{
    return reason_blames_service(why) || why == REASON_BREAKER_OPEN ||
           why == REASON_NO_HEALTHY_INSTANCE || why == REASON_OVERLOADED;
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_handed_on(const struct forward_auth_conf *c, unsigned status)
{
    return status == 401 || status == 403 || (c->redirects && is_redirect(status));
}

static void judge(struct exchange *x, struct access_forward *f)
{
    const struct subrequest_answer *a = &f->answer;

    if (a->fail != REASON_NONE && is_away(a->fail)) {
        fail(x, f, reason_info(a->fail)->word);
    } else if (a->fail != REASON_NONE) {
        refuse(f, reason_info(a->fail)->word);
    } else if (a->head->status >= 200 && a->head->status < 300) {
        f->outcome = AUTH_KNOWN;
        f->identity = identity_new(IDENTITY_FORWARD, f->conf->name, claims_of(f->conf, a->head), 0);
        if (f->identity)
            remember(x, f);
    } else if (is_handed_on(f->conf, a->head->status)) {
        f->outcome = AUTH_REFUSED;
        f->detail = "the authority refuses the request";
        f->reply = a;
    } else if (a->head->status >= 500) {
        fail(x, f, "it answers with a failure");
    } else {
        refuse(f, "an answer that is neither yes nor no");
    }
}

static void on_done(void *arg, const struct subrequest_answer *a)
{
    struct exchange *x = arg;
    struct access_forward *f = &x->access->forward;

    f->answer = *a;
    f->done = true;
    judge(x, f);
    conn_run(x->conn);
}

static struct auth_answer begin(struct exchange *x, const struct forward_auth_conf *c)
{
    struct access_forward *f = &x->access->forward;
    struct bytes fields = {0}, target = {0};
    struct subrequest_options o = {
        .slot = x->held->snapshot->forward_slots[c->index],
        .method = c->method ? str_of(c->method) : x->req.method_name,
        .host = x->req.host,
        .timeout_ms = c->timeout_ms,
        .max_answer = MAX_ANSWER,
    };

    if (add_target(&target, &x->req) && write_fields(&fields, x, c, bytes_str(&target))) {
        o.path = c->path ? str_of(c->path) : bytes_str(&target);
        o.fields = bytes_str(&fields);
        f->call = subrequest_start(x, &o, on_done, x);
    }
    bytes_free(&fields);
    bytes_free(&target);
    if (!f->call)
        return (struct auth_answer){.outcome = AUTH_UNAVAILABLE, .detail = "memory is out"};
    exchange_wait(x, c->timeout_ms + LATE_MS, REASON_AUTH_UNAVAILABLE);
    return (struct auth_answer){.outcome = AUTH_WAITING};
}

struct auth_answer access_forward_check(struct exchange *x, const struct mechanism_conf *m)
{
    const struct forward_auth_conf *c = &exchange_config(x)->forward_auth[m->index];
    struct access_forward *f = &x->access->forward;
    const struct cached_answer *said = NULL;

    if (f->conf == c && f->done)
        return answer_of(x, f);
    if (f->conf == c && f->call) {
        if (!x->access->timed_out)
            return (struct auth_answer){.outcome = AUTH_WAITING};
        access_forward_end(f);
        fail(x, f, "it is late");
        return answer_of(x, f);
    }
    /* A policy may ask several. */
    access_forward_free(f);
    f->conf = c;
    f->remembers = may_remember(x, c);
    if (f->remembers && !make_digest(x, c, f->digest))
        return (struct auth_answer){.outcome = AUTH_UNAVAILABLE, .detail = "memory is out"};
    if (f->remembers && x->w->good_answers)
        said = answer_cache_find(x->w->good_answers, f->digest, x->w->now_ns);
    return said ? access_identity_known(x, identity_ref(said->identity)) : begin(x, c);
}

void access_forward_end(struct access_forward *f)
{
    if (!f->done)
        subrequest_end(&f->call);
    f->done = true;
}

void access_forward_free(struct access_forward *f)
{
    subrequest_end(&f->call);
    identity_unref(&f->identity);
    *f = (struct access_forward){.call = NULL};
}

bool access_forward_replaces(const struct forward_auth_conf *c, struct str name)
{
    return is_among(&c->response_headers, name);
}

static bool is_for_client(struct str name)
{
    static const struct str names[] = {
        STR("content-type"), STR("content-encoding"), STR("content-language"),
        STR("vary"),         STR("www-authenticate"), STR("location"),
        STR("set-cookie"),   STR("cache-control"),    STR("retry-after"),
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, names[i]))
            return true;
    return false;
}

bool access_forward_reply(struct exchange *x, struct str *ret_body)
{
    const struct access_forward *f = &x->access->forward;
    const struct response *head;
    struct writer w = {x->out, false};
    size_t begin = x->out->end;
    bool has_cache_control = false;

    if (!f->reply || x->access->asked->result.verdict != POLICY_FORBIDS)
        return false;
    head = f->reply->head;
    x->status = head->status;
    reply_begin(x, &w);
    writer_field(&w, STR("Date"), worker_date(x->w));
    for (unsigned i = 0; i < head->nheaders; i++) {
        const struct header *h = &head->headers[i];

        if (!is_for_client(h->name))
            continue;
        has_cache_control |= str_ieq(h->name, STR("cache-control"));
        writer_field(&w, h->name, h->value);
    }
    if (!has_cache_control)
        writer_lit(&w, "Cache-Control: no-store\r\n");
    reply_end(x, &w, f->reply->body.n);
    writer_lit(&w, "\r\n");
    if (w.overflow) {
        x->out->end = begin;
        return false;
    }
    *ret_body = x->req.method == METHOD_HEAD ? STR_NULL : f->reply->body;
    return true;
}

void access_forward_write(const struct exchange *x, struct writer *w)
{
    const struct access_identity *a = x->access->asked;
    const struct config *c = exchange_config(x);

    for (unsigned i = 0; i < a->nways; i++) {
        const struct word_list *names;

        if (a->ways[i]->kind != MECHANISM_FORWARD_AUTH || !a->known[i] ||
            a->answers[i].outcome != AUTH_KNOWN)
            continue;
        names = &c->forward_auth[a->ways[i]->index].response_headers;
        for (size_t k = 0; k < names->n; k++) {
            char buf[CLAIM_TEXT_MAX];
            struct str value;

            if (claim_text(json_object_get(a->answers[i].identity->claims, names->words[k]), buf,
                           &value))
                writer_field(w, str_of(names->words[k]), value);
        }
    }
}
