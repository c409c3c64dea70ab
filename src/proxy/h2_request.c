/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/h2_request.h"
#include "http/h2_client_text.h"
#include "http/status.h"
#include "proxy/exchange.h"

#include <stdlib.h>
#include <string.h>

/* Heads and trailers of an answer; a head larger than a buffer is refused when it is read. */
enum { MAX_TEXT = 128 * 1024 };

/* Nothing was heard on the connection for so long while it had a request: it may be gone. */
static const uint64_t silence_ns = NS_PER_S;

void h2_request_wake(struct h2_request *r)
{
    r->up->sock.readable = r->up->sock.writable = true;
    event_active(&r->up->sock.ev, EV_READ | EV_WRITE, 0);
}

void h2_request_break(struct h2_request *r, bool unprocessed)
{
    r->unprocessed |= unprocessed && !r->ended;
    r->broken = true;
    h2_request_wake(r);
}

void h2_request_abandon(struct h2_request *r)
{
    list_remove(&r->unsent);
    list_remove(&r->node);
    r->link = NULL;
    h2_request_break(r, r->id == 0);
}

/* A peer that has been silent since the request went out may be gone without a word: the next
 * request does not have to find out. */
static void suspect(struct h2_request *r)
{
    struct h2_link *l = r->link;
    uint64_t now = r->up->w->now_ns;

    if (l->heard_ns < r->begun_ns && now - r->begun_ns >= silence_ns)
        h2_link_close(l);
}

static void leave(struct h2_request *r)
{
    struct h2_link *l = r->link;

    if (!l)
        return;
    if (l->session && r->id > 0) {
        nghttp2_session_set_stream_user_data(l->session, r->id, NULL);
        if (!r->closed) {
            nghttp2_submit_rst_stream(l->session, NGHTTP2_FLAG_NONE, r->id, NGHTTP2_CANCEL);
            suspect(r);
        }
    }
    list_remove(&r->unsent);
    list_remove(&r->node);
    l->nrequests--;
    l->nadmitted -= r->admitted;
    h2_link_wake(l);
}

static void request_close(struct sock *s)
{
    struct h2_request *r = s->impl;

    leave(r);
    bytes_free(&r->head);
    bytes_free(&r->out);
    bytes_free(&r->in);
    bytes_free(&r->trailers_in);
    bytes_free(&r->trailers_out);
    free(r);
    s->impl = NULL;
}

static enum io request_read(struct sock *s, void *p, size_t cap, size_t *ret_n)
{
    struct h2_request *r = s->impl;
    size_t n = bytes_take(&r->in, p, cap);
    size_t text = n < r->in_text ? n : r->in_text;

    if (n > 0) {
        r->in_text -= text;
        if (n > text && r->link && r->link->session && !r->ended) {
            nghttp2_session_consume_stream(r->link->session, r->id, n - text);
            h2_link_wake(r->link);
        }
        *ret_n = n;
        return IO_OK;
    }
    if (r->ended)
        return IO_EOF;
    if (r->broken)
        return IO_ERROR;
    s->readable = false;
    return IO_AGAIN;
}

/* Takes of the piece what belongs to the head. */
static size_t take_head(struct h2_request *r, const char *p, size_t n)
{
    static const char end[] = "\r\n\r\n";
    size_t before = bytes_len(&r->head), from = before > 3 ? before - 3 : 0;
    const char *found;
    size_t used;

    if (!bytes_add(&r->head, p, n))
        return SIZE_MAX;
    found = memmem(r->head.p + from, r->head.end - from, end, strlen(end));
    if (!found)
        return n;
    used = (size_t)(found + strlen(end) - r->head.p);
    r->head.end = used;
    r->head_whole = true;
    list_push_back(&r->link->unsent, &r->unsent);
    return used - before;
}

static enum io request_write(struct sock *s, const struct iovec *iov, int n, size_t *ret_n)
{
    struct h2_request *r = s->impl;
    size_t taken = 0;

    if (r->broken || r->ended || !r->link)
        return IO_ERROR;
    for (int i = 0; i < n; i++) {
        const char *p = iov[i].iov_base;
        size_t left = iov[i].iov_len, room;

        if (!r->head_whole) {
            size_t used = take_head(r, p, left);

            if (used == SIZE_MAX)
                return IO_ERROR;
            taken += used;
            p += used;
            left -= used;
        }
        room = H2_WRITE_BYTES - bytes_len(&r->out);
        if (!bytes_add(&r->out, p, left < room ? left : room))
            return IO_ERROR;
        taken += left < room ? left : room;
        if (left > room)
            break;
    }
    h2_link_wake(r->link);
    if (taken == 0) {
        s->writable = false;
        return IO_AGAIN;
    }
    *ret_n = taken;
    return IO_OK;
}

static enum io request_peek(struct sock *s)
{
    struct h2_request *r = s->impl;

    if (bytes_len(&r->in) > 0)
        return IO_OK;
    if (r->ended)
        return IO_EOF;
    return r->broken || !r->link || r->link->closing ? IO_ERROR : IO_AGAIN;
}

static void request_finish(struct sock *s)
{
    struct h2_request *r = s->impl;

    r->finished = true;
    if (r->link)
        h2_link_wake(r->link);
}

static struct str request_trailers(struct sock *s)
{
    struct h2_request *r = s->impl;

