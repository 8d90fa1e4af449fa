/*
 * The code that test_forms.c runs, assembled by forms.S and legacy.S.
 */
#ifndef TESTS_JIT_X86_64_FORMS_H
#define TESTS_JIT_X86_64_FORMS_H

/*
 * What the registers hold at first, one letter each, RAX RCX RDX RBX RSP RBP RSI RDI R8-R15:
 * r random, i 0-63, c 1-6, z zero, p a multiple of 32 into the data, q likewise but odd, d 128
 * bytes before its end, y just before the end of a page, t an address in the code, x into the
 * guard, n no canonical address.
 */
#define MIXED "rrrrprppiprrrrrr"

#define USES_INTERPRETER 1  /* some of its instructions are not translated */
#define MAY_INTERPRET    2  /* depends on the host */
#define TARGETS          4  /* memory is full of addresses in the code */
#define FAULTS           8  /* it ends by an exception */
#define EVENTS           16 /* an event at every host instruction is tried, too */
#define NEEDS_AVX        32
#define ONLY_LOW         64  /* with addresses of 32 bits */
#define NO_STEPS         128 /* the state on the way is not compared */
#define REAL             256 /* loads selectors that no table has */

#ifndef __ASSEMBLER__
  #include <stdint.h>

struct form {
    const char *text;
    const uint8_t *code, *end;
    const char *registers;
    uint64_t flags;
};
extern const struct form forms[], forms_end[];
extern const struct form forms32[], forms32_end[], forms16[], forms16_end[];
#endif

#endif
