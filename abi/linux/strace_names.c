/*
 * Names of flags and constants for the trace. The values are the guest's; where the host's headers
 * have the same for every host, theirs are used. No state.
 */
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "strace.h"

#define WHOLE UINT64_C(0xffffffff)
#define F(x)                                                                                       \
  { (uint32_t)(x), (uint32_t)(x), #x } /* a flag */
#define Z(x)                                                                                       \
  { 0, WHOLE, #x } /* no flag at all */
#define E(x)                                                                                       \
  { (uint32_t)(x), WHOLE, #x } /* a constant */
#define V(v, text)                                                                                 \
  { (uint32_t)(v), WHOLE, text }
#define B(v, text)                                                                                 \
  { (uint32_t)(v), (uint32_t)(v), text }
#define M(v, m, text)                                                                              \
  { v, m, text }
#define TABLE(name) const struct lx_name lx_names_##name[]
#define END                                                                                        \
  { 0, 0, NULL }

/* ---- files ---- */

TABLE(open) = {
    M(0, 3, "O_RDONLY"),
    M(1, 3, "O_WRONLY"),
    M(2, 3, "O_RDWR"),
    B(0100, "O_CREAT"),
    B(0200, "O_EXCL"),
    B(0400, "O_NOCTTY"),
    B(01000, "O_TRUNC"),
    B(02000, "O_APPEND"),
    B(04000, "O_NONBLOCK"),
    B(04010000, "O_SYNC"),
    B(010000, "O_DSYNC"),
    B(020000, "O_ASYNC"),
    B(G_O_DIRECT, "O_DIRECT"),
    B(G_O_LARGEFILE, "O_LARGEFILE"),
    B(020200000, "O_TMPFILE"),
    B(G_O_DIRECTORY, "O_DIRECTORY"),
    B(G_O_NOFOLLOW, "O_NOFOLLOW"),
    B(01000000, "O_NOATIME"),
    B(02000000, "O_CLOEXEC"),
    B(010000000, "O_PATH"),
    END,
};
TABLE(at) = {
    F(AT_SYMLINK_NOFOLLOW),
    B(0x200, "AT_REMOVEDIR"),
    F(AT_SYMLINK_FOLLOW),
    F(AT_NO_AUTOMOUNT),
    F(AT_EMPTY_PATH),
    B(0x2000, "AT_STATX_FORCE_SYNC"),
    B(0x4000, "AT_STATX_DONT_SYNC"),
    END,
};
TABLE(access) = {Z(F_OK), F(R_OK), F(W_OK), F(X_OK), END};
TABLE(seek) = {E(SEEK_SET), E(SEEK_CUR), E(SEEK_END), E(SEEK_DATA), E(SEEK_HOLE), END};
TABLE(fcntl) = {
    E(F_DUPFD),         E(F_GETFD),
    E(F_SETFD),         E(F_GETFL),
    E(F_SETFL),         E(F_GETLK),
    E(F_SETLK),         E(F_SETLKW),
    E(F_SETOWN),        E(F_GETOWN),
    E(F_SETSIG),        E(F_GETSIG),
    E(F_SETOWN_EX),     E(F_GETOWN_EX),
    E(F_OFD_GETLK),     E(F_OFD_SETLK),
    E(F_OFD_SETLKW),    E(F_SETLEASE),
    E(F_GETLEASE),      E(F_NOTIFY),
    E(F_DUPFD_CLOEXEC), E(F_SETPIPE_SZ),
    E(F_GETPIPE_SZ),    E(F_ADD_SEALS),
    E(F_GET_SEALS),     END,
};
TABLE(fdflags) = {F(FD_CLOEXEC), END};
TABLE(flock) = {F(LOCK_SH), F(LOCK_EX), F(LOCK_UN), F(LOCK_NB), END};
TABLE(rename) = {B(1, "RENAME_NOREPLACE"), B(2, "RENAME_EXCHANGE"), B(4, "RENAME_WHITEOUT"), END};
TABLE(falloc) = {
    B(1, "FALLOC_FL_KEEP_SIZE"),
    B(2, "FALLOC_FL_PUNCH_HOLE"),
    B(8, "FALLOC_FL_COLLAPSE_RANGE"),
    B(16, "FALLOC_FL_ZERO_RANGE"),
    B(32, "FALLOC_FL_INSERT_RANGE"),
    B(64, "FALLOC_FL_UNSHARE_RANGE"),
    END,
};
TABLE(splice) = {
    F(SPLICE_F_MOVE), F(SPLICE_F_NONBLOCK), F(SPLICE_F_MORE), F(SPLICE_F_GIFT), END,
};
TABLE(rwf) = {
    B(1, "RWF_HIPRI"),  B(2, "RWF_DSYNC"),   B(4, "RWF_SYNC"),
    B(8, "RWF_NOWAIT"), B(16, "RWF_APPEND"), END,
};
TABLE(syncrange) = {
    F(SYNC_FILE_RANGE_WAIT_BEFORE),
    F(SYNC_FILE_RANGE_WRITE),
    F(SYNC_FILE_RANGE_WAIT_AFTER),
    END,
};
TABLE(fadv) = {
    E(POSIX_FADV_NORMAL),
    E(POSIX_FADV_RANDOM),
    E(POSIX_FADV_SEQUENTIAL),
    E(POSIX_FADV_WILLNEED),
    E(POSIX_FADV_DONTNEED),
    E(POSIX_FADV_NOREUSE),
    END,
};
TABLE(xattr) = {F(XATTR_CREATE), F(XATTR_REPLACE), END};
TABLE(statxmask) = {
    M(0xfff, 0xfff, "STATX_ALL"),
    M(0x7ff, 0x7ff, "STATX_BASIC_STATS"),
    F(STATX_TYPE),
    F(STATX_MODE),
    F(STATX_NLINK),
    F(STATX_UID),
    F(STATX_GID),
    F(STATX_ATIME),
    F(STATX_MTIME),
    F(STATX_CTIME),
    F(STATX_INO),
    F(STATX_SIZE),
    F(STATX_BLOCKS),
    F(STATX_BTIME),
    B(0x1000, "STATX_MNT_ID"),
    END,
};
TABLE(closerange) = {F(CLOSE_RANGE_UNSHARE), F(CLOSE_RANGE_CLOEXEC), END};
TABLE(mount) = {
    F(MS_RDONLY),      F(MS_NOSUID),
    F(MS_NODEV),       F(MS_NOEXEC),
    F(MS_SYNCHRONOUS), F(MS_REMOUNT),
    F(MS_MANDLOCK),    F(MS_DIRSYNC),
    F(MS_NOATIME),     F(MS_NODIRATIME),
    F(MS_BIND),        F(MS_MOVE),
    F(MS_REC),         F(MS_SILENT),
    F(MS_UNBINDABLE),  F(MS_PRIVATE),
    F(MS_SLAVE),       F(MS_SHARED),
    F(MS_RELATIME),    F(MS_STRICTATIME),
    F(MS_LAZYTIME),    END,
};
TABLE(umount) = {
    B(1, "MNT_FORCE"), B(2, "MNT_DETACH"), B(4, "MNT_EXPIRE"), B(8, "UMOUNT_NOFOLLOW"), END,
};
TABLE(ioctl) = {
    E(TCGETS),
    E(TCSETS),
    E(TCSETSW),
    E(TCSETSF),
    E(TCGETA),
    E(TCSETA),
    E(TCSETAW),
    E(TCSETAF),
    E(TCSBRK),
    E(TCXONC),
    E(TCFLSH),
    E(TIOCEXCL),
    E(TIOCNXCL),
    E(TIOCSCTTY),
    E(TIOCGPGRP),
    E(TIOCSPGRP),
    E(TIOCOUTQ),
    E(TIOCSTI),
    E(TIOCGWINSZ),
    E(TIOCSWINSZ),
    E(TIOCMGET),
    E(TIOCMBIS),
    E(TIOCMBIC),
    E(TIOCMSET),
    E(FIONREAD),
    E(TIOCCONS),
    E(FIONBIO),
    E(TIOCNOTTY),
    E(TIOCSETD),
    E(TIOCGETD),
    E(TCSBRKP),
    E(TIOCSBRK),
    E(TIOCCBRK),
    E(TIOCGSID),
    E(TIOCGPTN),
    E(TIOCSPTLCK),
    V(0x5441, "TIOCGPTPEER"),
    E(FIONCLEX),
    E(FIOCLEX),
    E(FIOASYNC),
    E(FIOQSIZE),
    V(0x8901, "FIOSETOWN"),
    V(0x8903, "FIOGETOWN"),
    V(0x8905, "SIOCATMARK"),
    V(0x8910, "SIOCGIFNAME"),
    V(0x8912, "SIOCGIFCONF"),
    V(0x8913, "SIOCGIFFLAGS"),
    V(0x8915, "SIOCGIFADDR"),
    V(0x8919, "SIOCGIFBRDADDR"),
    V(0x891b, "SIOCGIFNETMASK"),
    V(0x8921, "SIOCGIFMTU"),
    V(0x8927, "SIOCGIFHWADDR"),
    V(0x8933, "SIOCGIFINDEX"),
    V(0x40049409, "FICLONE"),
    V(0x1268, "BLKSSZGET"),
    V(0x80081272, "BLKGETSIZE64"),
    V(0x80086601, "FS_IOC_GETFLAGS"),
    V(0x40086602, "FS_IOC_SETFLAGS"),
    END,
};

/* ---- memory ---- */

TABLE(prot) = {
    Z(PROT_NONE),
    F(PROT_READ),
    F(PROT_WRITE),
    F(PROT_EXEC),
    B(0x01000000, "PROT_GROWSDOWN"),
    B(0x02000000, "PROT_GROWSUP"),
    END,
};
TABLE(map) = {
    M(1, 15, "MAP_SHARED"),
    M(2, 15, "MAP_PRIVATE"),
    M(3, 15, "MAP_SHARED_VALIDATE"),
    B(G_MAP_FIXED, "MAP_FIXED"),
    B(G_MAP_ANONYMOUS, "MAP_ANONYMOUS"),
    B(G_MAP_32BIT, "MAP_32BIT"),
    B(G_MAP_GROWSDOWN, "MAP_GROWSDOWN"),
    B(0x800, "MAP_DENYWRITE"),
    B(0x1000, "MAP_EXECUTABLE"),
    B(G_MAP_LOCKED, "MAP_LOCKED"),
    B(G_MAP_NORESERVE, "MAP_NORESERVE"),
    B(G_MAP_POPULATE, "MAP_POPULATE"),
    B(0x10000, "MAP_NONBLOCK"),
    B(0x20000, "MAP_STACK"),
    B(G_MAP_HUGETLB, "MAP_HUGETLB"),
    B(0x80000, "MAP_SYNC"),
    B(G_MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"),
    END,
};
TABLE(mremap) = {
    B(1, "MREMAP_MAYMOVE"),
    B(2, "MREMAP_FIXED"),
    B(4, "MREMAP_DONTUNMAP"),
    END,
};
TABLE(msync) = {F(MS_ASYNC), F(MS_INVALIDATE), F(MS_SYNC), END};
TABLE(mlockall) = {F(MCL_CURRENT), F(MCL_FUTURE), F(MCL_ONFAULT), END};
TABLE(madv) = {
    E(MADV_NORMAL),
    E(MADV_RANDOM),
    E(MADV_SEQUENTIAL),
    E(MADV_WILLNEED),
    E(MADV_DONTNEED),
    E(MADV_FREE),
    E(MADV_REMOVE),
    E(MADV_DONTFORK),
    E(MADV_DOFORK),
    E(MADV_MERGEABLE),
    E(MADV_UNMERGEABLE),
    E(MADV_HUGEPAGE),
    E(MADV_NOHUGEPAGE),
    E(MADV_DONTDUMP),
    E(MADV_DODUMP),
    E(MADV_WIPEONFORK),
    E(MADV_KEEPONFORK),
    E(MADV_COLD),
    E(MADV_PAGEOUT),
    V(22, "MADV_POPULATE_READ"),
    V(23, "MADV_POPULATE_WRITE"),
    END,
};
TABLE(mfd) = {F(MFD_CLOEXEC), F(MFD_ALLOW_SEALING), F(MFD_HUGETLB), END};
TABLE(grnd) = {F(GRND_NONBLOCK), F(GRND_RANDOM), B(4, "GRND_INSECURE"), END};
TABLE(membarrier) = {
    V(0, "MEMBARRIER_CMD_QUERY"),
    V(1, "MEMBARRIER_CMD_GLOBAL"),
    V(2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"),
    V(4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"),
    V(8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"),
    V(16, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"),
    V(32, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"),
    V(64, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"),
    END,
};

/* ---- processes ---- */

TABLE(clone) = {
    F(CLONE_VM),
    F(CLONE_FS),
    F(CLONE_FILES),
    F(CLONE_SIGHAND),
    F(CLONE_PIDFD),
    F(CLONE_PTRACE),
    F(CLONE_VFORK),
    F(CLONE_PARENT),
    F(CLONE_THREAD),
    F(CLONE_NEWNS),
    F(CLONE_SYSVSEM),
    F(CLONE_SETTLS),
    F(CLONE_PARENT_SETTID),
    F(CLONE_CHILD_CLEARTID),
    F(CLONE_DETACHED),
    F(CLONE_UNTRACED),
    F(CLONE_CHILD_SETTID),
    F(CLONE_NEWCGROUP),
    F(CLONE_NEWUTS),
    F(CLONE_NEWIPC),
    F(CLONE_NEWUSER),
    F(CLONE_NEWPID),
    F(CLONE_NEWNET),
    F(CLONE_IO),
    M(SIGCHLD, 0xff, "SIGCHLD"),
    END,
};
TABLE(wait) = {
    F(WNOHANG),     F(WUNTRACED), F(WEXITED),  F(WCONTINUED), F(WNOWAIT),
    F(__WNOTHREAD), F(__WALL),    F(__WCLONE), END,
};
TABLE(idtype) = {E(P_ALL), E(P_PID), E(P_PGID), V(3, "P_PIDFD"), END};
TABLE(resource) = {
    E(RLIMIT_CPU),
    E(RLIMIT_FSIZE),
    E(RLIMIT_DATA),
    E(RLIMIT_STACK),
    E(RLIMIT_CORE),
    E(RLIMIT_RSS),
    E(RLIMIT_NPROC),
    E(RLIMIT_NOFILE),
    E(RLIMIT_MEMLOCK),
    E(RLIMIT_AS),
    E(RLIMIT_LOCKS),
    E(RLIMIT_SIGPENDING),
    E(RLIMIT_MSGQUEUE),
    E(RLIMIT_NICE),
    E(RLIMIT_RTPRIO),
    E(RLIMIT_RTTIME),
    END,
};
TABLE(who) = {E(RUSAGE_SELF), E(RUSAGE_CHILDREN), E(RUSAGE_THREAD), END};
TABLE(prio) = {E(PRIO_PROCESS), E(PRIO_PGRP), E(PRIO_USER), END};
TABLE(sched) = {
    E(SCHED_OTHER),
    E(SCHED_FIFO),
    E(SCHED_RR),
    E(SCHED_BATCH),
    E(SCHED_IDLE),
    V(6, "SCHED_DEADLINE"),
    V(0x40000000, "SCHED_OTHER|SCHED_RESET_ON_FORK"),
    END,
};
TABLE(prctl) = {
    E(PR_SET_PDEATHSIG),
    E(PR_GET_PDEATHSIG),
    E(PR_GET_DUMPABLE),
    E(PR_SET_DUMPABLE),
    E(PR_GET_UNALIGN),
    E(PR_SET_UNALIGN),
    E(PR_GET_KEEPCAPS),
    E(PR_SET_KEEPCAPS),
    E(PR_GET_FPEMU),
    E(PR_SET_FPEMU),
    E(PR_GET_FPEXC),
    E(PR_SET_FPEXC),
    E(PR_GET_TIMING),
    E(PR_SET_TIMING),
    E(PR_SET_NAME),
    E(PR_GET_NAME),
    E(PR_GET_ENDIAN),
    E(PR_SET_ENDIAN),
    E(PR_GET_SECCOMP),
    E(PR_SET_SECCOMP),
    E(PR_CAPBSET_READ),
    E(PR_CAPBSET_DROP),
    E(PR_GET_TSC),
    E(PR_SET_TSC),
    E(PR_GET_SECUREBITS),
    E(PR_SET_SECUREBITS),
    E(PR_SET_TIMERSLACK),
    E(PR_GET_TIMERSLACK),
    E(PR_MCE_KILL),
    E(PR_MCE_KILL_GET),
    E(PR_SET_MM),
    E(PR_SET_PTRACER),
    E(PR_SET_CHILD_SUBREAPER),
    E(PR_GET_CHILD_SUBREAPER),
    E(PR_SET_NO_NEW_PRIVS),
    E(PR_GET_NO_NEW_PRIVS),
    E(PR_GET_TID_ADDRESS),
    E(PR_SET_THP_DISABLE),
    E(PR_GET_THP_DISABLE),
    E(PR_CAP_AMBIENT),
    E(PR_GET_SPECULATION_CTRL),
    E(PR_SET_SPECULATION_CTRL),
    V(0x53564d41, "PR_SET_VMA"),
    END,
};
TABLE(archprctl) = {
    V(G_ARCH_SET_GS, "ARCH_SET_GS"),       V(G_ARCH_SET_FS, "ARCH_SET_FS"),
    V(G_ARCH_GET_FS, "ARCH_GET_FS"),       V(G_ARCH_GET_GS, "ARCH_GET_GS"),
    V(G_ARCH_GET_CPUID, "ARCH_GET_CPUID"), V(G_ARCH_SET_CPUID, "ARCH_SET_CPUID"),
    V(0x3001, "ARCH_CET_STATUS"),          END,
};
TABLE(seccomp) = {
    V(0, "SECCOMP_SET_MODE_STRICT"),
    V(1, "SECCOMP_SET_MODE_FILTER"),
    V(2, "SECCOMP_GET_ACTION_AVAIL"),
    V(3, "SECCOMP_GET_NOTIF_SIZES"),
    END,
};

/* ---- signals ---- */

TABLE(signal) = {
    E(SIGHUP),         E(SIGINT),         E(SIGQUIT),        E(SIGILL),         E(SIGTRAP),
    E(SIGABRT),        E(SIGBUS),         E(SIGFPE),         E(SIGKILL),        E(SIGUSR1),
    E(SIGSEGV),        E(SIGUSR2),        E(SIGPIPE),        E(SIGALRM),        E(SIGTERM),
    E(SIGSTKFLT),      E(SIGCHLD),        E(SIGCONT),        E(SIGSTOP),        E(SIGTSTP),
    E(SIGTTIN),        E(SIGTTOU),        E(SIGURG),         E(SIGXCPU),        E(SIGXFSZ),
    E(SIGVTALRM),      E(SIGPROF),        E(SIGWINCH),       E(SIGIO),          E(SIGPWR),
    E(SIGSYS),         V(32, "SIGRTMIN"), V(33, "SIGRT_1"),  V(34, "SIGRT_2"),  V(35, "SIGRT_3"),
    V(36, "SIGRT_4"),  V(37, "SIGRT_5"),  V(38, "SIGRT_6"),  V(39, "SIGRT_7"),  V(40, "SIGRT_8"),
    V(41, "SIGRT_9"),  V(42, "SIGRT_10"), V(43, "SIGRT_11"), V(44, "SIGRT_12"), V(45, "SIGRT_13"),
    V(46, "SIGRT_14"), V(47, "SIGRT_15"), V(48, "SIGRT_16"), V(49, "SIGRT_17"), V(50, "SIGRT_18"),
    V(51, "SIGRT_19"), V(52, "SIGRT_20"), V(53, "SIGRT_21"), V(54, "SIGRT_22"), V(55, "SIGRT_23"),
    V(56, "SIGRT_24"), V(57, "SIGRT_25"), V(58, "SIGRT_26"), V(59, "SIGRT_27"), V(60, "SIGRT_28"),
    V(61, "SIGRT_29"), V(62, "SIGRT_30"), V(63, "SIGRT_31"), V(64, "SIGRT_32"), END,
};
TABLE(how) = {E(SIG_BLOCK), E(SIG_UNBLOCK), E(SIG_SETMASK), END};
TABLE(sa) = {
    B(G_SA_RESTORER, "SA_RESTORER"),
    B(G_SA_ONSTACK, "SA_ONSTACK"),
    B(G_SA_RESTART, "SA_RESTART"),
    B(G_SA_NODEFER, "SA_NODEFER"),
    B(G_SA_RESETHAND, "SA_RESETHAND"),
    B(G_SA_SIGINFO, "SA_SIGINFO"),
    B(G_SA_NOCLDSTOP, "SA_NOCLDSTOP"),
    B(G_SA_NOCLDWAIT, "SA_NOCLDWAIT"),
    END,
};
TABLE(ss) = {
    B(G_SS_ONSTACK, "SS_ONSTACK"),
    B(G_SS_DISABLE, "SS_DISABLE"),
    B(G_SS_AUTODISARM, "SS_AUTODISARM"),
    END,
};
/* Positive codes with their signal in the upper half. */
#define C(signo, x)                                                                                \
  { (uint64_t)(signo) << 32 | (uint32_t)(x), UINT64_MAX, #x }
TABLE(sigcode) = {
    C(0, SI_USER),
    C(0, SI_KERNEL),
    C(0, SI_QUEUE),
    C(0, SI_TIMER),
    C(0, SI_MESGQ),
    C(0, SI_ASYNCIO),
    C(0, SI_SIGIO),
    C(0, SI_TKILL),
    C(SIGILL, ILL_ILLOPC),
    C(SIGILL, ILL_ILLOPN),
    C(SIGILL, ILL_ILLADR),
    C(SIGILL, ILL_PRVOPC),
    C(SIGFPE, FPE_INTDIV),
    C(SIGFPE, FPE_INTOVF),
    C(SIGFPE, FPE_FLTDIV),
    C(SIGFPE, FPE_FLTOVF),
    C(SIGFPE, FPE_FLTUND),
    C(SIGFPE, FPE_FLTRES),
    C(SIGFPE, FPE_FLTINV),
    C(SIGFPE, FPE_FLTSUB),
    C(SIGSEGV, SEGV_MAPERR),
    C(SIGSEGV, SEGV_ACCERR),
    C(SIGBUS, BUS_ADRALN),
    C(SIGBUS, BUS_ADRERR),
    C(SIGBUS, BUS_OBJERR),
    C(SIGTRAP, TRAP_BRKPT),
    C(SIGTRAP, TRAP_TRACE),
    C(SIGCHLD, CLD_EXITED),
    C(SIGCHLD, CLD_KILLED),
    C(SIGCHLD, CLD_DUMPED),
    C(SIGCHLD, CLD_TRAPPED),
    C(SIGCHLD, CLD_STOPPED),
    C(SIGCHLD, CLD_CONTINUED),
    C(SIGIO, POLL_IN),
    C(SIGIO, POLL_OUT),
    C(SIGIO, POLL_MSG),
    C(SIGIO, POLL_ERR),
    C(SIGIO, POLL_PRI),
    C(SIGIO, POLL_HUP),
    END,
};

/* ---- waiting and clocks ---- */

TABLE(poll) = {
    F(POLLIN),   F(POLLPRI),    F(POLLOUT),    F(POLLERR),    F(POLLHUP),
    F(POLLNVAL), F(POLLRDNORM), F(POLLRDBAND), F(POLLWRNORM), F(POLLWRBAND),
    F(POLLMSG),  F(POLLRDHUP),  END,
};
TABLE(epoll) = {
    F(EPOLLIN),     F(EPOLLPRI),     F(EPOLLOUT),    F(EPOLLERR), F(EPOLLHUP),   F(EPOLLRDNORM),
    F(EPOLLRDBAND), F(EPOLLWRNORM),  F(EPOLLWRBAND), F(EPOLLMSG), F(EPOLLRDHUP), F(EPOLLEXCLUSIVE),
    F(EPOLLWAKEUP), F(EPOLLONESHOT), F(EPOLLET),     END,
};
TABLE(epollop) = {E(EPOLL_CTL_ADD), E(EPOLL_CTL_DEL), E(EPOLL_CTL_MOD), END};
TABLE(epollfl) = {F(EPOLL_CLOEXEC), END};
TABLE(eventfl) = {F(EFD_SEMAPHORE), F(EFD_CLOEXEC), F(EFD_NONBLOCK), END};
TABLE(tfdfl) = {F(TFD_CLOEXEC), F(TFD_NONBLOCK), END};
TABLE(sfdfl) = {F(SFD_CLOEXEC), F(SFD_NONBLOCK), END};
TABLE(infl) = {F(IN_CLOEXEC), F(IN_NONBLOCK), END};
TABLE(inmask) = {
    M(0xfff, 0xfff, "IN_ALL_EVENTS"),
    F(IN_ACCESS),
    F(IN_MODIFY),
    F(IN_ATTRIB),
    F(IN_CLOSE_WRITE),
    F(IN_CLOSE_NOWRITE),
    F(IN_OPEN),
    F(IN_MOVED_FROM),
    F(IN_MOVED_TO),
    F(IN_CREATE),
    F(IN_DELETE),
    F(IN_DELETE_SELF),
    F(IN_MOVE_SELF),
    F(IN_ONLYDIR),
    F(IN_DONT_FOLLOW),
    F(IN_EXCL_UNLINK),
    F(IN_MASK_ADD),
    F(IN_ONESHOT),
    END,
};
TABLE(clock) = {
    E(CLOCK_REALTIME),          E(CLOCK_MONOTONIC),     E(CLOCK_PROCESS_CPUTIME_ID),
    E(CLOCK_THREAD_CPUTIME_ID), E(CLOCK_MONOTONIC_RAW), E(CLOCK_REALTIME_COARSE),
    E(CLOCK_MONOTONIC_COARSE),  E(CLOCK_BOOTTIME),      E(CLOCK_REALTIME_ALARM),
    E(CLOCK_BOOTTIME_ALARM),    E(CLOCK_TAI),           END,
};
TABLE(timerfl) = {F(TIMER_ABSTIME), B(2, "TFD_TIMER_CANCEL_ON_SET"), END};
TABLE(itimer) = {E(ITIMER_REAL), E(ITIMER_VIRTUAL), E(ITIMER_PROF), END};
TABLE(futex) = {
    E(FUTEX_WAIT),           E(FUTEX_WAKE),           E(FUTEX_FD),
    E(FUTEX_REQUEUE),        E(FUTEX_CMP_REQUEUE),    E(FUTEX_WAKE_OP),
    E(FUTEX_LOCK_PI),        E(FUTEX_UNLOCK_PI),      E(FUTEX_TRYLOCK_PI),
    E(FUTEX_WAIT_BITSET),    E(FUTEX_WAKE_BITSET),    E(FUTEX_WAIT_REQUEUE_PI),
    E(FUTEX_CMP_REQUEUE_PI), V(13, "FUTEX_LOCK_PI2"), END,
};

/* ---- sockets and System V ---- */

TABLE(domain) = {
    E(AF_UNSPEC), E(AF_UNIX), E(AF_INET),  E(AF_INET6), E(AF_NETLINK),
    E(AF_PACKET), E(AF_ALG),  E(AF_VSOCK), END,
};
TABLE(socktype) = {
    M(1, 15, "SOCK_STREAM"),    M(2, 15, "SOCK_DGRAM"), M(3, 15, "SOCK_RAW"), M(4, 15, "SOCK_RDM"),
    M(5, 15, "SOCK_SEQPACKET"), F(SOCK_CLOEXEC),        F(SOCK_NONBLOCK),     END,
};
TABLE(socklevel) = {
    V(0, "SOL_IP"),       V(1, "SOL_SOCKET"),    V(6, "SOL_TCP"),
    V(17, "SOL_UDP"),     V(41, "SOL_IPV6"),     V(58, "SOL_ICMPV6"),
    V(263, "SOL_PACKET"), V(270, "SOL_NETLINK"), END,
};
TABLE(sockopt) = {
    E(SO_DEBUG),         E(SO_REUSEADDR),   E(SO_TYPE),        E(SO_ERROR),
    E(SO_DONTROUTE),     E(SO_BROADCAST),   E(SO_SNDBUF),      E(SO_RCVBUF),
    E(SO_KEEPALIVE),     E(SO_OOBINLINE),   E(SO_PRIORITY),    E(SO_LINGER),
    E(SO_REUSEPORT),     E(SO_PASSCRED),    E(SO_PEERCRED),    E(SO_RCVLOWAT),
    E(SO_SNDLOWAT),      E(SO_RCVTIMEO),    E(SO_SNDTIMEO),    E(SO_BINDTODEVICE),
    E(SO_ATTACH_FILTER), E(SO_PEERNAME),    E(SO_TIMESTAMP),   E(SO_ACCEPTCONN),
    E(SO_PEERSEC),       E(SO_SNDBUFFORCE), E(SO_RCVBUFFORCE), E(SO_PASSSEC),
    E(SO_MARK),          E(SO_PROTOCOL),    E(SO_DOMAIN),      END,
};
TABLE(msg) = {
    F(MSG_OOB),        F(MSG_PEEK),     F(MSG_DONTROUTE),    F(MSG_CTRUNC),
    F(MSG_TRUNC),      F(MSG_DONTWAIT), F(MSG_EOR),          F(MSG_WAITALL),
    F(MSG_CONFIRM),    F(MSG_ERRQUEUE), F(MSG_NOSIGNAL),     F(MSG_MORE),
    F(MSG_WAITFORONE), F(MSG_FASTOPEN), F(MSG_CMSG_CLOEXEC), END,
};
TABLE(shut) = {E(SHUT_RD), E(SHUT_WR), E(SHUT_RDWR), END};
TABLE(ipcfl) = {
    F(IPC_CREAT), F(IPC_EXCL), F(IPC_NOWAIT), B(010000, "MSG_NOERROR|SHM_NORESERVE"), END,
};
TABLE(ipccmd) = {
    E(IPC_RMID), E(IPC_SET), E(IPC_STAT), E(IPC_INFO), E(GETPID), E(GETVAL),
    E(GETALL),   E(GETNCNT), E(GETZCNT),  E(SETVAL),   E(SETALL), END,
};
TABLE(shmfl) = {F(SHM_RDONLY), F(SHM_RND), F(SHM_REMAP), F(SHM_EXEC), END};

/* ---- errors ---- */

#define N(x) [x] = #x
static const char *const errors[] = {
    N(EPERM),           N(ENOENT),          N(ESRCH),       N(EINTR),        N(EIO),
    N(ENXIO),           N(E2BIG),           N(ENOEXEC),     N(EBADF),        N(ECHILD),
    N(EAGAIN),          N(ENOMEM),          N(EACCES),      N(EFAULT),       N(ENOTBLK),
    N(EBUSY),           N(EEXIST),          N(EXDEV),       N(ENODEV),       N(ENOTDIR),
    N(EISDIR),          N(EINVAL),          N(ENFILE),      N(EMFILE),       N(ENOTTY),
    N(ETXTBSY),         N(EFBIG),           N(ENOSPC),      N(ESPIPE),       N(EROFS),
    N(EMLINK),          N(EPIPE),           N(EDOM),        N(ERANGE),       N(EDEADLK),
    N(ENAMETOOLONG),    N(ENOLCK),          N(ENOSYS),      N(ENOTEMPTY),    N(ELOOP),
    N(ENOMSG),          N(EIDRM),           N(ENOSTR),      N(ENODATA),      N(ETIME),
    N(ENOSR),           N(ENONET),          N(ENOLINK),     N(ECOMM),        N(EPROTO),
    N(EMULTIHOP),       N(EBADMSG),         N(EOVERFLOW),   N(ENOTUNIQ),     N(EBADFD),
    N(EREMCHG),         N(ELIBACC),         N(ELIBBAD),     N(ELIBSCN),      N(ELIBMAX),
    N(ELIBEXEC),        N(EILSEQ),          N(ERESTART),    N(ESTRPIPE),     N(EUSERS),
    N(ENOTSOCK),        N(EDESTADDRREQ),    N(EMSGSIZE),    N(EPROTOTYPE),   N(ENOPROTOOPT),
    N(EPROTONOSUPPORT), N(ESOCKTNOSUPPORT), N(EOPNOTSUPP),  N(EPFNOSUPPORT), N(EAFNOSUPPORT),
    N(EADDRINUSE),      N(EADDRNOTAVAIL),   N(ENETDOWN),    N(ENETUNREACH),  N(ENETRESET),
    N(ECONNABORTED),    N(ECONNRESET),      N(ENOBUFS),     N(EISCONN),      N(ENOTCONN),
    N(ESHUTDOWN),       N(ETOOMANYREFS),    N(ETIMEDOUT),   N(ECONNREFUSED), N(EHOSTDOWN),
    N(EHOSTUNREACH),    N(EALREADY),        N(EINPROGRESS), N(ESTALE),       N(EUCLEAN),
    N(EREMOTEIO),       N(EDQUOT),          N(ENOMEDIUM),   N(EMEDIUMTYPE),  N(ECANCELED),
    N(ENOKEY),          N(EKEYEXPIRED),     N(EKEYREVOKED), N(EKEYREJECTED), N(EOWNERDEAD),
    N(ENOTRECOVERABLE), N(ERFKILL),         N(EHWPOISON),
};

const char *lx_errno_name(int error) {
    bool known = error > 0 && (size_t)error < sizeof errors / sizeof errors[0];
    return known ? errors[error] : NULL;
}
