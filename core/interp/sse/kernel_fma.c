/*
 * Fused multiply-add: 60 kernels of three sources. By the host's instructions where it has them,
 * else by core/fp, which rounds once too. Any thread.
 */
#include "fp/fp.h"
#include "interp/sse/fma.h"
#include "interp/sse/fp.h"

/* Which operands are multiplied, and which is added: 132 is op1 * op3 + op2. */
#define X_132   a
#define Y_132   c
#define Z_132   b
#define X_213   b
#define Y_213   a
#define Z_213   c
#define X_231   b
#define Y_231   c
#define Z_231   a
#define PRODUCT FP_NEGATE_PRODUCT
#define ADDEND  FP_NEGATE_ADDEND

static vec soft32(struct blink_cpu *cpu, vec keep, const vec op[3], uint32_t count,
                  const uint32_t negate[2]) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes x = {op[0]}, y = {op[1]}, z = {op[2]}, r = {keep};
    for (uint32_t k = 0; k < count; k++)
        r.u32[k] = fp32_fma(&c, x.u32[k], y.u32[k], z.u32[k], negate[k & 1]);
    cpu->fp_flags |= c.flags & 0x3f;
    return r.v;
}
static vec soft64(struct blink_cpu *cpu, vec keep, const vec op[3], uint32_t count,
                  const uint32_t negate[2]) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes x = {op[0]}, y = {op[1]}, z = {op[2]}, r = {keep};
    for (uint32_t k = 0; k < count; k++)
        r.u64[k] = fp64_fma(&c, x.u64[k], y.u64[k], z.u64[k], negate[k & 1]);
    cpu->fp_flags |= c.flags & 0x3f;
    return r.v;
}

#if INTERP_SOFT_FP
  #define HOST_FORM(op, form, type)
#else
  #define HOST_FORM(op, form, type)                                                                \
    if (!vfp_unmasked(cpu) && __builtin_cpu_supports("fma")) {                                     \
      __asm__ volatile("v" #op #form #type " %2, %1, %0" : "+x"(a) : "x"(b), "x"(c));              \
      return a;                                                                                    \
    }
#endif

#define KERNEL3(op, form, type, bits, count, even, odd)                                            \
  vec simd_##op##form##type(struct blink_cpu *cpu, vec a, vec b, vec c) {                          \
    HOST_FORM(op, form, type)                                                                      \
    const vec operands[3] = {X_##form, Y_##form, Z_##form};                                        \
    static const uint32_t negate[2] = {even, odd};                                                 \
    return soft##bits(cpu, a, operands, count, negate);                                            \
  }
#define FORMS(op, type, bits, count, even, odd)                                                    \
  KERNEL3(op, 132, type, bits, count, even, odd)                                                   \
  KERNEL3(op, 213, type, bits, count, even, odd)                                                   \
  KERNEL3(op, 231, type, bits, count, even, odd)
#define TYPES(op, negate)                                                                          \
  FORMS(op, ps, 32, 4, negate, negate)                                                             \
  FORMS(op, pd, 64, 2, negate, negate)                                                             \
  FORMS(op, ss, 32, 1, negate, negate)                                                             \
  FORMS(op, sd, 64, 1, negate, negate)
TYPES(fmadd, 0)
TYPES(fmsub, ADDEND)
TYPES(fnmadd, PRODUCT)
TYPES(fnmsub, PRODUCT | ADDEND)
FORMS(fmaddsub, ps, 32, 4, ADDEND, 0)
FORMS(fmaddsub, pd, 64, 2, ADDEND, 0)
FORMS(fmsubadd, ps, 32, 4, 0, ADDEND)
FORMS(fmsubadd, pd, 64, 2, 0, ADDEND)
