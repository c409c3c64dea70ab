/* SPDX-License-Identifier: Apache-2.0 */
/* consul_access.c - the part of `consul:` that says how to get at Consul: agents, TLS, token or
 * login. What the file does not say comes from the environment variables of Consul's own tools. */
#include "config/sections.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_AGENTS = 16, MAX_META = 32 };

static const char *address_problem(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "unix:///"};
    const char *rest = strstr(text, "://") ? NULL : text;

    if (strchr(text, '@'))
        return "holds user information; put a token into token_file";
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            rest = text + strlen(schemes[i]);
    if (!rest || rest[0] == '\0' || rest[0] == '/' || strpbrk(rest, " \t\r\n?#\""))
        return "is not an address such as http://127.0.0.1:8500 or unix:///run/consul.sock";
    return NULL;
}

static int address_item(struct reader *r, const struct node *n, void *at)
{
    static const char expected[] =
        "an address such as http://127.0.0.1:8500 or unix:///run/consul.sock";
    const char *problem;

    if (n->kind != NODE_TEXT || node_is_null(n))
        return node_expected(n, r->err, expected);
    /* The text is not repeated: user information in it may be a secret. */
    problem = address_problem(n->text);
    if (problem)
        return node_error(n, r->err, "the value %s", problem);
    *(const char **)at = arena_strdup(r->arena, n->text);
    return 0;
}

int consul_address_read(struct reader *r, const struct node *n, void *at)
{
    struct consul_conf *c = at;
    const char **list;
    size_t count;

    c->more = NULL;
    c->nmore = 0;
    if (n->kind != NODE_LIST)
        return address_item(r, n, &c->address);
    list = list_read(r, n, "a list of addresses", MAX_AGENTS, sizeof *list, address_item, &count);
    if (!list)
        return -1;
    if (count == 0)
        return node_error(n, r->err, "the list is empty");
    c->address = list[0];
    c->more = list + 1;
    c->nmore = count - 1;
    return 0;
}

/* The name of a host, as a certificate has it. */
const char *consul_server_name_problem(const char *text)
{
    return text[0] && !text[strcspn(text, " \t\r\n/:@?#\"")] ? NULL : "is not the name of a host";
}

static int meta_read(struct reader *r, const struct node *n, void *at)
{
    struct consul_login_conf *l = at;

    if (n->kind != NODE_MAP)
        return node_expected(n, r->err, "a map such as { gateway: gw-1 }");
    if (n->n > MAX_META)
        return node_error(n, r->err, "at most %d entries are allowed here", MAX_META);
    l->meta = arena_alloc(r->arena, (2 * n->n + 1) * sizeof *l->meta);
    l->nmeta = 0;
    node_each(it, n)
    {
        if (it->kind != NODE_TEXT)
            return node_expected(it, r->err, "a text");
        l->meta[2 * l->nmeta] = arena_strdup(r->arena, it->key);
        l->meta[2 * l->nmeta++ + 1] = arena_strdup(r->arena, it->text);
    }
    return 0;
}

static const struct field login_fields[] = {
    STRING("method", consul_login_conf, method, NULL, value_name_problem,
           "Name of the auth method in Consul (type `jwt` or `kubernetes`). Required."),
    STRING("jwt_file", consul_login_conf, jwt_file, NULL, value_file_problem,
           "File with the JWT that is shown to it, read anew for every login. Required."),
    {.key = "meta",
     .type = FIELD_CUSTOM,
     .read = meta_read,
     .kind = "map of texts",
     .help = "What Consul notes beside the token, such as `{ gateway: gw-1 }`."},
};
const struct section consul_login_section = {login_fields, ARRAY_LEN(login_fields)};

int consul_login_finish(struct reader *r, const struct node *n, void *at)
{
    const struct consul_login_conf *l = at;

    if (!l->method || !l->jwt_file)
        return node_error(n, r->err, "method and jwt_file are both needed");
    return 0;
}

