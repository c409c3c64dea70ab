/* SPDX-License-Identifier: Apache-2.0 */
/* Operations by hand, with what they leave in the journal, the histories and the log. */
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "snapshot/operate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S(n) ((uint64_t)(n)*NS_PER_S)

enum { INSTANCES = 3 };

static struct registry *reg;
static struct service_state *orders;
static struct instance_state *instances[INSTANCES];
static uint64_t now;
static struct rng rng = {1};

static int begin(void **state)
{
    static const char *const ids[INSTANCES] = {"orders-1", "orders-2", "orders-3"};
    struct service_conf conf = {
        .breaker = {.enabled = true,
                    .failure_rate = 50,
                    .minimum_requests = 4,
                    .half_open_requests = 1,
                    .window_ms = 10000,
                    .open_for_ms = 60000,
                    .max_open_ms = 60000},
        .outlier = {.enabled = true,
                    .consecutive_failures = 3,
                    .max_ejected = 100,
                    .window_ms = 10000,
                    .base_ejection_ms = 60000,
                    .max_ejection_ms = 60000},
    };

    (void)state;
    log_set_level(LOG_ERROR);
    now = clock_now_ns();
    reg = registry_new(1);
    orders = registry_service(reg, "orders");
    registry_configure(orders, &conf);
    for (int i = 0; i < INSTANCES; i++) {
        struct instance in = {.node = "n1", .id = ids[i], .address = "10.0.0.5"};
        in.port = (uint16_t)(8080 + i);
        instances[i] = registry_instance(reg, orders, &in);
        instances[i]->usable = true;
        atomic_store(&instances[i]->present, true);
    }
    outlier_group_resize(&orders->outliers, INSTANCES, now);
    return 0;
}

static int end(void **state)
{
    (void)state;
    registry_free(reg);
    return 0;
}

static struct breaker_info breaker_at(uint64_t at)
{
    struct breaker_info info;

    breaker_info(orders->breaker, at, &info);
    return info;
}

static enum outlier_state instance_at(int i, uint64_t at)
{
    struct outlier_info info;

    outlier_info(&instances[i]->outlier, at, &info);
    return info.state;
}

static struct transition newest(struct history *h)
{
    struct transition t;

    assert_int_equal(history_copy(h, &t, 1), 1);
    return t;
}

static void trip(void)
{
    for (int i = 0; i < 4; i++)
        breaker_report(orders->breaker, breaker_admit(orders->breaker, now), now, &rng, true, 1);
    assert_int_equal(breaker_at(now).state, BREAKER_OPEN);
}

static void words(void **state)
{
    static const char *const expected[OPERATION_COUNT] = {
        "forced_open", "forced_closed", "disabled", "shadow", "auto", "reset"};

    (void)state;
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        assert_string_equal(operation_word((enum operation)i), expected[i]);
        assert_int_equal(operation_parse(expected[i]), i);
    }
    assert_int_equal(operation_parse("open"), OPERATION_COUNT);
    assert_int_equal(operation_parse(""), OPERATION_COUNT);
}

