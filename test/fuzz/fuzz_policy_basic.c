/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an Authorization field: what is taken has one spelling, and neither user nor
 * password holds what a log or another program could stumble over. */
#include "base/base64.h"
#include "policy/basic_text.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 4648 section 4. */
static size_t encode(const char *in, size_t n, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;

    for (size_t i = 0; i < n; i += 3) {
        unsigned b = 0;

        for (size_t k = 0; k < 3; k++)
            b = b << 8 | (i + k < n ? (unsigned char)in[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            out[used++] = i + k > n ? '=' : letters[b >> (18 - 6 * k) & 63];
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char buf[PASSWORD_MAX], again[PASSWORD_MAX * 2];
    struct str text, user, password;

    if (!basic_scheme((struct str){(const char *)data, size}, &text) ||
        !basic_decode(text, buf, &user, &password))
        return 0;
    assert(user.p == buf && user.n > 0 && !memchr(user.p, ':', user.n));
    assert(password.p == user.p + user.n + 1 && user.n + password.n < sizeof buf);
    for (size_t i = 0; i < user.n + 1 + password.n; i++)
        assert((unsigned char)buf[i] >= ' ' && buf[i] != 0x7f);
    assert(encode(buf, user.n + 1 + password.n, again) == text.n);
    assert(memcmp(again, text.p, text.n) == 0);
    return 0;
}
