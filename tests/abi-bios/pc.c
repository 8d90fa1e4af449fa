/*
 * See pc.h. Everything belongs to the pc.
 */
#include "pc.h"

#include <blink/debug.h>
#include <stdlib.h>
#include <string.h>

#define RAM   0x300000u
#define FRAME 0x7000u

static struct pc *self_of(struct blink_plugin *self) {
    return (struct pc *)(void *)self;
}

static uint8_t *indexed(struct pc *pc, uint32_t port) {
    switch (port) {
    case 0x71: return &pc->cmos[pc->port[0x70] & 127];
    case 0x3b5:
    case 0x3d5: return &pc->crtc[pc->port[port - 1] & 31];
    case 0x3c5: return &pc->sequencer[pc->port[0x3c4] & 7];
    case 0x3cf: return &pc->graphics[pc->port[0x3ce] & 15];
    case 0x3c1: return &pc->attribute[pc->port[0x3c0] & 31];
    default: return &pc->port[port];
    }
}

static uint64_t port_read(struct blink_plugin *self, uint64_t port, uint32_t size) {
    struct pc *pc = self_of(self);
    (void)size;
    if (port == 0x3da || port == 0x3ba)
        pc->attribute_data = false;
    if (port == 0x3cc)
        return 0x67;
    return *indexed(pc, (uint32_t)port);
}

static void port_write(struct blink_plugin *self, uint64_t port, uint32_t size, uint64_t value) {
    struct pc *pc = self_of(self);
    (void)size;
    if (port == 0x64 && pc->writes < sizeof pc->written)
        pc->written[pc->writes++] = (uint8_t)value;
    if (port == 0x3c0) {
        if (pc->attribute_data)
            pc->attribute[pc->port[0x3c0] & 31] = (uint8_t)value;
        else
            pc->port[0x3c0] = (uint8_t)value;
        pc->attribute_data = !pc->attribute_data;
        return;
    }
    *indexed(pc, (uint32_t)port) = (uint8_t)value;
}

static uint64_t video_read(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    memcpy(&value, self_of(self)->video + offset, size);
    return value;
}

static void video_write(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    memcpy(self_of(self)->video + offset, &value, size);
}

struct pc *pc_create(void) {
    static const struct blink_debug_iface debug = {.struct_size = sizeof debug};
    struct pc *pc = calloc(1, sizeof *pc);
    struct blink_machine *m;
    uint64_t at;
    assert_non_null(pc);
    pc->fh = fakehost_create();
    m = fakehost_machine(pc->fh);
    fakehost_set_iface(pc->fh, BLINK_IFACE_DEBUG, &debug);
    pc->cpu = fakehost_cpu(pc->fh);
    assert_int_equal(fakehost_mem_iface.map(pc->cpu->mem, 0, RAM,
                                            BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC,
                                            BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0, &at),
                     0);
    struct blink_plugin *self = (struct blink_plugin *)(void *)pc;
    assert_int_equal(fakehost_bus_iface.claim_ports(m, self, 0, 0x1000, port_read, port_write), 0);
    assert_int_equal(
        fakehost_bus_iface.claim_memory(m, self, 0xa0000, 0x20000, video_read, video_write), 0);
    pc->cmos[0x0d] = 0x80;
    pc->cmos[0x0b] = 0x02;
    pc->ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_ABI, "bios");
    assert_non_null(pc->ops);
    assert_int_equal(pc->ops->plugin.create(fakehost_host(pc->fh), "", &pc->bios), 0);
    return pc;
}

int pc_start(struct pc *pc, uint32_t drive) {
    struct blink_program program = {
        .struct_size = sizeof program, .abi = "bios", .start = 0x7c00, .boot_drive = drive};
    struct blink_start start = {.struct_size = sizeof start, .program = &program};
    pc->cpu->mode = BLINK_MODE_BITS16;
    pc->cpu->cr0 = 0x10;
    pc->cpu->a20_mask = UINT32_MAX;
    pc->cpu->rip = 0x7c00;
    return pc->ops->start(pc->bios, pc->cpu, &start);
}

