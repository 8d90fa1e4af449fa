/*
 * Minor versions of the plugin ABI: an older and a newer host, an older and a newer plugin, all
 * four pairs loaded and run. The newer version is the make-believe one of fixtures/minor.h.
 */
#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/minor.h"

static int stub_poke(struct blink_plugin *self, int n) {
    (void)self, (void)n;
    return MINOR_STUB;
}

/* The host of minor version `minor`: version 1 has one more rule, as kinds.c would. */
static struct plugin_abi host_abi(uint32_t minor) {
    static struct kind_rule kinds[BLINK_KIND_COUNT];
    static struct method_rule methods[16];
    struct plugin_abi abi = plugin_abi_host;
    abi.minor = minor;
    memcpy(kinds, plugin_abi_host.kinds, sizeof kinds);
    abi.kinds = kinds;
    if (minor == 0)
        return abi;
    struct kind_rule *device = &kinds[BLINK_KIND_DEVICE];
    memcpy(methods, device->methods, device->count * sizeof methods[0]);
    methods[device->count++] =
        (struct method_rule){offsetof(struct device_ops_1, poke), "poke", (any_method *)stub_poke};
    device->methods = methods;
    device->size = sizeof(struct device_ops_1);
    return abi;
}

static char host_log[64];

static void log_text(struct blink_machine *machine, int32_t level, const char *text) {
    (void)machine, (void)level;
    snprintf(host_log, sizeof host_log, "%s", text);
}

static int twice(int n) {
    return 2 * n;
}

static const struct plugin_ref *open_minor(struct scene *s, uint32_t minor, const char *name,
                                           int result, const char *log) {
    static struct plugin_abi abi;
    const char *dirs[] = {scene_fixtures, NULL};
    struct plugin_paths paths = {.dirs = dirs};
    abi = host_abi(minor);
    scene_open_abi(s, &abi, &paths);
    return scene_find(s, BLINK_KIND_DEVICE, name, result, log);
}

/* Run the plugin as a host of version `minor` would; what poke says, on a newer host. */
static int run(const struct plugin_ref *ref, uint32_t minor) {
    struct host_1 host = {
        .base = {.struct_size = minor ? sizeof host : sizeof host.base,
                 .abi_major = BLINK_ABI_MAJOR,
                 .abi_minor = minor,
                 .log = log_text},
        .twice = minor ? twice : NULL,
    };
    const struct blink_device_ops *ops = ref->ops;
    struct blink_plugin *self = NULL;
    int answer = 0;
    host_log[0] = 0;
    assert_int_equal(ops->plugin.create(&host.base, "", &self), 0);
    assert_int_equal(ops->plugin.activate(self), 0);
    ops->reset(self);
    assert_string_equal(host_log, "reset");
    if (minor)
        answer = ((const struct device_ops_1 *)ops)->poke(self, 21);
    ops->plugin.deactivate(self);
    ops->plugin.destroy(self);
    return answer;
}

static void test_old_host_old_plugin(void **state) {
    const struct plugin_ref *ref = open_minor(*state, 0, "minor0", 0, "");
    assert_int_equal(((const struct blink_plugin_ops *)ref->ops)->struct_size,
                     sizeof(struct blink_device_ops));
    run(ref, 0);
}

static void test_new_host_old_plugin(void **state) {
    const struct plugin_ref *ref = open_minor(*state, 1, "minor0", 0, "");
    assert_int_equal(((const struct blink_plugin_ops *)ref->ops)->struct_size,
                     sizeof(struct device_ops_1));
    assert_int_equal(run(ref, 1), MINOR_STUB);
}

static void test_old_host_new_plugin(void **state) {
    const struct plugin_ref *ref = open_minor(*state, 0, "minor1", 0, "");
    assert_int_equal(((const struct blink_plugin_ops *)ref->ops)->struct_size,
                     sizeof(struct blink_device_ops));
    run(ref, 0);
    /* What the newer method does on the older host: the plugin asks first. */
    struct blink_host host = {.struct_size = sizeof host, .log = log_text};
    const struct device_ops_1 *ops;
    const struct plugin_ref *newer = open_minor(*state, 1, "minor1", 0, "");
    struct blink_plugin *self = NULL;
    ops = newer->ops;
    assert_int_equal(ops->base.plugin.create(&host, "", &self), 0);
    assert_int_equal(ops->poke(self, 21), 21 + MINOR_NO_TWICE);
    ops->base.plugin.destroy(self);
}

static void test_new_host_new_plugin(void **state) {
    assert_int_equal(run(open_minor(*state, 1, "minor1", 0, ""), 1), 42);
}

static void test_needs_minor(void **state) {
    open_minor(*state, 0, "needs1", -ENOEXEC,
               scene_text("0 %s: device needs1 needs plugin ABI 1.1, this blink has 1.0; "
                          "use a newer blink\n",
                          scene_fixture("device-needs1.so")));
    assert_int_equal(run(open_minor(*state, 1, "needs1", 0, ""), 1), 42);
}

/* A newer plugin may offer kinds that an older host has never heard of: they are passed over. */
static void test_unknown_kind(void **state) {
    struct scene *s = *state;
    const char *files[] = {scene_fixture("device-minor1.so"), NULL};
    struct plugin_paths paths = {.files = files};
    struct plugin_abi abi = host_abi(0);
    abi.kind_count = BLINK_KIND_DEVICE;
    scene_open_abi(s, &abi, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_expect_log(s, scene_text("0 %s: offers nothing of a kind this blink knows; "
                                   "use a newer blink\n",
                                   files[0]));
    scene_find(s, BLINK_KIND_DEVICE, "minor1", -ENOENT, "");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_old_host_old_plugin), SCENE_TEST(test_new_host_old_plugin),
        SCENE_TEST(test_old_host_new_plugin), SCENE_TEST(test_new_host_new_plugin),
        SCENE_TEST(test_needs_minor),         SCENE_TEST(test_unknown_kind),
    };
    scene_fixtures = realpath(argc > 1 ? argv[1] : ".", NULL);
    return cmocka_run_group_tests_name("plugin-minor", tests, NULL, NULL);
}