/* A variable that is set and not empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

static void from_environment(struct reader *r, const char **at, const char *name)
{
    const char *value = environment(name);

    if (!*at && value)
        *at = arena_strdup(r->arena, value);
}

/* As Consul's tools read it. */
static int flag_from_environment(struct reader *r, const struct node *n, const char *name, bool *at)
{
    static const char *const words[][2] = {{"0", "1"},        {"f", "t"},        {"F", "T"},
                                           {"false", "true"}, {"FALSE", "TRUE"}, {"False", "True"}};
    const char *value = environment(name);

    if (!value)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (int truth = 0; truth <= 1; truth++)
            if (strcmp(value, words[i][truth]) == 0) {
                *at = truth;
                return 0;
            }
    return node_error(n, r->err, "%s is neither true nor false", name);
}

static const char *complete_address(struct reader *r, const char *address, bool tls)
{
    size_t len = strlen(address);

    while (len > 1 && address[len - 1] == '/')
        len--;
    return arena_printf(r->arena, "%s%.*s",
                        strstr(address, "://") ? "" : (tls ? "https://" : "http://"), (int)len,
                        address);
}

static int finish_addresses(struct reader *r, const struct node *n, struct consul_conf *c)
{
    const char *env = environment("CONSUL_HTTP_ADDR");
    const char **more = ARENA_ARRAY(r->arena, const char *, c->nmore);
    bool tls = false;

    if (flag_from_environment(r, n, "CONSUL_HTTP_SSL", &tls) < 0)
        return -1;
    if (!node_get(n, "address") && env) {
        if (address_problem(env))
            return node_error(n, r->err, "CONSUL_HTTP_ADDR %s", address_problem(env));
        c->address = env;
    } else if (!node_get(n, "address") && tls) {
        c->address = "127.0.0.1:8500";
    }
    c->address = complete_address(r, c->address, tls);
    for (size_t i = 0; i < c->nmore; i++)
        more[i] = complete_address(r, c->more[i], tls);
    c->more = more;
    return 0;
}

static int finish_tls(struct reader *r, const struct node *n, struct consul_conf *c)
{
    if (!c->ca_path)
        from_environment(r, &c->ca_file, "CONSUL_CACERT");
    if (!c->ca_file)
        from_environment(r, &c->ca_path, "CONSUL_CAPATH");
    from_environment(r, &c->cert_file, "CONSUL_CLIENT_CERT");
    from_environment(r, &c->key_file, "CONSUL_CLIENT_KEY");
    from_environment(r, &c->server_name, "CONSUL_TLS_SERVER_NAME");
    if (c->server_name && consul_server_name_problem(c->server_name))
        return node_error(n, r->err, "CONSUL_TLS_SERVER_NAME %s",
                          consul_server_name_problem(c->server_name));
    if (!node_get(n, "verify") &&
        flag_from_environment(r, n, "CONSUL_HTTP_SSL_VERIFY", &c->verify) < 0)
        return -1;
    if (!c->cert_file != !c->key_file)
        return node_error(n, r->err, "cert_file and key_file belong together; one is missing");
    return 0;
}

/* A token file beats a token, as in Consul's clients; a login beats both. */
static int finish_token(struct reader *r, const struct node *n, struct consul_conf *c)
{
    if (c->login.method && c->token_file)
        return node_error(n, r->err, "token_file and login exclude each other");
    if (c->login.method)
        return 0;
    from_environment(r, &c->token_file, "CONSUL_HTTP_TOKEN_FILE");
    if (!c->token_file)
        from_environment(r, &c->token, "CONSUL_HTTP_TOKEN");
    if (c->token && c->token[strcspn(c->token, "\r\n")])
        return node_error(n, r->err, "CONSUL_HTTP_TOKEN holds a line break");
    return 0;
}

int consul_environment_finish(struct reader *r, const struct node *n, struct consul_conf *c)
{
    from_environment(r, &c->ns, "CONSUL_NAMESPACE");
    from_environment(r, &c->partition, "CONSUL_PARTITION");
    return finish_addresses(r, n, c) < 0 || finish_tls(r, n, c) < 0 ? -1 : finish_token(r, n, c);
}
