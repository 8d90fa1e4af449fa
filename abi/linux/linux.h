/*
 * What the files of the Linux ABI plugin share: the instance, the state of a guest thread, one
 * system call under way, and the helpers each theme offers the others. Names carry lx_ because
 * the plugin may be linked into the executable.
 *
 * Threads: the instance is used by all vCPU threads; `lock` guards what is marked with it. A
 * struct lx_thread belongs to its vCPU's thread.
 */
#ifndef LX_LINUX_H
#define LX_LINUX_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <blink/abi.h>
#include <blink/exec.h>
#include <blink/host.h>
#include <blink/mem.h>

#include "guest.h"

#define LX_PATH_MAX    4096
#define LX_IOV_MAX     1024
#define LX_RW_MAX      UINT64_C(0x7ffff000) /* MAX_RW_COUNT of Linux */
#define LX_SYSCALL_MAX 512

#ifndef CLONE_CLEAR_SIGHAND
  #define CLONE_CLEAR_SIGHAND UINT64_C(0x100000000)
#endif

struct lx_thread;
struct lx_call;
struct lx_exec;
struct lx_line;

/* What /proc/self shows of the guest and pass-through would show of blink. Made by start. */
struct lx_identity {
    char *exe_guest; /* absolute, as the guest names the program */
    char *exe_host;  /* absolute, as the host opens it */
    char *cmdline, *environ;
    size_t cmdline_size, environ_size;
    /* Where they are in the guest, the environment after the arguments; and whether the host's
     * /proc tells of them. */
    uint64_t arg_start, arg_end, env_end;
    bool shown;
    uint64_t auxv[64];
    size_t auxv_size; /* bytes */
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_mem_iface mem;
    struct blink_exec_iface exec;
    bool strace;
    bool strace_entry;        /* -ss: a line when a call begins, too */
    bool forked;              /* lines of the trace carry the pid; atomic */
    struct lx_layers *layers; /* the guest's file tree; NULL: the host's; atomic */
    void *nowhere;            /* see arg.h; atomic */
    char log_fd[16];          /* number of the log's descriptor, which folders do not show; or "" */
    struct lx_identity id;
    uint32_t threads;                       /* alive; atomic */
    int32_t leader_status;                  /* of exit by the first thread; atomic */
    pthread_mutex_t lock;                   /* guards the fields below, and all handlers */
    struct lx_thread *first_thread;         /* list of all records, the newest first */
    uint64_t brk_start, brk_now, brk_limit; /* addresses */
    uint64_t told[LX_SYSCALL_MAX / 64];     /* unknown calls that were logged */
    bool told_other;
    struct lx_attached *attached;  /* System V shared memory */
    struct rlimit memory_limit[2]; /* of data and address space, which the host is not told */
    uint32_t has_memory_limit;     /* bits 0 and 1: the guest has set it */
};

/* What core never blocks on the host: the synchronous five, and the last one, by which it wakes
 * its threads. Sent while the guest blocks them, they are held here. */
#define LX_NEVER_BLOCKED                                                                           \
  (LX_SIGBIT(SIGSEGV) | LX_SIGBIT(SIGBUS) | LX_SIGBIT(SIGILL) | LX_SIGBIT(SIGFPE) |                \
   LX_SIGBIT(SIGTRAP) | LX_SIGBIT(G_NSIG))
#define LX_SIGBIT(signo) (UINT64_C(1) << ((signo)-1))
#define LX_UNBLOCKABLE   (LX_SIGBIT(SIGKILL) | LX_SIGBIT(SIGSTOP))

/* What signals do: shared by the threads of a process, and by a process made to. */
struct lx_handlers {
    uint32_t users;
    struct g_sigaction action[G_NSIG + 1]; /* by signal number */
};

