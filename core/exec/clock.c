/*
 * Timers and interrupt lines of the bus reach the first vCPU: as attention, and for timers by an
 * alarm of the host that ends guest code and blocking calls when the next one is due. With virtual
 * time (exec_options.icount) there are no alarms: time is the number of instructions, timers are
 * due at one of them, and HLT moves on to the next.
 */
#include <string.h>
#include <time.h>

#include "bus/bus.h"
#include "exec/internal.h"

/* Glibc has no name for it. */
#ifndef sigev_notify_thread_id
  #define sigev_notify_thread_id _sigev_un._tid
#endif

static void notify(void *arg, uint32_t attention) {
    struct exec *x = arg;
    pthread_mutex_lock(&x->lock);
    struct vcpu *v = x->first;
    if (v) {
        attention_set(v->cpu, attention);
        if (!pthread_equal(v->thread, pthread_self()))
            signals_kick(v);
    }
    pthread_mutex_unlock(&x->lock);
}

/* ---- virtual time ---- */

/* A processor of 100 million instructions a second. */
#define NS_AN_INSTRUCTION 10u

static uint64_t virtual_now(void *arg) {
    const struct vcpu *v = arg;
    const struct blink_cpu *cpu = v->cpu;
    uint64_t done = cpu->icount;
    /* What of the present block came before the instruction that asks. */
    if (v->in_guest && cpu->insn) {
        const struct blink_insn *end = interp_block_end(cpu->insn);
        done += (uint64_t)(cpu->insn - ((const struct block *)(uintptr_t)end->imm)->insns);
    }
    return done * NS_AN_INSTRUCTION + v->skipped;
}

static uint64_t virtual_clock(struct blink_cpu *cpu) {
    return virtual_now(vcpu_of(cpu));
}

uint64_t clock_left(const struct vcpu *v) {
    return v->deadline > v->cpu->icount ? v->deadline - v->cpu->icount : 0;
}

void clock_lend(struct vcpu *v) {
    uint64_t left = clock_left(v);
    v->counting = true;
    v->cpu->budget = v->budget = left < UINT32_MAX ? (int64_t)left : UINT32_MAX;
}

void clock_settle(struct vcpu *v) {
    if (v->counting)
        v->cpu->icount += (uint64_t)(v->budget - v->cpu->budget);
    v->counting = false;
}

void clock_skip(struct vcpu *v, uint64_t ns) {
    v->skipped += ns;
}

void clock_virtual(struct vcpu *v) {
    v->context.clock = virtual_clock;
    bus_set_clock(v->exec->options.bus, virtual_now, v);
    attention_set(v->cpu, BLINK_ATTN_CLOCK | BLINK_ATTN_TIMER);
}

/* ---- both ---- */

void clock_attach(struct exec *x) {
    struct blink_bus *bus = x->options.bus;
    if (!bus)
        return;
    bus_set_notify(bus, notify, x);
    /* A device may have started one while it was made. */
    if (x->options.user_ports || x->system)
        attention_set(x->first->cpu, BLINK_ATTN_TIMER);
}

static bool make_alarm(struct vcpu *v) {
    struct sigevent e;
    if (v->has_alarm)
        return true;
    memset(&e, 0, sizeof e);
    e.sigev_notify = SIGEV_THREAD_ID;
    e.sigev_signo = signals_kick_number();
    e.sigev_value.sival_ptr = v;
    e.sigev_notify_thread_id = gettid();
    v->has_alarm = timer_create(CLOCK_MONOTONIC, &e, &v->alarm) == 0;
    return v->has_alarm;
}

void clock_attend(struct vcpu *v) {
    struct blink_bus *bus = v->exec->options.bus;
    int64_t wait = bus ? bus_run_timers(bus) : -1;
    if (v->context.clock) {
        v->deadline = wait < 0 ? UINT64_MAX
                               : v->cpu->icount +
                                     ((uint64_t)wait + NS_AN_INSTRUCTION - 1) / NS_AN_INSTRUCTION;
        return;
    }
    if (wait < 0 || !make_alarm(v))
        return;
    struct itimerspec when = {.it_value = {wait / 1000000000, wait % 1000000000}};
    /* Zero would stop it. */
    if (wait == 0)
        when.it_value.tv_nsec = 1;
    timer_settime(v->alarm, 0, &when, NULL);
}

void clock_detach(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->lock);
    bool first = x->first == v;
    pthread_mutex_unlock(&x->lock);
    if (first && x->options.bus)
        bus_set_notify(x->options.bus, NULL, NULL);
    if (v->context.clock)
        bus_set_clock(x->options.bus, NULL, NULL);
    if (v->has_alarm)
        timer_delete(v->alarm);
    v->has_alarm = false;
}

bool clock_rings(const struct vcpu *v, const siginfo_t *info) {
    return info->si_code == SI_TIMER && info->si_value.sival_ptr == v;
}

void clock_forked(struct vcpu *v) {
    /* The child has no alarms. */
    v->has_alarm = false;
    if (v->exec->options.user_ports || v->exec->system)
        attention_set(v->cpu, BLINK_ATTN_TIMER);
}
