/*
 * The opcode map after 0F, and the instructions on general registers of the maps after 0F38 and
 * 0F3A, with and without VEX. AMD64 manual volume 3, appendix A.1 and A.2.
 */
#include "tables.h"

/* clang-format off */
static const struct form group6[8] = {
    F(SLDT, W(Evw)), F(STR, W(Evw)), F(LLDT, R(Ew)), F(LTR, R(Ew)), F(VERR, R(Ew)), F(VERW, R(Ew)),
};

/* 0F 01. Register forms are one instruction a byte. */
static const struct form group7_r1[8] = {F(MONITOR), F(MWAIT), F(CLAC), F(STAC)};
static const struct form group7_r2[8] = {FF(XGETBV, FORM_NOPFX), FF(XSETBV, FORM_NOPFX)};
static const struct form swapgs_mode[2] = {NONE, F(SWAPGS)};
static const struct form group7_r7[8] = {SELECT(BY_MODE64, swapgs_mode), F(RDTSCP)};
static const struct form group7_reg[8] = {
    NONE, SELECT(BY_RM, group7_r1), SELECT(BY_RM, group7_r2), NONE,
    F(SMSW, W(Evw)), NONE, F(LMSW, R(Ew)), SELECT(BY_RM, group7_r7),
};
static const struct form group7_mem[8] = {
    F(SGDT, W(M0)), F(SIDT, W(M0)), F(LGDT, R(M0)), F(LIDT, R(M0)),
    F(SMSW, W(Evw)), NONE, F(LMSW, R(Ew)), F(INVLPG, M0),
};
static const struct form group7[2] = {SELECT(BY_REG, group7_mem), SELECT(BY_REG, group7_reg)};

static const struct form group8[8] = {
    NONE, NONE, NONE, NONE, F(BT, R(Ev), Ib), F(BTS, RW(Ev), Ib), F(BTR, RW(Ev), Ib),
    F(BTC, RW(Ev), Ib),
};

/* 0F C7. */
static const struct form cmpxchg_wide[2] = {F(CMPXCHG8B, RW(M8)), F(CMPXCHG16B, RW(M16))};
static const struct form group9_mem[8] = {
    NONE, SELECT(BY_WIDE, cmpxchg_wide), NONE, NONE, FF(XSAVEC, FORM_NOPFX, W(M0)),
};
static const struct form rdrand_pp[4] = {F(RDRAND, W(Rv)), F(RDRAND, W(Rv)), NONE, NONE};
static const struct form rdseed_pp[4] = {F(RDSEED, W(Rv)), F(RDSEED, W(Rv)), F(RDPID, W(Rm)), NONE};
static const struct form group9_reg[8] = {
    NONE, NONE, NONE, NONE, NONE, NONE, SELECT(BY_PP, rdrand_pp), SELECT(BY_PP, rdseed_pp),
};
static const struct form group9[2] = {SELECT(BY_REG, group9_mem), SELECT(BY_REG, group9_reg)};

/* 0F AE. */
static const struct form group15_mem[8] = {
    F(FXSAVE, W(M0)), F(FXRSTOR, R(M0)), F(LDMXCSR, R(M4)), F(STMXCSR, W(M4)), F(XSAVE, W(M0)),
    F(XRSTOR, R(M0)), F(XSAVEOPT, W(M0)), F(CLFLUSH, M0),
};
static const struct form group15_mem66[8] = {
    NONE, NONE, NONE, NONE, NONE, NONE, F(CLWB, M0), F(CLFLUSHOPT, M0),
};
static const struct form group15_mem_pp[4] = {
    SELECT(BY_REG, group15_mem), SELECT(BY_REG, group15_mem66), NONE, NONE,
};
static const struct form group15_reg[8] = {
    NONE, NONE, NONE, NONE, NONE, F(LFENCE), F(MFENCE), F(SFENCE),
};
static const struct form fs_gs_bases[8] = {
    F(RDFSBASE, W(Ry)), F(RDGSBASE, W(Ry)), F(WRFSBASE, R(Ry)), F(WRGSBASE, R(Ry)),
};
static const struct form group15_f3[2] = {NONE, SELECT(BY_REG, fs_gs_bases)};
static const struct form group15_reg_pp[4] = {
    SELECT(BY_REG, group15_reg), NONE, SELECT(BY_MODE64, group15_f3), NONE,
};
static const struct form group15[2] = {SELECT(BY_PP, group15_mem_pp), SELECT(BY_PP, group15_reg_pp)};

/* Prefetches are hints: those not known do nothing, and no register form of 0F 18 exists but as
 * NOP. */
