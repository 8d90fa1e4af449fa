/*
 * The scenes of the registry's tests.
 */
#include "scene.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *scene_fixtures;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/*
 * All scenes lie in one folder that stays to the end: a plugin is never unloaded, and the dynamic
 * linker would take a new file with the inode of a removed one for the old.
 */
static char root[32];

static void remove_root(void) {
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int make_root(void) {
    strcpy(root, "/tmp/blink-plugin-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0755))
        return -1;
    return atexit(remove_root);
}

int scene_setup(void **state) {
    static int count;
    struct scene *s = calloc(1, sizeof *s);
    if (!s || (!root[0] && make_root()))
        return -1;
    snprintf(s->dir, sizeof s->dir, "%s/%d", root, count++);
    *state = s;
    return mkdir(s->dir, 0755);
}

int scene_teardown(void **state) {
    struct scene *s = *state;
    registry_destroy(s->registry);
    free(s);
    return 0;
}

static char *next_buffer(void) {
    static char buffer[64][8192];
    static unsigned next;
    return buffer[next++ % 64];
}

const char *scene_text(const char *format, ...) {
    char *out = next_buffer();
    va_list ap;
    va_start(ap, format);
    vsnprintf(out, 8192, format, ap);
    va_end(ap);
    return out;
}

const char *scene_path(struct scene *s, const char *format, ...) {
    char name[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    return scene_text("%s/%s", s->dir, name);
}

const char *scene_fixture(const char *file) {
    return scene_text("%s/%s", scene_fixtures, file);
}

void scene_mkdir(struct scene *s, const char *name) {
    assert_int_equal(mkdir(scene_path(s, "%s", name), 0755), 0);
}

void scene_write(struct scene *s, const char *name, const void *bytes, size_t size) {
    int fd = open(scene_path(s, "%s", name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

char *scene_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

void scene_copy(struct scene *s, const char *fixture, const char *name, size_t size) {
    size_t all;
    char *bytes = scene_read(scene_fixture(fixture), &all);
    scene_write(s, name, bytes, size < all ? size : all);
    free(bytes);
}

static void log_line(void *arg, int level, const char *text) {
    struct scene *s = arg;
    size_t at = strlen(s->log);
    snprintf(s->log + at, sizeof s->log - at, "%d %s\n", level, text);
}

void scene_open_abi(struct scene *s, const struct plugin_abi *abi,
                    const struct plugin_paths *paths) {
    registry_destroy(s->registry);
    s->registry = NULL;
    s->log[0] = 0;
    assert_int_equal(registry_create_abi(abi, paths, log_line, s, &s->registry), 0);
}

void scene_open(struct scene *s, const struct plugin_paths *paths) {
    registry_destroy(s->registry);
    s->registry = NULL;
    s->log[0] = 0;
    assert_int_equal(registry_create(paths, log_line, s, &s->registry), 0);
}

void scene_expect_log(struct scene *s, const char *log) {
    assert_string_equal(s->log, log);
    s->log[0] = 0;
}

const struct plugin_ref *scene_find(struct scene *s, uint32_t kind, const char *name, int result,
                                    const char *log) {
    const struct plugin_ref *ref = NULL;
    assert_int_equal(registry_find(s->registry, kind, name, &ref), result);
    scene_expect_log(s, log);
    if (result == 0)
        assert_non_null(ref);
    else
        assert_null(ref); /* untouched on failure */
    return ref;
}
