/* SPDX-License-Identifier: Apache-2.0 */
#include "route/tags_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct consul_conf consul = {
    .tag_prefix = "frontdesk.", .fabio_prefix = "urlprefix-", .traefik_prefix = "traefik."};

static void what_instances_say(void **state)
{
    static const struct {
        const char *tags[3], *meta[2];
        enum catalog_protocol said;
        bool skip;
    } rows[] = {
        {{"v1", "frontdesk.path=/x"}, {0}, CATALOG_SILENT, false},
        {{"frontdesk.protocol=http"}, {0}, CATALOG_HTTP, false},
        {{"v1", "frontdesk.protocol=https"}, {0}, CATALOG_HTTPS, false},
        {{"frontdesk.protocol= h2 "}, {0}, CATALOG_H2, false},
        {{"frontdesk.protocol=h2c"}, {0}, CATALOG_H2C, false},
        {{"frontdesk.protocol=grpc"}, {0}, CATALOG_H2C, false},
        {{"frontdesk.protocol=GRPCS"}, {0}, CATALOG_H2, false},
        {{"frontdesk.protocol=htps"}, {0}, CATALOG_HTTPS, false},
        {{"frontdesk.protocol="}, {0}, CATALOG_HTTPS, false},
        {{"frontdesk.protocol"}, {0}, CATALOG_SILENT, false},
        {{"frontdesk.a.protocol=https"}, {0}, CATALOG_SILENT, false},
        {{"v1"}, {"frontdesk-protocol", "grpc"}, CATALOG_H2C, false},
        {{"v1"}, {"frontdesk-protocols", "grpc"}, CATALOG_SILENT, false},
        {{"frontdesk.protocol=http"}, {"frontdesk-protocol", "grpc"}, CATALOG_HTTP, false},
        {{"urlprefix-/a proto=https"}, {0}, CATALOG_HTTPS, false},
        {{"urlprefix-/a strip=/a  proto=https tlsskipverify=true"}, {0}, CATALOG_HTTPS, true},
        {{"urlprefix-/a tlsskipverify=true proto=grpcs"}, {0}, CATALOG_H2, true},
        {{"urlprefix-/a tlsskipverify=false proto=https"}, {0}, CATALOG_HTTPS, false},
        {{"urlprefix-/a tlsskipverify=true", "urlprefix-/b proto=https"},
         {0},
         CATALOG_HTTPS,
         false},
        {{"urlprefix-/a tlsskipverify=true"}, {0}, CATALOG_SILENT, false},
        {{"urlprefix-/a proto=grpc"}, {0}, CATALOG_H2C, false},
        {{"urlprefix-/a xproto=grpc"}, {0}, CATALOG_SILENT, false},
        {{"traefik.http.services.x.loadbalancer.server.scheme=h2c"}, {0}, CATALOG_H2C, false},
        {{"Traefik.HTTP.services.x.LoadBalancer.server.scheme=https"}, {0}, CATALOG_HTTPS, false},
        {{"traefik.http.services.x.loadbalancer.server.schema=h2c"}, {0}, CATALOG_SILENT, false},
        {{"traefik.http.services.loadbalancer.server.scheme=h2c"}, {0}, CATALOG_SILENT, false},
        {{"frontdesk.protocol=http", "urlprefix-/a proto=https tlsskipverify=true"},
         {0},
         CATALOG_HTTP,
         false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct instance_meta meta = {rows[i].meta[0], rows[i].meta[1]};
        struct instance one = {.tags = rows[i].tags, .meta = &meta, .nmeta = meta.key ? 1 : 0};
        bool skip;

        while (one.ntags < ARRAY_LEN(rows[i].tags) && rows[i].tags[one.ntags])
            one.ntags++;
        if (tags_protocol(&one, &consul, &skip) != rows[i].said || skip != rows[i].skip)
            fail_msg("row %zu: %s", i, rows[i].tags[0]);
    }
}

static void prefixes_may_be_off(void **state)
{
    static const char *const tags[] = {"frontdesk.protocol=h2", "urlprefix-/ proto=https"};
    struct instance one = {.tags = tags, .ntags = 2};
    struct consul_conf c = {.tag_prefix = "", .fabio_prefix = "urlprefix-"};
    bool skip;

    (void)state;
    assert_int_equal(tags_protocol(&one, &c, &skip), CATALOG_HTTPS);
    c.fabio_prefix = "";
    assert_int_equal(tags_protocol(&one, &c, &skip), CATALOG_SILENT);
    assert_int_equal(tags_protocol(&one, &(struct consul_conf){0}, &skip), CATALOG_SILENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_instances_say),
        cmocka_unit_test(prefixes_may_be_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
