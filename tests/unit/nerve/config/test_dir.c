/* test_dir.c - tests of service_conf_dir: nerve/config/dir.c and what
 * becomes of its files
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/error.h"
#include "nerve/config/read.h"

#define SERVICE(PORT)                                                          \
    "{\"host\": \"h\", \"port\": " PORT ", \"zk_hosts\": [\"zk:1\"],"          \
    "\"zk_path\": \"/a\"}"

static char directory[] = "/tmp/nerve-conf-dir-XXXXXX";
static char *written[8];
static size_t written_count;

static int make_directory(void **state) {
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    written_count = 0;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    while (written_count) {
        unlink(written[--written_count]);
        free(written[written_count]);
    }
    return rmdir(directory);
}

static void write_file(const char *name, const char *text) {
    char *path;
    FILE *file;

    assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    written[written_count++] = path;
}

/* Reads a configuration of the directory and of the services <inlined>. */
static struct config *parse(const char *inlined, struct error *err) {
    char text[1000];

    snprintf(text, sizeof(text),
             "{\"instance_id\": \"i\", \"service_conf_dir\": \"%s\","
             "\"services\": %s}",
             directory, inlined);
    return config_parse(text, strlen(text), NULL, err);
}

/* Compares <text> with the directory, a slash, and <rest>. */
static void assert_at(const char *text, const char *rest) {
    char wanted[600];

    snprintf(wanted, sizeof(wanted), "%s/%s", directory, rest);
    assert_string_equal(text, wanted);
}

static void assert_refused(const char *rest) {
    struct error err = {0};

    assert_null(parse("{}", &err));
    assert_at(err.text, rest);
}

static void each_json_file_is_a_service_named_like_it(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    write_file("db.main.json", SERVICE("81"));
    config = parse("{\"inline\": " SERVICE("82") "}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 3);
    assert_string_equal(config->services[0].name, "inline");
    assert_string_equal(config->services[1].name, "db.main");
    assert_string_equal(config->services[2].name, "web");
    assert_string_equal(config->services[2].port, "80");
    config_free(config);
}

static void a_file_takes_the_place_of_what_is_inline(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    config = parse("{\"web\": \"not even a service\"}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 1);
    assert_string_equal(config->services[0].port, "80");
    assert_non_null(strstr(config->notes[0].text, "services.web: /tmp/"));
    config_free(config);
}

static void the_directory_alone_may_hold_services(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json", SERVICE("80"));
    config = parse("null", &err);
    assert_int_equal(config->service_count, 1);
    config_free(config);
}

static void other_files_are_left_alone(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file(".web.json", "{");
    write_file("web.json.bak", "{");
    write_file("README", "these are services");
    write_file(".yaml", "a: b");
    config = parse("{}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->service_count, 0);
    config_free(config);
}

static void yaml_is_refused_with_what_to_do(void **state) {
    (void)state;
    write_file("web.yaml", "host: h");
    assert_refused("web.yaml: YAML is not read; replace it with web.json "
                   "(YAML parsers read JSON too)");
    unlink(written[0]);
    write_file("web.yml", "host: h");
    assert_refused("web.yml: YAML is not read; replace it with web.json "
                   "(YAML parsers read JSON too)");
    unlink(written[1]);
    write_file("web.json", "host: h");
    assert_refused("web.json: line 1, column 4: '[' or '{' expected near "
                   "'host' (the file must be JSON; YAML is not read)");
}

static void a_wrong_file_is_named_with_the_place_in_it(void **state) {
    (void)state;
    write_file("web.json", SERVICE("0"));
    assert_refused("web.json: services.web.port: 0 is not a port (1 to "
                   "65535)");
    write_file("a.json", "[]");
    assert_refused("a.json: services.a: must be an object ({...})");
    write_file("Z.json", "{\"host\": 1, \"host\": 2}");
    assert_refused("Z.json: line 1, column 18: duplicate object key near "
                   "'\"host\"'");
}

static void a_note_names_the_file(void **state) {
    struct error err = {0};
    struct config *config;

    (void)state;
    write_file("web.json",
               "{\"host\": \"h\", \"port\": 80, \"zk_hosts\": [\"zk:1\"],"
               "\"zk_path\": \"/a\", \"wieght\": 1, \"check_mocked\": true}");
    config = parse("{\"b\": " SERVICE("81") "}", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(config->note_count, 3);
    assert_string_equal(config->notes[0].text,
                        "services.b: no checks, always up");
    assert_at(config->notes[1].text,
              "web.json: services.web: no checks, always up");
    assert_at(config->notes[2].text,
              "web.json: services.web.wieght: unknown key, ignored; did you "
              "mean \"weight\"?");
    config_free(config);
}

static void the_same_instance_in_two_files_is_refused(void **state) {
    struct error err = {0};

    (void)state;
    write_file("a.json", SERVICE("80"));
    write_file("b.json", SERVICE("80"));
    assert_null(parse("{}", &err));
    assert_string_equal(err.text,
                        "services.b: zk_hosts, zk_path, host and port are "
                        "those of services.a; remove one of them");
}

#define TEST(NAME)                                                             \
    cmocka_unit_test_setup_teardown(NAME, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_json_file_is_a_service_named_like_it),
        TEST(a_file_takes_the_place_of_what_is_inline),
        TEST(the_directory_alone_may_hold_services),
        TEST(other_files_are_left_alone),
        TEST(yaml_is_refused_with_what_to_do),
        TEST(a_wrong_file_is_named_with_the_place_in_it),
        TEST(a_note_names_the_file),
        TEST(the_same_instance_in_two_files_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
