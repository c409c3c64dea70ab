/* SPDX-License-Identifier: Apache-2.0 */
#include "config_command.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/diff.h"
#include "config/kv_plan.h"
#include "config/value.h"
#include "config_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: frontdesk config push -c DIR [--base DIR] [--prefix PREFIX] [--dry-run]\n"
    "       frontdesk config diff -c DIR [--base DIR] [--prefix PREFIX]\n"
    "       frontdesk config pull -c DIR [--base DIR] [--prefix PREFIX]\n"
    "\n"
    "  push   make the keys below the prefix the same as the *.yaml and *.json files of DIR: all "
    "of\n"
    "         them are checked together first, and take effect together\n"
    "  diff   what a push would change; exit status 0 nothing, 1 something, 2 it cannot be said\n"
    "  pull   write what is there into DIR, which must hold no such files yet\n"
    "\n"
    "  -c, --config DIR      the files\n"
    "      --base DIR        the folder of a gateway: its files are checked beside those of -c, "
    "and\n"
    "                        say where Consul is and what the prefix is\n"
    "      --prefix PREFIX   keys of Consul's KV store (consul.config_prefix of --base)\n"
    "      --dry-run         only check, and say what would be done\n"
    "  -h, --help\n"
    "\n"
    "Without a consul section, $CONSUL_HTTP_ADDR and the like say where Consul is.\n"
    "Exit status of push and pull: 0 done, 1 it could not be done, 2 wrong usage.\n";

enum { OPTION_BASE = OPTION_OWN, OPTION_PREFIX, OPTION_DRY_RUN };

/* What was asked for, and what it takes. */
struct config_order {
    const char *dir, *base, *prefix; /* as given; NULL = not */
    bool dry_run;
    struct config_documents *local; /* owned, as all below: of the base */
    struct config_documents *files; /* of the folder */
    struct config *config;          /* of the base alone */
    struct config_store *store;
    struct kv_rows *now;
    struct kv_plan *plan;
    char *slashed; /* the prefix, when it was given without its slash */
};

static void release(struct config_order *o)
{
    kv_plan_free(&o->plan);
    kv_rows_free(&o->now);
    config_store_free(o->store);
    config_unref(&o->config);
    documents_free(&o->files);
    documents_free(&o->local);
    free(o->slashed);
}

/* Without a base: Consul is where the environment says. */
static struct config_documents *no_base(void)
{
    struct config_documents *d = documents_new(1);

    d->list[d->n++] = (struct config_document){"environment", STR("consul: {}")};
    return d;
}

static int find_prefix(struct config_order *o, struct err *e)
{
    const char *prefix = o->prefix ? o->prefix : o->config->consul.config_prefix;

    if (!prefix)
        return err_set(e, "which keys? Say --prefix, or --base with the folder of a gateway whose "
                          "consul section has config_prefix");
    if (value_keys_problem(prefix))
        return err_set(e, "--prefix %s", value_keys_problem(prefix));
    o->prefix = prefix;
    if (prefix[strlen(prefix) - 1] == '/')
        return 0;
    if (asprintf(&o->slashed, "%s/", prefix) < 0)
        abort();
    o->prefix = o->slashed;
    return 0;
}

/* Reads what is there. */
static int look(struct config_order *o, struct err *e)
{
    o->local = o->base ? documents_read(o->base, false, e) : no_base();
    o->config = o->local ? config_join(o->base ? o->base : "", o->local, NULL, e) : NULL;
    if (!o->config || find_prefix(o, e) < 0)
        return -1;
    if (!o->config->consul.enabled)
        return err_set(e, "%s: there is no consul section", o->base);
    o->store = config_store_new(o->config, e);
    o->now = o->store ? config_store_read(o->store, o->prefix, e) : NULL;
    return o->now ? 0 : -1;
}

static int compare(struct config_order *o, struct err *e)
{
    o->files = documents_read(o->dir, true, e);
    if (!o->files || look(o, e) < 0)
        return -1;
    o->plan = kv_plan_new(o->now, o->files);
    return 0;
}

/* What the gateways will see. */
static int check(const struct config_order *o, struct err *e)
{
    struct config *c = config_join(o->base ? o->base : "", o->local, o->files, e);
    bool good = c != NULL;

    config_unref(&c);
    return good ? 0 : -1;
}

