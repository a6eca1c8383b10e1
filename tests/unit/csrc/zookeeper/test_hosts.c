/* test_hosts.c - tests of csrc/zookeeper/hosts.c, with numbers only: no DNS
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "csrc/zookeeper/hosts.h"

static void assert_rotates(const char *hosts, const char *wanted) {
    char *copy = hosts_copy(hosts);

    hosts_rotate(copy);
    assert_string_equal(copy, wanted);
    free(copy);
}

static void copies_without_brackets(void **state) {
    char *copy = hosts_copy("[::1]:2181,10.0.0.1:2181,[2001:db8::1]:1/[a]");

    (void)state;
    assert_string_equal(copy, "::1:2181,10.0.0.1:2181,2001:db8::1:1/[a]");
    free(copy);
}

/* ZooKeeper takes no path that ends so. */
static void copies_without_slashes_at_the_end(void **state) {
    static const char *const given[] = {"a:1/", "a:1//", "a:1/x/", "/", ""};
    static const char *const wanted[] = {"a:1", "a:1", "a:1/x", "", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        char *copy = hosts_copy(given[i]);

        assert_string_equal(copy, wanted[i]);
        free(copy);
    }
}

static void puts_the_first_server_behind_the_last(void **state) {
    (void)state;
    assert_rotates("a:1,b:22,c:333", "b:22,c:333,a:1");
    assert_rotates("ccc:333,a:1", "a:1,ccc:333");
}

static void leaves_the_chroot_at_the_end(void **state) {
    (void)state;
    assert_rotates("a:1,b:2/one,two/x", "b:2,a:1/one,two/x");
}

static void leaves_one_server_where_it_is(void **state) {
    (void)state;
    assert_rotates("a:1", "a:1");
    assert_rotates("a:1/chroot,x", "a:1/chroot,x");
    assert_rotates("", "");
}

static void knows_the_same_servers_in_another_order(void **state) {
    (void)state;
    assert_true(hosts_equal("a:1,b:2/x", "b:2,a:1/x"));
    assert_true(hosts_equal("a:1", "a:1"));
    assert_false(hosts_equal("a:1,b:2", "a:1"));
    assert_false(hosts_equal("a:1", "a:1,b:2"));
    assert_false(hosts_equal("a:1,b:2/x", "a:1,b:2/y"));
    assert_false(hosts_equal("a:1,b:2", "a:1,b:22"));
}

static void knows_its_servers(void **state) {
    (void)state;
    assert_true(hosts_have("a:1,b:2/x", "a:1", 3));
    assert_true(hosts_have("a:1,b:2/x", "b:2: why", 3));
    assert_false(hosts_have("a:1,b:2/x", "a:1", 2));
    assert_false(hosts_have("a:1,b:2/c:3", "c:3", 3));
    assert_false(hosts_have("a:11", "a:1", 3));
}

static void is_back_after_as_many_turns_as_servers(void **state) {
    char *hosts = hosts_copy("a:1,b:2,c:3,d:4/x");

    (void)state;
    for (int i = 0; i < 4; i++)
        hosts_rotate(hosts);
    assert_string_equal(hosts, "a:1,b:2,c:3,d:4/x");
    free(hosts);
}

static void assert_resolves(const char *hosts, const char *wanted) {
    struct error err = {.text = ""};
    char *got = hosts_resolve(hosts, &err);

    assert_string_equal(err.text, "");
    assert_string_equal(got, wanted);
    free(got);
}

