/* test_options.c - tests of nerve/options.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nerve/options.h"

/* The environment of a test: one variable, "" names none. */
static const char *variable = "";
static char value[] = "from-environment";

static char *fake_getenv(const char *name) {
    return strcmp(name, variable) == 0 ? value : NULL;
}

#define READ(...) read_words((char *[]){"nerve", __VA_ARGS__, NULL})

static struct options read_words(char **words) {
    int count = 0;

    while (words[count])
        count++;
    return options_read(count, words, fake_getenv);
}

static void short_and_long_options_mean_the_same(void **state) {
    struct options one = READ("-c", "f", "-i", "id", "-k");
    struct options other =
        READ("--config", "f", "--instance_id=id", "--check-config");

    (void)state;
    assert_int_equal(one.action, OPTIONS_CHECK);
    assert_string_equal(one.config, "f");
    assert_string_equal(one.instance_id, "id");
    assert_int_equal(other.action, OPTIONS_CHECK);
    assert_string_equal(other.config, "f");
    assert_string_equal(other.instance_id, "id");
}

static void the_environment_fills_in(void **state) {
    struct options options;

    (void)state;
    variable = "NERVE_CONFIG";
    options = read_words((char *[]){"nerve", NULL});
    assert_int_equal(options.action, OPTIONS_RUN);
    assert_string_equal(options.config, value);
    assert_string_equal(READ("-c", "f").config, "f");
    variable = "NERVE_INSTANCE_ID";
    assert_string_equal(READ("-c", "f").instance_id, value);
    assert_string_equal(READ("-c", "f", "-i", "x").instance_id, "x");
    variable = "NERVE_CHECK_CONFIG";
    assert_int_equal(READ("-c", "f").action, OPTIONS_CHECK);
    variable = "";
}

static void help_and_version_need_no_configuration(void **state) {
    (void)state;
    assert_int_equal(READ("-h").action, OPTIONS_HELP);
    assert_int_equal(READ("--help").action, OPTIONS_HELP);
    assert_int_equal(READ("--version").action, OPTIONS_VERSION);
    assert_non_null(strstr(options_help(), "usage: nerve"));
}

static void assert_wrong(struct options options, const char *wrong,
                         const char *problem) {
    assert_int_equal(options.action, OPTIONS_WRONG);
    assert_string_equal(options.wrong, wrong);
    assert_string_equal(options.problem, problem);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    assert_wrong(READ("-x"), "-x", "is not an option");
    assert_wrong(READ("-c", "f", "more"), "more", "is not an option");
    assert_wrong(READ("-c", "f", "--check-config=1"), "--check-config=1",
                 "is not an option");
    assert_wrong(READ("-c"), "-c", "needs a value");
    assert_wrong(READ("-c", "f", "-i"), "-i", "needs a value");
    assert_wrong(READ("-k"), "-c FILE", "is missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_and_long_options_mean_the_same),
        cmocka_unit_test(the_environment_fills_in),
        cmocka_unit_test(help_and_version_need_no_configuration),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