    return (struct str){r->trailers_in.p, bytes_len(&r->trailers_in)};
}

static void request_send_trailers(struct sock *s, struct str text)
{
    struct h2_request *r = s->impl;

    if (!bytes_add(&r->trailers_out, text.p, text.n))
        h2_request_break(r, false);
}

static const struct sock_ops request_ops = {
    .read = request_read,
    .write = request_write,
    .peek = request_peek,
    .finish = request_finish,
    .close = request_close,
    .abort = request_close,
    .trailers = request_trailers,
    .send_trailers = request_send_trailers,
};

int h2_request_start(struct h2_link *l, struct upstream *up)
{
    struct h2_request *r = calloc(1, sizeof *r);

    if (!r)
        return -1;
    r->link = l;
    r->up = up;
    r->begun_ns = l->w->now_ns;
    list_init(&r->unsent);
    list_push_back(&l->requests, &r->node);
    l->nrequests++;
    up->sock.ops = &request_ops;
    up->sock.impl = r;
    return 0;
}

bool h2_request_admit(struct sock *s, bool whatever)
{
    struct h2_request *r = s->impl;

    if (!whatever && r->link->nadmitted >= h2_link_capacity(r->link))
        return false;
    r->link->nadmitted += !r->admitted;
    r->admitted = true;
    return true;
}

bool h2_request_is_bare(const struct sock *s)
{
    const struct h2_request *r = s->impl;

    return r->ended && bytes_len(&r->in) == 0;
}

bool h2_request_is_unprocessed(const struct sock *s)
{
    const struct h2_request *r = s->impl;

    return r->unprocessed;
}

struct h2_link *h2_request_link(const struct sock *s)
{
    const struct h2_request *r = s->impl;

    return r->link;
}

/* Trailers take the place of the end that the last DATA frame would have. */
static int end_with_trailers(nghttp2_session *session, struct h2_request *r, uint32_t *flags)
{
    nghttp2_nv fields[H2_MAX_FIELDS];
    size_t n;

    if (h2_trailer_fields(r->trailers_out.p, r->trailers_out.end, fields, &n) < 0 || n == 0)
        return 0;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, r->id, fields, n);
}

static ssize_t give_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    /* A request that has left leaves a reset behind, so that this is not reached. */
    struct h2_request *r = nghttp2_session_get_stream_user_data(session, id);
    bool was_full;
    size_t n;

    (void)source;
    (void)arg;
    if (!r)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    was_full = bytes_len(&r->out) == H2_WRITE_BYTES;
    n = bytes_take(&r->out, buf, cap);
    if (was_full && n > 0 && !r->up->sock.writable)
        h2_request_wake(r);
    if (bytes_len(&r->out) == 0 && r->finished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (bytes_len(&r->trailers_out) > 0 && end_with_trailers(session, r, flags) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        return (ssize_t)n;
    }
    if (n > 0)
        return (ssize_t)n;
    r->waiting = true;
    return NGHTTP2_ERR_DEFERRED;
}

int h2_request_submit(struct h2_request *r, struct str scheme)
{
    nghttp2_data_provider data = {.read_callback = give_data};
    bool bare = r->finished && bytes_len(&r->out) == 0 && bytes_len(&r->trailers_out) == 0;
    nghttp2_nv fields[H2_MAX_FIELDS];
    size_t n;

    list_remove(&r->unsent);
    if (h2_request_fields(r->head.p, r->head.end, scheme, fields, &n) < 0)
        return -1;
    r->id = nghttp2_submit_request(r->link->session, NULL, fields, n, bare ? NULL : &data, r);
    bytes_free(&r->head);
    return r->id > 0 ? 0 : -1;
}

static bool add_text(struct h2_request *r, struct bytes *to, struct str text)
{
    if (to == &r->in)
        r->in_text += text.n;
    return bytes_len(to) + text.n <= MAX_TEXT && bytes_add(to, text.p, text.n);
}

void h2_request_on_fields(struct h2_request *r)
{
    r->in_fields = false;
}

/* nghttp2 has checked the characters, the order, and that there is one :status of three digits. */
int h2_request_on_field(struct h2_request *r, struct str name, struct str value)
{
    bool is_status = str_eq(name, STR(":status"));
    struct bytes *to;
    char line[64];
    uint64_t status;

    if (!r->in_fields)
        r->in_trailers = !is_status;
    r->in_fields = true;
    to = r->in_trailers ? &r->trailers_in : &r->in;
    if (is_status) {
        if (!str_to_u64(value, &status))
            return -1;
        snprintf(line, sizeof line, "HTTP/1.1 %.*s %s\r\n", STR_FMT(value),
                 http_status_phrase((unsigned)status));
        return add_text(r, to, str_of(line)) ? 0 : -1;
    }
    return add_text(r, to, name) && add_text(r, to, STR(": ")) && add_text(r, to, value) &&
                   add_text(r, to, STR("\r\n"))
               ? 0
               : -1;
}

void h2_request_on_fields_end(struct h2_request *r)
{
    if (r->in_fields && !r->in_trailers && !add_text(r, &r->in, STR("\r\n")))
        r->broken = true;
}

int h2_request_on_data(struct h2_request *r, const uint8_t *p, size_t n)
{
    return bytes_add(&r->in, p, n) ? 0 : -1;
}
