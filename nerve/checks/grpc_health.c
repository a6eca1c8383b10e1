/* grpc_health.c - the bytes of grpc.health.v1.Health/Check, and what an answer
 * means
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nerve/checks/grpc_health.h"

#define PREFIX       5 /* bytes before a message: a flag and its length */
#define FIELD_NAME   0x0a
#define FIELD_STATUS 1
#define SERVING      1

#define TYPE "application/grpc"

size_t grpc_request_write(const char *service,
                          unsigned char out[GRPC_REQUEST_MAX]) {
    size_t name = service ? strnlen(service, GRPC_SERVICE_MAX) : 0;
    size_t at = PREFIX, message;

    if (name > 0) {
        out[at++] = FIELD_NAME;
        if (name > 127)
            out[at++] = (unsigned char)(0x80 | (name & 0x7f));
        out[at++] = (unsigned char)(name > 127 ? name >> 7 : name);
        memcpy(out + at, service, name);
        at += name;
    }
    message = at - PREFIX;
    memset(out, 0, PREFIX);
    out[3] = (unsigned char)(message >> 8);
    out[4] = (unsigned char)(message & 0xff);
    return at;
}

/* Copies the <length> bytes at <from> to <to>, as many as fit. Bytes that would
 * not fit in a log line become "?". */
static void copy_value(char *to, size_t size, const char *from, size_t length) {
    size_t used = 0;

    while (length > 0 && strchr(" \t\r\n", from[length - 1]))
        length--;
    for (; length > 0 && (*from == ' ' || *from == '\t'); length--)
        from++;
    for (; used < length && used < size - 1; used++) {
        unsigned char c = (unsigned char)from[used];

        to[used] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
    to[used] = '\0';
}

void grpc_answer_add_header(struct grpc_answer *a, const char *line,
                            size_t length) {
    const struct {
        const char *name;
        char *value;
        size_t size;
    } kept[] = {{"content-type:", a->type, sizeof(a->type)},
                {"grpc-status:", a->result, sizeof(a->result)},
                {"grpc-message:", a->words, sizeof(a->words)}};

    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        size_t name = strlen(kept[i].name);

        if (length >= name && strncasecmp(line, kept[i].name, name) == 0)
            copy_value(kept[i].value, kept[i].size, line + name, length - name);
    }
}

bool grpc_answer_add_body(struct grpc_answer *a, const void *bytes,
                          size_t length) {
    size_t room = sizeof(a->bytes) - a->length;

    if (length > room) {
        a->overflowed = true;
        length = room;
    }
    memcpy(a->bytes + a->length, bytes, length);
    a->length += length;
    return !a->overflowed;
}

/* application/grpc, application/grpc+proto, application/grpc;charset=utf-8 */
static bool is_grpc(const char *type) {
    const char *rest = type + strlen(TYPE);

    return strncasecmp(type, TYPE, strlen(TYPE)) == 0 &&
           (*rest == '\0' || *rest == ';' || *rest == ' ' ||
            strncasecmp(rest, "+proto", 6) == 0);
}

/* Returns the word for grpc-status <number>, static. */
static const char *status_word(unsigned long number) {
    static const char *const words[] = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};

    return number < sizeof(words) / sizeof(*words) ? words[number]
                                                   : "no status of gRPC";
}

#define NOT_FOUND     5
#define UNIMPLEMENTED 12

static void say_unknown_service(const char *before, const char *service,
                                char *reason, size_t size) {
    if (service)
        snprintf(reason, size, "%s: the server has no service \"%.100s\"",
                 before, service);
    else
        snprintf(
            reason, size,
            "%s: the server says nothing of itself as a whole; name one of "
            "its services in \"service\"",
            before);
}

/* Says why the server refuses to answer. */
static void say_refusal(const struct grpc_answer *a, const char *service,
                        char *reason, size_t size) {
    char *end;
    unsigned long number = strtoul(a->result, &end, 10);
    char status[80];

    if (a->result[0] < '0' || a->result[0] > '9' || *end) {
        snprintf(reason, size, "grpc-status \"%s\" is not a number", a->result);
        return;
    }
    snprintf(status, sizeof(status), "grpc-status %lu (%s)", number,
             status_word(number));
    if (number == NOT_FOUND)
        say_unknown_service(status, service, reason, size);
    else if (number == UNIMPLEMENTED)
        snprintf(reason, size,
                 "%s: the server does not have grpc.health.v1.Health", status);
    else
        snprintf(reason, size, "%s%s%s", status, a->words[0] ? ": " : "",
                 a->words);
}

/* Says what is wrong with the headers, or what error they carry. Returns
 * whether a message should follow. */
