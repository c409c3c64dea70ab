/* SPDX-License-Identifier: Apache-2.0 */
/* mechanisms.c - the entries of `authenticate:` in a policy. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

struct mechanism_draft {
    struct mechanism_conf conf;
    unsigned kinds; /* how many were named */
};

enum { MAX_PATTERN_STARS = 4 };

static const char *pattern_problem(const char *text)
{
    unsigned stars = 0;

    if (!text[0] || strlen(text) > 1024)
        return "must have 1 to 1024 characters";
    for (const char *p = text; *p; p++)
        stars += *p == '*';
    return stars > MAX_PATTERN_STARS ? "has more than 4 stars" : NULL;
}

static const char *san_problem(const char *text)
{
    static const char *const kinds[] = {"dns:", "uri:", "email:", "ip:"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0 && text[strlen(kinds[i])])
            return pattern_problem(text);
    return "does not begin with dns:, uri:, email: or ip:";
}

static const char *fingerprint_problem(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64
               ? NULL
               : "is not a SHA-256 in 64 lower-case hex digits";
}

static int pattern_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a text", pattern_problem);
    return *(const char **)at ? 0 : -1;
}

static int san_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a name such as dns:web.example", san_problem);
    return *(const char **)at ? 0 : -1;
}

static int fingerprint_read(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "a fingerprint", fingerprint_problem);
    return *(const char **)at ? 0 : -1;
}

