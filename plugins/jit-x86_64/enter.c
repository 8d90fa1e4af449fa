/*
 * From C into generated code and back: what the glue does not swap, and what each way out means.
 * By the vCPU's thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jit.h"

#define ARCH_SET_GS     0x1001
#define HWCAP2_FSGSBASE 2u

static void attach(struct blink_plugin *self, struct blink_cpu *cpu) {
    if (cpu->jit_private == self)
        return;
    if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
        __asm__ volatile("wrgsbase %0" ::"r"(cpu) : "memory");
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, cpu);
    cpu->jit_private = self;
    cpu->jit_slot[SLOT_X87_USED] = 1;
    cpu->jit_slot[SLOT_FLUSH] = self->flushes - 1;
}

static bool x87_is_zero(const struct blink_cpu *cpu) {
    uint64_t any = 0;
    for (uint32_t k = 0; k < 8; k++)
        any |= cpu->fpr[k].frac | cpu->fpr[k].se;
    return !any;
}

/*
 * C code keeps the host's as after FNINIT. If the guest's are so, too, only MMX instructions tell
 * what is in the registers: that is loaded as well, unless both are zero, but need not be saved if
 * no such instruction runs.
 */
static uint32_t x87_use(const struct blink_cpu *cpu) {
    if (cpu->fvalid || cpu->fcw != 0x37f || cpu->fsw || cpu->ftop)
        return X87_LIVE;
    return cpu->jit_slot[SLOT_X87_USED] || !x87_is_zero(cpu) ? X87_LOADED : X87_NONE;
}

