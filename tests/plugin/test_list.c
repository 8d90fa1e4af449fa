/*
 * --list-plugins as table and as JSON: what is there, what is shadowed, what is refused and why,
 * and strings that could do harm in either.
 */
#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *list(struct scene *s, bool json) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(registry_list(s->registry, out, json), 0);
    fclose(out);
    scene_expect_log(s, ""); /* the reasons stand in the list */
    return text;
}

static void expect_list(struct scene *s, bool json, const char *expected) {
    char *text = list(s, json);
    assert_string_equal(text, expected);
    free(text);
}

static void test_nothing(void **state) {
    struct scene *s = *state;
    const char *installed[] = {scene_path(s, "not there"), s->dir, NULL};
    struct plugin_paths paths = {.install_dirs = installed};
    scene_write(s, "device-.so", "", 0);
    scene_write(s, "device-x", "", 0);
    scene_write(s, "toaster-x.so", "", 0);
    scene_write(s, "device-X.so", "", 0);
    scene_write(s, ".so", "", 0);
    scene_open(s, &paths);
    expect_list(s, false, "KIND  NAME  VERSION  ABI  PATH  STATUS\n");
    expect_list(s, true, "[]\n");
}

static void fill(struct scene *s, struct plugin_paths *paths, const char **files,
                 const char **dirs) {
    scene_mkdir(s, "a");
    scene_mkdir(s, "b");
    scene_copy(s, "device-good.so", "a/device-good.so", SIZE_MAX);
    scene_copy(s, "device-good.so", "b/device-good.so", SIZE_MAX);
    scene_copy(s, "device-major.so", "b/device-major.so", SIZE_MAX);
    scene_copy(s, "device-pair.so", "pair", SIZE_MAX);
    scene_write(s, "b/jit-x.so", "", 0);
    files[0] = scene_path(s, "pair");
    dirs[0] = scene_path(s, "a");
    dirs[1] = scene_path(s, "b");
    paths->files = files;
    paths->dirs = dirs;
    scene_open(s, paths);
}

static void test_table(void **state) {
    struct scene *s = *state;
    const char *files[2] = {NULL}, *dirs[3] = {NULL};
    struct plugin_paths paths = {0};
    fill(s, &paths, files, dirs);
    const char *d = s->dir;
    int width = (int)strlen(d) + (int)strlen("/b/device-major.so");
    expect_list(
        s, false,
        scene_text("KIND    NAME    VERSION  ABI  %-*s  STATUS\n"
                   "jit     x       -        -    %s/b/jit-x.so         refused: not a plugin: the "
                   "file is empty; build or install it again\n"
                   "device  good    1.2.3    1.0  %s/a/device-good.so   ok\n"
                   "device  good    1.2.3    1.0  %s/b/device-good.so   shadowed by "
                   "%s/a/device-good.so\n"
                   "device  major   -        2.0  %s/b/device-major.so  refused: built for plugin "
                   "ABI 2.0, this blink has 1.0; rebuild it with this blink's headers\n"
                   "device  pair    1.2.3    1.0  %s/pair               ok\n"
                   "device  second  1.2.3    1.0  %s/pair               ok\n",
                   width, "PATH", d, d, d, d, d, d, d));
    /* Listing keeps nothing. */
    assert_null(registry_loaded(s->registry, 0));
}

