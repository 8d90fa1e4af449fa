/*
 * Where plugins are looked for, what comes first, what is said of the rest, and what a registry
 * keeps.
 */
#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blink/device.h>

#define DEVICE BLINK_KIND_DEVICE

/* A built-in of the same kind and name as the fixture. */
static int make(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    (void)host, (void)args, (void)out;
    return -ENOTSUP;
}
static void unmake(struct blink_plugin *self) {
    (void)self;
}
static const struct blink_device_ops built_ops = {
    .plugin = {.struct_size = sizeof built_ops, .create = make, .destroy = unmake}};
static const struct blink_manifest built_manifest = {
    .struct_size = sizeof built_manifest,
    .kind = DEVICE,
    .name = "good",
    .version = "built in",
    .summary = "",
    .licence = "ISC",
    .score = 7,
    .vtable = &built_ops,
};
static const struct blink_manifest *const built_manifests[] = {&built_manifest};
static const struct blink_plugin_entry built_entry = {
    BLINK_PLUGIN_MAGIC, BLINK_ABI_MAJOR, BLINK_ABI_MINOR, 1, 0, built_manifests};
static const struct plugin_builtin builtins[] = {
    {"jit-good", &built_entry}, {"device-good", &built_entry}, {NULL, NULL}};

/* Six folders and a file, all with the same plugin. */
static const char *const places[] = {"dir1", "dir2", "env1", "env2", "user", "inst1", "inst2"};
#define PLACES (sizeof places / sizeof places[0])

static void fill_places(struct scene *s) {
    for (size_t k = 0; k < PLACES; k++) {
        scene_mkdir(s, places[k]);
        scene_copy(s, "device-good.so", scene_text("%s/device-good.so", places[k]), SIZE_MAX);
    }
    scene_copy(s, "device-good.so", "any name", SIZE_MAX);
}

static void open_places(struct scene *s, const char *file) {
    const char *files[] = {file, NULL};
    const char *dirs[] = {scene_path(s, "dir1"), scene_path(s, "dir2"), NULL};
    const char *installed[] = {scene_path(s, "inst1"), scene_path(s, "inst2"), NULL};
    struct plugin_paths paths = {
        .files = file ? files : NULL,
        .dirs = dirs,
        .env = scene_text("%s/env1:%s/env2", s->dir, s->dir),
        .builtins = builtins,
        .user_dir = scene_path(s, "user"),
        .install_dirs = installed,
    };
    scene_open(s, &paths);
}

/* Each place is asked in its turn: what is found goes, and the next one is found. */
static void test_search_order(void **state) {
    struct scene *s = *state;
    const char *path = scene_path(s, "any name");
    fill_places(s);
    open_places(s, path);
    const struct plugin_ref *ref = NULL;
    assert_int_equal(registry_find(s->registry, DEVICE, "good", &ref), 0);
    assert_string_equal(ref->path, scene_path(s, "any name"));
    static const char *const order[] = {"dir1", "dir2", "env1",  "env2",
                                        NULL,   "user", "inst1", "inst2"};
    for (size_t k = 0; k < 8; k++) {
        open_places(s, NULL);
        assert_int_equal(registry_find(s->registry, DEVICE, "good", &ref), 0);
        if (order[k]) {
            path = scene_path(s, "%s/device-good.so", order[k]);
            assert_string_equal(ref->path, path);
            assert_string_equal(ref->version, "1.2.3");
            assert_int_equal(unlink(path), 0);
        } else {
            assert_string_equal(ref->path, "(built-in)");
            assert_string_equal(ref->version, "built in");
            assert_int_equal(ref->manifest->score, 7);
            break;
        }
    }
    /* Behind the built-in. */
    const char *installed[] = {scene_path(s, "inst1"), scene_path(s, "inst2"), NULL};
    struct plugin_paths paths = {.user_dir = scene_path(s, "user"), .install_dirs = installed};
    for (size_t k = 5; k < 8; k++) {
        path = scene_path(s, "%s/device-good.so", order[k]);
        scene_open(s, &paths);
        assert_int_equal(registry_find(s->registry, DEVICE, "good", &ref), 0);
        assert_string_equal(ref->path, path);
        assert_int_equal(unlink(path), 0);
    }
    scene_open(s, &paths);
    scene_find(s, DEVICE, "good", -ENOENT, "");
}

