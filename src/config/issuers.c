/* SPDX-License-Identifier: Apache-2.0 */
/* issuers.c - `issuers:`, whose bearer tokens are believed. */
#include "config/issuers_conf.h"
#include "config/sections.h"
#include "config/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const alg_names[TOKEN_ALGS] = {
    [ALG_RS256] = "RS256", [ALG_RS384] = "RS384", [ALG_RS512] = "RS512", [ALG_PS256] = "PS256",
    [ALG_PS384] = "PS384", [ALG_PS512] = "PS512", [ALG_ES256] = "ES256", [ALG_ES384] = "ES384",
    [ALG_ES512] = "ES512", [ALG_EDDSA] = "EdDSA", [ALG_HS256] = "HS256", [ALG_HS384] = "HS384",
    [ALG_HS512] = "HS512",
};

const char *token_alg_name(enum token_alg alg)
{
    return alg_names[alg];
}

int token_alg_parse(const char *name, size_t n)
{
    for (int i = 0; i < TOKEN_ALGS; i++)
        if (strlen(alg_names[i]) == n && memcmp(alg_names[i], name, n) == 0)
            return i;
    return -1;
}

static const char *printable_problem(const char *text)
{
    if (!text[0] || strlen(text) > 512)
        return "must have 1 to 512 characters";
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "holds a control character";
    return NULL;
}

static const char *host_end(const char *host)
{
    return host + strcspn(host, "/?");
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "[::1]"};
    size_t n = (size_t)(host_end(host) - host);
    int at = 0, octet[3];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);

        if (n >= len && strncasecmp(host, names[i], len) == 0 && (n == len || host[len] == ':'))
            return true;
    }
    return sscanf(host, "127.%3d.%3d.%3d%n", &octet[0], &octet[1], &octet[2], &at) == 3 &&
           (size_t)at <= n && (host[at] == ':' || host + at == host_end(host)) && octet[0] < 256 &&
           octet[1] < 256 && octet[2] < 256;
}

/* Keys that came over a line which others can write to would let those others in. */
static const char *url_problem(const char *text)
{
    const char *host = text;

    if (strncmp(text, "https://", 8) == 0)
        host += 8;
    else if (strncmp(text, "http://", 7) == 0)
        host += 7;
    if (host == text || host_end(host) == host || strlen(text) > 2048)
        return "is not an address such as https://issuer.example/jwks.json";
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}#", *p))
            return "holds a character that an address cannot have";
    if (memchr(host, '@', (size_t)(host_end(host) - host)))
        return "holds user information";
    if (host == text + 7 && !is_loopback(host))
        return "has to be https:// unless it is on this machine (127.0.0.1, [::1], localhost)";
    return NULL;
}

static int url_read(struct reader *r, const struct node *n, void *at)
{
    const char *problem = n->kind == NODE_TEXT ? url_problem(n->text) : NULL;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, "an address such as https://issuer.example/jwks.json");
    /* The text is not repeated: user information in it may be a secret. */
    if (problem)
        return node_error(n, r->err, "the value %s", problem);
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

static const struct field keys_fields[] = {
    {.key = "jwks_url",
     .type = FIELD_CUSTOM,
     .offset = FIELD_AT(issuer_keys_conf, jwks_url, const char *),
     .read = url_read,
     .kind = "address",
     .help = "Address of the issuer's key set (JWKS): `https://`, or `http://` on this machine. "
             "Exactly one of this and the three below."},
    STRING("jwks_file", issuer_keys_conf, jwks_file, NULL, value_file_problem,
           "File with a key set, read again when it changes."),
    STRING("pem_file", issuer_keys_conf, pem_file, NULL, value_file_problem,
           "File with public keys or certificates in PEM, read again when it changes."),
    STRING("secret_file", issuer_keys_conf, secret_file, NULL, value_file_problem,
           "File with a secret shared with the issuer, for HS256, HS384, HS512; at least as long "
           "as the hash (32, 48, 64 bytes). A line break at the end does not count."),
    STRING("ca", issuer_keys_conf, ca, NULL, value_file_problem,
           "Authorities that sign the certificate of `jwks_url`; unset = the system's."),
    DURATION("refresh", issuer_keys_conf, refresh_ms, SECONDS, 24 * HOURS, "10m",
             "How often `jwks_url` is asked; an answer with `Cache-Control: max-age` shortens it, "
             "not below 30 s."),
    DURATION("timeout", issuer_keys_conf, timeout_ms, 100, MINUTES, "5s",
             "How long one answer of `jwks_url` may take."),
    DURATION("unknown_key_interval", issuer_keys_conf, unknown_key_interval_ms, SECONDS, HOURS,
             "10s",
             "Least time between two fetches because a token names a key that is not there."),
    DURATION("unknown_key_wait", issuer_keys_conf, unknown_key_wait_ms, 0, MINUTES, "2s",
             "How long such a request waits for the fetch before it is refused."),
};
const struct section issuer_keys_section = {keys_fields, ARRAY_LEN(keys_fields)};

