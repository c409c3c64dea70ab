/* SPDX-License-Identifier: Apache-2.0 */
#include "control_consul.h"

#include <stdio.h>
#include <string.h>

static void need(struct consul_access_options *o, const char *resource, const char *access,
                 const char *segment, const char *what_for)
{
    struct consul_right r = {.resource = resource, .access = access, .what_for = what_for};

    /* A name that is longer is none that a policy could hold. */
    if (o->nrights == CONSUL_RIGHTS_MAX || strlen(segment) >= sizeof r.segment)
        return;
    memcpy(r.segment, segment, strlen(segment));
    for (size_t i = 0; i < o->nrights; i++)
        if (strcmp(o->rights[i].resource, resource) == 0 &&
            strcmp(o->rights[i].access, access) == 0 && strcmp(o->rights[i].segment, segment) == 0)
            return;
    o->rights[o->nrights++] = r;
}

static void need_for_fleet(const struct config *c, struct consul_access_options *o)
{
    char keys[256];

    snprintf(keys, sizeof keys, "%s/", c->fleet.prefix);
    need(o, "key", "write", keys, "the fleet");
    need(o, "session", "write", "", "the fleet");
}

static void add_rights(const struct config *c, struct consul_access_options *o)
{
    for (size_t i = 0; i < c->napi_keys; i++)
        if (c->api_keys[i].kv)
            need(o, "key", "read", c->api_keys[i].kv, "API keys");
    if (c->consul.config_prefix)
        need(o, "key", "read", c->consul.config_prefix, "configuration in Consul");
    if (c->consul.fabio_kv && c->consul.expose != EXPOSE_NONE)
        need(o, "key", "read", c->consul.fabio_kv, "fabio's commands");
    if (c->fleet.enabled)
        need_for_fleet(c, o);
    if (c->registration.enabled)
        need(o, "service", "write", c->registration.name, "registration");
    if (c->consul.agent_restart_hold_ms > 0 && o->nrights < CONSUL_RIGHTS_MAX) {
        need(o, "agent", "read", "", "riding out a restart of the agent");
        o->rights[o->nrights - 1].optional = true;
    }
}

void control_consul_options(const struct config *c, struct consul_access_options *ret)
{
    const struct consul_conf *x = &c->consul;

    *ret = (struct consul_access_options){
        .more = x->more,
        .nmore = x->nmore,
        .fail_back_ms = x->fail_back_ms,
        .ca_path = x->ca_path,
        .server_name = x->server_name,
        .no_verify = !x->verify,
        .ns = x->ns,
        .partition = x->partition,
        .login_method = x->login.method,
        .login_jwt_file = x->login.jwt_file,
        .login_meta = x->login.meta,
        .nlogin_meta = x->login.nmeta,
    };
    add_rights(c, ret);
}

static bool same_list(const char *const *a, size_t n, const char *const *b, size_t m)
{
    if (n != m)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

bool control_consul_same(const struct config *a, const struct config *b)
{
    const struct consul_conf *x = &a->consul, *y = &b->consul;

    return str_same(x->address, y->address) && same_list(x->more, x->nmore, y->more, y->nmore) &&
           x->fail_back_ms == y->fail_back_ms && str_same(x->token_file, y->token_file) &&
           str_same(x->token, y->token) && str_same(x->ca_file, y->ca_file) &&
           str_same(x->cert_file, y->cert_file) && str_same(x->key_file, y->key_file) &&
           str_same(x->ca_path, y->ca_path) && str_same(x->server_name, y->server_name) &&
           x->verify == y->verify && str_same(x->ns, y->ns) &&
           str_same(x->partition, y->partition) && str_same(x->login.method, y->login.method) &&
           str_same(x->login.jwt_file, y->login.jwt_file) &&
           same_list(x->login.meta, 2 * x->login.nmeta, y->login.meta, 2 * y->login.nmeta);
}
