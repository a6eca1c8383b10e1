/* file.c - a file of the configuration, read as JSON
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/base/error.h"
#include "csrc/base/text.h"
#include "nerve/config/file.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

/* Says what is wrong with the text; to whoever gave us YAML, that too. */
static void set_syntax_error(struct error *err, const json_error_t *wrong) {
    bool foreign = json_error_code(wrong) == json_error_invalid_syntax;

    error_set(err, "line %d, column %d: %s%s", wrong->line, wrong->column,
              wrong->text,
              foreign ? " (the file must be JSON; YAML is not read)" : "");
}

json_t *config_text_read(const char *text, size_t length, struct error *err) {
    json_error_t wrong;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);

    if (!json)
        set_syntax_error(err, &wrong);
    return json;
}

/* Reads all of <file>. Returns the text, owned, or NULL with errno. */
static char *read_text(FILE *file, size_t *length) {
    struct text text = {0};
    char block[4096];
    size_t count;

    while ((count = fread(block, 1, sizeof(block), file)) > 0) {
        text_add(&text, block, count);
        if (text.length > FILE_MAX_BYTES) {
            text_close(&text);
            errno = EFBIG;
            return NULL;
        }
    }
    if (ferror(file)) {
        text_close(&text);
        return NULL;
    }
    *length = text.length;
    errno = ENOMEM;
    return text_take(&text);
}

json_t *config_file_read(const char *path, struct error *err) {
    FILE *file = fopen(path, "re");
    json_t *json = NULL;
    char *text = NULL;
    size_t length = 0;

    if (file)
        text = read_text(file, &length);
    if (text)
        json = config_text_read(text, length, err);
    else
        error_set(err, "%s", strerror(errno));
    if (file)
        fclose(file);
    free(text);
    return json;
}