static int keys_finish(struct reader *r, const struct node *n, void *at)
{
    const struct issuer_keys_conf *k = at;
    int sources = !!k->jwks_url + !!k->jwks_file + !!k->pem_file + !!k->secret_file;

    if (sources != 1)
        return node_error(n, r->err,
                          "expected exactly one of jwks_url, jwks_file, pem_file, secret_file");
    if (k->ca && !k->jwks_url)
        return node_error(n, r->err, "ca is for jwks_url");
    return 0;
}

static int audience_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "an audience", printable_problem);
    return *(const char **)at ? 0 : -1;
}

static int audience_read(struct reader *r, const struct node *n, void *at)
{
    struct issuer_conf *c = at;

    if (n->kind == NODE_TEXT && strcmp(n->text, "any") == 0) {
        c->any_audience = true;
        return 0;
    }
    c->audience = list_read(r, n, "a list of audiences, or any", MAX_AUDIENCES, sizeof *c->audience,
                            audience_item, &c->naudience);
    if (!c->audience)
        return -1;
    return c->naudience ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static int algorithm_item(struct reader *r, const struct node *n, void *at)
{
    int alg = n->kind == NODE_TEXT ? token_alg_parse(n->text, strlen(n->text)) : -1;

    if (alg < 0)
        return node_expected(n, r->err,
                             "an algorithm: RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
                             "ES384, ES512, EdDSA, HS256, HS384 or HS512");
    *(unsigned *)at = ALG_BIT(alg);
    return 0;
}

static int algorithms_read(struct reader *r, const struct node *n, void *at)
{
    struct issuer_conf *c = at;
    unsigned *bits;
    size_t count;

    bits =
        list_read(r, n, "a list of algorithms", TOKEN_ALGS, sizeof *bits, algorithm_item, &count);
    if (!bits)
        return -1;
    for (size_t i = 0; i < count; i++)
        c->algorithms |= bits[i];
    if (!c->algorithms)
        return node_error(n, r->err, "an empty list would let nobody in");
    /* Where a public key counts, it must never be taken for a secret. */
    if ((c->algorithms & ALGS_HMAC) && (c->algorithms & ALGS_PUBLIC))
        return node_error(n, r->err,
                          "HS256, HS384, HS512 cannot stand together with algorithms of public "
                          "keys");
    return 0;
}

static const char *type_problem(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("!#$&-^_.+/", text[i]))
            return "is not a media type such as at+jwt";
    return n > 0 && n <= 64 ? NULL : "must have 1 to 64 characters";
}

static int type_item(struct reader *r, const struct node *n, void *at)
{
    const char *text = text_read(r, n, "a type such as at+jwt", type_problem);
    char *lower;

    if (!text)
        return -1;
    if (strncasecmp(text, "application/", 12) == 0)
        text += 12;
    lower = arena_strdup(r->arena, text);
    for (char *p = lower; *p; p++)
        *p = ascii_lower(*p);
    *(const char **)at = lower;
    return 0;
}

