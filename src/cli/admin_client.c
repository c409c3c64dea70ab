/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin_client.h"
#include "base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_ANSWER = 256 * 1024 * 1024, MAX_TOKEN = 4096, CALL_MS = 5000 };

struct admin_client {
    struct admin_options options;
    char base[512]; /* "http://127.0.0.1:9901" */
    CURL *curl;     /* owned */
};

struct body {
    char *data; /* owned */
    size_t n;
};

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
    struct body *b = arg;
    char *grown;

    if (size * n > MAX_ANSWER - b->n || !(grown = realloc(b->data, b->n + size * n + 1)))
        return 0;
    b->data = grown;
    memcpy(b->data + b->n, p, size * n);
    b->n += size * n;
    b->data[b->n] = '\0';
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct admin_client *client = arg;

    (void)a, (void)b, (void)c, (void)d;
    return client->options.stop && client->options.stop(client->options.arg);
}

/* Not the port 80 of a browser: the one of an admin endpoint has to be said. */
static bool has_port(const char *authority, size_t n)
{
    size_t colon = n;
    uint64_t port;

    while (colon > 0 && authority[colon - 1] != ':')
        colon--;
    return colon > 1 && str_to_u64((struct str){authority + colon, n - colon}, &port) && port > 0 &&
           port <= UINT16_MAX;
}

static int set_base(struct admin_client *c, struct err *e)
{
    const char *address = c->options.address;
    bool whole = strncmp(address, "http://", 7) == 0 || strncmp(address, "https://", 8) == 0;
    const char *rest = whole ? strstr(address, "://") + 3 : address;
    size_t n = strcspn(rest, "/?#@ ");

    if (!has_port(rest, n) || (rest[n] != '\0' && strcmp(rest + n, "/") != 0))
        return err_set(e, "address %s: expected HOST:PORT, http://HOST:PORT or https://HOST:PORT",
                       address);
    if ((size_t)snprintf(c->base, sizeof c->base, "%s%.*s", whole ? "" : "http://",
                         (int)(rest - address + (ptrdiff_t)n), address) >= sizeof c->base)
        return err_set(e, "the address is too long");
    return 0;
}

struct admin_client *admin_client_new(const struct admin_options *o, struct err *e)
{
    struct admin_client *c = calloc(1, sizeof *c);

    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(c->curl = curl_easy_init())) {
        err_set(e, "out of memory");
        free(c);
        return NULL;
    }
    c->options = *o;
    if (set_base(c, e) == 0)
        return c;
    admin_client_free(&c);
    return NULL;
}

void admin_client_free(struct admin_client **pc)
{
    if (*pc) {
        curl_easy_cleanup((*pc)->curl);
        curl_global_cleanup();
    }
    free(*pc);
    *pc = NULL;
}

static void set_up(struct admin_client *c, const char *url, struct body *body, char *why)
{
    const struct admin_options *o = &c->options;

    curl_easy_reset(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, o->timeout_ms ? o->timeout_ms : CALL_MS);
    curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L); /* a service may be named ".." */
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    if (o->ca)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, o->ca);
    if (o->cert)
        curl_easy_setopt(c->curl, CURLOPT_SSLCERT, o->cert);
    if (o->key)
        curl_easy_setopt(c->curl, CURLOPT_SSLKEY, o->key);
}

static int perform(struct admin_client *c, const char *path, struct curl_slist *fields,
                   const char *text, struct admin_reply *ret, struct err *e)
{
    char *url, why[CURL_ERROR_SIZE] = "";
    struct body body = {NULL, 0};
    int result = -1;
    CURLcode code;

    *ret = (struct admin_reply){0};
    if (asprintf(&url, "%s%s", c->base, path) < 0)
        return err_set(e, "out of memory");
    set_up(c, url, &body, why);
    if (fields)
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, fields);
    if (text) {
        curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, "PUT");
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, text);
    }
    code = curl_easy_perform(c->curl);
    if (code != CURLE_OK) {
        err_set(e, "%s: %s", c->base, why[0] ? why : curl_easy_strerror(code));
    } else {
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &ret->status);
        ret->doc = json_loadb(body.data ? body.data : "", body.n, 0, NULL);
        if (!ret->doc && ret->status == 200)
            err_set(e, "%s: the answer is no JSON: is this the admin endpoint?", url);
        else
            result = 0;
    }
    free(body.data);
    free(url);
    return result;
}

int admin_get(struct admin_client *c, const char *path, struct admin_reply *ret, struct err *e)
{
    return perform(c, path, NULL, NULL, ret, e);
}

const char *admin_token_file(const struct admin_options *o)
{
    const char *file = getenv("FRONTDESK_TOKEN_FILE");

    if (o->token_file)
        return o->token_file;
    if (file && *file)
        return file;
    return access(ADMIN_TOKEN_FILE, R_OK) == 0 ? ADMIN_TOKEN_FILE : NULL;
}

int admin_token_read(const char *file, char *out, size_t cap, struct err *e)
{
    FILE *in = fopen(file, "re");
    size_t n = 0;

    if (!in)
        return err_set(e, "token file %s: %s", file, strerror(errno));
    if (fgets(out, (int)cap, in))
        n = strcspn(out, "\r\n \t");
    fclose(in);
    if (n == 0 || n + 1 >= cap)
        return err_set(e, "token file %s: the first line is no token", file);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (out[i] < 0x21 || out[i] > 0x7e)
            return err_set(e, "token file %s: the first line is no token", file);
    return 0;
}

static struct curl_slist *add(struct curl_slist *list, const char *field)
{
    struct curl_slist *longer = curl_slist_append(list, field);

    return longer ? longer : list;
}

static int add_token(const struct admin_options *o, struct curl_slist **list, struct err *e)
{
    char token[MAX_TOKEN], field[MAX_TOKEN + 32];
    const char *file = admin_token_file(o);

    if (!file)
        return 0;
    if (admin_token_read(file, token, sizeof token, e) < 0)
        return -1;
    snprintf(field, sizeof field, "Authorization: Bearer %s", token);
    *list = add(*list, field);
    explicit_bzero(token, sizeof token);
    explicit_bzero(field, sizeof field);
    return 0;
}

int admin_put(struct admin_client *c, const char *path, json_t *body, struct admin_reply *ret,
              struct err *e)
{
    struct curl_slist *fields = add(NULL, "Content-Type: application/json");
    char *text = json_dumps(body, JSON_COMPACT);
    int result = -1;

    *ret = (struct admin_reply){0};
    if (!text)
        err_set(e, "the request is no UTF-8");
    else if (add_token(&c->options, &fields, e) == 0)
        result = perform(c, path, fields, text, ret, e);
    curl_slist_free_all(fields);
    free(text);
    return result;
}

const char *admin_error(const struct admin_reply *r)
{
    const char *text = json_string_value(json_object_get(r->doc, "error"));

    return text ? text : "the answer makes no sense: is this the admin endpoint?";
}

json_t *admin_document(struct admin_client *c, const char *path, struct err *e)
{
    struct admin_reply r;

    if (admin_get(c, path, &r, e) < 0)
        return NULL;
    if (r.status == 200)
        return r.doc;
    err_set(e, "%s%s: %ld: %s", c->base, path, r.status, admin_error(&r));
    json_decref(r.doc);
    return NULL;
}

void url_put(FILE *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~", c) != NULL;

        if (plain)
            putc(c, out);
        else
            fprintf(out, "%%%02X", c);
    }
}
