/*
 * Every way in which a plugin can be wrong, and the exact line that names it. Files come from the
 * build or are made here; manifests and vtables are put together in memory and given as built-ins.
 */
#include "scene.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blink/abi.h>
#include <blink/decoder.h>
#include <blink/device.h>
#include <blink/frontend.h>
#include <blink/jit.h>
#include <blink/loader.h>
#include <blink/observer.h>

#define DEVICE BLINK_KIND_DEVICE

/* ---- files ---- */

static void open_dir(struct scene *s, const char *dir) {
    const char *dirs[] = {dir, NULL};
    struct plugin_paths paths = {.dirs = dirs};
    scene_open(s, &paths);
}

/* Refused when found by its name, and when given as a file; the same line both times. */
static void expect_refused(struct scene *s, uint32_t kind, const char *name, const char *path,
                           const char *reason) {
    const char *line = scene_text("0 %s: %s\n", path, reason);
    const char *files[] = {path, NULL};
    scene_find(s, kind, name, -ENOEXEC, line);
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_expect_log(s, line);
    assert_null(registry_loaded(s->registry, 0));
    /* Said once; and the refused file is not passed over. */
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_find(s, kind, name, -ENOEXEC, "");
}

static void expect_fixture_refused(struct scene *s, uint32_t kind, const char *name,
                                   const char *reason) {
    open_dir(s, scene_fixtures);
    expect_refused(s, kind, name,
                   scene_fixture(scene_text("%s-%s.so", plugin_kind_name(kind), name)), reason);
}

static void test_fixtures(void **state) {
    struct scene *s = *state;
    expect_fixture_refused(s, DEVICE, "nosymbol",
                           "not a plugin: no symbol blink_plugin_entry; "
                           "define it with BLINK_PLUGIN_DEFINE");
    expect_fixture_refused(s, DEVICE, "magic",
                           "not a plugin: blink_plugin_entry has a wrong magic number; "
                           "define it with BLINK_PLUGIN_DEFINE");
    expect_fixture_refused(s, DEVICE, "major",
                           "built for plugin ABI 2.0, this blink has 1.0; "
                           "rebuild it with this blink's headers");
    expect_fixture_refused(s, DEVICE, "needs",
                           "device needs needs plugin ABI 1.5, this blink has 1.0; "
                           "use a newer blink");
    expect_fixture_refused(s, DEVICE, "lacking",
                           "device lacking lacks the required method create; tell its author");
    expect_fixture_refused(s, BLINK_KIND_JIT, "layout",
                           scene_text("jit layout was built for another CPU layout (4096 bytes, "
                                      "layout 77; this blink has %u bytes, layout %u); "
                                      "rebuild it with this blink",
                                      (unsigned)sizeof(struct blink_cpu), BLINK_CPU_LAYOUT));
}

/* What the dynamic linker says of a file, without the path. */
static const char *linker_says(const char *path) {
    assert_null(dlopen(path, RTLD_NOW | RTLD_LOCAL));
    const char *said = dlerror();
    size_t length = strlen(path);
    if (!strncmp(said, path, length) && !strncmp(said + length, ": ", 2))
        said += length + 2;
    return scene_text("the dynamic linker says: %s; rebuild it for this system", said);
}

static void test_undefined_symbol(void **state) {
    struct scene *s = *state;
    const char *says = linker_says(scene_fixture("device-undefined.so"));
    assert_non_null(strstr(says, "nobody_defines_this"));
    expect_fixture_refused(s, DEVICE, "undefined", says);
}

static void test_name_differs(void **state) {
    struct scene *s = *state;
    scene_copy(s, "device-good.so", "device-other.so", SIZE_MAX);
    scene_copy(s, "device-good.so", "jit-good.so", SIZE_MAX);
    open_dir(s, s->dir);
    scene_find(s, DEVICE, "other", -ENOEXEC,
               scene_text("0 %s/device-other.so: offers no device named other; "
                          "name the file after what it offers\n",
                          s->dir));
    scene_find(s, BLINK_KIND_JIT, "good", -ENOEXEC,
               scene_text("0 %s/jit-good.so: offers no jit named good; "
                          "name the file after what it offers\n",
                          s->dir));
    /* As a file of its own it may be called anything. */
    const char *path = scene_path(s, "jit-good.so"), *files[] = {path, NULL};
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), 0);
    scene_find(s, DEVICE, "good", 0, "");
}

