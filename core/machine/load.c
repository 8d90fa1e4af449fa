/*
 * From a file to a loaded program: which loader, which guest ABI, the first vCPU's start. On the
 * main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "machine/internal.h"

#define HEAD_SIZE 4096u

#define ATTR_REAL_CODE 0x009b

/* Loaders that are asked; names map to files, nothing is scanned. */
static const char *const loader_names[] = {"elf", "ape", "flat", "realmode", NULL};

static ssize_t read_head(int fd, uint8_t *head) {
    size_t done = 0;
    while (done < HEAD_SIZE) {
        ssize_t n = pread(fd, head + done, HEAD_SIZE - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int machine_open_image(const char *path, const char *guest_path, int fd, uint8_t *head,
                       struct blink_image *image) {
    struct stat st;
    bool own = fd < 0;
    if (own)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = 0;
    ssize_t n = 0;
    if (fstat(fd, &st))
        rc = -errno;
    else if (S_ISDIR(st.st_mode))
        rc = -EISDIR;
    else if (!S_ISREG(st.st_mode))
        rc = -EACCES;
    else if ((n = read_head(fd, head)) < 0)
        rc = (int)n;
    if (rc) {
        if (own)
            close(fd);
        return rc;
    }
    *image = (struct blink_image){
        .struct_size = sizeof *image,
        .fd = fd,
        .path = path,
        .guest_path = guest_path,
        .head = head,
        .head_size = (size_t)n,
        .size = (uint64_t)st.st_size,
    };
    return 0;
}

static void consider(struct blink_machine *m, const struct blink_image *image, const char *name,
                     struct instance **best, int32_t *best_score) {
    struct instance *i;
    if (machine_instance(m, BLINK_KIND_LOADER, name, "", &i))
        return;
    const struct blink_loader_ops *ops = i->ref->ops;
    int32_t score = ops->probe(i->self, image);
    if (score <= BLINK_PROBE_NO || i == *best)
        return;
    if (*best && score == *best_score) {
        char text[256];
        bool first = strcmp(name, (*best)->ref->name) < 0;
        snprintf(text, sizeof text, "loaders %s and %s both score %d; taking %s",
                 (*best)->ref->name, name, (int)score, first ? name : (*best)->ref->name);
        machine_log_line(&m->options.log, BLINK_LOG_INFO, text);
        if (!first)
            return;
    } else if (score < *best_score) {
        return;
    }
    *best = i;
    *best_score = score;
}

static struct instance *choose(struct blink_machine *m, const struct blink_image *image,
                               int32_t *score_out) {
    struct instance *best = NULL;
    int32_t score = 0;
    const struct plugin_ref *ref;
    for (size_t k = 0; loader_names[k]; k++)
        consider(m, image, loader_names[k], &best, &score);
    /* Those that --plugin named, whatever they are called. */
    for (size_t n = 0; (ref = registry_loaded(m->registry, n)); n++)
        if (ref->kind == BLINK_KIND_LOADER)
            consider(m, image, ref->name, &best, &score);
    *score_out = score;
    return best;
}

struct instance *machine_choose_loader(struct blink_machine *m, const struct blink_image *image) {
    int32_t score;
    return choose(m, image, &score);
}

static int status_of(int error) {
    return error == -ENOENT || error == -ENOTDIR ? MACHINE_STATUS_NOT_FOUND : MACHINE_STATUS_NOEXEC;
}

static const char *open_error(int error) {
    switch (error) {
    case -EISDIR: return "is a directory";
    case -EACCES: return "not a regular file that can be read";
    case -ENOENT: return "no such file";
    default: return strerror(-error);
    }
}

/* Claims of devices win over RAM. */
static void memory_claimed(void *arg, uint64_t start, uint64_t last, bool claimed) {
    mem_set_device(arg, start, last + 1, claimed);
}

static int make_memory(struct blink_machine *m) {
    struct mem_options o = {.strategy = m->options.paged || m->system ? MEM_PAGED : MEM_LINEAR,
                            .system = m->system,
                            .physical_size = m->system ? m->options.memory : 0,
                            .hooks = exec_mem_hooks(m->exec)};
    int rc = mem_create(&o, &m->mem);
    if (rc == 0 && m->system) {
        exec_set_system(m->exec);
        bus_allow_memory(m->bus, memory_claimed, m->mem);
    }
    if (rc) {
        machine_error(m, "cannot reserve guest memory: %s", strerror(-rc));
        return rc;
    }
    exec_set_mem(m->exec, m->mem);
    rc = exec_first_cpu(m->exec, &m->cpu);
    if (rc)
        machine_error(m, "cannot make a vCPU: %s", strerror(-rc));
    return rc;
}

/* In real mode, as after a reset but for where it begins. */
static void enter_system(struct blink_machine *m) {
    struct blink_cpu *cpu = m->cpu;
    uint64_t start = m->program.start;
    uint16_t segment = start > 0xffff ? (uint16_t)(start >> 4) : 0;
    cpu_set_segment(cpu, BLINK_SEG_CS, segment, (uint64_t)segment << 4, 0xffff, ATTR_REAL_CODE);
    cpu->rip = start - ((uint64_t)segment << 4);
    cpu->apic_base = bus_has_apic(m->bus) ? APIC_BASE_RESET : 0;
    cpu_update_mode(cpu);
}

static void enter_program(struct blink_machine *m) {
    if (m->system) {
        enter_system(m);
        return;
    }
    uint64_t cr3 = m->cpu->cr3; /* the memory's own tables */
    cpu_reset_user64(m->cpu);
    m->cpu->cr3 = cr3;
    m->cpu->rip = m->program.start;
}

/* The guest ABI, or NULL where system software does without. */
static int find_abi(struct blink_machine *m, const char *program, struct instance **out) {
    const char *name = m->program.abi;
    int rc = machine_instance(m, BLINK_KIND_ABI, name, "", out);
    if (rc == -ENOENT && m->system) {
        char text[128];
        snprintf(text, sizeof text, "no plugin abi-%s.so: the machine has no firmware", name);
        machine_log_line(&m->options.log, BLINK_LOG_INFO, text);
        *out = NULL;
        return 0;
    }
    if (rc == -ENOENT)
        machine_error(m, "%s: needs the guest ABI \"%s\", and there is no plugin abi-%s.so",
                      program, name, name);
    return rc ? rc : machine_activate(m, *out);
}

static int start(struct blink_machine *m, const struct machine_program *p) {
    struct instance *i;
    if (find_abi(m, p->guest_path, &i))
        return MACHINE_STATUS_FAILED;
    enter_program(m);
    if (!i)
        return 0;
    const struct blink_abi_ops *abi = i->ref->ops;
    exec_set_abi(m->exec, abi, i->self);
    struct blink_start s = {
        .struct_size = sizeof s,
        .program = &m->program,
        .path = p->script ? p->script : p->guest_path,
        .host_path = p->host_path,
        .argv = p->argv,
        .envp = p->envp,
    };
    int rc = abi->start(i->self, m->cpu, &s);
    if (rc)
        machine_error(m, "%s: the guest ABI cannot start it: %s", p->guest_path, strerror(-rc));
    return rc ? MACHINE_STATUS_FAILED : 0;
}

/* A format that is known by its first bytes is one that Linux would execute: it needs the right. */
static bool may_execute(const struct machine_program *p, int32_t score) {
    return score < BLINK_PROBE_MAGIC || p->fd >= 0 ||
           faccessat(AT_FDCWD, p->host_path, X_OK, AT_EACCESS) == 0;
}

/* What a reset loads again; the descriptor is the machine's own. */
static int remember(struct blink_machine *m, const struct machine_program *p,
                    struct instance *loader, const struct blink_image *image) {
    int fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        machine_error(m, "%s: %s", p->guest_path, strerror(errno));
        return -errno;
    }
    m->image = *image;
    m->image.fd = fd;
    memcpy(m->head, image->head, image->head_size);
    m->image.head = m->head;
    m->loader = loader;
    m->booted = *p;
    return 0;
}

static int load_image(struct blink_machine *m, const struct machine_program *p,
                      const struct blink_image *image) {
    int32_t score = BLINK_PROBE_NO;
    struct instance *loader = NULL;
    if (!m->options.realmode)
        loader = choose(m, image, &score);
    else if (machine_instance(m, BLINK_KIND_LOADER, "realmode", "", &loader) == -ENOENT)
        machine_error(m, "no plugin loader-realmode.so; name its folder with --plugin-dir");
    if (!loader && m->options.realmode)
        return MACHINE_STATUS_FAILED;
    if (!loader) {
        machine_error(m, "%s: %s", p->guest_path,
                      image->head_size ? "no loader knows this format" : "empty file");
        return MACHINE_STATUS_NOEXEC;
    }
    const struct blink_loader_ops *kind = loader->ref->ops;
    if (!(kind->flags & BLINK_LOADER_SYSTEM) && !may_execute(p, score)) {
        machine_error(m, "%s: not executable; chmod +x it", p->guest_path);
        return MACHINE_STATUS_NOEXEC;
    }
    const struct blink_loader_ops *ops = loader->ref->ops;
    m->system = ops->flags & BLINK_LOADER_SYSTEM;
    if (machine_activate(m, loader) || make_memory(m))
        return MACHINE_STATUS_FAILED;
    m->program.struct_size = sizeof m->program;
    if (ops->load(loader->self, m->mem, image, &m->program))
        return MACHINE_STATUS_NOEXEC;
    if (m->system && (remember(m, p, loader, image) || machine_list_disks(m, p->host_path)))
        return MACHINE_STATUS_FAILED;
    if (machine_make_devices(m))
        return MACHINE_STATUS_FAILED;
    return start(m, p);
}

static void reset_devices(struct blink_machine *m) {
    for (uint32_t k = 0; k < m->instances; k++)
        if (m->instance[k].ref->kind == BLINK_KIND_DEVICE)
            ((const struct blink_device_ops *)m->instance[k].ref->ops)->reset(m->instance[k].self);
}

int machine_reset(struct blink_machine *m) {
    const struct blink_loader_ops *ops = m->loader->ref->ops;
    reset_devices(m);
    m->program = (struct blink_program){.struct_size = sizeof m->program};
    if (ops->load(m->loader->self, m->mem, &m->image, &m->program) || start(m, &m->booted))
        return -EIO;
    return 0;
}

/* The command line that a script stands for: interpreter, argument, script, its arguments. */
static int load_script(struct blink_machine *m, const struct machine_program *p,
                       const struct machine_script *script, uint32_t depth);

static int load_at_depth(struct blink_machine *m, const struct machine_program *p, uint32_t depth) {
    uint8_t head[HEAD_SIZE];
    struct blink_image image;
    struct machine_script script;
    int rc = machine_open_image(p->host_path, p->guest_path, p->fd, head, &image), status;
    if (rc) {
        machine_error(m, "%s: %s", p->guest_path, open_error(rc));
        return status_of(rc);
    }
    if (machine_is_script(&image, &script))
        status = load_script(m, p, &script, depth);
    else
        status = load_image(m, p, &image);
    if (image.fd != p->fd)
        close(image.fd);
    return status;
}

static int load_script(struct blink_machine *m, const struct machine_program *p,
                       const struct machine_script *script, uint32_t depth) {
    char host[PATH_MAX];
    const char *root = m->host.option(m, "root");
    if (depth == MACHINE_SCRIPT_DEPTH) {
        machine_error(m, "%s: too many scripts as interpreters of scripts", p->guest_path);
        return MACHINE_STATUS_NOEXEC;
    }
    int rc = machine_find_in_root(root, script->interpreter, host, sizeof host);
    if (rc) {
        machine_error(m, "%s: interpreter %s: %s", p->guest_path, script->interpreter,
                      strerror(-rc));
        return status_of(rc);
    }
    size_t args = 0, n = 0;
    while (p->argv[args])
        args++;
    const char **argv = calloc(args + 4, sizeof *argv);
    if (!argv)
        return MACHINE_STATUS_FAILED;
    argv[n++] = script->interpreter;
    if (script->argument[0])
        argv[n++] = script->argument;
    argv[n++] = p->guest_path;
    for (size_t k = 1; k < args; k++)
        argv[n++] = p->argv[k];
    struct machine_program interpreter = {
        .host_path = host,
        .guest_path = script->interpreter,
        .script = p->script ? p->script : p->guest_path,
        .fd = -1,
        .argv = argv,
        .envp = p->envp,
    };
    int status = load_at_depth(m, &interpreter, depth + 1);
    free(argv);
    return status;
}

int machine_load(struct blink_machine *m, const struct machine_program *p) {
    return load_at_depth(m, p, 0);
}
