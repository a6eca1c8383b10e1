/* test_resolver.c - tests of csrc/base/resolver.c: a hosts file of the test's
 * own, and a DNS that answers what a test says
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "csrc/base/resolver.h"

#define A    1
#define AAAA 28

/* What DNS says. */
static struct {
    int herr[3];      /* of the next questions; 0: an answer */
    int asked[8];     /* the types asked for */
    size_t count;     /* of them */
    const char *a;    /* rdata of 4 bytes, or NULL */
    const char *aaaa; /* of 16 bytes, or NULL */
    int broken;       /* the answer is none */
} dns;

static unsigned char *put(unsigned char *to, const void *from, size_t length) {
    memcpy(to, from, length);
    return to + length;
}

/* Takes the place of libc's. The answer is one alias, and one address. */
int res_nsearch(res_state state, const char *name, int class, int type,
                unsigned char *answer, int size) {
    const char *data = type == A ? dns.a : dns.aaaa;
    size_t length = type == A ? 4 : 16;
    int herr = dns.count < 3 ? dns.herr[dns.count] : 0;
    unsigned char head[12] = {0, 1, 0x81, 0x80, 0, 1};
    unsigned char fixed[10] = {0, (unsigned char)type, 0, 1, 0, 0, 0, 1};
    unsigned char *to = answer;

    assert_string_equal(name, "zk.e2e");
    assert_int_equal(class, ns_c_in);
    assert_in_range(size, 512, 65536);
    assert_true(state->options & RES_NORELOAD);
    dns.asked[dns.count++] = type;
    if (herr != 0) {
        state->res_h_errno = herr;
        return -1;
    }
    if (dns.broken) {
        memset(answer, 0xff, 20);
        return 20;
    }
    head[7] = data ? 2 : 0;
    to = put(to, head, 12);
    to = put(to, "\2zk\3e2e\0\0", 10);
    to[-1] = (unsigned char)type;
    to = put(to, "\0\1", 2);
    if (data) {
        to = put(to, "\300\14\0\5\0\1\0\0\0\1\0\2\300\14", 14);
        fixed[9] = (unsigned char)length;
        to = put(to, "\300\14", 2);
        to = put(to, fixed, 10);
        to = put(to, data, length);
    }
    return (int)(to - answer);
}

static char found[200];

static void note(void *arg, const char *address) {
    assert_ptr_equal(arg, found);
    snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s ",
             address);
}

/* Returns the descriptor that is opened next. */
static int next_descriptor(void) {
    int fd = dup(0);

    close(fd);
    return fd;
}

/* Looks "zk.e2e" up beside a hosts file of <text>; NULL: there is none. Returns
 * why there is no address, or NULL. */
static const char *find(const char *text) {
    char directory[] = "/tmp/myelin-resolver-XXXXXX";
    char path[64];
    int free_before = next_descriptor();
    struct resolver *r;
    const char *why;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/hosts", directory);
    if (text) {
        FILE *file = fopen(path, "w");

        fputs(text, file);
        fclose(file);
    }
    found[0] = '\0';
    dns.count = 0;
    r = resolver_new(directory);
    why = resolver_find(r, "zk.e2e", note, found);
    resolver_free(r);
    assert_int_equal(next_descriptor(), free_before);
    unlink(path);
    rmdir(directory);
    return why;
}

static int start(void **state) {
    (void)state;
    memset(&dns, 0, sizeof(dns));
    return 0;
}

static void takes_the_names_of_the_hosts_file_before_dns(void **state) {
    (void)state;
    dns.a = "\12\0\0\1";
    assert_null(find("# zk.e2e\n127.0.0.1 localhost\n"
                     "10.0.0.7\tother ZK.e2e # comment\n"
                     "2001:db8::7 zk.e2e\n"));
    assert_string_equal(found, "10.0.0.7 2001:db8::7 ");
    assert_int_equal(dns.count, 0);
}

/* libc takes them, so names that were known at load were not known later. */
static void a_line_of_the_hosts_file_may_begin_with_blanks(void **state) {
    (void)state;
    assert_null(find("  \t10.0.0.9 zk.e2e\n"));
    assert_string_equal(found, "10.0.0.9 ");
}