static void test_not_files(void **state) {
    struct scene *s = *state;
    scene_mkdir(s, "device-folder.so");
    assert_int_equal(mkfifo(scene_path(s, "device-fifo.so"), 0666), 0);
    assert_int_equal(symlink("nowhere", scene_path(s, "device-link.so")), 0);
    open_dir(s, s->dir);
    expect_refused(s, DEVICE, "folder", scene_path(s, "device-folder.so"),
                   "is a folder; --plugin takes a file, --plugin-dir a folder");
    open_dir(s, s->dir);
    expect_refused(s, DEVICE, "fifo", scene_path(s, "device-fifo.so"),
                   "not a regular file; give the shared object of a plugin");
    open_dir(s, s->dir);
    expect_refused(s, DEVICE, "link", scene_path(s, "device-link.so"),
                   "No such file or directory; check the path");
    const char *files[] = {scene_path(s, "missing.so"), NULL};
    struct plugin_paths paths = {.files = files};
    scene_open(s, &paths);
    assert_int_equal(registry_check_explicit(s->registry), -ENOEXEC);
    scene_expect_log(s, scene_text("0 %s: No such file or directory; check the path\n", files[0]));
}

static void test_unreadable(void **state) {
    struct scene *s = *state;
    scene_copy(s, "device-good.so", "device-good.so", SIZE_MAX);
    assert_int_equal(chmod(scene_path(s, "device-good.so"), 0), 0);
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    open_dir(s, s->dir);
    expect_refused(s, DEVICE, "good", scene_path(s, "device-good.so"),
                   "Permission denied; make the file readable");
    if (root)
        assert_int_equal(seteuid(0), 0);
}

#define EMPTY     "not a plugin: the file is empty; build or install it again"
#define TRUNCATED "not a plugin: the file is truncated; build or install it again"
#define NO_OBJECT "not a plugin: not a shared object; build it with cc -shared"
#define MACHINE   "not a plugin: built for another machine; build it for this one"

static void expect_bytes_refused(struct scene *s, const void *bytes, size_t size,
                                 const char *reason) {
    static int n;
    const char *name = scene_text("bytes%d", n++);
    const char *file = scene_text("device-%s.so", name);
    scene_write(s, file, bytes, size);
    open_dir(s, s->dir);
    expect_refused(s, DEVICE, name, scene_path(s, "%s", file), reason);
}

static void test_bytes(void **state) {
    struct scene *s = *state;
    expect_bytes_refused(s, "", 0, EMPTY);
    expect_bytes_refused(s, "#", 1, NO_OBJECT);
    expect_bytes_refused(s, "#!/bin/sh\nexit 0\n", 17, NO_OBJECT);
    expect_bytes_refused(s, "\177ELX", 4, NO_OBJECT);
}

static void test_other_headers(void **state) {
    struct scene *s = *state;
    size_t size;
    char *bytes = scene_read(scene_fixture("device-good.so"), &size);
    ElfW(Ehdr) *eh = (void *)bytes, good = *eh;
    eh->e_machine = EM_68K;
    expect_bytes_refused(s, bytes, size, MACHINE);
    *eh = good;
    eh->e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    expect_bytes_refused(s, bytes, size, MACHINE);
    *eh = good;
    eh->e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    expect_bytes_refused(s, bytes, size, MACHINE);
    *eh = good;
    eh->e_type = ET_REL;
    expect_bytes_refused(s, bytes, size, NO_OBJECT);
    *eh = good;
    eh->e_phentsize = 12;
    expect_bytes_refused(s, bytes, size, NO_OBJECT);
    *eh = good;
    eh->e_phoff = size - 1;
    expect_bytes_refused(s, bytes, size, TRUNCATED);
    eh->e_phoff = UINT64_MAX - 63;
    expect_bytes_refused(s, bytes, size, TRUNCATED);
    free(bytes);
}

/* Cut off anywhere: refused, or, once everything that is mapped is there, taken. */
static void test_truncated(void **state) {
    struct scene *s = *state;
    size_t size, mapped = 0;
    char *bytes = scene_read(scene_fixture("device-good.so"), &size);
    const ElfW(Ehdr) *eh = (const void *)bytes;
    const ElfW(Phdr) *ph = (const void *)(bytes + eh->e_phoff);
    for (int k = 0; k < eh->e_phnum; k++)
        if (ph[k].p_type == PT_LOAD && ph[k].p_offset + ph[k].p_filesz > mapped)
            mapped = ph[k].p_offset + ph[k].p_filesz;
    assert_true(mapped > 4096 && mapped < size);
    size_t tries[] = {1,   3,    4,    16,         63,         64,     65,
                      120, 1000, 4095, mapped / 2, mapped - 1, mapped, size - 1};
    for (size_t k = 0; k < sizeof tries / sizeof tries[0]; k++) {
        const char *sub = scene_text("cut%d", (int)k);
        scene_mkdir(s, sub);
        scene_write(s, scene_text("%s/device-good.so", sub), bytes, tries[k]);
        const char *dir = scene_path(s, "%s", sub);
        open_dir(s, dir);
        if (tries[k] < mapped)
            scene_find(s, DEVICE, "good", -ENOEXEC,
                       scene_text("0 %s/device-good.so: %s\n", dir, TRUNCATED));
        else
            scene_find(s, DEVICE, "good", 0, "");
    }
    free(bytes);
}