static int types_read(struct reader *r, const struct node *n, void *at)
{
    struct issuer_conf *c = at;

    c->types =
        list_read(r, n, "a list of types", MAX_TYPES, sizeof *c->types, type_item, &c->ntypes);
    if (!c->types)
        return -1;
    return c->ntypes ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static int claim_item(struct reader *r, const struct node *n, void *at)
{
    *(const char **)at = text_read(r, n, "the name of a claim", printable_problem);
    return *(const char **)at ? 0 : -1;
}

static int require_read(struct reader *r, const struct node *n, void *at)
{
    struct issuer_conf *c = at;

    c->require = list_read(r, n, "a list of claims", MAX_REQUIRED_CLAIMS, sizeof *c->require,
                           claim_item, &c->nrequire);
    return c->require ? 0 : -1;
}

static const char *scheme_problem(const char *text)
{
    return !text[0] || value_is_token(text) ? NULL : "is not one word";
}

static const char *place_name_problem(const char *text)
{
    return value_is_token(text) && strlen(text) <= 128 && !strpbrk(text, "%&+=")
               ? NULL
               : "is not the name of a cookie or parameter";
}

struct place_draft {
    struct token_place place;
    const char *header, *cookie, *query;
};

static const struct field place_fields[] = {
    STRING("header", place_draft, header, NULL, value_header_problem,
           "Request field that carries the token. Exactly one of this, `cookie` and `query`."),
    STRING("scheme", place_draft, place.scheme, NULL, scheme_problem,
           "Word before the token in the field; `\"\"` = the token alone. Default: `Bearer` in "
           "`Authorization`, none elsewhere."),
    STRING("cookie", place_draft, cookie, NULL, place_name_problem,
           "Cookie that is the token. Browsers send it with requests that other sites cause: such "
           "services need a protection of their own against these."),
    STRING("query", place_draft, query, NULL, place_name_problem,
           "Query parameter that is the token. Addresses get into histories and logs: only for "
           "clients that can do no better."),
};
const struct section token_place_section = {place_fields, ARRAY_LEN(place_fields)};

static int place_item(struct reader *r, const struct node *n, void *at)
{
    struct place_draft d = {.header = NULL};

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { header: Authorization }");
    if (section_read(r, &token_place_section, n, &d) < 0)
        return -1;
    if (!!d.header + !!d.cookie + !!d.query != 1)
        return node_error(n, r->err, "expected exactly one of header, cookie, query");
    if (d.place.scheme && !d.header)
        return node_error(n, r->err, "scheme is for header");
    d.place.kind = d.header ? PLACE_HEADER : d.cookie ? PLACE_COOKIE : PLACE_QUERY;
    d.place.name = d.header ? d.header : d.cookie ? d.cookie : d.query;
    if (!d.place.scheme)
        d.place.scheme = d.header && strcasecmp(d.header, "authorization") == 0 ? "Bearer" : "";
    if (d.header && strcasecmp(d.header, "cookie") == 0)
        return node_error(n, r->err, "a cookie has a key of its own: { cookie: NAME }");
    *(struct token_place *)at = d.place;
    return 0;
}

int token_places_read(struct reader *r, const struct node *n, struct token_place **ret,
                      size_t *ret_n)
{
    *ret = list_read(r, n, "a list of places", MAX_PLACES, sizeof **ret, place_item, ret_n);
    if (!*ret)
        return -1;
    return *ret_n ? 0 : node_error(n, r->err, "an empty list would let nobody in");
}

static int places_read(struct reader *r, const struct node *n, void *at)
{
    struct issuer_conf *c = at;

    return token_places_read(r, n, &c->places, &c->nplaces);
}

static const struct field issuer_fields[] = {
    STRING("issuer", issuer_conf, issuer, NULL, printable_problem,
           "Claim `iss` of its tokens, to the letter. Required."),
    {.key = "audience",
     .type = FIELD_CUSTOM,
     .read = audience_read,
     .kind = "list or `any`",
     .help = "Claim `aud`, a text or a list, must hold one of these; `any` = not looked at. "
             "Required: tokens for somebody else are not for you."},
    {.key = "keys",
     .type = FIELD_SECTION,
     .offset = offsetof(struct issuer_conf, keys),
     .section = &issuer_keys_section,
     .read = keys_finish,
     .help = "Where the keys that verify its tokens come from. Required."},
    {.key = "algorithms",
     .type = FIELD_CUSTOM,
     .read = algorithms_read,
     .kind = "list",
     .shown = "all of the kind of `keys`",
     .help = "`RS256` `RS384` `RS512` `PS256` `PS384` `PS512` `ES256` `ES384` `ES512` `EdDSA`, or, "
             "never together with those, `HS256` `HS384` `HS512`."},
    DURATION("leeway", issuer_conf, leeway_ms, 0, 5 * MINUTES, "30s",
             "How far the issuer's clock may be off, for `exp`, `nbf` and `iat`."),
    {.key = "types",
     .type = FIELD_CUSTOM,
     .read = types_read,
     .kind = "list",
     .shown = "not looked at",
     .help = "What `typ` in the token's header must be one of, such as `at+jwt` (RFC 9068): keeps "
             "ID tokens from passing for access tokens."},
    BOOLEAN("require_exp", issuer_conf, require_exp, "true", "Refuse tokens without `exp`."),
    {.key = "require",
     .type = FIELD_CUSTOM,
     .read = require_read,
     .kind = "list",
     .shown = "none",
     .help = "Other claims that a token must have, such as `sub`."},
    {.key = "token_from",
     .type = FIELD_CUSTOM,
     .section = &token_place_section,
     .read = places_read,
     .kind = "list of maps",
     .dflt = "[{header: Authorization, scheme: Bearer}]",
     .shown = "`Authorization: Bearer`",
     .help = "Where requests carry the token. The first place that has one counts."},
    BOOLEAN("forward_token", issuer_conf, forward_token, "true",
            "Let the service see the field with the token too. Cookies and parameters always go "
            "on."),
    STRING("realm", issuer_conf, realm, "frontdesk", value_realm_problem,
           "What `WWW-Authenticate` names to clients without a good token."),
};
const struct section issuer_section = {issuer_fields, ARRAY_LEN(issuer_fields)};

static bool places_all_headers(const struct issuer_conf *c)
{
    for (size_t i = 0; i < c->nplaces; i++)
        if (c->places[i].kind != PLACE_HEADER)
            return false;
    return true;
}

/* libjwt, which verifies tokens with a secret, takes no other. */
static bool is_jwt(const char *type)
{
    return strcmp(type, "jwt") == 0;
}

static int issuer_check(struct reader *r, const struct node *n, struct issuer_conf *c)
{
    if (!c->issuer)
        return node_error(n, r->err, "issuer is missing");
    if (!c->any_audience && !c->naudience)
        return node_error(n, r->err, "audience is missing; audience: any takes tokens for others");
    if (!node_get(n, "keys"))
        return node_error(n, r->err, "keys is missing");
    if (!c->algorithms)
        c->algorithms = c->keys.secret_file ? ALGS_HMAC : ALGS_PUBLIC;
    if (c->keys.secret_file && (c->algorithms & ALGS_PUBLIC))
        return node_error(n, r->err, "a secret is for HS256, HS384, HS512 only");
    if ((c->keys.pem_file || c->keys.jwks_url) && (c->algorithms & ALGS_HMAC))
        return node_error(n, r->err,
                          "HS256, HS384, HS512 need a secret: secret_file, or kty oct in a "
                          "jwks_file");
    if ((c->algorithms & ALGS_HMAC) && c->ntypes && !(c->ntypes == 1 && is_jwt(c->types[0])))
        return node_error(n, r->err, "types of tokens with a secret can only be [jwt]");
    if (!c->forward_token && !places_all_headers(c))
        return node_error(n, r->err,
                          "forward_token: false takes fields away, no cookies or parameters");
    return 0;
}

int issuers_read(struct reader *r, const struct node *n, void *at)
{
    struct config *c = r->config;

    (void)at;
    if (node_is_null(n))
        return 0;
    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "issuers by name");
    if (n->n > MAX_ISSUERS)
        return node_error(n, r->err, "at most %d entries are allowed here", MAX_ISSUERS);
    c->issuers = ARENA_ARRAY(r->arena, struct issuer_conf, n->n);
    node_each(it, n)
    {
        struct issuer_conf *i = &c->issuers[c->nissuers];
        const char *problem = value_name_problem(it->key);

        section_defaults(r, &issuer_section, i);
        if (problem)
            return node_error(it, r->err, "\"%.60s\" %s", it->key, problem);
        if (section_read(r, &issuer_section, it, i) < 0 || issuer_check(r, it, i) < 0)
            return -1;
        i->name = arena_strdup(r->arena, it->key);
        i->index = (unsigned)c->nissuers++;
    }
    return 0;
}