static void test_json(void **state) {
    struct scene *s = *state;
    const char *files[2] = {NULL}, *dirs[3] = {NULL};
    struct plugin_paths paths = {0};
    fill(s, &paths, files, dirs);
    const char *d = s->dir;
#define TEXTS ", \"summary\": \"a device that does nothing\", \"licence\": \"ISC\", \"score\": 0}"
    expect_list(
        s, true,
        scene_text(
            "[\n"
            " {\"kind\": \"jit\", \"name\": \"x\", \"version\": \"\", \"abi\": \"\", "
            "\"path\": \"%s/b/jit-x.so\", \"status\": \"refused\", "
            "\"reason\": \"not a plugin: the file is empty; build or install it again\", "
            "\"summary\": \"\", \"licence\": \"\", \"score\": 0},\n"
            " {\"kind\": \"device\", \"name\": \"good\", \"version\": \"1.2.3\", \"abi\": \"1.0\", "
            "\"path\": \"%s/a/device-good.so\", \"status\": \"ok\"" TEXTS ",\n"
            " {\"kind\": \"device\", \"name\": \"good\", \"version\": \"1.2.3\", \"abi\": \"1.0\", "
            "\"path\": \"%s/b/device-good.so\", \"status\": \"shadowed\", "
            "\"shadowed_by\": \"%s/a/device-good.so\"" TEXTS ",\n"
            " {\"kind\": \"device\", \"name\": \"major\", \"version\": \"\", \"abi\": \"2.0\", "
            "\"path\": \"%s/b/device-major.so\", \"status\": \"refused\", "
            "\"reason\": \"built for plugin ABI 2.0, this blink has 1.0; "
            "rebuild it with this blink's headers\", "
            "\"summary\": \"\", \"licence\": \"\", \"score\": 0},\n"
            " {\"kind\": \"device\", \"name\": \"pair\", \"version\": \"1.2.3\", \"abi\": \"1.0\", "
            "\"path\": \"%s/pair\", \"status\": \"ok\"" TEXTS ",\n"
            " {\"kind\": \"device\", \"name\": \"second\", \"version\": \"1.2.3\", "
            "\"abi\": \"1.0\", \"path\": \"%s/pair\", \"status\": \"ok\", "
            "\"summary\": \"another one of the same file\", \"licence\": \"ISC\", \"score\": 0}\n"
            "]\n",
            d, d, d, d, d, d, d));
}

/* A version of quotes, backslash, escape, a stray byte and a letter of two bytes; a path with
 * a newline. */
static void test_escaping(void **state) {
    struct scene *s = *state;
    scene_copy(s, "device-second.so", "new\nline", SIZE_MAX);
    const char *files[] = {scene_path(s, "new\nline"), NULL};
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    char *text = list(s, true);
    assert_non_null(strstr(text, "\"version\": \"\\\"\\\\\\u001b\\ufffd\xc3\xa9\""));
    assert_non_null(strstr(text, "/new\\u000aline\""));
    free(text);
    text = list(s, false);
    assert_null(strchr(text, 0x1b));
    assert_non_null(strstr(text, "second  \"\\??\xc3\xa9    1.0  ")); /* five letters wide */
    assert_non_null(strstr(text, "/new?line  ok\n"));
    free(text);
}

static void test_explicit(void **state) {
    struct scene *s = *state;
    scene_copy(s, "device-good.so", "one", SIZE_MAX);
    scene_copy(s, "device-good.so", "two", SIZE_MAX);
    scene_write(s, "loader-y.so", "", 0);
    const char *files[] = {scene_path(s, "one"), scene_path(s, "two"), scene_path(s, "loader-y.so"),
                           scene_path(s, "missing"), NULL};
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    const char *d = s->dir;
    int width = (int)strlen(d) + (int)strlen("/loader-y.so");
    expect_list(s, false,
                scene_text("KIND    NAME  VERSION  ABI  %-*s  STATUS\n"
                           "loader  y     -        -    %s/loader-y.so  refused: not a plugin: the "
                           "file is empty; build or install it again\n"
                           "device  good  1.2.3    1.0  %s/one          ok\n"
                           "device  good  1.2.3    1.0  %s/two          refused: given twice, also "
                           "by %s/one; leave one out\n"
                           "-       -     -        -    %s/missing      refused: No such file or "
                           "directory; check the path\n",
                           width, "PATH", d, d, d, d, d));
}

static void test_write_error(void **state) {
    struct scene *s = *state;
    struct plugin_paths paths = {0};
    FILE *full = fopen("/dev/full", "w");
    scene_open(s, &paths);
    if (!full)
        skip();
    assert_int_equal(registry_list(s->registry, full, true), -EIO);
    fclose(full);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_nothing),  SCENE_TEST(test_table),    SCENE_TEST(test_json),
        SCENE_TEST(test_escaping), SCENE_TEST(test_explicit), SCENE_TEST(test_write_error),
    };
    scene_fixtures = realpath(argc > 1 ? argv[1] : ".", NULL);
    return cmocka_run_group_tests_name("plugin-list", tests, NULL, NULL);
}
