/*
 * The trace of system calls, one line a call, as strace prints it: arguments by the kinds of
 * syscalls.def, what the call fills when it has returned. vCPU threads; costs nothing when off.
 */
#include "strace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESULT_COLUMN 39

/* ---- text ---- */

void lx_put(struct lx_line *l, const char *format, ...) {
    va_list ap;
    size_t room = sizeof l->text - l->size;
    va_start(ap, format);
    int n = vsnprintf(l->text + l->size, room, format, ap);
    va_end(ap);
    if (n > 0)
        l->size += (size_t)n < room ? (size_t)n : room - 1;
}

void lx_put_pointer(struct lx_line *l, uint64_t address) {
    if (address)
        lx_put(l, "%#llx", (unsigned long long)address);
    else
        lx_put(l, "NULL");
}

void lx_put_flags(struct lx_line *l, const struct lx_name *names, uint64_t value) {
    uint64_t rest = value;
    bool any = false;
    for (const struct lx_name *n = names; n->name; n++) {
        if ((value & n->mask) != n->value || (rest & n->value) != n->value)
            continue;
        lx_put(l, "%s%s", any ? "|" : "", n->name);
        rest &= ~n->mask;
        any = true;
    }
    if (rest || !any)
        lx_put(l, rest ? "%s%#llx" : "%s%llu", any ? "|" : "", (unsigned long long)rest);
}

void lx_put_enum(struct lx_line *l, const struct lx_name *names, uint64_t value) {
    for (const struct lx_name *n = names; n->name; n++)
        if ((value & n->mask) == n->value) {
            lx_put(l, "%s", n->name);
            return;
        }
    lx_put(l, (int64_t)value >= -1 && value < 4096 ? "%lld" : "%#llx", (long long)value);
}

