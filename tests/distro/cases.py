"""The cases of suite distro, but for Python's own tests: a table."""

import re
import shutil
import socket
from dataclasses import dataclass, field
from typing import Callable, Optional, Union

# Every case is run in the mode "jit". These are the sets of modes for `also`; what is heavy and would
# show nothing new interpreted is left out there, unless everything is asked for.
PAGED = ("paged",)
SLOW = ("paged", "interp")
ALL = ("paged", "interp", "swap")
SWAP = ("paged", "swap")


@dataclass
class Case:
    name: str
    needs: list  # (program, Debian package); a program of the build begins with @
    command: list  # ${NAME} stands for what run.py sets, as ${DATA}
    also: tuple = PAGED
    part: str = "programs"
    build: str = ""  # script run natively, once, in ${MADE}
    stdin: str = ""
    env: Union[dict, Callable] = field(default_factory=dict)
    adjust: Optional[Callable] = None
    lacks: Optional[Callable] = None  # another reason to skip, or None
    timeout: int = 900  # of a machine that is slow, and does other things
    full: bool = False  # only where everything is asked for


def numbers(result):
    """Measured values differ from run to run."""
    for name in ("out", "err"):
        text = re.sub(rb"\d[\d.,]*[kKM]?", b"N", getattr(result, name))
        setattr(result, name, re.sub(rb" +", b" ", text))
    return result


def only_status(result):
    """What is printed are measured values; a stressor's own checks end in the status."""
    result.shown = result.out + result.err
    result.out = result.err = b""
    return result


def without_locations(result):
    """Process and thread numbers in messages."""
    result.err = re.sub(rb"\(\d+\)", b"(N)", result.err)
    return result


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return {"PORT": str(s.getsockname()[1])}


def no_rust():
    return None if shutil.which("rustc") else "rustc is missing; package rustc has it"


def bash(name, script, *needs, **more):
    return Case(name, [("bash", "bash"), *needs], ["/bin/bash", "${DATA}/" + script], **more)


def built(name, program, *args, **more):
    return Case(name, [("@" + program, "gcc")], ["${BUILT}/" + program, *args], **more)


PERL = ("perl", "perl")
PYTHON = ("/usr/bin/python3", "python3")
GCC = ("gcc", "gcc")
JDK = ("javac", "default-jdk-headless")

