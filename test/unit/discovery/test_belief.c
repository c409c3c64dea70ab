/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/rng.h"
#include "discovery/belief.h"
#include "discovery/host.h"
#include "discovery/instances.h"

#include <ctype.h>
#include <string.h>

static const uint64_t t0 = 1000 * NS_PER_S;
static struct belief_world world;
static struct belief b;
static struct instance_set *told;

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.options = (struct belief_options){.guard = {2000, 50, 20}, .damping_ms = 3000};
    guard_all_init(&world.all);
    world.all.known = 1000; /* many other services */
    belief_init(&b, &world);
    return 0;
}

static int end(void **state)
{
    (void)state;
    belief_release(&b);
    instance_set_unref(&told);
    return 0;
}

/* Letters are instances: in upper case critical. Those up to f are on node n1, the others on n2. */
static struct instance_set *answer(const char *ids)
{
    struct arena *a = arena_new();
    unsigned n = (unsigned)strlen(ids);
    struct instance *items = ARENA_ARRAY(a, struct instance, n);

    for (unsigned i = 0; i < n; i++) {
        char id[2] = {(char)tolower(ids[i]), '\0'};

        items[i] = (struct instance){.node = id[0] <= 'f' ? "n1" : "n2",
                                     .id = arena_strdup(a, id),
                                     .address = "10.0.0.1",
                                     .port = 80,
                                     .check = isupper(ids[i]) ? "disk" : "",
                                     .health = isupper(ids[i]) ? HEALTH_CRITICAL : HEALTH_PASSING,
                                     .zone = "",
                                     .datacenter = "",
                                     .weight = 1};
        assert_true(host_literal("10.0.0.1", 80, &items[i].sockaddr, &items[i].sockaddr_len));
    }
    n = instances_sort(items, n);
    return instance_set_new(a, "web", items, n);
}

static void judge(uint64_t now)
{
    struct instance_set *s = belief_judge(&b, told, now);

    belief_tidy(&b, now);
    instance_set_unref(&told);
    told = s;
}

static void hear(const char *ids, bool complete, uint64_t asked_ns, uint64_t now)
{
    belief_hear(&b, answer(ids), complete, asked_ns, now);
    judge(now);
}

/* Usable ones in lower case, the others in upper case. */
static void expect(const char *what, const char *ids)
{
    char found[32] = "";
    struct instance_set *want = answer(ids);

    for (unsigned i = 0; i < told->n; i++)
        found[i] = (char)(instance_usable(&told->items[i]) ? told->items[i].id[0]
                                                           : toupper(told->items[i].id[0]));
    for (unsigned i = 0; i < want->n; i++) {
        char c = want->items[i].id[0];

        c = (char)(want->items[i].health == HEALTH_PASSING ? c : toupper(c));
        if (told->n != want->n || found[i] != c)
            fail_msg("%s: expected %s, found %s", what, ids, found);
    }
    assert_int_equal(told->n, want->n);
    instance_set_unref(&want);
}

/* A blocking answer that is complete; a read that did not block. */
static void woken(const char *ids, uint64_t now)
{
    hear(ids, true, 0, now);
}

static void fresh(const char *ids, uint64_t now)
{
    hear(ids, true, now, now + NS_PER_MS);
}