/* ---- what the entry says ---- */

static int make(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    (void)host, (void)args, (void)out;
    return -ENOTSUP;
}
static void unmake(struct blink_plugin *self) {
    (void)self;
}

static struct blink_device_ops device_ops;
static struct blink_manifest manifest;
static struct blink_plugin_entry entry;
static const struct blink_manifest *manifests[2];

/* A right one, for a test to spoil. */
static void reset_entry(void) {
    device_ops = (struct blink_device_ops){
        .plugin = {.struct_size = sizeof device_ops, .create = make, .destroy = unmake}};
    manifest = (struct blink_manifest){.struct_size = sizeof manifest,
                                       .kind = DEVICE,
                                       .name = "good",
                                       .version = "0",
                                       .summary = "",
                                       .licence = "ISC",
                                       .vtable = &device_ops};
    manifests[0] = manifests[1] = &manifest;
    entry = (struct blink_plugin_entry){BLINK_PLUGIN_MAGIC, BLINK_ABI_MAJOR, BLINK_ABI_MINOR, 1, 0,
                                        manifests};
}

static const struct plugin_ref *find_entry(struct scene *s, const char *file, uint32_t kind,
                                           const char *name, int result, const char *reason) {
    struct plugin_builtin builtins[] = {{file, &entry}, {NULL, NULL}};
    struct plugin_paths paths = {.builtins = builtins};
    scene_open(s, &paths);
    return scene_find(s, kind, name, result,
                      reason ? scene_text("0 (built-in): %s\n", reason) : "");
}

static void expect_entry(struct scene *s, const char *reason) {
    find_entry(s, "device-good", DEVICE, "good", reason ? -ENOEXEC : 0, reason);
    reset_entry();
}

static void test_entries(void **state) {
    struct scene *s = *state;
    reset_entry();
    expect_entry(s, NULL);
    entry.magic ^= 1;
    expect_entry(s, "not a plugin: blink_plugin_entry has a wrong magic number; "
                    "define it with BLINK_PLUGIN_DEFINE");
    entry.abi_major = 0;
    expect_entry(s, "built for plugin ABI 0.0, this blink has 1.0; "
                    "rebuild it with this blink's headers");
    entry.abi_minor = 99; /* newer, and content with less */
    expect_entry(s, NULL);
    entry.manifest_count = 0;
    expect_entry(s, "says it offers 0 things; tell its author");
    entry.manifest_count = UINT32_MAX;
    expect_entry(s, "says it offers 4294967295 things; tell its author");
    entry.manifests = NULL;
    expect_entry(s, "says it offers 1 things; tell its author");
    manifests[0] = NULL;
    expect_entry(s, "manifest 0 is cut short; tell its author");
    entry.manifest_count = 2;
    manifests[1] = NULL;
    expect_entry(s, "manifest 1 is cut short; tell its author");
}

static void test_manifests(void **state) {
    struct scene *s = *state;
    const char **texts[] = {&manifest.name, &manifest.version, &manifest.summary,
                            &manifest.licence};
    reset_entry();
    manifest.struct_size = 0;
    expect_entry(s, "manifest 0 is cut short; tell its author");
    manifest.struct_size = offsetof(struct blink_manifest, vtable) + 7;
    expect_entry(s, "manifest 0 is cut short; tell its author");
    for (int k = 0; k < 4; k++) {
        *texts[k] = NULL;
        expect_entry(s, "manifest 0 lacks a text; tell its author");
    }
    manifest.kind = BLINK_KIND_COUNT;
    expect_entry(s, "offers no device named good; name the file after what it offers");
    manifest.name = "Good";
    expect_entry(s, "offers no device named good; name the file after what it offers");
    manifest.needs_minor = BLINK_ABI_MINOR + 1;
    expect_entry(s, "device good needs plugin ABI 1.1, this blink has 1.0; use a newer blink");
    manifest.vtable = NULL;
    expect_entry(s, "device good has no vtable; tell its author");
    device_ops.plugin.struct_size = 7;
    expect_entry(s, "device good has a vtable of 7 bytes; tell its author");
    /* Cut within a pointer: the method counts as absent. */
    device_ops.plugin.struct_size = offsetof(struct blink_plugin_ops, destroy) + 4;
    expect_entry(s, "device good lacks the required method destroy; tell its author");
}

