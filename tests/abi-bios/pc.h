/*
 * A PC as far as a BIOS looks at it, on the fake host: memory, video memory, ports that keep what
 * is written, with the few that need an index; and a vCPU in real mode that calls services.
 */
#ifndef TESTS_ABI_BIOS_PC_H
#define TESTS_ABI_BIOS_PC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/abi.h>

#include "fakehost.h"

#define CARRY 0x0001
#define ZERO  0x0040

struct pc {
    struct fakehost *fh;
    const struct blink_abi_ops *ops;
    struct blink_plugin *bios;
    struct blink_cpu *cpu;
    uint8_t port[0x1000];
    uint8_t crtc[32], cmos[128], sequencer[8], graphics[16], attribute[32];
    uint8_t written[64]; /* to port 0x64, in order */
    uint32_t writes;
    uint8_t video[0x20000];
    bool attribute_data;
};

/* With an adapter at 0x3C0 to 0x3DF unless `vga` is false, and started; drives come before. */
struct pc *pc_create(void);
int pc_start(struct pc *pc, uint32_t drive);
void pc_destroy(struct pc *pc);

/* Call vector `n` by its trap; what the loop is told, CONTINUE usually. */
uint32_t pc_call(struct pc *pc, uint32_t n);
/* The same with registers; the flags of the caller's frame are the answer. */
uint32_t pc_int(struct pc *pc, uint32_t n, uint32_t ax, uint32_t bx, uint32_t cx, uint32_t dx);
uint32_t pc_flags(struct pc *pc);
uint32_t pc_reg(struct pc *pc, uint32_t reg); /* low 16 bits */
void pc_segment(struct pc *pc, uint32_t seg, uint32_t selector);
#define AX(pc) pc_reg(pc, BLINK_RAX)
#define BX(pc) pc_reg(pc, BLINK_RBX)
#define CX(pc) pc_reg(pc, BLINK_RCX)
#define DX(pc) pc_reg(pc, BLINK_RDX)

/*
 * What a BIOS has must have a test: functions of services, a row each. Those are called whose
 * vector, bits of AX, and bits of BL are as here. -1 after a line for each row that no test of the
 * program has called so far.
 */
struct pc_function {
    uint8_t n;
    uint16_t ax, ax_mask;
    uint8_t bx, bx_mask;
    const char *name;
};
int pc_check_called(const struct pc_function *rows, size_t count);

uint32_t pc_peek(struct pc *pc, uint64_t address, size_t size);
void pc_poke(struct pc *pc, uint64_t address, uint32_t value, size_t size);
/* A byte from the keyboard, as the ROM hands it on. */
uint32_t pc_key(struct pc *pc, uint8_t byte);
void pc_type(struct pc *pc, const char *bytes);

#endif