CASES = [
    built("hello, dynamic", "hello", "world", also=ALL),
    Case("hello, dynamic with musl", [("@hello-musl", "musl-tools")], ["${BUILT}/hello-musl", "world"],
         also=SLOW),
    built("/proc/self", "procself", "one", "two words", also=SLOW),
    built("files that execve refuses", "execs", also=SLOW),
    built("a thousand threads", "crowd", also=ALL),
    built("SIGPROF switches tasks", "preempt", also=ALL),
    built("soak", "soak", "${SOAK}", also=ALL),
    built("code that is rewritten a million times", "rewriter", "${SCALE}", also=ALL),
    Case("LD_PRELOAD", [("@preload.so", "gcc"), PERL],
         ["sh", "-c", "LD_PRELOAD=${BUILT}/preload.so id -u; echo $?; "
                      "LD_PRELOAD=${BUILT}/preload.so perl -e 'print \"$>\\n\"'"], also=SLOW),
    bash("bash script", "long.bash", also=SLOW),
    bash("#! scripts", "scripts.bash", PERL, also=SLOW),
    Case("perl", [PERL], ["perl", "${DATA}/checks.pl"], also=ALL),
    Case("python3, sqlite3", [PYTHON], ["/usr/bin/python3", "${DATA}/database.py"], also=SWAP),
    bash("git", "git.bash", ("git", "git")),
    bash("gcc", "gcc.bash", GCC, also=SLOW),
    bash("make -j4", "make.bash", ("make", "make"), GCC),
    bash("sqlite3, 100,000 rows", "sqlite.bash", ("sqlite3", "sqlite3")),
    Case("openssl speed", [("openssl", "openssl")],
         ["openssl", "speed", "-seconds", "1", "-bytes", "1024", "sha256", "aes-128-cbc"],
         adjust=only_status),
    bash("openssl", "openssl.bash", ("openssl", "openssl")),
    bash("tar | xz | tar", "tar.bash", ("xz", "xz-utils"), also=SLOW),
    bash("vim -es", "vim.bash", ("vim", "vim"), also=SLOW),
    bash("nano in tmux", "nano.bash", ("nano", "nano"), ("tmux", "tmux"), also=SWAP),
    Case("node", [("node", "nodejs")], ["node", "${DATA}/workers.js"], also=SWAP),
    Case("java -version", [("java", "default-jdk-headless")], ["java", "-version"]),
    Case("java", [("java", "default-jdk-headless"), JDK], ["java", "-cp", "${MADE}", "Shapes"], also=SWAP,
         build='javac -d "$MADE" "$DATA/Shapes.java"'),
    Case("luajit", [("luajit", "luajit")], ["luajit", "${DATA}/traces.lua", "${SCALE}"], also=ALL),
    Case("go", [("go", "golang-go")], ["${MADE}/goroutines"], also=ALL,
         build='go build -o "$MADE/goroutines" "$DATA/goroutines.go"'),
    Case("rust", [], ["${MADE}/threads"], lacks=no_rust, also=ALL, adjust=without_locations,
         build='rustc -O -o "$MADE/threads" "$DATA/threads.rs"'),
    Case("go build", [("go", "golang-go")],
         ["sh", "-c", "go build -o made ${DATA}/goroutines.go && sha256sum made"], also=()),
    Case("rustc", [], ["rustc", "-O", "-o", "made", "${DATA}/threads.rs"], lacks=no_rust, full=True),
    Case("javac", [JDK], ["sh", "-c", "javac -d . ${DATA}/Shapes.java && sha256sum *.class"], full=True),
    bash("redis, 10,000 requests", "redis.bash", ("redis-server", "redis-server"),
         ("redis-benchmark", "redis-tools"), env=free_port, adjust=numbers, also=SWAP),
    bash("nginx, 10,000 requests", "nginx.bash", ("nginx", "nginx"), ("python3", "python3"),
         env=free_port),
]

# stress-ng's stressors by what they strain. Left out: what takes a CPU or a module of the kernel
# away, fills disks or memory, needs devices, or looks into other processes by ptrace and the like.
STRESSORS = {
    "cpu": "cpu branch bsearch context crypt fp fp-error funccall funcret goto hash heapsort hsearch list "
           "longjmp matrix mergesort nop opcode prefetch qsort radixsort rdrand regs shellsort skiplist "
           "sparsematrix str tree tsc tsearch vecfp vecmath vecshuf vecwide wcs x86cpuid zlib",
    "memory": "atomic bad-altstack lockbus malloc matrix-3d mcontend membarrier memcpy memfd memrate "
              "memthrash mincore misaligned mmap mmapaddr mmapfixed mremap null randlist stack stackmmap "
              "stream tlb-shootdown vm vm-addr zero",
    "pipe": "pipe fifo pipeherd ring-pipe sendfile splice tee vm-splice eventfd sock sockpair mq msg",
    "signal": "signal alarm itimer kill nanosleep sigabrt sigchld sigfd sigfpe sigio signest sigpending "
              "sigpipe sigq sigrt sigsegv sigsuspend sigtrap sleep timer timerfd",
    "thread": "pthread clone exit-group fork forkheavy futex mutex nice poll resched sem sem-sysv "
              "switch vfork vforkmany wait yield",
}
# The same, few, and all at the same time: what every run of the suite does.
TOGETHER = {
    "cpu": "cpu matrix fp longjmp",
    "memory": "vm malloc memcpy mremap stack",
    "pipe": "pipe pipeherd splice",
    "signal": "signal sigq sigfpe sigsegv sigsuspend",
    "thread": "pthread mutex futex fork vfork clone switch",
}


def stress(name, stressors, **more):
    words = [word for s in stressors.split() for word in (f"--{s}", "1")]
    return Case(name, [("stress-ng", "stress-ng")],
                ["stress-ng", *words, "--timeout", "${SECONDS}", "--verify", "--no-rand-seed"],
                part="stress", adjust=only_status, also=SWAP, **more)


CASES += [stress(f"stress-ng, {kind}", names) for kind, names in TOGETHER.items()]
CASES += [stress(f"stress-ng --{name}", name, full=True)
          for names in STRESSORS.values() for name in names.split()]
