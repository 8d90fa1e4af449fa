/*
 * A host for unit tests of plugins: everything a plugin may ask of core, played by simple, visible
 * parts. A test makes one, loads a plugin or links its sources, drives it, and looks at what came
 * of it. All objects belong to the fakehost and go with it. One thread at a time.
 */
#ifndef TESTS_FAKEHOST_H
#define TESTS_FAKEHOST_H

#include <blink/bus.h>
#include <blink/cpu.h>
#include <blink/disk.h>
#include <blink/display.h>
#include <blink/exec.h>
#include <blink/host.h>
#include <blink/mem.h>
#include <blink/plugin.h>
#include <stdbool.h>

struct fakehost;

struct fakehost *fakehost_create(void);
void fakehost_destroy(struct fakehost *fh);

/* What is handed to create(). */
const struct blink_host *fakehost_host(struct fakehost *fh);
struct blink_machine *fakehost_machine(struct fakehost *fh);

/* ---- plugins ---- */

/* The vtable of KIND `name` in shared object `path`, or NULL after a line on stderr. */
const void *fakehost_load(const char *path, uint32_t kind, const char *name);
/* The same of an entry that is linked in. */
const void *fakehost_find(const struct blink_plugin_entry *entry, uint32_t kind, const char *name);

/* ---- options and services ---- */

/* What host->option answers; NULL takes the option back. */
void fakehost_set_option(struct fakehost *fh, const char *name, const char *value);
/* Answer get_iface(id) with this; NULL hides a service. mem, bus, exec, display and disk are there
 * at first. */
void fakehost_set_iface(struct fakehost *fh, const char *id, const void *iface);

/* ---- log ---- */

/* Levels above `level` are not enabled (all are at first). */
void fakehost_log_level(struct fakehost *fh, int32_t level);
/* The lines so far, each with its newline, without level: for comparing whole. */
const char *fakehost_log(struct fakehost *fh);
size_t fakehost_log_count(struct fakehost *fh);
/* Line n and its level (which may be NULL), or NULL. */
const char *fakehost_log_line(struct fakehost *fh, size_t n, int32_t *level);
void fakehost_log_clear(struct fakehost *fh);

/* ---- memory: one address space of 47 bits, page contents made when first touched ---- */

/* DONTNEED leaves file pages as they are; nothing is written back to files. */
extern const struct blink_mem_iface fakehost_mem_iface;
struct blink_mem *fakehost_mem(struct fakehost *fh);
/* Protection of the page at `address`, -1 if it is not mapped. */
int fakehost_prot(struct fakehost *fh, uint64_t address);
/* Read or write whatever the protection; 0 or -EFAULT. */
int fakehost_peek(struct fakehost *fh, uint64_t address, void *out, size_t size);
int fakehost_poke(struct fakehost *fh, uint64_t address, const void *bytes, size_t size);
/* Pages as if the host had them: map() with NOREPLACE gives -EEXIST, with FIXED -ENOMEM. */
void fakehost_block(struct fakehost *fh, uint64_t address, uint64_t size);
/* The n-th map() from now (1: the next) fails with `error`, a negative errno. */
void fakehost_fail_map(struct fakehost *fh, uint32_t n, int error);
/* Number of pages with contents, of regions, and of pins not yet given back. */
size_t fakehost_pages(struct fakehost *fh);
size_t fakehost_regions(struct fakehost *fh);
size_t fakehost_pins(struct fakehost *fh);

/* ---- bus ---- */

extern const struct blink_bus_iface fakehost_bus_iface;
/* What a guest's IN and OUT, or its access to a claimed address, would do. Unclaimed reads give
 * all ones. */
uint64_t fakehost_port_read(struct fakehost *fh, uint16_t port, uint32_t size);
void fakehost_port_write(struct fakehost *fh, uint16_t port, uint32_t size, uint64_t value);
bool fakehost_port_claimed(struct fakehost *fh, uint16_t port);
uint64_t fakehost_memory_read(struct fakehost *fh, uint64_t address, uint32_t size);
void fakehost_memory_write(struct fakehost *fh, uint64_t address, uint32_t size, uint64_t value);
bool fakehost_memory_claimed(struct fakehost *fh, uint64_t address);
/* Level of an interrupt line, and how often it went up. */
uint32_t fakehost_irq(struct fakehost *fh, uint32_t line);
uint32_t fakehost_irq_edges(struct fakehost *fh, uint32_t line);
/* Set a line as a device would, look at the interrupt controller's output, and take the interrupt
 * that waits: its vector, or -1 if none does. */
