/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/basic_text.h"
#include "base/base64.h"

bool basic_scheme(struct str value, struct str *ret_text)
{
    struct str scheme = STR("Basic");

    if (!str_istarts(value, scheme) || (value.n > scheme.n && value.p[scheme.n] != ' '))
        return false;
    *ret_text = str_trim((struct str){value.p + scheme.n, value.n - scheme.n});
    return true;
}

bool basic_decode(struct str text, char buf[PASSWORD_MAX], struct str *ret_user,
                  struct str *ret_password)
{
    const char *colon;
    size_t n;

    if (BASE64_BYTES(text.n) > PASSWORD_MAX || !base64_decode(text, buf, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)buf[i] < ' ' || buf[i] == 0x7f)
            return false;
    colon = memchr(buf, ':', n);
    if (!colon || colon == buf)
        return false;
    *ret_user = (struct str){buf, (size_t)(colon - buf)};
    *ret_password = (struct str){colon + 1, n - ret_user->n - 1};
    return true;
}