static void asks_dns_where_the_hosts_file_does_not_know(void **state) {
    static const char *const texts[] = {
        NULL,
        "",
        "10.0.0.7 other zk.e2e.example zk\n",
        "10.0.0.7 # zk.e2e\n",
        "10.0.0.999 zk.e2e\n",
        "zk.e2e 10.0.0.7\n",
        " 10.0.0.7\n",
    };

    (void)state;
    dns.a = "\12\0\0\1";
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_null(find(texts[i]));
        assert_string_equal(found, "10.0.0.1 ");
    }
}

static void finds_addresses_of_both_families(void **state) {
    (void)state;
    dns.a = "\12\0\0\1";
    dns.aaaa = "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1";
    assert_null(find(NULL));
    assert_string_equal(found, "10.0.0.1 2001:db8::1 ");
    assert_int_equal(dns.asked[0], A);
    assert_int_equal(dns.asked[1], AAAA);
}

static void finds_a_name_that_has_ipv6_alone(void **state) {
    (void)state;
    dns.aaaa = "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1";
    assert_null(find(NULL));
    assert_string_equal(found, "2001:db8::1 ");
    dns.herr[0] = NO_DATA;
    assert_null(find(NULL));
    assert_string_equal(found, "2001:db8::1 ");
}

static void says_in_libcs_words_why_there_is_none(void **state) {
    (void)state;
    assert_string_equal(find(NULL), gai_strerror(EAI_NODATA));
    dns.herr[0] = HOST_NOT_FOUND;
    assert_string_equal(find(NULL), gai_strerror(EAI_NONAME));
    assert_int_equal(dns.count, 1);
    dns.herr[0] = dns.herr[1] = TRY_AGAIN;
    assert_string_equal(find(NULL), gai_strerror(EAI_AGAIN));
    assert_int_equal(dns.count, 2);
    dns.herr[0] = NO_RECOVERY;
    assert_string_equal(find(NULL), gai_strerror(EAI_AGAIN));
    assert_int_equal(dns.count, 1);
}

static void asks_again_where_nobody_answered(void **state) {
    (void)state;
    dns.a = "\12\0\0\1";
    dns.herr[0] = TRY_AGAIN;
    assert_null(find(NULL));
    assert_string_equal(found, "10.0.0.1 ");
}

static void takes_no_address_out_of_what_is_no_answer(void **state) {
    (void)state;
    dns.broken = 1;
    assert_string_equal(find(NULL), gai_strerror(EAI_NODATA));
    assert_string_equal(found, "");
}

static void asks_nobody_for_an_address_or_once_stopped(void **state) {
    struct resolver *r = resolver_new("/nonexistent");

    (void)state;
    found[0] = '\0';
    assert_null(resolver_find(r, "10.0.0.1", note, found));
    assert_null(resolver_find(r, "::1", note, found));
    assert_string_equal(found, "10.0.0.1 ::1 ");
    resolver_stop(r);
    assert_string_equal(resolver_find(r, "zk.e2e", note, found),
                        gai_strerror(EAI_AGAIN));
    assert_int_equal(dns.count, 0);
    resolver_free(r);
    resolver_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_the_names_of_the_hosts_file_before_dns,
                               start),
        cmocka_unit_test_setup(a_line_of_the_hosts_file_may_begin_with_blanks,
                               start),
        cmocka_unit_test_setup(asks_dns_where_the_hosts_file_does_not_know,
                               start),
        cmocka_unit_test_setup(finds_addresses_of_both_families, start),
        cmocka_unit_test_setup(finds_a_name_that_has_ipv6_alone, start),
        cmocka_unit_test_setup(says_in_libcs_words_why_there_is_none, start),
        cmocka_unit_test_setup(asks_again_where_nobody_answered, start),
        cmocka_unit_test_setup(takes_no_address_out_of_what_is_no_answer,
                               start),
        cmocka_unit_test_setup(asks_nobody_for_an_address_or_once_stopped,
                               start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
