/* SPDX-License-Identifier: Apache-2.0 */
/* A request head gives the same answer whole and cut at any place, and what is accepted holds no
 * byte that could end a line or a field. */
#include "http/h1_parse.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {.max_line = 256, .max_head = 1024, .max_headers = 12};

struct outcome {
    enum h1_verdict verdict;
    enum reason reason;
    size_t head;
    struct request request;
};

/* Parses what is there at `cut`, then all of it, as two reads would. */
static void parse_cut(const uint8_t *data, size_t size, size_t cut, struct outcome *ret)
{
    char *buf = malloc(size ? size : 1);
    size_t scanned = 0;

    assert(buf);
    memcpy(buf, data, size);
    ret->verdict = H1_MORE;
    if (cut < size)
        ret->verdict =
            h1_parse_request(buf, cut, &limits, &scanned, &ret->request, &ret->head, &ret->reason);
    if (ret->verdict == H1_MORE)
        ret->verdict =
            h1_parse_request(buf, size, &limits, &scanned, &ret->request, &ret->head, &ret->reason);
    free(buf);
}

static void check_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        assert(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

static void check_accepted(const uint8_t *data, size_t size)
{
    char *buf = malloc(size);
    struct request r;
    size_t scanned = 0, head;
    enum reason reason;

    assert(buf);
    memcpy(buf, data, size);
    if (h1_parse_request(buf, size, &limits, &scanned, &r, &head, &reason) == H1_DONE) {
        assert(head <= size && head <= limits.max_head + 2 && r.nheaders <= limits.max_headers);
        assert(r.path.n > 0 && (r.path.p[0] == '/' || str_eq(r.path, STR("*"))));
        assert(r.minor == 0 || r.host.n > 0);
        assert(r.framing != FRAMING_CLOSE);
        check_text(r.method_name);
        check_text(r.host);
        check_text(r.path);
        check_text(r.query);
        for (unsigned i = 0; i < r.nheaders; i++) {
            assert(r.headers[i].name.n > 0);
            check_text(r.headers[i].name);
            check_text(r.headers[i].value);
        }
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, cut;

    if (size == 0 || size > 4096)
        return 0;
    parse_cut(data, size, size, &whole);
    for (size_t at = 0; at < size; at += 1 + size / 200) {
        parse_cut(data, size, at, &cut);
        assert(cut.verdict == whole.verdict);
        if (whole.verdict == H1_BAD)
            assert(cut.reason == whole.reason);
        if (whole.verdict != H1_DONE)
            continue;
        assert(cut.head == whole.head && cut.request.framing == whole.request.framing);
        assert(cut.request.content_length == whole.request.content_length);
        assert(cut.request.path.n == whole.request.path.n);
        assert(cut.request.nheaders == whole.request.nheaders);
    }
    check_accepted(data, size);
    return 0;
}