static void test_shadowing(void **state) {
    struct scene *s = *state;
    fill_places(s);
    open_places(s, NULL);
    const char *d = s->dir;
    const char *expected = scene_text("2 %s/dir1/device-good.so: shadows %s/dir2/device-good.so\n"
                                      "2 %s/dir1/device-good.so: shadows %s/env1/device-good.so\n"
                                      "2 %s/dir1/device-good.so: shadows %s/env2/device-good.so\n"
                                      "2 %s/dir1/device-good.so: shadows (built-in)\n"
                                      "2 %s/dir1/device-good.so: shadows %s/user/device-good.so\n"
                                      "2 %s/dir1/device-good.so: shadows %s/inst1/device-good.so\n"
                                      "2 %s/dir1/device-good.so: shadows %s/inst2/device-good.so\n",
                                      d, d, d, d, d, d, d, d, d, d, d, d, d);
    const struct plugin_ref *ref = scene_find(s, DEVICE, "good", 0, expected);
    /* Asked again: the same, and silence. */
    assert_ptr_equal(scene_find(s, DEVICE, "good", 0, ""), ref);

    /* A file of one's own shadows too; the same folder twice does not shadow itself. */
    const char *files[] = {scene_path(s, "any name"), NULL};
    const char *dirs[] = {scene_path(s, "dir1"), scene_path(s, "dir1"), NULL};
    struct plugin_paths paths = {.files = files, .dirs = dirs, .env = dirs[0]};
    scene_open(s, &paths);
    scene_find(s, DEVICE, "good", 0,
               scene_text("2 %s/any name: shadows %s/dir1/device-good.so\n"
                          "2 %s/any name: shadows %s/dir1/device-good.so\n"
                          "2 %s/any name: shadows %s/dir1/device-good.so\n",
                          d, d, d, d, d, d));
    paths.files = NULL;
    scene_open(s, &paths);
    scene_find(s, DEVICE, "good", 0, "");
}

/* What comes first is taken or named; nothing behind it is taken in its place. */
static void test_first_hit_is_final(void **state) {
    struct scene *s = *state;
    fill_places(s);
    scene_write(s, "dir1/device-good.so", "x", 1);
    open_places(s, NULL);
    scene_find(s, DEVICE, "good", -ENOEXEC,
               scene_text("0 %s/dir1/device-good.so: not a plugin: not a shared object; "
                          "build it with cc -shared\n",
                          s->dir));
}

static void test_nowhere(void **state) {
    struct scene *s = *state;
    struct plugin_paths none = {0};
    scene_open(s, &none);
    assert_int_equal(registry_check_explicit(s->registry), 0);
    scene_find(s, DEVICE, "good", -ENOENT, "");
    assert_null(registry_loaded(s->registry, 0));
    const char *dirs[] = {scene_path(s, "."), NULL};
    const char *installed[] = {scene_path(s, "not there"), "", NULL};
    /* Empty pieces of the list are nothing, not the current folder. */
    assert_int_equal(chdir(scene_fixtures), 0);
    struct plugin_paths paths = {.dirs = dirs,
                                 .env = scene_text("::%s/not there:", s->dir),
                                 .user_dir = scene_path(s, "neither"),
                                 .install_dirs = installed};
    scene_open(s, &paths);
    scene_find(s, DEVICE, "good", -ENOENT, "");
    assert_int_equal(chdir("/"), 0);
}

