/* test_prometheus.c - tests of nerve/measure/prometheus.c
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "csrc/base/text.h"
#include "nerve/measure/histogram.h"
#include "nerve/measure/prometheus.h"

static struct text text;

static int close_text(void **state) {
    (void)state;
    text_close(&text);
    return 0;
}

static void expose(const char *value) {
    const struct label label = {"service", value};

    text_close(&text);
    exposition_sample(&text, "up", &label, 1, 1);
}

static void a_family_says_what_it_is(void **state) {
    (void)state;
    exposition_family(&text, "up", "gauge", "Whether.");
    assert_string_equal(text.data, "# HELP up Whether.\n# TYPE up gauge\n");
}

static void a_sample_has_its_labels_or_none(void **state) {
    const struct label labels[] = {{"a", "1"}, {"b", "2"}};

    (void)state;
    exposition_sample(&text, "up", labels, 2, 18446744073709551615U);
    exposition_sample(&text, "up", NULL, 0, 0);
    assert_string_equal(text.data,
                        "up{a=\"1\",b=\"2\"} 18446744073709551615\nup 0\n");
}

static void what_would_end_a_value_is_escaped(void **state) {
    (void)state;
    expose("a\"b\\c\nd} 1");
    assert_string_equal(text.data, "up{service=\"a\\\"b\\\\c\\nd} 1\"} 1\n");
}

static void a_long_value_is_cut_and_stays_different_from_others(void **state) {
    char one[201], two[201], kept[300];

    (void)state;
    memset(one, 'x', 200);
    memset(two, 'x', 200);
    one[199] = '1';
    two[199] = '2';
    one[200] = two[200] = '\0';
    expose(one);
    assert_true(text.length < 160);
    strcpy(kept, text.data);
    expose(two);
    assert_string_not_equal(text.data, kept);
    expose(one);
    assert_string_equal(text.data, kept);
}

static void a_value_is_cut_between_characters(void **state) {
    char value[201];
    const char *cut;

    (void)state;
    for (size_t i = 0; i < 200; i += 2)
        memcpy(value + 1 + i, "\xc3\xa4", 2); /* two bytes, one character */
    value[0] = 'x';
    value[199] = '\0';
    expose(value);
    cut = strchr(text.data, '~');
    assert_non_null(cut);
    assert_memory_equal(cut - 2, "\xc3\xa4", 2);
}

static void the_buckets_of_a_histogram_add_up(void **state) {
    const struct label label = {"a", "b"};
    struct histogram h = {0};

    (void)state;
    histogram_add(&h, 1500);
    histogram_add(&h, 1500);
    histogram_add(&h, 3000000000U);
    exposition_histogram(&text, "took", &label, 1, &h);
    assert_non_null(strstr(text.data, "took_bucket{a=\"b\",le=\"0.001\"} 0\n"));
    assert_non_null(strstr(text.data, "took_bucket{a=\"b\",le=\"0.002\"} 2\n"));
    assert_non_null(strstr(text.data, "took_bucket{a=\"b\",le=\"5\"} 2\n"));
    assert_non_null(strstr(text.data, "took_bucket{a=\"b\",le=\"+Inf\"} 3\n"
                                      "took_sum{a=\"b\"} 3000.003000\n"
                                      "took_count{a=\"b\"} 3\n"));
}

#define TEST(name) cmocka_unit_test_teardown(name, close_text)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_family_says_what_it_is),
        TEST(a_sample_has_its_labels_or_none),
        TEST(what_would_end_a_value_is_escaped),
        TEST(a_long_value_is_cut_and_stays_different_from_others),
        TEST(a_value_is_cut_between_characters),
        TEST(the_buckets_of_a_histogram_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
