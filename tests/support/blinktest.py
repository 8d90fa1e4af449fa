"""Running programs natively and under blink, and saying in TAP how the two compare.

Used by the suites guest and programs. The oracle is this machine where it can run x86-64 Linux
programs, else qemu-x86_64; without either the cases are skipped.
"""

import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import time


class Tap:
    """TAP version 13: one line a case, what went wrong as comments."""

    def __init__(self):
        self.count = self.failures = 0

    def case(self, name, good, *details):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            self.failures += 1
            for detail in details:
                for line in str(detail).splitlines():
                    print(f"# {line}")
        sys.stdout.flush()

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")
        sys.stdout.flush()

    def finish(self):
        print(f"1..{self.count}" if self.count else "1..0 # SKIP nothing to run here")
        return 1 if self.failures else 0


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __eq__(self, other):
        return (self.status, self.out, self.err) == (other.status, other.out, other.err)


def describe_status(status):
    if status is None:
        return "timed out"
    if status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"exit status {status}"


def _child_limits():
    # No core files; a runaway log or output ends itself.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    # Python ignores these, and a child would inherit that.
    for signo in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signo, signal.SIG_DFL)


def start(command, env=None, cwd=None):
    """`command` in a session of its own. Only one thread may start programs."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True,
                            preexec_fn=_child_limits)


def finish(child, stdin=b"", timeout=120):
    """The result of what start() gave; after `timeout` seconds every process of it ends."""
    with child:
        try:
            out, err = child.communicate(stdin, timeout=timeout)
            status = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            status = None
    return Result(status, out, err)


def run(command, stdin=b"", env=None, cwd=None, timeout=120):
    return finish(start(command, env, cwd), stdin, timeout)


def oracle():
    """The prefix under which x86-64 Linux programs run truly, or None."""
    if platform.machine() in ("x86_64", "amd64") and sys.platform == "linux":
        return []
    qemu = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    return [qemu] if qemu else None


def clip(data, limit=2000):
    text = data.decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + f"... ({len(data)} bytes)"


def difference(what, want, got):
    """Where two outputs part, in a few lines."""
    if want == got:
        return ""
    a, b = want.splitlines(), got.splitlines()
    for n in range(max(len(a), len(b))):
        x = a[n] if n < len(a) else None
        y = b[n] if n < len(b) else None
        if x != y:
            x, y = ("(nothing)" if v is None else clip(v, 300) for v in (x, y))
            return f"{what} differs at line {n + 1}:\n  want {x}\n  got  {y}"
    return f"{what} differs in its last newline"


def explain(want, got):
    lines = []
    if want.status != got.status:
        lines.append(f"want {describe_status(want.status)}, got {describe_status(got.status)}")
    lines.append(difference("output", want.out, got.out))
    lines.append(difference("error output", want.err, got.err))
    return "\n".join(line for line in lines if line)


class Comparison:
    """Cases that run a command natively and under blink in equal surroundings."""

    def __init__(self, tap, blink, env=None):
        # Cases run in folders of their own.
        blink = [os.path.abspath(blink[0])] + blink[1:]
        self.tap, self.blink, self.oracle = tap, blink, oracle()
        self.times = False  # say how long each run took
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C",
                    "HOME": "/nonexistent", "TZ": "UTC"}
        self.env.update(env or {})
        # Where a test says so: extra options of sanitizers and the like.
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def same(self, name, command, stdin=b"", env=None, cwd=None, timeout=120, before=None,
             adjust=None):
        """`command` gives the same output, error output and status. `before` prepares each run;
        `adjust` maps a Result to what is compared."""
        if self.oracle is None:
            self.tap.skip(name, "nothing here runs x86-64 programs to compare with")
            return
        merged = dict(self.env, **(env or {}))
        results, took = [], []
        for prefix in (self.oracle, self.blink):
            if before:
                before()
            start = time.monotonic()
            r = run(prefix + command, stdin, merged, cwd, timeout)
            took.append(time.monotonic() - start)
            results.append(adjust(r) if adjust else r)
        want, got = results
        good = want == got and want.status is not None
        shown = " ".join(a if len(a) < 200 else a[:20] + "..." for a in self.blink + command)
        self.tap.case(name, good, "$ " + shown, explain(want, got))
        if self.times:
            print(f"# {name}: {took[0]:.2f} s natively, {took[1]:.2f} s under blink", flush=True)
