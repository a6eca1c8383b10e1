/* test_statsd.c - tests of nerve/measure/statsd.c, with the name server's part
 * played
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "nerve/measure/statsd.h"

static uv_loop_t *const loop = NULL; /* is not looked at */
static uint64_t now = 5000;
static unsigned int asked;   /* how often for the host's addresses */
static unsigned int hosts;   /* how many were to be looked up */
static unsigned int dropped; /* how many are not any more */
static void (*answer)(void *arg, const struct addrinfo *addresses, int status);
static void *answer_to;

uint64_t uv_now(const uv_loop_t *ignored) {
    (void)ignored;
    return now;
}

static struct lookup *
look_up(uv_loop_t *ignored, const char *host, int port,
        void (*done)(void *arg, const struct addrinfo *addresses, int status),
        void *arg) {
    (void)ignored;
    (void)host;
    (void)port;
    hosts++;
    answer = done;
    answer_to = arg;
    return (struct lookup *)&asked;
}

static void start(struct lookup *l) {
    (void)l;
    asked++;
}

static void release(struct lookup *l) { dropped += l != NULL; }

static const struct statsd_names names = {look_up, start, release};

/* Each line asked for the addresses once more, as fast as a name server said
 * that there are none: a name that was misspelt kept it busy. */
static void an_unknown_host_is_asked_for_once_a_second(void **state) {
    struct statsd *s = statsd_new(loop, &names);

    (void)state;
    assert_int_equal(statsd_use(s, "unknown", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    answer(answer_to, NULL, UV_EAI_NONAME);
    now += 999;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 1);
    assert_int_equal(statsd_lost(s), 2);
    now += 1;
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 2);
    answer(answer_to, NULL, UV_EAI_NONAME);
    assert_int_equal(statsd_use(s, "other", 8125), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 3);
    statsd_close(s);
}

/* Where a test listens, as a name server would say it. */
struct place {
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } at;
    struct addrinfo address;
};