/* A name that only a file of its own can have. */
static void test_bad_name(void **state) {
    struct scene *s = *state;
    struct plugin_builtin builtins[] = {{"device-", &entry}, {NULL, NULL}};
    struct plugin_paths paths = {.builtins = builtins};
    static const char *const bad[] = {"", "Good", "a/b", "..", "a.b", "a b", "\xc3\xa4"};
    struct plugin_ref *ref = NULL;
    struct refusal why;
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        reset_entry();
        manifest.name = bad[k];
        assert_int_equal(plugin_complete(&plugin_abi_host, &manifest, "x", &ref, &why), -ENOEXEC);
        assert_string_equal(why.text, "its device has a name that is not of a-z, 0-9, _ and -; "
                                      "tell its author");
        scene_open(s, &paths);
        scene_find(s, DEVICE, bad[k], -ENOENT, "");
    }
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = 0;
    assert_false(plugin_name_valid(longest, 65));
    assert_true(plugin_name_valid(longest, 64));
    scene_find(s, BLINK_KIND_COUNT, "good", -ENOENT, "");
}

/* ---- methods ---- */

static uint64_t whole[64];

/* Where each kind's optional methods are, by name; all others must be required. */
static const struct {
    uint32_t kind;
    const char *optional;
} optional_methods[BLINK_KIND_COUNT] = {
    {BLINK_KIND_DECODER, " activate deactivate disassemble "},
    {BLINK_KIND_JIT, " activate deactivate "},
    {BLINK_KIND_LOADER, " activate deactivate check "},
    {BLINK_KIND_ABI, " activate deactivate interrupt fault signal thread_begin thread_end "},
    {BLINK_KIND_DEVICE, " activate deactivate reset "},
    {BLINK_KIND_FRONTEND, " activate deactivate "},
    {BLINK_KIND_OBSERVER, " activate deactivate block syscall_enter syscall_leave fault "},
};

static const struct plugin_ref *find_ops(struct scene *s, uint32_t kind, const char *reason) {
    const char *file = scene_text("%s-good", plugin_kind_name(kind));
    reset_entry();
    manifest.kind = kind;
    manifest.vtable = whole;
    return find_entry(s, file, kind, "good", reason ? -ENOEXEC : 0, reason);
}

/* A complete vtable of the kind; the methods' addresses are never called. */
static void fill_ops(uint32_t kind) {
    uint32_t size = plugin_abi_host.kinds[kind].size;
    assert_true(size <= sizeof whole);
    memset(whole, 0x5a, sizeof whole);
    memcpy(whole, &size, sizeof size);
    if (kind == BLINK_KIND_JIT) {
        struct blink_jit_ops *jit = (struct blink_jit_ops *)whole;
        jit->cpu_size = sizeof(struct blink_cpu);
        jit->cpu_layout = BLINK_CPU_LAYOUT;
    }
}

static void test_every_method(void **state) {
    struct scene *s = *state;
    for (uint32_t kind = 0; kind < BLINK_KIND_COUNT; kind++) {
        const struct kind_rule *rule = &plugin_abi_host.kinds[kind];
        assert_int_equal(optional_methods[kind].kind, kind);
        fill_ops(kind);
        const struct plugin_ref *ref = find_ops(s, kind, NULL);
        assert_memory_equal((const char *)ref->ops + 8, (const char *)whole + 8, rule->size - 8);
        for (uint32_t k = 0; k < rule->count; k++) {
            const struct method_rule *m = &rule->methods[k];
            bool optional = strstr(optional_methods[kind].optional, scene_text(" %s ", m->name));
            fill_ops(kind);
            memset((char *)whole + m->offset, 0, sizeof(any_method *));
            ref = find_ops(s, kind,
                           optional ? NULL
                                    : scene_text("%s good lacks the required method %s; "
                                                 "tell its author",
                                                 rule->name, m->name));
            if (!optional)
                continue;
            any_method *stub;
            memcpy(&stub, (const char *)ref->ops + m->offset, sizeof stub);
            assert_ptr_equal(stub, m->stub);
            assert_non_null(stub);
        }
    }
}