static void x87_load(const struct blink_cpu *cpu) {
    uint8_t image[512] __attribute__((aligned(16)));
    memset(image, 0, sizeof image);
    x87_to_image(cpu, image);
    __asm__ volatile("fxrstor64 %0"
                     :
                     : "m"(image)
                     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Which instruction was the last FXSAVE tells with AMD only if an exception is pending. FNSTENV
 * tells always, in 32 bits. */
static void x87_ask_last(const struct blink_cpu *cpu, uint8_t *image) {
    uint32_t env[7];
    uint64_t fip;
    memcpy(&fip, image + 8, 8);
    if (fip)
        return;
    __asm__ volatile("fnstenv %0" : "=m"(env)::"memory");
    if (env[3] == (uint32_t)cpu->fip)
        return;
    memcpy(image + 6, (uint8_t *)env + 18, 2);
    memcpy(image + 8, &env[3], 4);
    memcpy(image + 16, &env[5], 4);
}

static void x87_save(const struct blink_plugin *self, struct blink_cpu *cpu) {
    uint8_t image[512] __attribute__((aligned(16)));
    __asm__ volatile("fxsave64 %0" : "=m"(image)::"memory");
    x87_ask_last(cpu, image);
    __asm__ volatile("fninit" ::: "memory");
    x87_from_image(self, cpu, image);
    cpu->jit_slot[SLOT_X87_USED] = 1;
}

static bool upper_halves_used(const struct blink_cpu *cpu) {
    uint64_t any = 0;
    for (uint32_t n = 0; n < 16; n++)
        any |= cpu->ymm[n].u64[2] | cpu->ymm[n].u64[3];
    return any != 0;
}

/* Where to enter generated code; `x87`: it takes the x87 registers to be live. */
struct point {
    uint64_t target;
    bool x87;
};

static void run(struct blink_plugin *self, struct blink_cpu *cpu, const struct point *at) {
    uint32_t x87 = at->x87 ? X87_LIVE : x87_use(cpu);
    bool ymm = self->has_avx && upper_halves_used(cpu);
    void (*enter)(uint64_t) = (void (*)(uint64_t))(uintptr_t)self->any->enter[ymm];
    cpu->jit_slot[SLOT_FLAGS] = (blink_cpu_get_flags(cpu) & LIVE_FLAGS) | 2;
    cpu->jit_slot[SLOT_X87] = x87;
    if (x87 != X87_NONE) {
        x87_load(cpu);
        cpu->jit_slot[SLOT_X87_USED] = !x87_is_zero(cpu);
    }
    enter(at->target);
    if (cpu->jit_slot[SLOT_X87] == X87_LIVE)
        x87_save(self, cpu);
    blink_cpu_set_flags(cpu, (cpu->flags & ~(uint64_t)LIVE_FLAGS) |
                                 (cpu->jit_slot[SLOT_FLAGS] & LIVE_FLAGS));
}

/* The tables are to name the code: unless it is being dropped, whoever comes first. */
static void publish(struct blink_plugin *self, struct code *code) {
    uint64_t *slot = &self->table[code->rip & (TABLE_SIZE - 1)];
    struct code **second = &self->second[second_slot(code->rip)];
    uint64_t landing = code->at[COLD] + code->landing, miss = self->any->miss;
    if (__atomic_load_n(slot, __ATOMIC_RELAXED) == miss)
        __atomic_store_n(slot, landing, __ATOMIC_SEQ_CST);
    __atomic_store_n(second, code, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&code->dropped, __ATOMIC_SEQ_CST))
        withdraw(self, code);
}

void withdraw(struct blink_plugin *self, struct code *code) {
    uint64_t *slot = &self->table[code->rip & (TABLE_SIZE - 1)];
    struct code **second = &self->second[second_slot(code->rip)];
    uint64_t landing = code->at[COLD] + code->landing;
    __atomic_compare_exchange_n(slot, &landing, self->any->miss, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    struct code *named = code;
    __atomic_compare_exchange_n(second, &named, NULL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static struct code *code_of(const struct blink_plugin *self, uint64_t entry) {
    uint32_t id; /* code stands at any address */
    memcpy(&id, (const void *)(uintptr_t)(entry - CODE_ID), sizeof id);
    return self->by_id[id];
}

/* The code that is known for rip, made known to the tables; 0 if there is none. */
static uint64_t look_up(struct blink_plugin *self, struct blink_cpu *cpu) {
    uint64_t entry = (uintptr_t)self->api.lookup(cpu);
    struct code *code = entry ? code_of(self, entry) : NULL;
    if (code && code->page != BLINK_JIT_NO_PAGE && !code->lone)
        publish(self, code);
    return entry;
}

/* After an instruction in the middle of the code: on in it, if that is where it leads. */
static struct point go_on(struct blink_plugin *self, struct blink_cpu *cpu, const struct code *c) {
    bool gone = __atomic_load_n(&c->dropped, __ATOMIC_ACQUIRE);
    int at = gone ? -ENOENT : recover_resume(cpu, c);
    if (at < 0)
        return (struct point){.target = look_up(self, cpu)};
    if (c->guest_at) {
        int64_t left = recover_left(cpu, c);
        if (cpu->budget < left)
            return (struct point){0};
        cpu->budget -= left;
    }
    return (struct point){.target = c->at[HOT] + (uint32_t)at, .x87 = (uint32_t)at >= c->x87};
}

/* Returns have nowhere to go but the tables: all code is new. */
static void forget_returns(const struct blink_plugin *self, struct blink_cpu *cpu) {
    const uint32_t count = sizeof cpu->jit_returns / sizeof cpu->jit_returns[0];
    for (uint32_t k = 0; k < count; k++)
        cpu->jit_returns[k] = self->any->astray;
    cpu->jit_slot[SLOT_FLUSH] = self->flushes;
}

uint32_t enter_code(struct blink_plugin *self, struct blink_cpu *cpu,
                    const struct blink_jit_code *code, struct blink_jit_code **from,
                    uint32_t *exit) {
    struct point at = {.target = (uintptr_t)code->entry};
    attach(self, cpu);
    if (cpu->jit_slot[SLOT_FLUSH] != self->flushes)
        forget_returns(self, cpu);
    *from = NULL;
    while (at.target) {
        run(self, cpu, &at);
        uint32_t how = (uint32_t)cpu->jit_slot[SLOT_EXIT];
        if (how == EXIT_ATTENTION)
            return BLINK_EXIT_ATTENTION;
        if (how == EXIT_INDIRECT) {
            if (!recover_arrive(self, cpu)) {
                at = (struct point){.target = look_up(self, cpu)};
                continue;
            }
            how = (uint32_t)cpu->jit_slot[SLOT_FROM] << EXIT_SHIFT | EXIT_INTERPRET;
        }
        uint32_t kind = how & ((1u << EXIT_SHIFT) - 1);
        const struct code *c = self->by_id[how >> EXIT_SHIFT];
        if (kind == EXIT_SYSCALL) {
            cpu->rip = c->rip + c->last + c->last_length;
            return BLINK_EXIT_SYSCALL;
        }
        if (kind == EXIT_LINK0 || kind == EXIT_LINK1) {
            cpu->rip = c->exit_rip[kind];
            /* Core has no record of it once it is dropped. */
            *from = __atomic_load_n(&c->dropped, __ATOMIC_ACQUIRE) ? NULL : c->core;
            *exit = kind;
            break;
        }
        if (kind == EXIT_BUDGET) {
            cpu->rip = c->rip;
            break;
        }
        if (kind == EXIT_MISS)
            recover_settle(self, cpu, c, (uint32_t)cpu->jit_slot[SLOT_MISS]);
        else
            cpu->rip = c->rip + c->last;
        uint32_t reason = self->api.interpret(cpu, NULL);
        if (reason)
            return reason;
        at = go_on(self, cpu, c);
    }
    return BLINK_EXIT_BLOCK;
}
