/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_parse.h"

#include "http/chars.h"
#include "http/h1_crosscheck.h"
#include "http/h1_fields.h"
#include "http/uri.h"

enum { MAX_METHOD = 32 };

/* Where the head ends, or why it never will. Judges in the order of the bytes, so that the answer
 * does not depend on how they were cut into reads. The first byte is a token's, so no LF comes
 * before the second. */
static enum h1_verdict find_end(const char *buf, size_t n, size_t start,
                                const struct h1_limits *limits, size_t *scanned, size_t *ret_end,
                                enum reason *ret_reason)
{
    size_t line = limits->max_line + 2 < limits->max_head ? limits->max_line + 2 : limits->max_head;
    size_t window = n - start < limits->max_head ? n : start + limits->max_head;
    size_t at = *scanned > start ? *scanned : start;

    if (at < start + line && n - start >= line && !memchr(buf + start, '\n', line)) {
        *ret_reason = REASON_URI_TOO_LONG;
        return H1_BAD;
    }
    while (at < window) {
        const char *lf = memchr(buf + at, '\n', window - at);
        if (!lf)
            break;
        at = (size_t)(lf - buf) + 1;
        if (buf[at - 2] != '\r') {
            *ret_reason = REASON_BAD_REQUEST;
            return H1_BAD;
        }
        if (buf[at - 3] == '\n') {
            *ret_end = at;
            return H1_DONE;
        }
    }
    *scanned = window;
    *ret_reason = REASON_HEADERS_TOO_LARGE;
    return n - start >= limits->max_head ? H1_BAD : H1_MORE;
}

static enum method method_parse(struct str name)
{
    static const struct {
        struct str name;
        enum method method;
    } methods[] = {
        {STR("GET"), METHOD_GET},       {STR("POST"), METHOD_POST},
        {STR("HEAD"), METHOD_HEAD},     {STR("PUT"), METHOD_PUT},
        {STR("DELETE"), METHOD_DELETE}, {STR("OPTIONS"), METHOD_OPTIONS},
        {STR("PATCH"), METHOD_PATCH},
    };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_eq(methods[i].name, name))
            return methods[i].method;
    return METHOD_OTHER;
}

/* "HTTP/" DIGIT "." DIGIT; any minor version above 1 counts as 1 (RFC 9112 section 2.3). */
static enum reason version_parse(const char *p, unsigned *ret_minor)
{
    if (memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' ||
        p[7] > '9')
        return REASON_BAD_REQUEST;
    if (p[5] != '1')
        return REASON_VERSION_UNSUPPORTED;
    *ret_minor = p[7] == '0' ? 0 : 1;
    return REASON_NONE;
}

/* method SP target SP version CRLF; *p moves behind it. `end` is the end of the head. */
static enum reason request_line(struct request *r, const char **p, const char *end)
{
    const char *method = *p, *at = method;

    while (char_is(*at, CHAR_TOKEN))
        at++;
    r->method_name = (struct str){method, (size_t)(at - method)};
    if (*at != ' ' || at == method)
        return REASON_BAD_REQUEST;
    const char *target = ++at;
    while (char_is(*at, CHAR_TARGET))
        at++;
    r->target = (struct str){target, (size_t)(at - target)};
    if (*at != ' ' || at == target)
        return REASON_BAD_REQUEST;
    at++;
    if (end - at < 10 || at[8] != '\r' || at[9] != '\n')
        return REASON_BAD_REQUEST;
    enum reason reason = version_parse(at, &r->minor);
    if (reason != REASON_NONE)
        return reason;
    r->method = method_parse(r->method_name);
    if (r->method_name.n > MAX_METHOD || str_eq(r->method_name, STR("CONNECT")) ||
        str_eq(r->method_name, STR("TRACE")))
        return REASON_METHOD_UNSUPPORTED;
    *p = at + 10;
    return REASON_NONE;
}

/* Splits path and query; the path's normal form is put right before the query, so that the target
 * stays one piece. */
static enum reason split_target(struct request *r, char *path, size_t n)
{
    char *mark = memchr(path, '?', n);
    size_t raw = mark ? (size_t)(mark - path) : n, normal = raw;

    r->has_query = mark != NULL;
    r->query = mark ? (struct str){mark + 1, n - raw - 1} : STR_NULL;
    if (!uri_normalise_path(path, &normal))
        return REASON_BAD_REQUEST;
    if (normal != raw)
        memmove(path + raw - normal, path, normal);
    r->path = (struct str){path + raw - normal, normal};
    r->target = (struct str){r->path.p, n - (raw - normal)};
    return REASON_NONE;
}

/* absolute-form: its authority must be the Host. */
static enum reason absolute_target(struct request *r, char *target, size_t n)
{
    struct str t = {target, n};
    size_t scheme = str_istarts(t, STR("http://")) ? 7 : str_istarts(t, STR("https://")) ? 8 : 0;
    char *authority = target + scheme;
    size_t len = 0, rest = n - scheme;