static const struct form at_0d[2] = {F(PREFETCH, M0), NONE};
static const struct form group16_mem[8] = {
    F(PREFETCH, M0), F(PREFETCH, M0), F(PREFETCH, M0), F(PREFETCH, M0), F(NOP), F(NOP),
    F(NOP), F(NOP),
};
static const struct form group16[2] = {SELECT(BY_REG, group16_mem), F(NOP)};

/* F3 0F 1E FA and FB. */
static const struct form endbr_rm[8] = {
    F(NOP), F(NOP), F(ENDBR), F(ENDBR), F(NOP), F(NOP), F(NOP), F(NOP),
};
static const struct form endbr_reg[8] = {
    F(NOP), F(NOP), F(NOP), F(NOP), F(NOP), F(NOP), F(NOP),
    SELECT(BY_RM, endbr_rm),
};
static const struct form endbr_mem[2] = {F(NOP), SELECT(BY_REG, endbr_reg)};
static const struct form at_1e[4] = {F(NOP), F(NOP), SELECT(BY_MEM, endbr_mem), F(NOP)};

/* With F3 another instruction than without; F2 changes nothing. */
static const struct form at_b8[4] = {NONE, NONE, F(POPCNT, W(Gv), R(Ev)), NONE};
static const struct form at_bc[4] = {
    F(BSF, RW(Gv), R(Ev)), F(BSF, RW(Gv), R(Ev)), F(TZCNT, W(Gv), R(Ev)), F(BSF, RW(Gv), R(Ev)),
};
static const struct form at_bd[4] = {
    F(BSR, RW(Gv), R(Ev)), F(BSR, RW(Gv), R(Ev)), F(LZCNT, W(Gv), R(Ev)), F(BSR, RW(Gv), R(Ev)),
};
static const struct form at_c3[4] = {F(MOVNTI, W(My), R(Gy)), NONE, NONE, NONE};

#define EIGHT(row) row, row, row, row, row, row, row, row
#define CMOV FF(CMOVCC, FORM_CC, RW(Gv), R(Ev))
#define JUMP FF(JCC, FORM_D64 | FORM_CC, Jz)
#define SET FF(SETCC, FORM_BYTE | FORM_CC, W(Eb))
#define HINT F(NOP)
#define STACK(op, ...) FF(op, FORM_D64, __VA_ARGS__)

const struct form twobyte_forms[256] = {
    /* 00 */ SELECT(BY_REG, group6), SELECT(BY_MEM, group7), F(LAR, RW(Gv), R(Ew)),
             F(LSL, RW(Gv), R(Ew)), NONE, F(SYSCALL), F(CLTS), F(SYSRET),
    /* 08 */ F(INVD), F(WBINVD), NONE, F(UD), NONE, SELECT(BY_MEM, at_0d), NONE, NONE,
    /* 10 */ EIGHT(SIMD),
    /* 18 */ SELECT(BY_MEM, group16), HINT, HINT, HINT, HINT, HINT, SELECT(BY_PP, at_1e), HINT,
    /* 20 */ FF(MOV_CR, FORM_F64, W(Rm), R(Cr)), FF(MOV_DR, FORM_F64, W(Rm), R(Dr)),
             FF(MOV_CR, FORM_F64, W(Cr), R(Rm)), FF(MOV_DR, FORM_F64, W(Dr), R(Rm)),
             NONE, NONE, NONE, NONE,
    /* 28 */ EIGHT(SIMD),
    /* 30 */ F(WRMSR), F(RDTSC), F(RDMSR), F(RDPMC), F(SYSENTER), F(SYSEXIT), NONE, NONE,
    /* 38 */ EIGHT(NONE),
    /* 40 */ EIGHT(CMOV), EIGHT(CMOV),
    /* 50 */ EIGHT(SIMD), EIGHT(SIMD), EIGHT(SIMD), EIGHT(SIMD),
    /* 70 */ EIGHT(SIMD), EIGHT(SIMD),
    /* 80 */ EIGHT(JUMP), EIGHT(JUMP),
    /* 90 */ EIGHT(SET), EIGHT(SET),
    /* a0 */ STACK(PUSH, R(SEG(BLINK_SEG_FS))), STACK(POP, W(SEG(BLINK_SEG_FS))), F(CPUID),
             F(BT, R(Ev), R(Gv)), F(SHLD, RW(Ev), R(Gv), Ib), F(SHLD, RW(Ev), R(Gv), R(CL)),
             NONE, NONE,
    /* a8 */ STACK(PUSH, R(SEG(BLINK_SEG_GS))), STACK(POP, W(SEG(BLINK_SEG_GS))), F(RSM),
             F(BTS, RW(Ev), R(Gv)), F(SHRD, RW(Ev), R(Gv), Ib), F(SHRD, RW(Ev), R(Gv), R(CL)),
             SELECT(BY_MEM, group15), F(IMUL, RW(Gv), R(Ev)),
    /* b0 */ FB(CMPXCHG, RW(Eb), R(Gb)), F(CMPXCHG, RW(Ev), R(Gv)), FF(LSS, FORM_MAX4, W(Gv), R(Mp)),
             F(BTR, RW(Ev), R(Gv)), FF(LFS, FORM_MAX4, W(Gv), R(Mp)), FF(LGS, FORM_MAX4, W(Gv), R(Mp)),
             F(MOVZX, W(Gv), R(Eb)), F(MOVZX, W(Gv), R(Ew)),
    /* b8 */ SELECT(BY_PP, at_b8), F(UD), SELECT(BY_REG, group8),
             F(BTC, RW(Ev), R(Gv)), SELECT(BY_PP, at_bc), SELECT(BY_PP, at_bd),
             F(MOVSX, W(Gv), R(Eb)), F(MOVSX, W(Gv), R(Ew)),
    /* c0 */ FB(XADD, RW(Eb), RW(Gb)), F(XADD, RW(Ev), RW(Gv)), SIMD, SELECT(BY_PP, at_c3), SIMD,
             SIMD, SIMD, SELECT(BY_MEM, group9),
    /* c8 */ EIGHT(F(BSWAP, RW(Zv))),
    /* d0 */ EIGHT(SIMD), EIGHT(SIMD), EIGHT(SIMD), EIGHT(SIMD), EIGHT(SIMD),
    /* f8 */ SIMD, SIMD, SIMD, SIMD, SIMD, SIMD, SIMD, F(UD),
};

