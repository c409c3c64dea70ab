/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/request_id.h"

static bool is_safe_id(struct str s)
{
    if (s.n == 0 || s.n > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            c != '-' && c != '_' && c != '.' && c != ':')
            return false;
    }
    return true;
}

void request_id_choose(struct exchange *x)
{
    static const char hex[] = "0123456789abcdef";
    const struct header *h = request_header(&x->req, HEADER_X_REQUEST_ID);

    if (h && is_safe_id(h->value)) {
        memcpy(x->request_id, h->value.p, h->value.n);
        x->request_id[h->value.n] = '\0';
        return;
    }
    for (int half = 0; half < 2; half++) {
        uint64_t v = rng_next(&x->w->rng);

        for (int i = 0; i < 16; i++, v >>= 4)
            x->request_id[half * 16 + i] = hex[v & 15];
    }
    x->request_id[32] = '\0';
}
