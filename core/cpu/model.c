/*
 * See model.h. Main thread; models are not changed after.
 */
#include "cpu/model.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t word, bit, level;
} features[] = {
#define FEATURE(name_, word_, bit_, level_) {(name_), CPU_##word_, (bit_), (level_)},
#include "cpu/features.def"
};
#define FEATURES (sizeof features / sizeof features[0])

static const struct {
    const char *name;
    uint8_t level;
} models[] = {{"x86-64-v1", 1}, {"x86-64-v2", 2}, {"x86-64-v3", 3}, {"max", 4}};
#define MODELS (sizeof models / sizeof models[0])

static void set_level(struct cpu_model *model, uint32_t level) {
    memset(model, 0, sizeof *model);
    for (size_t k = 0; k < FEATURES; k++)
        if (features[k].level <= level)
            model->word[features[k].word] |= UINT32_C(1) << features[k].bit;
}

void cpu_model_max(struct cpu_model *out) {
    set_level(out, 4);
}

uint32_t cpu_model_word(const struct cpu_model *model, uint32_t word) {
    struct cpu_model all;
    if (model)
        return model->word[word];
    cpu_model_max(&all);
    return all.word[word];
}

bool cpu_model_has_avx(const struct cpu_model *model) {
    uint32_t both = UINT32_C(1) << 26 | UINT32_C(1) << 28; /* XSAVE, AVX */
    return (cpu_model_word(model, CPU_LEAF1_ECX) & both) == both;
}

/* What means nothing without another, so that no program meets half of it. */
static const char *const needs[][2] = {
    {"avx", "xsave"},     {"avx2", "avx"},     {"fma", "avx"},
    {"f16c", "avx"},      {"vaes", "avx"},     {"vpclmulqdq", "avx"},
    {"sse4_2", "sse4_1"}, {"sse4_1", "ssse3"}, {"ssse3", "pni"},
};

static size_t find_feature(const char *name, size_t size) {
    for (size_t k = 0; k < FEATURES; k++)
        if (strlen(features[k].name) == size && memcmp(features[k].name, name, size) == 0)
            return k;
    return FEATURES;
}

static void change(struct cpu_model *model, size_t feature, bool on) {
    const char *name = features[feature].name;
    uint32_t bit = UINT32_C(1) << features[feature].bit;
    uint32_t *word = &model->word[features[feature].word];
    *word = on ? *word | bit : *word & ~bit;
    for (size_t k = 0; k < sizeof needs / sizeof needs[0]; k++) {
        /* One that goes takes along what needs it; one that comes brings what it needs. */
        const char *from = needs[k][on ? 0 : 1], *to = needs[k][on ? 1 : 0];
        if (strcmp(from, name) == 0)
            change(model, find_feature(to, strlen(to)), on);
    }
}

static bool one_word(struct cpu_model *model, const char *text, size_t size) {
    if (size > 1 && (text[0] == '+' || text[0] == '-')) {
        size_t k = find_feature(text + 1, size - 1);
        /* Without the first level there is no 64-bit mode to run in. */
        if (k == FEATURES || (features[k].level == 1 && text[0] == '-'))
            return false;
        change(model, k, text[0] == '+');
        return true;
    }
    for (size_t k = 0; k < MODELS; k++) {
        if (strlen(models[k].name) == size && memcmp(models[k].name, text, size) == 0) {
            set_level(model, models[k].level);
            return true;
        }
    }
    return false;
}

bool cpu_model_change(struct cpu_model *model, const char *text, const char **bad,
                      size_t *bad_size) {
    for (;;) {
        size_t size = strcspn(text, ",");
        if (!one_word(model, text, size)) {
            *bad = text;
            *bad_size = size;
            return false;
        }
        if (!text[size])
            return true;
        text += size + 1;
    }
}