static void test_layout(void **state) {
    struct scene *s = *state;
    struct blink_jit_ops *jit = (struct blink_jit_ops *)whole;
    unsigned size = sizeof(struct blink_cpu), layout = BLINK_CPU_LAYOUT;
    for (int k = 0; k < 2; k++) {
        fill_ops(BLINK_KIND_JIT);
        jit->cpu_size += k == 0;
        jit->cpu_layout += k == 1;
        find_ops(s, BLINK_KIND_JIT,
                 scene_text("jit good was built for another CPU layout (%u bytes, layout %u; this "
                            "blink has %u bytes, layout %u); rebuild it with this blink",
                            size + (k == 0), layout + (k == 1), size, layout));
    }
}

/* Stubs do what the headers promise of an absent method. */
static void test_stubs(void **state) {
    struct scene *s = *state;
    char text[8] = "xxxxxxx";
    uint32_t small = sizeof(struct blink_plugin_ops);
    fill_ops(BLINK_KIND_DECODER);
    memset((char *)whole + offsetof(struct blink_decoder_ops, disassemble), 0, 8);
    memset((char *)whole + offsetof(struct blink_plugin_ops, activate), 0, 16);
    const struct blink_decoder_ops *decoder = find_ops(s, BLINK_KIND_DECODER, NULL)->ops;
    assert_int_equal(
        decoder->disassemble(NULL, NULL, 0, 0, (const uint8_t *)"", 1, 0, text, sizeof text), 0);
    assert_string_equal(text, "(bad)");
    text[0] = 'x';
    assert_int_equal(decoder->disassemble(NULL, NULL, 0, 0, (const uint8_t *)"", 1, 0, text, 0), 0);
    assert_int_equal(text[0], 'x');
    assert_int_equal(decoder->plugin.activate(NULL), 0);
    decoder->plugin.deactivate(NULL);

    /* An observer that was built with the common part alone. */
    fill_ops(BLINK_KIND_OBSERVER);
    memcpy(whole, &small, sizeof small);
    const struct blink_observer_ops *observer = find_ops(s, BLINK_KIND_OBSERVER, NULL)->ops;
    assert_int_equal(observer->plugin.struct_size, sizeof *observer);
    observer->block(NULL, NULL, NULL, 0);
    observer->syscall_enter(NULL, NULL);
    observer->syscall_leave(NULL, NULL);
    observer->fault(NULL, NULL);

    /* A loader of before there was check. */
    fill_ops(BLINK_KIND_LOADER);
    uint32_t former = offsetof(struct blink_loader_ops, check);
    memcpy(whole, &former, sizeof former);
    const struct blink_loader_ops *loader = find_ops(s, BLINK_KIND_LOADER, NULL)->ops;
    assert_int_equal(loader->check(NULL, NULL), 0);

    fill_ops(BLINK_KIND_ABI);
    uint32_t until = offsetof(struct blink_abi_ops, interrupt);
    memcpy(whole, &until, sizeof until);
    const struct blink_abi_ops *abi = find_ops(s, BLINK_KIND_ABI, NULL)->ops;
    assert_int_equal(abi->interrupt(NULL, NULL), BLINK_ABI_UNHANDLED);
    assert_int_equal(abi->fault(NULL, NULL), BLINK_ABI_UNHANDLED);
    assert_int_equal(abi->signal(NULL, NULL), BLINK_ABI_UNHANDLED);
    assert_int_equal(abi->thread_begin(NULL, NULL, NULL), 0);
    abi->thread_end(NULL, NULL);

    fill_ops(DEVICE);
    memcpy(whole, &small, sizeof small);
    ((const struct blink_device_ops *)find_ops(s, DEVICE, NULL)->ops)->reset(NULL);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_fixtures),      SCENE_TEST(test_undefined_symbol),
        SCENE_TEST(test_name_differs),  SCENE_TEST(test_not_files),
        SCENE_TEST(test_unreadable),    SCENE_TEST(test_bytes),
        SCENE_TEST(test_other_headers), SCENE_TEST(test_truncated),
        SCENE_TEST(test_entries),       SCENE_TEST(test_manifests),
        SCENE_TEST(test_bad_name),      SCENE_TEST(test_every_method),
        SCENE_TEST(test_layout),        SCENE_TEST(test_stubs),
    };
    scene_fixtures = realpath(argc > 1 ? argv[1] : ".", NULL);
    return cmocka_run_group_tests_name("plugin-refusals", tests, NULL, NULL);
}
