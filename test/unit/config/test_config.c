/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <sys/stat.h>
#include <unistd.h>

/* A folder with files, made for one test. */
struct folder {
    char path[64];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);

    assert_non_null(f);
    strcpy(f->path, "/tmp/frontdesk-config-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    *state = f;
    return 0;
}

static void file_path(const struct folder *f, const char *name, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s/%s", f->path, name);
}

static const char *const names[] = {"a.yaml",  "b.yaml",  "b.json",  "c.yml",
                                    "d.yaml~", ".e.yaml", "sub.yaml"};

static int teardown(void **state)
{
    struct folder *f = *state;
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        file_path(f, names[i], path, sizeof path);
        if (unlink(path) < 0)
            (void)rmdir(path);
    }
    (void)rmdir(f->path);
    free(f);
    return 0;
}

static void put_bytes(const struct folder *f, const char *name, const char *text, size_t n)
{
    char path[128];
    FILE *out;

    file_path(f, name, path, sizeof path);
    out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, n, out), n);
    fclose(out);
}

static void put(const struct folder *f, const char *name, const char *text)
{
    put_bytes(f, name, text, strlen(text));
}

static void expect_error(const struct folder *f, const char *says)
{
    struct err e = {""};
    struct config *c = config_load(f->path, &e);

    assert_null(c);
    if (!strstr(e.text, says))
        fail_msg("gave:  %s\nlacks: %s", e.text, says);
}

/* Runs fn with standard error going to a file; returns what it wrote. */
static char *captured_load(const char *dir, struct config **ret)
{
    static char text[4096];
    FILE *log = tmpfile();
    struct err e = {""};
    int saved = dup(STDERR_FILENO);

    assert_non_null(log);
    dup2(fileno(log), STDERR_FILENO);
    *ret = config_load(dir, &e);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(log);
    memset(text, 0, sizeof text);
    (void)!fread(text, 1, sizeof text - 1, log);
    fclose(log);
    if (!*ret)
        fail_msg("%s", e.text);
    return text;
}

static void files_merge(void **state)
{
    const struct folder *f = *state;
    struct config *c;
    struct err e = {""};

    put(f, "b.yaml", "routes: [{path: /b, service: b}]\nservices: {b: {timeout: 2s}}\nconsul:\n");
    put(f, "a.yaml", "routes: [{path: /a, service: a}]\nservices: {a: {timeout: 1s}}\n");
    put(f, "b.json", "{\"routes\": [{\"path\": \"/j\", \"service\": \"j\"}]}");
    put(f, "d.yaml~", "broken: [");
    put(f, ".e.yaml", "broken: [");
    c = config_load(f->path, &e);
    assert_non_null(c);
    assert_int_equal(c->nroutes, 3);
    assert_string_equal(c->routes[0].source, "a.yaml:1");
    assert_string_equal(c->routes[1].source, "b.json:1");
    assert_string_equal(c->routes[2].source, "b.yaml:1");
    assert_int_equal(c->nservices, 2);
    assert_int_equal(config_service(c, "a")->timeout_ms, 1000);
    assert_int_equal(config_service(c, "b")->timeout_ms, 2000);
    assert_string_equal(c->dir, f->path);
    config_unref(&c);
}

static void a_double_name_names_both_files(void **state)
{
    const struct folder *f = *state;

    put(f, "a.yaml", "\nservices: {orders: {}}\n");
    put(f, "b.yaml", "\n\nservices: {orders: {}}\n");
    expect_error(f, "/b.yaml:3: services.orders: given twice; first at ");
    expect_error(f, "/a.yaml:2");
    put(f, "a.yaml", "routes: [{name: n, service: a}]\n");
    put(f, "b.yaml", "routes: [{name: n, service: a}]\n");
    expect_error(f, "/b.yaml:1: routes[0].name: \"n\" is also the name of the route at ");
    expect_error(f, "/a.yaml:1");
    put(f, "a.yaml", "log_level: info\n");
    put(f, "b.yaml", "log_level: warn\n");
    expect_error(f, "/b.yaml:1: log_level: given twice; first at ");
}

