/* SPDX-License-Identifier: Apache-2.0 */
/* consul.c - `consul:`, the agent that discovery asks, and what of its catalog is exposed. */
#include "config/sections.h"
#include "config/value.h"

#include <string.h>

static const char *const fabio_matcher_words[] = {"prefix", "iprefix", "glob", NULL};
static const char *const expose_words[] = {"none", "tagged", "all", NULL};

static const char *prefix_problem(const char *text)
{
    return text[strcspn(text, " \t\r\n=")] ? "holds a space or =" : NULL;
}

static const char *config_files_problem(const char *text)
{
    return text[0] == '/' && strcmp(text, "/") != 0 ? NULL : "is not the absolute path of a folder";
}

static const char *fabio_kv_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 200 || text[0] == '/' || text[n - 1] == '/')
        return "must have 1 to 200 characters, without a slash at its ends";
    return text[strcspn(text, " \t\r\n")] ? "holds a space" : NULL;
}

static const char *traefik_prefix_problem(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && text[n - 1] == '.' ? "goes without the dot at its end" : prefix_problem(text);
}

static const char *entry_points_problem(const char *text)
{
    struct str rest = str_of(text), one;

    return str_next(&rest, ',', &one) ? NULL : "names no entry point";
}

static const struct field consul_fields[] = {
    {.key = "address",
     .type = FIELD_CUSTOM,
     .read = consul_address_read,
     .kind = "address or list of addresses",
     .dflt = "http://127.0.0.1:8500",
     .help = "The agent: `http://`, `https://`, `unix:///path`, or `host:port`. Of several the "
             "first one is asked, and the next ones in order when it fails. Else "
             "`CONSUL_HTTP_ADDR`."},
    DURATION("fail_back", consul_conf, fail_back_ms, 0, 24 * HOURS, "5m",
             "How long the first agent of several must be well before it is asked again; `0` = "
             "only when the present one fails."),
    STRING("token_file", consul_conf, token_file, NULL, value_file_problem,
           "File with the ACL token, read again when it changes. Else `CONSUL_HTTP_TOKEN_FILE`, "
           "else `CONSUL_HTTP_TOKEN`."),
    {.key = "login",
     .type = FIELD_SECTION,
     .offset = FIELD_AT(consul_conf, login, struct consul_login_conf),
     .section = &consul_login_section,
     .read = consul_login_finish,
     .help = "Get a token by showing a JWT, instead of `token_file`."},
    STRING("datacenter", consul_conf, datacenter, NULL, value_name_problem,
           "Datacenter to ask about; unset = the agent's."),
    STRING("ca_file", consul_conf, ca_file, NULL, value_file_problem,
           "Authorities that sign the agent's certificate. Else `CONSUL_CACERT`; unset = the "
           "system's."),
    STRING("ca_path", consul_conf, ca_path, NULL, value_file_problem,
           "Folder with such authorities, named by their hashes (`openssl rehash`). Else "
           "`CONSUL_CAPATH`."),
    STRING("cert_file", consul_conf, cert_file, NULL, value_file_problem,
           "Client certificate for the agent. Else `CONSUL_CLIENT_CERT`."),
    STRING("key_file", consul_conf, key_file, NULL, value_file_problem,
           "Its private key. Else `CONSUL_CLIENT_KEY`."),
    STRING("server_name", consul_conf, server_name, NULL, consul_server_name_problem,
           "Name that the agent's certificate is for, when it is not that of the address. Else "
           "`CONSUL_TLS_SERVER_NAME`."),
    BOOLEAN("verify", consul_conf, verify, "true",
            "Verify the agent's certificate. `false` lets anybody in between read the token and "
            "forge the catalog. Else `CONSUL_HTTP_SSL_VERIFY`."),
    STRING("namespace", consul_conf, ns, NULL, value_name_problem,
           "Namespace of Consul Enterprise. Else `CONSUL_NAMESPACE`."),
    STRING("partition", consul_conf, partition, NULL, value_name_problem,
           "Admin partition of Consul Enterprise. Else `CONSUL_PARTITION`."),
    {.key = "expose",
     .type = FIELD_WORD,
     .offset = FIELD_AT(consul_conf, expose, enum expose_mode),
     .words = expose_words,
     .dflt = "tagged",
     .help = "Which services of the catalog bring routes along: none, those with tags, or every "
             "service under `/NAME/`."},
    STRING("tag_prefix", consul_conf, tag_prefix, "frontdesk.", prefix_problem,
           "What tags with routes begin with."),
    STRING("fabio_prefix", consul_conf, fabio_prefix, "urlprefix-", prefix_problem,
           "What fabio's tags begin with; `\"\"` = not read."),
    {.key = "fabio_matcher",
     .type = FIELD_WORD,
     .offset = FIELD_AT(consul_conf, fabio_matcher, enum fabio_matcher),
     .words = fabio_matcher_words,
     .dflt = "prefix",
     .help = "How the paths of fabio's tags are compared, as its `proxy.matcher`."},
    STRING("fabio_kv", consul_conf, fabio_kv, NULL, fabio_kv_problem,
           "Key of Consul's KV store with fabio's route commands, and all keys below it, such as "
           "`fabio/config`; unset = none are read."),
    STRING("traefik_prefix", consul_conf, traefik_prefix, "", traefik_prefix_problem,
           "What Traefik's tags begin with, as its `prefix`: `traefik`; `\"\"` = not read."),
    STRING("traefik_entry_points", consul_conf, traefik_entry_points, "web,websecure,http,https",
           entry_points_problem,
           "Entry points of Traefik that are for everybody; `*` = all. A router of others alone is "
           "left out, since routes are for all listeners."),
    BOOLEAN("traffic_rules", consul_conf, traffic_rules, "true",
            "Obey Consul's own traffic rules: service-router, service-splitter, service-resolver."),
    BOOLEAN("stale", consul_conf, stale, "true",
            "Let any Consul server answer, so that discovery lives on without a leader."),
    DURATION("wait", consul_conf, wait_ms, SECONDS, 10 * MINUTES, "60s",
             "How long the agent may hold a blocking query."),
    DURATION("keep_routes", consul_conf, keep_routes_ms, 0, 24 * HOURS, "1m",
             "How long the routes of a service that left the catalog answer 503 before they are "
             "gone (404)."),
    DURATION("shrink_confirm", consul_conf, shrink_confirm_ms, 0, 10 * MINUTES, "2s",
             "When much is missing from the catalog at once, it is kept until a second look this "
             "long after says the same; 0 = Consul is believed at once."),
    PERCENT("shrink_percent", consul_conf, shrink_percent, 1, "50",
            "Much is: all instances of a service, or more than this share of them and more than "
            "three,"),
    PERCENT("shrink_services_percent", consul_conf, shrink_services_percent, 1, "20",
            "or instances of more than this share of all services and of more than three."),
    DURATION("flap_damping", consul_conf, flap_damping_ms, 0, 10 * MINUTES, "3s",
             "An instance that turned critical more than three times within a minute must be well "
             "for so long before it gets requests again; 0 = not."),
    DURATION("agent_restart_hold", consul_conf, agent_restart_hold_ms, 0, 10 * MINUTES, "15s",
             "After the agent was away, what it says about instances on its own node is not "
             "believed for so long when it is bad; 0 = it is."),
    STRING("config_prefix", consul_conf, config_prefix, NULL, value_keys_problem,
           "Keys of Consul's KV store below which more configuration is found, for many gateways "
           "at once; unset = none."),
    STRING("config_files", consul_conf, config_files, NULL, config_files_problem,
           "Folder of this machine in which the configuration in Consul may name files; unset = "
           "it may name none."),
};
const struct section consul_section = {consul_fields, ARRAY_LEN(consul_fields)};

int consul_finish(struct reader *r, const struct node *n, void *at)
{
    struct consul_conf *c = at;

    c->enabled = true;
    if (consul_environment_finish(r, n, c) < 0)
        return -1;
    if (c->traefik_prefix[0])
        c->traefik_prefix = arena_printf(r->arena, "%s.", c->traefik_prefix);
    if (!c->tag_prefix[0])
        return node_error(n, r->err, "tag_prefix must not be empty");
    if (c->config_prefix && c->config_prefix[strlen(c->config_prefix) - 1] != '/')
        c->config_prefix = arena_printf(r->arena, "%s/", c->config_prefix);
    return 0;
}
