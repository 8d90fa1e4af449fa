/*
 * ops.def as tables, and which operations cannot be compared with the host's processor, with the
 * reason.
 */
#include "diff.h"

#define FC      BLINK_CF
#define FP      BLINK_PF
#define FA      BLINK_AF
#define FZ      BLINK_ZF
#define FS      BLINK_SF
#define FO      BLINK_OF
#define FD      BLINK_DF
#define FI      BLINK_IF
#define A_END   BLINK_OPATTR_END
#define A_LOCK  BLINK_OPATTR_LOCK
#define A_FAULT BLINK_OPATTR_FAULT
#define A_COND  BLINK_OPATTR_COND

const char *const op_names[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = #id,
#include <blink/ops.def>
};
const uint8_t op_classes[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = BLINK_CLASS_##cls,
#include <blink/ops.def>
};
const uint8_t op_attributes[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (attr),
#include <blink/ops.def>
};
const uint16_t op_reads[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (reads),
#include <blink/ops.def>
};
const uint16_t op_writes[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (writes),
#include <blink/ops.def>
};
const uint16_t op_undefined[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (undefined),
#include <blink/ops.def>
};

static const struct {
    uint16_t op;
    const char *why;
} excluded[] = {
    {BLINK_OP_SYSCALL, "calls the host's kernel"},
    {BLINK_OP_SYSENTER, "calls the host's kernel"},
    {BLINK_OP_INT, "what a vector does is the kernel's choice"},
    {BLINK_OP_INT1, "virtual machines treat it differently"},
    {BLINK_OP_SGDT, "the kernel emulates it"},
    {BLINK_OP_SIDT, "the kernel emulates it"},
    {BLINK_OP_SLDT, "the kernel emulates it"},
    {BLINK_OP_STR, "the kernel emulates it"},
    {BLINK_OP_SMSW, "the kernel emulates it"},
    {BLINK_OP_CPUID, "tells of another processor"},
    {BLINK_OP_XGETBV, "tells of another processor"},
    {BLINK_OP_RDTSC, "timing"},
    {BLINK_OP_RDTSCP, "timing"},
    {BLINK_OP_RDPMC, "timing"},
    {BLINK_OP_RDPID, "which processor the host is on"},
    {BLINK_OP_RDRAND, "random"},
    {BLINK_OP_RDSEED, "random"},
    {BLINK_OP_XSAVE, "components and header differ; tests/interp compares them"},
    {BLINK_OP_XSAVEC, "components and header differ; tests/interp compares them"},
    {BLINK_OP_XSAVEOPT, "components and header differ; tests/interp compares them"},
    {BLINK_OP_XRSTOR, "components and header differ; tests/interp compares them"},
    {BLINK_OP_INVPCID, "blink's processor does not have it"},
};

const char *op_excluded(uint32_t op) {
    for (size_t k = 0; k < sizeof excluded / sizeof excluded[0]; k++)
        if (excluded[k].op == op)
            return excluded[k].why;
    return NULL;
}

bool op_is_far(uint32_t op) {
    switch (op) {
    case BLINK_OP_IRET:
    case BLINK_OP_JMPF:
    case BLINK_OP_CALLF:
    case BLINK_OP_RETF:
    case BLINK_OP_LAR:
    case BLINK_OP_LSL:
    case BLINK_OP_VERR:
    case BLINK_OP_VERW:
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LSS:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS:
    case BLINK_OP_MOV_SEG:
    case BLINK_OP_PUSH:
    case BLINK_OP_POP:
    case BLINK_OP_ARPL: return true;
    default: return false;
    }
}

bool op_is_approximate(uint32_t op) {
    switch (op) {
    case BLINK_OP_F2XM1:
    case BLINK_OP_FYL2X:
    case BLINK_OP_FYL2XP1:
    case BLINK_OP_FPTAN:
    case BLINK_OP_FPATAN:
    case BLINK_OP_FSIN:
    case BLINK_OP_FCOS:
    case BLINK_OP_FSINCOS: return true;
    default: return false;
    }
}
