/* test_hosts.c - tests of csrc/zookeeper/hosts.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

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

static void is_back_after_as_many_turns_as_servers(void **state) {
    char *hosts = hosts_copy("a:1,b:2,c:3,d:4/x");

    (void)state;
    for (int i = 0; i < 4; i++)
        hosts_rotate(hosts);
    assert_string_equal(hosts, "a:1,b:2,c:3,d:4/x");
    free(hosts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_without_brackets),
        cmocka_unit_test(puts_the_first_server_behind_the_last),
        cmocka_unit_test(leaves_the_chroot_at_the_end),
        cmocka_unit_test(leaves_one_server_where_it_is),
        cmocka_unit_test(is_back_after_as_many_turns_as_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
