/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/access_part.h"
#include "admin/attention.h"
#include "discovery/consul_access.h"

#include <stdio.h>

enum { TEXT_MAX = 1024 };

static json_t *agents_of(const struct consul_access_status *s)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->nagents; i++)
        json_array_append_new(list, json_text(s->agents[i]));
    return list;
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_text(text) : json_null();
}

static json_t *token_of(const struct look *l, const struct consul_access_status *s)
{
    return json_pack("{s:s,s:o,s:o,s:o,s:I,s:o,s:o}", "from", s->token_from, "accessor",
                     text_or_null(s->accessor), "policies", text_or_null(s->policies), "expires",
                     json_wall_time(s->expires_s * 1000), "logins", (json_int_t)s->logins,
                     "login_error", text_or_null(s->login_error), "next_login",
                     look_time(l, s->renew_at_ns));
}

static json_t *missing_of(const struct consul_access_status *s)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < s->nmissing; i++)
        json_array_append_new(
            list, json_pack("{s:o,s:o,s:o,s:b}", "right", json_text(s->missing[i].right), "rule",
                            json_text(s->missing[i].rule), "for", json_text(s->missing[i].what_for),
                            "optional", s->missing[i].optional));
    return list;
}

static const char *acls_word(enum consul_acls acls)
{
    switch (acls) {
    case CONSUL_ACLS_UNKNOWN:
        break;
    case CONSUL_ACLS_OFF:
        return "off";
    case CONSUL_ACLS_ON:
        return "on";
    }
    return "unknown";
}

json_t *access_part(const struct look *l)
{
    const struct consul_access_status *s = discovery_access(l->sources->discovery);

    if (!s)
        return json_null();
    return json_pack("{s:o,s:o,s:o,s:I,s:o,s:o,s:b,s:o,s:s,s:b,s:b,s:o,s:o,s:o}", "agent",
                     json_text(s->agents[s->agent]), "agents", agents_of(s), "since",
                     look_time(l, s->agent_since_ns), "switches", (json_int_t)s->switches,
                     "switched", json_wall_time(s->switched_wall_ms), "switch_why",
                     text_or_null(s->switch_why), "verify", !s->no_verify, "token", token_of(l, s),
                     "acls", acls_word(s->acls), "trusted", s->trusted, "judged", s->judged,
                     "checked_age_ms", look_age_ms(l, s->checked_ns), "problem",
                     text_or_null(s->problem), "missing", missing_of(s));
}

static void add(json_t *list, enum attention level, const char *text)
{
    json_array_append_new(list,
                          json_pack("{s:n,s:i,s:s,s:n,s:n,s:o}", "service", "level", (int)level,
                                    "state", "consul", "since", "until", "text", json_text(text)));
}

static void add_missing(const struct consul_access_status *s, json_t *list)
{
    for (unsigned i = 0; i < s->nmissing; i++) {
        const struct consul_missing *m = &s->missing[i];
        char text[TEXT_MAX];

        snprintf(text, sizeof text, "Consul: the token lacks %s, needed for %s. Rule: %s", m->right,
                 m->what_for, m->rule);
        add(list, m->optional ? ATTENTION_NOTE : ATTENTION_LIMITED, text);
    }
}

void access_attention(const struct look *l, json_t *list)
{
    const struct consul_access_status *s = discovery_access(l->sources->discovery);
    char text[TEXT_MAX];

    if (!s)
        return;
    add_missing(s, list);
    /* A Consul that cannot be asked at all is told of elsewhere. */
    if (s->nmissing == s->noptional && s->problem[0] && s->judged) {
        snprintf(text, sizeof text, "Consul: %s.", s->problem);
        add(list, ATTENTION_LIMITED, text);
    }
    if (s->login_error[0]) {
        snprintf(text, sizeof text, "Consul: the login fails: %s.", s->login_error);
        add(list, ATTENTION_LIMITED, text);
    }
    if (s->agent != 0) {
        snprintf(text, sizeof text, "Consul: %s is asked instead of %s (%s).", s->agents[s->agent],
                 s->agents[0], s->switch_why);
        add(list, ATTENTION_SUSPECT, text);
    }
    if (s->no_verify)
        add(list, ATTENTION_SUSPECT,
            "Consul: the agent's certificate is not verified (verify: false): whoever sits between "
            "can read the token and forge the catalog.");
}
