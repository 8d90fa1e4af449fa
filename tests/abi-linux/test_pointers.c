/*
 * Every pointer argument of every call of syscalls.def, bad in every way, against this machine's
 * kernel: each call is made natively and by a guest with the same descriptors, the same memory at
 * the same addresses and the same arguments, each in a child process, and must end alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "linux.h"

#define SUBJECT 100 /* the descriptor that calls work on */
#define HUNG    INT64_C(0x7777777777)

/* Where things are in GOOD memory. */
enum {
    PATH_AT = 0x100,
    IOV_AT = 0x200,       /* two good entries */
    IOV_BAD_AT = 0x240,   /* good, unmapped */
    IOV_WORSE_AT = 0x280, /* unmapped, good */
    MSG_AT = 0x300,
    STRUCT_AT = 0x1000, /* a structure of zeros for each argument, 0x400 apart */
    DATA_AT = 0x4000,
};

/* Calls that end, hang or change the test itself or the machine, and those whose arguments are
 * addresses of mappings: these have tests of their own. */
static const char *const excluded[] = {
    "exit",
    "exit_group",
    "fork",
    "vfork",
    "clone",
    "clone3",
    "execve",
    "execveat",
    "kill",
    "tkill",
    "tgkill",
    "pause",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "brk",
    "madvise",
    "mincore",
    "msync",
    "mlock",
    "mlock2",
    "munlock",
    "remap_file_pages",
    "mseal",
    "process_madvise",
    "futex",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "futex_requeue",
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "arch_prctl",
    "prctl",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "shmat",
    "shmdt",
    "sigaltstack",
    "membarrier",
    "syslog",
    "sched_setattr",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigpending",
    "rt_sigtimedwait",
};

static bool is_excluded(const char *name) {
    for (size_t k = 0; k < sizeof excluded / sizeof excluded[0]; k++)
        if (!strcmp(name, excluded[k]))
            return true;
    return false;
}

/* Arguments that are not what their kind alone would give. */
static const struct {
    const char *name;
    int arg;
    uint64_t value;
} special[] = {
    {"openat2", 3, 24},
    {"ppoll", 4, 8},
    {"epoll_pwait", 5, 8},
    {"epoll_pwait2", 5, 8},
    {"signalfd", 2, 8},
    {"signalfd4", 2, 8},
    {"ioctl", 1, 0x5401},
    {"fcntl", 1, F_GETLK},
    {"getsockopt", 1, SOL_SOCKET},
    {"getsockopt", 2, SO_TYPE},
    {"setsockopt", 1, SOL_SOCKET},
    {"setsockopt", 2, SO_REUSEADDR},
    {"setsockopt", 4, 4},
    {"socketpair", 0, AF_UNIX},
    {"socketpair", 1, SOCK_STREAM},
    {"connect", 2, 16},
    {"bind", 2, 16},
    {"sendto", 5, 16},
    {"epoll_ctl", 1, EPOLL_CTL_ADD},
    {"epoll_ctl", 2, 0},
    {"mknod", 1, S_IFIFO},
    {"select", 0, 101},
    {"pselect6", 0, 101},
    {"utimensat", 0, (uint64_t)AT_FDCWD},
};