struct lx_thread {
    struct blink_plugin *abi;
    struct blink_cpu *cpu;
    struct lx_thread *next, **link; /* list of the instance, under its lock */
    struct lx_handlers *handlers;   /* under the lock */
    int32_t tid;
    bool apart;           /* a process of its own in this memory, see clone.c */
    struct lx_exec *exec; /* of execve under way, see exec.c */
    uint64_t mask;        /* blocked signals */
    uint64_t saved_mask;  /* to be restored by the handler's frame: sigsuspend, ppoll... */
    bool restore_mask;
    struct g_stack altstack;
    uint64_t held;                      /* see LX_NEVER_BLOCKED */
    uint8_t held_info[G_NSIG + 1][128]; /* their siginfo, by number */
    uint64_t clear_child_tid;           /* address or 0 */
    uint64_t robust_list;               /* address or 0 */
    bool leader;                        /* the first thread of its process */
    /* Of the last fault, for frames: Linux keeps them likewise. */
    uint64_t trapno, error, cr2;
    /* What restart_syscall goes on with, NULL if nothing. */
    int64_t (*restart)(struct lx_call *call);
    uint64_t restart_arg[6];
};

/* One system call. A handler returns the result or a negated errno. */
struct lx_call {
    struct blink_plugin *abi;
    struct lx_thread *thread;
    struct blink_cpu *cpu;
    const struct lx_row *row;
    uint32_t number;
    uint32_t outcome;     /* BLINK_ABI_*, what the loop does next */
    uint8_t restart;      /* RS_*: of the row; a handler may know better */
    bool keep;            /* registers are already what they shall be: sigreturn */
    struct lx_line *line; /* of the trace, NULL when off */
    uint64_t a[6];
};

typedef int64_t lx_handler(struct lx_call *call);

/* A row of syscalls.def. */
struct lx_row {
    const char *name;    /* NULL: Linux has no call of this number */
    lx_handler *handler; /* NULL: refused, or no row */
    uint16_t refusal;    /* errno without a handler; 0: no row, ENOSYS */
    uint8_t restart;     /* RS_* */
    uint8_t result;      /* R_* */
    uint8_t args;        /* how many */
    uint8_t arg[6];      /* A_* */
};

/*
 * What becomes of a call that returned -EINTR, by what Linux returns inside:
 *   RS_NO      EINTR, always
 *   RS_SA      ERESTARTSYS: again after a handler with SA_RESTART, or if no handler ran
 *   RS_NOHAND  ERESTARTNOHAND: again only if no handler ran
 *   RS_BLOCK   ERESTART_RESTARTBLOCK: if no handler ran, what lx_restart_as left goes on
 */
enum { RS_NO, RS_SA, RS_NOHAND, RS_BLOCK };

/* Kinds of results and arguments, for the trace. */
enum { R_INT, R_HEX, R_NORETURN };
enum {
    A_NONE,
#define LX_KIND(name, printer, when) name,
#define LX_KIND_FLAGS(name, table)   name,
#define LX_KIND_ENUM(name, table)    name,
#include "kinds.def"
#undef LX_KIND
#undef LX_KIND_FLAGS
#undef LX_KIND_ENUM
    A_COUNT
};

extern const struct lx_row lx_rows[LX_SYSCALL_MAX];

#define SYS(number, name, ...) lx_handler lx_sys_##name;
#define SYS_REFUSE(number, name, ...)
#include "syscalls.def"
#undef SYS
#undef SYS_REFUSE

/* ---- dispatch.c ---- */

uint32_t lx_syscall(struct blink_plugin *self, struct blink_cpu *cpu);
/* The handler of the call's row, or the refusal. */
int64_t lx_run(struct lx_call *c);
/* For calls of RS_BLOCK, before they return -EINTR: if no handler runs, the call goes on as
 * `handler` with these arguments in a[]. */
void lx_restart_as(struct lx_call *c, lx_handler *handler, const uint64_t args[6]);

/* ---- user.c: guest memory ---- */

static inline struct lx_thread *lx_thread_of(struct blink_cpu *cpu) {
    return cpu->abi_private;
}

int lx_in(struct lx_call *c, void *dst, uint64_t src, size_t size);
int lx_out(struct lx_call *c, uint64_t dst, const void *src, size_t size);
/* As lx_out, nothing if dst is 0. */
int lx_out_opt(struct lx_call *c, uint64_t dst, const void *src, size_t size);
/* A path or name: 0, -EFAULT, -ENAMETOOLONG. */
int lx_string(struct lx_call *c, char *dst, uint64_t src, size_t max);
/* A NULL-terminated vector of strings, freed by lx_strings_free; `budget` bytes at most in all,
 * else -E2BIG. A NULL vector is empty. */