static void test_names_stay_in_their_folder(void **state) {
    struct scene *s = *state;
    scene_mkdir(s, "sub");
    scene_mkdir(s, "device-");
    scene_copy(s, "device-good.so", "good.so", SIZE_MAX);
    const char *dirs[] = {s->dir, NULL};
    struct plugin_paths paths = {.dirs = dirs};
    scene_open(s, &paths);
    scene_find(s, DEVICE, "/../good", -ENOENT, "");
    scene_find(s, DEVICE, "", -ENOENT, "");
    scene_find(s, UINT32_MAX, "good", -ENOENT, "");
}

static void test_given_twice(void **state) {
    struct scene *s = *state;
    scene_copy(s, "device-good.so", "a", SIZE_MAX);
    scene_copy(s, "device-good.so", "b", SIZE_MAX);
    const char *a = scene_path(s, "a"), *b = scene_path(s, "b");
    const char *files[] = {a, b, NULL};
    struct plugin_paths paths = {.files = files};
    const char *line =
        scene_text("0 %s: device good is given twice, also by %s; leave one out\n", b, a);
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -EEXIST);
    scene_expect_log(s, line);
    scene_find(s, DEVICE, "good", -EEXIST, "");
    /* Without the check the first search says it. */
    scene_open(s, &paths);
    scene_find(s, DEVICE, "good", -EEXIST, line);
    /* In two folders it is the search order that decides. */
    scene_mkdir(s, "d1");
    scene_mkdir(s, "d2");
    scene_copy(s, "device-good.so", "d1/device-good.so", SIZE_MAX);
    scene_copy(s, "device-good.so", "d2/device-good.so", SIZE_MAX);
    const char *dirs[] = {scene_path(s, "d1"), scene_path(s, "d2"), NULL};
    struct plugin_paths folders = {.dirs = dirs};
    scene_open(s, &folders);
    assert_int_equal(registry_check_explicit(s->registry), 0);
    scene_find(s, DEVICE, "good", 0,
               scene_text("2 %s/device-good.so: shadows %s/device-good.so\n", dirs[0], dirs[1]));
}

/* All wrong files are named; the result is that of the first. */
static void test_all_explicit_are_named(void **state) {
    struct scene *s = *state;
    scene_write(s, "empty", "", 0);
    const char *files[] = {scene_path(s, "a"), scene_path(s, "empty"),
                           scene_fixture("device-good.so"), NULL};
    const char *dirs[] = {scene_path(s, "empty"), scene_path(s, "missing"), NULL};
    struct plugin_paths paths = {.files = files, .dirs = dirs};
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_expect_log(s, scene_text("0 %s/a: No such file or directory; check the path\n"
                                   "0 %s/empty: not a plugin: the file is empty; "
                                   "build or install it again\n"
                                   "0 %s/empty: Not a directory; "
                                   "give --plugin-dir a folder of plugins\n"
                                   "0 %s/missing: No such file or directory; "
                                   "give --plugin-dir a folder of plugins\n",
                                   s->dir, s->dir, s->dir, s->dir));
    scene_find(s, DEVICE, "good", 0, "");
    paths.files = NULL;
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOTDIR);
}

/* A file of one's own offers all it has; a file found by its name, only that. */
static void test_several_in_one_file(void **state) {
    struct scene *s = *state;
    const char *path = scene_fixture("device-pair.so"), *files[] = {path, NULL};
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), 0);
    const struct plugin_ref *pair = registry_loaded(s->registry, 0);
    const struct plugin_ref *second = registry_loaded(s->registry, 1);
    assert_string_equal(pair->name, "pair");
    assert_string_equal(second->name, "second");
    assert_null(registry_loaded(s->registry, 2));
    assert_ptr_equal(scene_find(s, DEVICE, "second", 0, ""), second);
    assert_string_equal(second->path, path);

    scene_copy(s, "device-pair.so", "device-pair.so", SIZE_MAX);
    const char *dirs[] = {s->dir, NULL};
    struct plugin_paths folder = {.dirs = dirs};
    scene_open(s, &folder);
    scene_find(s, DEVICE, "second", -ENOENT, "");
    scene_find(s, DEVICE, "pair", 0, "");
    assert_null(registry_loaded(s->registry, 1));
}

