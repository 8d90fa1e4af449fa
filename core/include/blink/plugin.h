/*
 * How a plugin makes itself known: one const data symbol, blink_plugin_entry, that names the ABI
 * it was built for and lists what it offers. Nothing in struct blink_plugin_entry ever changes.
 */
#ifndef BLINK_PLUGIN_H
#define BLINK_PLUGIN_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "BLNKPLUG" read as a little-endian number. */
#define BLINK_PLUGIN_MAGIC UINT64_C(0x47554c504b4e4c42)

/* Another major number: nothing is promised. A larger minor: structures have grown at the end. */
#define BLINK_ABI_MAJOR 1u
#define BLINK_ABI_MINOR 0u

/* Kinds: the first word of a plugin's file name KIND-NAME.so. */
enum {
    BLINK_KIND_DECODER,
    BLINK_KIND_JIT,
    BLINK_KIND_LOADER,
    BLINK_KIND_ABI,
    BLINK_KIND_DEVICE,
    BLINK_KIND_FRONTEND,
    BLINK_KIND_OBSERVER,
    BLINK_KIND_COUNT
};

/*
 * One thing a plugin offers. Strings are static, never NULL; `name` is [a-z0-9_-]+ and equals the
 * NAME of the file for the manifest that the file is found by.
 */
struct blink_manifest {
    uint32_t struct_size; /* sizeof(struct blink_manifest) of the producer */
    uint32_t kind;        /* BLINK_KIND_* */
    const char *name;     /* "capstone", "elf", "linux" */
    const char *version;  /* the plugin's own, free form */
    const char *summary;  /* one line for --list-plugins */
    const char *licence;  /* SPDX identifier */
    int32_t score;        /* among several of a kind the highest is the default; 0 is usual */
    uint32_t needs_minor; /* lowest host minor it can work with */
    const void *vtable;   /* the kind's structure: struct blink_decoder_ops and so on */
};

/* The entry. Frozen for ever: any host can read it and say what does not match. */
struct blink_plugin_entry {
    uint64_t magic;          /* BLINK_PLUGIN_MAGIC */
    uint32_t abi_major;      /* BLINK_ABI_MAJOR the plugin was built with */
    uint32_t abi_minor;      /* BLINK_ABI_MINOR likewise */
    uint32_t manifest_count; /* at least 1 */
    uint32_t reserved;       /* 0 */
    const struct blink_manifest *const *manifests;
};

#if defined(__GNUC__)
  #define BLINK_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
  #define BLINK_PLUGIN_EXPORT
#endif

/*
 * The one symbol of a shared plugin. Define it once per plugin with BLINK_PLUGIN_DEFINE. In a
 * built-in build the same line defines a uniquely named one for core's table: the build passes
 * -DBLINK_PLUGIN_BUILTIN=blink_builtin_KIND_NAME.
 */
#ifdef BLINK_PLUGIN_BUILTIN
  #define BLINK_PLUGIN_SYMBOL BLINK_PLUGIN_BUILTIN
#else
  #define BLINK_PLUGIN_SYMBOL blink_plugin_entry
#endif
extern BLINK_PLUGIN_EXPORT const struct blink_plugin_entry BLINK_PLUGIN_SYMBOL;

/* BLINK_PLUGIN_DEFINE(&manifest) for a plugin that offers one thing. */
#define BLINK_PLUGIN_DEFINE(manifest)                                                              \
  static const struct blink_manifest *const blink_plugin_manifests_[] = {manifest};                \
  const struct blink_plugin_entry BLINK_PLUGIN_SYMBOL = {                                          \
      BLINK_PLUGIN_MAGIC, BLINK_ABI_MAJOR, BLINK_ABI_MINOR, 1, 0, blink_plugin_manifests_}

/*
 * The life of a plugin, first member of every kind's vtable. Required: create, destroy.
 * Several instances may exist in one process; all state hangs on the instance. A plugin's file
 * is never unloaded.
 */
struct blink_plugin_ops {
    uint32_t struct_size; /* sizeof the kind's whole vtable, as the producer knows it */
    uint32_t reserved;
    /* Make an instance. `args` is the text after NAME, in "--device NAME,args", or "". `host`
     * outlives the instance. -EINVAL after a logged line for arguments it cannot read. [main] */
    int (*create)(const struct blink_host *host, const char *args, struct blink_plugin **out);
    /* Free an instance; NULL is fine; it is deactivated first. [main] */
    void (*destroy)(struct blink_plugin *self);
    /* Begin work: claim ranges, take resources. Optional. [main] [safepoint] */
    int (*activate)(struct blink_plugin *self);
    /* Give back what activate took; activate may follow again. Optional. [main] [safepoint] */
    void (*deactivate)(struct blink_plugin *self);
};

#ifdef __cplusplus
}
#endif

#endif