/* More commands for the calls that have them: each is run with all pointers, too. */
static const struct {
    const char *name;
    int arg;
    uint64_t value;
} variants[] = {
    {"ioctl", 1, 0x5402},
    {"ioctl", 1, 0x5413},
    {"ioctl", 1, 0x5414},
    {"ioctl", 1, 0x541b},
    {"ioctl", 1, 0x5421},
    {"ioctl", 1, 0x5451},
    {"ioctl", 1, 0x540f},
    {"ioctl", 1, 0x5410},
    {"ioctl", 1, 0x8912},
    {"ioctl", 1, 0x8913},
    {"ioctl", 1, 0x80086601},
    {"ioctl", 1, 0xdeadbeef},
    {"fcntl", 1, F_SETLK},
    {"fcntl", 1, F_OFD_GETLK},
    {"fcntl", 1, F_GETOWN_EX},
    {"fcntl", 1, F_SETOWN_EX},
    {"fcntl", 1, F_GETFL},
    {"fcntl", 1, 999},
    {"fcntl", 1, 17},
    {"fcntl", 1, 1035},
    {"fcntl", 1, F_GETPIPE_SZ},
    {"getsockopt", 2, SO_PEERCRED},
    {"getsockopt", 2, SO_LINGER},
    {"getsockopt", 2, 999},
    {"setsockopt", 2, SO_RCVTIMEO},
    {"setsockopt", 2, SO_ATTACH_FILTER},
    {"setsockopt", 4, 2},
    {"setsockopt", 4, (uint32_t)-1},
    {"recvfrom", 3, MSG_PEEK | MSG_DONTWAIT},
    {"epoll_ctl", 1, EPOLL_CTL_DEL},
    {"open", 1, O_RDWR | O_CREAT},
    {"openat", 2, O_RDWR | O_CREAT | O_EXCL},
    {"faccessat2", 3, 0x200},
    {"newfstatat", 3, 0x1000},
    {"statx", 2, 0x1000},
    {"fchownat", 4, 0x1000},
    {"linkat", 4, 0x1000},
    {"semctl", 2, 2 /* IPC_STAT */},
    {"semctl", 2, 3 /* IPC_INFO */},
    {"shmctl", 1, 3},
    {"msgctl", 1, 3},
    {"timerfd_settime", 1, 1},
    {"clock_nanosleep", 1, 1},
    {"read", 2, 0},
    {"write", 2, 0},
    {"read", 2, UINT64_MAX},
    {"write", 2, UINT64_MAX},
    {"read", 2, 0x100000},
    {"getdents64", 2, 0x1000},
    {"getdents", 2, 0x1000},
    {"getdents64", 2, 16},
    {"getdents", 2, 16},
    {"preadv", 2, 2},
    {"pwritev", 2, 2000},
    {"readv", 2, 0},
    {"poll", 1, 0},
    {"poll", 1, UINT32_MAX},
    {"epoll_wait", 2, 0},
    {"epoll_wait", 2, INT32_MAX},
    {"getgroups", 0, 100},
    {"getgroups", 0, 0},
    {"accept", 1, 0},
    {"fgetxattr", 3, 0},
    {"getcwd", 1, 2},
    {"memfd_create", 1, 99},
    {"select", 0, (uint32_t)-1},
    {"signalfd4", 3, 99},
};

/* ---- the two worlds ---- */

struct shared {
    int64_t result;
};

static struct shared *shared;
static struct guest *guest;
static char folder[PATH_MAX];

static void write_both(uint64_t offset, const void *bytes, size_t size) {
    memcpy((void *)(GOOD + offset), bytes, size);
    guest_put(guest, offset, bytes, size);
}

static void fill_memory(void) {
    const uint64_t good[4] = {GOOD + DATA_AT, 8, GOOD + DATA_AT + 64, 8};
    const uint64_t bad[4] = {GOOD + DATA_AT, 8, NOTHING, 8};
    const uint64_t worse[4] = {NOTHING, 8, GOOD + DATA_AT, 8};
    uint64_t msg[7] = {0};
    msg[2] = GOOD + IOV_AT;
    msg[3] = 2;
    write_both(PATH_AT, "file", 5);
    write_both(IOV_AT, good, sizeof good);
    write_both(IOV_BAD_AT, bad, sizeof bad);
    write_both(IOV_WORSE_AT, worse, sizeof worse);
    write_both(MSG_AT, msg, sizeof msg);
}

