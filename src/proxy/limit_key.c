/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/limit_key.h"
#include "config/cidr.h"
#include "policy/identity.h"

static void add(struct limit_key *k, struct str s)
{
    size_t room = LIMIT_KEY_MAX - k->n;

    if (s.n > LIMIT_KEY_VALUE_MAX)
        s.n = LIMIT_KEY_VALUE_MAX;
    if (s.n > room)
        s.n = room;
    memcpy(k->text + k->n, s.p, s.n);
    k->n += s.n;
}

static void begin(struct limit_key *k, char kind)
{
    k->n = 1;
    k->text[0] = kind;
}

/* The network of the address: bits behind the prefix are zero. */
static void add_address(struct limit_key *k, const struct in6_addr *a,
                        const struct rate_limit_conf *c)
{
    unsigned bits = IN6_IS_ADDR_V4MAPPED(a) ? 96 + c->ipv4_prefix : c->ipv6_prefix;
    char network[16] = {0};
    unsigned whole = bits / 8, rest = bits % 8;

    memcpy(network, a->s6_addr, whole);
    if (rest > 0)
        network[whole] = (char)(a->s6_addr[whole] & (0xff00 >> rest));
    add(k, (struct str){network, sizeof network});
}

/* All fields of that name: who repeats one does not become another client by the order. */
static void add_header(struct limit_key *k, const struct exchange *x, struct str name)
{
    for (unsigned i = 0; i < x->req.nheaders; i++)
        if (str_ieq(x->req.headers[i].name, name)) {
            add(k, x->req.headers[i].value);
            add(k, STR(","));
        }
}

static void add_claim(struct limit_key *k, const struct identity *who, const char *name)
{
    char buf[64];
    struct str text;

    if (identity_text(identity_claim(who, name), buf, sizeof buf, &text))
        add(k, text);
}

static void add_subject(struct limit_key *k, const struct identity *who)
{
    add(k, str_of(who->source));
    add(k, (struct str){"", 1});
    add(k, str_of(who->subject));
}

static bool of_identity(const struct identity *who, const struct rate_limit_conf *c,
                        struct limit_key *k)
{
    if (!who || (c->by == LIMIT_BY_API_KEY && who->kind != IDENTITY_API_KEY))
        return false;
    if (c->by == LIMIT_BY_CLAIM) {
        add_claim(k, who, c->by_name);
    } else if (c->by == LIMIT_BY_API_KEY) {
        add(k, str_of(who->source));
        add(k, (struct str){"", 1});
        add_claim(k, who, "key_id");
    } else {
        add_subject(k, who);
    }
    return true;
}

static bool of_request(const struct exchange *x, const struct identity *who,
                       const struct rate_limit_conf *c, struct limit_key *k)
{
    begin(k, (char)('a' + (int)c->by));
    switch (c->by) {
    case LIMIT_BY_CLIENT:
        add_address(k, exchange_client_address(x), c);
        return true;
    case LIMIT_BY_GLOBAL:
        return true;
    case LIMIT_BY_HEADER:
        add_header(k, x, str_of(c->by_name));
        return true;
    case LIMIT_BY_IDENTITY:
        /* One who has logged in is somebody else than the address that he comes from. */
        if (who)
            add_subject(k, who);
        else
            begin(k, 'A');
        if (!who)
            add_address(k, exchange_client_address(x), c);
        return true;
    case LIMIT_BY_API_KEY:
    case LIMIT_BY_SUBJECT:
    case LIMIT_BY_CLAIM:
        return of_identity(who, c, k);
    }
    return false;
}

bool limit_key_of(const struct exchange *x, const struct identity *who,
                  const struct rate_limit_conf *c, struct limit_key *ret)
{
    if (c->except && cidr_list_has(c->except, exchange_client_address(x)))
        return false;
    if (!of_request(x, who, c, ret))
        return false;
    if (c->per_route) {
        add(ret, (struct str){"", 1});
        add(ret, str_of(x->match.route->conf->name));
    }
    return true;
}
