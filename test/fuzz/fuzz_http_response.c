/* SPDX-License-Identifier: Apache-2.0 */
/* A response head, for each method that changes its framing, whole and in two reads. */
#include "http/h1_parse.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {.max_line = 256, .max_head = 1024, .max_headers = 12};

static enum h1_verdict parse(const uint8_t *data, size_t size, size_t cut, enum method method,
                             struct response *ret, size_t *ret_head)
{
    char *buf = malloc(size ? size : 1);
    size_t scanned = 0;
    enum reason reason = REASON_UPSTREAM_INVALID;
    enum h1_verdict verdict;

    assert(buf);
    memcpy(buf, data, size);
    verdict = h1_parse_response(buf, cut, &limits, &scanned, method, ret, ret_head, &reason);
    if (verdict == H1_MORE && cut < size)
        verdict = h1_parse_response(buf, size, &limits, &scanned, method, ret, ret_head, &reason);
    assert(verdict != H1_BAD || reason == REASON_UPSTREAM_INVALID);
    free(buf);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct response whole, cut;
    size_t head = 0, cut_head = 0;

    if (size > 4096)
        return 0;
    for (enum method method = METHOD_GET; method <= METHOD_HEAD; method++) {
        enum h1_verdict verdict = parse(data, size, size, method, &whole, &head);

        for (size_t at = 0; at < size; at += 1 + size / 200) {
            assert(parse(data, size, at, method, &cut, &cut_head) == verdict);
            if (verdict == H1_DONE)
                assert(cut_head == head && cut.status == whole.status &&
                       cut.framing == whole.framing && cut.keep_alive == whole.keep_alive);
        }
        if (verdict != H1_DONE)
            continue;
        assert(whole.status >= 100 && whole.status <= 999 && head <= size);
        assert(method != METHOD_HEAD || whole.framing == FRAMING_NONE);
        assert(whole.framing != FRAMING_CLOSE || !whole.keep_alive);
    }
    return 0;
}
