/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "proxy/listener_watch.h"
#include "tls/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../tls/authority.h"

static char dir[] = "/tmp/frontdesk-watch-XXXXXX";
static char cert_file[64], key_file[64], log_file[64];
static struct issued old, fresh;
static struct tls_certificate_conf entry = {.cert = cert_file, .key = key_file};
static struct listener_conf conf = {
    .address = "here",
    .tls = {.enabled = true, .certificates = &entry, .ncertificates = 1, .tickets = true}};
static struct config config = {.refs = 1};
static struct listener_settings *settings;
static struct listener_watch w;

static int begin_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    snprintf(log_file, sizeof log_file, "%s/log", dir);
    old = issue("old", "DNS:old", NULL);
    fresh = issue_at("fresh", "DNS:fresh", NULL, -60, 100L * 24 * 3600);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    issued_free(&old);
    issued_free(&fresh);
    unlink(cert_file);
    unlink(key_file);
    unlink(log_file);
    return rmdir(dir);
}

static int begin(void **state)
{
    struct err e;

    (void)state;
    write_pem(cert_file, old.cert, NULL);
    write_pem(key_file, NULL, old.key);
    memset(&w, 0, sizeof w);
    settings = listener_settings_new(&config, &conf, NULL, &e);
    assert_non_null(settings);
    return 0;
}

static int end(void **state)
{
    (void)state;
    listener_settings_unref(&settings);
    return 0;
}

/* How often the log has these words since the last call of begin_log(). */
static int begin_log(void)
{
    int kept = dup(STDERR_FILENO);

    assert_non_null(freopen(log_file, "w", stderr));
    return kept;
}

static int end_log(int kept, const char *words)
{
    char line[2048];
    FILE *f;
    int n = 0;

    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    f = fopen(log_file, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, words) != NULL;
    fclose(f);
    return n;
}

/* Looks so many times; the name that is shown in the end. */
static const char *look(int times)
{
    struct tls_certificate *const *all;
    size_t n;

    while (times-- > 0) {
        struct listener_settings *next = listener_watch_look(&w, settings);

        if (!next)
            continue;
        listener_settings_unref(&settings);
        settings = next;
    }
    all = tls_server_certificates(settings->tls, &n);
    return all[0]->names[0];
}

static void what_has_changed_is_read(void **state)
{
    (void)state;
    assert_string_equal(look(3), "old");
    write_pem(cert_file, fresh.cert, NULL);
    write_pem(key_file, NULL, fresh.key);
    assert_string_equal(look(1), "fresh");
    assert_string_equal(w.problem, "");
}

static void half_a_pair(void **state)
{
    int kept = begin_log();

    (void)state;
    write_pem(key_file, NULL, fresh.key);
    assert_string_equal(look(40), "old");
    assert_non_null(strstr(w.problem, key_file));
    /* Tried again now and then, said once. */
    assert_int_equal(end_log(kept, "stay in use"), 1);
    write_pem(cert_file, fresh.cert, NULL);
    assert_string_equal(look(1), "fresh");
    assert_string_equal(w.problem, "");
}

static void back_to_what_it_was(void **state)
{
    char away[80];

    (void)state;
    snprintf(away, sizeof away, "%s.away", cert_file);
    assert_int_equal(rename(cert_file, away), 0);
    assert_string_equal(look(1), "old");
    assert_string_not_equal(w.problem, "");
    assert_int_equal(rename(away, cert_file), 0);
    assert_null(listener_watch_look(&w, settings));
    assert_string_equal(w.problem, "");
}

static void warnings_come_daily(void **state)
{
    static const struct {
        uint64_t hours;
        int warned;
    } rows[] = {{0, 1}, {1, 0}, {23, 0}, {24, 1}, {25, 0}, {48, 1}};
    int64_t now_s = time(NULL) + 60;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int kept = begin_log();

        listener_watch_warn(&w, settings, NS_PER_S + rows[i].hours * 3600 * NS_PER_S, now_s);
        assert_int_equal(end_log(kept, "expires in 0 hours"), rows[i].warned);
    }
    {
        int kept = begin_log();

        memset(&w, 0, sizeof w);
        listener_watch_warn(&w, settings, NS_PER_S, now_s + 7200);
        assert_int_equal(end_log(kept, "has expired"), 1);
    }
}

static void good_ones_are_not_told_of(void **state)
{
    static const struct {
        int days, warned;
    } rows[] = {{1, 0}, {85, 0}, {87, 1}};
    int64_t now_s = time(NULL);

    (void)state;
    write_pem(cert_file, fresh.cert, NULL);
    write_pem(key_file, NULL, fresh.key);
    look(1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int kept = begin_log();

        memset(&w, 0, sizeof w);
        listener_watch_warn(&w, settings, NS_PER_S, now_s + rows[i].days * 24 * 3600);
        assert_int_equal(end_log(kept, "expires in"), rows[i].warned);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(what_has_changed_is_read),  T(half_a_pair),
        T(back_to_what_it_was),       T(warnings_come_daily),
        T(good_ones_are_not_told_of),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
