/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/compress.h"
#include "cache/rules.h"
#include "coding/accept.h"
#include "http/media_type.h"
#include "policy/identity.h"
#include "proxy/access.h"
#include "proxy/head.h"

#include <assert.h>
#include <stdlib.h>

static_assert(ARRAY_LEN(((struct worker_counters *)0)->coded) == CODINGS,
              "a counter for each coding");

static const struct compression_conf *conf_of(const struct exchange *x)
{
    const struct compression_conf *c = x->match.route->conf->compression;

    if (!c)
        c = exchange_config(x)->compression;
    return c && c->enabled ? c : NULL;
}

static bool is_of_type(const struct compression_conf *c, struct str value)
{
    struct str type;

    if (!media_type_read(value, &type))
        return false;
    for (size_t i = 0; c->types[i]; i++)
        if (media_type_matches(str_of(c->types[i]), type))
            return true;
    return false;
}

static struct str value_of(const struct header *headers, unsigned n, const char *name)
{
    const struct header *h = rules_header(headers, n, str_of(name));

    return h ? h->value : STR("");
}

static bool has_word(struct str list, const char *word)
{
    struct str item;

    while (str_next(&list, ',', &item))
        if (str_ieq(item, str_of(word)))
            return true;
    return false;
}

/* Could it be coded for some client? -1 = its length is not known. */
static bool is_fit(const struct compression_conf *c, const struct header *headers, unsigned n,
                   unsigned status, int64_t length)
{
    if (status < 200 || status == 204 || status == 205 || status == 206 || status == 304)
        return false;
    if (length == 0 || (length > 0 && (uint64_t)length < c->min_size) ||
        value_of(headers, n, "Content-Encoding").n > 0 ||
        value_of(headers, n, "Content-Range").n > 0)
        return false;
    return is_of_type(c, value_of(headers, n, "Content-Type")) &&
           !cache_control_of(headers, n).no_transform;
}

/* Does the request show what a browser sends by itself, whoever has made it ask? */
static bool is_ambient(const struct exchange *x)
{
    const struct header *auth = request_header(&x->req, HEADER_AUTHORIZATION);
    bool bearer = auth && str_istarts(auth->value, STR("bearer "));

    return request_header(&x->req, HEADER_COOKIE) || (auth && !bearer) || x->conn->tls_peer;
}

static bool may_be_guessed(const struct exchange *x, const struct compression_conf *c,
                           const struct header *headers, unsigned n)
{
    return c->breach == BREACH_PROTECT && is_ambient(x) && !cache_control_of(headers, n).is_public;
}

static enum coding choose(const struct exchange *x, const struct compression_conf *c)
{
    enum coding ours[MAX_COMPRESSION_CODINGS];
    struct accepted a;

    accept_begin(&a);
    for (unsigned i = 0; i < x->req.nheaders; i++)
        if (str_ieq(x->req.headers[i].name, STR("accept-encoding")))
            accept_add(&a, x->req.headers[i].value);
    for (size_t i = 0; i < c->ncodings; i++)
        ours[i] = (enum coding)c->codings[i];
    return accept_choose(&a, ours, c->ncodings);
}

/* NULL: nothing about the answer changes. */
static struct compress *begin(struct exchange *x, const struct header *headers, unsigned n,
                              unsigned status, int64_t length, bool bare)
{
    const struct compression_conf *c = conf_of(x);
    struct compress *k;
    enum coding coding;

    if (!c || x->conn->inner || x->grpc.is || !is_fit(c, headers, n, status, length) ||
        may_be_guessed(x, c, headers, n))
        return NULL;
    /* What stands in for an answer that could not be relayed. */
    compress_free(x);
    k = x->compress = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->w = x->w;
    k->bare = bare;
    coding = choose(x, c);
    if (coding == CODING_IDENTITY || x->w->encoders >= COMPRESS_STREAMS)
        return k;
    if (!k->bare) {
        k->encoder = encoder_new(coding, (enum coding_level)c->level);
        if (!k->encoder)
            return k;
        x->w->encoders++;
    }
    k->coding = coding;
    stat_add(&x->w->counters.coded[coding], 1);
    return k;
}

/* The pump's payload goes through here. */
static bool code(void *arg, const char *p, size_t n, enum encoder_step step, struct str *ret)
{
    struct compress *k = arg;

    bytes_reuse(&k->out, BUF_BYTES);
    if (!encoder_run(k->encoder, p, n, step, &k->out))
        return false;
    stat_add(&k->w->counters.coded_in, n);
    stat_add(&k->w->counters.coded_out, bytes_len(&k->out));
    *ret = bytes_str(&k->out);
    return true;
}

void compress_begin(struct exchange *x)
{
    const struct response *r = &x->attempt->resp;
    struct compress *k = begin(x, r->headers, r->nheaders, r->status,
                               r->has_content_length ? (int64_t)r->content_length : -1,
                               x->req.method == METHOD_HEAD);

    if (!k || !k->encoder)
        return;
    x->download.coder = code;
    x->download.coder_arg = k;
    x->download.chunk_out = !x->conn->is_stream && x->req.minor == 1;
    if (x->req.minor == 0)
        x->close_client = true;
}

struct str compress_whole(struct exchange *x, unsigned status, const struct header *headers,
                          unsigned n, struct str body)
{
    struct compress *k = begin(x, headers, n, status, (int64_t)body.n, x->status == 304);

    if (!k || !k->encoder)
        return body;
    if (encoder_run(k->encoder, body.p, body.n, ENCODER_END, &k->out)) {
        stat_add(&x->w->counters.coded_in, body.n);
        stat_add(&x->w->counters.coded_out, bytes_len(&k->out));
        return bytes_str(&k->out);
    }
    k->coding = CODING_IDENTITY;
    return body;
}

void compress_free(struct exchange *x)
{
    struct compress *k = x->compress;

    if (!k)
        return;
    if (k->encoder)
        k->w->encoders--;
    encoder_free(&k->encoder);
    bytes_free(&k->out);
    free(k);
    x->compress = NULL;
}

static void write_etag(struct str etag, struct writer *w)
{
    if (etag.n == 0)
        return;
    /* The bytes are others than those that it was made of (RFC 9110 section 8.8.1). */
    writer_lit(w, "ETag: ");
    if (!str_starts(etag, STR("W/")))
        writer_lit(w, "W/");
    writer_str(w, etag);
    writer_lit(w, "\r\n");
}

void compress_write_fields(const struct exchange *x, const struct header *headers, unsigned n,
                           struct writer *w)
{
    const struct compress *k = x->compress;
    bool varies = false;

    for (unsigned i = 0; i < n; i++)
        if (str_ieq(headers[i].name, STR("Vary")))
            varies |=
                has_word(headers[i].value, "accept-encoding") || has_word(headers[i].value, "*");
    if (!varies)
        writer_lit(w, "Vary: Accept-Encoding\r\n");
    if (k->coding == CODING_IDENTITY)
        return;
    /* A 304 says what is other than in the stored answer, and this is not (RFC 9110
     * section 15.4.5).
     */
    if (x->status != 304)
        writer_field(w, STR("Content-Encoding"), str_of(coding_name(k->coding)));
    write_etag(value_of(headers, n, "ETag"), w);
}

bool compress_replaces_field(const struct exchange *x, struct str name)
{
    static const struct str names[] = {STR("etag"),   STR("accept-ranges"), STR("content-digest"),
                                       STR("digest"), STR("content-md5"),   STR("content-length")};

    if (!compress_codes(x))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, names[i]))
            return true;
    return false;
}
