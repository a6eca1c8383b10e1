/* test_znode_owner.c - tests of nerve/register/znode_owner.c, and
 * of the ttl in nerve/register/plan.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/config/model.h"
#include "nerve/register/plan.h"
#include "nerve/register/znode_owner.h"

#define US    "{\"host\":\"h\",\"port\":80,\"name\":\"i\""
#define OURS  US ",\"weight\":1}"
#define OTHER "{\"host\":\"g\",\"port\":80,\"name\":\"i\"}"

static char identity[] = US, node[] = "i_";

static struct service_config service_of(enum node_type type) {
    return (struct service_config){
        .identity = identity, .node = node, .node_type = type};
}

static void whose_a_znode_is(void **state) {
    static const struct {
        enum node_type type;
        int64_t owner; /* our session is 5 */
        const char *data;
        enum znode_owner whose;
    } cases[] = {
        {NODE_EPHEMERAL_SEQUENTIAL, 5, OURS, ZNODE_OWNER_OURS},
        {NODE_EPHEMERAL_SEQUENTIAL, 5, OTHER, ZNODE_OWNER_OTHERS},
        {NODE_EPHEMERAL_SEQUENTIAL, 6, OURS, ZNODE_OWNER_OTHERS},
        {NODE_EPHEMERAL_SEQUENTIAL, 0, OURS, ZNODE_OWNER_OTHERS},
        {NODE_PERSISTENT_SEQUENTIAL, 0, OURS, ZNODE_OWNER_OURS},
        {NODE_PERSISTENT_SEQUENTIAL, 0, OTHER, ZNODE_OWNER_OTHERS},
        {NODE_PERSISTENT_SEQUENTIAL, 5, OURS, ZNODE_OWNER_OTHERS},
        {NODE_PERSISTENT_SEQUENTIAL, 6, OURS, ZNODE_OWNER_OTHERS},
        {NODE_PERSISTENT, 0, OURS, ZNODE_OWNER_OURS},
        {NODE_PERSISTENT, 0, OTHER, ZNODE_OWNER_OURS},
        {NODE_PERSISTENT, 0, "", ZNODE_OWNER_OURS},
        {NODE_PERSISTENT, 5, OURS, ZNODE_OWNER_HELD},
        {NODE_PERSISTENT, 6, OURS, ZNODE_OWNER_HELD},
        {NODE_EPHEMERAL, 5, OURS, ZNODE_OWNER_OURS},
        {NODE_EPHEMERAL, 5, OTHER, ZNODE_OWNER_OURS},
        {NODE_EPHEMERAL, 6, OURS, ZNODE_OWNER_HELD},
        {NODE_EPHEMERAL, 6, OTHER, ZNODE_OWNER_HELD},
        {NODE_EPHEMERAL, 0, OURS, ZNODE_OWNER_LEFTOVER},
        {NODE_EPHEMERAL, 0, OTHER, ZNODE_OWNER_HELD},
        {NODE_EPHEMERAL, 0, "", ZNODE_OWNER_HELD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct service_config service = service_of(cases[i].type);

        print_message("  type %d, owner %d: %s\n", cases[i].type,
                      (int)cases[i].owner, cases[i].data);
        assert_int_equal(znode_owner_decide(&service, 5, cases[i].owner,
                                            cases[i].data,
                                            strlen(cases[i].data)),
                         cases[i].whose);
    }
}

static void which_names_may_be_ours(void **state) {
    struct service_config sequential = service_of(NODE_EPHEMERAL_SEQUENTIAL);
    struct service_config single = service_of(NODE_PERSISTENT);

    (void)state;
    assert_true(znode_owner_is_candidate(&sequential, "i_0000000007"));
    assert_true(znode_owner_is_candidate(&sequential, "i_-2147483648"));
    assert_false(znode_owner_is_candidate(&sequential, "i_"));
    assert_false(znode_owner_is_candidate(&sequential, "i_7_0000000001"));
    assert_false(znode_owner_is_candidate(&sequential, "j_0000000007"));
    assert_true(znode_owner_is_candidate(&single, "i_"));
    assert_false(znode_owner_is_candidate(&single, "i_0000000007"));
}

static void a_write_is_due_every_ttl(void **state) {
    struct ttl ttl = {0};
    int64_t now = 1000, first;

    (void)state;
    assert_false(ttl_is_due(&ttl, 360000, "a", now));
    first = ttl.due_ms;
    assert_in_range(first, now + 1, now + 360000);
    assert_false(ttl_is_due(&ttl, 360000, "a", first - 1));
    assert_true(ttl_is_due(&ttl, 360000, "a", first));
    assert_false(ttl_is_due(&ttl, 360000, "a", first + 359000));
    assert_true(ttl_is_due(&ttl, 360000, "a", first + 361000));
    assert_false(ttl_is_due(&ttl, 360000, "a", first + 361000));
}

static void the_first_writes_of_many_are_spread(void **state) {
    int early = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct ttl ttl = {0};
        char text[20];

        snprintf(text, sizeof(text), "i-%d", i);
        ttl_is_due(&ttl, 10000, text, 0);
        early += ttl.due_ms <= 5000;
    }
    assert_in_range(early, 400, 600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_a_znode_is),
        cmocka_unit_test(which_names_may_be_ours),
        cmocka_unit_test(a_write_is_due_every_ttl),
        cmocka_unit_test(the_first_writes_of_many_are_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
