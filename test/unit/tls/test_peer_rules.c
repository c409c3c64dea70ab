/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/peer_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum what { SUBJECT, ISSUER, SAN, FINGERPRINT };

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct {
    const char *name;
    enum what what;
    const char *pattern, *text;
    bool fits;
} rows[] = {
    {"itself", SUBJECT, "CN=web,O=Shop", "CN=web,O=Shop", true},
    {"another", SUBJECT, "CN=web,O=Shop", "CN=web,O=Shops", false},
    {"longer pattern", SUBJECT, "CN=web,O=Shop", "CN=web,O=Sho", false},
    {"case counts", SUBJECT, "CN=web", "CN=Web", false},
    {"a star", SUBJECT, "CN=*,O=Shop", "CN=web,O=Shop", true},
    {"a star for nothing", SUBJECT, "CN=web*", "CN=web", true},
    {"a star alone", SUBJECT, "*", "CN=web", true},
    {"a star and two parts", SUBJECT, "*", "CN=web,O=Shop", false},
    {"a star ends at a comma", SUBJECT, "CN=*", "CN=web,O=Shop", false},
    {"a star ends at a plus", SUBJECT, "CN=*,O=Shop", "CN=web+OU=x,O=Shop", false},
    {"an escaped comma is a character", SUBJECT, "CN=*,O=Shop", "CN=a\\, b,O=Shop", true},
    {"and no separator", SUBJECT, "CN=*,O=Shop", "CN=x\\,O=Shop", false},
    {"nor after a backslash", SUBJECT, "CN=*,O=Shop", "CN=x\\\\\\,O=Shop", false},
    {"an escaped backslash before one", SUBJECT, "CN=*,O=Shop", "CN=x\\\\,O=Shop", true},
    {"written escaped", SUBJECT, "CN=a\\,b", "CN=a\\,b", true},
    {"half an escape", SUBJECT, "CN=*b", "CN=a\\b", false},
    {"backtracking", SUBJECT, "CN=*ab*c,O=*", "CN=aababxc,O=y", true},
    {"backtracking for nothing", SUBJECT, "CN=*ab*c,O=*", "CN=aababx,O=c", false},
    {"across a part", SUBJECT, "CN=*b,O=c*", "CN=ab,O=cd", true},
    {"the second comma does not count", SUBJECT, "*,O=c", "CN=a,O=b,O=c", false},
    {"issuer", ISSUER, "CN=ca *", "CN=ca 7", true},
    {"another issuer", ISSUER, "CN=ca *", "CN=da 7", false},
    {"dns", SAN, "dns:*.example", "dns:web.example", true},
    {"dns: case does not count", SAN, "dns:WEB.Example", "dns:web.example", true},
    {"dns: one label", SAN, "dns:*.example", "dns:a.web.example", false},
    {"dns is not uri", SAN, "dns:*", "uri:web", false},
    {"uri", SAN, "uri:spiffe://shop/ns/*/sa/*", "uri:spiffe://shop/ns/a/sa/b", true},
    {"uri: one segment", SAN, "uri:spiffe://shop/*", "uri:spiffe://shop/ns/a", false},
    {"uri: case counts", SAN, "uri:spiffe://shop", "uri:spiffe://Shop", false},
    {"email", SAN, "email:*@shop.example", "email:anna@shop.example", true},
    {"email: no second at", SAN, "email:*@shop.example", "email:a@evil@shop.example", false},
    {"ip", SAN, "ip:10.0.*", "ip:10.0.0.1", true},
    {"ip: case does not count", SAN, "ip:2001:DB8::1", "ip:2001:db8::1", true},
    {"fingerprint", FINGERPRINT, SHA, SHA, true},
    {"another fingerprint", FINGERPRINT, SHA, SHA "0", false},
};

static void each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *pattern = rows[i].pattern;
        char text[128], *sans[] = {(char *)"ip:192.0.2.9", text}, other[] = "CN=other";
        struct tls_peer p = {.subject = other, .issuer = other, .sans = sans, .nsans = 2};
        struct certificate_rules r = {0};

        snprintf(text, sizeof text, "%s", rows[i].text);
        switch (rows[i].what) {
        case SUBJECT:
            p.subject = text;
            r.subjects = &pattern;
            r.nsubjects = 1;
            break;
        case ISSUER:
            p.issuer = text;
            r.issuers = &pattern;
            r.nissuers = 1;
            break;
        case SAN:
            r.sans = &pattern;
            r.nsans = 1;
            break;
        case FINGERPRINT:
            snprintf(p.fingerprint, sizeof p.fingerprint, "%.64s", text + strlen(text) - 64);
            r.fingerprints = &pattern;
            r.nfingerprints = 1;
            break;
        }
        if (tls_peer_fits(&p, &r) != rows[i].fits)
            fail_msg("%s: \"%s\" and \"%s\"", rows[i].name, rows[i].pattern, rows[i].text);
    }
}

static void lists(void **state)
{
    const char *some[] = {"CN=a", "CN=web"}, *none[] = {"CN=a", "CN=b"}, *san[] = {"dns:web"};
    char subject[] = "CN=web", issuer[] = "CN=ca", web[] = "dns:web", *sans[] = {web};
    struct tls_peer p = {.subject = subject, .issuer = issuer, .sans = sans, .nsans = 1};
    struct certificate_rules r = {0};

    (void)state;
    assert_true(tls_peer_fits(&p, &r)); /* no rules: every verified one */
    r = (struct certificate_rules){.subjects = some, .nsubjects = 2};
    assert_true(tls_peer_fits(&p, &r)); /* one of a list */
    r.sans = san;
    r.nsans = 1;
    assert_true(tls_peer_fits(&p, &r)); /* of each list */
    r.issuers = none;
    r.nissuers = 2;
    assert_false(tls_peer_fits(&p, &r));
    r.nissuers = 0;
    p.nsans = 0;
    assert_false(tls_peer_fits(&p, &r));
}

/* A pattern that made a naive matcher think for years. */
static void no_long_thoughts(void **state)
{
    static char text[2048] = "CN=";
    const char *pattern = "CN=*a*a*a*ab";
    struct tls_peer p = {.subject = text, .issuer = text};
    struct certificate_rules r = {.subjects = &pattern, .nsubjects = 1};

    (void)state;
    memset(text + 3, 'a', sizeof text - 4);
    assert_false(tls_peer_fits(&p, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),
        cmocka_unit_test(lists),
        cmocka_unit_test(no_long_thoughts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
