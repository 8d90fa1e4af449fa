/*
 * abi-linux: what answers a guest that calls x86-64 Linux. An instance is one guest process; its
 * threads are the vCPUs. create and destroy on the main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "linux.h"

static void destroy(struct blink_plugin *self) {
    if (!self)
        return;
    lx_identity_finish(&self->id);
    while (self->first_thread)
        lx_thread_free(self->first_thread);
    pthread_mutex_destroy(&self->lock);
    lx_layers_finish(self);
    lx_shm_finish(self);
    lx_nowhere_finish(self);
    free(self);
}

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    if (args[0]) {
        blink_log(host, BLINK_LOG_ERROR, "abi linux takes no arguments, not \"%s\"", args);
        return -EINVAL;
    }
    struct blink_plugin *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->host = host;
    pthread_mutex_init(&self->lock, NULL);
    const char *strace = host->option(host->machine, "strace");
    self->strace = strace != NULL;
    const char *log = host->option(host->machine, "log-fd");
    snprintf(self->log_fd, sizeof self->log_fd, "%s", log ? log : "");
    self->strace_entry = strace && strcmp(strace, "2") == 0;
    int rc = blink_service(host, "abi linux", BLINK_IFACE_MEM, &self->mem, sizeof self->mem);
    if (rc == 0)
        rc = blink_service(host, "abi linux", BLINK_IFACE_EXEC, &self->exec, sizeof self->exec);
    if (rc == 0)
        rc = lx_layers_init(self, host->option(host->machine, "root"),
                            secure_getenv("BLINK_OVERLAYS"));
    if (rc) {
        destroy(self);
        return rc;
    }
    *out = self;
    return 0;
}

static uint32_t on_signal(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self;
    return lx_deliver(lx_thread_of(cpu), NULL, 0);
}

static const struct blink_abi_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .start = lx_start,
    .syscall = lx_syscall,
    .interrupt = lx_interrupt,
    .fault = lx_fault,
    .signal = on_signal,
    .thread_begin = lx_thread_begin,
    .thread_end = lx_thread_end,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_ABI,
    .name = "linux",
    .version = "0.1.0",
    .summary = "x86-64 Linux system calls, signals and threads",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
