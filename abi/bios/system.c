/*
 * INT 11h, 12h and 15h: equipment and memory, moving blocks above 1 MiB, the A20 gate, waiting,
 * power. By the first vCPU's thread.
 */
#include <string.h>

#include "bios.h"

#define MIB          UINT64_C(0x100000)
#define LOW_END      UINT64_C(0xa0000)
#define ROM_START    UINT64_C(0xf0000)
#define UNSUPPORTED  0x86u
#define SMAP         0x534d4150u
#define PORT_A20     0x92
#define A20_OPEN     0x02u
#define LONG_WAIT_NS UINT64_C(60000000) /* longer than a tick */

void system_11(struct blink_plugin *b) {
    set16(b, BLINK_RAX, peek16(b, BDA_EQUIPMENT));
}

void system_12(struct blink_plugin *b) {
    set16(b, BLINK_RAX, peek16(b, BDA_MEMORY));
}

static void unsupported(struct blink_plugin *b) {
    bios_result(b, UNSUPPORTED);
}

/* Bytes of RAM, from address 0 on. */
static uint64_t ram_size(struct blink_plugin *b) {
    uint64_t low, high, top;
    b->mem.get_layout(b->cpu->mem, &low, &high, &top);
    return top < MIB ? MIB : top;
}

/* ---- how much memory there is ---- */

static void memory_88(struct blink_plugin *b) {
    uint64_t kib = (ram_size(b) - MIB) / 1024;
    bios_flag(b, FLAG_CARRY, false);
    set16(b, BLINK_RAX, kib > 0xfc00 ? 0xfc00 : (uint32_t)kib);
}

/* KiB from 1 to 16 MiB, and blocks of 64 KiB above. */
static void split(struct blink_plugin *b, uint32_t *below_16, uint32_t *above) {
    uint64_t size = ram_size(b);
    uint64_t below = (size < 16 * MIB ? size : 16 * MIB) - MIB;
    *below_16 = (uint32_t)(below / 1024);
    *above = size > 16 * MIB ? (uint32_t)((size - 16 * MIB) / 65536) : 0;
}

static void memory_e801(struct blink_plugin *b) {
    uint32_t below, above;
    split(b, &below, &above);
    set16(b, BLINK_RAX, below);
    set16(b, BLINK_RCX, below);
    set16(b, BLINK_RBX, above);
    set16(b, BLINK_RDX, above);
    bios_flag(b, FLAG_CARRY, false);
}

static void memory_e881(struct blink_plugin *b) {
    uint32_t below, above;
    split(b, &below, &above);
    set32(b, BLINK_RAX, below);
    set32(b, BLINK_RCX, below);
    set32(b, BLINK_RBX, above);
    set32(b, BLINK_RDX, above);
    bios_flag(b, FLAG_CARRY, false);
}

static void memory_8a(struct blink_plugin *b) {
    uint32_t kib = (uint32_t)((ram_size(b) - MIB) / 1024);
    set16(b, BLINK_RAX, kib);
    set16(b, BLINK_RDX, kib >> 16);
    bios_flag(b, FLAG_CARRY, false);
}

static void memory_e820(struct blink_plugin *b) {
    const struct {
        uint64_t start, end;
        uint32_t type;
    } map[] = {{0, LOW_END, 1}, {ROM_START, MIB, 2}, {MIB, ram_size(b), 1}};
    uint32_t n = get32(b, BLINK_RBX), room = get32(b, BLINK_RCX);
    uint32_t last = map[2].end > MIB ? 2 : 1;
    if (get32(b, BLINK_RDX) != SMAP || n > last || room < 20) {
        unsupported(b);
        return;
    }
    uint64_t at = bios_at(b, BLINK_SEG_ES, get16(b, BLINK_RDI)), size = map[n].end - map[n].start;
    bios_write(b, at, &map[n].start, 8);
    bios_write(b, at + 8, &size, 8);
    poke32(b, at + 16, map[n].type);
    if (room >= 24)
        poke32(b, at + 20, 1); /* this entry counts */
    set32(b, BLINK_RAX, SMAP);
    set32(b, BLINK_RBX, n < last ? n + 1 : 0);
    set32(b, BLINK_RCX, room >= 24 ? 24 : 20);
    bios_flag(b, FLAG_CARRY, false);
}

static void memory_e8(struct blink_plugin *b) {
    switch (AL(b)) {
    case 0x01: memory_e801(b); break;
    case 0x20: memory_e820(b); break;
    case 0x81: memory_e881(b); break;
    default: unsupported(b); break;
    }
}

/* ---- blocks ---- */

static uint32_t base_of(const uint8_t *descriptor) {
    return descriptor[2] | (uint32_t)descriptor[3] << 8 | (uint32_t)descriptor[4] << 16 |
           (uint32_t)descriptor[7] << 24;
}

/* CX words; ES:SI is a descriptor table whose third and fourth entries tell from where to where.
 * The addresses are physical, and the A20 gate is open meanwhile. */
static void move_block(struct blink_plugin *b) {
    uint8_t table[48], part[4096];
    bios_read(b, bios_at(b, BLINK_SEG_ES, get16(b, BLINK_RSI)), table, sizeof table);
    uint64_t from = base_of(table + 16), to = base_of(table + 24);
    size_t left = (size_t)CX(b) * 2;
    uint32_t gate = b->cpu->a20_mask;
    bool bad = CX(b) > 0x8000;
    b->cpu->a20_mask = UINT32_MAX;
    for (size_t n; left && !bad; left -= n, from += n, to += n) {
        n = left < sizeof part ? left : sizeof part;
        bios_read(b, from, part, n);
        bios_write(b, to, part, n);
    }
    b->cpu->a20_mask = gate;
    bios_flag(b, FLAG_ZERO, !bad);
    bios_result(b, bad ? 2 : 0);
}