static void test_references(void **state) {
    struct scene *s = *state;
    const char *dirs[] = {scene_fixtures, NULL};
    struct plugin_paths paths = {.dirs = dirs, .builtins = builtins};
    scene_open(s, &paths);
    const struct plugin_ref *ref = NULL;
    assert_int_equal(registry_find(s->registry, DEVICE, "good", &ref), 0);
    assert_int_equal(ref->kind, DEVICE);
    assert_string_equal(ref->name, "good");
    assert_string_equal(ref->manifest->summary, "a device that does nothing");
    assert_int_equal(ref->manifest->struct_size, sizeof *ref->manifest);
    assert_ptr_equal(ref->manifest->vtable, ref->ops);
    assert_ptr_equal(registry_loaded(s->registry, 0), ref);
    /* It really is that plugin. */
    const struct blink_device_ops *ops = ref->ops;
    struct blink_plugin *self = NULL;
    assert_int_equal(ops->plugin.create(NULL, "", &self), 0);
    assert_int_equal(ops->plugin.activate(self), 0);
    ops->reset(self);
    ops->plugin.deactivate(self);
    ops->plugin.destroy(self);
}

/* A bare file name is a file here, not a library of the system. */
static void test_bare_file_name(void **state) {
    struct scene *s = *state;
    const char *files[] = {"device-good.so", NULL};
    struct plugin_paths paths = {.files = files};
    assert_int_equal(chdir(scene_fixtures), 0);
    scene_open(s, &paths);
    const struct plugin_ref *ref = scene_find(s, DEVICE, "good", 0, "");
    assert_string_equal(ref->path, "device-good.so");
    files[0] = "libc.so.6";
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_expect_log(s, "0 libc.so.6: No such file or directory; check the path\n");
    assert_int_equal(chdir("/"), 0);
}

static void test_paths_are_copied(void **state) {
    struct scene *s = *state;
    char dir[256];
    const char *dirs[] = {dir, NULL};
    struct plugin_paths paths = {.dirs = dirs};
    snprintf(dir, sizeof dir, "%s/", scene_fixtures); /* a slash at the end is fine */
    scene_open(s, &paths);
    memset(dir, 'x', sizeof dir);
    dirs[0] = NULL;
    const struct plugin_ref *ref = scene_find(s, DEVICE, "good", 0, "");
    assert_string_equal(ref->path, scene_fixture("device-good.so"));
}

static void test_destroy_null(void **state) {
    (void)state;
    registry_destroy(NULL);
    assert_null(plugin_kind_name(BLINK_KIND_COUNT));
    assert_string_equal(plugin_kind_name(BLINK_KIND_DECODER), "decoder");
    assert_string_equal(plugin_kind_name(BLINK_KIND_OBSERVER), "observer");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_search_order),
        SCENE_TEST(test_shadowing),
        SCENE_TEST(test_first_hit_is_final),
        SCENE_TEST(test_nowhere),
        SCENE_TEST(test_names_stay_in_their_folder),
        SCENE_TEST(test_given_twice),
        SCENE_TEST(test_all_explicit_are_named),
        SCENE_TEST(test_several_in_one_file),
        SCENE_TEST(test_references),
        SCENE_TEST(test_bare_file_name),
        SCENE_TEST(test_paths_are_copied),
        cmocka_unit_test(test_destroy_null),
    };
    scene_fixtures = realpath(argc > 1 ? argv[1] : ".", NULL);
    return cmocka_run_group_tests_name("plugin-registry", tests, NULL, NULL);
}