static void a_service_is_forced_for_some_time(void **state)
{
    static const struct {
        enum operation what;
        enum breaker_state state, then;
    } rows[] = {
        {OPERATE_OPEN, BREAKER_FORCED_OPEN, BREAKER_HALF_OPEN},
        {OPERATE_CLOSE, BREAKER_FORCED_CLOSED, BREAKER_CLOSED},
        {OPERATE_DISABLE, BREAKER_DISABLED, BREAKER_CLOSED},
        {OPERATE_SHADOW, BREAKER_SHADOW, BREAKER_CLOSED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct operate_request q = {.what = rows[i].what,
                                    .ttl_ms = 5000,
                                    .author = "ada",
                                    .why = "disk of the database is full",
                                    .fleet = i == 1};
        struct transition t;

        assert_int_equal(operate_service(orders, &q, now), OPERATE_DONE);
        assert_int_equal(breaker_at(now).state, rows[i].state);
        assert_true(orders->forced.active);
        assert_int_equal(orders->forced.fleet, i == 1);
        assert_int_equal(orders->forced.until_ns, now + S(5));
        assert_int_equal(orders->forced.until_wall_ms - orders->forced.at_wall_ms, 5000);
        assert_string_equal(orders->forced.author, "ada");
        t = newest(&orders->history);
        assert_string_equal(t.to, operation_word(rows[i].what));
        assert_string_equal(t.cause, "operator");
        assert_string_equal(t.author, "ada");
        assert_string_equal(t.why, "disk of the database is full");
        assert_string_equal(t.instance, "");
        assert_int_equal(t.until_wall_ms - t.wall_ms, 5000);

        registry_tick(reg, now + S(5) - 1);
        assert_int_equal(breaker_at(now + S(5) - 1).state, rows[i].state);
        registry_tick(reg, now + S(5));
        t = newest(&orders->history);
        assert_string_equal(t.to, breaker_state_name(rows[i].then));
        assert_string_equal(t.cause, "expired");
        assert_string_equal(t.author, "ada");
        assert_string_equal(t.why, "disk of the database is full");
        assert_int_equal(t.until_wall_ms, 0);
        assert_false(orders->forced.active);
        assert_true(list_empty(&orders->ticking));

        q = (struct operate_request){.what = OPERATE_RESET};
        assert_int_equal(operate_service(orders, &q, now), OPERATE_DONE);
    }
    assert_int_equal(journal_newest(registry_journal(reg)), 3 * ARRAY_LEN(rows));
}

static void ttl(void **state)
{
    static const struct {
        enum operation what;
        uint64_t ttl_ms;
        enum operate_result result;
        uint64_t until_s; /* 0 = nothing is forced */
    } rows[] = {
        {OPERATE_OPEN, 0, OPERATE_DONE, 600},
        {OPERATE_OPEN, OPERATE_TTL_MAX_MS, OPERATE_DONE, 7 * 24 * 3600},
        {OPERATE_OPEN, OPERATE_TTL_MAX_MS + 1, OPERATE_TTL_TOO_LONG, 0},
        {OPERATE_CLOSE, UINT64_MAX, OPERATE_TTL_TOO_LONG, 0},
        {OPERATE_AUTO, UINT64_MAX, OPERATE_DONE, 0}, /* has no meaning there */
        {OPERATE_RESET, UINT64_MAX, OPERATE_DONE, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct operate_request q = {.what = rows[i].what, .ttl_ms = rows[i].ttl_ms};
        struct operate_request back = {.what = OPERATE_RESET};
        uint64_t until = rows[i].until_s ? now + S(rows[i].until_s) : 0;
        struct outlier_info info;

        assert_int_equal(operate_service(orders, &q, now), rows[i].result);
        assert_int_equal(breaker_at(now).forced_until_ns, until);
        assert_int_equal(operate_instance(instances[0], &q, now), rows[i].result);
        outlier_info(&instances[0]->outlier, now, &info);
        assert_int_equal(info.until_ns, until);
        operate_service(orders, &back, now);
    }
}

static void taken_back(void **state)
{
    struct operate_request force = {.what = OPERATE_OPEN, .author = "ada", .why = "leak"};
    struct operate_request back = {.what = OPERATE_AUTO, .author = "bob", .why = "mended"};
    struct transition t;

    (void)state;
    assert_int_equal(operate_service(orders, &back, now), OPERATE_DONE);
    assert_int_equal(journal_newest(orders->journal), 0); /* nothing to take back */
    operate_service(orders, &force, now);
    assert_int_equal(operate_service(orders, &back, now + S(1)), OPERATE_DONE);
    t = newest(&orders->history);
    assert_string_equal(t.from, "forced_open");
    assert_string_equal(t.to, "half_open");
    assert_string_equal(t.cause, "operator");
    assert_string_equal(t.author, "bob");
    assert_string_equal(t.why, "mended");
    assert_false(orders->forced.active);
    registry_tick(reg, now + S(1000));
    assert_int_equal(journal_newest(orders->journal), 2);
    assert_true(list_empty(&orders->ticking));
}

/* Who forced it last is who signs. */
static void a_new_word_replaces_the_one_before(void **state)
{
    struct operate_request one = {.what = OPERATE_OPEN, .ttl_ms = 1000, .author = "ada"};
    struct operate_request two = {.what = OPERATE_CLOSE, .ttl_ms = 9000, .author = "bob"};

    (void)state;
    operate_service(orders, &one, now);
    operate_service(orders, &two, now);
    registry_tick(reg, now + S(5));
    assert_int_equal(breaker_at(now + S(5)).state, BREAKER_FORCED_CLOSED);
    assert_true(orders->forced.active);
    registry_tick(reg, now + S(9));
    assert_string_equal(newest(&orders->history).author, "bob");
    assert_string_equal(newest(&orders->history).from, "forced_closed");
}

/* A worker that comes by ends it too; the tick has nothing left to tell then. */
static void a_request_may_end_it(void **state)
{
    struct operate_request q = {.what = OPERATE_OPEN, .ttl_ms = 1000, .author = "ada"};

    (void)state;
    operate_service(orders, &q, now);
    assert_true(breaker_admit(orders->breaker, now + S(1)).probe);
    assert_string_equal(newest(&orders->history).cause, "expired");
    assert_string_equal(newest(&orders->history).author, "ada");
    assert_false(orders->forced.active);
    registry_tick(reg, now + S(2));
    assert_int_equal(journal_newest(orders->journal), 2);
    assert_true(list_empty(&orders->ticking));
}

static void machine_transitions_have_no_author(void **state)
{
    struct operate_request q = {.what = OPERATE_SHADOW, .author = "ada"};
    struct transition t;

    (void)state;
    operate_service(orders, &q, now);
    for (int i = 0; i < 4; i++)
        breaker_report(orders->breaker, breaker_admit(orders->breaker, now), now, &rng, true, 1);
    t = newest(&orders->history);
    assert_true(t.shadow);
    assert_string_equal(t.from, "closed");
    assert_string_equal(t.to, "open");
    assert_string_equal(t.author, "");
}

static void an_instance_is_held(void **state)
{
    static const struct {
        enum operation what;
        enum outlier_state state, then;
    } rows[] = {
        {OPERATE_OPEN, OUTLIER_HELD_OUT, OUTLIER_ON_PROBATION},
        {OPERATE_CLOSE, OUTLIER_HELD_IN, OUTLIER_IN_ROTATION},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct operate_request q = {
            .what = rows[i].what, .ttl_ms = 5000, .author = "ada", .why = "noisy"};
        struct instance_state *in = instances[i];
        struct transition t, same;

        assert_int_equal(operate_instance(in, &q, now), OPERATE_DONE);
        assert_int_equal(instance_at((int)i, now), rows[i].state);
        assert_true(in->forced.active);
        t = newest(&in->history);
        same = newest(&orders->history);
        assert_int_equal(t.id, same.id);
        assert_string_equal(t.service, "orders");
        assert_string_equal(t.instance, in->id);
        assert_string_equal(t.from, "closed");
        assert_string_equal(t.to, operation_word(rows[i].what));
        assert_string_equal(t.cause, "operator");
        assert_string_equal(t.author, "ada");
        assert_string_equal(t.why, "noisy");
        assert_int_equal(t.until_wall_ms - t.wall_ms, 5000);

        registry_tick(reg, now + S(5) - 1);
        assert_int_equal(journal_newest(orders->journal), 2 * i + 1);
        registry_tick(reg, now + S(5));
        t = newest(&in->history);
        assert_string_equal(t.from, operation_word(rows[i].what));
        assert_string_equal(t.to, outlier_state_name(rows[i].then));
        assert_string_equal(t.cause, "expired");
        assert_string_equal(t.author, "ada");
        assert_false(in->forced.active);
        assert_true(list_empty(&in->ticking));
    }
}

static void what_is_refused_for_instances(void **state)
{
    static const struct {
        const char *name;
        struct operate_request q;
        bool usable, present;
        enum operate_result result;
    } rows[] = {
        {"disabled", {.what = OPERATE_DISABLE}, true, true, OPERATE_NOT_FOR_INSTANCES},
        {"shadow", {.what = OPERATE_SHADOW}, true, true, OPERATE_NOT_FOR_INSTANCES},
        {"the last one", {.what = OPERATE_OPEN}, true, true, OPERATE_LAST_INSTANCE},
        {"is not in rotation", {.what = OPERATE_OPEN}, false, true, OPERATE_DONE},
        {"is gone", {.what = OPERATE_OPEN}, true, false, OPERATE_DONE},
        {"even the last one", {.what = OPERATE_OPEN, .even_last = true}, true, true, OPERATE_DONE},
        {"kept in", {.what = OPERATE_CLOSE}, true, true, OPERATE_DONE},
    };
    struct operate_request out = {.what = OPERATE_OPEN};

    (void)state;
    operate_instance(instances[0], &out, now);
    operate_instance(instances[1], &out, now);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct operate_request back = {.what = OPERATE_AUTO};
        uint64_t told = journal_newest(orders->journal);

        instances[2]->usable = rows[i].usable;
        atomic_store(&instances[2]->present, rows[i].present);
        if (operate_instance(instances[2], &rows[i].q, now) != rows[i].result)
            fail_msg("%s", rows[i].name);
        if (rows[i].result != OPERATE_DONE) {
            assert_int_equal(journal_newest(orders->journal), told);
            assert_false(instances[2]->forced.active);
        }
        operate_instance(instances[2], &back, now);
    }
}

static void an_instance_is_restored(void **state)
{
    struct operate_request back = {.what = OPERATE_AUTO, .author = "ada"};
    struct instance_state *i = instances[0];
    struct transition t;

    (void)state;
    assert_int_equal(operate_instance(i, &back, now), OPERATE_DONE);
    assert_int_equal(journal_newest(orders->journal), 0); /* in rotation already */
    for (int k = 0; k < 3; k++)
        registry_tell_instance(i, outlier_report(&i->outlier, now, &rng, false, true),
                               REASON_CONNECT_FAILED, now);
    t = newest(&i->history);
    assert_string_equal(t.from, "closed");
    assert_string_equal(t.to, "open");
    assert_string_equal(t.cause, "consecutive_failures");
    assert_int_equal(t.failed, 3);
    assert_int_equal(t.window_ms, 0);
    assert_in_range(t.until_wall_ms, t.wall_ms + 60000, t.wall_ms + 66000);
    assert_string_equal(t.author, "");

    operate_instance(i, &back, now + S(1));
    t = newest(&i->history);
    assert_string_equal(t.from, "open");
    assert_string_equal(t.to, "closed");
    assert_string_equal(t.cause, "operator");
    assert_string_equal(t.author, "ada");
    assert_int_equal(journal_newest(orders->journal), 2);
}

static void the_detector_is_told_of(void **state)
{
    struct instance_state *i = instances[0];
    uint64_t until;
    bool lost;

    (void)state;
    registry_tell_instance(i, OUTLIER_NOTHING, REASON_NONE, now);
    assert_int_equal(journal_newest(orders->journal), 0);
    for (int k = 0; k < 3; k++)
        outlier_report(&i->outlier, now, &rng, false, true);
    until = atomic_load(&i->load.ejected_until_ns);
    assert_true(outlier_begin(&i->outlier, until, &lost));
    registry_tell_instance(i, outlier_report(&i->outlier, until, &rng, true, true),
                           REASON_UPSTREAM_TIMEOUT, until);
    assert_string_equal(newest(&i->history).from, "half_open");
    assert_string_equal(newest(&i->history).cause, "probation_failed");
    until = atomic_load(&i->load.ejected_until_ns);
    assert_true(outlier_begin(&i->outlier, until, &lost));
    registry_tell_instance(i, outlier_report(&i->outlier, until, &rng, true, false), REASON_NONE,
                           until);
    assert_string_equal(newest(&i->history).from, "half_open");
    assert_string_equal(newest(&i->history).to, "closed");
    assert_string_equal(newest(&orders->history).cause, "probes_passed");
}

static void reset_of_a_service_resets_its_instances(void **state)
{
    struct operate_request force = {.what = OPERATE_OPEN}, reset = {.what = OPERATE_RESET};
    uint64_t told;

    (void)state;
    reset.author = "ada";
    trip();
    for (int k = 0; k < 3; k++)
        outlier_report(&instances[0]->outlier, now, &rng, false, true);
    operate_instance(instances[1], &force, now);
    told = journal_newest(orders->journal);
    assert_int_equal(operate_service(orders, &reset, now), OPERATE_DONE);
    assert_int_equal(breaker_at(now).state, BREAKER_CLOSED);
    assert_int_equal(breaker_at(now).trips_in_a_row, 0);
    for (int i = 0; i < INSTANCES; i++)
        assert_int_equal(instance_at(i, now), OUTLIER_IN_ROTATION);
    assert_int_equal(journal_newest(orders->journal), told + 3); /* and two that were out */
    assert_string_equal(newest(&instances[0]->history).author, "ada");
    assert_false(instances[1]->forced.active);
    registry_tick(reg, now + S(1000));
    assert_int_equal(journal_newest(orders->journal), told + 3);
    assert_true(list_empty(&instances[1]->ticking));
}

static void held_instances_are_not_swept(void **state)
{
    struct operate_request q = {.what = OPERATE_OPEN, .ttl_ms = 2 * 3600 * 1000};

    (void)state;
    operate_instance(instances[0], &q, now);
    atomic_store(&instances[0]->present, false);
    registry_sweep(reg, now);
    registry_sweep(reg, now + S(700));
    assert_int_equal(instance_at(0, now + S(700)), OUTLIER_HELD_OUT);
    registry_tick(reg, now + S(7200));
    registry_sweep(reg, now + S(7200));
    registry_sweep(reg, now + S(7200 + 700));
    assert_null(registry_find(reg, "none"));
    struct instance in = {.node = "n1", .id = "new", .address = "10.0.0.5", .port = 1};
    assert_int_equal(registry_instance(reg, orders, &in)->slot, 0); /* its slot was free */
}

/* What the operator's log says of one operation: standard error goes to a file meanwhile. */
static size_t logged(const struct operate_request *q, struct instance_state *i, char *buf,
                     size_t size)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    log_set_level(LOG_INFO);
    if (i)
        operate_instance(i, q, now);
    else
        operate_service(orders, q, now);
    log_set_level(LOG_ERROR);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = pread(fileno(file), buf, size - 1, 0);
    fclose(file);
    assert_true(n > 0);
    buf[n] = '\0';
    return (size_t)n;
}

