/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy of the route would ask of the request. Credentials are not looked at. */
#include "admin/explain.h"
#include "json/text.h"

static const char *const mechanism_words[MECHANISM_KINDS] = {
    [MECHANISM_ISSUER] = "issuer",
    [MECHANISM_INTROSPECTION] = "introspection",
    [MECHANISM_API_KEYS] = "api_keys",
    [MECHANISM_BASIC] = "basic",
    [MECHANISM_CERTIFICATE] = "client_certificate",
    [MECHANISM_FORWARD_AUTH] = "forward_auth",
};

static json_t *mechanisms(const struct policy_conf *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->nmechanisms; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "kind", mechanism_words[p->mechanisms[i].kind],
                                        "name", p->mechanisms[i].name));
    return list;
}

static void add_words(json_t *o, const char *name, const struct word_list *words)
{
    json_t *list;

    if (words->n == 0)
        return;
    list = json_array();
    for (size_t i = 0; i < words->n; i++)
        json_array_append_new(list, json_text(words->words[i]));
    json_object_set_new(o, name, list);
}

static void add_claims(json_t *o, const struct policy_conf *p)
{
    json_t *list;

    if (p->nclaims == 0)
        return;
    list = json_array();
    for (size_t i = 0; i < p->nclaims; i++)
        json_array_append_new(list, json_text(p->claims[i].claim));
    json_object_set_new(o, "claims", list);
}

static json_t *rules(const struct policy_conf *p)
{
    json_t *o = json_pack("{s:o,s:o,s:b}", "name", json_text(p->name), "authenticate",
                          mechanisms(p), "optional", p->optional);

    add_words(o, "scopes", &p->scopes);
    add_words(o, "any_scope", &p->any_scope);
    add_words(o, "roles", &p->roles);
    add_words(o, "any_role", &p->any_role);
    add_words(o, "methods", &p->methods);
    add_claims(o, p);
    return o;
}

static json_t *policy(const struct policy_conf *p)
{
    static const char *const words[] = {
        [POLICY_ANY] = "any", [POLICY_ALL] = "all", [POLICY_NOT] = "not"};
    json_t *list;

    if (p->kind == POLICY_RULES)
        return rules(p);
    list = json_array();
    for (size_t i = 0; i < p->nof; i++)
        json_array_append_new(list, policy(p->of[i]));
    return json_pack("{s:o,s:o}", "name", json_text(p->name), words[p->kind], list);
}

json_t *explain_auth(const struct explained *x)
{
    const char *name = x->match.route ? x->match.route->conf->auth : NULL;
    const struct policy_conf *p = name ? config_policy(x->look->snapshot->config, name) : NULL;

    return p ? policy(p) : json_null();
}

bool explain_auth_outcome(const struct explained *x, struct explain_outcome *ret)
{
    const char *name = x->match.route->conf->auth;

    if (!name || config_policy(x->look->snapshot->config, name))
        return false;
    *ret = (struct explain_outcome){.kind = "refuse",
                                    .reason = REASON_FORBIDDEN,
                                    .certain = true,
                                    .detail = "the route names a policy that does not exist"};
    return true;
}
