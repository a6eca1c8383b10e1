/* fake_malloc.c - memory whose n-th allocation from now on is refused
 *
 * Included by a test: libc's functions are then left out by the linker. Where
 * a sanitizer brings its own memory, none is refused: fake_malloc_works says
 * so.
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Allocations until one is refused; 0: none is. Volatile, because compilers
 * know that a malloc() reads no variable. */
static volatile size_t fake_malloc_left;

/* How many allocations were not freed yet. */
static long fake_malloc_live;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

static const bool fake_malloc_works = false;

#else

static const bool fake_malloc_works = true;

/* The libraries allocate here too. */
#define SEEN __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);
SEEN void *malloc(size_t size);
SEEN void *calloc(size_t count, size_t size);
SEEN void *realloc(void *memory, size_t size);
SEEN void free(void *memory);

static bool is_refused(void) {
    return fake_malloc_left > 0 && --fake_malloc_left == 0;
}

/* Counts <memory>, just allocated. */
static void *count_live(void *memory) {
    fake_malloc_live += memory != NULL;
    return memory;
}

void *malloc(size_t size) {
    return is_refused() ? NULL : count_live(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return is_refused() ? NULL : count_live(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size) {
    if (is_refused())
        return NULL;
    return memory ? __libc_realloc(memory, size)
                  : count_live(__libc_malloc(size));
}

void free(void *memory) {
    fake_malloc_live -= memory != NULL;
    __libc_free(memory);
}

#endif

/* A malloc() that is never refused. It is for jansson, whose reader leaves its
 * buffer where it has no memory. */
static inline void *fake_malloc_spare(size_t size) {
    size_t left = fake_malloc_left;
    void *memory;

    fake_malloc_left = 0;
    memory = malloc(size);
    fake_malloc_left = left;
    return memory;
}