/* ---- 0F38 and 0F3A ---- */

/* CRC32 with 66 F2: a 16-bit source. */
static const struct form at_38f0[4] = {
    F(MOVBE, W(Gv), R(Mv)), F(MOVBE, W(Gv), R(Mv)), NONE, F(CRC32, RW(Gy), R(Eb)),
};
static const struct form at_38f1[4] = {
    F(MOVBE, W(Mv), R(Gv)), F(MOVBE, W(Mv), R(Gv)), NONE, F(CRC32, RW(Gy), R(Ev)),
};
static const struct form at_38f6[4] = {
    NONE, F(ADCX, RW(Gy), R(Ey)), F(ADOX, RW(Gy), R(Ey)), NONE,
};
static const struct form at_3882[4] = {
    NONE, FF(INVPCID, FORM_F64, R(OPERAND(AT_REG, SZ_MODE)), R(M16)), NONE, NONE,
};

static const struct form blsr_reg[8] = {
    NONE, F(BLSR, W(By), R(Ey)), F(BLSMSK, W(By), R(Ey)), F(BLSI, W(By), R(Ey)),
};
static const struct form vex_f2[4] = {F(ANDN, W(Gy), R(By), R(Ey)), NONE, NONE, NONE};
static const struct form vex_f3[4] = {SELECT(BY_REG, blsr_reg), NONE, NONE, NONE};
static const struct form vex_f5[4] = {
    F(BZHI, W(Gy), R(Ey), R(By)), NONE, F(PEXT, W(Gy), R(By), R(Ey)), F(PDEP, W(Gy), R(By), R(Ey)),
};
static const struct form vex_f6[4] = {NONE, NONE, NONE, F(MULX, W(Gy), W(By), R(Ey))};
static const struct form vex_f7[4] = {
    F(BEXTR, W(Gy), R(Ey), R(By)), F(SHLX, W(Gy), R(Ey), R(By)), F(SARX, W(Gy), R(Ey), R(By)),
    F(SHRX, W(Gy), R(Ey), R(By)),
};
static const struct form vex_3af0[4] = {NONE, NONE, NONE, F(RORX, W(Gy), R(Ey), Ib)};
/* clang-format on */

const struct form *threebyte_form(const struct walk *w) {
    if (w->map != MAP_0F38)
        return NULL;
    switch (w->opcode) {
    case 0x82: return &at_3882[w->pp];
    case 0xf0: return &at_38f0[w->pp];
    case 0xf1: return &at_38f1[w->pp];
    case 0xf6: return &at_38f6[w->pp];
    default: return NULL;
    }
}

const struct form *vex_gpr_form(const struct walk *w) {
    static const struct form *const at_38f2[] = {vex_f2, vex_f3, NULL, vex_f5, vex_f6, vex_f7};
    if (w->map == MAP_0F38 && w->opcode >= 0xf2 && w->opcode <= 0xf7 && w->opcode != 0xf4)
        return &at_38f2[w->opcode - 0xf2][w->pp];
    if (w->map == MAP_0F3A && w->opcode == 0xf0)
        return &vex_3af0[w->pp];
    return NULL;
}