static bool judge_headers(const struct grpc_answer *a, const char *service,
                          char *reason, size_t size) {
    if (!a->is_http2)
        snprintf(reason, size,
                 "the server answers in HTTP/1, and gRPC needs HTTP/2");
    else if (a->status != 200)
        snprintf(reason, size,
                 "status %ld; a gRPC server answers 200: another server, or a "
                 "proxy, answers here",
                 a->status);
    else if (!is_grpc(a->type))
        snprintf(reason, size,
                 "content-type \"%s\", not " TYPE
                 ": no gRPC server answers here",
                 a->type);
    else if (a->overflowed)
        snprintf(reason, size,
                 "the answer is longer than %d bytes; one of "
                 "grpc.health.v1.Health has 7",
                 PREFIX + GRPC_MESSAGE_MAX);
    else if (!a->result[0])
        snprintf(reason, size,
                 "no grpc-status in the trailers: the answer is cut off, or a "
                 "proxy removes them");
    else if (strcmp(a->result, "0") != 0)
        say_refusal(a, service, reason, size);
    else
        return true;
    return false;
}

/* Says what is wrong with the frame. Returns whether it has one message. */
static bool judge_frame(const struct grpc_answer *a, char *reason,
                        size_t size) {
    const unsigned char *b = a->bytes;
    uint32_t length = (uint32_t)b[1] << 24 | (uint32_t)b[2] << 16 |
                      (uint32_t)b[3] << 8 | b[4];

    if (a->length == 0)
        snprintf(reason, size, "grpc-status 0, but no message");
    else if (a->length < PREFIX)
        snprintf(reason, size, "a message begins with %d bytes; %zu came",
                 PREFIX, a->length);
    else if (b[0] == 1)
        snprintf(reason, size,
                 "the message is compressed, which was not asked for");
    else if (b[0] > 1)
        snprintf(reason, size, "the message's flag is %u, not 0 or 1", b[0]);
    else if (length > a->length - PREFIX)
        snprintf(reason, size, "the message is cut off: %zu of its %lu bytes",
                 a->length - PREFIX, (unsigned long)length);
    else if (length < a->length - PREFIX)
        snprintf(reason, size, "%zu bytes behind the message of %lu bytes",
                 a->length - PREFIX - length, (unsigned long)length);
    else
        return true;
    return false;
}

/* A Protocol Buffers message that is being read. */
struct message {
    const unsigned char *at;
    const unsigned char *end;
};

/* Reads a number of at most ten bytes. Returns whether there was one. */
static bool read_varint(struct message *m, uint64_t *out) {
    *out = 0;
    for (unsigned int shift = 0; m->at < m->end && shift < 70; shift += 7) {
        unsigned char byte = *m->at++;

        if (shift < 64)
            *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool skip(struct message *m, uint64_t length) {
    if (length > (uint64_t)(m->end - m->at))
        return false;
    m->at += length;
    return true;
}

/* Skips the value of a field of wire type <type>. */
static bool skip_value(struct message *m, unsigned int type) {
    uint64_t length;

    switch (type) {
    case 0:
        return read_varint(m, &length);
    case 1:
        return skip(m, 8);
    case 2:
        return read_varint(m, &length) && skip(m, length);
    case 5:
        return skip(m, 4);
    default:
        return false;
    }
}

/* Reads the status; the last one counts. Returns whether the whole message can
 * be read. */
static bool read_status(struct message m, uint64_t *status) {
    uint64_t tag;

    *status = 0;
    while (m.at < m.end) {
        if (!read_varint(&m, &tag))
            return false;
        if (tag == FIELD_STATUS << 3) {
            if (!read_varint(&m, status))
                return false;
        } else if (tag >> 3 == 0 || !skip_value(&m, tag & 7)) {
            return false;
        }
    }
    return true;
}

/* Says what status the service has. Returns whether it is SERVING. */
static bool judge_message(const struct grpc_answer *a, const char *service,
                          char *reason, size_t size) {
    static const char *const words[] = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                        "SERVICE_UNKNOWN"};
    struct message m = {.at = a->bytes + PREFIX, .end = a->bytes + a->length};
    uint64_t status;

    if (!read_status(m, &status))
        snprintf(reason, size,
                 "the message is no answer of grpc.health.v1.Health");
    else if (status == 3)
        say_unknown_service(words[3], service, reason, size);
    else if (status > 3)
        snprintf(reason, size, "status %llu is not one of grpc.health.v1",
                 (unsigned long long)status);
    else if (status != SERVING)
        snprintf(reason, size, "%s", words[status]);
    else
        return true;
    return false;
}

bool grpc_answer_judge(const struct grpc_answer *a, const char *service,
                       char *reason, size_t size) {
    return judge_headers(a, service, reason, size) &&
           judge_frame(a, reason, size) &&
           judge_message(a, service, reason, size);
}
