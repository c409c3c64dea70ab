/* SPDX-License-Identifier: Apache-2.0 */
#include "consul_address.h"
#include "base/str.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

static char *copy(const char *z)
{
    char *c = strdup(z);

    if (!c)
        abort();
    return c;
}

static bool url_has(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static int check_scheme(struct consul_address *a, CURLU *u, struct err *e)
{
    char *scheme = NULL;
    int ret = 0;

    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        ret = err_set(e, "consul address \"%s\": expected http://, https:// or unix://", a->text);
    else
        a->https = strcmp(scheme, "https") == 0;
    curl_free(scheme);
    return ret;
}

/* The name of the certificate into the URL; where to connect is said apart. */
static int use_name(struct consul_address *a, CURLU *u, const char *name, struct err *e)
{
    char *host = NULL, *port = NULL, *url = NULL;
    int ret = 0;

    if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        asprintf(&a->connect_to, "%s:%s", host, port) < 0)
        abort();
    if (curl_url_set(u, CURLUPART_HOST, name, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK) {
        ret = err_set(e, "consul server name \"%s\": not the name of a host", name);
    } else {
        free(a->url);
        a->url = copy(url);
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    return ret;
}

static int check_url(struct consul_address *a, const char *server_name, struct err *e)
{
    CURLU *u = curl_url();
    CURLUcode code = curl_url_set(u, CURLUPART_URL, a->url, 0);
    int ret;

    if (code != CURLUE_OK)
        ret = err_set(e, "consul address \"%s\": %s", a->text, curl_url_strerror(code));
    else if (url_has(u, CURLUPART_USER) || url_has(u, CURLUPART_PASSWORD))
        ret = err_set(e, "consul address: credentials do not belong in the address; use a token");
    else if (url_has(u, CURLUPART_QUERY) || url_has(u, CURLUPART_FRAGMENT))
        ret = err_set(e, "consul address \"%s\": expected no query and no fragment", a->text);
    else
        ret = check_scheme(a, u, e);
    if (ret == 0 && a->https && server_name && *server_name)
        ret = use_name(a, u, server_name, e);
    curl_url_cleanup(u);
    return ret;
}

static void cut_slashes(char *url)
{
    size_t n = strlen(url);

    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
}

static int read_address(struct consul_address *a, const char *server_name, struct err *e)
{
    int ret;

    if (str_starts(str_of(a->text), STR("unix://"))) {
        a->unix_path = copy(a->text + strlen("unix://"));
        a->url = copy("http://localhost");
        return a->unix_path[0] == '/'
                   ? 0
                   : err_set(e, "consul address \"%s\": expected unix:///path", a->text);
    }
    if (asprintf(&a->url, "%s%s", strstr(a->text, "://") ? "" : "http://", a->text) < 0)
        abort();
    cut_slashes(a->url);
    ret = check_url(a, server_name, e);
    cut_slashes(a->url);
    return ret;
}

int consul_address_init(struct consul_address *a, const char *text, const char *server_name,
                        struct err *e)
{
    *a = (struct consul_address){.text = copy(text)};
    if (read_address(a, server_name, e) == 0)
        return 0;
    consul_address_release(a);
    return -1;
}

void consul_address_release(struct consul_address *a)
{
    free(a->text);
    free(a->url);
    free(a->unix_path);
    free(a->connect_to);
    *a = (struct consul_address){.text = NULL};
}
