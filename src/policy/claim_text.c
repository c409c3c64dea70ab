/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/claim_text.h"

static bool is_plain(struct str s)
{
    if (s.n == 0 || s.n > CLAIM_TEXT_MAX || s.p[0] == ' ' || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool joined(const json_t *list, char buf[CLAIM_TEXT_MAX], struct str *ret)
{
    const json_t *member;
    size_t at, used = 0;

    json_array_foreach(list, at, member)
    {
        char number[32];
        struct str text;

        if (!identity_text(member, number, sizeof number, &text) || !is_plain(text) ||
            memchr(text.p, ',', text.n) || used + text.n + 1 > CLAIM_TEXT_MAX)
            return false;
        if (used > 0)
            buf[used++] = ',';
        memcpy(buf + used, text.p, text.n);
        used += text.n;
    }
    *ret = (struct str){buf, used};
    return used > 0;
}

bool claim_text(const json_t *claim, char buf[CLAIM_TEXT_MAX], struct str *ret)
{
    if (json_is_array(claim))
        return joined(claim, buf, ret);
    if (json_is_object(claim)) {
        ret->p = buf;
        ret->n = json_dumpb(claim, buf, CLAIM_TEXT_MAX,
                            JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS);
        return ret->n > 0 && ret->n <= CLAIM_TEXT_MAX;
    }
    return identity_text(claim, buf, CLAIM_TEXT_MAX, ret) && is_plain(*ret);
}
