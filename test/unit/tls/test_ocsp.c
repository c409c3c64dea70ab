/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "tls/ocsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/ocsp.h>

#include "authority.h"

static char path[] = "/tmp/frontdesk-ocsp-XXXXXX";
static struct issued ca, other_ca, leaf, sibling, helper, impostor;
static int64_t now_s;

static struct issued responder(const char *cn, const char *usage)
{
    struct issued i = issue(cn, "DNS:ocsp", &ca);

    if (usage) {
        add_extension(i.cert, ca.cert, NID_ext_key_usage, usage);
        assert_true(X509_sign(i.cert, ca.key, EVP_sha256()) > 0);
    }
    return i;
}

static int begin_all(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    now_s = time(NULL);
    ca = issue("the authority", NULL, NULL);
    other_ca = issue("the authority", NULL, NULL); /* of the same name */
    leaf = issue("web", "DNS:web.example", &ca);
    sibling = issue("web", "DNS:web.example", &ca);
    helper = responder("a helper", "OCSPSigning");
    impostor = responder("an impostor", NULL);
    return 0;
}

static int end_all(void **state)
{
    struct issued *all[] = {&ca, &other_ca, &leaf, &sibling, &helper, &impostor};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        issued_free(all[i]);
    return unlink(path);
}

struct response {
    const char *name;
    const struct issued *about, *by, *signer; /* NULL = leaf, ca, ca */
    int status;                               /* V_OCSP_CERTSTATUS_... */
    long from_s, to_s;                        /* from now; to_s 0 = it does not say */
    int outcome;                              /* OCSP_RESPONSE_STATUS_... */
    size_t cut;                               /* bytes off the end */
    bool longer;                              /* a byte more */
    bool no_issuer;                           /* the reader does not know the issuer */
    const char *says;                         /* NULL = it is taken */
};

static void write_response(const struct response *r)
{
    const struct issued *about = r->about ? r->about : &leaf, *by = r->by ? r->by : &ca;
    const struct issued *signer = r->signer ? r->signer : &ca;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, r->from_s);
    ASN1_TIME *to = r->to_s ? X509_gmtime_adj(NULL, r->to_s) : NULL;
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), about->cert, by->cert);
    OCSP_RESPONSE *response;
    unsigned char *der = NULL;
    size_t n;
    FILE *f = fopen(path, "w");

    OCSP_basic_add1_status(basic, id, r->status, OCSP_REVOKED_STATUS_NOSTATUS, from, from, to);
    assert_true(OCSP_basic_sign(basic, signer->cert, signer->key, EVP_sha256(), NULL, 0));
    response = OCSP_response_create(r->outcome, r->outcome ? NULL : basic);
    n = (size_t)i2d_OCSP_RESPONSE(response, &der);
    fwrite(der, 1, n - r->cut, f);
    if (r->longer)
        fputc(0, f);
    fclose(f);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

enum { GOOD = V_OCSP_CERTSTATUS_GOOD, HOUR = 3600 };

static const struct response rows[] = {
    {.name = "good", .from_s = -60, .to_s = HOUR},
    {.name = "by a helper", .signer = &helper, .from_s = -60, .to_s = HOUR},
    {.name = "by one that is no helper",
     .signer = &impostor,
     .from_s = -60,
     .to_s = HOUR,
     .says = "not signed"},
    {.name = "by itself", .signer = &leaf, .from_s = -60, .to_s = HOUR, .says = "not signed"},
    {.name = "by another authority of that name",
     .by = &other_ca,
     .signer = &other_ca,
     .from_s = -60,
     .to_s = HOUR,
     .says = "not about this"},
    {.name = "signed by another authority",
     .signer = &other_ca,
     .from_s = -60,
     .to_s = HOUR,
     .says = "not signed"},
    {.name = "about another", .about = &sibling, .from_s = -60, .to_s = HOUR, .says = "not about"},
    {.name = "about another, issuer unknown",
     .about = &sibling,
     .no_issuer = true,
     .from_s = -60,
     .to_s = HOUR,
     .says = "not about"},
    {.name = "issuer unknown", .no_issuer = true, .from_s = -60, .to_s = HOUR},
    {.name = "revoked",
     .status = V_OCSP_CERTSTATUS_REVOKED,
     .from_s = -60,
     .to_s = HOUR,
     .says = "revoked"},
    {.name = "unknown",
     .status = V_OCSP_CERTSTATUS_UNKNOWN,
     .from_s = -60,
     .to_s = HOUR,
     .says = "does not know"},
    {.name = "expired", .from_s = -2 * HOUR, .to_s = -HOUR, .says = "has expired"},
    {.name = "of the future", .from_s = HOUR, .to_s = 2 * HOUR, .says = "of the future"},
    {.name = "a little of the future", .from_s = 200, .to_s = HOUR},
    {.name = "no end", .from_s = -60},
    {.name = "no end, a day old", .from_s = -25 * HOUR, .says = "has expired"},
    {.name = "try later", .outcome = OCSP_RESPONSE_STATUS_TRYLATER, .says = "trylater"},
    {.name = "cut", .from_s = -60, .to_s = HOUR, .cut = 1, .says = "no OCSP response"},
    {.name = "half", .from_s = -60, .to_s = HOUR, .cut = 100, .says = "no OCSP response"},
    {.name = "longer", .from_s = -60, .to_s = HOUR, .longer = true, .says = "no OCSP response"},
};

static void what_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct response *r = &rows[i];
        struct err e = {""};
        struct ocsp_staple *s;

        write_response(r);
        s = ocsp_staple_read(path, leaf.cert, r->no_issuer ? NULL : ca.cert, now_s, &e);
        if (!s != !!r->says || (r->says && !strstr(e.text, r->says)))
            fail_msg("%s: %s", r->name, s ? "taken" : e.text);
        if (!s)
            assert_ptr_equal(strstr(e.text, path), e.text);
        ocsp_staple_unref(&s);
    }
}

static void files(void **state)
{
    static const struct {
        size_t n;
        const char *says;
    } sizes[] = {{0, "is empty"}, {1, "no OCSP"}, {OCSP_MAX_BYTES + 1, "too large"}};
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        FILE *f = fopen(path, "w");

        for (size_t k = 0; k < sizes[i].n; k++)
            fputc('0', f);
        fclose(f);
        assert_null(ocsp_staple_read(path, leaf.cert, ca.cert, now_s, &e));
        assert_non_null(strstr(e.text, sizes[i].says));
    }
    assert_null(ocsp_staple_read("/no/such/file", leaf.cert, ca.cert, now_s, &e));
    assert_non_null(strstr(e.text, "/no/such/file: No such file"));
}

static void time_goes_on(void **state)
{
    struct response r = {.from_s = -60, .to_s = HOUR};
    struct err e;
    struct ocsp_staple *s;

    (void)state;
    write_response(&r);
    s = ocsp_staple_read(path, leaf.cert, ca.cert, now_s, &e);
    assert_non_null(s);
    assert_in_range(s->next_update_s - now_s, HOUR - 1, HOUR + 60);
    assert_true(ocsp_staple_is_fresh(s, s->next_update_s));
    assert_false(ocsp_staple_is_fresh(s, s->next_update_s + 1));
    ocsp_staple_unref(&s);
    assert_null(ocsp_staple_read(path, leaf.cert, ca.cert, now_s + 2 * HOUR, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken),
        cmocka_unit_test(files),
        cmocka_unit_test(time_goes_on),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
