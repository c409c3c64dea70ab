/* SPDX-License-Identifier: Apache-2.0 */
/* A PROXY protocol header is complete, wrong or cut for one and the same reason however it arrives;
 * what is understood can be written and is understood again. */
#include "http/proxy_protocol.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_V2 = 512, ANY = PROXY_VERSION_1 | PROXY_VERSION_2 };

/* From a copy of just these bytes, so that a sanitizer sees every read behind them. */
static enum proxy_verdict read_copy(const void *data, size_t n, unsigned versions,
                                    struct proxy_addresses *ret, size_t *ret_bytes)
{
    char *copy = malloc(n ? n : 1);
    const char *problem = NULL;
    enum proxy_verdict v;

    assert(copy);
    memcpy(copy, data, n);
    v = proxy_protocol_read(copy, n, versions, MAX_V2, ret, ret_bytes, &problem);
    assert((v == PROXY_BAD) == (problem != NULL));
    free(copy);
    return v;
}

static void check_written(const struct proxy_addresses *a)
{
    char text[PROXY_V1_MAX + 1], binary[PROXY_V2_WRITTEN_MAX];
    struct proxy_addresses again = {.known = false};
    size_t n = proxy_protocol_write_v1(a, text), bytes;

    assert(n <= PROXY_V1_MAX);
    assert(read_copy(text, n, PROXY_VERSION_1, &again, &bytes) == PROXY_DONE && bytes == n);
    assert(memcmp(a, &again, sizeof again) == 0);
    n = proxy_protocol_write_v2(a, binary);
    memset(&again, 0, sizeof again);
    assert(read_copy(binary, n, PROXY_VERSION_2, &again, &bytes) == PROXY_DONE && bytes == n);
    assert(memcmp(a, &again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_addresses whole = {.known = false}, cut;
    size_t bytes = 0, n;
    enum proxy_verdict v;

    if (size > 2 * MAX_V2)
        return 0;
    v = read_copy(data, size, ANY, &whole, &bytes);
    if (v == PROXY_DONE)
        assert(bytes <= size && bytes >= 15);
    for (size_t at = 0; at < size; at++) {
        enum proxy_verdict early = read_copy(data, at, ANY, &cut, &n);

        if (v == PROXY_DONE && at >= bytes)
            assert(early == PROXY_DONE && n == bytes);
        else if (v != PROXY_BAD)
            assert(early == PROXY_MORE);
        else
            assert(early != PROXY_DONE);
    }
    if (v == PROXY_DONE)
        check_written(&whole);
    return 0;
}
