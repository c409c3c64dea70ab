/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/span.h"
#include "policy/api_key.h"
#include "policy/credential_file.h"
#include "policy/key_table.h"
#include "policy/key_time.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: frontdesk api-key new --owner NAME [--scope WORD]... [--role WORD]...\n"
    "                             [--rate-limit NAME]... [--expires WHEN] [--id ID]\n"
    "                             [--pepper-file FILE] [--json]\n"
    "       frontdesk api-key hash [--pepper-file FILE]\n"
    "\n"
    "  new    make an API key; print it, once, and the entry for a file or for Consul's KV store.\n"
    "         The entry holds a hash, which the key cannot be found from\n"
    "  hash   read a key from standard input and print what goes into `hash`\n"
    "\n"
    "      --owner NAME        whose key it is: what services and the log are told\n"
    "      --scope WORD, --role WORD    what it may do; any number\n"
    "      --rate-limit NAME   an entry of `rate_limits` that counts for this key; any number\n"
    "      --expires WHEN      2027-01-31, 2027-01-31T12:00:00Z, or from now on: 12h, 90d (never)\n"
    "      --id ID             its public name, letters, digits and hyphens (made up)\n"
    "      --pepper-file FILE  the store's pepper_file: the hash is worth nothing without it\n"
    "      --json              key and entry as JSON\n"
    "  -h, --help\n"
    "\n"
    "Exit status: 0 done, 1 it could not be done, 2 wrong usage.\n";

enum {
    OPTION_OWNER = OPTION_OWN,
    OPTION_SCOPE,
    OPTION_ROLE,
    OPTION_RATE_LIMIT,
    OPTION_EXPIRES,
    OPTION_ID,
    OPTION_PEPPER,
    OPTION_JSON
};

enum { INPUT_MAX = 1024 };

/* What was asked for. */
struct key_order {
    const char *owner, *expires, *id, *pepper_file;
    json_t *scopes, *roles, *rate_limits; /* owned */
    bool json, described;                 /* an option that says what the key is was given */
};

static bool take_option(struct key_order *o, int option, const char *value)
{
    o->described |= option != OPTION_PEPPER;
    switch (option) {
    case OPTION_OWNER:
        o->owner = value;
        return true;
    case OPTION_SCOPE:
        return json_array_append_new(o->scopes, json_string(value)) == 0;
    case OPTION_ROLE:
        return json_array_append_new(o->roles, json_string(value)) == 0;
    case OPTION_RATE_LIMIT:
        return json_array_append_new(o->rate_limits, json_string(value)) == 0;
    case OPTION_EXPIRES:
        o->expires = value;
        return true;
    case OPTION_ID:
        o->id = value;
        return true;
    case OPTION_PEPPER:
        o->pepper_file = value;
        return true;
    case OPTION_JSON:
        o->json = true;
        return true;
    }
    return false;
}

/* "sha256:..." of a key. */
static int hash_text(struct str key, struct str pepper, char buf[96], struct err *e)
{
    unsigned char digest[API_KEY_DIGEST];
    size_t used = (size_t)snprintf(buf, 96, "%s", pepper.n ? "hmac-sha256:" : "sha256:");

    if (api_key_digest(key, pepper, digest) < 0)
        return err_set(e, "the hash cannot be made");
    for (size_t i = 0; i < sizeof digest; i++)
        used += (size_t)snprintf(buf + used, 96 - used, "%02x", digest[i]);
    return 0;
}

/* When it ends, as entries say it; "" = never. */
static int read_expiry(const char *text, char buf[KEY_TIME_MAX], struct err *e)
{
    uint64_t now = (uint64_t)clock_wall_ms() / 1000, at, span;

    buf[0] = '\0';
    if (!text)
        return 0;
    span = span_parse(text);
    if (span)
        at = now + span / 1000;
    else if (!key_time_parse(text, &at))
        return err_set(e, "--expires: expected a time such as 2027-01-31 or 90d");
    if (at <= now)
        return err_set(e, "--expires: that time is over");
    key_time_format(at, buf);
    return 0;
}

static json_t *entry_of(const struct key_order *o, const char *hash, const char *expires)
{
    json_t *entry = json_pack("{s:s,s:s}", "owner", o->owner, "hash", hash);

    if (json_array_size(o->scopes))
        json_object_set(entry, "scopes", o->scopes);
    if (json_array_size(o->roles))
        json_object_set(entry, "roles", o->roles);
    if (json_array_size(o->rate_limits))
        json_object_set(entry, "rate_limits", o->rate_limits);
    if (*expires)
        json_object_set_new(entry, "expires", json_string(expires));
    return entry;
}

/* JSON values are YAML too. To be freed. */
static char *entry_text(const char *id, json_t *entry)
{
    const char *name;
    json_t *value;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        return NULL;
    fprintf(out, "%s:\n", id);
    json_object_foreach(entry, name, value)
    {
        fprintf(out, "  %s: ", name);
        json_dumpf(value, out, JSON_ENCODE_ANY);
        putc('\n', out);
    }
    return fclose(out) == 0 ? text : NULL;
}

