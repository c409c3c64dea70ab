/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ocsp.h"
#include "tls/x509_text.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct err *e, const char *path, const char *why)
{
    return err_set(e, "%s: %s", path, why);
}

static int read_bytes(struct ocsp_staple *s, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return bad(e, path, strerror(errno));
    s->der = malloc(OCSP_MAX_BYTES + 1);
    if (!s->der)
        abort();
    s->n = fread(s->der, 1, OCSP_MAX_BYTES + 1, f);
    fclose(f);
    if (s->n > OCSP_MAX_BYTES)
        return bad(e, path, "is too large for an OCSP response");
    return s->n ? 0 : bad(e, path, "is empty");
}

/* Is this the certificate that the response is about? The digests are of the issuer's name and, if
 * it is there to compare, of its key. */
static bool is_about(const OCSP_CERTID *id, X509 *cert, X509 *issuer)
{
    ASN1_OCTET_STRING *name_hash, *key_hash;
    ASN1_OBJECT *algorithm;
    ASN1_INTEGER *serial;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const EVP_MD *md;
    unsigned n;

    if (OCSP_id_get0_info(&name_hash, &algorithm, &key_hash, &serial, (OCSP_CERTID *)id) != 1 ||
        ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(cert)) != 0)
        return false;
    md = EVP_get_digestbyobj(algorithm);
    if (!md || X509_NAME_digest(X509_get_issuer_name(cert), md, digest, &n) != 1 ||
        (size_t)ASN1_STRING_length(name_hash) != n ||
        memcmp(ASN1_STRING_get0_data(name_hash), digest, n) != 0)
        return false;
    if (!issuer)
        return true;
    return X509_pubkey_digest(issuer, md, digest, &n) == 1 &&
           (size_t)ASN1_STRING_length(key_hash) == n &&
           memcmp(ASN1_STRING_get0_data(key_hash), digest, n) == 0;
}

static OCSP_SINGLERESP *find(OCSP_BASICRESP *basic, X509 *cert, X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

        if (is_about(OCSP_SINGLERESP_get0_id(single), cert, issuer))
            return single;
    }
    return NULL;
}

/* By the issuer, or by whom it has entrusted with it (RFC 6960 section 4.2.2.2). */
static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    bool ok = false;

    if (store && chain && X509_STORE_add_cert(store, issuer) == 1 &&
        sk_X509_push(chain, issuer) > 0 &&
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1)
        ok = OCSP_basic_verify(basic, chain, store, 0) == 1;
    sk_X509_free(chain);
    X509_STORE_free(store);
    return ok;
}

static int judge_times(struct ocsp_staple *s, OCSP_SINGLERESP *single, const char *path,
                       int64_t now_wall_s, struct err *e)
{
    ASN1_GENERALIZEDTIME *from, *to;
    int status = OCSP_single_get0_status(single, NULL, NULL, &from, &to);

    if (status != V_OCSP_CERTSTATUS_GOOD)
        return bad(e, path,
                   status == V_OCSP_CERTSTATUS_REVOKED ? "says that the certificate is revoked"
                                                       : "does not know the certificate");
    if (!from || !x509_time(from, &s->this_update_s) || (to && !x509_time(to, &s->next_update_s)))
        return bad(e, path, "has no usable times");
    if (!to)
        s->next_update_s = s->this_update_s + OCSP_WITHOUT_END_S;
    if (s->this_update_s > now_wall_s + OCSP_SKEW_S)
        return bad(e, path, "is of the future");
    return ocsp_staple_is_fresh(s, now_wall_s) ? 0 : bad(e, path, "has expired");
}

static int judge_basic(struct ocsp_staple *s, OCSP_BASICRESP *basic, const char *path, X509 *cert,
                       X509 *issuer, int64_t now_wall_s, struct err *e)
{
    OCSP_SINGLERESP *single = find(basic, cert, issuer);

    if (!single)
        return bad(e, path, "is not about this certificate");
    if (issuer && !is_signed(basic, issuer))
        return bad(e, path, "is not signed by the issuer of the certificate");
    return judge_times(s, single, path, now_wall_s, e);
}

static int judge(struct ocsp_staple *s, const char *path, X509 *cert, X509 *issuer,
                 int64_t now_wall_s, struct err *e)
{
    const unsigned char *at = s->der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)s->n);
    OCSP_BASICRESP *basic = NULL;
    int r;

    if (!response || at != s->der + s->n)
        r = bad(e, path, "is no OCSP response (DER)");
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        r = bad(e, path, OCSP_response_status_str(OCSP_response_status(response)));
    else if (!(basic = OCSP_response_get1_basic(response)))
        r = bad(e, path, "is of a kind that is not known");
    else
        r = judge_basic(s, basic, path, cert, issuer, now_wall_s, e);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return r;
}

struct ocsp_staple *ocsp_staple_read(const char *path, X509 *cert, X509 *issuer, int64_t now_wall_s,
                                     struct err *e)
{
    struct ocsp_staple *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->refs = 1;
    if (read_bytes(s, path, e) < 0 || judge(s, path, cert, issuer, now_wall_s, e) < 0)
        ocsp_staple_unref(&s);
    return s;
}

struct ocsp_staple *ocsp_staple_ref(struct ocsp_staple *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void ocsp_staple_unref(struct ocsp_staple **sp)
{
    struct ocsp_staple *s = *sp;

    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(s->der);
    free(s);
}
