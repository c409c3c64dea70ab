/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the answer of an introspection endpoint: nobody is let in unless it says `true`, for
 * us, and now. And as a token: the form that asks about it decodes to just these bytes. */
#include "policy/introspection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1700000000, LEEWAY = 30 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c - 'A' + 10;
}

static void check_form(struct str token)
{
    static const char prefix[] = "token_type_hint=access_token&token=";
    struct bytes form = {0};
    size_t at = strlen(prefix);

    assert(introspection_form(&form, token));
    assert(memcmp(form.p, prefix, at) == 0);
    for (size_t i = 0; i < token.n; i++) {
        char c = form.p[at++];

        assert(c > ' ' && c < 0x7f && c != '&' && c != '=' && c != '+');
        if (c == '%') {
            c = (char)(hex(form.p[at]) << 4 | hex(form.p[at + 1]));
            at += 2;
        }
        assert(c == token.p[i]);
    }
    assert(at == form.end);
    bytes_free(&form);
}

static void check_active(const struct identity *who)
{
    const json_t *exp = json_object_get(who->claims, "exp"), *aud;

    assert(json_is_true(json_object_get(who->claims, "active")));
    if (exp)
        assert(json_number_value(exp) + LEEWAY >= NOW);
    assert(!exp || who->expires_at_s > 0);
    aud = json_object_get(who->claims, "aud");
    assert(identity_list_has(aud, "shop"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *audience[] = {"shop"};
    const struct introspection_conf c = {
        .name = "login", .issuer = "i", .audience = audience, .naudience = 1};
    struct str text = {(const char *)data, size};
    struct identity *who = NULL;
    const char *detail = NULL;
    enum introspection_verdict v = introspection_judge(&c, text, NOW, &who, &detail);

    assert(!!who == (v == TOKEN_ACTIVE));
    if (v == TOKEN_ACTIVE)
        check_active(who);
    if (v == TOKEN_INACTIVE)
        assert(detail);
    identity_unref(&who);
    check_form(text);
    return 0;
}