int lx_strings(struct lx_call *c, uint64_t vector, size_t budget, char ***out);
void lx_strings_free(char **strings);

/* Guest buffers as host iovecs. */
struct lx_range {
    uint64_t address, size;
};
struct lx_pinned {
    struct blink_plugin *abi;
    struct blink_mem *mem;
    uint32_t access;
    uint32_t count, ranges; /* used of the two arrays below */
    uint64_t size;          /* bytes covered */
    struct iovec *iov;
    struct lx_range *range;
    struct iovec small_iov[8];
    struct lx_range small_range[8];
    void *heap;
};
/* Filled by lx_buffer and lx_buffer_iov, see arg.h. */
void lx_unpin(struct lx_pinned *p);

/* A blocking host call. */
#define LX_SYSCALL(c, number, a0, a1, a2, a3, a4, a5)                                              \
  ((c)->abi->exec.syscall((c)->cpu, number, (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2),        \
                          (uint64_t)(a3), (uint64_t)(a4), (uint64_t)(a5)))
/* -errno of a libc call's result, or the result. */
static inline int64_t lx_result(int64_t rc) {
    return rc < 0 ? -errno : rc;
}

/* ---- path.c: names of files ---- */

#define LX_FOLLOW   0u /* the last component, if a symbolic link, is followed */
#define LX_NOFOLLOW 1u
struct lx_path {
    int dirfd;                   /* as the guest gave it, or AT_FDCWD */
    char name[LX_PATH_MAX + 16]; /* for the host */
};
/* The guest's (dirfd, path) for the host: under --root, and with /proc/self/exe being the
 * guest's. */
int lx_path(struct lx_call *c, int32_t dirfd, uint64_t path, uint32_t flags, struct lx_path *out);
int lx_path_text(struct blink_plugin *abi, int32_t dirfd, const char *text, uint32_t flags,
                 struct lx_path *out);
/* The host's absolute path as the guest sees it: a pointer into `host`, or NULL outside of the
 * root. */
const char *lx_guest_name(const struct blink_plugin *abi, const char *host);
/* The file of /proc/self that blink must answer itself: "exe", "maps"... or NULL. */
const char *lx_proc_self(const char *path);
/* The same of what (dirfd, text) means, from the guest's current folder; `folder` is the host's
 * that has its own file of that name. */
#define LX_PROC_FOLDER 64
const char *lx_path_self(struct blink_plugin *abi, int32_t dirfd, const char *text,
                         char folder[LX_PROC_FOLDER]);
/* Open one of those: a descriptor, -errno, or -ENOENT if `file` is not among them. */
int lx_proc_open(struct lx_call *c, const char *file, const char *folder, int flags);
/* The program of another process, as its guest names it, if that is known and the absolute path
 * is its /proc/PID/exe: 0 or -ENOENT. */
int lx_proc_program(const char *path, char *out, size_t size);

/* ---- show.c: what /proc shows others of this process, and this one of others ---- */
void lx_show(struct blink_plugin *self, struct blink_cpu *cpu);
int lx_program_of(long pid, char *out, size_t size);

/* ---- layers.c: the guest's file tree ---- */
/* From --root and BLINK_OVERLAYS, each NULL if not given. -errno after a line that says why. */
int lx_layers_init(struct blink_plugin *abi, const char *root, const char *overlays);
void lx_layers_finish(struct blink_plugin *abi);
/* What threads see. */
static inline struct lx_layers *lx_layers_now(const struct blink_plugin *abi) {
    return __atomic_load_n(&abi->layers, __ATOMIC_ACQUIRE);
}

/* ---- arg.c, shm.c: what the instance holds for them ---- */
void lx_nowhere_finish(struct blink_plugin *abi);
void lx_shm_finish(struct blink_plugin *abi);

/* ---- open.c ---- */
int lx_open_flags(uint64_t guest);
uint64_t lx_open_flags_back(int host);

/* ---- stat.c ---- */
struct stat;
void lx_stat_convert(const struct stat *st, struct g_stat *out);