static int setup(void **state) {
    void *p = mmap((void *)GOOD, GOOD_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(p, (void *)GOOD);
    p = mmap((void *)READONLY, BLINK_PAGE_SIZE, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(p, (void *)READONLY);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_folder(folder, sizeof folder);
    assert_int_equal(chdir(folder), 0);
    guest = guest_create(NULL, NULL);
    fill_memory();
    *state = NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    guest_destroy(guest);
    assert_int_equal(chdir("/"), 0);
    guest_remove(folder);
    return 0;
}

/* ---- descriptors ---- */

static int regular(void) {
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ssize_t n = write(fd, "some words in a file", 20);
    lseek(fd, 0, SEEK_SET);
    return n == 20 ? fd : -1;
}

static int folder_fd(void) {
    return open(".", O_RDONLY | O_DIRECTORY);
}

static int pipe_out(void) {
    int fd[2];
    return pipe(fd) == 0 && write(fd[1], "words", 5) == 5 ? fd[0] : -1;
}

static int pipe_in(void) {
    int fd[2];
    return pipe(fd) == 0 ? fd[1] : -1;
}

static int stream(void) {
    int fd[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && write(fd[1], "words", 5) == 5 ? fd[0]
                                                                                         : -1;
}

static int datagram(void) {
    int fd[2];
    return socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0 &&
                   write(fd[1], "words and more words", 20) == 20
               ? fd[0]
               : -1;
}

static int internet(void) {
    return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}

static int epoll(void) {
    return epoll_create1(0);
}

static int ready_epoll(void) {
    int fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
    return epoll_ctl(fd, EPOLL_CTL_ADD, eventfd(1, 0), &event) == 0 ? fd : -1;
}

static int event(void) {
    return eventfd(1, EFD_NONBLOCK);
}

static int timer(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
}

static int signals(void) {
    sigset_t set;
    sigemptyset(&set);
    return signalfd(-1, &set, SFD_NONBLOCK);
}

static int watch(void) {
    int fd = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(fd, ".", IN_ALL_EVENTS);
    close(open("file", O_RDONLY));
    return fd;
}

static int terminal(void) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    return fd >= 0 && unlockpt(fd) == 0 ? fd : -1;
}

static int none(void) {
    return -1;
}

static const struct {
    const char *name;
    int (*make)(void);
} kinds[] = {
    {"file", regular},      {"folder", folder_fd},  {"pipe", pipe_out},
    {"pipe end", pipe_in},  {"stream", stream},     {"datagram", datagram},
    {"internet", internet}, {"epoll", epoll},       {"ready epoll", ready_epoll},
    {"event", event},       {"timer", timer},       {"signals", signals},
    {"inotify", watch},     {"terminal", terminal}, {"none", none},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- one call ---- */

/* In a child with its own descriptors; what it does to files is undone by the next. */
static int64_t run(size_t kind, bool native, uint32_t number, const uint64_t a[6]) {
    shared->result = HUNG;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = kinds[kind].make();
        if (fd >= 0)
            dup2(fd, SUBJECT);
        struct itimerval limit = {.it_value.tv_usec = 100000};
        setitimer(ITIMER_REAL, &limit, NULL);
        int64_t rc;
        if (native) {
            rc = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
            rc = rc == -1 ? -errno : rc;
        } else {
            rc = guest_call(guest, number, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
        shared->result = rc;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return shared->result;
}

static bool alike(int64_t a, int64_t b) {
    return a < 0 || b < 0 ? a == b : (a == HUNG) == (b == HUNG);
}

static uint32_t failures, runs;

static void both(size_t kind, uint32_t number, const uint64_t a[6]) {
    close(open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    int64_t native = run(kind, true, number, a);
    /* Names that the call made are in the way of the second. */
    unlink("made");
    int64_t guests = run(kind, false, number, a);
    unlink("made");
    runs++;
    if (alike(native, guests))
        return;
    failures++;
    print_message("%s(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx) on %s: native %lld, guest %lld\n",
                  lx_rows[number].name, (unsigned long long)a[0], (unsigned long long)a[1],
                  (unsigned long long)a[2], (unsigned long long)a[3], (unsigned long long)a[4],
                  (unsigned long long)a[5], kinds[kind].name, (long long)native, (long long)guests);
}

/* ---- arguments ---- */

static bool is_pointer(uint8_t kind) {
    switch (kind) {
    case A_NONE:
    case A_INT:
    case A_UINT:
    case A_LONG:
    case A_SIZE:
    case A_HEX:
    case A_MODE:
    case A_DEV:
    case A_FD:
    case A_ATFD:
    case A_PID:
    case A_UID: return false;
    case A_SOCKOPT: return false;
    default: break;
    }
#define LX_KIND(name, printer, when)
#define LX_KIND_FLAGS(name, table)                                                                 \
  if (kind == name)                                                                                \
    return false;
#define LX_KIND_ENUM(name, table) LX_KIND_FLAGS(name, table)
#include "kinds.def"
#undef LX_KIND
#undef LX_KIND_FLAGS
#undef LX_KIND_ENUM
    return kind != A_FUTEXOP;
}

static uint64_t usual(uint8_t kind, int arg) {
    switch (kind) {
    case A_FD: return SUBJECT;
    case A_ATFD: return (uint64_t)(int64_t)AT_FDCWD;
    case A_PATH:
    case A_STR: return GOOD + PATH_AT;
    case A_IOVEC:
    case A_OIOVEC: return GOOD + IOV_AT;
    case A_MSGHDR:
    case A_OMSGHDR: return GOOD + MSG_AT;
    case A_SIZE: return 64;
    case A_INT:
    case A_UINT: return 1;
    default: return is_pointer(kind) ? GOOD + STRUCT_AT + 0x400u * (uint32_t)arg : 0;
    }
}

static const uint64_t bad[] = {
    0,
    NOTHING,
    READONLY,
    GOOD_END - 4,
    READONLY + 4096 - 4,
    UINT64_C(0x800000000000),
    UINT64_C(0xfffffffffffff000),
    UINT64_C(0x7fffffffeff0),
};
#define BAD (sizeof bad / sizeof bad[0])

/* All pointers good, and each of them bad in each way. */
static void each_pointer(size_t kind, uint32_t number, uint64_t a[6]) {
    const struct lx_row *row = &lx_rows[number];
    both(kind, number, a);
    for (int arg = 0; arg < row->args; arg++) {
        if (!is_pointer(row->arg[arg]))
            continue;
        uint64_t good = a[arg];
        for (size_t k = 0; k < BAD; k++) {
            a[arg] = bad[k];
            both(kind, number, a);
        }
        if (row->arg[arg] == A_IOVEC || row->arg[arg] == A_OIOVEC) {
            a[arg] = GOOD + IOV_BAD_AT;
            both(kind, number, a);
            a[arg] = GOOD + IOV_WORSE_AT;
            both(kind, number, a);
        }
        a[arg] = good;
    }
}

static void each_kind(uint32_t number, uint64_t a[6]) {
    const struct lx_row *row = &lx_rows[number];
    bool on_fd = false;
    for (int arg = 0; arg < row->args; arg++)
        on_fd |= row->arg[arg] == A_FD;
    for (size_t kind = 0; kind < (on_fd ? KINDS : 1); kind++)
        each_pointer(kind, number, a);
}

static void usual_args(uint32_t number, uint64_t a[6]) {
    const struct lx_row *row = &lx_rows[number];
    memset(a, 0, 6 * sizeof a[0]);
    for (int arg = 0; arg < row->args; arg++)
        a[arg] = usual(row->arg[arg], arg);
    for (size_t k = 0; k < sizeof special / sizeof special[0]; k++)
        if (!strcmp(special[k].name, row->name))
            a[special[k].arg] = special[k].value;
}

static bool has_pointer(const struct lx_row *row) {
    bool found = false;
    for (int arg = 0; arg < row->args; arg++)
        found |= is_pointer(row->arg[arg]);
    return found;
}

static void every_call(void **state) {
    (void)state;
    const char *only = getenv("ONLY");
    for (uint32_t number = 0; number < LX_SYSCALL_MAX; number++) {
        const struct lx_row *row = &lx_rows[number];
        uint64_t a[6];
        if (!row->name || !row->handler || is_excluded(row->name) || !has_pointer(row))
            continue;
        if (only && strcmp(only, row->name))
            continue;
        usual_args(number, a);
        each_kind(number, a);
        for (size_t k = 0; k < sizeof variants / sizeof variants[0]; k++) {
            if (strcmp(variants[k].name, row->name))
                continue;
            usual_args(number, a);
            a[variants[k].arg] = variants[k].value;
            each_kind(number, a);
        }
    }
    print_message("# %u calls\n", runs);
    assert_int_equal(failures, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call, setup, teardown),
    };
    return cmocka_run_group_tests_name("abi-linux pointers", tests, NULL, NULL);
}