static void small_changes_are_believed_at_once(void **state)
{
    static const struct {
        const char *name, *before, *after;
    } rows[] = {
        {"one more", "abc", "abcd"},
        {"one less", "abc", "ab"},
        {"one critical", "abc", "abC"},
        {"all critical", "abcdefgh", "ABCDEFGH"},
        {"half of them", "abcdefgh", "abcd"},
        {"all are replaced", "abcdef", "ghijkl"},
        {"a critical one leaves", "aB", "a"},
        {"one leaves, the others are critical", "abcdefgh", "ABCDEFG"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        begin(state);
        woken(rows[i].before, t0);
        woken(rows[i].after, t0 + NS_PER_S);
        expect(rows[i].name, rows[i].after);
        assert_int_equal(b.held, 0);
        assert_false(b.unheeded);
        end(state);
    }
    begin(state);
}

static void large_loss_waits_for_the_second_read(void **state)
{
    (void)state;
    woken("abcdefghij", t0);
    woken("ab", t0 + NS_PER_S);
    expect("first", "abcdefghij");
    assert_int_equal(b.held, 8);
    assert_int_equal(b.why, BELIEF_CONFIRMING);
    assert_int_equal(b.held_since_ns, t0 + NS_PER_S);
    assert_int_equal(b.read_again_ns, t0 + 3 * NS_PER_S);
    assert_true(b.unheeded);
    for (unsigned i = 0; i < told->n; i++)
        assert_int_equal(told->items[i].doubt, i < 2 ? DOUBT_NONE : DOUBT_HELD);
    /* Too soon; and a wait that ended by time proves nothing. */
    fresh("ab", t0 + 2 * NS_PER_S);
    expect("too soon", "abcdefghij");
    woken("ab", t0 + 4 * NS_PER_S);
    expect("blocking", "abcdefghij");
    fresh("ab", t0 + 4 * NS_PER_S);
    expect("confirmed", "ab");
    assert_int_equal(b.held, 0);
    assert_false(b.unheeded);
    assert_int_equal(b.held_since_ns, 0);
}

static void loss_that_is_taken_back_leaves_nothing(void **state)
{
    (void)state;
    woken("abcdefghij", t0);
    woken("ab", t0 + NS_PER_S);
    woken("abcdefg", t0 + 2 * NS_PER_S); /* less than half is missing now: still not believed */
    expect("halfway back", "abcdefghij");
    assert_int_equal(b.held, 3);
    woken("abcdefghij", t0 + 3 * NS_PER_S);
    expect("back", "abcdefghij");
    assert_int_equal(b.held, 0);
    /* Missing again: the time begins anew. */
    woken("ab", t0 + 4 * NS_PER_S);
    fresh("ab", t0 + 5 * NS_PER_S);
    expect("again", "abcdefghij");
}

static void each_instance_has_its_own_time(void **state)
{
    (void)state;
    woken("abcdefghij", t0);
    woken("abcd", t0 + NS_PER_S);
    woken("ab", t0 + 2500 * NS_PER_MS);
    fresh("ab", t0 + 3 * NS_PER_S);
    expect("those of the first answer", "abcd");
    fresh("ab", t0 + 4500 * NS_PER_MS);
    expect("the others", "ab");
}

static void kept_ones_do_not_hide_what_is_said_of_others(void **state)
{
    (void)state;
    woken("abcdefghij", t0);
    woken("ab", t0 + NS_PER_S);
    woken("aBk", t0 + 2 * NS_PER_S);
    expect("critical and new", "aBcdefghijk");
}

static void incomplete_answers_only_add(void **state)
{
    (void)state;
    woken("abc", t0);
    hear("aBd", false, t0 + 9 * NS_PER_S, t0 + 9 * NS_PER_S);
    expect("old or partial", "abcd");
    assert_int_equal(b.why, BELIEF_STALE);
    assert_true(b.unheeded);
    hear("abcd", false, 0, t0 + 10 * NS_PER_S);
    assert_false(b.unheeded);
    woken("aBd", t0 + 11 * NS_PER_S);
    expect("complete", "aBd");
}

static void first_answer_is_taken_as_it_is(void **state)
{
    (void)state;
    hear("aB", false, 0, t0);
    expect("first", "aB");
    assert_false(b.unheeded);
}

static void rights_are_asked_for(void **state)
{
    (void)state;
    world.options.ask_rights = true;
    woken("ab", t0);
    woken("", t0 + NS_PER_S);
    assert_int_equal(b.why, BELIEF_CONFIRMING);
    fresh("", t0 + 4 * NS_PER_S);
    expect("not asked", "ab");
    assert_int_equal(b.why, BELIEF_ASKING);
    belief_set_rights(&b, RIGHTS_MISSING, t0 + 5 * NS_PER_S);
    fresh("", t0 + 6 * NS_PER_S);
    expect("missing", "ab");
    assert_int_equal(b.why, BELIEF_NO_RIGHTS);
    assert_int_not_equal(b.read_again_ns, 0);
    /* What was read before the rights were there proves nothing. */
    belief_set_rights(&b, RIGHTS_GIVEN, t0 + 7 * NS_PER_S);
    judge(t0 + 8 * NS_PER_S);
    expect("given, but read before", "ab");
    fresh("", t0 + 9 * NS_PER_S);
    expect("read since", "");
    /* For the next loss they are asked for anew. */
    woken("ab", t0 + 10 * NS_PER_S);
    woken("", t0 + 11 * NS_PER_S);
    fresh("", t0 + 14 * NS_PER_S);
    expect("the next one", "ab");
}

static void operator_says_that_it_is_true(void **state)
{
    (void)state;
    world.options.ask_rights = true;
    woken("abcdef", t0);
    woken("a", t0 + NS_PER_S);
    belief_accept(&b);
    judge(t0 + NS_PER_S);
    expect("accepted", "a");
    assert_int_equal(b.held, 0);
    /* That was for this loss. */
    woken("", t0 + 2 * NS_PER_S);
    expect("the next one", "a");
}

static void accepting_an_incomplete_answer(void **state)
{
    (void)state;
    woken("abc", t0);
    hear("B", false, 0, t0 + NS_PER_S);
    belief_accept(&b);
    judge(t0 + NS_PER_S);
    expect("accepted", "B");
}

static void restarted_agent_is_not_believed_about_its_node(void **state)
{
    (void)state;
    woken("abgh", t0);
    strcpy(world.agent_node, "n1");
    world.agent_until_ns = t0 + 15 * NS_PER_S;
    woken("AGh", t0 + NS_PER_S); /* b is missing, a and g are critical */
    expect("held", "abGh");
    assert_int_equal(b.held, 2);
    assert_int_equal(b.why, BELIEF_RESTARTED);
    assert_int_equal(b.judge_again_ns, world.agent_until_ns);
    assert_int_equal(b.read_again_ns, world.agent_until_ns);
    woken("abGh", t0 + 2 * NS_PER_S);
    expect("passed again", "abGh");
    woken("Agh", t0 + 3 * NS_PER_S);
    judge(world.agent_until_ns);
    expect("its time is over", "Agh");
    assert_int_equal(b.judge_again_ns, 0);
}

static void maintenance_is_obeyed_whoever_says_it(void **state)
{
    struct instance_set *s = answer("ab");

    (void)state;
    woken("ab", t0);
    strcpy(world.agent_node, "n1");
    world.agent_until_ns = t0 + 15 * NS_PER_S;
    ((struct instance *)s->items)[0].health = HEALTH_MAINTENANCE;
    belief_hear(&b, s, true, 0, t0 + NS_PER_S);
    judge(t0 + NS_PER_S);
    assert_false(instance_usable(&told->items[0]));
}

static uint64_t flap(const char *bad, const char *good, unsigned n)
{
    uint64_t now = t0;

    woken(good, now);
    for (unsigned i = 0; i < n; i++) {
        woken(bad, now += NS_PER_S);
        woken(good, now += NS_PER_S);
    }
    return now;
}

static void flapping_instance_is_damped(void **state)
{
    uint64_t now;

    (void)state;
    flap("Ab", "ab", 3);
    expect("three times", "ab");
    end(state);
    begin(state);
    now = flap("Ab", "ab", 4);
    expect("four times", "Ab");
    assert_int_equal(told->items[0].doubt, DOUBT_DAMPED);
    assert_int_equal(b.damped, 1);
    assert_false(b.unheeded);
    assert_int_equal(b.judge_again_ns, now + 3 * NS_PER_S);
    woken("abc", now + 2 * NS_PER_S); /* news of another one are none of this one */
    expect("another one", "Abc");
    judge(now + 3 * NS_PER_S);
    expect("well for long enough", "abc");
    assert_int_equal(told->items[0].doubt, DOUBT_NONE);
    assert_int_equal(b.damped, 0);
}

static void flapping_instances_are_better_than_none(void **state)
{
    (void)state;
    flap("AB", "ab", 4);
    expect("both", "ab");
    assert_int_equal(b.damped, 0);
    end(state);
    begin(state);
    flap("Ab", "aB", 4); /* in turns */
    expect("the only well one", "aB");
}

static void traces_end(void **state)
{
    (void)state;
    flap("Ab", "ab", 4);
    assert_non_null(b.traces);
    woken("abc", t0 + 200 * NS_PER_S);
    assert_null(b.traces);
    woken("a", t0 + 201 * NS_PER_S);
    assert_null(b.traces);
}

/* A random Consul against the rules, in the words of the rules. */
enum { IDS = 20, STEPS = 40000 };

struct model {
    bool listed[IDS], critical[IDS];
    uint64_t missing_ns[IDS]; /* in all complete answers since; 0 = not */
    uint64_t given_ns;        /* rights; 0 = not given */
    uint64_t now;
    struct rng rng;
};

static unsigned below(struct model *m, unsigned n)
{
    return rng_below(&m->rng, n);
}

/* Consul's catalog changes: little, or much. */
static void happen(struct model *m)
{
    unsigned kind = below(m, 10), first = below(m, IDS), n = kind == 0 ? below(m, IDS) : 1;

    for (unsigned i = 0; i < n; i++) {
        unsigned id = (first + i) % IDS;

        if (kind <= 3)
            m->listed[id] = false;
        else if (kind <= 7)
            m->listed[id] = true;
        else
            m->critical[id] = !m->critical[id];
    }
    if (kind == 9 && below(m, 10) == 0)
        for (unsigned i = 0; i < IDS; i++)
            m->listed[i] = below(m, 8) != 0;
}

static void published(bool usable[IDS])
{
    memset(usable, 0, IDS * sizeof *usable);
    for (unsigned i = 0; told && i < told->n; i++)
        usable[told->items[i].id[0] - 'a'] = instance_usable(&told->items[i]);
}

static void check_step(const struct model *m, const bool before[IDS], bool complete,
                       uint64_t asked_ns, bool held_before)
{
    bool after[IDS];
    bool rights = m->given_ns != 0 && asked_ns >= m->given_ns;
    unsigned usable = 0, unripe = 0, listed = 0, left = 0;

    published(after);
    for (unsigned i = 0; i < IDS; i++) {
        bool ripe = m->missing_ns[i] && asked_ns >= m->missing_ns[i] + 2 * NS_PER_S && rights;
        bool said = m->listed[i] && !m->critical[i];

        listed += said;
        if (complete && m->listed[i])
            assert_int_equal(after[i], said);
        if (!complete && before[i])
            assert_true(after[i]);
        if (complete && !m->listed[i] && ripe)
            assert_false(after[i]); /* what is confirmed is published */
        usable += before[i] && !ripe;
        unripe += before[i] && !m->listed[i] && !ripe;
        left += before[i] && !after[i] && !m->listed[i] && !ripe;
    }
    if (left == 0)
        return;
    /* All that is unconfirmed leaves together or not at all; and only a small loss does. */
    assert_int_equal(left, unripe);
    assert_false(held_before);
    assert_false(listed == 0 && left == usable);
    if (left > GUARD_FEW && listed + GUARD_FEW < usable && (usable - listed) * 100 > 50 * usable)
        assert_true(left * 100 <= 50 * usable);
}

static void step(struct model *m)
{
    char ids[IDS + 1] = "";
    bool before[IDS], complete = below(m, 10) != 0, was_held = b.why >= BELIEF_CONFIRMING;
    uint64_t asked_ns;
    unsigned n = 0;

    for (unsigned i = below(m, 3); i > 0; i--)
        happen(m);
    m->now += (1 + below(m, 1500)) * NS_PER_MS;
    asked_ns = below(m, 3) == 0 ? m->now - below(m, 2) * NS_PER_MS : 0;
    if (below(m, 4) == 0 && b.held > 0) {
        m->given_ns = below(m, 4) ? m->now : 0;
        belief_set_rights(&b, m->given_ns ? RIGHTS_GIVEN : RIGHTS_MISSING, m->now);
    }
    for (unsigned i = 0; i < IDS; i++) {
        if (m->listed[i])
            ids[n++] = (char)(m->critical[i] ? 'A' + (int)i : 'a' + (int)i);
        if (m->listed[i])
            m->missing_ns[i] = 0;
    }
    published(before);
    for (unsigned i = 0; i < IDS; i++)
        if (complete && before[i] && !m->listed[i] && m->missing_ns[i] == 0)
            m->missing_ns[i] = m->now;
    hear(ids, complete, asked_ns, m->now);
    check_step(m, before, complete, asked_ns, was_held);
    if (b.held == 0) {
        m->given_ns = 0;
        memset(m->missing_ns, 0, sizeof m->missing_ns);
    }
}

static void random_answers_keep_the_rules(void **state)
{
    static struct model m;
    unsigned holds = 0;

    for (unsigned seed = 1; seed <= 4; seed++) {
        memset(&m, 0, sizeof m);
        m.rng.state = seed;
        m.now = t0;
        world.options.damping_ms = 0;
        world.options.ask_rights = true;
        for (unsigned i = 0; i < STEPS / 4; i++) {
            bool held = b.held > 0;

            step(&m);
            holds += !held && b.held > 0;
        }
        end(state);
        begin(state);
    }
    assert_in_range(holds, 50, STEPS);
}

/* Whatever has happened: when nothing happens any more, all that Consul says is believed within a
 * few seconds. */
static void quiet_consul_is_believed(void **state)
{
    static struct model m;

    world.options.ask_rights = true;
    for (unsigned round = 0; round < 200; round++) {
        char ids[IDS + 1] = "";
        unsigned n = 0;

        m.rng.state = round + 1;
        m.now = m.now ? m.now : t0;
        for (unsigned i = 0; i < 30; i++)
            step(&m);
        for (unsigned i = 0; i < IDS; i++)
            if (m.listed[i])
                ids[n++] = (char)(m.critical[i] ? 'A' + (int)i : 'a' + (int)i);
        woken(ids, m.now += 20 * NS_PER_S);
        belief_set_rights(&b, RIGHTS_GIVEN, m.now);
        fresh(ids, m.now += 2 * NS_PER_S);
        m.now += 5 * NS_PER_S;
        judge(m.now);
        assert_int_equal(b.held, 0);
        assert_int_equal(told->n, n);
        memset(m.missing_ns, 0, sizeof m.missing_ns);
        m.given_ns = 0;
    }
    (void)state;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(small_changes_are_believed_at_once),
        CASE(large_loss_waits_for_the_second_read),
        CASE(loss_that_is_taken_back_leaves_nothing),
        CASE(each_instance_has_its_own_time),
        CASE(kept_ones_do_not_hide_what_is_said_of_others),
        CASE(incomplete_answers_only_add),
        CASE(first_answer_is_taken_as_it_is),
        CASE(rights_are_asked_for),
        CASE(operator_says_that_it_is_true),
        CASE(accepting_an_incomplete_answer),
        CASE(restarted_agent_is_not_believed_about_its_node),
        CASE(maintenance_is_obeyed_whoever_says_it),
        CASE(flapping_instance_is_damped),
        CASE(flapping_instances_are_better_than_none),
        CASE(traces_end),
        CASE(random_answers_keep_the_rules),
        CASE(quiet_consul_is_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
