/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of HTTP/2 as a client sends them: what becomes a head in HTTP/1.1 text, and parses, is the
 * request that the fields say, and no other (RFC 9113 section 10.3). The input's first byte is how
 * the body ends; then two bytes with the lengths of name and value, and both, as often as there are
 * some. The same bytes as the text of an answer must be refused or become fields without harm. */
#include "http/h1_parse.h"
#include "http/h2_server_text.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 16 * 1024, MAX_FIELDS = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct given {
    struct str name, value;
};

struct input {
    struct given fields[MAX_FIELDS];
    unsigned n;
};

static void take_fields(struct input *in, const uint8_t *p, size_t n)
{
    while (n >= 2 && in->n < MAX_FIELDS) {
        size_t name = p[0] % 64, value = p[1];

        p += 2;
        n -= 2;
        name = name < n ? name : n;
        value = value < n - name ? value : n - name;
        in->fields[in->n++] =
            (struct given){{(const char *)p, name}, {(const char *)p + name, value}};
        p += name + value;
        n -= name + value;
    }
}

static struct str pseudo(const struct input *in, const char *name)
{
    for (unsigned i = 0; i < in->n; i++)
        if (str_eq(in->fields[i].name, str_of(name)))
            return in->fields[i].value;
    return STR_NULL;
}

static bool was_given(const struct input *in, const struct header *h)
{
    for (unsigned i = 0; i < in->n; i++)
        if (str_eq(in->fields[i].name, h->name) &&
            (str_eq(in->fields[i].value, h->value) || h->id == HEADER_HOST))
            return true;
    return false;
}

/* A field of a request that nobody gave would have been smuggled. */
static void check_field(const struct input *in, const struct header *h, enum h2_body body)
{
    if (str_eq(h->name, STR("cookie")))
        return;
    if (str_eq(h->name, STR("host")) && pseudo(in, ":authority").n > 0)
        return;
    if (str_eq(h->name, STR("transfer-encoding"))) {
        assert(body == H2_BODY_OPEN && str_eq(h->value, STR("chunked")));
        return;
    }
    if (str_eq(h->name, STR("content-length")) && body == H2_BODY_WHOLE)
        return;
    assert(was_given(in, h));
}

static void check_request(const struct input *in, struct bytes *text, enum h2_body body)
{
    static const struct h1_limits limits = {8 * 1024, LIMIT, 100};
    static struct request r;
    size_t scanned = 0, head;
    enum reason why;

    if (h1_parse_request(text->p, text->end, &limits, &scanned, &r, &head, &why) != H1_DONE)
        return;
    assert(head == text->end);
    assert(str_eq(r.method_name, pseudo(in, ":method")));
    assert(r.nheaders <= in->n + 2);
    for (unsigned i = 0; i < r.nheaders; i++)
        check_field(in, &r.headers[i], body);
}

static void as_request(const uint8_t *data, size_t size)
{
    static struct input in;
    enum h2_body body = (enum h2_body)(data[0] % 3);
    struct h2_head h = {.regular = false};
    struct bytes text = {0};

    in.n = 0;
    take_fields(&in, data + 1, size - 1);
    for (unsigned i = 0; i < in.n; i++)
        assert(h2_head_add(&h, in.fields[i].name, in.fields[i].value, LIMIT) == 0);
    if (h2_head_is_good(&h)) {
        assert(h2_head_end(&h, body, 5, &text) == 0);
        check_request(&in, &text, body);
    }
    bytes_free(&text);
    h2_head_free(&h);
}

static void as_answer(const uint8_t *data, size_t size)
{
    nghttp2_nv fields[H2_MAX_ANSWER_FIELDS];
    char *text = malloc(size + 1);
    unsigned status;
    size_t n;

    memcpy(text, data, size);
    text[size] = '\0';
    if (h2_answer_fields(text, size, &status, fields, &n) == 0) {
        assert(n >= 1 && n <= H2_MAX_ANSWER_FIELDS && status <= 999);
        for (size_t i = 0; i < n; i++)
            assert(!memchr(fields[i].name, '\n', fields[i].namelen) &&
                   !memchr(fields[i].value, '\n', fields[i].valuelen));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        as_request(data, size);
    as_answer(data, size);
    return 0;
}