/* Would the gateway take the entry, and know the key by it? */
static int check_entry(const char *text, const char *key, struct str pepper, struct err *e)
{
    struct key_text one = {"the entry", str_of(text)};
    struct key_table *t = key_table_new("new", &one, 1, pepper, e);
    struct identity *who;
    enum key_answer a;

    if (!t)
        return -1;
    a = key_table_find(t, str_of(key), (uint64_t)clock_wall_ms() / 1000, &who);
    key_table_unref(&t);
    return a == KEY_OK ? 0 : err_set(e, "%s", key_answer_text(a));
}

static void print_key(const struct key_order *o, const char *key, const char *id, const char *text,
                      json_t *entry)
{
    if (o->json) {
        command_json(stdout,
                     json_pack("{s:s,s:s,s:{s:O}}", "key", key, "id", id, "entry", id, entry),
                     false);
        return;
    }
    printf(
        "%s\n\n# The key above is shown only now. Its entry, for a file or Consul's KV store:\n%s",
        key, text);
}

static int make(const struct key_order *o, const char *id, const char *key, struct str pepper)
{
    char hash[96], expires[KEY_TIME_MAX];
    json_t *entry = NULL;
    char *text = NULL;
    struct err e;
    int status = EXIT_DONE;

    if (read_expiry(o->expires, expires, &e) < 0)
        return command_misused("api-key", "%s", e.text);
    if (hash_text(str_of(key), pepper, hash, &e) < 0)
        return command_failed("%s", e.text);
    entry = entry_of(o, hash, expires);
    text = entry ? entry_text(id, entry) : NULL;
    if (!text)
        status = command_failed("an argument is not UTF-8, or memory is out");
    else if (check_entry(text, key, pepper, &e) < 0)
        status = command_misused("api-key", "%s", e.text);
    else
        print_key(o, key, id, text, entry);
    json_decref(entry);
    free(text);
    return status;
}

static int new_key(const struct key_order *o, struct str pepper)
{
    char key[API_KEY_MAX + 1], made[9];
    const char *id = o->id ? o->id : made;
    int status;

    if (!o->owner)
        return command_misused("api-key", "--owner is missing");
    if (!api_key_id_ok(str_of(id)) && id == o->id)
        return command_misused("api-key", "--id: expected 1 to %d letters, digits and hyphens",
                               API_KEY_ID_MAX);
    if ((!o->id && api_key_make_id(made) < 0) || api_key_make(str_of(id), key) < 0)
        return command_failed("there is no randomness");
    status = make(o, id, key, pepper);
    OPENSSL_cleanse(key, sizeof key);
    return status;
}

static int hash_key(struct str pepper)
{
    char line[INPUT_MAX], hash[96];
    struct str key, id;
    struct err e;
    int status = EXIT_DONE;

    if (isatty(STDIN_FILENO))
        fputs("key: ", stderr);
    if (!fgets(line, sizeof line, stdin))
        return command_failed("there is no key on standard input");
    key = str_of(line);
    while (key.n > 0 && (key.p[key.n - 1] == '\n' || key.p[key.n - 1] == '\r'))
        key.n--;
    if (!api_key_parse(str_trim(key), &id))
        status = command_failed("that is not an API key of frontdesk, or it is mistyped");
    else if (hash_text(str_trim(key), pepper, hash, &e) < 0)
        status = command_failed("%s", e.text);
    else
        printf("%s\n", hash);
    OPENSSL_cleanse(line, sizeof line);
    return status;
}

static int carry_out(const struct key_order *o, int argc, char **argv)
{
    bool is_new = argc > 0 && strcmp(argv[0], "new") == 0;
    struct str pepper = STR_NULL;
    char *secret = NULL;
    struct err e;
    int status;

    if (argc != 1 || (!is_new && strcmp(argv[0], "hash") != 0))
        return command_misused("api-key", "expected new or hash");
    if (!is_new && o->described)
        return command_misused("api-key", "hash takes no option but --pepper-file");
    if (o->pepper_file && !(secret = credential_pepper_read(o->pepper_file, &pepper, &e)))
        return command_failed("%s", e.text);
    status = is_new ? new_key(o, pepper) : hash_key(pepper);
    credential_text_free(secret, pepper);
    return status;
}

int api_key_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"owner", required_argument, NULL, OPTION_OWNER},
        {"scope", required_argument, NULL, OPTION_SCOPE},
        {"role", required_argument, NULL, OPTION_ROLE},
        {"rate-limit", required_argument, NULL, OPTION_RATE_LIMIT},
        {"expires", required_argument, NULL, OPTION_EXPIRES},
        {"id", required_argument, NULL, OPTION_ID},
        {"pepper-file", required_argument, NULL, OPTION_PEPPER},
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct key_order order = {
        .scopes = json_array(), .roles = json_array(), .rate_limits = json_array()};
    int o, status = -1;

    optind = 0;
    while (status < 0 && (o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (o == 'h')
            status = fputs(usage, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else if (!take_option(&order, o, optarg))
            status = command_misused("api-key", "wrong usage");
    }
    if (status < 0)
        status = carry_out(&order, argc - optind, argv + optind);
    json_decref(order.scopes);
    json_decref(order.roles);
    json_decref(order.rate_limits);
    return status;
}
