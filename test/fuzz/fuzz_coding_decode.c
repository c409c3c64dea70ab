/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte is the coding, the rest what is coded; and the same bytes as Accept-Encoding. */
#include "coding/accept.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum coding ours[] = {CODING_ZSTD, CODING_BR, CODING_GZIP};
    struct str text = {(const char *)data + 1, size - 1};
    struct bytes out = {0};
    struct accepted a;
    const char *why;

    if (size == 0)
        return 0;
    if (!coding_decode((enum coding)(data[0] % (CODINGS + 1)), text, 1 << 16, &out, &why) && !why)
        abort();
    if (bytes_len(&out) > 1 << 16)
        abort();
    bytes_free(&out);
    accept_begin(&a);
    accept_add(&a, text);
    if (accept_choose(&a, ours, 3) >= CODINGS)
        abort();
    return 0;
}