void lx_put_bytes(struct lx_line *l, const uint8_t *bytes, size_t size, bool more) {
    static const char special[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
    lx_put(l, "\"");
    for (size_t k = 0; k < size; k++) {
        uint8_t ch = bytes[k];
        const char *found = ch ? strchr(special, ch) : NULL;
        /* An octal escape before a digit needs all its digits. */
        bool digit = k + 1 < size && bytes[k + 1] >= '0' && bytes[k + 1] <= '9';
        if (found && ch != '\a' && ch != '\b')
            lx_put(l, "\\%c", letters[found - special]);
        else if (ch == '"' || ch == '\\')
            lx_put(l, "\\%c", ch);
        else if (ch >= 0x20 && ch < 0x7f)
            lx_put(l, "%c", ch);
        else
            lx_put(l, digit ? "\\%03o" : "\\%o", ch);
    }
    lx_put(l, more ? "\"..." : "\"");
}

void lx_put_sigset(struct lx_line *l, uint64_t set) {
    bool any = false, inverse = __builtin_popcountll(set) > 32;
    lx_put(l, inverse ? "~[" : "[");
    for (int signo = 1; signo <= G_NSIG; signo++) {
        if (((set >> (signo - 1)) & 1) == inverse)
            continue;
        const struct lx_name *n = lx_names_signal;
        while (n->name && n->value != (uint64_t)signo)
            n++;
        if (n->name)
            lx_put(l, "%s%s", any ? " " : "", n->name + 3); /* without "SIG" */
        else
            lx_put(l, "%s%d", any ? " " : "", signo);
        any = true;
    }
    lx_put(l, "]");
}

bool lx_peek(struct lx_line *l, uint64_t address, void *out, size_t size) {
    if (address && lx_in(l->c, out, address, size) == 0)
        return true;
    lx_put_pointer(l, address);
    return false;
}

bool lx_peek_out(struct lx_line *l, uint64_t address, void *out, size_t size) {
    if (!l->failed)
        return lx_peek(l, address, out, size);
    lx_put_pointer(l, address);
    return false;
}

/* ---- arguments ---- */

enum { IN, OUT };
enum { FORM_PRINTER, FORM_FLAGS, FORM_ENUM };

static const struct kind {
    uint8_t form, when;
    void (*print)(struct lx_line *l, uint64_t value);
    const struct lx_name *names;
} kinds[A_COUNT] = {
#define LX_KIND(kind, printer, when) [kind] = {FORM_PRINTER, when, lx_print_##printer, NULL},
#define LX_KIND_FLAGS(kind, table)   [kind] = {FORM_FLAGS, IN, NULL, lx_names_##table},
#define LX_KIND_ENUM(kind, table)    [kind] = {FORM_ENUM, IN, NULL, lx_names_##table},
#include "kinds.def"
#undef LX_KIND
#undef LX_KIND_FLAGS
#undef LX_KIND_ENUM
};

/* All arguments from l->next on, or those before the first that the call fills. */
static void put_args(struct lx_line *l, bool returned) {
    const struct lx_row *row = l->c->row;
    for (; l->next < row->args; l->next++) {
        const struct kind *k = &kinds[row->arg[l->next]];
        uint64_t value = l->c->a[l->next];
        if (k->when == OUT && !returned)
            return;
        if (l->next)
            lx_put(l, ", ");
        l->arg = l->next;
        switch (k->form) {
        case FORM_PRINTER: k->print(l, value); break;
        case FORM_FLAGS: lx_put_flags(l, k->names, (uint32_t)value); break;
        default: lx_put_enum(l, k->names, (uint64_t)(int64_t)(int32_t)value); break;
        }
    }
}

static void put_prefix(struct lx_line *l) {
    if (__atomic_load_n(&l->c->abi->forked, __ATOMIC_RELAXED))
        lx_put(l, "[pid %5ld] ", (long)syscall(SYS_gettid));
}

static void put_call(struct lx_line *l) {
    const struct lx_call *c = l->c;
    put_prefix(l);
    if (c->row->name)
        lx_put(l, "%s(", c->row->name);
    else
        lx_put(l, "syscall_%#x(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx", c->number,
               (unsigned long long)c->a[0], (unsigned long long)c->a[1],
               (unsigned long long)c->a[2], (unsigned long long)c->a[3],
               (unsigned long long)c->a[4], (unsigned long long)c->a[5]);
    put_args(l, false);
}

/* ---- results ---- */

static const char *restart_text(const struct lx_call *c, int64_t result) {
    static const char *const texts[] = {
        [RS_SA] = "? ERESTARTSYS (To be restarted if SA_RESTART is set)",
        [RS_NOHAND] = "? ERESTARTNOHAND (To be restarted if no handler)",
        [RS_BLOCK] = "? ERESTART_RESTARTBLOCK (Interrupted by signal)",
    };
    return result == -EINTR ? texts[c->restart] : NULL;
}

static void put_result(struct lx_line *l, int64_t result) {
    const struct lx_call *c = l->c;
    const char *restart = restart_text(c, result);
    lx_put(l, ")");
    while (l->size < RESULT_COLUMN)
        lx_put(l, " ");
    lx_put(l, " = ");
    if (c->row->result == R_NORETURN)
        lx_put(l, "?");
    else if (restart)
        lx_put(l, "%s", restart);
    else if (result < 0 && result >= -4095) {
        const char *name = lx_errno_name((int)-result);
        if (name)
            lx_put(l, "-1 %s (%s)", name, strerror((int)-result));
        else
            lx_put(l, "-1 (errno %d)", (int)-result);
    } else {
        lx_put(l, c->row->result == R_HEX ? "%#llx" : "%lld", (long long)result);
    }
}

/* ---- lines ---- */

static void emit(const struct blink_plugin *abi, struct lx_line *l) {
    l->text[l->size] = 0;
    abi->host->log(abi->host->machine, BLINK_LOG_STRACE, l->text);
    l->size = 0;
}

static void unfinished(struct lx_line *l) {
    struct lx_line copy = *l;
    lx_put(&copy, " <unfinished ...>");
    emit(l->c->abi, &copy);
    l->begun = true;
}

/* After an unfinished line the rest begins with the call's name again. */
static void resume(struct lx_line *l) {
    l->size = 0;
    put_prefix(l);
    lx_put(l, "<... %s resumed>", l->c->row->name ? l->c->row->name : "syscall");
}

int64_t lx_trace_call(struct lx_call *c) {
    struct lx_line line = {.c = c};
    pid_t pid = getpid();
    c->line = &line;
    put_call(&line);
    if (c->abi->strace_entry && c->row->result != R_NORETURN)
        unfinished(&line);
    if (c->row->result == R_NORETURN) {
        put_args(&line, true);
        put_result(&line, 0);
        emit(c->abi, &line);
        lx_trace_exited(c->thread, (int)c->a[0] & 0xff);
    }
    int64_t result = lx_run(c);
    /* The child of a fork is told of by its parent. */
    if (c->row->result == R_NORETURN || getpid() != pid)
        return result;
    line.result = result;
    line.failed = result < 0 && result >= -4095;
    if (line.begun)
        resume(&line);
    put_args(&line, true);
    put_result(&line, result);
    emit(c->abi, &line);
    c->line = NULL;
    return result;
}

void lx_trace_gone(struct lx_call *c) {
    if (!c->line->begun)
        unfinished(c->line);
}

/* ---- signals and ends ---- */

static void thread_line(struct lx_thread *t, struct lx_call *c, struct lx_line *l) {
    *c = (struct lx_call){.abi = t->abi, .thread = t, .cpu = t->cpu};
    l->c = c;
    l->size = 0;
    l->failed = false;
    put_prefix(l);
}

void lx_trace_signal(struct lx_thread *t, const siginfo_t *info) {
    static const uint64_t faults =
        LX_SIGBIT(SIGSEGV) | LX_SIGBIT(SIGBUS) | LX_SIGBIT(SIGILL) | LX_SIGBIT(SIGFPE);
    struct lx_call c;
    struct lx_line l;
    if (!t->abi->strace)
        return;
    thread_line(t, &c, &l);
    lx_put(&l, "--- ");
    lx_put_enum(&l, lx_names_signal, (uint64_t)info->si_signo);
    lx_put(&l, " {si_signo=");
    lx_put_enum(&l, lx_names_signal, (uint64_t)info->si_signo);
    lx_put(&l, ", si_code=");
    /* Positive codes are numbered anew for each signal. */
    uint64_t kind = info->si_code > 0 && info->si_code < SI_KERNEL ? (uint64_t)info->si_signo : 0;
    lx_put_enum(&l, lx_names_sigcode, kind << 32 | (uint32_t)info->si_code);
    if (info->si_code > 0 && LX_SIGBIT(info->si_signo) & faults)
        lx_put(&l, ", si_addr=%p", info->si_addr);
    else if (info->si_signo == SIGCHLD && info->si_code > 0)
        lx_put(&l, ", si_pid=%d, si_uid=%u, si_status=%d", info->si_pid, info->si_uid,
               info->si_status);
    else if (info->si_code <= 0)
        lx_put(&l, ", si_pid=%d, si_uid=%u", info->si_pid, info->si_uid);
    lx_put(&l, "} ---");
    emit(t->abi, &l);
}

void lx_trace_killed(struct lx_thread *t, int signo) {
    struct lx_call c;
    struct lx_line l;
    if (!t->abi->strace)
        return;
    thread_line(t, &c, &l);
    lx_put(&l, "+++ killed by ");
    lx_put_enum(&l, lx_names_signal, (uint64_t)signo);
    lx_put(&l, " +++");
    emit(t->abi, &l);
}

void lx_trace_exited(struct lx_thread *t, int status) {
    struct lx_call c;
    struct lx_line l;
    thread_line(t, &c, &l);
    lx_put(&l, "+++ exited with %d +++", status);
    emit(t->abi, &l);
}
