/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/base64url.h"

#define XX 0xff

/* clang-format off */
static const uint8_t values[128] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, 63,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
};
/* clang-format on */

static inline uint8_t value_of(unsigned char c)
{
    return c < 128 ? values[c] : XX;
}

/* The last two or three characters, which stand for one or two bytes. */
static bool decode_tail(const unsigned char *in, size_t n, unsigned char *out)
{
    uint8_t a = value_of(in[0]), b = value_of(in[1]), c = n == 3 ? value_of(in[2]) : 0;

    if ((a | b | c) & 0xc0)
        return false;
    out[0] = (unsigned char)(a << 2 | b >> 4);
    if (n == 2)
        return (b & 0xf) == 0;
    out[1] = (unsigned char)(b << 4 | c >> 2);
    return (c & 3) == 0;
}

bool base64url_decode(struct str text, unsigned char *out, size_t *ret_n)
{
    const unsigned char *in = (const unsigned char *)text.p;
    size_t whole = text.n / 4, tail = text.n % 4;

    if (tail == 1)
        return false;
    for (size_t i = 0; i < whole; i++, in += 4, out += 3) {
        uint8_t a = value_of(in[0]), b = value_of(in[1]), c = value_of(in[2]), d = value_of(in[3]);

        if ((a | b | c | d) & 0xc0)
            return false;
        out[0] = (unsigned char)(a << 2 | b >> 4);
        out[1] = (unsigned char)(b << 4 | c >> 2);
        out[2] = (unsigned char)(c << 6 | d);
    }
    if (tail && !decode_tail(in, tail, out))
        return false;
    *ret_n = whole * 3 + (tail ? tail - 1 : 0);
    return true;
}