    if (scheme == 0)
        return REASON_BAD_REQUEST;
    while (len < rest && authority[len] != '/' && authority[len] != '?')
        len++;
    if (!uri_check_authority(authority, len))
        return REASON_BAD_REQUEST;
    struct str host = {authority, len};
    if (r->host.p && !str_eq(r->host, host))
        return REASON_BAD_REQUEST;
    r->host = host;
    if (len < rest && authority[len] == '/')
        return split_target(r, authority + len, rest - len);
    r->path = STR("/");
    r->has_query = len < rest;
    r->query = r->has_query ? (struct str){authority + len + 1, rest - len - 1} : STR_NULL;
    return REASON_NONE;
}

/* The buffer is the caller's and writable; slices of it only lost that on the way. */
static char *writable(char *buf, struct str s)
{
    return buf + (s.p - buf);
}

static enum reason judge_target(struct request *r, const struct fields *f, char *buf)
{
    char *target = writable(buf, r->target);

    if (fields_single(f, HEADER_HOST, &r->host) != REASON_NONE)
        return REASON_BAD_REQUEST;
    if (!r->host.p && r->minor > 0)
        return REASON_BAD_REQUEST;
    if (r->host.p && !uri_check_authority(writable(buf, r->host), r->host.n))
        return REASON_BAD_REQUEST;
    if (target[0] == '/')
        return split_target(r, target, r->target.n);
    if (r->method == METHOD_OPTIONS && str_eq(r->target, STR("*"))) {
        r->path = r->target;
        return REASON_NONE;
    }
    return absolute_target(r, target, r->target.n);
}

static enum reason judge_framing(struct request *r, struct fields *f)
{
    bool length = f->seen & FIELD_BIT(HEADER_CONTENT_LENGTH);
    bool coded = f->seen & FIELD_BIT(HEADER_TRANSFER_ENCODING);

    if (coded) {
        if (length || r->minor == 0)
            return REASON_BAD_REQUEST;
        r->framing = FRAMING_CHUNKED;
        return fields_transfer_encoding(f);
    }
    if (!length)
        return REASON_NONE;
    r->framing = FRAMING_LENGTH;
    return fields_content_length(f, &r->content_length);
}

static enum reason judge_expect(struct request *r, const struct fields *f)
{
    if ((f->seen & FIELD_BIT(HEADER_EXPECT)) == 0 || r->minor == 0)
        return REASON_NONE;
    for (unsigned i = 0; i < f->n; i++)
        if (f->headers[i].id == HEADER_EXPECT && !str_ieq(f->headers[i].value, STR("100-continue")))
            return REASON_EXPECTATION_FAILED;
    r->expect_continue = true;
    return REASON_NONE;
}

static enum reason judge_request(struct request *r, struct fields *f, char *buf)
{
    struct connection connection;
    enum reason reason = judge_framing(r, f);

    if (reason == REASON_NONE)
        reason = judge_target(r, f, buf);
    if (reason == REASON_NONE)
        reason = fields_connection(f, &connection);
    if (reason == REASON_NONE)
        reason = judge_expect(r, f);
    if (reason != REASON_NONE)
        return reason;
    r->keep_alive = !connection.close && (r->minor > 0 || connection.keep_alive);
    r->te_trailers = fields_list_has(f, HEADER_TE, STR("trailers"));
    r->upgrade_websocket = connection.upgrade && r->method == METHOD_GET && r->minor > 0 &&
                           fields_list_has(f, HEADER_UPGRADE, STR("websocket"));
    return REASON_NONE;
}

static enum reason read_request(struct request *r, char *buf, const char *head, const char *end,
                                unsigned max_headers)
{
    struct fields f = {.headers = r->headers};

    f.max = max_headers < HTTP_MAX_HEADERS ? max_headers : HTTP_MAX_HEADERS;
    memset(r, 0, offsetof(struct request, headers));
    enum reason reason = request_line(r, &head, end);
    if (reason == REASON_NONE)
        reason = fields_split(&f, head, end);
    r->nheaders = f.n;
    if (reason == REASON_NONE)
        reason = judge_request(r, &f, buf);
    if (reason == REASON_NONE && !f.merged &&
        !crosscheck_request(head, end, r->framing, r->content_length))
        reason = REASON_BAD_REQUEST;
    return reason;
}

enum h1_verdict h1_parse_request(char *buf, size_t n, const struct h1_limits *limits,
                                 size_t *scanned, struct request *ret, size_t *ret_head_bytes,
                                 enum reason *ret_reason)
{
    size_t start = 0, end = 0;

