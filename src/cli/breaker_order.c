/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/breaker_order.h"
#include "base/macros.h"
#include "cli/admin_client.h"
#include "cli/span.h"
#include "cli/status_page.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TTL_DEFAULT "10m"
#define TTL_MAX_MS  (7ull * 24 * 3600 * 1000)

static const struct action {
    const char *name, *word;
    bool forces; /* for a time, and with a reason */
    bool for_instances;
} actions[] = {
    {"open", "forced_open", true, true}, {"close", "forced_closed", true, true},
    {"auto", "auto", false, true},       {"reset", "reset", false, true},
    {"shadow", "shadow", true, false},   {"disable", "disabled", true, false},
};

static const struct action *action_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

const char *breaker_order_word(const char *action)
{
    const struct action *a = action_of(action);

    return a ? a->word : NULL;
}

int breaker_order_target(struct breaker_order *o, const char *text, struct err *e)
{
    char *slash, *second;

    if ((size_t)snprintf(o->name, sizeof o->name, "%s", text) >= sizeof o->name)
        return err_set(e, "the name is too long");
    /* With an explicit name beside it, the argument is what is left: the service. */
    if (o->service)
        return err_set(e, "%s: the service is given already, by --service", text);
    o->service = o->name;
    if (o->instance || !(slash = strchr(o->name, '/')))
        return 0;
    *slash = '\0';
    o->instance = slash + 1;
    if ((second = strchr(slash + 1, '/')) != NULL) {
        *second = '\0';
        o->node = slash + 1;
        o->instance = second + 1;
    }
    return 0;
}

static int check_forced(const struct breaker_order *o, struct err *e)
{
    uint64_t ttl = span_parse(o->ttl ? o->ttl : TTL_DEFAULT);

    if (ttl == 0 || ttl > TTL_MAX_MS)
        return err_set(e, "--for %s: expected a time of at most 7 days, as 30s, 10m or 2h", o->ttl);
    if (!o->reason || !*o->reason)
        return err_set(
            e,
            "%s: say why, with --reason \"...\": whoever looks at this breaker next will "
            "want to know",
            o->action);
    return 0;
}

int breaker_order_check(struct breaker_order *o, struct err *e)
{
    const struct action *a = action_of(o->action);

    if (!a)
        return err_set(e, "%s: expected open, close, auto, reset, shadow or disable", o->action);
    if (!o->service || !*o->service)
        return err_set(e, "which service?");
    if (o->instance && !*o->instance)
        return err_set(e, "which instance of %s?", o->service);
    if (o->node && !o->instance)
        return err_set(e, "--node goes with --instance");
    if (o->instance && !a->for_instances)
        return err_set(e, "%s is for whole services: an instance knows open, close, auto and reset",
                       o->action);
    if (o->instance && o->fleet)
        return err_set(e, "--fleet is for whole services");
    if (o->even_last && !(o->instance && strcmp(o->action, "open") == 0))
        return err_set(e, "--even-last goes with open of an instance");
    if (!a->forces && o->ttl)
        return err_set(e, "--for goes with open, close, shadow and disable: %s is for good",
                       o->action);
    return a->forces ? check_forced(o, e) : 0;
}

char *breaker_order_path(const struct breaker_order *o)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        abort();
    fputs("/v1/breakers/", out);
    url_put(out, o->service);
    if (o->node) {
        putc('/', out);
        url_put(out, o->node);
    }
    if (o->instance) {
        putc('/', out);
        url_put(out, o->instance);
    }
    fclose(out);
    return text;
}

static void set_text(json_t *doc, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(doc, key, json_string(value));
}

json_t *breaker_order_body(const struct breaker_order *o)
{
    const struct action *a = action_of(o->action);
    json_t *doc = json_object();

    set_text(doc, "state", a->word);
    if (a->forces)
        set_text(doc, "ttl", o->ttl ? o->ttl : TTL_DEFAULT);
    set_text(doc, "reason", o->reason);
    set_text(doc, "author", o->author);
    if (o->fleet)
        set_text(doc, "scope", "fleet");
    if (o->even_last)
        json_object_set_new(doc, "even_last", json_true());
    return doc;
}

char *breaker_order_told(const struct breaker_order *o, const json_t *answer)
{
    struct forced_line f = doc_forced(answer);
    const char *slash = o->instance ? "/" : "", *instance = o->instance ? o->instance : "";
    char *text = NULL, span[SPAN_MAX];
    int n;

    if (f.state)
        n = asprintf(&text, "%s%s%s: %s for %s, until %s%s, by %s%s%s", o->service, slash, instance,
                     f.state, span_text(span, f.ends_in_ms),
                     doc_text(json_object_get(answer, "forced"), "until"),
                     f.fleet ? ", in the whole fleet" : "",
                     f.author && *f.author ? f.author : "nobody named", f.why && *f.why ? ": " : "",
                     f.why && *f.why ? f.why : "");
    else
        n = asprintf(&text, "%s%s%s: %s, nothing is forced", o->service, slash, instance,
                     doc_text(answer, "state"));
    return n < 0 ? NULL : text;
}

const char *breaker_order_hint(long status, const char *reason, bool had_token)
{
    static const struct {
        const char *reason, *hint;
    } hints[] = {
        {"writes_off", "set admin: { token_file: FILE } in the gateway's configuration and reload"},
        {"last_instance", "--even-last takes it out all the same: requests will then be refused"},
        {"ambiguous_instance", "say which: --node NODE --instance ID"},
        {"not_found", "frontdesk breakers --all lists them; names with '/' need --service and "
                      "--instance"},
        {"fleet_off", "set fleet: { enabled: true } in the gateway's configuration, or leave out "
                      "--fleet"},
        {"fleet_away", "Consul does not answer: without --fleet it is done on this gateway alone"},
    };

    if (status == 401)
        return had_token ? "the token is not the gateway's: compare with the file that its "
                           "admin.token_file names"
                         : "give the token: --token-file FILE, FRONTDESK_TOKEN_FILE=FILE, or "
                           "make " ADMIN_TOKEN_FILE " readable for you (a group, or sudo)";
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (reason && strcmp(hints[i].reason, reason) == 0)
            return hints[i].hint;
    return status == 405 ? "this gateway is older than the command" : "";
}

bool breaker_order_exposed(const char *address)
{
    static const char *const own[] = {"127.", "[::1]", "localhost:"};

    if (strncmp(address, "https://", 8) == 0)
        return false;
    if (strncmp(address, "http://", 7) == 0)
        address += 7;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strncmp(address, own[i], strlen(own[i])) == 0)
            return false;
    return true;
}

char *breaker_author(void)
{
    const char *const names[] = {getenv("SUDO_USER"), getenv("USER")};
    char host[256] = "", *text = NULL;
    const char *name = NULL;

    for (size_t i = 0; i < ARRAY_LEN(names) && !name; i++)
        if (names[i] && *names[i])
            name = names[i];
    if (!name) {
        const struct passwd *p = getpwuid(getuid());

        name = p ? p->pw_name : "unknown";
    }
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        snprintf(host, sizeof host, "localhost");
    return asprintf(&text, "%s@%s", name, host) < 0 ? NULL : text;
}
