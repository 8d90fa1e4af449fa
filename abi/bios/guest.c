/*
 * The guest as a service sees it: registers, memory, ports, the frame it was called by. By the
 * first vCPU's thread.
 */
#include <string.h>

#include "bios.h"

#define CR0_PG      0x80000000u
#define VIDEO_START 0xa0000u
#define VIDEO_END   0xc0000u

uint64_t bios_at(const struct blink_plugin *b, uint32_t seg, uint32_t offset) {
    return (b->cpu->seg[seg].base + offset) & 0xffffffff;
}

void bios_set_segment(struct blink_plugin *b, uint32_t seg, uint16_t selector) {
    b->cpu->seg[seg].selector = selector;
    b->cpu->seg[seg].base = (uint64_t)selector << 4;
}

/* ---- memory ---- */

static bool is_paged(const struct blink_plugin *b) {
    return b->cpu->cr0 & CR0_PG;
}

static bool is_video(uint64_t address) {
    return address >= VIDEO_START && address < VIDEO_END;
}

static void read_part(struct blink_plugin *b, uint64_t address, uint8_t *out, size_t size) {
    uint64_t value = UINT64_MAX;
    if (is_paged(b)) {
        if (b->debug.read(b->cpu, address, out, size))
            memset(out, 0xff, size);
    } else if (is_video(address)) {
        b->bus.memory_read(b->host->machine, address, (uint32_t)size, &value);
        memcpy(out, &value, size);
    } else if (b->mem.copy_in(b->cpu->mem, out, address & b->cpu->a20_mask, size)) {
        memset(out, 0xff, size);
    }
}

static void write_part(struct blink_plugin *b, uint64_t address, const uint8_t *bytes,
                       size_t size) {
    uint64_t value = 0;
    if (is_paged(b)) {
        b->debug.write(b->cpu, address, bytes, size);
    } else if (is_video(address)) {
        memcpy(&value, bytes, size);
        b->bus.memory_write(b->host->machine, address, (uint32_t)size, value);
    } else if (address < ROM_BASE || address >= ROM_BASE + ROM_SIZE) {
        b->mem.copy_out(b->cpu->mem, address & b->cpu->a20_mask, bytes, size);
    }
}

/* Within a page, and of video memory what a device takes at once. */
static size_t part_of(uint64_t address, size_t size) {
    size_t room = BLINK_PAGE_SIZE - address % BLINK_PAGE_SIZE;
    size_t most = is_video(address) ? 8 : room;
    most = most < room ? most : room;
    return size < most ? size : most;
}

void bios_read(struct blink_plugin *b, uint64_t address, void *out, size_t size) {
    uint8_t *to = out;
    for (size_t n; size; size -= n, address += n, to += n) {
        n = part_of(address, size);
        read_part(b, address, to, n);
    }
}

void bios_write(struct blink_plugin *b, uint64_t address, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    for (size_t n; size; size -= n, address += n, from += n) {
        n = part_of(address, size);
        write_part(b, address, from, n);
    }
}

/* Numbers are little-endian here as in the guest: see README. */
uint8_t peek8(struct blink_plugin *b, uint64_t address) {
    uint8_t value;
    bios_read(b, address, &value, sizeof value);
    return value;
}
uint16_t peek16(struct blink_plugin *b, uint64_t address) {
    uint16_t value;
    bios_read(b, address, &value, sizeof value);
    return value;
}
uint32_t peek32(struct blink_plugin *b, uint64_t address) {
    uint32_t value;
    bios_read(b, address, &value, sizeof value);
    return value;
}
void poke8(struct blink_plugin *b, uint64_t address, uint32_t value) {
    uint8_t v = (uint8_t)value;
    bios_write(b, address, &v, sizeof v);
}
void poke16(struct blink_plugin *b, uint64_t address, uint32_t value) {
    uint16_t v = (uint16_t)value;
    bios_write(b, address, &v, sizeof v);
}
void poke32(struct blink_plugin *b, uint64_t address, uint32_t value) {
    bios_write(b, address, &value, sizeof value);
}

uint8_t bios_in(struct blink_plugin *b, uint16_t port) {
    return (uint8_t)b->bus.port_read(b->host->machine, port, 1);
}

void bios_out(struct blink_plugin *b, uint16_t port, uint32_t value) {
    b->bus.port_write(b->host->machine, port, 1, value & 0xff);
}

uint64_t bios_now(struct blink_plugin *b) {
    return b->bus.now(b->host->machine);
}

/* ---- the caller's frame: IP, CS, FLAGS ---- */

static uint64_t stack_of(const struct blink_plugin *b, uint32_t above) {
    uint32_t mask = b->cpu->mode & BLINK_MODE_SS32 ? UINT32_MAX : 0xffff;
    return bios_at(b, BLINK_SEG_SS, (get32(b, BLINK_RSP) + above) & mask);
}

void bios_flag(struct blink_plugin *b, uint32_t flag, bool on) {
    uint64_t at = stack_of(b, 4);
    uint32_t flags = peek16(b, at);
    poke16(b, at, on ? flags | flag : flags & ~flag);
}

void bios_result(struct blink_plugin *b, uint32_t status) {
    set_high(b, BLINK_RAX, status);
    bios_flag(b, FLAG_CARRY, status != 0);
}

static uint32_t vector_of(const struct blink_plugin *b) {
    return (uint32_t)b->cpu->exit_info & 0xff;
}

void bios_wait(struct blink_plugin *b) {
    b->cpu->rip = ROM_WAITS + vector_of(b) * 8;
}

void bios_spin(struct blink_plugin *b) {
    b->cpu->rip = ROM_SPINS + vector_of(b) * 8;
}