static void say_changes(const struct config_order *o)
{
    static const char signs[] = {'+', '~', '-'};
    struct term t = term_now();

    for (size_t i = 0; i < o->plan->n; i++) {
        printf("%c ", signs[o->plan->list[i].kind]);
        text_put(stdout, &t, o->plan->list[i].key, TEXT_ALL);
        putchar('\n');
    }
}

/* Who pushed when, for people who look at the key. */
static struct str mark_text(const struct config_order *o, bool unfinished, char *buf, size_t cap)
{
    const struct passwd *user = getpwuid(getuid());
    char when[32], host[256] = "";
    json_t *mark;
    size_t n;

    gethostname(host, sizeof host - 1);
    clock_format(clock_wall_ms(), when);
    mark = json_pack("{s:s,s:o,s:I}", "pushed", when, "by",
                     json_sprintf("%s@%s", user ? user->pw_name : "?", host), "documents",
                     (json_int_t)o->files->n);
    if (unfinished)
        json_object_set_new(mark, "unfinished", json_true());
    n = json_dumpb(mark, buf, cap, 0);
    json_decref(mark);
    return n > 0 && n <= cap ? (struct str){buf, n} : STR("{}");
}

/* The changes from..to-1. The mark is at *index, and where this has put it afterwards: all but the
 * last of several transactions say that there are more to come. */
static int write_part(struct config_order *o, size_t from, size_t to, uint64_t *index,
                      struct err *e)
{
    char buf[700], *text;
    struct kv_mark mark = {*index, mark_text(o, to < o->plan->n, buf, sizeof buf)};
    int rc = -1;

    text = kv_plan_transaction(o->plan, from, to, o->prefix, &mark, e);
    if (text)
        rc = config_store_write(o->store, text, index, e);
    free(text);
    return rc;
}

static int write_changes(struct config_order *o, struct err *e)
{
    const struct kv_change *large = kv_plan_too_large(o->plan);
    uint64_t index = o->plan->mark_index;
    size_t from = 0;

    if (large)
        return err_set(e,
                       "nothing was written: %s: %zu KiB, and a transaction of Consul holds about "
                       "370: make several files of it",
                       large->key, large->after.n >> 10);
    do {
        size_t to = kv_plan_fits(o->plan, from);

        if (write_part(o, from, to, &index, e) < 0)
            return err_prefix(e, from == 0 ? "nothing was written"
                                           : "only a part was written; gateways keep what they "
                                             "have until a push comes to its end");
        from = to;
    } while (from < o->plan->n);
    return 0;
}

static int push(struct config_order *o)
{
    struct err e;

    if (compare(o, &e) < 0 || check(o, &e) < 0)
        return command_failed("%s", e.text);
    say_changes(o);
    /* The mark makes an empty prefix one that is meant to be empty. */
    if (o->plan->n == 0 && o->plan->mark_index != 0 && !kv_rows_are_unfinished(o->now)) {
        printf("%s: %zu documents, nothing to change\n", o->prefix, o->files->n);
        return EXIT_DONE;
    }
    if (!o->dry_run && write_changes(o, &e) < 0)
        return command_failed("%s", e.text);
    printf("%s: %zu documents, %zu changes%s\n", o->prefix, o->files->n, o->plan->n,
           o->dry_run ? " to be made" : " made");
    return EXIT_DONE;
}

/* A pipe gets the text as it is, a terminal what cannot steer it. */
static void put_diff_line(void *arg, char kind, struct str line)
{
    const struct term *t = arg;
    char *text;

    if (kind != '@')
        putchar(kind);
    if (!isatty(STDOUT_FILENO)) {
        fwrite(line.p, 1, line.n, stdout);
    } else {
        text = strndup(line.p, line.n);
        text_put(stdout, t, text ? text : "", TEXT_ALL);
        free(text);
    }
    putchar('\n');
}

static void put_side(const char *sign, const char *where, const char *key, struct term *t)
{
    printf("%s ", sign);
    text_put(stdout, t, key ? where : "/dev/null", TEXT_ALL);
    if (key)
        text_put(stdout, t, key, TEXT_ALL);
    putchar('\n');
}

