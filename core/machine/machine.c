/*
 * The wiring: what the registry finds becomes the parts of one machine. On the main thread but for
 * the host functions, which any thread may call.
 */
#include "machine/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "machine/internal.h"

#if defined(__x86_64__)
  #define HOST_JIT "x86_64"
#elif defined(__aarch64__)
  #define HOST_JIT "aarch64"
#else
  #define HOST_JIT NULL
#endif

/* ---- what plugins see ---- */

static void host_log(struct blink_machine *m, int32_t level, const char *text) {
    machine_log_line(&m->options.log, level, text);
}

static int32_t host_log_enabled(struct blink_machine *m, int32_t level) {
    const struct machine_log *log = &m->options.log;
    return level == BLINK_LOG_STRACE || level <= log->verbosity || log->file_fd >= 0;
}

static const void *host_get_iface(struct blink_machine *m, const char *id) {
    static const struct {
        const char *id;
        const void *iface;
    } table[] = {
        {BLINK_IFACE_MEM, &mem_iface},           {BLINK_IFACE_EXEC, &exec_iface},
        {BLINK_IFACE_BUS, &bus_iface},           {BLINK_IFACE_DEBUG, &debug_iface},
        {BLINK_IFACE_JIT_HOST, &jit_host_iface}, {BLINK_IFACE_DISPLAY, &display_iface},
        {BLINK_IFACE_DISK, &disk_iface},         {BLINK_IFACE_SYSTEM, &system_iface},
    };
    (void)m;
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
        if (strcmp(table[k].id, id) == 0)
            return table[k].iface;
    return NULL;
}