static int patterns_read(struct reader *r, const struct node *n, field_read_fn *item,
                         const char ***ret, size_t *ret_n)
{
    *ret = list_read(r, n, "a list", MAX_WORDS, sizeof **ret, item, ret_n);
    if (!*ret)
        return -1;
    return *ret_n ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static int subjects_read(struct reader *r, const struct node *n, void *at)
{
    struct certificate_rules *c = at;

    return patterns_read(r, n, pattern_read, &c->subjects, &c->nsubjects);
}

static int issuers_read_patterns(struct reader *r, const struct node *n, void *at)
{
    struct certificate_rules *c = at;

    return patterns_read(r, n, pattern_read, &c->issuers, &c->nissuers);
}

static int sans_read(struct reader *r, const struct node *n, void *at)
{
    struct certificate_rules *c = at;

    return patterns_read(r, n, san_read, &c->sans, &c->nsans);
}

static int fingerprints_read(struct reader *r, const struct node *n, void *at)
{
    struct certificate_rules *c = at;

    return patterns_read(r, n, fingerprint_read, &c->fingerprints, &c->nfingerprints);
}

static const struct field certificate_fields[] = {
    {.key = "subject",
     .type = FIELD_CUSTOM,
     .read = subjects_read,
     .kind = "list",
     .help = "Subject names as OpenSSL prints them by RFC 2253 (`CN=web,O=Shop`); `*` is any text "
             "within one value."},
    {.key = "san",
     .type = FIELD_CUSTOM,
     .read = sans_read,
     .kind = "list",
     .help = "Alternative names: `dns:`, `uri:`, `email:`, `ip:` and the name; `*` is any text "
             "without `.` (dns), `/` (uri) or `@` (email)."},
    {.key = "issuer",
     .type = FIELD_CUSTOM,
     .read = issuers_read_patterns,
     .kind = "list",
     .help = "Issuer names, like `subject`."},
    {.key = "fingerprint",
     .type = FIELD_CUSTOM,
     .read = fingerprints_read,
     .kind = "list",
     .help = "SHA-256 of the whole certificate (DER), 64 hex digits."},
};
const struct section certificate_section = {certificate_fields, ARRAY_LEN(certificate_fields)};

static int named(struct reader *r, const struct node *n, void *at, enum mechanism_kind kind)
{
    struct mechanism_draft *d = at;

    d->kinds++;
    d->conf.kind = kind;
    d->conf.name = text_read(r, n, "a name", value_name_problem);
    return d->conf.name ? 0 : -1;
}

static int issuer_read(struct reader *r, const struct node *n, void *at)
{
    return named(r, n, at, MECHANISM_ISSUER);
}

static int opaque_read(struct reader *r, const struct node *n, void *at)
{
    return named(r, n, at, MECHANISM_INTROSPECTION);
}

static int store_read(struct reader *r, const struct node *n, void *at)
{
    return named(r, n, at, MECHANISM_API_KEYS);
}

static int basic_name_read(struct reader *r, const struct node *n, void *at)
{
    return named(r, n, at, MECHANISM_BASIC);
}

static int forward_read(struct reader *r, const struct node *n, void *at)
{
    return named(r, n, at, MECHANISM_FORWARD_AUTH);
}

static int certificate_read(struct reader *r, const struct node *n, void *at)
{
    struct mechanism_draft *d = at;

    d->kinds++;
    d->conf.kind = MECHANISM_CERTIFICATE;
    d->conf.name = "certificate";
    if (n->kind == NODE_TEXT && strcmp(n->text, "true") == 0)
        return 0;
    if (n->kind != NODE_MAP || n->n == 0)
        return node_expected(n, r->err, "true, or a map such as { san: [dns:web.example] }");
    return section_read(r, &certificate_section, n, &d->conf.cert);
}

static const struct field mechanism_fields[] = {
    {.key = "issuer",
     .type = FIELD_CUSTOM,
     .read = issuer_read,
     .kind = "name",
     .help = "A bearer token (JWT) of this issuer of `issuers`."},
    {.key = "api_keys",
     .type = FIELD_CUSTOM,
     .read = store_read,
     .kind = "name",
     .help = "A key of this store of `api_keys`."},
    {.key = "basic",
     .type = FIELD_CUSTOM,
     .read = basic_name_read,
     .kind = "name",
     .help = "User and password, by this entry of `basic`."},
    {.key = "client_certificate",
     .type = FIELD_CUSTOM,
     .section = &certificate_section,
     .read = certificate_read,
     .kind = "`true` or map",
     .help = "The verified certificate of the connection; with a map, one that fits it."},
    {.key = "forward_auth",
     .type = FIELD_CUSTOM,
     .read = forward_read,
     .kind = "name",
     .help = "A service is asked, by this entry of `forward_auth`."},
    {.key = "introspection",
     .type = FIELD_CUSTOM,
     .read = opaque_read,
     .kind = "name",
     .help = "An opaque bearer token, by this entry of `introspection` (RFC 7662)."},
};
const struct section mechanism_section = {mechanism_fields, ARRAY_LEN(mechanism_fields)};

int mechanism_read(struct reader *r, const struct node *n, void *at)
{
    struct mechanism_draft d = {.kinds = 0};

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { issuer: shop }");
    if (section_read(r, &mechanism_section, n, &d) < 0)
        return -1;
    if (d.kinds != 1)
        return node_error(n, r->err, "expected exactly one mechanism");
    *(struct mechanism_conf *)at = d.conf;
    return 0;
}

/* Where the names of each kind are: n structs that begin with their name. */
struct named_list {
    const char *section;
    const void *items;
    size_t n, stride;
};

static struct named_list list_of(const struct config *c, enum mechanism_kind kind)
{
    switch (kind) {
    case MECHANISM_API_KEYS:
        return (struct named_list){"api_keys", c->api_keys, c->napi_keys, sizeof *c->api_keys};
    case MECHANISM_BASIC:
        return (struct named_list){"basic", c->basic, c->nbasic, sizeof *c->basic};
    case MECHANISM_ISSUER:
        return (struct named_list){"issuers", c->issuers, c->nissuers, sizeof *c->issuers};
    case MECHANISM_INTROSPECTION:
        return (struct named_list){"introspection", c->introspection, c->nintrospection,
                                   sizeof *c->introspection};
    case MECHANISM_FORWARD_AUTH:
        return (struct named_list){"forward_auth", c->forward_auth, c->nforward_auth,
                                   sizeof *c->forward_auth};
    case MECHANISM_CERTIFICATE:
    case MECHANISM_KINDS:
        break;
    }
    return (struct named_list){NULL, NULL, 0, 1};
}

int mechanism_link(struct reader *r, const struct node *n, struct mechanism_conf *m)
{
    struct named_list list = list_of(r->config, m->kind);
    const char *near;

    if (!list.section)
        return 0;
    for (size_t i = 0; i < list.n; i++) {
        const char *name;

        memcpy(&name, (const char *)list.items + i * list.stride, sizeof name);
        if (strcmp(name, m->name) == 0) {
            m->index = (unsigned)i;
            return 0;
        }
    }
    near = list.n ? nearest_word(m->name, list.items, list.n, list.stride) : NULL;
    return node_error(n, r->err, "%s has no \"%.60s\"%s%s%s", list.section, m->name,
                      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}