static void put_change(const struct config_order *o, const struct kv_change *c, struct term *t)
{
    char consul[300], folder[1100];

    snprintf(consul, sizeof consul, "consul:%s", o->prefix);
    snprintf(folder, sizeof folder, "%.1024s/", o->dir);
    put_side("---", consul, c->kind == KV_ADD ? NULL : c->key, t);
    put_side("+++", folder, c->kind == KV_REMOVE ? NULL : c->key, t);
    diff_texts(c->before, c->after, put_diff_line, t);
}

static int diff(struct config_order *o)
{
    struct term t = term_now();
    struct err e;

    if (compare(o, &e) < 0) {
        command_failed("%s", e.text);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < o->plan->n; i++)
        put_change(o, &o->plan->list[i], &t);
    return o->plan->n > 0;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);

    return n > k && strcmp(name + n - k, end) == 0;
}

static void put_path(const char *path)
{
    struct term t = term_now();

    text_put(stdout, &t, path, TEXT_ALL);
    putchar('\n');
}

static int pull_row(const struct config_order *o, const struct kv_row *row, struct err *e)
{
    bool named = ends_with(row->key, ".yaml") || ends_with(row->key, ".json");
    char *path;
    int fd, rc = 0;

    if (strchr(row->key, '/'))
        return err_set(e, "%s%s: not a name of a file", o->prefix, row->key);
    if (asprintf(&path, "%s/%s%s", o->dir, row->key, named ? "" : ".yaml") < 0)
        abort();
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, row->text.p, row->text.n) != (ssize_t)row->text.n)
        rc = err_set(e, "%s: %s", path, strerror(errno));
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = err_set(e, "%s: %s", path, strerror(errno));
    if (rc == 0)
        put_path(path);
    free(path);
    return rc;
}

/* The folder, new or without files. */
static int make_folder(struct config_order *o, struct err *e)
{
    if (mkdir(o->dir, 0750) < 0 && errno != EEXIST)
        return err_set(e, "%s: %s", o->dir, strerror(errno));
    o->files = documents_read(o->dir, true, e);
    if (!o->files)
        return -1;
    return o->files->n == 0 ? 0
                            : err_set(e, "%s: there are files already, such as %s", o->dir,
                                      o->files->list[0].name);
}

static int pull(struct config_order *o)
{
    size_t n = 0;
    struct err e;

    if (look(o, &e) < 0 || make_folder(o, &e) < 0)
        return command_failed("%s", e.text);
    for (size_t i = 0; i < o->now->n; i++) {
        if (!kv_row_is_document(&o->now->list[i]))
            continue;
        if (pull_row(o, &o->now->list[i], &e) < 0)
            return command_failed("%s", e.text);
        n++;
    }
    printf("%s: %zu documents\n", o->prefix, n);
    return EXIT_DONE;
}

static const struct {
    const char *name;
    int (*run)(struct config_order *o);
} verbs[] = {{"push", push}, {"diff", diff}, {"pull", pull}};

static int carry_out(struct config_order *o, const char *verb)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verb, verbs[i].name) == 0) {
            int status = verbs[i].run(o);

            release(o);
            return status;
        }
    return command_misused("config", "expected push, diff or pull");
}

int config_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"base", required_argument, NULL, OPTION_BASE},
        {"prefix", required_argument, NULL, OPTION_PREFIX},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct config_order o = {0};
    int option;

    log_set_level(LOG_ERROR);
    optind = 0;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0;
        if (option == 'c')
            o.dir = optarg;
        else if (option == OPTION_BASE)
            o.base = optarg;
        else if (option == OPTION_PREFIX)
            o.prefix = optarg;
        else if (option == OPTION_DRY_RUN)
            o.dry_run = true;
        else
            return command_misused("config", "wrong usage");
    }
    if (argc - optind != 1 || !o.dir)
        return command_misused("config",
                               o.dir ? "expected push, diff or pull" : "expected -c and a folder");
    if (o.dry_run && strcmp(argv[optind], "push") != 0)
        return command_misused("config", "--dry-run is for push");
    return carry_out(&o, argv[optind]);
}