void pc_destroy(struct pc *pc) {
    pc->ops->plugin.deactivate(pc->bios);
    pc->ops->plugin.destroy(pc->bios);
    fakehost_destroy(pc->fh);
    free(pc);
}

void pc_segment(struct pc *pc, uint32_t seg, uint32_t selector) {
    pc->cpu->seg[seg].selector = (uint16_t)selector;
    pc->cpu->seg[seg].base = (uint64_t)selector << 4;
}

/* Calls so far: vector, AX and BL. */
static struct {
    uint8_t n, bl;
    uint16_t ax;
} calls[8192];
static size_t call_count;

static void note_call(const struct pc *pc, uint32_t n) {
    uint16_t ax = (uint16_t)pc->cpu->gpr[BLINK_RAX];
    uint8_t bl = (uint8_t)pc->cpu->gpr[BLINK_RBX];
    for (size_t k = 0; k < call_count; k++)
        if (calls[k].n == n && calls[k].ax == ax && calls[k].bl == bl)
            return;
    assert_true(call_count < sizeof calls / sizeof calls[0]);
    calls[call_count].n = (uint8_t)n;
    calls[call_count].ax = ax;
    calls[call_count++].bl = bl;
}

int pc_check_called(const struct pc_function *rows, size_t count) {
    int missing = 0;
    for (size_t r = 0; r < count; r++) {
        const struct pc_function *f = &rows[r];
        size_t k = 0;
        while (k < call_count && (calls[k].n != f->n || (calls[k].ax & f->ax_mask) != f->ax ||
                                  (calls[k].bl & f->bx_mask) != f->bx))
            k++;
        if (k < call_count)
            continue;
        fprintf(stderr, "INT %02X, AX=%04X: %s: no test\n", f->n, f->ax, f->name);
        missing = -1;
    }
    return missing;
}

uint32_t pc_call(struct pc *pc, uint32_t n) {
    note_call(pc, n);
    pc_segment(pc, BLINK_SEG_CS, 0xf000);
    pc_segment(pc, BLINK_SEG_SS, 0);
    pc->cpu->rip = 0xc000 + n * 8 + 2;
    pc->cpu->gpr[BLINK_RSP] = FRAME;
    pc->cpu->exit_info = n;
    pc_poke(pc, FRAME, 0x2222 << 16 | 0x1111, 4);
    pc_poke(pc, FRAME + 4, 0x0202, 2);
    return pc->ops->interrupt(pc->bios, pc->cpu);
}

uint32_t pc_flags(struct pc *pc) {
    return pc_peek(pc, FRAME + 4, 2);
}

uint32_t pc_int(struct pc *pc, uint32_t n, uint32_t ax, uint32_t bx, uint32_t cx, uint32_t dx) {
    pc->cpu->gpr[BLINK_RAX] = ax;
    pc->cpu->gpr[BLINK_RBX] = bx;
    pc->cpu->gpr[BLINK_RCX] = cx;
    pc->cpu->gpr[BLINK_RDX] = dx;
    assert_int_equal(pc_call(pc, n), BLINK_ABI_CONTINUE);
    return pc_flags(pc);
}

uint32_t pc_reg(struct pc *pc, uint32_t reg) {
    return pc->cpu->gpr[reg] & 0xffff;
}

uint32_t pc_peek(struct pc *pc, uint64_t address, size_t size) {
    uint32_t value = 0;
    if (address >= 0xa0000 && address < 0xc0000)
        memcpy(&value, pc->video + (address - 0xa0000), size);
    else
        assert_int_equal(fakehost_peek(pc->fh, address, &value, size), 0);
    return value;
}

void pc_poke(struct pc *pc, uint64_t address, uint32_t value, size_t size) {
    assert_int_equal(fakehost_poke(pc->fh, address, &value, size), 0);
}

uint32_t pc_key(struct pc *pc, uint8_t byte) {
    return pc_int(pc, 0x09, byte, 0, 0, 0);
}

void pc_type(struct pc *pc, const char *bytes) {
    for (; *bytes; bytes++)
        pc_key(pc, (uint8_t)*bytes);
}
