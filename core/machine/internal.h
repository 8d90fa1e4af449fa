/*
 * What the files of the machine share.
 */
#ifndef CORE_MACHINE_INTERNAL_H
#define CORE_MACHINE_INTERNAL_H

#include <blink/device.h>
#include <blink/host.h>
#include <blink/loader.h>
#include <blink/plugin.h>

#include "bus/bus.h"
#include "exec/exec.h"
#include "machine/machine.h"
#include "mem/space.h"

#define MACHINE_MAX_PLUGINS 64u

/* A plugin with its one instance in this machine. */
struct instance {
    const struct plugin_ref *ref;
    struct blink_plugin *self;
    bool active;
};

struct machine_root {
    struct machine_root *before;
    char folder[];
};

struct blink_machine {
    struct machine_options options;
    struct plugin_registry *registry;
    struct blink_host host;
    struct blink_bus *bus;
    struct exec *exec;
    struct blink_mem *mem;
    struct blink_cpu *cpu; /* the first */
    struct instance instance[MACHINE_MAX_PLUGINS];
    uint32_t instances;
    struct blink_program program; /* of the loader */
    bool system;                  /* runs system software */
    char log_fd[16];              /* option "log-fd": number of the log's descriptor */
    char *disks;                  /* option "disk", lines; NULL if there are none */
    struct blink_image image;     /* of system software: what a reset loads again */
    uint8_t head[4096];
    struct machine_program booted;
    struct instance *loader;
    struct machine_swap *swap; /* swap.c, or NULL */
    uint64_t started;          /* nanoseconds, for the statistics */
    /* Option "root" in place of that of the command line; NULL: it has not changed; atomic. Those
     * before it stay, since others may read them. */
    struct machine_root *root;
};

/* instances.c: one instance of KIND `name`, made when first asked for. 0; -ENOENT without a line;
 * others after a logged line. */
int machine_instance(struct blink_machine *m, uint32_t kind, const char *name, const char *args,
                     struct instance **out);
int machine_activate(struct blink_machine *m, struct instance *i);
/* Deactivate and destroy all but those of the kinds (bits) to keep, last made first. */
void machine_drop_instances(struct blink_machine *m, uint32_t keep);
void machine_error(struct blink_machine *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* devices.c: those that were asked for, and for system software those every PC has. */
int machine_make_devices(struct blink_machine *m);
/* "NAME[,ARGS]" as an active instance. */
int machine_make_named(struct blink_machine *m, uint32_t kind, const char *text,
                       struct instance **out);
/* Option "disk": the boot image, then those of --disk. */
int machine_list_disks(struct blink_machine *m, const char *boot);
/* load.c: the hook of a reset. */
int machine_reset(struct blink_machine *m);

/* load.c: the loader for an open file; NULL if none takes it. */
struct instance *machine_choose_loader(struct blink_machine *m, const struct blink_image *image);
/* Open and describe `path`, or take `fd`. -errno. `head` holds 4096 bytes. */
int machine_open_image(const char *path, const char *guest_path, int fd, uint8_t *head,
                       struct blink_image *image);

/* script.c: if the image is a script, its interpreter. */
struct machine_script {
    char interpreter[256], argument[256]; /* argument "" if there is none */
};
#define MACHINE_SCRIPT_DEPTH                                                                       \
  5u /* scripts that are interpreters of scripts: as deep as Linux goes */
bool machine_is_script(const struct blink_image *image, struct machine_script *out);

/* swap.c: the thread of --jit-swap-every. */
int machine_swap_start(struct blink_machine *m);
void machine_swap_stop(struct blink_machine *m);
void machine_swap_forked(struct blink_machine *m);

/* respawn.c */
int machine_respawn(struct blink_machine *m, const char *path, const char *guest_path,
                    const char *const *argv, const char *const *envp, void **leftover);

#endif
