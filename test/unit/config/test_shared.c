/* SPDX-License-Identifier: Apache-2.0 */
#include "config/documents.h"
#include "config/shared.h"
#include "parse.h"

static struct config_documents *one_document(struct config_document *d, const char *name,
                                             const char *text)
{
    struct config_documents *all = documents_new(1);

    *d = (struct config_document){name, str_of(text)};
    all->list[all->n++] = *d;
    return all;
}

/* `local` as a file, and up to two documents of Consul. */
static struct config *join(const char *local, const char *first, const char *second, struct err *e)
{
    struct config_document file;
    struct config_documents *files = one_document(&file, "local.yaml", local);
    struct config_documents *shared = documents_new(2);
    struct config *c;

    shared->list[shared->n++] = (struct config_document){"consul:f/10-a", str_of(first)};
    if (second)
        shared->list[shared->n++] = (struct config_document){"consul:f/20-b", str_of(second)};
    c = config_join("/etc/frontdesk", files, shared, e);
    documents_free(&files);
    documents_free(&shared);
    return c;
}

static void test_documents_come_after_files(void **state)
{
    struct err e = {""};
    struct config *c = join("routes: [{path: /local, service: web}]\n"
                            "services: {web: {timeout: 3s}}\n",
                            "routes: [{path: /first, service: web}]\n"
                            "services: {orders: {timeout: 4s}}\n",
                            "{\"routes\": [{\"path\": \"/second\", \"service\": \"orders\"}]}", &e);

    (void)state;
    if (!c)
        fail_msg("%s", e.text);
    assert_int_equal(c->nroutes, 3);
    assert_string_equal(c->routes[0].path, "/local");
    assert_string_equal(c->routes[1].path, "/first");
    assert_string_equal(c->routes[2].path, "/second");
    assert_string_equal(c->routes[1].source, "consul:f/10-a:1");
    assert_int_equal(config_service(c, "web")->timeout_ms, 3000);
    assert_int_equal(config_service(c, "orders")->timeout_ms, 4000);
    config_unref(&c);
}

static void test_an_empty_document_adds_nothing(void **state)
{
    struct err e = {""};
    struct config *c = join("routes: [{path: /local, service: web}]", "", "# nothing yet\n", &e);

    (void)state;
    if (!c)
        fail_msg("%s", e.text);
    assert_int_equal(c->nroutes, 1);
    config_unref(&c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *name, *local, *first, *second, *says;
    } rows[] = {
        {"listeners", "{}", "\nlisteners: [{address: \":81\"}]", NULL,
         "consul:f/10-a:2: listeners: belongs to one gateway"},
        {"the second document too", "{}", "routes: []", "via: x\nadmin: false",
         "consul:f/20-b:2: admin: belongs to one gateway"},
        {"consul", "{}", "consul: {address: \"http://10.0.0.1:8500\"}", NULL,
         "consul: belongs to one gateway"},
        {"fleet", "consul: {}", "fleet: true", NULL, "fleet: belongs to one gateway"},
        {"workers", "{}", "workers: 3", NULL, "workers: belongs to one gateway"},
        {"access_log", "{}", "access_log: /var/log/x", NULL, "access_log: belongs to one"},
        {"log_level", "{}", "log_level: debug", NULL, "log_level: belongs to one gateway"},
        {"drain_delay", "{}", "drain_delay: 1h", NULL, "drain_delay: belongs to one gateway"},
        {"an unknown key", "{}", "rotues: []", NULL, "did you mean"},
        {"a mistake deep down", "{}", "services:\n  web:\n    timeout: soon", NULL,
         "consul:f/10-a:3: services.web.timeout: expected a duration"},
        {"a name of a file", "services: {web: {timeout: 1s}}", "\nservices: {web: {timeout: 2s}}",
         NULL, "consul:f/10-a:2: services.web: given twice; first at local.yaml:1"},
        {"a name of another document", "{}", "services: {web: {}}", "services: {web: {}}",
         "consul:f/20-b:1: services.web: given twice; first at consul:f/10-a:1"},
        {"a route's name", "routes: [{path: /a, service: web, name: x}]",
         "routes: [{path: /b, service: web, name: x}]", NULL,
         "is also the name of the route at local.yaml:1"},
        {"not UTF-8", "{}", "via: \xff\xfe", NULL, "consul:f/10-a:1: not valid YAML"},
        {"binary", "{}",
         "\x7f"
         "ELF\x01\x02",
         NULL, "consul:f/10-a:1: not valid YAML"},
        {"a word only", "{}", "hello", NULL, "consul:f/10-a:1: expected keys and values"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct config *c = join(rows[i].local, rows[i].first, rows[i].second, &e);

        if (c || !strstr(e.text, rows[i].says))
            fail_msg("%s: %s", rows[i].name, c ? "accepted" : e.text);
    }
}

static void test_files_of_the_gateway(void **state)
{
    static const char pem[] = "services: {web: {tls: {ca: /srv/shared/ca.pem}}}";
    static const struct {
        const char *name, *local, *document, *says; /* NULL = accepted */
    } rows[] = {
        {"no folder", "consul: {}", pem, "which is not set"},
        {"in the folder", "consul: {config_files: /srv/shared}", pem, NULL},
        {"the folder with a slash", "consul: {config_files: /srv/shared/}", pem, NULL},
        {"read in any order", "limits: {}\nconsul: {config_files: /srv/shared}", pem, NULL},
        {"another folder", "consul: {config_files: /srv/share}", pem,
         "consul:f/10-a:1: services.web.tls.ca: names a file of the gateway"},
        {"up again", "consul: {config_files: /srv/shared}",
         "services: {web: {tls: {ca: /srv/shared/../ca.pem}}}", "names a file"},
        {"up at the end", "consul: {config_files: /srv/shared}",
         "services: {web: {tls: {ca: /srv/shared/..}}}", "names a file"},
        {"two dots in a name", "consul: {config_files: /srv/shared}",
         "services: {web: {tls: {ca: /srv/shared/a..pem}}}", NULL},
        {"relative", "consul: {config_files: /srv/shared}",
         "services: {web: {tls: {ca: shared/ca.pem}}}", "names a file"},
        {"body of a fallback", "consul: {config_files: /srv/shared}",
         "services: {web: {fallback: [{static: {file: /etc/hostname}}]}}", "names a file"},
        {"token of a webhook", "consul: {}",
         "webhooks: [{url: \"http://x/\", token_file: /etc/hostname}]", "names a file"},
        {"keys of an issuer", "consul: {}",
         "issuers: {a: {issuer: a, audience: [b], algorithms: [HS256], keys: {secret_file: "
         "/etc/hostname}}}",
         "names a file"},
        {"API keys", "consul: {}", "api_keys: {a: {file: /etc/hostname}}", "names a file"},
        {"passwords", "consul: {}", "basic: {a: {htpasswd: /etc/hostname}}", "names a file"},
        {"password of Redis", "consul: {}",
         "limits: {redis: {address: \"127.0.0.1:6379\", password_file: /etc/hostname}}",
         "names a file"},
        {"a file's own", "consul: {}\nservices: {web: {tls: {ca: /etc/ca.pem}}}", "via: x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct config *c = join(rows[i].local, rows[i].document, NULL, &e);

        if (!rows[i].says != (c != NULL) || (rows[i].says && !strstr(e.text, rows[i].says)))
            fail_msg("%s: %s", rows[i].name, c ? "accepted" : e.text);
        config_unref(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_come_after_files),
        cmocka_unit_test(test_an_empty_document_adds_nothing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files_of_the_gateway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
