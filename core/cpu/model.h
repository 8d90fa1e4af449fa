/*
 * Processor models: which features CPUID tells of. All that the interpreter implements, or less.
 */
#ifndef CORE_CPU_MODEL_H
#define CORE_CPU_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers of CPUID leaves. */
enum {
    CPU_LEAF1_ECX,
    CPU_LEAF1_EDX,
    CPU_LEAF7_EBX,
    CPU_LEAF7_ECX,
    CPU_EXT1_ECX, /* leaf 80000001h */
    CPU_EXT1_EDX,
    CPU_WORDS
};

struct cpu_model {
    uint32_t word[CPU_WORDS];
};

/* Everything that is implemented. */
void cpu_model_max(struct cpu_model *out);
/* A word of a model; NULL: of the one with everything. */
uint32_t cpu_model_word(const struct cpu_model *model, uint32_t word);
bool cpu_model_has_avx(const struct cpu_model *model);

/*
 * Change `model` by a list of words with commas between them: "x86-64-v1" to "x86-64-v3" and "max"
 * choose a model, "+NAME" and "-NAME" add and take away one feature, with what it needs and
 * what needs it.
 * False: *bad is the first word (of *bad_size bytes) that means nothing.
 */
bool cpu_model_change(struct cpu_model *model, const char *text, const char **bad,
                      size_t *bad_size);

#endif