static const char *host_option(struct blink_machine *m, const char *name) {
    const struct machine_root *root = __atomic_load_n(&m->root, __ATOMIC_ACQUIRE);
    if (root && strcmp(name, "root") == 0)
        return root->folder;
    if (strcmp(name, "disk") == 0)
        return m->disks;
    if (strcmp(name, "log-fd") == 0) /* which the guest is not to see */
        return m->options.log.file_fd < 0 ? NULL : m->log_fd;
    for (const struct machine_setting *s = m->options.settings; s && s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s->value;
    return NULL;
}

struct exec *machine_exec(struct blink_machine *m) {
    return m->exec;
}

struct blink_bus *machine_bus(struct blink_machine *m) {
    return m->bus;
}

/* ---- hooks of the loop ---- */

static int set_root(struct blink_machine *m, const char *folder) {
    size_t size = strlen(folder) + 1;
    struct machine_root *root = malloc(sizeof *root + size);
    if (!root)
        return -ENOMEM;
    memcpy(root->folder, folder, size);
    root->before = __atomic_load_n(&m->root, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(&m->root, &root->before, root, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
        ;
    return 0;
}

static void last_words(struct blink_machine *m) {
    if (m->options.last_words)
        m->options.last_words(m);
}

static int find_jit(struct blink_machine *m, const char *name, const struct blink_jit_ops **ops,
                    struct blink_plugin **self) {
    struct instance *i;
    char text[64];
    size_t n = strcspn(name, ",");
    if (n >= sizeof text)
        return -ENOENT;
    memcpy(text, name, n);
    text[n] = 0;
    int rc = machine_instance(m, BLINK_KIND_JIT, text, name[n] ? name + n + 1 : "", &i);
    if (rc)
        return rc;
    *ops = i->ref->ops;
    *self = i->self;
    return 0;
}

/* ---- making ---- */

static int make_exec(struct blink_machine *m) {
    struct instance *i;
    const char *name = m->options.decoder ? m->options.decoder : "capstone";
    int rc = machine_instance(m, BLINK_KIND_DECODER, name, "", &i);
    if (rc == -ENOENT)
        machine_error(m, "no plugin decoder-%s.so; name its folder with --plugin-dir", name);
    if (rc == 0)
        rc = machine_activate(m, i);
    if (rc)
        return rc;
    const char *const *devices = m->options.devices;
    struct exec_options o = {
        .hooks = {.machine = m,
                  .log = host_log,
                  .last_words = last_words,
                  .respawn = machine_respawn,
                  .set_root = set_root,
                  .find_jit = find_jit,
                  .forked = machine_swap_forked,
                  .reset = machine_reset},
        .icount = m->options.icount,
        .jit_cache = m->options.jit_cache,
        .timed = m->options.timed,
        .perf_map = m->host.option(m, "perf-map"),
        .gdb_jit = m->host.option(m, "gdb-jit"),
        .model = m->options.cpu_model,
        .decoder = i->ref->ops,
        .decoder_self = i->self,
        .bus = m->bus,
        .user_ports = devices && devices[0],
    };
    return exec_create(&o, &m->exec);
}

static int make_observers(struct blink_machine *m) {
    const char *const *list = m->options.observers;
    struct instance *i;
    for (size_t k = 0; list && list[k]; k++) {
        int rc = machine_make_named(m, BLINK_KIND_OBSERVER, list[k], &i);
        if (rc)
            return rc;
        exec_add_observer(m->exec, (struct exec_observer){.ops = i->ref->ops, .self = i->self});
    }
    return 0;
}

static int use_jit(struct blink_machine *m, const char *name) {
    int rc = exec_set_jit(m->exec, name);
    if (rc == -ENOENT)
        machine_error(m, "no plugin jit-%.*s.so; name its folder with --plugin-dir",
                      (int)strcspn(name, ","), name);
    else if (rc)
        machine_error(m, "jit %s cannot be used: %s", name, strerror(-rc));
    return rc;
}

/* The host's own back end is used where it exists; those that were asked for must exist: each is
 * tried, the first last. */
static int choose_jit(struct blink_machine *m) {
    const char *const *jits = m->options.jits;
    size_t n = 0;
    if (!jits || !jits[0]) {
        const struct blink_jit_ops *ops;
        struct blink_plugin *self;
        if (!HOST_JIT || find_jit(m, HOST_JIT, &ops, &self) == -ENOENT)
            return 0;
        int rc = exec_set_jit(m->exec, HOST_JIT);
        if (rc) {
            char text[128];
            snprintf(text, sizeof text, "jit %s cannot be used here: %s; interpreting", HOST_JIT,
                     strerror(-rc));
            machine_log_line(&m->options.log, BLINK_LOG_INFO, text);
        }
        return 0;
    }
    while (jits[n])
        n++;
    int rc = 0;
    while (n > 0 && rc == 0)
        rc = use_jit(m, jits[--n]);
    return rc;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int machine_create(const struct machine_options *options, struct plugin_registry *registry,
                   struct blink_machine **out) {
    struct blink_machine *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->options = *options;
    snprintf(m->log_fd, sizeof m->log_fd, "%d", options->log.file_fd);
    m->registry = registry;
    m->started = now();
    m->host = (struct blink_host){
        .struct_size = sizeof m->host,
        .abi_major = BLINK_ABI_MAJOR,
        .abi_minor = BLINK_ABI_MINOR,
        .page_size = (uint32_t)sysconf(_SC_PAGESIZE),
        .machine = m,
        .log = host_log,
        .log_enabled = host_log_enabled,
        .get_iface = host_get_iface,
        .option = host_option,
    };
    int rc = bus_create(&m->bus);
    if (rc == 0)
        rc = make_exec(m);
    if (rc == 0)
        rc = make_observers(m);
    if (rc == 0)
        rc = choose_jit(m);
    if (rc) {
        machine_destroy(m);
        return rc;
    }
    *out = m;
    return 0;
}

void machine_destroy(struct blink_machine *m) {
    if (!m)
        return;
    exec_destroy(m->exec);
    machine_drop_instances(m, 0);
    mem_destroy(m->mem);
    bus_destroy(m->bus);
    if (m->loader)
        close(m->image.fd);
    free(m->disks);
    for (struct machine_root *root = m->root, *before; root; root = before) {
        before = root->before;
        free(root);
    }
    free(m);
}

void machine_retire(struct blink_machine *m) {
    if (m)
        machine_drop_instances(m, 1u << BLINK_KIND_DECODER | 1u << BLINK_KIND_JIT);
}

int machine_run(struct blink_machine *m) {
    if (machine_swap_start(m)) {
        machine_error(m, "--jit-swap-every: cannot start a thread");
        return MACHINE_STATUS_FAILED;
    }
    int status = exec_run(m->exec);
    machine_swap_stop(m);
    return status;
}

/* ---- statistics ---- */

void machine_print_plugins(struct blink_machine *m) {
    char text[1024];
    size_t n = (size_t)snprintf(text, sizeof text, "plugins:");
    for (uint32_t k = 0; k < m->instances && n < sizeof text; k++) {
        const struct instance *i = &m->instance[k];
        /* Back ends are activated by the loop, which may change them. */
        if (i->active || (i->self && i->self == exec_jit(m->exec)))
            n += (size_t)snprintf(text + n, sizeof text - n, " %s-%s (%s)",
                                  plugin_kind_name(i->ref->kind), i->ref->name, i->ref->path);
    }
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
}

static void print_exits(struct blink_machine *m, const struct blink_exec_stats *s) {
    static const char *const names[BLINK_EXIT_COUNT] = {
        "none",  "block", "attention", "syscall", "interrupt",
        "fault", "halt",  "rewritten", "stop",    "alone",
    };
    char text[512];
    size_t n = (size_t)snprintf(text, sizeof text, "exits:");
    for (uint32_t k = 1; k < BLINK_EXIT_COUNT; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s %llu", names[k],
                              (unsigned long long)s->exits[k]);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
}

static void print_times(struct blink_machine *m) {
    struct exec_times t;
    char text[256];
    exec_get_times(m->exec, &t);
    if (!t.translated)
        return;
    snprintf(
        text, sizeof text,
        "translated: %llu blocks, all forgotten %llu times; decoding %.3f s, translating %.3f s, "
        "waiting for the lock of translation %.3f s",
        (unsigned long long)t.translated, (unsigned long long)t.forgotten,
        (double)t.decode_ns / 1e9, (double)t.translate_ns / 1e9, (double)t.wait_ns / 1e9);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
}

void machine_print_stats(struct blink_machine *m) {
    struct blink_exec_stats s = {.struct_size = sizeof s};
    char text[256];
    exec_iface.stats(m, &s);
    double seconds = (double)(now() - m->started) / 1e9;
    snprintf(text, sizeof text, "instructions: %llu in %.3f s (%.1f million a second)",
             (unsigned long long)s.instructions, seconds,
             seconds > 0 ? (double)s.instructions / seconds / 1e6 : 0.0);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
    snprintf(text, sizeof text, "decoded: %llu blocks, %llu instructions",
             (unsigned long long)s.blocks_decoded, (unsigned long long)s.insns_decoded);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
    print_times(m);
    print_exits(m, &s);
    snprintf(text, sizeof text,
             "TLB misses: %llu, page faults: %llu, syscalls: %llu, signals: %llu, rewritten code: "
             "%llu",
             (unsigned long long)s.tlb_misses, (unsigned long long)s.page_faults,
             (unsigned long long)s.syscalls, (unsigned long long)s.signals,
             (unsigned long long)s.smc_drops);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
}