/* ---- the A20 gate ---- */

static void gate_24(struct blink_plugin *b) {
    uint32_t port = bios_in(b, PORT_A20);
    switch (AL(b)) {
    case 0:
    case 1:
        bios_out(b, PORT_A20, (port & ~(A20_OPEN | 1u)) | (AL(b) ? A20_OPEN : 0));
        bios_result(b, 0);
        break;
    case 2:
        set_low(b, BLINK_RAX, port & A20_OPEN ? 1 : 0);
        set16(b, BLINK_RCX, 0);
        bios_result(b, 0);
        break;
    case 3:
        set16(b, BLINK_RBX, 0x0002); /* by port 0x92, and there is a keyboard controller */
        bios_result(b, 0);
        break;
    default: unsupported(b); break;
    }
}

/* ---- time ---- */

/* Who waits is told by where its stack is; a wait that has begun is found again. */
static uint64_t deadline(struct blink_plugin *b) {
    uint64_t stack = bios_at(b, BLINK_SEG_SS, get16(b, BLINK_RSP)), now = bios_now(b);
    uint32_t free_slot = 0;
    for (uint32_t k = 0; k < BIOS_WAITS; k++) {
        if (b->is_retry && b->wait[k].until && b->wait[k].stack == stack)
            return b->wait[k].until;
        if (!b->wait[k].until || b->wait[k].stack == stack)
            free_slot = k;
    }
    uint64_t us = (uint64_t)CX(b) << 16 | DX(b);
    b->wait[free_slot].stack = stack;
    b->wait[free_slot].until = now + us * 1000 + 1;
    return b->wait[free_slot].until;
}

static void forget(struct blink_plugin *b) {
    uint64_t stack = bios_at(b, BLINK_SEG_SS, get16(b, BLINK_RSP));
    for (uint32_t k = 0; k < BIOS_WAITS; k++)
        if (b->wait[k].stack == stack)
            b->wait[k].until = 0;
}

static void wait_86(struct blink_plugin *b) {
    uint64_t until = deadline(b), now = bios_now(b);
    if (now + LONG_WAIT_NS < until) {
        bios_wait(b);
    } else if (now < until) {
        bios_spin(b);
    } else {
        forget(b);
        bios_result(b, 0);
    }
}

static void event_due(struct blink_plugin *b, void *arg) {
    (void)arg;
    b->event_timer = 0;
    poke8(b, b->event_flag, peek8(b, b->event_flag) | 0x80u);
}

/* A flag that is set after a time, or no longer. */
static void event_83(struct blink_plugin *b) {
    struct blink_machine *m = b->host->machine;
    uint64_t us = (uint64_t)CX(b) << 16 | DX(b);
    if (AL(b) == 1) {
        b->bus.timer_cancel(m, b->event_timer);
        b->event_timer = 0;
        bios_result(b, 0);
        return;
    }
    if (b->event_timer) {
        set_high(b, BLINK_RAX, 0x80);
        bios_flag(b, FLAG_CARRY, true);
        return;
    }
    b->event_flag = bios_at(b, BLINK_SEG_ES, BX(b));
    int rc = b->bus.timer_start(m, b, bios_now(b) + us * 1000, event_due, NULL, &b->event_timer);
    bios_result(b, rc ? UNSUPPORTED : 0);
}

/* ---- others ---- */

static void config(struct blink_plugin *b) {
    bios_set_segment(b, BLINK_SEG_ES, ROM_SEGMENT);
    set16(b, BLINK_RBX, ROM_CONFIG);
    bios_result(b, 0);
}

/* A key comes by: the carry it came with lets it pass. */
static void key_intercept(struct blink_plugin *b) {
    bios_flag(b, FLAG_CARRY, true);
}

static void nothing_to_wait_for(struct blink_plugin *b) {
    bios_result(b, 0);
}

/* Advanced power management 1.2: real mode connections, and switching off. */
static void power_53(struct blink_plugin *b) {
    switch (AL(b)) {
    case 0x00:
        set16(b, BLINK_RBX, 'P' << 8 | 'M');
        set16(b, BLINK_RCX, 0);
        set16(b, BLINK_RAX, 0x0102);
        bios_flag(b, FLAG_CARRY, false);
        break;
    case 0x01:
    case 0x04:
    case 0x05:
    case 0x06:
    case 0x08:
    case 0x0d:
    case 0x0f: bios_result(b, 0); break;
    case 0x07:
        if (BX(b) == 1 && CX(b) == 3)
            b->exec.exit_machine(b->host->machine, 0);
        bios_result(b, 0);
        break;
    case 0x0b: bios_result(b, 0x80); break; /* no event */
    case 0x0e:
        set16(b, BLINK_RAX, 0x0102);
        bios_flag(b, FLAG_CARRY, false);
        break;
    default: unsupported(b); break;
    }
}

void system_15(struct blink_plugin *b) {
    static const struct {
        uint8_t ah;
        bios_service *run;
    } functions[] = {
        {0x24, gate_24},
        {0x4f, key_intercept},
        {0x53, power_53},
        {0x83, event_83},
        {0x85, nothing_to_wait_for},
        {0x86, wait_86},
        {0x87, move_block},
        {0x88, memory_88},
        {0x8a, memory_8a},
        {0x90, nothing_to_wait_for},
        {0x91, nothing_to_wait_for},
        {0xc0, config},
        {0xe8, memory_e8},
    };
    uint32_t ah = AH(b);
    for (size_t k = 0; k < sizeof functions / sizeof functions[0]; k++)
        if (functions[k].ah == ah) {
            functions[k].run(b);
            return;
        }
    unsupported(b);
}