/* ---- signal.c ---- */

/* sigaltstack as a handler's frame restores it: a bad one changes nothing. */
void lx_altstack_restore(struct lx_thread *t, const struct g_stack *stack);
/* Set the guest's mask here and on the host. */
void lx_set_mask(struct lx_thread *t, uint64_t mask);
/* Use `mask` until the call ends or a handler's frame has saved the old one. */
void lx_borrow_mask(struct lx_thread *t, uint64_t mask);
/* End of a call that borrowed: unless it was interrupted the old mask rules again. */
void lx_return_mask(struct lx_thread *t, int64_t result);
/* Deliver what is pending. `call` is the call that has just ended with `result`, or NULL. Returns
 * BLINK_ABI_*. */
uint32_t lx_deliver(struct lx_thread *t, const struct lx_call *call, int64_t result);
/* Send a signal with this siginfo (128 bytes) to the calling thread. */
void lx_requeue(int signo, const void *info);
/* A fault of the guest: its handler runs, or it dies. Returns BLINK_ABI_*. */
uint32_t lx_force_signal(struct lx_thread *t, int signo, const siginfo_t *info);
bool lx_on_altstack(const struct lx_thread *t, uint64_t sp);

/* ---- fault.c ---- */
uint32_t lx_fault(struct blink_plugin *self, struct blink_cpu *cpu);
uint32_t lx_interrupt(struct blink_plugin *self, struct blink_cpu *cpu);

/* ---- frame.c ---- */
struct lx_frame {
    int signo;
    const void *info; /* 128 bytes */
    struct g_sigaction action;
    uint64_t saved_mask;
};
/* Build the frame and point the CPU at the handler; -EFAULT if the stack cannot hold it. */
int lx_frame_push(struct lx_thread *t, const struct lx_frame *frame);
/* Undo it; -EFAULT for a bad frame. The mask is in *mask. */
int lx_frame_pop(struct lx_thread *t, uint64_t *mask);

/* ---- start.c ---- */
int lx_start(struct blink_plugin *self, struct blink_cpu *cpu, const struct blink_start *start);
void lx_identity_finish(struct lx_identity *id);
uint64_t lx_stack_limit(void);

/* ---- thread.c, clone.c ---- */
/* The record of the first thread, or of one that begins as `maker`'s does; with handlers of its own
 * or the maker's. NULL without memory. */
struct lx_thread *lx_thread_create(struct blink_plugin *abi, struct blink_cpu *cpu);
struct lx_thread *lx_thread_copy(struct lx_thread *maker, bool own_handlers);
void lx_thread_free(struct lx_thread *t);
/* In the child of a fork, with the lock held: the other threads are not there. */
void lx_threads_forget(struct lx_thread *self);
int lx_thread_begin(struct blink_plugin *self, struct blink_cpu *cpu, void *arg);
void lx_thread_end(struct blink_plugin *self, struct blink_cpu *cpu);
/* What clone() is asked for. */
struct lx_request {
    uint64_t flags, sp, parent_tid, child_tid, tls, pidfd;
    int exit_signal;
};
/* clone() with CLONE_VM: a thread with CLONE_THREAD, else a process. */
int64_t lx_clone_thread(struct lx_call *c, const struct lx_request *q);
/* Handlers become the default action, what is ignored stays: CLONE_CLEAR_SIGHAND. */
void lx_clear_handlers(struct lx_thread *t);

/* ---- exec.c ---- */
void lx_exec_free(struct lx_exec *exec);

/* ---- futex.c ---- */
/* Wake one or all waiters of the word at a guest address; errors are of no interest. */
void lx_futex_wake(struct lx_thread *t, uint64_t address, int count);

/* ---- strace.c ---- */

/* As dispatch, with a line of the trace. */
int64_t lx_trace_call(struct lx_call *c);
void lx_trace_signal(struct lx_thread *t, const siginfo_t *info);
void lx_trace_killed(struct lx_thread *t, int signo);
void lx_trace_exited(struct lx_thread *t, int status);
/* A line of its own: "name(args) = ? before a call that will not come back. */
void lx_trace_gone(struct lx_call *c);

#endif
