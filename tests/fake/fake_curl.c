/* fake_curl.c - libcurl as a check sees it: what it sets is kept, and what
 * libcurl says a test gives
 *
 * Included by a test, which has the includes of cmocka: the archive's curl_loop
 * and check are then left out by the linker.
 * SPDX-License-Identifier: MIT
 */

/* They check the types of calls, and would be in the way of the fakes. */
#define CURL_DISABLE_TYPECHECK
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>

#include "nerve/checks/check_type.h"
#include "nerve/checks/curl_loop.h"
#include "nerve/config/model.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

/* The options of the transfer: numbers, and texts as "text". */
static long numbers[400];
static char target[100], url[100], method[20], request_target[100];
static char headers[400], ca_file[40];
static char *problem;
typedef size_t write_body(char *bytes, size_t one, size_t length, void *arg);
static write_body *give_body, *give_header;
static void *body_arg, *header_arg;
static const void *posted;
static bool ca_path_unset;

static void join(const struct curl_slist *list, char *out, size_t size) {
    for (out[0] = '\0'; list; list = list->next)
        snprintf(out + strlen(out), size - strlen(out), "%s\n", list->data);
}

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
    va_list args;
    void *pointer;

    (void)easy;
    va_start(args, option);
    if (option < CURLOPTTYPE_OBJECTPOINT) {
        numbers[option] = va_arg(args, long);
        va_end(args);
        return CURLE_OK;
    }
    if (option == CURLOPT_WRITEFUNCTION || option == CURLOPT_HEADERFUNCTION) {
        *(option == CURLOPT_WRITEFUNCTION ? &give_body : &give_header) =
            va_arg(args, write_body *);
        va_end(args);
        return CURLE_OK;
    }
    pointer = va_arg(args, void *);
    va_end(args);
    if (option == CURLOPT_WRITEDATA)
        body_arg = pointer;
    else if (option == CURLOPT_HEADERDATA)
        header_arg = pointer;
    else if (option == CURLOPT_POSTFIELDS)
        posted = pointer;
    else if (option == CURLOPT_ERRORBUFFER)
        problem = pointer;
    else if (option == CURLOPT_URL)
        snprintf(url, sizeof(url), "%s", (char *)pointer);
    else if (option == CURLOPT_CUSTOMREQUEST)
        snprintf(method, sizeof(method), "%s", (char *)pointer);
    else if (option == CURLOPT_REQUEST_TARGET)
        snprintf(request_target, sizeof(request_target), "%s", (char *)pointer);
    else if (option == CURLOPT_CAINFO)
        snprintf(ca_file, sizeof(ca_file), "%s",
                 pointer ? (char *)pointer : "none");
    else if (option == CURLOPT_CAPATH)
        ca_path_unset = pointer == NULL;
    else if (option == CURLOPT_CONNECT_TO)
        join(pointer, target, sizeof(target));
    else if (option == CURLOPT_HTTPHEADER)
        join(pointer, headers, sizeof(headers));
    return CURLE_OK;
}

static long status_told, number_told, version_told;

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...) {
    va_list args;

    (void)easy;
    va_start(args, info);
    *va_arg(args, long *) = info == CURLINFO_RESPONSE_CODE  ? status_told
                            : info == CURLINFO_HTTP_VERSION ? version_told
                                                            : number_told;
    va_end(args);
    return CURLE_OK;
}

/* The pool: how many transfers are taken, and what goes wrong. */
static int taken, added, the_easy;
static bool none_left, add_fails;
static curl_loop_done_fn *done_fn;
static void *done_arg;

CURL *curl_loop_take(struct curl_loop *cl) {
    (void)cl;
    if (none_left)
        return NULL;
    taken++;
    return &the_easy;
}

void curl_loop_give(struct curl_loop *cl, CURL *easy) {
    (void)cl;
    assert_ptr_equal(easy, &the_easy);
    taken--;
}

int curl_loop_add(struct curl_loop *cl, CURL *easy, curl_loop_done_fn *done,
                  void *arg) {
    (void)cl;
    (void)easy;
    if (add_fails)
        return -1;
    added++;
    done_fn = done;
    done_arg = arg;
    return 0;
}

void curl_loop_remove(struct curl_loop *cl, CURL *easy) {
    (void)cl;
    (void)easy;
    added--;
}

/* "+", or "-" or "r"efused with the reason. */
static char story[300];

void check_attempt_ended(struct check *c, enum check_result result,
                         const char *reason) {
    static const char *const signs[] = {"+", "-", "?"};

    (void)c;
    snprintf(story + strlen(story), sizeof(story) - strlen(story), "%s%s",
             signs[result], reason ? reason : "");
}

void check_attempt_refused(struct check *c, int error, const char *reason) {
    (void)c;
    (void)error;
    snprintf(story + strlen(story), sizeof(story) - strlen(story), "r%s",
             reason);
}

static void assert_story(const char *wanted) {
    assert_string_equal(story, wanted);
    story[0] = '\0';
}

/* The check that is tested. */
static const struct check_type *tested;
static struct check_config config;
static struct check *check;

static void open_check(void) {
    check = calloc(1, tested->size);
    check->config = &config;
    assert_int_equal(tested->open(check), 0);
}

static void attempt(void) {
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)config.port)};
    const struct addrinfo address = {.ai_family = AF_INET,
                                     .ai_addr = (struct sockaddr *)&in,
                                     .ai_addrlen = sizeof(in)};

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tested->attempt(check, &address);
}

/* libcurl ends the transfer. */
static void finish(CURLcode code, long status) {
    status_told = status;
    added--;
    done_fn(done_arg, code);
}

/* Fails the test unless all transfers were given back. */
static int fake_curl_end(void **state) {
    (void)state;
    tested->close(check);
    free(check);
    return taken == 0 && added == 0 ? 0 : -1;
}

static void fake_curl_begin(const struct check_type *type) {
    tested = type;
    memset(numbers, 0, sizeof(numbers));
    target[0] = url[0] = method[0] = request_target[0] = headers[0] = '\0';
    ca_file[0] = story[0] = '\0';
    posted = NULL;
    ca_path_unset = none_left = add_fails = false;
    taken = added = 0;
    status_told = number_told = version_told = 0;
}
