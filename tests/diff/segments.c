/*
 * Segments of 16- and 32-bit trials: the descriptors that Linux gives every process, and a local
 * table of the tester's own, the same on the host and in the guest.
 */
#include <asm/ldt.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "diff.h"

/* The local table: data that ends where the trial's memory does, code of both sizes, and segments
 * that cannot be used. */
static const struct user_desc locals[] = {
    {.entry_number = 0, .base_addr = DATA_AT, .limit = DATA_SIZE + CONST_SIZE - 1, .useable = 1},
    {.entry_number = 1,
     .base_addr = DATA_AT,
     .limit = DATA_SIZE + CONST_SIZE - 1,
     .seg_32bit = 1,
     .useable = 1},
    {.entry_number = 2,
     .base_addr = DATA_AT + 0x800,
     .limit = 0x17ff,
     .seg_32bit = 1,
     .useable = 1},
    {.entry_number = 3,
     .base_addr = CODE_AT,
     .limit = CODE_SIZE - 1,
     .contents = MODIFY_LDT_CONTENTS_CODE,
     .read_exec_only = 1, /* what fills the page differs */
     .useable = 1},
    {.entry_number = 4,
     .base_addr = CODE_AT,
     .limit = CODE_SIZE - 1,
     .seg_32bit = 1,
     .contents = MODIFY_LDT_CONTENTS_CODE,
     .read_exec_only = 1,
     .useable = 1},
    {.entry_number = 5,
     .base_addr = DATA_AT,
     .limit = 0xfffff,
     .seg_32bit = 1,
     .limit_in_pages = 1,
     .read_exec_only = 1,
     .useable = 1},
    {.entry_number = 6,
     .base_addr = DATA_AT,
     .limit = 0x3ff,
     .seg_32bit = 1,
     .contents = MODIFY_LDT_CONTENTS_STACK, /* expands down */
     .useable = 1},
    {.entry_number = 7, .base_addr = DATA_AT, .limit = 0x3ff, .seg_not_present = 1, .useable = 1},
    {.entry_number = 8,
     .base_addr = DATA_AT,
     .limit = 0x3ff,
     .contents = MODIFY_LDT_CONTENTS_STACK,
     .useable = 1},
    {.entry_number = 9, .base_addr = WHOLE16_AT, .limit = 0xffff, .useable = 1},
    /* Could be read, but never gets where data are. */
    {.entry_number = 10,
     .base_addr = CODE_AT,
     .limit = 0xffff,
     .contents = MODIFY_LDT_CONTENTS_CODE,
     .useable = 1},
};
#define WRITE_LDT 0x11 /* with all bits that a program may set */
#define LOCALS    (sizeof locals / sizeof locals[0])

/* What a process sees of Linux's own table, by selector / 8. */
static const uint64_t globals[16] = {
    [1] = UINT64_C(0x00cf9b000000ffff), /* the kernel's */
    [2] = UINT64_C(0x00af9b000000ffff), [3] = UINT64_C(0x00cf93000000ffff),
    [4] = UINT64_C(0x00cffb000000ffff), [5] = UINT64_C(0x00cff3000000ffff),
    [6] = UINT64_C(0x00affb000000ffff), [15] = UINT64_C(0x0040f50000000000), /* a number */
};

/* As the kernel makes it of the structure: always accessed. */
static uint64_t descriptor_of(const struct user_desc *u) {
    uint64_t type = 1u | (u->read_exec_only ? 0 : 2u) | u->contents << 2;
    uint64_t access = type | 0x10 | 0x60 | (u->seg_not_present ? 0 : 0x80u);
    uint64_t flags = u->useable | u->seg_32bit << 2 | u->limit_in_pages << 3;
    return (u->limit & 0xffff) | (uint64_t)(u->base_addr & 0xffffff) << 16 | access << 40 |
           (uint64_t)(u->limit >> 16 & 15) << 48 | flags << 52 |
           (uint64_t)(u->base_addr >> 24) << 56;
}

const char *segments_lack(void) {
    uint32_t rights = 0;
    bool there;
    __asm__("lar %2, %0" : "=r"(rights), "=@ccz"(there) : "r"(0x23) : "cc");
    if (!there || !(rights & 0x8000))
        return "the host's kernel has no 32-bit code";
    return segments_install() ? NULL : "the host's kernel has no local descriptor tables";
}

bool segments_install(void) {
    for (size_t k = 0; k < LOCALS; k++)
        if (syscall(SYS_modify_ldt, WRITE_LDT, &locals[k], sizeof locals[k]))
            return false;
    return true;
}

void segments_tables(uint8_t page[SEGMENTS_SIZE]) {
    memset(page, 0, SEGMENTS_SIZE);
    memcpy(page, globals, sizeof globals);
    for (size_t k = 0; k < LOCALS; k++) {
        uint64_t d = descriptor_of(&locals[k]);
        memcpy(page + SEGMENTS_LOCAL + 8 * k, &d, 8);
    }
}

void segments_registers(struct blink_cpu *cpu) {
    cpu->gdtr.base = SEGMENTS_AT;
    cpu->gdtr.limit = sizeof globals - 1;
    cpu->ldtr = (struct blink_seg){SEGMENTS_AT + SEGMENTS_LOCAL, 8 * LOCALS - 1, 0x50, 0x82};
}

static uint64_t descriptor(uint16_t selector) {
    uint32_t k = selector >> 3;
    if (selector & 4)
        return k < LOCALS ? descriptor_of(&locals[k]) : 0;
    return k < 16 ? globals[k] : 0;
}

struct blink_seg segments_find(uint16_t selector) {
    uint64_t d = descriptor(selector);
    struct blink_seg s = {.selector = selector};
    s.base = (d >> 16 & 0xffffff) | (d >> 56) << 24;
    s.limit = (uint32_t)((d & 0xffff) | (d >> 48 & 15) << 16);
    s.attr = (uint16_t)((d >> 40 & 0xff) | (d >> 52 & 15) << 12);
    if (s.attr & 0x8000)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

uint16_t segments_random(struct rng *r) {
    static const uint16_t selectors[] = {
        0x2b,     0x2b,      0x23,     0x33,     LOCAL(0),      LOCAL(1),      LOCAL(1),
        LOCAL(2), LOCAL(3),  LOCAL(4), LOCAL(5), LOCAL(6),      LOCAL(7),      LOCAL(8),
        0,        3,         0x28,     0x2a,     0x10,          0x1b,          0x8,
        LOCAL(9), LOCAL(11), 0xfffc,   0x20,     LOCAL(1) & ~3, LOCAL(3) & ~3,
    };
    return selectors[rng_below(r, sizeof selectors / sizeof selectors[0])];
}
