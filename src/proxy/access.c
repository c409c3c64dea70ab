/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/access.h"
#include "policy/identity.h"
#include "proxy/access_limits.h"
#include "proxy/access_rules.h"
#include "proxy/head.h"
#include "proxy/limit_fields.h"
#include "proxy/secure.h"
#include "proxy/subrequest.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum verdict access_check_fn(struct exchange *x);

static access_check_fn *const checks[] = {access_rules_check, secure_check, access_limits_before,
                                          access_identity_check, access_limits_after};

struct access *access_of(struct exchange *x)
{
    if (!x->access)
        x->access = calloc(1, sizeof *x->access);
    return x->access;
}

enum verdict access_run(struct exchange *x)
{
    unsigned at = x->access ? x->access->at : 0;

    for (; at < ARRAY_LEN(checks); at++) {
        enum verdict v = checks[at](x);

        if (v == V_NEXT)
            continue;
        if (x->access)
            x->access->at = at;
        return v;
    }
    return V_NEXT;
}

/* Also of requests of the gateway's own, for whom it asks. */
static const struct identity *identity_of(const struct exchange *x)
{
    if (x->access && x->access->identity)
        return x->access->identity;
    return x->conn->inner ? subrequest_identity(x->conn->inner) : NULL;
}

struct str access_who(struct exchange *x)
{
    const struct identity *who = identity_of(x);

    if (!who || !who->subject[0] || !access_of(x))
        return STR("");
    if (!x->access->who && asprintf(&x->access->who, "%s %zu %s %s", identity_kind_name(who->kind),
                                    strlen(who->source), who->source, who->subject) < 0)
        x->access->who = NULL;
    return x->access->who ? str_of(x->access->who) : STR("");
}

void access_end(struct exchange *x)
{
    access_limits_end(x);
    if (!x->access)
        return;
    access_token_end(&x->access->token);
    access_basic_end(&x->access->basic);
    access_forward_end(&x->access->forward);
    access_introspect_end(&x->access->introspect);
}

void access_free(struct exchange *x)
{
    if (!x->access)
        return;
    access_token_end(&x->access->token);
    access_basic_end(&x->access->basic);
    access_forward_free(&x->access->forward);
    access_introspect_free(&x->access->introspect);
    access_identity_free(&x->access->asked);
    identity_unref(&x->access->identity);
    free(x->access->who);
    free(x->access);
    x->access = NULL;
}

void access_write_request_fields(const struct exchange *x, struct writer *w)
{
    if (x->access->asked)
        access_identity_write_request_fields(x, w);
}

bool access_removes_request_field(const struct exchange *x, struct str name)
{
    return guarded_has(&exchange_config(x)->guarded, name) ||
           (x->access && x->access->asked && access_identity_hides(x, name));
}

void access_write_response_fields(struct exchange *x, struct writer *w)
{
    secure_write_response_fields(x, w);
    access_rules_write_response_fields(x, w);
    if (!x->access)
        return;
    if (x->access->asked)
        access_identity_write_challenges(x, w);
    limit_fields_write(x, &x->access->limits, w);
}

bool access_replaces_response_field(const struct exchange *x, struct str name)
{
    return secure_replaces_response_field(x, name) ||
           access_rules_replace_response_field(x, name) ||
           (x->access && limit_fields_replace(&x->access->limits, name));
}
