/*
 * Running one SIMD instruction on the host, with the register state it starts from and ends in.
 * x86-64 hosts only.
 */
#ifndef TESTS_INTERP_SSE_HOST_H
#define TESTS_INTERP_SSE_HOST_H

#include <blink/cpu.h>
#include <stdbool.h>

struct sse_state {
    union blink_ymm ymm[16];
    uint64_t mmx[8];
    uint64_t gpr[16]; /* RBX, RSP and RBP are the runner's */
    uint64_t rflags;
    uint32_t mxcsr;
    uint32_t avx; /* the host has YMM registers */
};

/* Whether the host has F_*. */
bool sse_host_has(uint32_t feature);

/* Run `code` (up to 15 bytes) on *state. False: it raised SIGFPE, and only mxcsr is the host's. */
bool sse_host_run(struct sse_state *state, const uint8_t *code, uint32_t size);

#endif