void fakehost_set_irq(struct fakehost *fh, uint32_t line, uint32_t level);
uint32_t fakehost_intr(struct fakehost *fh);
int fakehost_acknowledge(struct fakehost *fh);
/* Interrupt messages that no local APIC was there for, the oldest first: (destination, command),
 * taken off the record, or -1; how they end, 0 at first. */
int64_t fakehost_message(struct fakehost *fh);
void fakehost_set_message_result(struct fakehost *fh, int result);
/* A message, an end of interrupt, an NMI of the board (whether the processor is to take it), MSR
 * APIC_BASE and CR8 as the rest of a machine would give them. */
int fakehost_send_message(struct fakehost *fh, uint32_t destination, uint32_t command);
void fakehost_end_of_interrupt(struct fakehost *fh, uint32_t vector);
bool fakehost_nmi(struct fakehost *fh);
void fakehost_set_apic_base(struct fakehost *fh, uint64_t value);
uint32_t fakehost_priority(struct fakehost *fh);
void fakehost_set_priority(struct fakehost *fh, uint32_t priority);
/* The clock stands still but for this; timers due on the way are called in order. */
void fakehost_advance(struct fakehost *fh, uint64_t nanoseconds);
size_t fakehost_timers(struct fakehost *fh);
/* What was written to the console, NUL-terminated, and what it gives to read. */
const char *fakehost_console(struct fakehost *fh, size_t *size);
void fakehost_console_clear(struct fakehost *fh);
void fakehost_console_type(struct fakehost *fh, const void *bytes, size_t size);
void fakehost_console_end(struct fakehost *fh); /* then reading gives -EPIPE */

/* ---- displays, keyboard, drives ---- */

extern const struct blink_display_iface fakehost_display_iface;
/* What a frontend would ask of the service. */
int fakehost_snapshot(struct fakehost *fh, uint32_t n, struct blink_screen *out);
int fakehost_key(struct fakehost *fh, uint32_t code, uint32_t down);
int64_t fakehost_type(struct fakehost *fh, const char *text);

extern const struct blink_disk_iface fakehost_disk_iface;
/* A drive that is nobody's, its sectors in memory, all zero: they are returned. */
uint8_t *fakehost_add_disk(struct fakehost *fh, const struct blink_disk *disk);

/* ---- execution ---- */

/* Records of "blink.exec/1"; `syscall` really makes the system call. */
struct fakehost_exec {
    uint32_t disposition[65]; /* last signal_watch, by signal */
    uint32_t watches;
    uint64_t mask; /* last signal_mask */
    uint32_t masks;
    int32_t died; /* signal of die(), 0 */
    bool exited;
    int32_t exit_status;
    int64_t fork_result; /* what fork() answers, -ENOSYS at first */
    uint32_t forks;
    int respawn_result; /* what respawn() answers, -ENOEXEC at first */
    uint32_t respawns;
    char respawn_path[256];
    char respawn_guest_path[256];
    uint32_t respawn_argc, respawn_envc;
    int thread_result; /* what thread_create() answers, 0 at first */
    uint32_t threads;
    struct blink_cpu *thread_cpu; /* copy of the last *state */
    void *thread_arg;
    int64_t share_result; /* what share() answers, -ENOSYS at first; it fills no pidfd */
    uint32_t shares;
    uint64_t share_flags;
    char root[256];         /* of the last set_root() */
    int64_t syscall_number; /* of the last one */
    uint32_t syscalls;
    uint32_t counted_syscalls, counted_signals; /* sums of count() */
};
extern const struct blink_exec_iface fakehost_exec_iface;
struct fakehost_exec *fakehost_exec(struct fakehost *fh);
/* Queue a caught signal for signal_take, and set BLINK_ATTN_SIGNAL. */
void fakehost_signal(struct fakehost *fh, const struct blink_signal *signal);

/* A vCPU in 64-bit user mode, all registers zero, with this machine and memory. */
struct blink_cpu *fakehost_cpu(struct fakehost *fh);

#endif
