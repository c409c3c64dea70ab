/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static int letter_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

bool base64_decode(struct str in, char *out, size_t *ret_n)
{
    size_t pad = 0, n = 0;
    unsigned bits = 0, have = 0;

    if (in.n == 0 || in.n % 4 != 0)
        return false;
    while (pad < 2 && in.p[in.n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < in.n - pad; i++) {
        int v = letter_value(in.p[i]);

        if (v < 0)
            return false;
        bits = bits << 6 | (unsigned)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    *ret_n = n;
    return bits == 0;
}

void base64_encode(struct str in, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        unsigned bits = (unsigned)(unsigned char)in.p[i] << 16;

        bits |= left > 1 ? (unsigned)(unsigned char)in.p[i + 1] << 8 : 0;
        bits |= left > 2 ? (unsigned)(unsigned char)in.p[i + 2] : 0;
        *out++ = letters[bits >> 18];
        *out++ = letters[bits >> 12 & 63];
        *out++ = left > 1 ? letters[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? letters[bits & 63] : '=';
    }
    *out = '\0';
}
