/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"
#include "base/regex.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

bool value_unsigned(const char *text, uint64_t *ret_value)
{
    return str_to_u64(str_of(text), ret_value);
}

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Digits and one of the units; a bare number only where the table has the empty suffix. */
static bool with_unit(const char *text, const struct unit *units, size_t nunits, uint64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number;

    if (!str_to_u64((struct str){text, digits}, &number))
        return false;
    for (size_t i = 0; i < nunits; i++) {
        if (strcasecmp(text + digits, units[i].suffix) != 0)
            continue;
        return !__builtin_mul_overflow(number, units[i].factor, ret);
    }
    return false;
}

bool value_duration(const char *text, uint64_t *ret_ms)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    return with_unit(text, units, ARRAY_LEN(units), ret_ms);
}

bool value_size(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {{"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}};

    return with_unit(text, units, ARRAY_LEN(units), ret_bytes);
}

bool value_is_ip(const char *host)
{
    unsigned char addr[16];

    return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static bool is_host_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && !one_of(s.p[i], "-._"))
            return false;
    return s.n > 0 && s.n <= 253 && s.p[0] != '.' && s.p[0] != '-';
}

/* Splits "host:port" and "[v6]:port"; an absent port is port.p == NULL. */
static bool split_host_port(const char *text, struct str *ret_host, struct str *ret_port)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":");

    if (!end)
        return false;
    *ret_host = (struct str){text, (size_t)(end - text)};
    if (*end == ']') {
        ret_host->p++;
        ret_host->n--;
        end++;
    }
    *ret_port = *end == ':' ? str_of(end + 1) : STR_NULL;
    return *end == '\0' || *end == ':';
}

static bool is_port(struct str s, uint16_t *ret_port)
{
    uint64_t port;

    if (s.n > 5 || !str_to_u64(s, &port) || port < 1 || port > 65535)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool is_ip6(struct str s)
{
    char host[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (s.n >= sizeof host)
        return false;
    memcpy(host, s.p, s.n);
    host[s.n] = '\0';
    return inet_pton(AF_INET6, host, &addr) == 1;
}

bool value_address(struct arena *a, const char *text, const char **ret_host, uint16_t *ret_port)
{
    struct str host, port;

    if (!split_host_port(text, &host, &port) || !is_port(port, ret_port))
        return false;
    if (text[0] == '[' ? !is_ip6(host) : host.n > 0 && !is_host_name(host))
        return false;
    *ret_host = arena_strndup(a, host.p, host.n);
    return true;
}

static bool clear_beyond(const unsigned char addr[16], unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        if (addr[i / 8] & (0x80u >> (i % 8)))
            return false;
    return true;
}

const char *value_cidr_problem(const char *text, struct cidr *ret_cidr)
{
    char host[INET6_ADDRSTRLEN] = "";
    size_t n = strcspn(text, "/");
    struct in_addr v4;
    uint64_t bits;

    if (n >= sizeof host)
        return "is not an IP address or network";
    memcpy(host, text, n);
    memset(ret_cidr, 0, sizeof *ret_cidr);
    bits = 128;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        memset(ret_cidr->addr + 10, 0xff, 2);
        memcpy(ret_cidr->addr + 12, &v4, 4);
        bits = 32;
    } else if (inet_pton(AF_INET6, host, ret_cidr->addr) != 1) {
        return "is not an IP address or network";
    }
    ret_cidr->bits = 128 - (unsigned)bits;
    if (text[n] == '/') {
        uint64_t given;

        if (!value_unsigned(text + n + 1, &given) || given > bits)
            return "has a bad prefix length after the slash";
        bits = given;
    }
    ret_cidr->bits += (unsigned)bits;
    if (!clear_beyond(ret_cidr->addr, ret_cidr->bits))
        return "has address bits set beyond its prefix length";
    return NULL;
}

bool value_is_token(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!is_alnum(*p) && !one_of(*p, "!#$%&'*+-.^_`|~"))
            return false;
    return text[0] != '\0';
}

const char *value_header_problem(const char *name)
{
    static const char *const kept[] = {
        "connection",         "content-length", "expect", "host",    "keep-alive",
        "proxy-connection",   "http2-settings", "te",     "trailer", "transfer-encoding",
        "proxy-authenticate", "upgrade"};

    if (!value_is_token(name))
        return "is not a header name";
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcasecmp(name, kept[i]) == 0)
            return strcmp(kept[i], "host") == 0
                       ? "may not be changed here; the route key set_host does it"
                       : "may not be changed: it belongs to the connection or frames the message";
    return NULL;
}

const char *value_header_value_problem(const char *text)
{
    for (const char *p = text; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return "holds a control character";
    return NULL;
}

const char *value_keys_problem(const char *text)
{
    size_t n = strlen(text);
    struct str rest = {text, n}, step;

    if (n == 0 || n > 200 || text[0] == '/')
        return "must have 1 to 200 characters and not begin with /";
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || (text[i] == '/' && text[i + 1] == '/'))
            return "holds what is no prefix of keys, such as frontdesk/config/";
    /* Consul takes them out of a URL. */
    while (str_next(&rest, '/', &step))
        if (str_eq(step, STR(".")) || str_eq(step, STR("..")))
            return "holds a step . or ..";
    return NULL;
}

const char *value_file_problem(const char *text)
{
    return text[0] ? NULL : "is not a file name";
}

const char *value_name_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 128)
        return "must have 1 to 128 characters";
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || one_of(text[i], "/\\\"?#%"))
            return "holds a character that a name may not have (letters, digits, - _ . and most "
                   "signs are fine; spaces, slashes and quotes are not)";
    return NULL;
}