static void listen_at(struct place *p, int family) {
    static const struct timeval patience = {.tv_sec = 60};
    socklen_t length =
        family == AF_INET ? sizeof(p->at.in) : sizeof(sa_family_t);

    memset(p, 0, sizeof(*p));
    p->at.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        p->at.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(family, SOCK_DGRAM, 0);
    assert_int_equal(
        setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    /* The system chooses the port, or the name. */
    assert_int_equal(bind(p->fd, &p->at.any, length), 0);
    length = sizeof(p->at);
    assert_int_equal(getsockname(p->fd, &p->at.any, &length), 0);
    p->address = (struct addrinfo){
        .ai_family = family, .ai_addr = &p->at.any, .ai_addrlen = length};
}

/* A busy kernel delivers a datagram some time after it was sent. */
static void assert_received(struct place *p, const char *wanted) {
    char text[STATSD_LINE_MAX];
    ssize_t count =
        recv(p->fd, text, sizeof(text) - 1, *wanted ? 0 : MSG_DONTWAIT);

    text[count < 0 ? 0 : count] = '\0';
    assert_string_equal(text, wanted);
}

static void what_waits_is_sent_once_the_address_is_known(void **state) {
    struct statsd *s = statsd_new(loop, &names);
    struct place place;

    (void)state;
    listen_at(&place, AF_INET);
    assert_int_equal(statsd_use(s, "statsd", 8125), 0);
    statsd_count(s, "a", "x", "y", NULL);
    statsd_time(s, "b", 120, NULL);
    assert_received(&place, "");
    answer(answer_to, &place.address, 0);
    assert_received(&place, "a:1|c|#x:y");
    assert_received(&place, "b:120|ms");
    answer(answer_to, &place.address, 0);
    assert_received(&place, "");
    assert_int_equal(statsd_lost(s), 0);
    statsd_close(s);
    close(place.fd);
}

/* airbnb's nerve sends over IPv4; where there is none, any will do. */
static void ipv4_is_preferred(void **state) {
    struct statsd *s = statsd_new(loop, &names);
    struct place ipv4, other;

    (void)state;
    listen_at(&ipv4, AF_INET);
    listen_at(&other, AF_UNIX);
    assert_int_equal(statsd_use(s, "statsd", 8125), 0);
    other.address.ai_next = &ipv4.address;
    statsd_count(s, "a", NULL);
    answer(answer_to, &other.address, 0);
    assert_received(&ipv4, "a:1|c");
    other.address.ai_next = NULL;
    statsd_count(s, "b", NULL);
    answer(answer_to, &other.address, 0);
    assert_received(&other, "b:1|c");
    statsd_count(s, "c", NULL);
    answer(answer_to, &ipv4.address, 0);
    assert_received(&ipv4, "c:1|c");
    assert_int_equal(statsd_lost(s), 0);
    statsd_close(s);
    close(ipv4.fd);
    close(other.fd);
}

static void what_cannot_be_sent_is_counted(void **state) {
    struct statsd *s = statsd_new(loop, &names);
    struct place gone;
    size_t most = 0;

    (void)state;
    listen_at(&gone, AF_UNIX);
    close(gone.fd);
    assert_int_equal(statsd_use(s, "statsd", 8125), 0);
    statsd_count(s, "a", NULL);
    statsd_count(s, "b", NULL);
    answer(answer_to, &gone.address, 0);
    assert_int_equal(statsd_lost(s), 2);
    /* An agent that is restarted has lost nothing that comes after. */
    assert_int_equal(asked, 2);
    for (; statsd_lost(s) == 2; most++)
        statsd_count(s, "0123456789", NULL);
    /* What waits for a name server has an end. */
    assert_in_range(most * strlen("0123456789:1|c"), 10000, 100000);
    statsd_close(s);
}

static void nothing_is_sent_before_it_is_known_where(void **state) {
    struct statsd *s = statsd_new(loop, &names);

    (void)state;
    statsd_count(NULL, "a", NULL);
    statsd_time(NULL, "a", 1, NULL);
    statsd_close(NULL);
    statsd_count(s, "a", NULL);
    statsd_time(s, "a", 1, NULL);
    assert_int_equal(statsd_use(s, NULL, 0), 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(asked, 0);
    assert_int_equal(statsd_lost(s), 0);
    statsd_close(s);
}

static void a_host_is_looked_up_until_it_is_another(void **state) {
    struct statsd *s = statsd_new(loop, &names);

    (void)state;
    assert_int_equal(statsd_use(s, "one", 8125), 0);
    assert_int_equal(statsd_use(s, "one", 8125), 0);
    assert_int_equal(hosts, 1);
    assert_int_equal(dropped, 0);
    statsd_count(s, "a", NULL);
    assert_int_equal(statsd_use(s, "one", 8126), 0);
    assert_int_equal(hosts, 2);
    assert_int_equal(dropped, 1);
    assert_int_equal(statsd_use(s, "two", 8126), 0);
    assert_int_equal(hosts, 3);
    /* What was for the other host is for nobody. */
    answer(answer_to, NULL, UV_EAI_NONAME);
    assert_int_equal(statsd_lost(s), 0);
    assert_int_equal(statsd_use(s, NULL, 0), 0);
    assert_int_equal(dropped, 3);
    statsd_close(s);
    assert_int_equal(dropped, 3);
}

static int begin(void **state) {
    (void)state;
    asked = hosts = dropped = 0;
    return 0;
}

static char line[STATSD_LINE_MAX];

static size_t format(const char *name, const char *type, uint64_t value, ...) {
    va_list tags;
    size_t length;

    va_start(tags, value);
    length = statsd_line(line, name, type, value, tags);
    va_end(tags);
    line[length] = '\0';
    return length;
}

static void a_counter_has_its_tags_or_none(void **state) {
    (void)state;
    assert_int_equal(format("nerve.start", "c", 1UL, NULL), 15);
    assert_string_equal(line, "nerve.start:1|c");
    format("a.b", "ms", 120UL, "x", "y", "z", "w", NULL);
    assert_string_equal(line, "a.b:120|ms|#x:y,z:w");
}

static void what_would_end_a_tag_is_replaced(void **state) {
    (void)state;
    format("a", "c", 1UL, "x", "a,b|c#d\ne:f\xc3\xa4", NULL);
    assert_string_equal(line, "a:1|c|#x:a_b_c_d_e:f\xc3\xa4");
}

static void a_long_value_is_cut(void **state) {
    char value[2000];

    (void)state;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(format("a", "c", 1UL, "x", value, "y", "z", NULL),
                     strlen("a:1|c|#x:") + 128 + strlen(",y:z"));
}

static void what_does_not_fit_is_not_sent_in_part(void **state) {
    char value[200];

    (void)state;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(format("a", "c", 1UL, "a", value, "b", value, "c", value,
                            "d", value, "e", value, "f", value, "g", value, "h",
                            value, "i", value, NULL),
                     0);
}

/* To the byte: the newline must fit too. */
static void a_line_ends_before_its_room_does(void **state) {
    char name[STATSD_LINE_MAX];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[STATSD_LINE_MAX - 1 - strlen(":1|c|#x:") - 1] = '\0';
    assert_int_equal(format(name, "c", 1UL, "x", "", NULL),
                     STATSD_LINE_MAX - 2);
    assert_int_equal(format(name, "c", 1UL, "x", "y", NULL), 0);
    name[strlen(name)] = 'n';
    name[STATSD_LINE_MAX - 1 - strlen(":1|c|#x:")] = '\0';
    assert_int_equal(format(name, "c", 1UL, "x", "", NULL), 0);
    name[strlen(name)] = 'n';
    name[STATSD_LINE_MAX - strlen(":1|c|#x:")] = '\0';
    assert_int_equal(format(name, "c", 1UL, "x", "", NULL), 0);
}

static void an_ensemble_has_the_name_that_airbnbs_nerve_gives_it(void **state) {
    static const struct {
        const char *hosts, *name;
    } cases[] = {
        {"zk0.example.com:2181,zk1.example.com:2181", "zk"},
        {"zk-main-12.example.com:2181", "zk-main-"},
        {"zk9.example.com:2181", "zk"},
        {"localhost:2181", "localhost:"},
        {"10.0.0.1:2181,10.0.0.2:2181", "10.0.0.1:2181"},
    };
    char name[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        statsd_cluster(cases[i].hosts, name, sizeof(name));
        assert_string_equal(name, cases[i].name);
    }
}

#define TEST(NAME) cmocka_unit_test_setup(NAME, begin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_host_is_asked_for_once_a_second),
        TEST(what_waits_is_sent_once_the_address_is_known),
        TEST(ipv4_is_preferred),
        TEST(what_cannot_be_sent_is_counted),
        TEST(nothing_is_sent_before_it_is_known_where),
        TEST(a_host_is_looked_up_until_it_is_another),
        cmocka_unit_test(a_counter_has_its_tags_or_none),
        cmocka_unit_test(what_would_end_a_tag_is_replaced),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(what_does_not_fit_is_not_sent_in_part),
        cmocka_unit_test(a_line_ends_before_its_room_does),
        cmocka_unit_test(an_ensemble_has_the_name_that_airbnbs_nerve_gives_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