    *ret_reason = REASON_BAD_REQUEST;
    if (n > 0 && buf[0] == '\r') {
        if (n > 1 && buf[1] != '\n')
            return H1_BAD;
        start = 2;
    }
    if (n <= start)
        return H1_MORE;
    /* Whatever does not start like a method (TLS, binary) is not worth waiting for. */
    if (!char_is(buf[start], CHAR_TOKEN))
        return H1_BAD;
    enum h1_verdict verdict = find_end(buf, n, start, limits, scanned, &end, ret_reason);
    if (verdict != H1_DONE)
        return verdict;
    *ret_reason = read_request(ret, buf, buf + start, buf + end, limits->max_headers);
    *ret_head_bytes = end;
    return *ret_reason == REASON_NONE ? H1_DONE : H1_BAD;
}

/* "HTTP/1." DIGIT SP 3DIGIT [SP reason] CRLF; *p moves behind it. */
static bool status_line(struct response *r, const char **p, const char *end)
{
    const char *at = *p;

    if (end - at < 14 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') ||
        at[8] != ' ')
        return false;
    r->minor = (unsigned)(at[7] - '0');
    at += 9;
    for (int i = 0; i < 3; i++, at++) {
        if (*at < '0' || *at > '9')
            return false;
        r->status = r->status * 10 + (unsigned)(*at - '0');
    }
    if (r->status < 100 || (*at != ' ' && *at != '\r'))
        return false;
    if (*at == ' ')
        at++;
    const char *phrase = at;
    while (char_is(*at, CHAR_VALUE))
        at++;
    r->reason_phrase = (struct str){phrase, (size_t)(at - phrase)};
    *p = at + 2;
    return at[0] == '\r' && at[1] == '\n';
}

/* RFC 9112 section 6.3, without its repairs: two answers to "how long" are none. */
static bool response_framing(struct response *r, struct fields *f, enum method method)
{
    bool coded = f->seen & FIELD_BIT(HEADER_TRANSFER_ENCODING);

    r->has_content_length = f->seen & FIELD_BIT(HEADER_CONTENT_LENGTH);
    if (coded &&
        (r->has_content_length || r->minor == 0 || fields_transfer_encoding(f) != REASON_NONE))
        return false;
    if (r->has_content_length && fields_content_length(f, &r->content_length) != REASON_NONE)
        return false;
    if (method == METHOD_HEAD || r->status < 200 || r->status == 204 || r->status == 304)
        r->framing = FRAMING_NONE;
    else if (coded)
        r->framing = FRAMING_CHUNKED;
    else
        r->framing = r->has_content_length ? FRAMING_LENGTH : FRAMING_CLOSE;
    return true;
}

/* What the fields alone say, whatever the method and status. */
static enum framing framing_of_fields(const struct fields *f)
{
    if (f->seen & FIELD_BIT(HEADER_TRANSFER_ENCODING))
        return FRAMING_CHUNKED;
    return f->seen & FIELD_BIT(HEADER_CONTENT_LENGTH) ? FRAMING_LENGTH : FRAMING_NONE;
}

static bool read_response(struct response *r, const char *head, const char *end,
                          unsigned max_headers, enum method method)
{
    struct fields f = {.headers = r->headers};
    struct connection connection;

    f.max = max_headers < HTTP_MAX_HEADERS ? max_headers : HTTP_MAX_HEADERS;
    memset(r, 0, offsetof(struct response, headers));
    if (!status_line(r, &head, end) || fields_split(&f, head, end) != REASON_NONE ||
        !response_framing(r, &f, method) || fields_connection(&f, &connection) != REASON_NONE)
        return false;
    if (!f.merged && !crosscheck_response(head, end, framing_of_fields(&f), r->content_length))
        return false;
    r->nheaders = f.n;
    r->keep_alive =
        !connection.close && (r->minor > 0 || connection.keep_alive) && r->framing != FRAMING_CLOSE;
    r->upgrade_websocket = r->status == 101 && connection.upgrade &&
                           fields_list_has(&f, HEADER_UPGRADE, STR("websocket"));
    return true;
}

enum h1_verdict h1_parse_response(char *buf, size_t n, const struct h1_limits *limits,
                                  size_t *scanned, enum method method, struct response *ret,
                                  size_t *ret_head_bytes, enum reason *ret_reason)
{
    size_t end = 0;

    *ret_reason = REASON_UPSTREAM_INVALID;
    if (n == 0)
        return H1_MORE;
    if (buf[0] != 'H')
        return H1_BAD;
    enum h1_verdict verdict = find_end(buf, n, 0, limits, scanned, &end, ret_reason);
    *ret_reason = REASON_UPSTREAM_INVALID;
    if (verdict != H1_DONE)
        return verdict;
    if (!read_response(ret, buf, buf + end, limits->max_headers, method))
        return H1_BAD;
    *ret_head_bytes = end;
    return H1_DONE;
}