static void unreadable_folders_are_told(void **state)
{
    const struct folder *f = *state;
    struct err e = {""};
    char path[128];

    expect_error(f, "no *.yaml or *.json file");
    put(f, "c.yml", "workers: 1\n");
    expect_error(f, "no *.yaml or *.json file");
    assert_null(config_load("/nonexistent/folder", &e));
    assert_non_null(strstr(e.text, "/nonexistent/folder: No such file"));
    file_path(f, "sub.yaml", path, sizeof path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_error(f, "sub.yaml: not a file");
}

static void large_files_are_refused(void **state)
{
    const struct folder *f = *state;
    size_t n = (8 << 20) + 1;
    char *text = malloc(n);
    struct err e = {""};

    assert_non_null(text);
    memset(text, '\n', n);
    put_bytes(f, "a.yaml", text, n);
    expect_error(f, "a.yaml: larger than 8 MiB");
    assert_null(config_parse("t", text, n, &e));
    put_bytes(f, "a.yaml", text, n - 1);
    free(text);
    {
        struct config *c = config_load(f->path, &e);

        assert_non_null(c);
        config_unref(&c);
    }
}

static void references_are_counted(void **state)
{
    struct config *c = parse_ok("workers: 1"), *other = config_ref(c);

    (void)state;
    config_unref(&c);
    assert_null(c);
    assert_int_equal(other->workers, 1);
    config_unref(&other);
    config_unref(&other);
}

static void suspicious_things_are_warned_of(void **state)
{
    static const struct {
        const char *text, *says; /* NULL = no warning */
    } rows[] = {
        {"routes: [{path: /, service: web}]", "service web has no instances"},
        {"consul:\nroutes: [{path: /, service: web}]", NULL},
        {"services: {web: {instances: [\"a:1\"]}}\nroutes: [{path: /, service: web}]", NULL},
        {"services: {web: {balance: consistent_hash}}", "service web: consistent_hash without"},
        {"admin: {address: \":9901\"}", "admin.address :9901 is not loopback"},
        {"admin: {address: \"[::1]:9901\", token_file: /t}", NULL},
        {"admin: {address: \":9901\", token_file: /t}", "the token crosses the network"},
        {"admin: false", NULL},
        {"consul: {config_prefix: frontdesk/config}\nfleet: true", "lies within fleet.prefix"},
        {"consul: {config_prefix: frontdesk-config}\nfleet: true", NULL},
        {"consul: {config_prefix: frontdesk/config}", NULL},
    };
    const struct folder *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c;
        char *log;

        put(f, "a.yaml", rows[i].text);
        log = captured_load(f->path, &c);
        config_unref(&c);
        if (rows[i].says ? !strstr(log, rows[i].says) : log[0] != '\0')
            fail_msg("%s\nlogged: %s", rows[i].text, log);
    }
    put(f, "c.yml", "");
    {
        struct config *c;
        char *log = captured_load(f->path, &c);

        config_unref(&c);
        assert_non_null(strstr(log, "c.yml is not read"));
    }
}

/* The examples are what people start from: they load as they are, without a warning. */
static void the_examples_load(void **state)
{
    struct config *c;
    char *log = captured_load("conf.d", &c);

    (void)state;
    assert_string_equal(log, "");
    assert_true(c->consul.enabled);
    assert_int_equal(c->consul.expose, EXPOSE_TAGGED);
    assert_string_equal(c->listeners[0].address, "0.0.0.0:8080");
    assert_string_equal(c->admin.address, "127.0.0.1:9901");
    assert_int_equal(c->nroutes + c->nservices, 0);
    config_unref(&c);
}

/* Copies a file with the "# " of every line from `start` on taken off. */
static void put_uncommented(const struct folder *f, const char *name, const char *example,
                            const char *start, const char *instead)
{
    FILE *in = fopen(example, "r");
    char line[256], text[8192] = "";
    bool on = false;

    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        const char *p = line;

        if (strncmp(line, start, strlen(start)) == 0) {
            on = true;
            p = instead;
        } else if (on && line[0] == '#') {
            p += line[1] == ' ' ? 2 : 1;
        }
        strcat(text, p);
    }
    fclose(in);
    assert_true(on);
    put(f, name, text);
}

static void the_commented_examples_load(void **state)
{
    const struct folder *f = *state;
    struct err e = {""};
    struct config *c;

    put_uncommented(f, "a.yaml", "conf.d/20-services.yaml", "# services:", "services:\n");
    put_uncommented(f, "b.yaml", "conf.d/30-routes.yaml", "routes: []", "consul:\nroutes:\n");
    put_uncommented(f, "c.yaml", "conf.d/50-rate-limits.yaml", "# rate_limits:", "rate_limits:\n");
    put_uncommented(f, "d.yaml", "conf.d/40-edge.yaml",
                    "# deny_from:", "deny_from: [192.0.2.66, \"2001:db8:bad::/48\"]\n");
    put_uncommented(f, "e.yaml", "conf.d/60-access.yaml", "# issuers:", "issuers:\n");
    put_uncommented(f, "f.yaml", "conf.d/05-tls.yaml", "# listeners:", "listeners:\n");
    put_uncommented(f, "g.yaml", "conf.d/55-credentials.yaml", "# api_keys:", "api_keys:\n");
    c = config_load(f->path, &e);
    if (!c)
        fail_msg("%s", e.text);
    assert_int_equal(c->nissuers, 1);
    assert_int_equal(c->npolicies, 5);
    assert_int_equal(c->napi_keys, 2);
    assert_int_equal(c->nbasic, 1);
    assert_int_equal(c->listeners[2].tls.ncertificates, 3);
    assert_true(guarded_has(&c->guarded, STR("x_user")));
    assert_int_equal(c->addresses.deny.n, 2);
    assert_int_equal(c->ncors, 2);
    assert_non_null(c->security_headers);
    assert_non_null(c->listeners[0].proxy_protocol);
    assert_int_equal(c->nrate_limits, 5);
    assert_int_equal(c->limit_plan.n, 1);
    assert_true(c->rate_limits[2].shared);
    assert_int_equal(c->nservices, 6);
    assert_true(config_service(c, "search")->adaptive.enabled);
    assert_int_equal(config_service(c, "products")->fallback->n, 2);
    assert_int_equal(c->nroutes, 11);
    config_unref(&c);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(files_merge),
        CASE(a_double_name_names_both_files),
        CASE(unreadable_folders_are_told),
        CASE(large_files_are_refused),
        CASE(references_are_counted),
        CASE(suspicious_things_are_warned_of),
        CASE(the_examples_load),
        CASE(the_commented_examples_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
