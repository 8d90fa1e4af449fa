/*
 * From a SYSCALL instruction to the handler of its row and back, with what a pending signal
 * makes of the result. vCPU threads.
 */
#include <stdio.h>
#include <string.h>

#include "linux.h"

/* The first six after `result` are the kinds, A_NONE where there are fewer. */
#define KINDS(...) KINDS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define KINDS_(skip, a, b, c, d, e, f, ...)                                                        \
  { a, b, c, d, e, f }
#define COUNT(...)                             COUNT_(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define COUNT_(skip, a, b, c, d, e, f, n, ...) n

const struct lx_row lx_rows[LX_SYSCALL_MAX] = {
#define SYS(number, name, restart, ...)                                                            \
  [number] = {#name,                                                                               \
              lx_sys_##name,                                                                       \
              0,                                                                                   \
              restart,                                                                             \
              RESULT(__VA_ARGS__),                                                                 \
              COUNT(__VA_ARGS__),                                                                  \
              KINDS(__VA_ARGS__)},
#define SYS_REFUSE(number, name, ...)                                                              \
  [number] = {                                                                                     \
      #name, NULL, RESULT(__VA_ARGS__), RS_NO, R_INT, COUNT(__VA_ARGS__), KINDS(__VA_ARGS__)},
#define RESULT(...)     RESULT_(__VA_ARGS__, 0)
#define RESULT_(r, ...) r
#include "syscalls.def"
};

/* Calls without a handler are refused; numbers without a row are told of once each: the person
 * learns, the log stays short. */
static int64_t unknown(struct lx_call *c) {
    struct blink_plugin *abi = c->abi;
    bool first;
    if (c->row->refusal)
        return -(int64_t)c->row->refusal;
    pthread_mutex_lock(&abi->lock);
    if (c->number < LX_SYSCALL_MAX) {
        uint64_t bit = UINT64_C(1) << (c->number % 64), *word = &abi->told[c->number / 64];
        first = !(*word & bit);
        *word |= bit;
    } else {
        first = !abi->told_other;
        abi->told_other = true;
    }
    pthread_mutex_unlock(&abi->lock);
    if (first)
        blink_log(abi->host, BLINK_LOG_INFO, "system call %u is not known: ENOSYS", c->number);
    return -ENOSYS;
}

int64_t lx_run(struct lx_call *c) {
    return c->row->handler ? c->row->handler(c) : unknown(c);
}

static uint32_t attention(const struct blink_cpu *cpu) {
    return __atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST);
}

uint32_t lx_syscall(struct blink_plugin *self, struct blink_cpu *cpu) {
    static const struct lx_row no_row;
    struct lx_thread *t = lx_thread_of(cpu);
    uint64_t *r = cpu->gpr;
    /* A signal that came before the call is delivered before it: SYSCALL is two bytes, and runs
     * again when the handler is done. */
    if (attention(cpu) & BLINK_ATTN_SIGNAL) {
        cpu->rip -= 2;
        return lx_deliver(t, NULL, 0);
    }
    struct lx_call c = {
        .abi = self,
        .thread = t,
        .cpu = cpu,
        .number = (uint32_t)r[BLINK_RAX],
        .outcome = BLINK_ABI_CONTINUE,
        .a = {r[BLINK_RDI], r[BLINK_RSI], r[BLINK_RDX], r[BLINK_R10], r[BLINK_R8], r[BLINK_R9]},
    };
    c.row = c.number < LX_SYSCALL_MAX ? &lx_rows[c.number] : &no_row;
    c.restart = c.row->restart;
    r[BLINK_RCX] = cpu->rip;
    r[BLINK_R11] = blink_cpu_get_flags(cpu);
    int64_t result = self->strace ? lx_trace_call(&c) : lx_run(&c);
    if (!c.keep)
        r[BLINK_RAX] = (uint64_t)result;
    if (c.outcome == BLINK_ABI_CONTINUE && (result == -EINTR || attention(cpu) & BLINK_ATTN_SIGNAL))
        c.outcome = lx_deliver(t, c.keep ? NULL : &c, result);
    return c.outcome;
}

void lx_restart_as(struct lx_call *c, lx_handler *handler, const uint64_t args[6]) {
    c->thread->restart = handler;
    memcpy(c->thread->restart_arg, args, sizeof c->thread->restart_arg);
}

int64_t lx_sys_restart_syscall(struct lx_call *c) {
    struct lx_thread *t = c->thread;
    lx_handler *handler = t->restart;
    if (!handler) {
        c->restart = RS_NO;
        return -EINTR;
    }
    t->restart = NULL;
    memcpy(c->a, t->restart_arg, sizeof c->a);
    return handler(c);
}
