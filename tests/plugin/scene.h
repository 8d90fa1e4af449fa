/*
 * What the registry's tests share: a scene is an empty folder, a registry over it and the lines
 * it logged. The fixtures come from the build.
 */
#ifndef TESTS_PLUGIN_SCENE_H
#define TESTS_PLUGIN_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plugin/internal.h"

struct scene {
    char dir[64]; /* the folder; gone when the test program ends */
    char log[8192];
    struct plugin_registry *registry;
};

extern const char *scene_fixtures; /* folder of the built fixtures */

/* For cmocka; *state is the scene. */
int scene_setup(void **state);
int scene_teardown(void **state);
#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

/* A path in the scene's folder, or of a fixture; several at a time. */
const char *scene_path(struct scene *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *scene_fixture(const char *file);
/* Make things below the folder. */
void scene_mkdir(struct scene *s, const char *name);
void scene_write(struct scene *s, const char *name, const void *bytes, size_t size);
/* Copy a fixture to `name`, all of it, or the first `size` bytes. */
void scene_copy(struct scene *s, const char *fixture, const char *name, size_t size);
/* The whole of a file in malloced memory. */
char *scene_read(const char *path, size_t *size);

/* Begin anew with these paths. */
void scene_open(struct scene *s, const struct plugin_paths *paths);
void scene_open_abi(struct scene *s, const struct plugin_abi *abi,
                    const struct plugin_paths *paths);
/* Find, and expect this result and the log (lines "LEVEL text\n"); then empty the log. */
const struct plugin_ref *scene_find(struct scene *s, uint32_t kind, const char *name, int result,
                                    const char *log);
void scene_expect_log(struct scene *s, const char *log);
/* The same text as printf, in a buffer that stays until 64 calls later. */
const char *scene_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