static void assert_refuses(const char *hosts, const char *why) {
    struct error err = {.text = ""};

    assert_null(hosts_resolve(hosts, &err));
    if (!strstr(err.text, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", hosts, err.text, why);
}

static void keeps_numeric_addresses(void **state) {
    (void)state;
    assert_resolves("10.0.0.1:2181", "10.0.0.1:2181");
    assert_resolves("[2001:db8::1]:2181", "[2001:db8::1]:2181");
    assert_resolves("[2001:DB8:0:0:0:0:0:1]:2181", "[2001:db8::1]:2181");
}

static void takes_an_ipv6_address_without_brackets(void **state) {
    (void)state;
    assert_resolves("2001:db8::1:2181", "[2001:db8::1]:2181");
}

static void keeps_the_chroot(void **state) {
    (void)state;
    assert_resolves("10.0.0.1:2181/one/two", "10.0.0.1:2181/one/two");
}

static void names_an_address_once(void **state) {
    (void)state;
    assert_resolves("10.0.0.1:2181,10.0.0.1:2181", "10.0.0.1:2181");
    assert_resolves(" 10.0.0.1:2181 , 10.0.0.1:2181,", "10.0.0.1:2181");
}

static void refuses_what_is_no_host_and_port(void **state) {
    (void)state;
    assert_refuses("", "no host given");
    assert_refuses(",", "no host given");
    assert_refuses("/chroot", "no host given");
    assert_refuses("10.0.0.1", "10.0.0.1: not host:port");
    assert_refuses(":2181", ":2181: not host:port");
    assert_refuses("10.0.0.1:", "10.0.0.1:: not host:port");
    assert_refuses("10.0.0.1:0", "10.0.0.1:0: not host:port");
    assert_refuses("10.0.0.1:65536", "port of 1 to 65535");
    assert_refuses("10.0.0.1:002181", "port of 1 to 65535");
    assert_refuses("10.0.0.1:+1", "port of 1 to 65535");
    assert_refuses("10.0.0.1:21x", "port of 1 to 65535");
    assert_refuses("10.0.0.1:2181,bad", "bad: not host:port");
}

static void names_the_host_that_does_not_resolve(void **state) {
    (void)state;
    assert_refuses("not..a..name:2181", "not..a..name: ");
}

/* Who was told nothing of the host that was left out never asked again. */
static void leaves_out_and_names_what_does_not_resolve(void **state) {
    struct error err = {.text = ""};
    char *got = hosts_resolve("not..a..name:1,10.0.0.1:2181", &err);

    (void)state;
    assert_string_equal(got, "10.0.0.1:2181");
    assert_non_null(strstr(err.text, "not..a..name: "));
    free(got);
}

static void takes_the_servers_in_random_order(void **state) {
    bool first_was_first = false;
    bool second_was_first = false;

    (void)state;
    for (int i = 0; i < 200; i++) {
        char *got = hosts_resolve("10.0.0.1:1,10.0.0.2:2", NULL);

        if (strcmp(got, "10.0.0.1:1,10.0.0.2:2") == 0)
            first_was_first = true;
        else if (strcmp(got, "10.0.0.2:2,10.0.0.1:1") == 0)
            second_was_first = true;
        else
            fail_msg("%s", got);
        free(got);
    }
    assert_true(first_was_first);
    assert_true(second_was_first);
}

static void takes_no_more_addresses_than_it_has_room_for(void **state) {
    char hosts[4096] = "";
    char *got;
    int commas = 0;

    (void)state;
    for (int i = 1; i <= 100; i++)
        sprintf(hosts + strlen(hosts), "%s10.0.0.%d:2181", i > 1 ? "," : "", i);
    got = hosts_resolve(hosts, NULL);
    for (const char *at = got; *at; at++)
        commas += *at == ',';
    assert_int_equal(commas + 1, 64);
    free(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_without_brackets),
        cmocka_unit_test(copies_without_slashes_at_the_end),
        cmocka_unit_test(puts_the_first_server_behind_the_last),
        cmocka_unit_test(leaves_the_chroot_at_the_end),
        cmocka_unit_test(leaves_one_server_where_it_is),
        cmocka_unit_test(knows_its_servers),
        cmocka_unit_test(is_back_after_as_many_turns_as_servers),
        cmocka_unit_test(knows_the_same_servers_in_another_order),
        cmocka_unit_test(keeps_numeric_addresses),
        cmocka_unit_test(takes_an_ipv6_address_without_brackets),
        cmocka_unit_test(keeps_the_chroot),
        cmocka_unit_test(names_an_address_once),
        cmocka_unit_test(refuses_what_is_no_host_and_port),
        cmocka_unit_test(names_the_host_that_does_not_resolve),
        cmocka_unit_test(leaves_out_and_names_what_does_not_resolve),
        cmocka_unit_test(takes_the_servers_in_random_order),
        cmocka_unit_test(takes_no_more_addresses_than_it_has_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
