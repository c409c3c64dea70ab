/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding at once and byte by byte gives the same payload, verdict and end. */
#include "http/h1_chunked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunked c;
    char *whole = malloc(size ? size : 1);
    size_t payload, used, at = 0, total = 0;
    enum chunked_verdict verdict = CHUNKED_MORE;

    assert(whole);
    if (size > 0)
        memcpy(whole, data, size);
    chunked_init(&c);
    enum chunked_verdict wanted = chunked_decode(&c, whole, size, &payload, &used);
    assert(payload <= used && used <= size);
    assert(wanted != CHUNKED_MORE || used == size);

    chunked_init(&c);
    while (at < size && verdict == CHUNKED_MORE) {
        char byte = (char)data[at];
        size_t one, consumed;

        verdict = chunked_decode(&c, &byte, 1, &one, &consumed);
        at += consumed;
        if (one > 0)
            assert(total < payload && whole[total++] == byte);
    }
    assert(verdict == wanted && at == used && total == payload);
    free(whole);
    return 0;
}
