/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/fleet_member.h"
#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_RETRY_MS = 500, MAX_RETRY_MS = 15000, KEY_RETRY_MS = 1000 };

void fleet_member_init(struct fleet_member *m, const char *name, uint64_t session_ttl_ms)
{
    memset(m, 0, sizeof *m);
    snprintf(m->base, sizeof m->base, "%s", name);
    snprintf(m->name, sizeof m->name, "%s", m->base);
    m->session_ttl_ms = session_ttl_ms;
    m->dirty = true;
}

void fleet_member_changed(struct fleet_member *m)
{
    m->dirty = true;
}

void fleet_member_leave(struct fleet_member *m)
{
    m->leaving = true;
    m->retry_at_ns = 0;
}

enum fleet_call fleet_member_next(const struct fleet_member *m, uint64_t now_ns)
{
    if (now_ns < m->retry_at_ns)
        return FLEET_CALL_NONE;
    if (m->leaving)
        return *m->session ? FLEET_CALL_DESTROY : FLEET_CALL_NONE;
    if (!*m->session)
        return FLEET_CALL_SESSION;
    if (now_ns >= m->renew_at_ns)
        return FLEET_CALL_RENEW;
    if ((m->dirty || !m->holds_key) && now_ns >= m->write_at_ns)
        return FLEET_CALL_KEY;
    return FLEET_CALL_NONE;
}

static void back_off(struct fleet_member *m, uint64_t now_ns, struct rng *rng)
{
    uint64_t ms = FIRST_RETRY_MS;

    for (unsigned i = 0; i < m->failures && ms < MAX_RETRY_MS; i++)
        ms *= 2;
    if (ms > MAX_RETRY_MS)
        ms = MAX_RETRY_MS;
    m->failures++;
    m->retry_at_ns = now_ns + (ms / 2 + rng_below(rng, (uint32_t)(ms / 2 + 1))) * NS_PER_MS;
}

/* Everything hangs on the session: without it neither key nor name is ours. */
static void lose_session(struct fleet_member *m)
{
    m->session[0] = '\0';
    m->holds_key = false;
    m->dirty = true;
}

static const char *took_session(struct fleet_member *m, struct str body, uint64_t now_ns)
{
    json_t *doc = json_loadb(body.p, body.n, 0, NULL);
    const char *id = json_string_value(json_object_get(doc, "ID"));
    bool good = id && *id && strlen(id) <= FLEET_SESSION_ID_MAX &&
                strspn(id, "0123456789abcdefABCDEF-") == strlen(id);

    if (good)
        snprintf(m->session, sizeof m->session, "%s", id);
    json_decref(doc);
    m->renew_at_ns = now_ns + m->session_ttl_ms / 2 * NS_PER_MS;
    return good ? NULL : "Consul's answer names no session";
}

/* The old key of a gateway that crashed is held until its session ends, up to twice its time to
 * live. Only after that the name is taken for good, and another one is tried. */
static const char *key_is_taken(struct fleet_member *m, uint64_t now_ns)
{
    m->holds_key = false;
    m->write_at_ns = now_ns + KEY_RETRY_MS * NS_PER_MS;
    if (m->refused_since_ns == 0)
        m->refused_since_ns = now_ns;
    if (now_ns - m->refused_since_ns < 2 * m->session_ttl_ms * NS_PER_MS)
        return "another gateway holds the key of this name; waiting until its session ends";
    m->suffix = m->suffix == 0 ? 2 : m->suffix < FLEET_SUFFIX_MAX ? m->suffix + 1 : 2;
    snprintf(m->name, sizeof m->name, "%s-%u", m->base, m->suffix % 10);
    /* The next name gets one try, not another wait. */
    m->refused_since_ns = now_ns - 2 * m->session_ttl_ms * NS_PER_MS;
    m->write_at_ns = now_ns;
    return "another gateway has this name; going on under another one: set fleet.name";
}

static const char *wrote_key(struct fleet_member *m, struct str body, uint64_t now_ns)
{
    if (!str_starts(body, STR("true")))
        return key_is_taken(m, now_ns);
    m->holds_key = true;
    m->dirty = false;
    m->writes++;
    m->refused_since_ns = 0;
    m->write_at_ns = now_ns + FLEET_WRITE_EVERY_MS * NS_PER_MS;
    return NULL;
}

static const char *succeeded(struct fleet_member *m, enum fleet_call call, struct str body,
                             uint64_t now_ns)
{
    switch (call) {
    case FLEET_CALL_SESSION:
        return took_session(m, body, now_ns);
    case FLEET_CALL_KEY:
        return wrote_key(m, body, now_ns);
    case FLEET_CALL_RENEW:
        m->renew_at_ns = now_ns + m->session_ttl_ms / 2 * NS_PER_MS;
        return NULL;
    case FLEET_CALL_DESTROY:
        lose_session(m);
        return NULL;
    case FLEET_CALL_NONE:
        break;
    }
    return NULL;
}

static const char *denied(enum fleet_call call)
{
    switch (call) {
    case FLEET_CALL_KEY:
        return "the token may not write the fleet's keys: it needs key_prefix write and session "
               "write";
    default:
        return "the token may not make a session: it needs session write for this node";
    }
}

const char *fleet_member_done(struct fleet_member *m, enum fleet_call call, int status,
                              struct str body, uint64_t now_ns, struct rng *rng)
{
    if (status == 200) {
        m->failures = 0;
        return succeeded(m, call, body, now_ns);
    }
    /* While leaving there is no second try: the session ends by itself. */
    if (call == FLEET_CALL_DESTROY)
        lose_session(m);
    back_off(m, now_ns, rng);
    if (status == 0)
        return "Consul does not answer";
    if (status == 403)
        return denied(call);
    if (call == FLEET_CALL_RENEW && status == 404) {
        lose_session(m);
        m->retry_at_ns = 0;
        return "Consul has ended the session; making a new one";
    }
    /* 500 "invalid session" when it has ended in between. */
    if (call == FLEET_CALL_KEY) {
        lose_session(m);
        return "Consul does not take the key";
    }
    return "Consul refuses a call of the fleet";
}
