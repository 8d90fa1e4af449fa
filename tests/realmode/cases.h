/*
 * Cases of real-mode instructions, as the text that captures of a processor come in gives them, one
 * a line: see cases.c.
 */
#ifndef TESTS_REALMODE_CASES_H
#define TESTS_REALMODE_CASES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Registers in the order of the file. */
enum {
    C_AX,
    C_BX,
    C_CX,
    C_DX,
    C_CS,
    C_SS,
    C_DS,
    C_ES,
    C_SP,
    C_BP,
    C_SI,
    C_DI,
    C_IP,
    C_FLAGS,
    C_REGS
};
extern const char *const case_names[C_REGS];

#define CASE_BYTES 512u
struct case_byte {
    uint32_t at;
    uint8_t value;
};

struct one_case {
    char form[8];   /* opcode, .N for the extension in ModRM */
    char text[64];  /* disassembly */
    char bytes[48]; /* hexadecimal, prefixes first */
    uint16_t before[C_REGS], after[C_REGS];
    struct case_byte memory[CASE_BYTES], written[CASE_BYTES];
    uint32_t memory_count, written_count;
    int32_t vector; /* of an exception, or -1 */
};

/* False at the end of the file. A line that means nothing ends the program. */
bool case_read(FILE *in, struct one_case *out);

#endif
