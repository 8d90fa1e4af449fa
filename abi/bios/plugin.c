/*
 * abi-bios: the services of a PC's BIOS. The interrupt vectors lead to a small ROM at F000, so that
 * a guest can hook and chain them; an INT in one of the ROM's traps comes here and is answered with
 * the registers and the frame of the caller. Option "bios": a ROM image of the person's in place of
 * it all. By the first vCPU's thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "bios.h"

#define STATUS_UNEXPECTED 124 /* as of a processor that shuts down */

/* An exception that the guest has no handler of its own for: to go on would come back for ever. */
static void unexpected(struct blink_plugin *b) {
    uint64_t frame = bios_at(b, BLINK_SEG_SS, get16(b, BLINK_RSP));
    blink_log(b->host, BLINK_LOG_ERROR,
              "exception %#x in the guest at %04x:%04x, which has no handler for it; stopping",
              (unsigned)b->cpu->exit_info, peek16(b, frame + 2), peek16(b, frame));
    b->exec.exit_machine(b->host->machine, STATUS_UNEXPECTED);
}

static bios_service *const services[256] = {
    [0x00] = unexpected, [0x06] = unexpected, [0x08] = time_08,   [0x09] = key_09,
    [0x10] = video_10,   [0x11] = system_11,  [0x12] = system_12, [0x13] = disk_13,
    [0x14] = serial_14,  [0x15] = system_15,  [0x16] = key_16,    [0x17] = printer_17,
    [0x18] = boot_18,    [0x19] = boot_19,    [0x1a] = time_1a,   [0x40] = disk_13,
    [0x70] = time_70,    [0xf0] = boot_post,
};

/* Whether the INT before `rip` is the one of a trap for its vector, and which way it came. */
static bool is_trap(struct blink_plugin *b, const struct blink_cpu *cpu) {
    static const struct {
        uint32_t first, after; /* the IP after the INT of the first vector */
    } regions[] = {{ROM_TRAPS, 2}, {ROM_WAITS, 5}, {ROM_SPINS, 6}};
    bool real = !(cpu->mode & (BLINK_MODE_PROT | BLINK_MODE_BITS));
    if (!real || cpu->seg[BLINK_SEG_CS].base != ROM_BASE)
        return false;
    uint32_t vector = (uint32_t)cpu->exit_info & 0xff;
    for (size_t k = 0; k < sizeof regions / sizeof regions[0]; k++)
        if (cpu->rip == regions[k].first + vector * 8 + regions[k].after) {
            b->is_retry = k > 0;
            return true;
        }
    return false;
}

static uint32_t bios_interrupt(struct blink_plugin *b, struct blink_cpu *cpu) {
    if (b->foreign || !is_trap(b, cpu))
        return BLINK_ABI_UNHANDLED;
    bios_service *service = services[cpu->exit_info & 0xff];
    if (!service)
        return BLINK_ABI_CONTINUE;
    b->cpu = cpu;
    service(b);
    return service == unexpected ? BLINK_ABI_END : BLINK_ABI_CONTINUE;
}

static uint32_t bios_syscall(struct blink_plugin *b, struct blink_cpu *cpu) {
    (void)b, (void)cpu;
    return BLINK_ABI_UNHANDLED;
}

/* Signals by which a person ends the machine: orderly, so that its last screen is seen. */
static const int ends[] = {SIGHUP, SIGINT, SIGTERM};

static void watch_signals(struct blink_plugin *b) {
    for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++)
        b->exec.signal_watch(b->host->machine, ends[k], BLINK_SIGNAL_CATCH);
}

static uint32_t bios_signal(struct blink_plugin *b, struct blink_cpu *cpu) {
    struct blink_signal signal = {.struct_size = sizeof signal};
    if (b->exec.signal_take(cpu, &signal))
        return BLINK_ABI_CONTINUE;
    b->exec.exit_machine(b->host->machine, 128 + signal.signo);
    return BLINK_ABI_END;
}

static int bios_start(struct blink_plugin *b, struct blink_cpu *cpu,
                      const struct blink_start *start) {
    const char *rom = b->host->option(b->host->machine, "bios");
    const struct blink_program *p = start->program;
    b->cpu = cpu;
    b->boot_drive = p->boot_drive;
    b->foreign = rom != NULL;
    watch_signals(b);
    if (rom)
        return boot_foreign(b, rom);
    int rc = rom_install(b);
    if (rc)
        return rc;
    boot_set_up(b);
    boot_registers(b);
    return 0;
}

/* ---- life ---- */

static int bios_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {
        {BLINK_NEED(BLINK_IFACE_BUS, bus)},     {BLINK_NEED(BLINK_IFACE_MEM, mem)},
        {BLINK_NEED(BLINK_IFACE_DEBUG, debug)}, {BLINK_NEED(BLINK_IFACE_DISK, disk)},
        {BLINK_NEED(BLINK_IFACE_EXEC, exec)},
    };
    struct blink_plugin *b;
    int rc = BLINK_CREATE(host, "abi bios", args, needs, &b);
    if (rc)
        return rc;
    if (!b->bus.memory_write) {
        blink_log(host, BLINK_LOG_ERROR, "bios: this host's " BLINK_IFACE_BUS " is too old");
        free(b);
        return -ENOTSUP;
    }
    *out = b;
    return 0;
}

static void bios_destroy(struct blink_plugin *b) {
    free(b);
}

static void bios_deactivate(struct blink_plugin *b) {
    b->bus.release(b->host->machine, b);
}

static const struct blink_abi_ops bios_ops = {
    .plugin =
        {
            .struct_size = sizeof bios_ops,
            .create = bios_create,
            .destroy = bios_destroy,
            .deactivate = bios_deactivate,
        },
    .start = bios_start,
    .syscall = bios_syscall,
    .interrupt = bios_interrupt,
    .signal = bios_signal,
};

static const struct blink_manifest bios_manifest = {
    .struct_size = sizeof bios_manifest,
    .kind = BLINK_KIND_ABI,
    .name = "bios",
    .version = "0.1.0",
    .summary = "services of a PC's BIOS",
    .licence = "ISC",
    .vtable = &bios_ops,
};

BLINK_PLUGIN_DEFINE(&bios_manifest);