static void has(const char *line, const char *part)
{
    if (!strstr(line, part))
        fail_msg("\"%s\" is not in: %s", part, line);
}

static void one_line_says_it_all(void **state)
{
    struct operate_request q = {.what = OPERATE_OPEN, .ttl_ms = 5000, .author = "ada"};
    char line[4096];
    size_t n;

    (void)state;
    q.why = "first\nsecond\r\x1b[31m \x7f";
    n = logged(&q, NULL, line, sizeof line);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    assert_null(strpbrk(line, "\r\x1b\x7f"));
    has(line, "warn circuit: service orders: breaker closed -> forced_open: operator");
    has(line, "until 20");
    has(line, "by ada: first?second");

    n = logged(&q, instances[0], line, sizeof line);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    has(line, "warn circuit: service orders: instance n1/orders-1/10.0.0.5:8080 closed -> "
              "forced_open: operator");
    q = (struct operate_request){.what = OPERATE_AUTO};
    logged(&q, instances[0], line, sizeof line);
    has(line, "info circuit: service orders: instance n1/orders-1/10.0.0.5:8080 forced_open -> "
              "closed: operator");
    assert_null(strstr(line, "by "));
}

static void long_text_is_cut_between_characters(void **state)
{
    char author[3 * AUTHOR_MAX], why[3 * WHY_MAX];
    struct operate_request q = {.what = OPERATE_OPEN, .author = author, .why = why};

    (void)state;
    memset(author, 'a', sizeof author - 1);
    author[sizeof author - 1] = '\0';
    memcpy(author + AUTHOR_MAX - 2, "\xc3\xa9", 2); /* its second byte has no room */
    memset(why, 'w', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    operate_service(orders, &q, now);
    assert_int_equal(strlen(orders->forced.author), AUTHOR_MAX - 2);
    assert_int_equal(strlen(newest(&orders->history).why), WHY_MAX - 1);
    q.author = q.why = NULL;
    operate_service(orders, &q, now);
    assert_string_equal(orders->forced.author, "");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        T(words),
        T(a_service_is_forced_for_some_time),
        T(ttl),
        T(taken_back),
        T(a_new_word_replaces_the_one_before),
        T(a_request_may_end_it),
        T(machine_transitions_have_no_author),
        T(an_instance_is_held),
        T(what_is_refused_for_instances),
        T(an_instance_is_restored),
        T(the_detector_is_told_of),
        T(reset_of_a_service_resets_its_instances),
        T(held_instances_are_not_swept),
        T(one_line_says_it_all),
        T(long_text_is_cut_between_characters),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