/* A host with or without port, not empty. */
static const char *plain_host_problem(const char *text)
{
    struct str host, port;
    uint16_t number;

    if (!split_host_port(text, &host, &port))
        return "is not a host name";
    if (port.p && !is_port(port, &number))
        return "has a bad port";
    if (text[0] == '[' ? !is_ip6(host) : !is_host_name(host))
        return "is not a host name";
    return NULL;
}

/* What is no wildcard is as in other hosts. */
static const char *glob_host_problem(const char *text)
{
    char copy[256];
    size_t n = strlen(text);

    if (n >= sizeof copy)
        return "is not a host name";
    for (size_t i = 0; i <= n; i++)
        copy[i] = text[i] == '*' || text[i] == '?' ? 'x' : text[i];
    return plain_host_problem(copy);
}

const char *value_host_problem(const char *text)
{
    if (text[0] == '\0')
        return NULL;
    if (strcmp(text, "*") == 0)
        return "is not needed: a route without host matches every host";
    if (strncmp(text, "*.", 2) == 0)
        text += 2;
    return strpbrk(text, "*?") ? glob_host_problem(text) : plain_host_problem(text);
}

const char *value_authority_problem(const char *text)
{
    return plain_host_problem(text);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "%XX" in normal form (RFC 3986 section 6.2.2): upper-case hex, nothing that needs no encoding,
 * and none of the bytes that requests are refused for. */
static const char *percent_problem(const char *p)
{
    int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
    char c;

    if (low < 0)
        return "has a bad percent-encoding (two upper-case hex digits after %)";
    c = (char)(high * 16 + low);
    if (is_alnum(c) || one_of(c, "-._~"))
        return "encodes a character that needs no encoding";
    if (c == '\0' || c == '/' || c == '\\')
        return "encodes a NUL, slash or backslash, which no request may";
    return NULL;
}

/* One segment, [p, end). */
static const char *segment_problem(const char *p, const char *end)
{
    size_t n = (size_t)(end - p);

    if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
        return "holds a \".\" or \"..\" segment";
    for (; p < end; p++) {
        const char *problem = *p == '%' ? percent_problem(p) : NULL;

        if (problem)
            return problem;
        if (*p == '{' || *p == '}')
            return "has a brace in a place where no {parameter} can be: one is a whole segment of "
                   "a path with match: pattern";
        if (!is_alnum(*p) && !one_of(*p, "-._~!$&'()*+,;=:@%"))
            return "holds a character that a path cannot have (percent-encode it)";
    }
    return NULL;
}

static const char *start_problem(const char *text)
{
    if (text[0] != '/')
        return "must start with a slash";
    if (text[strcspn(text, "?#")])
        return "must be a path alone, without query or fragment";
    if (strstr(text, "//"))
        return "holds an empty segment (//)";
    return NULL;
}

const char *value_path_problem(const char *text)
{
    const char *problem = start_problem(text);

    while (!problem && *text) {
        const char *end = text + 1 + strcspn(text + 1, "/");

        problem = segment_problem(text + 1, end);
        text = end;
    }
    return problem;
}

static bool is_param_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= 32 && !is_digit(s.p[0]);
}

static bool has_param(const struct value_params *params, struct str name)
{
    for (unsigned i = 0; i < params->n; i++)
        if (str_eq(params->names[i], name))
            return true;
    return false;
}

/* A segment "{name}" or, as the last one, "{name...}". */
static const char *param_problem(const char *p, const char *end, struct value_params *params)
{
    struct str name = {p + 1, (size_t)(end - p) - 2};

    if (end[-1] != '}' || end - p < 3)
        return "must have each {parameter} as a whole segment";
    if (name.n > 3 && memcmp(name.p + name.n - 3, "...", 3) == 0) {
        if (*end)
            return "has a {name...} that is not its last segment";
        name.n -= 3;
    }
    if (!is_param_name(name))
        return "has a bad parameter name (letters, digits and _, at most 32)";
    if (has_param(params, name))
        return "has the same parameter twice";
    if (params->n == VALUE_MAX_PARAMS)
        return "has more than 8 parameters";
    params->names[params->n++] = name;
    return NULL;
}

const char *value_pattern_problem(const char *text, struct value_params *ret_params)
{
    const char *problem = start_problem(text);

    ret_params->n = 0;
    while (!problem && *text) {
        const char *p = text + 1;
        const char *end = p + strcspn(p, "/");

        problem = *p == '{' ? param_problem(p, end, ret_params) : segment_problem(p, end);
        text = end;
    }
    return problem;
}

const char *value_template_problem(const char *text, const struct value_params *params)
{
    for (const char *p = text; *p; p++) {
        const char *end;

        if (*p == '}')
            return "has a brace that was not opened";
        if (*p != '{')
            continue;
        end = strchr(p, '}');
        if (!end)
            return "has a brace that is not closed";
        if (!has_param(params, (struct str){p + 1, (size_t)(end - p) - 1}))
            return "names a {parameter} that the path does not have";
        p = end;
    }
    return NULL;
}

const char *value_realm_problem(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 128)
        return "must have 1 to 128 characters";
    for (const char *p = text; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return "holds a character that a realm may not have here";
    return NULL;
}

const char *value_regex_problem(const char *text)
{
    struct arena *a = arena_new();
    const char *why;
    bool good = regex_compile(a, str_of(text), &why) != NULL;

    arena_free(a);
    return good ? NULL : why;
}
